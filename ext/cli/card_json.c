/*
 * The card for programs: Croissant and STAC; see card.h.
 *
 * Source  https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
 *         https://github.com/radiantearth/stac-spec/blob/v1.1.0/collection-spec/collection-spec.md
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/card.h"
#include "cli/cli.h"
#include "stac/item.h"

#define CHIPS_CSV "chips.csv"

void sc_card_license_url(const char *license, char *out, size_t n) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.+";
  int is_word = strcmp(license, "proprietary") == 0 || strcmp(license, "various") == 0 ||
                strcmp(license, "other") == 0;
  if (strncmp(license, "http", 4) == 0) {
    snprintf(out, n, "%s", license);
  } else if (is_word || !*license || license[strspn(license, plain)]) {
    snprintf(out, n, "%s", "");
  } else {
    snprintf(out, n, "https://spdx.org/licenses/%s.html", license);
  }
}

/* --- helpers --- */

static cJSON *add_object(cJSON *list) {
  cJSON *object = cJSON_CreateObject();
  cJSON_AddItemToArray(list, object);
  return object;
}

static cJSON *add_typed(cJSON *list, const char *type, const char *id) {
  cJSON *object = add_object(list);
  cJSON_AddStringToObject(object, "@type", type);
  cJSON_AddStringToObject(object, "@id", id);
  return object;
}

static void add_reference(cJSON *to, const char *key, const char *id) {
  cJSON_AddStringToObject(cJSON_AddObjectToObject(to, key), "@id", id);
}

static sc_status print(cJSON *json, struct sc_buffer *out, struct sc_error *err) {
  char *text = json ? cJSON_Print(json) : NULL;
  sc_status st = text ? sc_buffer_append_text(out, text, err) : sc_fail_nomem(err);
  if (!st) st = sc_buffer_append_text(out, "\n", err);
  cJSON_free(text);
  cJSON_Delete(json);
  return st;
}

/* --- Croissant: the data set --- */

/* The context of the specification's first appendix, of the terms that stand here. */
static cJSON *make_context(void) {
  static const char *const terms[] = {
      "arrayShape", "column",     "containedIn", "extract", "field",         "fileProperty",
      "fileObject", "fileSet",    "includes",    "isArray", "isLiveDataset", "key",
      "recordSet",  "references", "regex",       "source",  "transform"};
  cJSON *context = cJSON_CreateObject();
  char iri[80];
  cJSON_AddStringToObject(context, "@language", "en");
  cJSON_AddStringToObject(context, "@vocab", "http://schema.org/");
  cJSON_AddStringToObject(context, "sc", "http://schema.org/");
  cJSON_AddStringToObject(context, "cr", "http://mlcommons.org/croissant/");
  cJSON_AddStringToObject(context, "dct", "http://purl.org/dc/terms/");
  cJSON_AddStringToObject(context, "conformsTo", "dct:conformsTo");
  for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
    snprintf(iri, sizeof iri, "cr:%s", terms[i]);
    cJSON_AddStringToObject(context, terms[i], iri);
  }
  cJSON *data = cJSON_AddObjectToObject(context, "data");
  cJSON_AddStringToObject(data, "@id", "cr:data");
  cJSON_AddStringToObject(data, "@type", "@json");
  cJSON *type = cJSON_AddObjectToObject(context, "dataType");
  cJSON_AddStringToObject(type, "@id", "cr:dataType");
  cJSON_AddStringToObject(type, "@type", "@vocab");
  return context;
}

static void add_licenses(const struct sc_card *card, cJSON *to) {
  cJSON *list = cJSON_AddArrayToObject(to, "license");
  const cJSON *entry;
  char url[300];
  cJSON_ArrayForEach(entry, card->licenses) {
    const char *name = cJSON_IsString(entry) ? entry->valuestring : "";
    sc_card_license_url(name, url, sizeof url);
    if (url[0]) cJSON_AddItemToArray(list, cJSON_CreateString(url));
    if (url[0] || card->license_links->child) continue;
    cJSON *work = add_object(list);
    cJSON_AddStringToObject(work, "@type", "CreativeWork");
    cJSON_AddStringToObject(work, "name", name);
  }
  cJSON_ArrayForEach(entry, card->license_links)
      cJSON_AddItemToArray(list, cJSON_Duplicate(entry, 1));
  if (list->child) return;
  cJSON *work = add_object(list);
  cJSON_AddStringToObject(work, "@type", "CreativeWork");
  cJSON_AddStringToObject(work, "name", "not stated by the source items");
}

