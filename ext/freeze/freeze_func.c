/*
 * stacchip_freeze(path, query [, options]): the chips of a query as one file, or as shards; see
 * freeze.h. NULL gives NULL.
 */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/hash.h"
#include "base/help.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "freeze/freeze.h"
#include "pixels/exported.h"
#include "pixels/layers.h"
#include "pixels/reader.h"
#include "pixels/shuffle.h"
#include "store/href.h"

#define BATCH_BYTES ((size_t)32 << 20) /* of pixels that are read at once */
#define BATCH_MAX_CHIPS 64
#define AHEAD 1
#define SHARD_BYTES ((int64_t)256 << 20)

/* The chips of one split. */
struct part {
  char *name;     /* NULL without splits; owned */
  uint32_t *rows; /* of the samples; owned */
  size_t n;
  struct sc_order order; /* of the samples' rows */
};

struct freeze {
  struct sc_connection *c;
  struct sc_freeze_options options;
  struct sc_samples samples;
  struct sc_order_item *places;
  struct part *parts;
  size_t n_parts;
  struct sc_freeze_items items;
  struct sc_dataset_plan plan;
  struct sc_dataset *dataset;
  struct sc_shards *shards;
  struct sc_dataset_state state;
  size_t shard_batches; /* batches of a shard */
  struct sc_packer packer;
  struct sc_buffer *packed; /* of the pixels and of each layer */
  int n_arrays;
  struct sc_progress progress;
  size_t n_chips;  /* of all parts */
  size_t n_looked; /* chips that were opened and looked at */
  enum sc_dtype layer_types[SC_LAYERS_MAX];
  uint64_t layers_hash; /* of the files of all layers */
};

/* --- options --- */

static sc_status check_options(const struct sc_freeze_options *o, int has_codec, int has_shards,
                               struct sc_error *err) {
  const char *format = sc_freeze_format_name(o->format);
  if (has_codec && o->format != SC_FREEZE_STACCHIP) {
    return sc_fail(err, SC_BAD_ARG, SC_FREEZE ": option 'codec' is for the format stacchip, not %s",
                   format);
  }
  if (has_shards && !sc_freeze_has_shards(o->format)) {
    return sc_fail(err, SC_BAD_ARG,
                   SC_FREEZE ": option 'shard_bytes' is for the formats webdataset and npy, not %s",
                   format);
  }
  if (o->chip.on_error == SC_ON_ERROR_NULL) {
    return sc_fail(err, SC_BAD_ARG,
                   SC_FREEZE ": option 'on_error': 'null' is not one of abort, skip");
  }
  if (o->chip.on_error == SC_ON_ERROR_SKIP && o->format == SC_FREEZE_NPY) {
    return sc_fail(err, SC_BAD_ARG,
                   SC_FREEZE
                   ": option 'on_error': 'skip' is not for the format npy, whose files "
                   "begin with the number of chips that follow");
  }
  return SC_OK;
}

struct raw_own {
  const cJSON *shuffle;
  int format, codec;
  int64_t shard_bytes;
  const char *splits;
};
#define AT(member) offsetof(struct raw_own, member)
static const struct sc_option own_table[] = {
    {"format", SC_OPTION_CHOICE, AT(format), 0, 0, SC_FREEZE_FORMATS, "\"stacchip\"",
     "stacchip: one SQLite file; manifest: that without pixels; the others: a folder of shards"},
    {"codec", SC_OPTION_CHOICE, AT(codec), 0, 0, SC_PACKING_CHOICES, "\"zstd\"",
     "of stacchip: how pixels are packed"},
    {"shard_bytes", SC_OPTION_INT, AT(shard_bytes), 1 << 16, 1e12, NULL, "268435456",
     "of webdataset and npy: pixels of a shard, at most"},
    {"splits", SC_OPTION_TEXT, AT(splits), 0, 0, NULL, NULL,
     "a column of the query: the chips of each of its values lie together"},
    {"shuffle", SC_OPTION_JSON, AT(shuffle), 0, 0, "a seed, an object, or false", "0",
     "the order: false is the query's, else shuffled in blocks of the files"},
};

