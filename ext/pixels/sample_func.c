/*
 * stacchip_hash(seed, value, ...): a REAL in [0, 1), the same everywhere; and Clay's
 * encodings, stacchip_encode_time(datetime) and stacchip_encode_latlon(geometry).
 *
 * The encodings are those of Clay's model input: (sin, cos) pairs of the ISO week over 52 and
 * the hour over 24, and of latitude and longitude in radians, as JSON arrays.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/db.h"
#include "connection.h"
#include "index/geometry.h"
#include "stac/datetime.h"

/* Finalizer of SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t h) {
  h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
  return h ^ (h >> 31);
}

static uint64_t mix_bytes(uint64_t h, const unsigned char *p, size_t n) {
  uint64_t word;
  for (; n >= 8; n -= 8, p += 8) {
    memcpy(&word, p, 8);
    h = mix(h + UINT64_C(0x9E3779B97F4A7C15) + word);
  }
  word = 0;
  if (n) memcpy(&word, p, n);
  return mix(h + UINT64_C(0x9E3779B97F4A7C15) + word + ((uint64_t)n << 56));
}

/* 3 and 3.0 are one value in SQL comparisons, so they are here. */
static uint64_t mix_value(uint64_t h, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
    double d = sqlite3_value_double(value) + 0.0;
    sqlite3_int64 i = sqlite3_value_int64(value);
    if (type == SQLITE_INTEGER && (sqlite3_int64)d != i) {
      return mix_bytes(mix(h + 4), (unsigned char *)&i, sizeof i);
    }
    return mix_bytes(mix(h + 1), (unsigned char *)&d, sizeof d);
  }
  const void *bytes = sqlite3_value_blob(value);
  h = mix(h + (type == SQLITE_TEXT ? 2 : type == SQLITE_BLOB ? 3 : 5));
  return mix_bytes(h, bytes, (size_t)sqlite3_value_bytes(value));
}

static void hash_func(sqlite3_context *context, int n, sqlite3_value **values) {
  uint64_t h = UINT64_C(0x243F6A8885A308D3); /* pi */
  if (n < 2) {
    sqlite3_result_error(context, "stacchip_hash(seed, value, ...) takes a seed and values", -1);
    return;
  }
  for (int i = 0; i < n; i++) h = mix_value(h, values[i]);
  sqlite3_result_double(context, (double)(h >> 11) * 0x1p-53);
}

/* ISO 8601 week of a day: the week of its Thursday, counted in that Thursday's year. */
static int iso_week(int64_t days) {
  int64_t weekday = (days % 7 + 10) % 7; /* 0 Monday; 1970-01-01 was a Thursday */
  int64_t thursday = days - weekday + 3, year;
  int month, day;
  sc_civil_from_days(thursday, &year, &month, &day);
  return (int)((thursday - sc_days_from_civil(year, 1, 1)) / 7) + 1;
}

static void result_pairs(sqlite3_context *context, double a, double b) {
  char text[160];
  sqlite3_snprintf(sizeof text, text, "[%!.17g,%!.17g,%!.17g,%!.17g]", sin(a), cos(a), sin(b),
                   cos(b));
  sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void encode_time_func(sqlite3_context *context, int n, sqlite3_value **values) {
  char time[SC_DATETIME_BYTES];
  int year, month, day, hour;
  (void)n;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  if (!sc_datetime_normalise((const char *)sqlite3_value_text(values[0]), time) ||
      sscanf(time, "%4d-%2d-%2dT%2d", &year, &month, &day, &hour) != 4) {
    sqlite3_result_error(context, "stacchip_encode_time: not a datetime", -1);
    return;
  }
  int week = iso_week(sc_days_from_civil(year, month, day));
  result_pairs(context, week * 2 * M_PI / 52, hour * 2 * M_PI / 24);
}

static void encode_latlon_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct sc_box box;
  int srid;
  (void)n;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  if (sc_blob_box(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]), &box,
                  &srid, &err)) {
    sc_result_error(context, &err);
    return;
  }
  double lat = (box.min_y + box.max_y) / 2, lon = (box.min_x + box.max_x) / 2;
  if ((srid > 0 && srid != SC_SRID_LONLAT) || !(fabs(lat) <= 90 && fabs(lon) <= 360)) {
    sc_fail(&err, SC_BAD_ARG,
            "stacchip_encode_latlon: expected longitude and latitude (SRID 4326), found %g, %g "
            "(SRID %d); use ST_Transform(geometry, 4326)",
            lon, lat, srid);
    sc_result_error(context, &err);
    return;
  }
  result_pairs(context, lat * M_PI / 180, lon * M_PI / 180);
}

int sc_sample_register(struct sc_connection *c) {
  const int pure = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const struct sc_function functions[] = {
      {"stacchip_hash", -1, pure, hash_func, 0, 0},
      {"stacchip_encode_time", 1, pure, encode_time_func, 0, 0},
      {"stacchip_encode_latlon", 1, pure, encode_latlon_func, 0, 0},
  };
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
