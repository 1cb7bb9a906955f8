/* Files of a path; see listing.h. */
#include "store/listing.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "store/href.h"
#include "store/objects.h"

#define WILDCARDS "*?["
#define MAX_FOLDER_DEPTH 32
#define MAX_KEY_BYTES 1025 /* of an S3 key, with its end */

static int has_suffix(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* Trees leave out hidden names and ones with an underscore, as all readers of trees do; but not the
 * folder of rows whose value is NULL. */
static int is_left_out(const char *name) {
  size_t n = strlen(SC_HIVE_NULL);
  if (name[0] != '_') return name[0] == '.';
  return strncmp(name, SC_HIVE_NULL, n) != 0 || (name[n] && name[n] != '/');
}

static int is_parquet_name(const char *name) {
  return has_suffix(name, ".parquet") || has_suffix(name, ".geoparquet") ||
         has_suffix(name, ".parq");
}

/* 'd' folder, 'l' link to a folder, 'n' link to nothing, 'f' anything else that is there, or 0. */
static int kind_of(const char *path) {
  struct stat info;
  if (lstat(path, &info) != 0) return 0;
  int is_link = S_ISLNK(info.st_mode);
  if (is_link && stat(path, &info) != 0) return 'n';
  if (!S_ISDIR(info.st_mode)) return 'f';
  return is_link ? 'l' : 'd';
}

struct walk {
  struct sc_files *files;
  enum { FIND_PARQUET, FIND_ENTRIES } what; /* sc_files_list(), sc_files_glob() */
  struct sc_buffer path; /* of the current folder, "" for the working directory */
  int depth;
  struct sc_error *err;
};

static sc_status walk_pattern(struct walk *w, const char *pattern);
static sc_status walk_tree(struct walk *w);

/* Add a name to the path; *before is what cuts it off again. */
static sc_status enter(struct walk *w, const char *name, size_t n, size_t *before) {
  *before = w->path.size;
  int needs_slash = w->path.size && w->path.data[w->path.size - 1] != '/';
  sc_status st = needs_slash ? sc_buffer_append_text(&w->path, "/", w->err) : SC_OK;
  if (!st) st = sc_buffer_append(&w->path, name, n, w->err);
  return st ? st : sc_buffer_terminate(&w->path, w->err);
}

static sc_status leave(struct walk *w, size_t before) {
  w->path.size = before;
  return sc_buffer_terminate(&w->path, w->err);
}

/* What to do with one entry of a folder, whose path is w->path. */
typedef sc_status (*visit)(struct walk *w, const char *name, const char *pattern);

static sc_status each_entry(struct walk *w, const char *pattern, visit do_visit) {
  struct sc_files names;
  struct sc_error closed = {0};
  sc_status st = sc_folder_names(w->path.size ? (const char *)w->path.data : ".", &names, &closed);
  if (st == SC_NOMEM) *w->err = closed;
  if (st == SC_NOT_FOUND) st = SC_OK; /* a folder that we may not read has no files for us */
  if (!st && ++w->depth > MAX_FOLDER_DEPTH) {
    st = sc_fail(w->err, SC_TOO_BIG, "%s: folders are nested deeper than the limit, %d",
                 (const char *)w->path.data, MAX_FOLDER_DEPTH);
  }
  for (size_t i = 0; i < names.n && !st; i++) {
    const char *name = names.paths[i];
    size_t before;
    st = enter(w, name, strlen(name), &before);
    if (!st) st = do_visit(w, name, pattern);
    if (!st) st = leave(w, before);
  }
  w->depth--;
  sc_files_free(&names);
  return st;
}

static sc_status visit_tree(struct walk *w, const char *name, const char *pattern) {
  (void)pattern;
  if (is_left_out(name)) return SC_OK;
  int kind = kind_of((const char *)w->path.data);
  if (kind == 'd') return walk_tree(w);
  if (kind != 'f' || !is_parquet_name(name)) return SC_OK;
  return sc_files_add(w->files, (const char *)w->path.data, w->err);
}

static sc_status walk_tree(struct walk *w) { return each_entry(w, NULL, visit_tree); }

/* "**" is followed by `pattern`: it stands for this folder too, and those below it. */
static sc_status visit_deeper(struct walk *w, const char *name, const char *pattern) {
  if (name[0] == '.' || kind_of((const char *)w->path.data) != 'd') return SC_OK;
  sc_status st = walk_pattern(w, pattern);
  return st ? st : each_entry(w, pattern, visit_deeper);
}

/* May a pattern lead through the folder at w->path? A way out of the allowed folders, which only
 * links and ".." are, fails for Parquet files, of which none may be missing. */
static sc_status check_way(struct walk *w, int kind, int *is_open) {
  struct sc_error denied = {0};
  const char *path = (const char *)w->path.data;
  *is_open = kind == 'd' || kind == 'l';
  if (kind != 'l' && !(kind == 'd' && has_suffix(path, "/.."))) return SC_OK;
  sc_status st = sc_href_check(path, &denied);
  if (st) *is_open = 0;
  if (!st || (st == SC_DENIED && w->what == FIND_ENTRIES)) return SC_OK;
  *w->err = denied;
  return st;
}

/* One part of a pattern fits w->path; rest is what follows it, or NULL. */
static sc_status take_match(struct walk *w, const char *rest) {
  int kind = kind_of((const char *)w->path.data), is_open;
  int is_found = w->what == FIND_ENTRIES ? kind != 0 : kind == 'f';
  if (!rest) return is_found ? sc_files_add(w->files, (const char *)w->path.data, w->err) : SC_OK;
  sc_status st = check_way(w, kind, &is_open);
  return st || !is_open ? st : walk_pattern(w, rest);
}

static sc_status visit_match(struct walk *w, const char *name, const char *pattern) {
  const char *slash = strchr(pattern, '/');
  char *part = NULL;
  size_t n = slash ? (size_t)(slash - pattern) : strlen(pattern);
  sc_status st = sc_strndup(pattern, n, &part, w->err);
  int matches = !st && fnmatch(part, name, FNM_PERIOD) == 0;
  sc_free(part);
  return st || !matches ? st : take_match(w, slash);
}

/* A part without wildcards is looked up: its folder need not be listed, nor be readable. */
static sc_status walk_name(struct walk *w, const char *pattern, size_t n) {
  size_t before;
  sc_status st = enter(w, pattern, n, &before);
  if (!st) st = take_match(w, pattern[n] ? pattern + n : NULL);
  return st ? st : leave(w, before);
}

/* The pattern's next part, below w->path. */
static sc_status walk_pattern(struct walk *w, const char *pattern) {
  while (*pattern == '/') pattern++;
  size_t n = strcspn(pattern, "/");
  int is_deep = w->what == FIND_PARQUET && n == 2 && memcmp(pattern, "**", 2) == 0;
  if (n == 0) { /* "a*" and a slash: folders */
    int is_found = w->what == FIND_ENTRIES;
    return is_found ? sc_files_add(w->files, (const char *)w->path.data, w->err) : SC_OK;
  }
  if (is_deep && !pattern[n]) return walk_tree(w);
  if (is_deep) {
    sc_status st = walk_pattern(w, pattern + 3);
    return st ? st : each_entry(w, pattern + 3, visit_deeper);
  }
  if (strcspn(pattern, WILDCARDS "\\") >= n) return walk_name(w, pattern, n);
  return each_entry(w, pattern, visit_match);
}

static sc_status walk_path(struct walk *w, const char *path, int kind) {
  size_t before, fixed = kind ? strlen(path) : sc_glob_fixed_bytes(path);
  sc_status st = enter(w, path, fixed, &before);
  if (st) return st;
  return kind ? walk_tree(w) : walk_pattern(w, path + fixed);
}

size_t sc_glob_fixed_bytes(const char *pattern) {
  size_t n = strcspn(pattern, WILDCARDS);
  while (pattern[n] && n > 0 && pattern[n - 1] != '/') n--;
  return n;
}

sc_status sc_files_glob(const char *pattern, struct sc_files *out, struct sc_error *err) {
  struct walk w = {.files = out, .what = FIND_ENTRIES, .err = err};
  memset(out, 0, sizeof *out);
  sc_status st = walk_path(&w, pattern, 0);
  sc_buffer_free(&w.path);
  sc_files_sort(out);
  return st;
}

/* ---- objects of a store, whose folders are but parts of their names ---- */

/* A name below a folder that a tree has: no part of it hidden, and that of a Parquet file. */
static int is_in_tree(const char *key) {
  for (const char *part = key; part; part = strchr(part, '/')) {
    part += *part == '/';
    if (is_left_out(part)) return 0;
  }
  return is_parquet_name(key);
}

/* Does one part of a name match one part of the pattern? */
static int part_matches(const char *pattern, size_t n, const char *key, size_t m) {
  char p[MAX_KEY_BYTES], k[MAX_KEY_BYTES];
  if (n >= sizeof p || m >= sizeof k) return 0;
  memcpy(p, pattern, n);
  memcpy(k, key, m);
  p[n] = k[m] = '\0';
  return fnmatch(p, k, FNM_PERIOD) == 0;
}

static int key_matches(const char *pattern, const char *key) {
  const char *rest = strchr(key, '/');
  if (strcmp(pattern, "**") == 0) return is_in_tree(key);
  if (strncmp(pattern, "**/", 3) == 0) {
    return key_matches(pattern + 3, key) || (rest && *key != '.' && key_matches(pattern, rest + 1));
  }
  size_t n = strcspn(pattern, "/"), m = strcspn(key, "/");
  if (!part_matches(pattern, n, key, m) || (pattern[n] == '/') != (rest != NULL)) return 0;
  return rest ? key_matches(pattern + n + 1, rest + 1) : 1;
}

struct listed {
  struct sc_files *files;
  const char *root, *pattern; /* below root */
};

static sc_status add_object(void *context, const char *key, struct sc_error *err) {
  struct listed *l = context;
  char *url = NULL;
  if (!key_matches(l->pattern, key)) return SC_OK;
  sc_status st = sc_format(&url, err, "%s/%s", l->root, key);
  if (!st) st = sc_files_add(l->files, url, err);
  sc_free(url);
  return st;
}

/* A folder, a glob, or one object: names do not say which, so that a file's is taken for one. */
static sc_status list_store(const char *url, struct sc_files *out, struct sc_error *err) {
  char *root = NULL;
  size_t fixed = sc_glob_fixed_bytes(url), n = strlen(url), scheme = sc_href_store_bytes(url);
  int is_glob = fixed < n, is_folder = url[n - 1] == '/';
  if (!is_glob && !is_folder && is_parquet_name(url)) return sc_files_add(out, url, err);
  struct listed l = {out, NULL, "**"};
  if (is_glob) l.pattern = url + fixed;
  while (fixed > scheme && url[fixed - 1] == '/') fixed--;
  if (fixed == scheme) return sc_fail(err, SC_BAD_ARG, "%s: no bucket in the URL", url);
  sc_status st = sc_strndup(url, fixed, &root, err);
  l.root = root;
  if (!st) st = sc_objects_list(root, "", add_object, &l, err);
  sc_free(root);
  return !st && out->n == 0 && !is_glob && !is_folder ? sc_files_add(out, url, err) : st;
}

sc_status sc_files_list(const char *path, struct sc_files *out, struct sc_error *err) {
  struct walk w = {.files = out, .what = FIND_PARQUET, .err = err};
  memset(out, 0, sizeof *out);
  int is_store = sc_href_store_bytes(path) > 0, is_glob = strpbrk(path, WILDCARDS) != NULL;
  int kind = is_store ? (is_glob ? 0 : 'd') : sc_href_is_remote(path) ? 'f' : kind_of(path);
  if (kind == 'f' || kind == 'n' || (!kind && !is_glob)) return sc_files_add(out, path, err);
  sc_status st = is_store ? list_store(path, out, err) : walk_path(&w, path, kind);
  sc_buffer_free(&w.path);
  sc_files_sort(out); /* "a**b" and repeated "**" find files twice */
  if (!st && out->n == 0) {
    st = sc_fail(err, SC_NOT_FOUND, "%s: no Parquet file %s", path,
                 kind ? "in this folder or below" : "matches");
  }
  return st;
}
