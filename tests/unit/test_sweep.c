/* SPDX-License-Identifier: BSD-3-Clause */
/* sweep.h: what is counted, what is cleared, and that a tick that wraps around brings no flow or datagram back to
 * life. */
#include "sweep.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fragments.h"
#include "snapshots.h"
#include "unit.h"

static struct sweep sweep;

static __u8 without_2(__u32 i)
{
	return i == 2 ? 0 : BACKEND_VALID | BACKEND_UP;
}

static void open_world(struct world *w, __u32 n_buckets, __u32 n_backends)
{
	struct test_pool pool = { .n = n_backends };

	if (world_open(w, test_snapshot(&pool, NULL), n_buckets))
		abort();
}

static void sweep_all(struct world *w)
{
	sweep_begin(&sweep);
	CU_ASSERT_EQUAL(sweep_buckets(&sweep, &w->tables, w->tables.n_buckets + w->tables.n_fragment_buckets), 1);
}

/* Fill the first words: state and backend go round. Returns how many. */
static __u32 put_words(struct world *w, __u32 n, __u32 n_backends, __u32 tick)
{
	for (__u32 i = 0; i < n; i++)
		w->buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS] =
			flow_word(i, i % n_backends, 1 + i % (FLOW_STATE_COUNT - 1), tick);
	return n;
}

static __u32 words_left(const struct world *w)
{
	__u32 n = 0;

	for (__u32 i = 0; i < w->tables.n_buckets * FLOW_BUCKET_WORDS; i++)
		n += w->buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS] != 0;
	return n;
}

static void counts(void)
{
	struct world w;
	__u64 by_backend = 0, closing = 0;

	open_world(&w, 64, 5);
	/* Of six states two each: half-open SYN and UDP-new; FIN and RESET closing. 300 = 6 * 5 * 10. */
	put_words(&w, 300, 5, w.tables.tick);
	sweep_all(&w);
	CU_ASSERT_EQUAL(sweep.active, 200);
	CU_ASSERT_EQUAL(sweep.half_open, 100);
	CU_ASSERT_EQUAL(sweep.closing, 100);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(sweep.by_backend[i], 40);
		CU_ASSERT_EQUAL(sweep.closing_by_backend[i], 20);
		by_backend += sweep.by_backend[i];
		closing += sweep.closing_by_backend[i];
	}
	CU_ASSERT_EQUAL(by_backend, sweep.active);
	CU_ASSERT_EQUAL(closing, sweep.closing);
	CU_ASSERT_EQUAL(words_left(&w), 300);
	world_close(&w);
}

/* In pieces of any size the counts are those of one go. */
static void in_pieces(void)
{
	static const __u32 sizes[] = { 1, 7, 63, 64, 1000 };
	struct world w;

	open_world(&w, 64, 5);
	put_words(&w, 300, 5, w.tables.tick);
	for (size_t s = 0; s < UNIT_COUNT(sizes); s++) {
		__u32 calls = 1;

		sweep_begin(&sweep);
		while (!sweep_buckets(&sweep, &w.tables, sizes[s]))
			calls++;
		CU_ASSERT_EQUAL(sweep.active, 200);
		CU_ASSERT_EQUAL(sweep.closing, 100);
		CU_ASSERT_EQUAL(calls, (64 + WORLD_FRAGMENT_BUCKETS + sizes[s] - 1) / sizes[s]);
	}
	world_close(&w);
}

/* Each state's words are cleared once their timeout is over, and not before. */
static void dead_are_cleared(void)
{
	struct world w;

	open_world(&w, 64, 5);
	for (__u32 state = FLOW_SYN; state < FLOW_STATE_COUNT; state++) {
		__u32 timeout = w.tables.header->timeout[state], now = w.tables.tick;
		__u64 *place = &w.buckets[9].word[4];

		world_clear(&w);
		*place = flow_word(1, 1, state, now - timeout);
		sweep_all(&w);
		CU_ASSERT_NOT_EQUAL(*place, 0);
		*place = flow_word(1, 1, state, now - timeout - 1);
		sweep_all(&w);
		CU_ASSERT_EQUAL(*place, 0);
		CU_ASSERT_EQUAL(sweep.active + sweep.closing, 0);
	}
	world_close(&w);
}

