/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarder XDP: the program of bpf/ in the kernel, on port 0. */
#ifndef SHUNT_FORWARDER_XDP_H
#define SHUNT_FORWARDER_XDP_H

#include <event2/event.h>

#include "forwarder.h"
#include "ports.h"
#include "xdp.h"

/*
 * Take over what is pinned for config->interface, or begin. It is up while that interface is there. ports: the
 * caller's, outlive it. sockets: whether shunt-dataplane may have AF_XDP sockets above. owner: copied; it hears
 * nothing before the loop runs. 0, or -errno and *error: xdp_open()'s.
 */
int forwarder_xdp_new(struct event_base *base, const struct config *config, struct ports *ports,
	bool sockets, const struct forwarder_owner *owner, struct forwarder **out, struct error *error);
/* The loader's end of it. forwarder: of kind FORWARDER_XDP. */
struct xdp *forwarder_xdp_loader(const struct forwarder *forwarder);

#endif
