/* merge/rtree_pack.c and merge/rtree_write.c: trees that SQLite finds sound. */
#include "merge/rtree_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hilbert.h"
#include "check.h"

static const char *scalar_text(sqlite3 *db, const char *sql) {
  static char text[300];
  sqlite3_stmt *s;
  text[0] = '\0';
  sqlite3_prepare_v2(db, sql, -1, &s, NULL);
  if (sqlite3_step(s) == SQLITE_ROW) {
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(s, 0));
  }
  sqlite3_finalize(s);
  return text;
}

static struct sc_rtree_cell random_cell(int64_t id, int n_dimensions) {
  struct sc_rtree_cell c = {id, {0}};
  for (int d = 0; d < n_dimensions; d++) {
    c.c[2 * d] = (float)(rand() % 3000) / 10 - 150;
    c.c[2 * d + 1] = c.c[2 * d] + (float)(rand() % 10) / 10;
  }
  return c;
}

static void insert(struct sc_rtree *t, int64_t first, size_t n) {
  struct sc_error err = {0};
  struct sc_rtree_cell *cells = malloc((n + 1) * sizeof *cells);
  for (size_t i = 0; i < n; i++) cells[i] = random_cell(first + (int64_t)i, t->n_coords / 2);
  CHECK_INT(SC_OK, sc_rtree_insert(t, cells, n, &err));
  free(cells);
}

static void delete (struct sc_rtree *t, int64_t first, size_t n, int step) {
  struct sc_error err = {0};
  int64_t *ids = malloc((n + 1) * sizeof *ids);
  for (size_t i = 0; i < n; i++) ids[i] = first + (int64_t)i * step;
  CHECK_INT(SC_OK, sc_rtree_delete(t, ids, n, &err));
  free(ids);
}

static void check_tree(sqlite3 *db, struct sc_rtree *t, int expected) {
  struct sc_error err = {0};
  char count[20];
  snprintf(count, sizeof count, "%d", expected);
  CHECK_TEXT("ok", scalar_text(db, "SELECT rtreecheck('main', 't')"));
  CHECK_TEXT(count, scalar_text(db, "SELECT count(*) FROM t"));
  CHECK_TEXT("", sc_rtree_check(t, &err) ? err.text : "");
  /* Found by place as well: every entry meets itself. */
  CHECK_TEXT(count, scalar_text(db,
                                "SELECT count(*) FROM t AS a WHERE EXISTS (SELECT 1 FROM t AS "
                                "b WHERE b.x1 >= a.x0 AND b.x0 <= a.x1 AND b.y1 >= a.y0 AND "
                                "b.y0 <= a.y1 AND b.id = a.id)"));
}

static void test_life(const char *create, int n_dimensions) {
  sqlite3 *db;
  struct sc_rtree t;
  struct sc_error err = {0};
  sqlite3_open(":memory:", &db);
  sqlite3_exec(db, create, NULL, NULL, NULL);
  CHECK_INT(SC_OK, sc_rtree_init(&t, db, "main", "t", n_dimensions, &err));
  check_case("empty_and_one_by_one");
  check_tree(db, &t, 0);
  insert(&t, 1, 10);
  check_tree(db, &t, 10);
  insert(&t, 11, 1);
  check_tree(db, &t, 11);
  check_case("packed_anew_with_what_was_there");
  insert(&t, 12, 989);
  check_tree(db, &t, 1000);
  check_case("grafted_and_split");
  for (int k = 0; k < 40; k++) insert(&t, 1001 + 100 * k, 100);
  check_tree(db, &t, 5000);
  for (int k = 0; k < 300; k++) insert(&t, 5001 + k, 1);
  check_tree(db, &t, 5300);
  check_case("sqlite_can_go_on_writing");
  sqlite3_exec(db,
               "DELETE FROM t WHERE id % 5 = 0; INSERT INTO t SELECT id + 100000, x0, x1, y0, "
               "y1 FROM t WHERE id < 500",
               NULL, NULL, NULL);
  int n = atoi(scalar_text(db, "SELECT count(*) FROM t"));
  CHECK(n_dimensions == 4 || n > 4240);
  check_case("deleted_in_every_order");
  delete (&t, 1, 1000, 3);
  n = atoi(scalar_text(db, "SELECT count(*) FROM t"));
  check_tree(db, &t, n);
  delete (&t, 3000, 3000, 1);
  n = atoi(scalar_text(db, "SELECT count(*) FROM t"));
  check_tree(db, &t, n);
  CHECK_INT(SC_OK, sc_rtree_repack(&t, &err));
  check_tree(db, &t, n);
  delete (&t, 1, 200000, 1);
  check_tree(db, &t, 0);
  check_case("used_again_after_being_empty");
  insert(&t, 1, 3000);
  check_tree(db, &t, 3000);
  CHECK_INT(SC_OK, sc_rtree_clear(&t, &err));
  check_tree(db, &t, 0);
  sc_rtree_free(&t);
  sqlite3_close(db);
}

