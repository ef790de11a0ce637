/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers that the forwarder gives for a VIP itself: ARP (RFC 826), neighbour solicitation (RFC 4861,
 * 7.2.4) and echo (RFC 792, RFC 4443), written over the request. The body first sets the frame's length
 * to answer_length(), then calls answer_write(), then sends the frame out where it came in.
 */
#ifndef SHUNT_ANSWER_H
#define SHUNT_ANSWER_H

#include "parse.h"
#include "types.h"
#include "verdicts.h"

#define ND_ADVERTISEMENT_LEN 32 /* with the target link-layer address option */
#define ND_OVERRIDE 0x20
#define ND_SOLICITED 0x40
#define ANSWER_TTL 64

struct nd_advertisement {
	struct icmp_header icmp;
	__u8 flags;
	__u8 reserved[3];
	struct addr target;
	__u8 option_type;
	__u8 option_len;
	struct mac option_mac;
} core_unaligned;

_Static_assert(sizeof(struct nd_advertisement) == ND_ADVERTISEMENT_LEN, "neighbour advertisement");

/* Length the frame must have to hold the answer; for all but ND its present one. */
core_inline __u32 answer_length(__u32 action, const struct frame *f, const struct packet *p)
{
	if (action == ACTION_ANSWER_ND)
		return p->l3 + (__u32)sizeof(struct ipv6_header) + ND_ADVERTISEMENT_LEN;
	return f->len;
}

/* Add to a one's complement sum kept in 32 bits, and fold it at the end (RFC 1071). */
core_inline __u32 checksum_add(__u32 sum, __u32 word)
{
	sum += word;
	return sum < word ? sum + 1 : sum;
}

core_inline __u16 checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* The checksum after one 16-bit word of what it covers has changed (RFC 1624, equation 3). */
core_inline __be16 checksum_change(__be16 check, __be16 from, __be16 to)
{
	__u32 sum = (__u16)~check + (__u32)(__u16)~from + to;

	return checksum_fold(sum);
}

core_inline __u32 checksum_addr(__u32 sum, struct addr a)
{
	sum = checksum_add(sum, (__u32)a.hi);
	sum = checksum_add(sum, (__u32)(a.hi >> 32));
	sum = checksum_add(sum, (__u32)a.lo);
	return checksum_add(sum, (__u32)(a.lo >> 32));
}

core_inline int answer_arp(const struct frame *f, const struct packet *p, struct mac own)
{
	struct arp_ipv4 *arp = (struct arp_ipv4 *)frame_at(f, core_offset(p->l3), sizeof(*arp));
	__be32 vip;

	if (!arp)
		return -1;
	vip = arp->target_ip;
	arp->op = core_be16(2);
	arp->target_mac = arp->sender_mac;
	arp->target_ip = arp->sender_ip;
	arp->sender_mac = own;
	arp->sender_ip = vip;
	return 0;
}

/* Write the advertisement; all the options of the solicitation are overwritten or cut off. */
core_inline int answer_nd(const struct frame *f, const struct packet *p, struct mac own, struct mac *to)
{
	struct ipv6_header *ip = (struct ipv6_header *)frame_at(f, core_offset(p->l3), sizeof(*ip));
	struct nd_advertisement *na =
		(struct nd_advertisement *)frame_at(f, core_offset(p->l3) + sizeof(*ip), sizeof(*na));
	struct addr asker, target;
	__u32 sum;
	int probe;

	if (!ip || !na)
		return -1;
	asker = p->src;
	target = p->dst;
	/* Duplicate address detection asks from no address: it is answered to all nodes, ff02::1. */
	probe = (asker.hi | asker.lo) == 0;
	if (probe) {
		asker = (struct addr){ 0x02ffULL, 0x0100000000000000ULL };
		*to = (struct mac){ { 0x33, 0x33, 0, 0, 0, 1 } };
	}
	ip->src = target;
	ip->dst = asker;
	ip->next = PROTO_ICMPV6;
	ip->hop_limit = 255;
	ip->payload_len = core_be16(ND_ADVERTISEMENT_LEN);
	*na = (struct nd_advertisement){
		.icmp = { .type = 136 },
		.flags = ND_OVERRIDE | (probe ? 0 : ND_SOLICITED),
		.target = target,
		.option_type = 2,
		.option_len = 1,
		.option_mac = own,
	};
	sum = checksum_addr(0, target);
	sum = checksum_addr(sum, asker);
	sum = checksum_addr(sum, target);
	sum = checksum_add(sum, core_be32(ND_ADVERTISEMENT_LEN));
	sum = checksum_add(sum, core_be32(PROTO_ICMPV6));
	sum = checksum_add(sum, (__u32)core_be16(136 << 8) | (__u32)na->flags << 16);
	sum = checksum_add(sum, (__u32)2 | 1u << 8 | (__u32)own.byte[0] << 16 | (__u32)own.byte[1] << 24);
	sum = checksum_add(sum, (__u32)own.byte[2] | (__u32)own.byte[3] << 8 | (__u32)own.byte[4] << 16 |
		(__u32)own.byte[5] << 24);
	na->icmp.check = checksum_fold(sum);
	return 0;
}

