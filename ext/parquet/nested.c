/* Rows of nested columns; see nested.h. */
#include "parquet/nested.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/real.h"
#include "base/sniff.h"
#include "parquet/value.h"

/* Entries of a column that are decoded at once: a file may have thousands of columns. */
#define STEP 64
/* A row group of at most as many bytes is read at once: on a server each of its hundreds of small
 * chunks would cost a request. */
#define GROUP_MAX_BYTES ((uint64_t)64 << 20)

/* A column and its entries that are decoded. */
struct column {
  struct sc_pq_chunk_reader reader;
  struct sc_pq_chunk chunk; /* with places in where it is read from */
  struct sc_pq_value values[STEP];
  uint32_t defs[STEP], reps[STEP];
  size_t n, at;
  int64_t left; /* entries of the chunk that are not decoded yet */
};

struct sc_pq_nested {
  struct sc_pq_file *file; /* borrowed */
  struct column *columns;  /* one for each leaf */
  struct sc_buffer bytes;  /* of the row group, where it was read at once */
  struct sc_byte_source memory;
  size_t group;      /* the next row group */
  int64_t rows_left; /* of the current one */
};

void sc_pq_nested_free(struct sc_pq_nested *r) {
  if (!r) return;
  for (size_t i = 0; r->columns && i < r->file->meta.n_leaves; i++) {
    sc_pq_chunk_free(&r->columns[i].reader);
  }
  sc_free(r->columns);
  sc_buffer_free(&r->bytes);
  sc_byte_source_close(&r->memory);
  sc_free(r);
}

sc_status sc_pq_nested_open(struct sc_pq_file *file, struct sc_pq_nested **out,
                            struct sc_error *err) {
  if (file->meta.n_leaves > SC_PQ_NESTED_MAX_LEAVES) {
    return sc_fail(err, SC_TOO_BIG, "%s: %zu columns; the limit is %d", file->source.name,
                   file->meta.n_leaves, SC_PQ_NESTED_MAX_LEAVES);
  }
  struct sc_pq_nested *r = sc_alloc_zero(1, sizeof *r);
  if (!r) return sc_fail_nomem(err);
  r->file = file;
  r->memory.fd = -1;
  r->columns = sc_alloc_zero(file->meta.n_leaves, sizeof *r->columns);
  if (r->columns) {
    *out = r;
    return SC_OK;
  }
  sc_pq_nested_free(r);
  return sc_fail_nomem(err);
}

/* --- entries --- */

/* Have the column's next entry decoded. SC_BAD_DATA where there is none. */
static sc_status fill(struct column *c, struct sc_error *err) {
  int64_t ready = 0;
  if (c->at < c->n) return SC_OK;
  if (c->left == 0) {
    return sc_fail(err, SC_BAD_DATA, "column '%s' ends before its rows do", c->reader.leaf->path);
  }
  sc_status st = sc_pq_chunk_seek(&c->reader, c->reader.next_row, c->reader.n_rows, &ready, err);
  size_t n = ready < STEP ? (size_t)ready : STEP;
  if ((int64_t)n > c->left) n = (size_t)c->left;
  c->n = c->at = 0;
  if (!st) st = sc_pq_chunk_read_levels(&c->reader, n, c->values, c->defs, c->reps, err);
  if (st) return st;
  c->n = n;
  c->left -= (int64_t)n;
  return SC_OK;
}

/* The repetition level of the column's next entry; 0 behind the last one. */
static sc_status peek_repeat(struct column *c, uint32_t *rep, struct sc_error *err) {
  *rep = 0;
  if (c->at == c->n && c->left == 0) return SC_OK;
  sc_status st = fill(c, err);
  if (!st) *rep = c->reps[c->at];
  return st;
}

static sc_status fail_apart(const struct column *c, struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "column '%s' has other lists or groups than its neighbours",
                 c->reader.leaf->path);
}

/* The field is not there: every column below it has one entry that says so. */
static sc_status pass_absent(struct sc_pq_nested *r, const struct sc_pq_node *node,
                             struct sc_error *err) {
  for (size_t i = node->leaf; i < node->leaf + node->n_leaves; i++) {
    struct column *c = &r->columns[i];
    sc_status st = fill(c, err);
    if (st) return st;
    if (c->defs[c->at] + 1 != (uint32_t)node->max_def) return fail_apart(c, err);
    c->at++;
  }
  return SC_OK;
}

