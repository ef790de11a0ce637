/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shape of nearly all packets of a VIP: untagged, IPv4 without options, no fragment, TCP or UDP, no fault. What
 * packet_parse(), vip_entry_matches() and forward_is_ours() say of such a one, in a few comparisons without a
 * branch between them. For bodies whose tables are ordinary memory.
 */
#ifndef SHUNT_PLAIN_H
#define SHUNT_PLAIN_H

#include "hash.h"
#include "parse.h"
#include "snapshot.h"
#include "tables.h"
#include "types.h"

struct plain_packet {
	struct mac dst_mac;
	struct mac src_mac;
	__u32 type_version_ihl; /* Ethernet type and the IP header's first byte; the topmost byte is none of them
				 */
	__be16 total_len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 check;
	__u64 addresses; /* source, destination */
	__be16 sport;
	__be16 dport;
	__u8 tcp_to_offset[9];
	__u8 tcp_flags;
	__u8 tcp_rest[6];
} __attribute__((packed, may_alias));

_Static_assert(sizeof(struct plain_packet) == 54, "plain packet");

#define PLAIN_TYPE_VERSION_IHL 0x450008u

/* No fault: what parse_ipv4() asks of checksum, source and ports. */
core_inline int plain_is_honest(const struct plain_packet *p)
{
	const struct parse_words *w = (const struct parse_words *)((const __u8 *)p + ETH_LEN);
	__u64 sum = (__u64)w->word[0] + w->word[1] + w->word[2] + w->word[3] + w->word[4];
	__u32 first = p->addresses & 0xff;

	return parse_sum_is_sound(sum) & (first - 1 < 223) & (first != 127) &
		((__u32)p->addresses != (__u32)(p->addresses >> 32)) & (p->sport != 0) & (p->dport != 0);
}

/*
 * Whether the frame is such a packet, whole, for this VIP, which is active, and addressed to its port's MAC. If
 * not it may be anything. A UDP packet is seen here only in a frame that a TCP one would fit in, as all frames of
 * Ethernet's least length are.
 */
core_inline int plain_is_for(const struct tables *t, const struct frame *f, const struct snapshot_vip *vip)
{
	const struct plain_packet *p = (const struct plain_packet *)f->data;
	__u32 least;

	if (core_unlikely(f->data + sizeof(*p) > f->end))
		return 0;
	least = sizeof(struct ipv4_header) + (p->proto == PROTO_TCP ? 20 : 8);
	return plain_is_honest(p) & ((p->type_version_ihl & 0xffffff) == PLAIN_TYPE_VERSION_IHL) &
		((p->frag & core_be16(0x3fff)) == 0) &
		(core_be16(p->total_len) - least <= f->len - ETH_LEN - least) &
		addr_equal(addr_from_ipv4((__be32)(p->addresses >> 32)), vip->addr) & (p->dport == vip->port) &
		(p->proto == vip->proto) & mac_equal(&p->dst_mac, &t->ports[f->port].mac);
}

core_inline struct flow_message plain_message(const struct plain_packet *p)
{
	return (struct flow_message){ p->addresses, flow_message_last(p->sport, p->dport, p->proto, 13) };
}

#endif
