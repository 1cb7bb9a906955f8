/*
 * store/href.c: the examples of RFC 3986 section 5.4, paths, what messages show, and what the
 * settings of the process let through (store/access.c with it).
 */
#include "store/href.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/settings.h"
#include "check.h"
#include "store/access.h"

static void resolves(const char *base, const char *href, const char *expected) {
  struct sc_error err = {0};
  char *out = NULL;
  check_case(href);
  CHECK_INT(SC_OK, sc_href_resolve(base, href, &out, &err));
  CHECK_TEXT(expected, out);
  sc_free(out);
}

static void refuses(const char *base, const char *href, sc_status status, const char *part) {
  struct sc_error err = {0};
  char *out = NULL;
  check_case(href);
  CHECK_INT(status, sc_href_resolve(base, href, &out, &err));
  CHECK_HAS(part, err.text);
  CHECK(out == NULL);
  sc_free(out);
}

/* Those of the RFC whose base is the folder alone: a query or fragment by itself is no file. */
static void test_rfc(void) {
  static const char *const examples[][2] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"g?y", "http://a/b/c/g?y"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
  };
  struct sc_error err = {0};
  char *folder = NULL;
  check_case("the_folder_of_the_examples_base");
  CHECK_INT(SC_OK, sc_href_folder("http://a/b/c/d;p?q", &folder, &err));
  CHECK_TEXT("http://a/b/c/", folder);
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    resolves(folder, examples[i][0], examples[i][1]);
  }
  sc_free(folder);
}

static void test_urls(void) {
  resolves("/data/", "https://h/a/../b", "https://h/a/../b");
  resolves(NULL, "HTTPS://h/a", "HTTPS://h/a");
  resolves("s3://bucket/a/", "b.tif", "s3://bucket/a/b.tif");
  resolves("s3://bucket/a/", "../../../b.tif", "s3://bucket/b.tif");
  resolves("s3://bucket/a//", "b//c.tif", "s3://bucket/a//b//c.tif");
  resolves("https://h/a%2Fb/", "%2e%2e/c", "https://h/a%2Fb/%2e%2e/c");
  resolves("https://h/", "a b.tif", "https://h/a b.tif");
  refuses(NULL, "ftp://h/a", SC_BAD_DATA, "scheme 'ftp'");
  refuses("https://h/", "", SC_BAD_DATA, "the href is empty");
  refuses("https://h/", "gopher://h/a", SC_BAD_DATA, "scheme 'gopher'");
}

static void test_paths(void) {
  resolves("/data/", "a.tif", "/data/a.tif");
  resolves("/data/", "./b/../a.tif", "/data/a.tif");
  resolves("/data/", "../../../a.tif", "/a.tif");
  resolves("/data/", "b//a.tif", "/data/b/a.tif");
  resolves("/data/", "b//../a.tif", "/data/a.tif");
  resolves("/data/", "what?.tif", "/data/what?.tif");
  resolves("/data/", "a%20b.tif", "/data/a%20b.tif");
  resolves("/data/", "/else/a.tif", "/else/a.tif");
  resolves("/data/", "C:/a.tif", "/data/C:/a.tif");
  resolves(NULL, "file:///data/a.tif", "/data/a.tif");
  resolves(NULL, "FILE://localhost/data/a%20b%C3%A9.tif", "/data/a b\xC3\xA9.tif");
  resolves(NULL, "file:///data/%2e%2e/a.tif", "/a.tif");
  refuses(NULL, "file://host/a.tif", SC_BAD_DATA, "another host");
  refuses(NULL, "file:///a%00b", SC_BAD_DATA, "'%00'");
  refuses(NULL, "file:///a%4", SC_BAD_DATA, "'%4'");
  refuses(NULL, "file:///a%zz", SC_BAD_DATA, "'%zz'");
  refuses(NULL, "a.tif", SC_BAD_DATA, "option 'base'");
  refuses(NULL, "../a.tif", SC_BAD_DATA, "has no base");
}

