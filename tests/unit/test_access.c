/* store/access.c: which hosts and addresses may be reached, in the spellings that resolvers know.
 */
#include "store/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "check.h"

static void judges(const char *patterns, const char *host, int expected) {
  check_case(host);
  CHECK_INT(expected, sc_access_host(patterns, host));
}

static void leads_to(const char *patterns, const char *address, int expected) {
  struct sockaddr_in in = {.sin_family = AF_INET};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
  int is_six = inet_pton(AF_INET6, address, &in6.sin6_addr) == 1;
  check_case(address);
  CHECK(is_six || inet_pton(AF_INET, address, &in.sin_addr) == 1);
  CHECK_INT(expected, sc_access_address(patterns, is_six ? (const struct sockaddr *)&in6
                                                         : (const struct sockaddr *)&in));
}

static void has_host(const char *url, const char *expected) {
  char host[256];
  check_case(url);
  sc_access_url_host(url, host, sizeof host);
  CHECK_TEXT(expected, host);
}

/* Addresses of metadata services as providers document them, and link-local ones. */
static const char *const refused[] = {
    "169.254.169.254", "169.254.170.2", "169.254.0.23", "169.254.0.0", "169.254.255.255",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "fe80::1", "febf:ffff::1", "fe80::a9fe:a9fe",
    "fd00:ec2::254", "fd00:ec2::23", "fd00:ec2:0:1::9", "fd20:ce::254", "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    /* inside IPv6 */
    "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::169.254.169.254", "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254", "64:ff9b::a83f:8110", "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0",
    "2002:a9fe:a9fe::1", "2002:6464:64c8::", "2001::5601:5601",
    "2001:0:a9fe:a9fe::", "fd12::5efe:169.254.169.254", "2001:db8::200:5efe:a9fe:a9fe"};
static const char *const allowed[] = {
    "127.0.0.1",        "10.0.0.1",         "192.168.1.1",   "8.8.8.8",     "169.253.255.255",
    "169.255.0.0",      "100.100.100.201",  "168.63.129.17", "192.0.0.191", "::1",
    "2001:db8::1",      "fec0::1",          "fd00:ec3::254", "fd00::1",     "::ffff:127.0.0.1",
    "64:ff9b::8.8.8.8", "2002:0808:0808::1"};

static void test_addresses(void) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    leads_to(NULL, refused[i], 0);
    leads_to("", refused[i], 0);
    leads_to("*.example.com,localhost", refused[i], 0);
    judges(NULL, refused[i], 0);
  }
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    leads_to(NULL, allowed[i], 1);
    leads_to("*.example.com", allowed[i], 1);
    judges("", allowed[i], 1);
  }
  leads_to("169.254.169.254", "169.254.169.254", 1);
  leads_to("*.example.com, 169.254.*", "169.254.169.254", 1);
  leads_to("*", "fd00:ec2::254", 1);
}

static void test_names(void) {
  static const char *const names[] = {
      "metadata", "METADATA", "metadata.", "metadata.google.internal", "Metadata.Google.Internal.",
      "metadata.google.internal..", "metadata.goog", "instance-data", "metadata.azure.internal",
      /* 169.254.169.254 */
      "2852039166", "0xa9fea9fe", "0xA9FEA9FE", "025177524776", "0251.0376.0251.0376",
      "0xa9.0xfe.0xa9.0xfe", "169.254.43518", "169.16689662", "169.254.169.254.", "0xa9.254.0xa9fe",
      "0251.254.169.0xfe", "00000251.0376.169.254",
      /* they look like addresses, and are none: another resolver may have its own idea */
      "7147006462", "169.254.169.510", "1.169.254.169.254", "0x1a9fea9fe", "169.254.169.08", "1:2",
      "fe80::1%eth0", ":", "...", ".", ""};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) judges(NULL, names[i], 0);
  judges(NULL, "example.com", 1);
  judges(NULL, "metadata.example.com", 1);
  judges(NULL, "169.254.169.254.example.com", 1);
  judges(NULL, "2852039166.example", 1);
  judges(NULL, "2130706433", 1);
  judges(NULL, "0x7f.1", 1);
  judges("*.example.com", "a.example.com", 1);
  judges("*.example.com", "example.com", 0);
  judges("*.example.com", "a.example.com.evil.net", 0);
  judges("localhost,127.0.0.1", "127.0.0.1", 1);
  judges("localhost,127.0.0.1", "2130706433", 0);
}

/* What curl, or a browser, might take for another host than is read here has none. */
static void test_hosts_of_urls(void) {
  has_host("https://user:pw@h.example:8/p@x", "h.example");
  has_host("https://a@b@c/", "c");
  has_host("https://[::1]:80/", "::1");
  has_host("https://h?x", "h");
  has_host("https://h#@evil/", "h");
  has_host("https://h\\@evil/", "evil"); /* as libcurl has it */
  has_host("https://evil%2f@h/", "h");
  has_host("https://h%2eexample/", "");
  has_host("https://[fe80::1%25eth0]/", "");
  has_host("https://h x/", "");
  has_host("https://h\tx/", "");
  has_host("https://\xef\xbc\x91\xef\xbc\x96\xef\xbc\x99.254.169.254/", "");
  has_host(
      "https://169\xe3\x80\x82"
      "254.169.254/",
      "");
  has_host("https:///x", "");
  has_host("mailto:x", "");
}

int main(void) {
  test_addresses();
  test_names();
  test_hosts_of_urls();
  return check_report();
}
