/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the fixtures against the core alone: each by itself, each cut at every length (counted, and no access
 * beyond the end), each in a buffer that ends before the frame does, and all of them in bursts.
 *
 *	run_core FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "setup.h"
#include "world.h"

#define BUCKETS 1024

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static const struct fixture *current;
static unsigned failures;

static void complain(const char *what)
{
	printf("%s:%d: %s: %s\n", current->file, current->line, current->name, what);
	failures++;
}

static void check_output(const struct fixture *f, const struct parcel *p, const char *when)
{
	static uint8_t expected[FRAME_TEXT_MAX];
	size_t len = fixture_expected(f, &own, expected);
	char line[96];

	if (f->out == FIXTURE_NOTHING)
		return;
	if (len == p->out_len && !memcmp(expected, p->out, len))
		return;
	snprintf(line, sizeof(line), "%s: another frame came out", when);
	complain(line);
	frame_text_print("expected", expected, len);
	frame_text_print("got", p->out, p->out_len);
	if (f->out == FIXTURE_BACKEND && p->verdict.action == ACTION_TO_BACKEND)
		printf("  backend expected %s, got %s\n", setup_backend_name((unsigned)f->backend),
			setup_backend_name(p->verdict.backend));
}

static void check_counters(const struct world *w, const struct fixture *f)
{
	char line[128];

	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		__u64 expected = i == f->counter || (fixture_is_event(i) && f->events >> i & 1);

		if (w->stats->counter[i] == expected)
			continue;
		snprintf(line, sizeof(line), "%s rose by %llu, not %llu", fixture_counter_name(i),
			(unsigned long long)w->stats->counter[i], (unsigned long long)expected);
		complain(line);
	}
}

static void check_flow(const struct world *w, const struct fixture *f)
{
	__u64 word = world_flow(w, f->frame, f->len);
	int backend = word ? (int)flow_word_backend(word) : FIXTURE_NO_FLOW;
	unsigned state = word ? flow_word_state(word) : FLOW_NONE;

	if (backend == f->leaves.backend && (backend < 0 || state == f->leaves.state))
		return;
	complain("another flow entry was left");
	printf("  expected %s %s, got %s %s\n", setup_backend_name((unsigned)f->leaves.backend),
		fixture_state_name(f->leaves.state), setup_backend_name((unsigned)backend),
		fixture_state_name(state));
}

static void check_datagram(const struct world *w, const struct fixture *f)
{
	struct fragment_home home;
	int found = !world_datagram(w, f->frame, f->len, &home);

	if (found ? f->leads.backend == (int)home.backend && (f->leads.bytes + 7) / 8 == home.units :
		    f->leads.backend < 0)
		return;
	complain("another entry of the datagram was left");
	printf("  expected %s %u, got %s %u\n", setup_backend_name((unsigned)f->leads.backend), f->leads.bytes,
		setup_backend_name(found ? home.backend : SETUP_BACKENDS), home.units * 8);
}

static void prepare(struct world *w, const struct fixture *f)
{
	world_clear(w);
	if (f->datagram.backend >= 0 &&
		world_set_datagram(w, f->frame, f->len, (unsigned)f->datagram.backend, f->datagram.bytes))
		complain("it wants a datagram's entry, but is no fragment");
	if (f->flow.backend < 0)
		return;
	if (world_set_flow(w, f->frame, f->len, (unsigned)f->flow.backend, f->flow.state))
		complain("it wants a flow entry, but is no flow's packet");
}

/* The fixture by itself. */
static void run_whole(struct world *w, const struct fixture *f)
{
	struct parcel p;

	prepare(w, f);
	if (world_one(w, f->frame, f->len, &p))
		complain("the verdict could not be carried out");
	check_counters(w, f);
	check_output(f, &p, "by itself");
	check_flow(w, f);
	check_datagram(w, f);
	parcel_free(&p);
}

/*
 * The first bytes of the fixture only. It must be counted once; and what is sent to a backend must hold all that
 * its IP header speaks of. whole_length: the frame is as long as ever, but goes on in another buffer.
 */
