/* Opening, closing and finding merged indexes, and their statements; see table.h. */
#include "merge/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "merge/cursor.h"
#include "merge/lookup.h"
#include "merge/shadow.h"

/*
 * The open tables of every connection: sc_merge_lookup() is given a connection and a name,
 * and SQLite has no way from there to a virtual table (sqlite3_set_clientdata() is of 3.44).
 */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sc_merge *registry;

static void registry_add(struct sc_merge *t) {
  pthread_mutex_lock(&registry_lock);
  t->next = registry;
  registry = t;
  pthread_mutex_unlock(&registry_lock);
}

static void registry_remove(struct sc_merge *t) {
  pthread_mutex_lock(&registry_lock);
  for (struct sc_merge **p = &registry; *p; p = &(*p)->next) {
    if (*p == t) {
      *p = t->next;
      break;
    }
  }
  pthread_mutex_unlock(&registry_lock);
}

static struct sc_merge *registry_find(const sqlite3 *db, const char *schema, const char *name) {
  pthread_mutex_lock(&registry_lock);
  struct sc_merge *t = registry;
  while (t && (t->db != db || sqlite3_stricmp(t->name, name) != 0 ||
               sqlite3_stricmp(t->schema, schema) != 0)) {
    t = t->next;
  }
  pthread_mutex_unlock(&registry_lock);
  return t;
}

void sc_merge_note_change(struct sc_merge *t) {
  static atomic_uint last;
  t->change = atomic_fetch_add(&last, 1) + 1;
}

sc_status sc_merge_find_table(sqlite3 *db, const char *schema, const char *name,
                              struct sc_merge **out, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  *out = registry_find(db, schema, name);
  if (*out) return SC_OK;
  /* Preparing a query connects the table. */
  sc_status st = sc_db_prepare(db, "SELECT 1 FROM \"{db}\".\"{name}\"", schema, name, &stmt, err);
  sqlite3_finalize(stmt);
  if (st == SC_DB) {
    return sc_fail(err, SC_NOT_FOUND, "no merged index \"%s\": %s", name, sqlite3_errmsg(db));
  }
  *out = st ? NULL : registry_find(db, schema, name);
  if (!st && !*out) {
    st = sc_fail(err, SC_NOT_FOUND, "\"%s\" is not a stacchip_merge table", name);
  }
  return st;
}

sc_status sc_merge_find_named(sqlite3 *db, const char *name, struct sc_merge **out,
                              struct sc_error *err) {
  const char *dot = strchr(name, '.');
  char *schema = NULL;
  *out = registry_find(db, "main", name);
  if (*out) return SC_OK;
  if (!dot) return sc_merge_find_table(db, "main", name, out, err);
  sc_status st = sc_strndup(name, (size_t)(dot - name), &schema, err);
  if (!st) *out = registry_find(db, schema, dot + 1);
  if (!st && !*out) st = sc_merge_find_table(db, "main", name, out, err);
  if (st == SC_NOT_FOUND) st = sc_merge_find_table(db, schema, dot + 1, out, err);
  sc_free(schema);
  return st;
}

sc_status sc_merge_statement(struct sc_merge *t, enum sc_merge_statement which, sqlite3_stmt **out,
                             struct sc_error *err) {
  sc_status st = sc_statements_find(&t->statements, which, out, err);
  return st == SC_DB ? sc_fail_within(err, "merged index %s", t->name) : st;
}

sc_status sc_merge_new_id(struct sc_merge *t, const struct sc_merge_ids *ids, int64_t *next,
                          int64_t *out, struct sc_error *err) {
  if (!*next) {
    sqlite3_stmt *s;
    sc_status st = sc_merge_statement(t, ids->last, &s, err);
    if (st) return st;
    int is_row;
    st = sc_db_next(s, &is_row, err);
    int64_t last = !st && is_row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (st) return st;
    if (last < 0 || last >= ids->end) {
      return sc_fail(err, SC_BAD_DATA, "%s_%s: its last id, %lld, is out of range", t->name,
                     ids->table, (long long)last);
    }
    *next = last + 1;
  }
  *out = (*next)++;
  return SC_OK;
}

