/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the XDP program costs a packet, by BPF_PROG_TEST_RUN on a 64-byte TCP frame, 100 backends, in nanoseconds
 * over a program that only varies the flow (bench_xdp.bpf.c), which is measured in turns with it.
 *
 * usage: bench_xdp [--runs N] [--packets N]
 * xdp_touch_... is of a program that reads one line of a table of the same size and does nothing else: what the
 * machine's memory costs just then.
 *
 * One line a sample: "xdp_hit_64k ns 51.2", for scripts/bench to take medians of. xdp_empty and xdp_base are whole
 * runs: of a program that does nothing, and of the one that is subtracted, over 64 K flows.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bench_snapshot.h"
#include "bench_xdp.h"
#include "bench_xdp.skel.h"
#include "parse.h"
#include "xdp_bed.h"

#define CAPACITY_MIN 65536

struct bench {
	struct bench_xdp *base;
	struct xdp_bed bed;
	void *block;
	size_t size;
	int runs;
	int packets;
};

/* A series of packets. */
struct load {
	const char *name;
	__u32 n;     /* flows */
	int in_turn; /* each once */
	__u8 tcp_flags;
	const char *touch; /* name of the figure beside it, or NULL */
};

static void die(const char *what)
{
	fprintf(stderr, "bench_xdp: %s\n", what);
	exit(EXIT_FAILURE);
}

/* Nanoseconds a run of a program on a frame, which has to end with the action. */
static double run(int program, const __u8 *frame, int repeat, __u32 action)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = BENCH_FRAME_LEN, .repeat = repeat);

	if (bpf_prog_test_run_opts(program, &run))
		die(strerror(errno));
	if (run.retval != action) {
		fprintf(stderr, "bench_xdp: the program returned %u, not %u\n", run.retval, action);
		exit(EXIT_FAILURE);
	}
	return run.duration;
}

/* Runs of vary and then the program behind it. */
static double run_behind(struct bench *b, int program, const struct load *load, int repeat)
{
	struct bench_flow *choice = &b->base->bss->choice;
	__u8 frame[BENCH_FRAME_LEN] = { 0 };
	__u32 zero = 0;

	bench_frame(frame, 0, load->tcp_flags);
	memcpy(&choice->mac, frame, sizeof(choice->mac));
	choice->n = load->n;
	choice->in_turn = (__u32)load->in_turn;
	if (bpf_map_update_elem(bpf_map__fd(b->base->maps.next), &zero, &program, BPF_ANY))
		die(strerror(errno));
	return run(bpf_program__fd(b->base->progs.vary), frame, repeat, XDP_TX);
}

static int nothing(const struct bench *b)
{
	return bpf_program__fd(b->base->progs.nothing);
}

/* capacity 0: no flow table */
static void open_bed(struct bench *b, __u32 capacity)
{
	struct xdp_sizes sizes = { .n_buckets = capacity ? flow_table_buckets(capacity) : 0, .ids = 128 };

	if (xdp_bed_open(&b->bed, b->size, &sizes))
		die(b->bed.error);
	xdp_bed_publish(&b->bed, b->block, b->size);
}

static void measure(struct bench *b, const struct load *load)
{
	for (int i = 0; i < b->runs; i++) {
		double base = run_behind(b, nothing(b), load, b->packets);

		printf("xdp_%s ns %.0f\n", load->name, run_behind(b, b->bed.program, load, b->packets) - base);
		if (load->touch)
			printf("xdp_%s ns %.0f\n", load->touch,
				run_behind(b, bpf_program__fd(b->base->progs.touch), load, b->packets) - base);
	}
}

/* Flows that are in the table and established. */
static void measure_hits(struct bench *b, const char *name, const char *touch, __u32 n)
{
	struct load enter = { name, n, 1, TCP_ACK }, load = { name, n, 0, TCP_ACK, touch };
	__u32 capacity = n < CAPACITY_MIN ? CAPACITY_MIN : n;
	__u64 hits;

	/* A table for as many: half of its words are taken. */
	open_bed(b, capacity);
	b->base->bss->choice.n_lines = flow_table_buckets(capacity);
	b->base->bss->choice.turn = 0;
	for (int i = 0; i < 2; i++) {
		run_behind(b, b->bed.program, &enter, (int)n);
		b->base->bss->choice.turn = 0;
	}
	hits = xdp_bed_counter(&b->bed, COUNTER_FLOW_HIT);
	measure(b, &load);
	if (xdp_bed_counter(&b->bed, COUNTER_FLOW_HIT) - hits < (__u64)b->runs * (__u64)b->packets * 99 / 100)
		die("packets that should have been hits were not");
	xdp_bed_close(&b->bed);
}

/* No flow table, so that each packet goes by the hash ring alone; then an empty one that it isn't found in. */
static void measure_ring(struct bench *b)
{
	struct load ring = { "ring", 65536, 0, TCP_ACK }, miss = { "miss", 65536, 0, TCP_ACK | TCP_FIN };

	open_bed(b, 0);
	measure(b, &ring);
	xdp_bed_close(&b->bed);
	open_bed(b, 65536);
	measure(b, &miss);
	xdp_bed_close(&b->bed);
}

/* New flows into a table for n that is full of half-open ones: each displaces another. */
static void measure_new(struct bench *b, const char *name, __u32 n)
{
	struct load load = { name, n, 1, TCP_SYN };
	__u64 evicted;

	open_bed(b, n);
	b->base->bss->choice.turn = 0;
	run_behind(b, b->bed.program, &load, (int)(4 * n));
	evicted = xdp_bed_counter(&b->bed, COUNTER_FLOW_EVICTED);
	measure(b, &load);
	if (xdp_bed_counter(&b->bed, COUNTER_FLOW_EVICTED) - evicted < (__u64)b->runs * (__u64)b->packets * 9 / 10)
		die("the table was not full");
	xdp_bed_close(&b->bed);
}

static void measure_floor(struct bench *b)
{
	struct load load = { "base", 65536, 0, TCP_ACK };
	__u8 frame[BENCH_FRAME_LEN] = { 0 };

	for (int i = 0; i < b->runs; i++) {
		printf("xdp_empty ns %.0f\n", run(nothing(b), frame, b->packets, XDP_TX));
		printf("xdp_base ns %.0f\n", run_behind(b, nothing(b), &load, b->packets));
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "runs", required_argument, NULL, 'r' },
		{ "packets", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 } };
	struct bench b = { .runs = 5, .packets = 1000000 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			b.runs = atoi(optarg);
		else if (option == 'p')
			b.packets = atoi(optarg);
		else
			return 2;
	}
	b.block = bench_snapshot(CAPACITY_MIN, &b.size);
	b.base = bench_xdp__open_and_load();
	if (!b.block || !b.base)
		die("cannot load BPF programs: it needs root");
	b.base->bss->choice.state = 88172645463325252ULL;
	measure_floor(&b);
	measure_hits(&b, "hit_1", NULL, 1);
	measure_hits(&b, "hit_64k", "touch_64k", 65536);
	measure_hits(&b, "hit_512k", "touch_512k", 524288);
	measure_ring(&b);
	measure_new(&b, "new_full_64k", 65536);
	measure_new(&b, "new_full_512k", 524288);
	bench_xdp__destroy(b.base);
	free(b.block);
	return 0;
}
