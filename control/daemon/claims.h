/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Other hosts that say they have a VIP's address: a duplicate that an operator made, a real server that answers
 * ARP for the VIP, a load balancer that should have let go of it. What says so goes to the kernel, where a packet
 * socket sees it; each such host is told of once a minute while it goes on (EVENT_VIP_CLAIMED), and is answered
 * with an announcement (announce_defend). Probes of hosts that would like to have the address the forwarder
 * answers itself: they are told of by their counter (EVENT_VIP_PROBED). One thread.
 */
#ifndef SHUNT_CLAIMS_H
#define SHUNT_CLAIMS_H

#include <event2/event.h>
#include <jansson.h>

#include "announce.h"
#include "counters.h"
#include "ports.h"

struct claims;

/* All are the caller's and outlive it. NULL: no memory. */
struct claims *claims_open(struct event_base *base, struct ports *ports, struct announcer *announcer,
	const struct counters *counters);
void claims_close(struct claims *claims);

/* Add lines on hosts that claim addresses now, as far as five minutes show, to an array of strings. */
void claims_warnings(const struct claims *claims, json_t *warnings);

#endif
