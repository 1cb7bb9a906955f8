/* NumPy's file formats; see npy.h. */
#include "pixels/npy.h"

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
  uint32_t crc = (uint32_t)crc32_z(crc32_z(0, header->data, header->size), data, n);
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
