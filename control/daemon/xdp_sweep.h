/* SPDX-License-Identifier: BSD-3-Clause */
/* Sweeps of the XDP program's tables of flows and fragments (core/sweep.h), about one a second. One thread. */
#ifndef SHUNT_XDP_SWEEP_H
#define SHUNT_XDP_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sweep.h"
#include "xdp_set.h"

struct xdp_sweep {
	struct sweep sweep;
	bool under_way;
	bool elder_empty;  /* the last whole sweep found no flow in the elder table */
	uint64_t begun_ns; /* of the sweep under way, or of the last */
	uint64_t next_ns;  /* no slice before then */
	/* Each CPU's half-open flows opened less closed, by VIP, when the sweep began: of those that see packets.
	 */
	uint64_t *changed; /* n_vips of each, owned: xdp_sweep_fini() */
	uint32_t n_vips, n_cpus;
	uint16_t cpu[XDP_MAX_CPUS]; /* which those n_cpus are */
	size_t room;		    /* numbers that changed has room for */
};

void xdp_sweep_fini(struct xdp_sweep *s);

/* The tables are others: forget a sweep under way. */
void xdp_sweep_restart(struct xdp_sweep *s);
/*
 * Sweep for some milliseconds if it is time; at a sweep's end write its counts into stats, and what the program
 * goes by into the set's maps. set: with a snapshot and flows, else nothing is done.
 */
void xdp_sweep_run(struct xdp_sweep *s, struct xdp_set *set, struct stats_header *stats);

#endif
