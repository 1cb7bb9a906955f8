/*
 * GDAL's way to remote files: a virtual file system "/vsistacchip/" over our own transport,
 * so that every allowed raster driver can read through it.
 */
#ifndef SC_RASTER_VSI_H
#define SC_RASTER_VSI_H

#include <stddef.h>

#include "base/status.h"
#include "raster/raster_api.h"

/* The path under which GDAL opens a remote source (registers it on first use). */
sc_status sc_vsi_path(const struct sc_source *source, char *out, size_t n, struct sc_error *err);

#endif
