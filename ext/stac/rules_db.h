/* The private connection of a rule set, shared by rules.c and classify.c only. */
#ifndef SC_STAC_RULES_DB_H
#define SC_STAC_RULES_DB_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/sqlite.h"
#include "stac/rules.h"

/* A table that was made of a rule's expressions, kept since an archive is one system. */
struct sc_kept_table {
  char *key;      /* expressions, type and nodata; owned */
  uint8_t *table; /* 256 or 65536 entries; owned */
};
#define SC_KEPT_TABLES 4

struct sc_rules {
  pthread_mutex_t lock;  /* guards all below */
  sqlite3 *db;           /* private, in memory; opened on first need */
  sqlite3 *plain;        /* private, empty: has SQLite's own functions (bounded.h) */
  sqlite3_stmt *matcher; /* item -> position of the rule that matches; NULL: to be made */
  int is_guarded;        /* the authorizer checks what is being prepared: a user's expression */
  struct sc_kept_table kept[SC_KEPT_TABLES];
  int next_kept;       /* the one to replace next */
  atomic_uint version; /* counts the changes; read without the lock */
  /* since sc_rules_enter(): */
  enum { SC_RULES_RUNNING = 0, SC_RULES_INTERRUPTED, SC_RULES_TOO_LONG } stopped;
  long n_steps;
  double begun_s; /* CPU time of the thread */
  struct timespec next_look;
};

/* What the expressions see: an item by parameters 1 to 6, a value by parameters 1 and 2. */
#define SC_RULES_ITEM_SOURCE                                                                    \
  "(SELECT ?1 AS id, ?2 AS collection, ?3 AS platform, ?4 AS constellation, ?5 AS properties, " \
  "?6 AS assets)"
#define SC_RULES_VALUE_SOURCE "(SELECT ?1 AS v, ?2 AS nd)"

/* Lock the set, with its connection open; after SC_OK call sc_rules_leave(). */
sc_status sc_rules_enter(struct sc_rules *rules, struct sc_error *err);
void sc_rules_leave(struct sc_rules *rules);
/* The same to judge values, whose expressions need no long texts: they are held to short ones. */
sc_status sc_rules_enter_values(struct sc_rules *rules, struct sc_error *err);
/* Why a statement of the private connection failed: SC_INTERRUPT where the caller was asked to
 * stop; else SC_BAD_ARG, with the limit that it reached or SQLite's message. */
sc_status sc_rules_fail(const struct sc_rules *rules, struct sc_error *err);

/* Prepare exactly one SELECT under the authorizer. SC_BAD_ARG with SQLite's message. */
sc_status sc_rules_prepare(struct sc_rules *rules, const char *sql, sqlite3_stmt **out,
                           struct sc_error *err);

#endif