static sc_status parse_options(const char *text, struct sc_freeze_options *out,
                               struct sc_error *err) {
  struct raw_own raw = {.codec = -1, .shard_bytes = -1};
  const struct sc_option_set own = {own_table, sizeof own_table / sizeof *own_table, &raw, NULL};
  sc_status st = sc_chip_options_parse_with(text, SC_OPTIONS_FREEZE, &own, &out->chip, err);
  if (st) return st;
  out->chip.format = SC_FORMAT_RAW;
  out->format = raw.format;
  out->packing = raw.codec < 0 ? SC_PACKING_ZSTD : raw.codec;
  out->shard_bytes = raw.shard_bytes < 0 ? SHARD_BYTES : raw.shard_bytes;
  out->splits = raw.splits;
  out->order = (struct sc_order_options){
      .is_shuffled = 1, .mix = SC_SHUFFLE_MIX_DEFAULT, .world = 1, .n = 1};
  if (cJSON_IsFalse(raw.shuffle)) {
    out->order.is_shuffled = 0;
  } else {
    st = sc_shuffle_read(raw.shuffle, SC_FREEZE, &out->order, err);
  }
  return st ? st : check_options(out, raw.codec >= 0, raw.shard_bytes >= 0, err);
}

/* --- what is to be frozen --- */

/* Take the shape and the type of a chip in: one shape for all, a type that holds all. */
static sc_status take_shape(struct freeze *f, struct sc_chip *chip, struct sc_error *err) {
  struct sc_freeze_shape *s = &f->plan.shape;
  if (!s->n_bands) {
    *s = (struct sc_freeze_shape){SC_DTYPE_NONE, chip->n_bands, chip->height, chip->width};
  } else if (s->n_bands != chip->n_bands || s->height != chip->height || s->width != chip->width) {
    return sc_fail(err, SC_BAD_DATA,
                   "item %s: its chips have shape (%d, %d, %d), others (%d, %d, %d); chips of a "
                   "data set have one shape",
                   chip->scene->item.id, chip->n_bands, chip->height, chip->width, s->n_bands,
                   s->height, s->width);
  }
  s->dtype = sc_dtype_promote(s->dtype, chip->dtype);
  return SC_OK;
}

/* What is done with an open chip. */
typedef sc_status looker(struct freeze *f, struct sc_chip *chip, struct sc_error *err);

static sc_status look_at_chip(struct freeze *f, size_t row, looker *with, struct sc_error *err) {
  struct sc_chip_name name;
  struct sc_chip chip;
  struct sc_error own = {0};
  sc_status st = sc_samples_name(&f->samples, row, &name, err);
  if (st) return st;
  st = sc_chip_open_named(f->c, &name, &f->options.chip, &chip, &own);
  if (!st) {
    st = with(f, &chip, &own);
    f->n_looked += !st;
    sc_chip_close(&chip);
  }
  if (sc_on_error_applies(st) && f->options.chip.on_error == SC_ON_ERROR_SKIP) st = SC_OK;
  if (st) *err = own;
  return st ? st : sc_interrupt_check(err);
}

/* Look at a chip of each source of chips: the first, or where chips that fail are left out, the
 * first that can be opened. */
static sc_status look_at_sources(struct freeze *f, looker *with, struct sc_error *err) {
  const struct sc_samples *s = &f->samples;
  uint8_t *is_known = sc_alloc_zero(s->n_sources + 1, 1);
  sc_status st = is_known ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < s->n && !st; i++) {
    uint32_t source = s->rows[i].chip.item;
    size_t before = f->n_looked;
    if (is_known[source]) continue;
    st = look_at_chip(f, i, with, err);
    is_known[source] = f->n_looked > before;
  }
  sc_free(is_known);
  return st;
}

/* Take the layers of a chip in: a number of bands for all, a type that holds all, their files. */
static sc_status take_layers(struct freeze *f, struct sc_chip *chip, struct sc_error *err) {
  const struct sc_freeze_row nowhere = {NULL, ""};
  const struct sc_chip_options *o = &f->options.chip;
  char digest[SC_VERSION_TEXT_BYTES];
  for (int k = 0; k < o->n_layers; k++) {
    struct sc_layer *layer = &o->layers[k];
    struct sc_layer_array array;
    if (!chip->layers[k].n) continue;
    sc_status st = sc_layer_plan(o, k, chip, 1, &array, err);
    if (st) return st;
    if (layer->n_bands && layer->n_bands != array.n_bands) {
      return sc_fail(err, SC_BAD_DATA, "layer %s: item %s has %d bands, others have %d",
                     layer->name, chip->layers[k].chips[0].scene->item.id, array.n_bands,
                     layer->n_bands);
    }
    layer->n_bands = array.n_bands;
    f->layer_types[k] = sc_dtype_promote(f->layer_types[k], array.dtype);
  }
  sc_status st = sc_freeze_layers_of(f->c, &f->items, &f->options, chip, &nowhere, digest, err);
  if (!st) f->layers_hash = sc_hash_bytes(f->layers_hash, digest, sizeof digest);
  return st;
}

