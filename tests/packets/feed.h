/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other end of a dataplane's channel (dataplane/core/channel.h) for tests: hands it snapshots, sees what it
 * counts, and reaches into its flow table and that of fragments. It stands in for shuntd, which must not be connected
 * meanwhile.
 */
#ifndef SHUNT_FEED_H
#define SHUNT_FEED_H

#include <stddef.h>
#include <sys/types.h>

#include "channel.h"
#include "flow_table.h"
#include "fragment_table.h"
#include "stats.h"

struct feed {
	int fd;
	struct channel_hello hello;
	const struct stats_header *stats;   /* mapped */
	const struct stats_worker *workers; /* hello.n_workers of them */
	struct flow_table_header *flows;    /* mapped for writing, or NULL before the first snapshot */
	size_t flows_size;
	struct fragment_bucket *fragments; /* FRAGMENT_BUCKETS, mapped for writing */
	char error[320];
};

/* Connect and be greeted. Returns 0, or -1 with f->error; feed_close() in either case. */
int feed_open(struct feed *f, const char *path);
void feed_close(struct feed *f);

/*
 * Send a block and wait for the answer. stated: the version the message says. sealed: whether the memfd is.
 * Returns 0 if it is in force, 1 if it was refused, with why in f->error, -1 if something else went wrong.
 */
int feed_snapshot(struct feed *f, const void *block, size_t size, __u64 stated, int sealed);

/* Send any bytes as a message, with descriptor fd or -1. Returns 1 if the dataplane closes the channel on it. */
int feed_nonsense(struct feed *f, const void *message, size_t size, int fd);

/* A counter over all workers; packets received by all. */
__u64 feed_counter(const struct feed *f, unsigned counter);
__u64 feed_received(const struct feed *f);

static inline struct flow_bucket *feed_buckets(const struct feed *f)
{
	return (struct flow_bucket *)((char *)f->flows + FLOW_TABLE_HEADER_SIZE);
}

#endif
