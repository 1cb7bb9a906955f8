/* Filters of requests; see filter.h. */
#include "browse/filter.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/datetime.h"

#define WHAT "browse"
#define WHOLE_SECONDS 30.0

struct raw {
  const char *table, *where;
  const cJSON *date, *cloud, *nodata, *platform, *bbox, *polygon;
};

int sc_json_numbers(const cJSON *array, int n, double *out) {
  if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) != n) return 0;
  const cJSON *v = array->child;
  for (int i = 0; i < n; i++, v = v->next) {
    if (cJSON_IsNull(v)) continue;
    if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble)) return 0;
    out[i] = v->valuedouble;
  }
  return 1;
}

static sc_status read_range(const cJSON *json, const char *key, enum sc_test test, double *out,
                            struct sc_match *m, struct sc_error *err) {
  double range[2] = {0, 1};
  if (!json) return SC_OK;
  if (!sc_json_numbers(json, 2, range))
    return sc_option_fail(err, WHAT, key, json, "[least, most], fractions or null");
  /* An open range takes chips of which nothing is known, too. */
  if (range[0] <= 0 && range[1] >= 1) return SC_OK;
  m->tests |= (unsigned)test;
  out[0] = range[0];
  out[1] = range[1];
  return SC_OK;
}

static int read_day(const cJSON *v, int32_t open, int32_t *out) {
  *out = open;
  if (!v || cJSON_IsNull(v) || (cJSON_IsString(v) && !v->valuestring[0])) return 1;
  return cJSON_IsString(v) && sc_date_parse(v->valuestring, strlen(v->valuestring), out);
}

static sc_status read_dates(const cJSON *json, struct sc_match *m, struct sc_error *err) {
  if (!json) return SC_OK;
  const cJSON *from = cJSON_IsArray(json) ? json->child : NULL;
  const cJSON *to = from ? from->next : NULL;
  if (cJSON_GetArraySize(json) != 2 || !read_day(from, INT32_MIN + 1, &m->days[0]) ||
      !read_day(to, INT32_MAX, &m->days[1]))
    return sc_option_fail(err, WHAT, "date", json, "[\"YYYY-MM-DD\" or null, the same]");
  if (m->days[0] != INT32_MIN + 1 || m->days[1] != INT32_MAX) m->tests |= SC_TEST_DATE;
  return SC_OK;
}

static sc_status read_platforms(const cJSON *json, const struct sc_summary *s, struct sc_match *m,
                                struct sc_error *err) {
  if (!json) return SC_OK;
  if (!cJSON_IsArray(json)) return sc_option_fail(err, WHAT, "platform", json, "an array of names");
  m->tests |= SC_TEST_PLATFORM;
  for (const cJSON *v = json->child; v; v = v->next) {
    if (!cJSON_IsString(v)) return sc_option_fail(err, WHAT, "platform", v, "an array of names");
    for (int i = 0; i < s->n_platforms; i++) {
      if (strcmp(s->platforms[i], v->valuestring) == 0)
        m->platforms[i / 64] |= UINT64_C(1) << i % 64;
    }
  }
  return SC_OK;
}

static double wrap(double lon) {
  double w = fmod(lon + 180, 360);
  return (w < 0 ? w + 360 : w) - 180;
}

/* A view may be a turn or more further east or west, or wider than the world. */
static void set_box(struct sc_match *m, const double box[4]) {
  m->tests |= SC_TEST_PLACE;
  m->box[1] = box[1];
  m->box[3] = box[3];
  int is_all = box[2] - box[0] >= 360;
  m->box[0] = is_all ? -180 : wrap(box[0]);
  m->box[2] = is_all ? 180 : wrap(box[2]);
  if (!is_all && box[2] > box[0] && m->box[2] == -180) m->box[2] = 180;
}

static sc_status read_box(const cJSON *json, struct sc_match *m, struct sc_error *err) {
  double box[4] = {-180, -90, 180, 90};
  if (!json) return SC_OK;
  if (!sc_json_numbers(json, 4, box))
    return sc_option_fail(err, WHAT, "bbox", json, "[west, south, east, north]");
  set_box(m, box);
  return SC_OK;
}

