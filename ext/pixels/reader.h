/*
 * Batches read ahead: a thread runs the jobs of a feed (feed.h), one after the other, while the
 * caller works with a batch. The pool helps it, as it helps any reader.
 *
 * THREADS  All functions are for the connection's thread.
 */
#ifndef SC_PIXELS_READER_H
#define SC_PIXELS_READER_H

#include "pixels/feed.h"

struct sc_reader;

/*
 * Begin with batch feed->first.
 *
 * ahead  Batches that are read beyond the one that the caller has; 0: none, and no thread: the
 *        caller's reads each when it asks for it. So it is where no thread can be had.
 */
sc_status sc_reader_start(struct sc_feed *feed, size_t ahead, struct sc_reader **out,
                          struct sc_error *err);

/*
 * The next batch, settled; *out is the reader's until the next call. SC_INTERRUPT where the
 * connection was interrupted meanwhile. Call it only while there is a next batch.
 */
sc_status sc_reader_next(struct sc_reader *reader, struct sc_job **out, struct sc_error *err);

/* Stop and join the thread, and free all jobs; NULL is fine. In a forked child, whose thread does
 * not exist, nothing is touched. */
void sc_reader_stop(struct sc_reader *reader);

#endif
