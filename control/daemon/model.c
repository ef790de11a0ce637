/* SPDX-License-Identifier: BSD-3-Clause */
/* The running set itself: its making, look-ups, listeners, and the commands for pools. */
#include "model.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "model_private.h"
#include "settings.h"
#include "suggest.h"

struct model *model_new(void)
{
	return calloc(1, sizeof(struct model));
}

/* Without its backends. */
static void free_pool(struct pool *pool)
{
	sorted_free(&pool->sorted);
	check_free(&pool->check);
	free(pool->slots);
	free(pool);
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (struct vip *vip = model->first_vip, *next; vip; vip = next) {
		next = vip->next;
		free(vip);
	}
	while (model->first_access)
		model_access_drop(model, model->first_access);
	for (struct pool *pool = model->first_pool, *next; pool; pool = next) {
		next = pool->next;
		for (struct backend *b = pool->backends, *after; b; b = after) {
			after = b->next;
			free(b);
		}
		free_pool(pool);
	}
	sorted_free(&model->pools);
	sorted_free(&model->vips);
	free(model);
}

void model_listen(struct model *model, struct model_listener *listener)
{
	struct model_listener **last = &model->listeners;

	while (*last)
		last = &(*last)->next;
	listener->next = NULL;
	*last = listener;
}

void model_unlisten(struct model *model, struct model_listener *listener)
{
	struct model_listener **l = &model->listeners;

	while (*l && *l != listener)
		l = &(*l)->next;
	if (*l)
		*l = listener->next;
}

void model_tell_backend_added(struct model *model, struct backend *backend)
{
	for (struct model_listener *l = model->listeners; l; l = l->next)
		if (l->backend_added)
			l->backend_added(l->context, backend);
}

void model_tell_backend_changed(struct model *model, struct backend *backend)
{
	for (struct model_listener *l = model->listeners; l; l = l->next)
		if (l->backend_changed)
			l->backend_changed(l->context, backend);
}

void model_tell_backend_removed(struct model *model, struct backend *backend)
{
	for (struct model_listener *l = model->listeners; l; l = l->next)
		if (l->backend_removed)
			l->backend_removed(l->context, backend);
}

void model_tell_pool_changed(struct model *model, struct pool *pool)
{
	for (struct model_listener *l = model->listeners; l; l = l->next)
		if (l->pool_changed)
			l->pool_changed(l->context, pool);
}

void model_tell_snapshot_needed(struct model *model)
{
	for (struct model_listener *l = model->listeners; l; l = l->next)
		if (l->snapshot_needed)
			l->snapshot_needed(l->context);
}

struct pool *model_pools(struct model *model)
{
	return model->first_pool;
}

struct vip *model_vips(struct model *model)
{
	return model->first_vip;
}

struct model_counts model_count(const struct model *model)
{
	return (struct model_counts){
		.vips = (uint32_t)model->vips.n,
		.pools = (uint32_t)model->pools.n,
		.backends = model->n_backends,
	};
}

uint64_t model_generation(const struct model *model)
{
	return model->generation;
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct pool *)item)->name);
}

struct pool *model_pool_find(struct model *model, const char *name)
{
	size_t position;

	return sorted_find(&model->pools, name, compare_name, &position) ? model->pools.item[position] : NULL;
}

struct vip *model_vip_by_id(struct model *model, uint16_t id)
{
	return model_ids_get(&model->vip_ids, id);
}

struct backend *model_backend_by_id(struct model *model, uint16_t id)
{
	return model_ids_get(&model->backend_ids, id);
}

const char *backend_state_name(enum backend_state state)
{
	static const char *const names[] = { "up", "down", "draining", "drained", "disabled" };

	return names[state];
}

static const char *const *scheduler_names(void)
{
	return settings_find("pools", "scheduler")->choices;
}

const char *scheduler_name(enum scheduler scheduler)
{
	return scheduler_names()[scheduler];
}

int scheduler_from_name(const char *name)
{
	for (int i = 0; i < SCHEDULER_COUNT; i++)
		if (!strcmp(scheduler_names()[i], name))
			return i;
	return -EINVAL;
}

int model_no_pool(struct model *model, const char *name, struct error *error)
{
	struct suggestion nearest = { .word = name };

	for (const struct pool *pool = model->first_pool; pool; pool = pool->next)
		suggest(&nearest, pool->name);
	if (nearest.best)
		return error_set(
			error, ENOENT, "there is no pool \"%.64s\" (did you mean \"%s\"?)", name, nearest.best);
	return error_set(error, ENOENT, "there is no pool \"%.64s\"", name);
}

/* A pool that has to be of the same family, and is known to be of another one; NULL: none. */
static const struct pool *of_other_family(struct model *model, const struct pool *pool, int family)
{
	if (pool->family != AF_UNSPEC && pool->family != family)
		return pool;
	if (pool->fallback && pool->fallback->family != AF_UNSPEC && pool->fallback->family != family)
		return pool->fallback;
	for (const struct pool *p = pool->n_fallback_of ? model->first_pool : NULL; p; p = p->next)
		if (p->fallback == pool && p->family != AF_UNSPEC && p->family != family)
			return p;
	return NULL;
}

