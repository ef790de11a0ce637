/* SPDX-License-Identifier: BSD-3-Clause */
/* The fixtures' snapshot, built with the core's own builders (vip_index_insert, maglev_build). */
#include "setup.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access_build.h"
#include "maglev.h"
#include "snapshot_check.h"
#include "vip.h"

#define INDEX_SIZE 64u

enum { POOL_WEB, POOL_SIX, POOL_EMPTY, N_POOLS };

static const struct {
	const char *name;
	const char *address;
	__u8 last; /* byte of its MAC */
	__u8 pool;
	__u8 flags;
	__u8 in_slots;
} backends[SETUP_BACKENDS] = {
	{ "web1", "10.0.0.11", 0x11, POOL_WEB, BACKEND_VALID | BACKEND_UP, 1 },
	{ "web2", "10.0.0.12", 0x12, POOL_WEB, BACKEND_VALID | BACKEND_UP, 1 },
	{ "web3", "10.0.0.13", 0x13, POOL_WEB, BACKEND_VALID | BACKEND_UP, 1 },
	{ "web-draining", "10.0.0.14", 0x14, POOL_WEB, BACKEND_VALID | BACKEND_UP, 0 },
	{ "web-down", "10.0.0.15", 0x15, POOL_WEB, BACKEND_VALID, 0 },
	{ "web-disabled", "10.0.0.16", 0x16, POOL_WEB, 0, 0 },
	{ "six1", "2001:db8:a::11", 0x61, POOL_SIX, BACKEND_VALID | BACKEND_UP, 1 },
	{ "six2", "2001:db8:a::12", 0x62, POOL_SIX, BACKEND_VALID | BACKEND_UP, 1 },
	{ "six3", "2001:db8:a::13", 0x63, POOL_SIX, BACKEND_VALID | BACKEND_UP, 1 },
	{ "empty-draining", "10.0.0.17", 0x17, POOL_EMPTY, BACKEND_VALID | BACKEND_UP, 0 },
	{ "web-suspect", "10.0.0.18", 0x18, POOL_WEB, BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT, 0 },
	{ "empty-suspect", "10.0.0.19", 0x19, POOL_EMPTY, BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT, 0 },
};

static const struct {
	const char *address;
	__u16 port;
	__u8 proto;
	__u8 pool;
	__u8 active;
	__u8 no_half_open; /* its bound of half-open flows is 0 */
	__u8 access;	   /* its access list, from 1 on; 0: none */
} vips[] = {
	{ "192.0.2.80", 80, 6, POOL_WEB, 1 },
	{ "192.0.2.80", 53, 17, POOL_WEB, 1 },
	{ "192.0.2.81", 0, 6, POOL_WEB, 1 },
	{ "192.0.2.81", 0, 17, POOL_WEB, 1 },
	{ "192.0.2.81", 8080, 6, POOL_EMPTY, 1 },
	{ "192.0.2.82", 80, 6, POOL_WEB, 0 },
	{ "192.0.2.83", 80, 6, POOL_EMPTY, 1 },
	{ "2001:db8::80", 80, 6, POOL_SIX, 1 },
	{ "2001:db8::80", 53, 17, POOL_SIX, 1 },
	{ "2001:db8::81", 0, 6, POOL_SIX, 1 },
	{ "2001:db8::81", 0, 17, POOL_SIX, 1 },
	{ "2001:db8::81", 8080, 6, POOL_EMPTY, 1 },
	{ "2001:db8::82", 80, 6, POOL_SIX, 0 },
	{ "2001:db8::83", 80, 6, POOL_EMPTY, 1 },
	{ "192.0.2.84", 80, 6, POOL_WEB, 1, .no_half_open = 1 },
	{ "192.0.2.84", 53, 17, POOL_WEB, 1, .no_half_open = 1 },
	{ "2001:db8::84", 80, 6, POOL_SIX, 1, .no_half_open = 1 },
	{ "192.0.2.85", 80, 6, POOL_WEB, 1, .access = 1 },
	{ "192.0.2.85", 53, 17, POOL_WEB, 1, .access = 1 },
	{ "192.0.2.86", 80, 6, POOL_WEB, 1, .access = 2 },
	{ "2001:db8::85", 80, 6, POOL_SIX, 1, .access = 1 },
	{ "2001:db8::86", 80, 6, POOL_SIX, 1, .access = 2 },
};

