/* Rows of Parquet files for SQL; see import.h. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "geoparquet/import.h"
#include "geoparquet/import_columns.h"
#include "index/day_term.h"
#include "index/geometry.h"
#include "index/row_tiling.h"
#include "parquet/value.h"
#include "store/href.h"

#define MAX_BOX_FILTERS 4
#define SRID_UNKNOWN 0 /* SpatiaLite's number for it */
/* Rowids: number of the file, then of the row in it. Below 2^62 up to 4 million files. */
#define FILE_ROWID_SHIFT 40

sc_status sc_import_init(struct sc_import *m, struct sc_connection *connection, int is_index,
                         size_t n_columns, size_t max_constraints, struct sc_error *err) {
  memset(m, 0, sizeof *m);
  m->connection = connection;
  m->file.source.fd = -1;
  m->is_index = is_index;
  m->n_columns = n_columns;
  m->is_wanted = sc_alloc_zero(n_columns, 1);
  m->constraints = sc_alloc_zero(max_constraints, sizeof *m->constraints);
  m->leaves = sc_alloc_zero(n_columns, sizeof(int));
  m->scan_columns = sc_alloc_zero(n_columns, sizeof(int));
  m->scan_leaves = sc_alloc_zero(n_columns, sizeof(int));
  m->filters = sc_alloc_zero(max_constraints + MAX_BOX_FILTERS, sizeof *m->filters);
  if (!m->is_wanted || !m->constraints || !m->leaves || !m->scan_columns || !m->scan_leaves ||
      !m->filters) {
    return sc_fail_nomem(err);
  }
  return SC_OK;
}

static void close_file(struct sc_import *m) {
  sc_pq_scan_free(&m->scan);
  sc_pq_file_close(&m->file);
  sc_folder_values_free(&m->folders);
  m->is_open = 0;
}

void sc_import_free(struct sc_import *m) {
  close_file(m);
  for (size_t i = 0; i < m->n_constraints; i++) sqlite3_value_free(m->constraints[i].value);
  sc_files_free(&m->files);
  sc_buffer_free(&m->blob);
  sc_free(m->is_wanted);
  sc_free(m->constraints);
  sc_free(m->leaves);
  sc_free(m->scan_columns);
  sc_free(m->scan_leaves);
  sc_free(m->filters);
  memset(m, 0, sizeof *m);
  m->file.source.fd = -1;
}

/* A constraint's value as a filter's; 0 where the types would need SQLite's conversions. */
static int filter_of(const struct sc_import_constraint *c, const struct sc_pq_leaf *leaf,
                     struct sc_pq_filter *f) {
  const char *type = sc_pq_sql_type_name(leaf);
  f->op = c->op;
  switch (sqlite3_value_type(c->value)) {
    case SQLITE_INTEGER:
      f->type = SC_PQ_SQL_INT;
      f->i = sqlite3_value_int64(c->value);
      return type[0] == 'I' || type[0] == 'R';
    case SQLITE_FLOAT:
      f->type = SC_PQ_SQL_REAL;
      f->r = sqlite3_value_double(c->value);
      return type[0] == 'I' || type[0] == 'R';
    case SQLITE_TEXT:
      f->type = SC_PQ_SQL_TEXT;
      f->bytes = (const char *)sqlite3_value_text(c->value);
      f->size = (size_t)sqlite3_value_bytes(c->value);
      return f->bytes && type[0] == 'T';
    case SQLITE_BLOB:
      f->type = SC_PQ_SQL_BLOB;
      f->bytes = sqlite3_value_blob(c->value);
      f->size = (size_t)sqlite3_value_bytes(c->value);
      return f->bytes && type[0] == 'B';
    default: return 0;
  }
}

/* Text of the column in this file, where its path says it and the file does not. */
static const char *constant_of(const struct sc_import *m, int column) {
  if (!m->is_index || m->leaves[column] >= 0) return NULL;
  if (column == SC_INDEX_PLATFORM) return m->folders.platform;
  if (column == SC_INDEX_ITEM) return m->folders.item;
  if (column == SC_INDEX_DATE) return m->folders.date;
  return NULL;
}