int model_family_check(struct model *model, const struct pool *pool, struct addr address, struct error *error)
{
	char text[ADDRESS_TEXT], source[ADDRESS_TEXT];
	int family = address_family(address);
	const struct pool *other = of_other_family(model, pool, family);

	address_print(address, text);
	if (other)
		return error_set(error, EINVAL, "%s is %s, but pool \"%s\"%s is %s", text,
			address_family_name(family), other->name,
			other == pool			  ? ""
				: other == pool->fallback ? ", its fallback,"
							  : ", whose fallback it is,",
			address_family_name(other->family));
	if (pool->check.source_given && address_family(pool->check.source) != family)
		return error_set(error, EINVAL, "%s is %s, but the check of pool \"%s\" comes from %s", text,
			address_family_name(family), pool->name, address_print(pool->check.source, source));
	return 0;
}

static void take_out(struct model *model, struct pool *pool)
{
	size_t position;

	sorted_find(&model->pools, pool->name, compare_name, &position);
	sorted_remove(&model->pools, position);
	if (position)
		((struct pool *)model->pools.item[position - 1])->next = pool->next;
	else
		model->first_pool = pool->next;
}

static int put_in(struct model *model, struct pool *pool)
{
	size_t position;
	int err;

	sorted_find(&model->pools, pool->name, compare_name, &position);
	err = sorted_insert(&model->pools, position, pool);
	if (err)
		return err;
	pool->next = position + 1 < model->pools.n ? model->pools.item[position + 1] : NULL;
	if (position)
		((struct pool *)model->pools.item[position - 1])->next = pool;
	else
		model->first_pool = pool;
	return 0;
}

/* Whether that is anything new. */
static bool set_policy(struct pool *pool, const struct config_pool *wanted)
{
	if (pool->panic == wanted->panic && pool->slow_start_ms == wanted->slow_start_ms &&
		pool->passive == wanted->passive)
		return false;
	pool->panic = wanted->panic;
	pool->slow_start_ms = wanted->slow_start_ms;
	pool->passive = wanted->passive;
	return true;
}

struct config_pool model_pool_policy(const struct pool *pool)
{
	struct config_pool policy = {
		.scheduler = pool->scheduler,
		.panic = pool->panic,
		.slow_start_ms = pool->slow_start_ms,
		.passive = pool->passive,
	};

	snprintf(policy.name, sizeof(policy.name), "%s", pool->name);
	snprintf(policy.fallback, sizeof(policy.fallback), "%s", pool->fallback ? pool->fallback->name : "");
	return policy;
}

int model_pool_insert(
	struct model *model, const struct config_pool *wanted, int id, struct pool **out, struct error *error)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int err;

	if (!pool)
		return error_set(error, ENOMEM, "out of memory");
	snprintf(pool->name, sizeof(pool->name), "%s", wanted->name);
	pool->family = AF_UNSPEC;
	pool->scheduler = wanted->scheduler;
	(void)set_policy(pool, wanted);
	if (check_copy(&pool->check, &wanted->check)) {
		err = error_set(error, ENOMEM, "out of memory");
		goto free_pool;
	}
	if (!wanted->check.given)
		pool->check.type = CHECK_TCP;
	pool->slots_dirty = true;
	err = id == MODEL_ANY_ID ? model_ids_take(&model->pool_ids, pool) :
				   model_ids_take_exact(&model->pool_ids, (uint32_t)id, pool);
	if (err == -ENOSPC)
		error_set(error, ENOSPC, "there are %d pools already, as many as can be", SNAPSHOT_MAX_IDS);
	else if (err < 0)
		error_set(error, -err, "id %d of pool \"%s\" is another's, or none", id, wanted->name);
	if (err < 0)
		goto free_pool;
	pool->id = (uint16_t)(id == MODEL_ANY_ID ? err : id);
	err = put_in(model, pool);
	if (err) {
		error_set(error, ENOMEM, "out of memory");
		goto release;
	}
	model_tell_pool_changed(model, pool);
	model_tell_snapshot_needed(model);
	*out = pool;
	return 0;

release:
	model_ids_release(&model->pool_ids, pool->id);
free_pool:
	free_pool(pool);
	return err;
}

void model_pool_rename(struct model *model, struct pool *pool, const char *name)
{
	take_out(model, pool);
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	/* There is room: one was taken out. */
	(void)put_in(model, pool);
	model_tell_pool_changed(model, pool);
}

