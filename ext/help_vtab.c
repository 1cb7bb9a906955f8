/*
 * stacchip_help([topic]): the functions and tables with their arguments, columns and options, from
 * the tables that the code itself goes by (base/help.h).
 *
 *   CREATE TABLE stacchip_help("function", part, name, type, default_value, about, example,
 *                              topic HIDDEN);
 *
 *   SELECT name, about FROM stacchip_help WHERE part = 'function';
 *   SELECT name, type, default_value, about FROM stacchip_help('stacchip_chip') WHERE part =
 * 'option'; SELECT "function", about FROM stacchip_help('resampling');
 *
 * HOW IT WORKS  xFilter lists what fits the topic: a function, with or without its "stacchip_", or
 * else every argument, column and option of that name. The texts are static; the type of an option
 * and the call of a function are put together in xColumn.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/help.h"
#include "table_function.h"

enum { FUNCTION, PART, NAME, TYPE, DEFAULT_VALUE, ABOUT, EXAMPLE, TOPIC };
#define PREFIX "stacchip_"

struct line {
  const struct sc_help *help;
  const char *part;
  const char *prefix;              /* of an option's name */
  const struct sc_help_name *name; /* an argument or a column, or */
  const struct sc_option *option;  /* an option; neither: the function */
};

struct help_cursor {
  struct sc_table_cursor base;
  struct sc_buffer lines; /* struct line[] */
};

/* --- the list --- */

static sc_status append(struct sc_buffer *out, struct line line, struct sc_error *err) {
  return sc_buffer_append(out, &line, sizeof line, err);
}

static sc_status append_names(struct sc_buffer *out, const struct sc_help *h, const char *part,
                              const struct sc_help_name *names, struct sc_error *err) {
  sc_status st = SC_OK;
  for (; names && names->name && !st; names++)
    st = append(out, (struct line){.help = h, .part = part, .name = names}, err);
  return st;
}

static sc_status append_function(struct sc_buffer *out, const struct sc_help *h,
                                 struct sc_error *err) {
  sc_status st = append(out, (struct line){.help = h, .part = "function"}, err);
  if (!st) st = append_names(out, h, "argument", h->arguments, err);
  if (!st) st = append_names(out, h, "column", h->columns, err);
  for (int i = 0; i < SC_HELP_TABLES_MAX && h->options[i].table && !st; i++) {
    const struct sc_help_options *o = &h->options[i];
    for (size_t k = 0; k < o->table->n && !st; k++) {
      struct line line = {h, o->part, o->prefix, NULL, &o->table->rows[k]};
      st = append(out, line, err);
    }
  }
  return st;
}

static int is_topic(const struct sc_help *h, const char *topic) {
  return sqlite3_stricmp(topic, h->name) == 0 ||
         sqlite3_stricmp(topic, h->name + strlen(PREFIX)) == 0;
}

/* Keep the lines, from the beginning of `all` on, whose name is the topic. */
static sc_status take_names(const struct sc_buffer *all, const char *topic, struct sc_buffer *out,
                            struct sc_error *err) {
  const struct line *lines = (const struct line *)all->data;
  sc_status st = SC_OK;
  for (size_t i = 0; i < all->size / sizeof *lines && !st; i++) {
    const char *name = lines[i].option ? lines[i].option->key
                       : lines[i].name ? lines[i].name->name
                                       : "";
    if (sqlite3_stricmp(name, topic) == 0) st = append(out, lines[i], err);
  }
  return st;
}

static sc_status fail_unknown(const struct sc_connection *c, const char *topic,
                              struct sc_error *err) {
  struct sc_buffer list = {0};
  sc_status st = SC_OK;
  for (int i = 0; i < c->n_help && !st; i++)
    st = sc_buffer_printf(&list, err, "%s%s", i ? ", " : "", c->help[i]->name + strlen(PREFIX));
  if (!st) st = sc_buffer_terminate(&list, err);
  if (!st) {
    st = sc_fail(err, SC_BAD_ARG,
                 "stacchip_help: '%.60s' is no function, table or option; functions and tables: %s",
                 topic, (const char *)list.data);
  }
  sc_buffer_free(&list);
  return st;
}

/* topic NULL: everything. */
static sc_status list(const struct sc_connection *c, const char *topic, struct sc_buffer *out,
                      struct sc_error *err) {
  struct sc_buffer all = {0};
  sc_status st = SC_OK;
  for (int i = 0; i < c->n_help && !st; i++) {
    int is_wanted = !topic || is_topic(c->help[i], topic);
    st = append_function(is_wanted ? out : &all, c->help[i], err);
  }
  if (!st && topic && out->size == 0) st = take_names(&all, topic, out, err);
  if (!st && out->size == 0) st = fail_unknown(c, topic, err);
  sc_buffer_free(&all);
  return st;
}

/* --- texts --- */

