/* SPDX-License-Identifier: BSD-3-Clause */
/* The clean-up: rules and routes of ours that are in the kernel, whoever left them there. */
#include <linux/fib_rules.h>
#include <stdlib.h>
#include <string.h>

#include "route_private.h"

#define ONE_LEVEL_END 5303 /* where the rules ended before there were blocks */

/* What a dump found that is ours: messages one after the other, to be sent back as deletions. */
struct found {
	char *messages;
	size_t size, room;
	int family;
};

static void add_found(struct found *found, const struct nlmsghdr *message)
{
	size_t length = MNL_ALIGN(message->nlmsg_len);

	if (found->size + length > found->room) {
		size_t room = found->room * 2 + length + 4096;
		char *more = realloc(found->messages, room);

		if (!more)
			return;
		found->messages = more;
		found->room = room;
	}
	memcpy(found->messages + found->size, message, message->nlmsg_len);
	found->size += length;
}

static uint32_t number(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0 ? mnl_attr_get_u32(attribute) : 0;
}

static int note_rule(const struct nlmsghdr *message, void *context)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	uint32_t mark = 0, priority = 0;
	struct found *found = context;
	const struct nlattr *attribute;
	uint8_t protocol = 0;

	if (message->nlmsg_type != RTM_NEWRULE || head->family != found->family)
		return MNL_CB_OK;
	mnl_attr_for_each (attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == FRA_FWMARK)
			mark = number(attribute);
		if (mnl_attr_get_type(attribute) == FRA_PRIORITY)
			priority = number(attribute);
		if (mnl_attr_get_type(attribute) == FRA_PROTOCOL && mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
			protocol = mnl_attr_get_u8(attribute);
	}
	/* By mark or, the one rule that has none, by its place: now, or when rules were in one level. */
	if (protocol == ROUTE_PROTOCOL &&
		((mark & ROUTE_MARK_MASK) == ROUTE_MARK || priority == ROUTE_BLOCKS_END ||
			priority == ONE_LEVEL_END))
		add_found(found, message);
	return MNL_CB_OK;
}

static int note_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct found *found = context;
	const struct nlattr *attribute;
	uint32_t table = 0;

	if (message->nlmsg_type != RTM_NEWROUTE || head->rtm_family != found->family ||
		head->rtm_protocol != ROUTE_PROTOCOL)
		return MNL_CB_OK;
	mnl_attr_for_each (attribute, message, sizeof(*head))
		if (mnl_attr_get_type(attribute) == RTA_TABLE)
			table = number(attribute);
	if (table - ROUTE_TABLE < SNAPSHOT_MAX_IDS)
		add_found(found, message);
	return MNL_CB_OK;
}

/* Send what was found back as deletions of this type; returns how many there were. */
static size_t delete_found(struct netlink *netlink, struct found *found, uint16_t type)
{
	struct nlmsghdr *from = (struct nlmsghdr *)found->messages;
	int left = (int)found->size;
	size_t n = 0;

	for (; mnl_nlmsg_ok(from, left); from = mnl_nlmsg_next(from, &left)) {
		struct nlmsghdr *message = netlink_begin(netlink, type, 0);
		size_t size = mnl_nlmsg_get_payload_len(from);

		memcpy(mnl_nlmsg_put_extra_header(message, size), mnl_nlmsg_get_payload(from), size);
		netlink_request(netlink, message);
		n++;
	}
	free(found->messages);
	return n;
}

size_t route_sweep(struct netlink *netlink, int family)
{
	struct found rules = { .family = family }, ways = { .family = family };
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(message, sizeof(*rule));
	struct rtmsg *way;

	rule->family = (uint8_t)family;
	netlink_query(netlink, message, note_rule, &rules);
	message = netlink_begin(netlink, RTM_GETROUTE, NLM_F_DUMP);
	way = mnl_nlmsg_put_extra_header(message, sizeof(*way));
	way->rtm_family = (uint8_t)family;
	way->rtm_protocol =
		ROUTE_PROTOCOL; /* the kernel picks them out: a host with BGP may have a million others */
	netlink_query(netlink, message, note_route, &ways);
	return delete_found(netlink, &rules, RTM_DELRULE) + delete_found(netlink, &ways, RTM_DELROUTE);
}
