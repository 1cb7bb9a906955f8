/* Other rasters on the grid of a chip; see layers.h. */
#include "pixels/layers.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "merge/lookup.h"
#include "pixels/frozen.h"
#include "sql/pixels/layer_items.h"

#define NAME_MAX_BYTES 64
#define FROZEN "frozen"

/* --- the option --- */

struct raw_layer {
  const cJSON *source, *assets, *resampling, *fill;
  int when;
};
#define AT(member) offsetof(struct raw_layer, member)
static const struct sc_option layer_table[] = {
    {"source", SC_OPTION_JSON, AT(source), 0, 0, "a text, or an item", NULL,
     "a merged index, or the path, URL or object of an item, or the path of a raster"},
    {"assets", SC_OPTION_JSON, AT(assets), 0, 0, "a name, or an array of names",
     "the rule's, or all", "as of a chip"},
    {"resampling", SC_OPTION_JSON, AT(resampling), 0, 0, "a kernel, or an object by asset",
     "\"nearest\"", "as of a chip"},
    {"when", SC_OPTION_CHOICE, AT(when), 0, 0, "same|nearest|any", "\"any\"",
     "of a merged index: items of the chip's date, the nearest in time, or any"},
    {"fill", SC_OPTION_JSON, AT(fill), 0, 0, "a number", "nodata, else 0",
     "the value where no item has a valid pixel"},
};

const struct sc_option_table sc_layer_option_table = SC_OPTION_TABLE(layer_table);

static int is_name(const char *name) {
  size_t n = strlen(name);
  for (size_t i = 0; i < n; i++) {
    if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-') return 0;
  }
  return n > 0 && n <= NAME_MAX_BYTES;
}

/* Arrays that an archive of chips has already. */
static int is_taken(const char *name) {
  static const char *const names[] = {"pixels", "valid", "chipid", "datetime", "present"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(name, names[i]) == 0) return 1;
  }
  return 0;
}

static sc_status read_source(const cJSON *value, const char *what, struct sc_layer *out,
                             struct sc_error *err) {
  if (cJSON_IsString(value) && value->valuestring[0])
    return sc_strdup(value->valuestring, &out->source, err);
  if (!cJSON_IsObject(value)) {
    return sc_option_fail(err, what, "source", value,
                          "a merged index, or a path, URL or object of an item or raster");
  }
  char *text = cJSON_PrintUnformatted(value);
  sc_status st = text ? sc_strdup(text, &out->source, err) : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

static sc_status read_layer(const cJSON *entry, const char *what, struct sc_layer *out,
                            struct sc_error *err) {
  struct raw_layer raw = {.when = SC_LAYER_ANY};
  char name[200];
  const struct sc_option_set set = {layer_table, sizeof layer_table / sizeof *layer_table, &raw,
                                    NULL};
  if (!is_name(entry->string) || is_taken(entry->string)) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: option 'layers': '%.80s' is no name of a layer: letters, digits, _ and -, "
                   "but not pixels, valid, chipid, datetime or present",
                   what, entry->string);
  }
  out->name = entry->string;
  sqlite3_snprintf(sizeof name, name, "%s: layer %s", what, entry->string);
  if (!cJSON_IsObject(entry))
    return sc_option_fail(err, what, "layers", entry, "for %s an object with 'source'",
                          entry->string);
  sc_status st = sc_options_read(entry, name, &set, err);
  if (!st) st = read_source(raw.source, name, out, err);
  out->when = raw.when;
  out->options.table = out->source;
  const struct sc_chip_layer_raw common = {raw.assets, raw.resampling, raw.fill};
  return st ? st : sc_chip_options_of_layer(&common, name, &out->options, err);
}