/* Which items a layer is of differs from chip to chip, so all are opened for it. */
static sc_status look_at_layers(struct freeze *f, struct sc_error *err) {
  struct sc_chip_options *o = &f->options.chip;
  sc_status st = SC_OK;
  for (size_t i = 0; o->n_layers && i < f->samples.n && !st; i++)
    st = look_at_chip(f, i, take_layers, err);
  for (int k = 0; k < o->n_layers; k++) o->layers[k].options.dtype = (int)f->layer_types[k];
  return st;
}

static sc_status look_at_item(struct freeze *f, struct sc_chip *chip, struct sc_error *err) {
  struct sc_freeze_item *item;
  return sc_freeze_item_of(f->c, &f->items, &f->options, chip, &item, err);
}

static sc_status check_shape(const struct freeze *f, struct sc_error *err) {
  const struct sc_freeze_shape *s = &f->plan.shape;
  double bytes = (double)s->n_bands * s->height * s->width * (double)sc_dtype_bytes(s->dtype);
  if (!s->n_bands)
    return sc_fail(err, SC_BAD_ARG, SC_FREEZE ": the query names no chip that can be opened");
  if (bytes <= (double)SC_PQ_PAGE_MAX_BYTES) return SC_OK;
  return sc_fail(err, SC_TOO_BIG, SC_FREEZE ": chips of %.0f bytes; the limit is %zu", bytes,
                 SC_PQ_PAGE_MAX_BYTES);
}

/* Shape, type, and the state of all files. */
static sc_status survey(struct freeze *f, struct sc_error *err) {
  sc_status st = sc_samples_place(f->c, &f->samples, &f->options.chip, &f->places, err);
  if (!st) st = look_at_sources(f, take_shape, err);
  if (!st) st = check_shape(f, err);
  f->options.chip.dtype = (int)f->plan.shape.dtype;
  if (!st) st = look_at_sources(f, look_at_item, err);
  return st ? st : look_at_layers(f, err);
}

/* --- splits --- */

/* Line k of the values of a row. */
static const char *value_of(const struct freeze *f, size_t row, int k, size_t *length) {
  const char *at = (const char *)f->samples.extras.data + f->samples.rows[row].extra;
  for (int i = 0; i < k; i++) at += strcspn(at, "\n") + 1;
  *length = strcspn(at, "\n");
  return at;
}

/* The text of a JSON value; NULL in *out for null. */
static sc_status text_of(const char *json, size_t n, char **out, struct sc_error *err) {
  cJSON *v = cJSON_ParseWithLength(json, n);
  sc_status st = cJSON_IsNull(v)     ? SC_OK
                 : cJSON_IsString(v) ? sc_strdup(v->valuestring, out, err)
                                     : sc_strndup(json, n, out, err);
  cJSON_Delete(v);
  return st;
}

static int by_name(const void *pa, const void *pb) {
  const struct part *a = pa, *b = pb;
  return strcmp(a->name, b->name);
}

static sc_status add_part(struct freeze *f, char *name, struct part **out, struct sc_error *err) {
  struct part *parts = sc_realloc(f->parts, (f->n_parts + 1) * sizeof *parts);
  uint32_t *rows = sc_alloc((f->samples.n + 1) * sizeof *rows);
  if (parts) f->parts = parts;
  if (!parts || !rows) {
    sc_free(rows);
    sc_free(name);
    return sc_fail_nomem(err);
  }
  *out = &parts[f->n_parts++];
  **out = (struct part){.name = name, .rows = rows};
  return SC_OK;
}

