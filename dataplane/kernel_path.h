/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel path: an interface of the kernel that gets all packets that are not for a VIP, and whose own
 * frames go out by the port. A thread of its own carries them between the kernel and rings, so that
 * workers make no system call. Main thread, unless said otherwise.
 */
#ifndef SHUNT_KERNEL_PATH_H
#define SHUNT_KERNEL_PATH_H

#include <rte_ring.h>

#include "ports.h"
#include "stats.h"

struct kernel_path;

/*
 * Make the interface, or take over the one that an earlier process left, and give it the port's MAC and
 * MTU; up, addresses and routes untouched. Returns NULL with a line logged on error.
 */
struct kernel_path *kernel_path_open(const char *interface, const struct port *port, unsigned int workers);

/* Carry frames from now on. Returns 0, or -1 with a line logged. */
int kernel_path_start(struct kernel_path *k);

/*
 * Stop carrying, free the frames in the rings and close the interface, which stays. Workers have stopped;
 * the port is still open, for frames of its pool may be among them. k may be NULL.
 */
void kernel_path_stop(struct kernel_path *k);

/* Free the rest. The port is closed, for it may have held frames of the kernel's. k may be NULL. */
void kernel_path_close(struct kernel_path *k);

/* The rings: single producer the worker of that index; single consumer worker 0. k may be NULL. */
struct rte_ring *kernel_path_to_kernel(const struct kernel_path *k, unsigned int worker);
struct rte_ring *kernel_path_from_kernel(const struct kernel_path *k);

#endif