#define N_VIPS (sizeof(vips) / sizeof(vips[0]))

/* In the order of access_prefix_compare(); ids of the rules are their places here. */
static const struct {
	__u8 list; /* from 1 on */
	const char *address;
	__u8 length;
	__u8 allow;
} rules[] = {
	{ 1, "198.51.100.7", 32, 0 },
	{ 1, "198.51.100.16", 28, 0 },
	{ 1, "198.51.100.18", 32, 0 },
	{ 1, "203.0.113.0", 24, 0 },
	{ 1, "2001:db8:66::", 48, 0 },
	{ 1, "2001:db8:ff00::8", 125, 0 },
	{ 2, "198.51.100.0", 24, 1 },
	{ 2, "198.51.100.32", 27, 0 },
	{ 2, "198.51.100.33", 32, 1 },
	{ 2, "2001:db8:ff00::", 64, 1 },
	{ 2, "2001:db8:ff00::10", 124, 0 },
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))
#define N_MORE ((SETUP_RULES - N_RULES) / 2)
#define ACCESS_WORDS_MAX 65536

/* The access lists, built once. */
static struct {
	struct snapshot_access list[SETUP_LISTS];
	__u32 n_words;
	__u32 words[ACCESS_WORDS_MAX];
} access_lists;

static struct addr address(const char *text)
{
	struct addr a = { 0 };
	__be32 v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return addr_from_ipv4(v4);
	inet_pton(AF_INET6, text, &a);
	return a;
}

static struct mac backend_mac(unsigned id)
{
	return (struct mac){ { 0x02, 0, 0, 0, 0, backends[id].last } };
}

const struct frame_name *setup_names(const struct mac *own)
{
	static struct frame_name names[SETUP_BACKENDS + 7];
	struct frame_name *n = names;

	*n++ = (struct frame_name){ "lb", *own };
	*n++ = (struct frame_name){ "router", { { 0x02, 0, 0, 0, 0, 0x01 } } };
	*n++ = (struct frame_name){ "client", { { 0x02, 0, 0, 0, 0, 0x02 } } };
	*n++ = (struct frame_name){ "other", { { 0x02, 0, 0, 0, 0, 0x99 } } };
	*n++ = (struct frame_name){ "broadcast", { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } } };
	*n++ = (struct frame_name){ "zero", { { 0 } } };
	for (unsigned i = 0; i < SETUP_BACKENDS; i++)
		*n++ = (struct frame_name){ backends[i].name, backend_mac(i) };
	*n = (struct frame_name){ 0 };
	return names;
}

int setup_backend_id(const char *name)
{
	for (int i = 0; i < SETUP_BACKENDS; i++)
		if (!strcmp(backends[i].name, name))
			return i;
	return -1;
}

const char *setup_backend_name(unsigned id)
{
	return id < SETUP_BACKENDS ? backends[id].name : "none";
}

static int by_prefix(const void *a, const void *b)
{
	return access_prefix_compare(a, b);
}

/* Its rules of the table above and, as both lists have what is to be denied far away, many more. */
static __u32 prefixes_of(unsigned list, struct access_prefix *prefixes)
{
	__u32 n = 0;

	for (__u32 i = 0; i < N_RULES; i++)
		if (rules[i].list == list)
			prefixes[n++] = (struct access_prefix){ address(rules[i].address), i, rules[i].length,
				rules[i].allow, 0 };
	for (__u32 i = 0; i < N_MORE && list == 1; i++) {
		char text[64];

		snprintf(text, sizeof(text), "10.%u.%u.0", i, i * 7 % 256);
		prefixes[n++] = (struct access_prefix){ address(text), (__u32)N_RULES + i, 24, 0, 0 };
		snprintf(text, sizeof(text), "2001:db8:%x:%x::", i + 0x1000, i);
		prefixes[n++] =
			(struct access_prefix){ address(text), (__u32)(N_RULES + N_MORE) + i, 64, 0, 0 };
	}
	qsort(prefixes, n, sizeof(*prefixes), by_prefix);
	return n;
}

