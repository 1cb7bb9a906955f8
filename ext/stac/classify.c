/* Mask values -> cloud and nodata bits, by the SQL expressions of a rule; see classify.h. */
#include "stac/classify.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "stac/rules_db.h"

/* A rule without the expression knows of no such pixels; nodata is then what is declared. */
static const char *cloud_of(const struct sc_rule *rule) {
  const char *text = sc_json_text(rule->json, "cloud");
  return text ? text : "0";
}
static const char *nodata_of(const struct sc_rule *rule) {
  const char *text = sc_json_text(rule->json, "nodata");
  return text ? text : "nd";
}

static sc_status fail_rule(const struct sc_rule *rule, const struct sc_rules *rules,
                           struct sc_error *err) {
  sc_rules_fail(rules, err);
  return sc_fail_within(err, "platform rule %s", rule->name);
}

/*
 * One row per value from ?1 to ?2, in order: its bits. A recursive CTE makes the values, so
 * that the expressions are compiled once.
 */
static sc_status table_sql(const struct sc_rule *rule, char **out, struct sc_error *err) {
  return sc_format(
      out, err,
      "WITH RECURSIVE value(v) AS (SELECT ?1 UNION ALL SELECT v + 1 FROM value "
      "WHERE v < ?2), pixel AS (SELECT v, ?4 OR v IS ?3 AS nd FROM value) "
      "SELECT v, CASE WHEN (%s\n) THEN 1 ELSE 0 END + CASE WHEN (%s\n) THEN 2 ELSE 0 END "
      "FROM pixel",
      cloud_of(rule), nodata_of(rule));
}

/* Run the table's statement. The set is locked. */
static sc_status fill_table(struct sc_rules *rules, const struct sc_rule *rule, const char *sql,
                            const struct sc_validity *v, int masked, uint8_t *table,
                            struct sc_error *err) {
  int is_signed = v->dtype == SC_DTYPE_I8 || v->dtype == SC_DTYPE_I16;
  int n = sc_dtype_bytes(v->dtype) == 1 ? 256 : 65536, least = is_signed ? -n / 2 : 0, code;
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_rules_prepare(rules, sql, &stmt, err);
  if (st) return st;
  sqlite3_bind_int(stmt, 1, least);
  sqlite3_bind_int(stmt, 2, least + n - 1);
  if (v->nodata.is_set) sqlite3_bind_int64(stmt, 3, (sqlite3_int64)v->nodata.value);
  sqlite3_bind_int(stmt, 4, masked);
  memset(table, 0, (size_t)n);
  while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
    table[sqlite3_column_int(stmt, 0) & (n - 1)] = (uint8_t)sqlite3_column_int(stmt, 1);
  }
  if (code != SQLITE_DONE) st = fail_rule(rule, rules, err);
  sqlite3_finalize(stmt);
  return st;
}

/* Keep a copy under its key (which passes to the set). Nothing is kept without memory. */
static void keep_table(struct sc_rules *rules, char **key, const uint8_t *table, size_t n) {
  struct sc_kept_table *kept = &rules->kept[rules->next_kept];
  uint8_t *copy = sc_alloc(n);
  if (!copy) return;
  memcpy(copy, table, n);
  sc_free(kept->key);
  sc_free(kept->table);
  kept->key = *key;
  kept->table = copy;
  *key = NULL;
  rules->next_kept = (rules->next_kept + 1) % SC_KEPT_TABLES;
}

static const uint8_t *find_table(const struct sc_rules *rules, const char *key) {
  for (int i = 0; i < SC_KEPT_TABLES; i++) {
    if (rules->kept[i].key && strcmp(rules->kept[i].key, key) == 0) return rules->kept[i].table;
  }
  return NULL;
}

sc_status sc_rules_table(struct sc_rules *rules, const struct sc_rule *rule,
                         const struct sc_validity *v, int masked, uint8_t *table,
                         struct sc_error *err) {
  size_t n = sc_dtype_bytes(v->dtype) == 1 ? 256 : 65536;
  char *sql = NULL, *key = NULL;
  sc_status st = table_sql(rule, &sql, err);
  if (!st)
    st = sc_format(&key, err, "%d %d %d %a %s", v->dtype, masked, v->nodata.is_set, v->nodata.value,
                   sql);
  if (!st) st = sc_rules_enter_values(rules, err);
  if (!st) {
    const uint8_t *kept = find_table(rules, key);
    if (kept) {
      memcpy(table, kept, n);
    } else {
      st = fill_table(rules, rule, sql, v, masked, table, err);
      if (!st) keep_table(rules, &key, table, n);
    }
    sc_rules_leave(rules);
  }
  sc_free(sql);
  sc_free(key);
  return st;
}

sc_status sc_rules_by_nodata(struct sc_rules *rules, const struct sc_rule *rule, int *by_nodata,
                             uint8_t bits[2], struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  char *sql = NULL;
  struct sc_error ignored = {0};
  *by_nodata = 0;
  /* It compiles without a column v only where no expression names it. */
  sc_status st = sc_format(&sql, err,
                           "SELECT CASE WHEN (%s\n) THEN 1 ELSE 0 END + CASE WHEN (%s\n) THEN 2 "
                           "ELSE 0 END FROM (SELECT ?1 AS nd)",
                           cloud_of(rule), nodata_of(rule));
  if (!st) st = sc_rules_enter_values(rules, err);
  if (st) {
    sc_free(sql);
    return st;
  }
  if (sc_rules_prepare(rules, sql, &stmt, &ignored) == SC_OK) {
    *by_nodata = 1;
    for (int nd = 0; nd < 2 && !st; nd++) {
      sqlite3_bind_int(stmt, 1, nd);
      if (sqlite3_step(stmt) == SQLITE_ROW) {
        bits[nd] = (uint8_t)sqlite3_column_int(stmt, 0);
      } else {
        st = fail_rule(rule, rules, err);
      }
      sqlite3_reset(stmt);
    }
  }
  sqlite3_finalize(stmt);
  sc_rules_leave(rules);
  sc_free(sql);
  return st;
}

