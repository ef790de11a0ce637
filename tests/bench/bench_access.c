/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an access list of 100,000 prefixes costs: established flows, each from a source of its own and let in, to a
 * VIP with the list and to the same without; and packets of sources that it denies. Through the core in bursts,
 * and the XDP program by BPF_PROG_TEST_RUN over a program that only varies the flow. Prefixes of 24 to 32 bits,
 * each a rule of its own, and clients, all of them anywhere among the unicast addresses; or in a quarter of them,
 * where three times as many clients are in the sieve.
 *
 * usage: bench_access [--runs N] [--packets N] [--flows N] [--quarter]
 * One line a sample: "core_access_hit_64k ns 15.9". ..._none: without the list. ..._added: the one less the other,
 * measured in turns.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "access_build.h"
#include "bench_snapshot.h"
#include "bench_xdp.h"
#include "bench_xdp.skel.h"
#include "burst.h"
#include "snapshot_check.h"
#include "xdp_bed.h"

#define PREFIXES 100000u
static __u32 n_flows = 65536;
#define FLOWS n_flows
#define FIRST_LET_IN 1000000u /* of bench_source(): behind those in prefixes */
#define CHUNK 2048
#define FRAME 64
#define LEAVES (2 * PREFIXES)
#define LINKS (1u << 20)

static int runs = 5;
static unsigned packets = 2000000;
static __u16 spread = SPREAD_ALL;

