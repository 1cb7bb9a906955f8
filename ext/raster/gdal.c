/* GDAL within the access rules; see gdal.h. */
#include "raster/gdal.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <errno.h>
#include <gdal_frmts.h>
#include <math.h>
#include <ogr_srs_api.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/sniff.h"
#include "raster/file.h"
#include "raster/remote.h"
#include "raster/runtime.h"
#include "raster/substitute.h"
#include "raster/valid.h"
#include "raster/vsi.h"
#include "store/access.h"
#include "store/scheme.h"

/* --- errors and thread configuration --- */

static void CPL_STDCALL collect_error(CPLErr level, CPLErrorNum number, const char *text) {
  struct sc_gdal_scope *scope = CPLGetErrorHandlerUserData();
  (void)number;
  if (level >= CE_Failure && scope && !scope->text[0]) {
    snprintf(scope->text, sizeof scope->text, "%s", text);
  }
}

static char *swap_option(const char *key, const char *value) {
  const char *now = CPLGetThreadLocalConfigOption(key, NULL);
  char *saved = now ? CPLStrdup(now) : NULL;
  CPLSetThreadLocalConfigOption(key, value);
  return saved;
}

void sc_gdal_begin(struct sc_gdal_scope *scope) {
  scope->text[0] = '\0';
  CPLPushErrorHandlerEx(collect_error, scope);
  scope->saved_readdir = swap_option("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR");
  scope->saved_pam = swap_option("GDAL_PAM_ENABLED", "NO");
}

void sc_gdal_end(struct sc_gdal_scope *scope) {
  CPLSetThreadLocalConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", scope->saved_readdir);
  CPLSetThreadLocalConfigOption("GDAL_PAM_ENABLED", scope->saved_pam);
  CPLFree(scope->saved_readdir);
  CPLFree(scope->saved_pam);
  CPLPopErrorHandler();
  CPLErrorReset();
}

int CPL_STDCALL sc_gdal_goes_on(double done, const char *text, void *err) {
  (void)done, (void)text;
  return sc_interrupt_check(err) == SC_OK;
}

sc_status sc_source_fail(const struct sc_source *source, sc_status status, struct sc_error *err,
                         const char *what, const char *reason) {
  char shown[4096];
  sc_access_shown(source->href, shown, sizeof shown);
  sc_fail_text(err, status, "%s: %s%s%s", shown, what, *reason ? ": " : "", reason);
  if (source->asset) sc_fail_within(err, "asset %s", source->asset);
  if (source->item) sc_fail_within(err, "item %s", source->item);
  return status;
}

/* --- opening --- */

static pthread_once_t register_once = PTHREAD_ONCE_INIT;

static void register_drivers(void) {
  GDALRegister_GTiff();
  GDALRegister_COG();
  GDALRegister_JP2OpenJPEG();
  GDALRegister_PNG();
  GDALRegister_JPEG();
  GDALRegister_MEM();
}

void sc_gdal_register(void) { pthread_once(&register_once, register_drivers); }

/* A folder of a Zarr array or group (versions 2 and 3). */
static int is_zarr(const char *folder) {
  static const char *const members[] = {".zarray", ".zgroup", "zarr.json"};
  char path[4200];
  struct stat info;
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    snprintf(path, sizeof path, "%.4096s/%s", folder, members[i]);
    if (stat(path, &info) == 0) return 1;
  }
  return 0;
}

static sc_status check_regular(const struct sc_source *source, struct sc_error *err) {
  struct stat info;
  if (stat(source->href, &info) != 0) {
    return sc_source_fail(source, SC_NOT_FOUND, err, "cannot open", strerror(errno));
  }
  if (S_ISREG(info.st_mode)) return SC_OK;
  if (S_ISDIR(info.st_mode) && is_zarr(source->href)) {
    char text[200];
    snprintf(text, sizeof text, SC_NOT_OPENED, "Zarr");
    return sc_source_fail(source, SC_UNSUPPORTED, err, text, "");
  }
  return sc_source_fail(source, SC_BAD_DATA, err, "not a regular file", "");
}

#define HEAD_BYTES 1024 /* enough to tell a page from other markup */

/* The first bytes of what GDAL does not open; the rest is zero. */
static size_t read_head(const char *path, char *head) {
  memset(head, 0, HEAD_BYTES);
  VSILFILE *file = VSIFOpenL(path, "rb");
  if (!file) return 0;
  size_t n = VSIFReadL(head, 1, HEAD_BYTES, file);
  VSIFCloseL(file);
  return n;
}

/* The format of a file that none of our drivers takes, by its first bytes; NULL: not known. */
static const char *name_format(const char *head) {
  static const struct {
    const char *bytes;
    size_t n;
    const char *name;
  } formats[] = {
      {"\x89HDF\r\n\x1a\n", 8, "HDF5 (or netCDF-4)"}, /* HDF5 file format 3.0, II.A */
      {"\x0e\x03\x13\x01", 4, "HDF4"},
      {"CDF\x01", 4, "netCDF"}, /* netCDF classic format: versions 1, 2 and 5 */
      {"CDF\x02", 4, "netCDF"},
      {"CDF\x05", 4, "netCDF"},
      {"GRIB", 4, "GRIB"},
      {"NITF", 4, "NITF"},
  };
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (memcmp(head, formats[i].bytes, formats[i].n) == 0) return formats[i].name;
  }
  return NULL;
}

static sc_status fail_open(const struct sc_source *source, const char *path, const char *reason,
                           struct sc_error *err) {
  char head[HEAD_BYTES], text[200];
  size_t n = read_head(path, head);
  const char *format = name_format(head), *what = format ? NULL : sc_sniff(head, n);
  if (what && !strstr(what, "TIFF") && !strstr(what, "PNG")) { /* those are damaged ones */
    snprintf(text, sizeof text, "it is %s, not a raster", what);
    return sc_source_fail(source, SC_BAD_DATA, err, text, "");
  }
  if (!format) return sc_source_fail(source, SC_BAD_DATA, err, "cannot open as a raster", reason);
  snprintf(text, sizeof text, SC_NOT_OPENED, format);
  return sc_source_fail(source, SC_UNSUPPORTED, err, text, "");
}