static sc_status add_to_part(struct freeze *f, size_t row, int column, struct sc_error *err) {
  size_t n, k = 0;
  char *name = NULL;
  const char *json = value_of(f, row, column, &n);
  struct part *part = NULL;
  sc_status st = text_of(json, n, &name, err);
  if (st || !name) return st; /* of no split */
  while (k < f->n_parts && strcmp(f->parts[k].name, name) != 0) k++;
  if (k < f->n_parts) {
    part = &f->parts[k];
    sc_free(name);
  } else if (k == 1000) {
    sc_free(name);
    return sc_fail(err, SC_BAD_ARG,
                   SC_FREEZE ": option 'splits': column '%s' has more than 1000 values",
                   f->options.splits);
  } else {
    st = add_part(f, name, &part, err);
  }
  if (!st) part->rows[part->n++] = (uint32_t)row;
  return st;
}

static sc_status cut_parts(struct freeze *f, struct sc_error *err) {
  const struct sc_samples *s = &f->samples;
  int column = 0;
  if (!f->options.splits) {
    struct part *all;
    sc_status st = add_part(f, NULL, &all, err);
    for (size_t i = 0; i < s->n && !st; i++) all->rows[all->n++] = (uint32_t)i;
    return st;
  }
  while (column < s->n_columns && strcmp(s->columns[column], f->options.splits) != 0) column++;
  if (column == s->n_columns) {
    return sc_fail(err, SC_BAD_ARG,
                   SC_FREEZE ": option 'splits': the query has no column '%s' beside its first one",
                   f->options.splits);
  }
  sc_status st = SC_OK;
  for (size_t i = 0; i < s->n && !st; i++) st = add_to_part(f, i, column, err);
  if (!st && f->n_parts) qsort(f->parts, f->n_parts, sizeof *f->parts, by_name);
  return st;
}

/* The chips of a part in the order that they are written. */
static sc_status order_part(struct freeze *f, struct part *p, struct sc_error *err) {
  struct sc_order_chip *chips = sc_alloc((p->n + 1) * sizeof *chips);
  if (!chips) return sc_fail_nomem(err);
  for (size_t i = 0; i < p->n; i++) chips[i] = f->samples.rows[p->rows[i]].chip;
  sc_status st = sc_order_make(f->places, chips, p->n, &f->options.order, &p->order, err);
  for (size_t i = 0; i < p->order.n_chips && !st; i++)
    p->order.chips[i] = p->rows[p->order.chips[i]];
  sc_free(chips);
  sc_free(p->rows);
  p->rows = NULL;
  f->n_chips += p->order.n_chips;
  return st;
}

/* Chips of a batch and batches of a shard: by the size of a chip alone. */
static void choose_sizes(struct freeze *f) {
  const struct sc_freeze_shape *s = &f->plan.shape;
  size_t chip =
      (size_t)s->n_bands * (size_t)s->height * (size_t)s->width * sc_dtype_bytes(s->dtype);
  size_t n = BATCH_BYTES / chip, shard = (size_t)f->options.shard_bytes / chip;
  n = n < 1 ? 1 : n > BATCH_MAX_CHIPS ? BATCH_MAX_CHIPS : n;
  shard = shard < 1 ? 1 : shard;
  if (n > shard) n = shard;
  f->options.order.n = n;
  f->shard_batches = shard / n;
}

static uint64_t hash_text(uint64_t h, const char *text) {
  return text ? sc_hash_bytes(h, text, strlen(text) + 1) : sc_hash_bytes(h, "\1", 1);
}

/* Which chip a rowid is of may change: a row is what it was looked up to be. */
static uint64_t hash_row(const struct freeze *f, size_t row, uint64_t h) {
  const struct sc_sample *sample = &f->samples.rows[row];
  const int64_t numbers[] = {sample->rowid, sample->chip.x, sample->chip.y};
  return hash_text(sc_hash_bytes(h, numbers, sizeof numbers), f->places[sample->chip.item].id);
}

