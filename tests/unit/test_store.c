/* ext/store: schemes, percent escapes, whole files, names of folders, stamps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "store/listing.h"
#include "store/objects.h"
#include "store/open.h"
#include "store/percent.h"
#include "store/read.h"
#include "store/scheme.h"
#include "store/source.h"
#include "store/stamp.h"

static char folder[] = "/tmp/stacchip-store-XXXXXX";

static char *in_folder(const char *name, char *out) {
  sprintf(out, "%s/%s", folder, name);
  return out;
}

static void write_file(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  fputs(text, f);
  fclose(f);
}

/* Each scheme is told apart in every way; the case of letters does not matter. */
static void test_schemes(void) {
  static const struct {
    const char *href;
    int is_url, is_remote, is_azure;
    size_t store_bytes;
  } cases[] = {{"https://h/a", 1, 1, 0, 0},
               {"HTTP://h/a", 1, 1, 0, 0},
               {"s3://b/k", 1, 1, 0, 5},
               {"S3://b/k", 1, 1, 0, 5},
               {"gs://b/k", 1, 1, 0, 5},
               {"az://c/k", 1, 1, 1, 5},
               {"abfs://c@a/k", 1, 1, 1, 7},
               {"abfss://c@a/k", 1, 1, 1, 8},
               {"abfsss://c@a/k", 1, 0, 0, 0},
               {"file:///a", 1, 0, 0, 0},
               {"ftp://h/a", 1, 0, 0, 0},
               {"c://a", 0, 0, 0, 0},
               {"/data/a://b.tif", 0, 0, 0, 0},
               {"a/b", 0, 0, 0, 0},
               {"", 0, 0, 0, 0},
               {"://", 0, 0, 0, 0},
               {"s3:/b/k", 0, 0, 0, 0},
               {"http", 0, 0, 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    check_case(cases[i].href);
    CHECK_INT(cases[i].is_url, sc_href_is_url(cases[i].href));
    CHECK_INT(cases[i].is_remote, sc_href_is_remote(cases[i].href));
    CHECK_INT(cases[i].is_azure, sc_href_is_azure(cases[i].href));
    CHECK_INT(cases[i].store_bytes, sc_href_store_bytes(cases[i].href));
  }
}

/* What is listed, read and written knows the same schemes. */
static void test_doors(void) {
  struct sc_error err = {0};
  struct sc_byte_source source;
  struct sc_files files;
  struct sc_upload *upload;
  check_case("abfss");
  CHECK_INT(SC_OK, sc_upload_open("abfss://c@a.dfs.core.windows.net/k", &upload, &err));
  sc_upload_close(upload);
  CHECK_INT(SC_OK, sc_files_list("abfss://c@a.dfs.core.windows.net/k.parquet", &files, &err));
  CHECK_INT(1, files.n);
  sc_files_free(&files);
  check_case("ftp");
  CHECK_INT(SC_BAD_DATA, sc_byte_source_open("ftp://h/x.parquet", &source, &err));
  CHECK_HAS("scheme 'ftp' is not one of https, http, s3", err.text);
  sc_byte_source_close(&source);
}

static void check_encoded(const char *text, const char *keep, const char *want) {
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  check_case(text);
  CHECK_INT(SC_OK, sc_percent_encode(&b, text, strlen(text), keep, &err));
  CHECK_INT(SC_OK, sc_buffer_terminate(&b, &err));
  CHECK_TEXT(want, (char *)b.data);
  sc_buffer_free(&b);
}

static void check_decoded(const char *text, const char *want, int wrong) {
  char copy[64];
  snprintf(copy, sizeof copy, "%s", text);
  check_case(text);
  const char *at = sc_percent_decode(copy);
  CHECK_TEXT(want, copy);
  CHECK_INT(wrong, at ? (int)(at - copy) : -1);
}

static void test_percent(void) {
  check_encoded("aZ09-._~", SC_UNRESERVED, "aZ09-._~");
  check_encoded("a b/c%", SC_UNRESERVED, "a%20b%2Fc%25");
  check_encoded("a b/c", SC_UNRESERVED "/", "a%20b/c");
  check_encoded("\xc3\xa9", SC_UNRESERVED, "%C3%A9");
  check_encoded("\xc3\xa9", "\x80", "\xc3\xa9");
  check_encoded("", SC_UNRESERVED, "");
  check_decoded("a%20b", "a b", -1);
  check_decoded("%41%c3%A9", "A\xc3\xa9", -1);
  check_decoded("100%", "100%", 3);
  check_decoded("%2", "%2", 0);
  check_decoded("%zz%41", "%zzA", 0);
  check_decoded("a%00b", "a%00b", 1);
  check_decoded("%2541", "%41", -1);
}

static void test_read(void) {
  char path[200], other[200], head[4];
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  write_file(in_folder("a.txt", path), "twelve bytes");
  check_case("read");
  CHECK_INT(SC_OK, sc_read_whole(path, 12, &b, &err));
  CHECK_TEXT("twelve bytes", (char *)b.data);
  CHECK_INT(12, b.size);
  CHECK_INT(SC_TOO_BIG, sc_read_whole(path, 11, &b, &err));
  CHECK_HAS("a.txt: 12 bytes; the limit is 11", err.text);
  CHECK_INT(SC_BAD_DATA, sc_read_whole(folder, 12, &b, &err));
  CHECK_HAS("not a regular file", err.text);
  CHECK_INT(SC_NOT_FOUND, sc_read_whole(in_folder("none", other), 12, &b, &err));
  CHECK_INT(4, sc_read_head(path, head, 4));
  CHECK_INT(0, sc_read_head(other, head, 4));
  sc_buffer_free(&b);
  const struct sc_stamp one = sc_stamp_of(path), none = sc_stamp_of(other);
  CHECK_INT(12, one.size);
  CHECK(!sc_stamp_equals(&one, &none));
  CHECK_INT(0, none.size);
  unlink(path);
}

static void test_names(void) {
  char path[200];
  struct sc_files f;
  struct sc_error err = {0};
  write_file(in_folder("b", path), "");
  write_file(in_folder("a", path), "");
  write_file(in_folder(".c", path), "");
  check_case("names");
  CHECK_INT(SC_OK, sc_folder_names(folder, &f, &err));
  CHECK_INT(3, f.n);
  if (f.n == 3) CHECK_TEXT(".c", f.paths[0]);
  if (f.n == 3) CHECK_TEXT("b", f.paths[2]);
  CHECK_INT(SC_OK, sc_files_add(&f, "a", &err));
  sc_files_sort(&f);
  CHECK_INT(3, f.n);
  sc_files_free(&f);
  CHECK_INT(SC_NOT_FOUND, sc_folder_names(path, &f, &err));
  sc_files_free(&f);
  unlink(path);
  unlink(in_folder("a", path));
  unlink(in_folder("b", path));
}

/* What a pattern below the folder fits: names without it, one after the other. */
static void check_glob(const char *pattern, const char *want) {
  char path[200], got[400] = "";
  struct sc_files f;
  struct sc_error err = {0};
  check_case(pattern);
  CHECK_INT(SC_OK, sc_files_glob(in_folder(pattern, path), &f, &err));
  for (size_t i = 0; i < f.n; i++) {
    strcat(strcat(got, i ? " " : ""), f.paths[i] + strlen(folder) + 1);
  }
  CHECK_TEXT(want, got);
  sc_files_free(&f);
}

static void test_glob(void) {
  static const char *const folders[] = {"a", "a/deep", "a-b", ".hidden", "[x]"};
  static const char *const files[] = {"a/1", "a/deep/1", "a-b/1", ".hidden/1", "[x]/1", "\xe9"};
  static const char *const links[] = {"dangling", "to_a"};
  char path[200];
  for (size_t i = 0; i < 5; i++) mkdir(in_folder(folders[i], path), 0700);
  for (size_t i = 0; i < 6; i++) write_file(in_folder(files[i], path), "");
  CHECK_INT(0, symlink("nowhere", in_folder(links[0], path)));
  CHECK_INT(0, symlink("a", in_folder(links[1], path)));
  check_glob("*", "[x] a a-b dangling to_a \xe9");
  check_glob("a*/1", "a-b/1 a/1"); /* by bytes of the path, not folder by folder */
  check_glob("?*/1", "[x]/1 a-b/1 a/1 to_a/1");
  check_glob("[.]*/1", "");
  check_glob(".h*/[0-9]", ".hidden/1");
  check_glob("\\[x*/1", "[x]/1");
  check_glob("**/1",
             "[x]/1 a-b/1 a/1 to_a/1"); /* one folder: depth is of Parquet files' patterns */
  check_glob("a*/deep/*", "a/deep/1");
  check_glob("to_?/./deep/../1", "to_a/./deep/../1");
  check_glob("*a/", "a to_a");
  check_glob("a/1/*", "");
  check_glob("none*", "");
  for (size_t i = 0; i < 2; i++) unlink(in_folder(links[i], path));
  for (size_t i = 6; i--;) unlink(in_folder(files[i], path));
  for (size_t i = 5; i--;) rmdir(in_folder(folders[i], path));
}

static void test_scratch(void) {
  struct sc_error err = {0};
  int fd;
  check_case("scratch");
  CHECK_INT(SC_OK, sc_open_scratch(&fd, &err));
  CHECK_INT(3, write(fd, "abc", 3));
  close(fd);
}

int main(void) {
  if (!mkdtemp(folder)) return 1;
  test_schemes();
  test_doors();
  test_percent();
  test_read();
  test_names();
  test_glob();
  test_scratch();
  rmdir(folder);
  return check_report();
}