static int is_format(GDALDatasetH ds, const char *name) {
  return strcmp(GDALGetDriverShortName(GDALGetDatasetDriver(ds)), name) == 0;
}

/*
 * Bytes that GDAL holds to read one pixel: a block, of all bands where they are interleaved. Of
 * JPEG 2000 a tile in OpenJPEG's form, four bytes a value. Before a row of PNG and JPEG all above
 * it are decoded, and a progressive one is held whole: a quarter of the picture counts as a block.
 */
static double block_cost(GDALDatasetH ds) {
  int bw, bh, n = GDALGetRasterCount(ds);
  GDALRasterBandH band = GDALGetRasterBand(ds, 1);
  GDALGetBlockSize(band, &bw, &bh);
  double value = GDALGetDataTypeSizeBytes(GDALGetRasterDataType(band));
  const char *layout = GDALGetMetadataItem(ds, "INTERLEAVE", "IMAGE_STRUCTURE");
  int together = layout && strcmp(layout, "PIXEL") == 0;
  if (is_format(ds, "PNG") || is_format(ds, "JPEG"))
    return (double)GDALGetRasterXSize(ds) * GDALGetRasterYSize(ds) * n * value / 4;
  if (is_format(ds, "JP2OpenJPEG")) return (double)bw * bh * n * 4;
  return (double)bw * bh * value * (together ? n : 1);
}

/* What no honest file has: one block of it would cost gigabytes. Said before any is decoded. */
static sc_status check_blocks(const struct sc_source *source, GDALDatasetH ds,
                              struct sc_error *err) {
  char text[160];
  int bw, bh, n = GDALGetRasterCount(ds);
  if (n < 1 || n > SC_BANDS_MAX) {
    snprintf(text, sizeof text, "%d bands; the limit is %d", n, SC_BANDS_MAX);
    return sc_source_fail(source, SC_TOO_BIG, err, text, "");
  }
  double cost = block_cost(ds);
  if (cost <= SC_BLOCK_MAX_BYTES) return SC_OK;
  GDALGetBlockSize(GDALGetRasterBand(ds, 1), &bw, &bh);
  snprintf(text, sizeof text,
           "blocks of %d x %d pixels of %d bands take %.0f bytes to read; the limit is %.0f", bw,
           bh, n, cost, (double)SC_BLOCK_MAX_BYTES);
  return sc_source_fail(source, SC_TOO_BIG, err, text, "");
}

/* Did reads of a remote file fail since there were `before`? */
static sc_status check_transfers(const struct sc_source *source, unsigned before,
                                 struct sc_error *err) {
  struct sc_error last;
  if (sc_remote_url_failures(source->href, &last) == before) return SC_OK;
  return sc_source_fail(source, last.status, err, "reading failed", last.text);
}

static sc_status open_memory(const struct sc_memory_raster *m, GDALDatasetH *out,
                             struct sc_error *err) {
  const size_t size = sc_dtype_bytes(m->dtype), line = size * (size_t)m->width;
  const struct sc_gdal_memory memory = {.pixels = m->pixels,
                                        .type = sc_gdal_type(m->dtype),
                                        .width = m->width,
                                        .height = m->height,
                                        .n_bands = m->n_bands,
                                        .pixel_bytes = size,
                                        .line_bytes = line,
                                        .band_bytes = line * (size_t)m->height};
  sc_gdal_register();
  sc_status st = sc_gdal_memory_open(&memory, out, err);
  for (int i = 1; !st && m->dtype == SC_DTYPE_I8 && i <= m->n_bands; i++)
    sc_gdal_sign_bytes(GDALGetRasterBand(*out, i));
  return st;
}

static sc_status open_dataset(const struct sc_source *source, GDALDatasetH *out,
                              struct sc_error *err) {
  static const char *const drivers[] = {"GTiff", "JP2OpenJPEG", "PNG", "JPEG", NULL};
  struct sc_gdal_scope scope;
  char path[4200];
  int remote = sc_href_is_url(source->href);
  if (source->memory) return open_memory(source->memory, out, err);
  sc_gdal_register();
  sc_status st = remote ? sc_vsi_path(source, path, sizeof path, err) : check_regular(source, err);
  if (st) return st;
  unsigned failures = remote ? sc_remote_url_failures(source->href, NULL) : 0;
  sc_gdal_begin(&scope);
  *out = GDALOpenEx(remote ? path : source->href,
                    GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, drivers, NULL, NULL);
  st = remote ? check_transfers(source, failures, err) : SC_OK;
  if (st) {
    /* the network's fault, whatever GDAL made of it */
  } else if (!*out) {
    st = fail_open(source, remote ? path : source->href, scope.text, err);
  } else if (GDALGetMetadataItem(*out, "OVERVIEW_FILE", "OVERVIEWS")) {
    st = sc_source_fail(source, SC_DENIED, err,
                        "external overview files are not opened, and it names one", "");
  } else {
    st = check_blocks(source, *out, err);
  }
  if (st && *out) {
    GDALClose(*out);
    *out = NULL;
  }
  sc_gdal_end(&scope);
  if (st == SC_BAD_DATA && remote) sc_remote_url_forget(source->href);
  return st;
}

/* --- the pool of open datasets --- */

#define N_POOLED 64

struct pooled {
  char *href;
  struct sc_stamp stamp; /* when it was opened */
  GDALDatasetH dataset;
  unsigned long used;
};

static struct pooled pool[N_POOLED];
static unsigned long pool_clock;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;

static void identify(const char *href, struct pooled *p) {
  if (sc_href_is_url(href)) {
    p->stamp = (struct sc_stamp){.generation = sc_remote_url_generation(href)};
  } else {
    p->stamp = sc_stamp_of(href);
  }
}

static void clear_pooled(struct pooled *p) {
  sc_free(p->href);
  memset(p, 0, sizeof *p);
}