/* Is the field there, of a group that is? */
static sc_status is_there(struct sc_pq_nested *r, const struct sc_pq_node *node, int *out,
                          struct sc_error *err) {
  struct column *c = &r->columns[node->leaf];
  *out = 0;
  if (node->n_leaves == 0) return SC_OK;
  sc_status st = fill(c, err);
  if (!st) *out = c->defs[c->at] >= (uint32_t)node->max_def;
  return st;
}

/* Does the list of a repeated field go on? Its columns have to agree. */
static sc_status goes_on(struct sc_pq_nested *r, const struct sc_pq_node *node, int *out,
                         struct sc_error *err) {
  uint32_t rep;
  *out = 0;
  for (size_t i = node->leaf; i < node->leaf + node->n_leaves; i++) {
    sc_status st = peek_repeat(&r->columns[i], &rep, err);
    if (st) return st;
    int is_next = rep == (uint32_t)node->max_rep;
    if (rep > (uint32_t)node->max_rep || (i > node->leaf && is_next != *out)) {
      return fail_apart(&r->columns[i], err);
    }
    *out = is_next;
  }
  return SC_OK;
}

/* --- values as JSON --- */

struct writer {
  struct sc_pq_nested *r;
  struct sc_buffer *out;
  size_t max_bytes;
};

static sc_status put_text(struct writer *w, const char *bytes, size_t n, struct sc_error *err) {
  struct sc_buffer text = {0};
  if (sc_sniff_utf8(bytes, n) < n) {
    return sc_fail(err, SC_UNSUPPORTED, "bytes that are no text");
  }
  sc_status st = sc_buffer_append(&text, bytes, n, err);
  if (!st) st = sc_buffer_terminate(&text, err);
  if (!st) st = sc_buffer_append_json(w->out, (const char *)text.data, err);
  sc_buffer_free(&text);
  return st;
}

static sc_status put_real(struct writer *w, double v, struct sc_error *err) {
  if (!isfinite(v)) return sc_buffer_append_text(w->out, "null", err);
  sc_status st = sc_buffer_reserve(w->out, SC_REAL_BYTES, err);
  if (!st) w->out->size += sc_real_format(v, (char *)w->out->data + w->out->size);
  return st;
}

static sc_status put_value(struct writer *w, size_t leaf, const struct sc_pq_value *v,
                           struct sc_error *err) {
  const struct sc_pq_leaf *l = &w->r->file->meta.leaves[leaf];
  struct sc_pq_sql sql;
  sc_status st;
  sc_pq_value_to_sql(l, v, &sql);
  switch (sql.type) {
    case SC_PQ_SQL_INT:
      if (l->type == SC_PQ_BOOLEAN) {
        return sc_buffer_append_text(w->out, sql.i ? "true" : "false", err);
      }
      return sc_buffer_printf(w->out, err, "%lld", (long long)sql.i);
    case SC_PQ_SQL_REAL: return put_real(w, sql.r, err);
    case SC_PQ_SQL_TEXT:
      if (l->kind == SC_PQ_KIND_DECIMAL || l->kind == SC_PQ_KIND_UINT) { /* of many digits */
        return sc_buffer_append(w->out, sql.bytes, sql.size, err);
      } /* fall through */
    case SC_PQ_SQL_BLOB:
      st = put_text(w, sql.bytes, sql.size, err);
      return st ? sc_fail_within(err, "column '%s'", l->path) : SC_OK;
    default: return sc_buffer_append_text(w->out, "null", err);
  }
}

/* --- fields --- */

static sc_status put_field(struct writer *w, size_t node, struct sc_error *err);
static sc_status put_present(struct writer *w, size_t node, struct sc_error *err);

static int last_is_null(const struct sc_buffer *out, size_t begin) {
  return out->size - begin == 4 && memcmp(out->data + begin, "null", 4) == 0;
}

/* The members of a struct, but those that are null. */
static sc_status put_members(struct writer *w, size_t node, struct sc_error *err) {
  const struct sc_pq_node *nodes = w->r->file->meta.nodes;
  int is_first = 1;
  sc_status st = sc_buffer_append_text(w->out, "{", err);
  for (size_t i = node + 1; i < nodes[node].end && !st; i = nodes[i].end) {
    size_t before = w->out->size;
    st = sc_buffer_append_text(w->out, is_first ? "" : ",", err);
    if (!st) st = sc_buffer_append_json(w->out, nodes[i].name, err);
    if (!st) st = sc_buffer_append_text(w->out, ":", err);
    size_t value = w->out->size;
    if (!st) st = put_field(w, i, err);
    if (!st && last_is_null(w->out, value)) {
      w->out->size = before;
    } else {
      is_first = 0;
    }
  }
  return st ? st : sc_buffer_append_text(w->out, "}", err);
}

