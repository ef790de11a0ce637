/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table of another capacity: flows of the elder one stay with their backends while the pool changes,
 * whichever worker sees them first, and leave it as they are used.
 */
#include "forward.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "snapshots.h"
#include "sweep.h"
#include "unit.h"

#define CLIENT 0xc6336400u
#define FLOWS 20000u

static struct sweep sweep;
static __u16 backend_of[FLOWS];

static void open_world(struct world *w, __u32 n_backends, __u32 n_buckets)
{
	struct test_pool pool = { .n = n_backends };

	if (world_open(w, test_snapshot(&pool, NULL), n_buckets))
		abort();
}

/* The pool now has so many backends: the hash gives many flows another one. */
static void change_pool(struct world *w, __u32 n_backends)
{
	struct test_pool pool = { .n = n_backends };

	world_publish(w, test_snapshot(&pool, NULL));
}

/* The table becomes the elder one of a table of n_buckets. */
static void change_capacity(struct world *w, __u32 n_buckets)
{
	struct flow_bucket *buckets;

	if (w->tables.n_elder_buckets || posix_memalign((void **)&buckets, 64, n_buckets * sizeof(*buckets)))
		abort();
	memset(buckets, 0, n_buckets * sizeof(*buckets));
	w->tables.elder_buckets = w->buckets;
	w->tables.n_elder_buckets = w->tables.n_buckets;
	w->buckets = w->tables.buckets = buckets;
	w->tables.n_buckets = n_buckets;
}

static void drop_elder(struct world *w)
{
	free(w->tables.elder_buckets);
	w->tables.elder_buckets = NULL;
	w->tables.n_elder_buckets = 0;
}

static void close_world(struct world *w)
{
	drop_elder(w);
	world_close(w);
}

static __u64 words(const struct flow_bucket *buckets, __u32 n_buckets)
{
	__u64 n = 0;

	for (__u32 i = 0; i < n_buckets * FLOW_BUCKET_WORDS; i++)
		n += buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS] != 0;
	return n;
}

static __u64 elder_words(const struct world *w)
{
	return words(w->tables.elder_buckets, w->tables.n_elder_buckets);
}

static int send_nth(struct world *w, __u32 i, __u8 flags)
{
	return test_send_tcp(w, CLIENT + (i >> 14), (__u16)(1024 + (i & 0x3fff)), flags);
}

static __u64 word_of_nth(const struct world *w, __u32 i)
{
	uint8_t frame[TEST_FRAME];

	test_tcp4(frame, CLIENT + (i >> 14), (__u16)(1024 + (i & 0x3fff)), TCP_ACK);
	return world_flow(w, frame, TEST_FRAME);
}

/* FLOWS established flows, and where they went. */
static void establish(struct world *w)
{
	for (__u32 i = 0; i < FLOWS; i++) {
		int to = send_nth(w, i, TCP_SYN);

		if (to < 0 || send_nth(w, i, TCP_ACK) != to)
			CU_FAIL_FATAL("not established");
		backend_of[i] = (__u16)to;
	}
}

/* How many of them go elsewhere with this packet. */
static __u32 moved(struct world *w, __u8 flags)
{
	__u32 n = 0;

	for (__u32 i = 0; i < FLOWS; i++)
		n += send_nth(w, i, flags) != backend_of[i];
	return n;
}

/*
 * Up and down, with the pool changed meanwhile. Two flows that shared a fingerprint in the one table may be told
 * apart, or not told apart, in the other: a few in a million.
 */
