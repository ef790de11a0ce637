/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The core's tables as BPF maps: what dataplane/core/tables.h is for ordinary memory. Sizes are the
 * smallest; whoever loads a program sets max_entries to what its snapshot needs. Every look-up can fail,
 * which the core expects.
 */
#ifndef SHUNT_TABLES_H
#define SHUNT_TABLES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow_table.h"
#include "snapshot.h"
#include "stats.h"
#include "types.h"

#define ARRAY_MAP(map_name, value_type)             \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_ARRAY);   \
		__uint(max_entries, 1);             \
		__type(key, __u32);                 \
		__type(value, value_type);          \
	} map_name SEC(".maps")

#define PERCPU_MAP(map_name, value_type)                  \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);  \
		__uint(max_entries, 1);                   \
		__type(key, __u32);                       \
		__type(value, value_type);                \
	} map_name SEC(".maps")

struct counters {
	__u64 counter[STATS_COUNTERS];
};

ARRAY_MAP(header, struct snapshot_header);
ARRAY_MAP(ports, struct snapshot_port);
ARRAY_MAP(vips, struct snapshot_vip);
ARRAY_MAP(backends, struct snapshot_backend);
ARRAY_MAP(slots, __u16);
ARRAY_MAP(buckets, struct flow_bucket);
ARRAY_MAP(active, __u32);
PERCPU_MAP(vip_stats, struct stats_traffic);
PERCPU_MAP(backend_stats, struct stats_traffic);
PERCPU_MAP(counters, struct counters);

const volatile __u32 n_buckets = 1;

struct tables {
	const struct snapshot_header *header;
	__u32 tick;
};

core_inline const struct snapshot_header *tables_header(const struct tables *t)
{
	return t->header;
}

core_inline const struct snapshot_port *tables_port(const struct tables *t, __u32 port)
{
	return bpf_map_lookup_elem(&ports, &port);
}

core_inline const struct snapshot_vip *tables_vip(const struct tables *t, __u32 index)
{
	return bpf_map_lookup_elem(&vips, &index);
}

core_inline const struct snapshot_backend *tables_backend(const struct tables *t, __u32 id)
{
	return bpf_map_lookup_elem(&backends, &id);
}

core_inline __u32 tables_slot(const struct tables *t, __u32 index)
{
	const __u16 *slot = bpf_map_lookup_elem(&slots, &index);

	return slot ? *slot : SNAPSHOT_NONE;
}

core_inline struct flow_bucket *tables_bucket(const struct tables *t, __u32 index)
{
	return bpf_map_lookup_elem(&buckets, &index);
}

core_inline __u32 tables_n_buckets(const struct tables *t)
{
	return n_buckets;
}

core_inline __u32 tables_tick(const struct tables *t)
{
	return t->tick;
}

core_inline __u32 tables_worker(const struct tables *t)
{
	return bpf_get_smp_processor_id();
}

core_inline __u32 tables_active(const struct tables *t, __u32 backend)
{
	const __u32 *n = bpf_map_lookup_elem(&active, &backend);

	return n ? *n : 0;
}

core_inline struct stats_traffic *tables_vip_stats(const struct tables *t, __u32 vip)
{
	return bpf_map_lookup_elem(&vip_stats, &vip);
}

core_inline struct stats_traffic *tables_backend_stats(const struct tables *t, __u32 backend)
{
	return bpf_map_lookup_elem(&backend_stats, &backend);
}

core_inline void tables_count(const struct tables *t, __u32 counter)
{
	__u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c && counter < STATS_COUNTERS)
		c->counter[counter]++;
}

#endif
