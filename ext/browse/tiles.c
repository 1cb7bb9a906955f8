/*
 * tiles/{z}/{x}/{y}.png and tiles.json: a mosaic of the chips' items for QGIS, Leaflet and the
 * like, by stacchip_tile(). What the address says of WHERE and ORDER BY becomes part of a query
 * that the function runs on the guarded connection.
 */
#include <stdio.h>
#include <string.h>

#include "browse/picture.h"
#include "browse/summary.h"
#include "browse/tiles.h"
#include "store/percent.h"

#define TILE_SECONDS 30.0
#define LEAST_ZOOM 6 /* below, a tile has thousands of scenes */
#define GREATEST_ZOOM 18

/* 256 x 256 pixels of one bit, all of them transparent: where no item has a pixel. */
static const unsigned char empty_tile[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
    0x52, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x74,
    0x09, 0x95, 0xcb, 0x00, 0x00, 0x00, 0x02, 0x74, 0x52, 0x4e, 0x53, 0x00, 0x00, 0x76, 0x93,
    0xcd, 0x38, 0x00, 0x00, 0x00, 0x1f, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0xed, 0xc1, 0x01,
    0x0d, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf7, 0x4f, 0x6d, 0x0e, 0x37, 0xa0, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0xbe, 0x0d, 0x21, 0x00, 0x00, 0x01, 0x60, 0xe4, 0x9d, 0x97,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

static const char *given(const struct sc_server_request *r, const char *name) {
  const char *text = sc_server_argument(r, name);
  return text && text[strspn(text, " \t\r\n")] ? text : NULL;
}

/* ---- a tile ---- */

int sc_tile_read(const char *path, int *z, int *x, int *y) {
  int end = -1;
  return sscanf(path, "tiles/%2d/%9d/%9d.png%n", z, x, y, &end) == 3 && end > 0 && !path[end];
}

/* The query for stacchip_tile(); :tile is the tile's box. */
static sc_status put_query(const struct sc_browse_table *t, const char *where, const char *order,
                           struct sc_buffer *out, struct sc_error *err) {
  sc_status st = SC_OK;
  if (where) st = sc_session_check_expression(where, err);
  if (!st && order) st = sc_session_check_expression(order, err);
  if (!st)
    st = sc_table_sql(t,
                      t->is_frozen
                          ? "SELECT {handle} FROM {from} WHERE MbrIntersects({geometry}, :tile)"
                          : "SELECT {id} FROM {from} WHERE search_area = :tile",
                      out, err);
  if (!st && where) st = sc_buffer_append_text(out, " AND (\n", err);
  if (!st && where) st = sc_buffer_append_text(out, where, err);
  if (!st && where) st = sc_buffer_append_text(out, "\n)", err);
  if (!st) st = sc_buffer_append_text(out, " ORDER BY ", err);
  if (!st)
    st = order ? sc_buffer_append_text(out, order, err) : sc_table_sql(t, "{date} DESC", out, err);
  return st ? st : sc_buffer_terminate(out, err);
}

/* The request's options, with how rows are read and what becomes of an item that fails. */
static sc_status put_options(const struct sc_browse_table *t, const struct sc_server_request *r,
                             struct sc_buffer *out, struct sc_error *err) {
  struct sc_buffer own = {0};
  sc_status st = sc_picture_options(t, r, NULL, &own, err);
  if (!st) st = sc_buffer_append_text(out, "{\"on_error\":\"skip\"", err);
  /* A dataset with pixels of its own draws chip by chip, so that its limit is one of chips. By its
   * schema the items' table is found without a list of databases, which guarded SQL may not
   * have. */
  if (!st)
    st = sc_buffer_append_text(
        out,
        t->is_frozen ? ",\"items\":\"main.exported_items\",\"limit\":1024" : ",\"table\":", err);
  if (!st && !t->is_frozen) st = sc_buffer_append_json(out, t->table, err);
  if (!st && own.size > 2) st = sc_buffer_append_text(out, ",", err);
  if (!st) st = sc_buffer_append(out, own.data + 1, own.size - 1, err);
  sc_buffer_free(&own);
  return st ? st : sc_buffer_terminate(out, err);
}

/* Our own statement is prepared freely; the query within it, when it is stepped, under guard. */
static sc_status prepare_tile(struct sc_session *s, sqlite3_stmt **out, struct sc_error *err) {
  s->is_ours++;
  int code = sqlite3_prepare_v2(s->db, "SELECT stacchip_tile(?1, ?2, ?3, ?4, ?5)", -1, out, NULL);
  s->is_ours--;
  return code == SQLITE_OK ? SC_OK : sc_session_fail(s, err);
}

struct tile {
  const struct sc_browse_table *table;
  int zxy[3];
  struct sc_buffer query, options;
};

static sc_status read_tile(const struct tile *tile, struct sc_buffer *out, struct sc_error *err) {
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_session_take(tile->table->sessions, SC_SESSION_GUARDED, &s, err);
  if (!st) sc_session_limit(s, TILE_SECONDS, NULL);
  if (!st) st = prepare_tile(s, &stmt, err);
  if (!st) {
    for (int i = 0; i < 3; i++) sqlite3_bind_int(stmt, 1 + i, tile->zxy[i]);
    sqlite3_bind_text(stmt, 4, (const char *)tile->query.data, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, (const char *)tile->options.data, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
      st = sc_session_fail(s, err);
    } else if (sqlite3_column_type(stmt, 0) == SQLITE_NULL) {
      st = sc_buffer_append(out, empty_tile, sizeof empty_tile, err);
    } else {
      st = sc_buffer_append(out, sqlite3_column_blob(stmt, 0),
                            (size_t)sqlite3_column_bytes(stmt, 0), err);
    }
  }
  sqlite3_finalize(stmt);
  sc_session_give(s);
  return st;
}

sc_status sc_browse_tile(struct sc_browse *b, const struct sc_server_request *r,
                         struct sc_server_answer *a, struct sc_error *err) {
  struct tile tile = {0};
  struct sc_browse_table *t = NULL;
  struct sc_buffer key = {0};
  if (!sc_tile_read(r->path, &tile.zxy[0], &tile.zxy[1], &tile.zxy[2]))
    return sc_fail(err, SC_NOT_FOUND, "expected tiles/{z}/{x}/{y}.png");
  sc_status st = sc_browse_table(b, sc_server_argument(r, "table"), &t, err);
  tile.table = t;
  if (!st) st = put_query(t, given(r, "where"), given(r, "order"), &tile.query, err);
  if (!st) st = put_options(t, r, &tile.options, err);
  if (!st)
    st = sc_buffer_printf(&key, err, "%s %s %s %s", r->path, t->name, (char *)tile.options.data,
                          (char *)tile.query.data);
  if (!st && !sc_pictures_find(&b->pictures, (char *)key.data, &a->body)) {
    st = read_tile(&tile, &a->body, err);
    if (!st) sc_pictures_keep(&b->pictures, (char *)key.data, &a->body);
  }
  if (!st) {
    a->type = "image/png";
    a->is_embeddable = 1;
    sc_picture_tag(r, a);
  }
  sc_buffer_free(&tile.query);
  sc_buffer_free(&tile.options);
  sc_buffer_free(&key);
  return st;
}

/* ---- TileJSON 3: github.com/mapbox/tilejson-spec ---- */

/* The address of the tiles, with the request's arguments. */
static sc_status put_address(const struct sc_server_request *r, struct sc_buffer *out,
                             struct sc_error *err) {
  struct sc_buffer address = {0};
  sc_status st = sc_buffer_printf(&address, err, "%stiles/{z}/{x}/{y}.png", r->base);
  for (int i = 0; i < r->n_arguments && !st; i++) {
    const struct sc_server_argument *one = &r->arguments[i];
    st = sc_buffer_append_text(&address, i ? "&" : "?", err);
    if (!st) st = sc_percent_encode(&address, one->name, strlen(one->name), SC_UNRESERVED, err);
    if (!st) st = sc_buffer_append_text(&address, "=", err);
    if (!st) st = sc_percent_encode(&address, one->value, strlen(one->value), SC_UNRESERVED, err);
  }
  if (!st) st = sc_buffer_terminate(&address, err);
  if (!st) st = sc_buffer_append_json(out, (char *)address.data, err);
  sc_buffer_free(&address);
  return st;
}

sc_status sc_browse_tilejson(struct sc_browse *b, const struct sc_server_request *r,
                             struct sc_server_answer *a, struct sc_error *err) {
  struct sc_browse_table *t = NULL;
  struct sc_buffer *out = &a->body;
  double box[4] = {-180, -85.05, 180, 85.05};
  sc_status st = sc_browse_table(b, sc_server_argument(r, "table"), &t, err);
  if (!st) sc_summary_extent(t->summary, box);
  if (!st) st = sc_buffer_append_text(out, "{\"tilejson\":\"3.0.0\",\"name\":", err);
  if (!st) st = sc_buffer_append_json(out, t->name, err);
  if (!st) st = sc_buffer_append_text(out, ",\"scheme\":\"xyz\",\"tiles\":[", err);
  if (!st) st = put_address(r, out, err);
  return st ? st
            : sc_buffer_printf(out, err,
                               "],\"minzoom\":%d,\"maxzoom\":%d,\"bounds\":[%.6f,%.6f,%.6f,%.6f]}",
                               LEAST_ZOOM, GREATEST_ZOOM, box[0], box[1], box[2], box[3]);
}
