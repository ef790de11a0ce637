/* SPDX-License-Identifier: BSD-3-Clause */
/* vip.h: what is put into the index is found, exactly, and nothing else is. */
#include "vip.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "vectors.h"

#define TCP 6
#define UDP 17
#define INDEX_MAX (1u << 18)

static struct snapshot_header header;
static struct snapshot_vip entries[INDEX_MAX];
static struct tables tables = { .header = &header, .vips = entries };

static void clear(__u32 size)
{
	memset(entries, 0, size * sizeof(entries[0]));
	header.vip_index_size = size;
	header.vip_index_probe = 1;
}

static int insert(struct addr a, __u16 port, __u8 proto, __u16 vip)
{
	struct snapshot_vip e = {
		.addr = a, .port = core_be16(port), .proto = proto, .flags = VIP_USED, .vip = vip
	};
	int steps = vip_index_insert(entries, header.vip_index_size, &e);

	if (steps > (int)header.vip_index_probe)
		header.vip_index_probe = (__u32)steps;
	return steps;
}

/* Id of what a look-up found; -1: nothing. */
static int id(const struct snapshot_vip *e)
{
	return e ? e->vip : -1;
}

static void home_golden(void)
{
	for (size_t i = 0; i < UNIT_COUNT(vip_vectors); i++) {
		const struct vip_vector *v = &vip_vectors[i];

		CU_ASSERT_EQUAL(vip_home(v->address, core_be16(v->port), v->proto, v->size), v->home);
	}
}

static void exact_then_any_port(void)
{
	struct addr a = unit_addr("192.0.2.80"), b = unit_addr("2001:db8::80");

	clear(16);
	CU_ASSERT(insert(a, 80, TCP, 1) > 0);
	CU_ASSERT(insert(a, 0, TCP, 2) > 0);
	CU_ASSERT(insert(a, 53, UDP, 3) > 0);
	CU_ASSERT(insert(b, 0, UDP, 4) > 0);
	CU_ASSERT(insert(a, 0, 0, SNAPSHOT_NONE) > 0);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, a, core_be16(80), TCP)), 1);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, a, core_be16(81), TCP)), 2);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, a, core_be16(0), TCP)), 2);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, a, core_be16(53), UDP)), 3);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, a, core_be16(54), UDP)), -1);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, b, core_be16(9), UDP)), 4);
	CU_ASSERT_EQUAL(id(vip_lookup(&tables, b, core_be16(9), TCP)), -1);
	CU_ASSERT_EQUAL(id(vip_find(&tables, a, core_be16(81), TCP)), -1);
	CU_ASSERT_EQUAL(id(vip_find(&tables, a, 0, TCP)), 2);
	CU_ASSERT_EQUAL(id(vip_find_address(&tables, a)), SNAPSHOT_NONE);
	CU_ASSERT_PTR_NULL(vip_find_address(&tables, b));
}

/* One bit of another address, port or protocol is another entry, at any fill. */
static void nothing_else_is_found(void)
{
	struct addr a = unit_addr("2001:db8::80");

	clear(16);
	insert(a, 80, TCP, 1);
	for (int bit = 0; bit < 128; bit++) {
		struct addr other = a;

		((__u8 *)&other)[bit / 8] ^= (__u8)(1u << bit % 8);
		CU_ASSERT_PTR_NULL(vip_lookup(&tables, other, core_be16(80), TCP));
	}
	for (int bit = 0; bit < 16; bit++)
		CU_ASSERT_PTR_NULL(vip_lookup(&tables, a, core_be16((__u16)(80 ^ 1u << bit)), TCP));
	for (int proto = 0; proto < 256; proto++)
		CU_ASSERT_EQUAL(id(vip_lookup(&tables, a, core_be16(80), (__u8)proto)), proto == TCP ? 1 : -1);
}

/*
 * Grow as a builder does: double the index while an entry doesn't fit. All are found then, and the index needs
 * no more than eight places an entry.
 */
