/*
 * stacchip_stack(row [, options [, sort_key]]): the chips of a group as one array.
 *
 * HOW IT WORKS  The step gathers handles (group.h); the end opens all chips, checks shapes and the
 * size of the result, and reads all windows in one call, which orders them by file and block.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "pixels/chip.h"
#include "pixels/group.h"
#include "pixels/npy.h"
#include "pixels/static_result.h"
#include "pixels/view.h"

/* --- reading --- */

/* The chips of a group, open, and their pixels, one chip after the other. */
struct batch {
  struct sc_chip *chips;
  size_t n, n_open;
  enum sc_dtype dtype;
  size_t chip_values, chip_bytes; /* of the pixels of one chip */
  unsigned char *memory, *pixels; /* pixels begin `front` bytes into memory */
  size_t front, capacity;         /* capacity: bytes of memory */
  uint8_t *valid;                 /* NULL where no format shows it */
};

static void batch_free(struct batch *b) {
  for (size_t i = 0; i < b->n_open; i++) sc_chip_close(&b->chips[i]);
  sc_free(b->chips);
  sc_free(b->memory);
  sc_free(b->valid);
}

/* Same number of bands and pixels; types may differ only where one holds all. */
static sc_status check_shape(const struct sc_chip *first, const struct sc_chip *chip,
                             size_t position, struct sc_error *err) {
  if (first->n_bands == chip->n_bands && first->width == chip->width &&
      first->height == chip->height) {
    return SC_OK;
  }
  return sc_fail(
      err, SC_BAD_DATA,
      "position %zu: item %s: its chip has shape (%d, %d, %d), the first one (%d, %d, %d)",
      position, chip->scene->item.id, chip->n_bands, chip->height, chip->width, first->n_bands,
      first->height, first->width);
}

static sc_status open_batch(struct sc_connection *c, const struct sc_group *s,
                            const struct sc_chip_options *options, struct batch *b,
                            struct sc_error *err) {
  b->chips = sc_alloc_zero(s->n_rows, sizeof *b->chips);
  if (!b->chips) return sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_rows; i++) {
    struct sc_chip *chip = &b->chips[b->n_open];
    sc_status st = sc_interrupt_check(err);
    if (!st) st = sc_chip_open(c, s->rows[i].handle, options, chip, err);
    if (sc_on_error_applies(st) && options->on_error == SC_ON_ERROR_SKIP) continue;
    if (st) return sc_fail_within(err, "position %zu", i);
    b->n_open++;
    st = check_shape(&b->chips[0], chip, i, err);
    if (st) return st;
  }
  b->n = b->n_open;
  return SC_OK;
}

