/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements of the addresses this host forwards for: routers and neighbours that knew another host, or another
 * MAC, of a VIP's address are told at once instead of when their entries end. They go out, through the kernel, by
 * the interface that VIPs' traffic comes in by: several times (announce.repeat), an interval apart
 * (announce.interval), no more than so many a second of all addresses (announce.rate). With the first goes a
 * probe, which another host that has the address answers (claims.h hears of it). One thread.
 */
#ifndef SHUNT_ANNOUNCE_H
#define SHUNT_ANNOUNCE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "ports.h"
#include "publish.h"

struct announcer;

/*
 * An address is announced when the forwarder has it in force and did not before, and so is every one when the
 * forwarder or its link comes up or its MAC is another. All are the caller's and outlive it; config: read during
 * the call. NULL: no memory.
 */
struct announcer *announce_open(
	struct event_base *base, struct ports *ports, struct publisher *publisher, const struct config *config);
void announce_close(struct announcer *announcer);
/* After a reload. */
void announce_reconfigure(struct announcer *announcer, const struct config *config);

/* Whether the forwarder has the address in force and this host is active for it. */
bool announce_has(const struct announcer *announcer, struct addr address);
/* The MAC that the forwarder answers with; NULL: there is none in force. */
const struct mac *announce_mac(const struct announcer *announcer);
/*
 * Another host says that it has the address: say once that it is here, at most every ten seconds (RFC 5227, 2.4 c,
 * for a host that is to keep its address). Not where announcements are turned off.
 */
void announce_defend(struct announcer *announcer, struct addr address);

/* Announcements sent since it was opened, without probes. */
uint64_t announce_sent(const struct announcer *announcer);

#endif
