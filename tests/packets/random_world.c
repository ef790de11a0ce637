/* SPDX-License-Identifier: BSD-3-Clause */
/* Random frames and snapshots, from the fixtures and their set-up. */
#include "random_world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flow_table.h"
#include "parse.h"
#include "rate.h"
#include "setup.h"
#include "snapshot_check.h"

#define SLOTS 251
#define CLIENTS 40

uint32_t random_next(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)(r->state >> 20);
}

uint32_t random_below(struct random *r, uint32_t n)
{
	return core_range(random_next(r), n);
}

static size_t from_fixture(struct random *r, const struct fixtures *fixtures, uint8_t *frame)
{
	const struct fixture *f = &fixtures->list[random_below(r, (uint32_t)fixtures->n)];
	size_t len = f->len > RANDOM_FRAME_MAX ? RANDOM_FRAME_MAX : f->len;

	memset(frame, 0, ETH_LEN);
	memcpy(frame, f->frame, len);
	if (len < ETH_LEN)
		len = ETH_LEN;
	switch (random_below(r, 4)) {
	case 0:
		break;
	case 1: /* cut */
		len = ETH_LEN + random_below(r, (uint32_t)(len - ETH_LEN + 1));
		break;
	case 2: /* longer */
		while (len < RANDOM_FRAME_MAX && random_below(r, 8))
			frame[len++] = (uint8_t)random_next(r);
		break;
	default: /* in the headers mostly */
		for (uint32_t n = 1 + random_below(r, 3); n; n--)
			frame[random_below(r, (uint32_t)(len < 80 ? len : 80))] ^=
				(uint8_t)(1u << random_below(r, 8));
	}
	return len;
}

/* Flags as connections have them, and now and then any. */
static uint8_t random_flags(struct random *r)
{
	static const uint8_t usual[] = { TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK, TCP_SYN, TCP_SYN, TCP_ACK | 0x08,
		TCP_FIN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK };

	return random_below(r, 10) ? usual[random_below(r, sizeof(usual))] : (uint8_t)random_next(r);
}

/* The transport header at p. Returns its length. */
static size_t put_transport(struct random *r, uint8_t *p, uint8_t proto, uint32_t client)
{
	static const uint16_t ports[] = { 80, 80, 80, 53, 8080, 443 };
	__be16 sport = core_be16((__u16)(40000 + client % 7)), dport = core_be16(ports[random_below(r, 6)]);

	memset(p, 0, 20);
	memcpy(p, &sport, 2);
	memcpy(p + 2, &dport, 2);
	if (proto == PROTO_UDP) {
		p[5] = 8;
		return 8;
	}
	p[12] = 0x50;
	p[13] = random_flags(r);
	return 20;
}

static size_t from_flow(struct random *r, const struct mac *own, uint8_t *frame)
{
	static const uint8_t vip6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint32_t client = random_below(r, CLIENTS);
	uint8_t proto = random_below(r, 3) ? PROTO_TCP : PROTO_UDP;
	uint8_t vip = (uint8_t)(80 + (random_below(r, 8) ? random_below(r, 2) : random_below(r, 7)));
	uint8_t *l3 = frame + ETH_LEN;
	size_t len;

	memcpy(frame, own, 6);
	memcpy(frame + 6, "\x02\0\0\0\0\x01", 6);
	if (random_below(r, 3)) {
		memcpy(frame + 12, "\x08\0", 2);
		memset(l3, 0, 20);
		len = 20 + put_transport(r, l3 + 20, proto, client);
		l3[0] = 0x45;
		l3[3] = (uint8_t)len;
		l3[8] = 64;
		l3[9] = proto;
		memcpy(l3 + 12, "\xc6\x33\x64", 3);
		l3[15] = (uint8_t)client;
		memcpy(l3 + 16, "\xc0\0\x02", 3);
		l3[19] = vip;
		frame_ipv4_seal(l3);
	} else {
		memcpy(frame + 12, "\x86\xdd", 2);
		memset(l3, 0, 40);
		len = put_transport(r, l3 + 40, proto, client);
		l3[0] = 0x60;
		l3[5] = (uint8_t)len;
		l3[6] = proto;
		l3[7] = 64;
		memcpy(l3 + 8, vip6, 16);
		l3[12] = 0xff;
		l3[23] = (uint8_t)client;
		memcpy(l3 + 24, vip6, 16);
		/* ::80 to ::86, in hexadecimal. */
		l3[39] = (uint8_t)(vip + 0x80 - 80);
		len += 40;
	}
	len += ETH_LEN;
	while (len < 60)
		frame[len++] = 0;
	return len;
}

size_t random_frame(struct random *r, const struct fixtures *fixtures, const struct mac *own, uint8_t *frame)
{
	return random_below(r, 3) ? from_flow(r, own, frame) : from_fixture(r, fixtures, frame);
}

