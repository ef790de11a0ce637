/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the model to the flat block a forwarder works from (core/snapshot.h). Slot tables are kept in the
 * pools and built anew only where a pool's slots_dirty says so, or the hash key is another. One thread,
 * the model's.
 */
#ifndef SHUNT_SNAPSHOT_BUILD_H
#define SHUNT_SNAPSHOT_BUILD_H

#include "config.h"
#include "model.h"
#include "snapshot.h"

struct snapshot_builder;

/* What a snapshot holds besides the model. */
struct snapshot_inputs {
	uint64_t version;
	uint64_t hash_key[2];
	uint64_t flow_capacity;
	uint32_t timeout_s[FLOW_STATE_COUNT];
	uint32_t echo_rate; /* pings a second that a worker answers; 0: all */
	uint32_t echo_burst;
	uint32_t n_ports; /* 1..SNAPSHOT_MAX_PORTS: above every backend's port */
	struct mac port_mac[SNAPSHOT_MAX_PORTS];
};

/* A finished block: a sealed memfd and a read-only mapping of it. */
struct snapshot_block {
	int fd;
	const void *data;
	uint64_t size;
};

struct snapshot_builder *snapshot_builder_new(void); /* NULL: no memory */
void snapshot_builder_free(struct snapshot_builder *builder);

/*
 * Build, check with snapshot_check() and seal. 0 and *block, to be given back with snapshot_block_close(); or
 * -errno and a line in *error.
 */
int snapshot_build(struct snapshot_builder *builder, struct model *model, const struct snapshot_inputs *inputs,
	struct snapshot_block *block, struct error *error);
void snapshot_block_close(struct snapshot_block *block); /* again and on a zeroed one: does nothing */

#endif
