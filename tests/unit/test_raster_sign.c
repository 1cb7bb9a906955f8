/* http/sign.c: what is asked of whom, and that credentials go only where they belong. */
#include "http/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"

static const char *const variables[] = {"AZURE_STORAGE_ACCOUNT",
                                        "AZURE_STORAGE_SAS_TOKEN",
                                        "AZURE_STORAGE_CONNECTION_STRING",
                                        "AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_S3_ENDPOINT",
                                        "AWS_HTTPS",
                                        "AWS_VIRTUAL_HOSTING",
                                        "AWS_PROFILE",
                                        "AWS_REGION",
                                        "GS_ACCESS_KEY_ID",
                                        "GS_SECRET_ACCESS_KEY",
                                        "CPL_GS_ENDPOINT",
                                        "STACCHIP_PC_HOSTS",
                                        "STACCHIP_PC_SAS",
                                        "STACCHIP_PC_SIGN"};

/* Name and value by turns, NULL-terminated; all others are unset. */
static void environment(const char *const *values) {
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
  setenv("HOME", "/nonexistent", 1);
  for (; *values; values += 2) setenv(values[0], values[1], 1);
}

static void asks(const char *url, const char *expected) {
  struct sc_http_request r = {.method = "GET", .url = url};
  struct sc_error err = {0};
  struct sc_signed s;
  check_case(url);
  CHECK_INT(SC_OK, sc_sign_request(&r, &s, &err));
  CHECK_TEXT(expected, s.url);
  CHECK_TEXT("", err.text);
  sc_signed_free(&s);
}

/* An error, and nothing to ask. */
static void refuses(const char *url, const char *part) {
  struct sc_http_request r = {.method = "GET", .url = url};
  struct sc_error err = {0};
  struct sc_signed s;
  check_case(url);
  CHECK_INT(SC_BAD_DATA, sc_sign_request(&r, &s, &err));
  CHECK_HAS(part, err.text);
  CHECK(s.url == NULL);
  CHECK(strstr(err.text, "S3CRET") == NULL);
  sc_signed_free(&s);
}

static void asks_token(const char *url, const char *expected) {
  struct sc_error err = {0};
  char *out = NULL;
  check_case(url);
  CHECK_INT(SC_OK, sc_sign_token_url(url, &out, &err));
  CHECK_TEXT(expected, out ? out : "none");
  sc_free(out);
}

#define BLOB ".blob.core.windows.net/"

static void test_sas_of_an_account(void) {
  static const char *const values[] = {"AZURE_STORAGE_ACCOUNT", "mine", "AZURE_STORAGE_SAS_TOKEN",
                                       "?sig=T", NULL};
  environment(values);
  asks("az://box/a b.tif", "https://mine" BLOB "box/a%20b.tif?sig=T");
  asks("abfs://box@mine.dfs.core.windows.net/a", "https://mine" BLOB "box/a?sig=T");
  asks("abfss://box@mine/a?comp=list", "https://mine" BLOB "box/a?comp=list&sig=T");
  asks("https://mine" BLOB "box/a", "https://mine" BLOB "box/a?sig=T");
  asks("HTTPS://Mine" BLOB "box/a", "HTTPS://Mine" BLOB "box/a");
  asks("abfs://box@other.dfs.core.windows.net/a", "https://other" BLOB "box/a");
  asks("https://other" BLOB "box/a", "https://other" BLOB "box/a");
  asks("http://mine" BLOB "box/a", "http://mine" BLOB "box/a");
  asks("http://mine" BLOB "a", "http://mine" BLOB "a");
  asks("https://mine.blob.core.windows.net.example.com/a",
       "https://mine.blob.core.windows.net.example.com/a");
  asks("https://mine.example.com/a", "https://mine.example.com/a");
  asks("https://mine.x" BLOB "a", "https://mine.x" BLOB "a");
  asks("https://user@mine" BLOB "a", "https://user@mine" BLOB "a?sig=T");
  asks("https://mine" BLOB "@example.com/a", "https://mine" BLOB "@example.com/a?sig=T");
  asks("https://mine.blob.core.windows.net@example.com/a",
       "https://mine.blob.core.windows.net@example.com/a");
  asks("https://mine.blob.core.windows.net:x@example.com/a",
       "https://mine.blob.core.windows.net:x@example.com/a");
  asks("https://mine" BLOB "a?sig=own", "https://mine" BLOB "a?sig=own");
}

