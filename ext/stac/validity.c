/* What makes the pixels of a band invalid; see validity.h. */
#include "stac/validity.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* --- nodata --- */

/* A number, or one of the texts that STAC has for what JSON cannot say. */
static int read_nodata(const cJSON *object, double *out) {
  static const struct {
    const char *text;
    double value;
  } words[] = {{"nan", NAN}, {"inf", HUGE_VAL}, {"+inf", HUGE_VAL}, {"-inf", -HUGE_VAL}};
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, "nodata");
  if (cJSON_IsNumber(v)) {
    *out = v->valuedouble;
    return 1;
  }
  for (size_t i = 0; cJSON_IsString(v) && i < sizeof words / sizeof *words; i++) {
    if (strcasecmp(v->valuestring, words[i].text) != 0) continue;
    *out = words[i].value;
    return 1;
  }
  /* Numbers in quotes are met, too. */
  cJSON *number = cJSON_IsString(v) ? cJSON_Parse(v->valuestring) : NULL;
  int is_number = number && cJSON_IsNumber(number);
  if (is_number) *out = number->valuedouble;
  cJSON_Delete(number);
  return is_number;
}

static const cJSON *list_entry(const struct sc_asset *asset, const char *list, int band) {
  const cJSON *array = cJSON_GetObjectItemCaseSensitive(asset->json, list);
  return cJSON_IsArray(array) ? cJSON_GetArrayItem(array, band - 1) : NULL;
}

/* STAC 1.1 bands, raster extension v1, STAC 1.1 asset. */
static int item_nodata(const struct sc_asset *asset, int band, double *out) {
  return read_nodata(list_entry(asset, "bands", band), out) ||
         read_nodata(list_entry(asset, "raster:bands", band), out) || read_nodata(asset->json, out);
}

static struct sc_nodata find_nodata(const struct sc_asset *asset, const struct sc_band_info *info,
                                    int band) {
  double value;
  if (item_nodata(asset, band, &value)) return sc_nodata_make(info->dtype, value);
  /* NODATA_VALUES say it of all bands together: one alone may well have the value. */
  if (!info->has_nodata || info->mask == SC_MASK_VALUES) return (struct sc_nodata){0};
  struct sc_nodata out = sc_nodata_make(info->dtype, info->nodata);
  int is_wide = info->dtype == SC_DTYPE_I64 || info->dtype == SC_DTYPE_U64;
  if (out.is_set && is_wide) out.bits = info->nodata_bits;
  return out;
}

/* --- alpha --- */

enum word { SILENT, SAYS_ALPHA, SAYS_OTHER };

/* "4", "b4", "Band 4": a number, not a meaning. */
static int is_numbering(const char *name) {
  if (strncasecmp(name, "band", 4) == 0) {
    name += 4;
  } else if (tolower((unsigned char)*name) == 'b') {
    name++;
  }
  return name[strspn(name, " _-0123456789")] == '\0';
}

static enum word judge_name(const char *name) {
  static const char *const like_alpha[] = {"alpha", "mask", "opacity", "transparen", "valid"};
  if (!name || is_numbering(name) || strcasecmp(name, "a") == 0) return SILENT;
  if (strcasecmp(name, "alpha") == 0) return SAYS_ALPHA;
  for (size_t i = 0; i < sizeof like_alpha / sizeof *like_alpha; i++) {
    if (strcasestr(name, like_alpha[i])) return SILENT;
  }
  return SAYS_OTHER;
}

/* The item's word on what a band is. rio-stac numbers bands and puts "alpha" into the description.
 */
static enum word item_word(const struct sc_item *item, const struct sc_asset *asset, int band) {
  static const char *const lists[] = {"bands", "eo:bands"};
  static const char *const keys[] = {"common_name", "eo:common_name", "name", "description"};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    const cJSON *entry = list_entry(asset, lists[i], band);
    if (cJSON_IsNumber(entry)) { /* STAC 0.7: its place in the item's list */
      const cJSON *all = cJSON_GetObjectItemCaseSensitive(item->properties, "eo:bands");
      entry = cJSON_GetArrayItem(all, entry->valueint);
    }
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      enum word word = judge_name(sc_json_text(entry, keys[k]));
      if (word != SILENT) return word;
    }
  }
  return SILENT;
}

static enum word rule_word(const struct sc_rule *rule, int band) {
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(rule->json, "bands");
  return judge_name(cJSON_GetStringValue(cJSON_GetArrayItem(names, band - 1)));
}

/* The band (1-based) that is alpha, by the word of the item, else of the rule, else by the file's
 * colours; 0: none. A word alone makes no alpha of real numbers: there is an angle of that name. */
static int find_alpha(const struct sc_item *item, const struct sc_asset *asset,
                      const struct sc_rule *rule, const struct sc_raster_info *info) {
  for (int i = 1; i <= info->n_bands && info->n_bands > 1; i++) {
    const struct sc_band_info *b = &info->bands[i - 1];
    enum word word = item_word(item, asset, i);
    if (word == SILENT) word = rule_word(rule, i);
    int is_named = word == SAYS_ALPHA && b->dtype < SC_DTYPE_F32;
    if (is_named || (word != SAYS_OTHER && b->is_alpha)) return i;
  }
  return 0;
}

struct sc_validity sc_validity_find(const struct sc_item *item, const struct sc_asset *asset,
                                    const struct sc_rule *rule, const struct sc_raster_info *info,
                                    int band) {
  const struct sc_band_info *b = &info->bands[band - 1];
  struct sc_validity out = {.dtype = b->dtype, .nodata = find_nodata(asset, b, band)};
  if (b->mask == SC_MASK_BAND) out.mask = band;
  if (b->mask == SC_MASK_FILE || b->mask == SC_MASK_VALUES) out.mask = 1;
  out.alpha = find_alpha(item, asset, rule, info);
  out.is_alpha = out.alpha == band;
  return out;
}
