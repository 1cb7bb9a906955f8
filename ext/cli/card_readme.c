/* README.md of a card: what people look at first; see card.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/card.h"
#include "cli/cli.h"
#include "stac/item.h"

#define VALUES_MAX 100 /* of a column that is counted value by value */
#define BAR_MAX 20     /* blocks */
#define TITLE_SPLITS "Splits"

/* Text of others in Markdown: no table, heading, link or HTML begins in it. */
static sc_status put_text(struct sc_buffer *out, const char *text, struct sc_error *err) {
  sc_status st = SC_OK;
  for (; *text && !st; text++) {
    if (*text == '\n' || *text == '\r') {
      st = sc_buffer_append_text(out, " ", err);
    } else if (*text == '<') {
      st = sc_buffer_append_text(out, "&lt;", err);
    } else if (strchr("\\`*_{}[]|#", *text)) {
      st = sc_buffer_printf(out, err, "\\%c", *text);
    } else {
      st = sc_buffer_append(out, text, 1, err);
    }
  }
  return st;
}

/* A whole number with thin groups: 1 234 567. */
static const char *number(int64_t n, char out[32]) {
  char digits[24];
  size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)n), k = 0;
  for (size_t i = 0; i < length; i++) {
    if (i && (length - i) % 3 == 0 && digits[i - 1] != '-') out[k++] = ' ';
    out[k++] = digits[i];
  }
  out[k] = '\0';
  return out;
}

/* --- counts --- */

/* A table of counts, a line for each value of a column and a cell for each split. */
struct counts {
  const struct sc_card *card;
  const cJSON *splits; /* the cells: names, or none of the table of splits itself */
  struct sc_buffer *out;
  char value[512];
  int has_value;
  int64_t n[SC_CARD_SPLITS_MAX + 1];
  int64_t most, sum; /* of the line with most; of the line that is under way */
  size_t n_lines;
};

static int split_of(const cJSON *splits, const char *name) {
  int i = 0;
  const cJSON *entry;
  cJSON_ArrayForEach(entry, splits) {
    const char *text = cJSON_IsString(entry) ? entry->valuestring : NULL;
    if (text == name || (text && name && strcmp(text, name) == 0)) return i;
    i++;
  }
  return 0;
}

static sc_status put_line(struct counts *c, struct sc_error *err) {
  int n_splits = cJSON_GetArraySize(c->splits);
  char text[32];
  if (!c->has_value) return SC_OK;
  sc_status st = sc_buffer_append_text(c->out, "| ", err);
  if (!st) st = put_text(c->out, c->value, err);
  for (int i = 0; i < n_splits && !st; i++)
    st = sc_buffer_printf(c->out, err, " | %s", number(c->n[i], text));
  if (!st)
    st = sc_buffer_printf(c->out, err, " | %s | %.1f %% | ", number(c->sum, text),
                          100.0 * (double)c->sum / (double)c->card->n_chips);
  int64_t n_blocks = BAR_MAX * c->sum / (c->most ? c->most : 1);
  if (!st && !n_blocks) st = sc_buffer_append_text(c->out, "▏", err);
  for (int64_t i = 0; i < n_blocks && !st; i++) st = sc_buffer_append_text(c->out, "█", err);
  if (!st) st = sc_buffer_append_text(c->out, " |\n", err);
  memset(c->n, 0, sizeof c->n);
  c->sum = 0;
  c->n_lines++;
  return st;
}

/* A row: value, split, count; by value. */
static sc_status take_count(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct counts *c = context;
  const char *value = (const char *)sqlite3_column_text(row, 0);
  char name[sizeof c->value];
  sc_status st = SC_OK;
  snprintf(name, sizeof name, "%s", value ? value : "none");
  if (!c->has_value || strcmp(name, c->value) != 0) {
    st = put_line(c, err);
    memcpy(c->value, name, sizeof name);
    c->has_value = 1;
  }
  c->n[split_of(c->splits, (const char *)sqlite3_column_text(row, 1))] +=
      sqlite3_column_int64(row, 2);
  c->sum += sqlite3_column_int64(row, 2);
  return st;
}