sc_status sc_layers_read_option(const cJSON *value, const char *what, struct sc_layer **out, int *n,
                                struct sc_error *err) {
  const cJSON *entry;
  int count = cJSON_IsObject(value) ? cJSON_GetArraySize(value) : 0;
  sc_status st = SC_OK;
  *out = NULL;
  *n = 0;
  if (!value) return SC_OK;
  if (count < 1 || count > SC_LAYERS_MAX) {
    return sc_option_fail(err, what, "layers", value,
                          "an object of 1 to %d layers by their names, {\"label\": {\"source\": "
                          "...}}",
                          SC_LAYERS_MAX);
  }
  *out = sc_alloc_zero((size_t)count, sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  *n = count;
  int i = 0;
  cJSON_ArrayForEach(entry, value) {
    if (!st) st = read_layer(entry, what, &(*out)[i++], err);
  }
  return st;
}

void sc_layers_free(struct sc_layer *layers, int n) {
  for (int i = 0; i < n; i++) sc_free(layers[i].source);
  sc_free(layers);
}

/* --- candidates --- */

static sc_status add_candidate(struct sc_connection *c, const struct sc_layer *layer,
                               const struct sc_chip_name *name, const struct sc_chip *chip,
                               struct sc_layer_chips *to, struct sc_error *err) {
  struct sc_chip *grown = sc_realloc(to->chips, (to->n + 1) * sizeof *grown);
  if (!grown) return sc_fail_nomem(err);
  to->chips = grown;
  sc_status st = sc_chip_open_on(c, name, &layer->options, chip, &grown[to->n], err);
  if (!st) to->n++;
  return st;
}

/* Each item of the merged index that lies there, by one of its chips. */
static sc_status open_merged(struct sc_connection *c, const struct sc_layer *layer,
                             const char *schema, const char *table, const struct sc_chip *chip,
                             struct sc_layer_chips *to, struct sc_error *err) {
  struct sc_buffer footprint = {0};
  struct sc_footprint lies;
  sqlite3_stmt *stmt = NULL;
  const char *datetime = chip->scene->item.datetime;
  int is_row = 1, has_place = 0;
  sc_status st = sc_chip_footprint(chip, &has_place, &lies, err);
  if (!st && !has_place) return SC_OK;
  if (!st) st = sc_footprint_to_blob(&lies, 0, &footprint, err);
  sc_connection_begin_query(c);
  if (!st) st = sc_db_prepare(c->db, sql_pixels_layer_items, schema, table, &stmt, err);
  if (!st) {
    sqlite3_bind_blob64(stmt, 1, footprint.data, footprint.size, SQLITE_STATIC);
    if (datetime[0]) sqlite3_bind_text(stmt, 2, datetime, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 3, layer->when);
  }
  while (!st && is_row) {
    st = sc_db_next(stmt, &is_row, err);
    const struct sc_chip_name name = {.is_rowid = 1,
                                      .rowid = st ? 0 : sqlite3_column_int64(stmt, 0)};
    if (!st && is_row) st = add_candidate(c, layer, &name, chip, to, err);
  }
  sqlite3_finalize(stmt);
  sc_connection_end_query(c);
  sc_buffer_free(&footprint);
  return st;
}

/* An item or a raster: a handle of any of its chips names it. */
static sc_status open_item(struct sc_connection *c, const struct sc_layer *layer,
                           const struct sc_chip *chip, struct sc_layer_chips *to,
                           struct sc_error *err) {
  struct sc_buffer handle = {0};
  sc_status st = sc_buffer_append_text(&handle, "{\"item\":", err);
  int is_object = layer->source[0] == '{';
  if (!st)
    st = is_object ? sc_buffer_append_text(&handle, layer->source, err)
                   : sc_buffer_append_json(&handle, layer->source, err);
  if (!st) {
    st = sc_buffer_append_text(
        &handle, ",\"platform\":\"none\",\"chip_size\":1,\"chip_index_x\":0,\"chip_index_y\":0}",
        err);
  }
  if (!st) st = sc_buffer_append(&handle, "", 1, err); /* names of chips end with a zero */
  const struct sc_chip_name name = {.text = (const char *)handle.data,
                                    .text_bytes = st ? 0 : handle.size - 1};
  if (!st) st = add_candidate(c, layer, &name, chip, to, err);
  sc_buffer_free(&handle);
  return st;
}

/* The layer of that name of the data set that the chip is of. */
static sc_status open_frozen(struct sc_connection *c, const struct sc_layer *layer,
                             const struct sc_chip *chip, struct sc_layer_chips *to,
                             struct sc_error *err) {
  if (!chip->cached->frozen)
    return sc_fail(err, SC_BAD_ARG, "source 'frozen' is for chips of a frozen data set");
  to->chips = sc_alloc_zero(1, sizeof *to->chips);
  if (!to->chips) return sc_fail_nomem(err);
  sc_status st = sc_frozen_open_layer(c, chip, layer->name, &to->chips[0], err);
  if (!st) to->n = 1;
  return st;
}

static sc_status open_layer(struct sc_connection *c, const struct sc_layer *layer,
                            const struct sc_chip *chip, struct sc_layer_chips *to,
                            struct sc_error *err) {
  const char *schema, *table;
  if (strcmp(layer->source, FROZEN) == 0) return open_frozen(c, layer, chip, to, err);
  if (layer->source[0] == '{') return open_item(c, layer, chip, to, err);
  sc_status st = sc_merge_resolve(c->db, layer->source, &schema, &table, err);
  if (st == SC_NOT_FOUND) {
    sc_error_init(err);
    return open_item(c, layer, chip, to, err);
  }
  return st ? st : open_merged(c, layer, schema, table, chip, to, err);
}

sc_status sc_layers_open(struct sc_connection *c, const struct sc_chip_options *options,
                         struct sc_chip *chip, struct sc_error *err) {
  sc_status st = SC_OK;
  if (options->n_layers == 0) return SC_OK;
  st = sc_chip_check_placed(chip, err);
  if (st) return st;
  chip->layers = sc_alloc_zero((size_t)options->n_layers, sizeof *chip->layers);
  if (!chip->layers) return sc_fail_nomem(err);
  chip->n_layers = options->n_layers;
  for (int i = 0; i < options->n_layers && !st; i++) {
    st = open_layer(c, &options->layers[i], chip, &chip->layers[i], err);
    if (st) sc_fail_within(err, "layer %s", options->layers[i].name);
  }
  return st;
}

void sc_layers_close(struct sc_chip *chip) {
  for (int i = 0; i < chip->n_layers; i++) {
    for (size_t k = 0; k < chip->layers[i].n; k++) sc_chip_close(&chip->layers[i].chips[k]);
    sc_free(chip->layers[i].chips);
  }
  sc_free(chip->layers);
  chip->layers = NULL;
  chip->n_layers = 0;
}

void sc_layers_forget(struct sc_connection *c, const struct sc_chip *chip, sc_status status) {
  for (int i = 0; i < chip->n_layers; i++) {
    for (size_t k = 0; k < chip->layers[i].n; k++)
      sc_scenes_forget_failed(c, chip->layers[i].chips[k].cached, status);
  }
}

/* --- reading --- */

/* How many bands a layer has where no item lies: as many as assets are named. */
static int named_bands(const struct sc_layer *layer) {
  int n = cJSON_IsArray(layer->options.assets) ? cJSON_GetArraySize(layer->options.assets) : 1;
  return n > 0 ? n : 1;
}

static const struct sc_layer_chips *candidates(const struct sc_chip *chip, int k) {
  static const struct sc_layer_chips none = {NULL, 0};
  return chip->layers ? &chip->layers[k] : &none;
}

sc_status sc_layer_plan(const struct sc_chip_options *options, int k, const struct sc_chip *chips,
                        size_t n, struct sc_layer_array *out, struct sc_error *err) {
  const struct sc_layer *layer = &options->layers[k];
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < n; i++) {
    const struct sc_layer_chips *found = candidates(&chips[i], k);
    for (size_t j = 0; j < found->n; j++) {
      const struct sc_chip *one = &found->chips[j];
      if (out->n_bands && one->n_bands != out->n_bands) {
        return sc_fail(err, SC_BAD_DATA, "layer %s: item %s has %d bands, others have %d",
                       layer->name, one->scene->item.id, one->n_bands, out->n_bands);
      }
      out->n_bands = one->n_bands;
      out->dtype = sc_dtype_promote(out->dtype, one->dtype);
    }
  }
  if (out->dtype == SC_DTYPE_NONE && layer->options.dtype)
    out->dtype = (enum sc_dtype)layer->options.dtype;
  if (out->dtype == SC_DTYPE_NONE) out->dtype = SC_DTYPE_U8;
  if (!out->n_bands) out->n_bands = layer->n_bands ? layer->n_bands : named_bands(layer);
  if (n)
    out->chip_bytes = (size_t)out->n_bands * (size_t)chips[0].width * (size_t)chips[0].height *
                      sc_dtype_bytes(out->dtype);
  return SC_OK;
}

