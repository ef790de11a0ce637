/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.h over many flows and several snapshots: shares by scheduler, what stays where when a pool changes,
 * ageing, a full table. What becomes of single packets is in tests/packets.
 */
#include "forward.h"

#include <stdlib.h>
#include <string.h>

#include "snapshots.h"
#include "unit.h"

#define FLOWS 100000u
#define CLIENT 0xc6336400u

static __u32 share[1024];
static __u16 backend_of[FLOWS];

static struct test_pool pool_of(enum scheduler scheduler, __u32 n)
{
	return (struct test_pool){ .scheduler = scheduler, .n = n };
}

static void open_world(struct world *w, const struct test_pool *pool, __u32 n_buckets)
{
	if (world_open(w, test_snapshot(pool, NULL), n_buckets))
		abort();
}

static int send_nth(struct world *w, __u32 i, __u8 flags)
{
	return test_send_tcp(w, CLIENT + (i >> 14), (__u16)(1024 + (i & 0x3fff)), flags);
}

static __u16 one_to_four(__u32 i)
{
	return (__u16)(i + 1);
}

static __u16 uneven(__u32 i)
{
	static const __u16 weight[] = { 10, 250, 1000, 333 };

	return weight[i];
}

/* FLOWS new flows; each backend's share of them within 2 % of its weight's. */
static void check_shares(enum scheduler scheduler, __u32 n, __u16 (*weight)(__u32 i))
{
	struct test_pool pool = { .scheduler = scheduler, .n = n, .weight = weight };
	double total = 0;
	struct world w;

	open_world(&w, &pool, flow_table_buckets(4 * FLOWS));
	memset(share, 0, sizeof(share));
	for (__u32 i = 0; i < FLOWS; i++) {
		int to;

		/* Source-hash has a share of clients, not of connections. */
		if (scheduler == SCHEDULER_SOURCE_HASH)
			to = test_send_tcp(&w, CLIENT + i, 40000, TCP_SYN);
		else
			to = send_nth(&w, i, TCP_SYN);
		if (to < 0 || to >= (int)n)
			CU_FAIL_FATAL("no backend");
		share[to]++;
	}
	for (__u32 i = 0; i < n; i++)
		total += weight ? weight(i) : 1;
	for (__u32 i = 0; i < n; i++) {
		double owed = FLOWS * (weight ? weight(i) : 1) / total, off = share[i] - owed;

		/* Of a small share chance alone takes more than 2 %: three deviations then. */
		double allowed = owed * 0.02, chance = 9 * owed;

		off = off < 0 ? -off : off;
		if (scheduler == SCHEDULER_ROUND_ROBIN)
			chance = 4;
		if (off > allowed && off * off > chance)
			unit_note("scheduler %d: backend %u has %u flows, not %.0f", scheduler, i, share[i], owed);
		CU_ASSERT(off <= allowed || off * off <= chance);
	}
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FORWARDED], FLOWS);
	CU_ASSERT_EQUAL(w.stats->vip[0].new_flows, FLOWS);
	for (__u32 i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(w.stats->backend[i].new_flows, share[i]);
		CU_ASSERT_EQUAL(w.stats->backend[i].packets, share[i]);
		CU_ASSERT_EQUAL(w.stats->backend[i].bytes, (__u64)share[i] * TEST_FRAME);
	}
	world_close(&w);
}

static void shares_maglev(void)
{
	check_shares(SCHEDULER_MAGLEV, 4, NULL);
	check_shares(SCHEDULER_MAGLEV, 4, one_to_four);
	check_shares(SCHEDULER_MAGLEV, 4, uneven);
}

static void shares_source_hash(void)
{
	check_shares(SCHEDULER_SOURCE_HASH, 4, NULL);
	check_shares(SCHEDULER_SOURCE_HASH, 4, one_to_four);
}

static void shares_round_robin(void)
{
	check_shares(SCHEDULER_ROUND_ROBIN, 3, NULL);
	check_shares(SCHEDULER_ROUND_ROBIN, 4, one_to_four);
	check_shares(SCHEDULER_ROUND_ROBIN, 4, uneven);
	check_shares(SCHEDULER_ROUND_ROBIN, 100, NULL);
}

static void shares_least_flows(void)
{
	check_shares(SCHEDULER_LEAST_FLOWS, 4, NULL);
	check_shares(SCHEDULER_LEAST_FLOWS, 4, one_to_four);
	check_shares(SCHEDULER_LEAST_FLOWS, 100, NULL);
}

