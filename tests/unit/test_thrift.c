/* ext/parquet/thrift.c */
#include "parquet/thrift.h"

#include "check.h"

static void what_is_written_reads_back(void) {
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  struct sc_thrift_out o = {&b, &err, SC_OK, 0, {0}};
  check_case("what_is_written_reads_back");
  sc_thrift_begin_element(&o);
  sc_thrift_put_i32(&o, 1, -7);
  sc_thrift_put_i64(&o, 5, INT64_MIN);
  sc_thrift_put_bool(&o, 6, 1);
  sc_thrift_put_double(&o, 7, 0.5);
  sc_thrift_put_text(&o, 8, "chips");
  sc_thrift_put_list(&o, 9, SC_THRIFT_I32, 20);
  for (int i = 0; i < 20; i++) sc_thrift_element_int(&o, i);
  sc_thrift_put_i32(&o, 100, 3); /* too far for a distance */
  sc_thrift_end(&o);
  CHECK_INT(SC_OK, o.status);
  struct sc_thrift_in t = sc_thrift_of(b.data, b.size);
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  enum sc_thrift_type element;
  CHECK(sc_thrift_next(&t, &f));
  CHECK_INT(-7, sc_thrift_int32(&t, f.type));
  CHECK(sc_thrift_next(&t, &f));
  CHECK_INT(INT64_MIN, sc_thrift_int(&t, f.type));
  CHECK(sc_thrift_next(&t, &f));
  CHECK_INT(1, sc_thrift_bool(&t, f.type));
  CHECK(sc_thrift_next(&t, &f));
  CHECK_REAL(0.5, sc_thrift_double(&t, f.type), 0);
  CHECK(sc_thrift_next(&t, &f));
  CHECK_INT(5, sc_thrift_binary(&t, f.type).size);
  CHECK(sc_thrift_next(&t, &f));
  CHECK_INT(20, sc_thrift_list(&t, f.type, 1, &element));
  for (int i = 0; i < 20; i++) CHECK_INT(i, sc_thrift_int(&t, element));
  CHECK(sc_thrift_next(&t, &f));
  CHECK_INT(100, f.id);
  CHECK_INT(3, sc_thrift_int32(&t, f.type));
  CHECK(!sc_thrift_next(&t, &f));
  CHECK(!t.fault);
  sc_buffer_free(&b);
}

static void skipping_passes_over_everything(void) {
  /* {1: {2: [true, false], 3: {} }, 4: {"a": 1}} as map of binary to i32 */
  static const unsigned char bytes[] = {0x1C, 0x29, 0x21, 1, 2,   0x1C, 0, 0,
                                        0x3B, 1,    0x85, 1, 'a', 2,    0};
  struct sc_thrift_in t = sc_thrift_of(bytes, sizeof bytes);
  check_case("skipping_passes_over_everything");
  sc_thrift_skip(&t, SC_THRIFT_STRUCT);
  CHECK_TEXT("", t.fault ? t.fault : "");
  CHECK_INT(sizeof bytes, t.bytes.at);
}

static void hostile_bytes_are_faults(void) {
  static const struct {
    const char *bytes;
    size_t n;
  } cases[] = {
      {"\x15", 1},                                              /* a number is missing */
      {"\x15\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12}, /* too long a number */
      {"\x18\x7F"
       "a",
       3},                                 /* text beyond the end */
      {"\x1F", 1},                         /* an unknown type */
      {"\x19\xF5\xFF\xFF\xFF\xFF\x0F", 7}, /* 4 thousand million elements */
      {"\x1B\xFF\xFF\xFF\xFF\x0F\x55", 7}, /* the same as a map */
  };
  check_case("hostile_bytes_are_faults");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct sc_thrift_in t = sc_thrift_of(cases[i].bytes, cases[i].n);
    sc_thrift_skip(&t, SC_THRIFT_STRUCT);
    CHECK(t.fault != NULL);
  }
  unsigned char deep[1000];
  memset(deep, 0x1C, sizeof deep);
  struct sc_thrift_in t = sc_thrift_of(deep, sizeof deep);
  sc_thrift_skip(&t, SC_THRIFT_STRUCT);
  CHECK_HAS("deep", t.fault ? t.fault : "");
}

static void another_type_is_a_fault(void) {
  struct sc_thrift_in t = sc_thrift_of("\x02", 1);
  check_case("another_type_is_a_fault");
  CHECK_INT(0, sc_thrift_int(&t, SC_THRIFT_BINARY));
  CHECK(t.fault != NULL);
  t = sc_thrift_of("\x80\x80\x80\x80\x80\x01", 6);
  CHECK_INT(0, sc_thrift_int32(&t, SC_THRIFT_I64)); /* 2^34 does not fit */
  CHECK_HAS("range", t.fault ? t.fault : "");
}

int main(void) {
  what_is_written_reads_back();
  skipping_passes_over_everything();
  hostile_bytes_are_faults();
  another_type_is_a_fault();
  return check_report();
}
