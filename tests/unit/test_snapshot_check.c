/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshot_check.h: what a forwarder has to refuse, field by field with its reason, and that whatever is
 * accepted can be forwarded by without a step outside the block.
 */
#include "snapshot_check.h"

#include <stdlib.h>
#include <string.h>

#include "snapshots.h"
#include "unit.h"
#include "vectors.h"

#define SLOTS 251

static __u8 one_of_each(__u32 i)
{
	static const __u8 flags[] = { BACKEND_VALID | BACKEND_UP, BACKEND_VALID | BACKEND_UP, BACKEND_VALID, 0 };

	return flags[i % 4];
}

static const struct test_pool small = { SCHEDULER_MAGLEV, .n = 4, .n_slots = SLOTS, .flags = one_of_each };

/* A copy of its own, of exactly the block's size and 64-byte aligned as mapped memory is. */
static void *copy_of(const void *block, size_t size)
{
	void *copy;

	if (posix_memalign(&copy, 64, size))
		abort();
	memcpy(copy, block, size);
	return copy;
}

static int check(const void *block, size_t size, struct snapshot_fault *fault)
{
	*fault = (struct snapshot_fault){ 0 };
	return snapshot_check(block, size, fault);
}

static void sound(void)
{
	for (int s = 0; s < SCHEDULER_COUNT; s++) {
		struct test_pool pool = small;
		struct snapshot_fault fault;
		size_t size;
		void *block;

		pool.scheduler = (enum scheduler)s;
		block = test_snapshot(&pool, &size);
		CU_ASSERT_EQUAL(check(block, size, &fault), 0);
		free(block);
	}
}

/* Where a field is. */
enum table { HEADER, PORT, VIP, ADDRESS, HOLE, POOL, BACKEND, SLOT };

/* Offset of the first entry of the kind asked for. */
static size_t offset_of(const struct snapshot_header *h, enum table table)
{
	const struct snapshot_vip *vips = (const struct snapshot_vip *)((const char *)h + h->vips_off);
	__u32 i;

	switch (table) {
	case PORT:
		return h->ports_off;
	case POOL:
		return h->pools_off;
	case BACKEND:
		return h->backends_off;
	case SLOT:
		return h->slots_off;
	case HEADER:
		return 0;
	default:
		break;
	}
	for (i = 0; i < h->vip_index_size; i++)
		if (table == HOLE ? !vips[i].flags : vips[i].flags && (vips[i].proto != 0) == (table == VIP))
			break;
	return h->vips_off + i * sizeof(*vips);
}

/* One fault a line: */
/* clang-format off */
#define FIELD(table, type, field, value, what) \
	{ table, offsetof(type, field), sizeof(((type *)0)->field), value, what }
#define HEADER_FIELD(field, value, what) FIELD(HEADER, struct snapshot_header, field, value, what)
#define VIP_FIELD(field, value, what) FIELD(VIP, struct snapshot_vip, field, value, what)
#define POOL_FIELD(field, value, what) FIELD(POOL, struct snapshot_pool, field, value, what)
#define BACKEND_FIELD(field, value, what) FIELD(BACKEND, struct snapshot_backend, field, value, what)

