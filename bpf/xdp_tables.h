/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The core's tables as BPF maps: what dataplane/core/tables.h is for ordinary memory. Every look-up may
 * fail for the verifier, which the core expects. Sizes are the smallest; shuntd sets max_entries and the
 * constants before it loads the program.
 */
#ifndef SHUNT_TABLES_H
#define SHUNT_TABLES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shunt_xdp.h"

#define SHARED_ARRAY(map_name, value_type)                                                                        \
	struct {                                                                                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                 \
		__uint(map_flags, BPF_F_MMAPABLE);                                                                \
		__uint(max_entries, 1);                                                                           \
		__type(key, __u32);                                                                               \
		__type(value, value_type);                                                                        \
	} map_name SEC(".maps")

SHARED_ARRAY(snapshot, struct xdp_line);
SHARED_ARRAY(flows, struct flow_bucket);
SHARED_ARRAY(elder, struct flow_bucket);
SHARED_ARRAY(vip_stats, struct stats_traffic);
SHARED_ARRAY(backend_stats, struct stats_traffic);
SHARED_ARRAY(handshakes, struct stats_handshakes);
SHARED_ARRAY(guard, struct stats_guard);
SHARED_ARRAY(rules, __u64);
SHARED_ARRAY(active, __u32);
SHARED_ARRAY(fragments, struct fragment_bucket);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SOURCE_BUCKETS);
	__type(key, __u32);
	__type(value, struct source_bucket);
} sources SEC(".maps");

struct xdp_control control SEC(".data.control") = { .in_force = XDP_NO_SNAPSHOT };
struct xdp_cpu cpus[XDP_MAX_CPUS];

const volatile struct xdp_sizes sizes = { .ids = 1, .rules = 1, .n_cpus = 1, .n_fragment_buckets = 1 };

/* What a packet works with: looked up once at its beginning. */
struct tables {
	const struct xdp_half *half;
	struct xdp_cpu *cpu;
	__u32 worker; /* the CPU */
	__u32 row;    /* of its traffic counters */
	__u32 number; /* of half */
	__u32 tick;
};

core_inline const struct xdp_line *tables_line(__u32 line)
{
	return bpf_map_lookup_elem(&snapshot, &line);
}

core_inline const struct snapshot_header *tables_header(const struct tables *t)
{
	return &t->half->header;
}

core_inline const struct snapshot_port *tables_port(const struct tables *t, __u32 port)
{
	return &t->half->port[port & (SNAPSHOT_MAX_PORTS - 1)];
}

core_inline const struct snapshot_vip *tables_vip(const struct tables *t, __u32 index)
{
	const struct xdp_line *line = tables_line(t->half->vips_line + index / 2);

	return line ? (const struct snapshot_vip *)line + (index & 1) : (void *)0;
}

core_inline const struct snapshot_backend *tables_backend(const struct tables *t, __u32 id)
{
	const struct xdp_line *line;

	if (id >= t->half->header.n_backends)
		return (void *)0;
	line = tables_line(t->half->backends_line + id / 2);
	return line ? (const struct snapshot_backend *)line + (id & 1) : (void *)0;
}

core_inline __u32 tables_slot(const struct tables *t, __u32 index)
{
	const struct xdp_line *line = tables_line(t->half->slots_line + index / 32);

	return line ? ((const __u16 *)line)[index & 31] : SNAPSHOT_NONE;
}

core_inline struct flow_bucket *tables_bucket(const struct tables *t, __u32 index)
{
	index += XDP_FLOW_HEADER_LINES;
	return bpf_map_lookup_elem(&flows, &index);
}

core_inline __u32 tables_n_buckets(const struct tables *t)
{
	return sizes.n_buckets;
}

core_inline __u32 tables_n_elder_buckets(const struct tables *t)
{
	return sizes.n_elder_buckets;
}

core_inline struct flow_bucket *tables_elder_bucket(const struct tables *t, __u32 index)
{
	index += XDP_FLOW_HEADER_LINES;
	return bpf_map_lookup_elem(&elder, &index);
}

core_inline struct fragment_bucket *tables_fragment_bucket(const struct tables *t, __u32 index)
{
	return bpf_map_lookup_elem(&fragments, &index);
}

core_inline __u32 tables_n_fragment_buckets(const struct tables *t)
{
	return sizes.n_fragment_buckets;
}

core_inline __u32 tables_tick(const struct tables *t)
{
	return t->tick;
}

/* For rates alone: the clock is asked. */
core_inline __u32 tables_now(const struct tables *t)
{
	(void)t;
	return (__u32)(bpf_ktime_get_ns() >> GUARD_TIME_SHIFT);
}

core_inline struct source_bucket *tables_sources(const struct tables *t, __u32 index)
{
	(void)t;
	return bpf_map_lookup_elem(&sources, &index);
}