/* ---- what SQLite's module can go on with ---- */

#define N_IDS 4000

static int is_there[N_IDS];

/* Ids of the random third that has to go, or of all. */
static void delete_some(struct sc_rtree *t, int share) {
  static int64_t ids[N_IDS];
  struct sc_error err = {0};
  size_t n = 0;
  for (int id = 0; id < N_IDS; id++) {
    if (!is_there[id] || rand() % 100 >= share) continue;
    ids[n++] = id;
    is_there[id] = 0;
  }
  for (size_t i = 0; i + 1 < n; i++) {
    size_t k = i + (size_t)rand() % (n - i);
    int64_t id = ids[i];
    ids[i] = ids[k];
    ids[k] = id;
  }
  CHECK_TEXT("", sc_rtree_delete(t, ids, n, &err) ? err.text : "");
}

static void insert_some(struct sc_rtree *t, int share) {
  static struct sc_rtree_cell cells[N_IDS];
  struct sc_error err = {0};
  size_t n = 0;
  for (int id = 0; id < N_IDS; id++) {
    if (is_there[id] || rand() % 100 >= share) continue;
    cells[n++] = random_cell(id, t->n_coords / 2);
    is_there[id] = 1;
  }
  CHECK_TEXT("", sc_rtree_insert(t, cells, n, &err) ? err.text : "");
}

/* A few statements of the module's own, each of which must work. */
static void let_module_write(sqlite3 *db, struct sc_rtree *t, int n) {
  char sql[200];
  for (int i = 0; i < n; i++) {
    int id = rand() % N_IDS, column = 4 * (t->n_coords == 8);
    if (is_there[id]) {
      snprintf(sql, sizeof sql, "DELETE FROM t WHERE id = %d", id);
    } else {
      snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, 1, 2, %d, 60%s)", id, id % 50,
               column ? ", 1, 1, 0, 1" : "");
    }
    CHECK_INT(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL));
    is_there[id] ^= 1;
  }
}

static int count_there(void) {
  int n = 0;
  for (int id = 0; id < N_IDS; id++) n += is_there[id];
  return n;
}

/* Filled and emptied in random order, by us and by SQLite's module, on small pages (low nodes)
 * and large ones. */
static void test_random_life(const char *create, int n_dimensions, int page_bytes, int rounds) {
  char pragma[40];
  sqlite3 *db;
  struct sc_rtree t;
  struct sc_error err = {0};
  sqlite3_open(":memory:", &db);
  snprintf(pragma, sizeof pragma, "PRAGMA page_size = %d", page_bytes);
  sqlite3_exec(db, pragma, NULL, NULL, NULL);
  CHECK_INT(SQLITE_OK, sqlite3_exec(db, create, NULL, NULL, NULL));
  CHECK_INT(SC_OK, sc_rtree_init(&t, db, "main", "t", n_dimensions, &err));
  memset(is_there, 0, sizeof is_there);
  check_case("the_module_can_write_whatever_was_deleted");
  for (int i = 0; i < rounds; i++) {
    static const int shares[] = {1, 10, 50, 90, 99, 100};
    if (rand() % 3 == 0) insert_some(&t, shares[rand() % 6]);
    delete_some(&t, shares[rand() % 6]);
    let_module_write(db, &t, rand() % 2 ? rand() % 40 : 0);
    check_tree(db, &t, count_there());
  }
  sqlite3_exec(db, "DELETE FROM t", NULL, NULL, NULL);
  check_tree(db, &t, 0);
  sc_rtree_free(&t);
  sqlite3_close(db);
}

