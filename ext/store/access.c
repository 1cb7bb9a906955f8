/* Which hosts may be reached; see access.h. */
#include "store/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Match with '*', case ignored. Each '*' takes as little as possible, then more. */
static int matches(const char *pattern, size_t n, const char *host) {
  while (n) {
    if (*pattern == '*') {
      for (;; host++) {
        if (matches(pattern + 1, n - 1, host)) return 1;
        if (!*host) return 0;
      }
    }
    if (!*host || strncasecmp(pattern, host, 1) != 0) return 0;
    pattern++, host++, n--;
  }
  return !*host;
}

/* One of comma separated patterns. */
static int matches_any(const char *patterns, const char *host) {
  while (*patterns) {
    size_t n = strcspn(patterns, ", ");
    if (n && n < 256 && matches(patterns, n, host)) return 1;
    patterns += n;
    patterns += strspn(patterns, ", ");
  }
  return 0;
}

/* --- addresses of metadata services, and what leads to them --- */

/*
 * Link-local addresses, where most clouds have their metadata service, and what others have:
 * Alibaba 100.100.100.200, Azure's wire server 168.63.129.16, Oracle 192.0.0.192; Amazon
 * fd00:ec2::254 and ::23 (pod identity), Google fd20:ce::254, Oracle fd00:c1::a9fe:a9fe, Scaleway
 * fd00:42::42. The ranges of these are whole: they are the provider's own services.
 */
struct range {
  unsigned char prefix[16];
  int bits;
};
static const struct range refused4[] = {
    {{169, 254}, 16}, {{100, 100, 100, 200}, 32}, {{168, 63, 129, 16}, 32}, {{192, 0, 0, 192}, 32}};
static const struct range refused6[] = {{{0xfe, 0x80}, 10},
                                        {{0xfd, 0x00, 0x0e, 0xc2}, 32},
                                        {{0xfd, 0x20, 0x00, 0xce}, 32},
                                        {{0xfd, 0x00, 0x00, 0xc1}, 32},
                                        {{0xfd, 0x00, 0x00, 0x42}, 32}};

/*
 * IPv6 addresses that hold an IPv4 one, which a gateway on the way may take out. Where: of the
 * four bytes from `at` on; NAT64's byte 8 is left out (RFC 6052, section 2.2).
 */
