/* Settings for requests; see limits.h. */
#include "http/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_int max_connections = 64, timeout_ms = 30000, retries = 4;
static pthread_mutex_t hosts_lock = PTHREAD_MUTEX_INITIALIZER;
static char hosts[4096];

void sc_http_configure(const struct sc_settings *s) {
  atomic_store(&max_connections, s->max_connections);
  atomic_store(&timeout_ms, s->timeout_ms);
  atomic_store(&retries, s->retries);
  pthread_mutex_lock(&hosts_lock);
  if (snprintf(hosts, sizeof hosts, "%s", s->hosts ? s->hosts : "") >= (int)sizeof hosts) {
    char *comma = strrchr(hosts, ','); /* half a pattern may allow more than the whole */
    snprintf(comma ? comma : hosts, 2, ",");
  }
  pthread_mutex_unlock(&hosts_lock);
}

void sc_http_hosts(char *out, size_t n) {
  pthread_mutex_lock(&hosts_lock);
  snprintf(out, n, "%s", hosts);
  pthread_mutex_unlock(&hosts_lock);
}

int sc_http_max_connections(void) { return atomic_load(&max_connections); }
int sc_http_timeout_ms(void) { return atomic_load(&timeout_ms); }
int sc_http_retries(void) { return atomic_load(&retries); }

void sc_http_limits_abandon(void) { pthread_mutex_init(&hosts_lock, NULL); }
