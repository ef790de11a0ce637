/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a block may be used as a snapshot: everything the forwarder later takes for granted is looked
 * at here once, so that no content whatever can make it read outside the block or send a packet to a
 * backend of another pool. For shuntd (its own work), forwarders (what they receive) and fuzzers.
 */
#ifndef SHUNT_SNAPSHOT_CHECK_H
#define SHUNT_SNAPSHOT_CHECK_H

#include "access.h"
#include "flow_table.h"
#include "parse.h"
#include "rate.h"
#include "snapshot.h"
#include "tables.h"
#include "vip.h"

/* Why a block was refused: a sentence without end mark, and which entry it speaks of. */
struct snapshot_fault {
	const char *what;
	__u64 index;
};

core_inline __u64 snapshot_lane(__u64 lane, __u64 word)
{
	lane = (lane ^ word) * 0x9e3779b97f4a7c15ULL;
	return lane ^ lane >> 29;
}

core_inline __u64 snapshot_mix(__u64 sum, __u64 lane)
{
	sum = (sum ^ lane) * 0xd6e8feb86659fd93ULL;
	return sum ^ sum >> 32;
}

/*
 * Checksum of a block of size bytes, its own field left out; block 8-byte aligned, size a multiple of 8.
 * Four lanes of multiply and shift over 64-bit words: finds every damage short of intent. The lanes are
 * four variables, for a step of each waits for the one before.
 */
core_inline __u64 snapshot_checksum(const void *block, __u64 size)
{
	const __u64 *word = (const __u64 *)block;
	const __u64 skip = __builtin_offsetof(struct snapshot_header, checksum) / 8;
	__u64 a = size, b = ~size, c = size * 3, d = size * 5, n = size / 8;

	for (__u64 i = 0; i + 4 <= n; i += 4) {
		a = snapshot_lane(a, word[i]);
		b = snapshot_lane(b, word[i + 1]);
		c = snapshot_lane(c, word[i + 2]);
		d = snapshot_lane(d, i + 3 == skip ? 0 : word[i + 3]);
	}
	if (n & 3)
		a = snapshot_lane(a, word[n & ~3ULL]);
	if ((n & 3) > 1)
		b = snapshot_lane(b, word[(n & ~3ULL) + 1]);
	if ((n & 3) > 2)
		c = snapshot_lane(c, word[(n & ~3ULL) + 2]);
	return snapshot_mix(snapshot_mix(snapshot_mix(a, b), c), d);
}

_Static_assert(__builtin_offsetof(struct snapshot_header, checksum) / 8 % 4 == 3, "the lane that leaves it out");

core_inline int snapshot_fail(struct snapshot_fault *fault, const char *what, __u64 index)
{
	fault->what = what;
	fault->index = index;
	return -1;
}

/* Whether count entries of entry_size bytes at offset lie within the block, behind its header. */
core_inline int snapshot_table_fits(__u64 size, __u64 offset, __u64 count, __u64 entry_size)
{
	return offset % 64 == 0 && offset >= sizeof(struct snapshot_header) && offset <= size &&
	       count <= (size - offset) / entry_size;
}

