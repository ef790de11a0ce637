/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the fixtures against the XDP program, with BPF_PROG_TEST_RUN: its action, the frame that comes out, what is
 * counted, the flow entry that is left, and all of them without a snapshot; the program loaded with and without
 * BPF_F_XDP_HAS_FRAGS. Exit status 77 (skipped) without root.
 *
 *	run_xdp FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "fixture.h"
#include "setup.h"
#include "world.h"
#include "xdp_bed.h"

#define BUCKETS 1024
#define VERIFIED_MOST 850000
#define ONE_BUFFER 3072 /* bytes that surely lie in one; a program without BPF_F_XDP_HAS_FRAGS gets no more */

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static struct xdp_bed bed;
static struct world world; /* looks into the program's flow table by its own copy of the snapshot */
static const struct fixture *current;
static unsigned failures, skipped;

static void complain(const char *what)
{
	printf("%s:%d: %s: %s\n", current->file, current->line, current->name, what);
	failures++;
}

static int expected_action(const struct fixture *f)
{
	switch (f->out) {
	case FIXTURE_NOTHING:
		return XDP_DROP;
	case FIXTURE_KERNEL:
		return XDP_PASS;
	default:
		return XDP_TX;
	}
}

static void check_output(const struct fixture *f, const uint8_t *out, size_t out_len)
{
	static uint8_t expected[FRAME_TEXT_MAX];
	size_t len;

	if (f->out == FIXTURE_NOTHING)
		return;
	len = fixture_expected(f, &own, expected);
	if (len == out_len && !memcmp(expected, out, len))
		return;
	complain("another frame came out");
	frame_text_print("expected", expected, len);
	frame_text_print("got", out, out_len);
}

static void check_counters(const struct fixture *f)
{
	char line[128];

	if (xdp_bed_received(&bed) != 1)
		complain("not counted as received once");
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		__u64 expected = i == f->counter || (fixture_is_event(i) && f->events >> i & 1);

		if (xdp_bed_counter(&bed, i) == expected)
			continue;
		snprintf(line, sizeof(line), "%s rose by %llu, not %llu", fixture_counter_name(i),
			(unsigned long long)xdp_bed_counter(&bed, i), (unsigned long long)expected);
		complain(line);
	}
}

/* What is sent to a backend, and nothing else, is counted for it. */
static void check_traffic(const struct fixture *f)
{
	for (unsigned id = 0; id < SETUP_BACKENDS; id++) {
		struct stats_traffic s = xdp_bed_traffic(&bed, bed.backend_stats, id);
		__u64 expected = f->out == FIXTURE_BACKEND && (unsigned)f->backend == id;

		if (s.packets != expected || s.bytes != expected * f->len)
			complain("a backend's packets and bytes are not what it was sent");
	}
}

static void check_flow(const struct fixture *f)
{
	__u64 word = world_flow(&world, f->frame, f->len);
	int backend = word ? (int)flow_word_backend(word) : FIXTURE_NO_FLOW;
	unsigned state = word ? flow_word_state(word) : FLOW_NONE;

	if (backend == f->leaves.backend && (backend < 0 || state == f->leaves.state))
		return;
	complain("another flow entry was left");
	printf("  expected %s %s, got %s %s\n", setup_backend_name((unsigned)f->leaves.backend),
		fixture_state_name(f->leaves.state), setup_backend_name((unsigned)backend),
		fixture_state_name(state));
}

static void check_datagram(const struct fixture *f)
{
	struct fragment_home home;
	int found = !world_datagram(&world, f->frame, f->len, &home);

	if (found ? f->leads.backend == (int)home.backend && (f->leads.bytes + 7) / 8 == home.units :
		    f->leads.backend < 0)
		return;
	complain("another entry of the datagram was left");
	printf("  expected %s %u, got %s %u\n", setup_backend_name((unsigned)f->leads.backend), f->leads.bytes,
		setup_backend_name(found ? home.backend : SETUP_BACKENDS), home.units * 8);
}

/* What has to wait is handed over, as it came. */
static void check_held(const struct fixture *f)
{
	size_t len = f->counter == COUNTER_HELD_FRAGMENT ? f->len : 0;

	if (bed.held_len != len || memcmp(bed.held, f->frame, len))
		complain("another frame was handed over to wait, or one that need not, or none");
}