static void add_creator(cJSON *list, const char *name, const char *url) {
  cJSON *organization = add_object(list);
  cJSON_AddStringToObject(organization, "@type", "Organization");
  cJSON_AddStringToObject(organization, "name", name);
  if (url) cJSON_AddStringToObject(organization, "url", url);
}

static void add_creators(const struct sc_card *card, cJSON *to) {
  cJSON *list = cJSON_AddArrayToObject(to, "creator");
  const cJSON *provider;
  if (card->words->creator) {
    add_creator(list, card->words->creator, NULL);
    return;
  }
  cJSON_ArrayForEach(provider, card->providers)
      add_creator(list, sc_json_text(provider, "name"), sc_json_text(provider, "url"));
  if (!list->child) add_creator(list, "not stated", NULL);
}

static void add_coverage(const struct sc_card *card, cJSON *to) {
  char text[120];
  cJSON *place = cJSON_AddObjectToObject(to, "spatialCoverage");
  cJSON_AddStringToObject(place, "@type", "Place");
  cJSON *shape = cJSON_AddObjectToObject(place, "geo");
  cJSON_AddStringToObject(shape, "@type", "GeoShape");
  snprintf(text, sizeof text, "%.7g %.7g %.7g %.7g", card->box[1], card->box[0], card->box[3],
           card->box[2]); /* schema.org has latitude first */
  cJSON_AddStringToObject(shape, "box", text);
  if (!card->begin[0]) return;
  snprintf(text, sizeof text, "%s/%s", card->begin, card->end);
  cJSON_AddStringToObject(to, "temporalCoverage", text);
}

static void add_dataset(const struct sc_card *card, cJSON *to) {
  char version[100];
  const cJSON *platform;
  cJSON_AddItemToObject(to, "@context", make_context());
  cJSON_AddStringToObject(to, "@type", "sc:Dataset");
  cJSON_AddStringToObject(to, "conformsTo", "http://mlcommons.org/croissant/1.1");
  cJSON_AddStringToObject(to, "name", card->title);
  cJSON_AddStringToObject(to, "description", card->description);
  add_licenses(card, to);
  char *readme = sqlite3_mprintf("%sREADME.md", card->prefix);
  cJSON_AddStringToObject(to, "url", card->words->url ? card->words->url : readme ? readme : "");
  sqlite3_free(readme);
  add_creators(card, to);
  cJSON_AddStringToObject(to, "datePublished", card->published);
  /* Semantic Versioning with the version hash behind it: other chips are another major version. */
  snprintf(version, sizeof version, "1.0.0+%.64s", card->hash);
  cJSON_AddStringToObject(to, "version", version);
  cJSON_AddStringToObject(to, "identifier", card->hash);
  cJSON *words = cJSON_AddArrayToObject(to, "keywords");
  cJSON_AddItemToArray(words, cJSON_CreateString("Earth observation"));
  cJSON_ArrayForEach(platform, card->platforms)
      cJSON_AddItemToArray(words, cJSON_Duplicate(platform, 1));
  add_coverage(card, to);
  cJSON_AddBoolToObject(to, "isLiveDataset", 0);
}

/* --- Croissant: files --- */

static int has_suffix(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n > m && strcmp(name + n - m, suffix) == 0;
}

/* A set of files that lie in archives, or in the folder. */
static void add_file_set(const struct sc_card *card, cJSON *distribution, const char *id,
                         const char *includes, const char *type, const char *of) {
  cJSON *set = add_typed(distribution, "cr:FileSet", id);
  const cJSON *file;
  cJSON_AddStringToObject(set, "name", id);
  cJSON *in = cJSON_AddArrayToObject(set, "containedIn");
  cJSON_ArrayForEach(file, card->files) {
    const char *name = sc_json_text(file, "name");
    if (has_suffix(name, of)) cJSON_AddStringToObject(add_object(in), "@id", name);
  }
  cJSON_AddStringToObject(set, "encodingFormat", type);
  cJSON_AddStringToObject(set, "includes", includes);
}

