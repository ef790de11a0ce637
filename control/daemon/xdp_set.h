/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set: one program and its maps (bpf/shunt_xdp.h), the maps mapped into memory. Made by xdp_load.c, or opened
 * from its pins. One thread.
 */
#ifndef SHUNT_XDP_SET_H
#define SHUNT_XDP_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt_xdp.h"

struct xdp_pins;

enum xdp_map {
	XDP_MAP_CONTROL,
	XDP_MAP_CPUS,
	XDP_MAP_SNAPSHOT,
	XDP_MAP_FLOWS,
	XDP_MAP_ELDER,
	XDP_MAP_VIP_STATS,
	XDP_MAP_BACKEND_STATS,
	XDP_MAP_HANDSHAKES,
	XDP_MAP_GUARD,
	XDP_MAP_RULES,
	XDP_MAP_ACTIVE,
	XDP_MAP_FRAGMENTS,
	XDP_MAP_MAPPED, /* those above are mapped */
	XDP_MAP_OUT = XDP_MAP_MAPPED,
	XDP_MAP_HELD,
	XDP_MAP_XSKS,
	XDP_MAP_OWNERS,
	XDP_MAPS,
};

extern const char *const xdp_map_names[XDP_MAPS]; /* of their pins */

/* Descriptors: -1 for none. A set of another layout has control NULL, and at most its flow table to offer. */
struct xdp_set {
	int program;
	uint32_t program_id;
	int fd[XDP_MAPS];
	void *memory[XDP_MAP_MAPPED];
	uint64_t size[XDP_MAP_MAPPED];
	/* The same by types. */
	struct xdp_control *control;
	struct xdp_cpu *cpus;
	struct xdp_line *snapshot;
	struct flow_table_header *flows; /* NULL: none that can be used */
	struct flow_table_header *elder; /* NULL: none */
	struct stats_traffic *vip_stats; /* rows of sizes.ids: one a CPU, and one for what replaced maps counted */
	struct stats_traffic *backend_stats;
	struct stats_handshakes *handshakes; /* likewise */
	struct stats_guard *guard;
	__u64 *rules; /* rows of sizes.rules */
	uint32_t *active; /* of id at 2 * id: an entry takes 8 bytes */
	struct fragment_bucket *fragments;
	bool drained;	  /* no packet reads the half that is not in force */
	int want;	  /* -errno: something of it could not be opened for want of descriptors, memory or rights */
};

/* What a snapshot wants of a set, at the least. */
struct xdp_wants {
	uint32_t half_lines;
	uint32_t roomy_lines; /* what a new set is given, so that it need not be replaced soon */
	uint32_t ids;
	uint32_t rules;
	uint32_t n_cpus;
	uint32_t n_queues;
	bool frags;
	uint64_t capacity; /* flows */
	uint64_t key_check;
	bool without_elder; /* the elder table has no flow left */
};

struct xdp_set *xdp_set_new(void);	/* NULL: no memory */
void xdp_set_free(struct xdp_set *set); /* unmaps and closes; set may be NULL */

/* Put an empty flow table into the map flows, which is new. 0 or -errno. */
int xdp_set_format_flows(struct xdp_set *set, uint64_t capacity, uint64_t key_check);
/*
 * Map what has descriptors, judge it, and note it by type. 0; or -errno if it is not whole and of our layout: then
 * control stays NULL and only flows may be there.
 */
int xdp_set_map(struct xdp_set *set);
/* The set of this program as it is pinned, in whatever state. NULL: no memory. */
struct xdp_set *xdp_set_open(const struct xdp_pins *pins, uint32_t program_id);

/* Whether it can go on with these wants, or has to be replaced. */
bool xdp_set_fits(const struct xdp_set *set, const struct xdp_wants *wants);
struct flow_bucket *xdp_set_buckets(struct flow_table_header *header);
/* The snapshot in force, or NULL. */
const struct snapshot_header *xdp_set_snapshot(const struct xdp_set *set);

/*
 * Copy the block into the half that is not in force, put that in force and wait until no packet uses the other.
 * port_index: as of xdp_publish(). 0; or -errno and nothing changed.
 */
int xdp_set_publish(struct xdp_set *set, const struct snapshot_header *block, const unsigned int *port_index);

/*
 * If this set's traffic figures lack those of the program before it: add those of from, which no packet meets any
 * more (NULL: they are lost). Does the same thing when it is called again after a crash in it.
 */
void xdp_set_carry(struct xdp_set *set, const struct xdp_set *from);

#endif
