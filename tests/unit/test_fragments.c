/* SPDX-License-Identifier: BSD-3-Clause */
/* fragments.h: what is entered is found, by its own datagram alone, as long as it lives; a full table; many workers. */
#include "fragments.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define WORKERS 4
#define ROUNDS 200000u

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
static struct fragment_bucket buckets[FRAGMENT_BUCKETS];
static struct tables tables = { .fragments = buckets, .n_fragment_buckets = FRAGMENT_BUCKETS, .tick = 100 };

static void clear(void)
{
	memset(buckets, 0, sizeof(buckets));
	tables.n_fragment_buckets = FRAGMENT_BUCKETS;
	tables.tick = 100;
}

static __u64 hash_of(const char *src, const char *dst, __u32 id, __u8 proto)
{
	return fragment_hash(key, unit_addr(src), unit_addr(dst), id, proto);
}

static int enter(__u64 hash, __u32 backend, __u32 vip, __u32 units)
{
	return fragment_enter(&tables, hash, &(struct fragment_home){ backend, vip, units });
}

static void entered_is_found(void)
{
	struct fragment_home home = { 0 };
	__u64 hash = hash_of("198.51.100.2", "192.0.2.80", 7, 17);

	clear();
	CU_ASSERT_FALSE(fragment_find(&tables, hash, &home));
	CU_ASSERT_EQUAL(enter(hash, 65534, 4711, 8191), 0);
	CU_ASSERT_TRUE_FATAL(fragment_find(&tables, hash, &home));
	CU_ASSERT_EQUAL(home.backend, 65534);
	CU_ASSERT_EQUAL(home.vip, 4711);
	CU_ASSERT_EQUAL(home.units, 8191);
	/* Whichever bit of the hash differs. */
	for (int i = 0; i < 64; i++)
		CU_ASSERT_FALSE(fragment_find(&tables, hash ^ 1ULL << i, &home));
	tables.n_fragment_buckets = 0;
	CU_ASSERT_FALSE(fragment_find(&tables, hash, &home));
	CU_ASSERT_EQUAL(enter(hash, 1, 1, 1), 0);
}

static void each_part_of_a_datagrams_name_counts(void)
{
	__u64 four = hash_of("198.51.100.2", "192.0.2.80", 7, 17), six = hash_of("2001:db8::2", "2001:db8::80", 7, 17);

	CU_ASSERT_NOT_EQUAL(four, hash_of("198.51.100.3", "192.0.2.80", 7, 17));
	CU_ASSERT_NOT_EQUAL(four, hash_of("198.51.100.2", "192.0.2.81", 7, 17));
	CU_ASSERT_NOT_EQUAL(four, hash_of("198.51.100.2", "192.0.2.80", 8, 17));
	CU_ASSERT_NOT_EQUAL(four, hash_of("198.51.100.2", "192.0.2.80", 7, 6));
	CU_ASSERT_NOT_EQUAL(six, hash_of("2001:db8::3", "2001:db8::80", 7, 17));
	CU_ASSERT_NOT_EQUAL(six, hash_of("2001:db8::2", "2001:db8::81", 7, 17));
	CU_ASSERT_NOT_EQUAL(six, hash_of("2001:db8::2", "2001:db8::80", 0x10007, 17));
	/* Not the protocol: a later fragment need not know it (RFC 8200, 4.5). */
	CU_ASSERT_EQUAL(six, hash_of("2001:db8::2", "2001:db8::80", 7, 60));
}

static void another_first(void)
{
	struct fragment_home home = { 0 };
	__u64 hash = hash_of("198.51.100.2", "192.0.2.80", 7, 17);
	int entries = 0;

	clear();
	CU_ASSERT_EQUAL(enter(hash, 3, 1, 185), 0);
	/* Sent twice, or the identification used again: the last one counts, in the same entry. */
	tables.tick++;
	CU_ASSERT_EQUAL(enter(hash, 4, 2, 185), 0);
	CU_ASSERT_TRUE(fragment_find(&tables, hash, &home));
	CU_ASSERT_EQUAL(home.backend, 4);
	CU_ASSERT_EQUAL(home.vip, 2);
	for (size_t i = 0; i < UNIT_COUNT(buckets); i++)
		for (int j = 0; j < FRAGMENT_ENTRIES; j++)
			entries += buckets[i].entry[j].claim != 0;
	CU_ASSERT_EQUAL(entries, 1);
	/* One of other length overlaps; some seconds later it is another datagram's. */
	CU_ASSERT_EQUAL(enter(hash, 5, 2, 100), -1);
	CU_ASSERT_TRUE(fragment_find(&tables, hash, &home));
	CU_ASSERT_EQUAL(home.backend, 4);
	CU_ASSERT_EQUAL(home.units, 185);
	tables.tick++;
	CU_ASSERT_EQUAL(enter(hash, 5, 2, 100), 0);
	CU_ASSERT_TRUE(fragment_find(&tables, hash, &home));
	CU_ASSERT_EQUAL(home.units, 100);
}

