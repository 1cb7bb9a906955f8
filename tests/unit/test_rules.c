/*
 * stac/rules.c and classify.c: setting, replacing and dropping rules, their order, what is
 * refused, rules without end, and the bits of values against the same conditions in C.
 */
#include "stac/classify.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"

static struct sc_rules *rules;

static void sets(const char *name, const char *json) {
  struct sc_error err = {0};
  check_case(json);
  CHECK_INT(SC_OK, sc_rules_set(rules, name, json, &err));
  CHECK_TEXT("", err.text);
}

static void refuses(const char *name, const char *json, const char *part) {
  struct sc_error err = {0};
  check_case(json ? json : "NULL");
  CHECK_INT(SC_BAD_ARG, sc_rules_set(rules, name, json, &err));
  CHECK_HAS(part, err.text);
}

static void drops(const char *name, sc_status expected) {
  struct sc_error err = {0};
  check_case(name);
  CHECK_INT(expected, sc_rules_drop(rules, name, &err));
  if (expected) CHECK_HAS(name, err.text);
}

/* Name of the rule that an item of this collection gets; "" and *err for none. */
static const char *find(const char *collection, struct sc_error *err) {
  static char name[100];
  char text[300];
  struct sc_item item = {0};
  struct sc_rule rule = {0};
  snprintf(text, sizeof text,
           "{\"type\":\"Feature\",\"id\":\"i\",\"collection\":\"%s\",\"properties\":"
           "{\"datetime\":null,\"gsd\":7},\"assets\":{\"m\":{\"href\":\"/m.tif\"}}}",
           collection);
  name[0] = '\0';
  *err = (struct sc_error){0};
  if (sc_item_take(cJSON_Parse(text), "/", SC_ORIGIN_LOCAL, &item, err) == SC_OK &&
      sc_rules_match(rules, &item, &rule, err) == SC_OK) {
    snprintf(name, sizeof name, "%s", rule.name);
  }
  sc_rule_free(&rule);
  sc_item_free(&item);
  return name;
}

static void matches(const char *collection, const char *expected) {
  struct sc_error err;
  check_case(collection);
  CHECK_TEXT(expected, find(collection, &err));
}

static sc_status append_name(void *names, const char *name, const char *json,
                             struct sc_error *err) {
  (void)json, (void)err;
  size_t n = strlen(names);
  snprintf((char *)names + n, 2000 - n, "%s ", name);
  return strcmp(name, "stop") == 0 ? SC_AGAIN : SC_OK;
}

static void test_order(void) {
  struct sc_error err = {0};
  char names[2000] = "";
  matches("cop-dem-glo-30", "cop-dem");
  sets("a", "{\"match\":\"collection LIKE 'x%'\"}");
  sets("b", "{\"match\":\"collection = 'x2' AND properties ->> 'gsd' = 7\"}");
  matches("x1", "a");
  matches("x2", "b");
  check_case("a_rule_that_is_replaced_becomes_the_first_tried");
  sets("a", "{\"match\":\"collection LIKE 'x%' -- with a comment\"}");
  matches("x2", "a");
  sets("b", "{\"match\":\"json_extract(assets, '$.m.href') LIKE '%m.tif'\"}");
  matches("landsat-c2-l2", "b");
  check_case("a_rule_without_match_is_used_by_name_alone");
  sets("silent", "{\"mask\":\"m\"}");
  matches("x1", "b");
  CHECK(sc_rules_has(rules, "silent") && !sc_rules_has(rules, "Silent"));
  check_case("the_list_begins_with_the_first_tried");
  CHECK_INT(SC_OK, sc_rules_list(rules, append_name, names, &err));
  CHECK(strncmp(names, "silent b a sentinel-2-l2a ", 26) == 0);
  check_case("a_list_stops_with_the_status_of_its_reader");
  sets("stop", "{}");
  names[0] = '\0';
  CHECK_INT(SC_AGAIN, sc_rules_list(rules, append_name, names, &err));
  CHECK_TEXT("stop ", names);
  drops("stop", SC_OK);
  drops("b", SC_OK);
  matches("x2", "a");
  drops("a", SC_OK);
  drops("silent", SC_OK);
  drops("a", SC_NOT_FOUND);
  CHECK_TEXT("", find("x2", &err));
  CHECK_INT(SC_NOT_FOUND, err.status);
  CHECK_HAS("item i: no platform rule matches; rules: ", err.text);
  CHECK_HAS("sentinel-2-l2a", err.text);
  CHECK_HAS("\"none\"", err.text);
}

static void test_built_in(void) {
  sets("naip", "{\"match\":\"collection = 'mine'\"}");
  matches("mine", "naip");
  check_case("a_built_in_rule_may_be_replaced_and_dropped");
  drops("naip", SC_OK);
  CHECK(!sc_rules_has(rules, "naip"));
}