/* Least-flows: a backend that the sweep counted many flows on gets no more until the others have caught up. */
static void least_flows_evens_out(void)
{
	struct test_pool pool = pool_of(SCHEDULER_LEAST_FLOWS, 4);
	__u32 to_busy = 0;
	struct world w;

	open_world(&w, &pool, 4096);
	w.active[2] = 1000000;
	for (__u32 i = 0; i < 10000; i++)
		to_busy += send_nth(&w, i, TCP_SYN) == 2;
	/* One in sixteen flows has it as both its choices. */
	CU_ASSERT(to_busy < 10000 / 16 * 5 / 4);
	world_close(&w);
}

/* Source-hash: all ports of a client go to one backend; and to the same one on another load balancer. */
static void source_hash_keeps_clients(void)
{
	struct test_pool pool = pool_of(SCHEDULER_SOURCE_HASH, 10);
	struct world a, b;

	open_world(&a, &pool, 1024);
	open_world(&b, &pool, 0);
	for (__u32 client = 0; client < 100; client++) {
		int first = test_send_tcp(&a, CLIENT + client, 1024, TCP_SYN);

		for (__u16 port = 1025; port < 1035; port++) {
			CU_ASSERT_EQUAL(test_send_tcp(&a, CLIENT + client, port, TCP_SYN), first);
			CU_ASSERT_EQUAL(test_send_tcp(&b, CLIENT + client, port, TCP_ACK), first);
		}
	}
	world_close(&a);
	world_close(&b);
}

/* Maglev: two load balancers that share nothing but configuration and key agree on every flow. */
static void fleet_agrees(void)
{
	struct test_pool pool = { .scheduler = SCHEDULER_MAGLEV, .n = 20, .weight = one_to_four };
	struct world a, b;

	open_world(&a, &pool, 1024);
	open_world(&b, &pool, 64);
	for (__u32 i = 0; i < 5000; i++)
		if (send_nth(&a, i, TCP_SYN) != send_nth(&b, i, TCP_ACK))
			CU_FAIL_FATAL("they disagree");
	world_close(&a);
	world_close(&b);
}

/* Establish n flows; backend_of[] has where. */
static void establish(struct world *w, __u32 n)
{
	for (__u32 i = 0; i < n; i++) {
		int to = send_nth(w, i, TCP_SYN);

		if (to < 0 || send_nth(w, i, TCP_ACK) != to)
			CU_FAIL_FATAL("a flow does not come about");
		backend_of[i] = (__u16)to;
	}
}

/* How many of n established flows are elsewhere now, those of backend except aside. */
static __u32 moved(struct world *w, __u32 n, int except)
{
	__u32 elsewhere = 0;

	for (__u32 i = 0; i < n; i++)
		if (backend_of[i] != except)
			elsewhere += send_nth(w, i, TCP_ACK) != backend_of[i];
	return elsewhere;
}

/* Whatever the scheduler, a pool that grows from 4 to 5, and one that gets other weights, moves no flow. */
static void growing_pool_moves_no_flow(void)
{
	for (int s = 0; s < SCHEDULER_COUNT; s++) {
		struct test_pool pool = pool_of((enum scheduler)s, 4);
		struct world w;

		open_world(&w, &pool, flow_table_buckets(FLOWS / 4));
		establish(&w, FLOWS / 5);
		pool.n = 5;
		world_publish(&w, test_snapshot(&pool, NULL));
		CU_ASSERT_EQUAL(moved(&w, FLOWS / 5, -1), 0);
		pool.weight = one_to_four;
		world_publish(&w, test_snapshot(&pool, NULL));
		CU_ASSERT_EQUAL(moved(&w, FLOWS / 5, -1), 0);
		CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_MOVED], 0);
		world_close(&w);
	}
}

static __u8 without_42(__u32 i)
{
	return i == 42 ? 0 : BACKEND_VALID | BACKEND_UP;
}

static __u8 down_42(__u32 i)
{
	return i == 42 ? BACKEND_VALID : BACKEND_VALID | BACKEND_UP;
}

/*
 * One of a hundred leaves: no flow of another backend moves; its own go elsewhere, once, and stay there, also
 * when it comes back.
 */
