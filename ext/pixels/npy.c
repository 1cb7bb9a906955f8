/* NumPy's file formats; see npy.h. */
#include "pixels/npy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/bytes.h"

const char *sc_npy_descr(enum sc_dtype dtype) {
  static const char *const names[] = {"",    "|u1", "|i1", "<u2", "<i2", "<u4", "<i4",
                                      "<u8", "<i8", "<f4", "<f8", "<c8", "<c16"};
  return names[dtype];
}

sc_status sc_npy_header(const struct sc_npy_array *a, struct sc_buffer *out, struct sc_error *err) {
  char text[256], dims[128] = "";
  size_t used = 0;
  for (int i = 0; i < a->n_dims && used < sizeof dims; i++) {
    const char *behind = i + 1 < a->n_dims ? ", " : a->n_dims == 1 ? "," : "";
    used += (size_t)snprintf(dims + used, sizeof dims - used, "%zu%s", a->shape[i], behind);
  }
  int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                   a->descr, dims);
  /* Magic, version, length and header take a multiple of 64 bytes. */
  size_t total = ((size_t)n + 1 + 10 + 63) / 64 * 64;
  sc_status st = sc_buffer_reserve(out, total, err);
  if (st) return st;
  unsigned char *p = out->data + out->size;
  memset(p, ' ', total); /* NOLINT(clang-analyzer-core.NonNullParamChecker): total is not 0 */
  memcpy(p, "\x93NUMPY\x01\x00", 8);
  p[8] = (unsigned char)(total - 10);
  p[9] = (unsigned char)((total - 10) >> 8);
  memcpy(p + 10, text, (size_t)n);
  p[total - 1] = '\n';
  out->size += total;
  return SC_OK;
}

/* --- reading --- */

/* The dictionary of a header: a literal of Python, of which format.py writes three keys. */
struct header {
  const char *p, *end;
};

static void skip_blanks(struct header *h) {
  while (h->p < h->end && (*h->p == ' ' || *h->p == '\n' || *h->p == '\t')) h->p++;
}

/* One token: a quoted text (without its quotes), a word or number, or one sign; 0 at the end. */
static size_t next_token(struct header *h, const char **token) {
  skip_blanks(h);
  if (h->p == h->end) return 0;
  const char *begin = h->p;
  if (*begin == '\'' || *begin == '"') {
    const char *close = memchr(begin + 1, *begin, (size_t)(h->end - begin - 1));
    if (!close) return 0;
    *token = begin + 1;
    h->p = close + 1;
    return (size_t)(close - begin - 1);
  }
  *token = begin;
  while (h->p < h->end && (isalnum((unsigned char)*h->p) || *h->p == '_')) h->p++;
  if (h->p == begin) h->p++;
  return (size_t)(h->p - begin);
}

static int token_is(const char *token, size_t n, const char *word) {
  return n == strlen(word) && memcmp(token, word, n) == 0;
}

static int take_shape(struct header *h, struct sc_npy_view *out) {
  const char *token;
  size_t n = next_token(h, &token);
  if (!token_is(token, n, "(")) return 0;
  while ((n = next_token(h, &token)) != 0 && !token_is(token, n, ")")) {
    size_t value = 0;
    if (token_is(token, n, ",")) continue;
    for (size_t i = 0; i < n; i++) {
      if (token[i] < '0' || token[i] > '9' || value > SIZE_MAX / 20) return 0;
      value = value * 10 + (size_t)(token[i] - '0');
    }
    if (out->n_dims < 4) out->shape[out->n_dims] = value;
    out->n_dims++;
  }
  return n != 0;
}

/* dtype 0: a type that is not read here; descr then has it. */
static int take_descr(struct header *h, char *descr, size_t size, struct sc_npy_view *out) {
  const char *token;
  size_t n = next_token(h, &token);
  if (n == 0 || n >= size) return 0;
  memcpy(descr, token, n);
  descr[n] = '\0';
  if (strcmp(descr, SC_NPY_BOOL) == 0) out->dtype = SC_DTYPE_U8;
  for (int i = SC_DTYPE_U8; i <= SC_DTYPE_C128; i++) {
    if (strcmp(descr, sc_npy_descr((enum sc_dtype)i)) == 0) out->dtype = (enum sc_dtype)i;
  }
  return 1;
}

static int read_header(struct header *h, char *descr, size_t size, int *is_fortran,
                       struct sc_npy_view *out) {
  const char *token = "";
  size_t n = next_token(h, &token);
  unsigned seen = 0;
  if (!token_is(token, n, "{")) return 0;
  while ((n = next_token(h, &token)) != 0 && !token_is(token, n, "}")) {
    const char *colon = "";
    if (token_is(token, n, ",")) continue;
    size_t n_colon = next_token(h, &colon);
    if (!token_is(colon, n_colon, ":")) return 0;
    if (token_is(token, n, "descr")) {
      if (!take_descr(h, descr, size, out)) return 0;
      seen |= 1;
    } else if (token_is(token, n, "fortran_order")) {
      n = next_token(h, &token);
      *is_fortran = token_is(token, n, "True");
      if (!*is_fortran && !token_is(token, n, "False")) return 0;
      seen |= 2;
    } else if (token_is(token, n, "shape")) {
      if (out->n_dims || !take_shape(h, out)) return 0;
      seen |= 4;
    } else {
      return 0;
    }
  }
  return n != 0 && seen == 7;
}

