/* Opening libraries inside somebody else's process; see host.h. */
#include "host.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

static const void *_Atomic host_api; /* written once, by the first init */
static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local int is_inside;

void sc_host_enter(void) { is_inside = 1; }
void sc_host_leave(void) { is_inside = 0; }
int sc_host_is_inside(void) { return is_inside; }

#ifdef SQLITE_CORE
static const void *captured_api;
static int capture_api(sqlite3 *db, char **message, const void *api) {
  (void)db, (void)message;
  captured_api = api;
  return SQLITE_OK;
}

/*
 * A linked SQLite has its table of routines too, but gives it to extensions only: let it
 * start one on a private connection.
 */
static sc_status find_linked_api(struct sc_error *err) {
  sqlite3 *db = NULL;
  void (*entry)(void) = (void (*)(void))capture_api;
  if (sqlite3_auto_extension(entry) != SQLITE_OK) return sc_fail_nomem(err);
  sqlite3_open(":memory:", &db);
  sqlite3_close(db);
  sqlite3_cancel_auto_extension(entry);
  atomic_store(&host_api, captured_api);
  if (captured_api) return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED,
                 "this SQLite was built without extension loading, which SpatiaLite needs");
}
#endif

sc_status sc_host_init(const void *sqlite_api, struct sc_error *err) {
  sc_status st = SC_OK;
  if (atomic_load(&host_api)) return SC_OK;
  sc_host_folder(0); /* a relative path leads there now, and elsewhere after a chdir() */
  pthread_mutex_lock(&init_lock);
  if (sqlite_api) atomic_store(&host_api, sqlite_api);
#ifdef SQLITE_CORE
  if (!atomic_load(&host_api)) st = find_linked_api(err);
#endif
  pthread_mutex_unlock(&init_lock);
  (void)err;
  return st;
}

const void *sc_host_sqlite_api(void) { return atomic_load(&host_api); }