static void add_files(const struct sc_card *card, cJSON *to) {
  cJSON *distribution = cJSON_AddArrayToObject(to, "distribution");
  const cJSON *file;
  char size[40];
  cJSON_ArrayForEach(file, card->files) {
    const char *name = sc_json_text(file, "name");
    cJSON *object = add_typed(distribution, "cr:FileObject", name);
    cJSON_AddStringToObject(object, "name", name);
    cJSON_AddStringToObject(object, "contentUrl", name);
    snprintf(size, sizeof size, "%.0f B",
             cJSON_GetObjectItemCaseSensitive(file, "bytes")->valuedouble);
    cJSON_AddStringToObject(object, "contentSize", size);
    cJSON_AddStringToObject(object, "encodingFormat", sc_json_text(file, "type"));
    cJSON_AddStringToObject(object, "sha256", sc_json_text(file, "sha256"));
  }
  if (strcmp(card->format, "webdataset") == 0)
    add_file_set(card, distribution, "arrays", "*.npy", "application/x-npy", ".tar");
}

/* --- Croissant: records --- */

/* A field that is a column of the table of chips. */
static cJSON *add_column(const struct sc_card *card, cJSON *fields, const char *name,
                         const char *type, const char *description) {
  char *id = sqlite3_mprintf("chips/%s", name),
       *csv = sqlite3_mprintf("%s" CHIPS_CSV, card->prefix);
  cJSON *field = add_typed(fields, "cr:Field", id ? id : "");
  cJSON_AddStringToObject(field, "name", name);
  if (description) cJSON_AddStringToObject(field, "description", description);
  cJSON_AddStringToObject(field, "dataType", type);
  cJSON *source = cJSON_AddObjectToObject(field, "source");
  add_reference(source, "fileObject", csv ? csv : "");
  cJSON_AddStringToObject(cJSON_AddObjectToObject(source, "extract"), "column", name);
  sqlite3_free(csv);
  sqlite3_free(id);
  return field;
}

/* Of the values of a further column. */
static sc_status find_type(const struct sc_card *card, const char *name, const char **type,
                           struct sc_error *err) {
  struct sc_buffer text = {0};
  int found = 0;
  char *column = sc_card_column(name);
  char *sql = column ? sqlite3_mprintf(
                           "SELECT group_concat(DISTINCT typeof(%s)) FROM chips AS c WHERE %s IS "
                           "NOT NULL",
                           column, column)
                     : NULL;
  sc_status st = sql ? sc_cli_text(card->db, &text, &found, err, sql) : sc_fail_nomem(err);
  const char *kinds = !st && found ? (const char *)text.data : "text";
  *type = strstr(kinds, "text") || strstr(kinds, "blob") ? "sc:Text"
          : strstr(kinds, "real")                        ? "sc:Float"
                                                         : "sc:Integer";
  sc_buffer_free(&text);
  sqlite3_free(sql);
  sqlite3_free(column);
  return st;
}

