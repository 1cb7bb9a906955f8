/* Chips of one shape as one array; see batch.h. */
#include "pixels/batch.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/layers.h"
#include "pixels/npy.h"
#include "pixels/result.h"
#include "pixels/view.h"

/* Same number of bands and pixels; types may differ only where one holds all. */
static sc_status check_shape(const struct sc_chip *first, const struct sc_chip *chip,
                             struct sc_error *err) {
  if (first->n_bands == chip->n_bands && first->width == chip->width &&
      first->height == chip->height) {
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_DATA,
                 "item %s: its chip has shape (%d, %d, %d), the first one (%d, %d, %d)",
                 chip->scene->item.id, chip->n_bands, chip->height, chip->width, first->n_bands,
                 first->height, first->width);
}

sc_status sc_batch_init(struct sc_batch *b, size_t n_max, struct sc_error *err) {
  b->chips = sc_alloc_zero(n_max, sizeof *b->chips);
  b->positions = sc_alloc_zero(n_max, sizeof *b->positions);
  b->statuses = sc_alloc_zero(n_max, sizeof *b->statuses);
  b->n_max = n_max;
  return b->chips && b->positions && b->statuses ? SC_OK : sc_fail_nomem(err);
}

void sc_batch_free(struct sc_batch *b) {
  for (size_t i = 0; i < b->n_open; i++) sc_chip_close(&b->chips[i]);
  sc_free(b->chips);
  sc_free(b->positions);
  sc_free(b->statuses);
  sc_buffer_free(&b->memory);
  sc_buffer_free(&b->valid_memory);
  for (int k = 0; k < b->n_layers; k++) sc_free(b->layers[k].pixels);
  sc_free(b->layers);
  sc_overlay_free(&b->overlay);
  memset(b, 0, sizeof *b);
}

/* The first chip that is there, or NULL. */
static const struct sc_chip *first_chip(const struct sc_batch *b) {
  for (size_t i = 0; i < b->n; i++) {
    if (!b->chips[i].is_absent) return &b->chips[i];
  }
  return NULL;
}

sc_status sc_batch_put(struct sc_batch *b, struct sc_chip *chip, size_t position,
                       struct sc_error *err) {
  assert(b->n < b->n_max);
  struct sc_chip *to = &b->chips[b->n];
  b->positions[b->n++] = position;
  b->n_open = b->n;
  *to = *chip;
  memset(chip, 0, sizeof *chip);
  sc_status st = check_shape(first_chip(b), to, err);
  if (st) b->n_failed = b->n;
  return st;
}

void sc_batch_put_null(struct sc_batch *b, size_t position) {
  assert(b->n < b->n_max);
  memset(&b->chips[b->n], 0, sizeof *b->chips);
  b->chips[b->n].is_absent = 1;
  b->positions[b->n++] = position;
  b->n_open = b->n;
}

/* Make those that are not there like the first one; of these alone nothing is known. */
static sc_status complete_absent(struct sc_batch *b, struct sc_error *err) {
  const struct sc_chip *first = first_chip(b);
  sc_status st = SC_OK;
  if (!first) b->n = 0;
  for (size_t i = 0; i < b->n && !st; i++) {
    if (b->chips[i].is_absent) st = sc_chip_absent(first, &b->chips[i], err);
  }
  return st;
}

/* Wide enough for all chips. */
static enum sc_dtype widest_dtype(const struct sc_batch *b) {
  enum sc_dtype widest = b->n ? b->chips[0].dtype : SC_DTYPE_U8;
  for (size_t i = 1; i < b->n; i++) {
    enum sc_dtype t = b->chips[i].dtype;
    if (t == widest) continue;
    size_t a = sc_dtype_bytes(widest), z = sc_dtype_bytes(t);
    int both_unsigned =
        (widest == SC_DTYPE_U8 || widest == SC_DTYPE_U16 || widest == SC_DTYPE_U32) &&
        (t == SC_DTYPE_U8 || t == SC_DTYPE_U16 || t == SC_DTYPE_U32);
    int some_complex = sc_dtype_is_complex(widest) || sc_dtype_is_complex(t);
    widest = some_complex ? SC_DTYPE_C128 : both_unsigned ? (z > a ? t : widest) : SC_DTYPE_F64;
  }
  return widest;
}

