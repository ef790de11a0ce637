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

#include "burst.h"
#include "maglev.h"
#include "snapshot_check.h"

#define BACKENDS 100
#define CHUNK 2048
#define FRAME 64

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

/* A snapshot of one VIP, 192.0.2.80:80/tcp, and one pool. */
static void build_snapshot(struct bench *b, __u64 capacity)
{
	static struct maglev_scratch scratch;
	struct maglev_member members[BACKENDS];
	size_t size = 256 + 64 + 16 * 32 + 64 + BACKENDS * 32 + ((MAGLEV_SLOTS * 2 + 63) & ~63u);
	struct snapshot_header *h;
	struct snapshot_vip vip = { .addr = addr_from_ipv4(core_be32(0xc0000250)),
		.port = core_be16(80),
		.proto = PROTO_TCP,
		.flags = VIP_USED | VIP_ACTIVE,
		.slot_count = MAGLEV_SLOTS };
	struct snapshot_vip address = { .addr = vip.addr,
		.flags = VIP_USED | VIP_ACTIVE,
		.vip = SNAPSHOT_NONE,
		.pool = SNAPSHOT_NONE };
	struct snapshot_backend *backends;
	struct snapshot_fault fault;

	size = (size + 63) & ~(size_t)63;
	b->block = map_memory(size);
	h = b->block;
	*h = (struct snapshot_header){ .magic = SNAPSHOT_MAGIC,
		.abi = SNAPSHOT_ABI,
		.n_ports = 1,
		.size = size,
		.version = 1,
		.hash_key = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL },
		.flow_capacity = capacity,
		.timeout = { 0, 15, 225, 30, 3, 75, 75 },
		.vip_index_size = 16,
		.vip_index_probe = SNAPSHOT_MAX_PROBE,
		.n_pools = 1,
		.n_backends = BACKENDS,
		.n_slots = MAGLEV_SLOTS,
		.ports_off = 256,
		.vips_off = 320,
		.pools_off = 320 + 16 * 32,
		.backends_off = 320 + 16 * 32 + 64,
		.slots_off = (320 + 16 * 32 + 64 + BACKENDS * 32 + 63) & ~63u };
	((struct snapshot_port *)((char *)b->block + h->ports_off))->mac = (struct mac){ { 2, 0, 0, 0, 0, 1 } };
	vip_index_insert((struct snapshot_vip *)((char *)b->block + h->vips_off), 16, &vip);
	vip_index_insert((struct snapshot_vip *)((char *)b->block + h->vips_off), 16, &address);
	*(struct snapshot_pool *)((char *)b->block + h->pools_off) =
		(struct snapshot_pool){ .slot_count = MAGLEV_SLOTS, .used = 1 };
	backends = (struct snapshot_backend *)((char *)b->block + h->backends_off);
	for (int i = 0; i < BACKENDS; i++) {
		backends[i] = (struct snapshot_backend){ .dst = { { 2, 0, 0, 0, 1, (__u8)i } },
			.src = { { 2, 0, 0, 0, 0, 1 } },
			.weight = 100,
			.flags = BACKEND_USED | BACKEND_VALID | BACKEND_UP };
		maglev_member_init(&members[i], h->hash_key, addr_from_ipv4(core_be32(0x0a000001 + i)), (__u16)i, 100,
			MAGLEV_SLOTS);
	}
	maglev_build((__u16 *)((char *)b->block + h->slots_off), MAGLEV_SLOTS, members, BACKENDS, &scratch);
	h->checksum = snapshot_checksum(b->block, size);
	if (snapshot_check(b->block, size, &fault)) {
		fprintf(stderr, "snapshot: %s (%llu)\n", fault.what, fault.index);
		exit(1);
	}
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

static void set_frame(__u8 *frame, __u32 flow, __u8 tcp_flags)
{
	static const __u8 head[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 9, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0 };
	__be32 src = core_be32(0x0a000000 + flow / 50000), dst = core_be32(0xc0000250);
	__be16 sport = core_be16(10000 + flow % 50000), dport = core_be16(80);

	memcpy(frame, head, sizeof(head));
	memcpy(frame + 26, &src, 4);
	memcpy(frame + 30, &dst, 4);
	memcpy(frame + 34, &sport, 2);
	memcpy(frame + 36, &dport, 2);
	frame[46] = 0x50;
	frame[47] = tcp_flags;
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
	struct verdict verdicts[BURST_MAX];
	struct cost total = { 0, 0 };
	__u64 forwarded = 0, done = 0;

	for (; done < packets; done += CHUNK) {
		double start;
		__u64 tsc;

		for (__u32 i = 0; i < CHUNK; i++) {
			__u32 flow = sequential ? (__u32)(done + i) % n : core_range((__u32)(next_random(b) >> 16), n);

			set_frame(b->frames + i * FRAME, first + flow, tcp_flags);
			frames[i] = (struct frame){ b->frames + i * FRAME, b->frames + i * FRAME + 60, 60, 0 };
		}
		start = now_ns();
		tsc = __rdtsc();
		for (__u32 i = 0; i < CHUNK; i += BURST_MAX) {
			forward_burst(&b->t, frames + i, verdicts, BURST_MAX);
			for (__u32 k = 0; k < BURST_MAX; k++)
				if (verdicts[k].action == ACTION_TO_BACKEND) {
					forward_account(&b->t, &verdicts[k], 60);
					forwarded++;
				}
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