static sc_status take_most(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct counts *c = context;
  (void)err;
  c->most = sqlite3_column_int64(row, 0);
  return SC_OK;
}

static sc_status put_head(struct counts *c, const char *title, const char *column,
                          struct sc_error *err) {
  const cJSON *split;
  sc_status st = sc_buffer_append_text(c->out, "\n## ", err);
  if (!st) st = put_text(c->out, title, err);
  if (!st) st = sc_buffer_append_text(c->out, "\n\n| ", err);
  if (!st) st = put_text(c->out, column, err);
  cJSON_ArrayForEach(split, c->splits) {
    if (!st) st = sc_buffer_append_text(c->out, " | ", err);
    if (!st) st = put_text(c->out, cJSON_IsString(split) ? split->valuestring : "none", err);
  }
  if (!st) st = sc_buffer_append_text(c->out, " | chips | share | |\n|---|", err);
  for (int i = 0; i < cJSON_GetArraySize(c->splits) && !st; i++)
    st = sc_buffer_append_text(c->out, "--:|", err);
  return st ? st : sc_buffer_append_text(c->out, "--:|--:|---|\n", err);
}

/* Count chips by an expression over c (chips) and i (items). */
static sc_status put_counts(const struct sc_card *card, const char *title, const char *column,
                            const char *expression, struct sc_buffer *out, struct sc_error *err) {
  int is_split = strcmp(title, TITLE_SPLITS) == 0;
  struct counts c = {.card = card, .splits = is_split ? NULL : card->splits, .out = out};
  char *split = c.splits && c.splits->child ? sc_card_column(card->split) : sqlite3_mprintf("NULL");
  char *sql = split ? sqlite3_mprintf(
                          "SELECT %s, %s, count(*) FROM chips AS c JOIN items AS i ON "
                          "i.id = c.item GROUP BY 1, 2 ORDER BY 1, 2",
                          expression, split)
                    : NULL;
  char *most = sqlite3_mprintf(
      "SELECT max(n) FROM (SELECT count(*) AS n FROM chips AS c JOIN items AS i ON i.id = c.item "
      "GROUP BY %s)",
      expression);
  sc_status st = sql && most ? put_head(&c, title, column, err) : sc_fail_nomem(err);
  if (!st) st = sc_cli_rows(card->db, take_most, &c, err, most);
  if (!st) st = sc_cli_rows(card->db, take_count, &c, err, sql);
  if (!st) st = put_line(&c, err);
  sqlite3_free(most);
  sqlite3_free(sql);
  sqlite3_free(split);
  return st;
}

/* A column of many values in one line. */
static sc_status put_range(const struct sc_card *card, const char *name, const char *column,
                           struct sc_buffer *out, struct sc_error *err) {
  struct sc_buffer text = {0};
  int found = 0;
  char *sql = sqlite3_mprintf(
      "SELECT CASE WHEN sum(typeof(%s) IN ('integer', 'real')) = count(%s) THEN printf('%%.6g to "
      "%%.6g, mean %%.6g', min(%s), max(%s), avg(%s)) ELSE printf('%%d different values', "
      "count(DISTINCT %s)) END || iif(count(%s) < count(*), printf(', %%d without', count(*) - "
      "count(%s)), '') FROM chips AS c",
      column, column, column, column, column, column, column, column);
  sc_status st = sql ? sc_cli_text(card->db, &text, &found, err, sql) : sc_fail_nomem(err);
  if (!st) st = sc_buffer_append_text(out, "\n## ", err);
  if (!st) st = put_text(out, name, err);
  if (!st) st = sc_buffer_printf(out, err, "\n\n%s.\n", found ? (char *)text.data : "No values");
  sc_buffer_free(&text);
  sqlite3_free(sql);
  return st;
}

static int is_cloud_column(const char *name) { return strcmp(name, "cloud_cover_percentage") == 0; }

