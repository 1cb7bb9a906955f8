/* Statements by their enum; see statements.h. */
#define SC_MERGE_STATEMENT_TEXTS
#include "merge/statements.h"

#include "base/db.h"

const char *sc_statement_text(enum sc_merge_statement which) {
  return sc_merge_statement_texts[which];
}

sc_status sc_statements_find(struct sc_statements *s, enum sc_merge_statement which,
                             sqlite3_stmt **out, struct sc_error *err) {
  sc_status st = SC_OK;
  if (!s->prepared[which]) {
    st = sc_db_prepare(s->db, sc_statement_text(which), s->schema, s->name, &s->prepared[which],
                       err);
  }
  *out = s->prepared[which];
  return st;
}

void sc_statements_reset(struct sc_statements *s) {
  for (int i = 0; i < SC_N_STMTS; i++) {
    if (s->prepared[i]) sqlite3_reset(s->prepared[i]);
  }
}

void sc_statements_finalize(struct sc_statements *s) {
  for (int i = 0; i < SC_N_STMTS; i++) {
    sqlite3_finalize(s->prepared[i]);
    s->prepared[i] = NULL;
  }
}
