/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow's word in the flow table: where it is, and where a new one goes and which one gives way to it. Any number
 * of workers at a time; words change by compare-and-swap alone.
 */
#ifndef SHUNT_FLOW_SEARCH_H
#define SHUNT_FLOW_SEARCH_H

#include "flow_table.h"
#include "snapshot.h"
#include "tables.h"
#include "types.h"
#include "verdicts.h"

/*
 * How readily a word gives way to a new flow: RANK_FREE or more for a free or dead one, RANK_RESET for a reset
 * flow, 1 + ticks waited, and the skew that clocks may have, for a half-open one, 0 for those never displaced:
 * established, closing, answered UDP. Without branches: the compiler can then rank a whole bucket at once, and
 * BPF's verifier follow it. waited is flow_word_age() with the skew left in: the word's state and tick are
 * subtracted in one.
 */
#define RANK_FREE 0x4000u
#define RANK_RESET 0x2000u

core_inline __u32 flow_word_rank(__u64 word, __u32 tick, const __u16 *timeout)
{
	__u32 tick_state = (__u32)(word >> FLOW_STATE_SHIFT), state = tick_state & FLOW_STATE_MASK;
	__u32 waited = ((tick + FLOW_TICK_SKEW) << 3 | FLOW_STATE_MASK) - tick_state;
	__u32 dead, half_open, reset;

	_Static_assert(FLOW_TICK_SHIFT == FLOW_STATE_SHIFT + 3, "the tick stands right above the state");
	waited = waited >> 3 & FLOW_TICK_MASK;
	dead = ((__u32)timeout[state] + FLOW_TICK_SKEW - waited) >> 31 | (state - 1) >> 31;
	half_open = (1u << FLOW_SYN | 1u << FLOW_UDP_NEW) >> state & 1;
	reset = (1u << FLOW_RESET) >> state & 1;
	return dead * RANK_FREE | reset * RANK_RESET | half_open * (waited + 1);
}

/*
 * The word a new flow may take: index 0..15 over both buckets, or -1. A free or dead one, in the first bucket
 * unless that is nearly full and the second has more room; else the one that gives way most readily. While the
 * first has one that gives way and the second is full, that is chosen among the first's: ranking costs, and where
 * both are full of half-open flows the oldest of eight is as good a choice as of sixteen.
 */
core_inline int flow_choose_word(
	const struct flow_bucket *first, const struct flow_bucket *second, __u32 tick, const __u16 *timeout)
{
	__u32 best_first = 0, best_second = 0, dead_first = 0, dead_second = 0, best;
	__u32 free = flow_bucket_free(first);

	/* The usual case, cheaply: two or more free. */
	if (core_likely(free & (free - 1)))
		return (int)core_lowest_bit8(free);
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i++) {
		__u32 rank = flow_word_rank(*(volatile const __u64 *)&first->word[i], tick, timeout);

		dead_first += rank / RANK_FREE;
		best_first = core_max(best_first, rank << 4 | i);
	}
	if (dead_first > 1 || (!dead_first && best_first >> 4 && !flow_bucket_free(second)))
		return (int)(best_first & 15);
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i++) {
		__u32 rank = flow_word_rank(*(volatile const __u64 *)&second->word[i], tick, timeout);

		dead_second += rank / RANK_FREE;
		best_second = core_max(best_second, rank << 4 | FLOW_BUCKET_WORDS | i);
	}
	if (dead_first && dead_first >= dead_second)
		best = best_first;
	else if (dead_second)
		best = best_second;
	else
		best = core_max(best_first, best_second);
	return best >> 4 ? (int)(best & 15) : -1;
}

/* Count that a word became another, 0 for none, by the worker's own compare-and-swap: what of it is half-open. */
core_inline void flow_count_change(const struct tables *t, __u64 was, __u64 is)
{
	tables_half_open(t, (__u32)flow_word_is_half_open(was) * (flow_word_vip(was) + 1),
		(__u32)flow_word_is_half_open(is) * (flow_word_vip(is) + 1));
}

/* Enter a flow. Returns where its word is; or NULL if there is no room or others were faster twice. */
core_apart __u64 *flow_insert(const struct tables *t, const struct flow_place *place, __u64 word)
{
	const struct snapshot_header *h = tables_header(t);
	struct flow_bucket *first, *second;

	if (!tables_n_buckets(t))
		return (void *)0;
	first = tables_bucket(t, place->bucket[0]);
	second = tables_bucket(t, place->bucket[1]);
	if (!first || !second)
		return (void *)0;
	for (int attempt = 0; attempt < 2; attempt++) {
		int i = flow_choose_word(first, second, tables_tick(t), h->timeout);
		__u64 *place_of, old;
		__u32 rank;

		if (i < 0)
			return (void *)0;
		place_of = &(i < FLOW_BUCKET_WORDS ? first : second)->word[i & (FLOW_BUCKET_WORDS - 1)];
		old = *(volatile __u64 *)place_of;
		/* Another worker may have entered a flow there since it was chosen. */
		rank = flow_word_rank(old, tables_tick(t), h->timeout);
		if (!rank)
			continue;
		if (__sync_val_compare_and_swap(place_of, old, word) == old) {
			if (rank < RANK_FREE)
				tables_count(t, COUNTER_FLOW_EVICTED);
			flow_count_change(t, old, word);
			return place_of;
		}
	}
	return (void *)0;
}

/* Whether a flow could be entered now. */
core_apart int flow_has_room(const struct tables *t, const struct flow_place *place)
{
	struct flow_bucket *first, *second;

	if (!tables_n_buckets(t))
		return 0;
	first = tables_bucket(t, place->bucket[0]);
	second = tables_bucket(t, place->bucket[1]);
	return first && second && flow_choose_word(first, second, tables_tick(t), tables_header(t)->timeout) >= 0;
}

/*
 * Enter a flow's word in another's place, or with NULL where there is room. Returns the place; or NULL if there is
 * no room, or another worker was faster.
 */
core_inline __u64 *flow_enter(
	const struct tables *t, const struct flow_place *place, __u64 *at, __u64 old, __u64 word)
{
	if (!at)
		return flow_insert(t, place, word);
	if (__sync_val_compare_and_swap(at, old, word) != old)
		return (void *)0;
	flow_count_change(t, old, word);
	return at;
}

/* Clear a word. Returns whether it was still there. */
core_inline int flow_take_out(const struct tables *t, __u64 *at, __u64 word)
{
	if (__sync_val_compare_and_swap(at, word, 0) != word)
		return 0;
	flow_count_change(t, word, 0);
	return 1;
}

/*
 * Where the flow's word is and what it says, first bucket first; or NULL and 0. hint: forward_probe()'s index,
 * which another worker's change may have made wrong since.
 */
core_inline __u64 *flow_find(const struct tables *t, const struct flow_place *place, int hint, __u64 *word)
{
	struct flow_bucket *bucket;

	*word = 0;
	if (core_unlikely(!tables_n_buckets(t)))
		return (void *)0;
	for (int i = 0; i < 2; i++) {
		bucket = tables_bucket(t, place->bucket[i]);
		if (!bucket)
			return (void *)0;
		if (hint < 0)
			hint = flow_bucket_find(bucket, place->tag);
		if (core_likely(hint >= 0)) {
			__u64 *found = &bucket->word[hint & (FLOW_BUCKET_WORDS - 1)];

			*word = *(volatile __u64 *)found;
			if (core_likely(((*word ^ place->tag) & FLOW_TAG_MASK) == 0))
				return found;
			*word = 0;
			hint = -1;
		}
	}
	return (void *)0;
}

#endif
