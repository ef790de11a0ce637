/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether an interface takes frames from XDP: as the kernel says by generic netlink, or by the kind of interface. */
#include "redirect.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_S 1

/* Of <linux/netdev.h>, which came with Linux 6.3. */
enum { NETDEV_DEV_GET = 1, NETDEV_IFINDEX = 1, NETDEV_XDP_FEATURES = 3, NETDEV_XDP_NDO_XMIT = 4 };

struct wanted {
	uint16_t attribute;
	uint16_t size;
	void *value; /* of size bytes */
	bool found;
};

static int note_attribute(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *attribute;
	struct wanted *wanted = context;

	mnl_attr_for_each(attribute, message, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attribute) != wanted->attribute ||
			mnl_attr_get_payload_len(attribute) != wanted->size)
			continue;
		memcpy(wanted->value, mnl_attr_get_payload(attribute), wanted->size);
		wanted->found = true;
	}
	return MNL_CB_STOP;
}

static struct nlmsghdr *begin(void *buffer, uint16_t family, uint8_t command)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	message->nlmsg_type = family;
	message->nlmsg_flags = NLM_F_REQUEST;
	head->cmd = command;
	head->version = 1;
	return message;
}

/* One attribute of the answer to a request, which is a single message. */
static bool ask(struct mnl_socket *socket, const struct nlmsghdr *request, struct wanted *wanted)
{
	char answer[8192] __attribute__((aligned(8)));
	ssize_t size;

	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return false;
	size = mnl_socket_recvfrom(socket, answer, sizeof(answer));
	return size > 0 &&
		mnl_cb_run(answer, (size_t)size, 0, mnl_socket_get_portid(socket), note_attribute, wanted) >= 0 &&
		wanted->found;
}

/* False: the kernel does not say. */
static bool ask_features(unsigned int index, uint64_t *features)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct timeval limit = { .tv_sec = ANSWER_S };
	char buffer[256] __attribute__((aligned(8)));
	uint16_t family;
	struct wanted id = { .attribute = CTRL_ATTR_FAMILY_ID, .size = sizeof(family), .value = &family };
	struct wanted bits = { .attribute = NETDEV_XDP_FEATURES, .size = sizeof(*features), .value = features };
	struct nlmsghdr *request;
	bool told = false;

	if (!socket)
		return false;
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) >= 0) {
		request = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
		mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
		told = ask(socket, request, &id);
	}
	if (told) {
		request = begin(buffer, family, NETDEV_DEV_GET);
		mnl_attr_put_u32(request, NETDEV_IFINDEX, index);
		told = ask(socket, request, &bits);
	}
	mnl_socket_close(socket);
	return told;
}

static int note_kind(const struct nlmsghdr *message, void *context)
{
	/* What stands in for another interface, or for several, and never took frames from XDP. */
	static const char *const deaf[] = { "bridge", "dummy", "ipvlan", "macvlan", "team", "vlan", "vxlan" };
	const struct nlattr *attribute, *inner;
	bool *taken = context;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attribute) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(inner, attribute) {
			if (mnl_attr_get_type(inner) != IFLA_INFO_KIND ||
				mnl_attr_validate(inner, MNL_TYPE_NUL_STRING) < 0)
				continue;
			for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
				if (!strcmp(mnl_attr_get_str(inner), deaf[i]))
					*taken = false;
		}
	}
	return MNL_CB_OK;
}

bool redirect_is_taken(struct netlink *netlink, unsigned int index)
{
	struct nlmsghdr *message;
	struct ifinfomsg *head;
	uint64_t features;
	bool taken = true;

	if (ask_features(index, &features))
		return features & NETDEV_XDP_NDO_XMIT;
	message = netlink_begin(netlink, RTM_GETLINK, 0);
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = (int)index;
	netlink_query(netlink, message, note_kind, &taken);
	return taken;
}