static void run_cut(struct world *w, const struct fixture *f, size_t readable, int whole_length)
{
	struct parcel p = { .in = f->frame, .len = whole_length ? f->len : readable, .readable = readable };

	prepare(w, f);
	world_burst(w, &p, 1);
	if (world_verdicts(w) != 1 || w->stats->received != 1 || fixture_is_event(p.verdict.counter))
		complain("cut short: not counted exactly once");
	if (p.verdict.action == ACTION_TO_BACKEND && !f->odd_length && p.len < f->content)
		complain("cut short: forwarded");
	if ((p.verdict.action == ACTION_TO_BACKEND) != (p.verdict.counter == COUNTER_FORWARDED))
		complain("cut short: verdict and counter disagree");
	if (p.verdict.action == ACTION_TO_KERNEL && (p.out_len != readable || memcmp(p.out, f->frame, readable)))
		complain("cut short: changed, though for the kernel");
	parcel_free(&p);
}

static void run_truncated(struct world *w, const struct fixture *f)
{
	for (size_t readable = 0; readable < f->len; readable++) {
		/* Frames longer than headers can be end the same way at many lengths. */
		if (readable > 300 && readable + 300 < f->len)
			continue;
		run_cut(w, f, readable, 0);
		run_cut(w, f, readable, 1);
	}
}

/*
 * All fixtures in bursts of size n, in the order given, each counter the sum of theirs. Fixtures that need a flow
 * entry, or a datagram's, are left out, since those that others have entered would be theirs; so are the entries left.
 */
static void run_bursts(struct world *w, const struct fixtures *all, const size_t *order, size_t n)
{
	__u64 expected[COUNTER_COUNT] = { 0 };
	size_t i = 0;

	world_clear(w);
	while (i < all->n) {
		const struct fixture *of[BURST_MAX];
		struct parcel parcels[BURST_MAX];
		__u32 k = 0;

		for (; i < all->n && k < n; i++) {
			const struct fixture *f = &all->list[order[i]];

			if (f->flow.backend >= 0 || f->leads.backend >= 0)
				continue;
			of[k] = f;
			parcels[k++] = (struct parcel){ .in = f->frame, .len = f->len, .readable = f->len };
			expected[f->counter]++;
		}
		if (k == 0)
			break;
		current = of[0];
		if (world_burst(w, parcels, k))
			complain("burst: a verdict could not be carried out");
		for (__u32 j = 0; j < k; j++) {
			current = of[j];
			if (parcels[j].verdict.counter != of[j]->counter)
				complain("burst: another verdict than by itself");
			else
				check_output(of[j], &parcels[j], "in a burst");
			parcel_free(&parcels[j]);
		}
	}
	for (unsigned c = 0; c < COUNTER_COUNT; c++)
		if (!fixture_is_event(c) && w->stats->counter[c] != expected[c])
			complain("burst: a counter is not the sum of the fixtures'");
}

/* In the order of the files, then shuffled again and again: a packet's verdict is none of its neighbours'. */
static void run_orders(struct world *w, const struct fixtures *all)
{
	size_t *order = malloc(all->n * sizeof(*order));

	if (!order)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < all->n; i++)
		order[i] = i;
	run_bursts(w, all, order, 1);
	run_bursts(w, all, order, 7);
	run_bursts(w, all, order, BURST_MAX);
	srand(1);
	for (int round = 0; round < 100; round++) {
		for (size_t i = all->n - 1; i > 0; i--) {
			size_t other = (size_t)rand() % (i + 1), was = order[i];

			order[i] = order[other];
			order[other] = was;
		}
		run_bursts(w, all, order, BURST_MAX);
	}
	free(order);
}

/* Without a snapshot everything goes to the kernel, as it is. */
static void run_without_snapshot(const struct fixtures *all)
{
	struct world w;

	if (world_open(&w, NULL, 0))
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < all->n; i++) {
		struct parcel p;

		current = &all->list[i];
		world_one(&w, current->frame, current->len, &p);
		if (p.verdict.counter != COUNTER_TO_KERNEL || memcmp(p.out, current->frame, current->len))
			complain("without a snapshot: not given to the kernel as it is");
		parcel_free(&p);
	}
	world_close(&w);
}

int main(int argc, char **argv)
{
	struct fixtures all = { 0 };
	struct world w;
	size_t size;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++)
		if (fixtures_load(&all, argv[i], setup_names(&own))) {
			printf("%s\n", all.error);
			fixtures_free(&all);
			return EXIT_FAILURE;
		}
	if (!all.n || world_open(&w, setup_snapshot(&own, 1, &size), BUCKETS))
		return EXIT_FAILURE;
	for (size_t i = 0; i < all.n; i++) {
		current = &all.list[i];
		run_whole(&w, current);
		run_truncated(&w, current);
	}
	run_orders(&w, &all);
	run_without_snapshot(&all);
	printf("%zu fixtures, %u failures\n", all.n, failures);
	world_close(&w);
	fixtures_free(&all);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
