/* ext/parquet/writer.c, task.c, encode.c, dictionary.c, footer.c, read back by reader.c; and files
 * that were damaged at random (MUTATIONS in the environment says how many). */
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "parquet_drain.h"

static const struct sc_pq_spec specs[] = {
    {NULL, "id", SC_PQ_INT64, SC_PQ_CONVERTED_NONE, 0, 0, 0},
    {NULL, "name", SC_PQ_BYTE_ARRAY, SC_PQ_UTF8, SC_PQ_LOGICAL_STRING, 0, 0},
    {NULL, "text", SC_PQ_BYTE_ARRAY, SC_PQ_UTF8, SC_PQ_LOGICAL_STRING, 0, 1},
    {NULL, "real", SC_PQ_DOUBLE, SC_PQ_CONVERTED_NONE, 0, 0, 0},
    {NULL, "day", SC_PQ_INT32, SC_PQ_DATE, SC_PQ_LOGICAL_DATE, 0, 0},
    {"box", "a", SC_PQ_FLOAT, SC_PQ_CONVERTED_NONE, 0, 0, 0},
    {"box", "b", SC_PQ_FLOAT, SC_PQ_CONVERTED_NONE, 0, 0, 0},
};
#define N_COLUMNS 7

static void name_of(int i, char *out) { snprintf(out, 32, "name %d \xC3\xA9", i / 50 % 20); }

static void put_row(struct sc_pq_rows *rows, int i, struct sc_error *err) {
  char name[32], text[200];
  name_of(i, name);
  memset(text, 'a' + i % 26, sizeof text);
  sc_pq_rows_put_int(rows, 0, i, err);
  if (i % 10 == 3) {
    sc_pq_rows_put_null(rows, 1, err);
  } else {
    sc_pq_rows_put_bytes(rows, 1, name, strlen(name), err);
  }
  sc_pq_rows_put_bytes(rows, 2, text, (size_t)(i % 200), err);
  sc_pq_rows_put_real(rows, 3, i % 7 ? i / 8.0 : NAN, err);
  sc_pq_rows_put_int(rows, 4, 19000 + i / 100, err);
  for (size_t c = 5; c < 7; c++) {
    if (i % 4) {
      sc_pq_rows_put_real(rows, c, i, err);
    } else {
      sc_pq_rows_put_null(rows, c, err);
    }
  }
}

static sc_status write_file(int n_rows, int codec, size_t group, struct sc_buffer *out,
                            struct sc_error *err) {
  struct sc_pq_writer w;
  struct sc_sink sink = {&memory_methods, out, 0};
  struct sc_pq_writer_options o = {specs, N_COLUMNS, codec, 0, group, 0};
  struct sc_pq_key_text key = {"note", "a value"};
  sc_status st = sc_pq_writer_init(&w, &o, err);
  if (!st) st = sc_pq_writer_begin(&w, &sink, err);
  for (int i = 0; i < n_rows && !st; i++) {
    put_row(sc_pq_writer_rows(&w), i, err);
    st = sc_pq_writer_end_row(&w, err);
  }
  if (!st) st = sc_pq_writer_flush(&w, err);
  if (!st) st = sc_pq_writer_finish(&w, &key, 1, NULL, 0, err);
  sc_pq_writer_free(&w);
  return st;
}

static int row_is_right(const struct sc_pq_scan *s, size_t at, int i) {
  char name[32];
  const struct sc_pq_value *v = sc_pq_scan_value(s, 1, at);
  name_of(i, name);
  if (sc_pq_scan_value(s, 0, at)->as.i != i) return 0;
  if ((v->size == SC_PQ_NULL) != (i % 10 == 3)) return 0;
  if (v->size != SC_PQ_NULL && (v->size != strlen(name) || memcmp(v->as.bytes, name, v->size))) {
    return 0;
  }
  v = sc_pq_scan_value(s, 2, at);
  if (v->size != (uint32_t)(i % 200)) return 0;
  if (v->size && v->as.bytes[v->size - 1] != 'a' + i % 26) return 0;
  double r = sc_pq_scan_value(s, 3, at)->as.r;
  if (i % 7 ? r != i / 8.0 : !isnan(r)) return 0;
  if (sc_pq_scan_value(s, 4, at)->as.i != 19000 + i / 100) return 0;
  v = sc_pq_scan_value(s, 6, at);
  return i % 4 ? v->size == 0 && v->as.r == i : v->size == SC_PQ_NULL;
}