core_inline int snapshot_check_header(const struct snapshot_header *h, __u64 size, struct snapshot_fault *fault)
{
	if (h->magic != SNAPSHOT_MAGIC)
		return snapshot_fail(fault, "it is no snapshot (wrong magic)", 0);
	if (h->abi != SNAPSHOT_ABI)
		return snapshot_fail(fault, "it has another layout version than this program", h->abi);
	if (h->size != size)
		return snapshot_fail(fault, "its stated size is not the size of the block", h->size);
	if (h->version == 0)
		return snapshot_fail(fault, "version 0 stands for none", 0);
	if (h->n_ports < 1 || h->n_ports > SNAPSHOT_MAX_PORTS)
		return snapshot_fail(fault, "number of ports out of range", h->n_ports);
	if (h->flow_capacity < FLOW_CAPACITY_MIN || h->flow_capacity > FLOW_CAPACITY_MAX)
		return snapshot_fail(fault, "flow table capacity out of range", h->flow_capacity);
	for (__u32 i = FLOW_SYN; i < 8; i++)
		if (i < FLOW_STATE_COUNT ? h->timeout[i] < 1 || h->timeout[i] > FLOW_TIMEOUT_MAX_S / FLOW_TICK_S :
					   h->timeout[i] != 0)
			return snapshot_fail(fault, "flow timeout out of range", i);
	if (h->timeout[FLOW_NONE])
		return snapshot_fail(fault, "flow timeout out of range", FLOW_NONE);
	if (h->vip_index_size < 1 || h->vip_index_size > 1u << 20 || h->vip_index_size & (h->vip_index_size - 1))
		return snapshot_fail(fault, "size of the VIP index is no power of two", h->vip_index_size);
	if (h->vip_index_probe < 1 || h->vip_index_probe > SNAPSHOT_MAX_PROBE)
		return snapshot_fail(fault, "probe bound of the VIP index out of range", h->vip_index_probe);
	if (h->n_pools > SNAPSHOT_MAX_IDS)
		return snapshot_fail(fault, "too many pools", h->n_pools);
	if (h->n_backends > SNAPSHOT_MAX_IDS)
		return snapshot_fail(fault, "too many backends", h->n_backends);
	if (h->n_slots > 0xffffffffULL)
		return snapshot_fail(fault, "too many slots", h->n_slots);
	if (h->n_policies > SNAPSHOT_MAX_IDS)
		return snapshot_fail(fault, "too many policies", h->n_policies);
	if (h->n_access > SNAPSHOT_MAX_ACCESS)
		return snapshot_fail(fault, "too many access lists", h->n_access);
	if (h->n_access_words > 0xfffffff0ULL)
		return snapshot_fail(fault, "too many words of access lists", h->n_access_words);
	if (h->n_rules > SNAPSHOT_MAX_RULES)
		return snapshot_fail(fault, "too many rules of access lists", h->n_rules);
	if ((__u64)h->echo_tolerance + h->echo_interval > RATE_HORIZON)
		return snapshot_fail(fault, "the burst of pings is out of range", h->echo_tolerance);
	if (h->reserved0)
		return snapshot_fail(fault, "a reserved field is set", 0);
	for (__u32 i = 0; i < sizeof(h->reserved) / sizeof(h->reserved[0]); i++)
		if (h->reserved[i])
			return snapshot_fail(fault, "a reserved field is set", i);
	return 0;
}

core_inline int snapshot_check_backends(const struct tables *t, struct snapshot_fault *fault)
{
	const __u32 up = BACKEND_VALID | BACKEND_UP;

	for (__u32 i = 0; i < t->header->n_backends; i++) {
		const struct snapshot_backend *b = &t->backends[i];

		if (!(b->flags & BACKEND_USED)) {
			if (b->flags)
				return snapshot_fail(fault, "an unused backend has flags", i);
			continue;
		}
		if (b->flags & ~(BACKEND_USED | BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT))
			return snapshot_fail(fault, "a backend has unknown flags", i);
		if (b->flags & BACKEND_SUSPECT && (b->flags & up) != up)
			return snapshot_fail(fault, "a backend is suspect that is not up", i);
		if (b->port >= t->header->n_ports)
			return snapshot_fail(fault, "a backend's port is none", i);
		if (b->pool >= t->header->n_pools)
			return snapshot_fail(fault, "a backend's pool is none", i);
		if (b->flags & BACKEND_VALID && b->dst.byte[0] & 1)
			return snapshot_fail(fault, "a backend's MAC is a group address", i);
	}
	return 0;
}

/* What is wrong with a pool's slot, if anything is. */
core_cold int snapshot_check_slot(const struct tables *t, __u32 pool, __u32 slot, struct snapshot_fault *fault)
{
	__u32 id = t->slots[slot];
	const struct snapshot_backend *b = tables_backend(t, id);

	if (!b)
		return snapshot_fail(fault, "a slot names no backend", slot);
	if (b->pool != pool || !(b->flags & BACKEND_VALID) || b->flags & BACKEND_SUSPECT || !b->weight)
		return snapshot_fail(fault, "a slot's backend is not to have new flows of its pool", slot);
	return 0;
}

