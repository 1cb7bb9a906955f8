/* What days and datetimes are compared with; see day_term.h. */
#include "index/day_term.h"

#include <string.h>

#include "base/datetime.h"

enum { DAY_CHARS = 10 }; /* YYYY-MM-DD */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Does it begin with a day and the hour of a time? */
static int has_time(const char *text, size_t n) {
  static const char form[] = "dddd-dd-dd";
  if (n < DAY_CHARS + 2) return 0;
  for (int i = 0; i < DAY_CHARS; i++) {
    if (form[i] == 'd' ? !is_digit(text[i]) : text[i] != form[i]) return 0;
  }
  return (text[DAY_CHARS] == 'T' || text[DAY_CHARS] == 't' || text[DAY_CHARS] == ' ') &&
         is_digit(text[DAY_CHARS + 1]);
}

static sc_status fail_day(const char *column, const char *text, struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG,
                 "%s is a day, YYYY-MM-DD, compared with '%.40s'; did you mean '%.10s'?", column,
                 text, text);
}

sc_status sc_day_term_check(const char *column, const char *text, size_t n, struct sc_error *err) {
  int is_day = strcmp(column, "date") == 0, is_instant = strcmp(column, "datetime") == 0;
  char ours[SC_DATETIME_BYTES];
  if ((!is_day && !is_instant) || !has_time(text, n)) return SC_OK;
  if (is_day) return fail_day(column, text, err);
  int has_zone = strpbrk(text + DAY_CHARS, "Zz+-") != NULL;
  if ((text[DAY_CHARS] == 'T' && !has_zone) || !sc_datetime_normalise(text, ours) ||
      strcmp(ours, text) == 0) {
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_ARG,
                 "datetime is in UTC and written as 2024-03-11T14:06:36.5Z, compared with '%.40s'; "
                 "did you mean '%s'?",
                 text, ours);
}

static sc_status check_text(const char *column, sqlite3_value *value, struct sc_error *err) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) return SC_OK;
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) return sc_fail_nomem(err);
  return sc_day_term_check(column, text, (size_t)sqlite3_value_bytes(value), err);
}

sc_status sc_day_term_check_day(const char *column, sqlite3_value *value, struct sc_error *err) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) return SC_OK;
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) return sc_fail_nomem(err);
  return has_time(text, (size_t)sqlite3_value_bytes(value)) ? fail_day(column, text, err) : SC_OK;
}

sc_status sc_day_term_check_value(const char *column, int is_list, sqlite3_value *value,
                                  struct sc_error *err) {
  if (!is_list) return check_text(column, value, err);
  sqlite3_value *one;
  sc_status st = SC_OK;
  int code = sqlite3_vtab_in_first(value, &one);
  for (; !st && code == SQLITE_OK && one; code = sqlite3_vtab_in_next(value, &one)) {
    st = check_text(column, one, err);
  }
  return st ? st : code == SQLITE_NOMEM ? sc_fail_nomem(err) : SC_OK;
}

sc_status sc_day_term_check_plan(sqlite3_index_info *info, int date, int datetime,
                                 struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < info->nConstraint && !st; i++) {
    int column = info->aConstraint[i].iColumn;
    sqlite3_value *value = NULL;
    if (column < 0 || (column != date && column != datetime)) continue;
    if (sqlite3_vtab_rhs_value(info, i, &value) != SQLITE_OK || !value) continue;
    st = check_text(column == date ? "date" : "datetime", value, err);
  }
  return st;
}
