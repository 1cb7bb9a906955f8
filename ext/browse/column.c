/* SQL over all chips; see column.h. */
#include "browse/column.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "base/db.h"
#include "base/thread.h"

#define FROZEN_PART_CHIPS 50000

/* ---- the statement ---- */

/* No day that summary.c can read: the part of items without. */
#define IS_UNDATED INT64_MIN

static sc_status put_statement(const struct sc_column *c, int is_undated, struct sc_buffer *out,
                               struct sc_error *err) {
  const struct sc_browse_table *t = c->summary->table;
  sc_status st = sc_table_sql(t, c->is_condition ? "SELECT {id}" : "SELECT {id}, (\n", out, err);
  if (!st && !c->is_condition) st = sc_buffer_append_text(out, c->text, err);
  if (!st && !c->is_condition) st = sc_buffer_append_text(out, "\n)", err);
  const char *where = t->is_frozen ? " FROM {from} WHERE {id} BETWEEN ?1 AND ?2"
                      : is_undated
                          ? " FROM {from} WHERE (date IS NULL OR date NOT BETWEEN ?1 AND ?2)"
                          : " FROM {from} WHERE date BETWEEN ?1 AND ?2";
  if (!st) st = sc_table_sql(t, where, out, err);
  if (!st && c->is_condition) st = sc_buffer_append_text(out, " AND (\n", err);
  if (!st && c->is_condition) st = sc_buffer_append_text(out, c->text, err);
  if (!st && c->is_condition) st = sc_buffer_append_text(out, "\n)", err);
  return st ? st : sc_buffer_terminate(out, err);
}

static sc_status prepare_part(const struct sc_column *c, int part, struct sc_session *s,
                              sqlite3_stmt **out, struct sc_error *err) {
  struct sc_buffer sql = {0};
  const int64_t *bounds = c->parts[part];
  int is_undated = bounds[0] == IS_UNDATED;
  sc_status st = put_statement(c, is_undated, &sql, err);
  *out = NULL;
  if (!st) st = sc_table_prepare_theirs(c->summary->table, s, &sql, out, err);
  sc_buffer_free(&sql);
  if (st) return st;
  for (int i = 0; i < 2; i++) {
    char day[24];
    int32_t days = i ? c->summary->last_day : c->summary->first_day;
    if (c->summary->table->is_frozen) {
      sqlite3_bind_int64(*out, 1 + i, bounds[i]);
    } else {
      sc_date_format(is_undated ? days : bounds[i], day, sizeof day);
      sqlite3_bind_text(*out, 1 + i, day, -1, SQLITE_TRANSIENT);
    }
  }
  return SC_OK;
}

/* ---- a part ---- */

/* What a part found, before it goes into the column. */
struct found {
  int64_t *ids;
  float *values;
  size_t n, capacity;
  int is_text;
  char *names[SC_COLUMN_NAMES + 1];
  int n_names;
};

static void free_found(struct found *f) {
  for (int i = 0; i < f->n_names; i++) sc_free(f->names[i]);
  sc_free(f->ids);
  sc_free(f->values);
}

/* The position of a name; of the last one for those beyond SC_COLUMN_NAMES. */
static sc_status find_name(char **names, int *n, const char *name, float *out,
                           struct sc_error *err) {
  int i = 0;
  while (i < *n && i < SC_COLUMN_NAMES && strncmp(names[i], name, SC_COLUMN_NAME_BYTES) != 0) i++;
  *out = (float)i;
  if (i < *n) return SC_OK;
  if (i == SC_COLUMN_NAMES) name = "(others)";
  sc_status st = sc_strndup(name, strnlen(name, SC_COLUMN_NAME_BYTES), &names[i], err);
  if (!st) ++*n;
  return st;
}

static sc_status take_value(struct found *f, sqlite3_stmt *row, float *out, struct sc_error *err) {
  int type = sqlite3_column_type(row, 1);
  *out = NAN;
  if (type == SQLITE_TEXT) {
    const char *text = (const char *)sqlite3_column_text(row, 1);
    f->is_text = 1;
    return text ? find_name(f->names, &f->n_names, text, out, err) : sc_fail_nomem(err);
  }
  /* Of an expression that gives texts and numbers, the numbers have no name. */
  if (!f->is_text && (type == SQLITE_INTEGER || type == SQLITE_FLOAT))
    *out = (float)sqlite3_column_double(row, 1);
  return SC_OK;
}