static void stay(void)
{
	static const struct {
		__u32 from, to;
	} sizes[] = { { 8192, 65536 }, { 65536, 8192 }, { 8192, 8191 }, { 5000, 5003 } };

	for (size_t s = 0; s < UNIT_COUNT(sizes); s++) {
		struct world w;

		open_world(&w, 10, sizes[s].from);
		establish(&w);
		change_pool(&w, 15);
		change_capacity(&w, sizes[s].to);
		memset(w.stats->counter, 0, sizeof(w.stats->counter));
		CU_ASSERT(moved(&w, TCP_ACK) <= 1);
		CU_ASSERT(w.stats->counter[COUNTER_FLOW_CARRIED] >= FLOWS - 1);
		CU_ASSERT(w.stats->counter[COUNTER_FLOW_HIT] >= FLOWS - 1);
		CU_ASSERT(w.stats->counter[COUNTER_FLOW_STRAY] <= 1);
		CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_MOVED], 0);
		CU_ASSERT(elder_words(&w) <= 1);
		/* And once more, from the table alone. */
		drop_elder(&w);
		CU_ASSERT(moved(&w, TCP_ACK) <= 1);
		/* Without the elder they would be torn apart: this test can fail. */
		world_clear(&w);
		CU_ASSERT(moved(&w, TCP_ACK) > FLOWS / 5);
		close_world(&w);
	}
}

/* The state comes along: each packet does what it would have done in one table. */
static void state_stays(void)
{
	static const struct {
		__u32 state, then;
		__u8 flags;
	} steps[] = {
		{ FLOW_SYN, FLOW_ESTABLISHED, TCP_ACK },
		{ FLOW_SYN, FLOW_SYN, TCP_SYN },
		{ FLOW_ESTABLISHED, FLOW_ESTABLISHED, TCP_ACK },
		{ FLOW_ESTABLISHED, FLOW_FIN, TCP_FIN | TCP_ACK },
		{ FLOW_ESTABLISHED, FLOW_RESET, TCP_RST },
		{ FLOW_FIN, FLOW_FIN, TCP_ACK },
		{ FLOW_RESET, FLOW_RESET, TCP_RST },
		/* Past its handshake: no SYN makes it one that may be moved. */
		{ FLOW_ESTABLISHED, FLOW_ESTABLISHED, TCP_SYN },
	};
	uint8_t frame[TEST_FRAME];
	struct world w;

	for (size_t i = 0; i < UNIT_COUNT(steps); i++) {
		__u64 word;

		open_world(&w, 4, 64);
		test_tcp4(frame, CLIENT, 1024, TCP_ACK);
		for (unsigned int backend = 0; backend < 4; backend++) {
			CU_ASSERT_EQUAL(world_set_flow(&w, frame, TEST_FRAME, backend, steps[i].state), 0);
			change_capacity(&w, 128);
			w.tables.tick += 2;
			CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 1024, steps[i].flags), (int)backend);
			word = world_flow(&w, frame, TEST_FRAME);
			CU_ASSERT_EQUAL(flow_word_state(word), steps[i].then);
			CU_ASSERT_EQUAL(flow_word_backend(word), backend);
			CU_ASSERT_EQUAL(flow_word_age(word, w.tables.tick), 0);
			/* A SYN takes nothing away. */
			CU_ASSERT_EQUAL(elder_words(&w), steps[i].flags == TCP_SYN);
			drop_elder(&w);
			world_clear(&w);
		}
		close_world(&w);
	}
}

