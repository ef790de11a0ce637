/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet that an ICMP error quotes, which a VIP sent: of what flow it is. As parse.h, of which this goes on where
 * packet_parse() found an error; apart, as the XDP program does it in a function of its own.
 */
#ifndef SHUNT_QUOTE_H
#define SHUNT_QUOTE_H

#include "parse.h"
#include "types.h"

/* The ports of a packet that a VIP sent, as those of its client's: of the flow that it belongs to. */
core_inline int quote_ports(const struct frame *f, struct packet *p, __u8 proto, __u32 offset, __u32 left)
{
	const struct parse_ports *ports = (const struct parse_ports *)frame_at(f, offset, sizeof(*ports));

	if (!ports || left < sizeof(*ports) || (proto != PROTO_TCP && proto != PROTO_UDP))
		return -1;
	p->proto = proto;
	p->sport = ports->dport;
	p->dport = ports->sport;
	return p->sport && p->dport ? 0 : -1;
}

/* An IPv4 header and four bytes behind it, at offset, of which left bytes are there. */
core_inline int quote_ipv4(const struct frame *f, struct packet *p, __u32 offset, __u32 left)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)frame_at(f, offset, sizeof(*ip));
	__u32 header_len;

	if (!ip || left < sizeof(*ip))
		return -1;
	header_len = (ip->version_ihl & 15u) * 4;
	if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip) || left < header_len)
		return -1;
	if (ip->src != addr_to_ipv4(p->dst) || ip->dst == ip->src || ip->frag & core_be16(0x1fff))
		return -1;
	p->src = addr_from_ipv4(ip->dst);
	return quote_ports(f, p, ip->proto, offset + header_len, left - header_len);
}

core_inline int quote_ipv6(const struct frame *f, struct packet *p, __u32 offset, __u32 left)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)frame_at(f, offset, sizeof(*ip));
	struct packet quoted = { .l3 = (__u16)offset, .l4_len = (__u16)(left - sizeof(*ip)) };
	struct addr src, dst;

	if (!ip || left < sizeof(*ip) || (*(const __u8 *)ip & 0xf0) != 0x60)
		return -1;
	src = ip->src;
	dst = ip->dst;
	if (!addr_equal(src, p->dst) || addr_equal(dst, src) || addr_is_ipv4(dst))
		return -1;
	if (parse_extensions(f, &quoted, ip->next) != PACKET_FLOW)
		return -1;
	p->src = dst;
	return quote_ports(f, p, quoted.proto, core_offset(quoted.l4), quoted.l4_len);
}

/*
 * p: of packet_parse(), a PACKET_ERROR. Finds the flow of the packet that is quoted, which has to be one that p->dst
 * sent: RFC 792, RFC 4443, 2.4 (c). Eight bytes of it behind its IP header are what anyone has to quote; four will
 * do. Sets ports and protocol to those of the flow's packets from the client, src to the client; or makes it
 * PACKET_FAULTY. Nothing of the quoted packet but what says its flow is looked at.
 */
core_inline void packet_parse_quote(const struct frame *f, struct packet *p)
{
	__u32 offset = core_offset(p->l4) + 8, left = p->l4_len - 8u;

	if (addr_is_ipv4(p->dst) ? quote_ipv4(f, p, offset, left) : quote_ipv6(f, p, offset, left))
		p->kind = parse_fault(p, COUNTER_DROP_ICMP_QUOTE);
}

#endif
