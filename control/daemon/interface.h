/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interface of the kernel on which neighbours and checks are: dpdk.kernel_interface on the DPDK path, the NIC
 * on the XDP path. It may come late (the dataplane makes it), go away and come back under another index.
 */
#ifndef SHUNT_INTERFACE_H
#define SHUNT_INTERFACE_H

#include <stdbool.h>

#include "netlink.h"

struct interface;

struct interface_listener {
	struct interface_listener *next; /* the interface's */
	void *context;
	void (*up)(void *context);   /* it is there, up and served, perhaps under a new index */
	void (*down)(void *context); /* it went away or down: the kernel has dropped routes and neighbours */
	void (*moved)(void *context); /* its index, up or not, or its MAC is another */
};

/*
 * name: copied; "" for none. Listeners, any of whose functions may be NULL, hear of an interface that is up already
 * from interface_start().
 */
struct interface *interface_open(struct netlink *netlink, const char *name);
void interface_close(struct interface *interface);
void interface_listen(struct interface *interface, struct interface_listener *listener);
void interface_start(struct interface *interface);

const char *interface_name(const struct interface *interface);
/* 0 while it is away, down or without carrier, and before interface_start(). */
unsigned int interface_index(const struct interface *interface);
/* Index and MAC while it exists, up or not: 0, and NULL where it has none that is Ethernet's. */
unsigned int interface_link(const struct interface *interface);
const struct mac *interface_mac(const struct interface *interface);
/* Whether it has an address of the family that checks could come from (IPv6: not only link-local). */
bool interface_has_address(const struct interface *interface, int family);

#endif
