/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow_table.h, and how forward.h enters words and finds them: layout, ages, room, who gives way to whom, and
 * several threads at one table.
 */
#include "flow_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "snapshots.h"
#include "unit.h"

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static const __u16 timeout[8] = { 0, 15, 225, 30, 3, 15, 75, 0 };

/* The place of the i-th of many flows. */
static struct flow_place nth_place(__u64 i, __u32 n_buckets)
{
	struct addr src = addr_from_ipv4(core_be32(0x0a000000u + (__u32)(i >> 14)));

	return flow_place(
		flow_hash(key, src, unit_addr("192.0.2.80"), core_be16((__u16)(i & 0x3fff)), core_be16(80), 6), 7,
		n_buckets);
}

static void open_world(struct world *w, __u32 n_buckets)
{
	struct test_pool pool = { .n = 4 };

	if (world_open(w, test_snapshot(&pool, NULL), n_buckets))
		abort();
}

static void word_fields(void)
{
	__u64 word = flow_word(0x1ffffffffULL, 0xffff, 7, 0xfff);

	CU_ASSERT_EQUAL(word, ~0ULL);
	word = flow_word(0x123456789ULL, 0xabcd, FLOW_UDP, 0xe01);
	CU_ASSERT_EQUAL(flow_word_backend(word), 0xabcd);
	CU_ASSERT_EQUAL(flow_word_state(word), FLOW_UDP);
	CU_ASSERT_EQUAL(flow_word_tick(word), 0xe01);
	CU_ASSERT_EQUAL(flow_word_vip(word), 0x123456789ULL >> 21 & 0xfff);
	CU_ASSERT_EQUAL(word & FLOW_TAG_MASK, 0x123456789ULL);
}

/* At most sixteen bytes a flow, header included, and two words. */
static void size(void)
{
	static const __u64 capacities[] = { FLOW_CAPACITY_MIN, 4096, 1000000, 10000000, FLOW_CAPACITY_MAX };

	for (size_t i = 0; i < UNIT_COUNT(capacities); i++) {
		__u64 c = capacities[i];

		CU_ASSERT(flow_table_size(c) <= 16 * c);
		CU_ASSERT((__u64)flow_table_buckets(c) * FLOW_BUCKET_WORDS >= c + c / 2);
	}
	CU_ASSERT((__u64)flow_table_buckets(1000000) * FLOW_BUCKET_WORDS > 1999000);
}

static void ticks_and_ages(void)
{
	CU_ASSERT_EQUAL(flow_tick(0), 0);
	CU_ASSERT_EQUAL(flow_tick(3), 0);
	CU_ASSERT_EQUAL(flow_tick(4), 1);
	CU_ASSERT_EQUAL(flow_tick(4096 * 4), 0);
	for (__u32 now = 0; now <= FLOW_TICK_MASK; now += 13) {
		for (__u32 age = 0; age <= FLOW_TICK_MASK; age++) {
			__u64 word = flow_word(1, 0, FLOW_SYN, (now - age) & FLOW_TICK_MASK);
			/* The last sixteen are stamps of a clock that is a little ahead. */
			__u32 expected = age < 4096 - 16 ? age : 0;

			if (flow_word_age(word, now) != expected)
				CU_FAIL_FATAL("wrong age");
		}
	}
}

/* Each state's words are alive up to its timeout and dead the tick after, wherever the clock stands. */
static void alive(void)
{
	static const __u32 clocks[] = { 0, 1, 100, 4000, 4095 };

	for (size_t c = 0; c < UNIT_COUNT(clocks); c++)
		for (__u32 state = FLOW_SYN; state < FLOW_STATE_COUNT; state++) {
			__u64 word = flow_word(5, 1, state, clocks[c]);

			CU_ASSERT(flow_word_alive(word, clocks[c], timeout));
			CU_ASSERT(flow_word_alive(word, (clocks[c] + timeout[state]) & FLOW_TICK_MASK, timeout));
			CU_ASSERT_FALSE(
				flow_word_alive(word, (clocks[c] + timeout[state] + 1) & FLOW_TICK_MASK, timeout));
		}
	CU_ASSERT_FALSE(flow_word_alive(0, 0, timeout));
	CU_ASSERT_FALSE(flow_word_alive(flow_word(0x1ffffffff, 3, FLOW_NONE, 0), 0, timeout));
}

/* The longest timeout there may be ends before a tick can be taken for one of the next round. */
static void longest_timeout_fits(void)
{
	CU_ASSERT(FLOW_TIMEOUT_MAX_S / FLOW_TICK_S < FLOW_TICK_MASK - FLOW_TICK_SKEW);
}

