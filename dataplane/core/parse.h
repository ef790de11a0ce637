/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From bytes to what the forwarder asks of a packet: Ethernet with up to two VLAN tags, ARP, IPv4 with
 * options, IPv6 with extension headers (RFC 8200), TCP, UDP, ICMP echo, neighbour solicitation. Reads
 * nothing beyond frame.end, changes nothing.
 */
#ifndef SHUNT_PARSE_H
#define SHUNT_PARSE_H

#include "types.h"

/* A received frame, from the destination MAC on. */
struct frame {
	__u8 *data;
	__u8 *end;  /* behind the last byte that can be read: headers have to lie before it */
	__u32 len;  /* of the whole frame, which may go on elsewhere (multi-segment buffers) */
	__u32 port; /* index of the port it came in by */
};

enum packet_kind {
	PACKET_NOT_IP,    /* neither IP nor ARP as we know it */
	PACKET_MALFORMED, /* IP header cut short or not one: nothing else is known */
	PACKET_ARP,       /* ARP over Ethernet for IPv4; proto: the operation; src, dst: sender's and target's address */
	PACKET_FLOW,      /* TCP or UDP, ports known */
	PACKET_SHORT,     /* dst known; the transport header or what the IP header states is cut short */
	PACKET_FRAGMENT,  /* dst known */
	PACKET_EXT,       /* dst known; more extension headers than PARSE_MAX_EXT */
	PACKET_ND,        /* neighbour solicitation; dst: the target */
	PACKET_NA,        /* neighbour advertisement; dst: the target */
	PACKET_ECHO,      /* ICMP or ICMPv6 echo request */
	PACKET_ICMP,      /* other ICMP or ICMPv6 */
	PACKET_OTHER,     /* dst known, another transport protocol */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define PARSE_MAX_EXT 6  /* IPv6 extension headers followed */
#define PARSE_MAX_VLAN 2

struct packet {
	struct addr src;
	struct addr dst;
	__be16 sport;
	__be16 dport;
	__u16 l3; /* offset of the IP or ARP header */
	__u16 l4; /* offset of the transport header */
	__u16 l4_len; /* bytes from there to the end of the IP packet */
	__u8 kind;    /* enum packet_kind */
	__u8 proto;
	__u8 tcp_flags;
	__u8 reserved[3];
};

#define ETH_LEN 14
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8

#define PROTO_HOP_BY_HOP 0
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_DEST_OPTS 60

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_NEIGHBOUR_SOLICITATION 135
#define ICMPV6_NEIGHBOUR_ADVERTISEMENT 136

struct eth_header {
	struct mac dst;
	struct mac src;
	__be16 type;
} core_unaligned;

struct vlan_tag {
	__be16 tci;
	__be16 type;
} core_unaligned;

struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 check;
	__be32 src;
	__be32 dst;
} core_unaligned;

struct ipv6_header {
	__be32 version_class_flow;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	struct addr src;
	struct addr dst;
} core_unaligned;

struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_len;
	__u8 protocol_len;
	__be16 op;
	struct mac sender_mac;
	__be32 sender_ip;
	struct mac target_mac;
	__be32 target_ip;
} __attribute__((packed));

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 check;
} core_unaligned;

struct echo_header {
	struct icmp_header icmp;
	__be32 id_seq;
} core_unaligned;

struct nd_solicitation {
	struct icmp_header icmp;
	__be32 reserved;
	struct addr target;
} core_unaligned;

struct parse_ports {
	__be16 sport;
	__be16 dport;
} core_unaligned;

_Static_assert(sizeof(struct eth_header) == ETH_LEN, "Ethernet header");
_Static_assert(sizeof(struct ipv4_header) == 20, "IPv4 header");
_Static_assert(sizeof(struct ipv6_header) == 40, "IPv6 header");
_Static_assert(sizeof(struct arp_ipv4) == 28, "ARP");
_Static_assert(sizeof(struct nd_solicitation) == 24, "neighbour solicitation");

/* size bytes at offset, or NULL if they don't all lie before the end. */
core_inline void *frame_at(const struct frame *f, __u32 offset, __u32 size)
{
	__u8 *p = f->data + offset;

	return p + size > f->end ? (void *)0 : p;
}

