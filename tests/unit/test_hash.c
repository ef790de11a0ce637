/* SPDX-License-Identifier: BSD-3-Clause */
/* hash.h: golden vectors, and what its header promises of the spread over buckets and slots. */
#include "hash.h"

#include "flow_table.h"
#include "unit.h"
#include "vectors.h"

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static void flow_golden(void)
{
	for (size_t i = 0; i < UNIT_COUNT(flow_vectors); i++) {
		const struct flow_vector *v = &flow_vectors[i];

		CU_ASSERT_EQUAL(
			flow_hash(v->key, v->src, v->dst, core_be16(v->sport), core_be16(v->dport), v->proto),
			v->hash);
	}
}

static void source_golden(void)
{
	for (size_t i = 0; i < UNIT_COUNT(source_vectors); i++)
		CU_ASSERT_EQUAL(
			source_hash(source_vectors[i].key, source_vectors[i].address), source_vectors[i].hash);
}

static void key_check_golden(void)
{
	for (size_t i = 0; i < UNIT_COUNT(key_vectors); i++)
		CU_ASSERT_EQUAL(flow_key_check(key_vectors[i].key), key_vectors[i].check);
}

static void place_golden(void)
{
	for (size_t i = 0; i < UNIT_COUNT(place_vectors); i++) {
		const struct place_vector *v = &place_vectors[i];
		struct flow_place p = flow_place(v->hash, v->vip, v->n_buckets);

		CU_ASSERT_EQUAL(p.tag, v->tag);
		CU_ASSERT_EQUAL(p.bucket[0], v->bucket[0]);
		CU_ASSERT_EQUAL(p.bucket[1], v->bucket[1]);
	}
}

/* Every bit of every field of the tuple, and of the key, changes the hash. */
static void every_bit_counts(void)
{
	struct {
		__u64 key[2];
		struct addr src, dst;
		__be16 sport, dport;
		__u8 proto;
	} __attribute__((packed)) t = {
		{ key[0], key[1] }, unit_addr("2001:db8:1::2"), unit_addr("2001:db8::80"), core_be16(40000),
		core_be16(80), 6,
	}, u;
	__u64 k[2] = { key[0], key[1] };
	__u64 before = flow_hash(k, t.src, t.dst, t.sport, t.dport, t.proto);

	for (size_t bit = 0; bit < sizeof(t) * 8; bit++) {
		u = t;
		((__u8 *)&u)[bit / 8] ^= (__u8)(1u << bit % 8);
		k[0] = u.key[0];
		k[1] = u.key[1];
		CU_ASSERT_NOT_EQUAL(flow_hash(k, u.src, u.dst, u.sport, u.dport, u.proto), before);
	}
}

/* An IPv4 flow is not the flow of the same bytes written as mapped IPv6 addresses, or with the ends swapped. */
static void families_and_directions_differ(void)
{
	struct addr a = unit_addr("198.51.100.2"), b = unit_addr("192.0.2.80"), c = unit_addr("2001:db8::80");

	CU_ASSERT_NOT_EQUAL(flow_hash(key, a, b, 1, 2, 6), flow_hash(key, b, a, 1, 2, 6));
	CU_ASSERT_NOT_EQUAL(flow_hash(key, a, b, 1, 2, 6), flow_hash(key, a, b, 2, 1, 6));
	CU_ASSERT_NOT_EQUAL(flow_hash(key, a, c, 1, 2, 6), flow_hash(key, a, b, 1, 2, 6));
	CU_ASSERT_NOT_EQUAL(source_hash(key, a), flow_key_check(key));
}

/* Chi-squared of 2^20 consecutive client ports and addresses over 1,024 places: like a random function's. */
static double chi_squared(const __u32 *count, __u32 n, double total)
{
	double expected = total / n, sum = 0;

	for (__u32 i = 0; i < n; i++)
		sum += (count[i] - expected) * (count[i] - expected) / expected;
	return sum;
}

static void spread(void)
{
	static __u32 low[1024], high[1024], fingerprint[2048];
	struct addr dst = unit_addr("192.0.2.80");
	const __u32 n = 1 << 20;

	for (__u32 i = 0; i < n; i++) {
		struct addr src = addr_from_ipv4(core_be32(0xc6336400u + (i >> 14)));
		__u64 h = flow_hash(key, src, dst, core_be16(i & 0x3fff), core_be16(80), 6);

		low[core_range((__u32)h, 1024)]++;
		high[core_range((__u32)(h >> 32), 1024)]++;
		fingerprint[h & 0x7ff]++;
	}
	/* Mean n-1, deviation sqrt(2(n-1)): five deviations either side. */
	CU_ASSERT(chi_squared(low, 1024, n) > 797 && chi_squared(low, 1024, n) < 1249);
	CU_ASSERT(chi_squared(high, 1024, n) > 797 && chi_squared(high, 1024, n) < 1249);
	CU_ASSERT(chi_squared(fingerprint, 2048, n) > 1727 && chi_squared(fingerprint, 2048, n) < 2367);
}

static void range_ends(void)
{
	CU_ASSERT_EQUAL(core_range(0, 65537), 0);
	CU_ASSERT_EQUAL(core_range(0xffffffff, 65537), 65536);
	CU_ASSERT_EQUAL(core_range(0xffffffff, 1), 0);
	CU_ASSERT_EQUAL(core_range(0x80000000, 10), 5);
	CU_ASSERT_EQUAL(core_range(0xffffffff, 0xffffffff), 0xfffffffe);
}

static void addresses(void)
{
	struct addr v4 = unit_addr("192.0.2.80"), mapped = unit_addr("::ffff:192.0.2.80");

	CU_ASSERT(addr_is_ipv4(v4));
	CU_ASSERT(addr_equal(v4, mapped));
	CU_ASSERT_EQUAL(addr_to_ipv4(v4), core_be32(0xc0000250));
	CU_ASSERT_FALSE(addr_is_ipv4(unit_addr("::192.0.2.80")));
	CU_ASSERT_FALSE(addr_is_ipv4(unit_addr("2001:db8::ffff:192.0.2.80")));
	CU_ASSERT_FALSE(addr_equal(v4, unit_addr("192.0.2.81")));
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "flow_hash: golden vectors", flow_golden },
		{ "source_hash: golden vectors", source_golden },
		{ "flow_key_check: golden vectors", key_check_golden },
		{ "flow_place: golden vectors", place_golden },
		{ "every bit of tuple and key counts", every_bit_counts },
		{ "families and directions differ", families_and_directions_differ },
		{ "spread over buckets and fingerprints", spread },
		{ "core_range: both ends", range_ends },
		{ "addresses", addresses },
		{ NULL, NULL },
	};

	return unit_run("hash", tests);
}