static void build_access(void)
{
	static struct access_prefix prefixes[SETUP_RULES];
	static struct access_range ranges[ACCESS_ROOM_RANGES(SETUP_RULES)];
	static __u32 links[ACCESS_WORDS_MAX], leaves[ACCESS_WORDS_MAX], sieves[ACCESS_ROOM_SIEVES];

	for (unsigned i = 0; i < SETUP_LISTS; i++) {
		struct snapshot_access *list = &access_lists.list[i];
		struct access_room room = { .ranges = ranges,
			.links = links,
			.leaves = leaves,
			.sieves = sieves,
			.links_room = ACCESS_WORDS_MAX,
			.leaves_room = ACCESS_WORDS_MAX / ACCESS_LINE };

		if (access_build(prefixes, prefixes_of(i + 1, prefixes), &room, list) ||
			access_lists.n_words + access_n_words(&room) > ACCESS_WORDS_MAX)
			abort();
		access_place(&room, list, access_lists.words + access_lists.n_words);
		access_shift(list, access_lists.n_words);
		access_lists.n_words += (__u32)access_n_words(&room);
	}
}

static __u64 align64(__u64 offset)
{
	return (offset + 63) & ~63ULL;
}

static void put_header(struct snapshot_header *h, __u64 version, __u32 n_slots)
{
	*h = (struct snapshot_header){
		.magic = SNAPSHOT_MAGIC,
		.abi = SNAPSHOT_ABI,
		.n_ports = 1,
		.version = version,
		.hash_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
		.flow_capacity = SETUP_CAPACITY,
		.timeout = { 0, 15, 225, 30, 3, 15, 75 },
		.vip_index_size = INDEX_SIZE,
		.vip_index_probe = 1,
		.n_pools = N_POOLS,
		.n_backends = SETUP_BACKENDS,
		.n_slots = 2ULL * n_slots,
		.n_policies = N_VIPS,
		.n_access = SETUP_LISTS,
		.n_rules = SETUP_RULES,
		.n_access_words = access_lists.n_words,
		.ports_off = sizeof(*h),
	};
	h->vips_off = align64(h->ports_off + h->n_ports * sizeof(struct snapshot_port));
	h->pools_off = align64(h->vips_off + INDEX_SIZE * sizeof(struct snapshot_vip));
	h->backends_off = align64(h->pools_off + N_POOLS * sizeof(struct snapshot_pool));
	h->slots_off = align64(h->backends_off + SETUP_BACKENDS * sizeof(struct snapshot_backend));
	h->policies_off = align64(h->slots_off + h->n_slots * sizeof(__u16));
	h->access_off = align64(h->policies_off + h->n_policies * sizeof(struct snapshot_policy));
	h->access_words_off = align64(h->access_off + h->n_access * sizeof(struct snapshot_access));
	h->size = align64(h->access_words_off + h->n_access_words * sizeof(__u32));
}

static void put_slots(const struct snapshot_header *h, __u16 *slots, unsigned pool, enum scheduler scheduler,
	struct maglev_scratch *scratch)
{
	struct maglev_member members[SETUP_BACKENDS];
	__u32 n = 0, n_slots = (__u32)h->n_slots / 2;

	for (unsigned i = 0; i < SETUP_BACKENDS; i++)
		if (backends[i].pool == pool && backends[i].in_slots)
			maglev_member_init(
				&members[n++], h->hash_key, address(backends[i].address), (__u16)i, 100, n_slots);
	if (scheduler == SCHEDULER_ROUND_ROBIN)
		round_robin_build(slots, n_slots, members, n, scratch);
	else
		maglev_build(slots, n_slots, members, n, scratch);
}

/* One entry into the index; the bound in the header rises with it. */
static void put_vip(struct snapshot_header *h, struct snapshot_vip *index, const struct snapshot_vip *entry)
{
	int steps = vip_index_insert(index, INDEX_SIZE, entry);

	if (steps > (int)h->vip_index_probe)
		h->vip_index_probe = (__u32)steps;
}

