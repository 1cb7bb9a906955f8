/* Burning geometries into pixels; see burn.h. */
#include "raster/burn.h"

#include <cpl_string.h>
#include <gdal_alg.h>
#include <ogr_api.h>

#include "base/alloc.h"
#include "raster/gdal.h"

/*
 * Shapes are in pixels already, but GDAL gets them with y upwards: it turns rings clockwise before
 * it transforms them, and which middles of pixels on an edge are inside depends on that.
 */
static int turn_down(void *unused, int to_source, int n, double *x, double *y, double *z,
                     int *success) {
  (void)unused, (void)to_source, (void)x, (void)z;
  for (int i = 0; i < n; i++) {
    y[i] = -y[i];
    success[i] = 1;
  }
  return 1;
}

static GDALDataType type_of(enum sc_dtype dtype) {
  switch (dtype) {
    case SC_DTYPE_U8: return GDT_Byte;
    case SC_DTYPE_U16: return GDT_UInt16;
    case SC_DTYPE_I16: return GDT_Int16;
    case SC_DTYPE_U32: return GDT_UInt32;
    case SC_DTYPE_I32: return GDT_Int32;
    case SC_DTYPE_F32: return GDT_Float32;
    default: return GDT_Float64;
  }
}

static OGRGeometryH make_line(const struct sc_burn *burn, size_t part, OGRwkbGeometryType type) {
  const struct sc_shape_part *p = &burn->parts[part];
  OGRGeometryH line = OGR_G_CreateGeometry(type);
  if (type != wkbPoint) OGR_G_SetPointCount(line, (int)p->n);
  for (size_t i = 0; i < p->n; i++)
    OGR_G_SetPoint_2D(line, (int)i, burn->x[p->first + i], -burn->y[p->first + i]);
  return line;
}

/* The geometry that begins with *part, which becomes the one after it. */
static OGRGeometryH make_simple(const struct sc_burn *burn, size_t *part) {
  size_t i = (*part)++;
  if (burn->parts[i].kind == SC_SHAPE_POINT) return make_line(burn, i, wkbPoint);
  if (burn->parts[i].kind == SC_SHAPE_LINE) return make_line(burn, i, wkbLineString);
  OGRGeometryH polygon = OGR_G_CreateGeometry(wkbPolygon);
  OGR_G_AddGeometryDirectly(polygon, make_line(burn, i, wkbLinearRing));
  for (; *part < burn->n_parts && burn->parts[*part].kind == SC_SHAPE_HOLE; ++*part) {
    OGR_G_AddGeometryDirectly(polygon, make_line(burn, *part, wkbLinearRing));
  }
  return polygon;
}

/* What holds the parts: GDAL adds a value once for all polygons of a MULTIPOLYGON, but for each
 * geometry of a collection. */
static OGRwkbGeometryType collection_type(const struct sc_burn *burn) {
  enum sc_shape_kind first = burn->parts[0].kind;
  for (size_t i = 1; i < burn->n_parts; i++) {
    enum sc_shape_kind kind = burn->parts[i].kind;
    if (kind != first && kind != SC_SHAPE_HOLE) return wkbGeometryCollection;
  }
  return first == SC_SHAPE_POINT  ? wkbMultiPoint
         : first == SC_SHAPE_LINE ? wkbMultiLineString
                                  : wkbMultiPolygon;
}

static OGRGeometryH make_geometry(const struct sc_burn *burn) {
  size_t part = 0;
  OGRGeometryH first = make_simple(burn, &part);
  if (part == burn->n_parts) return first;
  OGRGeometryH all = OGR_G_CreateGeometry(collection_type(burn));
  OGR_G_AddGeometryDirectly(all, first);
  while (part < burn->n_parts) OGR_G_AddGeometryDirectly(all, make_simple(burn, &part));
  return all;
}

static sc_status burn_all(const struct sc_burn_job *job, GDALDatasetH ds, OGRGeometryH *geometries,
                          double *values, struct sc_error *err) {
  struct sc_gdal_scope scope;
  const int band = 1;
  char **options = NULL;
  if (job->all_touched) options = CSLSetNameValue(options, "ALL_TOUCHED", "TRUE");
  if (job->add) options = CSLSetNameValue(options, "MERGE_ALG", "ADD");
  for (size_t i = 0; i < job->n_burns; i++) {
    geometries[i] = make_geometry(&job->burns[i]);
    values[i] = job->burns[i].value;
  }
  sc_gdal_begin(&scope);
  CPLErr result =
      GDALRasterizeGeometries(ds, 1, &band, (int)job->n_burns, (const OGRGeometryH *)geometries,
                              turn_down, NULL, values, options, sc_gdal_goes_on, err);
  sc_status st = result == CE_None             ? SC_OK
                 : err->status == SC_INTERRUPT ? SC_INTERRUPT
                                               : sc_fail(err, SC_IO, "GDAL: %s", scope.text);
  sc_gdal_end(&scope);
  for (size_t i = 0; i < job->n_burns; i++) OGR_G_DestroyGeometry(geometries[i]);
  CSLDestroy(options);
  return st;
}

sc_status sc_burn_shapes(const struct sc_burn_job *job, struct sc_error *err) {
  GDALDatasetH ds = NULL;
  size_t bytes = sc_dtype_bytes(job->dtype);
  if (job->n_burns == 0) return SC_OK;
  sc_gdal_register();
  const struct sc_gdal_memory memory = {.pixels = job->pixels,
                                        .type = type_of(job->dtype),
                                        .width = job->width,
                                        .height = job->height,
                                        .n_bands = 1,
                                        .pixel_bytes = bytes,
                                        .line_bytes = bytes * (size_t)job->width,
                                        .band_bytes = 0};
  OGRGeometryH *geometries = sc_alloc(job->n_burns * sizeof *geometries);
  double *values = sc_alloc(job->n_burns * sizeof *values);
  sc_status st = geometries && values ? sc_gdal_memory_open(&memory, &ds, err) : sc_fail_nomem(err);
  if (!st) st = burn_all(job, ds, geometries, values, err);
  if (ds) GDALClose(ds); /* writes what it holds */
  sc_free(geometries);
  sc_free(values);
  return st;
}
