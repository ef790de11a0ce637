/* SPDX-License-Identifier: BSD-3-Clause */
/* The flag, by routing netlink: in one step, whatever else changes the interface's flags meanwhile. */
#include "xdp_multicast.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

#define ANSWER_SIZE 16384 /* no message about an interface is longer */

static int note_flags(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWLINK)
		*(unsigned int *)context = ((const struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_flags;
	return MNL_CB_OK;
}

/* Send a request and read what the kernel answers, up to its acknowledgement. 0 or -errno. */
static int ask(struct mnl_socket *socket, struct nlmsghdr *message, unsigned int *flags)
{
	char answer[ANSWER_SIZE];
	int more = MNL_CB_OK;

	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (more == MNL_CB_OK) {
		ssize_t size = mnl_socket_recvfrom(socket, answer, sizeof(answer));

		more = size < 0 ? MNL_CB_ERROR : mnl_cb_run(answer, (size_t)size, 0, 0, note_flags, flags);
	}
	return more == MNL_CB_ERROR ? -errno : 0;
}

/* One request about an interface. change: the flags to set to what *flags says; 0: *flags is only read. */
static int link_flags(unsigned int index, unsigned int *flags, unsigned int change)
{
	char buffer[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct ifinfomsg))];
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	int result;

	if (!socket)
		return -errno;
	message->nlmsg_type = change ? RTM_SETLINK : RTM_GETLINK;
	head->ifi_index = (int)index;
	head->ifi_flags = change ? *flags & change : 0;
	head->ifi_change = change;
	result = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : ask(socket, message, flags);
	mnl_socket_close(socket);
	return result;
}

/* As a user set it: the flags that the kernel tells leave out what bridges and such asked for by themselves. */
static int is_on(unsigned int index, bool *on)
{
	unsigned int flags = 0;
	int result = link_flags(index, &flags, 0);

	*on = flags & IFF_ALLMULTI;
	return result;
}

static int turn(unsigned int index, bool on)
{
	unsigned int flags = on ? IFF_ALLMULTI : 0;

	return link_flags(index, &flags, IFF_ALLMULTI);
}

static void take_back(const struct xdp_pins *pins, unsigned int index)
{
	int result = turn(index, false);

	if (!result)
		log_info("interface %s: allmulticast off again", pins->interface);
	else if (result != -ENODEV)
		log_warning("interface %s: allmulticast can't be set off again: %s", pins->interface,
			strerror(-result));
	xdp_pin_mark_multicast(pins, 0);
}

void xdp_multicast_set(const struct xdp_pins *pins, unsigned int index, bool wanted)
{
	unsigned int marked = xdp_pin_marked_multicast(pins);
	int result;
	bool on;

	if (marked && (!wanted || marked != index))
		take_back(pins, marked);
	if (!wanted)
		return;
	result = is_on(index, &on);
	if (!result && on)
		return;
	/* The mark first: whoever is killed in between leaves one that does no harm. */
	if (!result)
		result = xdp_pin_mark_multicast(pins, index);
	if (!result)
		result = turn(index, true);
	if (!result) {
		log_info("interface %s: allmulticast on, for neighbour solicitations to IPv6 VIPs",
			pins->interface);
		return;
	}
	xdp_pin_mark_multicast(pins, 0);
	log_warning(
		"interface %s: allmulticast can't be set (%s): neighbour solicitations to IPv6 VIPs may not be "
		"received",
		pins->interface, strerror(-result));
}
