/*
 * What a raster file says of itself, as bytes: stored beside a remote file's header, so that a
 * chip of it is planned without GDAL opening the file.
 */
#ifndef SC_RASTER_INFO_H
#define SC_RASTER_INFO_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "raster/raster_api.h"

/* Append it to out, little-endian, begun with the version of GDAL that read it. */
sc_status sc_info_pack(const struct sc_raster_info *info, struct sc_buffer *out,
                       struct sc_error *err);

/*
 * Read it back; *out is freed with sc_gdal_info_free(), also after an error. SC_UNSUPPORTED
 * where another version of GDAL has written it, which may have read other things; SC_BAD_DATA
 * where it is damaged.
 */
sc_status sc_info_unpack(struct sc_bytes *bytes, struct sc_raster_info *out, struct sc_error *err);

#endif
