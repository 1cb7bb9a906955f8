/* Settings of the process; see settings.h. */
#include "base/settings.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

enum kind { KIND_INT, KIND_TEXT };

struct setting {
  const char *name;
  const char *environment; /* variable that gives the default, or NULL */
  enum kind kind;
  int64_t number, least, most; /* KIND_INT */
  char *text;                  /* KIND_TEXT; owned, NULL for unset */
};

enum { PROGRESS, THREADS, CACHE, CONNECTIONS, TIMEOUT, RETRIES, VERIFY, HREF_MAP, LOCAL, HOSTS };

static struct setting settings[] = {
    [PROGRESS] = {"progress", "STACCHIP_PROGRESS", KIND_INT, 0, 0, 1, NULL},
    [THREADS] = {"threads", "STACCHIP_THREADS", KIND_INT, 0, 1, 64, NULL},
    [CACHE] = {"cache_bytes", "STACCHIP_CACHE_BYTES", KIND_INT, 256 << 20, 0, INT64_C(1) << 40,
               NULL},
    [CONNECTIONS] = {"max_connections", "STACCHIP_MAX_CONNECTIONS", KIND_INT, 64, 1, 1024, NULL},
    [TIMEOUT] = {"timeout_ms", "STACCHIP_TIMEOUT_MS", KIND_INT, 30000, 1, 3600000, NULL},
    [RETRIES] = {"retries", "STACCHIP_RETRIES", KIND_INT, 4, 0, 100, NULL},
    [VERIFY] = {"verify", "STACCHIP_VERIFY", KIND_INT, 0, 0, 1, NULL},
    [HREF_MAP] = {"href_map", "STACCHIP_HREF_MAP", KIND_TEXT, 0, 0, 0, NULL},
    [LOCAL] = {"local_roots", "STACCHIP_LOCAL", KIND_TEXT, 0, 0, 0, NULL},
    [HOSTS] = {"hosts", "STACCHIP_HOSTS", KIND_TEXT, 0, 0, 0, NULL},
};
#define N_SETTINGS (sizeof settings / sizeof *settings)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int started;
static atomic_uint version; /* counts the changes; read without the lock */
static void (*follower)(const struct sc_settings *);

static sc_status parse_int(const struct setting *s, const char *value, int64_t *out,
                           struct sc_error *err) {
  char *end = NULL;
  long long n = value ? strtoll(value, &end, 10) : 0;
  if (!value || end == value || *end || n < s->least || n > s->most) {
    return sc_fail(
        err, SC_BAD_ARG,
        "stacchip_config: setting '%s': expected a whole number from %lld to %lld, found '%s'",
        s->name, (long long)s->least, (long long)s->most, value ? value : "NULL");
  }
  *out = n;
  return SC_OK;
}

/* Defaults of the machine and the environment, once. The lock is held. */
static void start(void) {
  if (started) return;
  started = 1;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  settings[THREADS].number = cores < 1 ? 1 : cores > 64 ? 64 : cores;
  for (size_t i = 0; i < N_SETTINGS; i++) {
    struct setting *s = &settings[i];
    struct sc_error ignored = {0};
    const char *value = getenv(s->environment);
    if (!value) continue;
    if (s->kind == KIND_INT) {
      parse_int(s, value, &s->number, &ignored);
    } else {
      sc_strdup(value, &s->text, &ignored);
    }
  }
}

static struct setting *find(const char *name, struct sc_error *err) {
  struct sc_buffer list = {0};
  for (size_t i = 0; i < N_SETTINGS; i++) {
    if (name && strcmp(settings[i].name, name) == 0) return &settings[i];
  }
  for (size_t i = 0; i < N_SETTINGS; i++) {
    if (sc_buffer_printf(&list, err, "%s%s", i ? ", " : "", settings[i].name)) break;
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
  };
  follower(&s);
}

sc_status sc_settings_get(const char *name, struct sc_buffer *out, struct sc_error *err) {
  pthread_mutex_lock(&lock);
  start();
  sc_status st = SC_BAD_ARG;
  const struct setting *s = find(name, err);
  if (s && s->kind == KIND_INT) {
    st = sc_buffer_printf(out, err, "%lld", (long long)s->number);
  } else if (s) {
    st = sc_buffer_append_text(out, s->text ? s->text : "", err);
  } else {
    st = err->status;
  }
  pthread_mutex_unlock(&lock);
  return st;
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
                        "stacchip_config: setting 'href_map': expected a JSON object of prefixes, "
                        "such as "
                        "{\"s3://bucket/\": \"/data/\"}, found '%.200s'",
                        value);
}

static sc_status set_text(struct setting *s, const char *value, struct sc_error *err) {
  char *copy = NULL;
  sc_status st = s == &settings[HREF_MAP] ? check_map(value, err) : SC_OK;
  if (!st) st = sc_strdup(value, &copy, err);
  if (st) return st;
  sc_free(s->text);
  s->text = copy;
  return SC_OK;
}

sc_status sc_settings_set(const char *name, const char *value, struct sc_error *err) {
  pthread_mutex_lock(&lock);
  start();
  sc_status st = SC_OK;
  struct setting *s = find(name, err);
  if (!s) {
    st = err->status;
  } else if (s->kind == KIND_INT) {
    st = parse_int(s, value, &s->number, err);
  } else {
    st = set_text(s, value, err);
  }
  if (!st) {
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
    if (strcmp(settings[i].name, name) == 0) n = settings[i].number;
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
