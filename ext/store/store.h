/*
 * Where a processor writes: a local directory or a bucket of an object store. An object is
 * complete or absent: local files are written beside and renamed, stores do it by themselves.
 */
#ifndef SC_STORE_STORE_H
#define SC_STORE_STORE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

/* `bucket`: "s3://name(/prefix)", "gs://...", a directory, or a bare bucket name as the Python
 * package takes it (which is s3 where no such directory is there). *out: with no '/' at its
 * end; freed with sc_free(). */
sc_status sc_store_root(const char *bucket, char **out, struct sc_error *err);

/* "{root}/{key}"; freed with sc_free(). */
sc_status sc_store_path(const char *root, const char *key, char **out, struct sc_error *err);

#define SC_SIZE_UNKNOWN UINT64_MAX
/* Is there something at a key, and how large is it? SC_SIZE_UNKNOWN where nobody says. */
sc_status sc_store_look(const char *root, const char *key, int *exists, uint64_t *size,
                        struct sc_error *err);
/* The same of what an href (a URL or a local path) names. */
sc_status sc_store_look_at(const char *href, int *exists, uint64_t *size, struct sc_error *err);
/* Write, and look at the size of what is then there: SC_IO, and nothing there, where it differs. */
sc_status sc_store_put(const char *root, const char *key, const void *bytes, size_t n,
                       struct sc_error *err);
/* SC_DENIED where a link leads out of the allowed folders. */
sc_status sc_store_get(const char *root, const char *key, struct sc_buffer *out,
                       struct sc_error *err);

/*
 * Copy what an href (a URL or a local path, which has passed the access rules: sc_href_allow())
 * names to a key, complete or not at all.
 *
 * By the store itself where both are of S3 (CopyObject, of up to 5 GB); else through here in
 * pieces of 16 MB: a local file, or a multipart upload, of any size. A server that knows no
 * ranges is asked for all at once, up to 256 MB (SC_TOO_BIG). SC_CHANGED where size or ETag of
 * the source change meanwhile. The size of the copy is looked at; a wrong one is removed.
 */
sc_status sc_store_copy(const char *href, const char *root, const char *key, struct sc_error *err);

/* Keys below a prefix, in order, each passed to found(). SC_DENIED where a folder is a link out of
 * the allowed ones. */
sc_status sc_store_list(const char *root, const char *prefix,
                        sc_status (*found)(void *context, const char *key, struct sc_error *err),
                        void *context, struct sc_error *err);

#endif