static void bucket_find(void)
{
	struct flow_bucket b = { { 0 } };

	/* A free word is no flow, not even one whose tag is 0. */
	CU_ASSERT_EQUAL(flow_bucket_find(&b, 0), -1);
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i++)
		b.word[i] = flow_word(1000 + i, i, FLOW_ESTABLISHED, i);
	for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i++)
		CU_ASSERT_EQUAL(flow_bucket_find(&b, 1000 + i), (int)i);
	CU_ASSERT_EQUAL(flow_bucket_find(&b, 999), -1);
	b.word[5] = flow_word(0, 9, FLOW_SYN, 0);
	b.word[2] = 0;
	CU_ASSERT_EQUAL(flow_bucket_find(&b, 0), 5);
	/* Backend, state and tick are none of the tag; each bit of the tag is. */
	for (int bit = 0; bit < 33; bit++) {
		b.word[0] = flow_word(0x155555555ULL ^ 1ULL << bit, 3, FLOW_UDP, 77);
		CU_ASSERT_EQUAL(flow_bucket_find(&b, 0x155555555ULL), -1);
	}
}

/* Enter n flows, then look for all; returns how many found no room. The found ones must name their backend. */
static __u64 fill(struct world *w, __u64 n, __u32 state)
{
	__u64 refused = 0, wrong = 0;
	__u8 *entered = calloc(n, 1);

	if (!entered)
		abort();
	for (__u64 i = 0; i < n; i++) {
		struct flow_place p = nth_place(i, w->tables.n_buckets);
		__u64 word;

		/* Two flows with one fingerprint are one to the table. */
		if (flow_find(&w->tables, &p, -1, &word))
			continue;
		entered[i] =
			flow_insert(&w->tables, &p, flow_word(p.tag, (__u32)(i & 0xffff), state, w->tables.tick)) != NULL;
		refused += !entered[i];
	}
	for (__u64 i = 0; i < n; i++) {
		struct flow_place p = nth_place(i, w->tables.n_buckets);
		__u64 word;

		if (entered[i] &&
			(!flow_find(&w->tables, &p, -1, &word) || flow_word_backend(word) != (i & 0xffff)))
			wrong++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	free(entered);
	return refused;
}

/* Up to the stated capacity there is room for every flow, and at 85 % of all words for nearly every one. */
static void load(void)
{
	struct world w;
	__u64 words, refused;

	open_world(&w, flow_table_buckets(100000));
	CU_ASSERT_EQUAL(fill(&w, 85000, FLOW_ESTABLISHED), 0);
	world_clear(&w);
	CU_ASSERT_EQUAL(fill(&w, 100000, FLOW_ESTABLISHED), 0);
	world_clear(&w);
	words = (__u64)w.tables.n_buckets * FLOW_BUCKET_WORDS;
	refused = fill(&w, words * 85 / 100, FLOW_ESTABLISHED);
	unit_note("at 85 %% of all words %.3f %% of the flows had no room", refused * 100.0 / (words * 0.85));
	CU_ASSERT(refused < words / 50);
	world_close(&w);
}

/* Established flows: those that found room stay, those that didn't are refused; none displaces another. */
static void overfull(void)
{
	struct world w;
	__u64 words, refused;

	open_world(&w, 256);
	words = 256 * FLOW_BUCKET_WORDS;
	refused = fill(&w, words * 2, FLOW_ESTABLISHED);
	unit_note("%llu of %llu flows in %llu words had no room", (unsigned long long)refused,
		(unsigned long long)words * 2, (unsigned long long)words);
	CU_ASSERT(refused >= words - words / 100);
	CU_ASSERT(refused <= words + words / 20);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_EVICTED], 0);
	world_close(&w);
}

/* Fill both buckets of a place with words of the given state; place: where a new flow would go. */
static void fill_place(struct world *w, const struct flow_place *place, __u32 state)
{
	for (int b = 0; b < 2; b++)
		for (__u32 i = 0; i < FLOW_BUCKET_WORDS; i++)
			w->buckets[place->bucket[b]].word[i] =
				flow_word(0x100000000ULL + i, 1, state, w->tables.tick);
}

static struct flow_place new_place(const struct world *w)
{
	struct flow_place p;
	__u64 i = 0;

	do {
		p = nth_place(i++, w->tables.n_buckets);
	} while (p.bucket[0] == p.bucket[1]);
	return p;
}

