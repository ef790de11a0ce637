/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pins in the BPF file system, in PIN_DIR/INTERFACE/:
 *
 *	link            the attachment; it tells its program's id
 *	set-ID/         that program ("program") and its maps, by name
 *	current         leads to the set in use,
 *	flows, xsks...  and these to its maps, for those who look for one by name
 *	allmulticast    leads nowhere: the index of the interface on which shunt has set that
 *
 * A link is pinned under another name and renamed, so that there is one at any moment; a set is pinned before its
 * program is used and removed when it no longer is, so that the one in use is there in full. What else a crash
 * leaves is in nobody's way. (Without set-ID/ a map could be found by its id, but that takes CAP_SYS_ADMIN.)
 */
#ifndef SHUNT_XDP_PIN_H
#define SHUNT_XDP_PIN_H

#include <limits.h>
#include <net/if.h>
#include <stdint.h>

#include "config.h"
#include "xdp_set.h"

#define XDP_PIN_PROGRAM "program"

struct xdp_pins {
	char interface[IFNAMSIZ];
	char root[PATH_MAX];   /* PIN_DIR */
	char folder[PATH_MAX]; /* PIN_DIR/INTERFACE */
	int lock;	       /* descriptor of the folder, locked; -1: none */
};

/* Names and folders; makes nothing. 0, or -EINVAL and *error. */
int xdp_pin_init(struct xdp_pins *pins, const char *root, const char *interface, struct error *error);

/*
 * Make the folder and lock it, which keeps another shuntd from it; again: does nothing. 0; or -errno and *error:
 * -ENOTSUP no BPF file system, -EBUSY another process has the lock.
 */
int xdp_pin_lock(struct xdp_pins *pins, struct error *error);
/* The same where there is a folder already, and nothing is made: -ENOENT if there is none. */
int xdp_pin_lock_there(struct xdp_pins *pins, struct error *error);
/* Unlock, and remove what folders are empty. */
void xdp_pin_unlock(struct xdp_pins *pins);

/* The pinned link: a descriptor, with its program's id and its interface's index (0: it is dead); or -errno. */
int xdp_pin_get_link(const struct xdp_pins *pins, uint32_t *program_id, unsigned int *index);
/* Pin this one, over one that is pinned. 0 or -errno. */
int xdp_pin_put_link(const struct xdp_pins *pins, int link);

/* Path of a pin in a set into path[PATH_MAX], which is returned. */
const char *xdp_pin_path(const struct xdp_pins *pins, uint32_t program_id, const char *name, char *path);
/* Pin all of a set. 0, or -errno and nothing of it left. */
int xdp_pin_put_set(const struct xdp_pins *pins, const struct xdp_set *set);
/* Remove its pins. */
void xdp_pin_drop_set(const struct xdp_pins *pins, uint32_t program_id);
/* "current", "flows" and so on lead to this set. 0 or -errno. */
int xdp_pin_name_set(const struct xdp_pins *pins, uint32_t program_id);

/*
 * Note the index of the interface that shunt has set allmulticast on, and 0 that there is none. 0 or -errno. And
 * that index: 0 if there is none.
 */
int xdp_pin_mark_multicast(const struct xdp_pins *pins, unsigned int index);
unsigned int xdp_pin_marked_multicast(const struct xdp_pins *pins);

/* Remove all but the link, the mark and this set (0: the mark and all sets). */
void xdp_pin_clean(const struct xdp_pins *pins, uint32_t keep_program_id);
/* Remove everything in the folder. */
void xdp_pin_remove(const struct xdp_pins *pins);

#endif
