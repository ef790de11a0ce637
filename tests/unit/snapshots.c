/* SPDX-License-Identifier: BSD-3-Clause */
/* The snapshots and frames of snapshots.h. */
#include "snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "frame_text.h"
#include "maglev.h"
#include "snapshot_check.h"
#include "unit.h"
#include "vip.h"

#define INDEX_SIZE 16u
#define N_POOLS 1
#define N_VIPS 4

const struct mac test_own = { { 0x02, 0, 0, 0, 0, 0xaa } };

static __u64 align64(__u64 offset)
{
	return (offset + 63) & ~63ULL;
}

struct mac test_backend_mac(__u32 i)
{
	return (struct mac){ { 0x02, 0, 1, 0, (__u8)(i >> 8), (__u8)i } };
}

static __u16 weight_of(const struct test_pool *pool, __u32 i)
{
	return pool->weight ? pool->weight(i) : 100;
}

static __u8 flags_of(const struct test_pool *pool, __u32 i)
{
	return pool->flags ? pool->flags(i) : BACKEND_VALID | BACKEND_UP;
}

/* Returns whether any backend takes new flows. */
static int put_slots(const struct snapshot_header *h, __u16 *slots, const struct test_pool *pool)
{
	struct maglev_member *members = calloc(pool->n + 1, sizeof(*members));
	struct maglev_scratch *scratch = malloc(sizeof(*scratch));
	__u32 n = 0;

	if (!members || !scratch)
		abort();
	for (__u32 i = 0; i < pool->n; i++)
		if (weight_of(pool, i) && (flags_of(pool, i) & (BACKEND_UP | BACKEND_SUSPECT)) == BACKEND_UP)
			maglev_member_init(&members[n++], h->hash_key, addr_from_ipv4(core_be32(0x0a000001 + i)),
				(__u16)i, weight_of(pool, i), (__u32)h->n_slots);
	if (pool->scheduler == SCHEDULER_ROUND_ROBIN)
		round_robin_build(slots, (__u32)h->n_slots, members, n, scratch);
	else
		maglev_build(slots, (__u32)h->n_slots, members, n, scratch);
	free(members);
	free(scratch);
	return n > 0;
}

static void put_vip(struct snapshot_header *h, struct snapshot_vip *index, const char *address, __u16 port,
	__u8 proto, __u16 vip, __u32 slot_count, enum scheduler scheduler)
{
	struct snapshot_vip e = {
		.addr = unit_addr(address),
		.port = core_be16(port),
		.proto = proto,
		.flags = (__u8)(VIP_USED | VIP_ACTIVE | scheduler << VIP_SCHED_SHIFT),
		.vip = vip,
		.slot_count = slot_count,
	};
	int steps;

	if (!proto) {
		e.pool = SNAPSHOT_NONE;
		e.flags = VIP_USED | VIP_ACTIVE;
	}
	steps = vip_index_insert(index, INDEX_SIZE, &e);
	if (steps > (int)h->vip_index_probe)
		h->vip_index_probe = (__u32)steps;
}