static void prepare(const struct fixture *f)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	world.tables.tick = flow_tick((__u64)now.tv_sec);
	xdp_bed_clear(&bed);
	if (f->datagram.backend >= 0 &&
		world_set_datagram(&world, f->frame, f->len, (unsigned)f->datagram.backend, f->datagram.bytes))
		complain("it wants a datagram's entry, but is no fragment");
	if (f->flow.backend >= 0 &&
		world_set_flow(&world, f->frame, f->len, (unsigned)f->flow.backend, f->flow.state))
		complain("it wants a flow entry, but is no flow's packet");
}

static void run(const struct fixture *f)
{
	static uint8_t out[FRAME_TEXT_MAX];
	size_t len = sizeof(out);
	int action;

	current = f;
	if (f->len > ONE_BUFFER && !bed.sizes.frags) {
		skipped++;
		return;
	}
	prepare(f);
	action = xdp_bed_run(&bed, f->frame, f->len, out, &len);
	if (action < 0) {
		/* No driver hands a program less than an Ethernet header, and neither does the kernel here. */
		if (f->len >= ETH_LEN)
			complain(strerror(-action));
		skipped++;
		return;
	}
	if (action != expected_action(f)) {
		complain("another action");
		printf("  expected %d, got %d\n", expected_action(f), action);
	}
	check_output(f, out, len);
	check_counters(f);
	check_traffic(f);
	check_flow(f);
	check_datagram(f);
	check_held(f);
}

/* Without a snapshot everything goes to the kernel, as it is. */
static void run_without_snapshot(const struct fixtures *all)
{
	static uint8_t out[FRAME_TEXT_MAX];

	xdp_bed_publish(&bed, NULL, 0);
	for (size_t i = 0; i < all->n; i++) {
		size_t len = sizeof(out);

		current = &all->list[i];
		if (current->len < ETH_LEN)
			continue;
		xdp_bed_clear(&bed);
		if (xdp_bed_run(&bed, current->frame, current->len, out, &len) != XDP_PASS ||
			len != current->len || memcmp(out, current->frame, len) ||
			xdp_bed_counter(&bed, COUNTER_TO_KERNEL) != 1)
			complain("without a snapshot: not given to the kernel as it is");
	}
}

static int start(__u32 frags)
{
	struct xdp_sizes sizes = { .n_buckets = BUCKETS, .ids = 64, .frags = frags };
	size_t size;
	void *snapshot = setup_snapshot(&own, 1, &size);

	if (!snapshot || world_open(&world, snapshot, 0))
		return -1;
	if (xdp_bed_open(&bed, size, &sizes)) {
		printf("%s\n", bed.error);
		return -1;
	}
	xdp_bed_publish(&bed, snapshot, size);
	world.tables.buckets = xdp_bed_buckets(&bed);
	world.tables.n_buckets = BUCKETS;
	world.tables.fragments = bed.fragments;
	world.tables.n_fragment_buckets = bed.sizes.n_fragment_buckets;
	return 0;
}

/*
 * With all that it can be loaded with the program has to leave room below the million instructions that a verifier
 * walks: others than this kernel's walk more.
 */
static void check_room(void)
{
	const struct xdp_sizes sizes = {
		.n_buckets = BUCKETS, .n_elder_buckets = BUCKETS / 2, .ids = 64, .n_queues = 1, .frags = 1
	};
	__u32 walked;

	if (xdp_bed_open(&bed, 4096, &sizes)) {
		printf("with an elder table and sockets: %s\n", bed.error);
		failures++;
	} else {
		walked = xdp_bed_verified(&bed);
		printf("the verifier walks %u instructions with an elder table and sockets\n", walked);
		if (walked > VERIFIED_MOST) {
			printf("which leaves too little room: %u at the most\n", VERIFIED_MOST);
			failures++;
		}
	}
	xdp_bed_close(&bed);
}

int main(int argc, char **argv)
{
	struct fixtures all = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() != 0) {
		printf("loading BPF programs needs root\n");
		return 77;
	}
	for (int i = 1; i < argc; i++)
		if (fixtures_load(&all, argv[i], setup_names(&own))) {
			printf("%s\n", all.error);
			fixtures_free(&all);
			return EXIT_FAILURE;
		}
	for (__u32 frags = 0; all.n && frags < 2; frags++) {
		skipped = 0;
		if (start(frags)) {
			failures++;
			break;
		}
		for (size_t i = 0; i < all.n; i++)
			run(&all.list[i]);
		run_without_snapshot(&all);
		printf("%zu fixtures %s, %u of a length not to be run, %u failures\n", all.n,
			frags ? "with frames in several buffers" : "in one buffer each", skipped, failures);
		world_close(&world);
		xdp_bed_close(&bed);
	}
	check_room();
	if (!all.n)
		failures++;
	fixtures_free(&all);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
