/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the kernel would send a packet. */
#ifndef SHUNT_WAY_H
#define SHUNT_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

struct way {
	struct addr gateway;
	bool has_gateway;
	unsigned int oif; /* index of the interface; 0: none */
	uint8_t type;     /* RTN_* */
};

/* Ask for a packet to destination with this mark (0: none). 0 and *way, or -errno and *way zeroed. */
int way_ask(struct netlink *netlink, struct addr destination, uint32_t mark, struct way *way);

#endif