core_inline __u8 parse_arp(const struct frame *f, struct packet *p)
{
	const struct arp_ipv4 *arp = (const struct arp_ipv4 *)frame_at(f, p->l3, sizeof(*arp));

	if (!arp || arp->hardware != core_be16(1) || arp->protocol != core_be16(ETHERTYPE_IPV4) ||
		arp->hardware_len != 6 || arp->protocol_len != 4 ||
		(arp->op != core_be16(ARP_REQUEST) && arp->op != core_be16(ARP_REPLY)))
		return PACKET_NOT_IP;
	p->proto = (__u8)core_be16(arp->op);
	p->src = addr_from_ipv4(arp->sender_ip);
	p->dst = addr_from_ipv4(arp->target_ip);
	return PACKET_ARP;
}

core_inline __u8 parse_icmp(const struct frame *f, struct packet *p)
{
	const struct icmp_header *icmp = (const struct icmp_header *)frame_at(f, p->l4, 8);

	if (!icmp || p->l4_len < 8)
		return PACKET_SHORT;
	return icmp->type == ICMP_ECHO_REQUEST && icmp->code == 0 ? PACKET_ECHO : PACKET_ICMP;
}

core_inline __u8 parse_icmpv6(const struct frame *f, struct packet *p, __u8 hop_limit)
{
	const struct icmp_header *icmp = (const struct icmp_header *)frame_at(f, p->l4, 8);
	const struct nd_solicitation *ns;

	if (!icmp || p->l4_len < 8)
		return PACKET_SHORT;
	if (icmp->code != 0)
		return PACKET_ICMP;
	if (icmp->type == ICMPV6_ECHO_REQUEST)
		return PACKET_ECHO;
	/* RFC 4861, 7.1: one with another hop limit has been forwarded and is not to be heeded. */
	if ((icmp->type != ICMPV6_NEIGHBOUR_SOLICITATION && icmp->type != ICMPV6_NEIGHBOUR_ADVERTISEMENT) ||
		hop_limit != 255)
		return PACKET_ICMP;
	ns = (const struct nd_solicitation *)frame_at(f, p->l4, sizeof(*ns));
	if (!ns || p->l4_len < sizeof(*ns) || addr_is_ipv4(ns->target))
		return PACKET_ICMP;
	p->dst = ns->target;
	return icmp->type == ICMPV6_NEIGHBOUR_SOLICITATION ? PACKET_ND : PACKET_NA;
}

/* TCP and UDP alike: ports, and TCP's flags. */
core_inline __u8 parse_transport(const struct frame *f, struct packet *p)
{
	const struct parse_ports *ports;
	const __u8 *tcp;

	if (p->proto == PROTO_TCP) {
		tcp = (const __u8 *)frame_at(f, p->l4, 20);
		if (!tcp || p->l4_len < 20)
			return PACKET_SHORT;
		ports = (const struct parse_ports *)tcp;
		p->tcp_flags = tcp[13];
	} else if (p->proto == PROTO_UDP) {
		ports = (const struct parse_ports *)frame_at(f, p->l4, 8);
		if (!ports || p->l4_len < 8)
			return PACKET_SHORT;
	} else {
		return PACKET_OTHER;
	}
	p->sport = ports->sport;
	p->dport = ports->dport;
	return PACKET_FLOW;
}

core_inline __u8 parse_ipv4(const struct frame *f, struct packet *p)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)frame_at(f, p->l3, sizeof(*ip));
	__u32 header_len, total_len;

	if (!ip)
		return PACKET_MALFORMED;
	header_len = (ip->version_ihl & 15u) * 4;
	if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip))
		return PACKET_MALFORMED;
	total_len = core_be16(ip->total_len);
	p->src = addr_from_ipv4(ip->src);
	p->dst = addr_from_ipv4(ip->dst);
	p->proto = ip->proto;
	p->l4 = (__u16)(p->l3 + header_len);
	if (total_len < header_len || total_len > f->len - p->l3)
		return PACKET_SHORT;
	p->l4_len = (__u16)(total_len - header_len);
	if (ip->frag & core_be16(0x3fff))
		return PACKET_FRAGMENT;
	if (ip->proto == PROTO_ICMP)
		return parse_icmp(f, p);
	return parse_transport(f, p);
}

