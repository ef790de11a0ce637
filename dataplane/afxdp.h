/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_XDP sockets on an interface that stays with the kernel, one for each worker, bound to the receive queue
 * of the worker's number. They get only what shuntd's XDP program on the interface redirects to them: frames
 * to VIPs. Why not DPDK's own AF_XDP driver: see afxdp.c.
 */
#ifndef SHUNT_AFXDP_H
#define SHUNT_AFXDP_H

#include <rte_mbuf.h>
#include <stdbool.h>

#include "settings.h"
#include "types.h"

struct afxdp;

/* Bytes of memory that the sockets' packet buffers are going to take. */
uint64_t afxdp_memory(const struct settings *s);

/*
 * Sockets on interface s->afxdp, for at most workers queues, with a pool of packet buffers that the kernel
 * shares. Nothing arrives before afxdp_join(). Main thread. Returns NULL with a line logged on error.
 */
struct afxdp *afxdp_open(const struct settings *s, unsigned int workers);

/* Close the sockets and free the buffers; workers have stopped, their packets are freed. a may be NULL. */
void afxdp_close(struct afxdp *a);

unsigned int afxdp_queues(const struct afxdp *a);
struct rte_mempool *afxdp_pool(const struct afxdp *a);

/* As the interface is now. Main thread. Return 0, or -1 with errno. */
int afxdp_mac(const struct afxdp *a, struct mac *mac);
int afxdp_mtu(const struct afxdp *a, uint16_t *mtu);

/* Whether the interface has a carrier. -1: the interface that the sockets are on is gone. Main thread. */
int afxdp_link(const struct afxdp *a);

/* Add up what the kernel could not hand over, for want of room in a ring or of buffers. Main thread. */
uint64_t afxdp_missed(const struct afxdp *a);

/* The calling thread is the queue's worker from now on. To be called once, before its first burst. */
void afxdp_serve(struct afxdp *a, unsigned int queue);

/*
 * Put the sockets into the program's map of sockets, and those who serve them into its map of owners
 * (bpf/shunt_xdp.h), from where on frames come to them. Main thread. Returns 0, or -1 with errno and none of them
 * in the map: EAGAIN if not all workers have begun.
 */
int afxdp_join(struct afxdp *a, int xsks, int owners);

/*
 * Take them out again: runs of the program that begin from here on forward by themselves; those under way may still
 * give the sockets frames. Main thread.
 */
void afxdp_leave(struct afxdp *a, int xsks);

/*
 * Whether the workers have nothing left to receive, and with sent set the kernel nothing to send. Between the
 * two questions each worker has to go through its loop once. Main thread.
 */
bool afxdp_is_drained(const struct afxdp *a, bool sent);

/*
 * One burst of at most n frames from, or to, the queue's socket. As rte_eth_rx_burst() and
 * rte_eth_tx_burst(): returns how many; those received are the caller's, those sent no more. The queue's
 * worker only. m: of afxdp_pool(), in one piece.
 */
unsigned int afxdp_receive(struct afxdp *a, unsigned int queue, struct rte_mbuf **m, unsigned int n);
unsigned int afxdp_transmit(struct afxdp *a, unsigned int queue, struct rte_mbuf **m, unsigned int n);

#endif