void *test_snapshot(const struct test_pool *pool, size_t *size)
{
	struct snapshot_header head = {
		.magic = SNAPSHOT_MAGIC,
		.abi = SNAPSHOT_ABI,
		.n_ports = 1,
		.version = 1,
		.hash_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
		.flow_capacity = 4096,
		.timeout = { 0, 15, 225, 30, 3, 15, 75 },
		.vip_index_size = INDEX_SIZE,
		.vip_index_probe = 1,
		.n_pools = N_POOLS,
		.n_backends = pool->n,
		.n_slots = pool->n_slots ? pool->n_slots : MAGLEV_SLOTS,
		.n_policies = N_VIPS,
		.ports_off = sizeof(head),
	}, *h;
	struct snapshot_backend *backends;
	struct snapshot_pool *pools;
	struct snapshot_vip *index;
	__u32 slot_count;

	head.vips_off = align64(head.ports_off + sizeof(struct snapshot_port));
	head.pools_off = align64(head.vips_off + INDEX_SIZE * sizeof(struct snapshot_vip));
	head.backends_off = align64(head.pools_off + N_POOLS * sizeof(struct snapshot_pool));
	head.slots_off = align64(head.backends_off + pool->n * sizeof(struct snapshot_backend));
	head.policies_off = align64(head.slots_off + head.n_slots * sizeof(__u16));
	head.size = align64(head.policies_off + N_VIPS * sizeof(struct snapshot_policy));
	h = calloc(1, head.size);
	if (!h)
		abort();
	*h = head;
	((struct snapshot_port *)((char *)h + h->ports_off))->mac = test_own;
	slot_count = put_slots(h, (__u16 *)((char *)h + h->slots_off), pool) ? (__u32)h->n_slots : 0;
	pools = (struct snapshot_pool *)((char *)h + h->pools_off);
	pools[0] =
		(struct snapshot_pool){ .slot_count = slot_count, .scheduler = (__u8)pool->scheduler, .used = 1 };
	backends = (struct snapshot_backend *)((char *)h + h->backends_off);
	for (__u32 i = 0; i < pool->n; i++)
		backends[i] = (struct snapshot_backend){ .dst = test_backend_mac(i),
			.src = test_own,
			.weight = weight_of(pool, i),
			.flags = BACKEND_USED | flags_of(pool, i) };
	index = (struct snapshot_vip *)((char *)h + h->vips_off);
	put_vip(h, index, "192.0.2.80", 80, PROTO_TCP, 0, slot_count, pool->scheduler);
	put_vip(h, index, "192.0.2.80", 53, PROTO_UDP, 1, slot_count, pool->scheduler);
	put_vip(h, index, "192.0.2.80", 0, 0, SNAPSHOT_NONE, 0, 0);
	put_vip(h, index, "2001:db8::80", 80, PROTO_TCP, 2, slot_count, pool->scheduler);
	put_vip(h, index, "2001:db8::80", 53, PROTO_UDP, 3, slot_count, pool->scheduler);
	put_vip(h, index, "2001:db8::80", 0, 0, SNAPSHOT_NONE, 0, 0);
	for (__u32 vip = 0; vip < N_VIPS; vip++)
		((struct snapshot_policy *)((char *)h + h->policies_off))[vip].half_open =
			vip == 0 && pool->bound ? pool->bound : ~0u;
	test_seal(h, head.size);
	if (size)
		*size = head.size;
	return h;
}

void test_seal(void *block, size_t size)
{
	((struct snapshot_header *)block)->checksum = snapshot_checksum(block, size);
}

static void put_ipv4(uint8_t *frame, uint32_t client, uint8_t proto)
{
	struct eth_header eth = {
		.dst = test_own, .src = { { 0x02, 0, 0, 0, 0, 1 } }, .type = core_be16(ETHERTYPE_IPV4)
	};
	struct ipv4_header ip = {
		.version_ihl = 0x45,
		.total_len = core_be16(TEST_FRAME - ETH_LEN),
		.ttl = 64,
		.proto = proto,
		.src = core_be32(client),
		.dst = core_be32(0xc0000250),
	};

	memset(frame, 0, TEST_FRAME);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + ETH_LEN, &ip, sizeof(ip));
	frame_ipv4_seal(frame + ETH_LEN);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void test_tcp4(uint8_t *frame, uint32_t client, uint16_t port, uint8_t flags)
{
	put_ipv4(frame, client, PROTO_TCP);
	put16(frame + 34, port);
	put16(frame + 36, 80);
	frame[46] = 0x50;
	frame[47] = flags;
}

void test_udp4(uint8_t *frame, uint32_t client, uint16_t port)
{
	put_ipv4(frame, client, PROTO_UDP);
	put16(frame + 34, port);
	put16(frame + 36, 53);
	put16(frame + 38, TEST_FRAME - 34);
}

int test_send(struct world *w, const uint8_t *frame)
{
	struct parcel p;
	int backend;

	if (world_one(w, frame, TEST_FRAME, &p))
		abort();
	backend = p.verdict.action == ACTION_TO_BACKEND ? p.verdict.backend : -1;
	parcel_free(&p);
	return backend;
}

int test_send_tcp(struct world *w, uint32_t client, uint16_t port, uint8_t flags)
{
	uint8_t frame[TEST_FRAME];

	test_tcp4(frame, client, port, flags);
	return test_send(w, frame);
}
