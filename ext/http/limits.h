/* The process's settings for requests, safe from any thread. */
#ifndef SC_HTTP_LIMITS_H
#define SC_HTTP_LIMITS_H

#include <stddef.h>

#include "base/settings.h"

/* Copy what settings say of requests. */
void sc_http_configure(const struct sc_settings *settings);

/* Patterns of allowed hosts copied into out; "" is the default rule. */
void sc_http_hosts(char *out, size_t n);
int sc_http_max_connections(void); /* at once to one host */
int sc_http_timeout_ms(void);
int sc_http_retries(void); /* after the first try */

/* In a forked child. */
void sc_http_limits_abandon(void);

#endif
