/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type tcp: a connection that comes about is a success. */
#include <errno.h>
#include <sys/socket.h>

#include "check_kind.h"

int check_tcp_begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	/*
	 * Reset instead of closed: else each check would leave a port in TIME_WAIT for a minute, and a thousand
	 * backends behind one VIP would use them all up.
	 */
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	int err = check_socket(run, SOCK_STREAM, 0, check, target);

	if (err < 0)
		return err;
	setsockopt(run->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	err = check_connect(run, target);
	/* A connection that came about at once can be written to at once: no case of its own. */
	return err < 0 ? err : check_watch(run, EV_WRITE);
}

bool check_tcp_connected(struct check_run *run)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int error = 0;
	socklen_t error_length = sizeof(error);

	if (getpeername(run->fd, (struct sockaddr *)&peer, &length) == 0)
		return true;
	getsockopt(run->fd, SOL_SOCKET, SO_ERROR, &error, &error_length);
	if (error)
		check_finish_error(run, error);
	return false;
}

static void begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	check_tcp_begin(run, check, target);
}

static void look(struct check_run *run)
{
	if (check_tcp_connected(run))
		check_succeed(run);
}

const struct check_kind check_tcp = { .size = sizeof(struct check_run), .begin = begin, .look = look };