/* Does a constant of the path contradict a constraint? */
static int path_is_excluded(const char *text, const struct sc_import_constraint *c) {
  struct sc_pq_leaf leaf = {0};
  struct sc_pq_filter f;
  struct sc_view span = {(const unsigned char *)text, text ? strlen(text) : 0};
  struct sc_pq_stats stats = {span, span, -1};
  leaf.type = SC_PQ_BYTE_ARRAY;
  leaf.kind = SC_PQ_KIND_TEXT;
  return text && filter_of(c, &leaf, &f) && sc_pq_filter_excludes(&f, &leaf, &stats, 1);
}

/*
 * The file's dates are shown as ten characters; only a DATE column's statistics compare with
 * those. Geometry has no order.
 */
static int can_filter(const struct sc_import *m, int column) {
  int leaf = m->leaves[column];
  if (leaf < 0 || m->file.meta.leaves[leaf].max_rep > 0) return 0;
  if (!m->is_index) return 1;
  if (column == SC_INDEX_GEOMETRY) return 0;
  if (column == SC_INDEX_DATE) return m->file.meta.leaves[leaf].kind == SC_PQ_KIND_DATE;
  if (column <= SC_INDEX_ITEM) return m->file.meta.leaves[leaf].kind == SC_PQ_KIND_TEXT;
  return 1;
}

static size_t make_filters(struct sc_import *m) {
  size_t n = 0;
  for (size_t i = 0; i < m->n_constraints; i++) {
    const struct sc_import_constraint *c = &m->constraints[i];
    if (!can_filter(m, c->column)) continue;
    m->filters[n].leaf = m->leaves[c->column];
    n += (size_t)filter_of(c, &m->file.meta.leaves[m->leaves[c->column]], &m->filters[n]);
  }
  return n;
}

/* The box against the covering columns: xmin <= max_x and so on. */
static size_t add_box_filters(struct sc_import *m, const struct sc_geo_file *geo, size_t n) {
  const double limits[] = {m->box.max_x, m->box.max_y, m->box.min_x, m->box.min_y};
  /* A box across the antimeridian has xmin above xmax: then x says nothing. */
  int x_is_known = !geo->box.present || geo->box.min_x <= geo->box.max_x;
  for (int side = 0; side < 4; side++) {
    if (geo->covering[side] < 0 || (side % 2 == 0 && !x_is_known)) continue;
    struct sc_pq_filter f = {geo->covering[side],
                             side < 2 ? SC_PQ_LE : SC_PQ_GE,
                             SC_PQ_SQL_REAL,
                             0,
                             limits[side],
                             NULL,
                             0};
    m->filters[n++] = f;
  }
  return n;
}

static int file_is_elsewhere(const struct sc_import *m, const struct sc_geo_file *geo) {
  const struct sc_pq_box *has = &geo->box, *wanted = &m->box;
  if (!has->present || !wanted->present) return 0;
  if (has->min_y > wanted->max_y || has->max_y < wanted->min_y) return 1;
  return has->min_x <= has->max_x && (has->min_x > wanted->max_x || has->max_x < wanted->min_x);
}

int sc_import_leaf(const struct sc_pq_meta *meta, enum sc_index_column column) {
  int leaf = sc_pq_meta_find_leaf(meta, sc_index_column_names[column]);
  if (leaf < 0 && column == SC_INDEX_ITEM) leaf = sc_pq_meta_find_leaf(meta, "item_id");
  return leaf;
}

static sc_status map_index_columns(struct sc_import *m, const struct sc_geo_file *geo,
                                   struct sc_error *err) {
  for (int c = 0; c < SC_INDEX_N; c++) {
    m->leaves[c] = sc_import_leaf(&m->file.meta, (enum sc_index_column)c);
  }
  m->leaves[SC_INDEX_GEOMETRY] = geo->geometry_leaf;
  if (m->leaves[SC_INDEX_X] < 0 || m->leaves[SC_INDEX_Y] < 0) {
    return sc_fail(err, SC_BAD_DATA,
                   "%s: not a chip index: column '%s' is missing; other files are read by CREATE "
                   "VIRTUAL TABLE name USING stacchip_parquet('file.parquet')",
                   m->file.source.name,
                   m->leaves[SC_INDEX_X] < 0 ? "chip_index_x" : "chip_index_y");
  }
  return SC_OK;
}