static void leaving_backend_moves_its_own_flows(void)
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 100);
	__u32 own = 0;
	struct world w;

	open_world(&w, &pool, flow_table_buckets(FLOWS));
	establish(&w, FLOWS / 2);
	pool.flags = without_42;
	world_publish(&w, test_snapshot(&pool, NULL));
	CU_ASSERT_EQUAL(moved(&w, FLOWS / 2, 42), 0);
	for (__u32 i = 0; i < FLOWS / 2; i++)
		if (backend_of[i] == 42) {
			int to = send_nth(&w, i, TCP_ACK);

			if (to < 0 || to == 42)
				CU_FAIL_FATAL("a flow goes to a backend that is gone");
			backend_of[i] = (__u16)to;
			own++;
		}
	CU_ASSERT(own > FLOWS / 2 / 100 / 2);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_MOVED], own);
	pool.flags = NULL;
	world_publish(&w, test_snapshot(&pool, NULL));
	CU_ASSERT_EQUAL(moved(&w, FLOWS / 2, -1), 0);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_MOVED], own);
	world_close(&w);
}

/* One of a hundred fails its checks: its established flows stay, new ones and second tries don't go there. */
static void backend_down_keeps_established(void)
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 100);
	__u32 to_down = 0;
	struct world w;

	open_world(&w, &pool, flow_table_buckets(FLOWS));
	establish(&w, FLOWS / 2);
	for (__u32 i = FLOWS / 2; i < FLOWS / 2 + 5000; i++)
		send_nth(&w, i, TCP_SYN);
	pool.flags = down_42;
	world_publish(&w, test_snapshot(&pool, NULL));
	CU_ASSERT_EQUAL(moved(&w, FLOWS / 2, -1), 0);
	for (__u32 i = FLOWS / 2; i < FLOWS / 2 + 10000; i++)
		to_down += send_nth(&w, i, TCP_SYN) == 42;
	CU_ASSERT_EQUAL(to_down, 0);
	world_close(&w);
}

static __u16 none(__u32 i)
{
	return 0;
}

/* Weight 0 for all: no new flow, the old ones go on. */
static void drained_pool(void)
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 4);
	struct world w;

	open_world(&w, &pool, 1024);
	establish(&w, 1000);
	pool.weight = none;
	world_publish(&w, test_snapshot(&pool, NULL));
	CU_ASSERT_EQUAL(moved(&w, 1000, -1), 0);
	CU_ASSERT_EQUAL(send_nth(&w, 5000, TCP_SYN), -1);
	CU_ASSERT_EQUAL(send_nth(&w, 5001, TCP_ACK), -1);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_DROP_NO_BACKEND], 2);
	world_close(&w);
}

/* A pool that lost its last backend: its flows are dropped, not counted as moved, and not forgotten. */
static __u8 all_gone(__u32 i)
{
	return 0;
}

static void pool_without_backends(void)
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 4);
	struct world w;

	open_world(&w, &pool, 1024);
	establish(&w, 1000);
	pool.flags = all_gone;
	world_publish(&w, test_snapshot(&pool, NULL));
	CU_ASSERT_EQUAL(moved(&w, 1000, -1), 1000);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_DROP_NO_BACKEND], 1000);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_MOVED], 0);
	pool.flags = NULL;
	world_publish(&w, test_snapshot(&pool, NULL));
	CU_ASSERT_EQUAL(moved(&w, 1000, -1), 0);
	world_close(&w);
}

/*
 * Each state's flow is kept until its timeout and placed anew the tick after. The pool changes meanwhile so
 * that the flow's hash says another backend.
 */
static void ageing(void)
{
	static const struct {
		__u8 flags[3];
		__u32 state;
	} histories[] = {
		{ { TCP_SYN }, FLOW_SYN },
		{ { TCP_SYN, TCP_ACK }, FLOW_ESTABLISHED },
		{ { TCP_SYN, TCP_ACK, TCP_FIN | TCP_ACK }, FLOW_FIN },
		{ { TCP_SYN, TCP_ACK, TCP_RST }, FLOW_RESET },
	};
	static const __u32 clocks[] = { 0, 1000, 4090 };
	struct test_pool one = pool_of(SCHEDULER_MAGLEV, 1), two = pool_of(SCHEDULER_MAGLEV, 2);
	struct world w;
	__u32 flow = 0;

	open_world(&w, &two, 1024);
	while (send_nth(&w, flow, TCP_ACK) != 1)
		flow++;
	for (size_t h = 0; h < UNIT_COUNT(histories); h++)
		for (size_t c = 0; c < UNIT_COUNT(clocks); c++)
			for (int late = 0; late < 2; late++) {
				world_clear(&w);
				world_publish(&w, test_snapshot(&one, NULL));
				w.tables.tick = clocks[c];
				for (int i = 0; i < 3 && histories[h].flags[i]; i++)
					CU_ASSERT_EQUAL(send_nth(&w, flow, histories[h].flags[i]), 0);
				world_publish(&w, test_snapshot(&two, NULL));
				w.tables.tick =
					(clocks[c] + w.tables.header->timeout[histories[h].state] + (__u32)late) &
					FLOW_TICK_MASK;
				CU_ASSERT_EQUAL(send_nth(&w, flow, TCP_ACK), late);
			}
	world_close(&w);
}

