/*
 * Connections to a database that is browsed. All are read-only but those for writing labels.
 *
 * A guarded one runs SQL that people type or paste: SELECT over the database's own tables, and
 * functions that only compute. Its authorizer refuses everything else: ATTACH, PRAGMA, writing,
 * table-valued functions and virtual tables that read files or URLs, functions that do. It holds
 * under each of its statements, those inside functions too. Each statement has a time limit.
 */
#ifndef SC_BROWSE_SESSION_H
#define SC_BROWSE_SESSION_H

#include <pthread.h>
#include <stdint.h>

#include "base/sqlite.h"
#include "base/status.h"

enum sc_session_kind { SC_SESSION_OWN, SC_SESSION_GUARDED, SC_SESSION_WRITING, SC_SESSION_KINDS };

/* Sorted, whatever the case of ASCII letters. */
struct sc_session_names {
  char **names;
  int n, capacity;
};

struct sc_session {
  sqlite3 *db;
  enum sc_session_kind kind;
  struct sc_sessions *of;
  struct sc_session *next;                   /* in the list of idle ones, or of all */
  struct sc_session *next_busy;              /* in the list of those that are taken */
  struct sc_session_names tables, functions; /* that guarded SQL may read and call */
  int schema_version;
  int is_ours;        /* a statement of our own runs: the authorizer lets it pass */
  double deadline;    /* of the running statement, on the monotonic clock; 0: none */
  const int *give_up; /* the statement stops once this is not 0; or NULL */
};

/* Those of one database. Zeroed, then sc_sessions_init(). */
struct sc_sessions {
  const char *path;   /* borrowed */
  const int *give_up; /* borrowed: all statements stop once it is not 0 */
  pthread_mutex_t lock;
  struct sc_session *idle, *busy;
  struct sc_session *witness; /* of the one thread that calls sc_sessions_changed() */
  int64_t data_version;
};

void sc_sessions_init(struct sc_sessions *s, const char *path, const int *give_up);
/* None may be taken any more. */
void sc_sessions_free(struct sc_sessions *s);

/* A connection of that kind, for one thread until it is given back. */
sc_status sc_session_take(struct sc_sessions *s, enum sc_session_kind kind, struct sc_session **out,
                          struct sc_error *err);
/* NULL is fine. */
void sc_session_give(struct sc_session *session);

/* The next statements may take so long in all; seconds 0: no limit. */
void sc_session_limit(struct sc_session *session, double seconds, const int *give_up);
/* Turn the failure of a statement into err: what SQLite says, or that it took too long. */
sc_status sc_session_fail(struct sc_session *session, struct sc_error *err);

/* Stop statements that are overdue: called now and then, since not all of what runs asks itself. */
void sc_sessions_watch(struct sc_sessions *s);

/* Has anybody written to the database since the last call? Called by one thread. */
int sc_sessions_changed(struct sc_sessions *s);

/* Is that text one SQL expression by its looks: its parentheses are closed, no ';' stands between,
 * it is not too long? SC_BAD_ARG. */
sc_status sc_session_check_expression(const char *text, struct sc_error *err);

/* Seconds on the monotonic clock. */
double sc_browse_now(void);

#endif
