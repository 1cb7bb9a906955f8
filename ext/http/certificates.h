/* The certificates of the authorities that servers are checked against, where libcurl was built to
 * run on any system and so knows no place of its own for them. */
#ifndef SC_HTTP_CERTIFICATES_H
#define SC_HTTP_CERTIFICATES_H

/* The file for CURLOPT_CAINFO: AWS_CA_BUNDLE of the environment; where libcurl knows no place, also
 * CURL_CA_BUNDLE and SSL_CERT_FILE, and where distributions keep it. NULL: libcurl's own, or there
 * is none. */
const char *sc_certificates_file(void);

/* Does libcurl know no place, and sc_certificates_file() neither? */
int sc_certificates_are_missing(void);

#endif
