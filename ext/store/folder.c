/* What lies in a folder; see folder.h. */
#include "store/folder.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/sniff.h"
#include "store/href.h"
#include "store/listing.h"
#include "store/names.h"

static int has_items_suffix(const char *name) {
  static const char *const suffixes[] = {".json",  ".geojson", ".ndjson",
                                         ".jsonl", ".parquet", ".geoparquet"};
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    size_t m = strlen(suffixes[i]);
    if (n > m && strcasecmp(name + n - m, suffixes[i]) == 0) return 1;
  }
  return 0;
}

/* Bytes that are no UTF-8 cannot be stored as text, nor name a file from there. */
static int repair_name(char *path) {
  size_t n = strlen(path), at;
  int is_broken = 0;
  for (; (at = sc_sniff_utf8(path, n)) < n; is_broken = 1) path[at] = '?';
  return is_broken;
}

struct entry {
  enum sc_found what;
  const char *reason;
  int is_wanted;
};

static struct entry failed(const char *reason) {
  return (struct entry){SC_FOUND_FAILED, reason, 1};
}

/* What to do with an entry. A link that may not be followed is judged by its own name alone: what
 * is behind it, and whether anything is, stays unsaid. */
static struct entry judge(const char *path) {
  struct stat info;
  struct sc_error denied = {0};
  int may_hold = has_items_suffix(path);
  if (lstat(path, &info) != 0) return (struct entry){SC_FOUND_PASSED, NULL, 0};
  if (S_ISLNK(info.st_mode)) {
    if (sc_href_check(path, &denied)) {
      const char *reason =
          "a link out of the allowed folders (setting local_roots, STACCHIP_LOCAL)";
      return (struct entry){may_hold ? SC_FOUND_FAILED : SC_FOUND_PASSED, reason, 1};
    }
    if (stat(path, &info) != 0 && may_hold) return failed(strerror(errno));
  }
  if (S_ISDIR(info.st_mode)) return (struct entry){SC_FOUND_READ, NULL, 1};
  if (may_hold && !S_ISREG(info.st_mode)) return failed("not a regular file");
  return (struct entry){SC_FOUND_READ, NULL, may_hold};
}

static sc_status take_entry(const char *folder, const char *name, sc_found_function *found,
                            void *context, struct sc_error *err) {
  char *path = NULL;
  const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
  sc_status st = sc_format(&path, err, "%s%s%s", folder, slash, name);
  if (st) return st;
  struct entry e = judge(path);
  if (e.is_wanted && repair_name(path)) e = failed("its name is not UTF-8");
  if (e.is_wanted) return found(context, path, e.what, e.reason, err);
  sc_free(path);
  return SC_OK;
}

sc_status sc_folder_list(const char *folder, sc_found_function *found, void *context,
                         struct sc_error *err) {
  struct sc_files names;
  sc_status st = sc_folder_names(folder, &names, err);
  for (size_t i = 0; i < names.n && !st; i++) {
    if (names.paths[i][0] != '.') st = take_entry(folder, names.paths[i], found, context, err);
  }
  sc_files_free(&names);
  return st;
}

/* The folder before the first sign of a pattern: it is named, and judged as such. */
static sc_status check_fixed_part(const char *pattern, struct sc_error *err) {
  char *fixed = NULL;
  sc_status st = sc_strndup(pattern, sc_glob_fixed_bytes(pattern), &fixed, err);
  if (!st) st = sc_href_check(fixed, err);
  sc_free(fixed);
  return st;
}

static sc_status take_match(const char *match, sc_found_function *found, void *context, int *n,
                            struct sc_error *err) {
  struct sc_error denied = {0};
  char *path = NULL;
  struct stat info;
  if (sc_href_check(match, &denied)) return denied.status == SC_NOMEM ? sc_fail_nomem(err) : SC_OK;
  sc_status st = sc_strdup(match, &path, err);
  if (st) return st;
  ++*n;
  if (repair_name(path)) return found(context, path, SC_FOUND_FAILED, "its name is not UTF-8", err);
  if (stat(path, &info) != 0) return found(context, path, SC_FOUND_FAILED, strerror(errno), err);
  return found(context, path, SC_FOUND_READ, NULL, err);
}

sc_status sc_folder_glob(const char *pattern, sc_found_function *found, void *context,
                         struct sc_error *err) {
  struct sc_files matches = {0};
  int n = 0;
  sc_status st = check_fixed_part(pattern, err);
  if (!st) st = sc_files_glob(pattern, &matches, err);
  for (size_t i = 0; i < matches.n && !st; i++) {
    st = take_match(matches.paths[i], found, context, &n, err);
  }
  sc_files_free(&matches);
  if (!st && !n) st = sc_fail(err, SC_NOT_FOUND, "%s: no such files", pattern);
  return st;
}
