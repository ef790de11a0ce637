/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Half-open flows: what workers count of them agrees with the flow table whatever happens to its words, a VIP's
 * bound holds, and others than the VIP under attack notice nothing. And the estimate of what the flow table is
 * worth.
 */
#include "forward.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "random_world.h"
#include "snapshots.h"
#include "sweep.h"
#include "unit.h"

#define CLIENT 0xc6336400u
#define WORKERS 2u
#define VIPS 4u
#define BUCKETS 64u
#define ELDER_BUCKETS 24u

static struct sweep sweep;

/* Workers of one flow table and snapshot: each its counters. */
static struct stats_worker *stats[WORKERS];
static struct world worker[WORKERS];

static void *filled(size_t align, size_t size)
{
	void *p;

	if (posix_memalign(&p, align, size))
		abort();
	memset(p, 0, size);
	return p;
}

static void open_workers(const struct test_pool *pool, __u32 n_buckets)
{
	if (world_open(&worker[0], test_snapshot(pool, NULL), n_buckets))
		abort();
	worker[0].tables.n_workers = WORKERS;
	stats[0] = worker[0].stats;
	for (__u32 i = 1; i < WORKERS; i++) {
		worker[i] = worker[0];
		worker[i].stats = worker[i].tables.stats = stats[i] = filled(64, sizeof(*stats[i]));
		worker[i].tables.worker = i;
	}
}

static void close_workers(void)
{
	free(worker[0].tables.elder_buckets);
	for (__u32 i = 1; i < WORKERS; i++)
		free(stats[i]);
	world_close(&worker[0]);
}

/* As the sweepers do. */
static void sweep_all(void)
{
	__u64 changed[WORKERS][VIPS];

	for (__u32 w = 0; w < WORKERS; w++)
		for (__u32 vip = 0; vip < VIPS; vip++)
			changed[w][vip] = stats[w]->guard[vip].opened - stats[w]->guard[vip].closed;
	sweep_begin(&sweep);
	while (!sweep_buckets(&sweep, &worker[0].tables, 16))
		;
	for (__u32 w = 0; w < WORKERS; w++)
		for (__u32 vip = 0; vip < VIPS; vip++)
			stats[w]->guard[vip].at_sweep =
				sweep_share(changed[w][vip], sweep.half_open_by_vip[vip], w, WORKERS);
}

static void count_words(const struct flow_bucket *buckets, __u32 n_buckets, __u64 *half_open)
{
	for (__u32 i = 0; i < n_buckets * FLOW_BUCKET_WORDS; i++) {
		__u64 word = buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS];

		if (flow_word_is_half_open(word))
			half_open[flow_word_vip(word) % VIPS]++;
	}
}

/* Opened less closed, of all workers, is what is there, dead or alive, while no sweep takes any out. */
static int agrees(void)
{
	const struct tables *t = &worker[0].tables;
	__u64 there[VIPS] = { 0 };

	count_words(t->buckets, t->n_buckets, there);
	count_words(t->elder_buckets, t->n_elder_buckets, there);
	for (__u32 vip = 0; vip < VIPS; vip++) {
		__u64 counted = 0;

		for (__u32 w = 0; w < WORKERS; w++)
			counted += stats[w]->guard[vip].opened - stats[w]->guard[vip].closed;
		if (counted != there[vip]) {
			unit_note("VIP %u: %lld counted, %llu there", vip, (long long)counted,
				(unsigned long long)there[vip]);
			return 0;
		}
	}
	return 1;
}

/* A packet of one of a few flows of the TCP and the UDP VIP, with any flags. */
static void send_any(struct world *w, struct random *dice)
{
	static const __u8 flags[] = { TCP_SYN, TCP_SYN, TCP_SYN, TCP_ACK, TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST };
	__u32 client = CLIENT + random_below(dice, 8);
	__u16 port = (__u16)(1024 + random_below(dice, 150));
	uint8_t frame[TEST_FRAME];

	if (random_below(dice, 3))
		test_tcp4(frame, client, port, flags[random_below(dice, UNIT_COUNT(flags))]);
	else
		test_udp4(frame, client, port);
	test_send(w, frame);
}

