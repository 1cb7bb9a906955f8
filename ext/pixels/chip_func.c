/*
 * stacchip_chip(row [, options]), stacchip_chip_info(row [, options]) and
 * stacchip_row_export(row [, options]). NULL gives NULL.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "index/handle.h"
#include "pixels/call.h"
#include "pixels/chip.h"
#include "pixels/encode.h"
#include "pixels/exported.h"
#include "pixels/layers.h"
#include "pixels/locate.h"
#include "pixels/result.h"

static size_t length_limit(sqlite3_context *context) {
  return (size_t)sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1);
}

static sc_status make_chip(struct sc_connection *c, sqlite3_value *row,
                           const struct sc_chip_options *options, size_t limit,
                           struct sc_buffer *out, struct sc_error *err) {
  struct sc_chip chip;
  sc_status st = sc_connection_check_direct(c, err);
  if (!st) st = sc_chip_open(c, row, options, &chip, err);
  if (st) return st;
  st = sc_chip_encode(c, &chip, options, limit, out, err);
  sc_chip_close(&chip);
  return st;
}

static void chip_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  struct sc_connection *c = sqlite3_user_data(context);
  int own;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  const struct sc_chip_options *options =
      sc_call_options(context, n > 1 ? values : NULL, 1, SC_OPTIONS_CHIP, &own, &err);
  c->run = sc_call_run(context, c);
  sc_status st =
      options ? make_chip(c, values[0], options, length_limit(context), &out, &err) : err.status;
  c->run = 0;
  if (!st) {
    sc_result_give(context, &out);
  } else {
    sc_buffer_free(&out);
    sc_call_fail(context, options, &err);
  }
  if (own) sc_call_free_options(options);
}

/* --- stacchip_chip_info --- */

/* What JSON has no number for as a text, as STAC has it: "nan", "inf", "-inf". */
static cJSON *nodata_json(const struct sc_delivered *d) {
  if (!d->has_nodata) return cJSON_CreateNull();
  if (isfinite(d->nodata)) return cJSON_CreateNumber(d->nodata);
  return cJSON_CreateString(isnan(d->nodata) ? "nan" : d->nodata > 0 ? "inf" : "-inf");
}

static void add_bands(cJSON *info, const struct sc_chip *chip,
                      const struct sc_chip_options *options) {
  cJSON *names = cJSON_AddArrayToObject(info, "assets"),
        *nodata = cJSON_AddArrayToObject(info, "nodata");
  cJSON *scale = cJSON_AddArrayToObject(info, "scale"),
        *offset = cJSON_AddArrayToObject(info, "offset");
  for (int i = 0; i < chip->n_bands; i++) {
    struct sc_delivered d;
    sc_chip_delivered(&chip->bands[i], options, &d);
    cJSON_AddItemToArray(names, cJSON_CreateString(chip->bands[i].name));
    cJSON_AddItemToArray(nodata, nodata_json(&d));
    cJSON_AddItemToArray(scale, cJSON_CreateNumber(d.scale));
    cJSON_AddItemToArray(offset, cJSON_CreateNumber(d.offset));
  }
}

static void add_place(cJSON *info, const struct sc_chip *chip) {
  const struct sc_window *w = &chip->window;
  double t[6], box[4] = {0};
  const double window[4] = {(double)w->x, (double)w->y, (double)w->width_px, (double)w->height_px};
  sc_chip_transform(chip, t);
  for (int corner = 0; corner < 4; corner++) {
    double column = corner & 1 ? chip->width : 0, row = corner & 2 ? chip->height : 0;
    double x = t[0] * column + t[1] * row + t[2], y = t[3] * column + t[4] * row + t[5];
    box[0] = corner == 0 || x < box[0] ? x : box[0];
    box[1] = corner == 0 || y < box[1] ? y : box[1];
    box[2] = corner == 0 || x > box[2] ? x : box[2];
    box[3] = corner == 0 || y > box[3] ? y : box[3];
  }
  cJSON_AddStringToObject(info, "crs", sc_chip_crs(chip));
  cJSON_AddItemToObject(info, "transform", cJSON_CreateDoubleArray(t, 6));
  cJSON_AddItemToObject(info, "window",
                        chip->has_target ? cJSON_CreateNull() : cJSON_CreateDoubleArray(window, 4));
  cJSON_AddItemToObject(info, "bbox", cJSON_CreateDoubleArray(box, 4));
}

