/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Samples for passive_judge.c, and what follows from its judgement. A suspicion that the check refutes is not held
 * again for a second, then two, and so on up to a minute.
 */
#include "passive.h"

#include <stdlib.h>
#include <time.h>

#include "events.h"
#include "passive_judge.h"

#define INTERVAL_US 25000
#define INTERVAL_MAX_US 4000000
#define COST_SHARE 100 /* of a core it takes one in so many parts at most */
#define HOLD_OFF_MS 1000
#define HOLD_OFF_MAX_MS 60000
#define FORGIVEN_MS 600000 /* after so long without a suspicion the next is the first again */

struct watch {
	struct passive_backend judge;
	bool suspected;	  /* by this module: what its check says is yet to be seen */
	bool convicted;	  /* it was, and went down */
	uint64_t hold_ms; /* of the last refutation; 0: none */
	uint64_t refuted_ms;
};

struct passive {
	struct model *model;
	struct publisher *publisher;
	struct health *health;
	struct event *timer;
	struct publish_listener publish_listener;
	struct model_listener model_listener;
	struct forwarder_worker *worker; /* those at work, of all forwarders, during a tick */
	uint32_t n_workers, room;
	bool anew;			      /* what was counted before is not to be compared with what comes */
	struct watch *watch[STATS_IDS];	      /* by backend id; NULL: none */
	struct passive_pool *pool[STATS_IDS]; /* by pool id */
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void take_workers(struct passive *p)
{
	p->n_workers = 0;
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(p->publisher, (enum forwarder_kind)kind);
		struct forwarder_worker worker;

		for (uint32_t i = 0; f && forwarder_worker(f, i, &worker); i++) {
			/* Figures of earlier memory come and go with that: they do not change otherwise. */
			if (!worker.handshakes || worker.core == FORWARDER_NO_CORE ||
				!forwarder_worker_is_at_work(&worker))
				continue;
			if (p->n_workers == p->room) {
				uint32_t room = p->room ? p->room * 2 : 8;
				struct forwarder_worker *grown = realloc(p->worker, room * sizeof(*grown));

				if (!grown)
					return;
				p->worker = grown;
				p->room = room;
			}
			p->worker[p->n_workers++] = worker;
		}
	}
}

static void sample(struct passive *p, struct passive_pool *pool, struct watch *w, uint16_t id)
{
	uint64_t asked = 0, completed = 0;

	for (uint32_t i = 0; i < p->n_workers; i++) {
		const volatile struct stats_handshakes *h = &p->worker[i].handshakes[id];

		if (id >= p->worker[i].n_ids)
			continue;
		/* In this order: a handshake is never seen completed before it was asked for. */
		completed += h->completed;
		asked += h->asked;
	}
	if (p->anew)
		w->judge.watched = false;
	passive_sample(pool, &w->judge, asked, completed);
}

/* What became of a suspicion: the check has said. */
static void follow(struct watch *w, const struct backend *b, uint64_t now_ms)
{
	if (b->healthy && !b->suspect)
		w->convicted = false;
	if (!w->suspected || b->suspect)
		return;
	w->suspected = false;
	w->judge.watched = false;
	w->convicted = !b->healthy;
	if (w->convicted) {
		w->hold_ms = 0;
		return;
	}
	if (now_ms - w->refuted_ms > FORGIVEN_MS)
		w->hold_ms = 0;
	w->hold_ms = !w->hold_ms		   ? HOLD_OFF_MS
		: w->hold_ms * 2 > HOLD_OFF_MAX_MS ? HOLD_OFF_MAX_MS
						   : w->hold_ms * 2;
	w->refuted_ms = now_ms;
}

static void suspect(struct passive *p, struct passive_pool *pool, struct backend *b, struct watch *w)
{
	const struct passive_backend *j = &w->judge;

	w->suspected = true;
	event_tell(EVENT_BACKEND_SUSPECT, b->pool, b,
		"no handshake completed of the last %llu begun, while its peers completed %llu",
		(unsigned long long)(j->asked - j->asked_then[0]),
		(unsigned long long)(pool->completed - j->pool_completed_then));
	model_set_suspect(p->model, b, true);
	health_suspect(p->health, b);
}

static bool is_watched(const struct pool *pool)
{
	return pool->passive && pool->check.type != CHECK_NONE && pool->n_backends > 1 && !pool->panicking;
}

