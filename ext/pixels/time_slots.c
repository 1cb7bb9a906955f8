/* Slots of time; see time_slots.h. */
#include "pixels/time_slots.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "base/sqlite.h"

#define FORMS                                                                                \
  "\"2024\", \"2024-01\", \"2024-01-15\", \"2024-01-15T14\", a datetime, or an interval of " \
  "them, \"2024-01-01/2024-01-31\", with \"..\" for an open end"

static const char template[] = "dddd-dd-ddTdd:dd:dd";
static const char completion[] = "0000-01-01T00:00:00Z";
#define SECONDS_BYTES (sizeof template - 1) /* of a datetime down to its second */

static int is_like_template(const char *text, size_t n) {
  for (size_t i = 0; i < n && i < SECONDS_BYTES; i++) {
    int is_digit = text[i] >= '0' && text[i] <= '9';
    if (template[i] == 'd' ? !is_digit : text[i] != template[i]) return 0;
  }
  return 1;
}

/* Without the Z, so that what is longer by a fraction of a second is later: '.' comes before 'Z',
 * and after the end of a text. */
static void drop_zone(char *datetime) {
  size_t n = strlen(datetime);
  if (n && datetime[n - 1] == 'Z') datetime[n - 1] = '\0';
}

/* What datetimes begin with; 0 where `text` of n bytes is nothing of the kind. */
static int read_prefix(const char *text, size_t n, char out[SC_DATETIME_BYTES]) {
  char whole[64];
  if (n >= sizeof whole || !is_like_template(text, n)) return 0;
  memcpy(whole, text, n);
  whole[n] = '\0';
  if (n >= SECONDS_BYTES) {
    int is_datetime = sc_datetime_normalise(whole, out);
    drop_zone(out);
    return is_datetime;
  }
  if (n != 4 && n != 7 && n != 10 && n != 13 && n != 16) return 0;
  memcpy(whole + n, completion + n, sizeof completion - n);
  if (!sc_datetime_normalise(whole, out)) return 0;
  out[n] = '\0';
  return memcmp(out, text, n) == 0; /* hour 24 is the next day's first */
}

static int read_end(const char *text, size_t n, char out[SC_DATETIME_BYTES]) {
  out[0] = '\0';
  return (n == 2 && memcmp(text, "..", 2) == 0) || read_prefix(text, n, out);
}

static int compare(const char *datetime, const char *prefix) {
  return strncmp(datetime, prefix, strlen(prefix));
}

static int read_slot(const char *text, struct sc_time_slot *out) {
  const char *slash = strchr(text, '/');
  out->text = text;
  if (!slash) {
    int is_prefix = read_prefix(text, strlen(text), out->first);
    memcpy(out->last, out->first, sizeof out->last);
    return is_prefix;
  }
  return read_end(text, (size_t)(slash - text), out->first) &&
         read_end(slash + 1, strlen(slash + 1), out->last) &&
         (!out->first[0] || compare(out->first, out->last) <= 0);
}

sc_status sc_time_slots_read(const cJSON *list, const char *what, struct sc_time_slot **out,
                             size_t *n, struct sc_error *err) {
  const cJSON *entry;
  int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
  *out = NULL;
  *n = 0;
  if (count < 1 || count > SC_TIME_SLOTS_MAX) {
    return sc_option_fail(err, what, "slots", list, "an array of 1 to %d slots: " FORMS,
                          SC_TIME_SLOTS_MAX);
  }
  struct sc_time_slot *slots = sc_alloc_zero((size_t)count, sizeof *slots);
  if (!slots) return sc_fail_nomem(err);
  size_t k = 0;
  cJSON_ArrayForEach(entry, list) {
    if (!cJSON_IsString(entry) || !read_slot(entry->valuestring, &slots[k++])) {
      sc_free(slots);
      return sc_option_fail(err, what, "slots", entry, FORMS);
    }
  }
  *out = slots;
  *n = k;
  return SC_OK;
}

int sc_time_slot_has(const struct sc_time_slot *slot, const char *datetime) {
  char d[SC_DATETIME_BYTES];
  sqlite3_snprintf(sizeof d, d, "%s", datetime);
  drop_zone(d);
  return d[0] && compare(d, slot->first) >= 0 && (!slot->last[0] || compare(d, slot->last) <= 0);
}