/* Who gives way to a new half-open flow when both buckets are full. */
static void who_gives_way(void)
{
	static const struct {
		__u32 state;
		int gives_way;
	} states[] = { { FLOW_SYN, 1 }, { FLOW_UDP_NEW, 1 }, { FLOW_RESET, 1 }, { FLOW_ESTABLISHED, 0 },
		{ FLOW_FIN, 0 }, { FLOW_UDP, 0 } };
	struct world w;

	open_world(&w, 16);
	for (size_t s = 0; s < UNIT_COUNT(states); s++) {
		struct flow_place p = new_place(&w);
		__u64 word = flow_word(p.tag, 2, FLOW_SYN, w.tables.tick), found;

		world_clear(&w);
		fill_place(&w, &p, states[s].state);
		CU_ASSERT_EQUAL(flow_insert(&w.tables, &p, word) != NULL, states[s].gives_way);
		CU_ASSERT_EQUAL(flow_find(&w.tables, &p, -1, &found) != NULL, states[s].gives_way);
		CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_EVICTED], (__u64)states[s].gives_way);
	}
	world_close(&w);
}

static int is_in_bucket(const struct world *w, const __u64 *word, __u32 bucket)
{
	return word >= w->buckets[bucket].word && word < w->buckets[bucket].word + FLOW_BUCKET_WORDS;
}

/*
 * One word of another kind among fifteen: the order is free, dead, reset, the oldest half-open. In the second
 * bucket all but a free one is looked for only if none in the first gives way.
 */
static void who_gives_way_first(void)
{
	struct world w;

	open_world(&w, 16);
	for (__u32 i = 0; i < 2 * FLOW_BUCKET_WORDS; i++) {
		struct flow_place p = new_place(&w);
		__u64 word = flow_word(p.tag, 2, FLOW_SYN, w.tables.tick), found;
		__u64 *odd = &w.buckets[p.bucket[i / FLOW_BUCKET_WORDS]].word[i % FLOW_BUCKET_WORDS];
		__u32 tick = w.tables.tick;
		__u64 candidates[] = {
			0,					       /* free */
			flow_word(3, 1, FLOW_ESTABLISHED, tick - 226), /* dead */
			flow_word(3, 1, FLOW_RESET, tick),
			flow_word(3, 1, FLOW_SYN, tick - 1), /* an older half-open one */
			flow_word(3, 1, FLOW_UDP_NEW, tick - 15),
		};

		for (size_t c = 0; c < UNIT_COUNT(candidates); c++) {
			int second = i >= FLOW_BUCKET_WORDS;

			world_clear(&w);
			fill_place(&w, &p, FLOW_SYN);
			*odd = candidates[c];
			if (second && c) {
				CU_ASSERT_TRUE(is_in_bucket(&w, flow_insert(&w.tables, &p, word), p.bucket[0]));
				world_clear(&w);
				fill_place(&w, &p, FLOW_SYN);
				*odd = candidates[c];
				for (__u32 k = 0; k < FLOW_BUCKET_WORDS; k++)
					w.buckets[p.bucket[0]].word[k] = flow_word(k, 1, FLOW_ESTABLISHED, tick);
			}
			CU_ASSERT_PTR_NOT_NULL(flow_insert(&w.tables, &p, word));
			CU_ASSERT_PTR_EQUAL(flow_find(&w.tables, &p, -1, &found), odd);
			CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_EVICTED], c >= 2);
		}
	}
	world_close(&w);
}

/* A flood of half-open flows, sixteen times what the table holds, displaces none but half-open ones. */
static void flood(void)
{
	struct world w;
	__u64 lost = 0, word, words;

	open_world(&w, 256);
	words = 256 * FLOW_BUCKET_WORDS;
	CU_ASSERT_EQUAL(fill(&w, words / 2, FLOW_ESTABLISHED), 0);
	for (__u64 i = words; i < words * 17; i++) {
		struct flow_place p = nth_place(i, w.tables.n_buckets);

		if (i % 1024 == 0)
			w.tables.tick++;
		(void)flow_insert(&w.tables, &p, flow_word(p.tag, 1, FLOW_SYN, w.tables.tick));
	}
	for (__u64 i = 0; i < words / 2; i++) {
		struct flow_place p = nth_place(i, w.tables.n_buckets);

		lost += !flow_find(&w.tables, &p, -1, &word) || flow_word_state(word) != FLOW_ESTABLISHED;
	}
	/* Fewer than one in a thousand share a fingerprint with one that came before and were never entered. */
	CU_ASSERT(lost <= words / 2000);
	world_close(&w);
}

/* No table at all: nothing is entered, nothing is found, nothing breaks. */
static void no_table(void)
{
	struct world w;
	struct flow_place p = { 1, { 0, 0 } };
	__u64 word;

	open_world(&w, 0);
	CU_ASSERT_PTR_NULL(flow_insert(&w.tables, &p, 1));
	CU_ASSERT_PTR_NULL(flow_find(&w.tables, &p, -1, &word));
	world_close(&w);
}