static sc_status plan_layers(struct sc_batch *b, const struct sc_chip_options *options,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  if (options->n_layers == 0) return SC_OK;
  b->layers = sc_alloc_zero((size_t)options->n_layers, sizeof *b->layers);
  if (!b->layers) return sc_fail_nomem(err);
  b->n_layers = options->n_layers;
  for (int k = 0; k < b->n_layers && !st; k++)
    st = sc_layer_plan(options, k, b->chips, b->n, &b->layers[k], err);
  return st;
}

static sc_status check_limit(const struct sc_batch *b, size_t limit, struct sc_error *err) {
  size_t total, each = b->chip_bytes;
  for (int k = 0; k < b->n_layers; k++) each += b->layers[k].chip_bytes;
  if (!__builtin_mul_overflow(each, b->n, &total) && total + 65536 <= limit) return SC_OK;
  return sc_fail(err, SC_TOO_BIG,
                 "a stack of %zu chips of %zu bytes; the limit of this connection is %zu bytes, "
                 "which hold %zu",
                 b->n, each, limit, limit / each);
}

sc_status sc_batch_plan(struct sc_batch *b, const struct sc_chip_options *options, size_t limit,
                        struct sc_error *err) {
  sc_status st = complete_absent(b, err);
  if (st) return st;
  b->dtype = sc_format_is_picture(options->format) ? SC_DTYPE_F64 : widest_dtype(b);
  if (b->n == 0) return SC_OK;
  b->chip_values = sc_chip_bytes(&b->chips[0], SC_DTYPE_U8);
  b->chip_bytes = sc_chip_bytes(&b->chips[0], b->dtype);
  st = plan_layers(b, options, err);
  return st ? st : check_limit(b, limit, err);
}

#define NPY_HEADER_BYTES 128 /* as long as it is for any shape that fits into memory */
#define NPZ_CHIP_BYTES 1024  /* of a chip's id and datetime, four bytes a letter */

/* Memory for the pixels and for what a format puts around them, so that the result needs no second
 * copy: see finish_npy() and finish_npz(). */
static sc_status make_room(struct sc_batch *b, int format, struct sc_error *err) {
  int want_valid = sc_format_is_picture(format) || format == SC_FORMAT_NPZ;
  b->front = format == SC_FORMAT_NPZ ? 0 : b->head; /* npz: put_head() */
  if (format == SC_FORMAT_NPY) b->front += NPY_HEADER_BYTES;
  size_t capacity = b->head + b->n * b->chip_bytes + SC_NPY_HEADER_MAX;
  if (format == SC_FORMAT_NPZ) capacity += b->n * (b->chip_values + NPZ_CHIP_BYTES) + 65536;
  sc_status st = sc_result_reserve(capacity, &b->memory, err);
  if (!st && want_valid) st = sc_result_reserve(b->n * b->chip_values, &b->valid_memory, err);
  if (st) return st;
  b->valid = b->valid_memory.data;
  b->pixels = b->memory.data + b->front;
  return SC_OK;
}

static sc_status first_failure(struct sc_batch *b, const struct sc_error *errors,
                               struct sc_error *err) {
  for (size_t i = 0; i < b->n; i++) {
    if (!errors[i].status) continue;
    *err = errors[i];
    b->n_failed = i + 1;
    return err->status;
  }
  return SC_OK;
}

static void swap_chips(struct sc_batch *b, size_t i, size_t j) {
  struct sc_chip chip = b->chips[i];
  size_t position = b->positions[i];
  sc_status status = b->statuses[i];
  b->chips[i] = b->chips[j];
  b->positions[i] = b->positions[j];
  b->statuses[i] = b->statuses[j];
  b->chips[j] = chip;
  b->positions[j] = position;
  b->statuses[j] = status;
}

/* Take failed chips out of all arrays. They stay open, behind the others. */
static void drop_failed(struct sc_batch *b) {
  const size_t bytes = b->chip_bytes, values = b->chip_values;
  size_t kept = 0;
  for (size_t i = 0; i < b->n; i++) {
    if (b->statuses[i]) continue;
    if (kept != i) {
      swap_chips(b, kept, i);
      memmove(b->pixels + kept * bytes, b->pixels + i * bytes, bytes);
      if (b->valid) memmove(b->valid + kept * values, b->valid + i * values, values);
      for (int k = 0; k < b->n_layers; k++) {
        const struct sc_layer_array *a = &b->layers[k];
        memmove(a->pixels + kept * a->chip_bytes, a->pixels + i * a->chip_bytes, a->chip_bytes);
      }
    }
    kept++;
  }
  b->n = kept;
}