static sc_status make_info(struct sc_connection *c, sqlite3_value *row,
                           const struct sc_chip_options *options, char **out,
                           struct sc_error *err) {
  struct sc_chip chip;
  sc_status st = sc_connection_check_direct(c, err);
  if (!st) st = sc_chip_open(c, row, options, &chip, err);
  if (st) return st;
  st = sc_chip_check_placed(&chip, err);
  if (st) {
    sc_chip_close(&chip);
    return st;
  }
  cJSON *info = cJSON_CreateObject();
  const double shape[3] = {chip.n_bands, chip.height, chip.width};
  cJSON_AddStringToObject(info, "item", chip.scene->item.id);
  if (chip.x >= 0) {
    cJSON_AddNumberToObject(info, "chip_index_x", (double)chip.x);
    cJSON_AddNumberToObject(info, "chip_index_y", (double)chip.y);
  }
  cJSON_AddItemToObject(info, "shape", cJSON_CreateDoubleArray(shape, 3));
  cJSON_AddStringToObject(info, "dtype", sc_dtype_name(chip.dtype));
  add_bands(info, &chip, options);
  add_place(info, &chip);
  *out = cJSON_PrintUnformatted(info);
  cJSON_Delete(info);
  sc_chip_close(&chip);
  return *out ? SC_OK : sc_fail_nomem(err);
}

static void info_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  char *text = NULL;
  int own;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  const struct sc_chip_options *options =
      sc_call_options(context, n > 1 ? values : NULL, 1, SC_OPTIONS_CHIP, &own, &err);
  if (!options || make_info(sqlite3_user_data(context), values[0], options, &text, &err)) {
    sc_call_fail(context, options, &err);
  } else {
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  }
  cJSON_free(text);
  if (own) sc_call_free_options(options);
}

/* --- stacchip_row_export --- */

enum export_form { FORM_WHOLE, FORM_SHORT, FORM_ITEM, FORM_ID };

struct export_options {
  struct sc_options json;
  int form; /* enum export_form */
  const char *table, *items;
};

#define EXPORT_FORMS "whole|short|item|id"
static const char *const export_forms[] = {"whole", "short", "item", "id"};

static const struct sc_option export_table[] = {
    {"form", SC_OPTION_CHOICE, offsetof(struct export_options, form), 0, 0, EXPORT_FORMS,
     "\"whole\"",
     "a handle with all in it, a short one, or the item and the id of a table of items; alone its "
     "word will do"},
    {"table", SC_OPTION_TEXT, offsetof(struct export_options, table), 0, 0, NULL, NULL,
     "where the handle is a rowid: the merged index"},
    {"items", SC_OPTION_TEXT, offsetof(struct export_options, items), 0, 0, NULL,
     "\"exported_items\"", "where the handle is a short one: the table of exported items"},
};

/* JSON, or the word of a form alone, or else a table. */
static sc_status parse_export(const char *text, struct export_options *out, struct sc_error *err) {
  const struct sc_option_set set = {export_table, sizeof export_table / sizeof *export_table, out,
                                    NULL};
  memset(out, 0, sizeof *out);
  if (!text) return SC_OK;
  if (text[strspn(text, " \t\r\n")] == '{')
    return sc_options_parse(text, "stacchip_row_export", &set, &out->json, err);
  for (int i = FORM_WHOLE; i <= FORM_ID; i++) {
    out->form = i;
    if (strcmp(text, export_forms[i]) == 0) return SC_OK;
  }
  out->form = FORM_WHOLE;
  out->table = text;
  return SC_OK;
}