/* "f(a [, b [, c]])"; a table without arguments is its name alone. */
static sc_status put_call(const struct sc_help *h, struct sc_buffer *out, struct sc_error *err) {
  const struct sc_help_name *a = h->arguments;
  int n_open = 0;
  sc_status st = sc_buffer_append_text(out, h->name, err);
  if (!a && strcmp(h->kind, SC_HELP_TABLE) == 0) return st;
  if (!st) st = sc_buffer_append_text(out, "(", err);
  for (int i = 0; a && a[i].name && !st; i++) {
    int is_optional = a[i].initial != NULL;
    n_open += is_optional;
    st = sc_buffer_printf(out, err, "%s%s%s", is_optional ? (i ? " [" : "[") : "", i ? ", " : "",
                          a[i].name);
  }
  while (n_open-- > 0 && !st) st = sc_buffer_append_text(out, "]", err);
  return st ? st : sc_buffer_append_text(out, ")", err);
}

static sc_status put_name(const struct line *l, struct sc_buffer *out, struct sc_error *err) {
  if (l->option) return sc_buffer_printf(out, err, "%s%s", l->prefix, l->option->key);
  if (l->name) return sc_buffer_append_text(out, l->name->name, err);
  return put_call(l->help, out, err);
}

static sc_status put_type(const struct line *l, struct sc_buffer *out, struct sc_error *err) {
  if (l->option) return sc_option_format_type(l->option, out, err);
  return sc_buffer_append_text(out, l->name ? l->name->type : l->help->kind, err);
}

/* A static text, or NULL. */
static const char *text_of(const struct line *l, int column) {
  switch (column) {
    case FUNCTION: return l->help->name;
    case PART: return l->part;
    case DEFAULT_VALUE: return l->option ? l->option->initial : l->name ? l->name->initial : NULL;
    case ABOUT: return l->option ? l->option->about : l->name ? l->name->about : l->help->about;
    default: return l->option || l->name ? NULL : l->help->example;
  }
}

/* --- the table --- */

/* Without a topic it is another call, too, but not a dear one. */
static sc_status plan_help(sqlite3_index_info *info, struct sc_error *err) {
  (void)err;
  if (info->idxNum == 0) {
    info->estimatedCost = 300;
    info->estimatedRows = 300;
  }
  return SC_OK;
}

static void clear_help(void *cursor) { sc_buffer_free(&((struct help_cursor *)cursor)->lines); }

static sc_status next_line(void *cursor, struct sc_error *err) {
  struct help_cursor *c = cursor;
  (void)err;
  c->base.is_row = (size_t)c->base.position < c->lines.size / sizeof(struct line);
  return SC_OK;
}

static sc_status begin_help(void *cursor, struct sc_error *err) {
  struct help_cursor *c = cursor;
  const char *topic = sc_table_text(&c->base, 0);
  if (c->base.arguments[0] && !topic) return SC_OK; /* equal to NULL is nothing */
  sc_status st = list(c->base.connection, topic, &c->lines, err);
  return st ? st : next_line(c, err);
}

static sc_status show_line(void *cursor, int column, sqlite3_context *context,
                           struct sc_error *err) {
  const struct help_cursor *c = cursor;
  const struct line *l = (const struct line *)c->lines.data + c->base.position;
  struct sc_buffer out = {0};
  if (column != NAME && column != TYPE) {
    sqlite3_result_text(context, text_of(l, column), -1, SQLITE_STATIC);
    return SC_OK;
  }
  sc_status st = column == NAME ? put_name(l, &out, err) : put_type(l, &out, err);
  if (st) {
    sc_buffer_free(&out);
    return st;
  }
  sqlite3_result_text64(context, (char *)out.data, out.size, sc_free, SQLITE_UTF8);
  return SC_OK;
}

static const struct sc_help help = {
    .name = "stacchip_help",
    .kind = SC_HELP_TABLE,
    .about =
        "what functions and tables there are, with their arguments, columns, options and defaults",
    .arguments =
        (const struct sc_help_name[]){
            {"topic", "TEXT", "all",
             "a function or table, with or without its stacchip_; or the name of an option"},
            {0}},
    .columns =
        (const struct sc_help_name[]){
            {"function", "TEXT", NULL, "the function or table"},
            {"part", "TEXT", NULL,
             "function, argument, column, option, key or setting: what the row is about"},
            {"name", "TEXT", NULL, "how it is called; of a function, with its arguments"},
            {"type", "TEXT", NULL, "what may be given, or what comes"},
            {"default_value", "TEXT", NULL, "what holds where it is not given"},
            {"about", "TEXT", NULL, "what it is for"},
            {"example", "TEXT", NULL, "of a function: SQL that runs"},
            {0}},
    .example =
        "SELECT name, default_value, about FROM stacchip_help('index') WHERE part = 'option'",
};

static const struct sc_table_function help_table = {
    .help = &help,
    .declaration =
        "CREATE TABLE x(\"function\" TEXT, part TEXT, name TEXT, type TEXT, default_value TEXT, "
        "about TEXT, example TEXT, topic TEXT HIDDEN)",
    .risk = SQLITE_VTAB_INNOCUOUS,
    .first_argument = TOPIC,
    .n_arguments = 1,
    .cost = 20,
    .rows = 20,
    .cursor_bytes = sizeof(struct help_cursor),
    .plan = plan_help,
    .begin = begin_help,
    .next = next_line,
    .column = show_line,
    .clear = clear_help,
};

int sc_help_register(struct sc_connection *c) { return sc_register_table(c, &help_table); }
