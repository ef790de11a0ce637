/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the fixtures against a running shunt-dataplane: gives it the fixtures' snapshot, sends each frame on the
 * wire, and compares what comes out on the wire and to the kernel, what is counted and what the flow table holds.
 *
 *	run_live SOCKET WIRE KERNEL FILE...
 *
 * SOCKET: dpdk.socket, with no shuntd connected. WIRE: the interface on the other side of the port. KERNEL: the
 * dataplane's kernel interface, which must be silent. Behind each frame go two whose end is known, one for the
 * kernel and one that is answered: what has not come out before those will not come out at all. So nothing is
 * waited for in vain, and one frame too many is seen.
 *
 * Then random frames under random snapshots: what the core in memory makes of each, from the same flow table
 * and counters, has to be what the dataplane makes of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "feed.h"
#include "fixture.h"
#include "random_world.h"
#include "setup.h"
#include "wire.h"
#include "world.h"

#define WAIT_MS 20000
#define CAUGHT_MAX 4
#define RANDOM_FRAMES 1500
#define FRAMES_A_SNAPSHOT 150
#define IDS 64 /* above all that a snapshot here has */

/* Frames that came out at one place, the marker aside. */
struct caught {
	size_t n; /* may be more than are kept */
	size_t len[CAUGHT_MAX];
	uint8_t frame[CAUGHT_MAX][FRAME_TEXT_MAX];
};

static struct feed feed;
static struct mac own;
static int wire, kernel;
static struct world world; /* looks into the dataplane's flow table by its own copy of the snapshot */
static struct caught from_wire, from_kernel;
static __u64 before[COUNTER_COUNT];
static const struct fixture *current;
static unsigned failures, skipped;

static void complain(const char *what)
{
	printf("%s:%d: %s: %s\n", current->file, current->line, current->name, what);
	failures++;
}

/* An LLDP frame, for the kernel, with a number in it; an ARP request for a VIP, from a MAC with that number. */
static size_t kernel_marker(uint8_t *frame, uint32_t number)
{
	memset(frame, 0, 60);
	memcpy(frame, "\x01\x80\xc2\x00\x00\x0e\x02\x4d", 8);
	memcpy(frame + 8, &number, 4);
	frame[12] = 0x88;
	frame[13] = 0xcc;
	return 60;
}

static size_t wire_marker(uint8_t *frame, uint32_t number)
{
	static const uint8_t arp[] = { 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 };

	memset(frame, 0, 60);
	memset(frame, 0xff, 6);
	frame[6] = 0x02;
	frame[7] = 0x4d;
	memcpy(frame + 8, &number, 4);
	memcpy(frame + 12, arp, sizeof(arp));
	memcpy(frame + 22, frame + 6, 6);
	memcpy(frame + 28, "\xc6\x33\x64\x4d", 4);
	memcpy(frame + 38, "\xc0\x00\x02\x50", 4);
	return 60;
}

/* Catch frames until the one comes that has this marker at the offset. Returns 0, or -1 if it doesn't come. */
static int catch_until(int fd, struct caught *c, const uint8_t *marker, size_t at, size_t size)
{
	static uint8_t frame[FRAME_TEXT_MAX];

	c->n = 0;
	for (;;) {
		long len = wire_receive(fd, frame, sizeof(frame), WAIT_MS);

		if (len <= 0)
			return -1;
		if ((size_t)len >= at + size && !memcmp(frame + at, marker, size))
			return 0;
		if (c->n < CAUGHT_MAX) {
			memcpy(c->frame[c->n], frame, (size_t)len);
			c->len[c->n] = (size_t)len;
		}
		c->n++;
	}
}

/* Counters follow the frames in an instant: wait until so many are counted as received. */
static void wait_counted(__u64 received)
{
	const struct timespec nap = { .tv_nsec = 100000 };

	for (int i = 0; i < WAIT_MS * 10 && feed_received(&feed) < received; i++)
		nanosleep(&nap, NULL);
}

