/* The calendar and datetimes; see datetime.h. */
#include "base/datetime.h"

#include <stdio.h>
#include <string.h>

/*
 * The days of a 400-year era begin on 1 March of year 0: leap days then come last.
 * Source: the algorithm is folklore; derived here from the era's 146097 days.
 */
int64_t sc_days_from_civil(int64_t year, int month, int day) {
  int64_t y = year - (month <= 2);
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void sc_civil_from_days(int64_t days, int64_t *year, int *month, int *day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t m = (5 * day_of_year + 2) / 153;
  *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
  *month = (int)(m < 10 ? m + 3 : m - 9);
  *year = year_of_era + era * 400 + (*month <= 2);
}

static int is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int sc_days_in_month(int64_t year, int month) {
  static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year));
}

/* Read exactly n digits; -1 where there are fewer. */
static int digits(const char **p, int n) {
  int value = 0;
  for (int i = 0; i < n; i++) {
    if ((*p)[i] < '0' || (*p)[i] > '9') return -1;
    value = value * 10 + ((*p)[i] - '0');
  }
  *p += n;
  return value;
}

struct parts {
  int year, month, day, hour, minute, second, offset_minutes;
  char fraction[20]; /* digits after the point, trailing zeros dropped */
};

static void read_fraction(const char **p, struct parts *t) {
  size_t n = strspn(*p + 1, "0123456789"),
         keep = n < sizeof t->fraction ? n : sizeof t->fraction - 1;
  memcpy(t->fraction, *p + 1, keep);
  while (keep && t->fraction[keep - 1] == '0') keep--;
  t->fraction[keep] = '\0';
  *p += 1 + n;
}

/* "Z", "+01:00", "+0100", "+01" or nothing. */
static int read_zone(const char **p, struct parts *t) {
  if (**p == 'Z' || **p == 'z') {
    (*p)++;
    return 1;
  }
  if (**p != '+' && **p != '-') return 1;
  int sign = **p == '-' ? -1 : 1, minutes = 0;
  (*p)++;
  int hours = digits(p, 2);
  if (**p == ':') (*p)++;
  if (**p) minutes = digits(p, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return 0;
  t->offset_minutes = sign * (hours * 60 + minutes);
  return 1;
}

static int read_time(const char **p, struct parts *t) {
  (*p)++;
  t->hour = digits(p, 2);
  if (t->hour < 0 || t->hour > 24 || **p != ':') return 0;
  (*p)++;
  t->minute = digits(p, 2);
  if (t->minute < 0 || t->minute > 59) return 0;
  if (**p == ':') {
    (*p)++;
    t->second = digits(p, 2);
    if (t->second < 0 || t->second > 60) return 0; /* 60: a leap second */
    if (**p == '.' || **p == ',') read_fraction(p, t);
  }
  if (**p == ' ' && ((*p)[1] == '+' || (*p)[1] == '-')) (*p)++;
  return read_zone(p, t);
}

static int read_parts(const char *p, struct parts *t) {
  while (*p == ' ') p++;
  t->year = digits(&p, 4);
  if (t->year < 0 || (*p != '-' && *p != ':' && *p != '/')) return 0; /* TIFF writes colons */
  char separator = *p++;
  t->month = digits(&p, 2);
  if (t->month < 1 || t->month > 12 || *p != separator) return 0;
  p++;
  t->day = digits(&p, 2);
  if (t->day < 1 || t->day > sc_days_in_month(t->year, t->month)) return 0;
  if ((*p == 'T' || *p == 't' || *p == ' ') && p[1] && !read_time(&p, t)) return 0;
  while (*p == ' ') p++;
  return *p == '\0';
}

int sc_datetime_normalise(const char *text, char out[SC_DATETIME_BYTES]) {
  struct parts t = {0};
  out[0] = '\0';
  if (!text || !read_parts(text, &t)) return 0;
  int64_t seconds = sc_days_from_civil(t.year, t.month, t.day) * 86400 + t.hour * 3600 +
                    t.minute * 60 + t.second - (int64_t)t.offset_minutes * 60;
  int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  int rest = (int)(seconds - days * 86400), month, day;
  int64_t year;
  sc_civil_from_days(days, &year, &month, &day);
  if (year < 0 || year > 9999) return 0;
  snprintf(out, SC_DATETIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d%s%.9sZ", (int)year & 0x3fff,
           month & 0xf, day & 0x1f, rest / 3600, rest / 60 % 60, rest % 60,
           t.fraction[0] ? "." : "", t.fraction);
  return 1;
}

int sc_date_parse(const char *text, size_t n, int32_t *days) {
  if (n != 10 || text[4] != '-' || text[7] != '-') return 0;
  const char *p = text;
  int year = digits(&p, 4);
  if (year < 0) return 0;
  p++;
  int month = digits(&p, 2);
  if (month < 1 || month > 12) return 0;
  p++;
  int day = digits(&p, 2);
  if (day < 1 || day > sc_days_in_month(year, month)) return 0;
  *days = (int32_t)sc_days_from_civil(year, month, day);
  return 1;
}

static void put_two(char *p, int v) {
  p[0] = (char)('0' + v / 10);
  p[1] = (char)('0' + v % 10);
}

int sc_date_format(int64_t days, char *out, size_t size) {
  int64_t year;
  int month, day;
  sc_civil_from_days(days, &year, &month, &day);
  if (size < 11 || year < 0 || year > 9999) {
    return snprintf(out, size, "%04lld-%02d-%02d", (long long)year, month, day);
  }
  /* Every row of an index has one: printf takes longer than all else that a row needs. */
  put_two(out, (int)(year / 100));
  put_two(out + 2, (int)(year % 100));
  out[4] = out[7] = '-';
  put_two(out + 5, month);
  put_two(out + 8, day);
  out[10] = '\0';
  return 10;
}
