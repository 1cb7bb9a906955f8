/* Columns for items; see items_shape.h. */
#include "geoparquet/items_shape.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "stac/item.h"

#define DEPTH_MAX 12                 /* of objects and arrays: an array takes two levels of 32 */
#define EXACT_INT 9007199254740992.0 /* JSON's numbers are doubles here */
#define OWN_PROPERTIES "properties"

static const char *const members[] = {"type",       "stac_version", "stac_extensions", "id",
                                      "geometry",   "bbox",         "links",           "assets",
                                      "collection", SC_ITEM_ORIGIN};
/* Times of STAC's common metadata and its extensions. */
static const char *const times[] = {"datetime", "start_datetime", "end_datetime", "created",
                                    "updated",  "expires",        "published",    "unpublished"};

static int is_among(const char *name, const char *const *list, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (strcmp(name, list[i]) == 0) return 1;
  }
  return 0;
}

static int is_member(const char *name) {
  return is_among(name, members, sizeof members / sizeof *members);
}

void sc_items_shape_free(struct sc_items_shape *shape) {
  for (size_t i = 0; i < shape->n_children; i++) sc_items_shape_free(&shape->children[i]);
  sc_free(shape->children);
  sc_free(shape->name);
  memset(shape, 0, sizeof *shape);
}

int sc_items_shape_time(const char *text, int64_t *out) {
  char utc[SC_DATETIME_BYTES];
  int32_t days;
  if (!sc_datetime_normalise(text, utc) || !sc_date_parse(utc, 10, &days)) return 0;
  int h = (utc[11] - '0') * 10 + utc[12] - '0', m = (utc[14] - '0') * 10 + utc[15] - '0';
  int s = (utc[17] - '0') * 10 + utc[18] - '0';
  int64_t micros = 0, unit = 100000;
  const char *p = utc + 19;
  if (*p == '.') {
    for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10) {
      if (unit == 0) return 0;
      micros += (*p - '0') * unit;
    }
  }
  *out = (((int64_t)days * 24 + h) * 60 + m) * INT64_C(60000000) + s * INT64_C(1000000) + micros;
  return s < 60;
}

/* --- inference --- */

static int is_box(const cJSON *json, int *has_z) {
  int n = cJSON_GetArraySize(json);
  const cJSON *number;
  if (!cJSON_IsArray(json) || (n != 4 && n != 6)) return 0;
  cJSON_ArrayForEach(number, json) {
    if (!cJSON_IsNumber(number)) return 0;
  }
  *has_z = n == 6;
  return 1;
}

static enum sc_items_shape_kind kind_of(const cJSON *json, const char *name, int is_column) {
  int64_t ignored;
  int has_z;
  if (is_column && cJSON_IsObject(json) &&
      (strcmp(name, "geometry") == 0 || strcmp(name, "proj:geometry") == 0)) {
    return SC_ITEMS_SHAPE_GEOMETRY;
  }
  if (is_column && strcmp(name, "bbox") == 0 && is_box(json, &has_z)) return SC_ITEMS_SHAPE_BOX;
  if (cJSON_IsBool(json)) return SC_ITEMS_SHAPE_BOOL;
  if (cJSON_IsNumber(json)) {
    double v = json->valuedouble;
    return v == floor(v) && fabs(v) <= EXACT_INT ? SC_ITEMS_SHAPE_INT : SC_ITEMS_SHAPE_REAL;
  }
  if (cJSON_IsString(json)) {
    int is_time = is_column && is_among(name, times, sizeof times / sizeof *times) &&
                  sc_items_shape_time(json->valuestring, &ignored);
    return is_time ? SC_ITEMS_SHAPE_TIME : SC_ITEMS_SHAPE_TEXT;
  }
  if (cJSON_IsObject(json)) return SC_ITEMS_SHAPE_STRUCT;
  return cJSON_IsArray(json) ? SC_ITEMS_SHAPE_LIST : SC_ITEMS_SHAPE_NONE;
}