/* Packets keep a flow alive: each timeout counts from the last one. */
static void packets_keep_alive(void)
{
	struct test_pool one = pool_of(SCHEDULER_MAGLEV, 1), two = pool_of(SCHEDULER_MAGLEV, 2);
	__u32 flow = 0;
	struct world w;

	open_world(&w, &two, 1024);
	while (send_nth(&w, flow, TCP_ACK) != 1)
		flow++;
	world_clear(&w);
	world_publish(&w, test_snapshot(&one, NULL));
	send_nth(&w, flow, TCP_SYN);
	send_nth(&w, flow, TCP_ACK);
	world_publish(&w, test_snapshot(&two, NULL));
	for (int i = 0; i < 100; i++) {
		w.tables.tick = (w.tables.tick + 225) & FLOW_TICK_MASK;
		if (send_nth(&w, flow, TCP_ACK) != 0)
			CU_FAIL_FATAL("forgotten");
	}
	world_close(&w);
}

/*
 * A table that has no room: new flows go by hash, all packets of one to the same backend, each counted as a flow
 * once; the flows that were there stay.
 */
static void full_table(void)
{
	for (int s = 0; s < SCHEDULER_COUNT; s++) {
		struct test_pool pool = pool_of((enum scheduler)s, 4);
		__u64 untracked = 0, new_flows;
		__u32 wandering = 0;
		struct world w;

		open_world(&w, &pool, 16);
		for (__u32 i = 0; i < 2000; i++) {
			backend_of[i] = (__u16)send_nth(&w, i, TCP_SYN);
			send_nth(&w, i, TCP_ACK);
		}
		new_flows = w.stats->vip[0].new_flows;
		for (__u32 i = 2000; i < 3000; i++) {
			int to = send_nth(&w, i, TCP_SYN);

			for (int k = 0; k < 3; k++)
				wandering += send_nth(&w, i, TCP_ACK) != to;
			wandering += send_nth(&w, i, TCP_FIN | TCP_ACK) != to;
		}
		untracked = w.stats->counter[COUNTER_FLOW_UNTRACKED];
		CU_ASSERT_EQUAL(wandering, 0);
		CU_ASSERT(untracked > 2000);
		CU_ASSERT(untracked <= 3000);
		CU_ASSERT_EQUAL(w.stats->vip[0].new_flows, new_flows + 1000);
		CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_EVICTED], 0);
		CU_ASSERT_EQUAL(world_verdicts(&w), w.stats->received);
		/* All 128 words are held by flows that are where they were. */
		CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_NEW], 16 * FLOW_BUCKET_WORDS);
		world_close(&w);
	}
}

/* Without a flow table everything goes by hash. */
static void no_table(void)
{
	for (int s = 0; s < SCHEDULER_COUNT; s++) {
		struct test_pool pool = pool_of((enum scheduler)s, 4);
		__u32 wandering = 0;
		struct world w;

		open_world(&w, &pool, 0);
		for (__u32 i = 0; i < 1000; i++) {
			int to = send_nth(&w, i, TCP_SYN);

			wandering += to < 0 || send_nth(&w, i, TCP_ACK) != to || send_nth(&w, i, TCP_FIN) != to;
		}
		CU_ASSERT_EQUAL(wandering, 0);
		world_close(&w);
	}
}

/* A snapshot of another key, as after a change of configuration: flows are not found, and nothing worse. */
static void other_key(void)
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 4);
	struct world w;
	size_t size;
	void *block;

	open_world(&w, &pool, 1024);
	establish(&w, 1000);
	block = test_snapshot(&pool, &size);
	((struct snapshot_header *)block)->hash_key[0] ^= 1;
	test_seal(block, size);
	world_publish(&w, block);
	CU_ASSERT(moved(&w, 1000, -1) > 500);
	CU_ASSERT(w.stats->counter[COUNTER_FLOW_STRAY] > 990);
	world_close(&w);
}