/* A hint from another time: the word has gone, or has moved to the other bucket. */
static void wrong_hint(void)
{
	struct world w;
	struct flow_place p;
	__u64 word, *place;

	open_world(&w, 16);
	p = new_place(&w);
	place = &w.buckets[p.bucket[1]].word[3];
	*place = flow_word(p.tag, 3, FLOW_ESTABLISHED, w.tables.tick);
	for (int hint = -1; hint < FLOW_BUCKET_WORDS; hint++) {
		CU_ASSERT_PTR_EQUAL(flow_find(&w.tables, &p, hint, &word), place);
		CU_ASSERT_EQUAL(flow_word_backend(word), 3);
	}
	*place = 0;
	for (int hint = -1; hint < FLOW_BUCKET_WORDS; hint++)
		CU_ASSERT_PTR_NULL(flow_find(&w.tables, &p, hint, &word));
	world_close(&w);
}

/*
 * Threads, each with flows of its own and counters of its own, at one table. Every flow that was entered as
 * established has to be there at the end, with its backend, as nothing may displace it.
 */
#define THREADS 4
#define FLOWS_EACH 20000

struct thread {
	pthread_t id;
	struct tables tables;
	struct stats_worker *stats;
	__u64 first;
	__u8 entered[FLOWS_EACH];
	__u64 lost;
};

static void *enter_and_look_up(void *argument)
{
	struct thread *t = argument;

	for (__u32 i = 0; i < FLOWS_EACH; i++) {
		struct flow_place p = nth_place(t->first + i, t->tables.n_buckets);
		__u64 word = flow_word(p.tag, i & 0xfff, FLOW_ESTABLISHED, 1000), found;

		if (flow_find(&t->tables, &p, -1, &found))
			continue;
		t->entered[i] = flow_insert(&t->tables, &p, word) != NULL;
		/* Some half-open ones in between, which others may displace. */
		p = nth_place(1000000 + t->first + i, t->tables.n_buckets);
		(void)flow_insert(&t->tables, &p, flow_word(p.tag, 1, FLOW_SYN, 1000));
		if (i % 16 == 0)
			for (__u32 j = i & ~0xfffu; j < i; j++) {
				p = nth_place(t->first + j, t->tables.n_buckets);
				t->lost += t->entered[j] && !flow_find(&t->tables, &p, -1, &found);
			}
	}
	return NULL;
}

static void threads(void)
{
	struct thread *all = calloc(THREADS, sizeof(*all));
	__u64 lost = 0, entered = 0, wrong = 0;
	struct world w;

	if (!all)
		abort();
	/* Room for somewhat more than all: buckets fill up, and threads meet in them. */
	open_world(&w, THREADS * FLOWS_EACH / FLOW_BUCKET_WORDS * 5 / 4);
	for (int i = 0; i < THREADS; i++) {
		all[i].tables = w.tables;
		all[i].stats = calloc(1, sizeof(*all[i].stats));
		if (!all[i].stats)
			abort();
		all[i].tables.stats = all[i].stats;
		all[i].first = (__u64)i * FLOWS_EACH;
	}
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&all[i].id, NULL, enter_and_look_up, &all[i]))
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i].id, NULL);
	for (int i = 0; i < THREADS; i++) {
		lost += all[i].lost;
		for (__u32 j = 0; j < FLOWS_EACH; j++) {
			struct flow_place p = nth_place(all[i].first + j, w.tables.n_buckets);
			__u64 word;

			if (!all[i].entered[j])
				continue;
			entered++;
			wrong += !flow_find(&w.tables, &p, -1, &word) || flow_word_backend(word) != (j & 0xfff);
		}
		free(all[i].stats);
	}
	unit_note("%llu of %u entered", (unsigned long long)entered, THREADS * FLOWS_EACH);
	CU_ASSERT_EQUAL(lost, 0);
	/* Two of one fingerprint, entered by two threads: the second found is the first's. */
	CU_ASSERT(wrong <= 3);
	CU_ASSERT(entered > THREADS * FLOWS_EACH * 98 / 100);
	world_close(&w);
	free(all);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "fields of a word", word_fields },
		{ "size for a capacity", size },
		{ "ticks and ages, around the wrap", ticks_and_ages },
		{ "alive until the state's timeout", alive },
		{ "the longest timeout fits the tick", longest_timeout_fits },
		{ "finding in a bucket", bucket_find },
		{ "85 % of capacity, all of it, 85 % of all words", load },
		{ "more flows than words", overfull },
		{ "who gives way", who_gives_way },
		{ "who gives way first", who_gives_way_first },
		{ "a flood of half-open flows", flood },
		{ "no table", no_table },
		{ "a hint that is wrong by now", wrong_hint },
		{ "threads at one table", threads },
		{ NULL, NULL },
	};

	return unit_run("flow table", tests);
}
