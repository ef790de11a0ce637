/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP and neighbour discovery about VIPs' addresses: what is answered, what is left to the kernel, and what of
 * that says that another host has such an address, or would like to.
 *
 *   ARP request, for a VIP      answered (RFC 826), probes too (RFC 5227: the sender has no address yet)
 *   ARP, from a VIP's address   another host's claim: counted, and to the kernel, where shuntd sees it
 *   neighbour solicitation      answered if it is as RFC 4861, 7.1.1 wants it, duplicate address detection's too
 *   neighbour advertisement     of a VIP's address by another host: a claim
 *
 * What is not right is left to the kernel, which heeds it no more than this does.
 */
#ifndef SHUNT_NEIGHBOUR_H
#define SHUNT_NEIGHBOUR_H

#include "answer.h"
#include "parse.h"
#include "tables.h"
#include "types.h"
#include "verdicts.h"
#include "vip.h"

#define SOLICITATION_MAX 128 /* bytes, with options, that are looked at: a longer one is not answered */
#define SOLICITATION_SOURCE_MAC 1

/* Eight bytes of a message: an option begins at the first of such. */
struct solicitation_unit {
	__u8 type;
	__u8 len; /* of the option, in units */
	__u16 value;
	__u32 rest;
} core_unaligned;

struct solicitation_words {
	__u32 word[2];
} core_unaligned __attribute__((may_alias));

/*
 * Whether a solicitation is one that is to be heeded (RFC 4861, 7.1.1), as far as parse.h has not seen to it: the
 * checksum, the options, and where it was sent from and to. No extension headers, of which RFC 6980 forbids the
 * one.
 */
core_inline int solicitation_is_right(const struct frame *f, const struct packet *p)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)frame_at(f, core_offset(p->l3), sizeof(*ip));
	__u32 units = p->l4_len / 8u, option = 3, source_mac = 0, sum;
	struct addr src, dst;

	if (!ip || p->l4 != p->l3 + sizeof(*ip) || p->l4_len % 8 || p->l4_len > SOLICITATION_MAX)
		return 0;
	src = ip->src;
	dst = ip->dst;
	sum = checksum_addr(checksum_addr(0, src), dst);
	sum = checksum_add(sum, core_be32(p->l4_len));
	sum = checksum_add(sum, core_be32(PROTO_ICMPV6));
	core_unroll
	for (__u32 i = 0; i < SOLICITATION_MAX / 8; i++) {
		const struct solicitation_unit *unit;
		const struct solicitation_words *words;

		if (i >= units)
			break;
		unit = (const struct solicitation_unit *)frame_at(f, core_offset(p->l4) + i * 8, sizeof(*unit));
		if (!unit)
			return 0;
		words = (const struct solicitation_words *)unit;
		sum = checksum_add(checksum_add(sum, words->word[0]), words->word[1]);
		if (i != option)
			continue;
		if (!unit->len)
			return 0;
		source_mac |= unit->type == SOLICITATION_SOURCE_MAC;
		option += unit->len;
	}
	if (option != units || checksum_fold(sum))
		return 0;
	if (src.hi | src.lo)
		return (src.hi & 0xff) != 0xff;
	/* Duplicate address detection: to the solicited-node group, ff02::1:ff00:0/104. */
	return !source_mac && dst.hi == 0x02ffULL && (dst.lo & 0xffffffffffULL) == 0xff01000000ULL;
}

/* Whether this host should answer the question: not one that a switch flooded to others' ports as well. */
core_inline int neighbour_is_asked(
	const struct eth_header *eth, const struct snapshot_port *port, const struct snapshot_vip *address)
{
	return address && address->flags & VIP_ACTIVE && !(eth->src.byte[0] & 1) &&
		(eth->dst.byte[0] & 1 || mac_equal(&eth->dst, &port->mac));
}

/* A host with this MAC says that it has the address. */
core_inline void neighbour_claims(
	const struct tables *t, const struct snapshot_port *port, const struct mac *mac, struct addr address)
{
	const struct snapshot_vip *vip = vip_find_address(t, address);

	if (vip && vip->flags & VIP_ACTIVE && !mac_equal(mac, &port->mac))
		tables_count(t, COUNTER_VIP_CLAIMED);
}

/* p: of kind PACKET_ARP. Returns whether it is to be answered. */
core_inline int neighbour_arp(const struct tables *t, const struct frame *f, const struct packet *p,
	const struct eth_header *eth, const struct snapshot_port *port)
{
	const struct arp_ipv4 *arp = (const struct arp_ipv4 *)frame_at(f, core_offset(p->l3), sizeof(*arp));
	struct mac sender;
	__be32 from;

	if (!arp)
		return 0;
	sender = arp->sender_mac;
	from = arp->sender_ip;
	if (from)
		neighbour_claims(t, port, &sender, p->src);
	/* A request for the sender's own address announces it. */
	if (p->proto != ARP_REQUEST || addr_equal(p->src, p->dst) || sender.byte[0] & 1 ||
		!neighbour_is_asked(eth, port, vip_find_address(t, p->dst)))
		return 0;
	if (!from)
		tables_count(t, COUNTER_VIP_PROBED);
	return 1;
}

/* p: of kind PACKET_ND. */
core_inline int neighbour_solicitation(const struct tables *t, const struct frame *f, const struct packet *p,
	const struct eth_header *eth, const struct snapshot_port *port)
{
	if (!neighbour_is_asked(eth, port, vip_find_address(t, p->dst)) || !solicitation_is_right(f, p))
		return 0;
	if (!(p->src.hi | p->src.lo))
		tables_count(t, COUNTER_VIP_PROBED);
	return 1;
}

/* The action for ARP and neighbour discovery; p: of kind PACKET_ARP, PACKET_ND or PACKET_NA. */
core_inline __u32 neighbour_action(const struct tables *t, const struct frame *f, const struct packet *p)
{
	const struct eth_header *eth = (const struct eth_header *)frame_at(f, 0, sizeof(*eth));
	const struct snapshot_port *port = tables_port(t, f->port);

	if (!eth || !port)
		return ACTION_TO_KERNEL;
	if (p->kind == PACKET_ARP)
		return neighbour_arp(t, f, p, eth, port) ? ACTION_ANSWER_ARP : ACTION_TO_KERNEL;
	if (p->kind == PACKET_ND)
		return neighbour_solicitation(t, f, p, eth, port) ? ACTION_ANSWER_ND : ACTION_TO_KERNEL;
	neighbour_claims(t, port, &eth->src, p->dst);
	return ACTION_TO_KERNEL;
}

#endif
