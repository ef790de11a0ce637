/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel path over a virtio-user port: vhost-net copies the frames, many a system call. Used where the
 * host has /dev/vhost-net. The TAP behind it is the same kind of interface that kernel_tap.c makes, only
 * with a header before each frame.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "eal.h"
#include "kernel_device.h"
#include "log.h"

#define VHOST_NET "/dev/vhost-net"
#define NAME "virtio_user0"
#define DESCRIPTORS 1024
#define POLL_US 50 /* the port is polled: an interrupt would cost what it saves */

struct virtio {
	struct kernel_device device;
	uint16_t port;
};

static void virtio_write(struct kernel_device *d, struct rte_mbuf **m, unsigned int n)
{
	unsigned int sent = rte_eth_tx_burst(((struct virtio *)d)->port, 0, m, (uint16_t)n);

	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
}

static unsigned int virtio_read(struct kernel_device *d, struct rte_mbuf **m, unsigned int n)
{
	return rte_eth_rx_burst(((struct virtio *)d)->port, 0, m, (uint16_t)n);
}

static void virtio_wait(struct kernel_device *d, unsigned int us)
{
	const struct timespec nap = { .tv_nsec = (us < POLL_US ? us : POLL_US) * 1000l };

	nanosleep(&nap, NULL);
}

static void virtio_close(struct kernel_device *d)
{
	struct virtio *v = (struct virtio *)d;

	eal_hush_begin();
	rte_eth_dev_stop(v->port);
	rte_eth_dev_close(v->port);
	eal_hush_end();
	free(v);
}

static int start(struct virtio *v, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	int error;

	error = rte_eth_dev_get_port_by_name(NAME, &v->port);
	if (error)
		return error;
	error = rte_eth_dev_configure(v->port, 1, 1, &conf);
	if (error)
		return error;
	error = rte_eth_dev_adjust_nb_rx_tx_desc(v->port, &rx, &tx);
	if (error)
		return error;
	error = rte_eth_rx_queue_setup(v->port, 0, rx, (unsigned int)SOCKET_ID_ANY, NULL, pool);
	if (error)
		return error;
	error = rte_eth_tx_queue_setup(v->port, 0, tx, (unsigned int)SOCKET_ID_ANY, NULL);
	return error ? error : rte_eth_dev_start(v->port);
}

struct kernel_device *kernel_virtio_open(const char *interface, struct rte_mempool *pool, struct mac mac)
{
	struct virtio *v;
	char args[256];
	int fd, error;

	if (access(VHOST_NET, R_OK | W_OK)) {
		errno = ENODEV;
		return NULL;
	}
	/* Made persistent first; virtio-user only opens it. */
	fd = kernel_tap_attach(interface, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	if (fd < 0)
		return NULL;
	close(fd);
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->device = (struct kernel_device){ virtio_write, virtio_read, virtio_wait, virtio_close };
	snprintf(args, sizeof(args),
		"path=" VHOST_NET ",queues=1,queue_size=%d,iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x",
		DESCRIPTORS, interface, mac.byte[0], mac.byte[1], mac.byte[2], mac.byte[3], mac.byte[4],
		mac.byte[5]);
	eal_hush_begin();
	error = rte_eal_hotplug_add("vdev", NAME, args);
	if (!error) {
		error = start(v, pool);
		if (error)
			rte_eal_hotplug_remove("vdev", NAME);
	}
	eal_hush_end();
	if (!error)
		return &v->device;
	log_warning("dpdk.kernel_interface: no virtio-user on " VHOST_NET " (%s): %s is an ordinary TAP",
		*eal_complaint() ? eal_complaint() : strerror(-error), interface);
	free(v);
	errno = ENODEV;
	return NULL;
}
