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
	COUNTER(DROP_FRAGMENT, VERDICT, "drop_fragment", "for a VIP, but an IP fragment")                  \
	COUNTER(DROP_EXT_HEADERS, VERDICT, "drop_ext_headers",                                             \
		"for a VIP, with more IPv6 extension headers than are followed")                           \
	COUNTER(DROP_NO_SERVICE, VERDICT, "drop_no_service",                                               \
		"for a VIP's address, but no VIP has this protocol and port")                              \
	COUNTER(DROP_ICMP, VERDICT, "drop_icmp", "ICMP to a VIP other than an echo request")               \
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
		"new connections, and UDP packets, forwarded by hash alone: no room in the flow table")                 \
	COUNTER(KERNEL_SENT, EVENT, "kernel_sent", "frames of the kernel put on the wire")                 \
	COUNTER(KERNEL_DROPPED, EVENT, "kernel_dropped", "frames of the kernel that found no room")        \
	COUNTER(FLOW_CARRIED, EVENT, "flow_carried",                                                       \
		"flows carried over from the flow table of another capacity")                                      \
	COUNTER(FLOW_RETRIED, EVENT, "flow_retried",                                                       \
		"of the flows moved, those of clients that tried again: half-open, the backend down or suspect")

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
};

#endif
