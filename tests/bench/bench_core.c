/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forwarding core costs: nanoseconds and TSC cycles a packet, in bursts of 32, TCP over IPv4 to
 * one VIP with 100 backends, flows in random order. Frames are laid out outside the timed part, 2,048 at a
 * time, so that they lie in the L2 cache as freshly received ones would lie in the L3.
 *
 * usage: bench_core [--runs N] [--packets N] [--flows N[,N...]]
 * --flows: only these numbers of flows, and not the measurement into a full table.
 * One line a sample: "core_hit_1m ns 15.9", for scripts/bench to take medians of.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#include "bench_snapshot.h"
#include "burst.h"

#define CHUNK 2048
#define FRAME 64 /* apart from each other */

struct bench {
	void *block;
	struct tables t;
	__u8 *frames;
	__u64 random;
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static __u64 next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

static void *map_memory(size_t size)
{
	size_t huge = (size + (2 << 20) - 1) & ~(size_t)((2 << 20) - 1);
	void *p = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED) {
		p = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) {
			perror("mmap");
			exit(1);
		}
		madvise(p, huge, MADV_HUGEPAGE);
	}
	return p;
}

static void build_snapshot(struct bench *b, __u64 capacity)
{
	size_t size;
	void *block = bench_snapshot(capacity, &size);

	if (!block)
		exit(1);
	b->block = map_memory(size);
	memcpy(b->block, block, size);
	free(block);
	tables_open_snapshot(&b->t, b->block);
}

static void bench_open(struct bench *b, __u64 capacity)
{
	*b = (struct bench){ .random = 88172645463325252ULL };
	build_snapshot(b, capacity);
	b->t.n_buckets = flow_table_buckets(capacity);
	b->t.buckets = map_memory((size_t)b->t.n_buckets * sizeof(struct flow_bucket));
	memset(b->t.buckets, 0, (size_t)b->t.n_buckets * sizeof(struct flow_bucket));
	b->t.stats = map_memory(sizeof(struct stats_worker));
	b->t.active = map_memory(STATS_IDS * sizeof(__u32));
	/* As the dataplane does before its workers use them: no page is to be faulted in by a packet. */
	memset(b->t.stats, 0, sizeof(struct stats_worker));
	memset((void *)b->t.active, 0, STATS_IDS * sizeof(__u32));
	b->t.tick = 100;
	b->frames = map_memory(CHUNK * FRAME);
}

static void bench_close(struct bench *b)
{
	size_t size = (size_t)b->t.n_buckets * sizeof(struct flow_bucket);

	munmap(b->t.buckets, (size + (2 << 20) - 1) & ~(size_t)((2 << 20) - 1));
}

struct cost {
	double ns;
	double cycles;
};

/*
 * Packets of n flows (random order, or with sequential: one after the other from first on) through the
 * core; cost of a packet.
 */
static struct cost run(struct bench *b, __u64 packets, __u32 first, __u32 n, int sequential, __u8 tcp_flags)
{
	struct frame frames[CHUNK];
	struct verdict verdicts[2][BURST_MAX];
	struct burst_flows flows[2] = { 0 };
	struct cost total = { 0, 0 };
	__u64 forwarded = 0, done = 0;

	for (; done < packets; done += CHUNK) {
		double start;
		__u64 tsc;

		for (__u32 i = 0; i < CHUNK; i++) {
			__u32 flow = sequential ? (__u32)(done + i) % n : core_range((__u32)(next_random(b) >> 16), n);

			bench_frame(b->frames + i * FRAME, first + flow, tcp_flags);
			frames[i] = (struct frame){ b->frames + i * FRAME, b->frames + i * FRAME + 60, 60, 0 };
		}
		start = now_ns();
		tsc = __rdtsc();
		/* As the worker does: one burst is begun before the one before it is finished. */
		burst_begin(&b->t, frames, verdicts[0], BURST_MAX, &flows[0]);
		for (__u32 i = 0, now = 0; i < CHUNK; i += BURST_MAX, now ^= 1) {
			if (i + BURST_MAX < CHUNK)
				burst_begin(&b->t, frames + i + BURST_MAX, verdicts[now ^ 1], BURST_MAX,
					&flows[now ^ 1]);
			burst_finish(&b->t, frames + i, verdicts[now], &flows[now]);
			for (__u32 k = 0; k < BURST_MAX; k++)
				forwarded += verdicts[now][k].action == ACTION_TO_BACKEND;
			burst_account(&b->t, frames + i, verdicts[now], BURST_MAX);
		}
		total.cycles += (double)(__rdtsc() - tsc);
		total.ns += now_ns() - start;
	}
	if (forwarded != done) {
		fprintf(stderr, "%llu of %llu packets forwarded\n", forwarded, done);
		exit(1);
	}
	total.ns /= (double)done;
	total.cycles /= (double)done;
	return total;
}

static void name_count(char *text, size_t size, __u64 n)
{
	if (n >= 1000000 && n % 1000000 == 0)
		snprintf(text, size, "%llum", n / 1000000);
	else if (n >= 1024 && n % 1024 == 0)
		snprintf(text, size, "%lluk", n / 1024);
	else
		snprintf(text, size, "%llu", n);
}

static void report(const char *what, const char *count, struct cost cost)
{
	printf("core_%s_%s ns %.2f\n", what, count, cost.ns);
	printf("core_%s_%s_tsc cycles %.2f\n", what, count, cost.cycles);
}

/* Hits on n established flows, and n new ones into an empty table of that capacity. */
static void measure(__u64 n, int runs, __u64 packets)
{
	struct bench b;
	char count[32];

	name_count(count, sizeof(count), n);
	bench_open(&b, n < 1000000 ? 1000000 : n);
	if (n > 1024)
		report("new", count, run(&b, n, 0, (__u32)n, 1, TCP_SYN));
	run(&b, n > CHUNK ? n : CHUNK, 0, (__u32)n, 1, TCP_ACK);
	for (int i = 0; i < runs; i++)
		report("hit", count, run(&b, packets, 0, (__u32)n, 0, TCP_ACK));
	bench_close(&b);
}

/* New flows into a table of 1 M full of half-open ones: each displaces another. */
static void measure_full(int runs, __u64 packets)
{
	struct bench b;

	bench_open(&b, 1000000);
	run(&b, 4000000, 0, 4000000, 1, TCP_SYN);
	for (int i = 0; i < runs; i++)
		report("new", "full", run(&b, packets, 4000000 + (__u32)(i * packets), (__u32)packets, 1, TCP_SYN));
	bench_close(&b);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "runs", required_argument, NULL, 'r' },
		{ "packets", required_argument, NULL, 'p' },
		{ "flows", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 } };
	char flows_default[] = "1,65536,1000000,10000000", *flows = flows_default, *save = NULL;
	__u64 packets = 4000000;
	int runs = 5, option, flows_given = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			runs = atoi(optarg);
		else if (option == 'p')
			packets = strtoull(optarg, NULL, 0);
		else if (option == 'f')
			flows = optarg, flows_given = 1;
		else
			return 2;
	}
	for (char *f = strtok_r(flows, ",", &save); f; f = strtok_r(NULL, ",", &save))
		measure(strtoull(f, NULL, 0), runs, packets);
	if (flows_given)
		return 0;
	measure_full(runs, packets);
	return 0;
}