sc_status sc_gdal_acquire(const struct sc_source *source, GDALDatasetH *out, struct sc_error *err) {
  struct pooled now = {0};
  GDALDatasetH stale = NULL;
  *out = NULL;
  if (source->memory) return open_dataset(source, out, err);
  identify(source->href, &now);
  pthread_mutex_lock(&pool_lock);
  for (int i = 0; i < N_POOLED && !*out && !stale; i++) {
    if (!pool[i].href || strcmp(pool[i].href, source->href) != 0) continue;
    if (sc_stamp_equals(&pool[i].stamp, &now.stamp)) {
      *out = pool[i].dataset;
    } else {
      stale = pool[i].dataset;
    }
    clear_pooled(&pool[i]);
  }
  pthread_mutex_unlock(&pool_lock);
  if (stale) GDALClose(stale);
  return *out ? SC_OK : open_dataset(source, out, err);
}

static void drop_blocks(GDALDatasetH ds) {
  for (int i = 1; i <= GDALGetRasterCount(ds); i++) GDALFlushRasterCache(GDALGetRasterBand(ds, i));
}

/*
 * GDAL keeps the blocks of open datasets, as many as a twentieth of the machine's memory holds. Its
 * limit is the process's, and may be the host's own; so what is beyond ours goes after each read.
 */
static void keep_within_budget(GDALDatasetH ds) {
  if (GDALGetCacheUsed64() <= sc_runtime_cache_bytes()) return;
  drop_blocks(ds);
  pthread_mutex_lock(&pool_lock);
  for (int i = 0; i < N_POOLED && GDALGetCacheUsed64() > sc_runtime_cache_bytes(); i++) {
    if (pool[i].dataset) drop_blocks(pool[i].dataset);
  }
  pthread_mutex_unlock(&pool_lock);
}

void sc_gdal_release(const struct sc_source *source, GDALDatasetH dataset, int broken) {
  struct sc_error ignored = {0};
  struct pooled back = {.dataset = dataset};
  if (!dataset) return;
  if (source->memory) {
    GDALClose(dataset);
    return;
  }
  keep_within_budget(dataset);
  identify(source->href, &back);
  /* A file that was replaced meanwhile must not be kept under the stamp of the new one. */
  int is_other = source->stamp && source->stamp->size && back.stamp.inode &&
                 !sc_stamp_equals(source->stamp, &back.stamp);
  if (broken || is_other || sc_strdup(source->href, &back.href, &ignored)) {
    GDALClose(dataset);
    return;
  }
  pthread_mutex_lock(&pool_lock);
  struct pooled *oldest = &pool[0];
  for (int i = 1; i < N_POOLED; i++) {
    if (pool[i].used < oldest->used) oldest = &pool[i];
  }
  GDALDatasetH evicted = oldest->dataset;
  clear_pooled(oldest);
  *oldest = back;
  oldest->used = ++pool_clock;
  pthread_mutex_unlock(&pool_lock);
  if (evicted) GDALClose(evicted);
}

void sc_gdal_abandon(void) {
  pthread_mutex_init(&pool_lock, NULL);
  memset(pool, 0, sizeof pool);
}

/* --- what a file says of itself --- */

/* Signed bytes are a type of their own from GDAL 3.7 on, which warns of who still asks for the
 * metadata that made them so before. */
#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 7, 0)
#define SIGNED_BYTE GDT_Int8
static enum sc_dtype byte_dtype(GDALRasterBandH band) {
  (void)band;
  return SC_DTYPE_U8;
}
void sc_gdal_sign_bytes(GDALRasterBandH band) { (void)band; }
#else
#define SIGNED_BYTE GDT_Byte
static enum sc_dtype byte_dtype(GDALRasterBandH band) {
  const char *type = GDALGetMetadataItem(band, "PIXELTYPE", "IMAGE_STRUCTURE");
  return type && strcmp(type, "SIGNEDBYTE") == 0 ? SC_DTYPE_I8 : SC_DTYPE_U8;
}
void sc_gdal_sign_bytes(GDALRasterBandH band) {
  GDALSetMetadataItem(band, "PIXELTYPE", "SIGNEDBYTE", "IMAGE_STRUCTURE");
}
#endif

enum sc_dtype sc_gdal_dtype(GDALRasterBandH band) {
  switch (GDALGetRasterDataType(band)) {
    case GDT_Byte: return byte_dtype(band);
#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 7, 0)
    case GDT_Int8: return SC_DTYPE_I8;
#endif
    case GDT_UInt16: return SC_DTYPE_U16;
    case GDT_Int16: return SC_DTYPE_I16;
    case GDT_UInt32: return SC_DTYPE_U32;
    case GDT_Int32: return SC_DTYPE_I32;
    case GDT_UInt64: return SC_DTYPE_U64;
    case GDT_Int64: return SC_DTYPE_I64;
    case GDT_Float32: return SC_DTYPE_F32;
    case GDT_Float64: return SC_DTYPE_F64;
    case GDT_CInt16:
    case GDT_CFloat32: return SC_DTYPE_C64;
    case GDT_CInt32:
    case GDT_CFloat64: return SC_DTYPE_C128;
    default: return SC_DTYPE_NONE;
  }
}

GDALDataType sc_gdal_type(enum sc_dtype dtype) {
  static const GDALDataType types[] = {
      GDT_Unknown, GDT_Byte,  SIGNED_BYTE, GDT_UInt16,  GDT_Int16,    GDT_UInt32,  GDT_Int32,
      GDT_UInt64,  GDT_Int64, GDT_Float32, GDT_Float64, GDT_CFloat32, GDT_CFloat64};
  return types[dtype];
}

/* Nodata values and alpha are looked at by us (valid.h), beyond the few cases that GDAL's mask
 * knows.
 */
static enum sc_file_mask find_mask(GDALRasterBandH band) {
  int flags = GDALGetMaskFlags(band);
  if (flags & (GMF_ALL_VALID | GMF_ALPHA)) return SC_MASK_NONE;
  if (flags & GMF_NODATA) return flags & GMF_PER_DATASET ? SC_MASK_VALUES : SC_MASK_NONE;
  return flags & GMF_PER_DATASET ? SC_MASK_FILE : SC_MASK_BAND;
}

