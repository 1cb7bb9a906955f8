/* The plan of a scan; see plan.h. */
#include "merge/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/db.h"
#include "merge/filter.h"
#include "merge/spatial.h"

/* What the costs assume: xBestIndex cannot look, since a plan outlives what it would see. */
#define ASSUMED_CHIPS 1e6
#define ASSUMED_LIST 100 /* values of an IN */

static const char *const op_names[SC_N_COMPARISONS] = {"=", "<", "<=", ">", ">=", "in"};

static const char *const source_names[SC_N_SCANS] = {"rowid",
                                                     "chipid",
                                                     "item",
                                                     "area",
                                                     "items by platform and date",
                                                     "items by platform",
                                                     "items by date",
                                                     "all items",
                                                     "chip table"};

/* ---- words ---- */

static const char *order_name(enum sc_order order) {
  static const char *const names[] = {"", "rowid", "date", "cloud_cover_percentage",
                                      "nodata_percentage"};
  return names[order];
}

static void append_term(sqlite3_str *s, const struct sc_term *term) {
  if (term->op == SC_OP_LIMIT || term->op == SC_OP_OFFSET) {
    sqlite3_str_appendall(s, term->op == SC_OP_LIMIT ? "limit" : "offset");
  } else if (term->op == SC_OP_PREDICATE) {
    sqlite3_str_appendf(s, "%s %s", sc_merge_column_name(term->column),
                        sc_predicate_at(term->predicate)->name);
  } else {
    sqlite3_str_appendf(s, "%s %s", sc_merge_column_name(term->column), op_names[term->op]);
  }
}

char *sc_plan_encode(const struct sc_plan *plan) {
  sqlite3_str *s = sqlite3_str_new(NULL);
  sqlite3_str_appendall(s, source_names[plan->source]);
  for (int i = 0; i < plan->n_terms; i++) {
    sqlite3_str_appendall(s, i ? ", " : ": ");
    append_term(s, &plan->terms[i]);
  }
  if (plan->order) {
    sqlite3_str_appendf(s, "; order by %s%s", order_name(plan->order),
                        plan->is_descending ? " desc" : "");
  }
  return sqlite3_str_finish(s);
}

static int is_word(const char *p, size_t n, const char *word) {
  return strlen(word) == n && memcmp(p, word, n) == 0;
}

static int decode_term(const char *p, size_t n, struct sc_term *out) {
  char name[48];
  size_t n_column = 0;
  out->column = SC_COL_ROWID;
  out->predicate = 0;
  out->op = is_word(p, n, "limit") ? SC_OP_LIMIT : SC_OP_OFFSET;
  if (out->op == SC_OP_LIMIT || is_word(p, n, "offset")) return 1;
  while (n_column < n && p[n_column] != ' ') n_column++;
  for (int c = 0; c < SC_N_COLUMNS; c++) {
    if (is_word(p, n_column, sc_merge_column_name(c))) out->column = c;
  }
  if (n_column == n) return 0;
  const char *op = p + n_column + 1;
  size_t n_op = n - n_column - 1;
  for (int i = 0; i < SC_N_COMPARISONS; i++) {
    out->op = (enum sc_op)i;
    if (is_word(op, n_op, op_names[i])) return 1;
  }
  if (n_op >= sizeof name) return 0;
  memcpy(name, op, n_op);
  name[n_op] = '\0';
  out->op = SC_OP_PREDICATE;
  out->predicate = sc_predicate_find(name);
  return out->predicate >= 0;
}

static void decode_order(const char *words, struct sc_plan *out) {
  const char *p = strstr(words, "; order by ");
  if (!p) return;
  p += 11;
  for (int o = SC_ORDER_ROWID; o <= SC_ORDER_NODATA; o++) {
    if (strncmp(p, order_name((enum sc_order)o), strlen(order_name((enum sc_order)o))) == 0) {
      out->order = (enum sc_order)o;
    }
  }
  out->is_descending = strstr(p, " desc") != NULL;
}

sc_status sc_plan_decode(int number, const char *words, struct sc_plan *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  if (number < 0 || number >= SC_N_SCANS) {
    return sc_fail(err, SC_BAD_DATA, "stacchip_merge: unknown plan %d", number);
  }
  out->source = (enum sc_scan_source)number;
  decode_order(words, out);
  const char *p = strchr(words, ':');
  const char *end = strchr(words, ';');
  if (!end) end = words + strlen(words);
  while (p && p < end) {
    p += 2;
    const char *comma = strchr(p, ',');
    size_t n = (size_t)((comma && comma < end ? comma : end) - p);
    if (out->n_terms == SC_PLAN_MAX_TERMS || !decode_term(p, n, &out->terms[out->n_terms++])) {
      return sc_fail(err, SC_BAD_DATA, "stacchip_merge: unknown plan '%s'", words);
    }
    p = comma && comma < end ? comma : NULL;
  }
  return SC_OK;
}

