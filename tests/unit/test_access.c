/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.h and access_build.h: a look-up in what was built finds what looking at every prefix would, for lists of all
 * shapes; and whatever the nodes hold, once they are accepted, a look-up ends and reads nothing else.
 */
#include "access_build.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot_check.h"
#include "unit.h"

#define LIST_MAX 100000

static uint64_t random_state = 1;

/* A list as built, with tables to look it up by. */
struct built {
	struct snapshot_header header;
	struct snapshot_access list;
	struct access_room room;
	__u32 *words;
	struct tables t;
};

static uint64_t next_random(void)
{
	return unit_random(&random_state);
}

static void *get(size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, 64, size ? size : 64))
		abort();
	return p;
}

static void build(struct built *b, const struct access_prefix *prefixes, __u32 n)
{
	*b = (struct built){ .room = { .links_room = 16, .leaves_room = 1 } };
	b->room.ranges = get(ACCESS_ROOM_RANGES((size_t)n) * sizeof(*b->room.ranges));
	b->room.sieves = get(ACCESS_ROOM_SIEVES * sizeof(*b->room.sieves));
	for (;;) {
		b->room.links = get(b->room.links_room * sizeof(__u32));
		b->room.leaves = get(b->room.leaves_room * ACCESS_LINE * sizeof(__u32));
		if (!access_build(prefixes, n, &b->room, &b->list))
			break;
		free(b->room.links);
		free(b->room.leaves);
		b->room.links_room = b->room.n_links;
		b->room.leaves_room = b->room.n_leaves;
		b->room.n_links = b->room.n_leaves = 0;
	}
	/* Leaves first, and a line before each, so that neither begins at 0. */
	b->list.leaves = ACCESS_LINE;
	b->list.links = 2 * ACCESS_LINE + b->list.n_leaves * ACCESS_LINE;
	b->list.sieve.at4 = b->list.links + b->list.n_links + ACCESS_LINE;
	b->list.sieve.at6 += b->list.sieve.at4;
	b->header.n_access_words = b->list.sieve.at4 + b->room.n_sieves;
	b->words = get(b->header.n_access_words * sizeof(__u32));
	memset(b->words, 0xff, b->header.n_access_words * sizeof(__u32));
	memcpy(b->words + b->list.leaves, b->room.leaves, (size_t)b->list.n_leaves * ACCESS_LINE * sizeof(__u32));
	memcpy(b->words + b->list.links, b->room.links, b->list.n_links * sizeof(__u32));
	memcpy(b->words + b->list.sieve.at4, b->room.sieves, b->room.n_sieves * sizeof(__u32));
	b->header.n_access = 1;
	b->header.n_rules = SNAPSHOT_MAX_RULES;
	b->t = (struct tables){ .header = &b->header, .access = &b->list, .access_words = b->words };
}

static void drop(struct built *b)
{
	free(b->room.ranges);
	free(b->room.links);
	free(b->room.leaves);
	free(b->room.sieves);
	free(b->words);
}

static int accepted(const struct built *b)
{
	struct snapshot_fault fault;

	return !snapshot_check_access(&b->t, &fault);
}

static int covers(const struct access_prefix *p, struct addr a)
{
	uint8_t x[16], y[16];
	int bits = p->length;

	if (addr_is_ipv4(p->address) != addr_is_ipv4(a))
		return 0;
	if (addr_is_ipv4(a))
		bits += 96;
	memcpy(x, &p->address, 16);
	memcpy(y, &a, 16);
	if (memcmp(x, y, (size_t)bits / 8))
		return 0;
	return bits % 8 == 0 || x[bits / 8] >> (8 - bits % 8) == y[bits / 8] >> (8 - bits % 8);
}