static void read_band_info(GDALRasterBandH band, struct sc_band_info *out) {
  int has = 0;
  out->dtype = sc_gdal_dtype(band);
  if (out->dtype == SC_DTYPE_I64) {
    out->nodata_bits = (uint64_t)GDALGetRasterNoDataValueAsInt64(band, &has);
    out->nodata = (double)(int64_t)out->nodata_bits;
  } else if (out->dtype == SC_DTYPE_U64) {
    out->nodata_bits = GDALGetRasterNoDataValueAsUInt64(band, &has);
    out->nodata = (double)out->nodata_bits;
  } else {
    out->nodata = GDALGetRasterNoDataValue(band, &has);
  }
  out->has_nodata = has;
  out->scale = GDALGetRasterScale(band, &has);
  out->offset = GDALGetRasterOffset(band, &has);
  snprintf(out->name, sizeof out->name, "%s", GDALGetDescription(band));
  out->is_alpha = GDALGetRasterColorInterpretation(band) == GCI_AlphaBand;
  out->mask = find_mask(band);
}

static sc_status read_crs(GDALDatasetH ds, char **out, struct sc_error *err) {
  static const char *const options[] = {"FORMAT=WKT2_2019", "MULTILINE=NO", NULL};
  OGRSpatialReferenceH srs = GDALGetSpatialRef(ds);
  if (!srs) srs = GDALGetGCPSpatialRef(ds);
  *out = NULL;
  if (!srs) return SC_OK;
  const char *authority = OSRGetAuthorityName(srs, NULL), *code = OSRGetAuthorityCode(srs, NULL);
  if (authority && code) return sc_format(out, err, "%s:%s", authority, code);
  char *wkt = NULL;
  sc_status st = SC_OK;
  if (OSRExportToWktEx(srs, &wkt, options) == OGRERR_NONE && wkt && *wkt) {
    st = sc_strdup(wkt, out, err);
  }
  CPLFree(wkt);
  return st;
}

static unsigned read_placement(GDALDatasetH ds) {
  return (GDALGetGCPCount(ds) > 0 ? SC_PLACED_BY_GCPS : 0u) |
         (GDALGetMetadata(ds, "RPC") ? SC_PLACED_BY_RPC : 0u) |
         (GDALGetMetadata(ds, "GEOLOCATION") ? SC_PLACED_BY_GEOLOCATION : 0u);
}

static sc_status read_info(GDALDatasetH ds, struct sc_raster_info *out, struct sc_error *err) {
  double gt[6];
  out->width = GDALGetRasterXSize(ds);
  out->height = GDALGetRasterYSize(ds);
  out->n_bands = GDALGetRasterCount(ds);
  if (GDALGetGeoTransform(ds, gt) == CE_None) {
    const double affine[6] = {gt[1], gt[2], gt[0], gt[4], gt[5], gt[3]};
    memcpy(out->transform, affine, sizeof affine);
    out->has_transform = 1;
  } else {
    out->placed_by = read_placement(ds);
  }
  sc_status st = read_crs(ds, &out->crs, err);
  out->bands = sc_alloc_zero((size_t)out->n_bands, sizeof *out->bands);
  if (!st && !out->bands) st = sc_fail_nomem(err);
  if (st) return st;
  for (int i = 0; i < out->n_bands; i++)
    read_band_info(GDALGetRasterBand(ds, i + 1), &out->bands[i]);
  GDALRasterBandH first = GDALGetRasterBand(ds, 1);
  GDALGetBlockSize(first, &out->block_width, &out->block_height);
  /* Of JPEG 2000 whose bytes failed to come, GDAL 3.6 counts overviews of overviews for ever. */
  int is_tiff = strcmp(GDALGetDriverShortName(GDALGetDatasetDriver(ds)), "GTiff") == 0;
  out->has_overviews = is_tiff && GDALGetOverviewCount(first) > 0;
  const char *time = GDALGetMetadataItem(ds, "TIFFTAG_DATETIME", NULL);
  if (time) snprintf(out->datetime, sizeof out->datetime, "%s", time);
  return SC_OK;
}

sc_status sc_gdal_info(const struct sc_source *source, struct sc_raster_info *out,
                       struct sc_error *err) {
  GDALDatasetH ds = NULL;
  struct sc_gdal_scope scope;
  memset(out, 0, sizeof *out);
  sc_status st = sc_gdal_acquire(source, &ds, err);
  if (st) return st;
  sc_gdal_begin(&scope);
  st = read_info(ds, out, err);
  sc_gdal_end(&scope);
  sc_gdal_release(source, ds, st != SC_OK);
  return st;
}

static void choose_overview(GDALRasterBandH band, double ratio, struct sc_gdal_overview *out) {
  const int width = GDALGetRasterBandXSize(band);
  double best = 1;
  for (int i = 0; i < GDALGetOverviewCount(band); i++) {
    GDALRasterBandH overview = GDALGetOverview(band, i);
    if (!overview) continue;
    double coarser = (double)width / GDALGetRasterBandXSize(overview);
    if (coarser <= best || coarser > ratio + 0.1) continue;
    best = coarser;
    *out = (struct sc_gdal_overview){i + 1, GDALGetRasterBandXSize(overview),
                                     GDALGetRasterBandYSize(overview)};
  }
}

sc_status sc_gdal_find_overview(const struct sc_source *source, int band, double ratio,
                                struct sc_gdal_overview *out, struct sc_error *err) {
  GDALDatasetH ds = NULL;
  struct sc_gdal_scope scope;
  memset(out, 0, sizeof *out);
  sc_status st = sc_gdal_acquire(source, &ds, err);
  if (st) return st;
  sc_gdal_begin(&scope);
  if (is_format(ds, "GTiff") && band <= GDALGetRasterCount(ds))
    choose_overview(GDALGetRasterBand(ds, band), ratio, out);
  sc_gdal_end(&scope);
  sc_gdal_release(source, ds, 0);
  return SC_OK;
}

void sc_gdal_info_free(struct sc_raster_info *info) {
  sc_free(info->crs);
  sc_free(info->bands);
  memset(info, 0, sizeof *info);
}

/* --- datasets in memory --- */

