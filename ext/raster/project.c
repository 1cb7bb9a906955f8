/* Projecting points; see project.h. */
#include "raster/project.h"

#include <math.h>
#include <proj.h>
#include <proj_experimental.h> /* proj_crs_demote_to_2D() */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define LONLAT "EPSG:4326"
#define N_KEPT 16 /* transformations a thread keeps */
#define N_PAIRS 8 /* comparisons of CRSs that a thread keeps: bands of a scene repeat them */

struct kept {
  char *from, *to;
  PJ *pj;                                       /* from -> to, x east first in both */
  int is_geographic;                            /* from */
  double radians_per_unit, to_radians_per_unit; /* of a geographic CRS, else 0 */
  unsigned long used;
};

/* Two CRSs that were compared. */
struct pair {
  char *a, *b;
  int is_same;
};

/* PROJ's context and its transformations belong to one thread. */
struct projector {
  PJ_CONTEXT *context;
  struct kept kept[N_KEPT];
  unsigned long clock;
  struct pair pairs[N_PAIRS];
  unsigned next_pair; /* the one to replace next, modulo N_PAIRS */
  int is_suspect;     /* memory was short: not to be used again */
};

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void free_pair(struct pair *pair) {
  sc_free(pair->a);
  sc_free(pair->b);
  memset(pair, 0, sizeof *pair);
}

static void free_projector(void *value) {
  struct projector *p = value;
  for (int i = 0; i < N_PAIRS; i++) free_pair(&p->pairs[i]);
  for (int i = 0; i < N_KEPT; i++) {
    proj_destroy(p->kept[i].pj);
    sc_free(p->kept[i].from);
    sc_free(p->kept[i].to);
  }
  proj_context_destroy(p->context);
  sc_free(p);
}

static void make_key(void) { pthread_key_create(&key, free_projector); }

static void ignore_log(void *data, int level, const char *text) {
  (void)data, (void)level, (void)text;
}

static struct projector *thread_projector(struct sc_error *err) {
  pthread_once(&key_once, make_key);
  struct projector *p = pthread_getspecific(key);
  if (p && !p->is_suspect) return p;
  if (p) free_projector(p);
  pthread_setspecific(key, NULL);
  p = sc_alloc_zero(1, sizeof *p);
  if (!p || !(p->context = proj_context_create())) {
    sc_free(p);
    sc_fail_nomem(err);
    return NULL;
  }
  proj_log_func(p->context, NULL, ignore_log);
  proj_context_set_enable_network(p->context, 0);
  pthread_setspecific(key, p);
  return p;
}

/* Without PROJ's own code: its context keeps that of an earlier failure. */
static sc_status fail_crs(const char *crs, const char *why, struct sc_error *err) {
  if (sc_memory_is_short()) {
    struct projector *p = pthread_getspecific(key);
    if (p) p->is_suspect = 1; /* PROJ remembers what it could not find */
    return sc_fail_nomem(err);
  }
  return sc_fail(err, SC_BAD_DATA, "unknown CRS: %.120s: %s", crs, why);
}

static PJ *open_crs(struct projector *p, const char *crs, struct sc_error *err) {
  /* A pipeline or a PROJ string would pass too: only codes, WKT and PROJJSON are CRSs here. */
  PJ *pj = strchr(crs, '+') == crs ? NULL : proj_create(p->context, crs);
  if (pj && proj_is_crs(pj)) return pj;
  proj_destroy(pj);
  fail_crs(crs, "PROJ does not know it", err);
  return NULL;
}

/* Radians per unit of a geographic CRS's axes; 0 for another CRS. */
static double geographic_unit(PJ_CONTEXT *context, PJ *crs) {
  PJ_TYPE type = proj_get_type(crs);
  if (type == PJ_TYPE_BOUND_CRS) {
    PJ *source = proj_get_source_crs(context, crs);
    double unit = source ? geographic_unit(context, source) : 0;
    proj_destroy(source);
    return unit;
  }
  if (type != PJ_TYPE_GEOGRAPHIC_2D_CRS && type != PJ_TYPE_GEOGRAPHIC_3D_CRS) return 0;
  if (proj_crs_is_derived(context, crs)) return 0; /* a rotated pole: not the globe's longitudes */
  PJ *cs = proj_crs_get_coordinate_system(context, crs);
  double unit = 0;
  if (!cs || !proj_cs_get_axis_info(context, cs, 0, NULL, NULL, NULL, &unit, NULL, NULL, NULL)) {
    unit = M_PI / 180;
  }
  proj_destroy(cs);
  return unit;
}

