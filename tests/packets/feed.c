/* SPDX-License-Identifier: BSD-3-Clause */
/* The channel's client of feed.h: blocking, with a limit of five seconds on every wait. */
#include "feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_S 20

union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int))];
};

static int fail(struct feed *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct feed *f, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(f->error, sizeof(f->error), format, arguments);
	va_end(arguments);
	return -1;
}

/* Receive one message; *fd: its descriptor, or -1. Returns its size, 0 at the end, -1 on error. */
static ssize_t receive(struct feed *f, void *message, size_t size, int *fd)
{
	struct iovec part = { message, size };
	union control control;
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(f->fd, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*fd = -1;
	if (n <= 0)
		return n;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return m.msg_flags & MSG_TRUNC ? -1 : n;
}

static int send_message(struct feed *f, const void *message, size_t size, int fd)
{
	struct iovec part = { (void *)message, size };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control = {
		.head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) }
	};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	return sendmsg(f->fd, &m, MSG_NOSIGNAL) == (ssize_t)size ? 0 : fail(f, "sendmsg: %s", strerror(errno));
}

static int open_writable(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* shuntd gets the table to read only; a test, which is root, opens it once more. */
static int map_flows(struct feed *f, int fd, __u64 size)
{
	int writable;

	if (f->flows)
		munmap(f->flows, f->flows_size);
	f->flows = NULL;
	writable = open_writable(fd);
	if (writable < 0)
		return fail(f, "cannot open the flow table for writing: %s", strerror(errno));
	f->flows = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, writable, 0);
	f->flows_size = size;
	close(writable);
	if (f->flows == MAP_FAILED) {
		f->flows = NULL;
		return fail(f, "cannot map the flow table: %s", strerror(errno));
	}
	return 0;
}

#define FRAGMENTS_SIZE (FRAGMENT_BUCKETS * sizeof(struct fragment_bucket))

/* Likewise the table of fragments, which lies in the statistics segment. */
static int map_fragments(struct feed *f, int fd)
{
	int writable = open_writable(fd);
	void *mapping = MAP_FAILED;

	if (writable >= 0) {
		mapping = mmap(NULL, FRAGMENTS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, writable,
			(off_t)f->stats->fragments_off);
		close(writable);
	}
	if (mapping == MAP_FAILED)
		return fail(f, "cannot map the table of fragments: %s", strerror(errno));
	f->fragments = mapping;
	return 0;
}

static int map_stats(struct feed *f, int fd)
{
	struct stat st;
	void *mapping;

	if (fstat(fd, &st))
		return fail(f, "statistics: %s", strerror(errno));
	mapping = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED)
		return fail(f, "cannot map the statistics: %s", strerror(errno));
	f->stats = mapping;
	if (f->stats->magic != STATS_MAGIC || f->stats->abi != STATS_ABI)
		return fail(f, "the statistics are of another version");
	f->workers = (const struct stats_worker *)((const char *)mapping + f->stats->worker_off);
	return map_fragments(f, fd);
}

/* Receive messages until one of this type comes; others are taken note of on the way. */
static ssize_t await(struct feed *f, __u32 type, void *message, size_t size)
{
	for (;;) {
		union {
			struct channel_head head;
			struct channel_hello hello;
			struct channel_ack ack;
			struct channel_flows flows;
		} any;
		int fd, result = 0;
		ssize_t n = receive(f, &any, sizeof(any), &fd);

		if (n <= 0)
			return n ? fail(f, "no answer on the channel: %s", strerror(errno)) : 0;
		if (any.head.type == CHANNEL_HELLO && fd >= 0)
			result = map_stats(f, fd);
		else if (any.head.type == CHANNEL_FLOWS && fd >= 0 && !any.flows.elder)
			result = map_flows(f, fd, any.flows.size);
		if (fd >= 0)
			close(fd);
		if (result)
			return -1;
		if (any.head.type == type) {
			if ((size_t)n != size || any.head.size != size)
				return fail(f, "a message of type %u has %zd bytes, not %zu", type, n, size);
			memcpy(message, &any, size);
			return n;
		}
	}
}

int feed_open(struct feed *f, const char *path)
{
	struct channel_flows flows;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };

	*f = (struct feed){ .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (f->fd < 0 || setsockopt(f->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
		connect(f->fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail(f, "%s: %s", path, strerror(errno));
	if (await(f, CHANNEL_HELLO, &f->hello, sizeof(f->hello)) <= 0)
		return f->error[0] ? -1 : fail(f, "%s: closed without a greeting", path);
	if (f->hello.magic != CHANNEL_MAGIC || f->hello.abi != CHANNEL_ABI || !f->stats)
		return fail(f, "%s: the greeting is not one of this version", path);
	/* One that has a snapshot has a flow table, too, and says so next. */
	if (f->hello.snapshot_version && await(f, CHANNEL_FLOWS, &flows, sizeof(flows)) <= 0)
		return f->error[0] ? -1 : fail(f, "%s: no flow table", path);
	return 0;
}

void feed_close(struct feed *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->stats)
		munmap((void *)f->stats, f->stats->size);
	if (f->flows)
		munmap(f->flows, f->flows_size);
	if (f->fragments)
		munmap(f->fragments, FRAGMENTS_SIZE);
	f->fragments = NULL;
	f->fd = -1;
	f->stats = NULL;
	f->flows = NULL;
}

int feed_snapshot(struct feed *f, const void *block, size_t size, __u64 stated, int sealed)
{
	struct channel_snapshot message = {
		.head = { CHANNEL_SNAPSHOT, sizeof(message) },
		.version = stated,
		.size = size,
	};
	int memory = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING), result = -1;
	struct channel_ack ack;

	if (memory < 0 || write(memory, block, size) != (ssize_t)size ||
		(sealed && fcntl(memory, F_ADD_SEALS, CHANNEL_SEALS))) {
		fail(f, "memfd: %s", strerror(errno));
	} else if (!send_message(f, &message, sizeof(message), memory)) {
		if (await(f, CHANNEL_ACK, &ack, sizeof(ack)) <= 0)
			fail(f, "not acknowledged");
		else if (ack.version != stated)
			fail(f, "another version was acknowledged");
		else
			result = ack.refused ? 1 : 0;
	}
	if (result == 1)
		fail(f, "%.*s", (int)sizeof(ack.reason), ack.reason);
	if (memory >= 0)
		close(memory);
	return result;
}

int feed_nonsense(struct feed *f, const void *message, size_t size, int fd)
{
	struct channel_ack ack;
	ssize_t n;

	if (send_message(f, message, size, fd))
		return -1;
	n = await(f, CHANNEL_ACK, &ack, sizeof(ack));
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

__u64 feed_counter(const struct feed *f, unsigned counter)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < f->stats->n_workers; i++)
		sum += *(volatile const __u64 *)&f->workers[i].counter[counter];
	return sum;
}

__u64 feed_received(const struct feed *f)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < f->stats->n_workers; i++)
		sum += *(volatile const __u64 *)&f->workers[i].received;
	return sum;
}
