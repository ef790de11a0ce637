/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From bytes to what the forwarder asks of a packet: Ethernet with up to two VLAN tags, ARP, IPv4 with
 * options, IPv6 with extension headers (RFC 8200), fragments of either, TCP, UDP, ICMP echo, ICMP errors with the
 * packet they quote, neighbour solicitation. Whether it is honest, too, as far as that shows without tables: the
 * first of the things that are wrong with it, in the order of the steps here, is its fault. Reads nothing beyond
 * frame.end, changes nothing.
 */
#ifndef SHUNT_PARSE_H
#define SHUNT_PARSE_H

#include "types.h"
#include "verdicts.h"

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
	PACKET_FAULTY,    /* dst known; not to be forwarded nor answered: fault says why */
	PACKET_ARP,       /* ARP over Ethernet for IPv4; proto: the operation; src, dst: sender's and target's address */
	PACKET_FLOW,      /* TCP or UDP, ports known; whole, or a first fragment */
	PACKET_FRAGMENT,  /* a later fragment: no ports */
	PACKET_ND,        /* neighbour solicitation; dst: the target */
	PACKET_NA,        /* neighbour advertisement; dst: the target */
	PACKET_ECHO,      /* ICMP or ICMPv6 echo request; whole, or a first fragment */
	PACKET_ERROR,     /* ICMP or ICMPv6 error about a packet: packet_parse_quote() says which */
	PACKET_OTHER,     /* dst known, another transport protocol */
};