/* ---- deciding ---- */

/* What is known of the constraints that can be used. */
struct constraints {
  int n_usable, n_all;                         /* but LIMIT and OFFSET */
  int has[SC_N_COLUMNS + 1][SC_N_COMPARISONS]; /* by column + 1 and operator */
  int n_unusable_eq[SC_N_COLUMNS + 1];         /* by column + 1 */
  int n_predicates;
  int is_area_missing; /* search_area is used, and not as a term that we get */
  int limit, offset;   /* index + 1 of the constraint; 0: none */
};

static int is_text_column(int column) {
  return column == SC_COL_PLATFORM || column == SC_COL_ITEM || column == SC_COL_DATE ||
         column == SC_COL_DATETIME || column == SC_COL_COLLECTION || column == SC_COL_GRID ||
         column == SC_COL_CHIPID || column == SC_COL_ROW;
}

static int is_number_column(int column) {
  return column == SC_COL_ROWID || column == SC_COL_X || column == SC_COL_Y ||
         column == SC_COL_CLOUD || column == SC_COL_NODATA;
}

static int take_operator(const sqlite3_index_info *info, int i, struct sc_term *out) {
  switch (info->aConstraint[i].op) {
    case SQLITE_INDEX_CONSTRAINT_EQ: out->op = SC_OP_EQ; return 1;
    case SQLITE_INDEX_CONSTRAINT_LT: out->op = SC_OP_LT; return 1;
    case SQLITE_INDEX_CONSTRAINT_LE: out->op = SC_OP_LE; return 1;
    case SQLITE_INDEX_CONSTRAINT_GT: out->op = SC_OP_GT; return 1;
    case SQLITE_INDEX_CONSTRAINT_GE: out->op = SC_OP_GE; return 1;
    default: return 0;
  }
}

