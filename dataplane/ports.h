/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port: a device of DPDK's or the AF_XDP sockets of an interface; found, configured with a queue for each
 * worker, watched. Main thread, unless said otherwise.
 */
#ifndef SHUNT_PORTS_H
#define SHUNT_PORTS_H

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "afxdp.h"
#include "settings.h"
#include "stats.h"
#include "types.h"

struct port {
	struct afxdp *afxdp; /* NULL: it is a device of DPDK's */
	uint16_t id;	     /* DPDK's, then */
	uint16_t queues;     /* receive and transmit queues, one of each for a worker */
	uint16_t mtu;
	struct mac mac;
	char name[RTE_ETH_NAME_MAX_LEN];
	char driver[32];
	bool virtual; /* no hardware behind it */
	bool started;
	bool gone;   /* the interface that the AF_XDP sockets were on is no more */
	int link_up; /* as last logged; -1: not yet */
	struct rte_mempool *pool;
};

/* Bytes of memory that the port's buffers are going to take. */
uint64_t port_memory(const struct settings *s);

/*
 * Attach dpdk.port and configure it for at most workers queues; port->queues says how many it became.
 * Not started yet. Returns 0, or -1 with a line logged.
 */
int port_open(struct port *port, const struct settings *s, unsigned int workers);

/* Let packets in. Returns 0, or -1 with a line logged. */
int port_start(struct port *port);

/* Stop and free; workers have stopped, their packets are freed. */
void port_close(struct port *port);

/* Fill in what doesn't change, then link state and losses; log a change of link state. */
void port_describe(const struct port *port, struct stats_port *to);
void port_watch(struct port *port, struct stats_port *to);

/* The calling thread is the queue's worker from now on. Before its first burst. */
static inline void port_serve(const struct port *port, unsigned int queue)
{
	if (port->afxdp)
		afxdp_serve(port->afxdp, queue);
}

/*
 * One burst from, or to, a queue of the port: rte_eth_rx_burst() and rte_eth_tx_burst(), or the AF_XDP socket's.
 * The queue's worker only. Return how many packets.
 */
static inline unsigned int port_receive(
	const struct port *port, unsigned int queue, struct rte_mbuf **m, unsigned int n)
{
	if (unlikely(port->afxdp))
		return afxdp_receive(port->afxdp, queue, m, n);
	return rte_eth_rx_burst(port->id, (uint16_t)queue, m, (uint16_t)n);
}

static inline unsigned int port_transmit(
	const struct port *port, unsigned int queue, struct rte_mbuf **m, unsigned int n)
{
	if (unlikely(port->afxdp))
		return afxdp_transmit(port->afxdp, queue, m, n);
	return rte_eth_tx_burst(port->id, (uint16_t)queue, m, (uint16_t)n);
}

#endif
