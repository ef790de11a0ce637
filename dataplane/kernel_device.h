/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel path's thread needs of its interface: a TAP, or a virtio-user port on vhost-net. */
#ifndef SHUNT_KERNEL_DEVICE_H
#define SHUNT_KERNEL_DEVICE_H

#include <rte_mbuf.h>

#include "types.h"

struct kernel_device {
	/* Give n frames to the kernel and free them; what it does not take is lost, and for it to count. */
	void (*write)(struct kernel_device *d, struct rte_mbuf **m, unsigned int n);
	/* Fetch at most n of the kernel's frames, in buffers of the pool given at opening. Returns how many. */
	unsigned int (*read)(struct kernel_device *d, struct rte_mbuf **m, unsigned int n);
	/* Wait until the kernel has a frame or so many microseconds have passed. */
	void (*wait)(struct kernel_device *d, unsigned int us);
	void (*close)(struct kernel_device *d);
};

/*
 * Open either kind on the interface of this name, which is made if it isn't there and survives the
 * process. pool: for the kernel's frames; its buffers hold a whole one. NULL with a line logged on error;
 * with errno ENODEV and nothing logged from kernel_virtio_open() where the host has no vhost-net.
 * The TAP needs MAC and MTU for when somebody has deleted the interface and it makes it anew.
 */
struct kernel_device *kernel_tap_open(
	const char *interface, struct rte_mempool *pool, struct mac mac, unsigned int mtu);
struct kernel_device *kernel_virtio_open(const char *interface, struct rte_mempool *pool, struct mac mac);

/* Open /dev/net/tun as this interface, persistent, with these flags. Returns -1 with a line logged. */
int kernel_tap_attach(const char *interface, short flags);

/* Give the interface MAC and MTU and bring it up. Returns 0, or -1 with a line logged. */
int kernel_tap_configure(const char *interface, struct mac mac, unsigned int mtu);

#endif