static sc_status take_row(struct found *f, int is_condition, sqlite3_stmt *row,
                          struct sc_error *err) {
  if (f->n == f->capacity) {
    size_t capacity = 2 * f->capacity + 4096;
    int64_t *ids = sc_realloc(f->ids, capacity * sizeof *ids);
    if (!ids) return sc_fail_nomem(err);
    f->ids = ids;
    float *values = is_condition ? NULL : sc_realloc(f->values, capacity * sizeof *values);
    if (!values && !is_condition) return sc_fail_nomem(err);
    f->values = values;
    f->capacity = capacity;
  }
  f->ids[f->n] = sqlite3_column_int64(row, 0);
  sc_status st = is_condition ? SC_OK : take_value(f, row, &f->values[f->n], err);
  if (!st) f->n++;
  return st;
}

/* Names that parts have numbered each for itself are those of the column. */
static sc_status map_names(struct sc_column *c, const struct found *f, float *numbers,
                           struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < f->n_names && !st; i++)
    st = find_name(c->names, &c->n_names, f->names[i], &numbers[i], err);
  c->is_text |= f->is_text;
  return st;
}

static sc_status merge_part(struct sc_column *c, const struct found *f, struct sc_error *err) {
  float numbers[SC_COLUMN_NAMES + 1];
  const struct sc_marks_page *page = NULL;
  pthread_rwlock_wrlock(&c->marks.lock);
  sc_status st = map_names(c, f, numbers, err);
  for (size_t i = 0; i < f->n && !st; i++) {
    int64_t id = f->ids[i];
    if (!page || page->key != id >> 16)
      st = sc_marks_make(&c->marks, id, !c->is_condition, &page, err);
    if (st) break;
    size_t at = (size_t)(id & (SC_MARKS_PAGE - 1));
    if (!f->values) {
      page->bits[at >> 6] |= UINT64_C(1) << (at & 63);
    } else {
      float v = f->values[i];
      page->values[at] = f->is_text && !isnan(v) ? numbers[(int)v] : v;
    }
  }
  pthread_rwlock_unlock(&c->marks.lock);
  return st;
}

static sc_status run_part(struct sc_column *c, int part, struct sc_error *err) {
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  struct found found = {0};
  int code = SQLITE_ROW;
  sc_status st = sc_session_take(c->summary->table->sessions, SC_SESSION_GUARDED, &s, err);
  if (!st) sc_session_limit(s, SC_COLUMN_SECONDS, &c->give_up);
  if (!st) st = prepare_part(c, part, s, &stmt, err);
  while (!st && (code = sqlite3_step(stmt)) == SQLITE_ROW)
    st = take_row(&found, c->is_condition, stmt, err);
  if (!st && code != SQLITE_DONE) st = sc_session_fail(s, err);
  sqlite3_finalize(stmt);
  sc_session_give(s);
  if (!st) st = merge_part(c, &found, err);
  free_found(&found);
  return st;
}

/* ---- threads ---- */

static struct sc_column *next_part(struct sc_columns *list, int *part) {
  for (struct sc_column *c = list->first; c; c = c->next) {
    if (c->status || c->give_up || c->next_part == c->n_parts) continue;
    *part = c->next_part++;
    c->n_running++;
    return c;
  }
  return NULL;
}

static void *work(void *context) {
  struct sc_columns *list = context;
  struct sc_error err = {0};
  pthread_mutex_lock(&list->lock);
  while (!list->is_stopping) {
    int part;
    struct sc_column *c = next_part(list, &part);
    if (!c) {
      pthread_cond_wait(&list->changed, &list->lock);
      continue;
    }
    pthread_mutex_unlock(&list->lock);
    sc_error_init(&err);
    sc_status st = run_part(c, part, &err);
    pthread_mutex_lock(&list->lock);
    c->n_running--;
    c->parts_done++;
    if (st && !c->status) {
      c->status = st;
      c->err = err;
    }
    pthread_cond_broadcast(&list->changed);
  }
  pthread_mutex_unlock(&list->lock);
  return NULL;
}

sc_status sc_columns_start(struct sc_columns *list, struct sc_error *err) {
  pthread_mutex_init(&list->lock, NULL);
  pthread_cond_init(&list->changed, NULL);
  for (; list->n_threads < SC_COLUMN_THREADS; list->n_threads++) {
    if (!sc_thread_start(&list->threads[list->n_threads], work, list))
      return sc_fail(err, SC_IO, "no thread can be started");
  }
  return SC_OK;
}

