/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarder shunt-dataplane, behind its socket. */
#ifndef SHUNT_FORWARDER_DATAPLANE_H
#define SHUNT_FORWARDER_DATAPLANE_H

#include <event2/event.h>

#include "channel.h"
#include "forwarder.h"

/*
 * The dataplane on this socket is ours, and no other shuntd's, as long as *claim is open: it serves one at a time, the
 * newest. -1 there where the socket's folder is not there yet. 0; or -EBUSY or another -errno, and a line in *error.
 */
int forwarder_dataplane_claim(const char *socket_path, int *claim, struct error *error);

/* Connects to dpdk.socket from the loop, again and again where nobody is there. owner: copied. NULL: no memory. */
struct forwarder *forwarder_dataplane_new(struct event_base *base, const struct config *config,
	const struct forwarder_owner *owner);
/* Its greeting, or NULL while it is not up. forwarder: of kind FORWARDER_DATAPLANE. */
const struct channel_hello *forwarder_dataplane_hello(const struct forwarder *forwarder);

#endif
