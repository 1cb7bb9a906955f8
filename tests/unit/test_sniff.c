/* base/sniff.c: which bytes are UTF-8, against iconv(3), and what other bytes are called. */
#include "base/sniff.h"

#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

/* glibc's opinion: is it text without a zero byte? */
static int is_utf8(iconv_t to_wide, const unsigned char *bytes, size_t n) {
  char *in = (char *)(size_t)bytes, wide[64], *out = wide;
  size_t in_left = n, out_left = sizeof wide;
  iconv(to_wide, NULL, NULL, NULL, NULL);
  return !memchr(bytes, 0, n) && iconv(to_wide, &in, &in_left, &out, &out_left) != (size_t)-1;
}

static void test_utf8(void) {
  iconv_t to_wide = iconv_open("UTF-32LE", "UTF-8");
  int n_differ = 0;
  check_case("sequences of up to four bytes");
  CHECK(to_wide != (iconv_t)-1);
  for (uint32_t i = 0; i < 0x10000; i++) { /* all pairs; each pair with some that follow */
    unsigned char p[4] = {(unsigned char)(i >> 8), (unsigned char)i, 0, 0};
    for (size_t n = 1; n <= 4; n++) {
      p[2] = (unsigned char)(0x7F + i % 67);
      p[3] = (unsigned char)(0x7F + i % 71);
      n_differ += is_utf8(to_wide, p, n) != (sc_sniff_utf8(p, n) == n);
    }
  }
  CHECK_INT(0, n_differ);
  CHECK_INT(3, sc_sniff_utf8("abc\xe9", 4));
  iconv_close(to_wide);
}

static void names(const char *bytes, size_t n, const char *expected) {
  const char *name = sc_sniff(bytes, n);
  check_case(expected ? expected : "nothing known");
  if (expected) {
    CHECK_HAS(expected, name ? name : "nothing");
  } else {
    CHECK_TEXT("nothing", name ? name : "nothing");
  }
}

static void test_names(void) {
  names("\x1f\x8b\x08", 3, "gzip");
  names("\xff\xfe{\0", 4, "UTF-16");
  names("{\0\"\0", 4, "UTF-16");
  names("\0{\0\"", 4, "UTF-16");
  names("\xff\xfe\0\0", 4, "UTF-32");
  names("{\0\0\0", 4, "UTF-32");
  names(" \r\n<HTML>", 9, "HTML page");
  names("<!-- x --><!doctype HTML>", 25, "HTML page");
  names("<?xml ?><a/>", 12, "XML");
  names("<a/>", 4, "XML");
  names("PK\x03\x04", 4, "zip");
  names("{\"a\":\"<html>\"}", 14, NULL);
  names("< 3", 3, NULL);
  names("<!doctype htm", 13, "XML");
  names("", 0, NULL);
  names("{", 1, NULL);
  names("\x1f", 1, NULL);
}

int main(void) {
  test_utf8();
  test_names();
  return check_report();
}