/* What the elder table says of a flow that is over, or whose backend is, counts for nothing. */
static void not_carried(void)
{
	static const struct {
		__u32 state, ticks;
		__u8 flags;
	} cases[] = {
		{ FLOW_ESTABLISHED, 226, TCP_ACK },
		{ FLOW_FIN, 0, TCP_SYN },
		{ FLOW_RESET, 0, TCP_SYN },
		{ FLOW_SYN, 16, TCP_ACK },
	};
	uint8_t frame[TEST_FRAME];
	struct world w;
	int by_hash;

	open_world(&w, 4, 64);
	test_tcp4(frame, CLIENT, 1024, TCP_ACK);
	by_hash = test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		world_clear(&w);
		world_set_flow(&w, frame, TEST_FRAME, (unsigned int)(by_hash + 1) % 4, cases[i].state);
		change_capacity(&w, 128);
		w.tables.tick += cases[i].ticks;
		CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 1024, cases[i].flags), by_hash);
		CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_CARRIED], 0);
		CU_ASSERT_EQUAL(flow_word_state(world_flow(&w, frame, TEST_FRAME)), FLOW_SYN);
		drop_elder(&w);
	}
	/* Of a backend that is gone. */
	world_clear(&w);
	world_set_flow(&w, frame, TEST_FRAME, 9, FLOW_ESTABLISHED);
	change_capacity(&w, 128);
	CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 1024, TCP_ACK), by_hash);
	drop_elder(&w);
	/* A dead word in the table does not hide it. */
	world_clear(&w);
	world_set_flow(&w, frame, TEST_FRAME, (unsigned int)(by_hash + 1) % 4, FLOW_ESTABLISHED);
	change_capacity(&w, 128);
	w.tables.tick -= 100;
	world_set_flow(&w, frame, TEST_FRAME, (unsigned int)(by_hash + 2) % 4, FLOW_SYN);
	w.tables.tick += 100;
	CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 1024, TCP_ACK), (by_hash + 1) % 4);
	CU_ASSERT_EQUAL(words(w.buckets, w.tables.n_buckets), 1);
	CU_ASSERT_EQUAL(elder_words(&w), 0);
	close_world(&w);
}

/* A table too small for them all: those without room stay where they are, and go on from there. */
static void no_room(void)
{
	struct world w;
	__u64 left;

	open_world(&w, 10, 8192);
	establish(&w);
	change_pool(&w, 15);
	change_capacity(&w, 512);
	for (int round = 0; round < 3; round++) {
		/* Used all the time, none times out. */
		w.tables.tick += 200;
		CU_ASSERT(moved(&w, TCP_ACK) <= 1);
	}
	left = elder_words(&w);
	CU_ASSERT(left >= FLOWS - 512 * FLOW_BUCKET_WORDS);
	/* They end where they are, too. */
	CU_ASSERT(moved(&w, TCP_RST) <= 1);
	CU_ASSERT(elder_words(&w) <= left);
	w.tables.tick += 4;
	sweep_begin(&sweep);
	CU_ASSERT_EQUAL(sweep_buckets(&sweep, &w.tables, 512 + 8192 + WORLD_FRAGMENT_BUCKETS), 1);
	CU_ASSERT_EQUAL(sweep.elder_words, 0);
	CU_ASSERT_EQUAL(elder_words(&w), 0);
	close_world(&w);
}

/* A flood of half-open flows, new ones and old, displaces no established one, wherever that is. */
static void flood(void)
{
	struct world w;

	open_world(&w, 10, 8192);
	establish(&w);
	for (__u32 i = FLOWS; i < 2 * FLOWS; i++)
		send_nth(&w, i, TCP_SYN);
	change_pool(&w, 15);
	change_capacity(&w, 4096);
	for (__u32 i = 0; i < FLOWS; i++) {
		send_nth(&w, 2 * FLOWS + i, TCP_SYN);
		send_nth(&w, FLOWS + i, TCP_SYN);
		if (i % 2)
			CU_ASSERT_FATAL(send_nth(&w, i, TCP_ACK) == backend_of[i] || i == 0);
	}
	for (__u32 i = 3 * FLOWS; i < 5 * FLOWS; i++)
		send_nth(&w, i, TCP_SYN);
	CU_ASSERT(moved(&w, TCP_ACK) <= 1);
	close_world(&w);
}

