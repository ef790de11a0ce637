/* SPDX-License-Identifier: BSD-3-Clause */
/* explain: what it says of a flow is what the forwarder then does with its packets. */
#include "explain.h"

#include <stdlib.h>
#include <time.h>

#include "flow_scan.h"
#include "parse.h"
#include "snapshots.h"
#include "unit.h"

#define N_BUCKETS 4096
#define N_FLOWS 2000
#define CLIENT 0xc6336402u /* 198.51.100.2 */

static struct world world;
static bool is_at_bound;

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static void begin(const struct test_pool *pool)
{
	CU_ASSERT_EQUAL_FATAL(world_open(&world, test_snapshot(pool, NULL), N_BUCKETS), 0);
	world.tables.tick = flow_tick(now_s());
}

static struct explanation explain_protocol(uint16_t port, uint16_t vip_port, uint8_t protocol)
{
	struct forwarder_flows flows = { .buckets = world.tables.buckets,
		.n_buckets = world.tables.n_buckets,
		.elder_buckets = world.tables.elder_buckets,
		.n_elder_buckets = world.tables.n_elder_buckets };

	return explain_flow(world.snapshot, &flows, addr_from_ipv4(core_be32(CLIENT)), port,
		unit_addr("192.0.2.80"), vip_port, protocol, now_s(), is_at_bound);
}

static struct explanation explain(uint16_t port, uint16_t vip_port)
{
	return explain_protocol(port, vip_port, IPPROTO_TCP);
}

/* A new flow goes where it was said to, and is then said to be there for good. */
static void new_flows_go_where_it_says(void)
{
	static const enum scheduler exact[] = { SCHEDULER_MAGLEV, SCHEDULER_SOURCE_HASH };

	for (size_t s = 0; s < UNIT_COUNT(exact); s++) {
		begin(&(struct test_pool){ .scheduler = exact[s], .n = 7 });
		for (uint16_t i = 0; i < N_FLOWS; i++) {
			struct explanation e = explain(1024 + i, 80);
			int backend = test_send_tcp(&world, CLIENT, 1024 + i, TCP_SYN);

			CU_ASSERT_EQUAL(e.reason, EXPLAIN_HASH);
			CU_ASSERT_EQUAL(e.backend, backend);
			CU_ASSERT(e.slot < e.slots);
			CU_ASSERT_EQUAL(world.tables.slots[e.slot], backend);
			e = explain(1024 + i, 80);
			CU_ASSERT_EQUAL(e.reason, EXPLAIN_FLOW);
			CU_ASSERT_EQUAL(e.backend, backend);
			CU_ASSERT_EQUAL(e.flow_state, FLOW_SYN);
			CU_ASSERT_EQUAL(e.slot, EXPLAIN_NO_SLOT);
		}
		world_close(&world);
	}
}

static void least_flows_is_one_of_two(void)
{
	bool differ = false;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_LEAST_FLOWS, .n = 7 });
	for (uint16_t i = 0; i < N_FLOWS; i++) {
		struct explanation e = explain(1024 + i, 80);
		int backend = test_send_tcp(&world, CLIENT, 1024 + i, TCP_SYN);

		CU_ASSERT(e.backend == backend || e.other == backend);
		CU_ASSERT_EQUAL(e.slot, EXPLAIN_NO_SLOT);
		differ |= e.other != SNAPSHOT_NONE && e.other == backend;
	}
	CU_ASSERT(differ);
	world_close(&world);
}

static void round_robin_is_not_settled(void)
{
	struct explanation e;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_ROUND_ROBIN, .n = 7 });
	e = explain(40000, 80);
	CU_ASSERT_EQUAL(e.reason, EXPLAIN_HASH);
	CU_ASSERT_EQUAL(e.backend, SNAPSHOT_NONE);
	CU_ASSERT_EQUAL(e.slot, EXPLAIN_NO_SLOT);
	world_close(&world);
}

static void no_vip(void)
{
	struct explanation e;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3 });
	e = explain(40000, 81);
	CU_ASSERT_EQUAL(e.reason, EXPLAIN_NO_VIP);
	CU_ASSERT_EQUAL(e.vip, SNAPSHOT_NONE);
	world_close(&world);
}

static __u16 no_weight(__u32 i)
{
	return 0;
}