static sc_status add_chips(const struct sc_card *card, cJSON *sets, struct sc_error *err) {
  static const struct {
    const char *name, *type, *description;
  } own[] = {{"position", "sc:Integer", "Number of the chip in the data set, from 0."},
             {"handle", "sc:Text", "Names the chip to stacchip."},
             {"item", "sc:Text", "Id of the STAC item that the chip is cut from."},
             {"collection", "sc:Text", NULL},
             {"platform", "sc:Text", NULL},
             {"datetime", "sc:DateTime", "Of the item."},
             {"x", "sc:Integer", "Window on the item's grid, in pixels."},
             {"y", "sc:Integer", NULL},
             {"width", "sc:Integer", NULL},
             {"height", "sc:Integer", NULL},
             {"west", "sc:Float", "Degrees; west is above east across the antimeridian."},
             {"south", "sc:Float", NULL},
             {"east", "sc:Float", NULL},
             {"north", "sc:Float", NULL}};
  cJSON *set = add_typed(sets, "cr:RecordSet", "chips");
  const cJSON *name;
  sc_status st = SC_OK;
  cJSON_AddStringToObject(set, "name", "chips");
  cJSON_AddStringToObject(set, "description", "A record for each chip.");
  add_reference(set, "key", "chips/position");
  cJSON *fields = cJSON_AddArrayToObject(set, "field");
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (!sc_card_has_column(card, own[i].name))
      add_column(card, fields, own[i].name, own[i].type, own[i].description);
  }
  cJSON_ArrayForEach(name, card->columns) {
    const char *type, *text = cJSON_IsString(name) ? name->valuestring : "";
    if (!st) st = find_type(card, text, &type, err);
    if (st) break;
    cJSON *field = add_column(card, fields, text, type, "A column of the query.");
    if (card->split && card->splits->child && strcmp(text, card->split) == 0)
      add_reference(field, "references", "splits/name");
  }
  return st;
}

static void add_splits(const struct sc_card *card, cJSON *sets) {
  static const char *const known[][2] = {
      {"train", "cr:TrainingSplit"},        {"training", "cr:TrainingSplit"},
      {"val", "cr:ValidationSplit"},        {"valid", "cr:ValidationSplit"},
      {"validation", "cr:ValidationSplit"}, {"test", "cr:TestSplit"}};
  const cJSON *split;
  cJSON *set = add_typed(sets, "cr:RecordSet", "splits");
  cJSON_AddStringToObject(set, "name", "splits");
  cJSON_AddStringToObject(set, "dataType", "cr:Split");
  add_reference(set, "key", "splits/name");
  cJSON *fields = cJSON_AddArrayToObject(set, "field");
  cJSON *name = add_typed(fields, "cr:Field", "splits/name");
  cJSON_AddStringToObject(name, "name", "name");
  cJSON_AddStringToObject(name, "dataType", "sc:Text");
  cJSON *url = add_typed(fields, "cr:Field", "splits/url");
  cJSON_AddStringToObject(url, "name", "url");
  cJSON_AddStringToObject(url, "dataType", "cr:Split");
  cJSON *data = cJSON_AddArrayToObject(set, "data");
  cJSON_ArrayForEach(split, card->splits) {
    if (!cJSON_IsString(split)) continue;
    cJSON *row = add_object(data);
    const char *meaning = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
      if (strcmp(split->valuestring, known[i][0]) == 0) meaning = known[i][1];
    }
    cJSON_AddStringToObject(row, "splits/name", split->valuestring);
    if (meaning) cJSON_AddStringToObject(row, "splits/url", meaning);
  }
}

/* The arrays: each of one chip, or in the format npy of the chips of a shard. */
static void add_pixels(const struct sc_card *card, cJSON *sets) {
  const cJSON *shape = card->shape->child, *file;
  int is_stack = strcmp(card->format, "npy") == 0;
  char text[80];
  cJSON *set = add_typed(sets, "cr:RecordSet", "pixels");
  cJSON_AddStringToObject(set, "name", "pixels");
  cJSON *fields = cJSON_AddArrayToObject(set, "field");
  cJSON *field = add_typed(fields, "cr:Field", "pixels/array");
  cJSON_AddStringToObject(field, "name", "array");
  cJSON_AddStringToObject(field, "description",
                          is_stack ? "Of the chips of a shard: (chips, bands, rows, columns)."
                                   : "(bands, rows, columns)");
  cJSON_AddStringToObject(field, "dataType", card->dtype[0] == 'f' ? "sc:Float" : "sc:Integer");
  cJSON_AddBoolToObject(field, "isArray", 1);
  snprintf(text, sizeof text, "%s%d,%d,%d", is_stack ? "-1," : "", shape->valueint,
           shape->next->valueint, shape->next->next->valueint);
  cJSON_AddStringToObject(field, "arrayShape", text);
  cJSON *source = cJSON_AddObjectToObject(field, "source");
  cJSON *extract = cJSON_CreateObject();
  if (strcmp(card->format, "webdataset") == 0) {
    add_reference(source, "fileSet", "arrays");
    cJSON_AddStringToObject(extract, "fileProperty", "content");
  } else if (!is_stack) {
    add_reference(source, "fileObject", card->data);
    cJSON_AddStringToObject(extract, "column", "pixels");
  } else {
    cJSON_ArrayForEach(file, card->files) {
      const char *name = sc_json_text(file, "name");
      if (!has_suffix(name, ".npy") || cJSON_HasObjectItem(source, "fileObject")) continue;
      add_reference(source, "fileObject", name);
    }
    cJSON_AddStringToObject(extract, "fileProperty", "content");
  }
  cJSON_AddItemToObject(source, "extract", extract);
}

