/*
 * What the columns date and datetime of an index may be compared with.
 *
 * Both are text and SQLite compares them as text. That is right for texts of their own form,
 * and for beginnings of it ('2024', '2024-03'), and silently wrong for others: the day
 * '2024-03-11' is less than '2024-03-11T00:00:00Z', so that BETWEEN of two instants loses its
 * first day. Such values are refused as fractions beyond 1 are.
 */
#ifndef SC_INDEX_DAY_TERM_H
#define SC_INDEX_DAY_TERM_H

#include <stddef.h>

#include "base/sqlite.h"
#include "base/status.h"

/*
 * column is the name of the column compared; others than date and datetime may be compared
 * with anything. The text has n bytes and a zero behind them. SC_BAD_ARG for a date with a
 * time of day, and for a datetime in another zone, or with a zone and in another form than
 * ours.
 */
sc_status sc_day_term_check(const char *column, const char *text, size_t n, struct sc_error *err);

/* The same of an argument of xFilter, or of each in a list (sqlite3_vtab_in()). */
sc_status sc_day_term_check_value(const char *column, int is_list, sqlite3_value *value,
                                  struct sc_error *err);

/* The same of a column of days by another name, as Parquet's type DATE is. */
sc_status sc_day_term_check_day(const char *column, sqlite3_value *value, struct sc_error *err);

/*
 * In xBestIndex: the literals that date and datetime (numbers of the table's columns; -1: none) are
 * compared with. SQLite plans the branches of an OR so, too, before it decides to test them itself.
 * What it never shows a virtual table stays unseen and is compared as text: terms within NOT, CASE
 * or another expression, and of an OR that it tests itself those with a parameter.
 */
sc_status sc_day_term_check_plan(sqlite3_index_info *info, int date, int datetime,
                                 struct sc_error *err);

#endif
