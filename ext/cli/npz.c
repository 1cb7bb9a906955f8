/* Reading .npz archives; see npz.h. */
#include "cli/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"

#define MEMBER_MAX ((size_t)4000 << 20) /* of a member when inflated */

enum { ZIP_LOCAL = 0x04034b50, ZIP_CENTRAL = 0x02014b50, ZIP_END = 0x06054b50 };

/* A member's bytes as they lie in the archive. */
struct member {
  const unsigned char *data;
  size_t packed, size;
  uint32_t crc; /* of the inflated bytes */
  int is_deflated;
};

static sc_status fail_damaged(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "the ZIP archive is damaged or cut short");
}

/* The central directory: *at its first entry. */
static sc_status find_directory(const struct sc_buffer *zip, size_t *at, size_t *n,
                                struct sc_error *err) {
  if (zip->size < 22) return sc_fail(err, SC_BAD_DATA, "not a ZIP archive: %zu bytes", zip->size);
  const unsigned char *tail = zip->data + zip->size - 22;
  while (tail > zip->data && sc_le32(tail) != ZIP_END) tail--;
  if (sc_le32(tail) != ZIP_END)
    return sc_fail(err, SC_BAD_DATA, "not a ZIP archive, or one that is cut short");
  *n = sc_le16(tail + 10);
  *at = sc_le32(tail + 16);
  return SC_OK;
}

/* Find the bytes of the member that the directory's entry at c describes. */
static sc_status open_member(const struct sc_buffer *zip, const unsigned char *c,
                             struct member *out, struct sc_error *err) {
  size_t offset = sc_le32(c + 42), method = sc_le16(c + 10);
  out->crc = sc_le32(c + 16);
  out->packed = sc_le32(c + 20);
  out->size = sc_le32(c + 24);
  out->is_deflated = method == 8;
  if (offset > zip->size || zip->size - offset < 30) return fail_damaged(err);
  const unsigned char *local = zip->data + offset;
  size_t head = 30 + (size_t)sc_le16(local + 26) + sc_le16(local + 28);
  if (sc_le32(local) != ZIP_LOCAL || head > zip->size - offset) return fail_damaged(err);
  out->data = local + head;
  if (out->packed > zip->size - offset - head) return fail_damaged(err);
  if (method != 0 && method != 8)
    return sc_fail(err, SC_UNSUPPORTED,
                   "compressed with ZIP method %zu; methods: 0 (stored), 8 (deflated)", method);
  return !out->is_deflated && out->packed != out->size ? fail_damaged(err) : SC_OK;
}

static sc_status find_member(const struct sc_buffer *zip, const char *name, struct member *out,
                             int *found, struct sc_error *err) {
  size_t at = 0, n = 0, name_bytes = strlen(name);
  *found = 0;
  sc_status st = find_directory(zip, &at, &n, err);
  for (size_t i = 0; i < n && !st; i++) {
    if (at > zip->size || zip->size - at < 46) return fail_damaged(err);
    const unsigned char *c = zip->data + at;
    size_t own = sc_le16(c + 28), all = 46 + own + sc_le16(c + 30) + sc_le16(c + 32);
    if (sc_le32(c) != ZIP_CENTRAL || all > zip->size - at) return fail_damaged(err);
    if (own == name_bytes + 4 && memcmp(c + 46, name, name_bytes) == 0 &&
        memcmp(c + 46 + name_bytes, ".npy", 4) == 0) {
      *found = 1;
      return open_member(zip, c, out, err);
    }
    at += all;
  }
  return st;
}

static sc_status inflate_member(const struct member *m, struct sc_buffer *out,
                                struct sc_error *err) {
  z_stream z = {.next_in = (unsigned char *)(size_t)m->data, .avail_in = (uInt)m->packed};
  if (m->size > MEMBER_MAX || m->size / 1100 > m->packed) return fail_damaged(err);
  sc_status st = sc_buffer_resize(out, m->size, err);
  if (st) return st;
  if (inflateInit2(&z, -15) != Z_OK) return sc_fail_nomem(err);
  z.next_out = out->data;
  z.avail_out = (uInt)m->size;
  int code = inflate(&z, Z_FINISH);
  inflateEnd(&z);
  return code == Z_STREAM_END && z.avail_out == 0 ? SC_OK : fail_damaged(err);
}

