/* Commands of a merged index: check, rebuild, optimize, settings; see command.h. */
#include "merge/command.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "merge/buffers.h"
#include "merge/rebuild.h"
#include "merge/shadow.h"

static sc_status set_on_error(struct sc_merge *t, const char *value, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  enum sc_merge_on_error mode;
  if (!value) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: command 'on_error' takes abort or record in column rank: "
                   "INSERT INTO %s(%s, rank) VALUES ('on_error', 'record')",
                   t->name, t->name, t->name);
  }
  sc_status st = sc_merge_on_error_parse(value, &mode, err);
  if (!st) st = sc_merge_prepare(t, SC_STMT_CONFIG_SET, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, "on_error", -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC);
    st = sc_db_step_reset(stmt, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_merge_command(struct sc_merge *t, const char *command, const char *argument,
                           struct sc_error *err) {
  sc_status st = sc_merge_flush(t, err);
  if (st) return st;
  if (!command) return sc_fail_nomem(err);
  if (sqlite3_stricmp(command, "on_error") == 0) return set_on_error(t, argument, err);
  if (sqlite3_stricmp(command, "integrity-check") == 0) return sc_merge_check(t, err);
  if (sqlite3_stricmp(command, "rebuild") == 0) return sc_merge_rebuild(t, err);
  if (sqlite3_stricmp(command, "optimize") == 0) return sc_merge_optimize(t, err);
  return sc_fail(err, SC_BAD_ARG,
                 "%s: unknown command '%s'; commands: integrity-check, rebuild, optimize, and "
                 "on_error with rank",
                 t->name, command);
}
