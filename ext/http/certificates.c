/* Where a system keeps certificates of authorities; see certificates.h. */
#include "http/certificates.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static int libcurl_knows(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  return info->age < CURLVERSION_SEVENTH || info->cainfo || info->capath;
}

static const char *from_environment(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static const char *find_file(void) {
  static const char *const files[] = {
      "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch */
      "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora from 43 on */
      "/etc/ssl/ca-bundle.pem",                            /* SUSE */
      "/etc/ssl/cert.pem",                                 /* Alpine */
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (access(files[i], R_OK) == 0) return files[i];
  }
  return NULL;
}

const char *sc_certificates_file(void) {
  const char *file = from_environment("AWS_CA_BUNDLE");
  if (file || libcurl_knows()) return file;
  if (!file) file = from_environment("CURL_CA_BUNDLE");
  if (!file) file = from_environment("SSL_CERT_FILE");
  return file ? file : find_file();
}

int sc_certificates_are_missing(void) { return !libcurl_knows() && !sc_certificates_file(); }
