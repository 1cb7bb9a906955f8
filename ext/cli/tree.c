/* The index tree of a bucket; see tree.h. */
#include "cli/tree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/store.h"
#include "stac/href.h"

struct fetch {
  const char *root, *folder;
  int64_t n;
  double started;
};

static sc_status fetch_one(void *context, const char *key, struct sc_error *err) {
  struct fetch *f = context;
  struct sc_buffer bytes = {0};
  size_t n = strlen(key);
  if (n < 8 || strcmp(key + n - 8, ".parquet") != 0) return SC_OK;
  sc_status st = sc_store_get(f->root, key, &bytes, err);
  if (!st) st = sc_store_put(f->folder, key, bytes.data, bytes.size, err);
  sc_buffer_free(&bytes);
  sc_cli_bar("fetching", ++f->n, 0, sc_cli_seconds() - f->started);
  return st;
}

sc_status sc_tree_fetch(const char *root, const char *prefix, char **path, char **temporary,
                        struct sc_error *err) {
  char folder[] = "/tmp/stacchip-index-XXXXXX";
  *path = *temporary = NULL;
  if (!sc_href_is_url(root))
    return sc_format(path, err, "%s%s%s", root, *prefix ? "/" : "", prefix);
  if (!mkdtemp(folder)) return sc_fail(err, SC_IO, "no temporary folder");
  sc_status st = sc_strdup(folder, temporary, err);
  struct fetch f = {root, folder, 0, sc_cli_seconds()};
  if (!st) st = sc_store_list(root, prefix, fetch_one, &f, err);
  sc_cli_bar_end();
  return st ? st : sc_format(path, err, "%s/%s", folder, prefix);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
  (void)info, (void)type, (void)walk;
  return remove(path);
}

void sc_tree_remove(char *temporary) {
  if (!temporary) return;
  nftw(temporary, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  sc_free(temporary);
}