static void fill_and_find(__u32 n, struct addr (*address)(__u32 i), __u16 (*port)(__u32 i))
{
	__u32 size = 16, i;

	for (;; size *= 2) {
		if (size > INDEX_MAX)
			CU_FAIL_FATAL("the index grows without end");
		clear(size);
		for (i = 0; i < n; i++)
			if (insert(address(i), port(i), TCP, (__u16)i) < 0)
				break;
		if (i == n)
			break;
	}
	unit_note("%u entries: index of %u, %u steps at most", n, size, header.vip_index_probe);
	CU_ASSERT(size <= 8 * n || size == 16);
	CU_ASSERT(header.vip_index_probe <= SNAPSHOT_MAX_PROBE);
	for (i = 0; i < n; i++)
		if (id(vip_find(&tables, address(i), core_be16(port(i)), TCP)) != (__u16)i)
			CU_FAIL_FATAL("an entry is lost");
	for (i = 0; i < n; i++)
		if (vip_find(&tables, address(i), core_be16(port(i)), UDP))
			CU_FAIL_FATAL("an entry is found that is not there");
}

static struct addr consecutive_v4(__u32 i)
{
	return addr_from_ipv4(core_be32(0xc0000000u + i));
}

/* Many VIPs of a site differ in the network part only. */
static struct addr strided_v4(__u32 i)
{
	return addr_from_ipv4(core_be32(0x0a000001u + (i << 8)));
}

static struct addr consecutive_v6(__u32 i)
{
	struct addr a = unit_addr("2001:db8::");

	a.lo = __builtin_bswap64(i);
	return a;
}

static struct addr networks_v6(__u32 i)
{
	struct addr a = unit_addr("2001:db8::80");

	a.hi |= __builtin_bswap64(i);
	return a;
}

static struct addr same(__u32 i)
{
	return unit_addr("192.0.2.80");
}

static __u16 port_80(__u32 i)
{
	return 80;
}

static __u16 consecutive_port(__u32 i)
{
	return (__u16)(i + 1);
}

static void usual_sets(void)
{
	static const __u32 sizes[] = { 1, 10, 1000, 20000 };

	for (size_t s = 0; s < UNIT_COUNT(sizes); s++) {
		fill_and_find(sizes[s], consecutive_v4, port_80);
		fill_and_find(sizes[s], strided_v4, port_80);
		fill_and_find(sizes[s], consecutive_v6, port_80);
		fill_and_find(sizes[s], networks_v6, port_80);
		fill_and_find(sizes[s], same, consecutive_port);
	}
}

/* An index that is full says so, and a look-up in it ends. */
static void full(void)
{
	int fitted = 0;

	clear(8);
	for (__u16 i = 0; i < 20; i++)
		fitted += insert(consecutive_v4(i), 80, TCP, i) > 0;
	CU_ASSERT_EQUAL(fitted, 8);
	for (__u16 i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(id(vip_find(&tables, consecutive_v4(i), core_be16(80), TCP)), i < 8 ? i : -1);
	clear(1);
	CU_ASSERT_EQUAL(insert(consecutive_v4(0), 80, TCP, 0), 1);
	CU_ASSERT_EQUAL(insert(consecutive_v4(1), 80, TCP, 0), -1);
	CU_ASSERT_PTR_NULL(vip_find(&tables, consecutive_v4(1), core_be16(80), TCP));
}

/* A look-up goes no further than the header's bound. */
static void probe_bound(void)
{
	int at_second = 0;

	clear(8);
	for (__u16 i = 0; i < 8; i++)
		at_second += insert(consecutive_v4(i), 80, TCP, i) > 1;
	CU_ASSERT(at_second > 0);
	header.vip_index_probe = 1;
	for (__u16 i = 0; i < 8; i++)
		at_second -= !vip_find(&tables, consecutive_v4(i), core_be16(80), TCP);
	CU_ASSERT_EQUAL(at_second, 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "home: golden vectors", home_golden },
		{ "the port's VIP before that of every port", exact_then_any_port },
		{ "nothing else is found", nothing_else_is_found },
		{ "usual sets of VIPs fit", usual_sets },
		{ "a full index", full },
		{ "the bound on steps", probe_bound },
		{ NULL, NULL },
	};

	return unit_run("vip", tests);
}