sc_status sc_gdal_memory_open(const struct sc_gdal_memory *m, GDALDatasetH *out,
                              struct sc_error *err) {
  GDALDriverH driver = GDALGetDriverByName("MEM");
  *out = driver ? GDALCreate(driver, "", m->width, m->height, 0, m->type, NULL) : NULL;
  for (int i = 0; *out && i < m->n_bands; i++) {
    const char *first = (const char *)m->pixels + (size_t)i * m->band_bytes;
    char pointer[32], pixel[32], line[32];
    snprintf(pointer, sizeof pointer, "%llu", (unsigned long long)(size_t)first);
    snprintf(pixel, sizeof pixel, "%zu", m->pixel_bytes);
    snprintf(line, sizeof line, "%zu", m->line_bytes);
    char **options = CSLSetNameValue(NULL, "DATAPOINTER", pointer);
    options = CSLSetNameValue(options, "PIXELOFFSET", pixel);
    options = CSLSetNameValue(options, "LINEOFFSET", line);
    CPLErr result = GDALAddBand(*out, m->type, options);
    CSLDestroy(options);
    if (result != CE_None) {
      GDALClose(*out);
      *out = NULL;
    }
  }
  return *out ? SC_OK : sc_fail(err, SC_UNSUPPORTED, "GDAL's MEM driver does not work");
}

void sc_gdal_set_nodata(GDALRasterBandH band, enum sc_dtype dtype, const struct sc_nodata *nodata) {
  if (!nodata->is_set) return;
  if (dtype == SC_DTYPE_I64) {
    GDALSetRasterNoDataValueAsInt64(band, (int64_t)nodata->bits);
  } else if (dtype == SC_DTYPE_U64) {
    GDALSetRasterNoDataValueAsUInt64(band, nodata->bits);
  } else {
    GDALSetRasterNoDataValue(band, nodata->value);
  }
}

/* --- reading a window --- */

/* The columns (or rows) of the output whose middle lies inside the raster. */
static void inside(double begin, double extent, int n_out, int limit, int *first, int *count) {
  int a = 0, b = n_out;
  while (a < b && sc_read_middle(begin, extent, n_out, a) < 0) a++;
  while (b > a && sc_read_middle(begin, extent, n_out, b - 1) >= limit) b--;
  *first = a;
  *count = b - a;
}

static int file_column(const struct sc_read *r, int i) {
  return (int)floor(sc_read_middle(r->x, r->width, r->out_width, i));
}

static int file_row(const struct sc_read *r, int j) {
  return (int)floor(sc_read_middle(r->y, r->height, r->out_height, j));
}

static GDALRIOResampleAlg gdal_kernel(enum sc_resampling r) {
  static const GDALRIOResampleAlg kernels[] = {
      GRIORA_NearestNeighbour, GRIORA_Bilinear, GRIORA_Cubic, GRIORA_CubicSpline,
      GRIORA_Lanczos,          GRIORA_Average,  GRIORA_Mode,  GRIORA_Gauss};
  return kernels[r];
}

/* Pixels of the output are pixels of the file. */
static int is_plain(const struct sc_read *r) {
  return r->width == r->out_width && r->height == r->out_height && r->x == floor(r->x) &&
         r->y == floor(r->y);
}

/* Nearest: the pixel under the middle of each output pixel, from a copy at file resolution where
 * they are not the same pixels. */
static CPLErr read_nearest(GDALRasterBandH band, const struct sc_read *r, const int box[4],
                           struct sc_error *err) {
  int x0 = file_column(r, box[0]), x1 = file_column(r, box[0] + box[1] - 1);
  int y0 = file_row(r, box[2]), y1 = file_row(r, box[2] + box[3] - 1);
  size_t size = sc_dtype_bytes(r->dtype), columns = (size_t)(x1 - x0 + 1);
  GDALRasterIOExtraArg extra;
  INIT_RASTERIO_EXTRA_ARG(extra);
  extra.pfnProgress = sc_gdal_goes_on;
  extra.pProgressData = err;
  if (is_plain(r)) {
    unsigned char *to =
        (unsigned char *)r->out + (size_t)box[2] * r->row_bytes + (size_t)box[0] * size;
    return GDALRasterIOEx(band, GF_Read, x0, y0, box[1], box[3], to, box[1], box[3],
                          sc_gdal_type(r->dtype), 0, (GSpacing)r->row_bytes, &extra);
  }
  unsigned char *copy = sc_alloc_zero(columns * (size_t)(y1 - y0 + 1), size);
  if (!copy) {
    sc_fail_nomem(err);
    return CE_Failure;
  }
  CPLErr result = GDALRasterIOEx(band, GF_Read, x0, y0, x1 - x0 + 1, y1 - y0 + 1, copy, x1 - x0 + 1,
                                 y1 - y0 + 1, sc_gdal_type(r->dtype), 0, 0, &extra);
  for (int j = box[2]; j < box[2] + box[3] && result == CE_None; j++) {
    if (sc_interrupt_check(err)) result = CE_Failure;
    size_t row = (size_t)(file_row(r, j) - y0);
    unsigned char *to = (unsigned char *)r->out + (size_t)j * r->row_bytes + (size_t)box[0] * size;
    for (int i = box[0]; i < box[0] + box[1]; i++, to += size) {
      size_t column = (size_t)(file_column(r, i) - x0);
      memcpy(to, copy + (row * columns + column) * size, size);
    }
  }
  sc_free(copy);
  return result;
}

/* One axis of a window as GDAL's kernels get it. */
struct axis {
  int first, count; /* output pixels that lie inside the raster whole */
  double ratio;     /* file pixels to an output pixel */
  double number;    /* of the first one, counted from the raster's edge */
  int limit;        /* pixels of the raster */
};

/* A ratio of resolutions that is one of small integers, as it was meant; others to 40 bits. */
static double exact_ratio(double ratio) {
  for (int q = 1; q <= 64; q++) {
    double p = round(ratio * q);
    if (p >= 1 && fabs(ratio * q - p) < 1e-7 * p) return p / q;
  }
  for (int p = 1; p <= 64; p++) {
    double q = round(p / ratio);
    if (q >= 1 && fabs(p / ratio - q) < 1e-7 * q) return p / q;
  }
  int exponent;
  double part = frexp(ratio, &exponent);
  return ldexp(round(part * 0x1p40), exponent - 40);
}