static void test_refused(void) {
  refuses(NULL, "{}", "needs a name");
  refuses("", "{}", "needs a name");
  refuses("none", "{}", "other than 'none'");
  refuses("r", NULL, "not a JSON object");
  refuses("r", "{", "not a JSON object");
  refuses("r", "{} {}", "not a JSON object");
  refuses("r", "[]", "not a JSON object");
  refuses("r", "{\"clouds\":\"1\"}",
          "platform rule r: unknown option 'clouds'; options: match, mask, cloud");
  refuses("r", "{\"cloud\":1}", "option 'cloud': expected a text");
  refuses("r", "{\"mask\":1}", "option 'mask': expected a name, or an array of names, found 1");
  refuses("r", "{\"mask\":[1]}", "option 'mask': expected a name, or an array of names, found [1]");
  refuses("r", "{\"assets\":[[\"a\",1]]}",
          "option 'assets': expected a name, or an array of names");
  refuses("r", "{\"cloud\":\"v = = 1\"}", "syntax error");
  refuses("r", "{\"cloud\":\"\"}", "syntax error");
  refuses("r", "{\"cloud\":\"id = 1\"}", "no such column: id");
  refuses("r", "{\"match\":\"v = 1\"}", "no such column: v");
  refuses("r", "{\"cloud\":\"v), (1\"}", "syntax error");
  refuses("r", "{\"cloud\":\"0) UNION SELECT (1\"}", "syntax error");
  refuses("r", "{\"cloud\":\"1); DELETE FROM rule; SELECT (1\"}", "syntax error");
  refuses("r", "{\"cloud\":\"1) THEN 1 END; SELECT CASE WHEN (1\"}",
          "it must be a single SQL expression");
  refuses("r", "{\"cloud\":\"1 /*\"}", "incomplete input");
  refuses("r", "{\"cloud\":\"count(*) > 1\"}", "misuse of aggregate");
  refuses("r", "{\"cloud\":\"row_number() OVER () > 1\"}", "misuse of window function");
  refuses("r", "{\"match\":\"(SELECT json FROM rule)\"}", "prohibited");
  refuses("r", "{\"match\":\"load_extension('x')\"}", "not authorized");
  CHECK(!sc_rules_has(rules, "r"));
}

/* A rule without an end is an error, and costs the next one nothing. */
static void test_endless(void) {
  struct sc_error err;
  sets("endless",
       "{\"match\":\"(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT "
       "count(*) FROM r)\"}");
  CHECK_TEXT("", find("cop-dem-glo-30", &err));
  CHECK_INT(SC_BAD_ARG, err.status);
  CHECK_HAS("item i: matching platform rules: interrupted", err.text);
  drops("endless", SC_OK);
  matches("cop-dem-glo-30", "cop-dem");
}

/* --- values --- */

static struct sc_rule rule_of(const char *json) {
  struct sc_rule rule = {0};
  struct sc_error err = {0};
  sets("r", json);
  CHECK_INT(SC_OK, sc_rules_get(rules, "r", &rule, &err));
  return rule;
}

static unsigned bits_of(int64_t v, int nd) {
  return ((v & 12) == 12 || v < -100 ? SC_RULE_CLOUD : 0u) | (nd || v == 3 ? SC_RULE_NODATA : 0u);
}

static void check_table(const struct sc_rule *rule, enum sc_dtype dtype, double nodata) {
  static uint8_t table[65536];
  struct sc_error err = {0};
  int n = sc_dtype_bytes(dtype) == 1 ? 256 : 65536, n_wrong = 0;
  int is_signed = dtype == SC_DTYPE_I8 || dtype == SC_DTYPE_I16;
  struct sc_validity validity = {.dtype = dtype};
  if (!isnan(nodata)) validity.nodata = sc_nodata_make(dtype, nodata);
  for (int masked = 0; masked < 2; masked++) {
    CHECK_INT(SC_OK, sc_rules_table(rules, rule, &validity, masked, table, &err));
    for (int i = 0; i < n; i++) {
      int v = is_signed && i >= n / 2 ? i - n : i;
      n_wrong += table[i] != bits_of(v, masked || v == nodata);
    }
  }
  CHECK_INT(0, n_wrong);
}

static void test_tables(void) {
  static const enum sc_dtype types[] = {SC_DTYPE_U8, SC_DTYPE_I8, SC_DTYPE_U16, SC_DTYPE_I16};
  struct sc_rule rule =
      rule_of("{\"cloud\":\"v & 12 = 12 OR v < -100\",\"nodata\":\"nd OR v = 3\"}");
  for (size_t i = 0; i < 4; i++) {
    check_case("a_table_has_the_bits_of_each_value");
    check_table(&rule, types[i], NAN);
    check_table(&rule, types[i], 7);
    check_table(&rule, types[i], -5);
    check_table(&rule, types[i], 0.5);
    check_table(&rule, types[i], 1e30);
  }
  sc_rule_free(&rule);
}

