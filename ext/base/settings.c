/* Settings of the process; see settings.h. */
#include "base/settings.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define DISK_LEAST_BYTES 1048576
#define DISK_MOST_BYTES (1LL << 50)
#define DISK_MOST_AGE_S 315360000 /* ten years */

enum {
  PROGRESS,
  THREADS,
  CACHE,
  CONNECTIONS,
  TIMEOUT,
  RETRIES,
  VERIFY,
  HREF_MAP,
  LOCAL,
  HOSTS,
  DISK
};

static const struct sc_option options[] = {
    [PROGRESS] = {"progress", SC_OPTION_INT, 0, 0, 1, NULL, "0",
                  "1: stacchip_merge_items and stacchip_freeze say on stderr how far they are"},
    [THREADS] = {"threads", SC_OPTION_INT, 0, 1, 64, NULL, "the machine's cores, at most 64",
                 "threads that read and decode"},
    [CACHE] = {"cache_bytes", SC_OPTION_INT, 0, 0, (double)(INT64_C(1) << 40), NULL, "268435456",
               "what the process keeps in memory: decoded blocks, and memory to be used again"},
    [CONNECTIONS] = {"max_connections", SC_OPTION_INT, 0, 1, 1024, NULL, "64",
                     "requests to one host at a time"},
    [TIMEOUT] = {"timeout_ms", SC_OPTION_INT, 0, 1, 3600000, NULL, "30000",
                 "of one request, in milliseconds"},
    [RETRIES] = {"retries", SC_OPTION_INT, 0, 0, 100, NULL, "4",
                 "of a request, after the first try"},
    [VERIFY] = {"verify", SC_OPTION_INT, 0, 0, 1, NULL, "0",
                "1: decode whole blocks and compare their checksums"},
    [HREF_MAP] = {"href_map", SC_OPTION_JSON, 0, 0, 0, "an object of prefixes by prefix", NULL,
                  "data that moved: what hrefs begin with, and what is read instead"},
    [LOCAL] = {"local_roots", SC_OPTION_TEXT, 0, 0, 0, NULL, "allow",
               "allow, deny, or the folders that may be read and written, with : between them"},
    [HOSTS] = {"hosts", SC_OPTION_TEXT, 0, 0, 0, NULL, "all but those of clouds' metadata",
               "patterns of the hosts that may be asked, with commas between them"},
    [DISK] = {"disk_cache", SC_OPTION_JSON, 0, 0, 0, "{\"path\", \"bytes\", \"max_age\"}", NULL,
              "a folder in which bytes of remote files are kept, for all processes"},
};
const struct sc_option_table sc_settings_table = SC_OPTION_TABLE(options);

struct setting {
  const struct sc_option *option;
  const char *environment; /* variable that gives the default, or NULL */
  int64_t number;          /* SC_OPTION_INT */
  char *text;              /* of others; owned, NULL for unset */
  char *refused;           /* what the environment says instead; owned, NULL: nothing */
};

static struct setting settings[] = {
    [PROGRESS] = {&options[PROGRESS], "STACCHIP_PROGRESS", 0, NULL, NULL},
    [THREADS] = {&options[THREADS], "STACCHIP_THREADS", 0, NULL, NULL},
    [CACHE] = {&options[CACHE], "STACCHIP_CACHE_BYTES", 256 << 20, NULL, NULL},
    [CONNECTIONS] = {&options[CONNECTIONS], "STACCHIP_MAX_CONNECTIONS", 64, NULL, NULL},
    [TIMEOUT] = {&options[TIMEOUT], "STACCHIP_TIMEOUT_MS", 30000, NULL, NULL},
    [RETRIES] = {&options[RETRIES], "STACCHIP_RETRIES", 4, NULL, NULL},
    [VERIFY] = {&options[VERIFY], "STACCHIP_VERIFY", 0, NULL, NULL},
    [HREF_MAP] = {&options[HREF_MAP], "STACCHIP_HREF_MAP", 0, NULL, NULL},
    [LOCAL] = {&options[LOCAL], "STACCHIP_LOCAL", 0, NULL, NULL},
    [HOSTS] = {&options[HOSTS], "STACCHIP_HOSTS", 0, NULL, NULL},
    [DISK] = {&options[DISK], "STACCHIP_DISK_CACHE", 0, NULL, NULL},
};
#define N_SETTINGS (sizeof settings / sizeof *settings)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int started;
static atomic_uint version; /* counts the changes; read without the lock */
static void (*follower)(const struct sc_settings *);

