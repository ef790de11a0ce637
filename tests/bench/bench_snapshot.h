/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the benchmarks of all paths forward: one VIP, 192.0.2.80:80/tcp, 100 backends, and packets of flows to it.
 * A second VIP, 192.0.2.80:443/tcp, of the same backends, for what becomes of others.
 */
#ifndef SHUNT_BENCH_SNAPSHOT_H
#define SHUNT_BENCH_SNAPSHOT_H

#include <stddef.h>

#include "snapshot.h"

#define BENCH_BACKENDS 100
#define BENCH_FRAME_LEN 60 /* 64 with the FCS */

/* The snapshot, for a flow table of this capacity: *size bytes, the caller's to free. NULL, and said, if it can't
 * be. */
void *bench_snapshot(__u64 capacity, size_t *size);

/*
 * The same with a bound of half-open flows for each VIP, and new flows for n of the backends alone, from first on:
 * the others are drained.
 */
void *bench_snapshot_of(__u64 capacity, __u32 bound, __u32 first, __u32 n, size_t *size);

#define BENCH_OTHER_PORT 443

/* The flow's packet with these TCP flags: BENCH_FRAME_LEN bytes. */
void bench_frame(__u8 *frame, __u32 flow, __u8 tcp_flags);

#endif
