/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the kernel would send a packet: one RTM_GETROUTE. */
#include "way.h"

#include <string.h>

#include "address.h"

static int note_way(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct way *way = context;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	way->type = head->rtm_type;
	mnl_attr_for_each(attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
			way->has_gateway = netlink_get_addr(attribute, head->rtm_family, &way->gateway);
		if (mnl_attr_get_type(attribute) == RTA_OIF && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			way->oif = mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

int way_ask(struct netlink *netlink, struct addr destination, uint32_t mark, struct way *way)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	memset(way, 0, sizeof(*way));
	head->rtm_family = (uint8_t)address_family(destination);
	head->rtm_dst_len = addr_is_ipv4(destination) ? 32 : 128;
	netlink_put_addr(message, RTA_DST, destination);
	if (mark)
		mnl_attr_put_u32(message, RTA_MARK, mark);
	return netlink_query(netlink, message, note_way, way);
}