/*
 * Walk the extension headers behind an IPv6 header; next: the first one's protocol. Leaves p->proto,
 * p->l4 and p->l4_len at the first header that is none. Returns a kind that ends the parse, or
 * PACKET_FLOW to go on.
 */
core_inline __u8 parse_extensions(const struct frame *f, struct packet *p, __u8 next)
{
	__u32 offset = p->l3 + sizeof(struct ipv6_header);
	__u32 left = p->l4_len;

	core_unroll
	for (int i = 0; i <= PARSE_MAX_EXT; i++) {
		const __u8 *ext;
		__u32 size;

		p->proto = next;
		p->l4 = (__u16)offset;
		p->l4_len = (__u16)left;
		if (next != PROTO_HOP_BY_HOP && next != PROTO_ROUTING && next != PROTO_DEST_OPTS &&
			next != PROTO_FRAGMENT && next != PROTO_AH)
			return PACKET_FLOW;
		if (i == PARSE_MAX_EXT)
			return PACKET_EXT;
		ext = (const __u8 *)frame_at(f, offset, 8);
		if (!ext || left < 8)
			return PACKET_SHORT;
		size = 8;
		if (next == PROTO_FRAGMENT) {
			/* Offset 0 and no more to come: a whole packet (RFC 6946). */
			if (ext[2] || (ext[3] & 0xf9))
				return PACKET_FRAGMENT;
		} else if (next == PROTO_AH) {
			size = (ext[1] + 2u) * 4;
		} else {
			size = (ext[1] + 1u) * 8;
		}
		if (left < size)
			return PACKET_SHORT;
		next = ext[0];
		offset += size;
		left -= size;
	}
	return PACKET_EXT;
}

core_inline __u8 parse_ipv6(const struct frame *f, struct packet *p)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)frame_at(f, p->l3, sizeof(*ip));
	__u32 payload_len;
	__u8 kind;

	if (!ip || (*(const __u8 *)ip & 0xf0) != 0x60)
		return PACKET_MALFORMED;
	p->src = ip->src;
	p->dst = ip->dst;
	/* ::ffff:a.b.c.d has no business on a wire, and would be taken for the IPv4 address from here on. */
	if (core_unlikely(addr_is_ipv4(p->dst)))
		return PACKET_NOT_IP;
	payload_len = core_be16(ip->payload_len);
	p->l4_len = (__u16)payload_len;
	if (payload_len > f->len - p->l3 - sizeof(*ip))
		return PACKET_SHORT;
	kind = parse_extensions(f, p, ip->next);
	if (kind != PACKET_FLOW)
		return kind;
	if (p->proto == PROTO_ICMPV6)
		return parse_icmpv6(f, p, ip->hop_limit);
	return parse_transport(f, p);
}

/* Fill *p from the frame. Fields that the kind doesn't say anything of are zero. */
core_inline void packet_parse(const struct frame *f, struct packet *p)
{
	const struct eth_header *eth = (const struct eth_header *)frame_at(f, 0, sizeof(*eth));
	__u32 offset = sizeof(*eth);
	__be16 type;

	*p = (struct packet){ 0 };
	if (!eth)
		return;
	type = eth->type;
	for (int i = 0; i < PARSE_MAX_VLAN; i++) {
		const struct vlan_tag *tag;

		if (core_likely(type != core_be16(ETHERTYPE_VLAN) && type != core_be16(ETHERTYPE_QINQ)))
			break;
		tag = (const struct vlan_tag *)frame_at(f, offset, sizeof(*tag));
		if (!tag)
			return;
		type = tag->type;
		offset += sizeof(*tag);
	}
	p->l3 = (__u16)offset;
	if (core_likely(type == core_be16(ETHERTYPE_IPV4)))
		p->kind = parse_ipv4(f, p);
	else if (type == core_be16(ETHERTYPE_IPV6))
		p->kind = parse_ipv6(f, p);
	else if (type == core_be16(ETHERTYPE_ARP))
		p->kind = parse_arp(f, p);
}

#endif