/* Labels and the like: value by value, or by their range. */
static sc_status put_column(const struct sc_card *card, const char *name, struct sc_buffer *out,
                            struct sc_error *err) {
  struct sc_buffer text = {0};
  char *column = sc_card_column(name);
  char *sql = column ? sqlite3_mprintf(
                           "SELECT count(*) FROM (SELECT DISTINCT %s FROM chips AS c "
                           "LIMIT %d)",
                           column, VALUES_MAX + 1)
                     : NULL;
  int found = 0;
  sc_status st = sql ? sc_cli_text(card->db, &text, &found, err, sql) : sc_fail_nomem(err);
  int n = !st && found ? (int)strtol((char *)text.data, NULL, 10) : 0;
  if (!st && n > VALUES_MAX) {
    st = put_range(card, name, column, out, err);
  } else if (!st) {
    st = put_counts(card, name, name, column, out, err);
  }
  sc_buffer_free(&text);
  sqlite3_free(sql);
  sqlite3_free(column);
  return st;
}

/* Tenths of the chip's own cloud fraction where the query gave it, else of its scene's. */
static sc_status put_clouds(const struct sc_card *card, struct sc_buffer *out,
                            struct sc_error *err) {
  const cJSON *name;
  int is_own = 0;
  cJSON_ArrayForEach(name, card->columns) {
    if (cJSON_IsString(name)) is_own |= is_cloud_column(name->valuestring);
  }
  const char *fraction = is_own ? "c.cloud_cover_percentage"
                                : "json_extract(i.stac, '$.properties.\"eo:cloud_cover\"') / 100.0";
  char *expression = sqlite3_mprintf(
      "CASE WHEN %s IS NULL THEN 'unknown' ELSE printf('%%02d to %%d %%%%', min(CAST(10 * %s AS "
      "INT), 9) * 10, min(CAST(10 * %s AS INT), 9) * 10 + 10) END",
      fraction, fraction, fraction);
  sc_status st = expression ? put_counts(card, "Clouds", is_own ? "of the chip" : "of the scene",
                                         expression, out, err)
                            : sc_fail_nomem(err);
  sqlite3_free(expression);
  return st;
}

static sc_status put_all_counts(const struct sc_card *card, struct sc_buffer *out,
                                struct sc_error *err) {
  const cJSON *name;
  sc_status st = SC_OK;
  if (card->splits->child) {
    char *column = sc_card_column(card->split);
    st =
        column ? put_counts(card, TITLE_SPLITS, card->split, column, out, err) : sc_fail_nomem(err);
    sqlite3_free(column);
  }
  cJSON_ArrayForEach(name, card->columns) {
    int is_split = card->split && card->splits->child && cJSON_IsString(name) &&
                   strcmp(name->valuestring, card->split) == 0;
    if (st || !cJSON_IsString(name) || is_split || is_cloud_column(name->valuestring)) continue;
    st = put_column(card, name->valuestring, out, err);
  }
  if (!st)
    st = put_counts(card, "Months", "month", "coalesce(substr(i.datetime, 1, 7), 'unknown')", out,
                    err);
  if (!st) st = put_counts(card, "Platforms", "platform", "i.platform", out, err);
  return st ? st : put_clouds(card, out, err);
}

/* --- the rest --- */

static sc_status put_list(struct sc_buffer *out, const cJSON *list, const char *none,
                          struct sc_error *err) {
  const cJSON *entry;
  const char *before = "";
  sc_status st = list->child ? SC_OK : sc_buffer_append_text(out, none, err);
  cJSON_ArrayForEach(entry, list) {
    if (!st) st = sc_buffer_append_text(out, before, err);
    if (!st && cJSON_IsString(entry)) st = put_text(out, entry->valuestring, err);
    before = ", ";
  }
  return st;
}

