/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's routing netlink: requests that are answered at once, and the events of links,
 * addresses and neighbours. One thread, that of the event base.
 */
#ifndef SHUNT_NETLINK_H
#define SHUNT_NETLINK_H

#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "types.h"

struct netlink;

/* Told of every event, in the order of registration. Either may be NULL. */
struct netlink_listener {
	struct netlink_listener *next; /* netlink's */
	void *context;
	void (*message)(void *context, const struct nlmsghdr *message);
	void (*lost)(void *context); /* events may have been missed: look at everything anew */
};

/*
 * Never NULL but for memory. A socket that can't be opened, or is lost later, is tried again every
 * second; until then requests return -ENOTCONN, and afterwards the listeners' lost() is called.
 */
struct netlink *netlink_open(struct event_base *base);
void netlink_close(struct netlink *netlink);
void netlink_listen(struct netlink *netlink, struct netlink_listener *listener); /* the caller's, outlives */

/* Begin a message in netlink's own buffer (one at a time), of at most a kilobyte. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);
/* Send it and wait for the kernel's acknowledgement, which is there at once. 0 or -errno. */
int netlink_request(struct netlink *netlink, struct nlmsghdr *message);
/*
 * Send it and hand every answer to each(): a dump, or a single get. 0 or -errno. each() returns MNL_CB_OK and
 * makes no request of its own: the answers still lie in netlink's buffer.
 */
int netlink_query(struct netlink *netlink, struct nlmsghdr *message, mnl_cb_t each, void *context);

/* An address as an attribute of 4 or 16 bytes, and back. */
void netlink_put_addr(struct nlmsghdr *message, uint16_t type, struct addr address);
/* family: AF_INET or AF_INET6. False if the attribute's length is not that family's. */
bool netlink_get_addr(const struct nlattr *attribute, int family, struct addr *address);

#endif