static __u8 not_valid(__u32 i)
{
	return i == 0 ? 0 : BACKEND_VALID | BACKEND_UP;
}

static void no_backend(void)
{
	struct explanation e;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3, .weight = no_weight });
	e = explain(40000, 80);
	CU_ASSERT_EQUAL(e.reason, EXPLAIN_NO_BACKEND);
	CU_ASSERT_EQUAL(e.backend, SNAPSHOT_NONE);
	world_close(&world);
}

/* The entry names a backend that is out: both say that the flow gets another. */
static void entry_that_does_not_hold(void)
{
	unsigned int moved = 0;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3 });
	for (uint16_t i = 0; i < 200; i++)
		test_send_tcp(&world, CLIENT, 1024 + i, TCP_SYN);
	world_publish(&world,
		test_snapshot(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3, .flags = not_valid }, NULL));
	for (uint16_t i = 0; i < 200; i++) {
		struct explanation e = explain(1024 + i, 80);
		int backend = test_send_tcp(&world, CLIENT, 1024 + i, TCP_ACK);

		CU_ASSERT_EQUAL(e.backend, backend);
		CU_ASSERT_EQUAL(e.reason, e.entry == 0 ? EXPLAIN_HASH : EXPLAIN_FLOW);
		moved += e.entry == 0;
	}
	CU_ASSERT(moved > 20);
	world_close(&world);
}

/* The same of established flows: what comes from the middle of a connection goes by hash, whatever the scheduler.
 */
static void established_on_one_that_is_out(void)
{
	static const enum scheduler schedulers[] = { SCHEDULER_MAGLEV, SCHEDULER_ROUND_ROBIN,
		SCHEDULER_LEAST_FLOWS };

	for (size_t s = 0; s < UNIT_COUNT(schedulers); s++) {
		struct test_pool pool = { .scheduler = schedulers[s], .n = 3 };
		unsigned int moved = 0;

		begin(&pool);
		for (uint16_t i = 0; i < 200; i++) {
			test_send_tcp(&world, CLIENT, 1024 + i, TCP_SYN);
			test_send_tcp(&world, CLIENT, 1024 + i, TCP_ACK);
		}
		pool.flags = not_valid;
		world_publish(&world, test_snapshot(&pool, NULL));
		for (uint16_t i = 0; i < 200; i++) {
			struct explanation e = explain(1024 + i, 80);

			moved += e.reason == EXPLAIN_HASH;
			CU_ASSERT_EQUAL(e.other, SNAPSHOT_NONE);
			CU_ASSERT_EQUAL(e.backend, test_send_tcp(&world, CLIENT, 1024 + i, TCP_ACK));
		}
		CU_ASSERT(moved > 20);
		world_close(&world);
	}
}

static __u8 first_is_down(__u32 i)
{
	return i ? BACKEND_VALID | BACKEND_UP : BACKEND_VALID;
}

/* A backend is down: established flows stay, half-open ones leave it with their next SYN, UDP with the next
 * packet. */
static void backend_is_down(void)
{
	unsigned int stayed = 0, left = 0;
	uint8_t udp[TEST_FRAME];

	begin(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3 });
	for (uint16_t i = 0; i < 300; i++) {
		test_send_tcp(&world, CLIENT, 1024 + i, TCP_SYN);
		if (i % 2)
			test_send_tcp(&world, CLIENT, 1024 + i, TCP_ACK);
		test_udp4(udp, CLIENT, 1024 + i);
		test_send(&world, udp);
	}
	world_publish(&world,
		test_snapshot(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3, .flags = first_is_down },
			NULL));
	for (uint16_t i = 0; i < 300; i++) {
		struct explanation e = explain(1024 + i, 80);
		int was = e.entry;

		CU_ASSERT_EQUAL(e.backend, test_send_tcp(&world, CLIENT, 1024 + i, i % 2 ? TCP_ACK : TCP_SYN));
		CU_ASSERT_EQUAL(e.reason, i % 2 || was ? EXPLAIN_FLOW : EXPLAIN_HASH);
		stayed += was == 0 && e.backend == 0;
		left += was == 0 && e.backend != 0;
		e = explain_protocol(1024 + i, 53, IPPROTO_UDP);
		was = e.entry;
		test_udp4(udp, CLIENT, 1024 + i);
		CU_ASSERT_EQUAL(e.backend, test_send(&world, udp));
		CU_ASSERT_EQUAL(e.reason, was ? EXPLAIN_FLOW : EXPLAIN_HASH);
	}
	CU_ASSERT(stayed > 20);
	CU_ASSERT(left > 20);
	world_close(&world);
}

