/* The processors as rows of settings over one engine (processor.c). */
#ifndef SC_CLI_SYSTEMS_H
#define SC_CLI_SYSTEMS_H

#include "cli/cli.h"

enum sc_sampling {
  SC_SAMPLE_TILE,  /* a row of an MGRS layer: searched by its area and grid code */
  SC_SAMPLE_AREA,  /* a row of an MGRS layer: searched by its area */
  SC_SAMPLE_POINT, /* a row of a sample layer: searched by its centroid */
  SC_SAMPLE_SIN,   /* a tile of MODIS' sinusoidal grid */
  SC_SAMPLE_REGION /* a region of a static catalogue */
};

enum sc_periods {
  SC_PERIODS_QUARTERS, /* each quarter of n_years years */
  SC_PERIODS_QUARTER,  /* one quarter of one year */
  SC_PERIODS_MONTHS,   /* four months of each listed year */
  SC_PERIODS_LATEST    /* the latest scene and one other */
};

enum sc_making { SC_MAKE_COPY, SC_MAKE_MERCATOR, SC_MAKE_RESAMPLED };

struct sc_system {
  const char *name;    /* of the sub-command */
  const char *summary; /* of the sub-command, for a list of them */
  const char *api;     /* catalogue */
  const char *query;   /* JSON: conditions of each search beside those of its place; or NULL */
  enum sc_sampling sampling;
  enum sc_periods periods;
  int n_years;                 /* drawn out of 2018 to 2023 */
  int last_python_year;        /* of those that the Python package draws from, from 2018 */
  const char *collections[2];  /* of the catalogue */
  const char *platforms[2];    /* rule and folder of each collection */
  const char *assets;          /* kept, separated by blanks */
  double max_cloud_percent;    /* scenes cloudier are left out; 100: all */
  double python_cloud_percent; /* the same of the Python package */
  double max_nodata_percent;   /* of the scene; 100: all */
  double max_nodata;           /* of a chip, fraction, in the index */
  int prefer_s3;               /* take the alternate href of the store */
  enum sc_making making;
};

/* NULL where there is none of that name, or number. */
const struct sc_system *sc_system_find(const char *name);
const struct sc_system *sc_system_at(int i);

/* The sub-command of a system; its options are made in own[SC_CLI_OPTIONS_MAX]. */
void sc_cli_processor(const struct sc_system *y, struct sc_cli_option *own,
                      struct sc_cli_command *out);

#define SC_SIN_TILES 233
/* Vertical and horizontal number of a land tile of the sinusoidal grid, in the Python
 * package's order; 0 beyond SC_SIN_TILES. */
int sc_sin_tile(int index, int *vertical, int *horizontal);

/* Folder of a LINZ region below the store's root, or NULL; n gets their number. */
const char *sc_linz_region(int index, int *n);

#endif
