/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interfaces that backends are behind, by the port index that snapshots have. Port 0 is the main interface,
 * where VIPs' traffic comes in and backends are unless the kernel's routes say otherwise. On the XDP path a backend
 * to which an on-link route leads through another interface makes that one a port. One thread.
 */
#ifndef SHUNT_PORTS_H
#define SHUNT_PORTS_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "interface.h"
#include "netlink.h"

struct ports;

/* Any may be NULL. */
struct ports_listener {
	struct ports_listener *next; /* the ports' */
	void *context;
	void (*up)(void *context, uint32_t port); /* struct interface_listener's */
	void (*down)(void *context, uint32_t port);
	void (*moved)(void *context); /* a port's index, state or MAC is another, or there is one more port */
	void (*routes)(void *context); /* ports_of() and ports_reach() may have other answers now */
};

/*
 * main: name of port 0, "" for none; copied. several: whether other interfaces may become ports, else all is behind
 * port 0. Listeners hear nothing before ports_start(). NULL: no memory.
 */
struct ports *ports_open(struct event_base *base, struct netlink *netlink, const char *main, bool several);
void ports_close(struct ports *ports);
void ports_listen(struct ports *ports, struct ports_listener *listener); /* the caller's, outlives */
void ports_start(struct ports *ports);

uint32_t ports_count(const struct ports *ports); /* 1..SNAPSHOT_MAX_PORTS; a port stays one as long as this runs */
struct interface *ports_interface(const struct ports *ports, uint32_t port);
/*
 * The port that a backend of this address is behind, as the kernel's routes are now; it may be a new one, which
 * listeners are told of from the loop.
 */
uint32_t ports_of(struct ports *ports, struct addr backend);
/* Whether frames that XDP sends to this port leave by it; the kernel would drop them without a word. */
bool ports_reach(const struct ports *ports, uint32_t port);
/* Add lines on ports that are not reached to an array of strings. */
void ports_warnings(const struct ports *ports, json_t *warnings);

#endif
