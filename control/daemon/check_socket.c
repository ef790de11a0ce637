/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets of checks: how they are made, and whose trouble their errors are. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "check_kind.h"

static socklen_t sockaddr_of(struct addr address, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (addr_is_ipv4(address)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = addr_to_ipv4(address);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, &address, sizeof(address));
	return sizeof(*v6);
}

/* Bound to the address alone: the port is chosen when it is known who is at the other end, so they are not used up. */
static int bind_source(int fd, struct addr source)
{
	struct sockaddr_storage from;
	socklen_t size = sockaddr_of(source, 0, &from);
	int yes = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	return bind(fd, (struct sockaddr *)&from, size) < 0 ? -errno : 0;
}

int check_socket(struct check_run *run, int type, int protocol, const struct check *check,
	const struct check_target *target)
{
	run->fd = socket(address_family(target->address), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (run->fd < 0)
		return -errno;
	if (target->mark && setsockopt(run->fd, SOL_SOCKET, SO_MARK, &target->mark, sizeof(target->mark)) < 0)
		return -errno;
	return check->source_given ? bind_source(run->fd, check->source) : 0;
}

/* An error of connect() itself: true if it is of our making and says nothing of the target. */
static bool is_ours(int error)
{
	/* Unreachable at once: by our own routes. What the network says comes later, through the socket. */
	return error != ECONNREFUSED && error != ECONNRESET && error != ETIMEDOUT;
}

bool check_connect(struct check_run *run, int type, int protocol, const struct check *check,
	const struct check_target *target)
{
	struct sockaddr_storage to;
	socklen_t size = sockaddr_of(target->address, target->port, &to);
	int err = check_socket(run, type, protocol, check, target);

	if (err < 0) {
		check_finish(run, CHECK_UNMADE, err == -EADDRNOTAVAIL ? "check.source: %s" : "%s", strerror(-err));
		return false;
	}
	if (connect(run->fd, (struct sockaddr *)&to, size) == 0 || errno == EINPROGRESS)
		return true;
	err = errno;
	check_finish(run, is_ours(err) ? CHECK_UNMADE : CHECK_FAILED, "%s", strerror(err));
	return false;
}

void check_finish_error(struct check_run *run, int error)
{
	bool ours = error == ENETDOWN || error == ENOBUFS || error == ENOMEM;

	run->result.silent = error == EHOSTUNREACH || error == ETIMEDOUT;
	check_finish(run, ours ? CHECK_UNMADE : CHECK_FAILED, "%s", strerror(error));
}

void check_send(struct check_run *run, const void *data, size_t size)
{
	if (send(run->fd, data, size, MSG_NOSIGNAL) >= 0)
		check_watch(run, EV_READ);
	else
		check_finish(run, is_ours(errno) ? CHECK_UNMADE : CHECK_FAILED, "%s", strerror(errno));
}

ssize_t check_receive(struct check_run *run, void *data, size_t room)
{
	ssize_t size = recv(run->fd, data, room, 0);

	if (size < 0 && errno != EAGAIN && errno != EINTR)
		check_finish_error(run, errno);
	return size;
}
