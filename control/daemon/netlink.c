/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routing netlink over two sockets: one for requests, on which the kernel's answer lies ready when the
 * request returns, and one for events, so that a flood of events never stands before an answer.
 */
#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "log.h"

#define RETRY_S 1
#define ANSWER_S 2               /* the kernel answers at once; this is for a kernel in trouble */
#define EVENT_BUFFER (4 << 20)   /* bytes of events that may wait while we are busy */
#define EVENTS_A_TURN 64         /* datagrams before other work gets its turn */
#define REQUEST_SIZE 1024
#define ANSWER_SIZE 32768        /* what the kernel puts into one datagram of a dump, at most */

struct netlink {
	struct event_base *base;
	struct mnl_socket *requests;
	struct mnl_socket *events;
	struct event *readable;
	struct event *retry;
	struct netlink_listener *listeners;
	uint32_t sequence;
	bool failing; /* logged, not yet put right */
	char request[REQUEST_SIZE] __attribute__((aligned(8)));
	char answer[ANSWER_SIZE] __attribute__((aligned(8)));
};

void netlink_put_addr(struct nlmsghdr *message, uint16_t type, struct addr address)
{
	__be32 v4 = addr_to_ipv4(address);

	if (addr_is_ipv4(address))
		mnl_attr_put(message, type, sizeof(v4), &v4);
	else
		mnl_attr_put(message, type, sizeof(address), &address);
}

bool netlink_get_addr(const struct nlattr *attribute, int family, struct addr *address)
{
	uint16_t length = mnl_attr_get_payload_len(attribute);
	__be32 v4;

	if (family == AF_INET && length == sizeof(v4)) {
		memcpy(&v4, mnl_attr_get_payload(attribute), sizeof(v4));
		*address = addr_from_ipv4(v4);
		return true;
	}
	if (family == AF_INET6 && length == sizeof(*address)) {
		memcpy(address, mnl_attr_get_payload(attribute), sizeof(*address));
		return true;
	}
	return false;
}

static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(socket);
		socket = NULL;
	}
	return socket;
}

static int open_requests(struct netlink *netlink)
{
	struct timeval limit = { .tv_sec = ANSWER_S };
	int on = 1;

	netlink->requests = open_socket();
	if (!netlink->requests)
		return -errno;
	/* Strict: dumps are filtered by the kernel as asked, not handed over whole. */
	mnl_socket_setsockopt(netlink->requests, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	mnl_socket_setsockopt(netlink->requests, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(mnl_socket_get_fd(netlink->requests), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return 0;
}

static void close_socket(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
	*socket = NULL;
}

static void close_events(struct netlink *netlink)
{
	if (netlink->readable)
		event_free(netlink->readable);
	netlink->readable = NULL;
	close_socket(&netlink->events);
}

static void retry_later(struct netlink *netlink)
{
	struct timeval delay = { .tv_sec = RETRY_S };

	event_add(netlink->retry, &delay);
}

static void tell_lost(struct netlink *netlink)
{
	for (struct netlink_listener *l = netlink->listeners; l; l = l->next)
		if (l->lost)
			l->lost(l->context);
}

static int dispatch(const struct nlmsghdr *message, void *context)
{
	struct netlink *netlink = context;

	for (struct netlink_listener *l = netlink->listeners; l; l = l->next)
		if (l->message)
			l->message(l->context, message);
	return MNL_CB_OK;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct netlink *netlink = context;
	/* Not netlink->answer: a listener may make a request of its own while an event is handed out. */
	char buffer[ANSWER_SIZE] __attribute__((aligned(8)));

	(void)what;
	for (int i = 0; i < EVENTS_A_TURN; i++) {
		ssize_t size = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

		if (size > 0) {
			mnl_cb_run(buffer, (size_t)size, 0, 0, dispatch, netlink);
			if (!netlink->events)
				return;
			continue;
		}
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size < 0 && errno == ENOBUFS) {
			log_notice("more netlink events than there was room for: looking at everything anew");
			tell_lost(netlink);
			return;
		}
		log_warning("netlink events: %s: opening the socket anew", size ? strerror(errno) : "closed");
		close_events(netlink);
		retry_later(netlink);
		return;
	}
}

static int open_events(struct netlink *netlink)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR };
	int size = EVENT_BUFFER;
	int fd;

	netlink->events = open_socket();
	if (!netlink->events)
		return -errno;
	fd = mnl_socket_get_fd(netlink->events);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			goto fail;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	netlink->readable = event_new(netlink->base, fd, EV_READ | EV_PERSIST, on_readable, netlink);
	if (!netlink->readable || event_add(netlink->readable, NULL) < 0) {
		errno = ENOMEM;
		goto fail;
	}
	return 0;
fail:;
	int saved = errno;

	close_events(netlink);
	return -saved;
}

