/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads the program that is built into shuntd, with maps of the right sizes. One thread. */
#ifndef SHUNT_XDP_LOAD_H
#define SHUNT_XDP_LOAD_H

#include "config.h"
#include "xdp_set.h"

/* Which program that is: sizeof(xdp_control.build_id) bytes, others for any other. */
const __u8 *xdp_load_build_id(void);

/* What a checked snapshot needs. mtu: of the interface, 0 if unknown; queues: of AF_XDP sockets. */
struct xdp_wants xdp_load_wants(const struct snapshot_header *snapshot, uint32_t mtu, uint32_t queues);

/*
 * Load the program with new maps, but for those of old (may be NULL) that can be used on: flows, counters,
 * sockets. A table of another capacity becomes the elder one. No snapshot is in force in the new set. NULL:
 * *result is -errno and *error says why.
 */
struct xdp_set *xdp_load(
	const struct xdp_wants *wants, const struct xdp_set *old, int *result, struct error *error);

#endif