/*
 * A pool's slots. taker: by backend id, of which a slot can hold 65536, the pool whose new flows that one
 * is to have, or SNAPSHOT_NONE. Millions of slots are quickly looked at that way, without a branch; which
 * is wrong, and why, is found out afterwards.
 */
core_inline int snapshot_check_slots(const struct tables *t, const struct snapshot_pool *p, __u32 pool,
	const __u16 *taker, struct snapshot_fault *fault)
{
	const __u16 *slots = t->slots + p->slot_first;
	__u32 n = p->slot_count, wrong = 0;

	for (__u32 s = 0; s < n; s++)
		wrong |= taker[slots[s]] ^ pool;
	for (__u32 s = 0; wrong && s < n; s++)
		if (snapshot_check_slot(t, pool, p->slot_first + s, fault))
			return -1;
	return 0;
}

core_inline int snapshot_check_pools(const struct tables *t, const struct snapshot_pool *pools,
	struct snapshot_fault *fault)
{
	__u16 taker[1 << 16];

	__builtin_memset(taker, 0xff, sizeof(taker));
	for (__u32 i = 0; i < t->header->n_backends; i++) {
		const struct snapshot_backend *b = &t->backends[i];

		if ((b->flags & (BACKEND_VALID | BACKEND_SUSPECT)) == BACKEND_VALID && b->weight)
			taker[i] = b->pool;
	}
	for (__u32 i = 0; i < t->header->n_pools; i++) {
		const struct snapshot_pool *p = &pools[i];

		if (!p->used) {
			if (p->slot_count)
				return snapshot_fail(fault, "an unused pool has slots", i);
			continue;
		}
		if (p->used != 1 || p->scheduler >= SCHEDULER_COUNT)
			return snapshot_fail(fault, "a pool's scheduler is unknown", i);
		if ((__u64)p->slot_first + p->slot_count > t->header->n_slots)
			return snapshot_fail(fault, "a pool's slots reach beyond the table", i);
		if (snapshot_check_slots(t, p, i, taker, fault))
			return -1;
	}
	return 0;
}

/* 1 if a link leads to no node of its list, or names no rule; without a branch, as there are millions. */
core_inline __u32 snapshot_bad_link(const struct snapshot_access *a, __u32 n_rules, __u32 link)
{
	__u32 stride = access_stride(link), node = link & ACCESS_NODE;
	__u32 on = link >> 31, is_leaf = access_is_leaf(stride), leaf = on & is_leaf, table = on & (is_leaf ^ 1);
	/* Of a result, all but rule and direction are to be 0. */
	__u32 bad_result = ((link & ~(ACCESS_OUT | ACCESS_RULE)) != 0) | ((link & ACCESS_RULE) > n_rules);
	__u32 bad_leaf = (stride > ACCESS_DOUBLE) | (node + (stride != 0) >= a->n_leaves);
	__u32 bad_table = (__u64)node * ACCESS_LINE + (1ULL << 4 * stride) > a->n_links;

	return ((on ^ 1) & bad_result) | (leaf & bad_leaf) | (table & bad_table);
}

core_inline int snapshot_bad_sieve(__u32 first, __u8 shift, __u64 n_words)
{
	return first % ACCESS_LINE || shift < 64 - ACCESS_SIEVE_MAX || shift > 64 - ACCESS_SIEVE_MIN ||
		first + (1ULL << (64 - shift)) / 32 > n_words;
}

/*
 * The access lists: that each link of a table or leaf, whether or not any look-up gets there, names a rule that is
 * or a node of its own list. With that and the bound on its steps no look-up can read elsewhere.
 */