static void test_sas_of_a_connection_string(void) {
  static const char *const named[] = {
      "AZURE_STORAGE_CONNECTION_STRING",
      "AccountName=dev;BlobEndpoint=http://127.0.0.1:9/dev/;SharedAccessSignature=?sig=C", NULL};
  static const char *const by_endpoint[] = {
      "AZURE_STORAGE_CONNECTION_STRING",
      "BlobEndpoint=https://mine.blob.core.windows.net/;SharedAccessSignature=sig=C", NULL};
  static const char *const both[] = {"AZURE_STORAGE_ACCOUNT",
                                     "mine",
                                     "AZURE_STORAGE_SAS_TOKEN",
                                     "sig=T",
                                     "AZURE_STORAGE_CONNECTION_STRING",
                                     "AccountName=dev;SharedAccessSignature=sig=C",
                                     NULL};
  static const char *const token_only[] = {"AZURE_STORAGE_SAS_TOKEN", "sig=T", NULL};
  environment(named);
  asks("az://box/a", "http://127.0.0.1:9/dev/box/a?sig=C");
  asks("abfs://box@dev/a", "http://127.0.0.1:9/dev/box/a?sig=C");
  asks("http://127.0.0.1:9/dev/box/a", "http://127.0.0.1:9/dev/box/a?sig=C");
  asks("http://127.0.0.1:99/dev/box/a", "http://127.0.0.1:99/dev/box/a");
  asks("http://127.0.0.1:9/deva/box", "http://127.0.0.1:9/deva/box");
  asks("abfs://box@de/a", "https://de" BLOB "box/a");
  environment(by_endpoint);
  asks("az://box/a", "https://mine" BLOB "box/a?sig=C");
  asks("abfs://box@mine/a", "https://mine" BLOB "box/a?sig=C");
  asks("abfs://box@blob/a", "https://blob" BLOB "box/a");
  environment(both);
  asks("abfs://box@mine/a", "https://mine" BLOB "box/a?sig=T");
  asks("abfs://box@dev/a", "https://dev" BLOB "box/a?sig=C");
  environment(token_only);
  asks("abfs://box@mine/a", "https://mine" BLOB "box/a");
  asks("https://mine" BLOB "box/a", "https://mine" BLOB "box/a");
  refuses("az://box/a", "AZURE_STORAGE_ACCOUNT");
}

static void test_names_of_azure(void) {
  static const char *const values[] = {"AZURE_STORAGE_ACCOUNT", "mine", "AZURE_STORAGE_SAS_TOKEN",
                                       "sig=S3CRET", NULL};
  static const char *const bad[] = {"az://Box/a",
                                    "az://b_x/a",
                                    "az://b.x/a",
                                    "az://b%78/a",
                                    "az:///a",
                                    "az://box#/a",
                                    "az://-box/a",
                                    "az://$other/a",
                                    "abfs://box@mine.example.com/a",
                                    "abfs://box@mine.dfs.core.windows.net.example.com/a",
                                    "abfs://box@mine:80/a",
                                    "abfs://box@mine#/a",
                                    "abfs://box@mi\\ne/a",
                                    "abfs://box@x@mine/a",
                                    "abfs://box@/a",
                                    "abfs://@mine/a",
                                    "abfs://box@MINE/a",
                                    "abfs://box@namesthatarefartoolongforit/a",
                                    "az://box/../other/a",
                                    "az://box/a/./b",
                                    "az://box/a?x=\r\ny",
                                    "az://box/a?x#y"};
  environment(values);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuses(bad[i], "");
  asks("az://$web/a", "https://mine" BLOB "$web/a?sig=S3CRET");
}