/* What was kept of one rule must not answer for another. */
static void test_replaced(void) {
  struct sc_error err = {0};
  uint8_t table[256];
  for (int i = 0; i < 10; i++) {
    char json[60];
    snprintf(json, sizeof json, "{\"cloud\":\"v = %d\"}", i % 6);
    struct sc_rule rule = rule_of(json);
    const struct sc_validity validity = {.dtype = SC_DTYPE_U8};
    CHECK_INT(SC_OK, sc_rules_table(rules, &rule, &validity, 0, table, &err));
    for (int v = 0; v < 7; v++) CHECK_INT(v == i % 6 ? SC_RULE_CLOUD : 0, table[v]);
    sc_rule_free(&rule);
  }
}

static void check_value(struct sc_classifier *c, double real, int64_t integer, int nd,
                        unsigned expected) {
  struct sc_error err = {0};
  uint8_t bits = 99;
  CHECK_INT(SC_OK, sc_classifier_bits(c, real, integer, nd, &bits, &err));
  CHECK_INT(expected, bits);
}

static void test_values(void) {
  struct sc_error err = {0};
  struct sc_classifier *c = NULL;
  struct sc_rule rule = rule_of("{\"cloud\":\"v > 0.5\",\"nodata\":\"nd OR v = 0\"}");
  check_case("floats_one_by_one");
  CHECK_INT(SC_OK, sc_classifier_new(rules, &rule, SC_DTYPE_F32, &c, &err));
  for (int again = 0; again < 2; again++) {
    check_value(c, 0.75, 0, 0, SC_RULE_CLOUD);
    check_value(c, 0.75, 0, 1, SC_RULE_CLOUD | SC_RULE_NODATA);
    check_value(c, 0.25, 0, 0, 0);
    check_value(c, 0, 0, 0, SC_RULE_NODATA);
    check_value(c, -0.0, 0, 0, SC_RULE_NODATA);
    check_value(c, -9999, 0, 1, SC_RULE_NODATA);
    check_value(c, NAN, 0, 1, SC_RULE_NODATA);
    check_value(c, INFINITY, 0, 0, SC_RULE_CLOUD);
  }
  sc_classifier_free(c);
  sc_rule_free(&rule);
  check_case("integers_that_no_double_holds");
  rule = rule_of("{\"cloud\":\"v = 9007199254740993\"}");
  CHECK_INT(SC_OK, sc_classifier_new(rules, &rule, SC_DTYPE_I64, &c, &err));
  check_value(c, 0, INT64_C(9007199254740993), 0, SC_RULE_CLOUD);
  check_value(c, 0, INT64_C(9007199254740992), 0, 0);
  sc_classifier_free(c);
  sc_rule_free(&rule);
}

static void check_by_nodata(const char *json, int expected, int without, int with) {
  struct sc_error err = {0};
  int by_nodata = -1;
  uint8_t bits[2] = {9, 9};
  struct sc_rule rule = rule_of(json);
  CHECK_INT(SC_OK, sc_rules_by_nodata(rules, &rule, &by_nodata, bits, &err));
  CHECK_INT(expected, by_nodata);
  if (expected) CHECK(bits[0] == without && bits[1] == with);
  sc_rule_free(&rule);
}

static void test_by_nodata(void) {
  check_by_nodata("{}", 1, 0, SC_RULE_NODATA);
  check_by_nodata("{\"cloud\":\"0\",\"nodata\":\"nd\"}", 1, 0, SC_RULE_NODATA);
  check_by_nodata("{\"cloud\":\"NOT nd\",\"nodata\":\"0\"}", 1, SC_RULE_CLOUD, 0);
  check_by_nodata("{\"cloud\":\"v = 1\",\"nodata\":\"nd\"}", 0, 0, 0);
  check_by_nodata("{\"cloud\":\"0\",\"nodata\":\"nd OR v = 0\"}", 0, 0, 0);
}

/* As a merged index stores it. */
static void test_text(void) {
  struct sc_error err = {0};
  struct sc_rule rule = rule_of("{\"cloud\":\"v = 1\",\"assets\":[\"a\"]}"), back = {0};
  char *text = NULL;
  check_case("a_rule_goes_through_its_text");
  CHECK_INT(SC_OK, sc_rule_text(&rule, &text, &err));
  CHECK_INT(SC_OK, sc_rule_from_text(text, &back, &err));
  CHECK_TEXT("r", back.name);
  CHECK_TEXT("v = 1", sc_json_text(back.json, "cloud"));
  sc_rule_free(&back);
  static const char *const bad[] = {"", "{", "[]", "{}", "{\"name\":1}", "null"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    check_case(bad[i]);
    CHECK_INT(SC_BAD_DATA, sc_rule_from_text(bad[i], &back, &err));
    CHECK(!back.json && !back.name);
  }
  sc_rule_free(&rule);
  sc_free(text);
}

int main(void) {
  struct sc_error err = {0};
  CHECK_INT(SC_OK, sc_rules_new(&rules, &err));
  test_order();
  test_built_in();
  test_refused();
  test_endless();
  test_tables();
  test_replaced();
  test_values();
  test_by_nodata();
  test_text();
  sc_rules_free(rules);
  return check_report();
}