/* What holds values of both kinds. */
static enum sc_items_shape_kind join(enum sc_items_shape_kind a, enum sc_items_shape_kind b) {
  if (a == b || b == SC_ITEMS_SHAPE_NONE) return a;
  if (a == SC_ITEMS_SHAPE_NONE) return b;
  int has_real = a == SC_ITEMS_SHAPE_REAL || b == SC_ITEMS_SHAPE_REAL;
  int has_int = a == SC_ITEMS_SHAPE_INT || b == SC_ITEMS_SHAPE_INT;
  if (has_real && has_int) return SC_ITEMS_SHAPE_REAL;
  int are_texts = (a == SC_ITEMS_SHAPE_TEXT || a == SC_ITEMS_SHAPE_TIME) &&
                  (b == SC_ITEMS_SHAPE_TEXT || b == SC_ITEMS_SHAPE_TIME);
  return are_texts ? SC_ITEMS_SHAPE_TEXT : SC_ITEMS_SHAPE_JSON;
}

static sc_status child_named(struct sc_items_shape *s, const char *name,
                             struct sc_items_shape **out, size_t *n_fields, struct sc_error *err) {
  for (size_t i = 0; i < s->n_children; i++) {
    *out = &s->children[i];
    if (!name || strcmp((*out)->name, name) == 0) return SC_OK;
  }
  if (++*n_fields > SC_ITEMS_SHAPE_MAX_FIELDS) {
    return sc_fail(err, SC_TOO_BIG, "the items have more than %d members",
                   SC_ITEMS_SHAPE_MAX_FIELDS);
  }
  if (s->n_children == s->max_children) {
    size_t max = s->max_children ? 2 * s->max_children : 4;
    struct sc_items_shape *larger = sc_realloc(s->children, max * sizeof *larger);
    if (!larger) return sc_fail_nomem(err);
    s->children = larger;
    s->max_children = max;
  }
  *out = &s->children[s->n_children];
  memset(*out, 0, sizeof **out);
  sc_status st = sc_strdup(name, &(*out)->name, err);
  if (!st) s->n_children++;
  return st;
}

static sc_status add_value(struct sc_items_shape *s, const cJSON *json, int depth, size_t *n_fields,
                           struct sc_error *err) {
  enum sc_items_shape_kind kind = kind_of(json, s->name, depth == 0);
  int has_z = 0;
  const cJSON *part;
  sc_status st = SC_OK;
  if ((kind == SC_ITEMS_SHAPE_STRUCT || kind == SC_ITEMS_SHAPE_LIST) && depth == DEPTH_MAX) {
    kind = SC_ITEMS_SHAPE_JSON;
  }
  s->kind = join(s->kind, kind);
  if (kind == SC_ITEMS_SHAPE_BOX && is_box(json, &has_z)) s->has_z |= has_z;
  if (s->kind != SC_ITEMS_SHAPE_STRUCT && s->kind != SC_ITEMS_SHAPE_LIST) return SC_OK;
  cJSON_ArrayForEach(part, json) {
    struct sc_items_shape *child;
    st =
        child_named(s, s->kind == SC_ITEMS_SHAPE_LIST ? NULL : part->string, &child, n_fields, err);
    if (!st) st = add_value(child, part, depth + 1, n_fields, err);
    if (st) return st;
  }
  return SC_OK;
}

sc_status sc_items_shape_add_item(struct sc_items_shape *root, const cJSON *item, size_t *n_fields,
                                  struct sc_error *err) {
  const cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties"), *m;
  struct sc_items_shape *column, *own;
  sc_status st = SC_OK;
  root->kind = SC_ITEMS_SHAPE_STRUCT;
  cJSON_ArrayForEach(m, item) {
    if (!m->string || !is_member(m->string)) continue;
    st = child_named(root, m->string, &column, n_fields, err);
    if (!st) st = add_value(column, m, 0, n_fields, err);
    if (st) return st;
  }
  cJSON_ArrayForEach(m, properties) {
    if (!m->string) continue;
    int is_taken = is_member(m->string) || strcmp(m->string, OWN_PROPERTIES) == 0;
    st = child_named(root, is_taken ? OWN_PROPERTIES : m->string, &column, n_fields, err);
    if (!st && is_taken) {
      column->kind = SC_ITEMS_SHAPE_STRUCT;
      st = child_named(column, m->string, &own, n_fields, err);
      column = own;
    }
    if (!st) st = add_value(column, m, is_taken ? 1 : 0, n_fields, err);
    if (st) return st;
  }
  return SC_OK;
}