/* 1 and the term of a constraint that we can test; else 0. */
static int take_constraint(sqlite3_index_info *info, int i, struct sc_term *out) {
  const struct sqlite3_index_constraint *c = &info->aConstraint[i];
  out->column = c->iColumn;
  out->predicate = 0;
  if (c->iColumn == SC_COL_GEOMETRY && c->op >= SC_PREDICATE_FIRST) {
    out->op = SC_OP_PREDICATE;
    out->predicate = c->op - SC_PREDICATE_FIRST;
    return sc_predicate_at(out->predicate) != NULL;
  }
  if (!take_operator(info, i, out)) return 0;
  int is_list = out->op == SC_OP_EQ && sqlite3_vtab_in(info, i, -1);
  if (c->iColumn == SC_COL_SEARCH_AREA && out->op == SC_OP_EQ && !is_list) {
    out->op = SC_OP_PREDICATE;
    out->predicate = sc_predicate_find("ST_Intersects");
    return 1;
  }
  if (is_list) out->op = SC_OP_IN;
  if (is_number_column(c->iColumn)) return 1;
  if (!is_text_column(c->iColumn)) return 0;
  int names_chip = c->iColumn == SC_COL_CHIPID || c->iColumn == SC_COL_ROW;
  if (names_chip && out->op != SC_OP_EQ && out->op != SC_OP_IN) return 0;
  return sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

static void survey_limit(const sqlite3_index_info *info, int i, struct constraints *out) {
  if (!info->aConstraint[i].usable) return;
  int is_limit = info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_LIMIT;
  *(is_limit ? &out->limit : &out->offset) = i + 1;
}

static int is_limit_constraint(const sqlite3_index_info *info, int i) {
  int op = info->aConstraint[i].op;
  return op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET;
}

static void survey(sqlite3_index_info *info, struct constraints *out) {
  int n_areas = 0;
  memset(out, 0, sizeof *out);
  for (int i = 0; i < info->nConstraint; i++) {
    struct sc_term term;
    if (is_limit_constraint(info, i)) {
      survey_limit(info, i, out);
      continue;
    }
    out->n_all++;
    if (!take_constraint(info, i, &term)) continue;
    if (!info->aConstraint[i].usable) {
      out->n_unusable_eq[term.column + 1] += term.op == SC_OP_EQ;
      continue;
    }
    out->n_usable++;
    if (term.op == SC_OP_PREDICATE) {
      out->n_predicates++;
      n_areas += term.column == SC_COL_SEARCH_AREA;
    } else {
      out->has[term.column + 1][term.op]++;
    }
  }
  out->is_area_missing = (info->colUsed >> SC_COL_SEARCH_AREA & 1) && n_areas == 0;
}

static int has_eq(const struct constraints *c, int column) { return c->has[column + 1][SC_OP_EQ]; }

static int has_in(const struct constraints *c, int column) { return c->has[column + 1][SC_OP_IN]; }

static int has_range(const struct constraints *c, int column) {
  const int *h = c->has[column + 1];
  return h[SC_OP_EQ] + h[SC_OP_IN] + h[SC_OP_LT] + h[SC_OP_LE] + h[SC_OP_GT] + h[SC_OP_GE];
}

/* Sides of a range that are bounded: 0, 1, 2. */
static int n_sides(const struct constraints *c, int column) {
  const int *h = c->has[column + 1];
  return (h[SC_OP_LT] + h[SC_OP_LE] > 0) + (h[SC_OP_GT] + h[SC_OP_GE] > 0);
}

/* The columns whose values are looked up, the best first. */
static const int keys[] = {SC_COL_ROWID, SC_COL_ROW, SC_COL_CHIPID, SC_COL_ITEM};
#define N_KEYS (int)(sizeof keys / sizeof *keys)

/* The key that drives the scan: an equality before a list. SC_N_COLUMNS: none. */
static int choose_key(const struct constraints *c) {
  for (int i = 0; i < N_KEYS; i++) {
    if (has_eq(c, keys[i])) return keys[i];
  }
  for (int i = 0; i < N_KEYS; i++) {
    if (has_in(c, keys[i])) return keys[i];
  }
  return SC_N_COLUMNS;
}

static enum sc_scan_source choose_source(const struct constraints *c, sqlite3_uint64 used) {
  switch (choose_key(c)) {
    case SC_COL_ROWID:
    case SC_COL_ROW: return SC_SCAN_ROWID;
    case SC_COL_CHIPID: return SC_SCAN_CHIPID;
    case SC_COL_ITEM: return SC_SCAN_ITEM;
    default: break;
  }
  if (c->n_predicates) return SC_SCAN_AREA;
  if (has_eq(c, SC_COL_PLATFORM)) {
    return has_range(c, SC_COL_DATE) ? SC_SCAN_PLATFORM_DATE : SC_SCAN_PLATFORM;
  }
  if (has_range(c, SC_COL_DATE)) return SC_SCAN_DATE;
  int wants_geometry = (used >> SC_COL_GEOMETRY & 1) != 0;
  if (has_range(c, SC_COL_ROWID) || (wants_geometry && c->n_usable == 0)) return SC_SCAN_CHIPS;
  return SC_SCAN_ITEMS;
}

/* The share of chips that a column's constraints leave. */
static double share(const struct constraints *c, int column, double of_eq) {
  static const double of_sides[] = {1, 0.4, 0.1};
  double of_in = of_eq < 0.1 ? 5 * of_eq : 0.5;
  return has_eq(c, column) ? of_eq : has_in(c, column) ? of_in : of_sides[n_sides(c, column)];
}

/* Chips in the blocks that are read. */
static double chips_read(const struct constraints *c, enum sc_scan_source source) {
  double platform = share(c, SC_COL_PLATFORM, 0.25), date = share(c, SC_COL_DATE, 0.005);
  switch (source) {
    case SC_SCAN_ROWID:
    case SC_SCAN_CHIPID: return 1;
    case SC_SCAN_ITEM: return ASSUMED_CHIPS * share(c, SC_COL_ITEM, 0.0005);
    case SC_SCAN_AREA: return ASSUMED_CHIPS * 0.002 * date;
    case SC_SCAN_PLATFORM_DATE: return ASSUMED_CHIPS * platform * date;
    case SC_SCAN_PLATFORM: return ASSUMED_CHIPS * platform;
    case SC_SCAN_DATE: return ASSUMED_CHIPS * date;
    case SC_SCAN_CHIPS: return ASSUMED_CHIPS * 4 * share(c, SC_COL_ROWID, 1e-6);
    default: return ASSUMED_CHIPS;
  }
}

/*
 * How often a look-up is made, which SQLite leaves to us to reckon with: once for each of a list.
 *
 * An equality may be part of a row value's list, (rowid, item) IN (SELECT ...), which nothing
 * tells: taken within a join it makes the product of the list and the rows outside (10 s for
 * 1000 and 1000). Where we take such a part SQLite asks again without all of them; that plan
 * shall win. So it is dear to take a key that has two equalities, and a key beside another, which
 * nobody needs; dearer still where an equality of the key cannot be used, since that plan may be
 * the list alone; and a little dearer where what cannot be used may have been the list.
 */
static double n_lookups(const struct constraints *c) {
  int key = choose_key(c), n_beside = 0;
  if (key == SC_N_COLUMNS) return 1;
  if (!has_eq(c, key)) return key == SC_COL_ITEM ? 1 : ASSUMED_LIST;
  for (int i = 0; i < N_KEYS; i++) n_beside += keys[i] != key && has_eq(c, keys[i]);
  if (n_beside) return c->n_unusable_eq[key + 1] ? 200 : 100;
  return has_eq(c, key) > 1 ? 100 : c->n_unusable_eq[key + 1] ? 5 : 1;
}

/*
 * The unit is a row that SQLite is given. Chips that are read as part of a block cost a twentieth
 * of that. The shares are those of a large index: 2000 items of 500 chips, 200 dates, 4 platforms.
 */
static void set_costs(sqlite3_index_info *info, const struct constraints *c,
                      enum sc_scan_source source) {
  double by_item = share(c, SC_COL_PLATFORM, 0.25) * share(c, SC_COL_DATE, 0.005) *
                   share(c, SC_COL_COLLECTION, 0.5) * share(c, SC_COL_ITEM, 0.0005) *
                   share(c, SC_COL_DATETIME, 0.001) * share(c, SC_COL_GRID, 0.005);
  double by_chip = share(c, SC_COL_CLOUD, 0.01) * share(c, SC_COL_NODATA, 0.2) *
                   share(c, SC_COL_X, 0.03) * share(c, SC_COL_Y, 0.03) *
                   share(c, SC_COL_ROWID, 1e-6);
  if (c->n_predicates) by_chip *= 0.001;
  double rows = ASSUMED_CHIPS * by_item * by_chip;
  if (source == SC_SCAN_ROWID || source == SC_SCAN_CHIPID || rows < 1) rows = 1;
  info->estimatedCost = 10 + chips_read(c, source) * 0.05 + rows;
  if (source == SC_SCAN_ROWID) {
    info->estimatedCost = 3;
    if (has_eq(c, choose_key(c))) info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  }
  info->estimatedCost *= n_lookups(c);
  rows *= n_lookups(c);
  info->estimatedRows = (sqlite3_int64)rows;
  if (c->is_area_missing) info->estimatedCost = SC_COST_INCOMPLETE;
}

/* Few enough chips to keep them all in memory, at 32 bytes each. */
static int is_selective(const struct constraints *c, enum sc_scan_source source) {
  if (source == SC_SCAN_ITEM || source == SC_SCAN_AREA) return 1;
  if (source != SC_SCAN_PLATFORM_DATE && source != SC_SCAN_DATE) return 0;
  return has_eq(c, SC_COL_DATE) || n_sides(c, SC_COL_DATE) == 2;
}

/*
 * The order that the source gives. By fraction, chips are kept and sorted: at first as many as
 * LIMIT asks for where SQLite hands it down, else all. (Before SQLite 3.41 a BETWEEN or a function
 * hides the limit.)
 */
static void choose_order(sqlite3_index_info *info, const struct constraints *c,
                         struct sc_plan *plan) {
  if (info->nOrderBy != 1 || sqlite3_vtab_distinct(info) != 0) return;
  int column = info->aOrderBy[0].iColumn, is_descending = info->aOrderBy[0].desc;
  enum sc_scan_source s = plan->source;
  if (column == SC_COL_ROWID && s == SC_SCAN_CHIPS && !is_descending) plan->order = SC_ORDER_ROWID;
  if (column == SC_COL_ROWID && s == SC_SCAN_ITEMS && !is_descending && c->n_usable == 0) {
    plan->source = SC_SCAN_CHIPS;
    plan->order = SC_ORDER_ROWID;
  }
  if (column == SC_COL_DATE && (s == SC_SCAN_DATE || s == SC_SCAN_ITEMS || s == SC_SCAN_PLATFORM ||
                                s == SC_SCAN_PLATFORM_DATE)) {
    plan->order = SC_ORDER_DATE;
  }
  int can_limit = c->limit && c->n_all == c->n_usable && s >= SC_SCAN_ITEM && s <= SC_SCAN_ITEMS;
  if ((column == SC_COL_CLOUD || column == SC_COL_NODATA) && (can_limit || is_selective(c, s))) {
    plan->order = column == SC_COL_CLOUD ? SC_ORDER_CLOUD : SC_ORDER_NODATA;
    plan->is_limited = can_limit;
  }
  if (!plan->order) return;
  plan->is_descending = is_descending;
  info->orderByConsumed = 1;
}

/*
 * Need SQLite not test the term again? Texts: see plan.h. An upper bound lets through texts
 * that are numbers to SQLite (base/affinity.h), which dates are not.
 */
static int is_exact(sqlite3_index_info *info, int i, const struct sc_term *term) {
  sqlite3_value *value = NULL;
  if (term->op == SC_OP_PREDICATE) return 1;
  if (term->op >= SC_OP_IN || term->column == SC_COL_ROW) return 0;
  if (is_number_column(term->column)) return 1;
  if ((term->op == SC_OP_LT || term->op == SC_OP_LE) && term->column != SC_COL_DATE) return 0;
  return sqlite3_vtab_rhs_value(info, i, &value) == SQLITE_OK && value &&
         sqlite3_value_type(value) == SQLITE_TEXT;
}

static void add_term(sqlite3_index_info *info, int i, const struct sc_term *term,
                     struct sc_plan *plan) {
  if (plan->n_terms == SC_PLAN_MAX_TERMS) return; /* SQLite tests the others */
  plan->terms[plan->n_terms++] = *term;
  info->aConstraintUsage[i].argvIndex = plan->n_terms;
  info->aConstraintUsage[i].omit = (unsigned char)is_exact(info, i, term);
}

static int n_taken(const struct sc_plan *plan, int column, enum sc_op op) {
  int n = 0;
  for (int i = 0; i < plan->n_terms; i++) {
    n += plan->terms[i].op == op && (op == SC_OP_PREDICATE || plan->terms[i].column == column);
  }
  return n;
}

/*
 * Is the constraint one for the scan? Of the keys only the one that drives it. Where one row is
 * found, equalities of other columns could only bring more loops.
 */
static int is_wanted(const struct constraints *c, const struct sc_plan *plan,
                     const struct sc_term *term) {
  if (term->op == SC_OP_PREDICATE) return n_taken(plan, 0, SC_OP_PREDICATE) < SC_FILTER_MAX_AREAS;
  if (term->op != SC_OP_EQ && term->op != SC_OP_IN) return 1;
  if (n_taken(plan, term->column, SC_OP_EQ) || n_taken(plan, term->column, SC_OP_IN)) return 0;
  if (term->op == SC_OP_IN && has_eq(c, term->column)) return 0;
  int key = choose_key(c);
  if (key != SC_COL_ITEM && key != SC_N_COLUMNS) return term->column == key;
  for (int i = 0; i < N_KEYS; i++) {
    if (term->column == keys[i]) return keys[i] == key;
  }
  return 1;
}

static void add_terms(sqlite3_index_info *info, const struct constraints *c, struct sc_plan *plan) {
  for (int i = 0; i < info->nConstraint; i++) {
    struct sc_term term;
    if (is_limit_constraint(info, i) || !info->aConstraint[i].usable) continue;
    if (!take_constraint(info, i, &term) || !is_wanted(c, plan, &term)) continue;
    if (term.op == SC_OP_IN && plan->n_terms < SC_PLAN_MAX_TERMS) sqlite3_vtab_in(info, i, 1);
    add_term(info, i, &term, plan);
  }
  if (!plan->is_limited) return;
  struct sc_term limit = {SC_COL_ROWID, SC_OP_LIMIT, 0}, offset = {SC_COL_ROWID, SC_OP_OFFSET, 0};
  add_term(info, c->limit - 1, &limit, plan);
  if (c->offset) add_term(info, c->offset - 1, &offset, plan);
}

int sc_plan_best_index(sqlite3_index_info *info) {
  struct constraints c;
  struct sc_plan plan = {0};
  survey(info, &c);
  plan.source = choose_source(&c, info->colUsed);
  choose_order(info, &c, &plan);
  add_terms(info, &c, &plan);
  set_costs(info, &c, plan.source);
  if (info->orderByConsumed) info->estimatedCost *= 0.9;
  info->idxNum = plan.source;
  info->idxStr = sc_plan_encode(&plan);
  info->needToFreeIdxStr = 1;
  return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}
