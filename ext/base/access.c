/* Which hosts may be reached; see access.h. */
#include "base/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
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

int sc_access_host(const char *patterns, const char *host) {
  static const char *const metadata_names[] = {"metadata.google.internal", "metadata",
                                               "instance-data", "169.254.169.254",
                                               "100.100.100.200"};
  if (!patterns || !*patterns) {
    for (size_t i = 0; i < sizeof metadata_names / sizeof *metadata_names; i++) {
      if (strcasecmp(host, metadata_names[i]) == 0) return 0;
    }
    return 1;
  }
  while (*patterns) {
    size_t n = strcspn(patterns, ", ");
    if (n && n < 256 && matches(patterns, n, host)) return 1;
    patterns += n;
    patterns += strspn(patterns, ", ");
  }
  return 0;
}

static int address4_allowed(const unsigned char *a) {
  static const unsigned char alibaba_metadata[4] = {100, 100, 100, 200};
  return !(a[0] == 169 && a[1] == 254) && memcmp(a, alibaba_metadata, 4) != 0;
}

int sc_access_address(const struct sockaddr *address) {
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static const unsigned char aws_metadata[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0,    0,
                                                 0,    0,    0,    0,    0, 0, 0x02, 0x54};
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    return address4_allowed((const unsigned char *)&in.sin_addr);
  }
  if (address->sa_family != AF_INET6) return 0;
  struct sockaddr_in6 in6;
  memcpy(&in6, address, sizeof in6);
  const unsigned char *a = in6.sin6_addr.s6_addr;
  if (memcmp(a, mapped, sizeof mapped) == 0) return address4_allowed(a + 12);
  return !(a[0] == 0xfe && (a[1] & 0xc0) == 0x80) && memcmp(a, aws_metadata, 16) != 0;
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
  /* libcurl would decode it, and go to another host than the one that was looked at. */
  if (strpbrk(out, "%@\\")) out[0] = '\0';
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
  snprintf(out, n, "%.*s%.*s", (int)(authority - href), href, (int)strcspn(from, "?#"), from);
  return out;
}