/* Parse "2, 7, 256, 256)" and check that the `left` bytes behind the header hold its values. */
static sc_status read_shape(const char *p, size_t left, struct sc_npz_array *out,
                            struct sc_error *err) {
  size_t total = out->width;
  out->n_dims = 0;
  out->n_values = 1;
  for (; *p && *p != ')'; p += strspn(p, ", ")) {
    char *end;
    unsigned long long n = strtoull(p, &end, 10);
    if (end == p || out->n_dims == 4)
      return sc_fail(err, SC_BAD_DATA, "the array's shape: expected up to 4 whole numbers");
    out->shape[out->n_dims++] = (size_t)n;
    if (__builtin_mul_overflow(total, (size_t)n, &total)) return fail_damaged(err);
    out->n_values *= (size_t)n;
    p = end;
  }
  return total > left ? sc_fail(err, SC_BAD_DATA,
                                "the array is cut short: its shape needs more bytes than there are")
                      : SC_OK;
}

/* Bytes of one value: 4 for "<f4", 96 for "<U24" (UTF-32). 0 for types that are not read. */
static size_t width_of(const char *descr) {
  unsigned long n = strlen(descr) > 2 ? strtoul(descr + 2, NULL, 10) : 0;
  if (n > 100000 || descr[0] == '>') return 0;
  return strchr("biufc", descr[1]) ? n : descr[1] == 'U' ? 4 * n : 0;
}

static sc_status read_npy(const unsigned char *npy, size_t size, struct sc_npz_array *out,
                          struct sc_error *err) {
  char text[512];
  size_t start = size > 12 && npy[6] > 1 ? 12 : 10;
  if (size < 12 || memcmp(npy, "\x93NUMPY", 6) != 0)
    return sc_fail(err, SC_BAD_DATA, "not a .npy array");
  size_t header = start == 12 ? sc_le32(npy + 8) : sc_le16(npy + 8);
  if (header > size - start || header >= sizeof text)
    return sc_fail(err, SC_BAD_DATA, "the array's header is cut short, or longer than %zu bytes",
                   sizeof text - 1);
  memcpy(text, npy + start, header);
  text[header] = '\0';
  const char *descr = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
  if (!descr || !shape || sscanf(descr + 10, "%15[^']", out->descr) != 1 ||
      !strstr(text, "'fortran_order': False") || !(out->width = width_of(out->descr)))
    return sc_fail(err, SC_BAD_DATA,
                   "expected little-endian numbers or texts in C order, found %.200s", text);
  out->data = npy + start + header;
  return read_shape(shape + 10, size - start - header, out, err);
}

sc_status sc_npz_find(const struct sc_buffer *archive, const char *name, struct sc_npz_array *out,
                      int *found, struct sc_error *err) {
  struct member m = {0};
  memset(out, 0, sizeof *out);
  sc_status st = find_member(archive, name, &m, found, err);
  if (st || !*found) return st;
  if (m.is_deflated) {
    st = inflate_member(&m, &out->own, err);
    m.data = out->own.data;
  }
  if (!st && (uint32_t)crc32_z(0, m.data, m.size) != m.crc) st = fail_damaged(err);
  if (!st) st = read_npy(m.data, m.size, out, err);
  if (st) sc_npz_array_free(out);
  return st ? sc_fail_within(err, "array '%s'", name) : SC_OK;
}

void sc_npz_array_free(struct sc_npz_array *array) {
  sc_buffer_free(&array->own);
  memset(array, 0, sizeof *array);
}

void sc_npz_text(const struct sc_npz_array *array, size_t i, char *out, size_t n) {
  size_t used = 0;
  for (size_t k = 0; k + 4 <= array->width && used + 1 < n; k += 4) {
    uint32_t c = sc_le32(array->data + i * array->width + k);
    if (!c) break;
    out[used++] = c < 128 ? (char)c : '?';
  }
  out[used] = '\0';
}
