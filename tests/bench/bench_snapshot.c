/* SPDX-License-Identifier: BSD-3-Clause */
/* The benchmarks' snapshot, by the core's own builders, and their packets. */
#include "bench_snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maglev.h"
#include "snapshot_check.h"

#define INDEX_SIZE 16
#define N_VIPS 2

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };

static struct snapshot_header header(__u64 capacity)
{
	struct snapshot_header h = { .magic = SNAPSHOT_MAGIC,
		.abi = SNAPSHOT_ABI,
		.n_ports = 1,
		.version = 1,
		.hash_key = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL },
		.flow_capacity = capacity,
		.timeout = { 0, 15, 225, 30, 3, 75, 75 },
		.vip_index_size = INDEX_SIZE,
		.vip_index_probe = SNAPSHOT_MAX_PROBE,
		.n_pools = 1,
		.n_backends = BENCH_BACKENDS,
		.n_slots = MAGLEV_SLOTS,
		.n_policies = N_VIPS,
		.ports_off = sizeof(h) };

	h.vips_off = h.ports_off + 64;
	h.pools_off = h.vips_off + INDEX_SIZE * sizeof(struct snapshot_vip);
	h.backends_off = h.pools_off + 64;
	h.slots_off = (h.backends_off + BENCH_BACKENDS * sizeof(struct snapshot_backend) + 63) & ~63ULL;
	h.policies_off = (h.slots_off + MAGLEV_SLOTS * sizeof(__u16) + 63) & ~63ULL;
	h.size = h.policies_off + 64;
	return h;
}

static void put_vips(struct snapshot_vip *index)
{
	struct snapshot_vip vip = { .addr = addr_from_ipv4(core_be32(0xc0000250)),
		.port = core_be16(80),
		.proto = PROTO_TCP,
		.flags = VIP_USED | VIP_ACTIVE,
		.slot_count = MAGLEV_SLOTS };
	struct snapshot_vip address = {
		.addr = vip.addr, .flags = VIP_USED | VIP_ACTIVE, .vip = SNAPSHOT_NONE, .pool = SNAPSHOT_NONE
	};

	vip_index_insert(index, INDEX_SIZE, &vip);
	vip.port = core_be16(BENCH_OTHER_PORT);
	vip.vip = 1;
	vip_index_insert(index, INDEX_SIZE, &vip);
	vip_index_insert(index, INDEX_SIZE, &address);
}

void *bench_snapshot(__u64 capacity, size_t *size)
{
	return bench_snapshot_of(capacity, ~0u, 0, BENCH_BACKENDS, size);
}

void *bench_snapshot_of(__u64 capacity, __u32 bound, __u32 first, __u32 n, size_t *size)
{
	static struct maglev_scratch scratch;
	struct maglev_member members[BENCH_BACKENDS];
	struct snapshot_header head = header(capacity), *h = aligned_alloc(64, head.size);
	struct snapshot_policy *policies;
	struct snapshot_backend *backends;
	struct snapshot_fault fault;

	if (!h)
		return NULL;
	memset(h, 0, head.size);
	*h = head;
	*size = head.size;
	((struct snapshot_port *)((char *)h + h->ports_off))->mac = own;
	put_vips((struct snapshot_vip *)((char *)h + h->vips_off));
	*(struct snapshot_pool *)((char *)h + h->pools_off) =
		(struct snapshot_pool){ .slot_count = MAGLEV_SLOTS, .used = 1 };
	backends = (struct snapshot_backend *)((char *)h + h->backends_off);
	for (int i = 0; i < BENCH_BACKENDS; i++) {
		backends[i] = (struct snapshot_backend){ .dst = { { 2, 0, 0, 0, 1, (__u8)i } },
			.src = own,
			.weight = 100,
			.flags = BACKEND_USED | BACKEND_VALID | BACKEND_UP };
		maglev_member_init(&members[i], h->hash_key, addr_from_ipv4(core_be32(0x0a000001 + i)), (__u16)i,
			100, MAGLEV_SLOTS);
	}
	maglev_build((__u16 *)((char *)h + h->slots_off), MAGLEV_SLOTS, members + first, n, &scratch);
	policies = (struct snapshot_policy *)((char *)h + h->policies_off);
	for (int i = 0; i < N_VIPS; i++)
		policies[i].half_open = bound;
	h->checksum = snapshot_checksum(h, h->size);
	if (!snapshot_check(h, h->size, &fault))
		return h;
	fprintf(stderr, "snapshot: %s (%llu)\n", fault.what, fault.index);
	free(h);
	return NULL;
}

/* The header checksum of 20 bytes of IPv4. */
static void seal(__u8 *ip)
{
	__u32 sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (__u32)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (__u16)~((sum & 0xffff) + (sum >> 16));
	ip[10] = (__u8)(sum >> 8);
	ip[11] = (__u8)sum;
}

void bench_frame(__u8 *frame, __u32 flow, __u8 tcp_flags)
{
	static const __u8 head[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 9, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6,
		0, 0 };
	__be32 src = core_be32(0x0a000000 + flow / 50000), dst = core_be32(0xc0000250);
	__be16 sport = core_be16(10000 + flow % 50000), dport = core_be16(80);

	memcpy(frame, head, sizeof(head));
	memcpy(frame + 26, &src, 4);
	memcpy(frame + 30, &dst, 4);
	seal(frame + ETH_LEN);
	memcpy(frame + 34, &sport, 2);
	memcpy(frame + 36, &dport, 2);
	frame[46] = 0x50;
	frame[47] = tcp_flags;
}
