/* Lists of names; see names.h. */
#include "store/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

sc_status sc_files_add(struct sc_files *f, const char *path, struct sc_error *err) {
  if (f->n == f->max) {
    size_t max = f->max ? 2 * f->max : 16;
    char **paths = sc_realloc(f->paths, max * sizeof *paths);
    if (!paths) return sc_fail_nomem(err);
    f->paths = paths;
    f->max = max;
  }
  sc_status st = sc_strdup(path, &f->paths[f->n], err);
  if (!st) f->n++;
  return st;
}

static int compare_paths(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void sc_files_sort(struct sc_files *f) {
  size_t n = 0;
  if (f->n) qsort(f->paths, f->n, sizeof *f->paths, compare_paths);
  for (size_t i = 0; i < f->n; i++) {
    if (n && strcmp(f->paths[n - 1], f->paths[i]) == 0) {
      sc_free(f->paths[i]);
    } else {
      f->paths[n++] = f->paths[i];
    }
  }
  f->n = n;
}

void sc_files_free(struct sc_files *f) {
  for (size_t i = 0; i < f->n; i++) sc_free(f->paths[i]);
  sc_free(f->paths);
  memset(f, 0, sizeof *f);
}

sc_status sc_folder_names(const char *folder, struct sc_files *out, struct sc_error *err) {
  sc_status st = SC_OK;
  memset(out, 0, sizeof *out);
  DIR *entries = opendir(folder);
  if (!entries && errno == ENOMEM) return sc_fail_nomem(err);
  if (!entries) return sc_fail(err, SC_NOT_FOUND, "%s: %s", folder, strerror(errno));
  for (struct dirent *e = readdir(entries); e && !st; e = readdir(entries)) {
    int is_self = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    if (!is_self) st = sc_files_add(out, e->d_name, err);
  }
  closedir(entries);
  sc_files_sort(out);
  return st;
}