core_inline __u32 *tables_echo_due(const struct tables *t)
{
	return &t->cpu->echo_due;
}

core_inline const struct snapshot_policy *tables_policy(const struct tables *t, __u32 vip)
{
	const struct xdp_line *line;

	if (vip >= t->half->header.n_policies)
		return (void *)0;
	line = tables_line(t->half->policies_line + vip / 2);
	return line ? (const struct snapshot_policy *)line + (vip & 1) : (void *)0;
}

core_inline const struct snapshot_access *tables_access(const struct tables *t, __u32 list)
{
	if (list >= t->half->header.n_access)
		return (void *)0;
	return (const struct snapshot_access *)tables_line(t->half->access_line + list);
}

core_inline const __u32 *tables_access_line(const struct tables *t, __u32 index)
{
	return (const __u32 *)tables_line(t->half->access_words_line + index / 16);
}

core_inline __u32 tables_worker(const struct tables *t)
{
	return t->worker;
}

core_inline __u32 tables_workers(const struct tables *t)
{
	__u32 n = *(volatile const __u32 *)&control.n_workers;

	(void)t;
	return n ? n : 1;
}

core_inline __u64 tables_received(const struct tables *t)
{
	return t->cpu->received;
}

core_inline __u32 tables_active(const struct tables *t, __u32 backend)
{
	const __u32 *n = bpf_map_lookup_elem(&active, &backend);

	return n ? *n : 0;
}

core_inline struct stats_traffic *tables_vip_stats(const struct tables *t, __u32 vip)
{
	__u32 index = t->row + vip;

	return bpf_map_lookup_elem(&vip_stats, &index);
}

core_inline struct stats_traffic *tables_backend_stats(const struct tables *t, __u32 backend)
{
	__u32 index = t->row + backend;

	return bpf_map_lookup_elem(&backend_stats, &index);
}

core_inline struct stats_guard *tables_guard(const struct tables *t, __u32 vip)
{
	__u32 index = t->row + vip;

	/* A displaced word may have come from a table of programs before, with more ids. */
	return vip < sizes.ids ? bpf_map_lookup_elem(&guard, &index) : (void *)0;
}

/*
 * Only noted here, without a branch that would double the ways through what follows; counted when the flow's packet
 * is done with. A packet changes three words at the most.
 */
core_inline void tables_half_open(const struct tables *t, __u32 closed, __u32 opened)
{
	t->cpu->change[t->cpu->n_changes++ & (XDP_CHANGES - 1)] = closed | opened << 16;
}

core_inline struct stats_handshakes *tables_handshakes(const struct tables *t, __u32 backend)
{
	__u32 index = t->row + backend;

	return bpf_map_lookup_elem(&handshakes, &index);
}

core_inline __u64 *tables_rule(const struct tables *t, __u32 rule)
{
	__u32 index = t->worker * sizes.rules + rule;

	return bpf_map_lookup_elem(&rules, &index);
}

core_inline void tables_count(const struct tables *t, __u32 counter)
{
	t->cpu->counter[counter & (STATS_COUNTERS - 1)]++;
}

/*
 * The present tick. The clock is asked once a jiffy and CPU, as asking costs as much as a look-up; bpf_jiffies64()
 * is one load.
 */
core_inline __u32 tables_clock(struct xdp_cpu *cpu)
{
	__u64 jiffies = bpf_jiffies64();

	if (core_unlikely(cpu->jiffies != jiffies)) {
		cpu->tick = flow_tick(bpf_ktime_get_coarse_ns() / 1000000000);
		cpu->jiffies = jiffies;
	}
	return cpu->tick;
}

/* The snapshot in this half, for a packet that has it in use already. For what counts nothing: no worker. */
core_inline void tables_open_snapshot(struct tables *t, __u32 in_force)
{
	__u32 half = in_force;

	/* Keep the compiler from leaving out the mask, by which the verifier knows the bound. */
	__asm__ volatile("" : "+r"(half));
	t->number = half & 1;
	t->half = &control.half[t->number];
}

/* The worker's own: for all that counts. */
core_inline void tables_open_worker(struct tables *t)
{
	t->worker = bpf_get_smp_processor_id() & (XDP_MAX_CPUS - 1);
	t->cpu = &cpus[t->worker];
	t->row = t->worker * sizes.ids;
}

/* Returns 0, or -1 if there is no snapshot: then t is good for counting alone. */
core_inline int tables_open(struct tables *t)
{
	__u32 in_force = *(volatile const __u32 *)&control.in_force;

	tables_open_worker(t);
	tables_open_snapshot(t, in_force);
	t->tick = tables_clock(t->cpu);
	return core_likely(in_force < XDP_NO_SNAPSHOT) ? 0 : -1;
}

#endif