void model_pool_remove(struct model *model, struct pool *pool)
{
	model_pool_set_fallback(model, pool, NULL);
	/* Backends go one by one: that is no reason for alarm. */
	pool->panic = 0;
	for (struct pool *p = model->first_pool; p && pool->n_fallback_of; p = p->next)
		if (p->fallback == pool)
			model_pool_set_fallback(model, p, NULL);
	model_backend_free_all(model, pool);
	take_out(model, pool);
	model_ids_release(&model->pool_ids, pool->id);
	free_pool(pool);
	model_tell_snapshot_needed(model);
}

/* What a pool that nobody gave a check has: none where a connection can't be made. */
static enum check_type type_by_default(const struct pool *pool)
{
	bool tcp = pool->n_vips ? pool->n_tcp_vips : pool->n_lent_tcp_vips;

	return model_pool_is_used(pool) && !tcp ? CHECK_NONE : CHECK_TCP;
}

void model_pool_settle(struct model *model, struct pool *pool)
{
	if (model->settle_later) {
		pool->unsettled = true;
		return;
	}
	pool->unsettled = false;
	if (!pool->check.given) {
		enum check_type type = type_by_default(pool);

		pool->check_version += type != pool->check.type;
		pool->check.type = type;
	}
	model_tell_pool_changed(model, pool);
	/* Backends of a pool without a check are up, whatever the last one said. */
	if (pool->check.type != CHECK_NONE)
		return;
	for (struct backend *b = pool->backends; b; b = b->next) {
		model_set_healthy(model, b, true);
		model_set_suspect(model, b, false);
		model_set_check_weight(model, b, -1);
		model_set_returned(model, b);
	}
}

void model_settle_all(struct model *model)
{
	model->settle_later = false;
	for (struct pool *pool = model->first_pool; pool; pool = pool->next)
		if (pool->unsettled)
			model_pool_settle(model, pool);
	model_weigh_all(model);
}

int model_pool_set(struct model *model, struct pool *pool, const struct config_pool *wanted)
{
	struct check check;

	if (pool->scheduler != wanted->scheduler) {
		pool->slots_dirty = true;
		pool->scheduler = wanted->scheduler;
		model_tell_snapshot_needed(model);
	}
	if (set_policy(pool, wanted)) {
		model_tell_pool_changed(model, pool);
		if (!model->settle_later)
			model_weigh_all(model);
	}
	if (check_equal(&pool->check, &wanted->check))
		return 0;
	if (check_copy(&check, &wanted->check))
		return -ENOMEM;
	check_free(&pool->check);
	pool->check = check;
	pool->check_version++;
	/* Another type may rather go to another one. */
	pool->check_vip = NULL;
	model_pool_settle(model, pool);
	return 0;
}

static int check_name(const char *name, struct error *error)
{
	struct value value = { .kind = VALUE_TEXT, .text = name };
	struct config_pool pool;

	return settings_store(settings_find("pools", "name"), &value, &pool, error);
}

bool model_name_is_good(const char *name)
{
	struct error error;

	return !check_name(name, &error);
}

int model_pool_add(struct model *model, const struct config_pool *wanted, struct error *error)
{
	struct pool *pool, *fallback = NULL;
	int err = check_name(wanted->name, error);

	if (err)
		return err;
	if (model_pool_find(model, wanted->name))
		return error_set(error, EEXIST, "pool \"%s\" is there already", wanted->name);
	if (model->pools.n >= CONFIG_MAX_POOLS)
		return error_set(
			error, ENOSPC, "there are %d pools already, as many as can be", CONFIG_MAX_POOLS);
	if (wanted->fallback[0]) {
		fallback = model_pool_find(model, wanted->fallback);
		if (!fallback)
			return model_no_pool(model, wanted->fallback, error);
	}
	err = model_pool_insert(model, wanted, MODEL_ANY_ID, &pool, error);
	if (err)
		return err;
	model_pool_set_fallback(model, pool, fallback);
	model->generation++;
	return 0;
}

static const struct pool *borrower_of(const struct model *model, const struct pool *pool)
{
	const struct pool *p = model->first_pool;

	while (p && p->fallback != pool)
		p = p->next;
	return p;
}

int model_pool_del(struct model *model, const char *name, struct error *error)
{
	struct pool *pool = model_pool_find(model, name);
	char text[ADDRESS_VIP_TEXT];

	if (!pool)
		return model_no_pool(model, name, error);
	if (pool->n_fallback_of)
		return error_set(error, EBUSY, "pool \"%s\" is the fallback of pool \"%s\"", name,
			borrower_of(model, pool)->name);
	if (pool->n_vips) {
		const struct vip *vip = model_check_vip(model, pool);

		address_print_vip(vip->address, vip->protocol, vip->port, text);
		if (pool->n_vips == 1)
			return error_set(error, EBUSY, "pool \"%s\" is in use by VIP %s", name, text);
		return error_set(error, EBUSY, "pool \"%s\" is in use by VIP %s and %u more", name, text,
			pool->n_vips - 1);
	}
	model_pool_remove(model, pool);
	model->generation++;
	return 0;
}
