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

/* Off the usual path: parsed once more, so that on the usual one a parsed packet need not exist as memory. */
core_cold void burst_other(const struct tables *t, const struct frame *f, struct verdict *v)
{
	struct packet p;

	packet_parse(f, &p);
	forward_other(t, f, &p, v);
}

/*
 * Verdicts on n frames (1..BURST_MAX); frames bound for a backend have their MAC addresses rewritten. To carry
 * out an ACTION_ANSWER_* the body parses the frame again. The worker's own thread. Nothing here blocks,
 * allocates or calls out.
 */
core_inline void forward_burst(const struct tables *t, const struct frame *frames, struct verdict *verdicts,
	__u32 n)
{
	struct lookup lookups[BURST_MAX];
	__u64 first[BURST_MAX], last[BURST_MAX], hashes[BURST_MAX];
	const __u64 *key;
	const struct snapshot_vip *last_vip = (void *)0;
	__u32 n_flows = 0;

	for (__u32 i = 0; i < n; i++) {
		struct lookup *l = &lookups[n_flows];
		struct flow_message m;
		struct packet p;
		enum match match;

		packet_parse(&frames[i], &p);
		/* Packets of one VIP come in runs, the more so the busier it is. */
		match = forward_match(t, &frames[i], &p, last_vip, l, &verdicts[i]);
		if (core_unlikely(match != MATCH_FLOW)) {
			if (match == MATCH_OTHER)
				burst_other(t, &frames[i], &verdicts[i]);
			continue;
		}
		m = flow_message_ipv4(p.src, p.dst, p.sport, p.dport, p.proto);
		if (core_unlikely(!addr_is_ipv4(p.dst))) {
			/* A flow that isn't IPv4's brings its own hash: marked by a length no message has. */
			forward_hash(t, &p, l);
			m.first = l->hash;
			m.last = 0;
		}
		first[n_flows] = m.first;
		last[n_flows] = m.last;
		last_vip = l->vip;
		l->frame = (__u8)i;
		n_flows++;
	}
	if (!n_flows)
		return;
	/* In vector registers. */
	key = t->header->hash_key;
	for (__u32 i = 0; i < n_flows; i++) {
		__u64 hash = flow_hash_ipv4(key, (struct flow_message){ first[i], last[i] });

		hashes[i] = last[i] ? hash : first[i];
	}
	for (__u32 i = 0; i < n_flows; i++) {
		lookups[i].hash = hashes[i];
		forward_place(t, &lookups[i]);
		if (core_likely(t->n_buckets))
			__builtin_prefetch(tables_bucket(t, lookups[i].place.bucket[0]), 1);
	}
	/* A CPU may drop a prefetch that has to walk page tables; reads in so short a loop overlap, too. */
	if (core_likely(t->n_buckets))
		for (__u32 i = 0; i < n_flows; i++)
			(void)*(volatile const __u64 *)&tables_bucket(t, lookups[i].place.bucket[0])->word[0];
	for (__u32 i = 0; i < n_flows; i++) {
		struct lookup *l = &lookups[i];

		if (core_unlikely(!forward_probe(t, l)) && t->n_buckets) {
			__builtin_prefetch(tables_bucket(t, l->place.bucket[1]), 1);
			if (l->vip->slot_count)
				__builtin_prefetch(&t->slots[forward_hash_slot(l->vip, flow_slot_hash(l->hash))]);
		}
	}
	for (__u32 i = 0; i < n_flows; i++)
		forward_finish(t, &frames[lookups[i].frame], &lookups[i], &verdicts[lookups[i].frame]);
}

#endif
