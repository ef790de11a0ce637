/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operators' socket: a Unix stream socket on which anyone who can connect may read, and root and the
 * members of control.group may change. JSON-RPC 2.0, one message a line.
 */
#ifndef SHUNT_RPC_H
#define SHUNT_RPC_H

#include "config.h"
#include "daemon.h"

struct rpc_server;

/*
 * Whether the path may be listened on: -EADDRINUSE and a line in *error if a live process does already, or
 * something that is not a socket is there. To be asked before anything of the system is touched.
 */
int rpc_check_path(const char *path, struct error *error);

/*
 * Listen on path, mode 0660 and of the group (one that does not exist is a warning: then only root may change).
 * A socket that nobody listens on any more is replaced; the directory is made if it is not there. 0 and *out, or
 * -errno and a line in *error.
 */
int rpc_open(struct daemon *daemon, const char *path, const char *group, struct rpc_server **out,
	struct error *error);
/* Close every connection and remove the socket. */
void rpc_close(struct rpc_server *server);

#endif
