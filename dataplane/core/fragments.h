/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments. Only the first of a datagram has ports, so only it tells the flow; a rule that did without them (by
 * addresses, say) would send a datagram elsewhere than the rest of its flow. So the first goes where its flow goes,
 * and leaves an entry in a table that all workers share; the others follow it by source, destination, identification
 * and, in IPv4, protocol (RFC 791, RFC 8200 4.5). One that comes before its first is held (ACTION_HOLD): the body
 * keeps it for FRAGMENT_WAIT_MS and looks again meanwhile. Access list and rates are asked of the first alone.
 *
 * What a flood costs, first or later fragments, spoofed or not:
 * - Memory: FRAGMENT_BUCKETS * 64 bytes, for 16,384 datagrams, made when the forwarder starts; no allocation.
 * - Time: of a first one a flow's packet and one line of this table; of a later one one hash and one line. An entry
 *   is dead 16 to 20 s after its first fragment (FRAGMENT_TICKS), and freed when the sweeper (sweep.h) comes by.
 * - Others' datagrams: a first fragment that finds its bucket full takes the place of one of the oldest there. At a
 *   million of them a second an entry stays for 16 ms in the mean, and the fragments of a datagram that is sent in
 *   one go still follow theirs.
 * - What waits: on the DPDK path 64 buffers of a worker's (waiting.h), on the XDP path 256 frames and 1 MiB in shuntd
 *   (control/daemon/fragment_room.h), which looks at its rings once a millisecond at the most. One that has waited for
 *   FRAGMENT_STAY_MS gives way to a newer one, so that a flood of later fragments leaves room to who is only out of
 *   order as long as it is slower than what there is room for in that time. In order none has to wait.
 * Whoever doesn't know the key can't make datagrams meet: all 64 bits of a keyed hash are compared.
 *
 * Kept out by name: a first fragment without its whole TCP or UDP header and a TCP fragment at offset 8 (RFC 1858,
 * RFC 3128, RFC 7112): drop_fragment_tiny, by what the packet alone says. A later one that begins before the first
 * one's end, and another first of other length in the same seconds (RFC 5722): drop_fragment_overlap. Later ones that
 * overlap each other are their receiver's to tell.
 */
#ifndef SHUNT_FRAGMENTS_H
#define SHUNT_FRAGMENTS_H

#include "forward.h"
#include "fragment_table.h"
#include "parse.h"
#include "tables.h"
#include "types.h"
#include "verdicts.h"

/* The bucket of a datagram with this hash; NULL: there is no table. */
core_inline struct fragment_bucket *fragment_bucket(const struct tables *t, __u64 hash)
{
	__u32 n = tables_n_fragment_buckets(t);

	return n ? tables_fragment_bucket(t, core_range((__u32)(hash >> 32), n)) : (void *)0;
}

/* Where the datagram's first fragment went. Returns 1, or 0 if none is known. */
core_inline int fragment_find(const struct tables *t, __u64 hash, struct fragment_home *home)
{
	const struct fragment_bucket *bucket = fragment_bucket(t, hash);

	if (!bucket)
		return 0;
	core_unroll
	for (int i = 0; i < FRAGMENT_ENTRIES; i++) {
		__u64 claim = *(volatile const __u64 *)&bucket->entry[i].claim;
		__u64 word = *(volatile const __u64 *)&bucket->entry[i].word;

		if (!fragment_is(claim, word, hash, tables_tick(t)))
			continue;
		*home = (struct fragment_home){ .backend = (__u32)(word >> FRAGMENT_BACKEND_SHIFT),
			.vip = (__u32)(claim >> FRAGMENT_VIP_SHIFT) & 0xffff,
			.units = fragment_claim_units(claim) };
		return 1;
	}
	return 0;
}

/*
 * Note where a datagram's first fragment goes. Returns 0; or -1, and nothing changed, if another one of other length
 * came in this very tick; after that it is rather the identification that is used again, of which IPv4 has few
 * (RFC 4963). Where other workers are faster twice it is not noted: then the others wait in vain.
 */