sc_status sc_card_croissant(const struct sc_card *card, struct sc_buffer *out,
                            struct sc_error *err) {
  cJSON *json = cJSON_CreateObject();
  add_dataset(card, json);
  add_files(card, json);
  cJSON *sets = cJSON_AddArrayToObject(json, "recordSet");
  sc_status st = add_chips(card, sets, err);
  if (card->splits->child) add_splits(card, sets);
  if (strcmp(card->format, "manifest") != 0) add_pixels(card, sets);
  if (!st) return print(json, out, err);
  cJSON_Delete(json);
  return st;
}

/* --- STAC --- */

static void add_extent(const struct sc_card *card, cJSON *to) {
  cJSON *extent = cJSON_AddObjectToObject(to, "extent");
  cJSON *boxes = cJSON_AddArrayToObject(cJSON_AddObjectToObject(extent, "spatial"), "bbox");
  cJSON_AddItemToArray(boxes, cJSON_CreateDoubleArray(card->box, 4));
  cJSON *intervals =
      cJSON_AddArrayToObject(cJSON_AddObjectToObject(extent, "temporal"), "interval");
  cJSON *interval = cJSON_CreateArray();
  cJSON_AddItemToArray(intervals, interval);
  cJSON_AddItemToArray(interval,
                       card->begin[0] ? cJSON_CreateString(card->begin) : cJSON_CreateNull());
  cJSON_AddItemToArray(interval, card->end[0] ? cJSON_CreateString(card->end) : cJSON_CreateNull());
}

static cJSON *make_bands(const struct sc_card *card) {
  cJSON *list = cJSON_CreateArray();
  const cJSON *band;
  cJSON_ArrayForEach(band, card->bands) {
    const cJSON *nodata = cJSON_GetObjectItemCaseSensitive(band, "nodata");
    const cJSON *scale = cJSON_GetObjectItemCaseSensitive(band, "scale");
    const cJSON *offset = cJSON_GetObjectItemCaseSensitive(band, "offset");
    const char *name = sc_json_text(band, "name");
    cJSON *entry = add_object(list);
    cJSON_AddStringToObject(entry, "name", name ? name : "");
    cJSON_AddStringToObject(entry, "data_type", card->dtype);
    if (cJSON_IsNumber(nodata)) cJSON_AddNumberToObject(entry, "nodata", nodata->valuedouble);
    if (cJSON_IsNumber(scale)) cJSON_AddNumberToObject(entry, "raster:scale", scale->valuedouble);
    if (cJSON_IsNumber(offset))
      cJSON_AddNumberToObject(entry, "raster:offset", offset->valuedouble);
  }
  return list;
}

static void add_summaries(const struct sc_card *card, cJSON *to) {
  cJSON *summaries = cJSON_AddObjectToObject(to, "summaries");
  if (card->platforms->child)
    cJSON_AddItemToObject(summaries, "platform", cJSON_Duplicate(card->platforms, 1));
  cJSON_AddItemToObject(summaries, "bands", make_bands(card));
}

