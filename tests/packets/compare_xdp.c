/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same frames with the same snapshots through two bodies of the core, memory and XDP, one after the other:
 * what becomes of each frame, every word of the flow table and every counter have to be the same after each. The
 * fixtures first, then random ones, with snapshots that change meanwhile and flows that age. Exit status 77
 * (skipped) without root.
 *
 *	compare_xdp [--frames N] [--seed N] FILE...
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "fixture.h"
#include "random_world.h"
#include "setup.h"
#include "world.h"
#include "xdp_bed.h"

#define BUCKETS 24 /* few, so that flows displace each other */
#define IDS 64
#define LOOPBACK 1 /* an interface index that every namespace has */
#define FRAMES_A_SNAPSHOT 400

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static struct xdp_bed bed;
static struct world world;
static struct random dice;
static unsigned cpu;
static uint64_t n_frames, by_action[ACTION_HOLD + 1];

/* Says how they differ on the frame, and gives up: what follows would differ, too. */
static void differ(const char *what, const uint8_t *frame, size_t len)
{
	printf("frame %llu: %s\n", (unsigned long long)n_frames, what);
	frame_text_print("in", frame, len);
	exit(EXIT_FAILURE);
}

/* What XDP has to return for the core's verdict; port 1's interface is known to the program, others there are
 * none. */
static int expected_action(const struct verdict *v)
{
	switch (v->action) {
	case ACTION_TO_BACKEND:
		return v->port ? XDP_REDIRECT : XDP_TX;
	case ACTION_TO_KERNEL:
		return XDP_PASS;
	case ACTION_DROP:
	case ACTION_HOLD:
		return XDP_DROP;
	default:
		return XDP_TX;
	}
}

static void compare_counters(const uint8_t *frame, size_t len)
{
	char line[128];

	if (bed.cpus[cpu].received != world.stats->received)
		differ("not received as often", frame, len);
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		if (bed.cpus[cpu].counter[i] == world.stats->counter[i])
			continue;
		snprintf(line, sizeof(line), "%s: %llu in XDP, %llu in the core", fixture_counter_name(i),
			(unsigned long long)bed.cpus[cpu].counter[i], (unsigned long long)world.stats->counter[i]);
		differ(line, frame, len);
	}
	for (unsigned id = 0; id < IDS; id++)
		if (memcmp(&bed.vip_stats[cpu * IDS + id], &world.stats->vip[id], sizeof(struct stats_traffic)) ||
			memcmp(&bed.backend_stats[cpu * IDS + id], &world.stats->backend[id],
				sizeof(struct stats_traffic)))
			differ("packets, bytes and new flows of a VIP or backend", frame, len);
	for (unsigned id = 0; id < IDS; id++)
		if (memcmp(&bed.handshakes[cpu * IDS + id], &world.stats->handshakes[id],
			    sizeof(struct stats_handshakes)))
			differ("handshakes of a backend", frame, len);
	for (unsigned id = 0; id < IDS; id++)
		if (memcmp(&bed.guard[cpu * IDS + id], &world.stats->guard[id], sizeof(struct stats_guard)))
			differ("what a VIP did not let in", frame, len);
	if (memcmp(&bed.rules[cpu * bed.sizes.rules], world.stats->rule, SETUP_RULES * sizeof(*bed.rules)))
		differ("the rules of access lists", frame, len);
}

static void compare(const uint8_t *frame, size_t len)
{
	static uint8_t out[FRAME_TEXT_MAX];
	size_t out_len = sizeof(out);
	struct parcel p;
	char line[128];
	int action;

	n_frames++;
	/* XDP first: it works by the clock, which the core then is given. */
	action = xdp_bed_run(&bed, frame, len, out, &out_len);
	if (action < 0)
		differ(strerror(-action), frame, len);
	world.tables.tick = bed.cpus[cpu].tick;
	world.tables.now = random_now();
	if (world_one(&world, frame, len, &p) && p.verdict.counter != COUNTER_DROP_NO_ROOM)
		differ("no memory", frame, len);
	by_action[p.verdict.action]++;
	if (action != expected_action(&p.verdict)) {
		snprintf(line, sizeof(line), "XDP action %d, core's action %u (%s)", action, p.verdict.action,
			fixture_counter_name(p.verdict.counter));
		differ(line, frame, len);
	}
	if (bed.held_len != (p.verdict.action == ACTION_HOLD ? len : 0) || memcmp(bed.held, frame, bed.held_len))
		differ("another frame is handed over to wait", frame, len);
	if (p.verdict.action != ACTION_DROP && p.verdict.action != ACTION_HOLD &&
		(out_len != p.out_len || memcmp(out, p.out, out_len))) {
		frame_text_print("out of XDP", out, out_len);
		frame_text_print("out of the core", p.out, p.out_len);
		differ("another frame comes out", frame, len);
	}
	if (memcmp(xdp_bed_buckets(&bed), world.buckets, BUCKETS * sizeof(struct flow_bucket)))
		differ("another word is left in the flow table", frame, len);
	if (memcmp(bed.fragments, world.fragments, WORLD_FRAGMENT_BUCKETS * sizeof(struct fragment_bucket)))
		differ("another entry is left in the table of fragments", frame, len);
	compare_counters(frame, len);
	parcel_free(&p);
}

