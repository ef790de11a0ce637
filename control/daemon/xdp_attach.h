/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's attachment to the interface: a bpf_link, pinned. One thread. */
#ifndef SHUNT_XDP_ATTACH_H
#define SHUNT_XDP_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "xdp_pin.h"

struct xdp_attachment {
	int link;	    /* descriptor; -1: none */
	unsigned int index; /* of the interface it was last seen on */
	bool native;
	char native_refused[128]; /* by the driver, in mode auto: why it is generic; else "" */
};

/*
 * Whether this program is on the interface of this index now, and how: 1 and *native; 0: it is not; -errno: that can't
 * be told now, for want of memory or descriptors. *foreign: id of another program that is there, 0 for none.
 */
int xdp_attach_look(unsigned int index, uint32_t program_id, bool *native, uint32_t *foreign);

/*
 * Attach a set's program to the interface of this index, and pin both. 0; or -errno and *error, with nothing
 * attached or left behind. A link that was there before, dead or on another interface, goes.
 */
int xdp_attach(struct xdp_attachment *a, const struct xdp_pins *pins, const struct xdp_set *set,
	unsigned int index, enum xdp_mode mode, struct error *error);

/*
 * Put the program of a set, which is pinned first, in the place of the one that is attached: in one step. 0;
 * -ENOLINK: nothing is attached any more; else -errno and *error, and all is as before.
 */
int xdp_attach_replace(
	struct xdp_attachment *a, const struct xdp_pins *pins, const struct xdp_set *set, struct error *error);

/* Take the program off and close the link. The pins are the caller's. 0 or -errno. */
int xdp_attach_off(struct xdp_attachment *a);

#endif
