/* The processors' settings; see systems.h. Catalogues, collections, assets, years and limits
 * are those of the Python package's processors (stacchip 0.1, stacchip/processors). */
#include "cli/systems.h"

#include <stddef.h>
#include <string.h>

#define EARTH_SEARCH "https://earth-search.aws.element84.com/v1"
#define USGS "https://landsatlook.usgs.gov/stac-server"
#define PLANETARY "https://planetarycomputer.microsoft.com/api/stac/v1"
#define LINZ "https://nz-imagery.s3-ap-southeast-2.amazonaws.com"

static const struct sc_system systems[] = {
    {.name = "sentinel-2",
     .summary = "processor: Sentinel-2 L2A by MGRS tile",
     .api = EARTH_SEARCH,
     .sampling = SC_SAMPLE_TILE,
     .periods = SC_PERIODS_QUARTERS,
     .n_years = 2,
     .last_python_year = 2022,
     .collections = {"sentinel-2-l2a"},
     .platforms = {"sentinel-2-l2a"},
     .assets = "blue green red rededge1 rededge2 rededge3 nir nir08 swir16 swir22 scl",
     .max_cloud_percent = 75,
     .python_cloud_percent = 0.75,
     .max_nodata_percent = 20,
     .max_nodata = 0.5,
     .making = SC_MAKE_COPY},
    {.name = "landsat",
     .summary = "processor: Landsat Collection 2 L1 and L2 by sample point",
     .api = USGS,
     .query = "{\"platform\":{\"in\":[\"LANDSAT_8\",\"LANDSAT_9\"]}}",
     .sampling = SC_SAMPLE_POINT,
     .periods = SC_PERIODS_QUARTERS,
     .n_years = 1,
     .last_python_year = 2023,
     .collections = {"landsat-c2l1", "landsat-c2l2-sr"},
     .platforms = {"landsat-c2l1", "landsat-c2l2-sr"},
     .assets = "blue green red nir08 swir16 swir22 qa_pixel",
     .max_cloud_percent = 75,
     .python_cloud_percent = 75,
     .max_nodata_percent = 100,
     .max_nodata = 0,
     .prefer_s3 = 1,
     .making = SC_MAKE_COPY},
    {.name = "naip",
     .summary = "processor: NAIP by sample point",
     .api = PLANETARY,
     .sampling = SC_SAMPLE_POINT,
     .periods = SC_PERIODS_LATEST,
     .collections = {"naip"},
     .platforms = {"naip"},
     .assets = "image",
     .max_cloud_percent = 100,
     .python_cloud_percent = 100,
     .max_nodata_percent = 100,
     .max_nodata = 0.5,
     .making = SC_MAKE_COPY},
    {.name = "linz",
     .summary = "processor: LINZ aerial imagery by region",
     .api = LINZ,
     .sampling = SC_SAMPLE_REGION,
     .collections = {"linz"},
     .platforms = {"linz"},
     .assets = "visual",
     .max_cloud_percent = 100,
     .python_cloud_percent = 100,
     .max_nodata_percent = 100,
     .max_nodata = 0.5,
     .making = SC_MAKE_RESAMPLED},
    {.name = "modis",
     .summary = "processor: MODIS 09A1 by sinusoidal tile",
     .api = PLANETARY,
     .sampling = SC_SAMPLE_SIN,
     .periods = SC_PERIODS_MONTHS,
     .collections = {"modis-09A1-061"},
     .platforms = {"modis"},
     .assets = "sur_refl_b01 sur_refl_b02 sur_refl_b03 sur_refl_b04 sur_refl_b05 sur_refl_b06 "
               "sur_refl_b07 sur_refl_qc_500m",
     .max_cloud_percent = 100,
     .python_cloud_percent = 100,
     .max_nodata_percent = 100,
     .max_nodata = 0.5,
     .making = SC_MAKE_MERCATOR},
    {.name = "sentinel-1",
     .summary = "processor: Sentinel-1 RTC by MGRS tile",
     .api = PLANETARY,
     .sampling = SC_SAMPLE_AREA,
     .periods = SC_PERIODS_QUARTER,
     .n_years = 1,
     .last_python_year = 2023,
     .collections = {"sentinel-1-rtc"},
     .platforms = {"sentinel-1-rtc"},
     .assets = "vv vh",
     .max_cloud_percent = 100,
     .python_cloud_percent = 100,
     .max_nodata_percent = 100,
     .max_nodata = 0.5,
     .making = SC_MAKE_COPY},
};

