/* Thrift's compact protocol; see thrift.h. */
#include "parquet/thrift.h"

#include <string.h>

#define MAX_SKIP_DEPTH 64 /* of nested values that are skipped; Parquet's own nest 5 deep */

static void fault(struct sc_thrift_in *t, const char *what) {
  if (!t->fault) t->fault = what;
  t->bytes.at = t->bytes.size;
}

struct sc_thrift_in sc_thrift_of(const void *data, size_t size) {
  struct sc_thrift_in t = {sc_bytes_of(data, size), 0, NULL};
  return t;
}

static uint8_t take_byte(struct sc_thrift_in *t) {
  const unsigned char *p = sc_bytes_take(&t->bytes, 1);
  if (!p) fault(t, "it ends in the middle");
  return p ? *p : 0;
}

static uint64_t take_varint(struct sc_thrift_in *t) {
  uint64_t v = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    uint8_t byte = take_byte(t);
    v |= (uint64_t)(byte & 0x7F) << shift;
    if (!(byte & 0x80)) return t->fault ? 0 : v;
  }
  fault(t, "a number has more than ten bytes");
  return 0;
}

static int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

int sc_thrift_next(struct sc_thrift_in *t, struct sc_thrift_field *f) {
  if (t->fault) return 0;
  uint8_t head = take_byte(t);
  int delta = head >> 4;
  f->type = (enum sc_thrift_type)(head & 15);
  if (t->fault || f->type == SC_THRIFT_STOP) return 0;
  if (f->type > SC_THRIFT_STRUCT) {
    fault(t, "a field has an unknown type");
    return 0;
  }
  int64_t id = delta ? f->id + delta : unzigzag(take_varint(t));
  if (id < INT16_MIN || id > INT16_MAX) fault(t, "a field number is out of range");
  f->id = (int)id;
  return !t->fault;
}

int64_t sc_thrift_int(struct sc_thrift_in *t, enum sc_thrift_type type) {
  if (t->fault) return 0;
  if (type == SC_THRIFT_BYTE) return (int8_t)take_byte(t);
  if (type != SC_THRIFT_I16 && type != SC_THRIFT_I32 && type != SC_THRIFT_I64) {
    fault(t, "a field that should be an integer is something else");
    return 0;
  }
  return unzigzag(take_varint(t));
}

int32_t sc_thrift_int32(struct sc_thrift_in *t, enum sc_thrift_type type) {
  int64_t v = sc_thrift_int(t, type);
  if (v < INT32_MIN || v > INT32_MAX) {
    fault(t, "a 32 bit number is out of range");
    return 0;
  }
  return (int32_t)v;
}

int sc_thrift_bool(struct sc_thrift_in *t, enum sc_thrift_type type) {
  if (type == SC_THRIFT_TRUE) return 1;
  if (type != SC_THRIFT_FALSE) fault(t, "a field that should be a boolean is something else");
  return 0;
}

double sc_thrift_double(struct sc_thrift_in *t, enum sc_thrift_type type) {
  if (type != SC_THRIFT_DOUBLE) {
    fault(t, "a field that should be a double is something else");
    return 0;
  }
  const unsigned char *p = sc_bytes_take(&t->bytes, 8);
  if (!p) fault(t, "it ends in the middle");
  return p ? sc_le_double(p) : 0;
}

struct sc_view sc_thrift_binary(struct sc_thrift_in *t, enum sc_thrift_type type) {
  struct sc_view none = {NULL, 0};
  if (type != SC_THRIFT_BINARY) {
    fault(t, "a field that should be text is something else");
    return none;
  }
  uint64_t n = take_varint(t);
  if (t->fault) return none;
  if (n > sc_bytes_left(&t->bytes)) {
    fault(t, "a text is longer than what is left");
    return none;
  }
  struct sc_view s = {sc_bytes_take(&t->bytes, (size_t)n), (size_t)n};
  return s;
}

size_t sc_thrift_list(struct sc_thrift_in *t, enum sc_thrift_type type, size_t least_bytes,
                      enum sc_thrift_type *element) {
  *element = SC_THRIFT_STOP;
  if (type != SC_THRIFT_LIST && type != SC_THRIFT_SET) {
    fault(t, "a field that should be a list is something else");
    return 0;
  }
  uint8_t head = take_byte(t);
  uint64_t n = head >> 4;
  if (n == 15) n = take_varint(t);
  *element = (enum sc_thrift_type)(head & 15);
  if (t->fault) return 0;
  if (*element > SC_THRIFT_STRUCT || (n && *element == SC_THRIFT_STOP)) {
    fault(t, "a list has elements of an unknown type");
    return 0;
  }
  if (n > sc_bytes_left(&t->bytes) / (least_bytes ? least_bytes : 1)) {
    fault(t, "a list has more elements than there are bytes left");
    return 0;
  }
  return (size_t)n;
}

int sc_thrift_is_struct(struct sc_thrift_in *t, enum sc_thrift_type type) {
  if (type == SC_THRIFT_STRUCT) return !t->fault;
  fault(t, "a field that should be a struct is something else");
  return 0;
}

/* Booleans take a byte inside lists and maps, and none as fields. */
static void skip_element(struct sc_thrift_in *t, enum sc_thrift_type type) {
  if (type == SC_THRIFT_TRUE || type == SC_THRIFT_FALSE) {
    take_byte(t);
  } else {
    sc_thrift_skip(t, type);
  }
}