/* By looking at them all. */
static __u32 naive(const struct access_prefix *prefixes, __u32 n, struct addr a)
{
	const struct access_prefix *best = NULL;
	int allows = 0;

	for (__u32 i = 0; i < n; i++) {
		allows |= prefixes[i].allow;
		if (covers(&prefixes[i], a) && (!best || prefixes[i].length >= best->length))
			best = &prefixes[i];
	}
	if (!best)
		return allows ? ACCESS_OUT : 0;
	return (best->rule + 1) | (best->allow ? 0 : ACCESS_OUT);
}

static void clear_behind(struct addr *a, int length)
{
	uint8_t *byte = (uint8_t *)a;
	int bits = addr_is_ipv4(*a) ? length + 96 : length;

	for (int i = bits; i < 128; i++)
		byte[i / 8] &= (uint8_t)~(0x80 >> i % 8);
}

static int by_prefix(const void *a, const void *b)
{
	return access_prefix_compare(a, b);
}

/* Sorted, without repetitions; how many are left. Rules are numbered in the order they had. */
static __u32 settle(struct access_prefix *prefixes, __u32 n)
{
	__u32 kept = 0;

	for (__u32 i = 0; i < n; i++) {
		clear_behind(&prefixes[i].address, prefixes[i].length);
		prefixes[i].rule = i;
	}
	qsort(prefixes, n, sizeof(*prefixes), by_prefix);
	for (__u32 i = 0; i < n; i++)
		if (!kept || access_prefix_compare(&prefixes[kept - 1], &prefixes[i]))
			prefixes[kept++] = prefixes[i];
	return kept;
}

/* A random address that shares its first bits with the base. */
static struct addr near(struct addr base, int bits)
{
	struct addr a = { next_random(), next_random() };
	uint8_t *to = (uint8_t *)&a;
	const uint8_t *from = (const uint8_t *)&base;

	if (addr_is_ipv4(base)) {
		a = addr_from_ipv4((__be32)next_random());
		bits += 96;
	}
	for (int i = 0; i < bits && i < 128; i++)
		to[i / 8] = (uint8_t)((to[i / 8] & ~(0x80 >> i % 8)) | (from[i / 8] & 0x80 >> i % 8));
	return a;
}

/* The sources just before and behind a prefix's ends, where a range that is off by one shows. */
static void try_edges(const struct built *b, const struct access_prefix *prefixes, __u32 n, const struct access_prefix *p)
{
	struct addr first = p->address, last = near(p->address, p->length), a;
	uint8_t *byte = (uint8_t *)&last;
	int bits = addr_is_ipv4(first) ? p->length + 96 : p->length;

	for (int i = bits; i < 128; i++)
		byte[i / 8] |= (uint8_t)(0x80 >> i % 8);
	CU_ASSERT_EQUAL(access_look_up(&b->t, &b->list, first), naive(prefixes, n, first));
	CU_ASSERT_EQUAL(access_look_up(&b->t, &b->list, last), naive(prefixes, n, last));
	for (int down = 0; down < 2; down++) {
		a = down ? first : last;
		byte = (uint8_t *)&a;
		for (int i = 15; i >= (addr_is_ipv4(first) ? 12 : 0); i--) {
			byte[i] = (uint8_t)(byte[i] + (down ? -1 : 1));
			if (byte[i] != (down ? 0xff : 0))
				break;
		}
		if (addr_is_ipv4(a) == addr_is_ipv4(first))
			CU_ASSERT_EQUAL(access_look_up(&b->t, &b->list, a), naive(prefixes, n, a));
	}
}

static void check_list(struct access_prefix *prefixes, __u32 n, __u32 tries)
{
	struct built b;

	n = settle(prefixes, n);
	build(&b, prefixes, n);
	CU_ASSERT_FATAL(accepted(&b));
	for (__u32 i = 0; i < tries; i++) {
		const struct access_prefix *p = n ? &prefixes[next_random() % n] : NULL;
		struct addr base = p ? p->address : addr_from_ipv4(0);
		int all = addr_is_ipv4(base) ? 32 : 128;
		struct addr a = near(base, i % 3 && p ? (int)(next_random() % (uint64_t)(all + 1)) : 0);

		CU_ASSERT_EQUAL(access_look_up(&b.t, &b.list, a), naive(prefixes, n, a));
		if (p)
			try_edges(&b, prefixes, n, p);
	}
	drop(&b);
}