/* What one call reads: the next candidate of each chip that has pixels open. */
struct round {
  struct sc_chip *chips; /* borrowed copies */
  size_t *whose;         /* position of each one's chip */
  size_t n;
  unsigned char *pixels; /* as the array's */
  uint8_t *valid;        /* of each value */
  struct sc_error *errors;
  uint8_t *done;    /* of each chip's pixels */
  uint8_t *is_open; /* of each chip: some pixels are not done */
};

static void round_free(struct round *r) {
  sc_free(r->chips);
  sc_free(r->whose);
  sc_free(r->pixels);
  sc_free(r->valid);
  sc_free(r->errors);
  sc_free(r->done);
  sc_free(r->is_open);
}

static sc_status round_init(size_t n, const struct sc_layer_array *a, struct round *r,
                            struct sc_error *err) {
  const size_t values = a->chip_bytes / sc_dtype_bytes(a->dtype);
  r->chips = sc_alloc_zero(n, sizeof *r->chips);
  r->whose = sc_alloc_zero(n, sizeof *r->whose);
  r->errors = sc_alloc_zero(n, sizeof *r->errors);
  r->pixels = sc_alloc_zero(n, a->chip_bytes);
  r->valid = sc_alloc_zero(n, values);
  r->done = sc_alloc_zero(n, values / (size_t)a->n_bands);
  r->is_open = sc_alloc_zero(n, 1);
  int ok = r->chips && r->whose && r->errors && r->pixels && r->valid && r->done && r->is_open;
  return ok ? SC_OK : sc_fail_nomem(err);
}

