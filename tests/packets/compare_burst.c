/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst is no more than its packets one after the other: random frames in bursts of all lengths through burst.h,
 * with its short ways, and one by one through the core's steps as forward.h says them, as the XDP program takes
 * them. Verdicts, frames, flow tables and counters are the same. Snapshots change and flows grow old meanwhile.
 *
 *   compare_burst [--frames N] [--seed N] FILE...
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forward_other.h"
#include "random_world.h"
#include "setup.h"
#include "world.h"

#define BUCKETS 16 /* few enough to be full at times */
#define BURSTS_A_SNAPSHOT 40
#define IDS 64 /* of VIPs and of backends: all are below */

static struct world bursts, steps;
static struct random dice;
static struct mac own;
static uint64_t n_frames, to_backends;

static void differ(const char *what, const uint8_t *frame, size_t len)
{
	printf("after %llu frames, %s differs for:", (unsigned long long)n_frames, what);
	for (size_t i = 0; i < len; i++)
		printf(" %02x", frame[i]);
	printf("\n");
	exit(EXIT_FAILURE);
}

/* The verdict by the steps, and on the frame what it says of a backend; counted as world_burst() counts. */
static struct verdict step_by_step(uint8_t *data, size_t len)
{
	struct frame f = { .data = data, .end = data + len, .len = (__u32)len };
	const struct tables *t = &steps.tables;
	struct verdict v = { 0 };
	struct lookup l = { 0 };
	struct packet p;

	packet_parse(&f, &p);
	if (forward_begin(t, &f, &p, &l, &v) && forward_admit(t, &l, &v)) {
		forward_hash(t, &p, &l);
		forward_place(t, &l);
		l.index = -1;
		forward_finish(t, &f, &l, &v);
		if (forward_is_sampled(t))
			forward_sample(t, &l, &v);
	}
	if (p.fragment)
		fragment_resolve(t, &f, &p, &v);
	steps.stats->received++;
	if (v.action == ACTION_TO_BACKEND)
		forward_account(t, &v, (__u32)len);
	return v;
}

static void compare(const struct fixtures *all)
{
	static uint8_t frame[BURST_MAX][RANDOM_FRAME_MAX];
	struct parcel parcel[BURST_MAX];
	uint32_t n = 1 + random_below(&dice, BURST_MAX);

	for (uint32_t i = 0; i < n; i++) {
		size_t len = random_frame(&dice, all, &own, frame[i]);

		parcel[i] = (struct parcel){ .in = frame[i], .len = len, .readable = len };
	}
	world_burst(&bursts, parcel, n);
	for (uint32_t i = 0; i < n; i++, n_frames++) {
		struct parcel *p = &parcel[i];
		/* Of its size, for AddressSanitizer. */
		uint8_t *data = malloc(p->len);
		struct verdict v;

		if (!data)
			abort();
		memcpy(data, frame[i], p->len);
		v = step_by_step(data, p->len);
		/* Whether an answer finds room is the body's to say. */
		if (v.action >= ACTION_ANSWER_ARP && v.action <= ACTION_ANSWER_ECHO &&
			p->verdict.counter == COUNTER_DROP_NO_ROOM)
			v = p->verdict;
		tables_count(&steps.tables, v.counter);
		if (memcmp(&v, &p->verdict, sizeof(v)))
			differ("the verdict", frame[i], p->len);
		if (v.action == ACTION_TO_BACKEND && (p->out_len != p->len || memcmp(data, p->out, p->len)))
			differ("the frame", frame[i], p->len);
		to_backends += v.action == ACTION_TO_BACKEND;
		free(data);
		parcel_free(p);
	}
	if (memcmp(bursts.buckets, steps.buckets, BUCKETS * sizeof(struct flow_bucket)))
		differ("the flow table", frame[n - 1], parcel[n - 1].len);
	if (memcmp(bursts.fragments, steps.fragments, WORLD_FRAGMENT_BUCKETS * sizeof(struct fragment_bucket)))
		differ("the table of fragments", frame[n - 1], parcel[n - 1].len);
	if (memcmp(bursts.stats->vip, steps.stats->vip, sizeof(steps.stats->vip[0]) * IDS) ||
		memcmp(bursts.stats->backend, steps.stats->backend, sizeof(steps.stats->backend[0]) * IDS))
		differ("the traffic", frame[n - 1], parcel[n - 1].len);
	if (memcmp(bursts.stats->handshakes, steps.stats->handshakes, sizeof(steps.stats->handshakes[0]) * IDS))
		differ("the handshakes", frame[n - 1], parcel[n - 1].len);
	if (memcmp(bursts.stats->guard, steps.stats->guard, sizeof(steps.stats->guard[0]) * IDS))
		differ("what the VIPs did not let in", frame[n - 1], parcel[n - 1].len);
	if (memcmp(bursts.stats->rule, steps.stats->rule, sizeof(steps.stats->rule[0]) * SETUP_RULES))
		differ("the rules of access lists", frame[n - 1], parcel[n - 1].len);
	for (unsigned c = 0; c < COUNTER_COUNT; c++)
		if (bursts.stats->counter[c] != steps.stats->counter[c])
			differ(fixture_counter_name(c), frame[n - 1], parcel[n - 1].len);
}

