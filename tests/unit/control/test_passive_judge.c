/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passive_judge.h on simulated pools: clients that come at random (Poisson), from near and far, over backends of
 * several weights. How often a healthy backend is suspected, with and without floods, and how soon a dead one is.
 */
#include "passive_judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define BACKENDS_MAX 10
#define SAMPLE_MS 25
#define HORIZON_MS 4096 /* the longest round trip is shorter */

struct scene {
	const char *name;
	uint32_t n;	/* backends, */
	uint32_t heavy; /* of which the first has so many times the others' weight; 0: 1 */
	double flows_per_second;
	double floods_per_second; /* SYNs that nobody means, spread like flows */
	double aimed_per_second;  /* likewise, all at backend 1 */
	uint32_t near_ms, far_ms; /* round trips, uniform between them */
	uint32_t burst;		  /* a client opens so many at once to one backend; 0: 1 */
	double lost;		  /* share of flows that never complete, on any backend */
};

struct pool {
	const struct scene *scene;
	uint64_t dice;
	uint64_t now_ms;
	uint64_t asked[BACKENDS_MAX], completed[BACKENDS_MAX];
	uint32_t due[BACKENDS_MAX][HORIZON_MS]; /* handshakes to be completed at a time to come */
	int64_t dead_since[BACKENDS_MAX];	/* ms; -1: lives */
	struct passive_pool judge;
	struct passive_backend backend[BACKENDS_MAX];
};

static struct pool pool;

static double chance(void)
{
	return (double)(unit_random(&pool.dice) >> 11) / 9007199254740992.0;
}

/* How many of a Poisson process in a time in which mean are to be expected. */
static uint32_t poisson(double mean)
{
	double limit = exp(-mean), product = chance();
	uint32_t n = 0;

	while (product > limit) {
		product *= chance();
		n++;
	}
	return n;
}

static uint32_t pick(void)
{
	uint32_t heavy = pool.scene->heavy ? pool.scene->heavy : 1;
	uint32_t r = (uint32_t)(chance() * (heavy + pool.scene->n - 1));

	return r < heavy ? 0 : r - heavy + 1;
}

static void ask(uint32_t b)
{
	const struct scene *s = pool.scene;
	uint32_t rtt = s->near_ms + (uint32_t)(chance() * (s->far_ms - s->near_ms + 1));

	pool.asked[b]++;
	/* The reply left half a round trip before the client's answer comes. */
	if (chance() < s->lost || (pool.dead_since[b] >= 0 && (int64_t)pool.now_ms >= pool.dead_since[b]))
		return;
	pool.due[b][(pool.now_ms + (rtt ? rtt : 1)) % HORIZON_MS]++;
}

static void step(void)
{
	const struct scene *s = pool.scene;
	uint32_t burst = s->burst ? s->burst : 1, n;

	pool.now_ms++;
	for (uint32_t b = 0; b < s->n; b++) {
		uint32_t *due = &pool.due[b][pool.now_ms % HORIZON_MS];

		pool.completed[b] += *due;
		*due = 0;
	}
	n = poisson(s->flows_per_second / burst / 1000);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t b = pick();

		for (uint32_t k = 0; k < burst; k++)
			ask(b);
	}
	n = poisson(s->floods_per_second / 1000);
	for (uint32_t i = 0; i < n; i++)
		pool.asked[pick()]++;
	pool.asked[1] += poisson(s->aimed_per_second / 1000);
}

/* Up to the next sample, and that. */
static void sample(void)
{
	do
		step();
	while (pool.now_ms % SAMPLE_MS);
	passive_sample_begin(&pool.judge);
	for (uint32_t b = 0; b < pool.scene->n; b++)
		passive_sample(&pool.judge, &pool.backend[b], pool.asked[b], pool.completed[b]);
	passive_sample_end(&pool.judge);
	for (uint32_t b = 0; b < pool.scene->n; b++)
		passive_settle(&pool.judge, &pool.backend[b]);
}

static void begin(const struct scene *scene, uint64_t seed)
{
	pool = (struct pool){ .scene = scene, .dice = seed };
	for (uint32_t b = 0; b < BACKENDS_MAX; b++)
		pool.dead_since[b] = -1;
}