sc_status sc_merge_prepare(struct sc_merge *t, enum sc_merge_statement which, sqlite3_stmt **out,
                           struct sc_error *err) {
  sc_status st = sc_db_prepare(t->db, sc_statement_text(which), t->schema, t->name, out, err);
  return st == SC_DB ? sc_fail_within(err, "merged index %s", t->name) : st;
}

sc_status sc_merge_find_on_error(struct sc_merge *t, enum sc_merge_on_error *out,
                                 struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  *out = t->args.on_error;
  sc_status st = sc_merge_prepare(t, SC_STMT_CONFIG_GET, &stmt, err);
  if (st) return st;
  sqlite3_bind_text(stmt, 1, "on_error", -1, SQLITE_STATIC);
  int is_row;
  st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row && sqlite3_column_type(stmt, 0) == SQLITE_TEXT) {
    st = sc_merge_on_error_parse((const char *)sqlite3_column_text(stmt, 0), out, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

/* What has the names of the shadow tables in it. */
static sc_status take_names(struct sc_merge *t, struct sc_error *err) {
  char *area = NULL, *index = NULL;
  t->statements.db = t->db;
  t->statements.schema = t->schema;
  t->statements.name = t->name;
  sc_status st = sc_format(&area, err, "%s_area", t->name);
  if (!st) st = sc_format(&index, err, "idx_%s_chip_geometry", t->name);
  if (!st) st = sc_rtree_init(&t->area, t->db, t->schema, area, 4, err);
  if (!st) st = sc_rtree_init(&t->index, t->db, t->schema, index, 2, err);
  t->area.repack_share = 1.0 / 16; /* it is small, and every spatial query reads it */
  sc_free(area);
  sc_free(index);
  return st;
}

sc_status sc_merge_open(struct sc_connection *c, sqlite3 *db, const char *schema, const char *name,
                        struct sc_merge_args *args, struct sc_merge **out, struct sc_error *err) {
  struct sc_merge *t = sc_alloc_zero(1, sizeof *t);
  if (!t) {
    sc_merge_args_free(args);
    return sc_fail_nomem(err);
  }
  t->args = *args;
  t->connection = c;
  t->db = db;
  sc_merge_note_change(t);
  sc_status st = sc_strdup(schema, &t->schema, err);
  if (!st) st = sc_strdup(name, &t->name, err);
  if (!st) st = sc_predicates_new(db, &t->predicates, err);
  if (!st) st = take_names(t, err);
  if (st) {
    sc_merge_close(t);
    return st;
  }
  registry_add(t);
  *out = t;
  return SC_OK;
}

void sc_merge_release(struct sc_merge *t) {
  sc_statements_finalize(&t->statements);
  sc_merge_discard(t);
  sc_cursor_free_pool(t);
  sc_merge_lookup_free(t->lookup);
  t->lookup = NULL;
  sc_rtree_free(&t->area);
  sc_rtree_free(&t->index);
}

sc_status sc_merge_set_name(struct sc_merge *t, const char *name, struct sc_error *err) {
  char *copy = NULL;
  sc_status st = sc_strdup(name, &copy, err);
  if (st) return st;
  sc_free(t->name);
  t->name = copy;
  sc_merge_note_change(t);
  sc_rtree_free(&t->area);
  sc_rtree_free(&t->index);
  return take_names(t, err);
}

void sc_merge_close(struct sc_merge *t) {
  registry_remove(t);
  sc_merge_release(t);
  sqlite3_free(t->base.zErrMsg); /* SQLite does not fetch the one of a failed xDestroy */
  sc_predicates_free(t->predicates);
  sc_merge_args_free(&t->args);
  sc_buffer_free(&t->scratch);
  for (int i = 0; i < SC_MERGE_CHIPS_AT_ONCE; i++) sc_buffer_free(&t->new_chips[i].geometry);
  sc_free(t->new_cells);
  sc_free(t->old_ids);
  sc_free(t->schema);
  sc_free(t->name);
  sc_free(t);
}