/* UDP: first by the scheduler, then where it was. */
static void udp(void)
{
	struct test_pool pool = pool_of(SCHEDULER_ROUND_ROBIN, 3);
	uint8_t frame[TEST_FRAME];
	struct world w;

	open_world(&w, &pool, 1024);
	for (__u16 i = 0; i < 300; i++) {
		test_udp4(frame, CLIENT, (__u16)(1024 + i));
		CU_ASSERT_EQUAL(test_send(&w, frame), i % 3);
	}
	for (__u16 i = 0; i < 300; i++) {
		test_udp4(frame, CLIENT, (__u16)(1024 + i));
		CU_ASSERT_EQUAL(test_send(&w, frame), i % 3);
	}
	CU_ASSERT_EQUAL(w.stats->vip[1].new_flows, 300);
	CU_ASSERT_EQUAL(w.stats->vip[1].packets, 600);
	world_close(&w);
}

/* Workers begin their rounds apart, and together they keep to the weights. */
static void round_robin_of_two_workers(void)
{
	struct test_pool pool = { .scheduler = SCHEDULER_ROUND_ROBIN, .n = 4, .weight = one_to_four };
	__u32 first[4];
	struct world w;

	memset(share, 0, sizeof(share));
	memset(first, 0, sizeof(first));
	for (__u32 worker = 0; worker < 20; worker++) {
		open_world(&w, &pool, 4096);
		w.tables.worker = worker;
		first[send_nth(&w, 0, TCP_SYN)]++;
		world_close(&w);
	}
	/* Or each round would begin with as many connections to one backend as there are workers. */
	for (__u32 i = 0; i < 4; i++)
		CU_ASSERT(first[i] > 0 && first[i] < 15);
	for (__u32 worker = 0; worker < 2; worker++) {
		open_world(&w, &pool, 4096);
		w.tables.worker = worker;
		for (__u32 i = 0; i < 10000; i++)
			share[send_nth(&w, i, TCP_SYN)]++;
		world_close(&w);
	}
	for (__u32 i = 0; i < 4; i++)
		CU_ASSERT(share[i] >= 2000 * (i + 1) - 20 && share[i] <= 2000 * (i + 1) + 20);
}

/* A burst in which each packet is the next one's cause: SYN, ACK and FIN of one flow, in order. */
static void flow_within_a_burst(void)
{
	static const __u8 flags[] = { TCP_SYN, TCP_ACK, TCP_ACK, TCP_FIN | TCP_ACK, TCP_SYN };
	struct test_pool pool = pool_of(SCHEDULER_ROUND_ROBIN, 3);
	uint8_t frames[UNIT_COUNT(flags)][TEST_FRAME];
	struct parcel parcels[UNIT_COUNT(flags)];
	struct world w;

	open_world(&w, &pool, 1024);
	for (size_t i = 0; i < UNIT_COUNT(flags); i++) {
		test_tcp4(frames[i], CLIENT, 40000, flags[i]);
		parcels[i] = (struct parcel){ .in = frames[i], .len = TEST_FRAME, .readable = TEST_FRAME };
	}
	CU_ASSERT_EQUAL(world_burst(&w, parcels, UNIT_COUNT(flags)), 0);
	for (size_t i = 0; i < UNIT_COUNT(flags); i++) {
		/* The last SYN is a new connection from the same port: the next backend's turn. */
		CU_ASSERT_EQUAL(parcels[i].verdict.backend, i == 4 ? 1 : 0);
		parcel_free(&parcels[i]);
	}
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_NEW], 2);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_HIT], 3);
	CU_ASSERT_EQUAL(flow_word_state(world_flow(&w, frames[0], TEST_FRAME)), FLOW_SYN);
	world_close(&w);
}

static __u8 third_is_suspect(__u32 i)
{
	return BACKEND_VALID | BACKEND_UP | (i == 2 ? BACKEND_SUSPECT : 0);
}

static __u8 third_is_down(__u32 i)
{
	return BACKEND_VALID | (i == 2 ? 0 : BACKEND_UP);
}

static void expect_handshakes(const struct world *w, __u32 backend, __u64 asked, __u64 completed, __u64 repeated)
{
	const struct stats_handshakes *h = &w->stats->handshakes[backend];

	CU_ASSERT_EQUAL(h->asked, asked);
	CU_ASSERT_EQUAL(h->completed, completed);
	CU_ASSERT_EQUAL(h->repeated, repeated);
}