/* Can the geometry be given as what the column says it is, WKB in EPSG:4326? */
static sc_status check_geometry(struct sc_import *m, const struct sc_geo_file *geo,
                                struct sc_error *err) {
  int leaf = geo->geometry_leaf;
  const char *file = m->file.source.name;
  const char *column = leaf >= 0 ? m->file.meta.leaves[leaf].path : "geometry";
  m->srid = geo->crs_is_unknown ? SRID_UNKNOWN : SC_SRID_LONLAT;
  if (!m->is_wanted[SC_INDEX_GEOMETRY] && !m->box.present) return SC_OK;
  if (geo->encoding[0]) {
    return sc_fail(err, SC_UNSUPPORTED, "%s: column '%s' has the encoding '%s'; WKB is read", file,
                   column, geo->encoding);
  }
  if (geo->crs[0]) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "%s: column '%s' is in %s; index files are in longitude and latitude "
                   "(OGC:CRS84, EPSG:4326): reproject it first",
                   file, column, geo->crs);
  }
  return SC_OK;
}

static sc_status map_all_columns(struct sc_import *m, struct sc_error *err) {
  if (m->file.meta.n_leaves != m->n_columns) {
    return sc_fail(err, SC_BAD_DATA, "%s: %zu columns; the table was made with %zu",
                   m->file.source.name, m->file.meta.n_leaves, m->n_columns);
  }
  struct sc_buffer now = {0};
  sc_status st = sc_import_columns_describe(&m->file.meta, &now, err);
  if (!st && strcmp((const char *)now.data, m->columns) != 0) {
    st = sc_fail(err, SC_BAD_DATA,
                 "%s: its columns are no longer those that the table was made of; DROP the table "
                 "and CREATE it again",
                 m->file.source.name);
  }
  sc_buffer_free(&now);
  for (size_t c = 0; c < m->n_columns; c++) m->leaves[c] = (int)c;
  return st;
}

/* Number the columns that the scan reads. Lists are left out: asking for one is an error. */
static size_t choose_columns(struct sc_import *m) {
  size_t n = 0;
  for (size_t c = 0; c < m->n_columns; c++) {
    int leaf = m->leaves[c];
    m->scan_columns[c] = -1;
    if (!m->is_wanted[c] || leaf < 0 || m->file.meta.leaves[leaf].max_rep > 0) continue;
    m->scan_columns[c] = (int)n;
    m->scan_leaves[n++] = leaf;
  }
  return n;
}

static int path_excludes(const struct sc_import *m) {
  for (size_t i = 0; i < m->n_constraints; i++) {
    const struct sc_import_constraint *c = &m->constraints[i];
    const char *text = constant_of(m, c->column);
    if (path_is_excluded(text, c)) return 1;
  }
  return 0;
}

static sc_status start_scan(struct sc_import *m, const struct sc_geo_file *geo,
                            struct sc_error *err) {
  struct sc_pq_scan_plan plan = {m->scan_leaves, choose_columns(m), m->filters, make_filters(m), -1,
                                 m->box};
  if (m->box.present) {
    plan.n_filters = add_box_filters(m, geo, plan.n_filters);
    plan.geometry_leaf = geo->geometry_leaf;
  }
  return sc_pq_scan_begin(&m->scan, &m->file, &plan, err);
}

sc_status sc_import_open_file(const char *path, struct sc_pq_file *out, struct sc_error *err) {
  char *allowed = NULL;
  memset(out, 0, sizeof *out);
  out->source.fd = -1;
  sc_status st = sc_href_allow(path, SC_ORIGIN_LOCAL, &allowed, err);
  if (!st) st = sc_pq_file_open(allowed, out, err);
  sc_free(allowed);
  return st;
}

/* Files of ours say how their chips lie on the grids. */
static unsigned subtype_of_file(const struct sc_import *m) {
  struct sc_view own = sc_pq_meta_find_key(&m->file.meta, "stacchip");
  struct sc_tiling tiling;
  if (!own.data || !sc_row_tiling_parse((const char *)own.data, own.size, &tiling)) return 0;
  return sc_row_tiling_subtype(m->connection, &tiling);
}

