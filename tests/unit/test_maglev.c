/* SPDX-License-Identifier: BSD-3-Clause */
/* maglev.h: golden tables, shares by weight, and how little moves when a pool changes. */
#include "maglev.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "vectors.h"

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static struct maglev_scratch scratch;
static __u16 before[MAGLEV_SLOTS], after[MAGLEV_SLOTS];
static struct maglev_member members[65536];
static __u32 share[65536];

typedef void build(__u16 *, __u32, struct maglev_member *, __u32, struct maglev_scratch *);

static struct addr nth(struct addr first, __u32 i)
{
	if (addr_is_ipv4(first))
		return addr_from_ipv4(core_be32(core_be32(addr_to_ipv4(first)) + i));
	first.lo = __builtin_bswap64(__builtin_bswap64(first.lo) + i);
	return first;
}

/* Members 10.0.0.1, .2, ... with ids from 0. weight(i): 0 leaves member i out. Returns how many there are. */
static __u32 add_members(__u32 n, __u16 (*weight)(__u32 i), __u32 n_slots)
{
	__u32 used = 0;

	for (__u32 i = 0; i < n; i++)
		if (weight(i))
			maglev_member_init(&members[used++], key, nth(unit_addr("10.0.0.1"), i), (__u16)i,
				weight(i), n_slots);
	return used;
}

static void fill(__u16 *slots, __u32 n, __u16 (*weight)(__u32 i))
{
	maglev_build(slots, MAGLEV_SLOTS, members, add_members(n, weight, MAGLEV_SLOTS), &scratch);
}

static __u16 equal(__u32 i)
{
	return 100;
}

/* Count the slots of each id; every slot has to have one below n. */
static void count(const __u16 *slots, __u32 n_slots, __u32 n)
{
	__u32 bad = 0;

	memset(share, 0, sizeof(share));
	for (__u32 i = 0; i < n_slots; i++) {
		share[slots[i]]++;
		bad += slots[i] >= n;
	}
	CU_ASSERT_EQUAL(bad, 0);
}

static void golden(void)
{
	for (size_t i = 0; i < UNIT_COUNT(slots_vectors); i++) {
		const struct slots_vector *v = &slots_vectors[i];

		for (__u32 m = 0; m < v->n_members; m++)
			maglev_member_init(&members[m], v->key, nth(v->first, m), (__u16)m,
				v->weight[m % v->n_weights], v->n_slots);
		(v->maglev ? (build *)maglev_build : (build *)round_robin_build)(
			before, v->n_slots, members, v->n_members, &scratch);
		CU_ASSERT_EQUAL(memcmp(before, v->slots, sizeof(v->slots)), 0);
		CU_ASSERT_EQUAL(unit_digest(before, v->n_slots * sizeof(__u16)), v->digest);
	}
}

static void no_member(void)
{
	maglev_build(before, MAGLEV_SLOTS, members, 0, &scratch);
	for (__u32 i = 0; i < MAGLEV_SLOTS; i++)
		if (before[i] != SNAPSHOT_NONE)
			CU_FAIL_FATAL("a slot is filled");
}

static void one_member(void)
{
	fill(before, 1, equal);
	count(before, MAGLEV_SLOTS, 1);
	CU_ASSERT_EQUAL(share[0], MAGLEV_SLOTS);
}

/* Equal weights: no two shares differ by more than one slot. */
static void equal_shares(void)
{
	static const __u32 sizes[] = { 2, 3, 10, 100, 1000, 65535 };

	for (size_t s = 0; s < UNIT_COUNT(sizes); s++) {
		__u32 least = MAGLEV_SLOTS, greatest = 0;

		fill(before, sizes[s], equal);
		count(before, MAGLEV_SLOTS, sizes[s]);
		for (__u32 i = 0; i < sizes[s]; i++) {
			least = share[i] < least ? share[i] : least;
			greatest = share[i] > greatest ? share[i] : greatest;
		}
		CU_ASSERT(greatest - least <= 1);
		CU_ASSERT(least > 0);
	}
}

/* The share a member is owed is kept to within 2 % of it, or two slots where that is more. */
static void check_weights(build *fn, __u32 n, __u16 (*weight)(__u32 i))
{
	double total = 0;
	__u32 used = add_members(n, weight, MAGLEV_SLOTS);

	fn(before, MAGLEV_SLOTS, members, used, &scratch);
	count(before, MAGLEV_SLOTS, n);
	for (__u32 i = 0; i < n; i++)
		total += weight(i);
	for (__u32 i = 0; i < n; i++) {
		double owed = MAGLEV_SLOTS * (weight(i) / total);
		double off = share[i] > owed ? share[i] - owed : owed - share[i];

		if (off > 2 && off > owed * 0.02)
			unit_note("member %u of weight %u has %u slots, not %.1f", i, weight(i), share[i], owed);
		CU_ASSERT(off <= 2 || off <= owed * 0.02);
	}
}

