/*
 * Clay's encodings: stacchip_encode_time(datetime) and stacchip_encode_latlon(geometry).
 *
 * They are those of the model's input: (sin, cos) pairs of the ISO week over 52 and the hour over
 * 24, and of latitude and longitude in radians, as JSON arrays.
 */
#include <math.h>
#include <stdio.h>

#include "base/datetime.h"
#include "base/db.h"
#include "connection.h"
#include "index/geometry.h"

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
    sc_fail_text(
        &err, SC_BAD_ARG,
        "stacchip_encode_latlon: expected longitude and latitude (SRID 4326), found %g, %g "
        "(SRID %d); use ST_Transform(geometry, 4326)",
        lon, lat, srid);
    sc_result_error(context, &err);
    return;
  }
  result_pairs(context, lat * M_PI / 180, lon * M_PI / 180);
}

static const struct sc_help encode_time_help = {
    .name = "stacchip_encode_time",
    .kind = SC_HELP_SCALAR,
    .about = "Clay's (sin, cos) pairs of week and hour, as JSON",
    .arguments = (const struct sc_help_name[]){{"datetime", "TEXT", NULL, "RFC 3339"}, {0}},
    .example = "SELECT stacchip_encode_time('2024-03-11T14:06:36Z')",
};

static const struct sc_help encode_latlon_help = {
    .name = "stacchip_encode_latlon",
    .kind = SC_HELP_SCALAR,
    .about = "Clay's (sin, cos) pairs of latitude and longitude, as JSON",
    .arguments =
        (const struct sc_help_name[]){{"geometry", "BLOB", NULL, "in longitude and latitude"}, {0}},
    .example = "SELECT stacchip_encode_latlon(geometry) FROM stacchip_index('item.json') LIMIT 1",
};

int sc_clay_register(struct sc_connection *c) {
  const int pure = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const struct sc_function functions[] = {
      {"stacchip_encode_time", 1, pure, encode_time_func, 0, 0},
      {"stacchip_encode_latlon", 1, pure, encode_latlon_func, 0, 0},
  };
  sc_connection_help(c, &encode_time_help);
  sc_connection_help(c, &encode_latlon_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
