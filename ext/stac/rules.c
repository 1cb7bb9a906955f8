/* Platform rules: the set, matching; see rules.h. Values are classified in classify.c. */
#include "stac/rules.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "base/options.h"
#include "base/poll.h"
#include "host.h"
#include "sql/stac/platforms.h"
#include "sql/stac/rules.h"
#include "stac/bounded.h"
#include "stac/rules_db.h"

/* --- the private connection --- */

#define STEPS_BETWEEN_LOOKS 8 /* few: one step may make megabytes of text */
#define STEP_LIMIT 20000000   /* about a second; 65536 values take 5 million */
#define CPU_LIMIT_S 5         /* of all that is done at once, where steps are long ones */

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* SQLite's progress handler: is it enough, or does the caller want to stop? */
static int look_up(void *rules) {
  struct sc_rules *r = rules;
  r->n_steps += STEPS_BETWEEN_LOOKS;
  if (r->n_steps > STEP_LIMIT) r->stopped = SC_RULES_TOO_LONG;
  if (r->stopped || !sc_poll_is_due(CLOCK_MONOTONIC, &r->next_look)) return r->stopped != 0;
  r->next_look = sc_next_poll(CLOCK_MONOTONIC);
  if (sc_interrupted(NULL)) {
    r->stopped = SC_RULES_INTERRUPTED;
  } else if (cpu_seconds() - r->begun_s > CPU_LIMIT_S) {
    r->stopped = SC_RULES_TOO_LONG;
  }
  return r->stopped != 0;
}

sc_status sc_rules_fail(const struct sc_rules *r, struct sc_error *err) {
  if (r->stopped == SC_RULES_INTERRUPTED) return sc_fail(err, SC_INTERRUPT, "interrupted");
  if (r->stopped == SC_RULES_TOO_LONG)
    return sc_fail(err, SC_BAD_ARG, "interrupted: its expressions take more than %d steps or %d s",
                   STEP_LIMIT, CPU_LIMIT_S);
  return sc_fail(err, SC_BAD_ARG, "%s", sqlite3_errmsg(r->db));
}

/*
 * SQLite's own functions and tables that read nothing but their arguments. A list of what is
 * allowed: the host may have registered others for every connection (sqlite3_auto_extension).
 */
static const char *const pure_functions[] = {"->",
                                             "->>",
                                             "abs",
                                             "acos",
                                             "acosh",
                                             "asin",
                                             "asinh",
                                             "atan",
                                             "atan2",
                                             "atanh",
                                             "avg",
                                             "ceil",
                                             "ceiling",
                                             "char",
                                             "coalesce",
                                             "concat",
                                             "concat_ws",
                                             "cos",
                                             "cosh",
                                             "count",
                                             "cume_dist",
                                             "date",
                                             "datetime",
                                             "degrees",
                                             "dense_rank",
                                             "exp",
                                             "first_value",
                                             "floor",
                                             "format",
                                             "glob",
                                             "group_concat",
                                             "hex",
                                             "if",
                                             "ifnull",
                                             "iif",
                                             "instr",
                                             "json",
                                             "json_array",
                                             "json_array_length",
                                             "json_error_position",
                                             "json_extract",
                                             "json_group_array",
                                             "json_group_object",
                                             "json_insert",
                                             "json_object",
                                             "json_patch",
                                             "json_pretty",
                                             "json_quote",
                                             "json_remove",
                                             "json_replace",
                                             "json_set",
                                             "json_type",
                                             "json_valid",
                                             "julianday",
                                             "lag",
                                             "last_value",
                                             "lead",
                                             "length",
                                             "like",
                                             "likelihood",
                                             "likely",
                                             "ln",
                                             "log",
                                             "log10",
                                             "log2",
                                             "lower",
                                             "ltrim",
                                             "max",
                                             "min",
                                             "mod",
                                             "nth_value",
                                             "ntile",
                                             "nullif",
                                             "octet_length",
                                             "percent_rank",
                                             "pi",
                                             "pow",
                                             "power",
                                             "printf",
                                             "quote",
                                             "radians",
                                             "rank",
                                             "replace",
                                             "round",
                                             "row_number",
                                             "rtrim",
                                             "sign",
                                             "sin",
                                             "sinh",
                                             "sqrt",
                                             "strftime",
                                             "string_agg",
                                             "substr",
                                             "substring",
                                             "sum",
                                             "tan",
                                             "tanh",
                                             "time",
                                             "timediff",
                                             "total",
                                             "trim",
                                             "trunc",
                                             "typeof",
                                             "unhex",
                                             "unicode",
                                             "unixepoch",
                                             "unlikely",
                                             "upper",
                                             "zeroblob"};