static void lives_for_its_time(void)
{
	struct fragment_home home = { 0 };
	__u64 hash = hash_of("198.51.100.2", "192.0.2.80", 7, 17);

	/* Around the end of the clock, too. */
	for (__u32 start = FLOW_TICK_MASK - 8; start < FLOW_TICK_MASK + 8; start++) {
		clear();
		tables.tick = start & FLOW_TICK_MASK;
		enter(hash, 1, 1, 100);
		for (__u32 age = 0; age < 2 * FRAGMENT_TICKS; age++) {
			tables.tick = (start + age) & FLOW_TICK_MASK;
			CU_ASSERT_EQUAL(fragment_find(&tables, hash, &home), age <= FRAGMENT_TICKS);
		}
		/* A worker whose clock is a little behind. */
		tables.tick = (start - 1) & FLOW_TICK_MASK;
		CU_ASSERT_TRUE(fragment_find(&tables, hash, &home));
	}
}

/* As many datagrams as there is room for nearly all find it; of four times as many the last do. */
static void full_table(void)
{
	struct fragment_home home = { 0 };
	__u32 n = FRAGMENT_BUCKETS * FRAGMENT_ENTRIES, found = 0;
	uint64_t state = 1;

	clear();
	for (__u32 i = 0; i < n / 2; i++)
		enter(unit_random(&state), i, 1, 100);
	state = 1;
	for (__u32 i = 0; i < n / 2; i++)
		found += (__u32)(fragment_find(&tables, unit_random(&state), &home) && home.backend == (i & 0xffff));
	unit_note("of %u datagrams in a table for twice as many %u are found", n / 2, found);
	CU_ASSERT(found > n / 2 * 9 / 10);
	/* A flood in the tick that follows takes the place of the older ones first, and each is found when it has come. */
	tables.tick++;
	for (__u32 i = 0; i < 16 * n; i++) {
		__u64 hash = unit_random(&state);

		enter(hash, i & 0xffff, 1, 100);
		CU_ASSERT_TRUE(fragment_find(&tables, hash, &home) && home.backend == (i & 0xffff));
	}
}

/* In a flood an entry stays for as many others as the table has room for, in the mean; after a hundredth of these
 * nearly all are there. */
static void flood(void)
{
	struct fragment_home home;
	__u32 n = FRAGMENT_BUCKETS * FRAGMENT_ENTRIES, gap = n / 100, found = 0;
	uint64_t state = 2, behind;

	clear();
	for (__u32 i = 0; i < 4 * n; i++)
		enter(unit_random(&state), 1, 1, 100);
	behind = state;
	for (__u32 i = 0; i < 8 * n; i++) {
		enter(unit_random(&state), 1, 1, 100);
		if (i >= gap)
			found += (__u32)fragment_find(&tables, unit_random(&behind), &home);
	}
	unit_note("%u of %u are there %u datagrams later", found, 8 * n - gap, gap);
	CU_ASSERT(found > (8 * n - gap) / 100 * 98);
}

struct worker {
	pthread_t thread;
	__u64 seed;
	__u64 wrong;
};

/*
 * Few buckets, and datagrams of which each goes to the backend that its hash says: whoever finds one finds that,
 * whatever others are doing to the entry.
 */
static void *work(void *argument)
{
	struct worker *w = argument;
	uint64_t state = w->seed;

	for (__u32 i = 0; i < ROUNDS; i++) {
		uint64_t name = unit_random(&state) % 64 + 1;
		__u64 hash = unit_random(&name);
		struct fragment_home home = { (__u32)(hash >> 20) & 0xffff, (__u32)(hash >> 40) & 0xffff, 1 + (hash & 63) };
		struct fragment_home found;

		if (unit_random(&state) & 1)
			fragment_enter(&tables, hash, &home);
		else if (fragment_find(&tables, hash, &found))
			w->wrong += memcmp(&home, &found, sizeof(home)) != 0;
	}
	return NULL;
}

static void many_workers(void)
{
	struct worker workers[WORKERS];
	__u64 wrong = 0;

	clear();
	tables.n_fragment_buckets = 2;
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .seed = (__u64)i };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		wrong += workers[i].wrong;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "what is entered is found", entered_is_found },
		{ "each part of a datagram's name counts", each_part_of_a_datagrams_name_counts },
		{ "another first fragment of a datagram", another_first },
		{ "an entry lives for its time", lives_for_its_time },
		{ "a full table", full_table },
		{ "a flood", flood },
		{ "many workers", many_workers },
		{ NULL, NULL },
	};

	return unit_run("fragments", tests);
}
