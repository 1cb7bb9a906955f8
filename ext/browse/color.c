/* Colours; see color.h. */
#include "browse/color.h"

#include <math.h>
#include <string.h>

#include "browse/chips.h"

static sc_status put_expression(const struct sc_browse_table *t, const char *text,
                                struct sc_buffer *out, struct sc_error *err) {
  struct sc_session *s = NULL;
  sc_status st;
  if (strcmp(text, "split") == 0) return sc_table_sql(t, "stacchip_split({geometry})", out, err);
  if (strcmp(text, "label") != 0) {
    st = sc_buffer_append_text(out, text, err);
    return st ? st : sc_buffer_terminate(out, err);
  }
  st = sc_session_take(t->sessions, SC_SESSION_OWN, &s, err);
  if (!st) st = sc_table_sql(t, sc_chips_label_sql(t, s), out, err);
  sc_session_give(s);
  return st;
}

sc_status sc_color_read(const struct sc_browse_table *t, const char *text, struct sc_color *out,
                        struct sc_error *err) {
  static const char *const kinds[] = {"cloud", "nodata", "date", "platform"};
  *out = (struct sc_color){.kind = SC_COLOR_SQL};
  if (!text || !text[strspn(text, " \t\r\n")]) text = kinds[0];
  for (int i = 0; i < SC_COLOR_SQL; i++) {
    if (strcmp(text, kinds[i]) == 0) out->kind = (enum sc_color_kind)i;
  }
  if (out->kind != SC_COLOR_SQL) return SC_OK;
  sc_status st = put_expression(t, text, &out->sql, err);
  return st ? st : sc_session_check_expression((const char *)out->sql.data, err);
}

void sc_color_free(struct sc_browse *b, struct sc_color *c) {
  sc_column_give(&b->columns, c->column);
  sc_buffer_free(&c->sql);
}

sc_status sc_color_wait(struct sc_browse *b, const struct sc_browse_filter *f, struct sc_color *c,
                        double *known, struct sc_error *err) {
  double done = 1;
  if (c->kind != SC_COLOR_SQL) return SC_OK;
  struct sc_question q = {f->table->summary, (const char *)c->sql.data, 0};
  sc_status st = sc_column_take(&b->columns, &q, SC_FILTER_WAIT, &done, &c->column, err);
  if (!st && done < *known) *known = done;
  return st;
}

int sc_color_is_text(const struct sc_color *c) {
  return c->kind == SC_COLOR_PLATFORM || (c->column && c->column->is_text);
}

char *const *sc_color_names(const struct sc_color *c, const struct sc_summary *s, int *n) {
  *n = c->column ? c->column->n_names : s->n_platforms;
  return c->column ? c->column->names : s->platforms;
}

static double column_value(struct sc_color *c, int64_t id) {
  if (!c->page || c->page->key != id >> 16) c->page = sc_marks_find(&c->column->marks, id);
  return c->page ? (double)c->page->values[id & (SC_MARKS_PAGE - 1)] : (double)NAN;
}

double sc_color_value(struct sc_color *c, const struct sc_summary *s, const struct sc_hit *h) {
  const struct sc_summary_item *item = &s->items[h->block->item];
  switch (c->kind) {
    case SC_COLOR_CLOUD: return (double)h->chunk->cloud[h->at];
    case SC_COLOR_NODATA: return (double)h->chunk->nodata[h->at];
    case SC_COLOR_DATE: return item->day == SC_NO_DAY ? (double)NAN : (double)item->day;
    case SC_COLOR_PLATFORM: return item->platform;
    default: return c->column ? column_value(c, sc_hit_id(h)) : NAN;
  }
}