static const char *pure_tables[] = {"json_each", "json_tree", NULL};

/* SQLITE_OK for a name of the list. */
static int judge_name(const char *name, const char *const *list, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (name && sqlite3_stricmp(name, list[i]) == 0) return SQLITE_OK;
  }
  return SQLITE_DENY;
}

/*
 * Of a name in WITH whose columns are not used SQLite asks as of a table, without a column. What
 * else might be met so are our rule table, SQLite's own, and those that it makes of pragmas: other
 * modules are gone.
 */
static int judge_read(const char *table, const char *column) {
  int is_table = sqlite3_stricmp(table, "rule") == 0 ||
                 sqlite3_strnicmp(table, "sqlite_", 7) == 0 ||
                 sqlite3_strnicmp(table, "pragma_", 7) == 0;
  if (column && !*column && !is_table) return SQLITE_OK;
  return judge_name(table, pure_tables, sizeof pure_tables / sizeof *pure_tables - 1);
}

static int authorize(void *rules, int action, const char *a, const char *b, const char *database,
                     const char *trigger) {
  const struct sc_rules *r = rules;
  (void)database, (void)trigger;
  if (!r->is_guarded) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_READ: return judge_read(a, b);
    case SQLITE_FUNCTION:
      return judge_name(b, pure_functions, sizeof pure_functions / sizeof *pure_functions);
    default: return SQLITE_DENY;
  }
}

static void close_rules(struct sc_rules *r) {
  sqlite3_close(r->db);
  sqlite3_close(r->plain); /* what db's functions call */
  r->db = r->plain = NULL;
}

/* Open the connection and load the built-in rules, on first need. The lock is held. */
static sc_status open_rules(struct sc_rules *r, struct sc_error *err) {
  if (r->db) return SC_OK;
  int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_FULLMUTEX;
  sc_host_enter();
  int code = sqlite3_open_v2(":memory:", &r->db, flags, NULL);
  if (code == SQLITE_OK) code = sqlite3_open_v2(":memory:", &r->plain, flags, NULL);
  sc_host_leave();
  if (code != SQLITE_OK) {
    close_rules(r);
    return sc_fail(err, SC_NOMEM, "no private connection for rules");
  }
  sqlite3_drop_modules(r->db, pure_tables);
  sc_status st = sc_db_run(r->db, sql_stac_rules, NULL, NULL, err);
  if (!st) st = sc_db_run(r->db, sql_stac_platforms, NULL, NULL, err);
  /* The first use of these table-valued functions declares them, which the guard forbids. */
  if (!st) st = sc_db_run(r->db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", NULL, NULL, err);
  sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, SC_ITEM_MAX_BYTES);
  sqlite3_limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
  if (SC_SQLITE_HAS(set_authorizer)) sqlite3_set_authorizer(r->db, authorize, r);
  if (SC_SQLITE_HAS(progress_handler))
    sqlite3_progress_handler(r->db, STEPS_BETWEEN_LOOKS, look_up, r);
  if (!st) st = sc_bounded_register(r->db, r->plain, err);
  if (st) close_rules(r);
  return st;
}

sc_status sc_rules_enter(struct sc_rules *r, struct sc_error *err) {
  pthread_mutex_lock(&r->lock);
  r->stopped = SC_RULES_RUNNING;
  r->n_steps = 0;
  r->begun_s = cpu_seconds();
  r->next_look = sc_next_poll(CLOCK_MONOTONIC);
  sc_status st = open_rules(r, err);
  if (st) pthread_mutex_unlock(&r->lock);
  return st;
}

/* Of a pixel's value nobody makes long texts: one step over 64 KB ends within milliseconds. */
#define VALUE_TEXT_MAX_BYTES 65536

sc_status sc_rules_enter_values(struct sc_rules *r, struct sc_error *err) {
  sc_status st = sc_rules_enter(r, err);
  if (!st) sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, VALUE_TEXT_MAX_BYTES);
  return st;
}

