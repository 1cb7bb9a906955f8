/* Remote raster files; see remote.h. */
#include "raster/remote.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "http/client.h"
#include "raster/disk.h"
#include "raster/gdal.h"
#include "raster/info.h"
#include "store/scheme.h"

#define N_REMOTES 2048        /* known at once when nobody uses them */
#define HEAD_BYTES 32768      /* of the first request */
#define CHUNK_BYTES 16384     /* of later ones, at least */
#define KEEP_BYTES (8u << 20) /* of segments per file */
#define TOUCH_BYTES 128       /* grain of what was touched */
#define MERGE_GAP 64          /* bytes between blocks that are fetched in one request */
#define PART_GAP 131072       /* the same behind the wanted part of a block */
#define MERGE_MAX (16u << 20) /* bytes of one merged request */
#define HEADER_MAX (4u << 20) /* of a stored header, unpacked */

/* Bytes of the file that are in memory. */
struct segment {
  uint64_t offset;
  struct sc_buffer bytes;
  unsigned char *touched; /* one per TOUCH_BYTES; owned */
};

struct sc_remote {
  char *url;
  uint64_t serial, size;
  char etag[128];
  unsigned generation; /* counts the changes that were noticed */
  int ignore_header;   /* a stored header turned out stale */
  unsigned n_failures; /* reads by GDAL that failed, and the last one */
  struct sc_error failure;
  int is_known; /* size is */
  struct segment *segments;
  size_t n_segments, kept_bytes;
  struct sc_buffer info; /* what a stored header says of the file (raster/info.h), or empty */
  struct sc_disk_file disk;
  pthread_mutex_t lock; /* guards all above but url and serial */
  int n_users;          /* guarded by the registry's lock, as is `used` */
  unsigned long used;   /* 0: no longer in the registry */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sc_remote *remotes[N_REMOTES];
static unsigned long clock_now;
static uint64_t next_serial = 1;

/* --- segments --- */

static void clear_segments(struct sc_remote *r) {
  for (size_t i = 0; i < r->n_segments; i++) {
    sc_buffer_free(&r->segments[i].bytes);
    sc_free(r->segments[i].touched);
  }
  sc_free(r->segments);
  r->segments = NULL;
  r->n_segments = r->kept_bytes = 0;
}

/* Take bytes over as a segment. */
static sc_status add_segment(struct sc_remote *r, uint64_t offset, struct sc_buffer *bytes,
                             struct sc_error *err) {
  if (r->kept_bytes + bytes->size > KEEP_BYTES) clear_segments(r);
  struct segment *all = sc_realloc(r->segments, (r->n_segments + 1) * sizeof *all);
  if (!all) return sc_fail_nomem(err);
  r->segments = all;
  struct segment *s = &all[r->n_segments];
  memset(s, 0, sizeof *s);
  s->touched = sc_alloc_zero(bytes->size / TOUCH_BYTES + 1, 1);
  if (!s->touched) return sc_fail_nomem(err);
  s->offset = offset;
  sc_buffer_move(bytes, &s->bytes);
  r->n_segments++;
  r->kept_bytes += s->bytes.size;
  return SC_OK;
}

/* Copy what a segment has of [offset, offset + n), from the front; how many bytes. */
static size_t copy_known(struct sc_remote *r, uint64_t offset, unsigned char *out, size_t n) {
  for (size_t i = 0; i < r->n_segments; i++) {
    struct segment *s = &r->segments[i];
    if (offset < s->offset || offset >= s->offset + s->bytes.size) continue;
    size_t at = (size_t)(offset - s->offset), part = s->bytes.size - at;
    if (part > n) part = n;
    memcpy(out, s->bytes.data + at, part);
    memset(s->touched + at / TOUCH_BYTES, 1, (at + part - 1) / TOUCH_BYTES - at / TOUCH_BYTES + 1);
    return part;
  }
  return 0;
}

/* --- asking --- */

static void forget_all(struct sc_remote *r) {
  clear_segments(r);
  sc_buffer_free(&r->info);
  r->is_known = 0;
  r->etag[0] = '\0';
  r->ignore_header = 1;
  r->generation++;
  sc_disk_forget(&r->disk, r->url);
}

static sc_status fail_changed(struct sc_error *err) {
  return sc_fail(err, SC_CHANGED, "the file has changed on the server while it was read");
}

/* Servers that may compress mark the same bytes' ETag as weak ("W/") at one time and not at
 * another. */
static const char *strong_part(const char *etag) {
  return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

/* Does a response belong to the state of the file that is known? The first one sets size and ETag.
 * Lock held. */
static sc_status check_same(struct sc_remote *r, const struct sc_http_request *a,
                            struct sc_error *err) {
  if (!r->is_known) {
    if (!a->total_bytes)
      return sc_fail(err, SC_BAD_DATA, "the server does not say how large the file is");
    r->size = a->total_bytes;
    memcpy(r->etag, a->etag, sizeof r->etag);
    r->is_known = 1;
    sc_disk_confirm(&r->disk, r->url, r->size, r->etag);
    return SC_OK;
  }
  int other_size = a->total_bytes && a->total_bytes != r->size;
  int other_etag =
      a->etag[0] && r->etag[0] && strcmp(strong_part(a->etag), strong_part(r->etag)) != 0;
  if (!other_size && !other_etag) {
    sc_disk_confirm(&r->disk, r->url, r->size, r->etag);
    return SC_OK;
  }
  forget_all(r);
  return fail_changed(err);
}

/* A range that the server finds beyond the end was within the known size: the file has become
 * shorter. Lock held. */
static sc_status check_shrunk(struct sc_remote *r, const struct sc_http_request *a,
                              struct sc_error *err) {
  if (err->status != SC_RANGE || a->http_status < 200 || !r->is_known) return err->status;
  forget_all(r);
  return fail_changed(err);
}

/* Keep what was fetched from a piece's beginning on. Lock held. */
static void keep_pieces(struct sc_remote *r, uint64_t offset, const struct sc_buffer *bytes) {
  unsigned char key[SC_DISK_KEY_BYTES];
  if (offset % SC_DISK_PIECE_BYTES || !sc_disk_key(&r->disk, r->url, r->size, r->etag, key)) return;
  for (size_t at = 0; at < bytes->size; at += SC_DISK_PIECE_BYTES) {
    size_t n = bytes->size - at < SC_DISK_PIECE_BYTES ? bytes->size - at : SC_DISK_PIECE_BYTES;
    int is_whole = n == SC_DISK_PIECE_BYTES || offset + at + n == r->size;
    if (is_whole)
      sc_disk_write(key, SC_DISK_PIECE, offset + at, (struct sc_view){bytes->data + at, n});
  }
}

static sc_status fetch_segment(struct sc_remote *r, uint64_t offset, uint64_t n,
                               struct sc_error *err) {
  struct sc_http_request request = {.method = "GET", .url = r->url, .offset = offset, .size = n};
  sc_status st = sc_http_perform(&request, 1, NULL, NULL, err);
  st = st ? check_shrunk(r, &request, err) : check_same(r, &request, err);
  if (!st) keep_pieces(r, offset, &request.response);
  if (!st) st = add_segment(r, offset, &request.response, err);
  sc_buffer_free(&request.response);
  return st;
}

/* Is the file's state known, by the disk if not by a response? Lock held. */
static int recall(struct sc_remote *r) {
  if (!r->is_known) r->is_known = sc_disk_recall(&r->disk, r->url, &r->size, r->etag);
  return r->is_known;
}

/* Get the bytes from `at` on, `want` where the network is asked, as a segment. With a disk cache
 * they begin and end with pieces. Lock held; size is known. */
static sc_status load_segment(struct sc_remote *r, uint64_t at, uint64_t want,
                              struct sc_error *err) {
  unsigned char key[SC_DISK_KEY_BYTES];
  struct sc_buffer piece = {0};
  uint64_t begin = at, end = at + want;
  if (sc_disk_is_on()) {
    begin -= begin % SC_DISK_PIECE_BYTES;
    end += SC_DISK_PIECE_BYTES - 1;
    end -= end % SC_DISK_PIECE_BYTES;
  }
  if (end > r->size) end = r->size;
  uint64_t least = end - begin < SC_DISK_PIECE_BYTES ? end - begin : SC_DISK_PIECE_BYTES;
  if (sc_disk_key(&r->disk, r->url, r->size, r->etag, key) &&
      sc_disk_read(key, SC_DISK_PIECE, begin, least, least, &piece)) {
    sc_status st = add_segment(r, begin, &piece, err);
    sc_buffer_free(&piece);
    return st;
  }
  sc_buffer_free(&piece);
  return fetch_segment(r, begin, end - begin, err);
}

sc_status sc_remote_read(struct sc_remote *r, uint64_t offset, void *out, size_t n, size_t *got,
                         struct sc_error *err) {
  sc_status st = SC_OK;
  *got = 0;
  pthread_mutex_lock(&r->lock);
  if (!recall(r)) st = fetch_segment(r, 0, HEAD_BYTES, err);
  while (!st && *got < n && offset + *got < r->size) {
    uint64_t at = offset + *got;
    size_t part = copy_known(r, at, (unsigned char *)out + *got, n - *got);
    *got += part;
    if (part) continue;
    uint64_t want = n - *got > CHUNK_BYTES ? n - *got : CHUNK_BYTES;
    if (want > r->size - at) want = r->size - at;
    st = load_segment(r, at, want, err);
  }
  pthread_mutex_unlock(&r->lock);
  return st;
}

/* --- stored headers --- */

/*
 * A stored header, before zstd: "SCH2", u64 size, u16 n and n bytes of ETag, u32 number of runs,
 * of each run u64 offset, u32 n and n bytes, and to its end what raster/info.h has. The first
 * version, "SCH1", ended with the runs. Little-endian.
 */
static const char header_magic[4] = {'S', 'C', 'H', '2'}, first_magic[4] = {'S', 'C', 'H', '1'};

/* Append the touched runs of a segment; returns how many in *n. */
static sc_status put_runs(const struct segment *s, struct sc_buffer *b, uint32_t *n,
                          struct sc_error *err) {
  size_t grains = (s->bytes.size + TOUCH_BYTES - 1) / TOUCH_BYTES;
  sc_status st = SC_OK;
  for (size_t i = 0; i < grains && !st; i++) {
    if (!s->touched[i]) continue;
    size_t begin = i * TOUCH_BYTES;
    while (i < grains && s->touched[i]) i++;
    size_t end = i * TOUCH_BYTES < s->bytes.size ? i * TOUCH_BYTES : s->bytes.size;
    st = sc_buffer_append_le(b, s->offset + begin, 8, err);
    if (!st) st = sc_buffer_append_le(b, end - begin, 4, err);
    if (!st) st = sc_buffer_append(b, s->bytes.data + begin, end - begin, err);
    (*n)++;
  }
  return st;
}

static sc_status pack(struct sc_remote *r, const struct sc_raster_info *info, struct sc_buffer *out,
                      struct sc_error *err) {
  struct sc_buffer head = {0}, runs = {0};
  uint32_t n_runs = 0;
  pthread_mutex_lock(&r->lock);
  sc_status st = sc_buffer_append(&head, header_magic, sizeof header_magic, err);
  if (!st) st = sc_buffer_append_le(&head, r->size, 8, err);
  if (!st) st = sc_buffer_append_le(&head, strlen(r->etag), 2, err);
  if (!st) st = sc_buffer_append_text(&head, r->etag, err);
  for (size_t i = 0; i < r->n_segments && !st; i++)
    st = put_runs(&r->segments[i], &runs, &n_runs, err);
  pthread_mutex_unlock(&r->lock);
  if (!st) st = sc_buffer_append_le(&head, n_runs, 4, err);
  if (!st) st = sc_buffer_append(&head, runs.data, runs.size, err);
  if (!st) st = sc_info_pack(info, &head, err);
  if (!st && head.size > HEADER_MAX)
    st = sc_fail(err, SC_TOO_BIG, "a file header of %zu bytes; the limit is %u", head.size,
                 HEADER_MAX);
  if (!st) st = sc_buffer_reserve(out, ZSTD_compressBound(head.size), err);
  if (!st) {
    size_t n =
        ZSTD_compress(out->data + out->size, out->capacity - out->size, head.data, head.size, 9);
    if (ZSTD_isError(n)) st = sc_fail(err, SC_NOMEM, "zstd: %s", ZSTD_getErrorName(n));
    if (!st) out->size += n;
  }
  sc_buffer_free(&head);
  sc_buffer_free(&runs);
  return st;
}

static sc_status parse_header(struct sc_remote *r, const struct sc_buffer *raw,
                              struct sc_error *err) {
  struct sc_bytes b = sc_bytes_of(raw->data, raw->size);
  const unsigned char *magic = sc_bytes_take(&b, 4);
  uint64_t size = sc_bytes_le64(&b);
  uint16_t n_etag = sc_bytes_le16(&b);
  const unsigned char *etag = sc_bytes_take(&b, n_etag);
  uint32_t n_runs = sc_bytes_le32(&b);
  int has_info = !b.overrun && memcmp(magic, header_magic, 4) == 0;
  if (b.overrun || (!has_info && memcmp(magic, first_magic, 4) != 0) || n_etag >= sizeof r->etag) {
    return sc_fail(err, SC_BAD_DATA, "the stored header is damaged");
  }
  r->size = size;
  memcpy(r->etag, etag, n_etag);
  r->etag[n_etag] = '\0';
  for (uint32_t i = 0; i < n_runs; i++) {
    struct sc_buffer bytes = {0};
    uint64_t offset = sc_bytes_le64(&b);
    uint32_t n = sc_bytes_le32(&b);
    const unsigned char *p = sc_bytes_take(&b, n);
    if (!p || n == 0 || offset > size || n > size - offset) {
      return sc_fail(err, SC_BAD_DATA, "the stored header is damaged: run %u", i);
    }
    sc_status st = sc_buffer_append(&bytes, p, n, err);
    if (!st) st = add_segment(r, offset, &bytes, err);
    sc_buffer_free(&bytes);
    if (st) return st;
  }
  r->is_known = 1;
  if (!has_info) return SC_OK;
  return sc_buffer_append(&r->info, b.data + b.at, sc_bytes_left(&b), err);
}

/* A damaged header is ignored: the first read then asks the server. */
static void unpack(struct sc_remote *r, const void *header, size_t n) {
  struct sc_error ignored = {0};
  struct sc_buffer raw = {0};
  unsigned long long size = ZSTD_getFrameContentSize(header, n);
  if (size > HEADER_MAX) return; /* also "unknown" and "error" */
  if (sc_buffer_resize(&raw, (size_t)size, &ignored) == SC_OK) {
    size_t got = ZSTD_decompress(raw.data, raw.size, header, n);
    if (ZSTD_isError(got) || got != raw.size || parse_header(r, &raw, &ignored)) {
      clear_segments(r);
      r->is_known = 0;
    }
  }
  sc_buffer_free(&raw);
}

/* --- the registry --- */

static void remote_free(struct sc_remote *r) {
  if (!r) return;
  clear_segments(r);
  sc_buffer_free(&r->info);
  pthread_mutex_destroy(&r->lock);
  sc_free(r->url);
  sc_free(r);
}

static struct sc_remote *find(const char *url) {
  for (int i = 0; i < N_REMOTES; i++) {
    if (remotes[i] && strcmp(remotes[i]->url, url) == 0) return remotes[i];
  }
  return NULL;
}

/* Put it into a free place, or that of the least recently used. Returns the evicted entry, for the
 * caller to free. */
static struct sc_remote *put_in(struct sc_remote *r) {
  int at = -1;
  for (int i = 0; i < N_REMOTES; i++) {
    if (!remotes[i]) {
      at = i;
      break;
    }
    if (remotes[i]->n_users == 0 && (at < 0 || remotes[i]->used < remotes[at]->used)) at = i;
  }
  r->serial = next_serial++;
  if (at < 0) return NULL;
  struct sc_remote *evicted = remotes[at];
  remotes[at] = r;
  r->used = ++clock_now;
  return evicted;
}

static struct sc_remote *remote_new(const char *url) {
  struct sc_error ignored = {0};
  struct sc_remote *r = sc_alloc_zero(1, sizeof *r);
  if (!r || sc_strdup(url, &r->url, &ignored)) {
    sc_free(r);
    return NULL;
  }
  pthread_mutex_init(&r->lock, NULL);
  return r;
}

sc_status sc_remote_acquire(const struct sc_source *source, struct sc_remote **out,
                            struct sc_error *err) {
  struct sc_remote *evicted = NULL;
  size_t got;
  char first;
  pthread_mutex_lock(&lock);
  struct sc_remote *r = find(source->href);
  if (!r && (r = remote_new(source->href)) != NULL) evicted = put_in(r);
  if (r) {
    r->n_users++;
    if (r->used) r->used = ++clock_now;
  }
  pthread_mutex_unlock(&lock);
  remote_free(evicted);
  if (!r) return sc_fail_nomem(err);
  pthread_mutex_lock(&r->lock);
  if (!r->is_known && source->header_size && !r->ignore_header)
    unpack(r, source->header, source->header_size);
  int is_known = recall(r);
  pthread_mutex_unlock(&r->lock);
  sc_status st = is_known ? SC_OK : sc_remote_read(r, 0, &first, 1, &got, err);
  if (st) {
    char reason[SC_ERROR_TEXT_BYTES];
    memcpy(reason, err->text, sizeof reason);
    sc_source_fail(source, st, err, "cannot open", reason);
    sc_remote_release(r);
    return st;
  }
  *out = r;
  return SC_OK;
}

void sc_remote_release(struct sc_remote *r) {
  if (!r) return;
  pthread_mutex_lock(&lock);
  int last = --r->n_users == 0 && r->used == 0;
  pthread_mutex_unlock(&lock);
  if (last) remote_free(r);
}

uint64_t sc_remote_serial(const struct sc_remote *r) { return r->serial; }

struct sc_remote *sc_remote_by_serial(uint64_t serial) {
  struct sc_remote *found = NULL;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < N_REMOTES && !found; i++) {
    if (remotes[i] && remotes[i]->serial == serial) found = remotes[i];
  }
  if (found) found->n_users++;
  pthread_mutex_unlock(&lock);
  return found;
}

uint64_t sc_remote_size(struct sc_remote *r) {
  pthread_mutex_lock(&r->lock);
  uint64_t size = r->size;
  pthread_mutex_unlock(&r->lock);
  return size;
}

unsigned sc_remote_generation(struct sc_remote *r) {
  pthread_mutex_lock(&r->lock);
  unsigned generation = r->generation;
  pthread_mutex_unlock(&r->lock);
  return generation;
}

void sc_remote_note_failure(struct sc_remote *r, const struct sc_error *err) {
  pthread_mutex_lock(&r->lock);
  r->n_failures++;
  r->failure = *err;
  pthread_mutex_unlock(&r->lock);
}

unsigned sc_remote_url_failures(const char *url, struct sc_error *last) {
  pthread_mutex_lock(&lock);
  struct sc_remote *r = find(url);
  if (r) r->n_users++;
  pthread_mutex_unlock(&lock);
  if (!r) return 0;
  pthread_mutex_lock(&r->lock);
  unsigned n = r->n_failures;
  if (last) *last = r->failure;
  pthread_mutex_unlock(&r->lock);
  sc_remote_release(r);
  return n;
}

void sc_remote_url_forget(const char *url) {
  pthread_mutex_lock(&lock);
  struct sc_remote *r = find(url);
  if (r) r->n_users++;
  pthread_mutex_unlock(&lock);
  if (!r) return;
  pthread_mutex_lock(&r->lock);
  forget_all(r);
  pthread_mutex_unlock(&r->lock);
  sc_remote_release(r);
}

unsigned sc_remote_url_generation(const char *url) {
  pthread_mutex_lock(&lock);
  struct sc_remote *r = find(url);
  if (r) r->n_users++;
  pthread_mutex_unlock(&lock);
  unsigned generation = r ? sc_remote_generation(r) : 0;
  sc_remote_release(r);
  return generation;
}

void sc_remote_abandon(void) {
  pthread_mutex_init(&lock, NULL);
  memset(remotes, 0, sizeof remotes);
}

/* --- opening --- */

/* Reads for the TIFF parser. err: a failed request, to be told apart from a malformed file. */
struct layout_reader {
  struct sc_remote *remote;
  struct sc_error err;
};

static int64_t read_layout(void *context, uint64_t offset, void *bytes, size_t n) {
  struct layout_reader *l = context;
  size_t got = 0;
  struct sc_error err = {0};
  if (sc_remote_read(l->remote, offset, bytes, n, &got, &err)) {
    l->err = err;
    return -1;
  }
  return (int64_t)got;
}

sc_status sc_remote_open(const struct sc_source *source, struct sc_file *f, struct sc_error *err) {
  struct sc_error ignored = {0};
  sc_status st = sc_remote_acquire(source, &f->remote, err);
  if (st) return st;
  f->stamp.generation = sc_remote_generation(f->remote);
  f->size = sc_remote_size(f->remote);
  struct layout_reader reader = {.remote = f->remote};
  st = sc_tiff_open(read_layout, &reader, f->size, &f->tiff, &ignored);
  if (st == SC_NOMEM) return sc_fail_nomem(err);
  if (reader.err.status)
    return sc_source_fail(source, reader.err.status, err, "cannot open", reader.err.text);
  f->is_plain = st == SC_OK;
  return SC_OK;
}

sc_status sc_remote_info(const struct sc_source *source, struct sc_raster_info *out, int *known,
                         struct sc_error *err) {
  struct sc_remote *r = NULL;
  struct sc_error ignored = {0};
  *known = 0;
  memset(out, 0, sizeof *out);
  if (!source->header_size || !sc_href_is_url(source->href)) return SC_OK;
  sc_status st = sc_remote_acquire(source, &r, err);
  if (st) return st;
  pthread_mutex_lock(&r->lock);
  if (r->info.size) {
    struct sc_bytes b = sc_bytes_of(r->info.data, r->info.size);
    *known = sc_info_unpack(&b, out, &ignored) == SC_OK;
  }
  pthread_mutex_unlock(&r->lock);
  sc_remote_release(r);
  if (!*known) sc_gdal_info_free(out);
  return SC_OK;
}

sc_status sc_remote_make_header(const struct sc_source *source, struct sc_buffer *out,
                                struct sc_error *err) {
  struct sc_file *f = NULL;
  struct sc_raster_info info = {0};
  sc_status st = sc_file_acquire(source, &f, err);
  /* The header holds the bytes that opening the file touched, here and in GDAL. */
  if (!st) st = sc_gdal_info(source, &info, err);
  if (!st) st = pack(f->remote, &info, out, err);
  sc_gdal_info_free(&info);
  sc_file_release(f);
  return st;
}

/* --- blocks --- */

/* Blocks [begin, end) of the sorted list, in one request. */
struct span {
  size_t begin, end;
};

static int by_place(const void *a, const void *b, void *blocks) {
  const struct sc_remote_block *all = blocks;
  const struct sc_remote_block *x = &all[*(const size_t *)a], *y = &all[*(const size_t *)b];
  if (x->file->serial != y->file->serial) return x->file->serial < y->file->serial ? -1 : 1;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Where a request that ends with block b may end. */
static uint64_t end_of(const struct sc_remote_block *b) {
  return b->offset + (b->wanted && b->wanted < b->size ? b->wanted : b->size);
}

/* Can b follow a in one request that begins at `begin`? Between them lies what nobody wants of
 * a, which costs less than a request of its own while it is short. */
static int joins(const struct sc_remote_block *a, const struct sc_remote_block *b, uint64_t begin) {
  return a->file == b->file && b->offset <= a->offset + a->size + MERGE_GAP &&
         b->offset <= end_of(a) + PART_GAP && b->offset + b->size - begin <= MERGE_MAX;
}

/* One call's blocks, and the spans of them that requests ask for. */
struct fetch {
  struct sc_remote_block *blocks;
  size_t n_blocks; /* that the network is asked for */
  size_t *order;   /* of these: by file and place */
  size_t n_spans;
  struct span *spans;               /* of `order` */
  struct sc_http_request *requests; /* one a span */
  struct sc_response **responses;   /* one a span, held */
};

/* The key of a file's ranges on disk; 0: none. Not of a file that is another one now. */
static int key_of(const struct sc_file *file, unsigned char key[SC_DISK_KEY_BYTES]) {
  struct sc_remote *r = file->remote;
  pthread_mutex_lock(&r->lock);
  int has = r->generation == file->stamp.generation &&
            sc_disk_key(&r->disk, r->url, r->size, r->etag, key);
  pthread_mutex_unlock(&r->lock);
  return has;
}

/* Take a block from the disk; 0: it is not there. */
static int take_kept(struct sc_remote_block *b) {
  unsigned char key[SC_DISK_KEY_BYTES];
  struct sc_error ignored = {0};
  struct sc_response *kept = NULL;
  size_t likely = b->size <= SC_DISK_WHOLE_BYTES ? (size_t)b->size : 0;
  if (!key_of(b->file, key) || sc_response_new(likely, &kept, &ignored)) return 0;
  int found =
      sc_disk_read(key, SC_DISK_BLOCK, b->offset, end_of(b) - b->offset, b->size, &kept->bytes);
  if (found) b->bytes = sc_response_share(kept, 0, kept->bytes.size);
  sc_response_release(kept);
  return found;
}

/* Take what the disk has, and put the other blocks in order. */
static void sort_out(struct fetch *f, size_t n) {
  int is_on = sc_disk_is_on();
  for (size_t i = 0; i < n; i++) {
    struct sc_remote_block *b = &f->blocks[i];
    if (is_on && b->size <= SC_DISK_WHOLE_BYTES) b->wanted = 0;
    if (!is_on || !take_kept(b)) f->order[f->n_blocks++] = i;
  }
  qsort_r(f->order, f->n_blocks, sizeof *f->order, by_place, f->blocks);
}

static void make_spans(struct fetch *f) {
  for (size_t i = 0; i < f->n_blocks;) {
    struct span *s = &f->spans[f->n_spans];
    struct sc_http_request *r = &f->requests[f->n_spans++];
    const struct sc_remote_block *first = &f->blocks[f->order[i]];
    uint64_t end = end_of(first), whole = first->offset + first->size;
    s->begin = i++;
    while (i < f->n_blocks &&
           joins(&f->blocks[f->order[i - 1]], &f->blocks[f->order[i]], first->offset)) {
      const struct sc_remote_block *b = &f->blocks[f->order[i++]];
      end = end_of(b) > whole ? end_of(b) : whole; /* all but the last block come whole */
      if (b->offset + b->size > whole) whole = b->offset + b->size;
    }
    s->end = i;
    r->method = "GET";
    r->url = first->file->href;
    r->offset = first->offset;
    r->size = end - first->offset;
  }
}

/* Keep the blocks of a span that were fetched. */
static void keep_blocks(const struct fetch *f, const struct span *s) {
  unsigned char key[SC_DISK_KEY_BYTES];
  if (!sc_disk_is_on() || !key_of(f->blocks[f->order[s->begin]].file, key)) return;
  for (size_t i = s->begin; i < s->end; i++) {
    const struct sc_remote_block *b = &f->blocks[f->order[i]];
    if (!b->err.status) sc_disk_write(key, SC_DISK_BLOCK, b->offset, b->bytes.view);
  }
}

/* Give each block of a span its bytes, or the reason why not. */
static void share_out(struct fetch *f, size_t span) {
  const struct span *s = &f->spans[span];
  struct sc_http_request *r = &f->requests[span];
  struct sc_response *response = f->responses[span];
  struct sc_error err = r->err;
  const struct sc_file *file = f->blocks[f->order[s->begin]].file;
  pthread_mutex_lock(&file->remote->lock);
  if (err.status == SC_INTERRUPT) {
    /* stays so */
  } else if (file->remote->generation != file->stamp.generation) {
    fail_changed(&err); /* another request noticed it: the offsets are of the old file */
  } else if (err.status) {
    check_shrunk(file->remote, r, &err);
  } else {
    check_same(file->remote, r, &err);
  }
  pthread_mutex_unlock(&file->remote->lock);
  for (size_t i = s->begin; i < s->end; i++) {
    struct sc_remote_block *b = &f->blocks[f->order[i]];
    uint64_t at = b->offset - r->offset, size = end_of(b) - b->offset;
    b->err = err;
    if (err.status) continue;
    if (at + b->size <= r->size) size = b->size;
    if (at + size > response->bytes.size) {
      sc_fail_text(&b->err, SC_BAD_DATA,
                   "the file is cut short within the block of %llu bytes at %llu",
                   (unsigned long long)b->size, (unsigned long long)b->offset);
    } else {
      b->bytes = sc_response_share(response, (size_t)at, (size_t)size);
    }
  }
  keep_blocks(f, s);
}

/* Memory for the response of each span. Above MERGE_MAX it grows as bytes come: the size is what a
 * file says of itself. */
static sc_status make_responses(struct fetch *f, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < f->n_spans && !st; i++) {
    uint64_t size = f->requests[i].size < MERGE_MAX ? f->requests[i].size : MERGE_MAX;
    st = sc_response_new((size_t)size, &f->responses[i], err);
  }
  return st;
}

static sc_status fetch_spans(struct fetch *f, int (*interrupted)(void *), void *interrupt_context,
                             struct sc_error *err) {
  for (size_t i = 0; i < f->n_spans; i++) {
    sc_buffer_move(&f->responses[i]->bytes, &f->requests[i].response);
  }
  sc_status st = sc_http_perform(f->requests, f->n_spans, interrupted, interrupt_context, err);
  for (size_t i = 0; i < f->n_spans; i++) {
    sc_buffer_move(&f->requests[i].response, &f->responses[i]->bytes);
    share_out(f, i);
  }
  return st;
}

sc_status sc_remote_fetch(struct sc_remote_block *blocks, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err) {
  struct fetch f = {.blocks = blocks,
                    .order = sc_alloc((n + 1) * sizeof *f.order),
                    .spans = sc_alloc((n + 1) * sizeof *f.spans),
                    .requests = sc_alloc_zero(n + 1, sizeof *f.requests),
                    .responses = sc_alloc_zero(n + 1, sizeof *f.responses)};
  sc_status st = f.order && f.spans && f.requests && f.responses ? SC_OK : sc_fail_nomem(err);
  if (!st && n) {
    sort_out(&f, n);
    make_spans(&f);
    st = make_responses(&f, err);
    if (!st) st = fetch_spans(&f, interrupted, interrupt_context, err);
  }
  for (size_t i = 0; i < n && !st; i++) {
    if (!blocks[i].err.status) continue;
    *err = blocks[i].err;
    st = err->status;
  }
  for (size_t i = 0; i < f.n_spans; i++) sc_response_release(f.responses[i]);
  sc_free(f.responses);
  sc_free(f.order);
  sc_free(f.spans);
  sc_free(f.requests);
  return st;
}
