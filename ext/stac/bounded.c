/* SQLite's slow functions of two texts, bounded; see bounded.h. */
#include "stac/bounded.h"

#include <stddef.h>

/* Where texts stand among the arguments is the same for all: the first two. */
static const struct bounded {
  const char *name;
  int n_args;
  const char *sql;
} functions[] = {
    {"instr", 2, "SELECT instr(?1, ?2)"},
    {"replace", 3, "SELECT replace(?1, ?2, ?3)"},
    {"like", 2, "SELECT like(?1, ?2)"},
    {"like", 3, "SELECT like(?1, ?2, ?3)"},
    {"glob", 2, "SELECT glob(?1, ?2)"},
    {"trim", 2, "SELECT trim(?1, ?2)"},
    {"ltrim", 2, "SELECT ltrim(?1, ?2)"},
    {"rtrim", 2, "SELECT rtrim(?1, ?2)"},
    {"unhex", 2, "SELECT unhex(?1, ?2)"}, /* since 3.41 */
    {"json_patch", 2, "SELECT json_patch(?1, ?2)"},
};

static void call(sqlite3_context *context, int n, sqlite3_value **values) {
  sqlite3_stmt *original = sqlite3_user_data(context);
  sqlite3_int64 a = sqlite3_value_bytes(values[0]), b = sqlite3_value_bytes(values[1]);
  if (a * b > SC_BOUNDED_PRODUCT_MAX) {
    char *message = sqlite3_mprintf(
        "texts of %lld and %lld bytes in one call: the limit of their "
        "product is %d",
        a, b, SC_BOUNDED_PRODUCT_MAX);
    sqlite3_result_error(context, message ? message : "out of memory", -1);
    sqlite3_free(message);
    return;
  }
  sqlite3 *plain = sqlite3_db_handle(original);
  sqlite3_limit(plain, SQLITE_LIMIT_LENGTH,
                sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1));
  for (int i = 0; i < n; i++) sqlite3_bind_value(original, i + 1, values[i]);
  if (sqlite3_step(original) == SQLITE_ROW) {
    sqlite3_result_value(context, sqlite3_column_value(original, 0));
  } else {
    sqlite3_result_error(context, sqlite3_errmsg(plain), -1);
  }
  sqlite3_reset(original);
  sqlite3_clear_bindings(original);
}

static void finalize(void *original) { sqlite3_finalize(original); }

sc_status sc_bounded_register(sqlite3 *db, sqlite3 *plain, struct sc_error *err) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    const struct bounded *f = &functions[i];
    sqlite3_stmt *original = NULL;
    int code = sqlite3_prepare_v2(plain, f->sql, -1, &original, NULL);
    if (code == SQLITE_NOMEM) return sc_fail_nomem(err);
    if (code != SQLITE_OK) continue; /* a SQLite without it */
    code = sqlite3_create_function_v2(db, f->name, f->n_args, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                      original, call, NULL, NULL, finalize);
    if (code != SQLITE_OK) return sc_fail_nomem(err);
  }
  return SC_OK;
}
