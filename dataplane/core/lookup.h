/* SPDX-License-Identifier: BSD-3-Clause */
/* A flow's packet between the forwarder's steps: what it says of its flow, and where the flow table would have it. */
#ifndef SHUNT_LOOKUP_H
#define SHUNT_LOOKUP_H

#include "flow_search.h"
#include "flow_table.h"
#include "hash.h"
#include "parse.h"
#include "snapshot.h"
#include "tables.h"
#include "types.h"
#include "verdicts.h"

struct verdict {
	__u8 action;  /* enum action */
	__u8 counter; /* enum counter, of class VERDICT */
	__u16 port;   /* ACTION_TO_BACKEND: index of the port to transmit on */
	__u16 vip;    /* ACTION_TO_BACKEND: ids */
	__u16 backend;
};

/* What a packet says of its flow's state, beside TCP's flags. */
#define SIGNAL_UDP 0x80
#define SIGNAL_TCP (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)

/* A flow's packet between the steps. */
struct lookup {
	const struct snapshot_vip *vip;
	__u64 hash;
	struct flow_place place;
	struct addr src;
	__u32 vip_index; /* of vip in the VIP index */
	int index;	 /* of the word in the first bucket, or -1 */
	__u8 signal; /* SIGNAL_UDP, or TCP's SYN, FIN, RST and ACK flags */
};

core_inline void verdict_set(struct verdict *v, __u32 action, __u32 counter)
{
	*v = (struct verdict){ .action = (__u8)action, .counter = (__u8)counter };
}

/* The 32 bits of a flow's hash that choose its slot: of both halves, as the buckets use them singly. */
core_inline __u32 flow_slot_hash(__u64 hash)
{
	return (__u32)(hash ^ hash >> 32);
}

/* Index into the slots of the flow's hash slot; vip->slot_count > 0. */
core_inline __u32 forward_hash_slot(const struct snapshot_vip *vip, __u32 slot_hash)
{
	return vip->slot_first + core_range(slot_hash, vip->slot_count);
}

core_inline __u32 vip_scheduler(const struct snapshot_vip *vip)
{
	return vip->flags >> VIP_SCHED_SHIFT & 3;
}

/* What a flow's packet says of the flow's state. */
core_inline __u8 packet_signal(const struct packet *p)
{
	return p->proto == PROTO_TCP ? p->tcp_flags & SIGNAL_TCP : SIGNAL_UDP;
}

/* The flow's hash, for a body that handles one packet at a time; burst.h computes many at once. */
core_inline void forward_hash(const struct tables *t, const struct packet *p, struct lookup *l)
{
	l->hash = flow_hash(tables_header(t)->hash_key, p->src, p->dst, p->sport, p->dport, p->proto);
}

/* l->hash: set. */
core_inline void forward_place(const struct tables *t, struct lookup *l)
{
	l->place = flow_place(l->hash, l->vip->vip, tables_n_buckets(t));
}

/* Then look in the first bucket. Returns whether the flow was found there. */
core_inline int forward_probe(const struct tables *t, struct lookup *l)
{
	const struct flow_bucket *bucket;

	l->index = -1;
	if (core_unlikely(!tables_n_buckets(t)))
		return 0;
	bucket = tables_bucket(t, l->place.bucket[0]);
	if (bucket)
		l->index = flow_bucket_find(bucket, l->place.tag);
	return l->index >= 0;
}

/* Whether a packet begins a TCP connection. */
core_inline int lookup_is_syn(const struct lookup *l)
{
	return (l->signal & ~TCP_FIN) == TCP_SYN;
}

/* Whether it may be a flow's first packet: each datagram may. */
core_inline int lookup_begins(const struct lookup *l)
{
	return l->signal == SIGNAL_UDP || lookup_is_syn(l);
}

/* State of a flow in the given state after a packet of it. */
core_inline __u32 flow_next_state(__u32 state, const struct lookup *l)
{
	if (core_likely(l->signal == TCP_ACK))
		/* Data behind a reset: it was not the server's to heed. Behind a FIN: the client still reads. */
		return state == FLOW_FIN ? FLOW_FIN : FLOW_ESTABLISHED;
	if (l->signal == SIGNAL_UDP)
		return FLOW_UDP;
	if (l->signal & TCP_RST)
		return FLOW_RESET;
	if (l->signal & TCP_FIN)
		return FLOW_FIN;
	if (lookup_is_syn(l))
		return state;
	return state == FLOW_FIN ? FLOW_FIN : FLOW_ESTABLISHED;
}

/* State a flow starts in with this packet, or FLOW_NONE if the packet begins none. */
core_inline __u32 flow_first_state(const struct lookup *l)
{
	if (l->signal == SIGNAL_UDP)
		return FLOW_UDP_NEW;
	return l->signal & (TCP_RST | TCP_FIN) ? FLOW_NONE : FLOW_SYN;
}

#endif