/* What the data set depends on: what was begun with another plan cannot be gone on with. */
static sc_status find_plan(struct freeze *f, struct sc_error *err) {
  const struct sc_samples *s = &f->samples;
  char *options = cJSON_PrintUnformatted(f->options.chip.json.json);
  uint64_t h = hash_text(SC_HASH_START, options);
  sc_status st = SC_OK;
  cJSON_free(options);
  for (size_t i = 0; i < f->items.n; i++) {
    h = hash_text(h, f->items.items[i]->name);
    h = hash_text(h, f->items.items[i]->version);
  }
  for (int i = 0; i < s->n_columns; i++) h = hash_text(h, s->columns[i]);
  for (size_t k = 0; k < f->n_parts; k++) {
    const struct sc_order *order = &f->parts[k].order;
    h = hash_text(h, f->parts[k].name);
    for (size_t i = 0; i < order->n_chips && !st; i++) {
      struct sc_chip_name name;
      st = sc_samples_name(&f->samples, order->chips[i], &name, err);
      h = name.text ? hash_text(h, name.text) : hash_row(f, order->chips[i], h);
    }
  }
  if (f->options.chip.n_layers) h = sc_hash_bytes(h, &f->layers_hash, sizeof f->layers_hash);
  h = s->extras.size ? sc_hash_bytes(h, s->extras.data, s->extras.size) : h;
  snprintf(f->plan.plan, sizeof f->plan.plan, "%016llx", (unsigned long long)sc_hash_mix(h));
  return st;
}

static sc_status make_plan(struct freeze *f, const char *query, struct sc_error *err) {
  sc_status st =
      sc_samples_read(f->c, query, &f->options.chip, SC_OPTIONS_FREEZE, &f->samples, err);
  if (!st) st = survey(f, err);
  if (!st) choose_sizes(f);
  if (!st) st = cut_parts(f, err);
  for (size_t k = 0; k < f->n_parts && !st; k++) st = order_part(f, &f->parts[k], err);
  f->plan.options = &f->options;
  f->plan.columns = f->samples.columns;
  f->plan.n_columns = f->samples.n_columns;
  f->n_arrays = 1 + f->options.chip.n_layers;
  f->packed = sc_alloc_zero((size_t)f->n_arrays, sizeof *f->packed);
  if (!st && !f->packed) st = sc_fail_nomem(err);
  return st ? st : find_plan(f, err);
}

/* --- writing --- */

static void tell_progress(struct freeze *f, int is_last) {
  int64_t done = f->state.position < 0 ? (int64_t)f->n_chips : f->state.position;
  void (*tell)(struct sc_progress *, int64_t, int64_t, const char *) =
      is_last ? sc_progress_end : sc_progress_tell;
  tell(&f->progress, done, (int64_t)f->n_chips, "");
}

/* The values of a row's further columns as a JSON array. */
static sc_status make_values(const struct freeze *f, size_t row, struct sc_buffer *out,
                             struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "[", err);
  for (int k = 0; k < f->samples.n_columns && !st; k++) {
    size_t n;
    const char *value = value_of(f, row, k, &n);
    if (k) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append(out, value, n, err);
  }
  return st ? st : sc_buffer_append(out, "]", 2, err);
}

/* A chip that is open: its item, its row. */
static sc_status write_row(struct freeze *f, struct sc_chip *chip, size_t row,
                           struct sc_error *err) {
  struct sc_freeze_item *item;
  const struct sc_exported *exported;
  struct sc_buffer values = {0};
  char layers[SC_VERSION_TEXT_BYTES];
  int64_t x = 0, y = 0;
  sc_status st = sc_freeze_item_of(f->c, &f->items, &f->options, chip, &item, err);
  if (!st) st = sc_exported_of(chip, &exported, &x, &y, err);
  if (!st) st = sc_freeze_item_write(f->c, &f->items, &f->options, chip, item, f->dataset, err);
  if (!st)
    st = sc_freeze_layers_of(f->c, &f->items, &f->options, chip,
                             &(struct sc_freeze_row){f->dataset, item->name}, layers, err);
  if (!st) st = make_values(f, row, &values, err);
  if (!st) {
    const struct sc_dataset_chip to = {.position = f->state.position,
                                       .item = item->name,
                                       .x = x,
                                       .y = y,
                                       .layers = layers,
                                       .shard = f->shards ? f->state.shard : -1,
                                       .values = (const char *)values.data};
    st = sc_dataset_add_chip(f->dataset, &to, chip, err);
  }
  sc_buffer_free(&values);
  return st;
}