/* The markers, and all that comes out before them, until both are counted. Returns 0, or -1 if something is wrong. */
static int drain(uint32_t number)
{
	__u64 received = feed_received(&feed);
	uint8_t to_kernel[60], to_wire[60];
	size_t kernel_len = kernel_marker(to_kernel, number), wire_len = wire_marker(to_wire, number);
	int error = wire_send(wire, to_kernel, kernel_len);

	if (!error)
		error = wire_send(wire, to_wire, wire_len);
	if (error) {
		printf("cannot send: %s\n", strerror(-error));
		return -1;
	}
	/* The answer to the marker has its MAC as the destination. */
	if (!catch_until(wire, &from_wire, to_wire + 6, 0, 6) &&
		!catch_until(kernel, &from_kernel, to_kernel + 6, 6, 6)) {
		wait_counted(received + 2);
		return 0;
	}
	printf("frame %u of known end did not come out\n", number);
	return -1;
}

/* The fixture, and its markers. Returns 0, 1 if the wire doesn't take such a frame, -1 if something is wrong. */
static int pass_through(const struct fixture *f, uint32_t number)
{
	int error = wire_send(wire, f->frame, f->len);

	if (error == -EMSGSIZE || f->len < ETH_LEN)
		return 1;
	if (error)
		printf("cannot send: %s\n", strerror(-error));
	return error ? -1 : drain(number);
}

static void check_caught(
	const struct caught *c, int wanted, const uint8_t *expected, size_t len, const char *where)
{
	char line[96];

	if (c->n == (size_t)wanted && (!wanted || (c->len[0] == len && !memcmp(c->frame[0], expected, len))))
		return;
	snprintf(line, sizeof(line), "%zu frames came out %s, %d expected, or another one", c->n, where, wanted);
	complain(line);
	if (wanted)
		frame_text_print("expected", expected, len);
	for (size_t i = 0; i < c->n && i < CAUGHT_MAX; i++)
		frame_text_print("got", c->frame[i], c->len[i]);
}

/* Linux throws away a frame whose VLAN tag is cut short before any socket sees it. */
static int kernel_shows(const struct fixture *f)
{
	unsigned type = f->len < ETH_LEN ? 0 : (unsigned)f->frame[12] << 8 | f->frame[13];

	return !(f->len < ETH_LEN + sizeof(struct vlan_tag) && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ));
}

/* received: before the fixture and its two markers. */
static void check_counters(const struct fixture *f, __u64 received)
{
	char line[128];

	wait_counted(received + 3);
	if (feed_received(&feed) != received + 3)
		complain("not counted as received once");
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		__u64 rose = feed_counter(&feed, i) - before[i];
		__u64 expected = (i == f->counter) + (i == COUNTER_TO_KERNEL) + (i == COUNTER_ANSWERED_ARP) +
			(fixture_is_event(i) && f->events >> i & 1);

		if (rose == expected)
			continue;
		snprintf(line, sizeof(line), "%s rose by %llu, not %llu", fixture_counter_name(i),
			(unsigned long long)rose, (unsigned long long)expected);
		complain(line);
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

/* What has to wait does so for nothing here: wait, too, until it is dropped, which is counted. */
static void check_expiry(const struct fixture *f)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	if (f->counter != COUNTER_HELD_FRAGMENT)
		return;
	for (int i = 0; i < WAIT_MS && feed_counter(&feed, COUNTER_FRAGMENT_EXPIRED) == before[COUNTER_FRAGMENT_EXPIRED]; i++)
		nanosleep(&nap, NULL);
	if (feed_counter(&feed, COUNTER_FRAGMENT_EXPIRED) != before[COUNTER_FRAGMENT_EXPIRED] + 1)
		complain("was not dropped after it had waited");
}

