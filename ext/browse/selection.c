/* Selections; see selection.h. */
#include "browse/selection.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "base/alloc.h"

struct taking {
  struct sc_selection *to;
  size_t capacity, most;
  int is_too_many, is_short;
};

static int take(void *context, int64_t id) {
  struct taking *t = context;
  struct sc_selection *s = t->to;
  if (s->n == t->most) return t->is_too_many = 1;
  if (s->n == t->capacity) {
    size_t capacity = 2 * t->capacity + 1024;
    int64_t *grown = sc_realloc(s->ids, capacity * sizeof *grown);
    if (!grown) return t->is_short = 1;
    s->ids = grown;
    t->capacity = capacity;
  }
  s->ids[s->n++] = id;
  return 0;
}

static int take_hit(void *context, const struct sc_hit *h) { return take(context, sc_hit_id(h)); }

static int compare_ids(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static sc_status take_array(struct taking *t, const cJSON *json, struct sc_error *err) {
  const cJSON *v;
  if (!cJSON_IsArray(json))
    return sc_option_fail(err, "browse", "ids", json, "an array of chips' numbers");
  cJSON_ArrayForEach(v, json) {
    double id = v->valuedouble;
    if (!cJSON_IsNumber(v) || !(id > -9e15 && id < 9e15))
      return sc_option_fail(err, "browse", "ids", v, "chips' numbers");
    if (take(t, (int64_t)id)) break;
  }
  return SC_OK;
}

sc_status sc_selection_read(const struct sc_browse_filter *f, const cJSON *json, size_t most,
                            struct sc_selection *out, struct sc_error *err) {
  struct taking t = {.to = out, .most = most};
  *out = (struct sc_selection){0};
  sc_status st = json ? take_array(&t, json, err) : sc_browse_filter_scan(f, 0, take_hit, &t, err);
  if (st) return st;
  if (t.is_short) return sc_fail_nomem(err);
  if (t.is_too_many) return sc_fail(err, SC_TOO_BIG, "more than %zu chips: choose fewer", most);
  if (out->n) qsort(out->ids, out->n, sizeof *out->ids, compare_ids);
  return SC_OK;
}

void sc_selection_free(struct sc_selection *s) {
  sc_free(s->ids);
  *s = (struct sc_selection){0};
}
