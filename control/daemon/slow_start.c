/* SPDX-License-Identifier: BSD-3-Clause */
/* Slow start: shares that grow with time. */
#include "slow_start.h"

#include <stdlib.h>

#include "clock.h"
#include "events.h"

#define FIRST (RAMP_FULL / 10)
#define STEPS 20
#define TICK_MIN_MS 50
#define TICK_MAX_MS 5000

/* What is known of a backend or a pool, by id. */
struct slow_start {
	struct model *model;
	struct model_listener changes;
	struct event *timer;
	uint32_t n_ramping;
	bool fit[SNAPSHOT_MAX_IDS];            /* usable and healthy when it was looked at last */
	uint64_t began_ms[SNAPSHOT_MAX_IDS];   /* of backends that ramp up: when; else 0 */
	uint64_t came_up_ms[SNAPSHOT_MAX_IDS]; /* of pools: when the first backend did; 0: before shuntd was there */
};

uint16_t slow_start_permille(uint64_t elapsed_ms, uint32_t slow_start_ms)
{
	if (elapsed_ms >= slow_start_ms)
		return RAMP_FULL;
	return (uint16_t)(FIRST + (RAMP_FULL - FIRST) * (elapsed_ms * STEPS / slow_start_ms) / STEPS);
}

/* When it must have begun, to be where it is. */
static uint64_t began_at(const struct backend *b, uint64_t now)
{
	uint64_t done = b->ramp > FIRST ? (uint64_t)(b->ramp - FIRST) : 0;
	uint64_t elapsed = done * b->pool->slow_start_ms / (RAMP_FULL - FIRST);

	return now > elapsed ? now - elapsed : 1;
}

static void schedule(struct slow_start *s)
{
	uint32_t tick = TICK_MAX_MS;
	struct timeval delay;

	if (!s->n_ramping)
		return;
	for (struct pool *p = model_pools(s->model); p; p = p->next)
		if (p->slow_start_ms && p->slow_start_ms / STEPS < tick)
			tick = p->slow_start_ms / STEPS;
	tick = tick < TICK_MIN_MS ? TICK_MIN_MS : tick;
	delay = (struct timeval){ .tv_sec = tick / 1000, .tv_usec = tick % 1000 * 1000 };
	event_add(s->timer, &delay);
}

static void end(struct slow_start *s, struct backend *b)
{
	s->began_ms[b->id] = 0;
	s->n_ramping--;
	model_set_ramp(s->model, b, RAMP_FULL);
}

static void step(struct slow_start *s, struct backend *b, uint64_t now)
{
	uint16_t permille = slow_start_permille(now - s->began_ms[b->id], b->pool->slow_start_ms);

	if (permille < RAMP_FULL) {
		model_set_ramp(s->model, b, permille);
		return;
	}
	end(s, b);
	event_tell(EVENT_SLOW_START_DONE, NULL, b, "%s", "");
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct slow_start *s = context;
	uint64_t now = clock_boot_ms();

	(void)fd;
	(void)what;
	for (struct pool *p = model_pools(s->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (s->began_ms[b->id])
				step(s, b, now);
	schedule(s);
}

static void begin(struct slow_start *s, struct backend *b, uint64_t began_ms)
{
	bool first = !s->n_ramping;

	s->began_ms[b->id] = began_ms;
	s->n_ramping++;
	if (b->ramp == RAMP_FULL)
		model_set_ramp(s->model, b, FIRST);
	if (first)
		schedule(s);
}

static bool is_fit(const struct backend *b)
{
	return b->healthy && model_backend_is_usable(b);
}

/* Suspicion and panic come and go without it: only what is new, or was away, has to warm up. */
static void look(struct slow_start *s, struct backend *b)
{
	struct pool *pool = b->pool;
	uint64_t now;

	if (is_fit(b) == s->fit[b->id])
		return;
	s->fit[b->id] = !s->fit[b->id];
	if (!s->fit[b->id]) {
		if (s->began_ms[b->id])
			end(s, b);
		return;
	}
	now = clock_boot_ms();
	if (pool->n_healthy == 1)
		s->came_up_ms[pool->id] = now;
	else if (pool->slow_start_ms && now - s->came_up_ms[pool->id] >= pool->slow_start_ms)
		begin(s, b, now);
}

static void on_backend(void *context, struct backend *b)
{
	look(context, b);
}

static void on_backend_removed(void *context, struct backend *b)
{
	struct slow_start *s = context;

	if (s->began_ms[b->id])
		s->n_ramping--;
	s->began_ms[b->id] = 0;
	s->fit[b->id] = false;
}

struct slow_start *slow_start_open(struct event_base *base, struct model *model)
{
	struct slow_start *s = calloc(1, sizeof(*s));
	uint64_t now = clock_boot_ms();

	if (!s)
		return NULL;
	s->model = model;
	s->timer = evtimer_new(base, on_timer, s);
	if (!s->timer) {
		free(s);
		return NULL;
	}
	for (struct pool *p = model_pools(model); p; p = p->next) {
		for (struct backend *b = p->backends; b; b = b->next) {
			s->fit[b->id] = is_fit(b);
			if (b->ramp != RAMP_FULL)
				begin(s, b, began_at(b, now));
		}
	}
	s->changes = (struct model_listener){
		.context = s,
		.backend_added = on_backend,
		.backend_changed = on_backend,
		.backend_removed = on_backend_removed,
	};
	model_listen(model, &s->changes);
	return s;
}

void slow_start_close(struct slow_start *s)
{
	if (!s)
		return;
	model_unlisten(s->model, &s->changes);
	event_free(s->timer);
	free(s);
}