/* Wide enough for all chips. */
static enum sc_dtype batch_dtype(const struct batch *b) {
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

static sc_status check_limit(const struct batch *b, size_t limit, struct sc_error *err) {
  size_t total;
  if (!__builtin_mul_overflow(b->chip_bytes, b->n, &total) && total + 65536 <= limit) return SC_OK;
  return sc_fail(err, SC_TOO_BIG,
                 "a stack of %zu chips of %zu bytes; the limit of this connection is %zu bytes, "
                 "which hold %zu",
                 b->n, b->chip_bytes, limit, limit / b->chip_bytes);
}

#define NPY_HEADER_BYTES 128 /* as long as it is for any shape that fits into memory */
#define NPZ_CHIP_BYTES 1024  /* of a chip's id and datetime, four bytes a letter */

/* Memory for the pixels and for what a format puts around them, so that the result needs no second
 * copy: see finish_npy() and finish_npz(). */
static sc_status make_room(struct batch *b, int format, struct sc_error *err) {
  int want_valid = sc_format_is_picture(format) || format == SC_FORMAT_NPZ;
  b->front = format == SC_FORMAT_NPY ? NPY_HEADER_BYTES : 0;
  b->capacity = b->n * b->chip_bytes + 256;
  if (format == SC_FORMAT_NPZ) b->capacity += b->n * (b->chip_values + NPZ_CHIP_BYTES) + 65536;
  b->memory = sc_alloc(b->capacity);
  if (want_valid) b->valid = sc_alloc(b->n * b->chip_values);
  if (!b->memory || (want_valid && !b->valid)) return sc_fail_nomem(err);
  b->pixels = b->memory + b->front;
  return SC_OK;
}

static sc_status first_failure(const struct batch *b, const struct sc_error *errors,
                               struct sc_error *err) {
  for (size_t i = 0; i < b->n; i++) {
    if (!errors[i].status) continue;
    *err = errors[i];
    return sc_fail_within(err, "position %zu", i);
  }
  return SC_OK;
}

/* Take failed chips out of all arrays. */
static void drop_failed(struct batch *b, const struct sc_error *errors) {
  const size_t bytes = b->chip_bytes, values = b->chip_values;
  size_t kept = 0;
  for (size_t i = 0; i < b->n; i++) {
    if (errors[i].status) {
      sc_chip_close(&b->chips[i]);
      continue;
    }
    if (kept != i) {
      b->chips[kept] = b->chips[i];
      memset(&b->chips[i], 0, sizeof b->chips[i]);
      memmove(b->pixels + kept * bytes, b->pixels + i * bytes, bytes);
      if (b->valid) memmove(b->valid + kept * values, b->valid + i * values, values);
    }
    kept++;
  }
  b->n = b->n_open = kept;
}

static sc_status read_batch(struct sc_connection *c, const struct sc_chip_options *options,
                            struct batch *b, struct sc_error *err) {
  struct sc_error *errors = sc_alloc_zero(b->n, sizeof *errors);
  struct sc_chip_target to = {
      .dtype = b->dtype, .pixels = b->pixels, .valid = b->valid, .errors = errors};
  sc_status st = errors ? sc_chips_read(c, b->chips, b->n, options, &to, err) : sc_fail_nomem(err);
  if (!st && options->on_error == SC_ON_ERROR_SKIP) {
    drop_failed(b, errors);
  } else if (!st) {
    st = first_failure(b, errors, err);
  }
  sc_free(errors);
  return st;
}

/* --- results --- */

/* (n, bands, rows, columns); all 0 of no chips. */
static struct sc_npy_array array_of(const struct batch *b, const char *descr) {
  struct sc_npy_array array = {descr, 4, {b->n}};
  if (b->n) {
    array.shape[1] = (size_t)b->chips[0].n_bands;
    array.shape[2] = (size_t)b->chips[0].height;
    array.shape[3] = (size_t)b->chips[0].width;
  }
  return array;
}

static void give_memory(struct batch *b, size_t size, struct sc_buffer *out) {
  *out = (struct sc_buffer){b->memory, size, b->capacity};
  b->memory = b->pixels = NULL;
}

/* The pixels stay where they were read, behind the room of the header. */
static sc_status finish_npy(struct batch *b, struct sc_buffer *out, struct sc_error *err) {
  struct sc_buffer header = {0};
  size_t bytes = b->n * b->chip_bytes;
  struct sc_npy_array array = array_of(b, sc_npy_descr(b->dtype));
  sc_status st = sc_npy_header(&array, &header, err);
  if (!st && header.size > 256)
    st = sc_fail(err, SC_TOO_BIG, "npy header of %zu bytes; the limit is 256", header.size);
  if (!st) {
    if (header.size != b->front) memmove(b->memory + header.size, b->pixels, bytes);
    memcpy(b->memory, header.data, header.size);
    give_memory(b, bytes + header.size, out);
  }
  sc_buffer_free(&header);
  return st;
}

static sc_status add_names(struct batch *b, struct sc_npz *npz, struct sc_error *err) {
  char **ids = sc_alloc_zero(b->n + 1, sizeof *ids);
  const char **times = sc_alloc_zero(b->n + 1, sizeof *times);
  sc_status st = ids && times ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < b->n && !st; i++) {
    const struct sc_chip *chip = &b->chips[i];
    const struct sc_item *item = &chip->scene->item;
    times[i] = item->datetime;
    int is_placed = chip->x >= 0; /* else it lies around a centre: by the grid's pixels */
    st = sc_format(&ids[i], err, "%s-%s%lld-%lld", item->id, is_placed ? "" : "px-",
                   (long long)(is_placed ? chip->x : chip->window.x),
                   (long long)(is_placed ? chip->y : chip->window.y));
  }
  if (!st) st = sc_npz_add_texts(npz, "chipid", (const char *const *)ids, b->n, err);
  if (!st) st = sc_npz_add_texts(npz, "datetime", times, b->n, err);
  for (size_t i = 0; ids && i < b->n; i++) sc_free(ids[i]);
  sc_free(ids);
  sc_free(times);
  return st;
}