/* Chip i of a batch: its arrays. */
static void list_arrays(const struct freeze *f, const struct sc_job *job, size_t i,
                        struct sc_shard_array *out) {
  const struct sc_batch *b = &job->batch;
  out[0] = (struct sc_shard_array){NULL, b->dtype, f->plan.shape.n_bands,
                                   job->out.data + SC_JOB_HEAD + i * b->chip_bytes};
  for (int k = 0; k < b->n_layers; k++) {
    const struct sc_layer_array *layer = &b->layers[k];
    out[k + 1] = (struct sc_shard_array){f->options.chip.layers[k].name, layer->dtype,
                                         layer->n_bands, layer->pixels + i * layer->chip_bytes};
  }
}

static sc_status write_packed(struct freeze *f, const struct sc_shard_array *arrays,
                              struct sc_error *err) {
  const struct sc_freeze_shape *s = &f->plan.shape;
  struct sc_view views[1 + SC_LAYERS_MAX];
  sc_status st = SC_OK;
  for (int k = 0; k < f->n_arrays && !st; k++) {
    const struct sc_packed_shape shape = {arrays[k].dtype, (size_t)arrays[k].n_bands,
                                          (size_t)s->height, (size_t)s->width};
    st = sc_pack(&f->packer, (enum sc_packing)f->options.packing, &shape, arrays[k].values,
                 &f->packed[k], err);
    views[k] = (struct sc_view){f->packed[k].data, f->packed[k].size};
  }
  return st ? st : sc_dataset_add_pixels(f->dataset, f->state.position, views, f->n_arrays, err);
}

/* The type and bands of the layers, which are those of all batches. */
static sc_status keep_layers(struct freeze *f, struct sc_batch *b, struct sc_error *err) {
  const struct sc_freeze_shape *s = &f->plan.shape;
  struct sc_buffer json = {0};
  if (!b->n_layers) return SC_OK;
  sc_status st = sc_buffer_append_text(&json, "[", err);
  for (int k = 0; k < b->n_layers && !st; k++) {
    st = sc_buffer_printf(&json, err, "%s{\"name\":\"%s\",\"dtype\":\"%s\",\"shape\":[%d,%d,%d]}",
                          k ? "," : "", f->options.chip.layers[k].name,
                          sc_dtype_name(b->layers[k].dtype), b->layers[k].n_bands, s->height,
                          s->width);
  }
  if (!st) st = sc_buffer_append(&json, "]", 2, err);
  if (!st) st = sc_dataset_set_layers(f->dataset, (char *)json.data, err);
  sc_buffer_free(&json);
  return st;
}

static sc_status write_chip(struct freeze *f, struct sc_job *job, size_t i, size_t row,
                            struct sc_error *err) {
  struct sc_shard_array arrays[1 + SC_LAYERS_MAX];
  sc_status st = write_row(f, &job->batch.chips[i], row, err);
  if (!st && f->options.format != SC_FREEZE_MANIFEST) {
    list_arrays(f, job, i, arrays);
    st = f->shards
             ? sc_shards_add(f->shards, f->dataset, f->state.position, arrays, f->n_arrays, err)
             : write_packed(f, arrays, err);
  }
  f->state.position++;
  return st ? st : sc_interrupt_check(err);
}

static sc_status write_batch(struct freeze *f, const struct part *p, struct sc_job *job,
                             struct sc_error *err) {
  struct sc_batch *b = &job->batch;
  sc_status st = keep_layers(f, b, err);
  for (size_t i = 0; i < b->n && !st; i++)
    st = write_chip(f, job, i, p->order.chips[b->positions[i]], err);
  tell_progress(f, 0);
  return st;
}

/* --- shards and transactions --- */

/* Chips of the shard that begins with batch k. */
static size_t chips_of_shard(const struct freeze *f, const struct part *p, size_t k) {
  size_t begin, end, unused, last = k + f->shard_batches;
  if (last > p->order.n_batches) last = p->order.n_batches;
  sc_order_batch(&p->order, k, &begin, &unused);
  sc_order_batch(&p->order, last - 1, &unused, &end);
  return end - begin;
}

/* Does a transaction begin, or end, with batch k? */
static int begins(const struct freeze *f, size_t k) {
  return !f->shards || k % f->shard_batches == 0;
}
static int ends(const struct freeze *f, const struct part *p, size_t k) {
  return k + 1 == p->order.n_batches || begins(f, k + 1);
}