static void run(const struct fixture *f, uint32_t number)
{
	static uint8_t expected[FRAME_TEXT_MAX];
	size_t len = f->out == FIXTURE_NOTHING ? 0 : fixture_expected(f, &own, expected);
	__u64 received = feed_received(&feed);
	struct timespec now;

	current = f;
	clock_gettime(CLOCK_MONOTONIC, &now);
	world.tables.tick = flow_tick((__u64)now.tv_sec);
	memset(world.tables.buckets, 0, world.tables.n_buckets * sizeof(*world.tables.buckets));
	memset(feed.fragments, 0, FRAGMENT_BUCKETS * sizeof(*feed.fragments));
	if (f->datagram.backend >= 0 &&
		world_set_datagram(&world, f->frame, f->len, (unsigned)f->datagram.backend, f->datagram.bytes))
		complain("it wants a datagram's entry, but is no fragment");
	if (f->flow.backend >= 0 &&
		world_set_flow(&world, f->frame, f->len, (unsigned)f->flow.backend, f->flow.state))
		complain("it wants a flow entry, but is no flow's packet");
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		before[i] = feed_counter(&feed, i);
	switch (pass_through(f, number)) {
	case 0:
		break;
	case 1:
		printf("%s: not sent: %zu bytes\n", f->name, f->len);
		skipped++;
		return;
	default:
		complain("given up");
		exit(EXIT_FAILURE);
	}
	check_caught(
		&from_wire, f->out == FIXTURE_BACKEND || f->out == FIXTURE_ANSWER, expected, len, "on the wire");
	check_caught(&from_kernel, f->out == FIXTURE_KERNEL && kernel_shows(f), expected, len, "to the kernel");
	check_counters(f, received);
	check_flow(f);
	check_datagram(f);
	check_expiry(f);
}

/* One snapshot that must be refused, with a reason, while the one in force stays. */
static void refuse(const char *what, const void *block, size_t size, __u64 stated, int sealed, const char *reason)
{
	__u64 in_force = feed.stats->snapshot_version;
	int result = feed_snapshot(&feed, block, size, stated, sealed);

	printf("%s: %s\n", what, result == 1 ? feed.error : result ? "no answer" : "accepted");
	if (result != 1 || !strstr(feed.error, reason) || feed.stats->snapshot_version != in_force) {
		printf("  it had to be refused for: %s\n", reason);
		failures++;
	}
}

/* What is no snapshot is refused in whole, and the old one goes on: the fixtures behind this show it. */
static void refuse_unsound(const char *socket_path, __u64 version)
{
	static const struct channel_snapshot bare = { { CHANNEL_SNAPSHOT, sizeof(bare) }, 9, 4096 };
	static const struct channel_head unknown = { 77, sizeof(unknown) };
	struct snapshot_header *h;
	size_t size;

	h = setup_snapshot(&own, version, &size);
	if (!h)
		exit(EXIT_FAILURE);
	refuse("not sealed", h, size, version, 0, "sealed");
	refuse("another version stated", h, size, version + 1, 1, "version");
	refuse("cut in half", h, size / 2, version, 1, "size");
	refuse("only a header", h, sizeof(*h), version, 1, "size");
	refuse("shorter than a header", h, 8, version, 1, "can't be a snapshot");
	((char *)h)[size - 200] ^= 1;
	refuse("one bit flipped", h, size, version, 1, "checksum");
	h->magic ^= 1;
	refuse("another magic", h, size, version, 1, "magic");
	h->magic ^= 1;
	((char *)h)[size - 200] ^= 1;
	h->n_ports = 7;
	setup_seal(h, size);
	refuse("more ports than there are", h, size, version, 1, "ports");
	h->n_ports = 1;
	((struct snapshot_backend *)((char *)h + h->backends_off))[0].pool = 500;
	setup_seal(h, size);
	refuse("a backend of no pool", h, size, version, 1, "pool");
	free(h);

	if (feed_nonsense(&feed, &bare, sizeof(bare), -1) != 1) {
		printf("a snapshot without descriptor: the channel was not closed\n");
		failures++;
	}
	feed_close(&feed);
	if (feed_open(&feed, socket_path) || feed_nonsense(&feed, &unknown, sizeof(unknown), -1) != 1) {
		printf("an unknown message: the channel was not closed\n");
		failures++;
	}
	feed_close(&feed);
}

static int start(const char *socket_path)
{
	__u64 version;
	void *snapshot;
	size_t size;

	if (feed_open(&feed, socket_path))
		return -1;
	own = feed.hello.port[0].mac;
	version = feed.hello.snapshot_version + 1;
	snapshot = setup_snapshot(&own, version, &size);
	if (!snapshot || feed_snapshot(&feed, snapshot, size, version, 1))
		return -1;
	refuse_unsound(socket_path, version + 1);
	if (feed_open(&feed, socket_path))
		return -1;
	if (!feed.flows || feed.hello.snapshot_version != version || world_open(&world, snapshot, 0)) {
		snprintf(
			feed.error, sizeof(feed.error), "the snapshot is not in force, or there is no flow table");
		return -1;
	}
	world.tables.buckets = feed_buckets(&feed);
	world.tables.n_buckets = feed.flows->n_buckets;
	world.tables.fragments = feed.fragments;
	world.tables.n_fragment_buckets = FRAGMENT_BUCKETS;
	return 0;
}