core_inline int fragment_enter(const struct tables *t, __u64 hash, const struct fragment_home *home)
{
	struct fragment_bucket *bucket = fragment_bucket(t, hash);
	__u32 tick = tables_tick(t);
	__u64 claim = fragment_claim(hash, home->vip, home->units, tick), word = fragment_word(hash, home->backend);

	if (!bucket)
		return 0;
	core_unroll
	for (int attempt = 0; attempt < 2; attempt++) {
		struct fragment_entry *entry = &bucket->entry[0];
		__u32 best = 0;
		__u64 old = 0;

		core_unroll
		for (__u32 i = 0; i < FRAGMENT_ENTRIES; i++) {
			__u64 its = *(volatile __u64 *)&bucket->entry[i].claim;
			/* Of those equally old the hash chooses, so that no order of arrival keeps any. */
			__u32 rank = flow_word_age(its, tick) << 3 | ((i ^ (__u32)hash) & 3) << 1 | 1;

			if (fragment_is(its, *(volatile __u64 *)&bucket->entry[i].word, hash, tick)) {
				if (fragment_claim_units(its) != home->units && !flow_word_age(its, tick))
					return -1;
				rank = 0xffffffff;
			} else if (!its) {
				rank = 0x7fffffff;
			}
			if (rank > best) {
				best = rank;
				entry = &bucket->entry[i];
				old = its;
			}
		}
		if (old == claim || __sync_val_compare_and_swap(&entry->claim, old, claim) == old) {
			*(volatile __u64 *)&entry->word = word;
			return 0;
		}
	}
	return 0;
}

core_inline __u64 fragment_hash_of(const struct tables *t, const struct packet *p)
{
	return fragment_hash(tables_header(t)->hash_key, p->src, p->dst, p->frag_id, p->proto);
}

/*
 * A later fragment, of which all else has been found to be in order. *v: ACTION_HOLD. Becomes where it goes, and then
 * the frame has its new MAC addresses; or a drop; or stays as it is, if no first is known. Counts nothing.
 */
core_inline void fragment_follow_hash(
	const struct tables *t, const struct frame *f, __u32 offset, __u64 hash, struct verdict *v)
{
	struct eth_header *eth = (struct eth_header *)frame_at(f, 0, sizeof(*eth));
	const struct snapshot_backend *backend;
	struct fragment_home home = { 0 };

	if (!eth || !fragment_find(t, hash, &home))
		return;
	backend = forward_any_backend(t, home.backend);
	if (offset < home.units * 8) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_FRAGMENT_OVERLAP);
	} else if (!backend) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_NO_BACKEND);
	} else {
		*(struct mac_pair *)eth = *(const struct mac_pair *)&backend->dst;
		*v = (struct verdict){ .action = ACTION_TO_BACKEND,
			.counter = COUNTER_FORWARDED,
			.port = backend->port,
			.vip = (__u16)home.vip,
			.backend = (__u16)home.backend };
	}
}

core_inline void fragment_follow(const struct tables *t, const struct frame *f, const struct packet *p, struct verdict *v)
{
	fragment_follow_hash(t, f, p->frag_offset, fragment_hash_of(t, p), v);
}

/* The first fragment, bound for a backend. The frame stays the same, but *v may become a drop. */
core_inline void fragment_lead(const struct tables *t, const struct packet *p, struct verdict *v)
{
	struct fragment_home home = { v->backend, v->vip, (p->frag_len + 7u) / 8 };

	if (fragment_enter(t, fragment_hash_of(t, p), &home))
		verdict_set(v, ACTION_DROP, COUNTER_DROP_FRAGMENT_OVERLAP);
	else
		tables_count(t, COUNTER_FRAGMENT_FIRST);
}

/*
 * The last step for a packet that is a fragment (p->fragment), in the order in which they came. *v: the verdict of
 * the steps before: of a first one that of a flow's packet, of a later one ACTION_HOLD if it may follow. What is then
 * still held the body keeps, if it has room, and asks again with fragment_follow().
 */
core_cold void fragment_resolve(const struct tables *t, const struct frame *f, const struct packet *p, struct verdict *v)
{
	if (v->action == ACTION_HOLD) {
		fragment_follow(t, f, p, v);
		if (v->action == ACTION_TO_BACKEND)
			tables_count(t, COUNTER_FRAGMENT_LATER);
	} else if (v->action == ACTION_TO_BACKEND) {
		fragment_lead(t, p, v);
	}
}

#endif