/* Of each backend the longest silence of an active flow; how long one that is closing has been so says nothing. */
static void silence(void)
{
	struct world w;
	__u32 now;

	open_world(&w, 64, 5);
	now = w.tables.tick;
	w.buckets[0].word[0] = flow_word(1, 1, FLOW_ESTABLISHED, now - 3);
	w.buckets[0].word[1] = flow_word(2, 1, FLOW_ESTABLISHED, now - 9);
	w.buckets[0].word[2] = flow_word(3, 1, FLOW_FIN, now - 20);
	w.buckets[1].word[0] = flow_word(4, 2, FLOW_UDP, now);
	w.buckets[1].word[1] = flow_word(5, 3, FLOW_SYN, now - 1);
	sweep_all(&w);
	CU_ASSERT_EQUAL(sweep.silent_s[0], 0);
	CU_ASSERT_EQUAL(sweep.silent_s[1], 9 * FLOW_TICK_S);
	CU_ASSERT_EQUAL(sweep.silent_s[2], 0);
	CU_ASSERT_EQUAL(sweep.silent_s[3], FLOW_TICK_S);
	world_close(&w);
}

/* Flows of a backend that is in the table, though disabled, are kept; those of one that is gone are cleared. */
static void gone_backends(void)
{
	struct test_pool pool = { .n = 5, .flags = without_2 };
	struct snapshot_backend *hole;
	struct world w;

	open_world(&w, 64, 5);
	put_words(&w, 300, 5, w.tables.tick);
	world_publish(&w, test_snapshot(&pool, NULL));
	sweep_all(&w);
	CU_ASSERT_EQUAL(sweep.by_backend[2], 40);
	/* Its id is a hole of the table; then the table ends before an id. */
	hole = (struct snapshot_backend *)tables_backend(&w.tables, 2);
	memset(hole, 0, sizeof(*hole));
	sweep_all(&w);
	CU_ASSERT_EQUAL(sweep.by_backend[2], 0);
	CU_ASSERT_EQUAL(words_left(&w), 240);
	put_words(&w, 300, 5, w.tables.tick);
	pool.n = 4;
	pool.flags = NULL;
	world_publish(&w, test_snapshot(&pool, NULL));
	sweep_all(&w);
	CU_ASSERT_EQUAL(sweep.by_backend[4], 0);
	CU_ASSERT_EQUAL(words_left(&w), 240);
	world_close(&w);
}

/* A word that only a damaged file can hold, of a state there isn't, is cleared before long. */
static void unknown_state(void)
{
	struct world w;

	open_world(&w, 16, 5);
	w.buckets[3].word[3] = flow_word(1, 1, 7, w.tables.tick);
	w.buckets[3].word[4] = 1; /* a tag, but no state */
	w.tables.tick++;
	sweep_all(&w);
	CU_ASSERT_EQUAL(words_left(&w), 0);
	world_close(&w);
}

/* Twice around the clock, swept every 200 ticks: a flow once dead never comes back. */
static void wrap(void)
{
	struct world w;

	open_world(&w, 64, 5);
	for (__u32 start = 0; start < 4096; start += 511) {
		__u32 seen_dead = 0;

		world_clear(&w);
		w.tables.tick = start;
		put_words(&w, 300, 5, start);
		for (__u32 age = 200; age < 9000; age += 200) {
			w.tables.tick = (start + age) & FLOW_TICK_MASK;
			sweep_all(&w);
			if (age > 225)
				CU_ASSERT_EQUAL(sweep.active + sweep.closing, 0);
			seen_dead += words_left(&w) == 0;
		}
		CU_ASSERT(seen_dead > 40);
	}
	world_close(&w);
}

/*
 * Beside a worker: every word is dead at first; the worker takes them over for new flows while the sweeper clears
 * the table again and again. Not one of the new flows may be cleared.
 */
static void *take_over(void *argument)
{
	const struct tables *t = argument;

	for (__u32 i = 0; i < t->n_buckets * FLOW_BUCKET_WORDS; i++) {
		__u64 *place = &t->buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS], old;

		do {
			old = *(volatile __u64 *)place;
		} while (__sync_val_compare_and_swap(place, old, flow_word(i, 1, FLOW_ESTABLISHED, t->tick)) !=
			old);
	}
	return NULL;
}

static void beside_a_worker(void)
{
	struct world w;
	pthread_t worker;
	__u32 words;

	open_world(&w, 65536, 5);
	words = w.tables.n_buckets * FLOW_BUCKET_WORDS;
	for (int round = 0; round < 5; round++) {
		__u32 fresh = 0;

		put_words(&w, words, 5, w.tables.tick - 300);
		if (pthread_create(&worker, NULL, take_over, &w.tables))
			abort();
		for (int i = 0; i < 3; i++)
			sweep_all(&w);
		pthread_join(worker, NULL);
		sweep_all(&w);
		for (__u32 i = 0; i < words; i++)
			fresh += w.buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS] ==
				flow_word(i, 1, FLOW_ESTABLISHED, w.tables.tick);
		CU_ASSERT_EQUAL(fresh, words);
		CU_ASSERT_EQUAL(sweep.active, words);
	}
	world_close(&w);
}