/* The values of a repeated field, or of the only member of its group, where that is what the list
 * is of. */
static sc_status put_elements(struct writer *w, size_t repeated, size_t element,
                              struct sc_error *err) {
  const struct sc_pq_node *node = &w->r->file->meta.nodes[repeated];
  int more;
  sc_status st = sc_buffer_append_text(w->out, "[", err);
  if (!st) st = is_there(w->r, node, &more, err);
  if (!st && !more) st = pass_absent(w->r, node, err);
  for (int i = 0; !st && more; i++) {
    if (i) st = sc_buffer_append_text(w->out, ",", err);
    if (!st) st = element == repeated ? put_present(w, element, err) : put_field(w, element, err);
    if (!st) st = goes_on(w->r, node, &more, err);
  }
  return st ? st : sc_buffer_append_text(w->out, "]", err);
}

/* "key": value for each entry of a map; keys are texts, or made such. */
static sc_status put_entries(struct writer *w, size_t repeated, struct sc_error *err) {
  const struct sc_pq_node *nodes = w->r->file->meta.nodes, *node = &nodes[repeated];
  size_t key = repeated + 1, value = nodes[key].end;
  int more;
  sc_status st = sc_buffer_append_text(w->out, "{", err);
  if (!st) st = is_there(w->r, node, &more, err);
  if (!st && !more) st = pass_absent(w->r, node, err);
  for (int i = 0; !st && more; i++) {
    if (i) st = sc_buffer_append_text(w->out, ",", err);
    size_t begin = w->out->size;
    if (!st) st = put_field(w, key, err);
    if (!st && w->out->data[begin] != '"') {
      st = sc_fail(err, SC_UNSUPPORTED, "map '%s' has keys that are no texts", node[-1].name);
    }
    if (!st) st = sc_buffer_append_text(w->out, ":", err);
    if (!st) st = put_field(w, value, err);
    if (!st) st = goes_on(w->r, node, &more, err);
  }
  return st ? st : sc_buffer_append_text(w->out, "}", err);
}

/* The field of a list's repeated group that is its element: the group itself in lists as older
 * writers made them. */
static size_t element_of(const struct sc_pq_meta *meta, size_t list, size_t repeated) {
  const struct sc_pq_node *node = &meta->nodes[repeated];
  size_t n = strlen(meta->nodes[list].name);
  if (node->is_leaf || repeated + 1 >= node->end) return repeated;
  if (meta->nodes[repeated + 1].end != node->end) return repeated;
  if (meta->nodes[repeated + 1].repetition == SC_PQ_REPEATED) return repeated;
  int is_old =
      strcmp(node->name, "array") == 0 || (strncmp(node->name, meta->nodes[list].name, n) == 0 &&
                                           strcmp(node->name + n, "_tuple") == 0);
  return is_old ? repeated : repeated + 1;
}

static int is_map_entry(const struct sc_pq_meta *meta, size_t repeated) {
  const struct sc_pq_node *node = &meta->nodes[repeated];
  if (node->is_leaf || repeated + 1 >= node->end) return 0;
  size_t value = meta->nodes[repeated + 1].end;
  return meta->nodes[repeated + 1].is_leaf && value < node->end &&
         meta->nodes[value].end == node->end;
}

/* A field that is there. */
static sc_status put_present(struct writer *w, size_t node, struct sc_error *err) {
  const struct sc_pq_meta *meta = &w->r->file->meta;
  const struct sc_pq_node *n = &meta->nodes[node];
  struct column *c = &w->r->columns[n->leaf];
  if (w->out->size > w->max_bytes) {
    return sc_fail(err, SC_TOO_BIG, "a row has more than %zu bytes of JSON", w->max_bytes);
  }
  if (n->is_leaf) {
    sc_status st = fill(c, err);
    if (!st && c->defs[c->at] != (uint32_t)n->max_def) return fail_apart(c, err);
    return st ? st : put_value(w, n->leaf, &c->values[c->at++], err);
  }
  size_t child = node + 1;
  int is_wrapper = child < n->end && meta->nodes[child].end == n->end &&
                   meta->nodes[child].repetition == SC_PQ_REPEATED;
  if (n->is_map && is_wrapper && is_map_entry(meta, child)) return put_entries(w, child, err);
  if ((n->is_list || n->is_map) && is_wrapper) {
    return put_elements(w, child, element_of(meta, node, child), err);
  }
  return put_members(w, node, err);
}

