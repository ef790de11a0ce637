/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * New TCP connections at a steady rate, whatever becomes of those before: each is closed as soon as it is there. What is
 * lost the kernel repeats, after a second, as any client's does. A port is not used again for a minute:
 * net.ipv4.ip_local_port_range has to have twice as many as there are connections in that.
 *
 *	steady_connect ADDRESS PORT PER_SECOND SECONDS LIMIT_S
 *
 * Prints a line for each when it has ended: when it began (seconds, CLOCK_REALTIME), how many milliseconds it took (-1:
 * it failed, or was not there after LIMIT_S), and its own port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FILES 65536

struct connection {
	struct timespec began; /* CLOCK_REALTIME */
	uint64_t began_ns;     /* CLOCK_MONOTONIC */
	uint32_t nth;
	uint16_t port;
	bool under_way;
};

static struct connection connections[FILES]; /* by descriptor */
static int order[1 << 20];		     /* descriptors as they were begun: the oldest is the first to be late */
static uint32_t n_begun, n_looked_at, n_under_way;
static int poll_fd;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void end(int fd, bool there)
{
	struct connection *c = &connections[fd];
	double took_ms = there ? (double)(now_ns() - c->began_ns) / 1e6 : -1;

	printf("%lld.%06ld %.3f %u\n", (long long)c->began.tv_sec, c->began.tv_nsec / 1000, took_ms, c->port);
	close(fd);
	c->under_way = false;
	n_under_way--;
}

static void begin(const struct sockaddr *to, socklen_t size)
{
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event event = { .events = EPOLLOUT, .data.fd = fd };
	struct sockaddr_in6 own;
	socklen_t own_size = sizeof(own);
	struct connection *c;

	if (fd < 0 || fd >= FILES || n_begun == sizeof(order) / sizeof(*order)) {
		perror("steady_connect: no socket");
		exit(EXIT_FAILURE);
	}
	c = &connections[fd];
	c->under_way = true;
	c->began_ns = now_ns();
	clock_gettime(CLOCK_REALTIME, &c->began);
	c->nth = n_begun;
	order[n_begun++] = fd;
	n_under_way++;
	if (connect(fd, to, size) && errno != EINPROGRESS) {
		end(fd, false);
		return;
	}
	/* The port is at the same place for both families. */
	if (!getsockname(fd, (struct sockaddr *)&own, &own_size))
		c->port = ntohs(own.sin6_port);
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void look(int timeout_ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(poll_fd, events, 256, timeout_ms), error;

	for (int i = 0; i < n; i++) {
		socklen_t size = sizeof(error);

		if (getsockopt(events[i].data.fd, SOL_SOCKET, SO_ERROR, &error, &size))
			error = errno;
		end(events[i].data.fd, !error);
	}
}

/* Those that have not come about within the limit. A descriptor may be a younger connection's by now. */
static void give_up(uint64_t limit_ns)
{
	uint64_t now = now_ns();

	for (; n_looked_at < n_begun; n_looked_at++) {
		const struct connection *c = &connections[order[n_looked_at]];

		if (!c->under_way || c->nth != n_looked_at)
			continue;
		if (now - c->began_ns < limit_ns)
			return;
		end(order[n_looked_at], false);
	}
}

static socklen_t read_address(const char *text, const char *port, struct sockaddr_storage *to)
{
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	four->sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		to->ss_family = AF_INET;
		return sizeof(*four);
	}
	to->ss_family = AF_INET6;
	return inet_pton(AF_INET6, text, &six->sin6_addr) == 1 ? sizeof(*six) : 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = { FILES, FILES };
	struct sockaddr_storage to;
	double per_second, seconds;
	uint64_t start, limit_ns;
	uint32_t wanted;
	socklen_t size;

	if (argc != 6 || !(size = read_address(argv[1], argv[2], &to))) {
		fprintf(stderr, "usage: steady_connect ADDRESS PORT PER_SECOND SECONDS LIMIT_S\n");
		return 2;
	}
	per_second = atof(argv[3]);
	seconds = atof(argv[4]);
	limit_ns = (uint64_t)(atof(argv[5]) * 1e9);
	wanted = (uint32_t)(per_second * seconds);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	start = now_ns();
	while (n_begun < wanted || n_under_way) {
		while (n_begun < wanted && (double)(now_ns() - start) / 1e9 * per_second >= n_begun)
			begin((struct sockaddr *)&to, size);
		look(1);
		give_up(limit_ns);
	}
	return 0;
}