static __u8 some_down(__u32 i)
{
	static const __u8 flags[] = { 0, BACKEND_VALID, BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT };

	return i < 3 ? flags[i] : BACKEND_VALID | BACKEND_UP;
}

/* Half of what the table has was put there by an elder process, into a table of another capacity. */
static void add_elder(void)
{
	struct flow_bucket *elder = filled(64, ELDER_BUCKETS * sizeof(*elder));

	for (__u32 w = 0; w < WORKERS; w++) {
		worker[w].tables.elder_buckets = worker[w].tables.buckets;
		worker[w].tables.n_elder_buckets = ELDER_BUCKETS;
		worker[w].tables.buckets = elder;
		worker[w].buckets = elder;
	}
}

static void publish(const struct test_pool *pool)
{
	struct world *first = &worker[0];

	world_publish(first, test_snapshot(pool, NULL));
	for (__u32 w = 1; w < WORKERS; w++) {
		worker[w].snapshot = first->snapshot;
		tables_open_snapshot(&worker[w].tables, first->snapshot);
	}
}

/* Displaced, moved, timed out, reused, carried over: whatever becomes of words, it is counted. */
static void counts_agree(void)
{
	struct test_pool whole = { .n = 6 }, part = { .n = 6, .flags = some_down };
	struct random dice = { .state = 88172645463325252ULL };

	open_workers(&whole, ELDER_BUCKETS);
	for (__u32 round = 0; round < 60; round++) {
		publish(round % 3 == 1 ? &part : &whole);
		if (round == 20)
			add_elder();
		for (__u32 i = 0; i < 1000; i++)
			send_any(&worker[random_below(&dice, WORKERS)], &dice);
		for (__u32 w = 0; w < WORKERS; w++)
			worker[w].tables.tick =
				(worker[0].tables.tick + (w ? 0 : random_below(&dice, 12))) & FLOW_TICK_MASK;
		if (!agrees())
			CU_FAIL_FATAL("they differ");
	}
	CU_ASSERT(stats[0]->counter[COUNTER_FLOW_EVICTED] > 100);
	CU_ASSERT(stats[0]->counter[COUNTER_FLOW_CARRIED] > 0);
	CU_ASSERT(stats[0]->counter[COUNTER_FLOW_RETRIED] > 0);
	close_workers();
}

static void *run_worker(void *context)
{
	struct world *w = context;
	struct random dice = { .state = 88172645463325252ULL + w->tables.worker };

	for (__u32 i = 0; i < 200000; i++)
		send_any(w, &dice);
	return NULL;
}

/* Of words that both workers change at the same time one counts each change. */
static void counts_agree_of_many(void)
{
	struct test_pool pool = { .n = 6 };
	pthread_t thread[WORKERS];

	open_workers(&pool, ELDER_BUCKETS);
	run_worker(&worker[0]);
	add_elder();
	for (__u32 w = 0; w < WORKERS; w++)
		if (pthread_create(&thread[w], NULL, run_worker, &worker[w]))
			abort();
	for (__u32 w = 0; w < WORKERS; w++)
		pthread_join(thread[w], NULL);
	CU_ASSERT(agrees());
	close_workers();
}

static __u64 half_open_there(__u32 vip)
{
	__u64 there[VIPS] = { 0 };

	count_words(worker[0].tables.buckets, worker[0].tables.n_buckets, there);
	return there[vip];
}

static void flood(struct world *w, __u32 from, __u32 n)
{
	for (__u32 i = from; i < from + n; i++)
		if (test_send_tcp(w, 0x0a000000 + i, 1024, TCP_SYN) < 0)
			CU_FAIL_FATAL("a SYN was dropped");
}