static const struct {
  struct range range;
  unsigned char at[4];
  unsigned char xor ; /* Teredo turns the bits of the client's address over (RFC 4380) */
} embedded[] = {
    {{{0}, 96}, {12, 13, 14, 15}, 0},                                        /* compatible */
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, {12, 13, 14, 15}, 0}, /* mapped */
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, {12, 13, 14, 15}, 0},       /* translated */
    {{{0, 0x64, 0xff, 0x9b}, 96}, {12, 13, 14, 15}, 0},                      /* NAT64 */
    {{{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, {12, 13, 14, 15}, 0},                /* its local use, */
    {{{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, {6, 7, 9, 10}, 0},                   /* RFC 8215 */
    {{{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, {7, 9, 10, 11}, 0},
    {{{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, {9, 10, 11, 12}, 0},
    {{{0x20, 0x02}, 16}, {2, 3, 4, 5}, 0},       /* 6to4 */
    {{{0x20, 0x01, 0, 0}, 32}, {4, 5, 6, 7}, 0}, /* Teredo */
    {{{0x20, 0x01, 0, 0}, 32}, {12, 13, 14, 15}, 0xff},
};

static int is_within(const unsigned char *address, const struct range *r) {
  int whole = r->bits / 8, rest = r->bits % 8;
  if (memcmp(address, r->prefix, (size_t)whole) != 0) return 0;
  return !rest || ((address[whole] ^ r->prefix[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static int refuses4(const unsigned char *a) {
  for (size_t i = 0; i < sizeof refused4 / sizeof *refused4; i++) {
    if (is_within(a, &refused4[i])) return 1;
  }
  return 0;
}

/* ISATAP's addresses end in 0:5efe:a.b.c.d or 200:5efe:a.b.c.d, whatever stands before. */
static int is_isatap(const unsigned char *a) {
  return (a[8] & 0xfd) == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe;
}

static int refuses6(const unsigned char *a) {
  for (size_t i = 0; i < sizeof refused6 / sizeof *refused6; i++) {
    if (is_within(a, &refused6[i])) return 1;
  }
  for (size_t i = 0; i < sizeof embedded / sizeof *embedded; i++) {
    unsigned char inner[4];
    if (!is_within(a, &embedded[i].range)) continue;
    for (int k = 0; k < 4; k++) inner[k] = a[embedded[i].at[k]] ^ embedded[i].xor ;
    if (refuses4(inner)) return 1;
  }
  return is_isatap(a) && refuses4(a + 12);
}

/* Does a name's last part say that all of it is an IPv4 address (WHATWG URL, section 3.5)? */
static int ends_in_number(const char *host) {
  const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
  size_t n = strlen(last);
  if (n > 1 && last[0] == '0' && (last[1] | 32) == 'x') {
    return strspn(last + 2, "0123456789abcdefABCDEF") == n - 2;
  }
  return n > 0 && strspn(last, "0123456789") == n;
}

/* A host that is an address, in any spelling that resolvers know; whatever looks like one and
 * cannot be read is refused: somebody else may be able to. */
static int literal_is_refused(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  if (strchr(host, ':')) return inet_pton(AF_INET6, host, &six) != 1 || refuses6(six.s6_addr);
  if (!ends_in_number(host)) return 0;
  return inet_aton(host, &four) == 0 || refuses4((const unsigned char *)&four);
}

int sc_access_host(const char *patterns, const char *host) {
  static const char *const metadata_names[] = {"metadata",
                                               "metadata.google.internal",
                                               "metadata.goog",
                                               "instance-data",
                                               "metadata.azure.internal",
                                               "metadata.packet.net",
                                               "metadata.platformequinix.com",
                                               "metadata.tencentyun.com",
                                               "instance-data.ec2.internal"};
  char name[256];
  if (patterns && *patterns) return matches_any(patterns, host);
  size_t n = strlen(host);
  while (n && host[n - 1] == '.') n--; /* a full name's last dot */
  if (n == 0 || n >= sizeof name) return 0;
  memcpy(name, host, n);
  name[n] = '\0';
  for (size_t i = 0; i < sizeof metadata_names / sizeof *metadata_names; i++) {
    if (strcasecmp(name, metadata_names[i]) == 0) return 0;
  }
  return !literal_is_refused(name);
}

int sc_access_address(const char *patterns, const struct sockaddr *address) {
  char text[INET6_ADDRSTRLEN];
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  int is_refused = 1;
  if (address->sa_family == AF_INET) {
    memcpy(&in, address, sizeof in);
    is_refused = refuses4((const unsigned char *)&in.sin_addr);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    memcpy(&in6, address, sizeof in6);
    is_refused = refuses6(in6.sin6_addr.s6_addr);
    inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  } else {
    return 0;
  }
  return !is_refused || (patterns && *patterns && matches_any(patterns, text));
}

void sc_access_url_host(const char *url, char *out, size_t n) {
  out[0] = '\0';
  const char *p = strstr(url, "://");
  if (!p) return;
  p += 3;
  size_t length = strcspn(p, "/?#");
  const char *at = memrchr(p, '@', length); /* as libcurl has it: the last one */
  if (at) {
    length -= (size_t)(at + 1 - p);
    p = at + 1;
  }
  if (*p == '[') {
    p++;
    length = strcspn(p, "]/");
  } else {
    size_t port = strcspn(p, ":");
    if (port < length) length = port;
  }
  if (length >= n) return;
  memcpy(out, p, length);
  out[length] = '\0';
  /* libcurl would decode it, or change letters outside ASCII by the rules of international names
   * (which know other digits and dots), and go to another host than the one that was looked at. */
  for (const char *c = out; *c; c++) {
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("%@\\", *c)) {
      out[0] = '\0';
      return;
    }
  }
}

const char *sc_access_skip_user(const char *authority, size_t n, int is_http) {
  const char *at = memrchr(authority, '@', n); /* as libcurl has it: the last one */
  if (!at || (!is_http && !memchr(authority, ':', (size_t)(at - authority)))) return authority;
  return at + 1;
}

const char *sc_access_shown(const char *href, char *out, size_t n) {
  const char *authority = strstr(href, "://");
  if (!authority) {
    snprintf(out, n, "%s", href);
    return out;
  }
  authority += 3;
  const char *from =
      sc_access_skip_user(authority, strcspn(authority, "/?#"), strncasecmp(href, "http", 4) == 0);
  size_t length = strcspn(from, "?#"), plain = strcspn(from, ";"); /* "/a;token=x" */
  if (plain < length && memchr(from + plain, '=', length - plain)) length = plain;
  snprintf(out, n, "%.*s%.*s", (int)(authority - href), href, (int)length, from);
  return out;
}

/* "https://host:port" of a URL, the user part left out and the scheme's port filled in. */
static void origin_of(const char *url, char *out, size_t n) {
  const char *authority = strstr(url, "://");
  char host[256];
  sc_access_url_host(url, host, sizeof host);
  int https = strncasecmp(url, "https", 5) == 0, port = https ? 443 : 80;
  if (authority) {
    size_t length = strcspn(authority + 3, "/?#");
    const char *bare = sc_access_skip_user(authority + 3, length, 1), *end = authority + 3 + length;
    const char *bracket = memchr(bare, ']', (size_t)(end - bare));
    const char *from = bracket ? bracket : bare, *colon = memchr(from, ':', (size_t)(end - from));
    if (colon && colon + 1 < end) port = (int)strtol(colon + 1, NULL, 10);
  }
  snprintf(out, n, "%s://%s:%d", https ? "https" : "http", host, port);
}

int sc_access_same_origin(const char *a, const char *b) {
  char first[300], second[300];
  origin_of(a, first, sizeof first);
  origin_of(b, second, sizeof second);
  return strcasecmp(first, second) == 0;
}