static cJSON *add_asset(cJSON *assets, const char *key, const char *name, const char *type,
                        const char *role) {
  cJSON *asset = cJSON_AddObjectToObject(assets, key);
  char *href = sqlite3_mprintf("./%s", name);
  cJSON_AddStringToObject(asset, "href", href ? href : name);
  cJSON_AddStringToObject(asset, "type", type);
  cJSON_AddItemToArray(cJSON_AddArrayToObject(asset, "roles"), cJSON_CreateString(role));
  sqlite3_free(href);
  return asset;
}

static void add_assets(const struct sc_card *card, int has_picture, cJSON *to) {
  static const char *const own[][3] = {{"README.md", "text/markdown", "metadata"},
                                       {"croissant.json", "application/ld+json", "metadata"},
                                       {"preview.jpg", "image/jpeg", "overview"}};
  cJSON *assets = cJSON_AddObjectToObject(to, "assets");
  const cJSON *file;
  cJSON_ArrayForEach(file, card->files) {
    const char *name = sc_json_text(file, "name");
    cJSON *asset = add_asset(assets, name, name, sc_json_text(file, "type"), "data");
    char *checksum = sqlite3_mprintf("1220%s", sc_json_text(file, "sha256"));
    cJSON_AddNumberToObject(asset, "file:size",
                            cJSON_GetObjectItemCaseSensitive(file, "bytes")->valuedouble);
    cJSON_AddStringToObject(asset, "file:checksum", checksum ? checksum : "");
    sqlite3_free(checksum);
  }
  for (int i = 0; i < (has_picture ? 3 : 2); i++) {
    char *name = sqlite3_mprintf("%s%s", card->prefix, own[i][0]);
    add_asset(assets, own[i][0], name ? name : own[i][0], own[i][1], own[i][2]);
    sqlite3_free(name);
  }
}

static void add_links(const struct sc_card *card, cJSON *to) {
  cJSON *links = cJSON_AddArrayToObject(to, "links");
  const cJSON *entry;
  char url[300];
  for (int k = 0; k < 2; k++) {
    const cJSON *list = k ? card->license_links : card->licenses;
    cJSON_ArrayForEach(entry, list) {
      const char *text = cJSON_IsString(entry) ? entry->valuestring : "";
      if (k) {
        snprintf(url, sizeof url, "%.299s", text);
      } else {
        sc_card_license_url(text, url, sizeof url);
      }
      if (!url[0]) continue;
      cJSON *link = add_object(links);
      cJSON_AddStringToObject(link, "rel", "license");
      cJSON_AddStringToObject(link, "href", url);
    }
  }
}

/* One licence by its name; STAC's word for several, or for none that is stated, is "other". */
static const char *license_word(const struct sc_card *card) {
  const cJSON *first = card->licenses->child;
  char url[300];
  if (!first || first->next || !cJSON_IsString(first)) return "other";
  sc_card_license_url(first->valuestring, url, sizeof url);
  return url[0] && strncmp(first->valuestring, "http", 4) != 0 ? first->valuestring : "other";
}

sc_status sc_card_collection(const struct sc_card *card, int has_picture, struct sc_buffer *out,
                             struct sc_error *err) {
  cJSON *json = cJSON_CreateObject();
  cJSON *extensions;
  cJSON_AddStringToObject(json, "type", "Collection");
  cJSON_AddStringToObject(json, "stac_version", "1.1.0");
  extensions = cJSON_AddArrayToObject(json, "stac_extensions");
  cJSON_AddItemToArray(
      extensions, cJSON_CreateString("https://stac-extensions.github.io/file/v2.1.0/schema.json"));
  cJSON_AddItemToArray(
      extensions,
      cJSON_CreateString("https://stac-extensions.github.io/raster/v2.0.0/schema.json"));
  cJSON_AddStringToObject(json, "id", card->title);
  cJSON_AddStringToObject(json, "title", card->title);
  cJSON_AddStringToObject(json, "description", card->description);
  cJSON_AddStringToObject(json, "license", license_word(card));
  if (card->providers->child)
    cJSON_AddItemToObject(json, "providers", cJSON_Duplicate(card->providers, 1));
  add_extent(card, json);
  add_summaries(card, json);
  add_links(card, json);
  add_assets(card, has_picture, json);
  return print(json, out, err);
}
