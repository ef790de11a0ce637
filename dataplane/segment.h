/* SPDX-License-Identifier: BSD-3-Clause */
/* The statistics segment (core/stats.h): made here, written by workers and main thread, mapped by shuntd. */
#ifndef SHUNT_SEGMENT_H
#define SHUNT_SEGMENT_H

#include "fragment_table.h"
#include "snapshot.h"
#include "stats.h"

struct segment {
	struct stats_header *header;
	struct stats_worker *workers;
	struct fragment_bucket *fragments; /* workers: rw */
	__u64 size;
	int fd; /* may only be mapped for reading: the one to give away */
};

/* Returns 0, or -1 with a line logged. */
int segment_open(struct segment *s, unsigned int workers, unsigned int ports);
void segment_close(struct segment *s);

/* Have memory behind the counters of the snapshot's VIPs and backends, so that no worker faults on them. */
void segment_populate(struct segment *s, const struct snapshot_header *snapshot);

/* Sign of life. */
void segment_beat(struct segment *s);

#endif
