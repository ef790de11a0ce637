/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the forwarder would send a packet of a given flow, and why: the forwarder's own look-ups over its
 * own tables, changing nothing. Knows ids only; whoever asks puts names to them.
 */
#ifndef SHUNT_EXPLAIN_H
#define SHUNT_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "forwarder.h"
#include "snapshot.h"

enum explain_reason {
	EXPLAIN_NO_VIP,
	EXPLAIN_FLOW,
	EXPLAIN_HASH,
	EXPLAIN_NO_BACKEND,
	EXPLAIN_INACTIVE,    /* this host is not active for the VIP */
	EXPLAIN_FAULTY,	     /* its source, or a port, is one that no honest packet has */
	EXPLAIN_DENIED,	     /* by a rule of the VIP's access list */
	EXPLAIN_NOT_ALLOWED, /* in no prefix of an access list that allows some */
};

#define EXPLAIN_NO_SLOT 0xffffffffu
#define EXPLAIN_NO_RULE 0xffffffffu

struct explanation {
	enum explain_reason reason;
	uint8_t counter;      /* enum counter: what its packet ends in, if no limit of new flows stops it */
	uint16_t vip;         /* id; SNAPSHOT_NONE: no VIP matched */
	uint16_t backend;     /* id; SNAPSHOT_NONE: none, or not settled before the packet comes */
	uint16_t other;       /* least-flows: the second candidate beside backend, if it is another; else SNAPSHOT_NONE */
	uint16_t entry;       /* backend id in the flow's entry, if it has one; else SNAPSHOT_NONE */
	uint32_t flow_state;  /* enum flow_state of that entry; FLOW_NONE: no entry */
	uint32_t idle_s;      /* of that entry */
	uint32_t slot;        /* in the pool's table, or EXPLAIN_NO_SLOT */
	uint32_t slots;       /* of the pool */
	enum scheduler scheduler;
	uint32_t rule; /* id of the access list's rule that decided; EXPLAIN_NO_RULE: none has its source */
	bool listed;   /* the VIP's access list was asked */
	bool limited;  /* it would be a new flow of a VIP that limits those of a source */
	bool by_hash;  /* of a new flow's backend the hash alone decides, whatever the scheduler */
	bool at_bound; /* the VIP has its bound of half-open flows: this one, new, goes by hash and gets no entry
			*/
};

/*
 * snapshot: a checked block. flows: the forwarder's flow table as it is now, all zero for none. port: host order.
 * now_s: CLOCK_MONOTONIC. at_bound: the VIP's new TCP flows get no entry. For a new flow backend is exact with
 * maglev and source-hash; with least-flows backend and other are the candidates; with round-robin backend is
 * SNAPSHOT_NONE. That the frame is addressed to this host, and that its headers are sound, is taken for granted.
 */
struct explanation explain_flow(const void *snapshot, const struct forwarder_flows *flows, struct addr source,
	uint16_t source_port, struct addr destination, uint16_t port, uint8_t protocol, uint64_t now_s,
	bool at_bound);

#endif