/* Fill a pool's slots with those of its backends that may be in them, by their weights; none: no slots. */
static void put_slots(struct random *r, const struct snapshot_header *h, struct snapshot_pool *pool, uint32_t id)
{
	const struct snapshot_backend *b = (const struct snapshot_backend *)((char *)h + h->backends_off);
	__u16 *slots = (__u16 *)((char *)h + h->slots_off);
	uint32_t usable[SETUP_BACKENDS], n = 0;

	for (uint32_t i = 0; i < h->n_backends; i++)
		if (b[i].pool == id && (b[i].flags & (BACKEND_UP | BACKEND_SUSPECT)) == BACKEND_UP &&
			random_below(r, 4))
			usable[n++] = i;
	if (!n)
		pool->slot_count = 0;
	for (uint32_t i = 0; i < pool->slot_count; i++) {
		uint32_t one = usable[random_below(r, n)], other = usable[random_below(r, n)];

		slots[pool->slot_first + i] = (__u16)(b[one].weight > b[other].weight ? one : other);
	}
}

static void put_backends(struct random *r, const struct snapshot_header *h)
{
	struct snapshot_port *ports = (struct snapshot_port *)((char *)h + h->ports_off);
	struct snapshot_backend *b = (struct snapshot_backend *)((char *)h + h->backends_off);

	for (uint32_t i = 0; i < h->n_backends; i++) {
		static const __u8 states[] = { 0, BACKEND_VALID, BACKEND_VALID | BACKEND_UP,
			BACKEND_VALID | BACKEND_UP, BACKEND_VALID | BACKEND_UP,
			BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT };

		b[i].flags = BACKEND_USED | states[random_below(r, 6)];
		b[i].weight = (__u16)(1 + random_below(r, 500));
		b[i].port = (__u16)random_below(r, h->n_ports);
		b[i].src = ports[b[i].port].mac;
	}
}

/* What a VIP repeats of its pool, which is now and then another than before. */
static void put_pool(struct random *r, const struct snapshot_header *h, const struct snapshot_pool *pools,
	struct snapshot_vip *vip)
{
	uint32_t other = random_below(r, h->n_pools);
	const struct snapshot_pool *pool;

	if (!random_below(r, 6) && pools[other].used)
		vip->pool = (__u16)other;
	pool = &pools[vip->pool];
	vip->slot_first = pool->slot_first;
	vip->slot_count = pool->slot_count;
	vip->flags &= (__u8) ~(3 << VIP_SCHED_SHIFT);
	vip->flags |= (__u8)(pool->scheduler << VIP_SCHED_SHIFT);
}

/* Rates so low that it makes no difference at which moment of a test something happens. */
#define RATE_INTERVAL (RATE_HORIZON / 4)

static void put_policies(struct random *r, struct snapshot_header *h, struct snapshot_vip *vips)
{
	struct snapshot_policy *policies = (struct snapshot_policy *)((char *)h + h->policies_off);

	for (uint32_t i = 0; i < h->n_policies; i++) {
		policies[i].half_open = random_below(r, 3) ? random_below(r, 12) : UINT32_MAX;
		policies[i].source_interval = RATE_INTERVAL;
		policies[i].source_tolerance = random_below(r, 4) * RATE_INTERVAL;
	}
	for (uint32_t i = 0; i < h->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].proto && !random_below(r, 5))
			vips[i].flags |= VIP_RATE;
	if (random_below(r, 3))
		return;
	h->echo_interval = RATE_INTERVAL;
	h->echo_tolerance = random_below(r, 4) * RATE_INTERVAL;
}

uint32_t random_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >> GUARD_TIME_SHIFT);
}

void random_sweep(struct random *r, struct stats_guard *guard)
{
	guard->at_sweep = guard->opened - guard->closed - random_below(r, 8);
}

void *random_snapshot(struct random *r, const struct mac *own, uint64_t version, uint32_t max_ports, size_t *size)
{
	struct snapshot_header *h =
		setup_snapshot_with(own, version, (enum scheduler)random_below(r, SCHEDULER_COUNT), SLOTS, size);
	struct snapshot_fault fault;
	struct snapshot_pool *pools;
	struct snapshot_vip *vips;

	if (!h)
		return NULL;
	/* Between header and index there is room for eight ports. */
	h->n_ports = 1 + random_below(r, max_ports);
	((struct snapshot_port *)((char *)h + h->ports_off))[1].mac = (struct mac){ { 0x02, 0, 0, 0, 0, 0xbb } };
	put_backends(r, h);
	pools = (struct snapshot_pool *)((char *)h + h->pools_off);
	for (uint32_t i = 0; i < h->n_pools; i++)
		put_slots(r, h, &pools[i], i);
	vips = (struct snapshot_vip *)((char *)h + h->vips_off);
	for (uint32_t i = 0; i < h->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].pool != SNAPSHOT_NONE)
			put_pool(r, h, pools, &vips[i]);
	put_policies(r, h, vips);
	setup_seal(h, *size);
	if (!snapshot_check(h, *size, &fault))
		return h;
	free(h);
	return NULL;
}

uint64_t random_age(struct random *r, uint64_t word)
{
	uint32_t tick = flow_word_tick(word);

	if (!word)
		return 0;
	tick = (tick - random_below(r, 80)) & FLOW_TICK_MASK;
	return (word & ~((uint64_t)FLOW_TICK_MASK << FLOW_TICK_SHIFT)) | (uint64_t)tick << FLOW_TICK_SHIFT;
}
