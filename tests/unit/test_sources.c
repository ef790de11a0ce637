/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sources.h: each source has a limit of its own, by VIP; what is over makes room; a full bucket lets in; many
 * workers.
 */
#include "forward.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "snapshots.h"
#include "unit.h"

#define SECOND (1000000000u >> GUARD_TIME_SHIFT)
#define WORKERS 4

static struct source_bucket *buckets;
static const struct snapshot_header header = { .hash_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
static struct tables tables;

static void clear(void)
{
	if (!buckets && posix_memalign((void **)&buckets, 64, SOURCE_BUCKETS * sizeof(*buckets)))
		CU_FAIL_FATAL("no memory");
	memset(buckets, 0, SOURCE_BUCKETS * sizeof(*buckets));
	tables = (struct tables){ .header = &header, .sources = buckets, .now = 0xfffff000 };
}

/* How many of n flows a source may begin now, at rate a second with a burst. */
static unsigned int begin(struct addr source, __u32 vip, unsigned int n, __u32 rate, __u32 burst)
{
	__u32 interval = rate_interval(rate);
	unsigned int begun = 0;

	while (n--)
		begun += (unsigned int)source_allows(
			&tables, source, vip, interval, rate_tolerance(interval, burst));
	return begun;
}

static struct addr v4(unsigned int number)
{
	return addr_from_ipv4(core_be32(number));
}

static void each_source_has_its_own(void)
{
	clear();
	for (unsigned int i = 0; i < 1000; i++) {
		CU_ASSERT_EQUAL(begin(v4(0xc6120000 + i), 7, 8, 10, 5), 5);
		CU_ASSERT_EQUAL(begin(v4(0xc6120000 + i), 8, 8, 10, 3), 3);
	}
	/* The clock wraps meanwhile. */
	tables.now += SECOND / 5 + 2;
	for (unsigned int i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(begin(v4(0xc6120000 + i), 7, 8, 10, 5), 2);
	tables.now += SECOND * 3600;
	for (unsigned int i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(begin(v4(0xc6120000 + i), 7, 8, 10, 5), 5);
	tables.sources = NULL;
	CU_ASSERT_EQUAL(begin(v4(0xc6120000), 7, 8, 10, 5), 8);
}

static void a_source_of_ipv6_is_its_network(void)
{
	clear();
	CU_ASSERT_EQUAL(begin(unit_addr("2001:db8:1:2::1"), 7, 3, 1, 5), 3);
	CU_ASSERT_EQUAL(begin(unit_addr("2001:db8:1:2:ffff:ffff:ffff:ffff"), 7, 9, 1, 5), 2);
	CU_ASSERT_EQUAL(begin(unit_addr("2001:db8:1:3::1"), 7, 9, 1, 5), 5);
	CU_ASSERT_EQUAL(begin(unit_addr("::1"), 7, 9, 1, 5), 5);
	CU_ASSERT_EQUAL(begin(v4(0), 7, 9, 1, 5), 5);
}

/* Forged sources without end: those that were there before them keep their limit, others are let in. */
static void a_flood_refuses_nobody(void)
{
	unsigned int honest = 0, limited = 0;

	clear();
	for (unsigned int i = 0; i < 1000; i++)
		begin(v4(0x0a000000 + i), 7, 5, 10, 5);
	for (unsigned int i = 0; i < 3 * SOURCE_BUCKETS * SOURCE_WORDS; i++)
		begin(v4(0x40000000 + i), 7, 1, 1, 1);
	for (unsigned int i = 0; i < 1000; i++)
		limited += !begin(v4(0x0a000000 + i), 7, 1, 10, 5);
	CU_ASSERT_EQUAL(limited, 1000);
	for (unsigned int i = 0; i < 1000; i++)
		honest += begin(v4(0xc6120000 + i), 7, 1, 10, 5);
	CU_ASSERT_EQUAL(honest, 1000);
	/* When it is over there is room for everybody. */
	tables.now += SECOND * 2;
	for (unsigned int i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(begin(v4(0x0b000000 + i), 7, 9, 10, 5), 5);
}

/* As many as the table has words for are all limited, but for those whose bucket is full. */
static void capacity(void)
{
	const unsigned int n = SOURCE_BUCKETS * SOURCE_WORDS / 4;
	unsigned int again = 0;

	clear();
	for (unsigned int i = 0; i < n; i++)
		begin(v4(0x40000000 + i), 7, 1, 1, 1);
	for (unsigned int i = 0; i < n; i++)
		again += begin(v4(0x40000000 + i), 7, 1, 1, 1);
	CU_ASSERT(again < n / 1000);
}

static void *work(void *argument)
{
	unsigned int *begun = argument;

	for (unsigned int i = 0; i < 100000; i++)
		*begun += begin(v4(0xc6120000 + i % 100), 7, 1, 1, 50);
	return NULL;
}

/* Workers that meet at a word let in one more each time that they do, and that seldom. */
static void many_workers(void)
{
	unsigned int begun[WORKERS] = { 0 }, total = 0;
	pthread_t thread[WORKERS];

	clear();
	for (int i = 0; i < WORKERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, work, &begun[i]), 0);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(thread[i], NULL);
		total += begun[i];
	}
	CU_ASSERT(total >= 100 * 50 && total < 100 * 50 * 2);
}

/* Workers read the clock once for many packets: one may be behind another that saw the same source. */
static void a_worker_behind(void)
{
	const __u32 interval = rate_interval(10);
	unsigned int begun = 0;

	clear();
	/* Five at once, and one more at the very moment that it may. */
	for (__u32 passed = 0; passed <= 2 * interval; passed++) {
		begun += begin(v4(0xc6120000), 7, 1, 10, 5) + begin(v4(0xc6120000), 7, 1, 10, 5);
		for (__u32 behind = 1; behind <= 1u << 12; behind *= 8) {
			tables.now -= behind;
			begun += begin(v4(0xc6120000), 7, 1, 10, 5);
			tables.now += behind;
		}
		tables.now++;
	}
	CU_ASSERT_EQUAL(begun, 5 + 2);
}

#define CLIENT 0xc6336400u

/* Both VIPs let a source begin three flows, and then none for minutes. */
static void open_world(struct world *w, __u32 n_backends, __u32 n_buckets)
{
	struct test_pool pool = { .n = n_backends };
	char *block = test_snapshot(&pool, NULL);
	struct snapshot_header *h = (struct snapshot_header *)block;
	struct snapshot_vip *vips = (struct snapshot_vip *)(block + h->vips_off);
	struct snapshot_policy *policies = (struct snapshot_policy *)(block + h->policies_off);

	for (__u32 i = 0; i < h->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].proto)
			vips[i].flags |= VIP_RATE;
	for (__u32 i = 0; i < h->n_policies; i++) {
		policies[i].source_interval = RATE_HORIZON / 4;
		policies[i].source_tolerance = RATE_HORIZON / 2;
	}
	if (world_open(w, block, n_buckets) || world_add_sources(w))
		abort();
}

static int send_udp(struct world *w, __u32 client, __u16 port)
{
	uint8_t frame[TEST_FRAME];

	test_udp4(frame, client, port);
	return test_send(w, frame);
}

static __u64 dropped(const struct world *w)
{
	return w->stats->counter[COUNTER_DROP_SOURCE_RATE];
}

/* Of a limited source the first packets of new flows alone. */
static void what_is_limited(void)
{
	struct world w;

	open_world(&w, 4, 64);
	for (__u16 port = 1; port <= 5; port++)
		CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, port, TCP_SYN) >= 0, port <= 3);
	CU_ASSERT_EQUAL(dropped(&w), 2);
	CU_ASSERT_EQUAL(w.stats->guard[0].limited, 2);
	/* Repeated SYNs, and what else comes of flows that are there. */
	for (__u16 port = 1; port <= 3; port++) {
		CU_ASSERT(test_send_tcp(&w, CLIENT, port, TCP_SYN) >= 0);
		CU_ASSERT(test_send_tcp(&w, CLIENT, port, TCP_ACK) >= 0);
		CU_ASSERT(test_send_tcp(&w, CLIENT, port, TCP_SYN) >= 0);
	}
	/* A connection that began elsewhere is taken up: nobody says that it is a new one. */
	CU_ASSERT(test_send_tcp(&w, CLIENT, 77, TCP_ACK) >= 0);
	CU_ASSERT(test_send_tcp(&w, CLIENT, 78, TCP_ACK | TCP_FIN) >= 0);
	CU_ASSERT(test_send_tcp(&w, CLIENT, 79, TCP_RST) >= 0);
	CU_ASSERT_EQUAL(dropped(&w), 2);
	/* One from the port of a connection that has ended is. */
	CU_ASSERT(test_send_tcp(&w, CLIENT, 1, TCP_ACK | TCP_FIN) >= 0);
	CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 1, TCP_SYN), -1);
	CU_ASSERT_EQUAL(dropped(&w), 3);
	/* UDP has its own, and only first datagrams count. */
	for (__u16 port = 1; port <= 5; port++)
		for (int i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(send_udp(&w, CLIENT, port) >= 0, port <= 3);
	CU_ASSERT_EQUAL(dropped(&w), 3 + 2 * 3);
	/* Others are not touched by it, and in time the source is as any other. */
	CU_ASSERT(test_send_tcp(&w, CLIENT + 1, 5, TCP_SYN) >= 0);
	w.tables.now += RATE_HORIZON;
	CU_ASSERT(test_send_tcp(&w, CLIENT, 5, TCP_SYN) >= 0);
	CU_ASSERT_EQUAL(dropped(&w), 3 + 2 * 3);
	world_close(&w);
}

