/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of packets through the forwarder, step by step for all of them, so that the memory one step
 * asks for arrives while the others' is handled. For bodies whose tables are ordinary memory.
 */
#ifndef SHUNT_BURST_H
#define SHUNT_BURST_H

#include "forward.h"
#include "tables.h"

#define BURST_MAX 32

/*
 * Verdicts on n frames (1..BURST_MAX); frames bound for a backend have their MAC addresses rewritten.
 * lookups: scratch of BURST_MAX, whose packets an ACTION_ANSWER_* needs afterwards. The worker's own
 * thread. Nothing here blocks, allocates or calls out.
 */
core_inline void forward_burst(const struct tables *t, const struct frame *frames, struct lookup *lookups,
	struct verdict *verdicts, __u32 n)
{
	__u8 flow[BURST_MAX];
	__u32 n_flows = 0;

	for (__u32 i = 0; i < n; i++) {
		struct lookup *l = &lookups[i];

		packet_parse(&frames[i], &l->packet);
		if (forward_begin(t, &frames[i], l, &verdicts[i])) {
			if (core_likely(t->n_buckets))
				__builtin_prefetch(tables_bucket(t, l->place.bucket[0]), 1);
			flow[n_flows++] = (__u8)i;
		}
	}
	for (__u32 i = 0; i < n_flows; i++) {
		struct lookup *l = &lookups[flow[i]];

		if (core_unlikely(!forward_probe(t, l)) && t->n_buckets)
			__builtin_prefetch(tables_bucket(t, l->place.bucket[1]), 1);
	}
	for (__u32 i = 0; i < n_flows; i++)
		forward_finish(t, &frames[flow[i]], &lookups[flow[i]], &verdicts[flow[i]]);
}

#endif