/* Do the names of the file's folders contradict a constraint? Not where the path is of one file. */
static int folders_exclude(const struct sc_import *m) {
  if (!m->is_index || m->files.n < 2) return 0;
  for (size_t i = 0; i < m->n_constraints; i++) {
    const struct sc_import_constraint *c = &m->constraints[i];
    const char *text = c->column == SC_INDEX_PLATFORM ? m->folders.platform
                       : c->column == SC_INDEX_ITEM   ? m->folders.item
                                                      : NULL;
    if (path_is_excluded(text, c)) return 1;
  }
  return 0;
}

/*
 * May the next file stay shut? One item of a tree of thousands should cost one request, so in a
 * store names are believed that other files of the tree confirmed. Where a footer costs no request
 * it is read, and it decides.
 */
static int may_stay_shut(struct sc_import *m, const char *path) {
  return sc_href_is_remote(path) && folders_exclude(m) && sc_import_names_trust(m) == SC_NAMES_TRUE;
}

/* Parquet's days are texts to SQLite, whoever named the column. */
static sc_status check_days(const struct sc_import *m, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < m->n_constraints && !st; i++) {
    const struct sc_pq_leaf *leaf = &m->file.meta.leaves[m->leaves[m->constraints[i].column]];
    if (leaf->kind == SC_PQ_KIND_DATE) {
      st = sc_day_term_check_day(leaf->path, m->constraints[i].value, err);
    }
  }
  return st;
}

static sc_status open_footer(struct sc_import *m, const char *path, int *is_skipped,
                             struct sc_error *err) {
  m->is_open = 1;
  sc_status st = sc_import_open_file(path, &m->file, err);
  /* Of a damaged file the name is all there is. */
  *is_skipped =
      st == SC_BAD_DATA && folders_exclude(m) && sc_import_names_trust(m) == SC_NAMES_TRUE;
  if (*is_skipped) close_file(m);
  return *is_skipped ? SC_OK : st;
}

/* Open the next file unless its path or its box says that it has nothing for us. */
static sc_status open_next(struct sc_import *m, struct sc_error *err) {
  const char *path = m->files.paths[m->next_file++];
  struct sc_geo_file geo;
  sc_status st = SC_OK;
  int is_skipped = 0;
  close_file(m);
  if (m->is_index) st = sc_folder_values_read(path, &m->folders, err);
  if (st || may_stay_shut(m, path)) return st;
  st = open_footer(m, path, &is_skipped, err);
  if (st || is_skipped) return st;
  if (m->is_index) sc_import_names_settle(m);
  sc_geo_parse(&m->file.meta, "geometry", &geo);
  st = m->is_index ? map_index_columns(m, &geo, err) : map_all_columns(m, err);
  if (!st) st = m->is_index ? check_geometry(m, &geo, err) : check_days(m, err);
  if (st) return st;
  if (path_excludes(m) || file_is_elsewhere(m, &geo)) {
    m->is_open = 0;
    return SC_OK;
  }
  m->subtype = m->is_index ? subtype_of_file(m) : 0;
  return start_scan(m, &geo, err);
}

/* The next batch with rows, of this file or the next ones. */
static sc_status next_batch(struct sc_import *m, struct sc_error *err) {
  sc_status st = SC_OK;
  m->n = m->at = 0;
  while (!st && m->n == 0) {
    if (m->is_open) st = sc_pq_scan_next(&m->scan, &m->n, err);
    if (st || m->n) break;
    if (m->next_file == m->files.n) break;
    st = open_next(m, err);
  }
  if (st) m->n = 0;
  return st;
}

/* The rules of a folder or of what comes before a wildcard: what they do not show is not listed. */
static sc_status check_listing(const char *path, struct sc_error *err) {
  char *fixed = NULL, *allowed = NULL;
  size_t n = sc_glob_fixed_bytes(path);
  int is_glob = path[n] != '\0' && !sc_href_is_url(path);
  sc_status st =
      is_glob ? sc_strndup(n ? path : ".", n ? n : 1, &fixed, err) : sc_strdup(path, &fixed, err);
  if (!st) st = sc_href_allow(fixed, SC_ORIGIN_LOCAL, &allowed, err);
  sc_free(fixed);
  sc_free(allowed);
  return st;
}

sc_status sc_import_begin(struct sc_import *m, const char *path, struct sc_error *err) {
  sc_status st = check_listing(path, err);
  if (!st) st = sc_files_list(path, &m->files, err);
  return st ? st : next_batch(m, err);
}