static sc_status begin_batch(struct freeze *f, const struct part *p, size_t k,
                             struct sc_error *err) {
  if (!begins(f, k)) return SC_OK;
  sc_status st = sc_dataset_begin(f->dataset, &f->state, err);
  if (st || !f->shards) return st;
  return sc_shards_begin(f->shards, f->state.shard, p->name, chips_of_shard(f, p, k), err);
}

static sc_status end_batch(struct freeze *f, const struct part *p, size_t k, struct sc_error *err) {
  if (!ends(f, p, k)) return SC_OK;
  sc_status st = f->shards ? sc_shards_end(f->shards, f->dataset, err) : SC_OK;
  if (f->shards) f->state.shard++;
  int is_last = k + 1 == p->order.n_batches;
  f->state.batch = is_last ? 0 : (int64_t)k + 1;
  f->state.part += is_last;
  return st ? st : sc_dataset_commit(f->dataset, &f->state, err);
}

/* Chips without pixels are opened, and not read. */
static sc_status write_opened(struct freeze *f, struct part *p, struct sc_feed *feed,
                              struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t k = feed->first; k < p->order.n_batches && !st; k++) {
    struct sc_job job = {0};
    sc_feed_prepare(feed, k, &job);
    sc_feed_settle(feed, &job);
    st = job.status;
    if (st) *err = job.err;
    if (!st) st = begin_batch(f, p, k, err);
    if (!st) st = write_batch(f, p, &job, err);
    if (!st) st = end_batch(f, p, k, err);
    sc_job_free(&job);
  }
  return st;
}

static sc_status write_read(struct freeze *f, struct part *p, struct sc_feed *feed,
                            struct sc_error *err) {
  struct sc_reader *reader = NULL;
  sc_status st = sc_reader_start(feed, AHEAD, &reader, err);
  for (size_t k = feed->first; k < p->order.n_batches && !st; k++) {
    struct sc_job *job = NULL;
    st = sc_reader_next(reader, &job, err);
    if (!st) st = begin_batch(f, p, k, err);
    if (!st) st = write_batch(f, p, job, err);
    if (!st) st = end_batch(f, p, k, err);
  }
  sc_reader_stop(reader);
  return st;
}

static sc_status write_part(struct freeze *f, struct part *p, struct sc_error *err) {
  struct sc_feed feed = {.c = f->c,
                         .samples = &f->samples,
                         .order = &p->order,
                         .options = &f->options.chip,
                         .by_superblock = f->options.order.is_shuffled && f->options.order.mix > 0,
                         .first = (size_t)f->state.batch,
                         .limit = SC_CALL_MAX_BYTES};
  if (feed.first > p->order.n_batches)
    return sc_fail(err, SC_BAD_DATA, "%s: what was begun is damaged: remove it", f->plan.path);
  sc_status st = f->options.format == SC_FREEZE_MANIFEST ? write_opened(f, p, &feed, err)
                                                         : write_read(f, p, &feed, err);
  sc_feed_free(&feed);
  return st;
}

static sc_status write_all(struct freeze *f, struct sc_error *err) {
  int has_shards = sc_freeze_has_shards(f->options.format);
  sc_progress_begin(&f->progress, SC_FREEZE, "chips");
  sc_status st = has_shards ? sc_shards_open(&f->plan, &f->shards, err) : SC_OK;
  if (!st && f->state.position >= 0) {
    while (!st && (size_t)f->state.part < f->n_parts) {
      struct part *p = &f->parts[f->state.part];
      if (p->order.n_batches == 0) f->state.part++;
      if (p->order.n_batches) st = write_part(f, p, err);
    }
    if (!st) tell_progress(f, 1);
    if (!st) st = sc_freeze_items_check(&f->items, err);
  }
  if (!st) st = sc_dataset_complete(f->dataset, err);
  if (!st && f->shards) st = sc_shards_index(f->shards, f->dataset, err);
  sc_shards_close(f->shards);
  f->shards = NULL;
  return st ? st : sc_dataset_finish(f->dataset, err);
}

/* --- the call --- */