static void says_what_a_list_says(void)
{
	struct access_prefix list[] = {
		{ unit_addr("10.0.0.0"), 7, 8, 1, 0 },
		{ unit_addr("10.1.0.0"), 8, 16, 0, 0 },
		{ unit_addr("10.1.2.0"), 9, 24, 1, 0 },
		{ unit_addr("10.1.2.3"), 10, 32, 0, 0 },
		{ unit_addr("2001:db8::"), 11, 32, 0, 0 },
		{ unit_addr("2001:db8:1::1"), 12, 128, 1, 0 },
	};
	static const struct {
		const char *source;
		__u32 result;
	} wanted[] = {
		{ "10.0.0.1", 8 },
		{ "10.255.255.255", 8 },
		{ "10.1.0.0", 9 | ACCESS_OUT },
		{ "10.1.2.2", 10 },
		{ "10.1.2.3", 11 | ACCESS_OUT },
		{ "10.1.2.4", 10 },
		{ "10.1.3.0", 9 | ACCESS_OUT },
		{ "11.0.0.0", ACCESS_OUT },
		{ "9.255.255.255", ACCESS_OUT },
		{ "2001:db8::1", 12 | ACCESS_OUT },
		{ "2001:db8:1::1", 13 },
		{ "2001:db8:1::2", 12 | ACCESS_OUT },
		{ "2001:db9::", ACCESS_OUT },
		{ "::ffff:0:0:1", ACCESS_OUT },
	};
	struct built b;

	build(&b, list, UNIT_COUNT(list));
	CU_ASSERT(accepted(&b));
	for (size_t i = 0; i < UNIT_COUNT(wanted); i++)
		CU_ASSERT_EQUAL(access_look_up(&b.t, &b.list, unit_addr(wanted[i].source)), wanted[i].result);
	drop(&b);
	build(&b, NULL, 0);
	CU_ASSERT_EQUAL(access_look_up(&b.t, &b.list, unit_addr("10.0.0.1")), 0);
	CU_ASSERT_EQUAL(access_look_up(&b.t, &b.list, unit_addr("2001:db8::1")), 0);
	drop(&b);
}

static void small_lists_of_any_shape(void)
{
	static struct access_prefix list[400];

	for (int round = 0; round < 600; round++) {
		__u32 n = (__u32)(next_random() % (round % 3 ? 20 : 400));
		struct addr base = round & 1 ? addr_from_ipv4((__be32)next_random()) :
					       (struct addr){ next_random(), next_random() };
		int all = round & 1 ? 32 : 128, shared = (int)(next_random() % (uint64_t)all);

		for (__u32 i = 0; i < n; i++) {
			int length = shared + (int)(next_random() % (uint64_t)(all - shared + 1));

			list[i] = (struct access_prefix){ .address = near(base, shared), .length = (__u8)length,
				.allow = round % 5 == 0 ? next_random() & 1 : 0 };
			/* Both families in one, and prefixes inside of prefixes. */
			if (next_random() % 8 == 0 && i)
				list[i].address = near(list[i - 1].address, shared);
			if (next_random() % 16 == 0)
				list[i] = (struct access_prefix){ .address = addr_from_ipv4((__be32)next_random()),
					.length = (__u8)(next_random() % 33) };
			if (addr_is_ipv4(list[i].address) && list[i].length > 32)
				list[i].length = 32;
		}
		check_list(list, n, 60);
	}
}

