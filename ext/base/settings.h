/*
 * Settings of the process: what stacchip_config() shows and changes, with defaults from the
 * environment. Locked inside; stored data never changes them.
 */
#ifndef SC_BASE_SETTINGS_H
#define SC_BASE_SETTINGS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/options.h"
#include "base/status.h"

/* Those that the raster half goes by. A snapshot: its strings live as long as the call that
 * gets it. */
struct sc_settings {
  const char *hosts;      /* patterns of allowed hosts, comma separated; NULL: default rule */
  int threads;            /* workers; 1 to 64 */
  int verify;             /* decode whole blocks and check their checksums */
  int64_t cache_bytes;    /* budget of the block cache, process-wide */
  int max_connections;    /* concurrent requests per host */
  int timeout_ms;         /* of one request */
  int retries;            /* after the first try */
  const char *disk_path;  /* folder of the disk cache; NULL: none */
  int64_t disk_bytes;     /* its bound */
  int64_t disk_max_age_s; /* for which the state of a file is believed */
};

#define SC_DISK_MAX_AGE_S 604800 /* a week, unless disk_cache says otherwise */

/* Their names, kinds and bounds, for help. */
extern const struct sc_option_table sc_settings_table;

/* The value of a setting as text, appended to out. SC_BAD_ARG lists the names. */
sc_status sc_settings_get(const char *name, struct sc_buffer *out, struct sc_error *err);
/* Set it from text, checked. */
sc_status sc_settings_set(const char *name, const char *value, struct sc_error *err);
/* SC_BAD_ARG while a setting has a value of the environment that it cannot have: names the
 * variable. Asked before the raster half is used; a value that is set ends it. */
sc_status sc_settings_check(struct sc_error *err);

/* What disk_cache says. `path` is freed with sc_free(); NULL: there is none. */
struct sc_disk_setting {
  char *path;
  int64_t bytes, max_age_s;
};
sc_status sc_disk_setting_parse(const char *value, struct sc_disk_setting *out,
                                struct sc_error *err);
/* An integer setting (threads, progress, cache_bytes, max_connections, timeout_ms, retries,
 * verify); 0 for other names. */
int64_t sc_settings_int(const char *name);
/* Changes with every setting that is set. */
unsigned sc_settings_version(void);
/* Call `changed` now and after each change, one call at a time: the raster half, once it is there.
 */
void sc_settings_follow(void (*changed)(const struct sc_settings *settings));

#endif
