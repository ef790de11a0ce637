/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many of a pool's backends could serve and do, and what follows where they are too few: health is ignored
 * (panic), or another pool serves the VIPs (fallback).
 */
#include "events.h"
#include "model_private.h"

struct model_share model_share_of(const struct backend *b)
{
	struct model_share share = { .weight = model_backend_weight(b), .ramp = b->ramp };

	share.enabled = share.weight && !b->disabled && !b->draining && !b->removed && !b->returning;
	share.usable = model_backend_is_usable(b);
	share.healthy = share.usable && b->healthy;
	share.taking = share.healthy && !b->suspect;
	share.in_slots = model_backend_is_in_slots(b);
	return share;
}

uint32_t model_pool_in_slots(const struct pool *pool)
{
	return pool->panicking ? pool->n_usable : pool->n_taking;
}

bool model_pool_is_used(const struct pool *pool)
{
	return pool->n_vips || pool->n_lent_vips;
}

static bool should_panic(const struct pool *pool)
{
	if (!pool->panic || (uint64_t)pool->n_healthy * 100 >= (uint64_t)pool->panic * pool->n_enabled)
		return false;
	/* Where nobody is left, backends that are healthy serve better than those that all seem dead. */
	return pool->n_healthy || !pool->fallback || !pool->fallback->n_taking;
}

static void set_panicking(struct model *model, struct pool *pool, bool panicking)
{
	if (pool->panicking == panicking)
		return;
	pool->panicking = panicking;
	pool->slots_dirty = true;
	if (!model->quiet)
		event_tell(panicking ? EVENT_POOL_PANIC : EVENT_POOL_PANIC_OVER, pool, NULL,
			"%u of %u backends are healthy%s", pool->n_healthy, pool->n_enabled,
			panicking ? ": all are used" : "");
	model_tell_snapshot_needed(model);
}

static void set_in_fallback(struct model *model, struct pool *pool, bool in_fallback)
{
	if (pool->in_fallback == in_fallback)
		return;
	pool->in_fallback = in_fallback;
	if (in_fallback && !model->quiet)
		event_tell(EVENT_POOL_FALLBACK, pool, NULL, "pool %s serves its VIPs", pool->fallback->name);
	else if (!model->quiet)
		event_tell(EVENT_POOL_FALLBACK_OVER, pool, NULL, "%s",
			model_pool_in_slots(pool) ? "" : "the fallback has no backend left either");
	model_tell_snapshot_needed(model);
}

static bool should_fall_back(const struct pool *pool)
{
	return pool->fallback && pool->fallback->family == pool->family && !model_pool_in_slots(pool) &&
		model_pool_in_slots(pool->fallback);
}

/* Panic of any first: whether a pool has somebody follows from its own, and where to fall back to from that. */
void model_weigh_all(struct model *model)
{
	for (struct pool *pool = model->first_pool; pool; pool = pool->next)
		set_panicking(model, pool, should_panic(pool));
	for (struct pool *pool = model->first_pool; pool; pool = pool->next)
		set_in_fallback(model, pool, should_fall_back(pool));
}

void model_pool_count(struct model *model, struct pool *pool, struct model_share before, struct model_share now)
{
	bool had_taking = pool->n_taking, had = model_pool_in_slots(pool), has;

	pool->n_enabled += (uint32_t)now.enabled - (uint32_t)before.enabled;
	pool->n_usable += (uint32_t)now.usable - (uint32_t)before.usable;
	pool->n_healthy += (uint32_t)now.healthy - (uint32_t)before.healthy;
	pool->n_taking += (uint32_t)now.taking - (uint32_t)before.taking;
	if (model->settle_later)
		return;
	set_panicking(model, pool, should_panic(pool));
	has = model_pool_in_slots(pool);
	set_in_fallback(model, pool, should_fall_back(pool));
	if (pool->n_fallback_of && (had != has || had_taking != (pool->n_taking > 0)))
		model_weigh_all(model);
}

/* VIPs that the pool may have to serve for another have come or gone. */
static void lend(struct model *model, struct pool *pool, uint32_t n_vips, uint32_t n_tcp_vips)
{
	pool->n_lent_vips += n_vips;
	pool->n_lent_tcp_vips += n_tcp_vips;
	pool->check_vip = NULL;
	model_pool_settle(model, pool);
}

void model_pool_set_fallback(struct model *model, struct pool *pool, struct pool *fallback)
{
	struct pool *was = pool->fallback;

	if (was == fallback)
		return;
	if (was) {
		set_in_fallback(model, pool, false);
		pool->fallback = NULL;
		was->n_fallback_of--;
		lend(model, was, -pool->n_vips, -pool->n_tcp_vips);
	}
	if (fallback) {
		pool->fallback = fallback;
		fallback->n_fallback_of++;
		lend(model, fallback, pool->n_vips, pool->n_tcp_vips);
	}
	model_tell_snapshot_needed(model);
	if (!model->settle_later)
		model_weigh_all(model);
}

void model_pool_count_vips(struct model *model, struct pool *pool, int n_vips, int n_tcp_vips)
{
	if (pool->fallback)
		lend(model, pool->fallback, (uint32_t)n_vips, (uint32_t)n_tcp_vips);
}