/* What a client's packets say of its backend: asked once, repeated as often, completed once. */
static void handshakes(void)
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 1);
	struct world w;

	open_world(&w, &pool, 64);
	test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	expect_handshakes(&w, 0, 1, 0, 0);
	test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	expect_handshakes(&w, 0, 1, 0, 2);
	for (int i = 0; i < 3; i++)
		test_send_tcp(&w, CLIENT, 1024, TCP_ACK);
	expect_handshakes(&w, 0, 1, 1, 2);
	/* Past the handshake a SYN says nothing of the backend. */
	test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	expect_handshakes(&w, 0, 1, 1, 2);
	/* A new connection from the same port. */
	test_send_tcp(&w, CLIENT, 1024, TCP_FIN | TCP_ACK);
	test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	expect_handshakes(&w, 0, 2, 1, 2);
	/* A client that gives up, or never asked. */
	test_send_tcp(&w, CLIENT, 1024, TCP_RST);
	expect_handshakes(&w, 0, 2, 1, 2);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_RETRIED], 0);
	world_close(&w);
	/* Without a table nothing could be seen of how they end. */
	open_world(&w, &pool, 0);
	test_send_tcp(&w, CLIENT, 1024, TCP_SYN);
	test_send_tcp(&w, CLIENT, 1024, TCP_ACK);
	expect_handshakes(&w, 0, 0, 0, 0);
	world_close(&w);
}

/*
 * Of many flows on a backend that becomes suspect, or goes down, those that are half-open leave with their next
 * SYN, once; the others stay with every packet.
 */
static void retry(__u8 (*flags)(__u32 i))
{
	struct test_pool pool = pool_of(SCHEDULER_MAGLEV, 4);
	__u32 n = 4000, half_open = 0, established = 0;
	struct stats_handshakes before;
	struct world w;

	open_world(&w, &pool, 4096);
	for (__u32 i = 0; i < n; i++) {
		backend_of[i] = (__u16)send_nth(&w, i, TCP_SYN);
		if (i % 2)
			send_nth(&w, i, TCP_ACK);
	}
	pool.flags = flags;
	world_publish(&w, test_snapshot(&pool, NULL));
	before = w.stats->handshakes[2];
	for (int round = 0; round < 2; round++) {
		for (__u32 i = 0; i < n; i++) {
			int to = send_nth(&w, i, TCP_SYN), moves = backend_of[i] == 2 && i % 2 == 0;

			CU_ASSERT_FATAL(moves ? to >= 0 && to != 2 : to == backend_of[i]);
			backend_of[i] = (__u16)to;
			half_open += (__u32)moves;
			established += to == 2;
		}
	}
	CU_ASSERT(half_open > n / 10 && established > n / 10);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_RETRIED], half_open);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_FLOW_MOVED], half_open);
	expect_handshakes(&w, 2, before.asked, before.completed, half_open);
	/* Those that left begin anew where they are, and end there. */
	for (__u32 i = 0; i < n; i++)
		CU_ASSERT_FATAL(send_nth(&w, i, TCP_ACK) == backend_of[i]);
	expect_handshakes(&w, 2, before.asked, before.completed, half_open);
	world_close(&w);
}

static void retries(void)
{
	retry(third_is_suspect);
	retry(third_is_down);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "shares over 100,000 flows: maglev", shares_maglev },
		{ "shares over 100,000 flows: source-hash", shares_source_hash },
		{ "shares over 100,000 flows: round-robin", shares_round_robin },
		{ "shares over 100,000 flows: least-flows", shares_least_flows },
		{ "least-flows evens out", least_flows_evens_out },
		{ "source-hash keeps clients together", source_hash_keeps_clients },
		{ "load balancers of a fleet agree", fleet_agrees },
		{ "a growing pool moves no flow", growing_pool_moves_no_flow },
		{ "a leaving backend moves its own flows only", leaving_backend_moves_its_own_flows },
		{ "a backend that is down keeps its established flows", backend_down_keeps_established },
		{ "weight 0 for all", drained_pool },
		{ "a pool without backends", pool_without_backends },
		{ "ageing by state", ageing },
		{ "packets keep a flow alive", packets_keep_alive },
		{ "a full table", full_table },
		{ "no table", no_table },
		{ "another key", other_key },
		{ "UDP", udp },
		{ "round-robin of two workers", round_robin_of_two_workers },
		{ "a flow within a burst", flow_within_a_burst },
		{ "handshakes are counted", handshakes },
		{ "a repeated SYN leaves a backend that is suspect or down", retries },
		{ NULL, NULL },
	};

	return unit_run("forward", tests);
}
