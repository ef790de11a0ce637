/* SPDX-License-Identifier: BSD-3-Clause */
/* The checks of one backend: when the next is due, where it goes, and what it found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "events.h"
#include "health_private.h"

#define NO_FORWARDER "shunt-dataplane is not there"
#define SPREAD_US 1000 /* first checks: one this often on average, but none later than its interval */
#define DNS_PORT 53
#define TICK_US 60000 /* checks begin together, this often: half of what they cost is being woken for each */
#define TICK_SHARE 16 /* of the interval a tick is no more than one in so many parts */

static uint64_t random_below(uint64_t n)
{
	return n ? (uint64_t)random() % n : 0;
}

static const struct check *check_of(const struct probe *probe)
{
	return &probe->backend->pool->check;
}

/* Now, or at the tick nearest to the time. */
static void schedule(struct probe *probe, uint64_t due_us)
{
	uint64_t now = health_now_us(), size = (uint64_t)check_of(probe)->interval_ms * 1000 / TICK_SHARE, tick, delay;
	struct timeval wait;

	size = size < TICK_US ? size : TICK_US;
	tick = (due_us + size / 2) / size * size;
	probe->due_us = due_us > now ? due_us : now;
	delay = due_us > now && tick > now ? tick - now : 0;
	wait = (struct timeval){ .tv_sec = (time_t)(delay / 1000000), .tv_usec = (suseconds_t)(delay % 1000000) };
	event_add(&probe->timer, &wait);
}

void health_probe_schedule_first(struct probe *probe)
{
	uint64_t window = (uint64_t)probe->health->n_probes * SPREAD_US;
	uint64_t interval = (uint64_t)check_of(probe)->interval_ms * 1000;

	schedule(probe, health_now_us() + random_below(window < interval ? window : interval));
}

/* An interval after the last one began, give or take the jitter so that none stay in step. */
static void schedule_next(struct probe *probe)
{
	const struct check *check = check_of(probe);
	uint64_t interval = (uint64_t)judge_interval_ms(&probe->judge, check) * 1000;
	uint64_t jitter = interval * check->jitter / 100;

	schedule(probe, probe->began_us + interval - jitter + random_below(2 * jitter + 1));
}

static void give_up(struct probe *probe)
{
	if (probe->run)
		probe->health->stats.under_way--;
	check_cancel(probe->run);
	probe->run = NULL;
}

void health_probe_hurry(struct probe *probe)
{
	give_up(probe);
	schedule(probe, 0);
}

static void set_unmade(struct probe *probe, bool unmade)
{
	if (unmade == probe->unmade)
		return;
	probe->unmade = unmade;
	probe->health->stats.n_unmade += unmade ? 1 : -1;
}

/* A check was made. */
static void set_made(struct probe *probe)
{
	struct health *health = probe->health;

	set_unmade(probe, false);
	if (!health->told_unmade || health->stats.n_unmade)
		return;
	health->told_unmade = false;
	event_tell(EVENT_BACKEND_CHECKED_AGAIN, NULL, NULL, "every backend that is to be checked can be");
}

static void end_suspicion(struct probe *probe, const char *why)
{
	if (!probe->backend->suspect)
		return;
	event_tell(EVENT_BACKEND_CLEARED, NULL, probe->backend, "%s", why);
	model_set_suspect(probe->health->model, probe->backend, false);
}

/* Our own trouble: say so, once for all backends that share it, and leave the judgement alone. */
static void finish_unmade(struct probe *probe, const char *why)
{
	probe->health->stats.unmade++;
	if (probe->health->stats.n_unmade == 0) {
		event_tell(EVENT_BACKEND_UNCHECKED, NULL, probe->backend, "%s", why);
		probe->health->told_unmade = true;
	}
	set_unmade(probe, true);
	judge_unmade(&probe->judge);
	snprintf(probe->error, sizeof(probe->error), "not checked: %s", why);
	schedule_next(probe);
	end_suspicion(probe, probe->error);
}

