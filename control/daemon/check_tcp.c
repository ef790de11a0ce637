/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type tcp: a connection that comes about is a success. */
#include <errno.h>
#include <sys/socket.h>

#include "check_kind.h"

void check_tcp_begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	/*
	 * Reset instead of closed: else each check would leave a port in TIME_WAIT for a minute, and a thousand
	 * backends behind one VIP would use them all up.
	 */
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (!check_connect(run, SOCK_STREAM, 0, check, target))
		return;
	setsockopt(run->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	/*
	 * A connection that came about at once can be written to at once: no case of its own. Told of it once:
	 * thousands that wait for their turn would else be looked at again with each turn of the loop.
	 */
	check_watch(run, EV_WRITE | EV_ET);
}

bool check_tcp_connected(struct check_run *run)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer), error_length = sizeof(int);
	int error = 0;

	if (getpeername(run->fd, (struct sockaddr *)&peer, &length) == 0)
		return true;
	getsockopt(run->fd, SOL_SOCKET, SO_ERROR, &error, &error_length);
	if (error)
		check_finish_error(run, error);
	return false;
}

static void look(struct check_run *run, short what)
{
	(void)what;
	if (check_tcp_connected(run))
		check_succeed(run);
}

const struct check_kind check_tcp = { .size = sizeof(struct check_run), .begin = check_tcp_begin, .look = look };
