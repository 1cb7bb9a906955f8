/*
 * Names and numbers of the Parquet format that several files share.
 *
 * Source: apache/parquet-format, parquet.thrift (2.12) and Encodings.md.
 */
#ifndef SC_PARQUET_FORMAT_H
#define SC_PARQUET_FORMAT_H

#include <stdint.h>

#define SC_PQ_MAGIC "PAR1"
#define SC_PQ_MAGIC_ENCRYPTED "PARE"

enum sc_pq_type {
  SC_PQ_BOOLEAN = 0,
  SC_PQ_INT32 = 1,
  SC_PQ_INT64 = 2,
  SC_PQ_INT96 = 3,
  SC_PQ_FLOAT = 4,
  SC_PQ_DOUBLE = 5,
  SC_PQ_BYTE_ARRAY = 6,
  SC_PQ_FIXED = 7 /* FIXED_LEN_BYTE_ARRAY */
};

enum sc_pq_repetition { SC_PQ_REQUIRED = 0, SC_PQ_OPTIONAL = 1, SC_PQ_REPEATED = 2 };

enum sc_pq_encoding {
  SC_PQ_PLAIN = 0,
  SC_PQ_PLAIN_DICTIONARY = 2,
  SC_PQ_RLE = 3,
  SC_PQ_BIT_PACKED = 4,
  SC_PQ_DELTA_BINARY_PACKED = 5,
  SC_PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
  SC_PQ_DELTA_BYTE_ARRAY = 7,
  SC_PQ_RLE_DICTIONARY = 8,
  SC_PQ_BYTE_STREAM_SPLIT = 9
};

enum sc_pq_codec {
  SC_PQ_UNCOMPRESSED = 0,
  SC_PQ_SNAPPY = 1,
  SC_PQ_GZIP = 2,
  SC_PQ_LZO = 3,
  SC_PQ_BROTLI = 4,
  SC_PQ_LZ4 = 5, /* deprecated: Hadoop's framing, or a bare block */
  SC_PQ_ZSTD = 6,
  SC_PQ_LZ4_RAW = 7
};

enum sc_pq_page_type {
  SC_PQ_DATA_PAGE = 0,
  SC_PQ_INDEX_PAGE = 1,
  SC_PQ_DICTIONARY_PAGE = 2,
  SC_PQ_DATA_PAGE_V2 = 3
};

/* ConvertedType, the older annotation. */
enum sc_pq_converted {
  SC_PQ_CONVERTED_NONE = -1,
  SC_PQ_UTF8 = 0,
  SC_PQ_MAP = 1,
  SC_PQ_MAP_KEY_VALUE = 2,
  SC_PQ_LIST = 3,
  SC_PQ_ENUM = 4,
  SC_PQ_DECIMAL = 5,
  SC_PQ_DATE = 6,
  SC_PQ_TIME_MILLIS = 7,
  SC_PQ_TIME_MICROS = 8,
  SC_PQ_TIMESTAMP_MILLIS = 9,
  SC_PQ_TIMESTAMP_MICROS = 10,
  SC_PQ_UINT_8 = 11,
  SC_PQ_UINT_16 = 12,
  SC_PQ_UINT_32 = 13,
  SC_PQ_UINT_64 = 14,
  SC_PQ_INT_8 = 15,
  SC_PQ_INT_64 = 18,
  SC_PQ_JSON = 19,
  SC_PQ_BSON = 20,
  SC_PQ_INTERVAL = 21
};

/* Field numbers of the union LogicalType, the newer annotation. */
enum sc_pq_logical {
  SC_PQ_LOGICAL_STRING = 1,
  SC_PQ_LOGICAL_MAP = 2,
  SC_PQ_LOGICAL_LIST = 3,
  SC_PQ_LOGICAL_ENUM = 4,
  SC_PQ_LOGICAL_DECIMAL = 5,
  SC_PQ_LOGICAL_DATE = 6,
  SC_PQ_LOGICAL_TIME = 7,
  SC_PQ_LOGICAL_TIMESTAMP = 8,
  SC_PQ_LOGICAL_INTEGER = 10,
  SC_PQ_LOGICAL_UNKNOWN = 11,
  SC_PQ_LOGICAL_JSON = 12,
  SC_PQ_LOGICAL_BSON = 13,
  SC_PQ_LOGICAL_UUID = 14,
  SC_PQ_LOGICAL_FLOAT16 = 15,
  SC_PQ_LOGICAL_VARIANT = 16,
  SC_PQ_LOGICAL_GEOMETRY = 17,
  SC_PQ_LOGICAL_GEOGRAPHY = 18
};

/* What a leaf's values mean, both annotations taken together. */
enum sc_pq_kind {
  SC_PQ_KIND_PLAIN = 0, /* the physical type as it is; byte arrays are BLOBs */
  SC_PQ_KIND_TEXT,
  SC_PQ_KIND_UINT,
  SC_PQ_KIND_DATE,
  SC_PQ_KIND_TIME,
  SC_PQ_KIND_TIMESTAMP,
  SC_PQ_KIND_DECIMAL,
  SC_PQ_KIND_UUID,
  SC_PQ_KIND_FLOAT16,
  SC_PQ_KIND_GEOMETRY, /* WKB */
  SC_PQ_KIND_NULL
};

/*
 * One value of a column. Integers and booleans in `i`, FLOAT and DOUBLE in `r`, everything
 * else as borrowed bytes. `size` is SC_PQ_NULL for a null, whatever the type.
 */
#define SC_PQ_NULL UINT32_MAX
struct sc_pq_value {
  union {
    int64_t i;
    double r;
    const unsigned char *bytes;
  } as;
  uint32_t size;
};

/* Bytes of one PLAIN value; 0 for booleans and byte arrays of any length. */
static inline uint32_t sc_pq_type_bytes(enum sc_pq_type type, uint32_t fixed_bytes) {
  switch (type) {
    case SC_PQ_INT32:
    case SC_PQ_FLOAT: return 4;
    case SC_PQ_INT64:
    case SC_PQ_DOUBLE: return 8;
    case SC_PQ_INT96: return 12;
    case SC_PQ_FIXED: return fixed_bytes;
    default: return 0;
  }
}

#endif
