/*
 * Objects of S3 and of stores that speak its protocol (s3://, gs://), and of Azure's blob store
 * (az://, abfs://): listing, and writing in parts, so that an object is complete or absent and
 * memory is bounded by one part.
 *
 * THREADS  Any, one upload in one thread at a time.
 */
#ifndef SC_STORE_OBJECTS_H
#define SC_STORE_OBJECTS_H

#include "base/buffer.h"
#include "base/status.h"

/*
 * Keys below root that begin with prefix, without root, in their order, each passed to found().
 *
 * root     "s3://bucket" or "s3://bucket/folder", without '/' at its end.
 * Source   ListObjectsV2: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 *          List Blobs: https://learn.microsoft.com/rest/api/storageservices/list-blobs
 */
sc_status sc_objects_list(const char *root, const char *prefix,
                          sc_status (*found)(void *context, const char *key, struct sc_error *err),
                          void *context, struct sc_error *err);

/*
 * A multipart upload, or blocks of a blob: open, write, finish (everything is at the store, nothing
 * is seen), commit (it has its name), close. Closed without a commit, its parts are thrown away;
 * where the process is killed before, they stay unseen until the bucket's rules remove them. Azure
 * knows no way to throw blocks away: it does so itself after a week.
 * Source   https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 *          https://learn.microsoft.com/rest/api/storageservices/put-block-list
 */
struct sc_upload;
/* SC_UNSUPPORTED for URLs that cannot be written to. */
sc_status sc_upload_open(const char *url, struct sc_upload **out, struct sc_error *err);
sc_status sc_upload_write(struct sc_upload *u, const void *data, size_t n, struct sc_error *err);
sc_status sc_upload_finish(struct sc_upload *u, struct sc_error *err);
sc_status sc_upload_commit(struct sc_upload *u, struct sc_error *err);
void sc_upload_close(struct sc_upload *u);

#endif
