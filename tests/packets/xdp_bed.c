/* SPDX-License-Identifier: BSD-3-Clause */
/* Loading, feeding and running the XDP program for tests. */
#include "xdp_bed.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "shunt_xdp.skel.h"

#define HELD_PAGES 16
#define HELD_MAX 65536

static int fail(struct xdp_bed *b, const char *what, int error)
{
	snprintf(b->error, sizeof(b->error), "%s: %s", what, strerror(error));
	return -1;
}

static size_t mapped_size(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (size_t)bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7) & ~7u);

	return (size + page - 1) & ~(page - 1);
}

static void *map_memory(const struct bpf_map *map)
{
	void *p = mmap(NULL, mapped_size(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap_memory(void *p, const struct bpf_map *map)
{
	if (p)
		munmap(p, mapped_size(map));
}

static int load(struct xdp_bed *b)
{
	struct shunt_xdp *s = b->skeleton;
	__u32 per_cpu = b->sizes.n_cpus * b->sizes.ids;

	memcpy((void *)&s->rodata->sizes, &b->sizes, sizeof(b->sizes));
	if (b->sizes.frags)
		bpf_program__set_flags(s->progs.shunt_xdp, BPF_F_XDP_HAS_FRAGS);
	if (bpf_map__set_max_entries(s->maps.snapshot, 2 * b->half_lines) ||
		bpf_map__set_max_entries(s->maps.flows, XDP_FLOW_HEADER_LINES + b->sizes.n_buckets) ||
		bpf_map__set_max_entries(s->maps.elder, XDP_FLOW_HEADER_LINES + b->sizes.n_elder_buckets) ||
		bpf_map__set_max_entries(s->maps.vip_stats, per_cpu) ||
		bpf_map__set_max_entries(s->maps.backend_stats, per_cpu) ||
		bpf_map__set_max_entries(s->maps.handshakes, per_cpu) ||
		bpf_map__set_max_entries(s->maps.guard, per_cpu) ||
		bpf_map__set_max_entries(s->maps.rules, b->sizes.n_cpus * b->sizes.rules) ||
		bpf_map__set_max_entries(s->maps.active, b->sizes.ids) ||
		bpf_map__set_max_entries(s->maps.fragments, b->sizes.n_fragment_buckets) ||
		bpf_map__set_max_entries(s->maps.xsks, b->sizes.n_queues ? b->sizes.n_queues : 1) ||
		bpf_map__set_max_entries(s->maps.owners, b->sizes.n_queues ? b->sizes.n_queues : 1))
		return fail(b, "sizes of the maps", errno);
	return shunt_xdp__load(s) ? fail(b, "loading the XDP program", errno) : 0;
}

static void on_held(void *context, int cpu, void *data, __u32 size)
{
	const struct xdp_held *held = data;
	struct xdp_bed *b = context;

	b->held_len = size >= sizeof(*held) + held->len && held->len <= HELD_MAX ? held->len : 0;
	memcpy(b->held, held + 1, b->held_len);
}

static int open_held(struct xdp_bed *b)
{
	b->held = malloc(HELD_MAX);
	b->held_buffers = perf_buffer__new(bpf_map__fd(b->skeleton->maps.held), HELD_PAGES, on_held, NULL, b, NULL);
	return b->held && b->held_buffers ? 0 : fail(b, "buffers for what is held", errno);
}

int xdp_bed_open(struct xdp_bed *b, size_t block_size, const struct xdp_sizes *sizes)
{
	*b = (struct xdp_bed){ .sizes = *sizes, .half_lines = xdp_lines(block_size) };
	b->sizes.n_cpus = (__u32)libbpf_num_possible_cpus();
	if (!b->sizes.rules)
		b->sizes.rules = 512;
	if (!b->sizes.n_fragment_buckets)
		b->sizes.n_fragment_buckets = XDP_BED_FRAGMENT_BUCKETS;
	b->skeleton = shunt_xdp__open();
	if (!b->skeleton)
		return fail(b, "opening the XDP program", errno);
	if (load(b))
		return -1;
	b->program = bpf_program__fd(b->skeleton->progs.shunt_xdp);
	b->control = &b->skeleton->data_control->control;
	b->cpus = b->skeleton->bss->cpus;
	b->snapshot = map_memory(b->skeleton->maps.snapshot);
	b->flows = map_memory(b->skeleton->maps.flows);
	b->vip_stats = map_memory(b->skeleton->maps.vip_stats);
	b->backend_stats = map_memory(b->skeleton->maps.backend_stats);
	b->handshakes = map_memory(b->skeleton->maps.handshakes);
	b->guard = map_memory(b->skeleton->maps.guard);
	b->rules = map_memory(b->skeleton->maps.rules);
	b->active = map_memory(b->skeleton->maps.active);
	b->fragments = map_memory(b->skeleton->maps.fragments);
	b->sources = map_memory(b->skeleton->maps.sources);
	if (!b->snapshot || !b->flows || !b->vip_stats || !b->backend_stats || !b->handshakes || !b->guard || !b->rules ||
		!b->active || !b->fragments || !b->sources)
		return fail(b, "mapping the maps", errno);
	return open_held(b);
}

void xdp_bed_close(struct xdp_bed *b)
{
	perf_buffer__free(b->held_buffers);
	b->held_buffers = NULL;
	free(b->held);
	b->held = NULL;
	if (!b->skeleton)
		return;
	unmap_memory(b->snapshot, b->skeleton->maps.snapshot);
	unmap_memory(b->flows, b->skeleton->maps.flows);
	unmap_memory(b->vip_stats, b->skeleton->maps.vip_stats);
	unmap_memory(b->backend_stats, b->skeleton->maps.backend_stats);
	unmap_memory(b->handshakes, b->skeleton->maps.handshakes);
	unmap_memory(b->guard, b->skeleton->maps.guard);
	unmap_memory(b->rules, b->skeleton->maps.rules);
	unmap_memory(b->active, b->skeleton->maps.active);
	unmap_memory(b->fragments, b->skeleton->maps.fragments);
	unmap_memory(b->sources, b->skeleton->maps.sources);
	shunt_xdp__destroy(b->skeleton);
	b->skeleton = NULL;
}

void xdp_bed_publish(struct xdp_bed *b, const void *block, size_t size)
{
	__u32 half = b->control->in_force == 0;

	if (block) {
		memcpy(b->snapshot + (size_t)half * b->half_lines, block, size);
		xdp_half_set(&b->control->half[half], block, half * b->half_lines);
		b->control->half[half].out_first = half * SNAPSHOT_MAX_PORTS;
	}
	__atomic_store_n(&b->control->in_force, block ? half : XDP_NO_SNAPSHOT, __ATOMIC_RELEASE);
}

int xdp_bed_set_port(struct xdp_bed *b, __u32 port, __u32 interface)
{
	for (__u32 half = 0; half < 2; half++) {
		__u32 place = half * SNAPSHOT_MAX_PORTS + port;

		if (bpf_map_update_elem(bpf_map__fd(b->skeleton->maps.out), &place, &interface, BPF_ANY))
			return fail(b, "the interface of a port", errno);
	}
	return 0;
}

__u32 xdp_bed_verified(const struct xdp_bed *b)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(b->program, &info, &size) ? 0 : info.verified_insns;
}

void xdp_bed_clear(struct xdp_bed *b)
{
	size_t traffic = (size_t)b->sizes.n_cpus * b->sizes.ids * sizeof(struct stats_traffic);

	memset(b->cpus, 0, b->sizes.n_cpus * sizeof(*b->cpus));
	memset(xdp_bed_buckets(b), 0, (size_t)b->sizes.n_buckets * sizeof(struct flow_bucket));
	memset(b->fragments, 0, (size_t)b->sizes.n_fragment_buckets * sizeof(*b->fragments));
	memset(b->vip_stats, 0, traffic);
	memset(b->backend_stats, 0, traffic);
	memset(b->handshakes, 0, (size_t)b->sizes.n_cpus * b->sizes.ids * sizeof(*b->handshakes));
	memset(b->guard, 0, (size_t)b->sizes.n_cpus * b->sizes.ids * sizeof(*b->guard));
	memset(b->rules, 0, (size_t)b->sizes.n_cpus * b->sizes.rules * sizeof(*b->rules));
}

__u64 xdp_bed_counter(const struct xdp_bed *b, unsigned counter)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < b->sizes.n_cpus; i++)
		sum += b->cpus[i].counter[counter];
	return sum;
}

__u64 xdp_bed_received(const struct xdp_bed *b)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < b->sizes.n_cpus; i++)
		sum += b->cpus[i].received;
	return sum;
}

struct stats_traffic xdp_bed_traffic(const struct xdp_bed *b, const struct stats_traffic *stats, unsigned id)
{
	struct stats_traffic sum = { 0 };

	for (__u32 i = 0; i < b->sizes.n_cpus; i++) {
		const struct stats_traffic *s = &stats[i * b->sizes.ids + id];

		sum.packets += s->packets;
		sum.bytes += s->bytes;
		sum.new_flows += s->new_flows;
	}
	return sum;
}

int xdp_bed_run(struct xdp_bed *b, const uint8_t *frame, size_t len, uint8_t *out, size_t *out_len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (__u32)len, .data_out = out,
		.data_size_out = (__u32)*out_len, .repeat = 1);
	int error = bpf_prog_test_run_opts(b->program, &run);

	b->held_len = 0;
	perf_buffer__consume(b->held_buffers);

	*out_len = run.data_size_out;
	return error ? error : (int)run.retval;
}