static __u16 one_to_four(__u32 i)
{
	return (__u16)(i % 4 + 1);
}

static __u16 some_zero(__u32 i)
{
	return i % 3 ? 100 : 0;
}

static __u16 primes(__u32 i)
{
	static const __u16 weight[] = { 7, 101, 1009, 9973, 65521 };

	return weight[i % 5];
}

static __u16 extreme(__u32 i)
{
	return i ? 65535 : 1;
}

static __u16 up_to_1000(__u32 i)
{
	return (__u16)(i * 7919 % 1000 + 1);
}

static void shares_by_weight(void)
{
	static build *const builds[] = { maglev_build, round_robin_build };

	for (int b = 0; b < 2; b++) {
		check_weights(builds[b], 4, one_to_four);
		check_weights(builds[b], 40, one_to_four);
		check_weights(builds[b], 30, some_zero);
		check_weights(builds[b], 5, primes);
		check_weights(builds[b], 2, extreme);
		check_weights(builds[b], 20, extreme);
		check_weights(builds[b], 1000, up_to_1000);
	}
}

/* Slots that differ, and of those the ones whose old member is still there: needless moves. */
static __u32 moved(const __u16 *from, const __u16 *to, __u16 (*weight_after)(__u32 i), __u32 *needless)
{
	__u32 moves = 0;

	*needless = 0;
	for (__u32 i = 0; i < MAGLEV_SLOTS; i++) {
		moves += from[i] != to[i];
		*needless += from[i] != to[i] && weight_after(from[i]) != 0;
	}
	return moves;
}

static __u16 first_four(__u32 i)
{
	return i < 4 ? 100 : 0;
}

/* Four equal members grow to five: each of the four gives up 5 % of all slots, within half a point. */
static void four_to_five(void)
{
	__u32 given[4] = { 0 }, other = 0;

	fill(before, 4, first_four);
	fill(after, 5, equal);
	for (__u32 i = 0; i < MAGLEV_SLOTS; i++) {
		if (before[i] != after[i] && after[i] == 4)
			given[before[i]]++;
		else if (before[i] != after[i])
			other++;
	}
	for (int i = 0; i < 4; i++) {
		double percent = given[i] * 100.0 / MAGLEV_SLOTS;

		unit_note("member %d gave up %.2f %% of all slots", i, percent);
		CU_ASSERT(percent > 4.5 && percent < 5.5);
	}
	unit_note("moved between the four: %.2f %%", other * 100.0 / MAGLEV_SLOTS);
	CU_ASSERT(other < MAGLEV_SLOTS / 100);
}

static __u16 without_42(__u32 i)
{
	return i == 42 ? 0 : 100;
}

/* One of 100 leaves: its slots go to the others, and hardly any other slot moves (Maglev's own: 0.58 %). */
static void one_of_100_leaves(void)
{
	__u32 needless, moves;

	fill(before, 100, equal);
	fill(after, 100, without_42);
	moves = moved(before, after, without_42, &needless);
	unit_note("moved %.2f %%, of which needlessly %.2f %%", moves * 100.0 / MAGLEV_SLOTS,
		needless * 100.0 / MAGLEV_SLOTS);
	CU_ASSERT(needless * 100.0 / MAGLEV_SLOTS < 1.0);
	count(after, MAGLEV_SLOTS, 100);
	CU_ASSERT_EQUAL(share[42], 0);
}

/* The same for every member of a pool of ten that leaves, in turn (Maglev's own: 0.26 %). */
static __u32 leaving;

static __u16 without_leaving(__u32 i)
{
	return i == leaving ? 0 : 100;
}

static void each_of_ten_leaves(void)
{
	fill(before, 10, equal);
	for (leaving = 0; leaving < 10; leaving++) {
		__u32 needless;

		fill(after, 10, without_leaving);
		moved(before, after, without_leaving, &needless);
		CU_ASSERT(needless * 100.0 / MAGLEV_SLOTS < 1.0);
	}
}

static __u16 one_lighter(__u32 i)
{
	return i == 3 ? 50 : 100;
}

