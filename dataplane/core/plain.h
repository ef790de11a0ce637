/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shape of nearly all packets of a VIP: untagged, IPv4 without options, no fragment, TCP or UDP. What
 * packet_parse(), vip_entry_matches() and forward_is_ours() say of such a one, in a few comparisons. For bodies
 * whose tables are ordinary memory.
 */
#ifndef SHUNT_PLAIN_H
#define SHUNT_PLAIN_H

#include "forward.h"
#include "hash.h"
#include "parse.h"
#include "snapshot.h"
#include "tables.h"
#include "types.h"

struct plain_packet {
	struct mac dst_mac;
	struct mac src_mac;
	__be16 type;
	__u8 version_ihl;
	__u8 tos;
	__be16 total_len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 check;
	__u64 addresses; /* source, destination */
	__be32 ports;	 /* source, destination */
	__u8 tcp_to_offset[9];
	__u8 tcp_flags;
	__u8 tcp_rest[6];
} __attribute__((packed, may_alias));

_Static_assert(sizeof(struct plain_packet) == 54, "plain packet");

/* The same bytes as numbers, to compare and to add many at once. */
struct plain_words {
	__u64 word;
} __attribute__((packed, may_alias));

core_inline __u64 plain_word(const void *bytes)
{
	return ((const struct plain_words *)bytes)->word;
}

/*
 * What such a packet for a VIP is to be like that came in by a port: words of its bytes from 0, 8, 16 and 30 on,
 * in the bits that PLAIN_MASK_... say.
 */
struct plain_shape {
	__u64 word[4];
	__u32 port;
	__u32 least;	/* of the IP packet: headers */
	__u64 protocol; /* its part of the hash's message */
};

#define PLAIN_MASK_MAC 0x0000ffffffffffffULL	  /* destination MAC */
#define PLAIN_MASK_TYPE 0x00ffffff00000000ULL	  /* Ethernet type, version and IHL */
#define PLAIN_MASK_FRAGMENT 0xff00ff3f00000000ULL /* fragment word, protocol */
#define PLAIN_MASK_TO 0xffff0000ffffffffULL	  /* destination address and port */

/* vip: any that is active. Returns 0, or -1 if no packet of its is plain. */
core_inline int plain_shape_of(
	struct plain_shape *shape, const struct tables *t, __u32 port, const struct snapshot_vip *vip)
{
	struct plain_packet p = { .dst_mac = t->ports[port].mac,
		.type = core_be16(ETHERTYPE_IPV4),
		.version_ihl = 0x45,
		.proto = vip->proto,
		.addresses = (__u64)addr_to_ipv4(vip->addr) << 32,
		.ports = (__be32)vip->port << 16 };

	if (!vip->port || !addr_is_ipv4(vip->addr))
		return -1;
	shape->word[0] = plain_word(&p);
	shape->word[1] = plain_word((const char *)&p + 8);
	shape->word[2] = plain_word((const char *)&p + 16);
	shape->word[3] = plain_word((const char *)&p + 30);
	shape->port = port;
	shape->least = sizeof(struct ipv4_header) + (vip->proto == PROTO_TCP ? 20 : 8);
	shape->protocol = flow_message_last(0, 0, vip->proto, 13);
	return 0;
}

/* The sum of the IP header's words, the carries added at their other end. */
core_inline __u64 plain_sum(const struct plain_packet *p)
{
	__u64 first = plain_word(&p->version_ihl), sum = first + p->addresses, ttl_proto_check;

	sum += sum < first;
	ttl_proto_check = ((const struct parse_word *)&p->ttl)->word;
	sum += ttl_proto_check;
	return sum + (sum < ttl_proto_check);
}

/*
 * Whether the frame is such a packet, of this shape, whole, and its header's checksum right. If not it may be
 * anything; and if so there may yet be what plain_is_odd() tells. A UDP packet is seen here only in a frame that a
 * TCP one would fit in, as all frames of Ethernet's least length are.
 */
core_inline int plain_is(const struct plain_shape *shape, const struct frame *f)
{
	const struct plain_packet *p = (const struct plain_packet *)f->data;
	__u64 other;

	if (core_unlikely(f->data + sizeof(*p) > f->end))
		return 0;
	other = ((plain_word(f->data) ^ shape->word[0]) & PLAIN_MASK_MAC) |
		((plain_word(f->data + 8) ^ shape->word[1]) & PLAIN_MASK_TYPE) |
		((plain_word(f->data + 16) ^ shape->word[2]) & PLAIN_MASK_FRAGMENT) |
		((plain_word(f->data + 30) ^ shape->word[3]) & PLAIN_MASK_TO) | (f->port ^ shape->port);
	return core_likely(!other) &&
		core_likely(core_be16(p->total_len) - shape->least <= f->len - ETH_LEN - shape->least) &&
		core_likely(parse_sum_is_sound(plain_sum(p)));
}

/*
 * Whether such a packet has a source that none may have, or a port 0: which is to be asked of it before it begins
 * a flow. Flows of such there are none.
 */
core_inline int plain_is_odd(const struct plain_packet *p)
{
	return (__u32)p->addresses == (__u32)(p->addresses >> 32) || parse_source_ipv4((__be32)p->addresses) ||
		!(p->ports & 0xffff) || !(p->ports >> 16);
}

core_inline struct flow_message plain_message(const struct plain_shape *shape, const struct plain_packet *p)
{
	return (struct flow_message){ p->addresses, shape->protocol | p->ports };
}

/* TCP's flags as forward.h wants them, or that it is UDP. */
core_inline __u8 plain_signal(const struct plain_shape *shape, const struct plain_packet *p)
{
	return shape->least > sizeof(struct ipv4_header) + 8 ? p->tcp_flags & SIGNAL_TCP : SIGNAL_UDP;
}

#endif
