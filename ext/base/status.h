/*
 * Status codes and the caller-owned error that carries their text.
 *
 * Every function that can fail returns sc_status and takes a struct sc_error last, which
 * is never NULL. The function that finds an error writes the message; the others pass it
 * up, adding at most a prefix that says whose error it is.
 */
#ifndef SC_BASE_STATUS_H
#define SC_BASE_STATUS_H

#include <stdarg.h>

typedef enum sc_status {
  SC_OK = 0,
  SC_NOMEM,       /* an allocation failed */
  SC_BAD_ARG,     /* the caller's SQL argument or option is wrong */
  SC_BAD_DATA,    /* an item, file or table is not what it should be */
  SC_RANGE,       /* a position or size is outside what is allowed */
  SC_IO,          /* a read, write or transfer failed */
  SC_NOT_FOUND,   /* the thing named is not there */
  SC_DENIED,      /* the access rules forbid it */
  SC_DB,          /* SQLite said no; err->db_code has its code */
  SC_CONSTRAINT,  /* it is there already */
  SC_INTERRUPT,   /* sqlite3_interrupt() or a progress handler */
  SC_UNSUPPORTED, /* known, but not handled by this build */
  SC_TOO_BIG,     /* beyond a named limit */
  SC_AGAIN,       /* throttled or timed out: trying later may help */
  SC_CHANGED      /* a remote file is another one now than when it was opened */
} sc_status;

#define SC_ERROR_TEXT_BYTES 1024

struct sc_error {
  sc_status status;
  int db_code;                    /* extended SQLite code when status is SC_DB, else 0 */
  char text[SC_ERROR_TEXT_BYTES]; /* UTF-8, no trailing newline; the middle of one too long is left
                                     out */
};

/* No error. For what runs once a row: `= {0}` also clears the text, a hundred times as much. */
static inline void sc_error_init(struct sc_error *err) {
  err->status = SC_OK;
  err->db_code = 0;
  err->text[0] = '\0';
}

/*
 * Close an error that outlives the call and is asked for its status later: what failed on the way
 * and was made good by another try is forgotten. Returns st.
 */
static inline sc_status sc_settle(struct sc_error *err, sc_status st) {
  if (!st) sc_error_init(err);
  return st;
}

/* Write status and message into err. */
void sc_fail_text(struct sc_error *err, sc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The same as an expression of the value `status`, so that callers can `return sc_fail(...)`: a
 * macro, because compilers and analyzers then see that a failure does not return SC_OK. `status`
 * is evaluated twice.
 */
#define sc_fail(err, status, ...) (sc_fail_text(err, status, __VA_ARGS__), (status))

/* sc_fail() with a va_list. */
sc_status sc_vfail(struct sc_error *err, sc_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Put "prefix: " before the message that is there. Returns err->status. */
sc_status sc_fail_within(struct sc_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put a '?' for each sequence of bytes that is not UTF-8, as a cut or a foreign text leaves it. */
void sc_text_make_valid(char *text);

/* SC_NOMEM with its message. */
static inline sc_status sc_fail_nomem(struct sc_error *err) {
  return sc_fail(err, SC_NOMEM, "out of memory");
}

/* The SQLite result code that stands for err (SQLITE_NOMEM, SQLITE_CONSTRAINT, ...). */
int sc_error_sqlite_code(const struct sc_error *err);

#endif