/* The ICMP message, which a later fragment has only a part of that stays as it is. */
core_inline int answer_echo_message(const struct frame *f, const struct packet *p)
{
	struct echo_header *echo = (struct echo_header *)frame_at(f, core_offset(p->l4), sizeof(*echo));
	struct icmp_header *icmp;

	if (!echo)
		return -1;
	icmp = &echo->icmp;
	if (addr_is_ipv4(p->dst)) {
		icmp->check = checksum_change(icmp->check, ICMP_ECHO_REQUEST, 0);
		icmp->type = 0;
		/* The one sum that RFC 1624 gets wrong is that of nothing but zeros; receivers take 0xffff for 0. */
		if (core_unlikely(!icmp->check && !echo->id_seq))
			icmp->check = 0xffff;
	} else {
		icmp->check = checksum_change(icmp->check, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REQUEST + 1);
		icmp->type = ICMPV6_ECHO_REQUEST + 1;
	}
	return 0;
}

/* Hops that an IP packet has left. */
core_inline __u32 answer_hops(const struct frame *f, const struct packet *p)
{
	__u32 offset = addr_is_ipv4(p->dst) ? __builtin_offsetof(struct ipv4_header, ttl)
					    : __builtin_offsetof(struct ipv6_header, hop_limit);
	const __u8 *hops = (const __u8 *)frame_at(f, core_offset(p->l3) + offset, 1);

	return hops ? *hops : 0;
}

/*
 * A ping in fragments is answered fragment by fragment. A later one, which may be of an answer, goes back with one hop
 * less than it has: two hosts that take each other's answers for pings don't do so for ever.
 */
core_inline int answer_echo(const struct frame *f, const struct packet *p)
{
	__u8 hops = p->fragment == FRAGMENT_LATER ? (__u8)(answer_hops(f, p) - 1) : ANSWER_TTL;

	if (p->fragment != FRAGMENT_LATER && answer_echo_message(f, p))
		return -1;
	if (addr_is_ipv4(p->dst)) {
		struct ipv4_header *ip = (struct ipv4_header *)frame_at(f, core_offset(p->l3), sizeof(*ip));
		__u16 before, after;

		if (!ip)
			return -1;
		before = (__u16)(ip->ttl | ip->proto << 8);
		ip->ttl = hops;
		after = (__u16)(ip->ttl | ip->proto << 8);
		ip->check = checksum_change(ip->check, before, after);
		ip->src = addr_to_ipv4(p->dst);
		ip->dst = addr_to_ipv4(p->src);
	} else {
		struct ipv6_header *ip = (struct ipv6_header *)frame_at(f, core_offset(p->l3), sizeof(*ip));

		if (!ip)
			return -1;
		ip->hop_limit = hops;
		ip->src = p->dst;
		ip->dst = p->src;
	}
	return 0;
}

/*
 * Write the answer that action asks for over the request. own: MAC of the port. Returns 0, or -1 if the
 * frame doesn't hold it after all (then it is to be dropped: DROP_NO_ROOM).
 */
core_inline int answer_write(__u32 action, const struct frame *f, const struct packet *p, struct mac own)
{
	struct eth_header *eth = (struct eth_header *)frame_at(f, 0, sizeof(*eth));
	struct mac to;
	int done = -1;

	if (!eth)
		return -1;
	to = eth->src;
	if (action == ACTION_ANSWER_ARP)
		done = answer_arp(f, p, own);
	else if (action == ACTION_ANSWER_ND)
		done = answer_nd(f, p, own, &to);
	else if (action == ACTION_ANSWER_ECHO)
		done = answer_echo(f, p);
	if (done)
		return -1;
	eth->dst = to;
	eth->src = own;
	return 0;
}

#endif