/* A field of a group that is there. */
static sc_status put_field(struct writer *w, size_t node, struct sc_error *err) {
  const struct sc_pq_node *n = &w->r->file->meta.nodes[node];
  int there;
  if (n->n_leaves == 0) return sc_buffer_append_text(w->out, "null", err);
  if (n->repetition == SC_PQ_REPEATED) return put_elements(w, node, node, err);
  sc_status st = is_there(w->r, n, &there, err);
  if (st || there) return st ? st : put_present(w, node, err);
  if (n->repetition == SC_PQ_REQUIRED) return fail_apart(&w->r->columns[n->leaf], err);
  st = pass_absent(w->r, n, err);
  return st ? st : sc_buffer_append_text(w->out, "null", err);
}

sc_status sc_pq_nested_json(struct sc_pq_nested *r, size_t node, size_t max_bytes,
                            struct sc_buffer *out, struct sc_error *err) {
  struct writer w = {r, out, max_bytes};
  sc_status st = put_field(&w, node, err);
  return st ? sc_fail_within(err, "%s", r->file->source.name) : SC_OK;
}

sc_status sc_pq_nested_leaf(struct sc_pq_nested *r, size_t node, struct sc_pq_value *out,
                            struct sc_error *err) {
  struct column *c = &r->columns[r->file->meta.nodes[node].leaf];
  sc_status st = fill(c, err);
  if (st) return sc_fail_within(err, "%s", r->file->source.name);
  *out = c->values[c->at++];
  return SC_OK;
}

/* --- rows --- */

/* Read a row group at once, where it is small enough; *base is where its bytes begin in the file.
 */
static sc_status read_group(struct sc_pq_nested *r, const struct sc_pq_row_group *group,
                            struct sc_byte_source **source, uint64_t *base, struct sc_error *err) {
  uint64_t begin = UINT64_MAX, end = 0;
  *source = &r->file->source;
  *base = 0;
  for (size_t i = 0; i < r->file->meta.n_leaves; i++) {
    if (group->chunks[i].begin < begin) begin = group->chunks[i].begin;
    if (group->chunks[i].end > end) end = group->chunks[i].end;
  }
  if (begin >= end || end - begin > GROUP_MAX_BYTES) return SC_OK;
  sc_status st =
      sc_byte_source_read(&r->file->source, begin, (size_t)(end - begin), &r->bytes, err);
  sc_byte_source_close(&r->memory);
  if (!st) {
    st = sc_byte_source_memory(r->file->source.name, r->bytes.data, r->bytes.size, &r->memory, err);
  }
  if (st) return st;
  *source = &r->memory;
  *base = begin;
  return SC_OK;
}

static sc_status begin_group(struct sc_pq_nested *r, const struct sc_pq_row_group *group,
                             struct sc_error *err) {
  struct sc_byte_source *source;
  uint64_t base;
  sc_status st = read_group(r, group, &source, &base, err);
  for (size_t i = 0; i < r->file->meta.n_leaves && !st; i++) {
    struct column *c = &r->columns[i];
    c->chunk = group->chunks[i];
    c->chunk.begin -= base;
    c->chunk.end -= base;
    c->n = c->at = 0;
    c->left = c->chunk.n_values;
    st = sc_pq_chunk_begin_levels(&c->reader, source, &r->file->meta.leaves[i], &c->chunk, err);
  }
  r->rows_left = group->n_rows;
  return st;
}

/* Each column begins a row of its own. */
static sc_status check_row(struct sc_pq_nested *r, struct sc_error *err) {
  for (size_t i = 0; i < r->file->meta.n_leaves; i++) {
    struct column *c = &r->columns[i];
    sc_status st = fill(c, err);
    if (st) return st;
    if (c->reps[c->at] != 0) return fail_apart(c, err);
  }
  return SC_OK;
}

sc_status sc_pq_nested_next(struct sc_pq_nested *r, int *found, struct sc_error *err) {
  const struct sc_pq_meta *meta = &r->file->meta;
  sc_status st = SC_OK;
  *found = 0;
  while (r->rows_left == 0 && r->group < meta->n_row_groups && !st) {
    st = begin_group(r, &meta->row_groups[r->group++], err);
  }
  if (!st && r->rows_left == 0) return SC_OK;
  if (!st) st = check_row(r, err);
  if (st) return sc_fail_within(err, "%s", r->file->source.name);
  r->rows_left--;
  *found = 1;
  return SC_OK;
}