/* The tick that the dataplane works by: it sets that and its heartbeat together. */
static __u32 dataplane_tick(void)
{
	return flow_tick(*(volatile const __u64 *)&feed.stats->heartbeat_ns / 1000000000u);
}

/* Not within a tenth of a second of where the flow table's clock moves on: both have to read the same. */
static __u32 steady_tick(void)
{
	const struct timespec nap = { .tv_nsec = 50000000 };
	struct timespec now;

	for (;;) {
		__u64 in_tick_ms;

		clock_gettime(CLOCK_MONOTONIC, &now);
		in_tick_ms = (__u64)now.tv_sec % FLOW_TICK_S * 1000 + (__u64)now.tv_nsec / 1000000;
		if (in_tick_ms > 100 && in_tick_ms < FLOW_TICK_S * 1000 - 100 &&
			dataplane_tick() == flow_tick((__u64)now.tv_sec))
			return flow_tick((__u64)now.tv_sec);
		nanosleep(&nap, NULL);
	}
}

/* The mirror becomes what the dataplane works from: its flow table, and the counts of its only worker. */
static void set_mirror(struct world *mirror)
{
	mirror->tables.tick = steady_tick();
	memcpy(mirror->buckets, feed_buckets(&feed), mirror->tables.n_buckets * sizeof(*mirror->buckets));
	/* A look at the very table: what the core enters there first the dataplane finds to be so already. */
	mirror->tables.fragments = feed.fragments;
	mirror->tables.n_fragment_buckets = FRAGMENT_BUCKETS;
	memcpy(mirror->stats->vip, feed.workers[0].vip, IDS * sizeof(*mirror->stats->vip));
	memcpy(mirror->stats->backend, feed.workers[0].backend, IDS * sizeof(*mirror->stats->backend));
	memset(mirror->stats->counter, 0, sizeof(mirror->stats->counter));
}

/* The sweeper may have cleared words that are dead. */
static void compare_tables(const struct world *mirror)
{
	const __u64 *ours = mirror->buckets[0].word, *theirs = feed_buckets(&feed)[0].word;

	for (__u32 i = 0; i < mirror->tables.n_buckets * FLOW_BUCKET_WORDS; i++)
		if (ours[i] != theirs[i] &&
			(theirs[i] || flow_word_alive(ours[i], mirror->tables.tick, mirror->tables.header->timeout)))
			complain("another word in the flow table");
}

/* A frame as a fixture that expects what the core alone makes of it. */
static void run_random(struct world *mirror, uint8_t *frame, size_t len, uint32_t number)
{
	struct fixture f = { .name = (char *)"random frame", .file = "seed 1", .line = (int)number, .frame = frame,
		.len = len };
	__u64 received = feed_received(&feed);
	static uint8_t expected[FRAME_TEXT_MAX];
	struct parcel p;

	current = &f;
	set_mirror(mirror);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		before[i] = feed_counter(&feed, i);
	if (world_one(mirror, frame, len, &p))
		complain("the core could not carry it out");
	/* What would wait is not sent: it would come out later, or be counted later. */
	if (p.verdict.action == ACTION_HOLD) {
		parcel_free(&p);
		return;
	}
	f.counter = (enum counter)p.verdict.counter;
	f.out = p.verdict.action == ACTION_DROP ? FIXTURE_NOTHING :
		p.verdict.action == ACTION_TO_KERNEL ? FIXTURE_KERNEL : FIXTURE_ANSWER;
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (fixture_is_event(i) && mirror->stats->counter[i])
			f.events |= 1ULL << i;
	memcpy(expected, p.out, p.out_len);
	switch (pass_through(&f, number)) {
	case 0:
		/* Its clock went on meanwhile: it need not have done what the mirror did. */
		if (dataplane_tick() != mirror->tables.tick)
			break;
		check_caught(&from_wire, f.out == FIXTURE_ANSWER, expected, p.out_len, "on the wire");
		check_caught(&from_kernel, f.out == FIXTURE_KERNEL && kernel_shows(&f), expected, p.out_len, "to the kernel");
		check_counters(&f, received);
		compare_tables(mirror);
		break;
	case 1:
		break;
	default:
		complain("given up");
		exit(EXIT_FAILURE);
	}
	parcel_free(&p);
}