static void finish_success(struct probe *probe, int weight)
{
	struct health *health = probe->health;
	struct backend *backend = probe->backend;
	bool first = probe->judge.fresh, returning = probe->judge.returning;
	enum judge_verdict verdict = judge_succeeded(&probe->judge, check_of(probe));
	char why[40] = "";

	set_made(probe);
	probe->error[0] = '\0';
	schedule_next(probe);
	if (probe->judge.successes > 1)
		snprintf(why, sizeof(why), "%u successes in a row", probe->judge.successes);
	if (weight >= 0)
		health_change_weight(probe, weight);
	health_change(probe, verdict, !first && !returning, why);
	if (backend->returning) {
		/* It was never judged down: else that it is up is told already. */
		if (verdict == JUDGE_NOTHING && backend->healthy)
			event_tell(EVENT_BACKEND_UP, NULL, backend, "back in, its check succeeds");
		model_set_returned(health->model, backend);
	}
	end_suspicion(probe, "its check succeeds");
}

static void finish_failure(struct probe *probe, const struct check_result *result)
{
	bool first = probe->judge.fresh, suspected = probe->judge.suspected;
	enum judge_verdict verdict;
	char why[HEALTH_ERROR + 60];

	probe->health->stats.failed++;
	/* Nobody there: perhaps because it is another machine now, and its neighbour entry is the old one's. */
	if (result->silent && probe->judge.failures == 0)
		neighbour_doubt(probe->health->neighbours, probe->backend);
	verdict = judge_failed(&probe->judge, check_of(probe));
	set_made(probe);
	snprintf(probe->error, sizeof(probe->error), "%s", result->why);
	schedule_next(probe);
	if (suspected && probe->judge.failures < check_of(probe)->fall)
		snprintf(why, sizeof(why), "its handshakes have stopped, and its check fails: %s", probe->error);
	else if (probe->judge.failures > 1)
		snprintf(why, sizeof(why), "%u failures in a row: %s", probe->judge.failures, probe->error);
	else
		snprintf(why, sizeof(why), "%s", probe->error);
	health_change(probe, verdict, !first, why);
}

/* A check failed: what of our own kept its packets from the backend, or NULL. */
static const char *why_unasked(const struct probe *probe, bool silent)
{
	/* It, or the interface, went while the check was on its way. */
	if (!publish_carries_checks(probe->health->publisher))
		return NO_FORWARDER;
	if (!silent)
		return NULL;
	if (check_of(probe)->via == CHECK_VIA_VIP && !route_is_up(probe->health->routes, probe->backend))
		return ROUTE_NO_INTERFACE;
	/* The kernel drops what it can't send without a word. */
	if (neighbour_unasked(probe->health->neighbours, probe->backend))
		return "the kernel's neighbour table is full";
	return NULL;
}

static void on_done(void *context, const struct check_result *result)
{
	struct probe *probe = context;
	const char *unasked;

	probe->run = NULL;
	probe->health->stats.under_way--;
	unasked = result->outcome == CHECK_FAILED ? why_unasked(probe, result->silent) : NULL;
	if (result->outcome == CHECK_UNMADE)
		route_doubt(probe->health->routes, probe->backend);
	if (result->outcome == CHECK_SUCCEEDED)
		finish_success(probe, result->weight);
	else if (result->outcome == CHECK_UNMADE)
		finish_unmade(probe, result->why);
	else if (unasked)
		finish_unmade(probe, unasked);
	else
		finish_failure(probe, result);
}

static bool needs_port(const struct check *check)
{
	return check->type != CHECK_PING && check->type != CHECK_EXEC;
}

static bool needs_vip(const struct check *check)
{
	return check->via == CHECK_VIA_VIP || (!check->port && needs_port(check) && check->type != CHECK_DNS);
}

