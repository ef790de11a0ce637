/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slot tables: which backend a new flow's slot belongs to. Maglev (Eisenbud et al., NSDI'16, section
 * 3.4) with weights: members take turns in rounds, a member of weight w its k-th turn in round
 * ceil(k * greatest weight / w), and at a turn the next free slot of its own permutation. Permutations
 * depend on nothing but hash key and address, so every load balancer of a fleet builds the same table,
 * and a change of one member moves little of the others.
 */
#ifndef SHUNT_MAGLEV_H
#define SHUNT_MAGLEV_H

#include "hash.h"
#include "snapshot.h"
#include "types.h"

#define MAGLEV_SLOTS 65537u /* of a pool; a prime */
#define MAGLEV_MAX_WEIGHT 65535u

struct maglev_member {
	__u32 next; /* next slot of its permutation to try */
	__u32 skip;
	__u16 id;
	__u16 weight; /* 1..65535 */
	__u32 turns;  /* taken so far */
};

/* Caller's memory for one build at a time. The lists hold members by the round of their next turn. */
struct maglev_scratch {
	__u32 head[MAGLEV_MAX_WEIGHT + 1];
	__u32 tail[MAGLEV_MAX_WEIGHT + 1];
	__u32 link[MAGLEV_MAX_WEIGHT + 1];
};

#define MAGLEV_NIL 0xffffffffu

/* n_slots: a prime above 1, the one the build will be called with. */
core_inline void maglev_member_init(struct maglev_member *m, const __u64 key[2], struct addr address, __u16 id,
	__u16 weight, __u32 n_slots)
{
	__u64 hash = source_hash(key, address);

	m->next = core_range((__u32)hash, n_slots);
	m->skip = core_range((__u32)(hash >> 32), n_slots - 1) + 1;
	m->id = id;
	m->weight = weight;
	m->turns = 0;
}

core_inline void maglev_queue(struct maglev_scratch *s, __u32 round, __u32 member)
{
	__u32 list = round & MAGLEV_MAX_WEIGHT;

	s->link[member] = MAGLEV_NIL;
	if (s->head[list] == MAGLEV_NIL)
		s->head[list] = member;
	else
		s->link[s->tail[list]] = member;
	s->tail[list] = member;
}

/* Fill slots turn by turn; permuted: at the member's next free slot (Maglev), else one after the other. */
core_inline void maglev_fill(__u16 *slots, __u32 n_slots, struct maglev_member *members, __u32 n,
	struct maglev_scratch *s, int permuted)
{
	__u32 greatest = 0, filled = 0;

	for (__u32 i = 0; i < n_slots; i++)
		slots[i] = SNAPSHOT_NONE;
	for (__u32 i = 0; i < n; i++)
		if (members[i].weight > greatest)
			greatest = members[i].weight;
	if (greatest == 0)
		return;
	for (__u32 i = 0; i <= MAGLEV_MAX_WEIGHT; i++)
		s->head[i] = MAGLEV_NIL;
	for (__u32 i = 0; i < n; i++)
		if (members[i].weight)
			maglev_queue(s, (greatest + members[i].weight - 1u) / members[i].weight, i);
	for (__u32 round = 1;; round++) {
		__u32 list = round & MAGLEV_MAX_WEIGHT;
		__u32 i = s->head[list];

		/* A member's next turn is at least one and at most 65,535 rounds away: never in this list. */
		s->head[list] = MAGLEV_NIL;
		while (i != MAGLEV_NIL) {
			struct maglev_member *m = &members[i];
			__u32 link = s->link[i];
			__u32 slot = filled;

			if (permuted) {
				slot = m->next;
				while (slots[slot] != SNAPSHOT_NONE) {
					slot += m->skip;
					if (slot >= n_slots)
						slot -= n_slots;
				}
				m->next = slot;
			}
			slots[slot] = m->id;
			if (++filled == n_slots)
				return;
			m->turns++;
			maglev_queue(s, (__u32)((((__u64)m->turns + 1) * greatest + m->weight - 1) / m->weight), i);
			i = link;
		}
	}
}

/*
 * members: in ascending order of address, which decides ties; used up by the build. n may be 0: then
 * every slot is SNAPSHOT_NONE. slots: n_slots of them. Takes about a millisecond for 65,537 slots.
 */
core_inline void maglev_build(__u16 *slots, __u32 n_slots, struct maglev_member *members, __u32 n,
	struct maglev_scratch *scratch)
{
	maglev_fill(slots, n_slots, members, n, scratch, 1);
}

/* The same arguments: slots in the order of a weighted round robin. */
core_inline void round_robin_build(__u16 *slots, __u32 n_slots, struct maglev_member *members, __u32 n,
	struct maglev_scratch *scratch)
{
	maglev_fill(slots, n_slots, members, n, scratch, 0);
}

#endif