static sc_status finish_npz(struct batch *b, struct sc_buffer *out, struct sc_error *err) {
  struct sc_npz npz = {{0}, {0}, 0};
  struct sc_npy_array array = array_of(b, sc_npy_descr(b->dtype));
  struct sc_buffer pixels;
  give_memory(b, b->n * b->chip_bytes, &pixels);
  sc_status st = sc_npz_take(&npz, "pixels", &array, &pixels, err);
  sc_buffer_free(&pixels);
  array.descr = SC_NPY_BOOL;
  if (!st) st = sc_npz_add(&npz, "valid", &array, b->valid, b->n * b->chip_values, err);
  if (!st) st = add_names(b, &npz, err);
  if (!st) st = sc_npz_finish(&npz, err);
  if (!st) sc_buffer_move(&npz.archive, out);
  sc_npz_free(&npz);
  return st;
}

static sc_status finish_picture(const struct batch *b, const struct sc_chip_options *options,
                                struct sc_buffer *out, struct sc_error *err) {
  const struct sc_chip_target read = {.dtype = b->dtype, .pixels = b->pixels, .valid = b->valid};
  return sc_view_encode(b->chips, b->n, options, &read, out, err);
}

/* out stays empty, the result NULL, where no chip is left but in npz. */
static sc_status finish(struct batch *b, const struct sc_chip_options *options,
                        struct sc_buffer *out, struct sc_error *err) {
  if (options->format == SC_FORMAT_NPZ) return finish_npz(b, out, err);
  if (b->n == 0) return SC_OK;
  if (sc_format_is_picture(options->format)) return finish_picture(b, options, out, err);
  if (options->format != SC_FORMAT_RAW) return finish_npy(b, out, err);
  give_memory(b, b->n * b->chip_bytes, out);
  return SC_OK;
}

static sc_status make_stack(struct sc_connection *c, const struct sc_group *s,
                            const struct sc_chip_options *options, size_t limit,
                            struct sc_buffer *out, struct sc_error *err) {
  struct batch b = {0};
  if (options->format == SC_FORMAT_GEOTIFF) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_stack options: option 'format': 'geotiff' is for stacchip_chip()");
  }
  sc_status st = open_batch(c, s, options, &b, err);
  b.dtype = sc_format_is_picture(options->format) ? SC_DTYPE_F64 : batch_dtype(&b);
  if (!st && b.n) {
    b.chip_values = sc_chip_bytes(&b.chips[0], SC_DTYPE_U8);
    b.chip_bytes = sc_chip_bytes(&b.chips[0], b.dtype);
    st = check_limit(&b, limit, err);
    if (!st) st = make_room(&b, options->format, err);
    if (!st) st = read_batch(c, options, &b, err);
  }
  if (!st) st = finish(&b, options, out, err);
  batch_free(&b);
  return st;
}

static void stack_final(sqlite3_context *context) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_group *s = sc_group_take(context);
  struct sc_chip_options options;
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  if (!s || !s->has_rows) return; /* an empty group is NULL */
  sc_static_result_reclaim(c);    /* before the next one is read: never two of them */
  err = s->err;
  sc_status st = err.status ? err.status : sc_connection_check_direct(c, &err);
  if (!st) st = sc_chip_options_parse(s->options, SC_OPTIONS_STACK, &options, &err);
  if (!st) {
    size_t limit = (size_t)sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, -1);
    if (s->n_rows) st = make_stack(c, s, &options, limit, &out, &err);
    int as_null = options.on_error == SC_ON_ERROR_NULL && sc_on_error_applies(st);
    if (as_null) st = SC_OK;
    sc_chip_options_free(&options);
  }
  sc_group_clear(s);
  if (st) {
    sc_buffer_free(&out);
    sc_result_error(context, &err);
  } else if (out.data) {
    sc_static_result_give(c, context, &out);
  }
}

int sc_stack_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_stack", 1, SQLITE_DIRECTONLY, 0, sc_group_step, stack_final},
      {"stacchip_stack", 2, SQLITE_DIRECTONLY, 0, sc_group_step, stack_final},
      {"stacchip_stack", 3, SQLITE_DIRECTONLY, 0, sc_group_step, stack_final},
  };
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