static const struct {
	enum table table;
	size_t offset;
	size_t size;
	__u64 value;
	const char *what; /* the reason has to contain this */
} faults[] = {
	HEADER_FIELD(magic, 0, "magic"),
	HEADER_FIELD(magic, SNAPSHOT_MAGIC + 1, "magic"),
	HEADER_FIELD(abi, 0, "layout version"),
	HEADER_FIELD(abi, SNAPSHOT_ABI + 1, "layout version"),
	HEADER_FIELD(n_ports, 0, "ports"),
	HEADER_FIELD(n_ports, SNAPSHOT_MAX_PORTS + 1, "ports"),
	HEADER_FIELD(n_ports, 0xffffffff, "ports"),
	HEADER_FIELD(size, 0, "size"),
	HEADER_FIELD(size, ~0ULL, "size"),
	HEADER_FIELD(version, 0, "version"),
	HEADER_FIELD(flow_capacity, 0, "capacity"),
	HEADER_FIELD(flow_capacity, FLOW_CAPACITY_MIN - 1, "capacity"),
	HEADER_FIELD(flow_capacity, FLOW_CAPACITY_MAX + 1ULL, "capacity"),
	HEADER_FIELD(flow_capacity, ~0ULL, "capacity"),
	HEADER_FIELD(timeout[FLOW_NONE], 1, "timeout"),
	HEADER_FIELD(timeout[FLOW_SYN], 0, "timeout"),
	HEADER_FIELD(timeout[FLOW_SYN], 3601, "timeout"),
	HEADER_FIELD(timeout[FLOW_ESTABLISHED], 0, "timeout"),
	HEADER_FIELD(timeout[FLOW_ESTABLISHED], 0xffff, "timeout"),
	HEADER_FIELD(timeout[FLOW_FIN], 0, "timeout"),
	HEADER_FIELD(timeout[FLOW_RESET], 0, "timeout"),
	HEADER_FIELD(timeout[FLOW_UDP_NEW], 0, "timeout"),
	HEADER_FIELD(timeout[FLOW_UDP], 0, "timeout"),
	HEADER_FIELD(timeout[FLOW_UDP], 4096, "timeout"),
	HEADER_FIELD(timeout[7], 1, "timeout"),
	HEADER_FIELD(vip_index_size, 0, "VIP index"),
	HEADER_FIELD(vip_index_size, 17, "VIP index"),
	HEADER_FIELD(vip_index_size, 64, "VIP index"),
	HEADER_FIELD(vip_index_size, 0x80000000, "VIP index"),
	HEADER_FIELD(vip_index_probe, 0, "probe"),
	HEADER_FIELD(vip_index_probe, SNAPSHOT_MAX_PROBE + 1, "probe"),
	HEADER_FIELD(n_pools, 0x10000, "pools"),
	HEADER_FIELD(n_pools, 0, "pool"),
	HEADER_FIELD(n_backends, 0x10000, "backends"),
	HEADER_FIELD(n_backends, 0, "slot names no backend"),
	HEADER_FIELD(n_backends, 1, "slot names no backend"),
	HEADER_FIELD(n_backends, 0xffff, "backends reaches"),
	HEADER_FIELD(n_slots, 0, "slots reach"),
	HEADER_FIELD(n_slots, SLOTS - 1, "slots reach"),
	HEADER_FIELD(n_slots, 0x100000000ULL, "slots"),
	HEADER_FIELD(n_slots, ~0ULL, "slots"),
	HEADER_FIELD(n_slots, 0xffffffff, "slots reaches"),
	HEADER_FIELD(ports_off, 0, "ports reaches"),
	HEADER_FIELD(ports_off, 257, "ports"),
	HEADER_FIELD(ports_off, ~0ULL, "ports"),
	HEADER_FIELD(ports_off, ~63ULL, "ports reaches"),
	HEADER_FIELD(vips_off, 0, "VIP index reaches"),
	HEADER_FIELD(vips_off, ~63ULL, "VIP index reaches"),
	HEADER_FIELD(vips_off, 1ULL << 63, "VIP index reaches"),
	HEADER_FIELD(pools_off, 192, "pools reaches"),
	HEADER_FIELD(pools_off, ~63ULL, "pools reaches"),
	HEADER_FIELD(backends_off, 64, "backends reaches"),
	HEADER_FIELD(backends_off, ~63ULL, "backends reaches"),
	HEADER_FIELD(slots_off, 128, "slots reaches"),
	HEADER_FIELD(slots_off, ~63ULL, "slots reaches"),
	HEADER_FIELD(reserved[0], 1, "reserved"),
	HEADER_FIELD(reserved[6], 1ULL << 63, "reserved"),
	HEADER_FIELD(reserved0, 1, "reserved"),
	HEADER_FIELD(n_policies, 0x10000, "policies"),
	HEADER_FIELD(n_policies, 64, "policies reaches"),
	HEADER_FIELD(policies_off, ~63ULL, "policies reaches"),
	HEADER_FIELD(echo_tolerance, 1u << 31, "pings"),

	VIP_FIELD(flags, VIP_USED | 0x80, "flags"),
	VIP_FIELD(flags, VIP_USED | 0x08, "flags"),
	VIP_FIELD(flags, VIP_USED | VIP_ACTIVE | VIP_ACCESS, "access list is none"),
	VIP_FIELD(flags, VIP_USED | VIP_ACTIVE | VIP_RATE, "rate is none"),
	VIP_FIELD(flags, VIP_ACTIVE, "flags"),
	VIP_FIELD(flags, VIP_USED | VIP_ACTIVE | SCHEDULER_LEAST_FLOWS << VIP_SCHED_SHIFT, "disagrees"),
	VIP_FIELD(addr.lo, 12345, "VIP"),
	VIP_FIELD(proto, 1, "VIP"),
	VIP_FIELD(vip, SNAPSHOT_NONE, "id or pool"),
	VIP_FIELD(pool, 1, "id or pool"),
	VIP_FIELD(pool, SNAPSHOT_NONE, "id or pool"),
	VIP_FIELD(slot_first, 1, "disagrees"),
	VIP_FIELD(slot_first, 0xffffffff, "disagrees"),
	VIP_FIELD(slot_count, 0, "disagrees"),
	VIP_FIELD(slot_count, SLOTS + 1, "disagrees"),
	FIELD(ADDRESS, struct snapshot_vip, pool, 0, "address entry"),
	FIELD(ADDRESS, struct snapshot_vip, vip, 0, "address entry"),
	FIELD(ADDRESS, struct snapshot_vip, slot_count, 1, "address entry"),
	FIELD(ADDRESS, struct snapshot_vip, port, 80, "VIP"),
	FIELD(HOLE, struct snapshot_vip, flags, VIP_ACTIVE, "hole"),
	FIELD(HOLE, struct snapshot_vip, flags, VIP_USED, "VIP"),

	POOL_FIELD(slot_first, 1, "slots reach"),
	POOL_FIELD(slot_first, 0xffffffff, "slots reach"),
	POOL_FIELD(slot_count, SLOTS + 1, "slots reach"),
	POOL_FIELD(slot_count, 0xffffffff, "slots reach"),
	POOL_FIELD(slot_count, 0, "disagrees"),
	POOL_FIELD(scheduler, SCHEDULER_COUNT, "scheduler"),
	POOL_FIELD(scheduler, 255, "scheduler"),
	POOL_FIELD(used, 0, "unused pool"),
	POOL_FIELD(used, 2, "scheduler"),

	BACKEND_FIELD(flags, 0, "slot's backend"),
	BACKEND_FIELD(flags, BACKEND_USED, "slot's backend"),
	BACKEND_FIELD(flags, BACKEND_VALID, "unused backend"),
	BACKEND_FIELD(flags, 0xff, "flags"),
	BACKEND_FIELD(flags, BACKEND_USED | BACKEND_SUSPECT, "suspect that is not up"),
	BACKEND_FIELD(flags, BACKEND_USED | BACKEND_VALID | BACKEND_SUSPECT, "suspect that is not up"),
	BACKEND_FIELD(flags, BACKEND_USED | BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT, "slot's backend"),
	BACKEND_FIELD(port, 1, "port"),
	BACKEND_FIELD(port, 0xffff, "port"),
	BACKEND_FIELD(pool, 1, "pool"),
	BACKEND_FIELD(pool, 0xffff, "pool"),
	BACKEND_FIELD(weight, 0, "slot's backend"),
	BACKEND_FIELD(dst.byte[0], 0x01, "group"),
	BACKEND_FIELD(dst.byte[0], 0xff, "group"),

	{ SLOT, 0, 2, SNAPSHOT_NONE, "slot names no backend" },
	{ SLOT, 0, 2, 4, "slot names no backend" },
	{ SLOT, 2 * (SLOTS - 1), 2, 4, "slot names no backend" },
	{ SLOT, 2 * (SLOTS - 1), 2, 3, "slot's backend" }, /* disabled */
};