/* Read with a filter id >= least; every row from there must come, rightly. */
static void check_file(const struct sc_buffer *b, int n_rows, int least, int64_t most_bytes) {
  static const int leaves[] = {0, 1, 2, 3, 4, 5, 6};
  struct sc_error err = {0};
  struct sc_byte_source source;
  struct sc_pq_file f;
  struct sc_pq_scan s;
  struct sc_pq_filter filter = {0, SC_PQ_GE, SC_PQ_SQL_INT, least, 0, NULL, 0};
  struct sc_pq_scan_plan plan = {leaves, N_COLUMNS, &filter, 1, -1, {0, 0, 0, 0, 0}};
  int seen = 0, wrong = 0;
  size_t n = 1;
  sc_byte_source_memory("memory", b->data, b->size, &source, &err);
  CHECK_INT(SC_OK, sc_pq_file_open_source(&source, &f, &err));
  CHECK_INT(n_rows, f.meta.n_rows);
  CHECK_INT(7, sc_pq_meta_find_key(&f.meta, "note").size);
  CHECK_INT(6, sc_pq_meta_find_leaf(&f.meta, "box.b"));
  CHECK_INT(SC_OK, sc_pq_scan_begin(&s, &f, &plan, &err));
  while (n) {
    CHECK_INT(SC_OK, sc_pq_scan_next(&s, &n, &err));
    for (size_t i = 0; i < n; i++) {
      int row = (int)(s.first_row + (int64_t)i);
      wrong += !row_is_right(&s, i, row);
      seen += row >= least;
    }
  }
  CHECK_TEXT("", err.text);
  CHECK_INT(0, wrong);
  CHECK_INT(n_rows - least, seen);
  CHECK((int64_t)f.source.n_read <= most_bytes);
  sc_pq_scan_free(&s);
  sc_pq_file_close(&f);
}

static void rows_read_back(void) {
  static const int codecs[] = {SC_PQ_UNCOMPRESSED, SC_PQ_SNAPPY, SC_PQ_GZIP, SC_PQ_ZSTD};
  struct sc_error err = {0};
  check_case("rows_read_back");
  for (size_t i = 0; i < 4; i++) {
    struct sc_buffer b = {0};
    CHECK_INT(SC_OK, write_file(50000, codecs[i], 21000, &b, &err));
    check_file(&b, 50000, 0, (int64_t)b.size * 2);
    check_file(&b, 50000, 49000, (int64_t)b.size / 2); /* two of five pages, at most */
    check_file(&b, 50000, 50000, (int64_t)b.size / 10);
    sc_buffer_free(&b);
  }
}

struct part {
  int begin, end;
};

static sc_status fill_part(void *argument, struct sc_pq_rows *rows, struct sc_pq_box *box,
                           struct sc_error *err) {
  const struct part *p = argument;
  if (p->begin > p->end) return sc_fail(err, SC_BAD_DATA, "part %d", p->begin);
  for (int i = p->begin; i < p->end; i++) {
    put_row(rows, i, err);
    rows->n_rows++;
  }
  box->present = 0;
  return err->status;
}

/* Row groups of a callback, each of 3001 rows. */
static sc_status write_groups(struct part *parts, int n, struct sc_buffer *out,
                              struct sc_error *err) {
  struct sc_pq_writer w;
  struct sc_sink sink = {&memory_methods, out, 0};
  struct sc_pq_writer_options o = {specs, N_COLUMNS, SC_PQ_ZSTD, 0, 3001, 1};
  struct sc_pq_key_text key = {"note", "a value"};
  sc_status st = sc_pq_writer_init(&w, &o, err);
  if (!st) st = sc_pq_writer_begin(&w, &sink, err);
  for (int i = 0; i < n && !st; i++) st = sc_pq_writer_put_group(&w, fill_part, &parts[i], err);
  if (!st) st = sc_pq_writer_flush(&w, err);
  if (!st) st = sc_pq_writer_finish(&w, &key, 1, NULL, 0, err);
  sc_pq_writer_free(&w);
  return st;
}