static void die(const char *what)
{
	fprintf(stderr, "bench_access: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now_ns(void)
{
	struct timespec ts;

	/* Of this thread: others may have the CPU meanwhile. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die(strerror(errno));
	madvise(p, size, MADV_HUGEPAGE);
	memset(p, 0, size);
	return p;
}

static int by_prefix(const void *a, const void *b)
{
	return access_prefix_compare(a, b);
}

/* The list, in parts of what a snapshot has of it. */
static void build_list(struct snapshot_access *list, struct access_room *room)
{
	struct access_prefix *prefixes = memory(PREFIXES * sizeof(*prefixes));
	__u32 n = 0;
	double began;

	for (__u32 i = 0; i < PREFIXES; i++) {
		__u8 length = (__u8)(24 + i % 9);
		__u32 address = bench_source(i, spread) & ~(__u32)((1ULL << (32 - length)) - 1);

		prefixes[i] = (struct access_prefix){ addr_from_ipv4(core_be32(address)), i, length, 0, 0 };
	}
	qsort(prefixes, PREFIXES, sizeof(*prefixes), by_prefix);
	for (__u32 i = 0; i < PREFIXES; i++)
		if (!n || access_prefix_compare(&prefixes[n - 1], &prefixes[i]))
			prefixes[n++] = prefixes[i];
	*room = (struct access_room){ .ranges = memory(ACCESS_ROOM_RANGES((size_t)n) * sizeof(*room->ranges)),
		.links = memory(LINKS * sizeof(__u32)),
		.leaves = memory((size_t)LEAVES * ACCESS_LINE * sizeof(__u32)),
		.sieves = memory(ACCESS_ROOM_SIEVES * sizeof(__u32)),
		.links_room = LINKS,
		.leaves_room = LEAVES };
	for (int i = 0; i < runs; i++) {
		room->n_links = room->n_leaves = 0;
		began = now_ns();
		if (access_build(prefixes, n, room, list))
			die("no room for the list");
		printf("access_compile ms %.2f\n", (now_ns() - began) / 1e6);
	}
	printf("access_size MiB %.2f\n", (double)access_n_words(room) * sizeof(__u32) / (1 << 20));
}

/* The usual snapshot, with the list for its VIPs. */
static struct snapshot_header *build_snapshot(size_t *size)
{
	struct snapshot_header *plain = bench_snapshot(FLOWS, size), *h;
	struct snapshot_policy *policies;
	struct snapshot_fault fault;
	struct snapshot_access list = { 0 };
	struct snapshot_vip *vips;
	struct access_room room;
	double began;

	if (!plain)
		die("no snapshot");
	build_list(&list, &room);
	*size = plain->size + sizeof(list) + access_n_words(&room) * sizeof(__u32);
	h = memory(*size);
	memcpy(h, plain, plain->size);
	h->access_off = plain->size;
	h->access_words_off = h->access_off + sizeof(list);
	h->n_access = 1;
	h->n_access_words = access_n_words(&room);
	h->n_rules = PREFIXES;
	h->size = *size;
	access_place(&room, &list, (__u32 *)((char *)h + h->access_words_off));
	*(struct snapshot_access *)((char *)h + h->access_off) = list;
	vips = (struct snapshot_vip *)((char *)h + h->vips_off);
	policies = (struct snapshot_policy *)((char *)h + h->policies_off);
	for (__u32 i = 0; i < h->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].proto) {
			vips[i].flags |= VIP_ACCESS;
			policies[vips[i].vip].access = 0;
			policies[vips[i].vip].sieve = list.sieve;
		}
	h->checksum = snapshot_checksum(h, h->size);
	for (int i = 0; i < runs; i++) {
		began = now_ns();
		if (snapshot_check(h, h->size, &fault))
			die(fault.what);
		printf("access_check ms %.2f\n", (now_ns() - began) / 1e6);
	}
	free(plain);
	return h;
}

static void put_frame(__u8 *frame, __u32 flow, __u8 tcp_flags)
{
	__u32 src = core_be32(bench_source(flow, spread)), sum = 0;
	__be16 sport = core_be16(10000);

	bench_frame(frame, 0, tcp_flags);
	memcpy(frame + 26, &src, 4);
	memcpy(frame + 34, &sport, 2);
	frame[24] = frame[25] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += (__u32)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (__u16) ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (__u8)(sum >> 8);
	frame[25] = (__u8)sum;
}

/* Nanoseconds a packet; in_turn: each flow once, as many packets as there are flows. *forwarded: how many were. */
static double run_core(struct tables *t, __u32 first, __u32 n, int in_turn, __u64 *forwarded)
{
	static struct verdict verdicts[2][BURST_MAX];
	static struct burst_flows flows[2];
	static __u8 *memory_of_frames;
	struct frame frames[CHUNK];
	__u64 state = 88172645463325252ULL, total = in_turn ? n : packets / CHUNK * CHUNK;
	double ns = 0;

	if (!memory_of_frames)
		memory_of_frames = memory(CHUNK * FRAME);
	*forwarded = 0;
	burst_reset(&flows[0]);
	burst_reset(&flows[1]);
	for (__u64 done = 0; done < total; done += CHUNK) {
		double began;

		for (__u32 i = 0; i < CHUNK; i++) {
			__u32 flow;

			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			flow = in_turn ? (__u32)(done + i) % n : core_range((__u32)(state >> 32), n);
			put_frame(memory_of_frames + i * FRAME, first + flow, TCP_ACK);
			frames[i] = (struct frame){ memory_of_frames + i * FRAME,
				memory_of_frames + i * FRAME + BENCH_FRAME_LEN, BENCH_FRAME_LEN, 0 };
		}
		began = now_ns();
		burst_begin(t, frames, verdicts[0], BURST_MAX, &flows[0]);
		for (__u32 i = 0, now = 0; i < CHUNK; i += BURST_MAX, now ^= 1) {
			if (i + BURST_MAX < CHUNK)
				burst_begin(
					t, frames + i + BURST_MAX, verdicts[now ^ 1], BURST_MAX, &flows[now ^ 1]);
			burst_finish(t, frames + i, verdicts[now], &flows[now]);
			for (__u32 k = 0; k < BURST_MAX; k++)
				*forwarded += verdicts[now][k].action == ACTION_TO_BACKEND;
		}
		ns += now_ns() - began;
	}
	return ns / (double)total;
}

static void bench_core(const void *with, const void *without)
{
	struct tables t = { .tick = 100 };
	__u64 forwarded;

	t.n_buckets = flow_table_buckets(FLOWS);
	t.buckets = memory((size_t)t.n_buckets * sizeof(struct flow_bucket));
	t.stats = memory(sizeof(struct stats_worker));
	t.active = memory(STATS_IDS * sizeof(__u32));
	tables_open_snapshot(&t, with);
	for (int i = 0; i < 2; i++)
		run_core(&t, FIRST_LET_IN, FLOWS, 1, &forwarded);
	for (int i = 0; i < runs; i++) {
		double hit, none;

		tables_open_snapshot(&t, without);
		none = run_core(&t, FIRST_LET_IN, FLOWS, 0, &forwarded);
		tables_open_snapshot(&t, with);
		hit = run_core(&t, FIRST_LET_IN, FLOWS, 0, &forwarded);
		/* A few of them are in a prefix. */
		if (forwarded < packets / 100 * 98)
			die("too few packets were let in");
		printf("core_access_none ns %.2f\ncore_access_hit ns %.2f\ncore_access_added ns %.2f\n", none, hit,
			hit - none);
		printf("core_access_denied ns %.2f\n", run_core(&t, 0, PREFIXES, 0, &forwarded));
		if (forwarded)
			die("what is to be denied was let in");
	}
}

static double run_xdp(struct bench_xdp *base, int program, int repeat, __u32 first, __u32 n, int in_turn)
{
	__u8 frame[BENCH_FRAME_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = BENCH_FRAME_LEN, .repeat = repeat);
	struct bench_flow *choice = &base->bss->choice;
	__u32 zero = 0;
	double began;

	put_frame(frame, first, TCP_ACK);
	memcpy(&choice->mac, frame, sizeof(choice->mac));
	choice->first = first;
	choice->n = n;
	choice->in_turn = (__u32)in_turn;
	choice->turn = 0;
	choice->spread = spread;
	if (bpf_map_update_elem(bpf_map__fd(base->maps.next), &zero, &program, BPF_ANY))
		die(strerror(errno));
	began = now_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(base->progs.vary), &run))
		die(strerror(errno));
	return (now_ns() - began) / repeat;
}