static struct sc_disk_setting disk; /* what the text of disk_cache says */

static sc_status parse_int(const struct setting *s, const char *value, int64_t *out,
                           struct sc_error *err) {
  char *end = NULL;
  long long n = value ? strtoll(value, &end, 10) : 0;
  if (!value || end == value || *end || (double)n < s->option->least ||
      (double)n > s->option->most) {
    return sc_fail(err, SC_BAD_ARG, "expected a whole number from %.16g to %.16g, found '%s'",
                   s->option->least, s->option->most, value ? value : "NULL");
  }
  *out = n;
  return SC_OK;
}

/* A JSON object of texts, or nothing. */
static sc_status check_map(const char *value, struct sc_error *err) {
  if (!value || !*value) return SC_OK;
  cJSON *map = cJSON_Parse(value);
  const cJSON *entry;
  int good = cJSON_IsObject(map);
  cJSON_ArrayForEach(entry, map) good &= cJSON_IsString(entry) && *entry->string;
  cJSON_Delete(map);
  return good ? SC_OK
              : sc_fail(err, SC_BAD_ARG,
                        "expected a JSON object of prefixes, such as "
                        "{\"s3://bucket/\": \"/data/\"}, found '%.200s'",
                        value);
}

/* A whole number of [least, most] in *out. */
static int take_whole(const cJSON *member, double least, double most, int64_t *out) {
  if (!cJSON_IsNumber(member) || !(member->valuedouble >= least && member->valuedouble <= most) ||
      member->valuedouble != (double)(int64_t)member->valuedouble) {
    return 0;
  }
  *out = (int64_t)member->valuedouble;
  return 1;
}

sc_status sc_disk_setting_parse(const char *value, struct sc_disk_setting *out,
                                struct sc_error *err) {
  *out = (struct sc_disk_setting){.max_age_s = SC_DISK_MAX_AGE_S};
  if (!value || !*value) return SC_OK;
  cJSON *object = cJSON_Parse(value);
  const cJSON *member, *path = NULL;
  int good = cJSON_IsObject(object);
  cJSON_ArrayForEach(member, object) {
    if (strcmp(member->string, "path") == 0 && cJSON_IsString(member)) {
      path = member;
    } else if (strcmp(member->string, "bytes") == 0) {
      good &= take_whole(member, DISK_LEAST_BYTES, DISK_MOST_BYTES, &out->bytes);
    } else if (strcmp(member->string, "max_age") == 0) {
      good &= take_whole(member, 0, DISK_MOST_AGE_S, &out->max_age_s);
    } else {
      good = 0;
    }
  }
  good &= path && path->valuestring[0] == '/' && out->bytes > 0;
  sc_status st =
      good ? sc_strdup(path->valuestring, &out->path, err)
           : sc_fail(err, SC_BAD_ARG,
                     "expected {\"path\": an absolute path, \"bytes\": a whole number from "
                     "%d to %lld, \"max_age\": seconds up to %d (optional)}, found '%.200s'",
                     DISK_LEAST_BYTES, DISK_MOST_BYTES, DISK_MOST_AGE_S, value);
  cJSON_Delete(object);
  return st;
}

static sc_status set_text(struct setting *s, const char *value, struct sc_error *err) {
  struct sc_disk_setting parsed = {0};
  char *copy = NULL;
  sc_status st = SC_OK;
  if (s == &settings[HREF_MAP]) st = check_map(value, err);
  if (s == &settings[DISK]) st = sc_disk_setting_parse(value, &parsed, err);
  if (!st) st = sc_strdup(value, &copy, err);
  if (st) {
    sc_free(parsed.path);
    return st;
  }
  sc_free(s->text);
  s->text = copy;
  if (s == &settings[DISK]) {
    sc_free(disk.path);
    disk = parsed;
  }
  return SC_OK;
}

static sc_status set_value(struct setting *s, const char *value, struct sc_error *err) {
  return s->option->type == SC_OPTION_INT ? parse_int(s, value, &s->number, err)
                                          : set_text(s, value, err);
}