static void skip_map(struct sc_thrift_in *t) {
  uint64_t n = take_varint(t);
  if (n == 0 || t->fault) return;
  uint8_t types = take_byte(t);
  if (n > sc_bytes_left(&t->bytes)) fault(t, "a map has more entries than there are bytes left");
  for (uint64_t i = 0; i < n && !t->fault; i++) {
    skip_element(t, (enum sc_thrift_type)(types >> 4));
    skip_element(t, (enum sc_thrift_type)(types & 15));
  }
}

static void skip_list(struct sc_thrift_in *t, enum sc_thrift_type type) {
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, 1, &element);
  for (size_t i = 0; i < n && !t->fault; i++) skip_element(t, element);
}

void sc_thrift_skip(struct sc_thrift_in *t, enum sc_thrift_type type) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  if (t->fault) return;
  if (++t->depth > MAX_SKIP_DEPTH) fault(t, "it is nested too deep");
  switch (type) {
    case SC_THRIFT_TRUE:
    case SC_THRIFT_FALSE: break;
    case SC_THRIFT_BYTE:
    case SC_THRIFT_I16:
    case SC_THRIFT_I32:
    case SC_THRIFT_I64: sc_thrift_int(t, type); break;
    case SC_THRIFT_DOUBLE: sc_thrift_double(t, type); break;
    case SC_THRIFT_BINARY: sc_thrift_binary(t, type); break;
    case SC_THRIFT_LIST:
    case SC_THRIFT_SET: skip_list(t, type); break;
    case SC_THRIFT_MAP: skip_map(t); break;
    case SC_THRIFT_STRUCT:
      while (sc_thrift_next(t, &f)) sc_thrift_skip(t, f.type);
      break;
    default: fault(t, "a value has an unknown type");
  }
  t->depth--;
}

static void put_bytes(struct sc_thrift_out *t, const void *data, size_t n) {
  if (!t->status) t->status = sc_buffer_append(t->buffer, data, n, t->err);
}

static void put_varint(struct sc_thrift_out *t, uint64_t v) {
  unsigned char bytes[10];
  put_bytes(t, bytes, sc_put_varint(bytes, v));
}

static uint64_t zigzag(int64_t v) { return ((uint64_t)v << 1) ^ -(uint64_t)(v < 0); }

/* The number as its distance from the one before where that is 1 to 15, else written out. */
static void put_field(struct sc_thrift_out *t, int id, enum sc_thrift_type type) {
  int distance = id - t->last[t->depth], is_near = distance > 0 && distance < 16;
  unsigned char head = (unsigned char)((is_near ? distance << 4 : 0) | (int)type);
  put_bytes(t, &head, 1);
  if (!is_near) put_varint(t, zigzag(id));
  t->last[t->depth] = id;
}

void sc_thrift_put_int(struct sc_thrift_out *t, int id, enum sc_thrift_type type, int64_t v) {
  put_field(t, id, type);
  put_varint(t, zigzag(v));
}

void sc_thrift_put_i32(struct sc_thrift_out *t, int id, int32_t v) {
  sc_thrift_put_int(t, id, SC_THRIFT_I32, v);
}

void sc_thrift_put_i64(struct sc_thrift_out *t, int id, int64_t v) {
  sc_thrift_put_int(t, id, SC_THRIFT_I64, v);
}

void sc_thrift_put_bool(struct sc_thrift_out *t, int id, int v) {
  put_field(t, id, v ? SC_THRIFT_TRUE : SC_THRIFT_FALSE);
}

void sc_thrift_put_double(struct sc_thrift_out *t, int id, double v) {
  unsigned char bytes[8];
  sc_put_le_double(bytes, v);
  put_field(t, id, SC_THRIFT_DOUBLE);
  put_bytes(t, bytes, 8);
}

void sc_thrift_put_binary(struct sc_thrift_out *t, int id, const void *data, size_t size) {
  put_field(t, id, SC_THRIFT_BINARY);
  sc_thrift_element_binary(t, data, size);
}

void sc_thrift_put_text(struct sc_thrift_out *t, int id, const char *text) {
  sc_thrift_put_binary(t, id, text, strlen(text));
}

void sc_thrift_begin_element(struct sc_thrift_out *t) {
  t->depth++;
  t->last[t->depth] = 0;
}

void sc_thrift_begin(struct sc_thrift_out *t, int id) {
  put_field(t, id, SC_THRIFT_STRUCT);
  sc_thrift_begin_element(t);
}

void sc_thrift_end(struct sc_thrift_out *t) {
  static const unsigned char stop = 0;
  put_bytes(t, &stop, 1);
  t->depth--;
}

void sc_thrift_put_list(struct sc_thrift_out *t, int id, enum sc_thrift_type element, size_t n) {
  unsigned char head = (unsigned char)((n < 15 ? n << 4 : 0xF0) | (size_t)element);
  put_field(t, id, SC_THRIFT_LIST);
  put_bytes(t, &head, 1);
  if (n >= 15) put_varint(t, n);
}

void sc_thrift_element_int(struct sc_thrift_out *t, int64_t v) { put_varint(t, zigzag(v)); }

void sc_thrift_element_bool(struct sc_thrift_out *t, int v) {
  unsigned char byte = v ? SC_THRIFT_TRUE : SC_THRIFT_FALSE;
  put_bytes(t, &byte, 1);
}

void sc_thrift_element_binary(struct sc_thrift_out *t, const void *data, size_t size) {
  put_varint(t, size);
  put_bytes(t, data, size);
}