static sc_status append_form(struct sc_chip *chip, int form, struct sc_buffer *out,
                             struct sc_error *err) {
  const struct sc_exported *e;
  int64_t x, y;
  sc_status st = sc_exported_of(chip, &e, &x, &y, err);
  if (st) return st;
  const char *text = (const char *)e->text.data;
  switch (form) {
    case FORM_SHORT: return sc_handle_short_format(e->name, x, y, out, err);
    case FORM_ITEM: return sc_buffer_append(out, text, e->text.size, err);
    case FORM_ID: return sc_buffer_append_text(out, e->name, err);
    default: return sc_handle_of_item(text, e->text.size, x, y, out, err);
  }
}

static sc_status export_row(struct sc_connection *c, sqlite3_value *row, const char *text,
                            struct sc_buffer *out, struct sc_error *err) {
  struct sc_chip chip;
  struct export_options o = {{0}, 0, NULL, NULL};
  const struct sc_chip_name name = sc_chip_name_of(row);
  sc_status st = sc_connection_check_direct(c, err);
  if (!st) st = parse_export(text, &o, err);
  const struct sc_chip_options options = {.table = o.table, .items = o.items};
  if (!st) st = sc_chip_locate(c, &name, &options, &chip, err);
  if (!st) {
    st = append_form(&chip, o.form, out, err);
    sc_chip_close(&chip);
  }
  sc_options_free(&o.json);
  return st;
}

static void export_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  struct sc_connection *c = sqlite3_user_data(context);
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  const char *options = n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL;
  c->run = sc_call_run(context, c);
  sc_status st = export_row(c, values[0], options, &out, &err);
  c->run = 0;
  if (st) {
    sc_result_error(context, &err);
    sc_buffer_free(&out);
    return;
  }
  sqlite3_result_text64(context, (char *)out.data, out.size, sc_free, SQLITE_UTF8);
}

static const struct sc_help chip_help = {
    .name = "stacchip_chip",
    .kind = SC_HELP_SCALAR,
    .about = "the pixels of one chip",
    .arguments = (const struct sc_help_name[]){SC_HELP_ROW, SC_HELP_OPTIONS, {0}},
    .options = {{"option", "", &sc_chip_option_tables[SC_OPTIONS_CHIP]},
                {"key", "layers.NAME.", &sc_layer_option_table},
                {"key", "row.", &sc_handle_option_table}},
    .example =
        "SELECT stacchip_chip(row, '{\"assets\": [\"red\", \"nir\"]}') FROM "
        "stacchip_index('item.json') LIMIT 1",
};

static const struct sc_help info_help = {
    .name = "stacchip_chip_info",
    .kind = SC_HELP_SCALAR,
    .about =
        "JSON: shape, type, assets, CRS, transform, window, bbox, nodata, scale and offset of what "
        "stacchip_chip() gives",
    .arguments =
        (const struct sc_help_name[]){
            SC_HELP_ROW, {"options", "JSON", "{}", "those of stacchip_chip"}, {0}},
    .example =
        "SELECT stacchip_chip_info(row) ->> '$.shape' FROM stacchip_index('item.json') LIMIT 1",
};

static const struct sc_help export_help = {
    .name = "stacchip_row_export",
    .kind = SC_HELP_SCALAR,
    .about = "a handle for another machine, that stands alone or is short",
    .arguments = (const struct sc_help_name[]){SC_HELP_ROW, SC_HELP_OPTIONS, {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(export_table)}},
    .example = "SELECT stacchip_row_export(row, 'short') FROM stacchip_index('item.json') LIMIT 1",
};

int sc_chip_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_chip", 1, SQLITE_DIRECTONLY, chip_func, 0, 0},
      {"stacchip_chip", 2, SQLITE_DIRECTONLY, chip_func, 0, 0},
      {"stacchip_chip_info", 1, SQLITE_DIRECTONLY, info_func, 0, 0},
      {"stacchip_chip_info", 2, SQLITE_DIRECTONLY, info_func, 0, 0},
      {"stacchip_row_export", 1, SQLITE_DIRECTONLY, export_func, 0, 0},
      {"stacchip_row_export", 2, SQLITE_DIRECTONLY, export_func, 0, 0},
  };
  sc_connection_help(c, &chip_help);
  sc_connection_help(c, &info_help);
  sc_connection_help(c, &export_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
