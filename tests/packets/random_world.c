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

/* The IP packet at l3, of len bytes, as a fragment of one of few datagrams. Returns its length. */
static size_t make_fragment(struct random *r, uint8_t *l3, size_t len)
{
	static const uint8_t units[] = { 0, 0, 0, 1, 2, 3, 3, 8 };
	uint32_t frag = units[random_below(r, sizeof(units))];
	__be16 word;

	if (l3[0] == 0x45) {
		l3[5] = (uint8_t)random_below(r, 3);
		word = core_be16(frag | (frag && random_below(r, 2) ? 0 : 0x2000));
		memcpy(l3 + 6, &word, 2);
		frame_ipv4_seal(l3);
		return len;
	}
	memmove(l3 + 48, l3 + 40, len - 40);
	memset(l3 + 40, 0, 8);
	l3[40] = l3[6];
	word = core_be16(frag << 3 | !(frag && random_below(r, 2)));
	memcpy(l3 + 42, &word, 2);
	l3[47] = (uint8_t)random_below(r, 3);
	l3[6] = PROTO_FRAGMENT;
	l3[5] = (uint8_t)(l3[5] + 8);
	return len + 8;
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
	if (random_below(r, 8) == 0)
		len = make_fragment(r, l3, len);
	len += ETH_LEN;
	while (len < 60)
		frame[len++] = 0;
	return len;
}

/* Where the IP header is that a frame's tags lead to, or 0: there is none, or no room for more in front of its
 * payload. */
static size_t ip_of(const uint8_t *frame, size_t len)
{
	size_t l3 = ETH_LEN;

	while (l3 < ETH_LEN + 8 && (frame[l3 - 2] == 0x81 || frame[l3 - 2] == 0x88) && !(frame[l3 - 1] & 0x57))
		l3 += 4;
	if (len < l3 + 60 || len > RANDOM_FRAME_MAX - 128)
		return 0;
	if (frame[l3 - 2] == 0x08 && !frame[l3 - 1] && frame[l3] == 0x45)
		return l3;
	return frame[l3 - 2] == 0x86 && frame[l3 - 1] == 0xdd && frame[l3] >> 4 == 6 ? l3 : 0;
}

