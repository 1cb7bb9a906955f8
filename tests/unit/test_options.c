/* ext/base/options.c: every type, chained sets, and the words of the errors. */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "check.h"

#define SEED 9007199254740991.0

struct values {
  int64_t n;
  double share;
  int flag, edge;
  const char *text;
  const cJSON *names, *any;
};

static sc_status parse(const char *json, struct values *v, struct sc_options *options,
                       struct sc_error *err) {
  static const struct sc_option own[] = {
      {"n", SC_OPTION_INT, offsetof(struct values, n), 1, 8192, NULL, "256", "how many"},
      {"share", SC_OPTION_REAL, offsetof(struct values, share), 0, 1, NULL, NULL, "how much"},
      {"flag", SC_OPTION_BOOL, offsetof(struct values, flag), 0, 0, NULL, "false", "whether"}};
  static const struct sc_option more[] = {
      {"edge", SC_OPTION_CHOICE, offsetof(struct values, edge), 0, 0, "drop|pad=fill|shift",
       "\"drop\"", "which"},
      {"text", SC_OPTION_TEXT, offsetof(struct values, text), 0, 0, NULL, NULL, "said"},
      {"names", SC_OPTION_NAMES, offsetof(struct values, names), 0, 0, NULL, NULL, "who"},
      {"any", SC_OPTION_JSON, offsetof(struct values, any), 0, 0, "[a, b]", NULL, "what"}};
  const struct sc_option_set rest = {more, sizeof more / sizeof *more, v, NULL};
  const struct sc_option_set set = {own, sizeof own / sizeof *own, v, &rest};
  return sc_options_parse(json, "f", &set, options, err);
}

static void refuses(const char *json, const char *text) {
  struct values v = {0};
  struct sc_options options = {0};
  struct sc_error err = {0};
  CHECK_INT(SC_BAD_ARG, parse(json, &v, &options, &err));
  CHECK_TEXT(text, err.text);
  sc_options_free(&options);
}

static void test_values(void) {
  struct values v = {.n = 7, .edge = 2};
  struct sc_options options = {0};
  struct sc_error err = {0};
  CHECK_INT(SC_OK, parse(NULL, &v, &options, &err));
  CHECK_INT(SC_OK, parse("", &v, &options, &err));
  CHECK_INT(SC_OK, parse("{\"n\":null}", &v, &options, &err));
  CHECK_INT(7, v.n);
  CHECK_INT(2, v.edge);
  sc_options_free(&options);
  CHECK_INT(SC_OK, parse("{\"n\":8192,\"share\":0.5,\"flag\":1,\"edge\":\"pad\",\"text\":\"t\","
                         "\"names\":[\"a\",\"b\"],\"any\":{}}",
                         &v, &options, &err));
  CHECK_INT(8192, v.n);
  CHECK(v.share == 0.5);
  CHECK_INT(1, v.flag);
  CHECK_INT(1, v.edge);
  CHECK_TEXT("t", v.text);
  CHECK_INT(2, sc_names_count(v.names));
  CHECK_TEXT("b", sc_names_at(v.names, 1));
  CHECK(cJSON_IsObject(v.any));
  sc_options_free(&options);
  CHECK_INT(SC_OK, parse("{\"names\":\"a\"}", &v, &options, &err));
  CHECK_INT(1, sc_names_count(v.names));
  CHECK_TEXT("a", sc_names_at(v.names, 0));
  CHECK_INT(0, sc_names_count(NULL));
  sc_options_free(&options);
}

static void test_errors(void) {
  refuses("{\"m\":1}", "f: unknown option 'm'; options: n, share, flag, edge, text, names, any");
  refuses("{\"n\":\"x\"}", "f: option 'n': expected a whole number from 1 to 8192, found 'x'");
  refuses("{\"n\":0}", "f: option 'n': expected a whole number from 1 to 8192, found 0");
  refuses("{\"n\":1.5}", "f: option 'n': expected a whole number from 1 to 8192, found 1.5");
  refuses("{\"share\":2}", "f: option 'share': expected a number from 0 to 1, found 2");
  refuses("{\"flag\":2}", "f: option 'flag': expected true or false, found 2");
  refuses("{\"edge\":\"cut\"}", "f: option 'edge': 'cut' is not one of drop, pad, shift");
  refuses("{\"edge\":\"dro\"}", "f: option 'edge': 'dro' is not one of drop, pad, shift");
  refuses("{\"edge\":true}", "f: option 'edge': true is not one of drop, pad, shift");
  refuses("{\"text\":[]}", "f: option 'text': expected a text, found []");
  refuses("{\"names\":[]}", "f: option 'names': expected a name or an array of names, found []");
  refuses("{\"names\":[1]}", "f: option 'names': expected a name or an array of names, found [1]");
  refuses("[]", "f: not a JSON object");
  refuses("{} {}", "f: not a JSON object: {} {}");
}

static void test_refusing_by_hand(void) {
  struct sc_error err = {0};
  cJSON *found = cJSON_Parse("[1]");
  CHECK_INT(SC_BAD_ARG, sc_option_fail(&err, "f", "shape", found, "[rows, columns] up to %d", 9));
  CHECK_TEXT("f: option 'shape': expected [rows, columns] up to 9, found [1]", err.text);
  CHECK_INT(SC_BAD_ARG, sc_option_fail(&err, "f", "headers", NULL, "an object of texts"));
  CHECK_TEXT("f: option 'headers': expected an object of texts", err.text);
  cJSON_Delete(found);
}

static void test_types_in_words(void) {
  const struct sc_option options[] = {
      {"n", SC_OPTION_INT, 0, -SEED, SEED, NULL, NULL, ""},
      {"share", SC_OPTION_REAL, 0, 0, 0.5, NULL, NULL, ""},
      {"edge", SC_OPTION_CHOICE, 0, 0, 0, "drop|pad=fill|shift", NULL, ""},
      {"names", SC_OPTION_NAMES, 0, 0, 0, NULL, NULL, ""},
      {"any", SC_OPTION_JSON, 0, 0, 0, "[a, b]", NULL, ""}};
  const char *const words[] = {"a whole number from -9007199254740991 to 9007199254740991",
                               "a number from 0 to 0.5", "drop, pad, shift",
                               "a name or an array of names", "[a, b]"};
  for (int i = 0; i < 5; i++) {
    struct sc_buffer text = {0};
    struct sc_error err = {0};
    CHECK_INT(SC_OK, sc_option_format_type(&options[i], &text, &err));
    CHECK_INT(SC_OK, sc_buffer_terminate(&text, &err));
    CHECK_TEXT(words[i], (const char *)text.data);
    sc_buffer_free(&text);
  }
}

int main(void) {
  check_case("types in words");
  test_types_in_words();
  check_case("values");
  test_values();
  check_case("errors");
  test_errors();
  check_case("refusing by hand");
  test_refusing_by_hand();
  return check_report();
}