/* However it is written, no name that GDAL takes for one of its own file systems. */
static void test_vsi(void) {
  refuses(NULL, "/vsicurl/http://h/a", SC_DENIED, "/vsi prefix");
  refuses("https://h/", "/vsimem/a", SC_DENIED, "/vsi prefix");
  refuses(NULL, "file:///vsizip/a.zip", SC_DENIED, "/vsi prefix");
  refuses(NULL, "file:///%76sizip/a.zip", SC_DENIED, "/vsi prefix");
  refuses(NULL, "//vsicurl/http://h", SC_DENIED, "/vsi prefix");
  refuses(NULL, "/./vsimem/a", SC_DENIED, "/vsi prefix");
  refuses(NULL, "/a/../vsimem/a", SC_DENIED, "/vsi prefix");
  refuses("/", "vsimem/a", SC_DENIED, "/vsi prefix");
  refuses("/data/", "../vsis3/bucket/a", SC_DENIED, "/vsi prefix");
  resolves("/data/", "vsimem/a", "/data/vsimem/a");
}

static void test_folders(void) {
  static const char *const cases[][2] = {
      {"/a/b.json", "/a/"},
      {"/b.json", "/"},
      {"b.json", ""},
      {"/a/", "/a/"},
      {"https://h", "https://h/"},
      {"https://h?x/y", "https://h/"},
      {"https://h/a", "https://h/"},
      {"https://h/a/b?c=/d/e#/f", "https://h/a/"},
      {"s3://b/k/i.json", "s3://b/k/"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct sc_error err = {0};
    char *out = NULL;
    check_case(cases[i][0]);
    CHECK_INT(SC_OK, sc_href_folder(cases[i][0], &out, &err));
    CHECK_TEXT(cases[i][1], out);
    sc_free(out);
  }
}

/* --- what messages show --- */

static void shows(const char *href, const char *expected) {
  char out[100];
  check_case(href);
  CHECK_TEXT(expected, sc_access_shown(href, out, sizeof out));
}

static void test_shown(void) {
  shows("https://user:p@w@h/a?sig=x#y", "https://h/a");
  shows("abfs://box@account/a?sig=x", "abfs://box@account/a");
  shows("s3://KEY:S3CRET@bucket/a", "s3://bucket/a");
  shows("/vsicurl/https://u:p@h/a?x", "/vsicurl/https://h/a");
  shows("https://h/a;token=x/b?c", "https://h/a");
  shows("https://h/a;b/c", "https://h/a;b/c");
  shows("/local/what?#", "/local/what?#");
}

/* --- access --- */

static void set(const char *name, const char *value) {
  struct sc_error err = {0};
  CHECK_INT(SC_OK, sc_settings_set(name, value, &err));
}

static void allows(const char *href, enum sc_origin origin, sc_status status,
                   const char *expected) {
  struct sc_error err = {0};
  char *out = NULL;
  check_case(href);
  CHECK_INT(status, sc_href_allow(href, origin, &out, &err));
  if (status) {
    CHECK_HAS(expected, err.text);
    CHECK(out == NULL);
  } else {
    CHECK_TEXT(expected, out);
  }
  sc_free(out);
}

static void local(const char *path, sc_status status) {
  allows(path, SC_ORIGIN_LOCAL, status, status ? "local files" : path);
}

/* root/in/a, root/out/b, links from in to out and from out to in. */
static void test_roots(void) {
  char root[] = "/tmp/stacchip-href-XXXXXX", path[200], setting[200];
  CHECK(mkdtemp(root) && chdir(root) == 0);
  CHECK(!mkdir("in", 0700) && !mkdir("out", 0700) && !mkdir("inside", 0700));
  CHECK(!symlink("/etc/hostname", "in/link") && !symlink("../in", "out/back"));
  CHECK(!symlink("in", "alias"));
  for (int i = 0; i < 3; i++) {
    static const char *const files[] = {"in/a", "out/b", "inside/c"};
    FILE *f = fopen(files[i], "w");
    CHECK(f && fclose(f) == 0);
  }
  snprintf(setting, sizeof setting, "/nowhere:%s/alias", root);
  set("local_roots", setting);
#define AT(name) (snprintf(path, sizeof path, "%s/%s", root, name), path)
  local(AT("in/a"), SC_OK);
  local(AT("in"), SC_OK);
  local(AT("out/back/a"), SC_OK);
  local(AT("out/b"), SC_DENIED);
  local(AT("inside/c"), SC_DENIED);
  local(AT("in/link"), SC_DENIED);
  local(AT("in/../out/b"), SC_DENIED);
  local(AT("in/none"), SC_DENIED);
  set("local_roots", "deny");
  local(AT("in/a"), SC_DENIED);
  set("local_roots", "/");
  local(AT("in/a"), SC_OK);
  set("local_roots", "allow");
  local(AT("out/b"), SC_OK);
  set("local_roots", "");
  local(AT("none"), SC_OK);
  allows(AT("in/a"), SC_ORIGIN_NETWORK, SC_DENIED, "over the network");
  static const char *const all[] = {"in/a",  "in/link", "out/b", "out/back", "inside/c",
                                    "alias", "in",      "out",   "inside"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) remove(all[i]);
  CHECK(chdir("/") == 0 && rmdir(root) == 0);
}

static void url(const char *href, sc_status status) {
  allows(href, SC_ORIGIN_NETWORK, status, status ? "is not allowed" : href);
}

static void test_hosts(void) {
  set("hosts", "");
  url("https://example.com/a", SC_OK);
  url("http://169.254.169.254/latest", SC_DENIED);
  url("http://user@169.254.169.254/latest", SC_DENIED);
  url("http://a@b@169.254.169.254/latest", SC_DENIED);
  url("http://169.254.169%2e254/latest", SC_DENIED);
  url("http://METADATA.google.internal:80/x", SC_DENIED);
  url("https:///a", SC_DENIED);
  url("s3://bucket/a", SC_OK);
  set("hosts", "*.example.com, data*,127.0.0.1");
  url("https://a.example.com/x", SC_OK);
  url("https://A.EXAMPLE.COM:8080?x", SC_OK);
  url("https://example.com/x", SC_DENIED);
  url("https://a.example.com.evil/x", SC_DENIED);
  url("https://evil/a.example.com", SC_DENIED);
  url("https://evil?.example.com", SC_DENIED);
  url("https://evil#.example.com", SC_DENIED);
  url("https://a.example.com@evil/x", SC_DENIED);
  url("https://u@data@evil/x", SC_DENIED);
  url("https://data%2eevil/x", SC_DENIED);
  url("https://data\\@evil/x", SC_DENIED);
  url("http://127.0.0.1:9/x", SC_OK);
  url("http://[::1]/x", SC_DENIED);
  set("hosts", "::1");
  url("http://[::1]:80/x", SC_OK);
  set("hosts", "");
}

/* The map comes first: what it gives is what is looked at. */
static void test_map(void) {
  set("href_map", "{\"s3://b/\":\"/nvme/\",\"s3://b/far/\":\"https://far/\"}");
  allows("s3://b/x", SC_ORIGIN_NETWORK, SC_OK, "/nvme/x");
  allows("s3://b/far/x", SC_ORIGIN_NETWORK, SC_OK, "https://far/x");
  allows("s3://c/x", SC_ORIGIN_NETWORK, SC_OK, "s3://c/x");
  set("local_roots", "deny");
  allows("s3://b/x", SC_ORIGIN_LOCAL, SC_DENIED, "denied");
  set("local_roots", "");
  set("hosts", "near");
  allows("s3://b/far/x", SC_ORIGIN_LOCAL, SC_DENIED, "host 'far'");
  set("hosts", "");
  static const char *const bad[] = {"[1]", "{", "{\"a\":1}", "{\"\":\"/\"}", "text"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct sc_error err = {0};
    check_case(bad[i]);
    CHECK_INT(SC_BAD_ARG, sc_settings_set("href_map", bad[i], &err));
    CHECK_HAS("'href_map': expected a JSON object of prefixes", err.text);
  }
  check_case("a_setting_that_is_refused_stays_as_it_was");
  allows("s3://b/x", SC_ORIGIN_NETWORK, SC_OK, "/nvme/x");
  set("href_map", "");
  allows("s3://b/x", SC_ORIGIN_NETWORK, SC_OK, "s3://b/x");
}

int main(void) {
  test_rfc();
  test_urls();
  test_paths();
  test_vsi();
  test_folders();
  test_shown();
  test_hosts();
  test_map();
  test_roots();
  return check_report();
}
