/*
 * The calendar, and datetimes as catalogues write them: RFC 3339 with or without zone, fraction
 * or time of day; a blank instead of T.
 */
#ifndef SC_BASE_DATETIME_H
#define SC_BASE_DATETIME_H

#include <stddef.h>
#include <stdint.h>

#define SC_DATETIME_BYTES 40

/*
 * Normalise to UTC: "2024-03-11T14:11:54.463Z", the fraction kept as written, without its
 * trailing zeros. A datetime without zone is UTC. Returns 1, or 0 where `text` is not a datetime
 * (out is then "").
 */
int sc_datetime_normalise(const char *text, char out[SC_DATETIME_BYTES]);

/* Days since 1970-01-01 in the proleptic Gregorian calendar; month 1..12, day 1..31. */
int64_t sc_days_from_civil(int64_t year, int month, int day);
void sc_civil_from_days(int64_t days, int64_t *year, int *month, int *day);
/* 28 to 31; month 1..12. */
int sc_days_in_month(int64_t year, int month);

/*
 * A day as YYYY-MM-DD. Reading takes exactly these ten characters (text has n bytes, no zero
 * behind them is needed) and returns 0 where they are no day. Writing returns the length: 10, or
 * more for years beyond 0 to 9999, cut to size as snprintf() does.
 */
int sc_date_parse(const char *text, size_t n, int32_t *days);
int sc_date_format(int64_t days, char *out, size_t size);

#endif
