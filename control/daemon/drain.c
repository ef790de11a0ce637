/* SPDX-License-Identifier: BSD-3-Clause */
/* The deadlines of drains. */
#include "drain.h"

#include <stdlib.h>

#include "clock.h"

/* libevent's clock stands while the machine sleeps, that of deadlines doesn't: look this often, at least. */
#define LOOK_MS 10000
/* After a start, until forwarders are there and have said how many flows are left: what is cut is to be counted.
 */
#define SETTLE_MS 2500

struct drains {
	struct model *model;
	struct counters *counters;
	struct model_listener changes;
	struct event *timer;
	uint64_t settled_ms; /* nothing is cut before */
};

static void look_after(struct drains *drains, uint64_t ms)
{
	struct timeval delay = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	event_add(drains->timer, &delay);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct drains *drains = context;
	uint64_t next, now = clock_boot_ms();

	(void)fd;
	(void)what;
	if (now < drains->settled_ms) {
		look_after(drains, drains->settled_ms - now);
		return;
	}
	/* What is cut is counted now, not when the last second began. */
	if (drains->counters)
		counters_refresh(drains->counters);
	next = model_drain_deadlines(drains->model, clock_boot_ms());
	if (!next)
		return;
	now = clock_boot_ms();
	next = next > now ? next - now : 0;
	look_after(drains, next < LOOK_MS ? next : LOOK_MS);
}

static void on_backend_changed(void *context, struct backend *b)
{
	if (b->draining && !b->drain.over && b->drain.deadline_ms)
		look_after(context, 0);
}

struct drains *drains_open(struct event_base *base, struct model *model, struct counters *counters)
{
	struct drains *drains = calloc(1, sizeof(*drains));

	if (!drains)
		return NULL;
	drains->model = model;
	drains->counters = counters;
	drains->settled_ms = clock_boot_ms() + SETTLE_MS;
	drains->timer = evtimer_new(base, on_timer, drains);
	if (!drains->timer) {
		free(drains);
		return NULL;
	}
	drains->changes = (struct model_listener){ .context = drains, .backend_changed = on_backend_changed };
	model_listen(model, &drains->changes);
	look_after(drains, 0);
	return drains;
}

void drains_close(struct drains *drains)
{
	if (!drains)
		return;
	model_unlisten(drains->model, &drains->changes);
	event_free(drains->timer);
	free(drains);
}