/* The sweep counts each flow once, wherever it is, and says when the elder table is empty. */
static void swept(void)
{
	static const __u32 pieces[] = { 1, 1000, 8192, 100000 };
	struct world w;
	__u64 sum;

	open_world(&w, 10, 8192);
	establish(&w);
	change_capacity(&w, 4096);
	for (__u32 i = 0; i < FLOWS; i += 2)
		send_nth(&w, i, TCP_ACK);
	for (size_t p = 0; p < UNIT_COUNT(pieces); p++) {
		sum = 0;
		sweep_begin(&sweep);
		while (!sweep_buckets(&sweep, &w.tables, pieces[p]))
			;
		CU_ASSERT_EQUAL(sweep.active, words(w.buckets, 4096) + elder_words(&w));
		CU_ASSERT(sweep.active >= FLOWS - 1 && sweep.active <= FLOWS);
		CU_ASSERT_EQUAL(sweep.elder_words, elder_words(&w));
		CU_ASSERT_EQUAL(sweep.half_open, 0);
		for (int i = 0; i < 10; i++)
			sum += sweep.by_backend[i];
		CU_ASSERT_EQUAL(sum, sweep.active);
	}
	w.tables.tick += 226;
	sweep_begin(&sweep);
	CU_ASSERT_EQUAL(sweep_buckets(&sweep, &w.tables, 100000), 1);
	CU_ASSERT_EQUAL(sweep.active + sweep.elder_words, 0);
	close_world(&w);
}

/*
 * Workers that see the same flows at the same time, each in an order of its own: both find every flow, whoever
 * takes it over, and at the end it is there once, established, with its backend.
 */
#define WORKERS 4

struct worker {
	pthread_t id;
	struct world world; /* of its own but for the tables */
	__u32 index;
	__u64 moved;
};

static pthread_barrier_t start;

static void *look_up(void *argument)
{
	struct worker *me = argument;

	pthread_barrier_wait(&start);
	for (__u32 i = 0; i < FLOWS; i++) {
		/* Near to one another, so that they meet. */
		__u32 nth = i ^ me->index;

		me->moved += send_nth(&me->world, nth, TCP_ACK) != backend_of[nth];
	}
	return NULL;
}

static void race(__u32 n_buckets)
{
	struct worker *all = calloc(WORKERS, sizeof(*all));
	struct test_pool pool = { .n = 15 };
	__u64 carried = 0, entries, gone = 0;
	struct world w;

	if (!all || pthread_barrier_init(&start, NULL, WORKERS))
		abort();
	open_world(&w, 10, 8192);
	establish(&w);
	change_pool(&w, 15);
	change_capacity(&w, n_buckets);
	for (__u32 i = 0; i < WORKERS; i++) {
		struct worker *me = &all[i];

		if (world_open(&me->world, test_snapshot(&pool, NULL), 0))
			abort();
		me->index = i;
		me->world.tables.buckets = w.tables.buckets;
		me->world.tables.n_buckets = w.tables.n_buckets;
		me->world.tables.elder_buckets = w.tables.elder_buckets;
		me->world.tables.n_elder_buckets = w.tables.n_elder_buckets;
		if (pthread_create(&me->id, NULL, look_up, me))
			abort();
	}
	for (__u32 i = 0; i < WORKERS; i++) {
		pthread_join(all[i].id, NULL);
		CU_ASSERT(all[i].moved <= 1);
		carried += all[i].world.stats->counter[COUNTER_FLOW_CARRIED];
		world_close(&all[i].world);
	}
	entries = words(w.buckets, n_buckets) + elder_words(&w);
	unit_note("%llu carried, %llu in the elder table", (unsigned long long)carried,
		(unsigned long long)elder_words(&w));
	CU_ASSERT(entries >= FLOWS - 1 && entries <= FLOWS + 1);
	CU_ASSERT(carried + elder_words(&w) >= FLOWS - 1 && carried + elder_words(&w) <= FLOWS + 1);
	for (__u32 i = 0; i < FLOWS && n_buckets > 8192; i++)
		gone += flow_word_state(word_of_nth(&w, i)) != FLOW_ESTABLISHED;
	CU_ASSERT(gone <= 1);
	pthread_barrier_destroy(&start);
	close_world(&w);
	free(all);
}

static void races(void)
{
	for (int round = 0; round < 5; round++) {
		race(16384);
		race(512);
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "flows stay with their backends", stay },
		{ "with their state", state_stays },
		{ "what is over is not carried over", not_carried },
		{ "without room", no_room },
		{ "a flood of half-open flows", flood },
		{ "swept together", swept },
		{ "workers at one flow", races },
		{ NULL, NULL },
	};

	return unit_run("elder flow table", tests);
}