/* Capacity and pool have changed: what is in the elder table counts, wherever the flow is by then. */
static void in_the_elder_table(void)
{
	static struct flow_bucket empty[64];
	unsigned int others = 0;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3 });
	for (uint16_t i = 0; i < 200; i++)
		test_send_tcp(&world, CLIENT, 1024 + i, TCP_SYN);
	world_publish(&world, test_snapshot(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 9 }, NULL));
	world.tables.elder_buckets = world.tables.buckets;
	world.tables.n_elder_buckets = world.tables.n_buckets;
	world.tables.buckets = empty;
	world.tables.n_buckets = UNIT_COUNT(empty);
	for (uint16_t i = 0; i < 200; i++) {
		struct explanation e = explain(1024 + i, 80);

		CU_ASSERT_EQUAL(e.reason, EXPLAIN_FLOW);
		CU_ASSERT(e.backend < 3);
		CU_ASSERT_EQUAL(e.backend, test_send_tcp(&world, CLIENT, 1024 + i, TCP_ACK));
		CU_ASSERT_EQUAL(explain(1024 + i, 80).backend, e.backend);
		others += explain(10000 + i, 80).backend >= 3;
	}
	CU_ASSERT(others > 50);
	world_close(&world);
}

/* At its VIP's bound a new flow goes by hash, whatever the scheduler; one that is there where it is. */
static void at_the_bound(void)
{
	for (int s = 0; s < SCHEDULER_COUNT; s++) {
		struct explanation e;
		int backend;

		begin(&(struct test_pool){ .scheduler = (enum scheduler)s, .n = 7, .bound = 1 });
		CU_ASSERT_FALSE(explain(5000, 80).at_bound);
		backend = test_send_tcp(&world, CLIENT, 5000, TCP_SYN);
		is_at_bound = true;
		e = explain(5001, 80);
		CU_ASSERT(e.at_bound && e.reason == EXPLAIN_HASH);
		CU_ASSERT_EQUAL(e.backend, test_send_tcp(&world, CLIENT, 5001, TCP_SYN));
		e = explain(5000, 80);
		CU_ASSERT(!e.at_bound && e.reason == EXPLAIN_FLOW && e.backend == backend);
		is_at_bound = false;
		world_close(&world);
	}
}

static void without_a_flow_table(void)
{
	const struct forwarder_flows none = { .n_buckets = 0 };
	struct explanation e;

	begin(&(struct test_pool){ .scheduler = SCHEDULER_MAGLEV, .n = 3 });
	e = explain_flow(world.snapshot, &none, unit_addr("198.51.100.2"), 1, unit_addr("192.0.2.80"), 80,
		IPPROTO_TCP, now_s(), false);
	CU_ASSERT_EQUAL(e.reason, EXPLAIN_HASH);
	world_close(&world);
}

static void states_have_names(void)
{
	for (int i = 0; i < FLOW_STATE_COUNT; i++)
		CU_ASSERT_STRING_NOT_EQUAL(flow_state_name((enum flow_state)i), "unknown");
	CU_ASSERT_STRING_EQUAL(flow_state_name((enum flow_state)7), "unknown");
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "new flows go where it says", new_flows_go_where_it_says },
		{ "least-flows: one of two", least_flows_is_one_of_two },
		{ "round-robin: not settled before", round_robin_is_not_settled },
		{ "no VIP", no_vip },
		{ "no backend", no_backend },
		{ "an entry that does not hold", entry_that_does_not_hold },
		{ "established on one that is out", established_on_one_that_is_out },
		{ "a backend that is down", backend_is_down },
		{ "in the elder table", in_the_elder_table },
		{ "at the bound of half-open flows", at_the_bound },
		{ "without a flow table", without_a_flow_table },
		{ "flow states have names", states_have_names },
		{ NULL, NULL },
	};

	return unit_run("explain", tests);
}
