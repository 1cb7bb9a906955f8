/* What chips are coloured by. */
#ifndef SC_BROWSE_COLOR_H
#define SC_BROWSE_COLOR_H

#include "browse/filter.h"

enum sc_color_kind {
  SC_COLOR_CLOUD,
  SC_COLOR_NODATA,
  SC_COLOR_DATE,
  SC_COLOR_PLATFORM,
  SC_COLOR_SQL /* "split", "label", any expression */
};

struct sc_color {
  enum sc_color_kind kind;
  struct sc_buffer sql;             /* SC_COLOR_SQL: the expression */
  struct sc_column *column;         /* sc_color_wait() */
  const struct sc_marks_page *page; /* of the column, that was looked at last */
};

/* text NULL: cloud. */
sc_status sc_color_read(const struct sc_browse_table *t, const char *text, struct sc_color *out,
                        struct sc_error *err);
void sc_color_free(struct sc_browse *b, struct sc_color *c);

/* Have the expression run over the table; waits a little. */
sc_status sc_color_wait(struct sc_browse *b, const struct sc_browse_filter *f, struct sc_color *c,
                        double *known, struct sc_error *err);

/* Are the values texts, of which sc_color_value() gives positions in sc_color_names()? */
int sc_color_is_text(const struct sc_color *c);
char *const *sc_color_names(const struct sc_color *c, const struct sc_summary *s, int *n);
/* NaN: none. Of a column, its marks are held by the caller. */
double sc_color_value(struct sc_color *c, const struct sc_summary *s, const struct sc_hit *h);

#endif
