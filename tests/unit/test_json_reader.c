/* stac/json_reader.c: values one after another, and where it goes on behind what it cannot read. */
#include "stac/json_reader.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "check.h"

/* What a text gives: its values as JSON, "!" for what cannot be read, with '|' between. */
static void gives(const char *text, const char *expected) {
  struct sc_json_reader t;
  struct sc_error err = {0}, none = {0};
  struct sc_buffer got = {0};
  check_case(text);
  CHECK_INT(SC_OK, sc_json_reader_open(&t, text, strlen(text), "here", &err));
  for (int i = 0; i < 20; i++) {
    cJSON *json = NULL;
    sc_status st = sc_json_reader_next(&t, "here", &json, &err);
    if (!st && !json) break;
    char *shown = json ? cJSON_PrintUnformatted(json) : NULL;
    CHECK(!st == (json != NULL));
    if (st) CHECK_INT(0, strncmp(err.text, "here: byte ", 11));
    sc_buffer_printf(&got, &none, "%s%s", got.size ? "|" : "", shown ? shown : "!");
    cJSON_free(shown);
    cJSON_Delete(json);
  }
  sc_buffer_terminate(&got, &none);
  CHECK_TEXT(expected, (char *)got.data);
  sc_buffer_free(&got);
}

static void test_sequences(void) {
  gives("{}", "{}");
  gives("\xEF\xBB\xBF {\"a\":1}\r\n\t", "{\"a\":1}");
  gives("{}{}[1] \"x\"\n3 null", "{}|{}|[1]|\"x\"|3|null");
  gives("\x1e{}\n\x1e[]\n", "{}|[]");
  gives(" \n", "");
}

static void test_what_is_broken(void) {
  gives("{", "!");
  gives("{\n{}\n{}", "!"); /* the first: no line of lines, a whole text */
  gives("{}\n{\"a\n{\"b\":1}\nx\n[2]", "{}|!|{\"b\":1}|!|[2]");
  gives("{},\n{}", "{}|!|{}");
  gives("{} x", "{}|!");
  gives(
      "\x1e{\"a\n\x1e{}\n\x1e"
      "3x\n",
      "!|{}|3|!");
  gives("NaN", "!");
  gives("{\"a\":NaN}", "!");
  gives("{\"a\":\"\\u0000\"}", "!");
  gives("{\"a\":\"\\\\u0000\"}", "{\"a\":\"\\\\u0000\"}");
  gives("{\"\\u0000\":1}\n{}", "!|{}");
}

static void one(const char *text, size_t n, const char *error) {
  struct sc_error err = {0};
  cJSON *json = NULL;
  check_case(error ? error : "one value");
  sc_status st = sc_json_reader_one(text, n, "here", &json, &err);
  CHECK_INT(error ? SC_BAD_DATA : SC_OK, st);
  CHECK((json == NULL) == (error != NULL));
  if (error) CHECK_HAS(error, err.text);
  cJSON_Delete(json);
}

static void test_one(void) {
  one("{} \n", 4, NULL);
  one("{}\0\0", 4, NULL);
  one("", 0, "here: it is empty");
  one("\0\0", 2, "here: it is empty");
  one("  ", 2, "here: it is empty");
  one("{} {}", 5, "byte 3: more behind the first JSON value");
  one("{}\n,", 4, "byte 3: more behind");
  one("{\"a\":\"x\0y\"}", 11, "byte 7: a zero byte");
  one("{\"a\":\"\xe9\"}", 9, "byte 6: not UTF-8 (0xe9");
  one("\x1f\x8b\x08\0", 4, "gzip data");
  one("{\"a\":1", 6, "cut short");
}

int main(void) {
  test_sequences();
  test_what_is_broken();
  test_one();
  return check_report();
}