/* Every value of the first and the last bits of an address, and lists without any gap. */
static void dense_lists(void)
{
	static struct access_prefix list[70000];
	__u32 n = 0;

	for (__u32 i = 0; i < 65536; i++)
		list[n++] = (struct access_prefix){ .address = addr_from_ipv4(core_be32(0x0a140000 + i)), .length = 32 };
	list[n++] = (struct access_prefix){ .address = addr_from_ipv4(0), .length = 0, .allow = 1 };
	check_list(list, n, 50);
	for (n = 0; n <= 128; n++)
		list[n] = (struct access_prefix){ .address = { ~0ULL, ~0ULL }, .length = (__u8)n, .allow = n & 1 };
	for (__u32 i = 0; i <= 32; i++)
		list[n++] = (struct access_prefix){ .address = addr_from_ipv4(~0u), .length = (__u8)i };
	check_list(list, n, 300);
	for (n = 0; n <= 128; n++)
		list[n] = (struct access_prefix){ .address = { 0, 0 }, .length = (__u8)n };
	check_list(list, n, 300);
}

static void hundred_thousand(void)
{
	static struct access_prefix list[LIST_MAX];

	for (__u32 i = 0; i < LIST_MAX; i++)
		list[i] = (struct access_prefix){ .address = addr_from_ipv4((__be32)next_random()),
			.length = (__u8)(8 + next_random() % 25) };
	check_list(list, LIST_MAX, 40);
	for (__u32 i = 0; i < LIST_MAX; i++)
		list[i] = (struct access_prefix){ .address = near(unit_addr("2001:db8::"), 32),
			.length = (__u8)(48 + next_random() % 81) };
	check_list(list, LIST_MAX, 40);
}

static int concerns(const struct built *b, const char *source)
{
	return access_concerns(&b->t, access_sieve_bit(&b->list.sieve, unit_addr(source))) != 0;
}

static void sieve_holds_back_who_is_in_no_prefix(void)
{
	static struct access_prefix list[LIST_MAX];
	struct access_prefix few[] = { { unit_addr("0.0.0.0"), 0, 8, 0, 0 },
		{ unit_addr("10.200.0.0"), 1, 13, 0, 0 }, { unit_addr("255.255.255.255"), 2, 32, 0, 0 },
		{ unit_addr("2a00::"), 3, 32, 0, 0 } };
	struct built b;
	__u32 n, n_concerned = 0;

	/* Few: parts of nine bits. */
	build(&b, few, UNIT_COUNT(few));
	CU_ASSERT_EQUAL(b.list.sieve.shift4, 55);
	CU_ASSERT_EQUAL(b.list.sieve.shift6, 55);
	CU_ASSERT(concerns(&b, "0.0.0.0") && concerns(&b, "0.255.255.255") && !concerns(&b, "1.0.0.0"));
	CU_ASSERT(!concerns(&b, "10.127.255.255") && concerns(&b, "10.200.0.0") && concerns(&b, "10.128.0.0"));
	CU_ASSERT(!concerns(&b, "11.0.0.0"));
	CU_ASSERT(!concerns(&b, "255.127.255.255") && concerns(&b, "255.255.255.255"));
	CU_ASSERT(concerns(&b, "2a00::1") && concerns(&b, "2a7f::1"));
	CU_ASSERT(!concerns(&b, "2a80::1") && !concerns(&b, "29ff::1"));
	drop(&b);
	for (__u32 i = 0; i < LIST_MAX; i++)
		list[i] = (struct access_prefix){ .address = addr_from_ipv4((__be32)next_random()),
			.length = (__u8)(24 + next_random() % 9) };
	n = settle(list, LIST_MAX);
	build(&b, list, n);
	CU_ASSERT_EQUAL(b.list.sieve.shift4, 64 - ACCESS_SIEVE_MAX);
	for (int i = 0; i < 100000; i++)
		n_concerned +=
			access_concerns(
				&b.t, access_sieve_bit(&b.list.sieve, addr_from_ipv4((__be32)next_random()))) != 0;
	/* 1 - e^(-100000 / 2^21) is 4.7 %. */
	CU_ASSERT(n_concerned > 4000 && n_concerned < 5500);
	drop(&b);
}

