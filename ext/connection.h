/*
 * What stacchip keeps per SQLite connection, shared by its functions and modules.
 *
 * Every function and module is registered with one reference; the last to go frees it.
 * Used by one thread at a time, as the connection is.
 */
#ifndef SC_CONNECTION_H
#define SC_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/help.h"
#include "base/sqlite.h"
#include "base/status.h"

struct sc_rules;
struct sc_scenes;
struct sc_static_result;
struct sc_row_tilings;

#define SC_HELP_MAX 128 /* functions and tables that say what they are */
#define SC_PARTS_MAX 8  /* that are freed with a connection; there are four */

struct sc_connection {
  sqlite3 *db; /* borrowed: the connection owns us */
  /* What parts of the extension keep; all but the rules are made on first need. */
  struct sc_rules *rules; /* stac/rules.h: the platform rules, built-in and the application's own */
  struct sc_scenes *scenes;               /* pixels/scenes.h */
  struct sc_static_result *static_result; /* pixels/static_result.h */
  struct sc_row_tilings *row_tilings;     /* index/row_tiling.h */
  uint64_t n_runs;                        /* of statements that read chips, so far */
  uint64_t run;    /* the one whose next chip is being read, else 0; see scenes.h */
  long process_id; /* of the process that opened it: a forked child must open its own */
  int n_references;
  int n_queries; /* that functions of ours run for the user now, one inside the other */
  struct sc_part {
    void *object;
    void (*free)(void *object);
  } parts[SC_PARTS_MAX];
  int n_parts;
  const struct sc_help *help[SC_HELP_MAX]; /* static, in the order of registration */
  int n_help;
};

/* Have free(object) called when the connection closes, the last registered first. */
void sc_connection_on_close(struct sc_connection *c, void (*free)(void *), void *object);
/* The part that is kept (`part`), or where that is NULL a new one of zeroed bytes, registered to be
 * freed; NULL where memory ran out. */
void *sc_connection_part(struct sc_connection *c, void *part, size_t bytes, void (*free)(void *));

/* Take and drop a reference; drop is the xDestroy of functions and modules. */
struct sc_connection *sc_connection_ref(struct sc_connection *c);
void sc_connection_unref(void *c);

/* SC_BAD_ARG when the connection was inherited over fork(). Call at the door of anything
 * that reads pixels, indexes or writes. */
sc_status sc_connection_check(const struct sc_connection *c, struct sc_error *err);

/*
 * The same, and SC_DENIED where the statement that calls runs inside another one that is not ours
 * (base/running.h). Call at the door of everything that is SQLITE_DIRECTONLY: what a schema says
 * must not be run as if the user had said it.
 */
sc_status sc_connection_check_direct(const struct sc_connection *c, struct sc_error *err);

/* Between begin and end the connection runs SQL of the user's for a function of ours: its
 * statements are one level deeper, and the user's own. */
void sc_connection_begin_query(struct sc_connection *c);
void sc_connection_end_query(struct sc_connection *c);

/* An SQL function to register; text encoding UTF-8 is added to flags. */
struct sc_function {
  const char *name;
  int n_args; /* -1: any */
  int flags;  /* SQLITE_DETERMINISTIC, SQLITE_INNOCUOUS, SQLITE_DIRECTONLY */
  void (*scalar)(sqlite3_context *, int, sqlite3_value **); /* NULL for an aggregate */
  void (*step)(sqlite3_context *, int, sqlite3_value **);
  void (*final)(sqlite3_context *);
};

/* Register n functions whose sqlite3_user_data() is the connection. */
int sc_register_functions(struct sc_connection *c, const struct sc_function *functions, int n);
/* Register a module whose pAux is the connection. */
int sc_register_module(struct sc_connection *c, const char *name, const sqlite3_module *module);
/* Have stacchip_help() say what a function or table is; `help` is static. */
void sc_connection_help(struct sc_connection *c, const struct sc_help *help);

/*
 * The registration of each part; an SQLite result code. Listed in extension.c, in order.
 */
int sc_platform_register(struct sc_connection *c);  /* stac/platform_func.c */
int sc_index_register(struct sc_connection *c);     /* index/index_vtab.c */
int sc_item_info_register(struct sc_connection *c); /* index/item_info_func.c */
int sc_chip_register(struct sc_connection *c);      /* pixels/chip_func.c */
int sc_stack_register(struct sc_connection *c);     /* pixels/stack.c */
int sc_composite_register(struct sc_connection *c); /* pixels/composite.c */
int sc_batches_register(struct sc_connection *c);   /* pixels/batches.c */
int sc_stats_register(struct sc_connection *c);     /* pixels/stats.c */
int sc_mosaic_register(struct sc_connection *c);    /* pixels/mosaic_func.c */
int sc_freeze_register(struct sc_connection *c);    /* freeze/freeze_func.c */
int sc_compare_register(struct sc_connection *c);   /* freeze/compare_vtab.c */
int sc_tile_register(struct sc_connection *c);      /* pixels/tile.c */
int sc_plot_register(struct sc_connection *c);      /* pixels/plot.c */
int sc_polygons_register(struct sc_connection *c);  /* pixels/polygons.c */
int sc_zonal_register(struct sc_connection *c);     /* pixels/zonal.c */
int sc_sample_register(struct sc_connection *c);    /* pixels/sample.c */
int sc_hash_register(struct sc_connection *c);      /* pixels/hash_func.c */
int sc_split_register(struct sc_connection *c);     /* pixels/split_func.c */
int sc_rasterize_register(struct sc_connection *c); /* pixels/rasterize.c */
int sc_classes_register(struct sc_connection *c);   /* pixels/classes_func.c */
int sc_clay_register(struct sc_connection *c);      /* pixels/clay_func.c */
int sc_merge_register(struct sc_connection *c);     /* merge/vtab.c */
int sc_parquet_register(struct sc_connection *c);   /* geoparquet/register.c */
int sc_items_register(struct sc_connection *c);     /* stac/items_vtab.c */
int sc_config_register(struct sc_connection *c);    /* config_func.c */
int sc_help_register(struct sc_connection *c);      /* help_vtab.c */

#endif