/* clang-format on */

/* Each field with a wrong value: refused for its checksum; and for the right reason when that is made good. */
static void every_field(void)
{
	size_t size;
	void *block = test_snapshot(&small, &size);

	for (size_t i = 0; i < UNIT_COUNT(faults); i++) {
		void *copy = copy_of(block, size);
		struct snapshot_fault fault;
		char *field = (char *)copy + offset_of(copy, faults[i].table) + faults[i].offset;
		int refused;

		memcpy(field, &faults[i].value, faults[i].size);
		CU_ASSERT_EQUAL(check(copy, size, &fault), -1);
		CU_ASSERT_PTR_NOT_NULL(fault.what);
		test_seal(copy, size);
		refused = check(copy, size, &fault);
		if (!refused || !strstr(fault.what, faults[i].what))
			unit_note("line %zu of the list: %s, not %s", i + 1, refused ? fault.what : "accepted",
				faults[i].what);
		CU_ASSERT_EQUAL(refused, -1);
		if (refused)
			CU_ASSERT_PTR_NOT_NULL(strstr(fault.what, faults[i].what));
		free(copy);
	}
	free(block);
}

static struct world w;

/* Packets of many flows by a snapshot that was accepted: AddressSanitizer watches the block's ends. */
static void use(const void *block, size_t size)
{
	uint8_t frame[TEST_FRAME];

	world_publish(&w, copy_of(block, size));
	for (__u16 port = 1; port <= 40; port++) {
		test_tcp4(frame, 0xc6336402, port, port % 3 ? TCP_SYN : TCP_ACK);
		test_send(&w, frame);
		test_udp4(frame, 0xc6336402, port);
		test_send(&w, frame);
	}
	if (world_verdicts(&w) != w.stats->received)
		CU_FAIL("a packet is not counted");
	world_clear(&w);
}

/*
 * Every single bit of a small snapshot, flipped: with the old checksum always refused; with a new one refused, or
 * harmless.
 */
