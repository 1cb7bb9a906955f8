/*
 * The statements of a merged index: found by their enum, their texts in sql/merge. A text names
 * the database and the table "{db}" and "{name}" (base/db.h) and begins with its file and name.
 *
 * A table, each cursor and each R*Tree has a set of its own, since scans nest.
 */
#ifndef SC_MERGE_STATEMENTS_H
#define SC_MERGE_STATEMENTS_H

#include "base/sqlite.h"
#include "base/status.h"
#include "sql/merge.h"

/* Fill in the names, and zero the rest; sc_statements_finalize(). */
struct sc_statements {
  sqlite3 *db;
  const char *schema, *name; /* borrowed */
  sqlite3_stmt *prepared[SC_N_STMTS];
};

/* As it is in sql/merge. */
const char *sc_statement_text(enum sc_merge_statement which);

/* The statement, prepared at its first use. Borrowed; the user leaves it reset. */
sc_status sc_statements_find(struct sc_statements *s, enum sc_merge_statement which,
                             sqlite3_stmt **out, struct sc_error *err);

void sc_statements_reset(struct sc_statements *s);
void sc_statements_finalize(struct sc_statements *s);

#endif