/* Defaults of the machine and the environment, once. The lock is held. */
static void start(void) {
  if (started) return;
  started = 1;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  settings[THREADS].number = cores < 1 ? 1 : cores > 64 ? 64 : cores;
  for (size_t i = 0; i < N_SETTINGS; i++) {
    struct setting *s = &settings[i];
    struct sc_error refused = {0}, ignored = {0};
    const char *value = getenv(s->environment);
    if (value && set_value(s, value, &refused)) sc_strdup(refused.text, &s->refused, &ignored);
  }
}

/* Said of a value that is asked for or used, not when the extension is loaded: who needs neither
 * is not kept from working. Lock held. */
static sc_status check_environment(const struct setting *s, struct sc_error *err) {
  if (!s->refused) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "%s: %s", s->environment, s->refused);
}

sc_status sc_settings_check(struct sc_error *err) {
  sc_status st = SC_OK;
  pthread_mutex_lock(&lock);
  start();
  for (size_t i = 0; i < N_SETTINGS && !st; i++) st = check_environment(&settings[i], err);
  pthread_mutex_unlock(&lock);
  return st;
}

static struct setting *find(const char *name, struct sc_error *err) {
  struct sc_buffer list = {0};
  for (size_t i = 0; i < N_SETTINGS; i++) {
    if (name && strcmp(settings[i].option->key, name) == 0) return &settings[i];
  }
  for (size_t i = 0; i < N_SETTINGS; i++) {
    if (sc_buffer_printf(&list, err, "%s%s", i ? ", " : "", settings[i].option->key)) break;
  }
  if (err->status != SC_NOMEM) {
    sc_fail_text(err, SC_BAD_ARG, "stacchip_config: unknown setting '%s'; settings: %s",
                 name ? name : "NULL", (const char *)list.data);
  }
  sc_buffer_free(&list);
  return NULL;
}

static void tell_follower(void) {
  if (!follower) return;
  struct sc_settings s = {
      .hosts = settings[HOSTS].text,
      .threads = (int)settings[THREADS].number,
      .verify = (int)settings[VERIFY].number,
      .cache_bytes = settings[CACHE].number,
      .max_connections = (int)settings[CONNECTIONS].number,
      .timeout_ms = (int)settings[TIMEOUT].number,
      .retries = (int)settings[RETRIES].number,
      .disk_path = disk.path,
      .disk_bytes = disk.bytes,
      .disk_max_age_s = disk.max_age_s,
  };
  follower(&s);
}

sc_status sc_settings_get(const char *name, struct sc_buffer *out, struct sc_error *err) {
  pthread_mutex_lock(&lock);
  start();
  sc_status st = SC_BAD_ARG;
  const struct setting *s = find(name, err);
  if (s && check_environment(s, err)) {
    st = err->status;
  } else if (s && s->option->type == SC_OPTION_INT) {
    st = sc_buffer_printf(out, err, "%lld", (long long)s->number);
  } else if (s) {
    st = sc_buffer_append_text(out, s->text ? s->text : "", err);
  } else {
    st = err->status;
  }
  pthread_mutex_unlock(&lock);
  return st;
}

sc_status sc_settings_set(const char *name, const char *value, struct sc_error *err) {
  pthread_mutex_lock(&lock);
  start();
  sc_status st = SC_OK;
  struct setting *s = find(name, err);
  if (!s) {
    st = err->status;
  } else if (set_value(s, value, err)) {
    st = sc_fail_within(err, "stacchip_config: setting '%s'", name);
  }
  if (s && !st) {
    sc_free(s->refused);
    s->refused = NULL;
    atomic_fetch_add(&version, 1);
    tell_follower();
  }
  pthread_mutex_unlock(&lock);
  return st;
}

unsigned sc_settings_version(void) { return atomic_load(&version); }

int64_t sc_settings_int(const char *name) {
  int64_t n = 0;
  pthread_mutex_lock(&lock);
  start();
  for (size_t i = 0; i < N_SETTINGS; i++) {
    if (strcmp(settings[i].option->key, name) == 0) n = settings[i].number;
  }
  pthread_mutex_unlock(&lock);
  return n;
}

void sc_settings_follow(void (*changed)(const struct sc_settings *)) {
  pthread_mutex_lock(&lock);
  start();
  follower = changed;
  tell_follower();
  pthread_mutex_unlock(&lock);
}