static __u32 fragments_left(const struct world *w)
{
	__u32 n = 0;

	for (__u32 i = 0; i < w->tables.n_fragment_buckets * FRAGMENT_ENTRIES; i++)
		n += w->tables.fragments[i / FRAGMENT_ENTRIES].entry[i % FRAGMENT_ENTRIES].claim != 0;
	return n;
}

/* An entry that a later fragment may still follow stays, also for a sweeper whose clock is behind; a dead one
 * goes. */
static void dead_fragments(void)
{
	const struct fragment_home home = { 3, 1, 185 };
	struct fragment_home found;
	uint64_t state = 1;
	struct world w;

	open_world(&w, 64, 5);
	for (__u32 start = 0; start <= FLOW_TICK_MASK; start++) {
		__u64 hash = unit_random(&state);

		w.tables.tick = start;
		CU_ASSERT_EQUAL(fragment_enter(&w.tables, hash, &home), 0);
		w.tables.tick = (start - 1) & FLOW_TICK_MASK;
		sweep_all(&w);
		CU_ASSERT_EQUAL(fragments_left(&w), 1);
		for (__u32 age = 0; age <= FRAGMENT_TICKS + 1; age++) {
			w.tables.tick = (start + age) & FLOW_TICK_MASK;
			sweep_all(&w);
			CU_ASSERT_EQUAL(fragments_left(&w), age <= FRAGMENT_TICKS);
			CU_ASSERT_EQUAL(fragment_find(&w.tables, hash, &found), age <= FRAGMENT_TICKS);
		}
	}
	world_close(&w);
}

/* Three times around the clock: no datagram of long ago is found, not even one whose entry has the tick of now. */
static void old_fragments(void)
{
	const struct fragment_home home = { 3, 1, 185 };
	struct fragment_home found;
	struct world w;

	open_world(&w, 64, 5);
	for (__u32 start = 0; start <= FLOW_TICK_MASK; start += 511) {
		uint64_t state = start;
		__u64 hash[8];

		w.tables.tick = start;
		for (size_t i = 0; i < UNIT_COUNT(hash); i++) {
			hash[i] = unit_random(&state);
			fragment_enter(&w.tables, hash[i], &home);
		}
		for (__u32 age = 1; age < 3 * (FLOW_TICK_MASK + 1); age++) {
			w.tables.tick = (start + age) & FLOW_TICK_MASK;
			if (age % 900 == 0)
				sweep_all(&w);
			for (size_t i = 0; age > FRAGMENT_TICKS && i < UNIT_COUNT(hash); i++)
				CU_ASSERT_FALSE(fragment_find(&w.tables, hash[i], &found));
		}
		CU_ASSERT_EQUAL(fragments_left(&w), 0);
	}
	world_close(&w);
}

struct leader {
	const struct tables *tables;
	__u32 wrong;
	int done;
};

/* The first fragments of datagrams, each in the place of a dead one: it is found. */
static void *lead(void *argument)
{
	struct leader *l = argument;
	struct fragment_bucket *bucket = l->tables->fragments;
	uint64_t state = 7;

	for (__u32 i = 0; i < 1000000; i++) {
		struct fragment_home home = { i & 0xffff, i >> 4 & 0xffff, 1 + (i & 0xfff) }, found;
		__u64 hash = unit_random(&state);

		for (int k = 0; k < FRAGMENT_ENTRIES; k++)
			*(volatile __u64 *)&bucket->entry[k].claim =
				fragment_claim(~hash, 1, 1, l->tables->tick - 300);
		l->wrong += fragment_enter(l->tables, hash, &home) || !fragment_find(l->tables, hash, &found) ||
			memcmp(&home, &found, sizeof(home));
	}
	__atomic_store_n(&l->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A worker takes dead entries over while they are cleared: not one that it has taken is. */
static void fragments_beside_a_worker(void)
{
	struct leader leader = { 0 };
	pthread_t worker;
	struct world w;

	open_world(&w, 64, 5);
	w.tables.n_fragment_buckets = 1;
	leader.tables = &w.tables;
	if (pthread_create(&worker, NULL, lead, &leader))
		abort();
	while (!__atomic_load_n(&leader.done, __ATOMIC_ACQUIRE))
		sweep_fragments(w.fragments, w.tables.tick);
	pthread_join(worker, NULL);
	CU_ASSERT_EQUAL(leader.wrong, 0);
	world_close(&w);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "counts by state and backend", counts },
		{ "in pieces", in_pieces },
		{ "dead words are cleared", dead_are_cleared },
		{ "how long flows were silent", silence },
		{ "backends that are gone", gone_backends },
		{ "a state there isn't", unknown_state },
		{ "twice around the clock", wrap },
		{ "beside a worker", beside_a_worker },
		{ "dead fragments", dead_fragments },
		{ "fragments of long ago", old_fragments },
		{ "fragments beside a worker", fragments_beside_a_worker },
		{ NULL, NULL },
	};

	return unit_run("sweep", tests);
}