/* A weight that is halved moves about what it must: half of that member's slots, and few of the others'. */
static void weight_change_moves_little(void)
{
	__u32 needless, moves, owed = MAGLEV_SLOTS / 10 - MAGLEV_SLOTS * 50 / 950;

	fill(before, 10, equal);
	fill(after, 10, one_lighter);
	moves = moved(before, after, one_lighter, &needless);
	unit_note("moved %.2f %%, at least %.2f %% had to", moves * 100.0 / MAGLEV_SLOTS,
		owed * 100.0 / MAGLEV_SLOTS);
	CU_ASSERT(moves >= owed);
	CU_ASSERT(moves < owed + MAGLEV_SLOTS / 33);
}

/*
 * The table rests on the members and their order alone, not on ids or on what was in the memory before. The
 * order given decides who takes a turn first, hence the rule that it is that of addresses; with another order the
 * shares stay and all but some slots do.
 */
static void what_the_table_rests_on(void)
{
	__u32 differ = 0, n = add_members(10, equal, MAGLEV_SLOTS);

	maglev_build(before, MAGLEV_SLOTS, members, n, &scratch);
	memset(after, 0x5a, sizeof(after));
	memset(&scratch, 0x5a, sizeof(scratch));
	add_members(10, equal, MAGLEV_SLOTS);
	for (__u32 i = 0; i < n; i++)
		members[i].id = (__u16)(members[i].id + 1000);
	maglev_build(after, MAGLEV_SLOTS, members, n, &scratch);
	for (__u32 i = 0; i < MAGLEV_SLOTS; i++)
		differ += before[i] + 1000 != after[i];
	CU_ASSERT_EQUAL(differ, 0);

	for (__u32 i = 0; i < n; i++)
		maglev_member_init(
			&members[n - 1 - i], key, nth(unit_addr("10.0.0.1"), i), (__u16)i, 100, MAGLEV_SLOTS);
	maglev_build(after, MAGLEV_SLOTS, members, n, &scratch);
	for (__u32 i = 0; i < MAGLEV_SLOTS; i++)
		differ += before[i] != after[i];
	count(after, MAGLEV_SLOTS, n);
	unit_note("in reverse order %.2f %% of the slots differ", differ * 100.0 / MAGLEV_SLOTS);
	CU_ASSERT(differ < MAGLEV_SLOTS / 50);
}

/* Small tables, down to two slots, are filled as well. */
static void small_tables(void)
{
	static const __u32 sizes[] = { 2, 3, 5, 251 };

	for (size_t s = 0; s < UNIT_COUNT(sizes); s++)
		for (__u32 n = 1; n <= 10; n++) {
			maglev_build(before, sizes[s], members, add_members(n, one_to_four, sizes[s]), &scratch);
			count(before, sizes[s], n);
			round_robin_build(
				before, sizes[s], members, add_members(n, one_to_four, sizes[s]), &scratch);
			count(before, sizes[s], n);
		}
}

/* Round robin: members of equal weight take turns. */
static void round_robin_order(void)
{
	round_robin_build(before, MAGLEV_SLOTS, members, add_members(3, equal, MAGLEV_SLOTS), &scratch);
	for (__u32 i = 0; i < MAGLEV_SLOTS; i++)
		if (before[i] != i % 3)
			CU_FAIL_FATAL("out of turn");
}

/* Two members, weights 3 and 1: in any four slots in a row the light one is there once, never more. */
static __u16 three_to_one(__u32 i)
{
	return i ? 1 : 3;
}

static void round_robin_interleaves(void)
{
	round_robin_build(before, MAGLEV_SLOTS, members, add_members(2, three_to_one, MAGLEV_SLOTS), &scratch);
	for (__u32 i = 0; i + 4 <= MAGLEV_SLOTS; i++)
		if (before[i] + before[i + 1] + before[i + 2] + before[i + 3] != 1)
			CU_FAIL_FATAL("bunched");
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "golden tables", golden },
		{ "no member: no slot", no_member },
		{ "one member: every slot", one_member },
		{ "equal weights: equal shares, up to 65,535 members", equal_shares },
		{ "shares by weight within 2 %", shares_by_weight },
		{ "4 to 5: each gives up 5 %", four_to_five },
		{ "one of 100 leaves", one_of_100_leaves },
		{ "each of ten leaves", each_of_ten_leaves },
		{ "a weight is halved", weight_change_moves_little },
		{ "what the table rests on", what_the_table_rests_on },
		{ "small tables", small_tables },
		{ "round robin: in turn", round_robin_order },
		{ "round robin: weights interleave", round_robin_interleaves },
		{ NULL, NULL },
	};

	return unit_run("maglev", tests);
}