void sc_columns_stop(struct sc_columns *list) {
  pthread_mutex_lock(&list->lock);
  list->is_stopping = 1;
  for (struct sc_column *c = list->first; c; c = c->next)
    __atomic_store_n(&c->give_up, 1, __ATOMIC_RELAXED);
  pthread_cond_broadcast(&list->changed);
  pthread_mutex_unlock(&list->lock);
}

static void free_column(struct sc_column *c) {
  for (int i = 0; i < c->n_names; i++) sc_free(c->names[i]);
  sc_marks_free(&c->marks);
  sc_free(c->text);
  sc_free(c);
}

void sc_columns_free(struct sc_columns *list) {
  for (int i = 0; i < list->n_threads; i++) pthread_join(list->threads[i], NULL);
  while (list->first) {
    struct sc_column *next = list->first->next;
    free_column(list->first);
    list->first = next;
  }
  pthread_cond_destroy(&list->changed);
  pthread_mutex_destroy(&list->lock);
}

/* ---- the list ---- */

static int is_done(const struct sc_column *c) { return c->status || c->parts_done == c->n_parts; }

/* Let columns go that nobody uses: of those that are done the ones beyond the kept ones, all but
 * the last of expressions (40 MB for 10 million chips), all of them with `all`. Those that run are
 * somebody's, whom this would leave without an answer: two pages may ask for two colours in turns.
 * Called under the lock. */
static void let_go(struct sc_columns *list, int all) {
  double now = sc_browse_now();
  int n = 0, n_expressions = 0;
  for (struct sc_column **at = &list->first; *at;) {
    struct sc_column *c = *at;
    n++;
    n_expressions += !c->is_condition;
    int is_kept =
        !is_done(c) || (!all && n <= SC_COLUMNS_KEPT && (c->is_condition || n_expressions == 1) &&
                        (c->forget_after == 0 || now < c->forget_after));
    if (!is_kept) __atomic_store_n(&c->give_up, 1, __ATOMIC_RELAXED);
    if ((is_kept && !c->give_up) || c->n_users || c->n_running) {
      at = &c->next;
    } else {
      *at = c->next;
      free_column(c);
    }
  }
}

void sc_columns_forget(struct sc_columns *list) {
  pthread_mutex_lock(&list->lock);
  for (struct sc_column *c = list->first; c; c = c->next) {
    if (c->forget_after == 0) c->forget_after = sc_browse_now() + SC_COLUMN_PATIENCE;
  }
  let_go(list, 1);
  pthread_mutex_unlock(&list->lock);
}

void sc_columns_watch(struct sc_columns *list) {
  pthread_mutex_lock(&list->lock);
  double now = sc_browse_now();
  for (struct sc_column *c = list->first; c; c = c->next) {
    if (!c->n_users && c->parts_done < c->n_parts && now - c->last_asked > SC_COLUMN_PATIENCE)
      __atomic_store_n(&c->give_up, 1, __ATOMIC_RELAXED);
  }
  let_go(list, 0);
  pthread_mutex_unlock(&list->lock);
}

static int compare_days(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* Parts of about as many items each; one more for those without a day. */
static sc_status plan_days(struct sc_column *c, struct sc_error *err) {
  const struct sc_summary *s = c->summary;
  size_t n = 0;
  int32_t *days = sc_alloc(s->n_items * sizeof *days);
  if (!days) return sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_items; i++) {
    if (s->items[i].day != SC_NO_DAY) days[n++] = s->items[i].day;
  }
  if (n) qsort(days, n, sizeof *days, compare_days);
  int wanted = n < SC_COLUMN_PARTS - 1 ? (int)n : SC_COLUMN_PARTS - 1;
  for (int i = 0; i < wanted; i++) {
    int64_t last = days[(n * (size_t)(i + 1)) / (size_t)wanted - 1];
    int64_t first = c->n_parts ? c->parts[c->n_parts - 1][1] + 1 : days[0];
    if (last < first) continue; /* many items of one day */
    c->parts[c->n_parts][0] = first;
    c->parts[c->n_parts++][1] = last;
  }
  if (n < s->n_items) c->parts[c->n_parts++][0] = IS_UNDATED;
  sc_free(days);
  return SC_OK;
}

