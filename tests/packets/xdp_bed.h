/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program of bpf/ without an interface, for tests and benchmarks: loaded with maps of a given size, which
 * are mapped here, fed with snapshots as shuntd feeds it, run on frames with BPF_PROG_TEST_RUN. Needs root.
 */
#ifndef SHUNT_XDP_BED_H
#define SHUNT_XDP_BED_H

#include <stddef.h>
#include <stdint.h>

#include "shunt_xdp.h"

struct shunt_xdp;
struct perf_buffer;

#define XDP_BED_FRAGMENT_BUCKETS 16 /* unless sizes say otherwise */

struct xdp_bed {
	struct shunt_xdp *skeleton;
	int program;		     /* descriptor */
	struct xdp_control *control; /* mapped, as all that follows */
	struct xdp_cpu *cpus;
	struct xdp_line *snapshot;
	struct xdp_line *flows; /* header lines and buckets */
	struct stats_traffic *vip_stats;
	struct stats_traffic *backend_stats;
	struct stats_handshakes *handshakes;
	struct stats_guard *guard;
	__u64 *rules;
	struct fragment_bucket *fragments;
	struct source_bucket *sources; /* SOURCE_BUCKETS; the caller's to clear */
	__u64 *active; /* an array map's entries of 4 bytes are 8 apart */
	struct xdp_sizes sizes;
	struct perf_buffer *held_buffers;
	__u8 *held; /* the frame that the last run handed over; held_len 0: none */
	size_t held_len;
	__u32 half_lines;
	char error[256];
};

/*
 * Load it. block_size: the largest snapshot it will be given. sizes: the program's constants; n_cpus is filled in
 * here. Returns 0, or -1 with b->error; xdp_bed_close() in either case.
 */
int xdp_bed_open(struct xdp_bed *b, size_t block_size, const struct xdp_sizes *sizes);
void xdp_bed_close(struct xdp_bed *b);

/* Put a checked block of at most block_size bytes in force, in the half that is not; it is copied. NULL: none. */
void xdp_bed_publish(struct xdp_bed *b, const void *block, size_t size);

/* Backends of a snapshot's port other than 0 are behind this interface, in either half. 0, or -1 with b->error. */
int xdp_bed_set_port(struct xdp_bed *b, __u32 port, __u32 interface);

static inline struct flow_bucket *xdp_bed_buckets(const struct xdp_bed *b)
{
	return (struct flow_bucket *)(b->flows + XDP_FLOW_HEADER_LINES);
}

/* Instructions that the kernel's verifier walked to take the program; 0: it does not say, as before Linux 5.16. */
__u32 xdp_bed_verified(const struct xdp_bed *b);

/* Forget all flows and counters. */
void xdp_bed_clear(struct xdp_bed *b);

/* A counter over all CPUs; packets received by all. */
__u64 xdp_bed_counter(const struct xdp_bed *b, unsigned counter);
__u64 xdp_bed_received(const struct xdp_bed *b);

/* Traffic of an id over all CPUs: of b->vip_stats or b->backend_stats. */
struct stats_traffic xdp_bed_traffic(const struct xdp_bed *b, const struct stats_traffic *stats, unsigned id);

/*
 * Run the program once on a frame. out: room for *out_len bytes, then what the frame is afterwards. Returns the
 * XDP action, or -errno if the kernel doesn't take such a frame for a run.
 */
int xdp_bed_run(struct xdp_bed *b, const uint8_t *frame, size_t len, uint8_t *out, size_t *out_len);

#endif