/* The number nearest to v that GDAL divides by `by` to get exactly `wanted`. */
static double to_divide(double v, double by, double wanted) {
  for (int i = 0; i < 4 && v / by < wanted; i++) v = nextafter(v, HUGE_VAL);
  for (int i = 0; i < 4 && v / by > wanted; i++) v = nextafter(v, -HUGE_VAL);
  return v;
}

/*
 * GDAL counts output pixels from the edge of the raster: by begin / (size / count). The last bits
 * of a window's begin and size would so move a chip by a pixel, or change ties: here every window
 * of an asset gets the same ratio, and a begin whose number of pixels is exact. Where that is not
 * whole GDAL counts from the window, which gauss, that looks at whole pixels, must not: for it it
 * is rounded.
 */
static struct axis lay_axis(double begin, double extent, int n_out, int limit, int is_gauss,
                            const int box[2]) {
  double ratio = exact_ratio(extent / n_out), at = begin / ratio;
  double number = fabs(at - round(at)) < SC_TIE_PX ? round(at) : round(at * 65536) / 65536;
  if (is_gauss) number = floor(number + 0.5);
  struct axis a = {.first = box[0], .count = box[1], .ratio = ratio, .limit = limit};
  while (a.count > 0 && number + a.first < 0) a.first++, a.count--;
  while (a.count > 0 && (number + a.first + a.count) * ratio > limit + SC_TIE_PX) a.count--;
  a.number = number + a.first;
  return a;
}

/* A part of an axis as one window of GDAL's. */
struct part {
  int first, count;
  double begin, size;
  int file_begin, file_end; /* pixels of the file around it */
};

/* `count` output pixels from `number` on; their size need not divide to the ratio. */
static struct part part_at(const struct axis *a, double number, int count) {
  struct part p = {.count = count};
  p.size = to_divide(count * a->ratio, count, a->ratio);
  p.begin = to_divide(number * a->ratio, a->ratio, number);
  p.file_begin = (int)floor(p.begin + 1e-9);
  p.file_end = (int)fmin(ceil(p.begin + p.size - 1e-9), a->limit);
  return p;
}

/* The next part behind `done` output pixels: all that are left where their size can be divided to
 * the ratio, else a power of two of them, of which it always can. */
static struct part next_part(const struct axis *a, int done) {
  struct part p = part_at(a, a->number + done, a->count - done);
  int power = 1;
  if (p.size / p.count != a->ratio) {
    while (2 * power <= p.count) power *= 2;
    p = part_at(a, a->number + done, power);
  }
  p.first = a->first + done;
  return p;
}

static CPLErr read_part(GDALRasterBandH band, const struct sc_read *r, const struct part *x,
                        const struct part *y, struct sc_error *err) {
  GDALRasterIOExtraArg extra;
  INIT_RASTERIO_EXTRA_ARG(extra);
  extra.eResampleAlg = gdal_kernel(r->resampling);
  extra.bFloatingPointWindowValidity = 1;
  extra.dfXOff = x->begin;
  extra.dfYOff = y->begin;
  extra.dfXSize = x->size;
  extra.dfYSize = y->size;
  extra.pfnProgress = sc_gdal_goes_on;
  extra.pProgressData = err;
  unsigned char *to = (unsigned char *)r->out + (size_t)y->first * r->row_bytes +
                      (size_t)x->first * sc_dtype_bytes(r->dtype);
  return GDALRasterIOEx(band, GF_Read, x->file_begin, y->file_begin, x->file_end - x->file_begin,
                        y->file_end - y->file_begin, to, x->count, y->count, sc_gdal_type(r->dtype),
                        0, (GSpacing)r->row_bytes, &extra);
}

static CPLErr read_parts(GDALRasterBandH band, const struct sc_read *r, const struct axis *x,
                         const struct axis *y, struct sc_error *err) {
  CPLErr result = CE_None;
  for (int j = 0; j < y->count && result == CE_None;) {
    struct part rows = next_part(y, j);
    for (int i = 0; i < x->count && result == CE_None;) {
      struct part columns = next_part(x, i);
      result = read_part(band, r, &columns, &rows, err);
      i += columns.count;
    }
    j += rows.count;
  }
  return result;
}

/* A part that is read with a margin: of its pixels those from `skip` on are used, as many as
 * `take`. */
struct inner {
  struct part part;
  int skip, take;
};

/*
 * GDAL reads a pixel less than its gauss looks at around a window, and leaves it out there. The
 * next part behind `done` output pixels has enough of them around what is used of it, and a count
 * that divides: a power of two, or all of a small raster.
 */
static struct inner next_inner(const struct axis *a, int done) {
  enum { REACH = 4 }; /* the largest matrix is 7 pixels wide */
  int total = (int)floor((a->limit + SC_TIE_PX) / a->ratio), count = 1;
  int at = (int)a->number + done, left = a->count - done;
  int margin = (int)ceil(REACH / a->ratio);
  while (count < left + 2 * margin && 2 * count <= total) count *= 2;
  struct part all = part_at(a, 0, total);
  if (count < 4 * margin && all.size / total == a->ratio) count = total;
  int begin = at - margin < total - count ? at - margin : total - count;
  if (begin < 0) begin = 0;
  int end = begin + count == total ? total : begin + count - margin;
  if (end <= at) end = at + 1;
  struct inner next = {.part = part_at(a, begin, count), .skip = at - begin};
  next.take = end - at < left ? end - at : left;
  return next;
}