static void test_names_of_s3(void) {
  static const char *const values[] = {
      "AWS_ACCESS_KEY_ID", "AKIA", "AWS_SECRET_ACCESS_KEY", "S3CRET", "AWS_SESSION_TOKEN",
      "S3CRET-TOO",        NULL};
  static const char *const names[] = {"localhost:1?",
                                      "localhost:1#",
                                      "localhost:1",
                                      "a@evil.com",
                                      "a\\evil.com",
                                      "a%2eb",
                                      "",
                                      "?",
                                      "#x",
                                      "[::1]",
                                      "a b",
                                      "a\tb",
                                      "a\r\nb",
                                      "\xc3\xa4",
                                      "..",
                                      ".a",
                                      "-a",
                                      "KEY:S3CRET@b",
                                      "a?b",
                                      "a,b"};
  static const char *const keys[] = {"/../x", "/a/../../x", "/.",
                                     "/a/..", "/./a",       "/a?x=\r\nHost: y"};
  char url[300];
  environment(values);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(url, sizeof url, "s3://%s/x.json", names[i]);
    refuses(url, "not a bucket name");
    snprintf(url, sizeof url, "gs://%s/x.json", names[i]);
    refuses(url, "not a bucket name");
  }
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    snprintf(url, sizeof url, "s3://bucket%s", keys[i]);
    refuses(url, "s3://bucket");
    snprintf(url, sizeof url, "gs://bucket%s", keys[i]);
    refuses(url, "gs://bucket");
  }
  asks("s3://bucket-1/a/.b/..c/d", "https://bucket-1.s3.us-east-1.amazonaws.com/a/.b/..c/d");
  asks("s3://bucket/a#b c?versionId=1",
       "https://bucket.s3.us-east-1.amazonaws.com/a%23b%20c?versionId=1");
  asks("s3://my.bucket/a", "https://s3.us-east-1.amazonaws.com/my.bucket/a");
  asks("s3://My_Bucket/a", "https://s3.us-east-1.amazonaws.com/My_Bucket/a");
  asks("gs://my_bucket.x/a", "https://storage.googleapis.com/my_bucket.x/a");
}

static void test_planetary_computer(void) {
  static const char service[] = "https://planetarycomputer.microsoft.com/api/sas/v1/token/";
  static const char *const none[] = {NULL}, *const off[] = {"STACCHIP_PC_SIGN", "NO", NULL};
  static const char *const mine[] = {"AZURE_STORAGE_ACCOUNT", "mine", "AZURE_STORAGE_SAS_TOKEN",
                                     "sig=T", NULL};
  static const char *const named[] = {"STACCHIP_PC_HOSTS", "127.0.0.1", NULL};
  char expected[200];
  snprintf(expected, sizeof expected, "%spublic/box", service);
  environment(none);
  asks_token("https://public" BLOB "box/a", expected);
  asks_token("http://public" BLOB "box/a", "none");
  asks_token("https://public.blob.core.windows.net.example.com/box/a", "none");
  asks_token("https://public.x" BLOB "box/a", "none");
  asks_token("https://public" BLOB "b..x/a", "none");
  asks_token("https://public" BLOB "box#/a", "none");
  asks_token("https://example.com/box/a", "none");
  asks_token("s3://public/box", "none");
  environment(off);
  asks_token("https://public" BLOB "box/a", "none");
  environment(mine);
  asks_token("https://public" BLOB "box/a", expected);
  asks_token("https://mine" BLOB "box/a", "none");
  environment(named);
  asks_token("http://127.0.0.1:80/box/a",
             "https://planetarycomputer.microsoft.com/api/sas/v1/token/127/box");
  asks_token("https://public" BLOB "box/a", "none");
}

int main(void) {
  test_sas_of_an_account();
  test_sas_of_a_connection_string();
  test_names_of_azure();
  test_names_of_s3();
  test_planetary_computer();
  return check_report();
}
