/*
 * Settings of the process: what stacchip_config() shows and changes, with defaults from the
 * environment. Locked inside; stored data never changes them.
 */
#ifndef SC_BASE_SETTINGS_H
#define SC_BASE_SETTINGS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

struct sc_raster_api;

/* The value of a setting as text, appended to out. SC_BAD_ARG lists the names. */
sc_status sc_settings_get(const char *name, struct sc_buffer *out, struct sc_error *err);
/* Set it from text, checked. */
sc_status sc_settings_set(const char *name, const char *value, struct sc_error *err);
/* An integer setting (threads, progress, cache_bytes, max_connections, timeout_ms, retries,
 * verify); 0 for other names. */
int64_t sc_settings_int(const char *name);
/* Changes with every setting that is set. */
unsigned sc_settings_version(void);
/* Hand the settings to the raster half. */
void sc_settings_apply(const struct sc_raster_api *api);

#endif
