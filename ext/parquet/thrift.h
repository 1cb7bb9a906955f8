/*
 * Thrift's compact protocol, as much of it as Parquet uses.
 *
 * Source: apache/thrift, doc/specs/thrift-compact-protocol.md.
 * Reading is bounds-checked and sticky: after the first fault `fault` says what was wrong,
 * every read gives zero and every loop ends, so that a caller tests once at the end.
 */
#ifndef SC_PARQUET_THRIFT_H
#define SC_PARQUET_THRIFT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/status.h"

enum sc_thrift_type {
  SC_THRIFT_STOP = 0,
  SC_THRIFT_TRUE = 1,
  SC_THRIFT_FALSE = 2,
  SC_THRIFT_BYTE = 3,
  SC_THRIFT_I16 = 4,
  SC_THRIFT_I32 = 5,
  SC_THRIFT_I64 = 6,
  SC_THRIFT_DOUBLE = 7,
  SC_THRIFT_BINARY = 8,
  SC_THRIFT_LIST = 9,
  SC_THRIFT_SET = 10,
  SC_THRIFT_MAP = 11,
  SC_THRIFT_STRUCT = 12
};

struct sc_thrift_in {
  struct sc_bytes bytes;
  int depth;         /* of nested structs while skipping */
  const char *fault; /* NULL, or what was wrong first */
};

/* A field's head. Start a struct with a zeroed one. */
struct sc_thrift_field {
  int id;
  enum sc_thrift_type type;
};

struct sc_thrift_in sc_thrift_of(const void *data, size_t size);
/* The next field of a struct; 0 at its end or after a fault. */
int sc_thrift_next(struct sc_thrift_in *t, struct sc_thrift_field *f);
void sc_thrift_skip(struct sc_thrift_in *t, enum sc_thrift_type type);
/* The field's value. A value of another type is a fault. */
int64_t sc_thrift_int(struct sc_thrift_in *t, enum sc_thrift_type type);
/* The same, checked to fit: a fault outside int32. */
int32_t sc_thrift_int32(struct sc_thrift_in *t, enum sc_thrift_type type);
int sc_thrift_bool(struct sc_thrift_in *t, enum sc_thrift_type type);
double sc_thrift_double(struct sc_thrift_in *t, enum sc_thrift_type type);
/* Borrowed from the bytes that are read; data is NULL after a fault. */
struct sc_view sc_thrift_binary(struct sc_thrift_in *t, enum sc_thrift_type type);
/*
 * A list's head: the number of elements that follow and their type. A fault (and 0) where
 * the elements, of at least `least_bytes` each, cannot be there.
 */
size_t sc_thrift_list(struct sc_thrift_in *t, enum sc_thrift_type type, size_t least_bytes,
                      enum sc_thrift_type *element);
/* 1 where the type is STRUCT, else a fault. */
int sc_thrift_is_struct(struct sc_thrift_in *t, enum sc_thrift_type type);

/* Writing; `status` is sticky. The structs' nesting is limited by `last`. */
struct sc_thrift_out {
  struct sc_buffer *buffer; /* borrowed */
  struct sc_error *err;     /* borrowed */
  sc_status status;
  int depth;
  int last[16]; /* id of the last field at each depth */
};

void sc_thrift_put_int(struct sc_thrift_out *t, int id, enum sc_thrift_type type, int64_t v);
void sc_thrift_put_i32(struct sc_thrift_out *t, int id, int32_t v);
void sc_thrift_put_i64(struct sc_thrift_out *t, int id, int64_t v);
void sc_thrift_put_bool(struct sc_thrift_out *t, int id, int v);
void sc_thrift_put_double(struct sc_thrift_out *t, int id, double v);
void sc_thrift_put_binary(struct sc_thrift_out *t, int id, const void *data, size_t size);
void sc_thrift_put_text(struct sc_thrift_out *t, int id, const char *text);
/* A struct as a field; sc_thrift_end() closes it. */
void sc_thrift_begin(struct sc_thrift_out *t, int id);
/* A struct as a list's element, or the outermost one. */
void sc_thrift_begin_element(struct sc_thrift_out *t);
void sc_thrift_end(struct sc_thrift_out *t);
void sc_thrift_put_list(struct sc_thrift_out *t, int id, enum sc_thrift_type element, size_t n);
/* Elements of a list. */
void sc_thrift_element_int(struct sc_thrift_out *t, int64_t v);
void sc_thrift_element_bool(struct sc_thrift_out *t, int v);
void sc_thrift_element_binary(struct sc_thrift_out *t, const void *data, size_t size);

#endif