void sc_rules_leave(struct sc_rules *r) {
  sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, SC_ITEM_MAX_BYTES);
  pthread_mutex_unlock(&r->lock);
}

sc_status sc_rules_prepare(struct sc_rules *r, const char *sql, sqlite3_stmt **out,
                           struct sc_error *err) {
  const char *tail = NULL;
  *out = NULL;
  r->is_guarded = 1;
  int code = sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, &tail);
  r->is_guarded = 0;
  if (code != SQLITE_OK) return sc_fail(err, SC_BAD_ARG, "%s", sqlite3_errmsg(r->db));
  if (*out && tail[strspn(tail, " \t\r\n;")] == '\0') return SC_OK;
  sqlite3_finalize(*out);
  *out = NULL;
  return sc_fail(err, SC_BAD_ARG, "it must be a single SQL expression");
}

sc_status sc_rules_new(struct sc_rules **out, struct sc_error *err) {
  struct sc_rules *r = sc_alloc_zero(1, sizeof *r);
  if (!r) return sc_fail_nomem(err);
  pthread_mutex_init(&r->lock, NULL);
  *out = r;
  return SC_OK;
}

void sc_rules_free(struct sc_rules *r) {
  if (!r) return;
  for (int i = 0; i < SC_KEPT_TABLES; i++) {
    sc_free(r->kept[i].key);
    sc_free(r->kept[i].table);
  }
  sqlite3_finalize(r->matcher);
  close_rules(r);
  pthread_mutex_destroy(&r->lock);
  sc_free(r);
}

/* --- setting --- */

/*
 * Prepare one expression as it will be used, for its error message: inside CASE, so that it is
 * one expression and not two halves around a ")", and in WHERE, where no aggregate may stand.
 */
static sc_status check_expression(struct sc_rules *r, const char *text, const char *key,
                                  const char *source, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  char *sql = NULL;
  if (!text) return SC_OK;
  sc_status st =
      sc_format(&sql, err, "SELECT 1 FROM %s WHERE CASE WHEN (%s\n) THEN 1 END", source, text);
  if (!st) st = sc_rules_prepare(r, sql, &stmt, err);
  sqlite3_finalize(stmt);
  sc_free(sql);
  return st ? sc_fail_within(err, "option '%s': %.200s", key, text) : SC_OK;
}

static int is_names(const cJSON *value) {
  const cJSON *entry;
  if (!cJSON_IsArray(value)) return cJSON_IsString(value);
  cJSON_ArrayForEach(entry, value) {
    if (!cJSON_IsString(entry)) return 0;
  }
  return 1;
}

/* A name, or an array whose entries are names or arrays of names: alternatives. */
static sc_status check_names(const cJSON *value, const char *what, const char *key,
                             struct sc_error *err) {
  const cJSON *entry;
  int is_good = !value || cJSON_IsString(value) || cJSON_IsArray(value);
  for (entry = value && cJSON_IsArray(value) ? value->child : NULL; entry; entry = entry->next) {
    is_good &= is_names(entry);
  }
  return is_good ? SC_OK : sc_option_fail(err, what, key, value, "a name, or an array of names");
}

/* The members of a rule. */
struct members {
  const char *match, *cloud, *nodata, *note;
  const cJSON *mask, *assets, *bands;
  int64_t dilate;
};
#define AT(member) offsetof(struct members, member)
static const struct sc_option member_table[] = {
    {"match", SC_OPTION_TEXT, AT(match), 0, 0, NULL, NULL,
     "an expression over id, collection, platform, constellation, properties and assets, true for "
     "the items of the rule"},
    {"mask", SC_OPTION_JSON, AT(mask), 0, 0, "a name, or an array of names", NULL,
     "the asset that clouds and nodata are counted in, or names of which the item has one"},
    {"cloud", SC_OPTION_TEXT, AT(cloud), 0, 0, NULL, "clouds are unknown",
     "an expression over v and nd, true for a cloudy pixel of the mask"},
    {"nodata", SC_OPTION_TEXT, AT(nodata), 0, 0, NULL, NULL,
     "an expression over v and nd, true for a pixel of the mask without data"},
    {"assets", SC_OPTION_JSON, AT(assets), 0, 0, "an array of names", NULL,
     "the assets that hold pixels, in output order; an array within it lists alternatives"},
    {"note", SC_OPTION_TEXT, AT(note), 0, 0, NULL, NULL, "what stacchip_platform says of the rule"},
    {"bands", SC_OPTION_JSON, AT(bands), 0, 0, "an array of names", NULL,
     "names for the bands of a file, where the item names none"},
    {"dilate", SC_OPTION_INT, AT(dilate), 0, 100, NULL, "0",
     "pixels of the mask that clouds grow by"}};