core_inline int snapshot_check_access(const struct tables *t, struct snapshot_fault *fault)
{
	__u64 n_words = t->header->n_access_words;
	__u32 n_rules = t->header->n_rules;

	for (__u32 i = 0; i < t->header->n_access; i++) {
		const struct snapshot_access *a = &t->access[i];
		const __u32 *links = t->access_words + a->links, *leaves = t->access_words + a->leaves;
		__u32 bad = 0;

		if (a->links % ACCESS_LINE || a->n_links % ACCESS_LINE || a->leaves % ACCESS_LINE ||
			(__u64)a->links + a->n_links > n_words ||
			a->leaves + (__u64)a->n_leaves * ACCESS_LINE > n_words)
			return snapshot_fail(fault, "an access list reaches beyond the words", i);
		if (snapshot_bad_sieve(a->sieve.at4, a->sieve.shift4, n_words) ||
			snapshot_bad_sieve(a->sieve.at6, a->sieve.shift6, n_words))
			return snapshot_fail(fault, "an access list's sieve reaches beyond the words", i);
		for (__u32 r = 0; r < sizeof(a->reserved) / sizeof(a->reserved[0]); r++)
			if (a->reserved[r])
				return snapshot_fail(fault, "a reserved field of an access list is set", i);
		if (a->sieve.reserved)
			return snapshot_fail(fault, "a reserved field of an access list is set", i);
		bad = snapshot_bad_link(a, n_rules, a->first4) | snapshot_bad_link(a, n_rules, a->first6) |
			(a->sieve.none & ~ACCESS_OUT);
		for (__u32 k = 0; k < a->n_links; k++)
			bad |= snapshot_bad_link(a, n_rules, links[k]);
		for (__u64 k = 0; k < (__u64)a->n_leaves * ACCESS_LINE; k += ACCESS_LINE)
			for (__u32 e = ACCESS_LEAF; e < 2 * ACCESS_LEAF; e++)
				bad |= snapshot_bad_link(a, n_rules, leaves[k + e]);
		if (bad)
			return snapshot_fail(fault, "a link of an access list leads nowhere", i);
	}
	return 0;
}

/* What VIPs let in; of ids that no VIP has it does not matter. */
core_inline int snapshot_check_policies(const struct tables *t, struct snapshot_fault *fault)
{
	for (__u32 i = 0; i < t->header->n_policies; i++) {
		const struct snapshot_policy *p = &t->policies[i];

		if ((__u64)p->source_tolerance + p->source_interval > RATE_HORIZON)
			return snapshot_fail(fault, "a VIP's rate is out of range", i);
	}
	return 0;
}

/* Whether a VIP's flags have what they speak of. */
core_inline int snapshot_check_policy(
	const struct tables *t, const struct snapshot_vip *e, __u32 i, struct snapshot_fault *fault)
{
	const struct snapshot_policy *p = tables_policy(t, e->vip);

	if (e->flags & (VIP_ACCESS | VIP_RATE) && !p)
		return snapshot_fail(fault, "a VIP's policy is none", i);
	if (e->flags & VIP_RATE && !p->source_interval)
		return snapshot_fail(fault, "a VIP's rate is none", i);
	if (e->flags & VIP_ACCESS && p->access >= t->header->n_access)
		return snapshot_fail(fault, "a VIP's access list is none", i);
	if (e->flags & VIP_ACCESS && __builtin_memcmp(&p->sieve, &t->access[p->access].sieve, sizeof(p->sieve)))
		return snapshot_fail(fault, "a VIP's sieve is not its access list's", i);
	return 0;
}

core_inline int snapshot_check_vips(const struct tables *t, const struct snapshot_pool *pools,
	struct snapshot_fault *fault)
{
	const struct snapshot_header *h = t->header;