static sc_status check_array(const char *descr, int is_fortran, size_t n_data,
                             struct sc_npy_view *out, struct sc_error *err) {
  int n_long = 0; /* dimensions above 1: with one or none, both orders are the same */
  if (!out->dtype) {
    return sc_fail(err, SC_BAD_DATA,
                   "an array of type %s, which is not read here; write it as one of uint8 ... "
                   "float64, little-endian, e.g. a.astype('<f4')",
                   descr);
  }
  if (out->n_dims < 1 || out->n_dims > 4)
    return sc_fail(err, SC_BAD_DATA, "an array of %d dimensions; 1 to 4 are read", out->n_dims);
  out->n_values = 1;
  for (int i = 0; i < out->n_dims; i++) {
    n_long += out->shape[i] > 1;
    if (out->shape[i] && out->n_values > n_data / out->shape[i])
      out->n_values = SIZE_MAX;
    else if (out->n_values != SIZE_MAX || !out->shape[i])
      out->n_values *= out->shape[i];
  }
  if (is_fortran && n_long > 1)
    return sc_fail(err, SC_BAD_DATA, "an array in Fortran order; write numpy.ascontiguousarray(a)");
  if (out->n_values == SIZE_MAX || out->n_values * sc_dtype_bytes(out->dtype) != n_data)
    return sc_fail(err, SC_BAD_DATA, "an array whose %zu bytes do not fit its shape", n_data);
  return SC_OK;
}

sc_status sc_npy_read(const void *blob, size_t n, struct sc_npy_view *out, struct sc_error *err) {
  const unsigned char *p = blob;
  char descr[24] = "";
  int is_fortran = 0;
  memset(out, 0, sizeof *out);
  int is_npy = n >= 12 && memcmp(p, "\x93NUMPY", 6) == 0 && p[6] >= 1 && p[6] <= 3;
  size_t at = is_npy && p[6] > 1 ? 12 : 10, length = !is_npy    ? 0
                                                     : at == 12 ? sc_le32(p + 8)
                                                                : sc_le16(p + 8);
  if (!is_npy || length > n - at)
    return sc_fail(err, SC_BAD_DATA, "not a .npy array, as numpy.save() writes it");
  struct header h = {(const char *)p + at, (const char *)p + at + length};
  if (!read_header(&h, descr, sizeof descr, &is_fortran, out))
    return sc_fail(err, SC_BAD_DATA, "a .npy array whose header is damaged");
  out->data = p + at + length;
  return check_array(descr, is_fortran, n - at - length, out, err);
}

/* --- archives --- */

static void put16(unsigned char *p, unsigned v) {
  p[0] = (unsigned char)v;
  p[1] = (unsigned char)(v >> 8);
}

enum { ZIP_LOCAL = 0x04034b50, ZIP_CENTRAL = 0x02014b50, ZIP_END = 0x06054b50 };

/* The fields that local and central headers share, from "version needed" on: 26 bytes. */
static void put_member(unsigned char *p, uint32_t crc, uint32_t size, size_t name_bytes) {
  memset(p, 0, 26);
  put16(p, 20);         /* version needed: 2.0 */
  put16(p + 8, 0x0021); /* date: 1980-01-01, so that equal arrays give equal bytes */
  sc_put_le32(p + 10, crc);
  sc_put_le32(p + 14, size);
  sc_put_le32(p + 18, size);
  put16(p + 22, (unsigned)name_bytes);
}

/* What stands in front of a member's data: local header, name, .npy header. Its entry goes into the
 * directory. */
static sc_status make_head(struct sc_npz *z, const char *name, const struct sc_buffer *header,
                           const void *data, size_t n, struct sc_buffer *head,
                           struct sc_error *err) {
  char file[256];
  unsigned char local[30], central[46] = {0};
  int name_bytes = snprintf(file, sizeof file, "%s.npy", name);
  size_t size = header->size + n, at = z->archive.size;
  if (size >= UINT32_MAX || at >= UINT32_MAX - size) {
    return sc_fail(err, SC_TOO_BIG,
                   "an npz archive of more than 4 GB; the limit is 4294967295 bytes");
  }
  uint32_t crc = (uint32_t)crc32_z(0, header->data, header->size);
  if (n) crc = (uint32_t)crc32_z(crc, data, n); /* of NULL it would be 0 */
  sc_put_le32(local, ZIP_LOCAL);
  put_member(local + 4, crc, (uint32_t)size, (size_t)name_bytes);
  sc_put_le32(central, ZIP_CENTRAL);
  put16(central + 4, 20);
  put_member(central + 6, crc, (uint32_t)size, (size_t)name_bytes);
  sc_put_le32(central + 42, (uint32_t)at);
  sc_status st = sc_buffer_append(head, local, sizeof local, err);
  if (!st) st = sc_buffer_append(head, file, (size_t)name_bytes, err);
  if (!st) st = sc_buffer_append(head, header->data, header->size, err);
  if (!st) st = sc_buffer_append(&z->directory, central, sizeof central, err);
  if (!st) st = sc_buffer_append(&z->directory, file, (size_t)name_bytes, err);
  z->n_members++;
  return st;
}