/* Sources are the same; then all are forgotten. */
static void compare_sources(void)
{
	size_t size = SOURCE_BUCKETS * sizeof(*bursts.sources);

	if (memcmp(bursts.sources, steps.sources, size)) {
		printf("the tables of sources differ\n");
		exit(EXIT_FAILURE);
	}
	memset(bursts.sources, 0, size);
	memset(steps.sources, 0, size);
}

/* Another snapshot, and some flows grow old. */
static void change(uint64_t version)
{
	uint64_t seed = dice.state;
	size_t size;

	if (version % 16 == 0)
		compare_sources();
	bursts.tables.now = steps.tables.now = random_now();
	world_publish(&bursts, random_snapshot(&dice, &own, version, 1, &size));
	dice.state = seed;
	world_publish(&steps, random_snapshot(&dice, &own, version, 1, &size));
	for (unsigned id = 0; id < IDS; id++) {
		random_sweep(&dice, &bursts.stats->guard[id]);
		steps.stats->guard[id].at_sweep = bursts.stats->guard[id].at_sweep;
	}
	bursts.tables.n_workers = steps.tables.n_workers = random_below(&dice, 3);
	for (unsigned i = 0; i < BUCKETS * FLOW_BUCKET_WORDS; i++)
		if (random_below(&dice, 4) == 0)
			bursts.buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS] = random_age(
				&dice, bursts.buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS]);
	memcpy(steps.buckets, bursts.buckets, BUCKETS * sizeof(struct flow_bucket));
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "frames", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	uint64_t frames = 500000, seed = 1;
	struct fixtures all = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'f')
			frames = strtoull(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		if (fixtures_load(&all, argv[i], setup_names(&own))) {
			printf("%s\n", all.error);
			return EXIT_FAILURE;
		}
	dice.state = seed * 0x9e3779b97f4a7c15ULL | 1;
	if (!all.n || world_open(&bursts, NULL, BUCKETS) || world_open(&steps, NULL, BUCKETS) ||
		world_add_sources(&bursts) || world_add_sources(&steps))
		return EXIT_FAILURE;
	for (uint64_t i = 0; n_frames < frames; i++) {
		if (i % BURSTS_A_SNAPSHOT == 0)
			change(1 + i / BURSTS_A_SNAPSHOT);
		compare(&all);
	}
	printf("%llu frames, no difference; %llu to backends, %llu of known flows\n", (unsigned long long)n_frames,
		(unsigned long long)to_backends, (unsigned long long)steps.stats->counter[COUNTER_FLOW_HIT]);
	world_close(&bursts);
	world_close(&steps);
	fixtures_free(&all);
	return EXIT_SUCCESS;
}
