/* Numbers of a geometry in its own byte order, as SpatiaLite BLOBs and WKB have them. */
#ifndef SC_INDEX_GEOMETRY_READER_H
#define SC_INDEX_GEOMETRY_READER_H

#include "base/bytes.h"

enum sc_wkb_type {
  SC_WKB_POINT = 1,
  SC_WKB_LINE = 2,
  SC_WKB_POLYGON = 3,
  SC_WKB_MULTIPOINT = 4,
  SC_WKB_MULTILINE = 5,
  SC_WKB_MULTIPOLYGON = 6,
  SC_WKB_COLLECTION = 7
};

/* Of a SpatiaLite BLOB: 0 start, 1 order, 2 SRID, 6 four doubles of the MBR, then these two. */
enum { SC_BLOB_MBR_END_AT = 38, SC_BLOB_TYPE_AT = 39, SC_BLOB_HEAD_BYTES = 43 };
enum { SC_BLOB_START = 0x00, SC_BLOB_MBR_END = 0x7C, SC_BLOB_ENTITY = 0x69, SC_BLOB_END = 0xFE };
#define SC_BLOB_COMPRESSED 1000000u /* added to a type */

struct sc_geometry_reader {
  struct sc_bytes bytes;
  int big_endian;
  int n_ordinates; /* 2, 3 or 4 doubles a point */
};

static inline uint32_t sc_geometry_u32(struct sc_geometry_reader *r) {
  const unsigned char *p = sc_bytes_take(&r->bytes, 4);
  return !p ? 0 : r->big_endian ? sc_be32(p) : sc_le32(p);
}

static inline double sc_geometry_double(struct sc_geometry_reader *r) {
  const unsigned char *p = sc_bytes_take(&r->bytes, 8);
  return !p ? 0 : r->big_endian ? sc_be_double(p) : sc_le_double(p);
}

static inline float sc_geometry_float(struct sc_geometry_reader *r) {
  uint32_t u = sc_geometry_u32(r);
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

/* Byte order and type of a WKB geometry, its dimensions (ISO 1000s and EWKB flags) taken off. */
static inline uint32_t sc_geometry_wkb_type(struct sc_geometry_reader *r) {
  r->big_endian = sc_bytes_u8(&r->bytes) == 0;
  uint32_t type = sc_geometry_u32(r);
  int has_z = (type & 0x80000000u) != 0, has_m = (type & 0x40000000u) != 0;
  if (type & 0x20000000u) sc_geometry_u32(r); /* EWKB SRID */
  type &= 0x0FFFFFFFu;
  if (type / 1000 == 1 || type / 1000 == 3) has_z = 1;
  if (type / 1000 == 2 || type / 1000 == 3) has_m = 1;
  r->n_ordinates = 2 + has_z + has_m;
  return type % 1000;
}

#endif
