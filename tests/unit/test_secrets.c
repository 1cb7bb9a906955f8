/* stac/secrets.c: what is taken out of hrefs and items before they are stored. */
#include "store/secrets.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"
#include "store/access.h"
#include "store/href.h"

#define MARK SC_ACCESS_NOT_STORED

static void strips(const char *text, const char *expected) {
  struct sc_error err = {0};
  char *out = NULL, *again = NULL;
  check_case(text);
  CHECK_INT(SC_OK, sc_href_without_secrets(text, &out, &err));
  CHECK_TEXT(expected, out);
  CHECK_INT(SC_OK, sc_href_without_secrets(out, &again, &err)); /* nothing is left to take */
  CHECK_TEXT(out, again);
  sc_free(out);
  sc_free(again);
}

static void test_users(void) {
  strips("https://user:pw@h/a", "https://h/a" MARK);
  strips("https://user:p@w@h/a", "https://h/a" MARK);
  strips("https://tok@h/a?b=1", "https://h/a?b=1" MARK);
  strips("https://h/a@b", "https://h/a@b");
  strips("abfs://box@account/a", "abfs://box@account/a");
  strips("s3://KEY:S3CRET@bucket/a", "s3://bucket/a");
}

/* Names of secrets, as stores, clouds and people write them. */
static void test_names(void) {
  static const char *const names[] = {"sig",
                                      "SIG",
                                      "%73ig",
                                      "%2573ig",
                                      "s%69g",
                                      "signature",
                                      "Signature",
                                      "token",
                                      "TOKEN",
                                      "access_token",
                                      "accessToken",
                                      "access-token",
                                      "id_token",
                                      "refresh_token",
                                      "oauth_token",
                                      "private_token",
                                      "key",
                                      "KEY",
                                      "%6Bey",
                                      "apikey",
                                      "apiKey",
                                      "api_key",
                                      "api-key",
                                      "API%5FKEY",
                                      "x-api-key",
                                      "subscription-key",
                                      "Ocp-Apim-Subscription-Key",
                                      "auth",
                                      "authkey",
                                      "authorization",
                                      "password",
                                      "passwd",
                                      "pass",
                                      "pwd",
                                      "passphrase",
                                      "sas",
                                      "sas_token",
                                      "SharedAccessSignature",
                                      "jwt",
                                      "code",
                                      "secret",
                                      "client_secret",
                                      "credential",
                                      "session",
                                      "sessionid",
                                      "JSESSIONID",
                                      "PHPSESSID",
                                      "ticket",
                                      "hmac",
                                      "bearer",
                                      "policy",
                                      "X-Amz-Signature",
                                      "X-Amz-Security-Token",
                                      "X-Amz-Credential",
                                      "x-goog-signature",
                                      "AWSAccessKeyId",
                                      "GoogleAccessId",
                                      "Key-Pair-Id",
                                      "hdnts",
                                      "otp",
                                      "auth[token]",
                                      "user.password",
                                      "+key",
                                      " key"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char url[200], want[200];
    static const char *const forms[] = {
        "https://h/x.tif?%s=SECRET",     "https://h/x.tif?%s=SECRET&f=1",
        "https://h/x.tif?f=1&%s=SECRET", "https://h/x.tif?f=1;%s=SECRET",
        "https://h/x.tif#%s=SECRET",     "https://h/x.tif#/p?%s=SECRET",
        "https://h/x.tif;%s=SECRET"};
    static const char *const kept[] = {
        "https://h/x.tif", "https://h/x.tif?f=1", "https://h/x.tif?f=1", "https://h/x.tif?f=1",
        "https://h/x.tif", "https://h/x.tif",     "https://h/x.tif"};
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      snprintf(url, sizeof url, forms[k], names[i]);
#pragma GCC diagnostic pop
      snprintf(want, sizeof want, "%s%s", kept[k], MARK);
      strips(url, want);
    }
  }
}

static void test_what_stays(void) {
  static const char *const urls[] = {
      "https://h/a?page=2",
      "https://h/a?design=2",
      "https://h/wms?service=WMS&request=GetMap&layers=keyword&crs=EPSG:32720",
      "https://h/a?file=x.tif",
      "https://h/a?versionId=3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBPUMLUo",
      "https://h/a?generation=1612345678901234",
      "https://h/a?id=0123456789abcdef0123456789abcdef",
      "https://h/a?author=me&keywords=x&passes=3&assigned=1",
      "https://h/a?sig=&key",
      "https://h/a?expires=10&sv=1",
      "https://h/a#page=2",
      "https://h/a;v=1/b.tif",
      "https://h/S2A_MSIL2A_20240311T140636_N0510_R110_T20HNJ/x;y",
      "https://h/a?product=S2A_MSIL2A_20240311T140636_N0510_R110_T20HNJ_20240311T195101",
      "https://h/a?url=https%3A%2F%2Fg%2Fx.tif%3Fpage%3D2",
      "https://h/0123456789abcdef0123456789abcdef/x.tif",
      "no address",
      "://",
      "",
      "?sig=x",
      "/data/a?sig=x.tif",
      "file:///a b.tif"};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) strips(urls[i], urls[i]);
}

