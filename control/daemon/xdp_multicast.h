/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Multicast on the XDP path's interface. Neighbour solicitations for an IPv6 VIP go to a group of its own (RFC
 * 4291, 2.7.1), which the kernel, that does not have the address, never joins; so the card would drop them.
 */
#ifndef SHUNT_XDP_MULTICAST_H
#define SHUNT_XDP_MULTICAST_H

#include <stdbool.h>

#include "xdp_pin.h"

/*
 * Have the interface of this index receive every group, as "ip link set ... allmulticast on" does: that stays when
 * shuntd ends, so a mark among the pins, which are locked, says that it was shunt's doing. Not wanted: no longer,
 * if there is such a mark; index is not looked at. Logs what it changes and what it can't; no more depends on it.
 */
void xdp_multicast_set(const struct xdp_pins *pins, unsigned int index, bool wanted);

#endif