/* Suspicions of healthy backends in so many seconds; each begins anew, as one that was refuted does. */
static uint32_t false_suspicions(const struct scene *scene, uint32_t seconds)
{
	uint32_t n = 0;

	begin(scene, 1);
	while (pool.now_ms < seconds * 1000ull) {
		sample();
		for (uint32_t b = 0; b < scene->n; b++) {
			if (!passive_is_suspect(&pool.judge, &pool.backend[b]))
				continue;
			n++;
			pool.backend[b].watched = false;
		}
	}
	return n;
}

static void healthy_pools(void)
{
	static const struct {
		struct scene scene;
		uint32_t most; /* in twenty minutes, of all backends together */
	} cases[] = {
		{ { "10/s over 3, near", .n = 3, .flows_per_second = 10, .near_ms = 1, .far_ms = 2 }, 0 },
		{ { "100/s over 3, near", .n = 3, .flows_per_second = 100, .near_ms = 1, .far_ms = 2 }, 0 },
		{ { "300/s over 3, near", .n = 3, .flows_per_second = 300, .near_ms = 1, .far_ms = 2 }, 0 },
		{ { "1000/s over 3, near", .n = 3, .flows_per_second = 1000, .near_ms = 1, .far_ms = 2 }, 0 },
		{ { "300/s over 2, near", .n = 2, .flows_per_second = 300, .near_ms = 1, .far_ms = 2 }, 0 },
		{ { "300/s over 10, near", .n = 10, .flows_per_second = 300, .near_ms = 1, .far_ms = 2 }, 0 },
		{ { "10/s over 3, far", .n = 3, .flows_per_second = 10, .near_ms = 10, .far_ms = 200 }, 2 },
		{ { "100/s over 3, far", .n = 3, .flows_per_second = 100, .near_ms = 10, .far_ms = 200 }, 2 },
		{ { "300/s over 3, far", .n = 3, .flows_per_second = 300, .near_ms = 10, .far_ms = 200 }, 2 },
		{ { "1000/s over 3, far", .n = 3, .flows_per_second = 1000, .near_ms = 10, .far_ms = 200 }, 2 },
		{ { "300/s over 3, 100 ms", .n = 3, .flows_per_second = 300, .near_ms = 100, .far_ms = 101 }, 2 },
		{ { "300/s over 10, far", .n = 10, .flows_per_second = 300, .near_ms = 10, .far_ms = 200 }, 2 },
		{ { "300/s, one of weight 10", .n = 3, .heavy = 10, .flows_per_second = 300, .near_ms = 1,
			  .far_ms = 100 },
			2 },
		{ { "bursts of 20, far", .n = 3, .flows_per_second = 300, .near_ms = 10, .far_ms = 200,
			  .burst = 20 },
			2 },
		{ { "a third lost", .n = 3, .flows_per_second = 300, .near_ms = 1, .far_ms = 100, .lost = 0.33 },
			2 },
		{ { "a flood of 5000/s", .n = 3, .flows_per_second = 300, .floods_per_second = 5000, .near_ms = 1,
			  .far_ms = 100 },
			2 },
		{ { "a flood of 50000/s", .n = 3, .flows_per_second = 300, .floods_per_second = 50000,
			  .near_ms = 1, .far_ms = 100 },
			2 },
		{ { "a flood aimed at one", .n = 3, .flows_per_second = 300, .aimed_per_second = 5000,
			  .near_ms = 1, .far_ms = 100 },
			2 },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		uint32_t n = false_suspicions(&cases[i].scene, 1200);

		unit_note("%s: %u false suspicions in twenty minutes", cases[i].scene.name, n);
		CU_ASSERT(n <= cases[i].most);
	}
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Milliseconds until a dead backend is suspected, 200 times: the median, and the 95th percentile. */
static void time_to_suspicion(const struct scene *scene, int *median, int *late)
{
	static int times[200];

	for (size_t i = 0; i < UNIT_COUNT(times); i++) {
		uint64_t death;

		begin(scene, i + 1);
		while (pool.now_ms < 5000 + i * 3 || pool.completed[1] < 50)
			sample();
		death = pool.now_ms + i % SAMPLE_MS;
		pool.dead_since[1] = (int64_t)death;
		times[i] = 60000;
		while (pool.now_ms < death + 60000) {
			sample();
			if (passive_is_suspect(&pool.judge, &pool.backend[1])) {
				times[i] = (int)(pool.now_ms - death);
				break;
			}
		}
	}
	qsort(times, UNIT_COUNT(times), sizeof(*times), compare);
	*median = times[UNIT_COUNT(times) / 2];
	*late = times[UNIT_COUNT(times) * 95 / 100];
}

static void dead_backends(void)
{
	static const struct {
		struct scene scene;
		int median, late;
	} cases[] = {
		{ { "10/s over 3", .n = 3, .flows_per_second = 10, .near_ms = 1, .far_ms = 2 }, 6000, 9000 },
		{ { "100/s over 3", .n = 3, .flows_per_second = 100, .near_ms = 1, .far_ms = 2 }, 600, 900 },
		{ { "300/s over 3", .n = 3, .flows_per_second = 300, .near_ms = 1, .far_ms = 2 }, 175, 220 },
		{ { "500/s over 3", .n = 3, .flows_per_second = 500, .near_ms = 1, .far_ms = 2 }, 150, 200 },
		{ { "1000/s over 3", .n = 3, .flows_per_second = 1000, .near_ms = 1, .far_ms = 2 }, 100, 150 },
		{ { "300/s over 2", .n = 2, .flows_per_second = 300, .near_ms = 1, .far_ms = 2 }, 200, 250 },
		{ { "500/s over 3, far", .n = 3, .flows_per_second = 500, .near_ms = 10, .far_ms = 100 }, 300,
			400 },
		{ { "500/s over 10", .n = 10, .flows_per_second = 500, .near_ms = 1, .far_ms = 2 }, 300, 400 },
		{ { "300/s in a flood of 50000/s", .n = 3, .flows_per_second = 300, .floods_per_second = 50000,
			  .near_ms = 1, .far_ms = 2 },
			300, 450 },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		int median, late;

		time_to_suspicion(&cases[i].scene, &median, &late);
		unit_note("%s: suspected after %d ms (median), %d ms (95 %%)", cases[i].scene.name, median, late);
		CU_ASSERT(median <= cases[i].median && late <= cases[i].late);
	}
}

/* Silence of all, as when the clients' own way is broken, is nobody's fault. */
static void all_silent(void)
{
	static const struct scene scene = { "", .n = 3, .flows_per_second = 300, .near_ms = 1, .far_ms = 2 };
	uint32_t n = 0;

	begin(&scene, 1);
	while (pool.now_ms < 10000)
		sample();
	for (int b = 0; b < 3; b++)
		pool.dead_since[b] = (int64_t)pool.now_ms;
	while (pool.now_ms < 20000) {
		sample();
		for (int b = 0; b < 3; b++)
			n += passive_is_suspect(&pool.judge, &pool.backend[b]);
	}
	CU_ASSERT_EQUAL(n, 0);
}

/* Nobody asks it, as when it was taken out: nothing follows. Nor of what is new, or counted anew from 0. */
static void nothing_asked(void)
{
	struct passive_backend a = { 0 }, b = { 0 };
	struct passive_pool p = { 0 };

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t count = i < 500 ? i * 10 : (i - 500) * 10;

		passive_sample_begin(&p);
		passive_sample(&p, &a, count, count);
		passive_sample(&p, &b, 5000, 4000);
		passive_sample_end(&p);
		passive_settle(&p, &a);
		passive_settle(&p, &b);
		CU_ASSERT(!passive_is_suspect(&p, &a) && !passive_is_suspect(&p, &b));
	}
	CU_ASSERT_EQUAL(p.asked, 9980);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "healthy pools", healthy_pools },
		{ "dead backends", dead_backends },
		{ "all silent", all_silent },
		{ "nothing asked", nothing_asked },
		{ NULL, NULL },
	};

	return unit_run("passive judge", tests);
}