static void test_companions_and_values(void) {
  strips("https://h/a?sv=2021&sr=c&se=2030-01-01&sp=rl&sig=x%2B", "https://h/a" MARK);
  strips(
      "https://h/"
      "a?versionId=7&X-Amz-Algorithm=AWS4&X-Amz-Date=1&X-Amz-Expires=60&X-Amz-Signature=x",
      "https://h/a?versionId=7" MARK);
  strips("https://h/a?Expires=1&Signature=x&Key-Pair-Id=K", "https://h/a" MARK);
  strips("https://h/a?q=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "https://h/a" MARK);
  strips("https://h/a?q=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY0RFRg", "https://h/a" MARK);
  strips("https://h/a?q=0123456789abcdef0123456789abcdef", "https://h/a" MARK);
  strips("https://h/a?0123456789abcdef0123456789abcdef", "https://h/a" MARK);
  strips("https://h/p?url=https%3A%2F%2Fg%2Fx.tif%3Fsig%3Dx&bands=1", "https://h/p?bands=1" MARK);
  strips("https://h/p?url=https%253A%252F%252Fg%252Fx.tif%253Ftoken%253Dx", "https://h/p" MARK);
  strips("https://h/p?url=https://u:p@g/x.tif", "https://h/p" MARK);
  strips("s3://b/k?sig=x", "s3://b/k");
  strips("HTTPS://h/a?sig=x", "HTTPS://h/a" MARK);
  strips("https://h/a b.tif?sig=x y", "https://h/a b.tif" MARK);
  strips("https://h/a;jsessionid=1F/b.tif;v=2", "https://h/a/b.tif;v=2" MARK);
  strips("see https://h/a?sig=x and http://u:p@g/b", "see https://h/a" MARK " and http://g/b" MARK);
}

static void test_items(void) {
  strips("{\"a\":\"https://h/a?token=x\",\"b\":\"http://u@h/b\"}",
         "{\"a\":\"https://h/a" MARK "\",\"b\":\"http://h/b" MARK "\"}");
  strips("{\"href\":\"./a?b=1&token=x\",\"note\":\"./a?token=x\"}",
         "{\"href\":\"./a?b=1\",\"note\":\"./a?token=x\"}");
  strips("{\"href\":\"//u:p@h/a?token=x\"}", "{\"href\":\"//h/a\"}");
  strips("{\"href\":\"/data/a?token=x.tif\"}", "{\"href\":\"/data/a?token=x.tif\"}");
  strips("{\"a\":\"https:\\/\\/h\\/a\\u003fsi\\u0067=x\"}", "{\"a\":\"https://h/a" MARK "\"}");
  strips("{\"a\":\"https:\\/\\/h\\/a\\u003fsi\\u0067=x\" oops",
         "{\"a\":\"https://h/a" MARK "\" oops");
  strips(
      "{\"headers\":{\"Authorization\":\"Bearer "
      "x\",\"X-Own\":\"1\"},\"o\":{\"account_key\":\"x\",\"sas-token\":\"y\",\"account_name\":"
      "\"n\"},\"key\":\"k\",\"token\":3}",
      "{\"headers\":{\"X-Own\":\"1\"},\"o\":{\"account_name\":\"n\"},\"key\":\"k\",\"token\":3}");
  strips("[\"https://h/a?sig=x\",1e3,null]", "[\"https://h/a" MARK "\",1000,null]");
}

/* A handle is read again by the process that made it, and by no other. */
static void test_handles(void) {
  struct sc_error err = {0};
  const char *url = "https://h/a?b=1&sig=x";
  char *first = NULL, *second = NULL, *back = NULL;
  check_case("handle");
  CHECK_INT(SC_OK, sc_href_for_handle(url, &first, &err));
  CHECK_INT(SC_OK, sc_href_for_handle(url, &second, &err));
  CHECK_TEXT(first, second);
  CHECK_INT(0, strncmp(first, "https://h/a?b=1" MARK "=", strlen("https://h/a?b=1" MARK "=")));
  CHECK(!strstr(first, "sig"));
  CHECK_INT(SC_OK, sc_href_resolve(NULL, first, &back, &err));
  CHECK_TEXT(url, back);
  sc_free(back);
  strips(first, "https://h/a?b=1" MARK);
  first[strlen(first) - 1] ^= 1; /* another number */
  CHECK_INT(SC_OK, sc_href_resolve(NULL, first, &back, &err));
  CHECK_TEXT(first, back);
  sc_free(first);
  sc_free(second);
  sc_free(back);
}

static void test_handles_are_forgotten(void) {
  struct sc_error err = {0};
  char *first = NULL, *back = NULL, url[60];
  check_case("forgotten");
  CHECK_INT(SC_OK, sc_href_for_handle("https://h/first?sig=x", &first, &err));
  for (int i = 0; i < 1024; i++) {
    char *other = NULL;
    snprintf(url, sizeof url, "https://h/%d?sig=x", i);
    CHECK_INT(SC_OK, sc_href_for_handle(url, &other, &err));
    sc_free(other);
  }
  CHECK_INT(SC_OK, sc_href_resolve(NULL, first, &back, &err));
  CHECK_TEXT(first, back);
  sc_free(first);
  sc_free(back);
}

int main(void) {
  test_users();
  test_names();
  test_what_stays();
  test_companions_and_values();
  test_items();
  test_handles();
  test_handles_are_forgotten();
  return check_report();
}
