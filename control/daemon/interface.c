/* SPDX-License-Identifier: BSD-3-Clause */
/* An interface, as the kernel's link and address events tell of it. */
#include "interface.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct interface {
	struct netlink *netlink;
	struct netlink_listener events;
	struct interface_listener *listeners;
	char name[IFNAMSIZ];
	unsigned int index; /* 0: not there */
	bool up;
	bool started;
	bool has_ipv4, has_ipv6;
	bool has_mac;
	struct mac mac;
};

static void tell(struct interface *interface)
{
	if (!interface->started)
		return;
	for (struct interface_listener *l = interface->listeners; l; l = l->next) {
		if (interface->up && l->up)
			l->up(l->context);
		if (!interface->up && l->down)
			l->down(l->context);
	}
}

static int note_address(const struct nlmsghdr *message, void *context)
{
	struct interface *interface = context;
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != RTM_NEWADDR || head->ifa_index != interface->index)
		return MNL_CB_OK;
	if (head->ifa_family == AF_INET)
		interface->has_ipv4 = true;
	if (head->ifa_family == AF_INET6 && head->ifa_scope != RT_SCOPE_LINK)
		interface->has_ipv6 = true;
	return MNL_CB_OK;
}

static void read_addresses(struct interface *interface)
{
	struct nlmsghdr *message;

	interface->has_ipv4 = interface->has_ipv6 = false;
	if (!interface->index)
		return;
	message = netlink_begin(interface->netlink, RTM_GETADDR, NLM_F_DUMP);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifaddrmsg));
	netlink_query(interface->netlink, message, note_address, interface);
}

/* The usable state as of now; tells listeners if it changed. */
static void set_state(struct interface *interface, unsigned int index, bool up)
{
	bool moved = index != interface->index && interface->index != 0 && interface->up;

	if (index == interface->index && up == interface->up)
		return;
	if (moved || (interface->up && !up)) {
		log_warning("interface %s %s", interface->name, index ? "went down" : "went away");
		interface->up = false;
		tell(interface);
	}
	if (index != interface->index) {
		interface->index = index;
		read_addresses(interface);
	}
	if (up && !interface->up) {
		interface->up = true;
		log_info("interface %s is up (index %u)", interface->name, index);
		tell(interface);
	}
}

/* Up, and with a carrier: a TAP keeps its name and state without the process that served it, and leads nowhere. */
static bool is_usable(unsigned int flags)
{
	return (flags & (IFF_UP | IFF_LOWER_UP)) == (IFF_UP | IFF_LOWER_UP);
}

/* What a link message says that is of use here. */
struct link {
	struct ifinfomsg head;
	const char *name; /* "": none */
	bool has_mac;
	struct mac mac;
};

static struct link parse_link(const struct nlmsghdr *message)
{
	struct link link = { .head = *(const struct ifinfomsg *)mnl_nlmsg_get_payload(message), .name = "" };
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
			mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
			link.name = mnl_attr_get_str(attribute);
		if (mnl_attr_get_type(attribute) == IFLA_ADDRESS &&
			mnl_attr_get_payload_len(attribute) == sizeof(link.mac)) {
			memcpy(&link.mac, mnl_attr_get_payload(attribute), sizeof(link.mac));
			link.has_mac = true;
		}
	}
	return link;
}

/* All that is new of the interface. */
static void take(struct interface *interface, const struct link *link)
{
	unsigned int index = (unsigned int)link->head.ifi_index;
	bool up = is_usable(link->head.ifi_flags);
	bool moved = index != interface->index || up != interface->up || link->has_mac != interface->has_mac ||
		     memcmp(&link->mac, &interface->mac, sizeof(link->mac)) != 0;

	interface->has_mac = link->has_mac;
	interface->mac = link->mac;
	set_state(interface, index, up);
	if (!moved || !interface->started)
		return;
	for (struct interface_listener *l = interface->listeners; l; l = l->next)
		if (l->moved)
			l->moved(l->context);
}

static void note_link(struct interface *interface, const struct nlmsghdr *message)
{
	static const struct link gone = { .name = "" };
	struct link link = parse_link(message);
	bool ours = interface->name[0] && strcmp(link.name, interface->name) == 0;

	/* A bridge tells of its ports in the same words with its own family. */
	if (link.head.ifi_family != AF_UNSPEC)
		return;
	if (message->nlmsg_type == RTM_NEWLINK && ours)
		take(interface, &link);
	else if ((unsigned int)link.head.ifi_index == interface->index)
		take(interface, &gone); /* deleted, moved to another namespace or renamed */
}

static int copy_link(const struct nlmsghdr *message, void *context)
{
	struct link *link = context;

	*link = parse_link(message);
	link->name = ""; /* was in the message */
	return MNL_CB_OK;
}

static void read_link(struct interface *interface)
{
	struct nlmsghdr *message = netlink_begin(interface->netlink, RTM_GETLINK, 0);
	struct link link = { .name = "" };
	int error;

	if (!interface->name[0])
		return;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, interface->name);
	error = netlink_query(interface->netlink, message, copy_link, &link);
	if (error && error != -ENODEV) {
		log_warning("interface %s can't be asked for: %s", interface->name, strerror(-error));
		return;
	}
	take(interface, &link);
}

static void on_message(void *context, const struct nlmsghdr *message)
{
	struct interface *interface = context;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		note_link(interface, message);
		break;
	case RTM_NEWADDR:
		note_address(message, interface);
		break;
	case RTM_DELADDR:
		read_addresses(interface);
		break;
	}
}

static void on_lost(void *context)
{
	read_link(context);
	read_addresses(context);
}

struct interface *interface_open(struct netlink *netlink, const char *name)
{
	struct interface *interface = calloc(1, sizeof(*interface));

	if (!interface)
		return NULL;
	interface->netlink = netlink;
	strncpy(interface->name, name, sizeof(interface->name) - 1);
	interface->events = (struct netlink_listener){ .context = interface, .message = on_message, .lost = on_lost };
	netlink_listen(netlink, &interface->events);
	read_link(interface);
	return interface;
}

void interface_close(struct interface *interface)
{
	free(interface);
}

void interface_listen(struct interface *interface, struct interface_listener *listener)
{
	struct interface_listener **end = &interface->listeners;

	while (*end)
		end = &(*end)->next;
	listener->next = NULL;
	*end = listener;
}

void interface_start(struct interface *interface)
{
	interface->started = true;
	if (!interface->name[0])
		log_warning("no dpdk.kernel_interface: MACs are only those given, and no check goes by way of the VIP");
	else if (!interface->up)
		log_warning("interface %s is not there or not up: no neighbours and no checks through it until it is",
			interface->name);
	else
		tell(interface);
}

const char *interface_name(const struct interface *interface)
{
	return interface->name;
}

unsigned int interface_index(const struct interface *interface)
{
	return interface->started && interface->up ? interface->index : 0;
}

unsigned int interface_link(const struct interface *interface)
{
	return interface->index;
}

const struct mac *interface_mac(const struct interface *interface)
{
	return interface->has_mac ? &interface->mac : NULL;
}

bool interface_has_address(const struct interface *interface, int family)
{
	return family == AF_INET ? interface->has_ipv4 : interface->has_ipv6;
}
