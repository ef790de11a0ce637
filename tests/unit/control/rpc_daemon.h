/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon of the parts that serve operators, without network and without forwarder, for the unit tests
 * and the fuzzer of the operators' socket. Two pools, web (10.0.0.11, 10.0.0.12) and dns (2001:db8:a::11), and a
 * VIP for each.
 */
#ifndef SHUNT_RPC_DAEMON_H
#define SHUNT_RPC_DAEMON_H

#include "daemon.h"

/* Its state is in a new directory under the temporary one. Aborts when that can't be had. */
struct daemon *rpc_daemon_new(void);
/* Make the running set what it was at first. */
void rpc_daemon_reset(struct daemon *daemon);
/* Removes the directory, too. */
void rpc_daemon_free(struct daemon *daemon);

/* Run what is ready, without waiting, a few times over: what is begun within them goes on in the next. */
void rpc_daemon_turn(struct daemon *daemon);

#endif