/* A flood that reaches both workers alike: the bound, and not a flow more; all the others go by hash. */
static void bound_holds(void)
{
	struct test_pool pool = { .n = 6, .bound = 1000 };

	open_workers(&pool, 1024);
	for (__u32 second = 0; second < 4; second++) {
		for (__u32 w = 0; w < WORKERS; w++)
			flood(&worker[w], (second * WORKERS + w) * 5000, 5000);
		CU_ASSERT_EQUAL(half_open_there(0), 1000);
		sweep_all();
	}
	for (__u32 w = 0; w < WORKERS; w++) {
		CU_ASSERT_EQUAL(stats[w]->guard[0].untracked, 19500);
		CU_ASSERT_EQUAL(stats[w]->guard[0].over_bound, 19500);
		CU_ASSERT_EQUAL(stats[w]->counter[COUNTER_SYN_OVER_BOUND], 19500);
		CU_ASSERT_EQUAL(stats[w]->counter[COUNTER_FLOW_UNTRACKED], 19500);
		CU_ASSERT_EQUAL(stats[w]->vip[0].new_flows, 20000);
	}
	close_workers();
}

/* One worker gets it all: it has its share of the bound, then of what is left of it after each sweep. */
static void bound_is_shared(void)
{
	struct test_pool pool = { .n = 6, .bound = 1000 };
	__u64 before = 0;

	open_workers(&pool, 1024);
	for (__u32 second = 0; second < 12; second++) {
		__u64 now;

		flood(&worker[1], second * 5000, 5000);
		now = half_open_there(0);
		CU_ASSERT(now <= 1000);
		CU_ASSERT(now >= before + (1000 - before) / WORKERS);
		before = now;
		sweep_all();
	}
	CU_ASSERT(before > 990);
	close_workers();
}

/* When it is over and what it left has timed out, the VIP's flows have entries again. */
static void bound_is_left(void)
{
	struct test_pool pool = { .n = 6, .bound = 1000 };

	open_workers(&pool, 1024);
	flood(&worker[0], 0, 5000);
	sweep_all();
	for (__u32 w = 0; w < WORKERS; w++)
		worker[w].tables.tick += 16;
	sweep_all();
	CU_ASSERT_EQUAL(half_open_there(0), 0);
	flood(&worker[0], 5000, 400);
	CU_ASSERT_EQUAL(half_open_there(0), 400);
	close_workers();
}

/* A process that finds the table full of what another left: after its first sweep it knows. */
static void bound_after_restart(void)
{
	struct test_pool pool = { .n = 6, .bound = 1000 };

	open_workers(&pool, 1024);
	for (__u32 w = 0; w < WORKERS; w++)
		flood(&worker[w], w * 5000, 5000);
	for (__u32 w = 0; w < WORKERS; w++)
		memset(stats[w]->guard, 0, VIPS * sizeof(stats[w]->guard[0]));
	sweep_all();
	for (__u32 w = 0; w < WORKERS; w++)
		flood(&worker[w], (2 + w) * 5000, 5000);
	CU_ASSERT_EQUAL(half_open_there(0), 1000);
	/* What it left is completed by its clients: room for others. */
	for (__u32 i = 0; i < 100; i++)
		test_send_tcp(&worker[0], 0x0a000000 + i, 1024, TCP_ACK);
	flood(&worker[0], 30000, 5000);
	CU_ASSERT_EQUAL(half_open_there(0), 1000);
	close_workers();
}

/*
 * A connection that begins while its VIP is at its bound: the SYN goes by hash, the ACK is taken up and goes
 * there, too, and from the second packet on it is as any other.
 */
static void connection_at_the_bound(void)
{
	struct test_pool pool = { .n = 6, .bound = 1000 }, more = { .n = 7, .bound = 1000 };
	__u32 broken = 0;
	int to[500];

	open_workers(&pool, 1024);
	for (__u32 w = 0; w < WORKERS; w++)
		flood(&worker[w], w * 5000, 5000);
	sweep_all();
	for (__u32 i = 0; i < UNIT_COUNT(to); i++) {
		to[i] = test_send_tcp(&worker[0], CLIENT + i, 5000, TCP_SYN);
		for (__u32 packet = 0; packet < 3; packet++)
			broken += test_send_tcp(&worker[0], CLIENT + i, 5000, TCP_ACK) != to[i];
	}
	publish(&more);
	for (__u32 i = 0; i < UNIT_COUNT(to); i++)
		broken += test_send_tcp(&worker[0], CLIENT + i, 5000, TCP_ACK) != to[i];
	CU_ASSERT_EQUAL(broken, 0);
	close_workers();
}

