/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flood of SYNs with forged sources at one VIP, over a flow table of a million with 200,000 established flows of
 * that VIP, while connections of another VIP begin and the pool changes twice: a tenth of the backends is drained,
 * then those are back and others drained. Through the core, in bursts, and through the XDP program.
 *
 * usage: bench_flood [--syns N] [--runs N] [core] [xdp]
 *
 * One line a sample: "flood_core_broken flows 0", for scripts/bench. broken: established flows of which a packet
 * went to another backend than before. other_broken: of the other VIP's connections, those whose packets were not
 * all sent to one backend. other_untracked: those that got no entry. syn: what one of the flood's costs.
 * flood_by_hash_broken: of the established flows those that would have broken without a flow table.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bench_snapshot.h"
#include "bench_xdp.h"
#include "bench_xdp.skel.h"
#include "burst.h"
#include "sweep.h"
#include "xdp_bed.h"

#define CAPACITY 1000000
#define BOUND (CAPACITY / 4)
#define ESTABLISHED 200000
#define ROUNDS 20
#define OTHERS_A_ROUND                                                                                            \
	1000 /* connections that begin in each, and get their second and third packets in the next */
/* Where the numbers of bench_frame()'s flows begin: the flood's are of other sources. */
#define OTHERS_FIRST 1000000
#define FLOOD_FIRST 8000000

/* A body of the core. */
struct body {
	const char *name;
	/* One packet; the backend it went to, or -1. */
	int (*send)(const __u8 *frame);
	/* n SYNs of the flood, from its first-th on. Returns the nanoseconds it took. */
	double (*flood)(__u32 first, __u32 n);
	void (*publish)(void *block, size_t size); /* block: the caller's, for as long as it is in force */
	__u64 (*counter)(unsigned counter);
	__u64 (*other_untracked)(void);
	void (*end_round)(void); /* as each second in life; NULL: nothing is due */
};

static __u16 backend_of[ESTABLISHED];
static __u16 other_backend_of[OTHERS_A_ROUND];