const cJSON *sc_items_shape_value(const struct sc_items_shape *column, const cJSON *item) {
  const cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties");
  if (strcmp(column->name, OWN_PROPERTIES) == 0) return properties;
  return cJSON_GetObjectItemCaseSensitive(is_member(column->name) ? item : properties,
                                          column->name);
}

/* --- fields --- */

int sc_items_shape_is_written(const struct sc_items_shape *shape) {
  if (shape->kind != SC_ITEMS_SHAPE_STRUCT) return shape->kind != SC_ITEMS_SHAPE_NONE;
  for (size_t i = 0; i < shape->n_children; i++) {
    if (sc_items_shape_is_written(&shape->children[i])) return 1;
  }
  return 0;
}

void sc_items_shape_fields_free(struct sc_pq_field *field) {
  for (size_t i = 0; i < field->n_children; i++) sc_items_shape_fields_free(&field->children[i]);
  sc_free(field->children);
  memset(field, 0, sizeof *field);
}

static sc_status box_fields(int has_z, struct sc_pq_field *out, struct sc_error *err) {
  static const char *const flat[] = {"xmin", "ymin", "xmax", "ymax"};
  static const char *const deep[] = {"xmin", "ymin", "zmin", "xmax", "ymax", "zmax"};
  out->kind = SC_PQ_FIELD_STRUCT;
  out->children = sc_alloc_zero(6, sizeof *out->children);
  if (!out->children) return sc_fail_nomem(err);
  out->n_children = has_z ? 6 : 4;
  for (size_t i = 0; i < out->n_children; i++) {
    out->children[i].name = (has_z ? deep : flat)[i];
    out->children[i].type = SC_PQ_DOUBLE;
  }
  return SC_OK;
}

static void value_field(enum sc_items_shape_kind kind, struct sc_pq_field *out) {
  out->type = SC_PQ_BYTE_ARRAY;
  switch (kind) {
    case SC_ITEMS_SHAPE_BOOL: out->type = SC_PQ_BOOLEAN; break;
    case SC_ITEMS_SHAPE_INT: out->type = SC_PQ_INT64; break;
    case SC_ITEMS_SHAPE_REAL: out->type = SC_PQ_DOUBLE; break;
    case SC_ITEMS_SHAPE_TIME:
      out->type = SC_PQ_INT64;
      out->logical = SC_PQ_LOGICAL_TIMESTAMP;
      break;
    case SC_ITEMS_SHAPE_GEOMETRY: break;
    default: out->logical = SC_PQ_LOGICAL_STRING;
  }
}

sc_status sc_items_shape_fields(const struct sc_items_shape *shape, struct sc_pq_field *out,
                                struct sc_error *err) {
  static const struct sc_items_shape no_element = {.kind = SC_ITEMS_SHAPE_TEXT};
  int is_list = shape->kind == SC_ITEMS_SHAPE_LIST;
  sc_status st = SC_OK;
  memset(out, 0, sizeof *out);
  out->name = shape->name ? shape->name : "element";
  if (shape->kind == SC_ITEMS_SHAPE_BOX) return box_fields(shape->has_z, out, err);
  value_field(shape->kind, out);
  if (!is_list && shape->kind != SC_ITEMS_SHAPE_STRUCT) return SC_OK;
  out->kind = is_list ? SC_PQ_FIELD_LIST : SC_PQ_FIELD_STRUCT;
  out->children = sc_alloc_zero(shape->n_children + 1, sizeof *out->children);
  if (!out->children) return sc_fail_nomem(err);
  /* Of a list that is always empty, or holds nothing that has a column, nobody knows what it is of.
   */
  if (is_list) {
    int is_known = shape->n_children && sc_items_shape_is_written(&shape->children[0]);
    out->n_children = 1;
    return sc_items_shape_fields(is_known ? &shape->children[0] : &no_element, out->children, err);
  }
  for (size_t i = 0; i < shape->n_children && !st; i++) {
    if (!sc_items_shape_is_written(&shape->children[i])) continue;
    st = sc_items_shape_fields(&shape->children[i], &out->children[out->n_children++], err);
  }
  return st;
}