const struct sc_option_table sc_rule_option_table = SC_OPTION_TABLE(member_table);

static sc_status check_rule(struct sc_rules *r, const char *name, const cJSON *rule,
                            struct sc_error *err) {
  struct members m = {0};
  char what[300];
  const struct sc_option_set set = {member_table, sizeof member_table / sizeof *member_table, &m,
                                    NULL};
  sqlite3_snprintf(sizeof what, what, "platform rule %.200s", name);
  sc_status st = sc_options_read(rule, what, &set, err);
  if (!st) st = check_names(m.mask, what, "mask", err);
  if (!st) st = check_names(m.assets, what, "assets", err);
  if (!st) st = check_names(m.bands, what, "bands", err);
  if (st) return st;
  st = check_expression(r, m.match, "match", SC_RULES_ITEM_SOURCE, err);
  if (!st) st = check_expression(r, m.cloud, "cloud", SC_RULES_VALUE_SOURCE, err);
  if (!st) st = check_expression(r, m.nodata, "nodata", SC_RULES_VALUE_SOURCE, err);
  return st ? sc_fail_within(err, "%s", what) : SC_OK;
}

static sc_status store(struct sc_rules *r, const char *name, const cJSON *rule,
                       struct sc_error *err) {
  static const char sql[] =
      "INSERT OR REPLACE INTO rule (position, name, json) "
      "VALUES ((SELECT coalesce(max(position), 0) + 1 FROM rule), ?1, ?2)";
  sqlite3_stmt *stmt = NULL;
  char *text = cJSON_PrintUnformatted(rule);
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_db_prepare(r->db, sql, NULL, NULL, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC);
    st = sc_db_step_reset(stmt, err);
  }
  sqlite3_finalize(stmt);
  cJSON_free(text);
  return st;
}

static void note_change(struct sc_rules *r) {
  sqlite3_finalize(r->matcher);
  r->matcher = NULL;
  atomic_fetch_add(&r->version, 1);
}

unsigned sc_rules_version(const struct sc_rules *r) { return atomic_load(&r->version); }

sc_status sc_rules_set(struct sc_rules *r, const char *name, const char *json,
                       struct sc_error *err) {
  if (!name || !*name || strcmp(name, "none") == 0) {
    return sc_fail(err, SC_BAD_ARG, "a platform rule needs a name, other than 'none'");
  }
  if (!SC_SQLITE_HAS(set_authorizer)) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "this SQLite was built without the authorizer that keeps expressions in bounds");
  }
  cJSON *rule = json ? cJSON_ParseWithOpts(json, NULL, 1) : NULL;
  if (!rule)
    return sc_fail(err, SC_BAD_ARG, "platform rule %s: not a JSON object: %.60s", name,
                   json ? json : "NULL");
  sc_status st = sc_rules_enter(r, err);
  if (!st) {
    st = check_rule(r, name, rule, err);
    if (!st) st = store(r, name, rule, err);
    note_change(r);
    sc_rules_leave(r);
  }
  cJSON_Delete(rule);
  return st;
}

sc_status sc_rules_drop(struct sc_rules *r, const char *name, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_rules_enter(r, err);
  if (st) return st;
  st = sc_db_prepare(r->db, "DELETE FROM rule WHERE name = ?1", NULL, NULL, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, name ? name : "", -1, SQLITE_STATIC);
    st = sc_db_step_reset(stmt, err);
    if (!st && sqlite3_changes(r->db) == 0) {
      st = sc_fail(err, SC_NOT_FOUND, "no platform rule '%s'", name ? name : "NULL");
    }
  }
  sqlite3_finalize(stmt);
  note_change(r);
  sc_rules_leave(r);
  return st;
}

/* --- finding --- */

static const char sql_list[] = "SELECT name, json FROM rule ORDER BY position DESC";