/* One part into memory of its own, and what is used of it to its place. */
static CPLErr read_inner(GDALRasterBandH band, const struct sc_read *r, const struct inner *x,
                         const struct inner *y, void *to, struct sc_error *err) {
  size_t size = sc_dtype_bytes(r->dtype);
  struct sc_read all = *r;
  all.row_bytes = (size_t)x->part.count * size;
  all.out = sc_alloc(all.row_bytes * (size_t)y->part.count);
  if (!all.out) {
    sc_fail_nomem(err);
    return CE_Failure;
  }
  CPLErr result = read_part(band, &all, &x->part, &y->part, err);
  const unsigned char *from = (const unsigned char *)all.out + (size_t)x->skip * size;
  for (int j = 0; j < y->take && result == CE_None; j++) {
    memcpy((unsigned char *)to + (size_t)j * r->row_bytes,
           from + (size_t)(y->skip + j) * all.row_bytes, (size_t)x->take * size);
  }
  sc_free(all.out);
  return result;
}

static CPLErr read_gauss(GDALRasterBandH band, const struct sc_read *r, const struct axis *x,
                         const struct axis *y, struct sc_error *err) {
  size_t size = sc_dtype_bytes(r->dtype);
  CPLErr result = CE_None;
  for (int j = 0; j < y->count && result == CE_None;) {
    struct inner rows = next_inner(y, j);
    for (int i = 0; i < x->count && result == CE_None;) {
      struct inner columns = next_inner(x, i);
      unsigned char *to = (unsigned char *)r->out + (size_t)(y->first + j) * r->row_bytes +
                          (size_t)(x->first + i) * size;
      result = read_inner(band, r, &columns, &rows, to, err);
      i += columns.take;
    }
    j += rows.take;
  }
  return result;
}

/* By a kernel. Output pixels that hang over the raster's edge, for which GDAL has none, are the
 * nearest ones. */
static CPLErr read_by_kernel(GDALRasterBandH band, const struct sc_read *r, const int box[4],
                             struct sc_error *err) {
  int is_gauss = r->resampling == SC_GAUSS;
  int width = GDALGetRasterBandXSize(band), height = GDALGetRasterBandYSize(band);
  struct axis x = lay_axis(r->x, r->width, r->out_width, width, is_gauss, &box[0]);
  struct axis y = lay_axis(r->y, r->height, r->out_height, height, is_gauss, &box[2]);
  CPLErr result = CE_None;
  if (x.count < box[1] || y.count < box[3]) result = read_nearest(band, r, box, err);
  if (result != CE_None || x.count == 0 || y.count == 0) return result;
  return is_gauss ? read_gauss(band, r, &x, &y, err) : read_parts(band, r, &x, &y, err);
}

/* Signed bytes from or to another type: read in the file's own type, then convert. */
static sc_status read_converted(GDALDatasetH ds, const struct sc_read *r, enum sc_dtype own,
                                const struct sc_gdal_scope *scope, struct sc_error *err);

static void fill_all(const struct sc_read *r) {
  for (int j = 0; j < r->out_height; j++) {
    sc_gdal_convert(&r->fill, SC_DTYPE_F64, 0, (unsigned char *)r->out + (size_t)j * r->row_bytes,
                    r->dtype, sc_dtype_bytes(r->dtype), (size_t)r->out_width);
  }
}

sc_status sc_gdal_check_size(const struct sc_read *r, int width, int height, struct sc_error *err) {
  char text[120];
  if (!r->file_width || (width == r->file_width && height == r->file_height)) return SC_OK;
  snprintf(text, sizeof text, "it has %d x %d pixels now, and had %d x %d", width, height,
           r->file_width, r->file_height);
  return sc_source_fail(r->source, SC_BAD_DATA, err, text, "");
}

static sc_status read_box(GDALRasterBandH band, const struct sc_read *r,
                          const struct sc_gdal_scope *scope, struct sc_error *err) {
  int box[4]; /* first column, columns, first row, rows of the output that lie inside */
  inside(r->x, r->width, r->out_width, GDALGetRasterBandXSize(band), &box[0], &box[1]);
  inside(r->y, r->height, r->out_height, GDALGetRasterBandYSize(band), &box[2], &box[3]);
  if (box[1] < r->out_width || box[3] < r->out_height) fill_all(r);
  if (box[1] <= 0 || box[3] <= 0) return SC_OK;
  CPLErr result = (r->resampling == SC_NEAREST && !r->coarse) || is_plain(r)
                      ? read_nearest(band, r, box, err)
                      : read_by_kernel(band, r, box, err);
  if (result == CE_None) return SC_OK;
  if (err->status == SC_NOMEM || err->status == SC_INTERRUPT) return err->status;
  return sc_source_fail(r->source, SC_IO, err, "reading pixels failed", scope->text);
}

/* SC_NOT_FOUND or SC_UNSUPPORTED where the band cannot be read. */
static sc_status check_band(GDALDatasetH ds, const struct sc_read *r, struct sc_error *err) {
  char text[60];
  int n = GDALGetRasterCount(ds);
  if (r->band < 1 || r->band > n) {
    snprintf(text, sizeof text, "no band %d; it has %d", r->band, n);
    return sc_source_fail(r->source, SC_NOT_FOUND, err, text, "");
  }
  if (sc_gdal_dtype(GDALGetRasterBand(ds, r->band)) != SC_DTYPE_NONE) return SC_OK;
  return sc_source_fail(r->source, SC_UNSUPPORTED, err, "its pixel type is not supported", "");
}

/* The band, or the overview of it that is read. */
static sc_status find_band(GDALDatasetH ds, const struct sc_read *r, int number,
                           GDALRasterBandH *out, struct sc_error *err) {
  GDALRasterBandH band = GDALGetRasterBand(ds, number);
  *out = band && r->overview ? GDALGetOverview(band, r->overview - 1) : band;
  if (*out) return SC_OK;
  return sc_source_fail(r->source, SC_BAD_DATA, err,
                        band ? "an overview is gone" : "its mask is gone", "");
}

static sc_status read_band(GDALDatasetH ds, const struct sc_read *r,
                           const struct sc_gdal_scope *scope, struct sc_error *err) {
  GDALRasterBandH band = NULL;
  sc_status st = check_band(ds, r, err);
  if (!st) st = find_band(ds, r, r->band, &band, err);
  if (st) return st;
  enum sc_dtype own = sc_gdal_dtype(band);
  if (sc_substitute_is_due(band, r)) return sc_substitute_read(ds, r, scope, err);
  if (sc_gdal_casts(own, r->dtype)) {
    return read_converted(ds, r, own, scope, err);
  }
  return read_box(band, r, scope, err);
}

