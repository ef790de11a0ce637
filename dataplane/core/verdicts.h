/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every verdict, drop reason and event of the forwarder, once: this list makes the counter, its name
 * for operators and its help text. A packet received ends in exactly one counter of class VERDICT, so
 * those add up to the packets received; EVENT counters say what happened on the way.
 *
 * COUNTER(SYMBOL, class, "name", "help")
 */
#ifndef SHUNT_VERDICTS_H
#define SHUNT_VERDICTS_H

#define COUNTER_LIST(COUNTER)                                                                              \
	COUNTER(FORWARDED, VERDICT, "forwarded", "sent to a backend")                                      \
	COUNTER(ANSWERED_ARP, VERDICT, "answered_arp", "ARP request for a VIP, answered")                  \
	COUNTER(ANSWERED_ND, VERDICT, "answered_nd", "neighbour solicitation for a VIP, answered")         \
	COUNTER(ANSWERED_ECHO, VERDICT, "answered_echo", "ping of a VIP, answered")                        \
	COUNTER(TO_KERNEL, VERDICT, "to_kernel", "not for a VIP: given to the kernel")                     \
	COUNTER(DROP_MALFORMED, VERDICT, "drop_malformed", "IP header cut short or not an IP header")      \
	COUNTER(DROP_TRUNCATED, VERDICT, "drop_truncated",                                                 \
		"for a VIP, but cut short before the end of its transport header")                         \
	COUNTER(DROP_OTHER_MAC, VERDICT, "drop_other_mac",                                                 \
		"for a VIP, but the frame is addressed to another host's MAC")                             \
	COUNTER(DROP_FRAGMENT, VERDICT, "drop_fragment",                                                   \
		"IP fragment for a VIP's address of what is neither TCP, UDP nor a ping, or a ping's without a hop left") \
	COUNTER(DROP_EXT_HEADERS, VERDICT, "drop_ext_headers",                                             \
		"for a VIP, with more or longer IPv6 extension headers than are followed, or out of order") \
	COUNTER(DROP_NO_SERVICE, VERDICT, "drop_no_service",                                               \
		"for a VIP's address, but no VIP has this protocol and port")                              \
	COUNTER(DROP_ICMP, VERDICT, "drop_icmp",                                                           \
		"ICMP to a VIP that is neither a ping nor an error about a packet")                        \
	COUNTER(DROP_INACTIVE, VERDICT, "drop_inactive", "for a VIP this host is not active for")          \
	COUNTER(DROP_NO_BACKEND, VERDICT, "drop_no_backend", "for a VIP whose pool has no usable backend") \
	COUNTER(DROP_TX_FULL, VERDICT, "drop_tx_full", "the port's transmit queue was full")               \
	COUNTER(DROP_KERNEL_FULL, VERDICT, "drop_kernel_full", "the queue to the kernel was full")         \
	COUNTER(DROP_NO_KERNEL, VERDICT, "drop_no_kernel",                                                 \
		"not for a VIP, and the forwarder has no kernel interface")                                \
	COUNTER(DROP_NO_ROOM, VERDICT, "drop_no_room", "no room in the buffer to write the answer")        \
	COUNTER(FLOW_HIT, EVENT, "flow_hit", "packets whose flow was in the flow table")                   \
	COUNTER(FLOW_NEW, EVENT, "flow_new", "flows entered into the flow table")                          \
	COUNTER(FLOW_STRAY, EVENT, "flow_stray",                                                           \
		"packets of no known flow that begin none (mid-connection ones are taken up, by hash)")    \
	COUNTER(FLOW_MOVED, EVENT, "flow_moved", "flows given another backend: theirs was gone or down")   \
	COUNTER(FLOW_EVICTED, EVENT, "flow_evicted", "half-open or reset flows displaced by newer ones")   \
	COUNTER(FLOW_UNTRACKED, EVENT, "flow_untracked",                                                   \
		"new connections, and UDP packets, forwarded by hash alone: no room in the flow table, or for their VIP") \
	COUNTER(KERNEL_SENT, EVENT, "kernel_sent", "frames of the kernel put on the wire")                 \
	COUNTER(KERNEL_DROPPED, EVENT, "kernel_dropped", "frames of the kernel that found no room")        \
	COUNTER(FLOW_CARRIED, EVENT, "flow_carried",                                                       \
		"flows carried over from the flow table of another capacity")                                      \
	COUNTER(FLOW_RETRIED, EVENT, "flow_retried",                                                       \
		"of the flows moved, those of clients that tried again: half-open, the backend down or suspect") \
	COUNTER(DROP_ROUTING_HEADER, VERDICT, "drop_routing_header",                                       \
		"for a VIP, with an IPv6 routing header by which it has further to go")                    \
	COUNTER(DROP_LENGTH, VERDICT, "drop_length", "for a VIP, but IP states more bytes than the frame has") \
	COUNTER(DROP_CHECKSUM, VERDICT, "drop_checksum", "for a VIP, but the IPv4 header's checksum is wrong") \
	COUNTER(DROP_PORT_ZERO, VERDICT, "drop_port_zero", "for a VIP, from or to port 0")                 \
	COUNTER(DROP_LAND, VERDICT, "drop_land", "for a VIP, with a VIP's address as its source")          \
	COUNTER(DROP_SOURCE_LOOPBACK, VERDICT, "drop_source_loopback", "for a VIP, from a loopback address") \
	COUNTER(DROP_SOURCE_MULTICAST, VERDICT, "drop_source_multicast", "for a VIP, from a multicast address") \
	COUNTER(DROP_SOURCE_BROADCAST, VERDICT, "drop_source_broadcast",                                   \
		"for a VIP, from the broadcast address or one of the reserved range around it")            \
	COUNTER(DROP_SOURCE_UNSPECIFIED, VERDICT, "drop_source_unspecified", "for a VIP, from no address") \
	COUNTER(DROP_ICMP_QUOTE, VERDICT, "drop_icmp_quote",                                               \
		"ICMP error for a VIP that quotes no packet of TCP or UDP the VIP could have sent")        \
	COUNTER(DROP_FRAGMENT_TINY, VERDICT, "drop_fragment_tiny",                                         \
		"first fragment for a VIP without the whole transport header, or one that would be put over it") \
	COUNTER(DROP_FRAGMENT_OVERLAP, VERDICT, "drop_fragment_overlap",                                   \
		"fragment for a VIP that overlaps the first one of its datagram")                          \
	COUNTER(DROP_FRAGMENT_FULL, VERDICT, "drop_fragment_full",                                         \
		"fragment for a VIP that came before the first one of its datagram, and no room to wait")  \
	COUNTER(HELD_FRAGMENT, VERDICT, "held_fragment",                                                   \
		"fragment for a VIP that came before the first one of its datagram: waits for it")         \
	COUNTER(DROP_DENIED, VERDICT, "drop_denied", "for a VIP, from a source that its access list denies") \
	COUNTER(DROP_NOT_ALLOWED, VERDICT, "drop_not_allowed",                                             \
		"for a VIP, from a source that its access list does not allow")                            \
	COUNTER(DROP_SOURCE_RATE, VERDICT, "drop_source_rate",                                             \
		"new flow of a VIP beyond what one source may begin in the time")                          \
	COUNTER(DROP_ECHO_RATE, VERDICT, "drop_echo_rate", "ping of a VIP beyond what is answered in the time") \
	COUNTER(ICMP_ERROR, EVENT, "icmp_error", "ICMP errors sent to the backend of the flow they quote") \
	COUNTER(FRAGMENT_FIRST, EVENT, "fragment_first", "first fragments of datagrams sent to a backend") \
	COUNTER(FRAGMENT_LATER, EVENT, "fragment_later", "later fragments sent to the backend of the first") \
	COUNTER(FRAGMENT_RELEASED, EVENT, "fragment_released", "held fragments sent once the first had come") \
	COUNTER(FRAGMENT_EXPIRED, EVENT, "fragment_expired", "held fragments dropped: no first that they belong to came in time") \
	COUNTER(SYN_OVER_BOUND, EVENT, "syn_over_bound",                                                   \
		"of these, those whose VIP has its bound of half-open flows (vips.half_open)")     \
	COUNTER(VIP_CLAIMED, EVENT, "vip_claimed", "ARP and neighbour discovery in which another host says that it has a VIP's address") \
	COUNTER(VIP_PROBED, EVENT, "vip_probed", "probes of another host that would like to have a VIP's address")

enum counter {
#define COUNTER_ENUM(symbol, class, name, help) COUNTER_##symbol,
	COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
		COUNTER_COUNT
};

/* What the body has to do with the frame. */
enum action {
	ACTION_TO_BACKEND,  /* Ethernet header is rewritten: transmit on verdict.port */
	ACTION_ANSWER_ARP,  /* resize to answer_length(), answer_write(), transmit where it came from */
	ACTION_ANSWER_ND,   /* likewise */
	ACTION_ANSWER_ECHO, /* likewise */
	ACTION_TO_KERNEL,   /* untouched, to the kernel */
	ACTION_DROP,
	ACTION_HOLD,        /* untouched, to be kept until fragment_resolve() knows where it goes (fragments.h) */
};

#endif