/* Without what a running dataplane judges by its clock or by what its sweeper counted, at times of its own. */
static void take_limits_away(void *block, size_t size)
{
	struct snapshot_header *h = block;
	struct snapshot_policy *policies = (struct snapshot_policy *)((char *)block + h->policies_off);
	struct snapshot_vip *vips = (struct snapshot_vip *)((char *)block + h->vips_off);

	h->echo_interval = h->echo_tolerance = 0;
	for (__u32 i = 0; i < h->n_policies; i++)
		policies[i].half_open = UINT32_MAX;
	for (__u32 i = 0; i < h->vip_index_size; i++)
		vips[i].flags &= (__u8)~VIP_RATE;
	setup_seal(h, size);
}

/* Another snapshot for both. By flows it does not choose: the sweeper counts those at times of its own. */
static void publish_random(struct random *dice, struct world *mirror, __u64 version)
{
	const struct snapshot_pool *pools;
	size_t size;
	void *block;

	for (;;) {
		block = random_snapshot(dice, &own, version, 1, &size);
		if (!block)
			exit(EXIT_FAILURE);
		pools = (const struct snapshot_pool *)((char *)block + ((struct snapshot_header *)block)->pools_off);
		if (pools[0].scheduler != SCHEDULER_LEAST_FLOWS)
			break;
		free(block);
	}
	take_limits_away(block, size);
	if (feed_snapshot(&feed, block, size, version, 1)) {
		printf("a random snapshot was refused: %s\n", feed.error);
		exit(EXIT_FAILURE);
	}
	world_publish(mirror, block);
}

static void run_randoms(const struct fixtures *all, uint32_t number)
{
	struct random dice = { .state = 0x9e3779b97f4a7c15ULL };
	__u64 version = feed.stats->snapshot_version + 1;
	static uint8_t frame[RANDOM_FRAME_MAX];
	struct world mirror;

	if (world_open(&mirror, NULL, world.tables.n_buckets))
		exit(EXIT_FAILURE);
	for (uint32_t i = 0; i < RANDOM_FRAMES && failures < 10; i++) {
		if (i % FRAMES_A_SNAPSHOT == 0)
			publish_random(&dice, &mirror, version++);
		run_random(&mirror, frame, random_frame(&dice, all, &own, frame), number + i);
	}
	world_close(&mirror);
}

int main(int argc, char **argv)
{
	struct fixtures all = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 5) {
		fprintf(stderr, "usage: run_live SOCKET WIRE KERNEL FILE...\n");
		return 2;
	}
	wire = wire_open(argv[2]);
	kernel = wire_open(argv[3]);
	if (wire < 0 || kernel < 0) {
		printf("cannot open %s and %s: %s\n", argv[2], argv[3], strerror(wire < 0 ? -wire : -kernel));
		return EXIT_FAILURE;
	}
	if (start(argv[1])) {
		printf("%s\n", feed.error);
		return EXIT_FAILURE;
	}
	for (int i = 4; i < argc; i++)
		if (fixtures_load(&all, argv[i], setup_names(&own))) {
			printf("%s\n", all.error);
			return EXIT_FAILURE;
		}
	/* What the kernel sent while it was being silenced. */
	if (drain(0))
		return EXIT_FAILURE;
	for (size_t i = 0; i < all.n; i++)
		run(&all.list[i], (uint32_t)i + 1);
	run_randoms(&all, (uint32_t)all.n + 1);
	printf("%zu fixtures, %u not sent, and %d random frames, %u failures\n", all.n, skipped, RANDOM_FRAMES, failures);
	fixtures_free(&all);
	world_close(&world);
	feed_close(&feed);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
