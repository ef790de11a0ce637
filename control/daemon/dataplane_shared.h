/* SPDX-License-Identifier: BSD-3-Clause */
/* What shunt-dataplane shares: read-only mappings of its statistics segment and flow table, checked. */
#ifndef SHUNT_DATAPLANE_SHARED_H
#define SHUNT_DATAPLANE_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "flow_table.h"
#include "stats.h"

struct dataplane_stats {
	const struct stats_header *header; /* NULL: none */
	const struct stats_worker *workers;
	uint32_t n_workers;
	size_t size;
};

struct dataplane_flow_table {
	const struct flow_table_header *header; /* NULL: none */
	const struct flow_bucket *buckets;
	uint32_t n_buckets;
	size_t size;
};

/*
 * Map what the descriptor is of, and close it. What was mapped before is kept until then, and on error. Return
 * NULL, or what is wrong with it.
 */
const char *dataplane_stats_open(struct dataplane_stats *stats, int fd);
const char *dataplane_flow_table_open(struct dataplane_flow_table *table, int fd, uint64_t size);
void dataplane_stats_close(struct dataplane_stats *stats);
void dataplane_flow_table_close(struct dataplane_flow_table *table);

#endif