/* Any word of the nodes changed: refused, or look-ups go on to end within the list, which ASan watches over. */
static void any_content(void)
{
	static struct access_prefix list[300];
	int kept = 0, refused = 0;

	for (int round = 0; round < 300; round++) {
		struct built b;
		__u32 n = 0;

		for (; n < UNIT_COUNT(list); n++)
			list[n] = (struct access_prefix){ .address = n & 1 ? near(unit_addr("10.0.0.0"), 12) :
									     near(unit_addr("2001:db8::"), 28),
				.length = (__u8)(n & 1 ? 20 + next_random() % 13 : 40 + next_random() % 89) };
		n = settle(list, n);
		build(&b, list, n);
		for (int change = 0; change < 1 + round % 8; change++) {
			__u32 *word = &b.words[next_random() % b.header.n_access_words];

			*word = next_random() & 1 ? (__u32)next_random() : *word ^ 1u << next_random() % 32;
		}
		if (round % 10 == 0)
			((__u32 *)&b.list)[next_random() % 10] ^= 1u << next_random() % 32;
		if (round % 10 == 1) /* A circle. */
			b.words[b.list.links] = b.list.first4 = ACCESS_ON | 1u << ACCESS_STRIDE_SHIFT;
		if (!accepted(&b)) {
			refused++;
			drop(&b);
			continue;
		}
		kept++;
		for (int i = 0; i < 2000; i++)
			(void)access_look_up(&b.t, &b.list,
				near(list[next_random() % n].address, (int)(next_random() % 33)));
		drop(&b);
	}
	CU_ASSERT(kept > 20);
	CU_ASSERT(refused > 20);
}

static void nothing_but_what_is_there(void)
{
	struct access_prefix list[] = { { unit_addr("10.0.0.0"), 0, 8, 0, 0 }, { unit_addr("10.0.0.0"), 1, 9, 1, 0 } };
	struct built b;

	build(&b, list, UNIT_COUNT(list));
	CU_ASSERT(accepted(&b));
	b.header.n_rules = 2;
	CU_ASSERT(accepted(&b));
	b.header.n_rules = 1;
	CU_ASSERT(!accepted(&b));
	b.header.n_rules = 2;
	/* The line behind the leaves is all ones. */
	b.list.n_leaves++;
	CU_ASSERT(!accepted(&b));
	b.list.n_leaves--;
	b.list.leaves++;
	CU_ASSERT(!accepted(&b));
	b.list.leaves--;
	b.list.sieve.at6 += ACCESS_LINE;
	CU_ASSERT(!accepted(&b));
	b.list.sieve.at6 -= ACCESS_LINE;
	b.list.sieve.shift4--;
	CU_ASSERT(accepted(&b));
	b.list.sieve.shift6--;
	CU_ASSERT(!accepted(&b));
	b.list.sieve.shift6++;
	b.list.sieve.shift4 = 64 - ACCESS_SIEVE_MAX - 1;
	CU_ASSERT(!accepted(&b));
	b.list.sieve.shift4 = 64 - ACCESS_SIEVE_MIN + 1;
	CU_ASSERT(!accepted(&b));
	b.list.sieve.shift4 = 64 - ACCESS_SIEVE_MIN;
	CU_ASSERT(accepted(&b));
	b.list.sieve.none = 1;
	CU_ASSERT(!accepted(&b));
	b.list.sieve.none = ACCESS_OUT;
	CU_ASSERT(accepted(&b));
	b.list.reserved[5] = 1;
	CU_ASSERT(!accepted(&b));
	drop(&b);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "says what a list says", says_what_a_list_says },
		{ "small lists of any shape", small_lists_of_any_shape },
		{ "dense lists", dense_lists },
		{ "a hundred thousand prefixes", hundred_thousand },
		{ "the sieve holds back who is in no prefix", sieve_holds_back_who_is_in_no_prefix },
		{ "any content", any_content },
		{ "nothing but what is there", nothing_but_what_is_there },
		{ NULL, NULL },
	};

	return unit_run("access", tests);
}
