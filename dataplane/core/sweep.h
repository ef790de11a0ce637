/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sweep of the flow table: counts the flows of each backend and clears words that are dead or whose
 * backend is gone, so that a tick can't wrap around unseen and an id can be given out again. Likewise, for the
 * ticks, entries of the table of fragments (fragments.h) that are dead.
 * One sweeper at a time, beside any number of workers. For bodies whose tables are ordinary memory.
 */
#ifndef SHUNT_SWEEP_H
#define SHUNT_SWEEP_H

#include "flow_table.h"
#include "fragment_table.h"
#include "tables.h"

/* A sweep under way, and its counts, which are of the table and of the elder one together. */
struct sweep {
	__u32 next;                /* bucket to go on with */
	__u32 next_elder;          /* likewise, of the elder table: it comes second */
	__u32 next_fragment;       /* likewise, of the table of fragments: the last */
	__u64 elder_words;         /* that it had left, dead ones too if a worker just used them */
	__u64 active;
	__u64 closing;
	__u64 half_open;
	__u32 by_backend[STATS_IDS];         /* half-open, established, UDP */
	__u32 closing_by_backend[STATS_IDS]; /* FIN, RESET */
	__u32 silent_s[STATS_IDS];	     /* longest silence of an active flow, by backend */
	__u32 half_open_by_vip[FLOW_VIP_MASK + 1]; /* flow_word_is_half_open(), by the bits of the id that a word has */
};

/* Start anew. */
core_inline void sweep_begin(struct sweep *s)
{
	__builtin_memset(s, 0, sizeof(*s));
}

/* Returns whether the word is left. */
core_inline int sweep_word(struct sweep *s, const struct tables *t, __u64 *place)
{
	__u64 word = *(volatile __u64 *)place;
	__u32 state = flow_word_state(word), id = flow_word_backend(word), silent_s;
	const struct snapshot_backend *backend;

	if (!word)
		return 0;
	backend = tables_backend(t, id);
	if (!flow_word_alive(word, t->tick, t->header->timeout) || !backend || !(backend->flags & BACKEND_USED)) {
		return __sync_val_compare_and_swap(place, word, 0) != word;
	}
	if (flow_word_is_closing(word)) {
		s->closing++;
		s->closing_by_backend[id]++;
		return 1;
	}
	s->active++;
	s->half_open += state == FLOW_SYN || state == FLOW_UDP_NEW;
	s->half_open_by_vip[flow_word_vip(word)] += (__u32)flow_word_is_half_open(word);
	s->by_backend[id]++;
	silent_s = flow_word_age(word, t->tick) * FLOW_TICK_S;
	if (silent_s > s->silent_s[id])
		s->silent_s[id] = silent_s;
	return 1;
}

/*
 * Free those of a bucket's entries that are dead. The word behind a claim stays: by now it may be of a worker that
 * has taken the entry for another datagram.
 */
core_inline void sweep_fragments(struct fragment_bucket *bucket, __u32 tick)
{
	for (int i = 0; i < FRAGMENT_ENTRIES; i++) {
		__u64 claim = *(volatile __u64 *)&bucket->entry[i].claim;

		if (claim && fragment_is_over(claim, tick))
			__sync_val_compare_and_swap(&bucket->entry[i].claim, claim, 0);
	}
}

/*
 * Go on for at most n buckets. t: with a snapshot, a table and the present tick. Returns 1 when the whole table
 * has been swept, and the elder one and that of fragments if there are such, else 0. Nothing enters the elder
 * table: one that a whole sweep found no word in stays empty.
 */
core_inline int sweep_buckets(struct sweep *s, const struct tables *t, __u32 n)
{
	for (; n && s->next < t->n_buckets; n--, s->next++) {
		struct flow_bucket *bucket = tables_bucket(t, s->next);

		for (int i = 0; i < FLOW_BUCKET_WORDS; i++)
			sweep_word(s, t, &bucket->word[i]);
	}
	for (; n && s->next_elder < t->n_elder_buckets; n--, s->next_elder++) {
		struct flow_bucket *bucket = tables_elder_bucket(t, s->next_elder);

		for (int i = 0; i < FLOW_BUCKET_WORDS; i++)
			s->elder_words += (__u64)sweep_word(s, t, &bucket->word[i]);
	}
	for (; n && s->next_fragment < t->n_fragment_buckets; n--, s->next_fragment++)
		sweep_fragments(tables_fragment_bucket(t, s->next_fragment), t->tick);
	return s->next >= t->n_buckets && s->next_elder >= t->n_elder_buckets &&
		s->next_fragment >= t->n_fragment_buckets;
}

/*
 * What a worker is to take for its share of a VIP's half-open flows, beside its own changes: at_sweep of its
 * stats_guard. changed: its opened - closed when the sweep began, so that what it opened since counts in any case.
 */
core_inline __u64 sweep_share(__u64 changed, __u32 half_open, __u32 worker, __u32 n_workers)
{
	return changed - half_open / n_workers - (worker < half_open % n_workers);
}

#endif
