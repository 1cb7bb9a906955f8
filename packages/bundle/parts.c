/*
 * What link.sh adds to stacchip_raster.so: its entries to the program and to SpatiaLite, and functions of GDAL that the
 * bundle does without. Each would link drivers or file systems that nothing here opens, as
 * GDAL's own code may call them; the extension registers the drivers that it opens one by one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <proj.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sqlite3_api_routines;
int program_main(int argc, char **argv);
int spatialite_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#define ENTRY __attribute__((visibility("default")))
ENTRY int stacchip_main(int argc, char **argv) { return program_main(argc, argv); }
ENTRY int stacchip_spatialite_init(sqlite3 *db, char **message,
                                   const struct sqlite3_api_routines *api) {
  return spatialite_init(db, message, api);
}

/* An archive that was unpacked without folders has proj.db beside this file, and not in share/proj. All contexts of PROJ, whoever
 * makes them, begin with the paths of its default one. */
__attribute__((constructor)) static void find_flat_proj(void) {
  Dl_info info;
  char path[PATH_MAX + sizeof "proj.db"];
  if (!dladdr((const void *)(size_t)find_flat_proj, &info) || !realpath(info.dli_fname, path)) return;
  char *name = strrchr(path, '/') + 1;
  strcpy(name, "proj.db");
  if (access(path, R_OK) != 0) return;
  name[-1] = 0;
  const char *const folder = path;
  proj_context_set_search_paths(NULL, 1, &folder);
}

#define NOTHING(name) \
  void name(void);    \
  void name(void) {}
NOTHING(GDALAllRegister)
NOTHING(VSIInstallGSFileHandler)
NOTHING(VSIInstallGSStreamingFileHandler)
NOTHING(VSIInstallAzureFileHandler)
NOTHING(VSIInstallAzureStreamingFileHandler)
NOTHING(VSIInstallADLSFileHandler)
NOTHING(VSIInstallOSSFileHandler)
NOTHING(VSIInstallOSSStreamingFileHandler)
NOTHING(VSIInstallSwiftFileHandler)
NOTHING(VSIInstallSwiftStreamingFileHandler)
NOTHING(VSIInstallWebHdfsHandler)
NOTHING(VSIInstall7zFileHandler)
NOTHING(VSIInstallRarFileHandler)