static sc_status freeze(struct freeze *f, const char *query, struct sc_dataset_result *out,
                        struct sc_error *err) {
  int is_done = 0;
  sc_status st = sc_href_allow_writing(f->plan.path, err);
  if (!st && sc_href_is_url(f->plan.path)) {
    st = sc_fail(err, SC_UNSUPPORTED,
                 SC_FREEZE ": %s: a data set is written to a local path; copy it from there",
                 f->plan.path);
  }
  if (!st) st = make_plan(f, query, err);
  if (!st) st = sc_dataset_open(&f->plan, &f->dataset, &f->state, &is_done, err);
  if (!st && !is_done) st = write_all(f, err);
  return st ? st : sc_dataset_result(f->plan.path, f->options.format, out, err);
}

static void freeze_free(struct freeze *f) {
  sc_dataset_close(f->dataset);
  for (size_t k = 0; k < f->n_parts; k++) {
    sc_free(f->parts[k].name);
    sc_free(f->parts[k].rows);
    sc_order_free(&f->parts[k].order);
  }
  sc_free(f->parts);
  for (int k = 0; f->packed && k < f->n_arrays; k++) sc_buffer_free(&f->packed[k]);
  sc_free(f->packed);
  sc_packer_free(&f->packer);
  sc_samples_items_free(f->places, f->samples.n_sources);
  sc_samples_free(&f->samples);
  sc_freeze_items_free(&f->items);
  sc_chip_options_free(&f->options.chip);
}

static sc_status take_arguments(struct freeze *f, int n, sqlite3_value **values, const char **query,
                                struct sc_error *err) {
  f->plan.path = (const char *)sqlite3_value_text(values[0]);
  *query = (const char *)sqlite3_value_text(values[1]);
  if (!f->plan.path || !*query) return sc_fail_nomem(err);
  size_t length = strlen(f->plan.path);
  if (!length) return sc_fail(err, SC_BAD_ARG, SC_FREEZE ": the path is empty");
  sc_status st =
      parse_options(n > 2 ? (const char *)sqlite3_value_text(values[2]) : NULL, &f->options, err);
  if (!st && f->plan.path[length - 1] == '/' && !sc_freeze_has_shards(f->options.format)) {
    st =
        sc_fail(err, SC_BAD_ARG, SC_FREEZE ": '%s' is a folder; format %s is a file: give its name",
                f->plan.path, sc_freeze_format_name(f->options.format));
  }
  return st;
}

static void freeze_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct freeze f = {.c = sqlite3_user_data(context)};
  struct sc_dataset_result result;
  struct sc_error err = {0};
  const char *query = NULL;
  for (int i = 0; i < 2; i++)
    if (sqlite3_value_type(values[i]) == SQLITE_NULL) return;
  sc_status st = sc_connection_check_direct(f.c, &err);
  if (!st) st = take_arguments(&f, n, values, &query, &err);
  if (!st) st = freeze(&f, query, &result, &err);
  freeze_free(&f);
  if (st) {
    sc_result_error(context, &err);
    return;
  }
  char *text = sqlite3_mprintf("{\"chips\":%lld,\"bytes\":%lld,\"shards\":%lld,\"hash\":\"%s\"}",
                               result.chips, result.bytes, result.shards, result.hash);
  if (!text) sqlite3_result_error_nomem(context);
  if (text) sqlite3_result_text(context, text, -1, sqlite3_free);
}

static const struct sc_help freeze_help = {
    .name = SC_FREEZE,
    .kind = SC_HELP_SCALAR,
    .about = "the chips of a query as one file or as shards, which need neither scenes nor network",
    .arguments =
        (const struct sc_help_name[]){
            {"path", "TEXT", NULL, "of the file, or of the folder of shards"},
            {"query", "TEXT", NULL, "SQL whose first column is a handle; the others are kept"},
            SC_HELP_OPTIONS,
            {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(own_table)},
                {"option", "", &sc_chip_option_tables[SC_OPTIONS_FREEZE]},
                {"key", "shuffle.", &sc_shuffle_option_table}},
    .example =
        "SELECT stacchip_freeze('chips.frozen', 'SELECT row FROM "
        "stacchip_index(''item.json'')', '{\"assets\": \"red\"}')",
};

int sc_freeze_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {SC_FREEZE, 2, SQLITE_DIRECTONLY, freeze_func, 0, 0},
      {SC_FREEZE, 3, SQLITE_DIRECTONLY, freeze_func, 0, 0},
  };
  sc_connection_help(c, &freeze_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