/* The other VIP's flows have entries throughout, and keep them: the flood displaces none. */
static void others_notice_nothing(void)
{
	struct test_pool pool = { .n = 6, .bound = 2000 };
	uint8_t frame[TEST_FRAME];

	open_workers(&pool, 1024);
	for (__u32 i = 0; i < 1000; i++) {
		flood(&worker[0], i * 100, 100);
		test_udp4(frame, CLIENT + i, 5000);
		test_send(&worker[0], frame);
	}
	CU_ASSERT_EQUAL(stats[0]->counter[COUNTER_FLOW_NEW], 2000);
	CU_ASSERT_EQUAL(stats[0]->guard[1].untracked, 0);
	CU_ASSERT_EQUAL(stats[0]->counter[COUNTER_FLOW_EVICTED], 0);
	close_workers();
}

/* Share of n established flows' packets that the sample says go elsewhere than by hash. */
static double elsewhere(struct world *w, __u32 n)
{
	__u64 before = w->stats->guard[0].elsewhere, received = w->stats->received;

	for (__u32 round = 0; round < 20; round++)
		for (__u32 i = 0; i < n; i++)
			test_send_tcp(w, CLIENT + i, 5000, TCP_ACK);
	return (double)(w->stats->guard[0].elsewhere - before) / (double)(w->stats->received - received);
}

/* What tracking is worth: nothing while the pool is as it was; then the share of flows that hashing would move. */
static void sample(void)
{
	struct test_pool four = { .n = 4 }, five = { .n = 5 },
			 turns = { .n = 4, .scheduler = SCHEDULER_ROUND_ROBIN };
	const __u32 n = 5000;
	__u32 moved = 0;
	double share;

	open_workers(&four, 4096);
	for (__u32 i = 0; i < n; i++)
		test_send_tcp(&worker[0], CLIENT + i, 5000, TCP_SYN);
	CU_ASSERT_EQUAL(elsewhere(&worker[0], n), 0);
	publish(&five);
	for (__u32 i = 0; i < n; i++)
		moved += test_send_tcp(&worker[1], CLIENT + i, 5001, TCP_ACK) == 4;
	share = elsewhere(&worker[0], n);
	CU_ASSERT(share > 0.8 * moved / n && share < 1.2 * moved / n);
	close_workers();

	/* Round robin sends three of four elsewhere from the start. */
	open_workers(&turns, 4096);
	for (__u32 i = 0; i < n; i++)
		test_send_tcp(&worker[0], CLIENT + i, 5000, TCP_SYN);
	share = elsewhere(&worker[0], n);
	CU_ASSERT(share > 0.7 && share < 0.8);
	close_workers();
}

/* The sample is one of each so many packets, whatever their number. */
static void sample_is_even(void)
{
	__u64 at[SAMPLE_EVERY] = { 0 };
	__u64 before = 0;

	for (__u64 group = 0; group < 100000; group++) {
		__u64 number = forward_sampled(group);

		if (number < group * SAMPLE_EVERY || number >= (group + 1) * SAMPLE_EVERY)
			CU_FAIL_FATAL("beside its group");
		CU_ASSERT(!group || number > before);
		before = number;
		at[number % SAMPLE_EVERY]++;
	}
	for (__u32 i = 0; i < SAMPLE_EVERY; i++)
		CU_ASSERT(at[i] > 90000 / SAMPLE_EVERY && at[i] < 110000 / SAMPLE_EVERY);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "counts agree with the table", counts_agree },
		{ "those of many workers at once, too", counts_agree_of_many },
		{ "the bound holds", bound_holds },
		{ "workers share the bound", bound_is_shared },
		{ "a flood that is over", bound_is_left },
		{ "a table that another process left", bound_after_restart },
		{ "a connection that begins at the bound", connection_at_the_bound },
		{ "other VIPs notice nothing", others_notice_nothing },
		{ "what tracking is worth", sample },
		{ "the sample is even", sample_is_even },
		{ NULL, NULL },
	};

	return unit_run("pressure", tests);
}
