/*
 * A table that is browsed: a merged index, or the chips of a frozen dataset. To the rest both are
 * SQL with the same names:
 *
 *   SELECT <id>, <item>, <date>, <cloud>, ... FROM <from> WHERE <what people type>
 */
#ifndef SC_BROWSE_TABLE_H
#define SC_BROWSE_TABLE_H

#include "base/buffer.h"
#include "browse/session.h"

/* An SQL expression for each; "NULL" for what a frozen dataset does not have. */
enum sc_table_value {
  SC_TABLE_ID, /* an integer */
  SC_TABLE_HANDLE,
  SC_TABLE_ITEM,
  SC_TABLE_PLATFORM,
  SC_TABLE_DATE,
  SC_TABLE_CLOUD,
  SC_TABLE_NODATA,
  SC_TABLE_X,
  SC_TABLE_Y,
  SC_TABLE_GEOMETRY,
  SC_TABLE_GRID, /* equal for the items of one grid */
  SC_TABLE_N_VALUES
};

struct sc_summary;

struct sc_browse_table {
  char *name;   /* as requests call it: that in the database, with the file's where two are equal */
  char *table;  /* in its database */
  char *labels; /* name of its table of labels, there or not */
  struct sc_sessions *sessions; /* of its database; borrowed */
  int is_frozen;
  char *from; /* SQL */
  char *values[SC_TABLE_N_VALUES];
  struct sc_summary *summary; /* its chips in memory (summary.h), once they are being read */
  char *options;              /* of a frozen dataset: how its chips were read, JSON; or NULL */
};

struct sc_browse_tables {
  struct sc_browse_table *tables;
  int n;
};

/* Append the tables of a database; label_table is the user's name for the table of labels, or NULL.
 * SC_NOT_FOUND where it has none. */
sc_status sc_tables_find(struct sc_sessions *sessions, const char *label_table,
                         struct sc_browse_tables *out, struct sc_error *err);
void sc_tables_free(struct sc_browse_tables *tables);

/* Append SELECT text: sc_buffer_printf() in which {id}, {item}, {from}, {labels} and so on stand
 * for the table's own. Ends in a zero that is not counted. */
sc_status sc_table_sql(const struct sc_browse_table *t, const char *text, struct sc_buffer *out,
                       struct sc_error *err);
/* Prepare such a text on a session. */
sc_status sc_table_prepare(const struct sc_browse_table *t, struct sc_session *s, const char *text,
                           sqlite3_stmt **out, struct sc_error *err);
/* The same of a statement with what people wrote in it, behind which a new line begins: they are
 * told which columns there are, and that what they wrote ends too early. */
sc_status sc_table_prepare_theirs(const struct sc_browse_table *t, struct sc_session *s,
                                  const struct sc_buffer *sql, sqlite3_stmt **out,
                                  struct sc_error *err);
/* Is its table of labels there, and one? */
int sc_table_has_labels(const struct sc_browse_table *t, struct sc_session *s);

#endif
