/*
 * What SQL says about every chip of a table: whether a condition holds, or the value of an
 * expression. It runs once for a text, in the background, in parts (of the merged index some days
 * each, which its index over items finds), on two threads. Answers of the parts that are done can
 * be used while others run. The last few are kept.
 */
#ifndef SC_BROWSE_COLUMN_H
#define SC_BROWSE_COLUMN_H

#include <pthread.h>

#include "browse/marks.h"
#include "browse/summary.h"
#include "browse/table.h"

#define SC_COLUMN_THREADS 2
#define SC_COLUMN_PARTS 24
#define SC_COLUMN_NAMES 64       /* distinct texts of an expression that are told apart */
#define SC_COLUMN_NAME_BYTES 200 /* of a text; those that begin alike are one */
#define SC_COLUMNS_KEPT 12
#define SC_COLUMN_SECONDS 15.0 /* that a part may take */
#define SC_COLUMN_PATIENCE 4.0 /* after which one that is not asked for again is given up */

struct sc_column {
  /* Of whoever made it: do not change. */
  struct sc_summary *summary;
  char *text;
  int is_condition;
  struct sc_marks
      marks; /* bits of a condition; numbers of an expression, positions in names of texts */
  /* Under the lock of marks. */
  int is_text;
  char *names[SC_COLUMN_NAMES + 1]; /* the last one stands for all further ones */
  int n_names;
  /* Under the lock of the list. */
  int64_t parts[SC_COLUMN_PARTS][2]; /* days of a merged index, ids of a frozen dataset */
  int n_parts, next_part, parts_done, n_running;
  sc_status status;
  struct sc_error err;
  int n_users;
  double last_asked;      /* on the monotonic clock */
  int give_up;            /* atomically */
  double forget_after;    /* the tables changed while it ran: when it may go; 0: they did not */
  struct sc_column *next; /* last used first */
};

struct sc_columns {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct sc_column *first;
  int is_stopping;
  pthread_t threads[SC_COLUMN_THREADS];
  int n_threads;
};

sc_status sc_columns_start(struct sc_columns *list, struct sc_error *err);
/* Everything that runs gives up. */
void sc_columns_stop(struct sc_columns *list);
/* After sc_columns_stop(). */
void sc_columns_free(struct sc_columns *list);
/* The tables have changed: forget all that is known. What still runs goes on, and is forgotten a
 * while later: else a database that is written all the time would never have an answer. */
void sc_columns_forget(struct sc_columns *list);

/* Give up what nobody has asked for in the last seconds: called now and then. */
void sc_columns_watch(struct sc_columns *list);

/* What is asked about every chip. */
struct sc_question {
  struct sc_summary *summary;
  const char *text;
  int is_condition;
};

/*
 * The column of a question, after waiting up to so many seconds for it. An error of the SQL, or the
 * part that took too long, is the result.
 *
 * done  Which fraction of the table is known.
 * *out  To be given back with sc_column_give().
 */
sc_status sc_column_take(struct sc_columns *list, const struct sc_question *q, double seconds,
                         double *done, struct sc_column **out, struct sc_error *err);
void sc_column_give(struct sc_columns *list, struct sc_column *c);

#endif