static sc_status put_summary(const struct sc_card *card, struct sc_buffer *out,
                             struct sc_error *err) {
  const cJSON *shape = card->shape->child;
  char chips[32], items[32];
  sc_status st = sc_buffer_printf(
      out, err,
      "\n| | |\n|---|---|\n| version | `%s` |\n| chips | %s, of %s items |\n| of a chip | %d band%s"
      " of %d x %d pixels, %s |\n| format | %s%s%s |\n",
      card->hash, number(card->n_chips, chips), number(card->n_items, items), shape->valueint,
      shape->valueint == 1 ? "" : "s", shape->next->valueint, shape->next->next->valueint,
      card->dtype, card->format, card->codec ? ", pixels as " : "", card->codec ? card->codec : "");
  if (!st && card->begin[0])
    st = sc_buffer_printf(out, err, "| time | %.10s to %.10s |\n", card->begin, card->end);
  if (!st)
    st = sc_buffer_printf(out, err, "| extent | longitude %.5f to %.5f, latitude %.5f to %.5f |\n",
                          card->box[0], card->box[2], card->box[1], card->box[3]);
  if (!st) st = sc_buffer_append_text(out, "| licence of the source | ", err);
  if (!st) st = put_list(out, card->licenses, "not stated", err);
  return st ? st : sc_buffer_append_text(out, " |\n", err);
}

static sc_status put_reading(const struct sc_card *card, struct sc_buffer *out,
                             struct sc_error *err) {
  const char *format = card->format;
  if (strcmp(format, "webdataset") == 0) {
    return sc_buffer_append_text(
        out,
        "\n## Reading it\n\n```python\nimport glob, io, json, tarfile, numpy\nfor shard in "
        "sorted(glob.glob(\"*.tar\")):\n    with tarfile.open(shard) as tar:\n        for member "
        "in "
        "tar:\n            if member.name.endswith(\".npy\"):\n                pixels = "
        "numpy.load(io.BytesIO(tar.extractfile(member).read()))\n```\n",
        err);
  }
  if (strcmp(format, "npy") == 0) {
    return sc_buffer_append_text(out,
                                 "\n## Reading it\n\n```python\nimport json, numpy\nindex = "
                                 "json.load(open(\"index.json\"))  "
                                 "# which chip is where\nimport glob\npixels = "
                                 "numpy.load(sorted(glob.glob(\"*[0-9].npy\"))[0],"
                                 " mmap_mode=\"r\")\n```\n",
                                 err);
  }
  sc_status st =
      sc_buffer_append_text(out, "\n## Reading it\n\nWith the SQLite extension stacchip", err);
  if (!st && strcmp(format, "manifest") == 0)
    st = sc_buffer_append_text(out, " (pixels come from the items' own files)", err);
  if (!st)
    st = sc_buffer_append_text(out, ":\n\n```sql\nSELECT position, stacchip_chip(handle", err);
  if (!st && strcmp(format, "manifest") == 0)
    st = sc_buffer_append_text(out, ", (SELECT value FROM dataset WHERE key = 'options')", err);
  return st ? st : sc_buffer_printf(out, err, ") FROM chips LIMIT 1;  -- in %s\n```\n", card->data);
}

static sc_status put_bands(const struct sc_card *card, struct sc_buffer *out,
                           struct sc_error *err) {
  static const char *const keys[] = {"nodata", "scale", "offset"};
  const cJSON *band;
  int n = 0;
  sc_status st = sc_buffer_append_text(
      out,
      "\n## Bands\n\n| | band | asset | nodata | scale | offset |\n|--:|---|---|---|---|---|\n",
      err);
  cJSON_ArrayForEach(band, card->bands) {
    const char *name = sc_json_text(band, "name"), *asset = sc_json_text(band, "asset");
    if (!st) st = sc_buffer_printf(out, err, "| %d | ", n++);
    if (!st) st = put_text(out, name ? name : "", err);
    if (!st) st = sc_buffer_append_text(out, " | ", err);
    if (!st) st = put_text(out, asset ? asset : "", err);
    for (int k = 0; k < 3 && !st; k++) {
      const cJSON *value = cJSON_GetObjectItemCaseSensitive(band, keys[k]);
      st = cJSON_IsNumber(value) ? sc_buffer_printf(out, err, " | %.15g", value->valuedouble)
                                 : sc_buffer_append_text(out, " | ", err);
    }
    if (!st) st = sc_buffer_append_text(out, " |\n", err);
  }
  return st;
}