/* The file that holds the code at `address`, or "". */
static const char *file_of(const void *address) {
  Dl_info info;
  if (!address || !dladdr(address, &info) || !info.dli_fname) return "";
  return info.dli_fname;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *sc_host_sqlite_path(void) {
  const sqlite3_api_routines *api = sc_host_sqlite_api();
  return api ? file_of((const void *)(size_t)api->libversion) : "";
}

int sc_host_deepbind(void) {
#ifdef SC_NO_DEEPBIND
  return 0;
#else
  return strncmp(base_name(sc_host_sqlite_path()), "libsqlite3.so", 13) != 0;
#endif
}

/* Is `file` an object that defines malloc() itself, and not libc? */
static int defines_malloc(const char *file) {
  const char *base = base_name(file);
  if (strncmp(base, "libc.so", 7) == 0 || strncmp(base, "libc-", 5) == 0) return 0;
  void *object = dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
  if (!object) return 0;
  void *symbol = dlsym(object, "malloc"); /* its own, or that of a library it needs */
  int own = symbol && strcmp(base_name(file_of(symbol)), base) == 0;
  dlclose(object);
  return own;
}

static int find_malloc(struct dl_phdr_info *info, size_t size, void *out) {
  (void)size;
  if (!info->dlpi_name || !strchr(info->dlpi_name, '/') || !defines_malloc(info->dlpi_name))
    return 0;
  snprintf(out, 256, "%s", info->dlpi_name);
  return 1;
}

/*
 * DEEPBIND makes a library use libc's malloc() while a replaced one (jemalloc, tcmalloc by
 * LD_PRELOAD, or inside the program) serves its dependencies: free() of the other's block then
 * aborts the process. Writes what replaces it, or "". In a program that is not position
 * independent the address alone does not tell: it is that of a jump table.
 */
static void find_replaced_malloc(char name[256]) {
  Dl_info info;
  const ElfW(Sym) *symbol = NULL;
  void *address = dlsym(RTLD_DEFAULT, "malloc");
  name[0] = '\0';
  if (dl_iterate_phdr(find_malloc, name)) return;
  if (dladdr1(address, &info, (void **)(size_t)&symbol, RTLD_DL_SYMENT) && symbol &&
      symbol->st_shndx != SHN_UNDEF && info.dli_saddr == address &&
      strncmp(base_name(info.dli_fname), "libc", 4) != 0) {
    snprintf(name, 256, "%s", info.dli_fname);
  }
}

sc_status sc_host_open(const char *path, const char *symbol, void **out, struct sc_error *err) {
  int flags = RTLD_NOW | RTLD_LOCAL;
  *out = NULL;
  if (sc_host_deepbind()) {
    char replacement[256];
    find_replaced_malloc(replacement);
    if (replacement[0]) {
      return sc_fail(err, SC_UNSUPPORTED,
                     "cannot open %s: this program brings its own SQLite and replaces malloc() "
                     "(%s), which together would crash; run it without that allocator",
                     path, replacement);
    }
    flags |= RTLD_DEEPBIND;
  }
  void *library = dlopen(path, flags);
  if (!library) return sc_fail(err, SC_NOT_FOUND, "%s", dlerror());
  *out = dlsym(library, symbol);
  if (!*out) return sc_fail(err, SC_NOT_FOUND, "%s has no symbol %s", path, symbol);
  return SC_OK;
}

/* Of this code's file: the folder where it lies, and that of the symbolic link that led to it. */
static char folders[SC_HOST_FOLDERS][PATH_MAX];
static pthread_once_t folders_once = PTHREAD_ONCE_INIT;

/* The folder of a file, absolute, with no slash at its end; "" where there is none. */
static void keep_folder(const char *file, char out[PATH_MAX]) {
  char path[PATH_MAX];
  const char *slash = strrchr(file, '/');
  int n = slash ? (int)(slash - file) : 0;
  snprintf(path, sizeof path, "%.*s", slash && !n ? 1 : n, file);
  if (!slash || !realpath(path, out)) out[0] = '\0';
}

/* dladdr() names a program by argv[0], which need not be a path at all. */
static const char *file_of_code(char program[PATH_MAX]) {
  Dl_info info;
  struct link_map *map = NULL;
  const void *code = (const void *)(size_t)sc_host_folder;
  if (!dladdr1(code, &info, (void **)&map, RTLD_DL_LINKMAP) || !info.dli_fname) return "";
  int is_program = map && (!map->l_name || !map->l_name[0]);
  ssize_t n = is_program ? readlink("/proc/self/exe", program, PATH_MAX - 1) : -1;
  if (n <= 0) return info.dli_fname;
  program[n] = '\0';
  return program;
}

static void find_folders(void) {
  char program[PATH_MAX], real[PATH_MAX];
  const char *file = file_of_code(program);
  keep_folder(realpath(file, real) ? real : file, folders[0]);
  keep_folder(file, folders[1]);
  if (strcmp(folders[0], folders[1]) == 0) folders[1][0] = '\0';
}

const char *sc_host_folder(int which) {
  pthread_once(&folders_once, find_folders);
  return folders[which];
}

/* In a folder of this code, or in lib beside a program's bin. Where there is a file that does
 * not open, err says why. SC_NOT_FOUND with no message: there is none. */
static sc_status open_in(const char *folder, const char *name, const char *symbol, void **out,
                         struct sc_error *err) {
  static const char *const places[] = {"%s/%s", "%s/../lib/%s", "%s/../lib64/%s"};
  char path[PATH_MAX + 40];
  sc_status st = SC_NOT_FOUND;
  for (size_t i = 0; i < sizeof places / sizeof *places && st == SC_NOT_FOUND && *folder; i++) {
    sqlite3_snprintf(sizeof path, path, places[i], folder, name);
    if (access(path, F_OK) == 0) st = sc_host_open(path, symbol, out, err);
  }
  return st;
}

sc_status sc_host_open_beside(const char *name, const char *symbol, void **out,
                              struct sc_error *err) {
  struct sc_error broken = {0}, last = {0};
  sc_status st = SC_NOT_FOUND;
  for (int i = 0; i < SC_HOST_FOLDERS && st == SC_NOT_FOUND; i++) {
    st = open_in(sc_host_folder(i), name, symbol, out, &broken);
  }
  if (st == SC_NOT_FOUND) st = sc_host_open(name, symbol, out, &last);
  if (!st) return SC_OK;
  if (broken.status) {
    *err = broken; /* one that is there and does not open says most */
    return st;
  }
  const char *link = sc_host_folder(1);
  return sc_fail(err, st, "%s is neither in %s%s%s, nor in ../lib from there, nor is it found: %s",
                 name, sc_host_folder(0), *link ? " or " : "", link, last.text);
}

static int has_spatialite(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(db, "SELECT spatialite_version()", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  return code == SQLITE_OK;
}

#define PROCEDURE_MAX_ARGS 65 /* SpatiaLite 5 registers one function for each number */

/*
 * Take SpatiaLite's stored procedures away again: they run SQL that a view or a trigger of the
 * database hands them as if the user had said it, which undoes SQLITE_DIRECTONLY.
 */
static void remove_procedures(sqlite3 *db) {
  static const char *const names[] = {"SqlProc_Execute", "SqlProc_ExecuteLoop",
                                      "StoredProc_Execute", "StoredProc_ExecuteLoop"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    for (int n = 0; n <= PROCEDURE_MAX_ARGS; n++) {
      sqlite3_create_function_v2(db, names[i], n, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
    }
  }
}

sc_status sc_host_spatialite(sqlite3 *db, struct sc_error *err) {
  typedef int (*init_function)(sqlite3 *, char **, const void *);
  static const char *const names[] = {"mod_spatialite.so", "mod_spatialite.so.8",
                                      "mod_spatialite.so.7"};
  if (has_spatialite(db)) return SC_OK;
  void *symbol = NULL;
  sc_status st = SC_NOT_FOUND;
  for (size_t i = 0; i < sizeof names / sizeof *names && st == SC_NOT_FOUND; i++) {
    st = sc_host_open_beside(names[i], "sqlite3_modspatialite_init", &symbol, err);
  }
  if (st == SC_NOT_FOUND) {
    return sc_fail(err, st,
                   "SpatiaLite is missing (mod_spatialite.so; Debian: apt install "
                   "libsqlite3-mod-spatialite): %s",
                   err->text);
  }
  if (st) return st;
  char *message = NULL;
  init_function init;
  memcpy(&init, &symbol, sizeof init);
  int code = init(db, &message, host_api);
  if (code != SQLITE_OK && code != SQLITE_OK_LOAD_PERMANENTLY) {
    st = sc_fail(err, SC_DB, "SpatiaLite does not start: %s",
                 message ? message : sqlite3_errmsg(db));
  }
  sqlite3_free(message);
  if (!st) remove_procedures(db);
  return st;
}
