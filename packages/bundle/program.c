/*
 * The program `stacchip` of the bundle. What it does is in stacchip_raster.so, with the one copy of SQLite, OpenSSL
 * and the codecs; this finds that file beside itself, or in ../lib, and calls it.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define HOLDER "stacchip_raster.so"
#define ENTRY "stacchip_main"

int main(int argc, char **argv) {
  static const char *const places[] = {"%s/" HOLDER, "%s/../lib/" HOLDER, "%s/../lib64/" HOLDER};
  char folder[PATH_MAX], path[PATH_MAX + 40];
  const char *executed = (const char *)getauxval(AT_EXECFN);
  ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
  folder[n > 0 ? n : 0] = '\0';
  if (n <= 0 && (!executed || !realpath(executed, folder))) folder[0] = '\0'; /* a tree without /proc */
  char *slash = strrchr(folder, '/');
  if (slash) *slash = '\0';
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    snprintf(path, sizeof path, places[i], folder);
    if (access(path, F_OK) == 0) break;
  }
  void *holder = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol = holder ? dlsym(holder, ENTRY) : NULL;
  int (*entry)(int, char **) = NULL;
  if (symbol) {
    memcpy(&entry, &symbol, sizeof entry);
    return entry(argc, argv);
  }
  fprintf(stderr, "stacchip: cannot open " HOLDER ", which belongs beside it: %s\n", dlerror());
  return 1;
}
