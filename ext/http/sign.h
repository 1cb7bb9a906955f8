/*
 * From the URL of an object store (s3, gs, az, abfs, abfss) to what is asked over HTTP: endpoint,
 * signature, token. Read from the environment that GDAL users know, at each request; nothing
 * is stored.
 *
 * s3   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE with
 *      ~/.aws/credentials and ~/.aws/config (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE),
 *      AWS_REGION, AWS_DEFAULT_REGION, AWS_NO_SIGN_REQUEST, AWS_REQUEST_PAYER, AWS_S3_ENDPOINT,
 *      AWS_HTTPS, AWS_VIRTUAL_HOSTING. Signature version 4:
 *      https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * gs   GS_ACCESS_KEY_ID, GS_SECRET_ACCESS_KEY (HMAC keys), else anonymous; CPL_GS_ENDPOINT
 * az   AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_SAS_TOKEN; of AZURE_STORAGE_CONNECTION_STRING the
 *      AccountName, BlobEndpoint and SharedAccessSignature
 * https to {account}.blob.core.windows.net: the token above for that account's own; for others the
 *      Planetary Computer's SAS tokens, kept until they expire (STACCHIP_PC_SIGN=NO: none)
 *
 * WHERE THEY GO  Names of buckets, accounts, containers and keys are checked by the stores' rules
 * of characters before anything is made of them. A SAS token goes to the account that the
 * environment names, over https or to the endpoint that the environment names; signatures go to
 * the store's endpoint. None is sent on after a redirect (client.c).
 */
#ifndef SC_HTTP_SIGN_H
#define SC_HTTP_SIGN_H

#include "base/buffer.h"
#include "base/status.h"
#include "http/http_api.h"

#define SC_SIGNED_HEADERS_MAX 8

/* What goes over the wire. Zeroed is empty; sc_signed_free(). */
struct sc_signed {
  char *url;
  char *headers[SC_SIGNED_HEADERS_MAX]; /* "Name: value", owned; NULL-terminated */
};

/* The URL and headers that go over the wire for a request. SC_BAD_DATA for names that no store
 * allows. A token that must be fetched first is looked up where sc_sign_keep_token() put it. */
sc_status sc_sign_request(const struct sc_http_request *request, struct sc_signed *out,
                          struct sc_error *err);
void sc_signed_free(struct sc_signed *s);

/*
 * The Planetary Computer's token for a URL: *url gets where to ask for it (owned by the
 * caller), or NULL where none is needed or one is kept.
 */
sc_status sc_sign_token_url(const char *url, char **token_url, struct sc_error *err);
/* Keep the token that a response has; a failure is kept too: the container is then public. */
void sc_sign_keep_token(const char *url, const struct sc_http_request *response);

/* In a forked child. */
void sc_sign_abandon(void);

#endif