static sc_status read_converted(GDALDatasetH ds, const struct sc_read *r, enum sc_dtype own,
                                const struct sc_gdal_scope *scope, struct sc_error *err) {
  struct sc_read first = *r;
  size_t size = sc_dtype_bytes(own), to_size = sc_dtype_bytes(r->dtype);
  first.dtype = own;
  first.row_bytes = size * (size_t)r->out_width;
  first.out = sc_alloc(first.row_bytes * (size_t)r->out_height);
  if (!first.out) return sc_fail_nomem(err);
  sc_status st = read_band(ds, &first, scope, err);
  for (int j = 0; j < r->out_height && !st; j++) {
    st = sc_interrupt_check(err);
    sc_gdal_convert((unsigned char *)first.out + (size_t)j * first.row_bytes, own, size,
                    (unsigned char *)r->out + (size_t)j * r->row_bytes, r->dtype, to_size,
                    (size_t)r->out_width);
  }
  sc_free(first.out);
  return st;
}

/* Where the mask of the file is 0, out becomes 0; it is 1 where the read is inside. */
static sc_status apply_mask(GDALDatasetH ds, const struct sc_read *r,
                            const struct sc_gdal_scope *scope, struct sc_error *err) {
  GDALRasterBandH band = NULL;
  sc_status st = find_band(ds, r, r->validity->mask, &band, err);
  if (!st) st = read_box(GDALGetMaskBand(band), r, scope, err);
  for (int j = 0; j < r->out_height && !st; j++) {
    uint8_t *row = (uint8_t *)r->out + (size_t)j * r->row_bytes;
    for (int i = 0; i < r->out_width; i++) row[i] = row[i] != 0;
    st = sc_interrupt_check(err);
  }
  return st;
}

/* The same of alpha: 0 is transparent, whatever its type. */
static sc_status apply_alpha(GDALDatasetH ds, const struct sc_read *r,
                             const struct sc_gdal_scope *scope, struct sc_error *err) {
  struct sc_read alpha = *r;
  size_t n = (size_t)r->out_width;
  alpha.band = r->validity->alpha;
  alpha.dtype = SC_DTYPE_F32;
  alpha.row_bytes = n * sizeof(float);
  float *values = sc_alloc(alpha.row_bytes * (size_t)r->out_height);
  if (!values) return sc_fail_nomem(err);
  alpha.out = values;
  sc_status st = read_band(ds, &alpha, scope, err);
  for (int j = 0; j < r->out_height && !st; j++) {
    uint8_t *row = (uint8_t *)r->out + (size_t)j * r->row_bytes;
    for (size_t i = 0; i < n; i++) row[i] &= values[(size_t)j * n + i] != 0;
    st = sc_interrupt_check(err);
  }
  sc_free(values);
  return st;
}

/* What mask and alpha say, as SC_BAND_VALIDITY. They have no values between their values. */
static sc_status read_validity(GDALDatasetH ds, const struct sc_read *r,
                               const struct sc_gdal_scope *scope, struct sc_error *err) {
  struct sc_read one = *r;
  one.resampling = SC_NEAREST;
  one.fill = 0;
  for (int j = 0; j < r->out_height; j++)
    memset((unsigned char *)r->out + (size_t)j * r->row_bytes, 1, (size_t)r->out_width);
  sc_status st = r->validity->mask ? apply_mask(ds, &one, scope, err) : SC_OK;
  return !st && r->validity->alpha ? apply_alpha(ds, &one, scope, err) : st;
}

sc_status sc_gdal_read_band(GDALDatasetH ds, const struct sc_read *r,
                            const struct sc_gdal_scope *scope, struct sc_error *err) {
  return r->band == SC_BAND_VALIDITY ? read_validity(ds, r, scope, err)
                                     : read_band(ds, r, scope, err);
}

static sc_status read_dataset(GDALDatasetH ds, const struct sc_read *r, struct sc_error *err) {
  struct sc_gdal_scope scope;
  sc_status st = sc_gdal_check_size(r, GDALGetRasterXSize(ds), GDALGetRasterYSize(ds), err);
  if (st) return st;
  sc_gdal_begin(&scope);
  st = sc_gdal_read_band(ds, r, &scope, err);
  sc_gdal_end(&scope);
  return st;
}

/* One try; the dataset is given back. */
static sc_status read_once(const struct sc_read *r, GDALDatasetH ds, struct sc_error *err) {
  int remote = sc_href_is_url(r->source->href);
  unsigned failures = remote ? sc_remote_url_failures(r->source->href, NULL) : 0;
  size_t bytes = (size_t)block_cost(ds);
  sc_runtime_large_begin(bytes);
  sc_status st = read_dataset(ds, r, err);
  sc_runtime_large_end(bytes);
  if (remote && st != SC_NOMEM && st != SC_INTERRUPT) {
    struct sc_error transfer = {0};
    if (check_transfers(r->source, failures, &transfer)) {
      *err = transfer;
      st = transfer.status;
    }
  }
  sc_gdal_release(r->source, ds, st != SC_OK);
  return st;
}

/*
 * GDAL reads a huge strip line by line and remembers the last line. When it looks at another
 * directory of the file meanwhile, at a mask or overview, libtiff forgets where it is, and the next
 * read ahead fails ("does not support random access"). So a file on disk that failed is read once
 * more, from a dataset of which nothing was read.
 */
sc_status sc_gdal_read(const struct sc_read *r, struct sc_error *err) {
  GDALDatasetH ds = NULL;
  struct sc_error first = {0};
  sc_status st = sc_gdal_acquire(r->source, &ds, err);
  if (st) return st;
  st = read_once(r, ds, &first);
  int may_be_lost = (st == SC_IO || st == SC_BAD_DATA) && !sc_href_is_url(r->source->href);
  if (may_be_lost) {
    st = open_dataset(r->source, &ds, err);
    return st ? st : read_once(r, ds, err);
  }
  if (st) *err = first;
  return st;
}
