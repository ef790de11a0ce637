/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: one thread on one core that receives from its queue of the port, forwards, answers, hands to
 * the kernel and drops. On a packet's way it allocates nothing, takes no lock, logs nothing and makes no
 * system call, but for those that it takes to send from an AF_XDP socket.
 */
#ifndef SHUNT_WORKER_H
#define SHUNT_WORKER_H

#include <rte_rcu_qsbr.h>
#include <rte_ring.h>
#include <stdbool.h>

#include "generation.h"
#include "ports.h"
#include "stats.h"

/* What the main thread tells all workers. */
struct worker_shared {
	struct generation *generation; /* main: rw (release), workers: ro (acquire), under RCU */
	__u32 tick;		       /* main: rw, workers: ro */
	bool stop;		       /* main: rw, workers: ro */
	bool idle_sleep;
	struct rte_rcu_qsbr *qsbr; /* a reader for each worker, by index */
	const struct port *ports;
	unsigned int n_ports;
	unsigned int n_workers;
};

struct worker {
	struct worker_shared *shared;
	unsigned int index; /* its queue on every port, its reader id, and one less than its lcore */
	unsigned int cpu;
	struct stats_worker *stats;
	struct rte_ring *to_kernel;   /* single producer: this worker; NULL: there is no kernel path */
	struct rte_ring *from_kernel; /* worker 0: single consumer; frames to put on port 0; else NULL */
};

/* Start the worker on its lcore. Main thread. Returns 0, or -1 with a line logged. */
int worker_start(struct worker *w);

/* Wait for its end, after shared->stop has been set. Main thread. */
void worker_join(struct worker *w);

#endif