enum packet_fragment {
	FRAGMENT_NONE, /* a whole packet; also one with a fragment header of its own (RFC 6946) */
	FRAGMENT_FIRST,
	FRAGMENT_LATER,
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define PARSE_MAX_EXT 6         /* IPv6 extension headers followed */
#define PARSE_MAX_EXT_BYTES 512 /* in all */
#define PARSE_MAX_VLAN 2

struct packet {
	struct addr src;
	struct addr dst;
	__be16 sport;
	__be16 dport;
	__u16 l3; /* offset of the IP or ARP header */
	__u16 l4; /* offset of the transport header; of a later fragment, of its part of the datagram */
	__u16 l4_len;      /* bytes from there to the end of the IP packet */
	__u16 frag_offset; /* bytes of the datagram before a fragment's; this and the next three: of fragments only */
	__be32 frag_id;    /* IPv4's 16 bits as they lie, or IPv6's 32 */
	__u16 frag_len;    /* bytes of the datagram that it has: those behind the IPv4 or the fragment header */
	__u8 frag_more;    /* it is not the last */
	__u8 fragment;     /* enum packet_fragment */
	__u8 kind;         /* enum packet_kind */
	__u8 proto;        /* a later IPv6 fragment's: of the header behind the fragment header, maybe an extension */
	__u8 tcp_flags;
	__u8 fault; /* PACKET_FAULTY: enum counter, of a drop */
};

_Static_assert(sizeof(struct packet) == 56, "packet");

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
#define ICMP_UNREACHABLE 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMPV6_ERROR_FIRST 1 /* unreachable, packet too big, time exceeded, */
#define ICMPV6_ERROR_LAST 4  /* parameter problem */
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

/* Bytes as numbers. */
struct parse_word {
	__u32 word;
} core_unaligned __attribute__((may_alias));

struct parse_words {
	__u32 word[5];
} core_unaligned __attribute__((may_alias));

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

/*
 * Whether a ones' complement sum, of a checksum and all that it covers, is that of a right one: a multiple of
 * 0xffff, told without a division (Warren, Hacker's Delight, 10-17). Not 0, which no header adds up to.
 */
core_inline int parse_sum_is_sound(__u64 sum)
{
	return sum * 0xfffefffefffeffffULL <= 0x0001000100010001ULL;
}

/* Something is wrong with the packet: its fault, unless an earlier one is known. */
core_inline __u8 parse_fault(struct packet *p, __u32 counter)
{
	if (!p->fault)
		p->fault = (__u8)counter;
	return PACKET_FAULTY;
}

/* It ends before the end of its headers. A first fragment that does is made so to slip by filters (RFC 1858, 7112). */
core_cold __u8 parse_short(struct packet *p)
{
	return parse_fault(p, p->fragment ? COUNTER_DROP_FRAGMENT_TINY : COUNTER_DROP_TRUNCATED);
}

/*
 * What is wrong with a source address: the drop's counter, or 0. Loopback and unspecified ("this network") go by
 * their whole /8, and 240.0.0.0/4, which nobody has, by the broadcast address in it (RFC 1122, 3.2.1.3).
 */
core_inline __u32 parse_source_ipv4(__be32 src)
{
	__u32 first = src & 0xff;

	if (core_likely(first - 1 < 223 && first != 127))
		return 0;
	if (first == 0)
		return COUNTER_DROP_SOURCE_UNSPECIFIED;
	if (first == 127)
		return COUNTER_DROP_SOURCE_LOOPBACK;
	return first < 240 ? COUNTER_DROP_SOURCE_MULTICAST : COUNTER_DROP_SOURCE_BROADCAST;
}

/* The same of an IPv6 one. ::ffff:a.b.c.d is no address that anyone sends from. */
core_inline __u32 parse_source_ipv6(struct addr src)
{
	if ((src.hi & 0xff) == 0xff)
		return COUNTER_DROP_SOURCE_MULTICAST;
	if (core_likely(src.hi))
		return 0;
	if (src.lo == 0x0100000000000000ULL)
		return COUNTER_DROP_SOURCE_LOOPBACK;
	return src.lo == 0 || addr_is_ipv4(src) ? COUNTER_DROP_SOURCE_UNSPECIFIED : 0;
}

/* Whether 20..60 bytes of an IPv4 header, all there, have the right checksum: RFC 1071, ones' complement sum -0. */
core_inline int parse_ipv4_is_sound(const struct frame *f, __u32 offset, __u32 header_len)
{
	const struct parse_words *w = (const struct parse_words *)frame_at(f, offset, sizeof(struct ipv4_header));
	__u64 sum;

	if (!w)
		return 0;
	sum = (__u64)w->word[0] + w->word[1] + w->word[2] + w->word[3] + w->word[4];
	if (core_unlikely(header_len > sizeof(struct ipv4_header))) {
		core_unroll
		for (int i = 5; i < 15; i++) {
			const struct parse_word *option;

			if ((__u32)i * 4 >= header_len)
				break;
			option = (const struct parse_word *)frame_at(f, offset + (__u32)i * 4, sizeof(*option));
			if (!option)
				return 0;
			sum += option->word;
		}
	}
	return parse_sum_is_sound(sum);
}

/* Note what fragment it is: offset and len in bytes. */
core_inline void parse_fragment(struct packet *p, __u32 offset, __u32 more, __u32 len, __be32 id)
{
	p->fragment = offset ? FRAGMENT_LATER : FRAGMENT_FIRST;
	p->frag_offset = (__u16)offset;
	p->frag_more = more != 0;
	p->frag_len = (__u16)len;
	p->frag_id = id;
}

/* A later fragment; none of TCP lies where it would be put over the first one's header (RFC 3128). */
core_inline __u8 parse_later_fragment(struct packet *p)
{
	return p->proto == PROTO_TCP && p->frag_offset < 20 ? parse_fault(p, COUNTER_DROP_FRAGMENT_TINY)
							    : PACKET_FRAGMENT;
}

/* Of fragments only a ping's are of use: nobody is to send errors in more than one piece (RFC 1812, 4443). */
core_inline __u8 parse_icmp_other(struct packet *p, int error)
{
	if (p->fragment)
		return parse_fault(p, COUNTER_DROP_FRAGMENT);
	return error ? PACKET_ERROR : parse_fault(p, COUNTER_DROP_ICMP);
}

core_inline __u8 parse_icmp(const struct frame *f, struct packet *p)
{
	const struct icmp_header *icmp = (const struct icmp_header *)frame_at(f, p->l4, 8);

	if (!icmp || p->l4_len < 8)
		return parse_short(p);
	if (icmp->type == ICMP_ECHO_REQUEST && icmp->code == 0)
		return PACKET_ECHO;
	return parse_icmp_other(p,
		icmp->type == ICMP_UNREACHABLE || icmp->type == ICMP_TIME_EXCEEDED ||
			icmp->type == ICMP_PARAMETER_PROBLEM);
}

core_inline __u8 parse_icmpv6(const struct frame *f, struct packet *p, __u8 hop_limit)
{
	const struct icmp_header *icmp = (const struct icmp_header *)frame_at(f, p->l4, 8);
	const struct nd_solicitation *ns;

	if (!icmp || p->l4_len < 8)
		return parse_short(p);
	if (icmp->type == ICMPV6_ECHO_REQUEST && icmp->code == 0)
		return PACKET_ECHO;
	/* RFC 4861, 7.1: one with another hop limit has been forwarded and is not to be heeded. */
	if ((icmp->type != ICMPV6_NEIGHBOUR_SOLICITATION && icmp->type != ICMPV6_NEIGHBOUR_ADVERTISEMENT) ||
		icmp->code != 0 || hop_limit != 255)
		return parse_icmp_other(p, icmp->type >= ICMPV6_ERROR_FIRST && icmp->type <= ICMPV6_ERROR_LAST);
	ns = (const struct nd_solicitation *)frame_at(f, p->l4, sizeof(*ns));
	/* Not in fragments, either (RFC 6980). */
	if (!ns || p->l4_len < sizeof(*ns) || addr_is_ipv4(ns->target) || p->fragment)
		return parse_icmp_other(p, 0);
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
			return parse_short(p);
		ports = (const struct parse_ports *)tcp;
		p->tcp_flags = tcp[13];
	} else if (p->proto == PROTO_UDP) {
		ports = (const struct parse_ports *)frame_at(f, p->l4, 8);
		if (!ports || p->l4_len < 8)
			return parse_short(p);
	} else {
		return p->fragment ? parse_fault(p, COUNTER_DROP_FRAGMENT) : PACKET_OTHER;
	}
	p->sport = ports->sport;
	p->dport = ports->dport;
	if (core_unlikely(!p->sport || !p->dport))
		return parse_fault(p, COUNTER_DROP_PORT_ZERO);
	return PACKET_FLOW;
}

