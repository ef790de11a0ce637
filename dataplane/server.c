/* SPDX-License-Identifier: BSD-3-Clause */
/* A SOCK_SEQPACKET server that never waits for its client: one that doesn't read is closed. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define MAX_FDS 4 /* of one message; more than one is an error, but they have to be closed */

union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
};

/*
 * Whether the path is ours alone among shunt-dataplanes, as long as the lock is held. To find out by connecting would
 * have one that lives take us for a newer shuntd. Returns 0, or -1 with a line logged.
 */
static int lock(struct server *s)
{
	char path[sizeof(s->path) + sizeof(".lock")];

	snprintf(path, sizeof(path), "%s.lock", s->path);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0) {
		log_error("dpdk.socket: cannot open %s: %m", path);
		return -1;
	}
	if (!flock(s->lock, LOCK_EX | LOCK_NB))
		return 0;
	log_error("dpdk.socket: %s is in use by another shunt-dataplane", s->path);
	close(s->lock);
	return -1;
}

/* Whether somebody else listens on the path. -1: the path can't be used. */
static int is_live(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), live = 1;
	struct stat st;

	if (lstat(address->sun_path, &st)) {
		live = errno == ENOENT ? 0 : -1;
		if (live)
			log_error("dpdk.socket: %s: %m", address->sun_path);
	} else if (!S_ISSOCK(st.st_mode)) {
		log_error("dpdk.socket: %s is there and is no socket", address->sun_path);
		live = -1;
	} else if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED) {
		live = 0;
	}
	if (fd >= 0)
		close(fd);
	return live;
}

int server_open(struct server *s, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int live;

	s->client = s->listener = -1;
	snprintf(s->path, sizeof(s->path), "%s", path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (lock(s))
		return -1;
	live = is_live(&address);
	if (live > 0)
		log_error("dpdk.socket: %s is in use by another process", path);
	if (live)
		goto unlock;
	unlink(path);
	s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Who can connect can change what is forwarded: nobody but our own user. */
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&address, sizeof(address)) ||
		chmod(path, 0600)) {
		log_error("dpdk.socket: cannot make %s: %m", path);
		if (s->listener >= 0)
			close(s->listener);
		goto unlock;
	}
	return 0;

unlock:
	close(s->lock);
	return -1;
}

int server_listen(struct server *s)
{
	if (!listen(s->listener, 4))
		return 0;
	log_error("dpdk.socket: cannot listen on %s: %m", s->path);
	return -1;
}

static void drop_client(struct server *s)
{
	if (s->client >= 0)
		close(s->client);
	s->client = -1;
}

void server_close(struct server *s)
{
	drop_client(s);
	close(s->listener);
	unlink(s->path);
	/* Its file stays: another process may be waiting for it by now. */
	close(s->lock);
}

/* fd: goes with the message, or -1. */
static int send_message(struct server *s, const void *message, size_t size, int fd)
{
	struct iovec part = { (void *)message, size };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control;

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	if (sendmsg(s->client, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
		return 0;
	log_warning("shuntd does not take its messages (%m): closed");
	drop_client(s);
	return -1;
}

/* f: NULL for none. */
static int send_table(struct server *s, const struct flow_file *f, bool elder)
{
	struct channel_flows message = {
		.head = { CHANNEL_FLOWS, sizeof(message) },
		.size = f ? f->size : 0,
		.elder = elder,
	};

	return send_message(s, &message, sizeof(message), f ? f->read_fd : -1);
}

static int send_flows(struct server *s)
{
	s->adopt->flows_changed = false;
	return send_table(s, s->adopt->flows, false) || send_table(s, s->adopt->elder, true) ? -1 : 0;
}

void server_tell_flows(struct server *s)
{
	if (s->client >= 0 && s->adopt->flows_changed)
		send_flows(s);
}

void server_accept(struct server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return;
	if (s->client >= 0)
		log_info("a newer shuntd takes over the channel");
	drop_client(s);
	s->client = fd;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	log_info("shuntd (process %d) is connected", peer.pid);
	s->hello.snapshot_version = s->adopt->segment->header->snapshot_version;
	if (!send_message(s, &s->hello, sizeof(s->hello), s->statistics) && s->adopt->flows &&
		s->adopt->flows->read_fd >= 0)
		send_flows(s);
}

static void adopt_snapshot(struct server *s, const struct channel_snapshot *message, int fd)
{
	struct channel_ack ack = {
		.head = { CHANNEL_ACK, sizeof(ack) },
		.version = message->version,
	};

	if (adopt_received(s->adopt, fd, message->size, message->version, ack.reason, sizeof(ack.reason))) {
		ack.refused = 1;
		log_error("snapshot %" PRIu64 " refused: %s", (uint64_t)message->version, ack.reason);
	}
	/* The table first: who has the acknowledgement can look a flow up. */
	if (s->adopt->flows_changed && send_flows(s))
		return;
	send_message(s, &ack, sizeof(ack), -1);
}

/* Put the message's descriptors into fds. Returns how many. */
static unsigned int take_fds(struct msghdr *m, int *fds)
{
	unsigned int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count && n < MAX_FDS; i++)
			memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return n;
}

void server_receive(struct server *s)
{
	struct channel_snapshot message = { 0 };
	struct iovec part = { &message, sizeof(message) };
	union control control;
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	unsigned int n_fds = 0;
	int fds[MAX_FDS];
	ssize_t n = recvmsg(s->client, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Before all else: an empty message may bring some as well. */
	if (n >= 0)
		n_fds = take_fds(&m, fds);
	if (n <= 0) {
		log_info("shuntd has left; snapshot %" PRIu64 " stays in force",
			(uint64_t)s->adopt->segment->header->snapshot_version);
		drop_client(s);
	} else if (n == sizeof(message) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && n_fds == 1 &&
		message.head.type == CHANNEL_SNAPSHOT && message.head.size == sizeof(message)) {
		adopt_snapshot(s, &message, fds[0]);
	} else {
		log_error("a message on the channel is none that is known (type %u, %zd bytes, %u descriptors): "
			  "closed",
			message.head.type, n, n_fds);
		drop_client(s);
	}
	for (unsigned int i = 0; i < n_fds; i++)
		close(fds[i]);
}
