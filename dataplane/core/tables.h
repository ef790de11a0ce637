/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables as ordinary memory: how every body but the XDP program gives the core its snapshot, flow
 * table and counters. Another body defines struct tables and the same tables_*() functions and
 * SHUNT_TABLES_H before it includes the rest of the core. An accessor may return NULL (for BPF a map
 * look-up can fail); here it returns NULL only for an id that the tables don't have.
 */
#ifndef SHUNT_TABLES_H
#define SHUNT_TABLES_H

#include "flow_table.h"
#include "fragment_table.h"
#include "snapshot.h"
#include "source_table.h"
#include "stats.h"
#include "types.h"

struct tables {
	/* One validated snapshot; NULL header: none yet, all goes to the kernel. */
	const struct snapshot_header *header;
	const struct snapshot_port *ports;
	const struct snapshot_vip *vips;
	const struct snapshot_backend *backends;
	const __u16 *slots;
	const struct snapshot_policy *policies;
	const struct snapshot_access *access;
	const __u32 *access_words;
	/* The flow table; n_buckets 0: none. */
	struct flow_bucket *buckets;
	__u32 n_buckets;
	__u32 tick;          /* now, flow_tick() */
	__u32 now;	     /* the same in units of 1 << GUARD_TIME_SHIFT ns, for rates; it wraps */
	/* This worker's own counters, and what the sweeper counted. */
	struct stats_worker *stats;
	const __u32 *active; /* stats_header.active */
	__u32 worker;        /* index: sets the workers' round-robin cursors apart */
	/* The table that was in use before, of another capacity, as long as it has flows; n_elder_buckets 0: none. */
	__u32 n_elder_buckets;
	struct flow_bucket *elder_buckets;
	/* Datagrams whose first fragment has come (fragments.h); n_fragment_buckets 0: all later ones wait in vain. */
	__u32 n_fragment_buckets;
	struct fragment_bucket *fragments;
	/* Sources that began flows lately (sources.h), SOURCE_BUCKETS; NULL: no source is limited. */
	struct source_bucket *sources;
	__u32 n_workers; /* at work on the flow table; 0 is 1 */
};

core_inline const struct snapshot_header *tables_header(const struct tables *t)
{
	return t->header;
}

core_inline const struct snapshot_port *tables_port(const struct tables *t, __u32 port)
{
	return port < t->header->n_ports ? &t->ports[port] : (void *)0;
}

/* index: below header->vip_index_size. */
core_inline const struct snapshot_vip *tables_vip(const struct tables *t, __u32 index)
{
	return &t->vips[index];
}

core_inline const struct snapshot_backend *tables_backend(const struct tables *t, __u32 id)
{
	return id < t->header->n_backends ? &t->backends[id] : (void *)0;
}

/* index: below header->n_slots. */
core_inline __u32 tables_slot(const struct tables *t, __u32 index)
{
	return t->slots[index];
}

/* index: below n_buckets. */
core_inline struct flow_bucket *tables_bucket(const struct tables *t, __u32 index)
{
	return &t->buckets[index];
}

core_inline __u32 tables_n_buckets(const struct tables *t)
{
	return t->n_buckets;
}

/* index: below n_elder_buckets. */
core_inline struct flow_bucket *tables_elder_bucket(const struct tables *t, __u32 index)
{
	return &t->elder_buckets[index];
}

core_inline __u32 tables_n_elder_buckets(const struct tables *t)
{
	return t->n_elder_buckets;
}

/* index: below n_fragment_buckets. */
core_inline struct fragment_bucket *tables_fragment_bucket(const struct tables *t, __u32 index)
{
	return &t->fragments[index];
}

core_inline __u32 tables_n_fragment_buckets(const struct tables *t)
{
	return t->n_fragment_buckets;
}

core_inline __u32 tables_tick(const struct tables *t)
{
	return t->tick;
}

core_inline __u32 tables_now(const struct tables *t)
{
	return t->now;
}

/* index: below SOURCE_BUCKETS. */
core_inline struct source_bucket *tables_sources(const struct tables *t, __u32 index)
{
	return t->sources ? &t->sources[index] : (void *)0;
}

/* When this worker's next answer to a ping is due (rate.h). */
core_inline __u32 *tables_echo_due(const struct tables *t)
{
	return &t->stats->echo_due;
}

/* What a VIP lets in; NULL: it has no policy, everything. */
core_inline const struct snapshot_policy *tables_policy(const struct tables *t, __u32 vip)
{
	return vip < t->header->n_policies ? &t->policies[vip] : (void *)0;
}

core_inline const struct snapshot_access *tables_access(const struct tables *t, __u32 list)
{
	return list < t->header->n_access ? &t->access[list] : (void *)0;
}

/* The 64 bytes of the access words in which that one is: index below header->n_access_words. */
core_inline const __u32 *tables_access_line(const struct tables *t, __u32 index)
{
	return t->access_words + (index & ~15u);
}

core_inline __u32 tables_worker(const struct tables *t)
{
	return t->worker;
}

/* Workers that share what VIPs may have; 1 or more. */
core_inline __u32 tables_workers(const struct tables *t)
{
	return core_max(t->n_workers, 1u);
}

/* Packets that the worker is done with. */
core_inline __u64 tables_received(const struct tables *t)
{
	return t->stats->received;
}

core_inline __u32 tables_active(const struct tables *t, __u32 backend)
{
	return t->active[backend];
}

core_inline struct stats_traffic *tables_vip_stats(const struct tables *t, __u32 vip)
{
	return &t->stats->vip[vip];
}

core_inline struct stats_traffic *tables_backend_stats(const struct tables *t, __u32 backend)
{
	return &t->stats->backend[backend];
}

core_inline struct stats_handshakes *tables_handshakes(const struct tables *t, __u32 backend)
{
	return &t->stats->handshakes[backend];
}

core_inline struct stats_guard *tables_guard(const struct tables *t, __u32 vip)
{
	return &t->stats->guard[vip];
}

/* Counter of an access list's rule; id: below header->n_rules. */
core_inline __u64 *tables_rule(const struct tables *t, __u32 rule)
{
	return &t->stats->rule[rule];
}

/* Count a half-open flow that is none any more and one that began: its VIP's id and one more; 0: there is none. */
core_inline void tables_half_open(const struct tables *t, __u32 closed, __u32 opened)
{
	if (closed)
		t->stats->guard[closed - 1].closed++;
	if (opened)
		t->stats->guard[opened - 1].opened++;
}

core_inline void tables_count(const struct tables *t, __u32 counter)
{
	t->stats->counter[counter]++;
}

/* Point t at a block that snapshot_check() accepted; the block must outlive the use of t. */
core_inline void tables_open_snapshot(struct tables *t, const void *block)
{
	const struct snapshot_header *h = (const struct snapshot_header *)block;
	const char *base = (const char *)block;

	t->header = h;
	t->ports = (const struct snapshot_port *)(base + h->ports_off);
	t->vips = (const struct snapshot_vip *)(base + h->vips_off);
	t->backends = (const struct snapshot_backend *)(base + h->backends_off);
	t->slots = (const __u16 *)(base + h->slots_off);
	t->policies = (const struct snapshot_policy *)(base + h->policies_off);
	t->access = (const struct snapshot_access *)(base + h->access_off);
	t->access_words = (const __u32 *)(base + h->access_words_off);
}

#endif