static sc_status plan_ids(struct sc_column *c, struct sc_session *s, struct sc_error *err) {
  sqlite3_int64 first = 0, last = 0;
  sc_status st =
      sc_db_query_int(s->db, "SELECT min(position) FROM main.chips", NULL, NULL, 0, &first, err);
  if (!st)
    st = sc_db_query_int(s->db, "SELECT max(position) FROM main.chips", NULL, NULL, 0, &last, err);
  double span = (double)last - (double)first + 1;
  c->n_parts = (int)fmin(SC_COLUMN_PARTS, 1 + span / FROZEN_PART_CHIPS);
  for (int i = 0; i < c->n_parts; i++) {
    c->parts[i][0] = i ? c->parts[i - 1][1] + 1 : first;
    c->parts[i][1] = i + 1 == c->n_parts ? last : first + (int64_t)(span * (i + 1) / c->n_parts);
  }
  return st;
}

/* A new column whose SQL SQLite understands. */
static sc_status new_column(const struct sc_question *q, struct sc_column **out,
                            struct sc_error *err) {
  struct sc_column *c = sc_alloc_zero(1, sizeof *c);
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  *out = NULL;
  if (!c) return sc_fail_nomem(err);
  c->summary = q->summary;
  c->is_condition = q->is_condition;
  sc_marks_init(&c->marks);
  sc_status st = sc_strdup(q->text, &c->text, err);
  if (!st) st = sc_session_check_expression(q->text, err);
  if (!st) st = sc_session_take(q->summary->table->sessions, SC_SESSION_GUARDED, &s, err);
  if (!st) st = q->summary->table->is_frozen ? plan_ids(c, s, err) : plan_days(c, err);
  if (!st && c->n_parts) st = prepare_part(c, 0, s, &stmt, err);
  sqlite3_finalize(stmt);
  sc_session_give(s);
  if (st) {
    free_column(c);
    return st;
  }
  *out = c;
  return SC_OK;
}

/* Called under the lock; comes to the front of the list. */
static struct sc_column *find_column(struct sc_columns *list, const struct sc_question *q) {
  for (struct sc_column **at = &list->first; *at; at = &(*at)->next) {
    struct sc_column *c = *at;
    if (c->summary != q->summary || c->is_condition != q->is_condition || c->give_up ||
        strcmp(c->text, q->text) != 0)
      continue;
    *at = c->next;
    c->next = list->first;
    list->first = c;
    return c;
  }
  return NULL;
}

static void wait_for(struct sc_columns *list, const struct sc_column *c, double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  double t = (double)until.tv_sec + (double)until.tv_nsec * 1e-9 + seconds;
  until.tv_sec = (time_t)t;
  until.tv_nsec = (long)((t - floor(t)) * 1e9);
  while (!c->status && c->parts_done < c->n_parts && !list->is_stopping &&
         pthread_cond_timedwait(&list->changed, &list->lock, &until) == 0) {
  }
}

sc_status sc_column_take(struct sc_columns *list, const struct sc_question *q, double seconds,
                         double *done, struct sc_column **out, struct sc_error *err) {
  struct sc_column *made = NULL;
  *out = NULL;
  pthread_mutex_lock(&list->lock);
  struct sc_column *c = find_column(list, q);
  if (!c) {
    pthread_mutex_unlock(&list->lock);
    sc_status st = new_column(q, &made, err);
    if (st) return st;
    pthread_mutex_lock(&list->lock);
    c = find_column(list, q);
    if (!c) {
      made->next = list->first;
      list->first = c = made;
      made = NULL;
      pthread_cond_broadcast(&list->changed);
    }
  }
  c->n_users++;
  c->last_asked = sc_browse_now();
  let_go(list, 0);
  wait_for(list, c, seconds);
  *done = c->n_parts ? (double)c->parts_done / c->n_parts : 1;
  sc_status st = c->status;
  if (st) {
    *err = c->err;
    c->n_users--;
    c->give_up = 1; /* asked for again, it is tried again */
    let_go(list, 0);
  } else {
    *out = c;
  }
  pthread_mutex_unlock(&list->lock);
  if (made) free_column(made);
  return st;
}

void sc_column_give(struct sc_columns *list, struct sc_column *c) {
  if (!c) return;
  pthread_mutex_lock(&list->lock);
  c->n_users--;
  pthread_mutex_unlock(&list->lock);
}
