/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One client of the operators' socket: lines in, replies out in the same order, one request at a time. What
 * a client may cost is bounded: a line by RPC_LINE_LIMIT, replies that it does not read by not working on
 * its next request, and a client that reads nothing for RPC_WRITE_S by closing.
 */
#ifndef SHUNT_RPC_CONNECTION_H
#define SHUNT_RPC_CONNECTION_H

#include <event2/util.h>
#include <stdbool.h>

#include "daemon.h"

#define RPC_LINE_LIMIT (1 << 20) /* bytes, without the line's end */
#define RPC_WRITE_S 30

struct rpc_connection;

/*
 * Serve a connected stream socket, which is the connection's from now on, also on failure. closed() is called
 * when it has ended by itself, from the loop; it is gone afterwards. NULL: no memory.
 */
struct rpc_connection *rpc_connection_new(struct daemon *daemon, evutil_socket_t fd, bool may_change,
	void (*closed)(void *context, struct rpc_connection *connection), void *context);
/* Close at once, without a call of closed(). */
void rpc_connection_free(struct rpc_connection *connection);

#endif