static sc_status put_provider(const cJSON *provider, struct sc_buffer *out, struct sc_error *err) {
  const cJSON *roles = cJSON_GetObjectItemCaseSensitive(provider, "roles");
  const char *name = sc_json_text(provider, "name"), *url = sc_json_text(provider, "url");
  sc_status st = sc_buffer_append_text(out, "- ", err);
  if (!st) st = put_text(out, name ? name : "", err);
  if (!st && cJSON_IsArray(roles) && roles->child) {
    st = sc_buffer_append_text(out, " (", err);
    if (!st) st = put_list(out, roles, "", err);
    if (!st) st = sc_buffer_append_text(out, ")", err);
  }
  if (!st && url && strncmp(url, "http", 4) == 0 && !strpbrk(url, " <>\n"))
    st = sc_buffer_printf(out, err, ", <%s>", url);
  return st ? st : sc_buffer_append_text(out, "\n", err);
}

static sc_status put_sources(const struct sc_card *card, struct sc_buffer *out,
                             struct sc_error *err) {
  const cJSON *entry;
  char url[300];
  sc_status st = sc_buffer_append_text(out, "\n## Sources\n\nCollections: ", err);
  if (!st) st = put_list(out, card->collections, "none", err);
  if (!st) st = sc_buffer_append_text(out, ".\n\nLicence: ", err);
  if (!st) st = put_list(out, card->licenses, "not stated by the items", err);
  cJSON_ArrayForEach(entry, card->licenses) {
    sc_card_license_url(cJSON_IsString(entry) ? entry->valuestring : "", url, sizeof url);
    if (!st && url[0]) st = sc_buffer_printf(out, err, ", <%s>", url);
  }
  cJSON_ArrayForEach(entry, card->license_links) {
    if (!st && cJSON_IsString(entry) && !strpbrk(entry->valuestring, " <>\n"))
      st = sc_buffer_printf(out, err, ", <%s>", entry->valuestring);
  }
  if (!st)
    st = sc_buffer_append_text(out, card->providers->child ? ".\n\nProviders:\n\n" : ".\n", err);
  cJSON_ArrayForEach(entry, card->providers) {
    if (!st) st = put_provider(entry, out, err);
  }
  return st;
}

static sc_status put_files(const struct sc_card *card, struct sc_buffer *out,
                           struct sc_error *err) {
  const cJSON *file;
  char bytes[32];
  sc_status st =
      sc_buffer_append_text(out, "\n## Files\n\n| file | bytes | SHA-256 |\n|---|--:|---|\n", err);
  cJSON_ArrayForEach(file, card->files) {
    double n = cJSON_GetObjectItemCaseSensitive(file, "bytes")->valuedouble;
    if (!st) st = sc_buffer_append_text(out, "| ", err);
    if (!st) st = put_text(out, sc_json_text(file, "name"), err);
    if (!st)
      st = sc_buffer_printf(out, err, " | %s | `%s` |\n", number((int64_t)n, bytes),
                            sc_json_text(file, "sha256"));
  }
  return st;
}

sc_status sc_card_readme(const struct sc_card *card, int has_picture, struct sc_buffer *out,
                         struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "# ", err);
  if (!st) st = put_text(out, card->title, err);
  if (!st) st = sc_buffer_append_text(out, "\n\n", err);
  if (!st) st = put_text(out, card->description, err);
  if (!st) st = sc_buffer_append_text(out, "\n", err);
  if (!st && has_picture)
    st = sc_buffer_printf(out, err, "\n![Chips of the data set](<%spreview.jpg>)\n", card->prefix);
  if (!st) st = put_summary(card, out, err);
  if (!st) st = put_reading(card, out, err);
  if (!st) st = put_all_counts(card, out, err);
  if (!st) st = put_bands(card, out, err);
  if (!st) st = put_sources(card, out, err);
  if (!st) st = put_files(card, out, err);
  if (!st)
    st = sc_buffer_printf(out, err,
                          "\n## Has its source changed?\n\n```sql\nSELECT change, item, asset, "
                          "reason FROM stacchip_freeze_check('%s');\n```\n",
                          card->data);
  return st;
}