	for (__u32 i = 0; i < h->vip_index_size; i++) {
		const struct snapshot_vip *e = &t->vips[i];

		if (!(e->flags & VIP_USED)) {
			if (e->flags)
				return snapshot_fail(fault, "a hole of the VIP index has flags", i);
			continue;
		}
		if (e->flags & ~(VIP_USED | VIP_ACTIVE | VIP_ACCESS | VIP_RATE | 3 << VIP_SCHED_SHIFT))
			return snapshot_fail(fault, "a VIP has unknown flags", i);
		if (vip_find(t, e->addr, e->port, e->proto) != e)
			return snapshot_fail(fault, "a VIP is not where the index would find it, or there twice", i);
		if (e->proto == 0) {
			if (e->port || e->vip != SNAPSHOT_NONE || e->pool != SNAPSHOT_NONE || e->slot_count ||
				e->flags & (VIP_ACCESS | VIP_RATE))
				return snapshot_fail(fault, "an address entry says more than its address", i);
			continue;
		}
		if (e->proto != PROTO_TCP && e->proto != PROTO_UDP)
			return snapshot_fail(fault, "a VIP's protocol is neither TCP nor UDP", i);
		if (e->vip >= SNAPSHOT_MAX_IDS || e->pool >= h->n_pools || !pools[e->pool].used)
			return snapshot_fail(fault, "a VIP's id or pool is none", i);
		if (e->slot_first != pools[e->pool].slot_first || e->slot_count != pools[e->pool].slot_count ||
			(e->flags >> VIP_SCHED_SHIFT & 3) != pools[e->pool].scheduler)
			return snapshot_fail(fault, "a VIP disagrees with its pool", i);
		if (snapshot_check_policy(t, e, i, fault))
			return -1;
		if (!vip_find_address(t, e->addr))
			return snapshot_fail(fault, "a VIP's address has no entry of its own", i);
	}
	return 0;
}

/*
 * Check a whole block; 8-byte aligned, unchanging. Returns 0 if it may be used, else -1 and *fault.
 * Any thread. Takes a pass over the block.
 */
core_inline int snapshot_check(const void *block, __u64 size, struct snapshot_fault *fault)
{
	const struct snapshot_header *h = (const struct snapshot_header *)block;
	const struct snapshot_pool *pools;
	struct tables t = { 0 };

	if (size < sizeof(*h) || size % 8)
		return snapshot_fail(fault, "it is too short, or no multiple of 8 bytes long", size);
	if (snapshot_check_header(h, size, fault))
		return -1;
	if (!snapshot_table_fits(size, h->ports_off, h->n_ports, sizeof(struct snapshot_port)))
		return snapshot_fail(fault, "the table of ports reaches beyond the block", h->ports_off);
	if (!snapshot_table_fits(size, h->vips_off, h->vip_index_size, sizeof(struct snapshot_vip)))
		return snapshot_fail(fault, "the VIP index reaches beyond the block", h->vips_off);
	if (!snapshot_table_fits(size, h->pools_off, h->n_pools, sizeof(struct snapshot_pool)))
		return snapshot_fail(fault, "the table of pools reaches beyond the block", h->pools_off);
	if (!snapshot_table_fits(size, h->backends_off, h->n_backends, sizeof(struct snapshot_backend)))
		return snapshot_fail(fault, "the table of backends reaches beyond the block", h->backends_off);
	if (!snapshot_table_fits(size, h->slots_off, h->n_slots, sizeof(__u16)))
		return snapshot_fail(fault, "the table of slots reaches beyond the block", h->slots_off);
	/* A table without entries has no place, or one. */
	if ((h->n_policies || h->policies_off) &&
		!snapshot_table_fits(size, h->policies_off, h->n_policies, sizeof(struct snapshot_policy)))
		return snapshot_fail(fault, "the table of policies reaches beyond the block", h->policies_off);
	if ((h->n_access || h->access_off) &&
		!snapshot_table_fits(size, h->access_off, h->n_access, sizeof(struct snapshot_access)))
		return snapshot_fail(fault, "the table of access lists reaches beyond the block", h->access_off);
	if ((h->n_access || h->access_words_off) &&
		!snapshot_table_fits(size, h->access_words_off, h->n_access_words, sizeof(__u32)))
		return snapshot_fail(fault, "the words of access lists reach beyond the block", h->access_words_off);
	if (snapshot_checksum(block, size) != h->checksum)
		return snapshot_fail(fault, "its checksum is wrong", h->checksum);
	tables_open_snapshot(&t, block);
	pools = (const struct snapshot_pool *)((const char *)block + h->pools_off);
	if (snapshot_check_backends(&t, fault) || snapshot_check_pools(&t, pools, fault) ||
		snapshot_check_policies(&t, fault) || snapshot_check_access(&t, fault))
		return -1;
	return snapshot_check_vips(&t, pools, fault);
}

#endif
