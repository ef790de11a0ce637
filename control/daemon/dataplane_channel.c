/* SPDX-License-Identifier: BSD-3-Clause */
/* shuntd's end of the socket to shunt-dataplane. */
#include "dataplane_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "state.h"

#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS 1000

struct dataplane_channel {
	struct event_base *base;
	const struct dataplane_channel_handler *handler;
	char *path;
	int fd;
	bool greeted;
	unsigned int retry_ms;
	struct event *readable;
	struct event *retry;
};

union message {
	struct channel_head head;
	struct channel_hello hello;
	struct channel_ack ack;
	struct channel_flows flows;
};

static void retry_after(struct dataplane_channel *channel, unsigned int ms)
{
	struct timeval delay = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(channel->retry, &delay);
}

static void hang_up(struct dataplane_channel *channel)
{
	if (channel->readable)
		event_free(channel->readable);
	channel->readable = NULL;
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	channel->greeted = false;
}

void dataplane_channel_reset(struct dataplane_channel *channel, const char *why)
{
	hang_up(channel);
	retry_after(channel, channel->retry_ms);
	channel->retry_ms = channel->retry_ms * 2 < RETRY_LAST_MS ? channel->retry_ms * 2 : RETRY_LAST_MS;
	channel->handler->down(channel->handler->context, why);
}

/* One message and the descriptor that came with it, or -1. Its length, 0 at the end, or -errno. */
static ssize_t receive(int socket, union message *message, int *fd)
{
	union {
		char buffer[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer) };
	ssize_t length = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (length < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
			if (*fd >= 0)
				close(*fd);
			*fd = one;
		}
	}
	if (length && ((header.msg_flags & MSG_TRUNC) || length < (ssize_t)sizeof(message->head) ||
			      message->head.size != (size_t)length)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return -EBADMSG;
	}
	return length;
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* NULL, or what is wrong with it. */
static const char *hello_fault(const struct channel_hello *hello)
{
	if (hello->magic != CHANNEL_MAGIC)
		return "whoever answers there is no shunt-dataplane";
	if (hello->abi != CHANNEL_ABI)
		return "shunt-dataplane is of another version than shuntd: one of them has to be restarted";
	if (hello->snapshot_version > STATE_MAX_SNAPSHOT_VERSION)
		return "it works from a snapshot of a version that no shuntd can have made: remove the one it "
		       "keeps in dpdk.run_dir and restart it";
	if (hello->n_ports < 1 || hello->n_ports > SNAPSHOT_MAX_PORTS ||
		!is_text(hello->version, sizeof(hello->version)) ||
		!is_text(hello->kernel_interface, sizeof(hello->kernel_interface)))
		return "its greeting is malformed";
	for (uint32_t i = 0; i < hello->n_ports; i++)
		if (!is_text(hello->port[i].name, sizeof(hello->port[i].name)))
			return "its greeting is malformed";
	return NULL;
}

/* NULL, or why the connection can't go on; takes the descriptor. */
static const char *handle(struct dataplane_channel *channel, union message *message, size_t length, int fd)
{
	const struct dataplane_channel_handler *handler = channel->handler;
	const char *fault = NULL;

	switch (message->head.type) {
	case CHANNEL_HELLO:
		if (length != sizeof(message->hello) || fd < 0 || channel->greeted)
			break;
		fault = hello_fault(&message->hello);
		if (fault) {
			close(fd);
			return fault;
		}
		channel->greeted = true;
		channel->retry_ms = RETRY_FIRST_MS;
		handler->hello(handler->context, &message->hello, fd);
		return NULL;
	case CHANNEL_FLOWS:
		/* Without a descriptor: there is no elder table any more. */
		if (length != sizeof(message->flows) || !channel->greeted ||
			(fd < 0 && (message->flows.size || !message->flows.elder)))
			break;
		handler->flows(handler->context, &message->flows, fd);
		return NULL;
	case CHANNEL_ACK:
		if (length != sizeof(message->ack) || !channel->greeted)
			break;
		if (fd >= 0)
			close(fd);
		message->ack.reason[sizeof(message->ack.reason) - 1] = '\0';
		handler->ack(handler->context, &message->ack);
		return NULL;
	}
	if (fd >= 0)
		close(fd);
	return "it sent a message that is not of the protocol";
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct dataplane_channel *channel = context;
	const char *fault = NULL;

	/* A handler may close the connection. */
	while (channel->fd >= 0 && !fault) {
		union message message;
		int with;
		ssize_t length = receive(channel->fd, &message, &with);

		if (length == -EAGAIN || length == -EINTR)
			return;
		if (length == 0)
			fault = "it went away";
		else if (length < 0)
			fault = length == -EBADMSG ? "it sent a message that is not of the protocol"
						   : strerror((int)-length);
		else
			fault = handle(channel, &message, (size_t)length, with);
	}
	if (fault)
		dataplane_channel_reset(channel, fault);
}

static void dial(evutil_socket_t unused, short what, void *context)
{
	struct dataplane_channel *channel = context;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char why[256];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", channel->path);
	channel->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (channel->fd >= 0 && !connect(channel->fd, (struct sockaddr *)&address, sizeof(address))) {
		channel->readable =
			event_new(channel->base, channel->fd, EV_READ | EV_PERSIST, on_readable, channel);
		if (channel->readable && !event_add(channel->readable, NULL))
			return;
		errno = ENOMEM;
	}
	snprintf(why, sizeof(why), "%s: %s", channel->path, strerror(errno));
	dataplane_channel_reset(channel, why);
}

struct dataplane_channel *dataplane_channel_new(struct event_base *base, const char *path,
	const struct dataplane_channel_handler *handler)
{
	struct dataplane_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	*channel = (struct dataplane_channel){ .base = base, .handler = handler, .fd = -1, .path = strdup(path),
		.retry_ms = RETRY_FIRST_MS };
	channel->retry = evtimer_new(base, dial, channel);
	if (!channel->path || !channel->retry) {
		dataplane_channel_free(channel);
		return NULL;
	}
	retry_after(channel, 0);
	return channel;
}

void dataplane_channel_free(struct dataplane_channel *channel)
{
	if (!channel)
		return;
	hang_up(channel);
	if (channel->retry)
		event_free(channel->retry);
	free(channel->path);
	free(channel);
}

int dataplane_channel_set_path(struct dataplane_channel *channel, const char *path)
{
	char *copy;

	if (!strcmp(channel->path, path))
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(channel->path);
	channel->path = copy;
	if (channel->greeted)
		return 0;
	hang_up(channel);
	channel->retry_ms = RETRY_FIRST_MS;
	retry_after(channel, 0);
	return 0;
}

int dataplane_channel_send(struct dataplane_channel *channel, uint64_t version, uint64_t size, int fd)
{
	struct channel_snapshot message = { .head = { CHANNEL_SNAPSHOT, sizeof(message) }, .version = version,
		.size = size };
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { &message, sizeof(message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	int err;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (channel->fd >= 0 &&
		sendmsg(channel->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(message))
		return 0;
	err = channel->fd >= 0 ? -errno : -ENOTCONN;
	dataplane_channel_reset(channel, strerror(-err));
	return err;
}