static void bench_xdp_program(const void *with, size_t size, const void *without, size_t plain_size)
{
	struct xdp_sizes sizes = { .n_buckets = flow_table_buckets(FLOWS), .ids = 128, .rules = 131072 };
	struct bench_xdp *base = bench_xdp__open_and_load();
	struct xdp_bed bed;
	__u64 hits, denied;

	if (!base || xdp_bed_open(&bed, size, &sizes))
		die("cannot load BPF programs: it needs root");
	base->bss->choice.state = 88172645463325252ULL;
	xdp_bed_publish(&bed, with, size);
	for (int i = 0; i < 2; i++)
		run_xdp(base, bed.program, FLOWS, FIRST_LET_IN, FLOWS, 1);
	for (int i = 0; i < runs; i++) {
		double floor, none, hit;
		int nothing = bpf_program__fd(base->progs.nothing);

		floor = run_xdp(base, nothing, (int)packets, FIRST_LET_IN, FLOWS, 0);
		xdp_bed_publish(&bed, without, plain_size);
		none = run_xdp(base, bed.program, (int)packets, FIRST_LET_IN, FLOWS, 0) - floor;
		xdp_bed_publish(&bed, with, size);
		hits = xdp_bed_counter(&bed, COUNTER_FLOW_HIT);
		hit = run_xdp(base, bed.program, (int)packets, FIRST_LET_IN, FLOWS, 0) - floor;
		if (xdp_bed_counter(&bed, COUNTER_FLOW_HIT) - hits < packets / 100 * 98)
			die("too few packets were let in by XDP");
		printf("xdp_access_none ns %.0f\nxdp_access_hit ns %.0f\nxdp_access_added ns %.0f\n", none, hit,
			hit - none);
		denied = xdp_bed_counter(&bed, COUNTER_DROP_DENIED);
		printf("xdp_access_denied ns %.0f\n",
			run_xdp(base, bed.program, (int)packets, 0, PREFIXES, 0) - floor);
		if (xdp_bed_counter(&bed, COUNTER_DROP_DENIED) - denied != packets)
			die("what is to be denied was let in by XDP");
	}
	xdp_bed_close(&bed);
	bench_xdp__destroy(base);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "runs", required_argument, NULL, 'r' },
		{ "packets", required_argument, NULL, 'p' }, { "flows", required_argument, NULL, 'f' },
		{ "quarter", no_argument, NULL, 'q' }, { NULL, 0, NULL, 0 } };
	size_t size, plain_size;
	void *with, *without;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			runs = atoi(optarg);
		else if (option == 'p')
			packets = (unsigned)atoi(optarg);
		else if (option == 'f')
			n_flows = (__u32)atoi(optarg);
		else if (option == 'q')
			spread = SPREAD_QUARTER;
		else
			return 2;
	}
	with = build_snapshot(&size);
	without = bench_snapshot(FLOWS, &plain_size);
	bench_core(with, without);
	bench_xdp_program(with, size, without, plain_size);
	return 0;
}