sc_status sc_rules_list(struct sc_rules *r,
                        sc_status (*row)(void *, const char *, const char *, struct sc_error *),
                        void *context, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_rules_enter(r, err);
  if (st) return st;
  st = sc_db_prepare(r->db, sql_list, NULL, NULL, &stmt, err);
  int is_row = 1;
  while (!st && !(st = sc_db_next(stmt, &is_row, err)) && is_row) {
    st = row(context, (const char *)sqlite3_column_text(stmt, 0),
             (const char *)sqlite3_column_text(stmt, 1), err);
  }
  sqlite3_finalize(stmt);
  sc_rules_leave(r);
  return st;
}

/* "rules: a, b, ..." behind a message. The lock is held. */
static sc_status fail_listing(struct sc_rules *r, const char *what, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_db_prepare(r->db,
                               "SELECT group_concat(name, ', ') FROM (SELECT name FROM rule "
                               "ORDER BY position)",
                               NULL, NULL, &stmt, err);
  int is_row = 0;
  if (!st) st = sc_db_next(stmt, &is_row, err);
  if (!st) {
    const char *names = is_row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    st = sc_fail(err, SC_NOT_FOUND,
                 "%s; rules: %s; the option {\"platform\": \"none\"} indexes without cloud and "
                 "nodata",
                 what, names ? names : "");
  }
  sqlite3_finalize(stmt);
  return st;
}

static sc_status take_rule(sqlite3_stmt *stmt, struct sc_rule *out, struct sc_error *err) {
  out->json = cJSON_Parse((const char *)sqlite3_column_text(stmt, 1));
  if (!out->json) return sc_fail_nomem(err);
  return sc_strdup((const char *)sqlite3_column_text(stmt, 0), &out->name, err);
}

sc_status sc_rules_get(struct sc_rules *r, const char *name, struct sc_rule *out,
                       struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  char what[300];
  memset(out, 0, sizeof *out);
  sc_status st = sc_rules_enter(r, err);
  if (st) return st;
  st = sc_db_prepare(r->db, "SELECT name, json FROM rule WHERE name = ?1", NULL, NULL, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    int is_row;
    st = sc_db_next(stmt, &is_row, err);
    if (!st && is_row) {
      st = take_rule(stmt, out, err);
    } else if (!st) {
      sqlite3_snprintf(sizeof what, what, "no platform rule '%.200s'", name);
      st = fail_listing(r, what, err);
    }
  }
  sqlite3_finalize(stmt);
  sc_rules_leave(r);
  return st;
}

int sc_rules_has(struct sc_rules *r, const char *name) {
  struct sc_error ignored = {0};
  struct sc_rule rule;
  int has = sc_rules_get(r, name, &rule, &ignored) == SC_OK;
  sc_rule_free(&rule);
  return has;
}

/* One statement that tries every match expression, the last rule first; kept until a rule
 * changes. */
static sc_status prepare_matcher(struct sc_rules *r, struct sc_error *err) {
  struct sc_buffer sql = {0};
  sqlite3_stmt *list = NULL;
  if (r->matcher) return SC_OK;
  sc_status st = sc_buffer_append_text(&sql, "SELECT CASE", err);
  if (!st) {
    st = sc_db_prepare(r->db,
                       "SELECT position, json_extract(json, '$.match') FROM rule "
                       "WHERE json_extract(json, '$.match') IS NOT NULL ORDER BY position DESC",
                       NULL, NULL, &list, err);
  }
  int is_row = 1;
  while (!st && !(st = sc_db_next(list, &is_row, err)) && is_row) {
    st = sc_buffer_printf(&sql, err, " WHEN (%s\n) THEN %d",
                          (const char *)sqlite3_column_text(list, 1), sqlite3_column_int(list, 0));
  }
  sqlite3_finalize(list);
  if (!st) st = sc_buffer_append_text(&sql, " WHEN 0 THEN 0 END FROM " SC_RULES_ITEM_SOURCE, err);
  if (!st) st = sc_buffer_terminate(&sql, err);
  if (!st) st = sc_rules_prepare(r, (const char *)sql.data, &r->matcher, err);
  sc_buffer_free(&sql);
  return st;
}

/* What a match expression may make of an item's texts, unless these are longer: steps of some ms.
 */
#define MATCH_TEXT_MAX_BYTES (4 << 20)