static sc_status make_kept(struct projector *p, const char *from, const char *to, struct kept *out,
                           struct sc_error *err) {
  memset(out, 0, sizeof *out);
  PJ *source = open_crs(p, from, err);
  PJ *target = source ? open_crs(p, to, err) : NULL;
  sc_status st = target ? SC_OK : err->status;
  if (!st) {
    out->radians_per_unit = geographic_unit(p->context, source);
    out->to_radians_per_unit = geographic_unit(p->context, target);
    out->is_geographic = out->radians_per_unit > 0;
    PJ *pj = proj_create_crs_to_crs_from_pj(p->context, source, target, NULL, NULL);
    if (pj) out->pj = proj_normalize_for_visualization(p->context, pj);
    proj_destroy(pj);
    if (!out->pj && strcmp(to, LONLAT) == 0) {
      st = fail_crs(from, "no transformation to longitude and latitude", err);
    } else if (!out->pj) {
      st = fail_crs(from, "no transformation to the other CRS", err);
    }
  }
  proj_destroy(target);
  proj_destroy(source);
  if (!st) st = sc_strdup(from, &out->from, err);
  if (!st) st = sc_strdup(to, &out->to, err);
  if (!st) return SC_OK;
  proj_destroy(out->pj);
  sc_free(out->from);
  return st;
}

static struct kept *find_kept(const char *from, const char *to, struct sc_error *err) {
  struct projector *p = thread_projector(err);
  if (!p) return NULL;
  struct kept *oldest = &p->kept[0];
  for (int i = 0; i < N_KEPT; i++) {
    struct kept *k = &p->kept[i];
    if (k->from && strcmp(k->from, from) == 0 && strcmp(k->to, to) == 0) {
      k->used = ++p->clock;
      return k;
    }
    if (k->used < oldest->used) oldest = k;
  }
  struct kept made;
  if (make_kept(p, from, to, &made, err)) return NULL;
  proj_destroy(oldest->pj);
  sc_free(oldest->from);
  sc_free(oldest->to);
  *oldest = made;
  oldest->used = ++p->clock;
  return oldest;
}

/* PROJ brings longitudes into one turn; a geographic grid keeps its own. */
static void keep_turn(const struct kept *k, double *x, size_t n, const double *before) {
  const double turn = 2 * M_PI / k->to_radians_per_unit;
  for (size_t i = 0; i < n; i++) {
    x[i] -=
        turn * round((x[i] - before[i] * (k->radians_per_unit / k->to_radians_per_unit)) / turn);
  }
}

static void transform(const struct kept *k, PJ_DIRECTION direction, size_t n, double *x,
                      double *y) {
  proj_errno_reset(k->pj);
  proj_trans_generic(k->pj, direction, x, sizeof *x, n, y, sizeof *y, n, NULL, 0, 0, NULL, 0, 0);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(x[i]) || !isfinite(y[i])) x[i] = y[i] = NAN;
  }
}

sc_status sc_project(const char *from, const char *to, size_t n, double *x, double *y,
                     struct sc_error *err) {
  struct kept *k = find_kept(from, to, err);
  double *before = NULL;
  if (!k) return err->status;
  if (k->is_geographic && k->to_radians_per_unit > 0) {
    before = sc_alloc(n * sizeof *before);
    if (!before) return sc_fail_nomem(err);
    memcpy(before, x, n * sizeof *before);
  }
  transform(k, PJ_FWD, n, x, y);
  if (before) keep_turn(k, x, n, before);
  sc_free(before);
  return SC_OK;
}

sc_status sc_project_to_lonlat(const char *crs, size_t n, double *x, double *y,
                               struct sc_error *err) {
  return sc_project(crs, LONLAT, n, x, y, err);
}

