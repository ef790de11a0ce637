/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets a second of CPU time through the XDP program on a veth pair, beside a program that does nothing but swap
 * the MAC addresses, in turns: the kernel sends frames of 1,024 established flows out of OUT, the program on IN
 * sends them back, one on OUT counts and drops them; all on one CPU, in this process or in the kernel thread that
 * takes over from it now and then, whose time counts as well. So a busy machine disturbs little.
 *
 * usage: bench_xdp_veth [--runs N] [--packets N] OUT IN
 * One line a sample: "xdp_veth mpps 3.9", "xdp_veth_macswap mpps 4.6", "xdp_veth_of_macswap ratio 0.85".
 */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include "bench_snapshot.h"
#include "bench_xdp.h"
#include "bench_xdp.skel.h"
#include "parse.h"
#include "xdp_bed.h"

#define FLOWS 1024
#define CAPACITY 65536
#define BATCH 64

static char ksoftirqd[64];

static void die(const char *what)
{
	fprintf(stderr, "bench_xdp_veth: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* The schedstat file of the CPU's ksoftirqd. */
static void find_ksoftirqd(int cpu)
{
	char name[32], line[64];

	snprintf(name, sizeof(name), "ksoftirqd/%d\n", cpu);
	for (int pid = 2; pid < 100000; pid++) {
		FILE *f;

		snprintf(ksoftirqd, sizeof(ksoftirqd), "/proc/%d/comm", pid);
		f = fopen(ksoftirqd, "r");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f) && !strcmp(line, name)) {
			fclose(f);
			snprintf(ksoftirqd, sizeof(ksoftirqd), "/proc/%d/schedstat", pid);
			return;
		}
		fclose(f);
	}
	die("no ksoftirqd");
}

/* Seconds of CPU time so far. */
static double cpu_s(void)
{
	FILE *f = fopen(ksoftirqd, "r");
	unsigned long long ns = 0;
	struct timespec ts;

	if (!f || fscanf(f, "%llu", &ns) != 1)
		die(ksoftirqd);
	fclose(f);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9 + (double)ns / 1e9;
}

/* The link ends with the process. */
static int attach(int program, int interface)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int link = bpf_link_create(program, interface, BPF_XDP, &options);

	if (link < 0)
		die("attaching to the interface");
	return link;
}

/* Send packets out of the interface. Returns how many million a second came back. */
static double run(struct bench_xdp *base, int out, int packets)
{
	struct xdp_md where = { .data_end = BENCH_FRAME_LEN, .ingress_ifindex = (__u32)out };
	__u8 frame[BENCH_FRAME_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &where,
		.ctx_size_in = sizeof(where), .repeat = packets, .batch_size = BATCH,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	__u64 before = base->bss->dropped;
	double start = cpu_s();

	bench_frame(frame, 0, TCP_ACK);
	if (bpf_prog_test_run_opts(bpf_program__fd(base->progs.generate), &run))
		die("sending frames");
	return (double)(base->bss->dropped - before) / (cpu_s() - start) / 1e6;
}

static void open_bed(struct xdp_bed *bed)
{
	struct xdp_sizes sizes = { .n_buckets = flow_table_buckets(CAPACITY), .ids = 128 };
	size_t size;
	void *block = bench_snapshot(CAPACITY, &size);

	if (!block || xdp_bed_open(bed, size, &sizes)) {
		fprintf(stderr, "bench_xdp_veth: %s\n", bed->error);
		exit(EXIT_FAILURE);
	}
	xdp_bed_publish(bed, block, size);
	free(block);
}

static void measure(struct bench_xdp *base, struct xdp_bed *bed, int out, int in, int runs, int packets)
{
	int macswap = bpf_program__fd(base->progs.macswap), link;
	__u8 frame[BENCH_FRAME_LEN];

	bench_frame(frame, 0, TCP_ACK);
	memcpy(&base->bss->choice.mac, frame, sizeof(base->bss->choice.mac));
	base->bss->choice.state = 88172645463325252ULL;
	base->bss->choice.n = FLOWS;
	attach(bpf_program__fd(base->progs.drop), out);
	link = attach(bed->program, in);
	/* Twice, for every flow to be established. */
	run(base, out, FLOWS * 64);
	for (int i = 0; i < runs; i++) {
		double least, ours;
		__u64 hits;

		if (bpf_link_update(link, macswap, NULL))
			die("changing the program");
		least = run(base, out, packets);
		if (bpf_link_update(link, bed->program, NULL))
			die("changing the program");
		hits = xdp_bed_counter(bed, COUNTER_FLOW_HIT);
		ours = run(base, out, packets);
		if (xdp_bed_counter(bed, COUNTER_FLOW_HIT) - hits < (__u64)packets / 2) {
			fprintf(stderr, "bench_xdp_veth: packets that should have been hits were not\n");
			exit(EXIT_FAILURE);
		}
		printf("xdp_veth mpps %.3f\nxdp_veth_macswap mpps %.3f\nxdp_veth_of_macswap ratio %.3f\n", ours,
			least, ours / least);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "runs", required_argument, NULL, 'r' },
		{ "packets", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 } };
	int runs = 5, packets = 1000000, option, out, in, cpu;
	struct bench_xdp *base;
	struct xdp_bed bed;
	cpu_set_t set;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			runs = atoi(optarg);
		else if (option == 'p')
			packets = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 2)
		return 2;
	out = (int)if_nametoindex(argv[optind]);
	in = (int)if_nametoindex(argv[optind + 1]);
	if (!out || !in)
		die("interfaces");
	CPU_ZERO(&set);
	cpu = sched_getcpu();
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("one CPU");
	find_ksoftirqd(cpu);
	base = bench_xdp__open_and_load();
	if (!base)
		die("loading BPF programs");
	open_bed(&bed);
	measure(base, &bed, out, in, runs, packets);
	xdp_bed_close(&bed);
	bench_xdp__destroy(base);
	return 0;
}