/* STAC's words for platform and constellation have changed: bind what is there. */
static sc_status bind_item(struct sc_rules *r, const struct sc_item *item, struct sc_error *err) {
  sqlite3_stmt *stmt = r->matcher;
  const char *platform = sc_json_text(item->properties, "platform");
  const char *constellation = sc_json_text(item->properties, "constellation");
  const cJSON *assets = cJSON_GetObjectItemCaseSensitive(item->json, "assets");
  if (!platform) platform = sc_json_text(item->properties, "eo:platform");
  if (!constellation) constellation = sc_json_text(item->properties, "eo:constellation");
  char *properties = item->properties ? cJSON_PrintUnformatted(item->properties) : NULL;
  char *asset_text = cJSON_PrintUnformatted(assets);
  sqlite3_bind_text(stmt, 1, item->id, -1, SQLITE_STATIC);
  sqlite3_bind_text(stmt, 2, item->collection ? item->collection : "", -1, SQLITE_STATIC);
  sqlite3_bind_text(stmt, 3, platform ? platform : "", -1, SQLITE_STATIC);
  sqlite3_bind_text(stmt, 4, constellation ? constellation : "", -1, SQLITE_STATIC);
  sqlite3_bind_text(stmt, 5, properties ? properties : "{}", -1, SQLITE_TRANSIENT);
  sqlite3_bind_text(stmt, 6, asset_text ? asset_text : "{}", -1, SQLITE_TRANSIENT);
  size_t longest = strlen(properties ? properties : "") + strlen(asset_text ? asset_text : "");
  if (longest < MATCH_TEXT_MAX_BYTES) longest = MATCH_TEXT_MAX_BYTES;
  sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, (int)longest); /* until sc_rules_leave() */
  cJSON_free(properties);
  cJSON_free(asset_text);
  return asset_text ? SC_OK : sc_fail_nomem(err);
}

static sc_status match(struct sc_rules *r, const struct sc_item *item, sqlite3_int64 *position,
                       struct sc_error *err) {
  sc_status st = prepare_matcher(r, err);
  if (!st) st = bind_item(r, item, err);
  if (st) return st;
  int code = sqlite3_step(r->matcher);
  *position = code == SQLITE_ROW ? sqlite3_column_int64(r->matcher, 0) : 0;
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    st = sc_rules_fail(r, err);
    sc_fail_within(err, "item %s: matching platform rules", item->id);
  }
  sqlite3_reset(r->matcher);
  sqlite3_clear_bindings(r->matcher);
  return st;
}

sc_status sc_rules_match(struct sc_rules *r, const struct sc_item *item, struct sc_rule *out,
                         struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sqlite3_int64 position = 0;
  char what[400];
  memset(out, 0, sizeof *out);
  sc_status st = sc_rules_enter(r, err);
  if (st) return st;
  st = match(r, item, &position, err);
  if (!st && position == 0) {
    sqlite3_snprintf(sizeof what, what, "item %.200s: no platform rule matches", item->id);
    st = fail_listing(r, what, err);
  } else if (!st) {
    st = sc_db_prepare(r->db, "SELECT name, json FROM rule WHERE position = ?1", NULL, NULL, &stmt,
                       err);
    if (!st) sqlite3_bind_int64(stmt, 1, position);
    int is_row = 0;
    if (!st) st = sc_db_next(stmt, &is_row, err);
    if (!st && is_row) st = take_rule(stmt, out, err);
  }
  sqlite3_finalize(stmt);
  sc_rules_leave(r);
  return st;
}

void sc_rule_free(struct sc_rule *rule) {
  sc_free(rule->name);
  cJSON_Delete(rule->json);
  memset(rule, 0, sizeof *rule);
}

sc_status sc_rule_text(const struct sc_rule *rule, char **out, struct sc_error *err) {
  cJSON *copy = cJSON_Duplicate(rule->json, 1);
  cJSON_DeleteItemFromObject(copy, "name");
  cJSON_AddStringToObject(copy, "name", rule->name);
  char *text = cJSON_PrintUnformatted(copy);
  cJSON_Delete(copy);
  *out = NULL;
  sc_status st = text ? sc_strdup(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

sc_status sc_rule_from_text(const char *text, struct sc_rule *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  out->json = cJSON_Parse(text);
  const char *name = sc_json_text(out->json, "name");
  if (!name) {
    sc_rule_free(out);
    return sc_fail(err, SC_BAD_DATA, "stored rule: not a JSON object with a name");
  }
  return sc_strdup(name, &out->name, err);
}