/* Make those that failed absent, in the places that they have. */
static sc_status fill_failed(struct sc_batch *b, const struct sc_chip_options *options,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < b->n && !st; i++) {
    if (!b->statuses[i]) continue;
    struct sc_chip_target to = {.dtype = b->dtype,
                                .pixels = b->pixels + i * b->chip_bytes,
                                .valid = b->valid ? b->valid + i * b->chip_values : NULL};
    b->chips[i].is_absent = 1;
    struct sc_chip without_layers = b->chips[i];
    without_layers.layers = NULL;
    st = sc_chips_read(NULL, &without_layers, 1, options, &to, err);
    for (int k = 0; k < b->n_layers && !st; k++) {
      struct sc_layer_array a = b->layers[k];
      struct sc_error no_error = {0};
      a.pixels += i * a.chip_bytes;
      st = sc_layer_read(options, k, &without_layers, 1, &a, &no_error, err);
    }
  }
  return st;
}

static sc_status read_layers(struct sc_batch *b, const struct sc_chip_options *options,
                             struct sc_error *errors, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int k = 0; k < b->n_layers && !st; k++) {
    struct sc_layer_array *a = &b->layers[k];
    a->pixels = sc_alloc_zero(b->n, a->chip_bytes);
    st = a->pixels ? sc_layer_read(options, k, b->chips, b->n, a, errors, err) : sc_fail_nomem(err);
  }
  return st;
}

sc_status sc_batch_read(struct sc_batch *b, const struct sc_chip_options *options,
                        struct sc_error *err) {
  if (b->n == 0) return SC_OK;
  sc_status st = b->pixels ? SC_OK : make_room(b, options->format, err);
  struct sc_error *errors = st ? NULL : sc_alloc_zero(b->n, sizeof *errors);
  struct sc_chip_target to = {
      .dtype = b->dtype, .pixels = b->pixels, .valid = b->valid, .errors = errors};
  if (!st) {
    st = errors ? sc_chips_read(NULL, b->chips, b->n, options, &to, err) : sc_fail_nomem(err);
  }
  if (!st) st = read_layers(b, options, errors, err);
  for (size_t i = 0; !st && i < b->n; i++) b->statuses[i] = errors[i].status;
  if (!st && options->on_error == SC_ON_ERROR_SKIP && options->n_slots) {
    st = fill_failed(b, options, err);
  } else if (!st && options->on_error == SC_ON_ERROR_SKIP) {
    drop_failed(b);
  } else if (!st) {
    st = first_failure(b, errors, err);
  }
  sc_free(errors);
  return st;
}

void sc_batch_forget_failed(struct sc_connection *c, const struct sc_batch *b) {
  for (size_t i = 0; i < b->n_open; i++) {
    sc_scenes_forget_failed(c, b->chips[i].cached, b->statuses[i]);
    sc_layers_forget(c, &b->chips[i], b->statuses[i]);
  }
}

/* --- results --- */

/* (n, bands, rows, columns); all 0 of no chips. */
static struct sc_npy_array array_of(const struct sc_batch *b, const char *descr) {
  struct sc_npy_array array = {descr, 4, {b->n}};
  if (b->n) {
    array.shape[1] = (size_t)b->chips[0].n_bands;
    array.shape[2] = (size_t)b->chips[0].height;
    array.shape[3] = (size_t)b->chips[0].width;
  }
  return array;
}

static void give_memory(struct sc_batch *b, size_t size, struct sc_buffer *out) {
  b->memory.size = size;
  sc_buffer_move(&b->memory, out);
  b->pixels = NULL;
}

/* The pixels stay where they were read, behind the room of the header. */
static sc_status finish_npy(struct sc_batch *b, struct sc_buffer *out, struct sc_error *err) {
  struct sc_buffer header = {0};
  size_t bytes = b->n * b->chip_bytes;
  struct sc_npy_array array = array_of(b, sc_npy_descr(b->dtype));
  unsigned char *begin = b->memory.data + b->head;
  sc_status st = sc_npy_header(&array, &header, err);
  if (!st && header.size > SC_NPY_HEADER_MAX)
    st = sc_fail(err, SC_TOO_BIG, "npy header of %zu bytes; the limit is %d", header.size,
                 SC_NPY_HEADER_MAX);
  if (!st) {
    if (begin + header.size != b->pixels) memmove(begin + header.size, b->pixels, bytes);
    memcpy(begin, header.data, header.size);
    give_memory(b, b->head + header.size + bytes, out);
  }
  sc_buffer_free(&header);
  return st;
}

