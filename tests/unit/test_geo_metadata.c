/* The "geo" key as others write it: which column, encoding and CRS. */
#include "geoparquet/geo_metadata.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static struct sc_view span_of(const char *text) {
  struct sc_view s = {(const unsigned char *)text, text ? strlen(text) : 0};
  return s;
}

/* What is understood of a file with one column "geometry", its type's CRS and its geo key. */
static struct sc_geo_file parse(const char *type_crs, const char *geo, const char *key) {
  struct sc_pq_leaf leaf = {.path = (char[]){"geometry"}, .crs = span_of(type_crs)};
  struct sc_pq_key_value keys[] = {{span_of("geo"), span_of(geo)}, {span_of("mine"), span_of(key)}};
  struct sc_pq_meta meta = {
      .leaves = &leaf, .n_leaves = 1, .key_values = keys, .n_key_values = geo || key ? 2 : 0};
  struct sc_geo_file out;
  sc_geo_parse(&meta, "geometry", &out);
  return out;
}

static struct sc_geo_file column(const char *members) {
  char geo[2000];
  snprintf(geo, sizeof geo, "{\"primary_column\":\"geometry\",\"columns\":{\"geometry\":{%s}}}",
           members);
  return parse(NULL, geo, NULL);
}

static void crs(const char *json, const char *expected) {
  char members[1500];
  snprintf(members, sizeof members, "\"encoding\":\"WKB\",\"crs\":%s", json);
  CHECK_TEXT(expected, column(members).crs);
}

int main(void) {
  check_case("absent_is_longitude_and_latitude");
  CHECK_TEXT("", parse(NULL, NULL, NULL).crs);
  CHECK_TEXT("", column("\"encoding\":\"WKB\"").crs);
  CHECK_TEXT("", column("\"encoding\":\"wkb\"").encoding);
  CHECK_INT(0, column("").crs_is_unknown);

  check_case("null_is_unknown");
  CHECK_INT(1, column("\"crs\":null").crs_is_unknown);

  check_case("every_spelling_of_wgs_84_is_longitude_and_latitude");
  crs("{\"type\":\"GeographicCRS\",\"name\":\"x\",\"id\":{\"authority\":\"OGC\",\"code\":\"CRS84\"}"
      "}",
      "");
  crs("{\"type\":\"GeographicCRS\",\"id\":{\"authority\":\"EPSG\",\"code\":4326}}", "");
  crs("{\"type\":\"GeographicCRS\",\"ids\":[{\"authority\":\"EPSG\",\"code\":\"4326\"}]}", "");
  crs("{\"type\":\"GeographicCRS\",\"name\":\"x\",\"datum\":{\"name\":\"World Geodetic System "
      "1984\"}}",
      "");
  crs("{\"type\":\"GeodeticCRS\",\"datum_ensemble\":{\"name\":\"World Geodetic System 1984 "
      "ensemble\"}}",
      "");
  crs("\"EPSG:4326\"", "");
  crs("\"urn:ogc:def:crs:OGC:1.3:CRS84\"", "");
  crs("\"http://www.opengis.net/def/crs/EPSG/0/4326\"", "");
  crs("\"GEOGCRS[\\\"WGS 84\\\",ID[\\\"EPSG\\\",4326]]\"", "");
  crs("\"GEOGCS[\\\"GCS_WGS_1984\\\"]\"", "");

  check_case("others_are_named");
  crs("{\"type\":\"ProjectedCRS\",\"name\":\"m\",\"id\":{\"authority\":\"EPSG\",\"code\":3857}}",
      "EPSG:3857");
  crs("{\"type\":\"ProjectedCRS\",\"name\":\"my own\"}", "my own");
  crs("{\"type\":\"ProjectedCRS\",\"name\":\"u\",\"datum\":{\"name\":\"World Geodetic System "
      "1984\"}}",
      "u");
  crs("{\"type\":\"GeographicCRS\",\"name\":\"NAD83\",\"datum\":{\"name\":\"North American Datum "
      "1983\"}}",
      "NAD83");
  crs("{}", "unnamed");
  crs("\"EPSG:14326\"", "EPSG:14326");
  crs("\"GEOGCS[\\\"NAD27\\\",TOWGS84[1,2,3]]\"", "GEOGCS[\"NAD27\",TOWGS84[1,2,3]]");
  crs("\"PROJCS[\\\"WGS 84 / UTM zone 20S\\\"]\"", "PROJCS[\"WGS 84 / UTM zone 20S\"]");

  check_case("the_type_says_it_where_the_key_does_not");
  CHECK_TEXT("", parse("OGC:CRS84", NULL, NULL).crs);
  CHECK_TEXT("", parse("srid:4326", NULL, NULL).crs);
  CHECK_TEXT("srid:5070", parse("srid:5070", NULL, NULL).crs);
  CHECK_TEXT("EPSG:5070", parse("{\"id\":{\"authority\":\"EPSG\",\"code\":5070}}", NULL, NULL).crs);
  CHECK_TEXT("EPSG:5070",
             parse("projjson:mine", NULL, "{\"id\":{\"authority\":\"EPSG\",\"code\":5070}}").crs);
  CHECK_TEXT("projjson:absent", parse("projjson:absent", NULL, NULL).crs);

  check_case("encodings_that_are_not_wkb_are_named");
  CHECK_TEXT("polygon", column("\"encoding\":\"polygon\"").encoding);

  check_case("the_column_of_that_name_goes_before_the_primary_one");
  struct sc_geo_file f = parse(NULL,
                               "{\"primary_column\":\"other\",\"columns\":{\"geometry\":{},"
                               "\"other\":{\"encoding\":\"point\",\"crs\":\"EPSG:3857\"}}}",
                               NULL);
  CHECK_TEXT("", f.crs);
  CHECK_TEXT("", f.encoding);
  CHECK_INT(0, f.geometry_leaf);
  return check_report();
}
