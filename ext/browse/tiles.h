/* Addresses of tiles. */
#ifndef SC_BROWSE_TILES_H
#define SC_BROWSE_TILES_H

/* Is the path "tiles/{z}/{x}/{y}.png"? */
int sc_tile_read(const char *path, int *z, int *x, int *y);

#endif