sc_status sc_import_next(struct sc_import *m, struct sc_error *err) {
  if (++m->at < m->n) return SC_OK;
  return next_batch(m, err);
}

sqlite3_int64 sc_import_rowid(const struct sc_import *m) {
  sqlite3_int64 file = m->next_file ? (sqlite3_int64)m->next_file - 1 : 0;
  return (file << FILE_ROWID_SHIFT) + m->scan.first_row + (sqlite3_int64)m->at + 1;
}

static sc_status geometry_result(struct sc_import *m, const struct sc_pq_value *v,
                                 sqlite3_context *context, struct sc_error *err) {
  struct sc_footprint f;
  struct sc_view polygon;
  struct sc_box box;
  sc_status st;
  if (v->size == SC_PQ_NULL) return SC_OK;
  if (sc_wkb_polygon(v->as.bytes, v->size, &polygon) && sc_polygon_box(polygon, &box)) {
    st = sc_polygon_to_blob(polygon, &box, m->srid, &m->blob, err);
  } else {
    m->blob.size = 0;
    st = sc_footprint_from_wkb(v->as.bytes, v->size, &f, err);
    if (!st && f.n_parts == 0) return SC_OK;
    if (!st) st = sc_footprint_to_blob(&f, 0, &m->blob, err);
    if (!st) sc_put_le32(m->blob.data + 2, (uint32_t)m->srid);
  }
  if (st) {
    return sc_fail_within(err, "%s: row %lld", m->file.source.name,
                          (long long)m->scan.first_row + (long long)m->at);
  }
  sqlite3_result_blob64(context, m->blob.data, m->blob.size, SQLITE_TRANSIENT);
  if (m->subtype) sqlite3_result_subtype(context, m->subtype);
  return SC_OK;
}

static void sql_result(const struct sc_pq_sql *v, sqlite3_context *context) {
  switch (v->type) {
    case SC_PQ_SQL_INT: sqlite3_result_int64(context, v->i); break;
    case SC_PQ_SQL_REAL: sqlite3_result_double(context, v->r); break;
    case SC_PQ_SQL_TEXT:
      sqlite3_result_text64(context, v->bytes, v->size, SQLITE_TRANSIENT, SQLITE_UTF8);
      break;
    case SC_PQ_SQL_BLOB: sqlite3_result_blob64(context, v->bytes, v->size, SQLITE_TRANSIENT); break;
    default: break; /* NULL */
  }
}

/* Byte arrays without annotation are text in index files; dates are cut to the day. */
static void fix_index_value(int column, struct sc_pq_sql *v) {
  if (column <= SC_INDEX_ITEM && v->type == SC_PQ_SQL_BLOB) v->type = SC_PQ_SQL_TEXT;
  if (column != SC_INDEX_DATE) return;
  if (v->type == SC_PQ_SQL_BLOB) v->type = SC_PQ_SQL_TEXT;
  if (v->type == SC_PQ_SQL_TEXT && v->size > 10 && (v->bytes[10] == 'T' || v->bytes[10] == ' ')) {
    v->size = 10;
  }
}

static sc_status fail_unreadable(const struct sc_import *m, int leaf, struct sc_error *err) {
  return sc_fail(err, SC_UNSUPPORTED,
                 "%s: column '%s' is a list or map, which cannot be shown as an SQL value",
                 m->file.source.name, m->file.meta.leaves[leaf].path);
}

sc_status sc_import_column(struct sc_import *m, int column, sqlite3_context *context,
                           struct sc_error *err) {
  struct sc_pq_sql sql;
  int leaf = m->leaves[column], c = m->scan_columns[column];
  const char *text = constant_of(m, column);
  if (text) {
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
    return SC_OK;
  }
  if (leaf < 0) return SC_OK; /* NULL: the file does not have it */
  if (c < 0) return fail_unreadable(m, leaf, err);
  const struct sc_pq_value *v = sc_pq_scan_value(&m->scan, (size_t)c, m->at);
  if (m->is_index && column == SC_INDEX_GEOMETRY) return geometry_result(m, v, context, err);
  sc_pq_value_to_sql(&m->file.meta.leaves[leaf], v, &sql);
  if (m->is_index) fix_index_value(column, &sql);
  sql_result(&sql, context);
  return SC_OK;
}