static void die(const char *what)
{
	fprintf(stderr, "bench_flood: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void *map_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die(strerror(errno));
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/* Which backend of bench_snapshot.c a frame is addressed to, or -1. */
static int addressee(const __u8 *frame)
{
	return memcmp(frame, "\x02\0\0\0\x01", 5) ? -1 : frame[5];
}

/* The core in ordinary memory. */

static struct tables tables = { .n_workers = 1, .tick = 100 };
static struct sweep sweep;

static void core_open(void)
{
	tables.n_buckets = flow_table_buckets(CAPACITY);
	tables.buckets = map_memory((size_t)tables.n_buckets * sizeof(struct flow_bucket));
	tables.stats = map_memory(sizeof(struct stats_worker));
	tables.active = map_memory(STATS_IDS * sizeof(__u32));
}

static void core_close(void)
{
	munmap(tables.buckets, (size_t)tables.n_buckets * sizeof(struct flow_bucket));
	munmap(tables.stats, sizeof(struct stats_worker));
	munmap((void *)tables.active, STATS_IDS * sizeof(__u32));
}

static void core_burst(struct frame *frames, __u32 n)
{
	struct verdict verdicts[BURST_MAX];

	forward_burst(&tables, frames, verdicts, n);
	for (__u32 i = 0; i < n; i++)
		if (verdicts[i].action != ACTION_TO_BACKEND)
			die("a packet was not forwarded");
	burst_account(&tables, frames, verdicts, n);
	tables.stats->received += n;
}

static int core_send(const __u8 *frame)
{
	__u8 copy[BENCH_FRAME_LEN];
	struct frame f = { copy, copy + sizeof(copy), sizeof(copy), 0 };

	memcpy(copy, frame, sizeof(copy));
	core_burst(&f, 1);
	return addressee(copy);
}

static double core_flood(__u32 first, __u32 n)
{
	static __u8 frame[BURST_MAX][64];
	struct frame frames[BURST_MAX];
	double took = 0, start;

	for (__u32 done = 0; done < n; done += BURST_MAX) {
		__u32 burst = n - done < BURST_MAX ? n - done : BURST_MAX;

		for (__u32 i = 0; i < burst; i++) {
			bench_frame(frame[i], FLOOD_FIRST + first + done + i, TCP_SYN);
			frames[i] = (struct frame){ frame[i], frame[i] + BENCH_FRAME_LEN, BENCH_FRAME_LEN, 0 };
		}
		start = now_ns();
		core_burst(frames, burst);
		took += now_ns() - start;
	}
	return took;
}

static void core_publish(void *block, size_t size)
{
	(void)size;
	tables_open_snapshot(&tables, block);
}

static __u64 core_counter(unsigned counter)
{
	return tables.stats->counter[counter];
}

static __u64 core_other_untracked(void)
{
	return tables.stats->guard[1].untracked;
}

static void core_end_round(void)
{
	__u64 changed[2];

	for (__u32 vip = 0; vip < 2; vip++)
		changed[vip] = tables.stats->guard[vip].opened - tables.stats->guard[vip].closed;
	sweep_begin(&sweep);
	while (!sweep_buckets(&sweep, &tables, 65536))
		;
	for (__u32 vip = 0; vip < 2; vip++)
		tables.stats->guard[vip].at_sweep = sweep_share(changed[vip], sweep.half_open_by_vip[vip], 0, 1);
}

static const struct body core = { "core", core_send, core_flood, core_publish, core_counter, core_other_untracked,
	core_end_round };

/* The XDP program. */

static struct bench_xdp *base;
static struct xdp_bed bed;

static void xdp_open(size_t block_size)
{
	struct xdp_sizes sizes = { .n_buckets = flow_table_buckets(CAPACITY), .ids = 128 };
	__u32 zero = 0;

	base = bench_xdp__open_and_load();
	if (!base || xdp_bed_open(&bed, block_size, &sizes))
		die("cannot load BPF programs: it needs root");
	if (bpf_map_update_elem(bpf_map__fd(base->maps.next), &zero, &bed.program, BPF_ANY))
		die(strerror(errno));
}

static void xdp_close(void)
{
	xdp_bed_close(&bed);
	bench_xdp__destroy(base);
}

static int xdp_send(const __u8 *frame)
{
	__u8 out[256];
	size_t len = sizeof(out);

	return xdp_bed_run(&bed, frame, BENCH_FRAME_LEN, out, &len) == XDP_TX ? addressee(out) : -1;
}

static double xdp_flood(__u32 first, __u32 n)
{
	struct bench_flow *choice = &base->bss->choice;
	__u8 frame[BENCH_FRAME_LEN] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = (int)n);

	bench_frame(frame, 0, TCP_SYN);
	memcpy(&choice->mac, frame, sizeof(choice->mac));
	choice->in_turn = 1;
	choice->n = n;
	choice->first = FLOOD_FIRST;
	choice->turn = first;
	if (bpf_prog_test_run_opts(bpf_program__fd(base->progs.vary), &run))
		die(strerror(errno));
	if (run.retval != XDP_TX)
		die("a packet was not forwarded");
	return (double)run.duration * n;
}

static void xdp_publish(void *block, size_t size)
{
	xdp_bed_publish(&bed, block, size);
}

static __u64 xdp_counter(unsigned counter)
{
	return xdp_bed_counter(&bed, counter);
}

static __u64 xdp_other_untracked(void)
{
	__u64 sum = 0;

	for (__u32 cpu = 0; cpu < bed.sizes.n_cpus; cpu++)
		sum += bed.guard[cpu * bed.sizes.ids + 1].untracked;
	return sum;
}

static const struct body xdp = { "xdp", xdp_send, xdp_flood, xdp_publish, xdp_counter, xdp_other_untracked, NULL };

/* What happens, whatever the body. */

static int send_flow(const struct body *body, __u32 flow, __u16 port, __u8 flags)
{
	__u8 frame[BENCH_FRAME_LEN] = { 0 };
	__be16 dport = core_be16(port);

	bench_frame(frame, flow, flags);
	memcpy(frame + 36, &dport, 2);
	return body->send(frame);
}

static void establish(const struct body *body)
{
	for (__u32 i = 0; i < ESTABLISHED; i++) {
		int to = send_flow(body, i, 80, TCP_SYN);

		if (to < 0 || send_flow(body, i, 80, TCP_ACK) != to)
			die("a flow does not come about");
		backend_of[i] = (__u16)to;
	}
}

static __u32 count_broken(const struct body *body)
{
	__u32 broken = 0;

	for (__u32 i = 0; i < ESTABLISHED; i++)
		broken += send_flow(body, i, 80, TCP_ACK) != backend_of[i];
	return broken;
}

/* How many of the established flows would have broken without a flow table. */
static void core_compare(void)
{
	tables.n_buckets = 0;
	printf("flood_by_hash_broken flows %u\n", count_broken(&core));
	tables.n_buckets = flow_table_buckets(CAPACITY);
}

/* The connections that began in the round before go on, and others begin. Returns how many of the former broke. */
static __u32 go_on(const struct body *body, __u32 round)
{
	__u32 first = OTHERS_FIRST + round * OTHERS_A_ROUND, broken = 0;

	for (__u32 i = 0; round && i < OTHERS_A_ROUND; i++)
		for (int packet = 0; packet < 2; packet++)
			if (send_flow(body, first - OTHERS_A_ROUND + i, BENCH_OTHER_PORT, TCP_ACK) !=
				other_backend_of[i]) {
				broken++;
				break;
			}
	for (__u32 i = 0; round < ROUNDS && i < OTHERS_A_ROUND; i++)
		other_backend_of[i] = (__u16)send_flow(body, first + i, BENCH_OTHER_PORT, TCP_SYN);
	return broken;
}

static void measure(const struct body *body, void *const blocks[3], size_t size, __u32 syns)
{
	__u32 broken = 0, other_broken = 0, share = syns / ROUNDS;
	__u64 untracked;
	double ns = 0;

	body->publish(blocks[0], size);
	establish(body);
	untracked = body->counter(COUNTER_FLOW_UNTRACKED);
	for (__u32 round = 0; round < ROUNDS; round++) {
		other_broken += go_on(body, round);
		ns += body->flood(round * share, share);
		if (round == ROUNDS / 3)
			body->publish(blocks[1], size);
		else if (round == ROUNDS * 2 / 3)
			body->publish(blocks[2], size);
		if (body->end_round)
			body->end_round();
		/* Those that broke are counted each time. */
		if (round % 4 == 3)
			broken += count_broken(body);
	}
	other_broken += go_on(body, ROUNDS);
	if (!body->counter(COUNTER_SYN_OVER_BOUND))
		die("the flood did not reach its VIP's bound");
	printf("flood_%s_broken flows %u\n", body->name, broken);
	printf("flood_%s_other_broken flows %u\n", body->name, other_broken);
	printf("flood_%s_other_untracked flows %llu\n", body->name, (unsigned long long)body->other_untracked());
	printf("flood_%s_untracked SYNs %llu\n", body->name,
		(unsigned long long)(body->counter(COUNTER_FLOW_UNTRACKED) - untracked));
	printf("flood_%s_displaced flows %llu\n", body->name,
		(unsigned long long)body->counter(COUNTER_FLOW_EVICTED));
	printf("flood_%s_syn ns %.1f\n", body->name, ns / ((double)share * ROUNDS));
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "syns", required_argument, NULL, 's' },
		{ "runs", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	__u32 tenth = BENCH_BACKENDS / 10, syns = 10000000, runs = 1;
	int with_core = 0, with_xdp = 0, option;
	void *blocks[3];
	cpu_set_t set;
	size_t size;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			syns = (__u32)strtoul(optarg, NULL, 10);
		else if (option == 'r')
			runs = (__u32)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++) {
		with_core |= !strcmp(argv[i], "core");
		with_xdp |= !strcmp(argv[i], "xdp");
	}
	/* Bounds are shared out to CPUs, by sweeps, which the XDP program has none of here. */
	CPU_ZERO(&set);
	CPU_SET((unsigned int)sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die(strerror(errno));
	blocks[0] = bench_snapshot_of(CAPACITY, BOUND, 0, BENCH_BACKENDS, &size);
	blocks[1] = bench_snapshot_of(CAPACITY, BOUND, tenth, BENCH_BACKENDS - tenth, &size);
	blocks[2] = bench_snapshot_of(CAPACITY, BOUND, 0, BENCH_BACKENDS - tenth, &size);
	if (!blocks[0] || !blocks[1] || !blocks[2])
		return EXIT_FAILURE;
	for (__u32 i = 0; i < runs; i++) {
		if (with_core || !with_xdp) {
			core_open();
			measure(&core, blocks, size, syns);
			core_compare();
			core_close();
		}
		if (with_xdp || !with_core) {
			xdp_open(size);
			measure(&xdp, blocks, size, syns);
			xdp_close();
		}
	}
	for (int i = 0; i < 3; i++)
		free(blocks[i]);
	return 0;
}