/* Take pixels that are not done and have a valid band. Returns 1 where some are still open. */
static int take_pixels(const struct sc_layer_array *a, size_t plane, const unsigned char *from,
                       const uint8_t *valid, unsigned char *to, uint8_t *done) {
  const size_t size = sc_dtype_bytes(a->dtype);
  int is_open = 0;
  for (size_t p = 0; p < plane; p++) {
    if (done[p]) continue;
    for (int b = 0; b < a->n_bands; b++) {
      size_t at = (size_t)b * plane + p;
      if (!valid[at]) continue;
      memcpy(to + at * size, from + at * size, size);
      done[p] = 1;
    }
    is_open |= !done[p];
  }
  return is_open;
}

/* Fill an array with what it has where no item is: the option's value, a nodata value, or 0. */
static sc_status fill_array(const struct sc_layer *layer, const struct sc_chip *chip, int k,
                            const struct sc_layer_array *a, unsigned char *pixels,
                            struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const struct sc_layer_chips *found = candidates(chip, k);
  const size_t size = sc_dtype_bytes(a->dtype), plane = a->chip_bytes / size / (size_t)a->n_bands;
  if (!raster) return err->status;
  for (int b = 0; b < a->n_bands; b++) {
    const struct sc_nodata *nodata = found->n ? &found->chips[0].bands[b].validity.nodata : NULL;
    double v = layer->options.has_fill    ? layer->options.fill
               : nodata && nodata->is_set ? nodata->value
                                          : 0;
    raster->convert(&v, SC_DTYPE_F64, 0, pixels + (size_t)b * plane * size, a->dtype, size, plane);
  }
  return SC_OK;
}

/* Read the candidates that a round has, and take what they give. errors: one a chip. */
static sc_status run_round(const struct sc_layer *layer, struct round *r, struct sc_layer_array *a,
                           struct sc_error *errors, struct sc_error *err) {
  const size_t values = a->chip_bytes / sc_dtype_bytes(a->dtype);
  const size_t plane = values / (size_t)a->n_bands;
  const struct sc_chip_target to = {
      .dtype = a->dtype, .pixels = r->pixels, .valid = r->valid, .errors = r->errors};
  memset(r->errors, 0, r->n * sizeof *r->errors);
  sc_status st = sc_chips_read(NULL, r->chips, r->n, &layer->options, &to, err);
  for (size_t i = 0; i < r->n && !st; i++) {
    size_t chip = r->whose[i];
    if (r->errors[i].status) {
      errors[chip] = r->errors[i];
      sc_fail_within(&errors[chip], "layer %s", layer->name);
      r->is_open[chip] = 0;
      continue;
    }
    r->is_open[chip] =
        (uint8_t)take_pixels(a, plane, r->pixels + i * a->chip_bytes, r->valid + i * values,
                             a->pixels + chip * a->chip_bytes, r->done + chip * plane);
  }
  return st;
}

sc_status sc_layer_read(const struct sc_chip_options *options, int k, const struct sc_chip *chips,
                        size_t n, struct sc_layer_array *a, struct sc_error *errors,
                        struct sc_error *err) {
  const struct sc_layer *layer = &options->layers[k];
  struct round r = {0};
  sc_status st = round_init(n, a, &r, err);
  for (size_t i = 0; i < n && !st; i++) {
    r.is_open[i] = !errors[i].status; /* a chip that has failed keeps its own error */
    st = fill_array(layer, &chips[i], k, a, a->pixels + i * a->chip_bytes, err);
  }
  for (size_t next = 0; !st; next++) {
    r.n = 0;
    for (size_t i = 0; i < n; i++) {
      const struct sc_layer_chips *found = candidates(&chips[i], k);
      if (!r.is_open[i] || next >= found->n) continue;
      r.chips[r.n] = found->chips[next];
      r.whose[r.n++] = i;
    }
    if (r.n == 0) break;
    st = run_round(layer, &r, a, errors, err);
  }
  round_free(&r);
  return st;
}
