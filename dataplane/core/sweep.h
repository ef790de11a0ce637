/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sweep of the flow table: counts the flows of each backend and clears words that are dead or whose
 * backend is gone, so that a tick can't wrap around unseen and an id can be given out again.
 * One sweeper at a time, beside any number of workers. For bodies whose tables are ordinary memory.
 */
#ifndef SHUNT_SWEEP_H
#define SHUNT_SWEEP_H

#include "flow_table.h"
#include "tables.h"

/* A sweep under way, and its counts. */
struct sweep {
	__u32 next;                /* bucket to go on with */
	__u64 active;
	__u64 closing;
	__u64 half_open;
	__u32 by_backend[STATS_IDS];         /* half-open, established, UDP */
	__u32 closing_by_backend[STATS_IDS]; /* FIN, RESET */
};

/* Start anew. */
core_inline void sweep_begin(struct sweep *s)
{
	__builtin_memset(s, 0, sizeof(*s));
}

core_inline void sweep_word(struct sweep *s, const struct tables *t, __u64 *place)
{
	__u64 word = *(volatile __u64 *)place;
	__u32 state = flow_word_state(word), id = flow_word_backend(word);
	const struct snapshot_backend *backend;

	if (!word)
		return;
	backend = tables_backend(t, id);
	if (!flow_word_alive(word, t->tick, t->header->timeout) || !backend || !(backend->flags & BACKEND_USED)) {
		(void)__sync_val_compare_and_swap(place, word, 0);
		return;
	}
	if (state == FLOW_FIN || state == FLOW_RESET) {
		s->closing++;
		s->closing_by_backend[id]++;
		return;
	}
	s->active++;
	s->half_open += state == FLOW_SYN || state == FLOW_UDP_NEW;
	s->by_backend[id]++;
}

/*
 * Go on for at most n buckets. t: with a snapshot, a table and the present tick. Returns 1 when the whole
 * table has been swept, else 0.
 */
core_inline int sweep_buckets(struct sweep *s, const struct tables *t, __u32 n)
{
	for (; n && s->next < t->n_buckets; n--, s->next++) {
		struct flow_bucket *bucket = tables_bucket(t, s->next);

		for (int i = 0; i < FLOW_BUCKET_WORDS; i++)
			sweep_word(s, t, &bucket->word[i]);
	}
	return s->next >= t->n_buckets;
}

#endif