static void put_vips(struct snapshot_header *h, struct snapshot_vip *index, const struct snapshot_pool *pools)
{
	for (unsigned i = 0; i < N_VIPS; i++) {
		const struct snapshot_pool *pool = &pools[vips[i].pool];
		__u8 flags = (__u8)(VIP_USED | (vips[i].active ? VIP_ACTIVE : 0));
		struct snapshot_vip entry = {
			.addr = address(vips[i].address),
			.port = core_be16(vips[i].port),
			.proto = vips[i].proto,
			.flags = (__u8)(flags | (vips[i].access ? VIP_ACCESS : 0) |
				pool->scheduler << VIP_SCHED_SHIFT),
			.vip = (__u16)i,
			.pool = vips[i].pool,
			.slot_first = pool->slot_first,
			.slot_count = pool->slot_count,
		};
		struct snapshot_vip of_address = {
			.addr = entry.addr,
			.flags = flags,
			.vip = SNAPSHOT_NONE,
			.pool = SNAPSHOT_NONE,
		};

		put_vip(h, index, &entry);
		if (i == 0 || strcmp(vips[i].address, vips[i - 1].address))
			put_vip(h, index, &of_address);
	}
}

static void put_policies(struct snapshot_policy *policies)
{
	for (unsigned i = 0; i < N_VIPS; i++)
		policies[i] = (struct snapshot_policy){ .half_open = vips[i].no_half_open ? 0 : UINT32_MAX,
			.access = vips[i].access ? vips[i].access - 1u : 0,
			.sieve = access_lists.list[vips[i].access ? vips[i].access - 1u : 0].sieve };
}

void *setup_snapshot_with(
	const struct mac *own, __u64 version, enum scheduler scheduler, __u32 n_slots, size_t *size)
{
	struct maglev_scratch *scratch = malloc(sizeof(*scratch));
	struct snapshot_header head, *h = NULL;
	struct snapshot_backend *b;
	struct snapshot_pool *pools;
	__u16 *slots;

	if (!access_lists.n_words)
		build_access();
	put_header(&head, version, n_slots);
	if (scratch)
		h = calloc(1, head.size);
	if (!h)
		goto out;
	*h = head;
	*size = head.size;
	((struct snapshot_port *)((char *)h + h->ports_off))->mac = *own;

	slots = (__u16 *)((char *)h + h->slots_off);
	pools = (struct snapshot_pool *)((char *)h + h->pools_off);
	for (unsigned i = 0; i < N_POOLS; i++) {
		pools[i] = (struct snapshot_pool){ .scheduler = (__u8)scheduler, .used = 1 };
		if (i == POOL_EMPTY)
			continue;
		pools[i].slot_first = i * n_slots;
		pools[i].slot_count = n_slots;
		put_slots(h, slots + pools[i].slot_first, i, scheduler, scratch);
	}
	b = (struct snapshot_backend *)((char *)h + h->backends_off);
	for (unsigned i = 0; i < SETUP_BACKENDS; i++)
		b[i] = (struct snapshot_backend){
			.dst = backend_mac(i),
			.src = *own,
			.pool = backends[i].pool,
			.weight = 100,
			.flags = BACKEND_USED | backends[i].flags,
		};
	put_vips(h, (struct snapshot_vip *)((char *)h + h->vips_off), pools);
	put_policies((struct snapshot_policy *)((char *)h + h->policies_off));
	memcpy((char *)h + h->access_off, access_lists.list, sizeof(access_lists.list));
	memcpy((char *)h + h->access_words_off, access_lists.words, access_lists.n_words * sizeof(__u32));
	setup_seal(h, *size);
out:
	free(scratch);
	return h;
}

void *setup_snapshot(const struct mac *own, __u64 version, size_t *size)
{
	return setup_snapshot_with(own, version, SCHEDULER_MAGLEV, MAGLEV_SLOTS, size);
}

void setup_seal(void *block, size_t size)
{
	((struct snapshot_header *)block)->checksum = snapshot_checksum(block, size);
}