static sc_status read_polygon(const cJSON *json, struct sc_browse_filter *f, struct sc_error *err) {
  int n = json ? cJSON_GetArraySize(json) : 0;
  double box[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY};
  if (!json) return SC_OK;
  if (!cJSON_IsArray(json) || n < 3 || n > SC_FILTER_POINTS)
    return sc_option_fail(err, WHAT, "polygon", json, "3 to %d points [lon, lat]",
                          SC_FILTER_POINTS);
  f->polygon = sc_alloc_zero((size_t)n, 2 * sizeof *f->polygon);
  if (!f->polygon) return sc_fail_nomem(err);
  const cJSON *v = json->child;
  for (int i = 0; i < n; i++, v = v->next) {
    double *p = &f->polygon[2 * i];
    if (!sc_json_numbers(v, 2, p))
      return sc_option_fail(err, WHAT, "polygon", v, "points [lon, lat]");
    box[0] = fmin(box[0], p[0]);
    box[1] = fmin(box[1], p[1]);
    box[2] = fmax(box[2], p[0]);
    box[3] = fmax(box[3], p[1]);
  }
  set_box(&f->match, box);
  /* Drawn a turn further on, or across the antimeridian: points are compared with it as drawn. */
  f->match.polygon = f->polygon;
  f->match.polygon_west = box[0];
  f->match.n_points = n;
  return SC_OK;
}

static sc_status read_members(struct sc_browse *b, const struct raw *raw,
                              struct sc_browse_filter *f, struct sc_error *err) {
  sc_status st = sc_browse_table(b, raw->table, &f->table, err);
  if (st) return st;
  struct sc_match *m = &f->match;
  if (raw->where && raw->where[strspn(raw->where, " \t\r\n")]) f->where = raw->where;
  st = read_dates(raw->date, m, err);
  if (!st) st = read_range(raw->cloud, "cloud", SC_TEST_CLOUD, m->cloud, m, err);
  if (!st) st = read_range(raw->nodata, "nodata", SC_TEST_NODATA, m->nodata, m, err);
  if (!st) st = read_platforms(raw->platform, f->table->summary, m, err);
  if (!st) st = read_box(raw->bbox, m, err);
  return st ? st : read_polygon(raw->polygon, f, err);
}

static sc_status wait_for_data(struct sc_browse *b, double seconds, struct sc_browse_filter *f,
                               struct sc_error *err) {
  sc_status st = sc_summary_wait(f->table->summary, seconds, &f->known, err);
  if (st || !f->where) return st;
  double done = 0;
  struct sc_question q = {f->table->summary, f->where, 1};
  st = sc_column_take(&b->columns, &q, seconds, &done, &f->column, err);
  if (st) return st;
  if (done < f->known) f->known = done;
  f->match.tests |= SC_TEST_WHERE;
  f->match.where = &f->column->marks;
  return SC_OK;
}

sc_status sc_browse_filter_read(struct sc_browse *b, const struct sc_server_request *request,
                                const struct sc_option_set *more, double seconds,
                                struct sc_browse_filter *out, struct sc_error *err) {
  struct raw raw = {0};
  static const struct sc_option table[] = {
      {"table", SC_OPTION_TEXT, offsetof(struct raw, table), 0, 0, NULL, NULL, NULL},
      {"where", SC_OPTION_TEXT, offsetof(struct raw, where), 0, 0, NULL, NULL, NULL},
      {"date", SC_OPTION_JSON, offsetof(struct raw, date), 0, 0, NULL, NULL, NULL},
      {"cloud", SC_OPTION_JSON, offsetof(struct raw, cloud), 0, 0, NULL, NULL, NULL},
      {"nodata", SC_OPTION_JSON, offsetof(struct raw, nodata), 0, 0, NULL, NULL, NULL},
      {"platform", SC_OPTION_JSON, offsetof(struct raw, platform), 0, 0, NULL, NULL, NULL},
      {"bbox", SC_OPTION_JSON, offsetof(struct raw, bbox), 0, 0, NULL, NULL, NULL},
      {"polygon", SC_OPTION_JSON, offsetof(struct raw, polygon), 0, 0, NULL, NULL, NULL}};
  struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, more};
  *out = (struct sc_browse_filter){.known = 1};
  if (!request->body.size) return sc_fail(err, SC_BAD_ARG, "the request has no JSON");
  sc_status st = sc_options_parse((const char *)request->body.data, WHAT, &set, &out->json, err);
  if (!st) st = read_members(b, &raw, out, err);
  return st ? st : wait_for_data(b, seconds, out, err);
}

sc_status sc_browse_filter_read_whole(struct sc_browse *b, const struct sc_server_request *request,
                                      const struct sc_option_set *more,
                                      struct sc_browse_filter *out, struct sc_error *err) {
  sc_status st = sc_browse_filter_read(b, request, more, WHOLE_SECONDS, out, err);
  if (st || out->known >= 1) return st;
  return sc_fail(err, SC_AGAIN, "the chips are still being read: try again");
}

void sc_browse_filter_free(struct sc_browse *b, struct sc_browse_filter *f) {
  sc_column_give(&b->columns, f->column);
  sc_options_free(&f->json);
  sc_free(f->polygon);
  *f = (struct sc_browse_filter){0};
}