static void every_bit(void)
{
	__u32 accepted = 0, noticed = 0;
	struct snapshot_fault fault;
	size_t size;
	__u8 *block = test_snapshot(&small, &size);
	const size_t checksum_at = offsetof(struct snapshot_header, checksum);
	__u64 checksum = ((struct snapshot_header *)block)->checksum;

	for (size_t bit = 0; bit < size * 8; bit++) {
		block[bit / 8] ^= (__u8)(1u << bit % 8);
		noticed += check(block, size, &fault) != 0;
		if (bit / 8 < checksum_at || bit / 8 >= checksum_at + 8) {
			test_seal(block, size);
			if (!check(block, size, &fault)) {
				use(block, size);
				accepted++;
			}
			((struct snapshot_header *)block)->checksum = checksum;
		}
		block[bit / 8] ^= (__u8)(1u << bit % 8);
	}
	unit_note("%u of %zu flips accepted under a new checksum", accepted, size * 8);
	CU_ASSERT_EQUAL(noticed, size * 8);
	CU_ASSERT_EQUAL(check(block, size, &fault), 0);
	free(block);
}

/* Every byte set to each of some values that are apt to be wrong. */
static void every_byte(void)
{
	static const __u8 values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct snapshot_fault fault;
	size_t size;
	__u8 *block = test_snapshot(&small, &size);

	for (size_t at = 0; at < size; at++)
		for (size_t v = 0; v < sizeof(values); v++) {
			__u8 was = block[at];

			block[at] = values[v];
			test_seal(block, size);
			if (!check(block, size, &fault))
				use(block, size);
			block[at] = was;
		}
	free(block);
}

/* Pairs of words exchanged, or one repeated: the checksum notices where a word stands, not only what it is. */
static void checksum_minds_places(void)
{
	struct snapshot_fault fault;
	__u32 missed = 0;
	size_t size;
	__u64 *block = test_snapshot(&small, &size), n = size / 8;

	for (__u64 i = 0; i < n; i++)
		for (__u64 step = 1; step <= 8 && i + step < n; step++) {
			__u64 a = block[i], b = block[i + step];

			if (a == b)
				continue;
			block[i] = b;
			missed += !check(block, size, &fault);
			block[i + step] = a;
			missed += !check(block, size, &fault);
			block[i] = a;
			block[i + step] = b;
		}
	CU_ASSERT_EQUAL(missed, 0);
	free(block);
}

/* Golden: shuntd and forwarder may be of different releases. */
static void checksum_golden(void)
{
	__u64 block[64];

	for (int i = 0; i < 64; i++)
		block[i] = (__u64)i * 0x0101010101010101ULL;
	for (size_t i = 0; i < UNIT_COUNT(checksum_vectors); i++)
		CU_ASSERT_EQUAL(snapshot_checksum(block, checksum_vectors[i].size), checksum_vectors[i].checksum);
}

/* Blocks that are cut, or longer than they say. */
static void every_length(void)
{
	struct snapshot_fault fault;
	size_t size;
	void *block = test_snapshot(&small, &size);

	for (size_t len = 0; len < size; len++) {
		void *copy = copy_of(block, len);

		CU_ASSERT_EQUAL(check(copy, len, &fault), -1);
		/* The header says what is there: the tables don't fit. */
		if (len >= sizeof(struct snapshot_header) && len % 8 == 0) {
			((struct snapshot_header *)copy)->size = len;
			test_seal(copy, len);
			if (!check(copy, len, &fault))
				CU_ASSERT(len >= ((struct snapshot_header *)copy)->slots_off + SLOTS * 2);
		}
		free(copy);
	}
	free(block);
}

/* An entry of the VIP index that is there twice, or where a look-up would not come by. */
static void misplaced_vips(void)
{
	struct snapshot_fault fault;
	size_t size;
	struct snapshot_header *h = test_snapshot(&small, &size);
	struct snapshot_vip *vips = (struct snapshot_vip *)((char *)h + h->vips_off);
	struct snapshot_vip *vip = (struct snapshot_vip *)((char *)h + offset_of(h, VIP));

	for (__u32 i = 0; i < h->vip_index_size; i++) {
		struct snapshot_vip was = vips[i];

		if (was.flags)
			continue;
		vips[i] = *vip;
		test_seal(h, size);
		CU_ASSERT_EQUAL(check(h, size, &fault), -1);
		vips[i] = was;
	}
	free(h);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "sound ones are accepted", sound },
		{ "every field", every_field },
		{ "every bit", every_bit },
		{ "every byte", every_byte },
		{ "the checksum minds places", checksum_minds_places },
		{ "checksum: golden", checksum_golden },
		{ "every length", every_length },
		{ "misplaced VIPs", misplaced_vips },
		{ NULL, NULL },
	};

	int status;

	if (world_open(&w, NULL, 16))
		return EXIT_FAILURE;
	status = unit_run("snapshot_check", tests);
	world_close(&w);
	return status;
}