core_inline __u8 parse_ipv4(const struct frame *f, struct packet *p)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)frame_at(f, p->l3, sizeof(*ip));
	__u32 header_len, total_len, frag, fault;

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
		return parse_fault(p, COUNTER_DROP_LENGTH);
	if (!parse_ipv4_is_sound(f, p->l3, header_len))
		return parse_fault(p, COUNTER_DROP_CHECKSUM);
	fault = ip->src == ip->dst ? (__u32)COUNTER_DROP_LAND : parse_source_ipv4(ip->src);
	if (core_unlikely(fault))
		return parse_fault(p, fault);
	p->l4_len = (__u16)(total_len - header_len);
	frag = core_be16(ip->frag) & 0x3fff;
	if (core_unlikely(frag)) {
		parse_fragment(p, (frag & 0x1fff) * 8, frag & 0x2000, p->l4_len, ip->id);
		if (p->fragment == FRAGMENT_LATER)
			return parse_later_fragment(p);
	}
	if (ip->proto == PROTO_ICMP)
		return parse_icmp(f, p);
	return parse_transport(f, p);
}

core_inline int parse_is_extension(__u8 next)
{
	return next == PROTO_HOP_BY_HOP || next == PROTO_ROUTING || next == PROTO_DEST_OPTS ||
	       next == PROTO_FRAGMENT || next == PROTO_AH;
}

