/* Writing the card of a frozen data set; see card.h. */
#include "cli/card.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "stac/item.h"
#include "store/sink.h"
#include "store/store.h"

#define PICTURE_PX 2048 /* of a contact sheet, about */
#define PICTURE_CHIPS 64

/* --- chips.csv --- */

/* A value as RFC 4180 has it. */
static sc_status put_value(sqlite3_stmt *row, int column, struct sc_buffer *out,
                           struct sc_error *err) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  if (!text) return SC_OK;
  if (!strpbrk(text, "\",\r\n")) return sc_buffer_append_text(out, text, err);
  sc_status st = sc_buffer_append_text(out, "\"", err);
  for (; *text && !st; text++) {
    st = sc_buffer_append(out, text, 1, err);
    if (!st && *text == '"') st = sc_buffer_append_text(out, "\"", err);
  }
  return st ? st : sc_buffer_append_text(out, "\"", err);
}

struct csv {
  struct sc_sink sink;
  struct sc_buffer line;
};

static sc_status put_line(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct csv *csv = context;
  sc_status st = SC_OK;
  csv->line.size = 0;
  for (int i = 0; i < sqlite3_column_count(row) && !st; i++) {
    if (i) st = sc_buffer_append_text(&csv->line, ",", err);
    if (!st) st = put_value(row, i, &csv->line, err);
  }
  if (!st) st = sc_buffer_append_text(&csv->line, "\n", err);
  return st ? st : sc_sink_write(&csv->sink, csv->line.data, csv->line.size, err);
}

static const char *const own_columns[] = {
    "c.position", "c.handle", "i.item_id", "i.collection", "i.platform", "i.datetime", "c.x",
    "c.y",        "c.width",  "c.height",  "c.west",       "c.south",    "c.east",     "c.north"};

/* The columns of the table, the query's in place of the item's where names are equal. */
static void add_columns(const struct sc_card *card, sqlite3_str *names, sqlite3_str *values) {
  const cJSON *name;
  const char *between = "SELECT ";
  for (size_t i = 0; i < sizeof own_columns / sizeof *own_columns; i++) {
    const char *own = own_columns[i] + 2;
    if (strcmp(own, "item_id") == 0) own = "item";
    if (sc_card_has_column(card, own)) continue;
    sqlite3_str_appendf(names, "%s%Q", between, own);
    sqlite3_str_appendf(values, "%s%s", between, own_columns[i]);
    between = ",";
  }
  cJSON_ArrayForEach(name, card->columns) {
    if (!cJSON_IsString(name)) continue;
    sqlite3_str_appendf(names, ",%Q", name->valuestring);
    sqlite3_str_appendf(values, ",c.\"%w\"", name->valuestring);
  }
}

static sc_status write_lines(const struct sc_card *card, struct csv *csv, struct sc_error *err) {
  sqlite3_str *names = sqlite3_str_new(NULL), *values = sqlite3_str_new(NULL);
  add_columns(card, names, values);
  sqlite3_str_appendall(values,
                        " FROM chips AS c JOIN items AS i ON i.id = c.item ORDER BY c.position");
  char *head = sqlite3_str_finish(names), *rows = sqlite3_str_finish(values);
  sc_status st = head && rows ? SC_OK : sc_fail_nomem(err);
  if (!st) st = sc_cli_rows(card->db, put_line, csv, err, head);
  if (!st) st = sc_cli_rows(card->db, put_line, csv, err, rows);
  sqlite3_free(head);
  sqlite3_free(rows);
  return st;
}

static sc_status write_csv(const struct sc_card *card, struct sc_error *err) {
  struct csv csv = {0};
  char *path = NULL;
  sc_status st = sc_format(&path, err, "%s/%schips.csv", card->folder, card->prefix);
  if (!st) st = sc_sink_open(path, SC_SINK_ALONE, &csv.sink, err);
  if (!st) st = write_lines(card, &csv, err);
  if (!st) st = sc_sink_finish(&csv.sink, err);
  if (!st) st = sc_sink_commit(&csv.sink, err);
  sc_sink_close(&csv.sink);
  sc_buffer_free(&csv.line);
  sc_free(path);
  return st;
}

/* --- preview.jpg --- */