sc_status sc_chip_id(const struct sc_chip *chip, char **out, struct sc_error *err) {
  int is_placed = chip->x >= 0;
  return sc_format(out, err, "%s-%s%lld-%lld", chip->scene->item.id, is_placed ? "" : "px-",
                   (long long)(is_placed ? chip->x : chip->window.x),
                   (long long)(is_placed ? chip->y : chip->window.y));
}

static sc_status add_names(struct sc_batch *b, struct sc_npz *npz, struct sc_error *err) {
  char **ids = sc_alloc_zero(b->n + 1, sizeof *ids);
  const char **times = sc_alloc_zero(b->n + 1, sizeof *times);
  sc_status st = ids && times ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < b->n && !st; i++) {
    if (b->chips[i].is_absent) continue;
    times[i] = b->chips[i].scene->item.datetime;
    st = sc_chip_id(&b->chips[i], &ids[i], err);
  }
  if (!st) st = sc_npz_add_texts(npz, "chipid", (const char *const *)ids, b->n, err);
  if (!st) st = sc_npz_add_texts(npz, "datetime", times, b->n, err);
  for (size_t i = 0; ids && i < b->n; i++) sc_free(ids[i]);
  sc_free(ids);
  sc_free(times);
  return st;
}

/* Which chips are there. */
static sc_status add_present(const struct sc_batch *b, struct sc_npz *npz, struct sc_error *err) {
  const struct sc_npy_array array = {SC_NPY_BOOL, 1, {b->n}};
  uint8_t *present = sc_alloc(b->n + 1);
  if (!present) return sc_fail_nomem(err);
  for (size_t i = 0; i < b->n; i++) present[i] = !b->chips[i].is_absent;
  sc_status st = sc_npz_add(npz, "present", &array, present, b->n, err);
  sc_free(present);
  return st;
}

static sc_status finish_npz(struct sc_batch *b, const struct sc_chip_options *options,
                            struct sc_buffer *out, struct sc_error *err) {
  struct sc_npz npz = {{0}, {0}, 0};
  struct sc_npy_array array = array_of(b, sc_npy_descr(b->dtype));
  struct sc_buffer pixels = {0};
  give_memory(b, b->n * b->chip_bytes, &pixels);
  sc_status st = sc_npz_take(&npz, "pixels", &array, &pixels, err);
  sc_buffer_free(&pixels);
  array.descr = SC_NPY_BOOL;
  if (!st) st = sc_npz_add(&npz, "valid", &array, b->valid, b->n * b->chip_values, err);
  for (int k = 0; k < b->n_layers && !st; k++) {
    const struct sc_layer_array *a = &b->layers[k];
    array.descr = sc_npy_descr(a->dtype);
    array.shape[1] = (size_t)a->n_bands;
    st = sc_npz_add(&npz, options->layers[k].name, &array, a->pixels, b->n * a->chip_bytes, err);
  }
  if (!st) st = add_names(b, &npz, err);
  int may_lack = options->null == SC_NULL_FILL || options->n_slots;
  if (!st && may_lack) st = add_present(b, &npz, err);
  if (!st) st = sc_npz_finish(&npz, err);
  if (!st) sc_buffer_move(&npz.archive, out);
  sc_npz_free(&npz);
  return st;
}

static sc_status finish_picture(const struct sc_batch *b, const struct sc_chip_options *options,
                                struct sc_buffer *out, struct sc_error *err) {
  const struct sc_chip_target read = {.dtype = b->dtype, .pixels = b->pixels, .valid = b->valid};
  return sc_view_encode(b->chips, b->n, options, &read, &b->overlay, out, err);
}

/* Put b->head bytes before what has none. */
static sc_status put_head(size_t head, struct sc_buffer *out, struct sc_error *err) {
  if (head == 0 || !out->data) return SC_OK;
  sc_status st = sc_buffer_reserve(out, head, err);
  if (st) return st;
  memmove(out->data + head, out->data, out->size);
  out->size += head;
  return SC_OK;
}

sc_status sc_batch_finish(struct sc_batch *b, const struct sc_chip_options *options,
                          struct sc_buffer *out, struct sc_error *err) {
  if (options->format == SC_FORMAT_NPZ) {
    sc_status st = finish_npz(b, options, out, err);
    return st ? st : put_head(b->head, out, err);
  }
  if (b->n == 0) return SC_OK;
  if (sc_format_is_picture(options->format)) return finish_picture(b, options, out, err);
  if (options->format != SC_FORMAT_RAW) return finish_npy(b, out, err);
  give_memory(b, b->head + b->n * b->chip_bytes, out);
  return SC_OK;
}
