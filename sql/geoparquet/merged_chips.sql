-- All chips of a merged index, in the order of export_source.c; ?1 is who takes them.
SELECT stacchip_export_row(?1, "item_id", "chip_index_x", "chip_index_y", "cloud", "nodata", "geometry") FROM "{db}"."{name}_chip"