const struct sc_system *sc_system_find(const char *name) {
  for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
    if (strcmp(systems[i].name, name) == 0) return &systems[i];
  }
  return NULL;
}

const struct sc_system *sc_system_at(int i) {
  return i >= 0 && (size_t)i < sizeof systems / sizeof *systems ? &systems[i] : NULL;
}

/* Land tiles that lie wholly on the globe, as runs of horizontal numbers per vertical one. */
static const struct {
  unsigned char vertical, first, last;
} sin_runs[] = {
    {2, 12, 23},  {3, 9, 9},    {3, 11, 15},  {3, 17, 26},  {4, 8, 8},    {4, 10, 14},
    {4, 17, 28},  {5, 7, 12},   {5, 15, 21},  {5, 23, 30},  {6, 3, 3},    {6, 7, 11},
    {6, 16, 31},  {7, 3, 3},    {7, 7, 11},   {7, 15, 33},  {8, 1, 2},    {8, 8, 13},
    {8, 16, 16},  {8, 18, 23},  {8, 25, 34},  {9, 1, 4},    {9, 8, 14},   {9, 16, 16},
    {9, 19, 19},  {9, 21, 23},  {9, 25, 25},  {9, 27, 34},  {10, 2, 5},   {10, 10, 14},
    {10, 17, 17}, {10, 19, 23}, {10, 27, 33}, {11, 3, 6},   {11, 8, 8},   {11, 10, 15},
    {11, 19, 23}, {11, 27, 32}, {12, 11, 13}, {12, 16, 17}, {12, 19, 20}, {12, 24, 24},
    {12, 27, 30}, {13, 12, 13}, {13, 17, 17}, {13, 20, 22}, {13, 28, 28}, {14, 13, 16},
    {14, 18, 18}, {14, 22, 22},
};

int sc_sin_tile(int index, int *vertical, int *horizontal) {
  for (size_t i = 0; i < sizeof sin_runs / sizeof *sin_runs && index >= 0; i++) {
    int n = sin_runs[i].last - sin_runs[i].first + 1;
    if (index < n) {
      *vertical = sin_runs[i].vertical;
      *horizontal = sin_runs[i].first + index;
      return 1;
    }
    index -= n;
  }
  return 0;
}

static const char *const linz_regions[] = {
    "auckland/auckland_2022_0.075m",
    "wellington/wellington_2021_0.075m",
    "wellington/wellington_2021_0.3m",
    "bay-of-plenty/bay-of-plenty_2023_0.1m",
    "bay-of-plenty/tauranga_2022_0.1m",
    "bay-of-plenty/tauranga-winter_2022_0.1m",
    "canterbury/canterbury_2023_0.3m",
    "canterbury/ashburton_2023_0.1m",
    "canterbury/hurunui_2023_0.075m",
    "canterbury/timaru_2022-2023_0.1m",
    "canterbury/selwyn_2022-2023_0.075m",
    "gisborne/gisborne_2023_0.075m",
    "hawkes-bay/hawkes-bay_2022_0.05m",
    "hawkes-bay/napier_2017-2018_0.05m",
    "hawkes-bay/wairoa_2014-2015_0.1m",
    "manawatu-whanganui/manawatu-whanganui_2021-2022_0.3m",
    "manawatu-whanganui/palmerston-north_2022_0.125m",
    "manawatu-whanganui/rangitikei_2021_0.125m",
    "manawatu-whanganui/tararua_2024_0.1m",
    "manawatu-whanganui/whanganui_2022_0.075m",
    "marlborough/marlborough_2023_0.075m",
    "nelson/nelson_2022_0.075m",
    "northland/northland_2016_0.1m",
    "otago/queenstown_2021_0.1m",
    "otago/otago_2018_0.1m",
    "otago/dunedin_2018-2019_0.1m",
    "southland/southland_2023_0.1m",
    "southland/invercargill_2022_0.05m",
    "taranaki/taranaki_2022_0.05m",
    "taranaki/new-plymouth_2017_0.1m",
    "tasman/tasman_2023_0.075m",
    "waikato/hamilton_2023_0.05m",
    "waikato/otorohanga_2021_0.1m",
    "waikato/taupo_2023_0.075m",
    "waikato/thames-coromandel_2021_0.1m",
    "waikato/waikato_2021_0.1m",
    "waikato/waipa_2021_0.1m",
    "west-coast/buller_2020_0.2m",
    "west-coast/west-coast_2016_0.1m",
};

const char *sc_linz_region(int index, int *n) {
  *n = (int)(sizeof linz_regions / sizeof *linz_regions);
  return index >= 0 && index < *n ? linz_regions[index] : NULL;
}
