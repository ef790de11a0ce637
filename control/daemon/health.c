/* SPDX-License-Identifier: BSD-3-Clause */
/* Health checks: a probe for each backend that the model has, and what others may ask. */
#include "health.h"

#include <stdlib.h>
#include <time.h>

#include "health_private.h"
#include "log.h"

uint64_t health_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int health_priority(const struct health *health)
{
	return event_base_get_npriorities(health->base) - 1;
}

static void on_backend_added(void *context, struct backend *backend)
{
	struct probe *probe;

	if (backend->health)
		return;
	probe = health_probe_new(context, backend);
	if (probe)
		health_probe_set_up(probe);
	else
		log_error("no memory to check a backend: it stays as it is");
}

/* Two things about a backend concern its check: whether it is in the set, and whether it was told to come back. */
static void on_backend_changed(void *context, struct backend *backend)
{
	struct probe *probe = backend->health;
	bool returning = backend->returning;

	(void)context;
	if (probe && backend->removed != probe->stopped) {
		health_probe_set_up(probe);
		return;
	}
	if (!probe || returning == probe->returning)
		return;
	probe->returning = returning;
	probe->judge.returning = false;
	if (!returning || backend->removed || backend->pool->check.type == CHECK_NONE)
		return;
	/* One that is under way may have been begun before it was ready. */
	judge_return(&probe->judge);
	health_probe_hurry(probe);
}

static void on_backend_removed(void *context, struct backend *backend)
{
	struct health *health = context;

	route_drop(health->routes, backend);
	if (backend->health)
		health_probe_free(backend->health);
}

/* Whether a pool's checks go on as they are although something about it has changed. */
static bool goes_on(const struct probe *probe, bool in_use)
{
	return probe->check_version == probe->backend->pool->check_version && probe->in_use == in_use;
}

static void on_pool_changed(void *context, struct pool *pool)
{
	bool in_use = model_pool_is_used(pool);

	(void)context;
	for (struct backend *b = pool->backends; b; b = b->next)
		if (b->health && !goes_on(b->health, in_use))
			health_probe_set_up(b->health);
}

static bool open_parts(struct health *health)
{
	health->checker = checker_open(health->base, health_priority(health));
	health->release = evtimer_new(health->base, health_change_release, health);
	return health->checker && health->release &&
		event_priority_set(health->release, health_priority(health)) == 0;
}

static void free_parts(struct health *health)
{
	checker_close(health->checker);
	if (health->release)
		event_free(health->release);
	free(health);
}

struct health *health_open(struct event_base *base, struct model *model, struct routes *routes,
	struct neighbours *neighbours, const struct publisher *publisher, const struct config *config)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return NULL;
	health->base = base;
	health->model = model;
	health->routes = routes;
	health->neighbours = neighbours;
	health->publisher = publisher;
	TAILQ_INIT(&health->held);
	health_reconfigure(health, config);
	health->changes = (struct model_listener){
		.context = health,
		.backend_added = on_backend_added,
		.backend_changed = on_backend_changed,
		.backend_removed = on_backend_removed,
		.pool_changed = on_pool_changed,
	};
	if (!open_parts(health)) {
		free_parts(health);
		return NULL;
	}
	/* Counted before they are scheduled: the spread depends on how many there are. */
	for (struct pool *p = model_pools(model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			on_backend_added(health, b);
	for (struct pool *p = model_pools(model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (b->health && evtimer_pending(&((struct probe *)b->health)->timer, NULL))
				health_probe_schedule_first(b->health);
	model_listen(model, &health->changes);
	return health;
}

void health_close(struct health *health)
{
	if (!health)
		return;
	for (struct pool *p = model_pools(health->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (b->health)
				health_probe_free(b->health);
	free_parts(health);
}

void health_reconfigure(struct health *health, const struct config *config)
{
	health->limit.most = config->check_changes;
}

void health_suspect(struct health *health, struct backend *backend)
{
	struct probe *probe = backend->health;

	if (!probe || probe->stopped || backend->pool->check.type == CHECK_NONE || !backend->healthy) {
		model_set_suspect(health->model, backend, false);
		return;
	}
	/* One that is under way was begun before the suspicion, and may take longer. */
	if (!probe->judge.suspected)
		health_probe_hurry(probe);
	judge_suspect(&probe->judge);
}

const char *health_error(const struct backend *backend)
{
	const struct probe *probe = backend->health;

	return probe && probe->error[0] ? probe->error : NULL;
}

uint64_t health_since_s(const struct backend *backend)
{
	const struct probe *probe = backend->health;

	return probe ? (health_now_us() - probe->since_us) / 1000000 : 0;
}

void health_warnings(const struct health *health, json_t *warnings)
{
	const struct health_stats *stats = &health->stats;

	if (stats->n_unmade)
		json_array_append_new(warnings,
			json_sprintf("%u of %u backends can't be checked and stay as they were judged last (show "
				     "backends says why)",
				stats->n_unmade, health->n_probes));
	if (stats->n_held)
		json_array_append_new(warnings,
			json_sprintf(
				"checks change more than %u backends a second (control.check_changes): %u wait "
				"for their change",
				health->limit.most, stats->n_held));
}

const struct health_stats *health_stats(const struct health *health)
{
	return &health->stats;
}