static void groups_of_a_callback_come_in_order(void) {
  struct part parts[12];
  struct sc_error err = {0};
  check_case("groups_of_a_callback_come_in_order");
  for (int n = 0; n <= 12; n += n ? 11 : 1) { /* none, one, more than there are slots */
    struct sc_buffer b = {0};
    for (int i = 0; i < n; i++) parts[i] = (struct part){3001 * i, 3001 * (i + 1)};
    CHECK_INT(SC_OK, write_groups(parts, n, &b, &err));
    check_file(&b, 3001 * n, 0, (int64_t)b.size * 2 + 10000);
    sc_buffer_free(&b);
  }
  parts[7] = (struct part){7, 0};
  struct sc_buffer b = {0};
  CHECK_INT(SC_BAD_DATA, write_groups(parts, 12, &b, &err));
  CHECK_TEXT("part 7", err.text);
  sc_buffer_free(&b);
}

static void note_order(void *argument) {
  static int n;
  *(int *)argument = n++;
}

static void work_of_a_lane_is_done_in_order(void) {
  struct sc_task_queue queue = {0};
  int order[100], wrong = 0;
  check_case("work_of_a_lane_is_done_in_order");
  sc_queue_close(&queue); /* not opened */
  sc_queue_open(&queue, note_order);
  for (int i = 0; i < 100; i++) {
    uint64_t number = sc_queue_put(&queue, &order[i]);
    CHECK_INT(i + 1, number);
    if (i % 10 == 5) {
      sc_queue_wait(&queue, number - 2);
      CHECK_INT(i - 2, order[i - 2]);
    }
  }
  sc_queue_close(&queue);
  for (int i = 0; i < 100; i++) wrong += order[i] != i;
  CHECK_INT(0, wrong);
}

static void empty_file_has_no_rows(void) {
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  check_case("empty_file_has_no_rows");
  CHECK_INT(SC_OK, write_file(0, SC_PQ_ZSTD, 100, &b, &err));
  check_file(&b, 0, 0, 10000);
  sc_buffer_free(&b);
}

static void every_cut_is_an_error(void) {
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  int64_t n;
  check_case("every_cut_is_an_error");
  write_file(100, SC_PQ_ZSTD, 50, &b, &err);
  CHECK_INT(SC_OK, drain(b.data, b.size, &n, &err));
  for (size_t size = 0; size < b.size; size += 1 + size / 64) {
    unsigned char *cut = malloc(size + 1); /* its own block: sanitizers see the end */
    memcpy(cut, b.data, size);
    CHECK(drain(cut, size, &n, &err) != SC_OK);
    CHECK(err.text[0] != '\0');
    free(cut);
  }
  sc_buffer_free(&b);
}

static uint32_t seed = 1;
static uint32_t next_random(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}

/* Bytes anywhere, and more often in the footer, where they do most. */
static void damage(unsigned char *p, size_t n) {
  for (uint32_t i = 0, times = next_random() % 8 + 1; i < times; i++) {
    size_t tail = n < 3000 ? n : 3000;
    size_t at = next_random() % 2 ? next_random() % n : n - 1 - next_random() % tail;
    uint32_t byte = next_random() % 3 ? next_random() & 255 : p[at] ^ 1u << next_random() % 8;
    p[at] = (unsigned char)byte;
  }
}

static void damaged_files_never_crash(void) {
  const char *wanted = getenv("MUTATIONS");
  int n_errors = 0, n = wanted ? atoi(wanted) : 300;
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  int64_t values;
  check_case("damaged_files_never_crash");
  for (int i = 0; i < n; i++) {
    static const int codecs[] = {SC_PQ_UNCOMPRESSED, SC_PQ_SNAPPY, SC_PQ_GZIP, SC_PQ_ZSTD};
    if (i % 100 == 0) {
      b.size = 0;
      write_file(500, codecs[i / 100 % 4], 200, &b, &err);
    }
    unsigned char *copy = malloc(b.size);
    memcpy(copy, b.data, b.size);
    damage(copy, b.size);
    n_errors += drain(copy, b.size, &values, &err) != SC_OK;
    free(copy);
  }
  CHECK(n_errors > n / 4); /* some bytes are padding, names and bounds */
  sc_buffer_free(&b);
}

int main(void) {
  rows_read_back();
  groups_of_a_callback_come_in_order();
  work_of_a_lane_is_done_in_order();
  empty_file_has_no_rows();
  every_cut_is_an_error();
  damaged_files_never_crash();
  return check_report();
}