/* Whether the pool can do without one more: at most half of those that could be used may be out for suspicions. */
static bool can_spare(const struct passive *p, const struct pool *pool)
{
	uint32_t n = 0, out = 1;

	for (const struct backend *b = pool->backends; b; b = b->next) {
		const struct watch *w = p->watch[b->id];

		n += model_backend_is_usable(b);
		out += w && model_backend_is_usable(b) && (w->suspected || w->convicted);
	}
	return out * 2 <= n;
}

static struct watch *watch_of(struct passive *p, uint16_t id)
{
	if (!p->watch[id])
		p->watch[id] = calloc(1, sizeof(*p->watch[id]));
	return p->watch[id];
}

static void look(struct passive *p, struct pool *of, uint64_t now_ms)
{
	struct passive_pool **pool = &p->pool[of->id];

	if (!*pool && !(*pool = calloc(1, sizeof(**pool))))
		return;
	passive_sample_begin(*pool);
	for (struct backend *b = of->backends; b; b = b->next) {
		struct watch *w = watch_of(p, b->id);

		if (w)
			sample(p, *pool, w, b->id);
	}
	passive_sample_end(*pool);
	for (struct backend *b = of->backends; b; b = b->next) {
		struct watch *w = p->watch[b->id];

		if (!w)
			continue;
		follow(w, b, now_ms);
		/* While nobody asks it, and when it comes back, nothing follows from its silence. */
		if (!model_backend_is_in_slots(b))
			w->judge.watched = false;
		passive_settle(*pool, &w->judge);
		if (now_ms - w->refuted_ms >= w->hold_ms && model_backend_is_in_slots(b) &&
			passive_is_suspect(*pool, &w->judge) && can_spare(p, of))
			suspect(p, *pool, b, w);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct passive *p = context;
	uint64_t now_ms = clock_us(CLOCK_MONOTONIC) / 1000, begun_us = clock_us(CLOCK_THREAD_CPUTIME_ID), pause_us;
	struct timeval pause;

	(void)fd;
	(void)what;
	take_workers(p);
	for (struct pool *pool = model_pools(p->model); pool; pool = pool->next)
		if (p->n_workers && is_watched(pool))
			look(p, pool, now_ms);
	p->anew = false;
	pause_us = (clock_us(CLOCK_THREAD_CPUTIME_ID) - begun_us) * COST_SHARE;
	pause_us = pause_us < INTERVAL_US ? INTERVAL_US : pause_us > INTERVAL_MAX_US ? INTERVAL_MAX_US : pause_us;
	pause = (struct timeval){ .tv_sec = (time_t)(pause_us / 1000000),
		.tv_usec = (suseconds_t)(pause_us % 1000000) };
	event_add(p->timer, &pause);
}

static void on_forwarder(void *context, struct forwarder *forwarder)
{
	(void)forwarder;
	((struct passive *)context)->anew = true;
}

/* Its id may soon be another's. */
static void on_backend_removed(void *context, struct backend *backend)
{
	struct passive *p = context;

	free(p->watch[backend->id]);
	p->watch[backend->id] = NULL;
}

struct passive *passive_open(
	struct event_base *base, struct model *model, struct publisher *publisher, struct health *health)
{
	static const struct timeval soon = { .tv_usec = INTERVAL_US };
	struct passive *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->model = model;
	p->publisher = publisher;
	p->health = health;
	p->anew = true;
	p->timer = event_new(base, -1, 0, on_tick, p);
	if (!p->timer || event_add(p->timer, &soon)) {
		passive_close(p);
		return NULL;
	}
	p->publish_listener =
		(struct publish_listener){ .context = p, .connected = on_forwarder, .disconnected = on_forwarder };
	publish_listen(publisher, &p->publish_listener);
	p->model_listener = (struct model_listener){ .context = p, .backend_removed = on_backend_removed };
	model_listen(model, &p->model_listener);
	return p;
}

void passive_close(struct passive *p)
{
	if (!p)
		return;
	if (p->model_listener.context)
		model_unlisten(p->model, &p->model_listener);
	if (p->timer)
		event_free(p->timer);
	for (uint32_t i = 0; i < STATS_IDS; i++) {
		free(p->watch[i]);
		free(p->pool[i]);
	}
	free(p->worker);
	free(p);
}