static int open_both(struct netlink *netlink)
{
	int error = 0;

	if (!netlink->requests)
		error = open_requests(netlink);
	if (!error && !netlink->events)
		error = open_events(netlink);
	if (error && !netlink->failing)
		log_error("no netlink socket: %s: trying again every second", strerror(-error));
	if (!error && netlink->failing)
		log_notice("netlink sockets are open again");
	netlink->failing = error != 0;
	if (error)
		retry_later(netlink);
	return error;
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct netlink *netlink = context;

	(void)fd;
	(void)what;
	if (open_both(netlink) == 0)
		tell_lost(netlink);
}

struct netlink *netlink_open(struct event_base *base)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));

	if (!netlink)
		return NULL;
	netlink->base = base;
	netlink->retry = evtimer_new(base, on_retry, netlink);
	if (!netlink->retry) {
		free(netlink);
		return NULL;
	}
	open_both(netlink);
	return netlink;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	close_events(netlink);
	close_socket(&netlink->requests);
	event_free(netlink->retry);
	free(netlink);
}

void netlink_listen(struct netlink *netlink, struct netlink_listener *listener)
{
	struct netlink_listener **end = &netlink->listeners;

	while (*end)
		end = &(*end)->next;
	listener->next = NULL;
	*end = listener;
}

struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message;

	memset(netlink->request, 0, sizeof(netlink->request));
	message = mnl_nlmsg_put_header(netlink->request);
	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	message->nlmsg_seq = ++netlink->sequence;
	return message;
}

/*
 * The kernel marks a dump during which something changed; libmnl would break off there. What changed comes
 * as an event as well, so the dump is good enough.
 */
static void clear_interrupted(char *answer, int size)
{
	struct nlmsghdr *message = (struct nlmsghdr *)answer;

	for (; mnl_nlmsg_ok(message, size); message = mnl_nlmsg_next(message, &size))
		message->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
}

int netlink_query(struct netlink *netlink, struct nlmsghdr *message, mnl_cb_t each, void *context)
{
	uint32_t sequence = message->nlmsg_seq;
	bool wants_ack = message->nlmsg_flags & NLM_F_ACK;
	bool dump = (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	unsigned int port;
	int run;

	if (!netlink->requests)
		return -ENOTCONN;
	port = mnl_socket_get_portid(netlink->requests);
	if (mnl_socket_sendto(netlink->requests, message, message->nlmsg_len) < 0)
		goto lost;
	do {
		ssize_t size = mnl_socket_recvfrom(netlink->requests, netlink->answer, sizeof(netlink->answer));

		if (size < 0 && errno == EINTR) {
			run = MNL_CB_OK;
			continue;
		}
		if (size <= 0)
			goto lost;
		clear_interrupted(netlink->answer, (int)size);
		run = mnl_cb_run(netlink->answer, (size_t)size, sequence, port, each, context);
		/* A single answer has no end mark of its own. */
		if (run == MNL_CB_OK && !dump && !wants_ack)
			run = MNL_CB_STOP;
	} while (run >= MNL_CB_OK && run != MNL_CB_STOP);
	return run < 0 ? -errno : 0;

lost:
	run = errno ? -errno : -EPIPE;
	/* Whatever still comes would be taken for the next request's answer. */
	close_socket(&netlink->requests);
	retry_later(netlink);
	return run;
}

int netlink_request(struct netlink *netlink, struct nlmsghdr *message)
{
	message->nlmsg_flags |= NLM_F_ACK;
	return netlink_query(netlink, message, NULL, NULL);
}
