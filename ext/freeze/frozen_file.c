/* Opening frozen data sets; see frozen_file.h. */
#include "freeze/frozen_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/db.h"
#include "host.h"
#include "pixels/frozen.h"
#include "store/href.h"
#include "store/open.h"

#define STEPS_BETWEEN_LOOKS 20000 /* of SQLite's machine: some 2 ms */

/* The file of a data set: itself, or that of a folder. */
static sc_status find_file(const char *path, char **out, struct sc_error *err) {
  char *named = NULL, *file = NULL;
  struct stat info;
  int fd;
  sc_status st = sc_href_locate(path, &named, err);
  if (!st && sc_href_is_url(named))
    st = sc_fail(err, SC_UNSUPPORTED, "%s: a frozen data set is read from a local file", path);
  if (!st) st = sc_href_allow(named, SC_ORIGIN_LOCAL, &file, err);
  if (!st && stat(file, &info) == 0 && S_ISDIR(info.st_mode)) {
    sc_free(named);
    named = file;
    file = NULL;
    st = sc_format(&file, err, "%s/" SC_FROZEN_FILE_NAME, named);
    if (!st) st = sc_href_check(file, err); /* links lead here, too */
  }
  if (!st && (st = sc_open_regular(file, &fd, NULL, err)) != SC_OK) {
    sc_fail_within(err, "%s", file);
  } else if (!st) {
    close(fd);
    *out = file;
    file = NULL;
  }
  sc_free(named);
  sc_free(file);
  return st;
}

static sc_status check_kind(sqlite3 *db, const char *file, struct sc_error *err) {
  sqlite3_int64 id = 0, version = 0;
  sc_status st = sc_db_query_int(db, "PRAGMA application_id", NULL, NULL, 0, &id, err);
  if (!st) st = sc_db_query_int(db, "PRAGMA user_version", NULL, NULL, 0, &version, err);
  if (st) return sc_fail(err, SC_BAD_DATA, "%s: no frozen data set: %s", file, sqlite3_errmsg(db));
  if (id != SC_FROZEN_APPLICATION_ID)
    return sc_fail(err, SC_BAD_DATA, "%s: a database, but no frozen data set", file);
  if (version > SC_FROZEN_VERSION) {
    return sc_fail(err, SC_BAD_DATA,
                   "%s: a frozen data set of version %lld; this release reads up to %d", file,
                   version, SC_FROZEN_VERSION);
  }
  return SC_OK;
}

sc_status sc_frozen_file_open(struct sc_connection *c, const char *path, sqlite3 **out,
                              struct sc_error *err) {
  char *file = NULL;
  *out = NULL;
  sc_status st = find_file(path, &file, err);
  if (st) return st;
  sc_host_enter();
  int code = sqlite3_open_v2(file, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, NULL);
  sc_host_leave();
  if (code != SQLITE_OK) {
    st = sc_fail(err, SC_IO, "%s: %s", file, *out ? sqlite3_errmsg(*out) : "out of memory");
  } else {
    sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(*out, SQLITE_LIMIT_ATTACHED, 0);
    if (SC_SQLITE_HAS(progress_handler))
      sqlite3_progress_handler(*out, STEPS_BETWEEN_LOOKS, sc_db_interrupted, c->db);
    st = check_kind(*out, file, err);
  }
  if (st) {
    sqlite3_close(*out);
    *out = NULL;
  }
  sc_free(file);
  return st;
}

sc_status sc_frozen_file_get(sqlite3 *db, const char *key, struct sc_buffer *out,
                             struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  int is_row = 0;
  sc_status st = sc_db_prepare(db, "SELECT value FROM dataset WHERE key = ?1", NULL, NULL, &s, err);
  if (!st) {
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    st = sc_db_next(s, &is_row, err);
  }
  if (!st && is_row && sqlite3_column_type(s, 0) != SQLITE_NULL)
    st = sc_buffer_append(out, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0), err);
  if (!st) st = sc_buffer_terminate(out, err);
  sqlite3_finalize(s);
  return st;
}