/* Sources are the same, if not to the moment when their next flow is due; then some of the time all are forgotten. */
static void compare_sources(void)
{
	for (size_t i = 0; i < (size_t)SOURCE_BUCKETS * SOURCE_WORDS; i++) {
		__u64 *xdp = &bed.sources->word[0] + i, *core = &world.sources->word[0] + i;

		if (*xdp >> 32 == *core >> 32 && (__u32)*core - (__u32)*xdp < RATE_HORIZON / 8)
			continue;
		printf("word %zu of the sources: %llx in XDP, %llx in the core\n", i, (unsigned long long)*xdp,
			(unsigned long long)*core);
		exit(EXIT_FAILURE);
	}
	memset(bed.sources, 0, SOURCE_BUCKETS * sizeof(*bed.sources));
	memset(world.sources, 0, SOURCE_BUCKETS * sizeof(*world.sources));
}

/* Another snapshot, other counts of flows, and some flows grow old. */
static void change(uint64_t version)
{
	size_t size;
	void *block = random_snapshot(&dice, &own, version, 2, &size);

	if (!block) {
		printf("a random snapshot is not sound\n");
		exit(EXIT_FAILURE);
	}
	if (version % 4 == 0)
		compare_sources();
	xdp_bed_publish(&bed, block, size);
	world_publish(&world, block);
	for (unsigned id = 0; id < IDS; id++) {
		struct stats_traffic *s = &bed.backend_stats[cpu * IDS + id];

		world.active[id] = random_below(&dice, 50);
		bed.active[id] = world.active[id];
		s->new_at_sweep = s->new_flows;
		world.stats->backend[id].new_at_sweep = s->new_flows;
	}
	for (unsigned id = 0; id < IDS; id++) {
		random_sweep(&dice, &world.stats->guard[id]);
		bed.guard[cpu * IDS + id].at_sweep = world.stats->guard[id].at_sweep;
	}
	world.tables.n_workers = random_below(&dice, 3);
	bed.control->n_workers = world.tables.n_workers;
	for (unsigned i = 0; i < BUCKETS * FLOW_BUCKET_WORDS; i++) {
		__u64 *word = &xdp_bed_buckets(&bed)->word[0] + i;

		if (random_below(&dice, 4) == 0)
			*word = random_age(&dice, *word);
	}
	memcpy(world.buckets, xdp_bed_buckets(&bed), BUCKETS * sizeof(struct flow_bucket));
}

/* One CPU, whose counters are then all there are. Ports other than the first lead to the loopback interface. */
static int start(void)
{
	struct xdp_sizes sizes = { .n_buckets = BUCKETS, .ids = IDS, .n_fragment_buckets = WORLD_FRAGMENT_BUCKETS };
	__u32 port = 1, interface = LOOPBACK;
	cpu_set_t set;
	size_t size;
	void *block = random_snapshot(&dice, &own, 1, 2, &size);

	cpu = (unsigned)sched_getcpu();
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (!block || sched_setaffinity(0, sizeof(set), &set) || world_open(&world, block, BUCKETS) ||
		world_add_sources(&world))
		return -1;
	world.tables.worker = cpu;
	if (xdp_bed_open(&bed, size, &sizes) || xdp_bed_set_port(&bed, port, interface)) {
		printf("%s\n", bed.error);
		return -1;
	}
	xdp_bed_publish(&bed, block, size);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "frames", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	uint64_t frames = 60000, seed = 1;
	struct fixtures all = { 0 };
	static uint8_t frame[RANDOM_FRAME_MAX];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'f')
			frames = strtoull(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (geteuid() != 0) {
		printf("loading BPF programs needs root\n");
		return 77;
	}
	for (int i = optind; i < argc; i++)
		if (fixtures_load(&all, argv[i], setup_names(&own))) {
			printf("%s\n", all.error);
			return EXIT_FAILURE;
		}
	dice.state = seed * 0x9e3779b97f4a7c15ULL | 1;
	if (!all.n || start())
		return EXIT_FAILURE;
	for (size_t i = 0; i < all.n; i++)
		if (all.list[i].len >= ETH_LEN && all.list[i].len <= RANDOM_FRAME_MAX)
			compare(all.list[i].frame, all.list[i].len);
	for (uint64_t i = 0; i < frames; i++) {
		if (i % FRAMES_A_SNAPSHOT == 0)
			change(2 + i / FRAMES_A_SNAPSHOT);
		compare(frame, random_frame(&dice, &all, &own, frame));
	}
	printf("%llu frames, no difference; %llu to backends, %llu answered, %llu to the kernel, %llu dropped, %llu held\n",
		(unsigned long long)n_frames, (unsigned long long)by_action[ACTION_TO_BACKEND],
		(unsigned long long)(by_action[ACTION_ANSWER_ARP] + by_action[ACTION_ANSWER_ND] +
			by_action[ACTION_ANSWER_ECHO]),
		(unsigned long long)by_action[ACTION_TO_KERNEL], (unsigned long long)by_action[ACTION_DROP],
		(unsigned long long)by_action[ACTION_HOLD]);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (!world.stats->counter[i])
			printf("  never: %s\n", fixture_counter_name(i));
	world_close(&world);
	xdp_bed_close(&bed);
	fixtures_free(&all);
	return EXIT_SUCCESS;
}