/* Flows that are in the table that was in use before are no new ones. */
static void flows_of_the_elder_table(void)
{
	struct flow_bucket *smaller;
	struct world w;

	open_world(&w, 4, 64);
	for (__u16 port = 1; port <= 3; port++)
		test_send_tcp(&w, CLIENT, port, TCP_SYN);
	if (posix_memalign((void **)&smaller, 64, 32 * sizeof(*smaller)))
		abort();
	memset(smaller, 0, 32 * sizeof(*smaller));
	w.tables.elder_buckets = w.buckets;
	w.tables.n_elder_buckets = w.tables.n_buckets;
	w.tables.buckets = smaller;
	w.tables.n_buckets = 32;
	for (__u16 port = 1; port <= 3; port++)
		CU_ASSERT(test_send_tcp(&w, CLIENT, port, TCP_SYN) >= 0);
	CU_ASSERT_EQUAL(dropped(&w), 0);
	CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 4, TCP_SYN), -1);
	CU_ASSERT_EQUAL(dropped(&w), 1);
	world_close(&w);
	free(smaller);
}

/* A full table drops nothing that may be of a flow; nor is a flow counted that no backend could have. */
static void no_room_and_no_backend(void)
{
	struct world w;

	open_world(&w, 4, 0);
	for (int i = 0; i < 100; i++)
		CU_ASSERT(send_udp(&w, CLIENT, 7) >= 0);
	CU_ASSERT_EQUAL(dropped(&w), 0);
	for (int i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, 7, TCP_SYN) >= 0, i < 3);
	CU_ASSERT_EQUAL(dropped(&w), 2);
	world_close(&w);
	open_world(&w, 0, 64);
	for (__u16 port = 1; port <= 5; port++)
		CU_ASSERT_EQUAL(test_send_tcp(&w, CLIENT, port, TCP_SYN), -1);
	CU_ASSERT_EQUAL(w.stats->counter[COUNTER_DROP_NO_BACKEND], 5);
	CU_ASSERT_EQUAL(dropped(&w), 0);
	world_close(&w);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "each source has its own limit, by VIP", each_source_has_its_own },
		{ "a source of IPv6 is its network", a_source_of_ipv6_is_its_network },
		{ "a flood of forged sources refuses nobody", a_flood_refuses_nobody },
		{ "how many sources there is room for", capacity },
		{ "many workers", many_workers },
		{ "a worker whose clock is behind", a_worker_behind },
		{ "first packets of new flows are limited, nothing else", what_is_limited },
		{ "flows of the elder table are no new ones", flows_of_the_elder_table },
		{ "no room, and no backend", no_room_and_no_backend },
		{ NULL, NULL },
	};

	return unit_run("sources", tests);
}