/* --- wider masks: a memory of distinct values --- */

#define DISTINCT_MAX 1000000

struct known {
  uint64_t key; /* bit pattern of the value */
  uint8_t nd;
  uint8_t bits;
  uint8_t used;
};

struct sc_classifier {
  struct sc_rules *rules;
  const struct sc_rule *rule; /* borrowed: outlives the classifier */
  sqlite3_stmt *stmt;
  int is_float;
  struct known *known; /* open addressing; capacity a power of two, at most half full */
  size_t n_known, capacity;
};

sc_status sc_classifier_new(struct sc_rules *rules, const struct sc_rule *rule, enum sc_dtype dtype,
                            struct sc_classifier **out, struct sc_error *err) {
  struct sc_classifier *c = sc_alloc_zero(1, sizeof *c);
  char *sql = NULL;
  *out = NULL;
  if (!c) return sc_fail_nomem(err);
  c->rules = rules;
  c->rule = rule;
  c->is_float = dtype == SC_DTYPE_F32 || dtype == SC_DTYPE_F64;
  c->capacity = 1024;
  c->known = sc_alloc_zero(c->capacity, sizeof *c->known);
  sc_status st = c->known ? SC_OK : sc_fail_nomem(err);
  if (!st) {
    st = sc_format(&sql, err,
                   "SELECT CASE WHEN (%s\n) THEN 1 ELSE 0 END + CASE WHEN (%s\n) THEN 2 ELSE 0 END "
                   "FROM " SC_RULES_VALUE_SOURCE,
                   cloud_of(rule), nodata_of(rule));
  }
  if (!st) st = sc_rules_enter_values(rules, err);
  if (!st) {
    st = sc_rules_prepare(rules, sql, &c->stmt, err);
    sc_rules_leave(rules);
  }
  sc_free(sql);
  if (st) {
    sc_classifier_free(c);
    return st;
  }
  *out = c;
  return SC_OK;
}

void sc_classifier_free(struct sc_classifier *c) {
  if (!c) return;
  sqlite3_finalize(c->stmt);
  sc_free(c->known);
  sc_free(c);
}

static struct known *find_known(struct known *table, size_t capacity, uint64_t key, uint8_t nd) {
  uint64_t h = (key + nd) * UINT64_C(0x9E3779B97F4A7C15);
  size_t i = (size_t)(h >> 20) & (capacity - 1);
  while (table[i].used && (table[i].key != key || table[i].nd != nd)) i = (i + 1) & (capacity - 1);
  return &table[i];
}

static sc_status grow(struct sc_classifier *c, struct sc_error *err) {
  if (c->n_known >= DISTINCT_MAX) {
    return sc_fail(err, SC_TOO_BIG,
                   "platform rule %s: more than %d distinct values in the mask; give a rule "
                   "without a mask, or another asset",
                   c->rule->name, DISTINCT_MAX);
  }
  if (2 * c->n_known < c->capacity) return SC_OK;
  struct known *table = sc_alloc_zero(2 * c->capacity, sizeof *table);
  if (!table) return sc_fail_nomem(err);
  for (size_t i = 0; i < c->capacity; i++) {
    if (c->known[i].used)
      *find_known(table, 2 * c->capacity, c->known[i].key, c->known[i].nd) = c->known[i];
  }
  sc_free(c->known);
  c->known = table;
  c->capacity *= 2;
  return SC_OK;
}

static sc_status evaluate(struct sc_classifier *c, double real, int64_t integer, int nd,
                          uint8_t *bits, struct sc_error *err) {
  sc_status st = sc_rules_enter_values(c->rules, err);
  if (st) return st;
  if (c->is_float) {
    sqlite3_bind_double(c->stmt, 1, real); /* NaN becomes NULL */
  } else {
    sqlite3_bind_int64(c->stmt, 1, integer);
  }
  sqlite3_bind_int(c->stmt, 2, nd);
  if (sqlite3_step(c->stmt) == SQLITE_ROW) {
    *bits = (uint8_t)sqlite3_column_int(c->stmt, 0);
  } else {
    st = fail_rule(c->rule, c->rules, err);
  }
  sqlite3_reset(c->stmt);
  sc_rules_leave(c->rules);
  return st;
}

sc_status sc_classifier_bits(void *classifier, double real, int64_t integer, int nd, uint8_t *bits,
                             struct sc_error *err) {
  struct sc_classifier *c = classifier;
  uint64_t key = (uint64_t)integer;
  if (c->is_float) memcpy(&key, &real, sizeof key);
  struct known *k = find_known(c->known, c->capacity, key, nd != 0);
  if (!k->used) {
    sc_status st = evaluate(c, real, integer, nd, bits, err);
    if (st) return st;
    k->key = key;
    k->nd = nd != 0;
    k->bits = *bits;
    k->used = 1;
    c->n_known++;
    return grow(c, err);
  }
  *bits = k->bits;
  return SC_OK;
}