static void add16(uint8_t *at, size_t n)
{
	size_t sum = (size_t)(at[0] << 8 | at[1]) + n;

	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* Make room for size bytes at offset; returns the frame's length then. */
static size_t spread(uint8_t *frame, size_t len, size_t offset, size_t size)
{
	memmove(frame + offset + size, frame + offset, len - offset);
	memset(frame + offset, 0, size);
	return len + size;
}

/* Options behind an IPv4 header, or an extension header behind an IPv6 one. */
static size_t put_extension(struct random *r, uint8_t *frame, size_t len, size_t l3)
{
	static const uint8_t kinds[] = { PROTO_HOP_BY_HOP, PROTO_ROUTING, PROTO_DEST_OPTS, PROTO_DEST_OPTS,
		PROTO_FRAGMENT, PROTO_AH };
	size_t size = 4 * (1 + random_below(r, 10));
	uint8_t kind = kinds[random_below(r, 6)], *ext = frame + l3 + 40;

	if (frame[l3] == 0x45) {
		len = spread(frame, len, l3 + 20, size);
		memset(frame + l3 + 20, 1, size);
		frame[l3] = (uint8_t)(0x45 + size / 4);
		add16(frame + l3 + 2, size);
		return len;
	}
	size = kind == PROTO_FRAGMENT ? 8 : (size + 7) & ~7u;
	len = spread(frame, len, l3 + 40, size);
	ext[0] = frame[l3 + 6];
	ext[1] = (uint8_t)(kind == PROTO_FRAGMENT ? 0 : kind == PROTO_AH ? size / 4 - 2 : size / 8 - 1);
	if (kind == PROTO_ROUTING && !random_below(r, 4))
		ext[3] = 1;
	frame[l3 + 6] = kind;
	add16(frame + l3 + 4, size);
	return len;
}

/* A source that nobody may have, or one that somebody may. */
static void put_source(struct random *r, uint8_t *ip)
{
	static const uint8_t first[] = { 0, 127, 224, 239, 240, 255, 126, 223 };

	if (ip[0] >> 4 == 4 && random_below(r, 3)) {
		ip[12] = first[random_below(r, sizeof(first))];
	} else if (ip[0] >> 4 == 4) {
		memcpy(ip + 12, ip + 16, 4);
		ip[15] = (uint8_t)(80 + random_below(r, 6));
	} else {
		switch (random_below(r, 4)) {
		case 0:
			ip[8] = 0xff;
			break;
		case 1:
			memset(ip + 8, 0, 15);
			ip[23] = (uint8_t)random_below(r, 3);
			break;
		case 2:
			memset(ip + 8, 0, 10);
			memset(ip + 18, 0xff, 2);
			break;
		default:
			memcpy(ip + 8, ip + 24, 16);
			ip[23] = (uint8_t)(0x80 + random_below(r, 6));
		}
	}
}

/* A packet to a client, as the VIP of a flow's would send, in an ICMP error for the VIP. */
static size_t make_error(struct random *r, uint8_t *frame, size_t l3)
{
	static const uint8_t types4[] = { 3, 3, 3, 11, 12, 4, 5 }, types6[] = { 1, 2, 2, 3, 4, 5, 137 };
	int v4 = frame[l3] >> 4 == 4;
	size_t ip = v4 ? 20 : 40, addr = v4 ? 4 : 16, at = v4 ? 12 : 8, quote = l3 + ip + 8, len = quote + ip + 8;
	uint8_t packet[48], *icmp = frame + l3 + ip;

	memcpy(packet, frame + l3, ip + 8);
	memcpy(packet + at, frame + l3 + at + addr, addr);
	memcpy(packet + at + addr, frame + l3 + at, addr);
	memcpy(packet + ip, frame + l3 + ip + 2, 2);
	memcpy(packet + ip + 2, frame + l3 + ip, 2);
	memset(icmp, 0, 8);
	memcpy(frame + quote, packet, ip + 8);
	icmp[0] = v4 ? types4[random_below(r, 7)] : types6[random_below(r, 7)];
	frame[l3 + (v4 ? 9 : 6)] = v4 ? PROTO_ICMP : PROTO_ICMPV6;
	frame[l3 + 2 + (v4 ? 0 : 2)] = 0;
	frame[l3 + 3 + (v4 ? 0 : 2)] = (uint8_t)(v4 ? len - l3 : len - l3 - 40);
	/* From anywhere; and something wrong with the quote, now and then. */
	frame[l3 + at + addr - 2] ^= 0x40;
	if (random_below(r, 4) == 0)
		len = put_extension(r, frame, len, quote);
	if (random_below(r, 4) == 0)
		frame[quote + random_below(r, (uint32_t)(len - quote))] ^= (uint8_t)(1u << random_below(r, 8));
	return len;
}

/* Tags in front, options, extension headers, sources, errors about it: now and then each of them. */
static size_t dress(struct random *r, uint8_t *frame, size_t len)
{
	size_t l3 = ip_of(frame, len);

	if (!l3)
		return len;
	if (random_below(r, 8) == 0)
		len = make_error(r, frame, l3);
	if (random_below(r, 16) == 0)
		put_source(r, frame + l3);
	for (int i = 0; i < 3 && frame[l3] != 0x45 && random_below(r, 6) == 0; i++)
		len = put_extension(r, frame, len, l3);
	if (frame[l3] == 0x45 && random_below(r, 6) == 0)
		len = put_extension(r, frame, len, l3);
	if (frame[l3] >> 4 == 4 && random_below(r, 16))
		frame_ipv4_seal(frame + l3);
	if (random_below(r, 8) == 0) {
		len = spread(frame, len, 12, 4);
		frame[12] = random_below(r, 2) ? 0x81 : 0x88;
		frame[13] = frame[12] == 0x81 ? 0x00 : 0xa8;
		frame[15] = (uint8_t)random_next(r);
	}
	return len;
}

size_t random_frame(struct random *r, const struct fixtures *fixtures, const struct mac *own, uint8_t *frame)
{
	size_t len = random_below(r, 3) ? from_flow(r, own, frame) : from_fixture(r, fixtures, frame);

	return dress(r, frame, len);
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
