/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel path's thread and rings. Every ring has one producer and one consumer, so that neither this
 * thread, which may be preempted at any point, nor another worker can hold a worker up.
 */
#include "kernel_path.h"

#include <errno.h>
#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_device.h"
#include "log.h"

#define BURST 32
#define TO_KERNEL_SLOTS 1024 /* of each worker: 10 ms of what one thread can give to a TAP */
#define FROM_KERNEL_SLOTS 512
#define FROM_KERNEL_MBUFS 2047 /* in the ring, in the transmit queue, and those being filled */
#define BUSY_ROUNDS 200	       /* without work before the thread takes its time */
#define BUSY_WAIT_US 50
#define IDLE_WAIT_US 500

struct kernel_path {
	struct kernel_device *device;
	struct rte_mempool *pool; /* for the kernel's own frames: it can't take the workers' buffers away */
	struct rte_ring *to_kernel[STATS_MAX_WORKERS];
	struct rte_ring *from_kernel;
	unsigned int workers;
	bool stop; /* main: rw, thread: ro */
	bool running;
	pthread_t thread;
};

static unsigned int carry_to_kernel(struct kernel_path *k)
{
	struct rte_mbuf *m[BURST];
	unsigned int total = 0;

	for (unsigned int i = 0; i < k->workers; i++) {
		unsigned int n = rte_ring_sc_dequeue_burst(k->to_kernel[i], (void **)m, BURST, NULL);

		if (n)
			k->device->write(k->device, m, n);
		total += n;
	}
	return total;
}

/* Takes no more than there is room for: what has to wait waits in the interface's own queue. */
static unsigned int carry_from_kernel(struct kernel_path *k)
{
	unsigned int room = rte_ring_free_count(k->from_kernel), n;
	struct rte_mbuf *m[BURST];

	n = k->device->read(k->device, m, room < BURST ? room : BURST);
	if (n)
		rte_ring_sp_enqueue_bulk(k->from_kernel, (void **)m, n, NULL);
	return n;
}

/*
 * Workers can't wake this thread without a system call, so it looks at their rings of its own accord:
 * often while there is traffic, and twice a millisecond when there has been none for a while. What comes
 * from the kernel wakes it at once.
 */
static void *carry(void *argument)
{
	struct kernel_path *k = argument;
	unsigned int quiet = 0;

	while (!__atomic_load_n(&k->stop, __ATOMIC_RELAXED)) {
		unsigned int n = carry_to_kernel(k) + carry_from_kernel(k);

		if (n) {
			quiet = 0;
			continue;
		}
		if (quiet < BUSY_ROUNDS)
			quiet++;
		/* A full ring would end the wait at once, for the kernel has a frame that finds no room. */
		if (rte_ring_full(k->from_kernel))
			usleep(BUSY_WAIT_US);
		else
			k->device->wait(k->device, quiet < BUSY_ROUNDS ? BUSY_WAIT_US : IDLE_WAIT_US);
	}
	return NULL;
}

static int make_rings(struct kernel_path *k)
{
	unsigned int flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	char name[32];

	for (unsigned int i = 0; i < k->workers; i++) {
		snprintf(name, sizeof(name), "to_kernel_%u", i);
		k->to_kernel[i] = rte_ring_create(name, TO_KERNEL_SLOTS, SOCKET_ID_ANY, flags);
		if (!k->to_kernel[i])
			return -1;
	}
	k->from_kernel = rte_ring_create("from_kernel", FROM_KERNEL_SLOTS, SOCKET_ID_ANY, flags);
	return k->from_kernel ? 0 : -1;
}

/* The frame's room: header with two tags and the MTU, in whole cache lines. */
static uint16_t frame_room(const struct port *port)
{
	return (uint16_t)RTE_ALIGN_CEIL(RTE_PKTMBUF_HEADROOM + 22u + port->mtu, RTE_CACHE_LINE_SIZE);
}

struct kernel_path *kernel_path_open(const char *interface, const struct port *port, unsigned int workers)
{
	struct kernel_path *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->workers = workers;
	k->pool = rte_pktmbuf_pool_create_by_ops(
		"kernel", FROM_KERNEL_MBUFS, 0, 0, frame_room(port), SOCKET_ID_ANY, "ring_mt_rts");
	if (!k->pool || make_rings(k)) {
		log_error("no memory for the kernel path: %s", rte_strerror(rte_errno));
		goto fail;
	}
	k->device = kernel_virtio_open(interface, k->pool, port->mac);
	if (!k->device && errno == ENODEV)
		k->device = kernel_tap_open(interface, k->pool, port->mac, port->mtu);
	if (!k->device || kernel_tap_configure(interface, port->mac, port->mtu))
		goto fail;
	return k;

fail:
	kernel_path_close(k);
	return NULL;
}

int kernel_path_start(struct kernel_path *k)
{
	int error = rte_ctrl_thread_create(&k->thread, "shunt-kernel", NULL, carry, k);

	if (error) {
		log_error("the kernel path's thread does not start: %s", strerror(-error));
		return -1;
	}
	k->running = true;
	return 0;
}

static void drain(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (ring && !rte_ring_sc_dequeue(ring, (void **)&m))
		rte_pktmbuf_free(m);
}

void kernel_path_stop(struct kernel_path *k)
{
	if (!k)
		return;
	if (k->running) {
		__atomic_store_n(&k->stop, true, __ATOMIC_RELAXED);
		pthread_join(k->thread, NULL);
		k->running = false;
	}
	for (unsigned int i = 0; i < k->workers; i++)
		drain(k->to_kernel[i]);
	drain(k->from_kernel);
	if (k->device)
		k->device->close(k->device);
	k->device = NULL;
}

void kernel_path_close(struct kernel_path *k)
{
	if (!k)
		return;
	kernel_path_stop(k);
	for (unsigned int i = 0; i < k->workers; i++)
		rte_ring_free(k->to_kernel[i]);
	rte_ring_free(k->from_kernel);
	rte_mempool_free(k->pool);
	free(k);
}

struct rte_ring *kernel_path_to_kernel(const struct kernel_path *k, unsigned int worker)
{
	return k ? k->to_kernel[worker] : NULL;
}

struct rte_ring *kernel_path_from_kernel(const struct kernel_path *k)
{
	return k ? k->from_kernel : NULL;
}
