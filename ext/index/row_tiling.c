/* Tilings of rows on their way; see row_tiling.h. */
#include "index/row_tiling.h"

#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "index/index.h"

/* SQLite keeps eight bits; low ones are in use: JSON's is 74, a pointer's 112. */
#define FIRST_SUBTYPE 128u
#define MAX_TILINGS 128u

struct sc_row_tilings {
  unsigned n;
  struct sc_tiling list[MAX_TILINGS];
};

static int parse_options(const cJSON *options, struct sc_tiling *out) {
  struct sc_index_options parsed;
  struct sc_error ignored = {0};
  char *text = cJSON_IsObject(options) ? cJSON_PrintUnformatted(options) : NULL;
  int is_good = text && sc_index_options_parse(text, &parsed, &ignored) == SC_OK;
  cJSON_free(text);
  if (!is_good) return 0;
  *out = parsed.tiling;
  sc_index_options_free(&parsed);
  return 1;
}

int sc_row_tiling_parse(const char *json, size_t n, struct sc_tiling *out) {
  cJSON *object = cJSON_ParseWithLength(json, n);
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "options"), *one;
  int n_read = 0, agree = cJSON_IsArray(list);
  cJSON_ArrayForEach(one, list) {
    struct sc_tiling next;
    agree = agree && parse_options(one, &next) && (n_read == 0 || sc_tiling_equals(out, &next));
    if (!agree) break;
    *out = next;
    n_read++;
  }
  cJSON_Delete(object);
  return agree && n_read > 0;
}

unsigned sc_row_tiling_subtype(struct sc_connection *c, const struct sc_tiling *tiling) {
  struct sc_row_tilings *all = c->row_tilings =
      sc_connection_part(c, c->row_tilings, sizeof *all, sc_free);
  if (!all) return 0;
  unsigned i = 0;
  while (i < all->n && !sc_tiling_equals(&all->list[i], tiling)) i++;
  if (i == MAX_TILINGS) return 0;
  if (i == all->n) all->list[all->n++] = *tiling;
  return FIRST_SUBTYPE + i;
}

const struct sc_tiling *sc_row_tiling_find(const struct sc_connection *c, sqlite3_value *geometry) {
  unsigned subtype = sqlite3_value_subtype(geometry);
  const struct sc_row_tilings *all = c->row_tilings;
  if (!all || subtype < FIRST_SUBTYPE || subtype - FIRST_SUBTYPE >= all->n) return NULL;
  return &all->list[subtype - FIRST_SUBTYPE];
}
