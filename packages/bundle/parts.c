/*
 * What link.sh adds to stacchip_raster.so: its entries to the program and to SpatiaLite, and functions of GDAL that the
 * bundle does without. Each would link drivers or file systems that nothing here opens, as
 * GDAL's own code may call them; the extension registers the drivers that it opens one by one.
 */
#include <sqlite3.h>

struct sqlite3_api_routines;
int program_main(int argc, char **argv);
int spatialite_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#define ENTRY __attribute__((visibility("default")))
ENTRY int stacchip_main(int argc, char **argv) { return program_main(argc, argv); }
ENTRY int stacchip_spatialite_init(sqlite3 *db, char **message,
                                   const struct sqlite3_api_routines *api) {
  return spatialite_init(db, message, api);
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