/* False with *why if there is no place to check. */
static bool find_target(struct probe *probe, struct check_target *target, const char **why)
{
	const struct check *check = check_of(probe);
	struct backend *backend = probe->backend;
	const struct vip *vip = model_check_vip(probe->health->model, backend->pool);

	*target = (struct check_target){
		.address = backend->address, .port = check->port, .backend = backend->address, .pool = backend->pool->name
	};
	if (!vip && needs_vip(check)) {
		*why = "no VIP uses the pool";
		return false;
	}
	if (!target->port && vip)
		target->port = vip->port;
	if (!target->port && check->type == CHECK_DNS)
		target->port = DNS_PORT;
	if (!target->port && needs_port(check)) {
		*why = "the pool's VIPs are for every port: give check.port";
		return false;
	}
	if (check->via == CHECK_VIA_BACKEND)
		return true;
	target->address = vip->address;
	target->mark = route_mark(backend);
	return route_ready(probe->health->routes, backend, vip->address, why);
}

static void on_timer(evutil_socket_t unused, short what, void *context)
{
	struct probe *probe = context;
	struct health *health = probe->health;
	struct check_target target;
	const char *why;

	(void)unused;
	(void)what;
	probe->began_us = health_now_us();
	/* First ones come in a crowd, with whatever else a start has to do. */
	if (!probe->judge.fresh)
		lateness_add(&health->stats.lateness, probe->began_us,
			probe->began_us > probe->due_us ? probe->began_us - probe->due_us : 0);
	if (!probe->in_use && needs_vip(check_of(probe))) {
		/* Nothing is wrong: the pool is not in use. pool_changed() tells of its first VIP. */
		snprintf(probe->error, sizeof(probe->error), "not checked: no VIP uses the pool");
		judge_unmade(&probe->judge);
		end_suspicion(probe, probe->error);
		return;
	}
	/* On the DPDK path checks go over the kernel interface: without who serves it all backends would look dead. */
	if (!publish_carries_checks(health->publisher)) {
		finish_unmade(probe, NO_FORWARDER);
		return;
	}
	if (!find_target(probe, &target, &why)) {
		finish_unmade(probe, why);
		return;
	}
	probe->run = check_begin(health->checker, check_of(probe), &target,
		judge_timeout_ms(&probe->judge, check_of(probe)), on_done, probe);
	if (!probe->run) {
		finish_unmade(probe, "no memory");
		return;
	}
	health->stats.made++;
	health->stats.under_way++;
}

void health_probe_set_up(struct probe *probe)
{
	struct backend *backend = probe->backend;
	const struct check *check = check_of(probe);
	struct health *health = probe->health;

	event_del(&probe->timer);
	give_up(probe);
	health_change_forget(probe);
	set_unmade(probe, false);
	probe->check_version = backend->pool->check_version;
	probe->in_use = model_pool_is_used(backend->pool);
	probe->stopped = backend->removed;
	probe->returning = backend->returning;
	judge_begin(&probe->judge, backend->healthy);
	if (probe->returning)
		judge_return(&probe->judge);
	probe->error[0] = '\0';
	if (check->type != CHECK_NONE && check->via == CHECK_VIA_VIP && !backend->removed)
		route_want(health->routes, backend);
	else
		route_drop(health->routes, backend);
	if (backend->removed)
		return;
	if (check->type != CHECK_EXEC || !check->dynamic_weight)
		model_set_check_weight(health->model, backend, -1);
	if (check->type != CHECK_NONE) {
		health_probe_schedule_first(probe);
		return;
	}
	model_set_healthy(health->model, backend, true);
	model_set_suspect(health->model, backend, false);
	model_set_returned(health->model, backend);
}

struct probe *health_probe_new(struct health *health, struct backend *backend)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->health = health;
	probe->backend = backend;
	probe->since_us = probe->began_us = health_now_us();
	evtimer_assign(&probe->timer, health->base, on_timer, probe);
	event_priority_set(&probe->timer, health_priority(health));
	backend->health = probe;
	health->n_probes++;
	return probe;
}

void health_probe_free(struct probe *probe)
{
	event_del(&probe->timer);
	give_up(probe);
	health_change_forget(probe);
	set_unmade(probe, false);
	probe->backend->health = NULL;
	probe->health->n_probes--;
	free(probe);
}
