/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of sources that began flows lately: its layout. What it is for says sources.h. A word a source and
 * VIP, eight to a 64-byte bucket, the one bucket that it may be in; shared by all workers of a forwarder, without
 * locks.
 */
#ifndef SHUNT_SOURCE_TABLE_H
#define SHUNT_SOURCE_TABLE_H

#include "types.h"

#define SOURCE_BUCKETS 131072 /* of a forwarder: a million words in 8 MiB; a power of two */
#define SOURCE_WORDS 8

/* 0: free; else a fingerprint in the high half and, in the low one, when the source's next flow is due (rate.h).
 */
struct source_bucket {
	__u64 word[SOURCE_WORDS]; /* any worker: rw by compare-and-swap */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct source_bucket) == 64, "source bucket");

#endif