sc_status sc_npz_add(struct sc_npz *z, const char *name, const struct sc_npy_array *array,
                     const void *data, size_t n, struct sc_error *err) {
  struct sc_buffer header = {0}, head = {0};
  sc_status st = sc_npy_header(array, &header, err);
  if (!st) st = make_head(z, name, &header, data, n, &head, err);
  if (!st) st = sc_buffer_reserve(&z->archive, head.size + n, err);
  if (!st) st = sc_buffer_append(&z->archive, head.data, head.size, err);
  if (!st) st = sc_buffer_append(&z->archive, data, n, err);
  sc_buffer_free(&header);
  sc_buffer_free(&head);
  return st;
}

sc_status sc_npz_take(struct sc_npz *z, const char *name, const struct sc_npy_array *array,
                      struct sc_buffer *data, struct sc_error *err) {
  struct sc_buffer header = {0}, head = {0};
  sc_status st = sc_npy_header(array, &header, err);
  if (!st) st = make_head(z, name, &header, data->data, data->size, &head, err);
  if (!st) st = sc_buffer_reserve(data, head.size, err);
  if (!st) {
    memmove(data->data + head.size, data->data, data->size);
    memcpy(data->data, head.data, head.size);
    data->size += head.size;
    sc_buffer_move(data, &z->archive);
  }
  sc_buffer_free(&header);
  sc_buffer_free(&head);
  return st;
}

/* Code points of UTF-8 text into UTF-32; returns how many. out may be NULL. */
static size_t to_utf32(const char *text, uint32_t *out) {
  size_t n = 0;
  for (const unsigned char *p = (const unsigned char *)text; *p; n++) {
    uint32_t c = *p++;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    if (more) c &= 0x3Fu >> more;
    while (more-- && (*p & 0xC0) == 0x80) c = c << 6 | (*p++ & 0x3Fu);
    if (out) out[n] = c;
  }
  return n;
}

sc_status sc_npz_add_texts(struct sc_npz *z, const char *name, const char *const *texts, size_t n,
                           struct sc_error *err) {
  size_t width = 1;
  char descr[24];
  for (size_t i = 0; i < n; i++) {
    size_t length = texts[i] ? to_utf32(texts[i], NULL) : 0;
    if (length > width) width = length;
  }
  uint32_t *all = sc_alloc_zero(n * width, sizeof *all);
  if (!all) return sc_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    if (texts[i]) to_utf32(texts[i], all + i * width);
  }
  snprintf(descr, sizeof descr, "<U%zu", width);
  const struct sc_npy_array array = {descr, 1, {n}};
  sc_status st = sc_npz_add(z, name, &array, all, n * width * sizeof *all, err);
  sc_free(all);
  return st;
}

sc_status sc_npz_open(struct sc_npz *z, struct sc_buffer *archive, struct sc_error *err) {
  sc_buffer_move(archive, &z->archive);
  size_t size = z->archive.size;
  const unsigned char *end = size >= 22 ? z->archive.data + size - 22 : NULL;
  size_t n = end ? sc_le32(end + 12) : 0, at = end ? sc_le32(end + 16) : 0;
  if (!end || sc_le32(end) != ZIP_END || at + n != size - 22) {
    return sc_fail(err, SC_BAD_DATA, "not an npz archive of ours: its end is damaged");
  }
  z->n_members = sc_le16(end + 10);
  sc_status st = sc_buffer_append(&z->directory, z->archive.data + at, n, err);
  z->archive.size = at;
  return st;
}

sc_status sc_npz_finish(struct sc_npz *z, struct sc_error *err) {
  unsigned char end[22] = {0};
  sc_put_le32(end, ZIP_END);
  put16(end + 8, (unsigned)z->n_members);
  put16(end + 10, (unsigned)z->n_members);
  sc_put_le32(end + 12, (uint32_t)z->directory.size);
  sc_put_le32(end + 16, (uint32_t)z->archive.size);
  sc_status st = sc_buffer_append(&z->archive, z->directory.data, z->directory.size, err);
  return st ? st : sc_buffer_append(&z->archive, end, sizeof end, err);
}

void sc_npz_free(struct sc_npz *z) {
  sc_buffer_free(&z->archive);
  sc_buffer_free(&z->directory);
  z->n_members = 0;
}