/*
 * Walk the extension headers behind an IPv6 header; next: the first one's protocol; p->l4_len: set. Leaves
 * p->proto, p->l4 and p->l4_len at the first header that is none. Returns a kind that ends the parse, or PACKET_FLOW
 * to go on. In any order, but for the hop-by-hop header, which comes first (RFC 8200, 4.1), and with one fragment
 * header. PACKET_FRAGMENT: p->proto is what comes behind the fragment header.
 */
core_inline __u8 parse_extensions(const struct frame *f, struct packet *p, __u8 next)
{
	__u32 begin = p->l3 + sizeof(struct ipv6_header), offset = begin;
	__u32 left = p->l4_len, fragment_headers = 0;

	core_unroll
	for (int i = 0; i <= PARSE_MAX_EXT; i++) {
		const __u8 *ext;
		__u32 size = 8;

		p->proto = next;
		p->l4 = (__u16)offset;
		p->l4_len = (__u16)left;
		if (!parse_is_extension(next))
			return PACKET_FLOW;
		if (i == PARSE_MAX_EXT || (i && next == PROTO_HOP_BY_HOP))
			return parse_fault(p, COUNTER_DROP_EXT_HEADERS);
		ext = (const __u8 *)frame_at(f, offset, 8);
		if (!ext || left < 8)
			return parse_short(p);
		if (next == PROTO_FRAGMENT) {
			__u32 frag = (__u32)ext[2] << 8 | ext[3];

			if (fragment_headers++)
				return parse_fault(p, COUNTER_DROP_EXT_HEADERS);
			if (frag & 0xfff9)
				parse_fragment(p, frag & 0xfff8, frag & 1, left - 8,
					((const struct parse_word *)(ext + 4))->word);
		} else if (next == PROTO_AH) {
			size = (ext[1] + 2u) * 4;
		} else {
			size = (ext[1] + 1u) * 8;
			if (next == PROTO_ROUTING && ext[3])
				return parse_fault(p, COUNTER_DROP_ROUTING_HEADER);
		}
		if (left < size)
			return parse_short(p);
		next = ext[0];
		offset += size;
		left -= size;
		if (offset - begin > PARSE_MAX_EXT_BYTES)
			return parse_fault(p, COUNTER_DROP_EXT_HEADERS);
		if (core_unlikely(p->fragment == FRAGMENT_LATER)) {
			p->proto = next;
			p->l4 = (__u16)offset;
			p->l4_len = (__u16)left;
			return PACKET_FRAGMENT;
		}
	}
	return PACKET_FAULTY;
}

core_inline __u8 parse_ipv6(const struct frame *f, struct packet *p)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)frame_at(f, p->l3, sizeof(*ip));
	__u32 payload_len, fault;
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
		return parse_fault(p, COUNTER_DROP_LENGTH);
	fault = addr_equal(p->src, p->dst) ? (__u32)COUNTER_DROP_LAND : parse_source_ipv6(p->src);
	/* Who looks for duplicates of an address solicits from none: known only further on. */
	if (core_unlikely(fault) && parse_fault(p, fault) && fault != COUNTER_DROP_SOURCE_UNSPECIFIED)
		return PACKET_FAULTY;
	kind = parse_extensions(f, p, ip->next);
	if (kind == PACKET_FRAGMENT)
		kind = parse_later_fragment(p);
	else if (kind == PACKET_FLOW && p->proto == PROTO_ICMPV6)
		kind = parse_icmpv6(f, p, ip->hop_limit);
	else if (kind == PACKET_FLOW)
		kind = parse_transport(f, p);
	if (core_likely(!p->fault))
		return kind;
	if (kind != PACKET_ND && kind != PACKET_NA)
		return PACKET_FAULTY;
	p->fault = 0;
	return kind;
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
