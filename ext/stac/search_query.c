/* Search bodies for GET; see search_query.h. */
#include "stac/search_query.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <strings.h>

#include "stac/item.h"
#include "store/percent.h"

static sc_status append_escaped(struct sc_buffer *b, const char *text, struct sc_error *err) {
  return sc_percent_encode(b, text, strlen(text), SC_UNRESERVED ",:/", err);
}

static sc_status append_json(const cJSON *value, struct sc_buffer *out, struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(value);
  sc_status st = text ? append_escaped(out, text, err) : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

/* A text as it is, anything else as JSON. */
static sc_status append_value(const cJSON *value, struct sc_buffer *out, struct sc_error *err) {
  return cJSON_IsString(value) ? append_escaped(out, value->valuestring, err)
                               : append_json(value, out, err);
}

/* One entry of a list: a comma before it, unless it is the first, and its sign. */
static sc_status append_entry(const char *sign, const char *text, int *n, struct sc_buffer *out,
                              struct sc_error *err) {
  sc_status st = (*n)++ ? sc_buffer_append_text(out, ",", err) : SC_OK;
  if (!st) st = sc_buffer_append_text(out, sign, err);
  return st ? st : append_escaped(out, text, err);
}

static sc_status append_list(const cJSON *list, struct sc_buffer *out, struct sc_error *err) {
  const cJSON *value;
  int n = 0;
  sc_status st = SC_OK;
  cJSON_ArrayForEach(value, list) {
    if (cJSON_IsString(value) && strchr(value->valuestring, ',')) {
      return sc_fail(err, SC_BAD_ARG,
                     "stacchip_search: %s: '%.100s' holds a comma, which GET cannot ask for; use "
                     "POST",
                     list->string, value->valuestring);
    }
    if (!st && n++) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = append_value(value, out, err);
  }
  return st;
}

static sc_status append_sortby(const cJSON *list, struct sc_buffer *out, struct sc_error *err) {
  const cJSON *entry;
  int n = 0;
  sc_status st = SC_OK;
  cJSON_ArrayForEach(entry, list) {
    const char *direction = sc_json_text(entry, "direction"), *field = sc_json_text(entry, "field");
    int is_down = direction && strcasecmp(direction, "desc") == 0;
    if (cJSON_IsString(entry)) field = entry->valuestring; /* the short form already */
    if (!field || (direction && !is_down && strcasecmp(direction, "asc") != 0)) {
      return sc_fail(err, SC_BAD_ARG,
                     "stacchip_search: sortby takes [{\"field\": ..., \"direction\": "
                     "\"asc\"|\"desc\"}, ...]");
    }
    if (!st) st = append_entry(is_down ? "-" : "", field, &n, out, err);
  }
  return st;
}

static sc_status append_fields_of(const cJSON *list, const char *sign, int *n,
                                  struct sc_buffer *out, struct sc_error *err) {
  const cJSON *field;
  sc_status st = SC_OK;
  if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_search: fields takes {\"include\": [...], \"exclude\": [...]}");
  cJSON_ArrayForEach(field, list) {
    if (cJSON_IsString(field) && !st) st = append_entry(sign, field->valuestring, n, out, err);
  }
  return st;
}

static sc_status append_fields(const cJSON *fields, struct sc_buffer *out, struct sc_error *err) {
  int n = 0;
  sc_status st =
      append_fields_of(cJSON_GetObjectItemCaseSensitive(fields, "include"), "", &n, out, err);
  return st ? st
            : append_fields_of(cJSON_GetObjectItemCaseSensitive(fields, "exclude"), "-", &n, out,
                               err);
}

static sc_status append_member(const cJSON *member, struct sc_buffer *out, struct sc_error *err) {
  sc_status st = out->size ? sc_buffer_append_text(out, "&", err) : SC_OK;
  if (!st) st = append_escaped(out, member->string, err);
  if (!st) st = sc_buffer_append_text(out, "=", err);
  if (st) return st;
  if (strcmp(member->string, "sortby") == 0 && cJSON_IsArray(member))
    return append_sortby(member, out, err);
  if (strcmp(member->string, "fields") == 0 && cJSON_IsObject(member))
    return append_fields(member, out, err);
  /* A filter in CQL2's JSON may be a list in older drafts; a list of objects is not a list of
   * values. */
  if (cJSON_IsArray(member) && !cJSON_IsObject(member->child) && !cJSON_IsArray(member->child))
    return append_list(member, out, err);
  return append_value(member, out, err);
}

sc_status sc_search_query(const cJSON *body, struct sc_buffer *out, struct sc_error *err) {
  const cJSON *member, *filter = cJSON_GetObjectItemCaseSensitive(body, "filter");
  sc_status st = SC_OK;
  cJSON_ArrayForEach(member, body) {
    if (!st && !cJSON_IsNull(member)) st = append_member(member, out, err);
  }
  /* By GET a filter is text unless it is said to be JSON; by POST it is the other way round. */
  if (!st && filter && !cJSON_IsNull(filter) &&
      !cJSON_GetObjectItemCaseSensitive(body, "filter-lang")) {
    st = sc_buffer_printf(out, err, "&filter-lang=cql2-%s",
                          cJSON_IsString(filter) ? "text" : "json");
  }
  return st ? st : sc_buffer_terminate(out, err);
}