sc_status sc_project_from_lonlat(const char *crs, size_t n, double *x, double *y,
                                 struct sc_error *err) {
  struct kept *k = find_kept(crs, LONLAT, err);
  if (!k) return err->status;
  transform(k, PJ_INV, n, x, y);
  return SC_OK;
}

int sc_project_is_geographic(const char *crs) {
  struct sc_error ignored = {0};
  struct kept *k = find_kept(crs, LONLAT, &ignored);
  return k ? k->is_geographic : 0;
}

/* The horizontal part of a CRS in two dimensions: without height, vertical datum and shift.
 * Takes `crs` over; NULL where PROJ finds none. */
static PJ *horizontal(PJ_CONTEXT *context, PJ *crs) {
  PJ_TYPE type = crs ? proj_get_type(crs) : PJ_TYPE_UNKNOWN;
  PJ *inner = NULL;
  if (type == PJ_TYPE_BOUND_CRS) inner = proj_get_source_crs(context, crs);
  if (type == PJ_TYPE_COMPOUND_CRS) inner = proj_crs_get_sub_crs(context, crs, 0);
  if (type != PJ_TYPE_BOUND_CRS && type != PJ_TYPE_COMPOUND_CRS) {
    inner = crs ? proj_crs_demote_to_2D(context, NULL, crs) : NULL;
    proj_destroy(crs);
    return inner;
  }
  proj_destroy(crs);
  return horizontal(context, inner); /* a compound of bound ones: as deep as PROJ lets it be */
}

static int compare(struct projector *p, const char *a, const char *b) {
  struct sc_error ignored = {0};
  PJ *first = horizontal(p->context, open_crs(p, a, &ignored));
  PJ *second = horizontal(p->context, open_crs(p, b, &ignored));
  int is_same = first && second &&
                proj_is_equivalent_to_with_ctx(p->context, first, second,
                                               PJ_COMP_EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS);
  proj_destroy(first);
  proj_destroy(second);
  return is_same;
}

int sc_project_same_crs(const char *a, const char *b) {
  struct sc_error ignored = {0};
  if (strcmp(a, b) == 0) return 1;
  struct projector *p = thread_projector(&ignored);
  if (!p) return 0;
  for (int i = 0; i < N_PAIRS; i++) {
    const struct pair *kept = &p->pairs[i];
    if (kept->a && strcmp(kept->a, a) == 0 && strcmp(kept->b, b) == 0) return kept->is_same;
  }
  struct pair made = {.is_same = compare(p, a, b)};
  if (!made.is_same && sc_memory_is_short()) return 0;
  if (sc_strdup(a, &made.a, &ignored) || sc_strdup(b, &made.b, &ignored)) {
    free_pair(&made);
    return 0;
  }
  struct pair *to = &p->pairs[p->next_pair++ % N_PAIRS];
  free_pair(to);
  *to = made;
  return to->is_same;
}

static sc_status export_wkt(struct projector *p, const char *crs, PJ *pj, char **out,
                            struct sc_error *err) {
  const char *wkt = pj ? proj_as_wkt(p->context, pj, PJ_WKT2_2019, NULL) : NULL;
  sc_status st = wkt ? sc_strdup(wkt, out, err) : fail_crs(crs, "it has no WKT2 form", err);
  proj_destroy(pj);
  return st;
}

sc_status sc_project_wkt(const char *crs, char **out, struct sc_error *err) {
  struct projector *p = thread_projector(err);
  *out = NULL;
  PJ *pj = p ? open_crs(p, crs, err) : NULL;
  return pj ? export_wkt(p, crs, pj, out, err) : err->status;
}

sc_status sc_project_flat_wkt(const char *crs, char **out, struct sc_error *err) {
  struct projector *p = thread_projector(err);
  *out = NULL;
  PJ *pj = p ? open_crs(p, crs, err) : NULL;
  return pj ? export_wkt(p, crs, horizontal(p->context, pj), out, err) : err->status;
}

const char *sc_project_version(void) { return proj_info().version; }