sc_status sc_browse_filter_scan(const struct sc_browse_filter *f, int near, sc_summary_visit *visit,
                                void *context, struct sc_error *err) {
  if (f->column) pthread_rwlock_rdlock(&f->column->marks.lock);
  sc_status st = sc_summary_scan(f->table->summary, &f->match, near, visit, context, err);
  if (f->column) pthread_rwlock_unlock(&f->column->marks.lock);
  return st;
}

sc_status sc_browse_filter_put_partial(double known, struct sc_buffer *out, struct sc_error *err) {
  return known < 1 ? sc_buffer_printf(out, err, ",\"partial\":%.3f", known) : SC_OK;
}

/* ---- as SQL ---- */

static sc_status put_term(const struct sc_browse_filter *f, int *n, struct sc_buffer *out,
                          struct sc_error *err, const char *text) {
  sc_status st = (*n)++ ? sc_buffer_append_text(out, " AND ", err) : SC_OK;
  return st ? st : sc_table_sql(f->table, text, out, err);
}

static sc_status put_days(const struct sc_browse_filter *f, int *n, struct sc_buffer *out,
                          struct sc_error *err) {
  static const char *const terms[] = {"{date} >= '", "{date} <= '"};
  sc_status st = SC_OK;
  for (int i = 0; i < 2 && !st; i++) {
    char day[24];
    int32_t days = f->match.days[i];
    if (days == (i ? INT32_MAX : INT32_MIN + 1)) continue;
    sc_date_format(days, day, sizeof day);
    st = put_term(f, n, out, err, terms[i]);
    if (!st) st = sc_buffer_printf(out, err, "%s'", day);
  }
  return st;
}

static sc_status put_fractions(const struct sc_browse_filter *f, int *n, const char *term,
                               const double range[2], struct sc_buffer *out, struct sc_error *err) {
  sc_status st = put_term(f, n, out, err, term);
  return st ? st : sc_buffer_printf(out, err, " BETWEEN %.15g AND %.15g", range[0], range[1]);
}

static sc_status put_platforms(const struct sc_browse_filter *f, int *n, struct sc_buffer *out,
                               struct sc_error *err) {
  const struct sc_summary *s = f->table->summary;
  int written = 0;
  sc_status st = put_term(f, n, out, err, "{platform} IN (");
  for (int i = 0; i < s->n_platforms && !st; i++) {
    if (!(f->match.platforms[i / 64] >> i % 64 & 1)) continue;
    char *quoted = sqlite3_mprintf("%s%Q", written++ ? ", " : "", s->platforms[i]);
    st = quoted ? sc_buffer_append_text(out, quoted, err) : sc_fail_nomem(err);
    sqlite3_free(quoted);
  }
  return st ? st : sc_buffer_append_text(out, ")", err);
}

/* The box of a view or a polygon; across the antimeridian it is two. */
static sc_status put_place(const struct sc_browse_filter *f, int *n, struct sc_buffer *out,
                           struct sc_error *err) {
  const double *b = f->match.box;
  const char *const box = "ST_Intersects({geometry}, BuildMbr(";
  int is_split = b[0] > b[2];
  sc_status st = put_term(f, n, out, err, is_split ? "(ST_Intersects({geometry}, BuildMbr(" : box);
  if (!st)
    st = sc_buffer_printf(out, err, "%.9g, %.9g, %.9g, %.9g, 4326))", b[0], b[1],
                          is_split ? 180 : b[2], b[3]);
  if (!st && is_split)
    st = sc_table_sql(f->table, " OR ST_Intersects({geometry}, BuildMbr(", out, err);
  if (!st && is_split)
    st = sc_buffer_printf(out, err, "-180, %.9g, %.9g, %.9g, 4326)))", b[1], b[2], b[3]);
  return st;
}

sc_status sc_browse_filter_put_sql(const struct sc_browse_filter *f, struct sc_buffer *out,
                                   struct sc_error *err) {
  const struct sc_match *m = &f->match;
  sc_status st = SC_OK;
  int n = 0;
  if (m->tests & SC_TEST_DATE) st = put_days(f, &n, out, err);
  if (!st && m->tests & SC_TEST_CLOUD) st = put_fractions(f, &n, "{cloud}", m->cloud, out, err);
  if (!st && m->tests & SC_TEST_NODATA) st = put_fractions(f, &n, "{nodata}", m->nodata, out, err);
  if (!st && m->tests & SC_TEST_PLATFORM) st = put_platforms(f, &n, out, err);
  if (!st && m->tests & SC_TEST_PLACE) st = put_place(f, &n, out, err);
  if (!st && f->where) {
    st = put_term(f, &n, out, err, "(");
    if (!st) st = sc_buffer_append_text(out, f->where, err);
    if (!st) st = sc_buffer_append_text(out, "\n)", err);
  }
  if (!st && !n) st = sc_buffer_append_text(out, "1", err);
  return st ? st : sc_buffer_terminate(out, err);
}