/* The shape that deletes used to leave: a root with one child, which was emptied in turn. */
static void test_check(const char *create) {
  sqlite3 *db;
  struct sc_rtree t;
  struct sc_error err = {0};
  static struct sc_rtree_node root;
  unsigned char bytes[4096];
  sqlite3_open(":memory:", &db);
  sqlite3_exec(db, create, NULL, NULL, NULL);
  CHECK_INT(SC_OK, sc_rtree_init(&t, db, "main", "t", 2, &err));
  memset(is_there, 0, sizeof is_there);
  insert_some(&t, 5);
  CHECK_INT(SC_OK, sc_rtree_read_node(&t, 1, &root, &err));
  CHECK(root.depth == 1 && root.n > 1);
  check_case("a_root_of_one_child_is_reported");
  char sql[300];
  snprintf(sql, sizeof sql,
           "DELETE FROM t_parent WHERE nodeno <> %lld; DELETE FROM t_node WHERE nodeno NOT IN (1, "
           "%lld); DELETE FROM t_rowid WHERE nodeno <> %lld",
           (long long)root.cells[0].id, (long long)root.cells[0].id, (long long)root.cells[0].id);
  CHECK_INT(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL));
  root.n = 1;
  sc_rtree_node_encode(&root, 4, bytes, root.bytes);
  sqlite3_stmt *s;
  sqlite3_prepare_v2(db, "UPDATE t_node SET data = ?1 WHERE nodeno = 1", -1, &s, NULL);
  sqlite3_bind_blob(s, 1, bytes, (int)root.bytes, SQLITE_STATIC);
  CHECK_INT(SQLITE_DONE, sqlite3_step(s));
  sqlite3_finalize(s);
  CHECK_TEXT("ok", scalar_text(db, "SELECT rtreecheck('main', 't')"));
  CHECK_INT(SC_BAD_DATA, sc_rtree_check(&t, &err));
  CHECK_TEXT("t: node 1, 1 above the leaves, has 1 cells; expected 2", err.text);
  check_case("packing_mends_it");
  CHECK_INT(SC_OK, sc_rtree_repack(&t, &err));
  CHECK_TEXT("", sc_rtree_check(&t, &err) ? err.text : "");
  sc_rtree_free(&t);
  sqlite3_close(db);
}

static void test_nodes(void) {
  static struct sc_rtree_node node, right;
  unsigned char bytes[4 + 51 * 24];
  struct sc_error err = {0};
  check_case("a_node_survives_its_bytes");
  node.number = 7;
  node.depth = 3;
  for (node.n = 0; node.n < 51; node.n++) node.cells[node.n] = random_cell(node.n, 2);
  sc_rtree_node_encode(&node, 4, bytes, sizeof bytes);
  CHECK_INT(SC_OK, sc_rtree_node_decode(bytes, sizeof bytes, 7, 4, &right, &err));
  CHECK_INT(51, right.n);
  CHECK_INT(3, right.depth);
  CHECK(memcmp(node.cells, right.cells, 51 * sizeof *node.cells) == 0);
  check_case("a_count_beyond_the_bytes_is_refused");
  CHECK_INT(SC_BAD_DATA, sc_rtree_node_decode(bytes, sizeof bytes - 1, 7, 4, &right, &err));
  CHECK_INT(SC_BAD_DATA, sc_rtree_node_decode(bytes, 3, 7, 4, &right, &err));
  bytes[2] = 255;
  CHECK_INT(SC_BAD_DATA, sc_rtree_node_decode(bytes, sizeof bytes, 7, 4, &right, &err));
  check_case("a_split_keeps_every_cell");
  sc_rtree_split(&node, &right, 4);
  CHECK_INT(51, node.n + right.n);
  CHECK(node.n >= 25 && right.n >= 25);
}

static void test_order(void) {
  struct sc_error err = {0};
  uint32_t *order;
  struct sc_rtree_cell cells[1000];
  check_case("order_is_a_permutation_along_the_curve");
  for (int i = 0; i < 1000; i++) cells[i] = random_cell(i, 2);
  CHECK_INT(SC_OK, sc_rtree_order(cells, 1000, &order, &err));
  uint64_t last = 0, seen = 0;
  for (int i = 0; i < 1000; i++) {
    const float *c = cells[order[i]].c;
    uint64_t h =
        sc_hilbert_lonlat(((double)c[0] + (double)c[1]) / 2, ((double)c[2] + (double)c[3]) / 2);
    CHECK(h >= last);
    last = h;
    seen += order[i];
  }
  CHECK_INT(999 * 1000 / 2, seen);
  sc_free(order);
}

int main(void) {
  srand(7);
  test_nodes();
  test_order();
  test_life("CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, y0, y1)", 2);
  test_life("CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, y0, y1, d0, d1, c0, c1)", 4);
  for (int page = 512; page <= 4096; page *= 8) {
    test_random_life("CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, y0, y1)", 2, page, 60);
    test_random_life("CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, y0, y1, d0, d1, c0, c1)", 4,
                     page, 60);
  }
  test_check("CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, y0, y1)");
  return check_report();
}