/* Red, green and blue where the data set has them, else its first band. */
static void add_assets(const struct sc_card *card, cJSON *options) {
  static const char *const rgb[] = {"red", "green", "blue"};
  const cJSON *band;
  int n = 0;
  for (int i = 0; i < 3; i++) {
    cJSON_ArrayForEach(band, card->bands) {
      const char *name = sc_json_text(band, "name");
      if (name && strcmp(name, rgb[i]) == 0) {
        n++;
        break;
      }
    }
  }
  const char *first = sc_json_text(card->bands->child, "name");
  cJSON_DeleteItemFromObjectCaseSensitive(options, "assets");
  if (n == 3) {
    cJSON_AddItemToObject(options, "assets", cJSON_CreateStringArray(rgb, 3));
  } else if (first) {
    cJSON_AddItemToObject(options, "assets", cJSON_CreateStringArray(&first, 1));
  }
}

/* Chips at equal distances; they lie in random order. */
static sc_status draw(const struct sc_card *card, cJSON *options, struct sc_buffer *out, int *found,
                      struct sc_error *err) {
  int width = cJSON_GetArrayItem(card->shape, 2)->valueint;
  int64_t across = width > 0 && width < PICTURE_PX ? PICTURE_PX / width : 1;
  int64_t n = across * across < PICTURE_CHIPS ? across * across : PICTURE_CHIPS;
  char count[24];
  cJSON_AddStringToObject(options, "format", "jpeg");
  char *text = cJSON_PrintUnformatted(options);
  cJSON_DeleteItemFromObjectCaseSensitive(options, "format");
  snprintf(count, sizeof count, "%lld", (long long)(n < card->n_chips ? n : card->n_chips));
  sc_status st =
      text ? sc_cli_text(card->db, out, found, err,
                         "WITH RECURSIVE t(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM t WHERE k + "
                         "1 < CAST(?1 AS INT)) SELECT stacchip_stack(handle, ?2) FROM (SELECT "
                         "handle FROM t JOIN chips ON position = t.k * (SELECT count(*) FROM "
                         "chips) / CAST(?1 AS INT) ORDER BY position)",
                         count, text)
           : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

/* A picture of some chips; without one where they cannot be drawn, which is said. */
static sc_status write_picture(const struct sc_card *card, int *has_picture, struct sc_error *err) {
  int is_manifest = strcmp(card->format, "stacchip") != 0;
  cJSON *options = is_manifest && card->options ? cJSON_Parse(card->options) : NULL;
  struct sc_buffer picture = {0};
  struct sc_error failure = {0};
  char *name = NULL;
  if (!options) options = cJSON_CreateObject();
  add_assets(card, options);
  sc_status st = draw(card, options, &picture, has_picture, &failure);
  if (st && cJSON_GetArraySize(options) > 1) { /* some that make no picture, as a cast */
    cJSON *plain = cJSON_CreateObject();
    add_assets(card, plain);
    failure = (struct sc_error){0};
    st = draw(card, plain, &picture, has_picture, &failure);
    cJSON_Delete(plain);
  }
  cJSON_Delete(options);
  *has_picture = *has_picture && !st;
  if (st) sc_cli_say("no picture: %s", failure.text);
  st = sc_card_name(card, "preview.jpg", &name, err);
  if (!st && *has_picture) st = sc_store_put(card->folder, name, picture.data, picture.size, err);
  sc_buffer_free(&picture);
  sc_free(name);
  return st;
}

/* --- all of it --- */

static sc_status put(const struct sc_card *card, const char *file, struct sc_buffer *text,
                     struct sc_error *err) {
  char *name = NULL;
  sc_status st = sc_card_name(card, file, &name, err);
  if (!st) st = sc_store_put(card->folder, name, text->data, text->size, err);
  sc_free(name);
  text->size = 0;
  return st;
}

static sc_status write_all(struct sc_card *card, struct sc_error *err) {
  struct sc_buffer text = {0};
  int has_picture = 0;
  sc_status st = write_csv(card, err);
  if (!st) st = sc_card_list_files(card, err);
  if (!st) st = write_picture(card, &has_picture, err);
  if (!st) st = sc_card_readme(card, has_picture, &text, err);
  if (!st) st = put(card, "README.md", &text, err);
  if (!st) st = sc_card_croissant(card, &text, err);
  if (!st) st = put(card, "croissant.json", &text, err);
  if (!st) st = sc_card_collection(card, has_picture, &text, err);
  if (!st) st = put(card, "collection.json", &text, err);
  sc_buffer_free(&text);
  return st;
}

sc_status sc_card_write(const char *path, const struct sc_card_words *words, struct sc_error *err) {
  struct sc_card card;
  sc_status st = sc_card_read(path, words, &card, err);
  if (!st) st = write_all(&card, err);
  sc_card_free(&card);
  return st ? sc_fail_within(err, "the card of %s", path) : SC_OK;
}
