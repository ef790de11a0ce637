/* SPDX-License-Identifier: BSD-3-Clause */
/* Backends of the running set: commands, and what the world says of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "events.h"
#include "model_private.h"

/*
 * How long a backend stays after it was taken out, even when no flow is counted on it: until the forwarder
 * works without it and has swept its flow table since.
 */
#define REAP_AFTER_S 15

/* Sweeps after which all flows have been counted: the one under way may have passed some by already. */
#define SWEEPS_TO_COUNT 2

enum backend_state model_backend_state(const struct backend *backend)
{
	if (backend->disabled)
		return STATE_DISABLED;
	if (backend->draining)
		return backend->drain.over ? STATE_DRAINED : STATE_DRAINING;
	return backend->healthy && backend->mac_known && !backend->cut_off && !backend->returning ? STATE_UP
												  : STATE_DOWN;
}

uint16_t model_backend_weight(const struct backend *b)
{
	/* 0 is the operator's word that it gets nothing new, whatever a check says. */
	return b->check_weight >= 0 && b->weight ? (uint16_t)b->check_weight : b->weight;
}

bool model_backend_is_usable(const struct backend *b)
{
	return b->mac_known && !b->cut_off && model_backend_weight(b) && !b->disabled && !b->draining &&
		!b->removed && !b->returning;
}

bool model_backend_is_in_slots(const struct backend *b)
{
	return model_backend_is_usable(b) && ((b->healthy && !b->suspect) || b->pool->panicking);
}

static int compare_address(const void *key, const void *item)
{
	return address_compare(*(const struct addr *)key, ((const struct backend *)item)->address);
}

struct backend *model_backend_find_any(struct pool *pool, struct addr address)
{
	size_t position;

	return sorted_find(&pool->sorted, &address, compare_address, &position) ? pool->sorted.item[position]
										: NULL;
}

struct backend *model_backend_find(struct pool *pool, struct addr address)
{
	struct backend *backend = model_backend_find_any(pool, address);

	return backend && !backend->removed ? backend : NULL;
}

void model_backend_touch(struct model *model, struct backend *backend, struct model_share before)
{
	struct model_share now = model_share_of(backend);
	struct pool *pool = backend->pool;

	if (before.in_slots != now.in_slots ||
		(now.in_slots && (before.weight != now.weight || before.ramp != now.ramp)))
		pool->slots_dirty = true;
	model_pool_count(model, pool, before, now);
	model_tell_backend_changed(model, backend);
	model_tell_snapshot_needed(model);
}

/*
 * One that only waits for its flows to end, to give up its id. By id, from the next on: that one has been out
 * for long, and finding room for thousands costs one round.
 */
static struct backend *find_removed(struct model *model)
{
	for (uint32_t i = 0; i < SNAPSHOT_MAX_IDS && model->n_removed; i++) {
		struct backend *b = model_ids_get(
			&model->backend_ids, (model->backend_ids.next + i) % SNAPSHOT_MAX_IDS);

		if (b && b->removed)
			return b;
	}
	return NULL;
}

static int take_id(struct model *model, struct backend *backend, int id, struct error *error)
{
	struct backend *spare;
	int err;

	if (id != MODEL_ANY_ID) {
		err = model_ids_take_exact(&model->backend_ids, (uint32_t)id, backend);
		if (err)
			return error_set(error, -err, "id %d of a backend is another's, or none", id);
		return id;
	}
	err = model_ids_take(&model->backend_ids, backend);
	spare = err == -ENOSPC ? find_removed(model) : NULL;
	if (spare) {
		model_backend_free(model, spare);
		err = model_ids_take(&model->backend_ids, backend);
	}
	if (err == -ENOSPC)
		error_set(error, ENOSPC, "there are %d backends already, as many as can be", SNAPSHOT_MAX_IDS);
	return err;
}

int model_backend_insert(struct model *model, struct pool *pool, struct addr address, uint16_t weight,
	const struct mac *pinned, int id, struct backend **out, struct error *error)
{
	struct backend *backend = calloc(1, sizeof(*backend));
	size_t position;
	int err;

	if (!backend)
		return error_set(error, ENOMEM, "out of memory");
	err = take_id(model, backend, id, error);
	if (err < 0)
		goto free_backend;
	backend->id = (uint16_t)err;
	backend->pool = pool;
	backend->address = address;
	backend->weight = weight;
	backend->check_weight = -1;
	backend->ramp = RAMP_FULL;
	backend->healthy = pool->check.type == CHECK_NONE;
	if (pinned) {
		backend->mac = *pinned;
		backend->mac_known = backend->mac_pinned = true;
	}
	sorted_find(&pool->sorted, &address, compare_address, &position);
	err = sorted_insert(&pool->sorted, position, backend);
	if (err) {
		error_set(error, ENOMEM, "out of memory");
		goto release;
	}
	backend->next = position + 1 < pool->sorted.n ? pool->sorted.item[position + 1] : NULL;
	if (position)
		((struct backend *)pool->sorted.item[position - 1])->next = backend;
	else
		pool->backends = backend;
	pool->family = address_family(address);
	pool->n_backends++;
	model->n_backends++;
	pool->slots_dirty |= model_backend_is_in_slots(backend);
	model_pool_count(model, pool, (struct model_share){ 0 }, model_share_of(backend));
	model_tell_backend_added(model, backend);
	model_tell_snapshot_needed(model);
	*out = backend;
	return 0;

release:
	model_ids_release(&model->backend_ids, backend->id);
free_backend:
	free(backend);
	return err;
}

static void count_out(struct model *model, struct pool *pool)
{
	pool->n_backends--;
	model->n_backends--;
	if (!pool->n_backends && !pool->n_vips)
		pool->family = AF_UNSPEC;
}

void model_backend_retire(struct model *model, struct backend *backend)
{
	struct model_share before = model_share_of(backend);

	backend->removed = true;
	backend->removed_at_s = 0;
	backend->sweeps = 0;
	count_out(model, backend->pool);
	model->n_removed++;
	model_backend_touch(model, backend, before);
}

void model_backend_revive(struct model *model, struct backend *backend)
{
	struct model_share before = model_share_of(backend);

	backend->removed = false;
	backend->disabled = backend->draining = backend->returning = backend->suspect = false;
	backend->drain = (struct drain){ 0 };
	backend->check_weight = -1;
	backend->ramp = RAMP_FULL;
	backend->healthy = backend->pool->check.type == CHECK_NONE;
	backend->pool->family = address_family(backend->address);
	backend->pool->n_backends++;
	model->n_backends++;
	model->n_removed--;
	model_backend_touch(model, backend, before);
}

void model_backend_free(struct model *model, struct backend *backend)
{
	struct pool *pool = backend->pool;
	size_t position;

	sorted_find(&pool->sorted, &backend->address, compare_address, &position);
	sorted_remove(&pool->sorted, position);
	if (position)
		((struct backend *)pool->sorted.item[position - 1])->next = backend->next;
	else
		pool->backends = backend->next;
	if (backend->removed)
		model->n_removed--;
	else
		count_out(model, pool);
	pool->slots_dirty |= model_backend_is_in_slots(backend);
	model_pool_count(model, pool, model_share_of(backend), (struct model_share){ 0 });
	model_ids_release(&model->backend_ids, backend->id);
	model_tell_backend_removed(model, backend);
	free(backend);
	model_tell_snapshot_needed(model);
}

void model_backend_free_all(struct model *model, struct pool *pool)
{
	/* From the end of the sorted list nothing has to move up. */
	while (pool->sorted.n)
		model_backend_free(model, pool->sorted.item[pool->sorted.n - 1]);
}

void model_backend_set_weight(struct model *model, struct backend *backend, uint16_t weight)
{
	struct model_share before = model_share_of(backend);

	if (backend->weight == weight)
		return;
	backend->weight = weight;
	model_backend_touch(model, backend, before);
}

void model_backend_pin(struct model *model, struct backend *backend, const struct mac *mac)
{
	struct model_share before = model_share_of(backend);

	/* What was pinned is still the best guess when it is not any more. */
	backend->mac_pinned = mac != NULL;
	if (mac) {
		backend->mac = *mac;
		backend->mac_known = true;
	}
	model_backend_touch(model, backend, before);
}

void model_set_mac(struct model *model, struct backend *backend, const struct mac *mac)
{
	struct model_share before = model_share_of(backend);

	if (backend->mac_pinned || (!mac && !backend->mac_known))
		return;
	if (mac && backend->mac_known && !memcmp(mac, &backend->mac, sizeof(*mac)))
		return;
	backend->mac_known = mac != NULL;
	if (mac)
		backend->mac = *mac;
	model_backend_touch(model, backend, before);
}

void model_set_port(struct model *model, struct backend *backend, uint16_t port, bool reached)
{
	struct model_share before = model_share_of(backend);

	if (backend->port == port && backend->cut_off == !reached)
		return;
	backend->port = port;
	backend->cut_off = !reached;
	model_backend_touch(model, backend, before);
}

void model_set_healthy(struct model *model, struct backend *backend, bool healthy)
{
	struct model_share before = model_share_of(backend);

	if (backend->removed || backend->healthy == healthy)
		return;
	backend->healthy = healthy;
	model_backend_touch(model, backend, before);
}

void model_set_suspect(struct model *model, struct backend *backend, bool suspect)
{
	struct model_share before = model_share_of(backend);

	if (backend->removed || backend->suspect == suspect)
		return;
	backend->suspect = suspect;
	model_backend_touch(model, backend, before);
}

void model_set_returned(struct model *model, struct backend *backend)
{
	struct model_share before = model_share_of(backend);

	if (!backend->returning)
		return;
	backend->returning = false;
	model_backend_touch(model, backend, before);
}

void model_set_check_weight(struct model *model, struct backend *backend, int32_t weight)
{
	struct model_share before = model_share_of(backend);

	if (backend->removed || backend->check_weight == weight)
		return;
	backend->check_weight = weight;
	model_backend_touch(model, backend, before);
}

void model_set_ramp(struct model *model, struct backend *backend, uint16_t permille)
{
	struct model_share before = model_share_of(backend);

	if (backend->ramp == permille)
		return;
	backend->ramp = permille;
	model_backend_touch(model, backend, before);
}

void model_flows_unknown(struct model *model)
{
	for (struct pool *pool = model->first_pool; pool; pool = pool->next)
		for (struct backend *b = pool->backends; b; b = b->next)
			b->sweeps = 0;
}

static void reap(struct model *model, struct backend *b, uint64_t now_s)
{
	if (!b->removed_at_s || b->active_flows || b->closing_flows)
		b->removed_at_s = now_s;
	else if (b->sweeps == SWEEPS_TO_COUNT && now_s - b->removed_at_s >= REAP_AFTER_S)
		model_backend_free(model, b);
}

void model_reap(struct model *model, uint64_t now_s)
{
	bool swept = now_s != model->swept_s;

	model->swept_s = now_s;
	for (struct pool *pool = model->first_pool; pool; pool = pool->next) {
		for (struct backend *b = pool->backends, *next; b; b = next) {
			next = b->next;
			if (swept && b->sweeps < SWEEPS_TO_COUNT)
				b->sweeps++;
			if (b->removed)
				reap(model, b, now_s);
			else if (b->draining && !b->drain.over && b->sweeps == SWEEPS_TO_COUNT &&
				!b->active_flows && !b->closing_flows)
				model_drain_end(model, b, false);
		}
	}
}

void model_swept(struct model *model, uint64_t now_s)
{
	model->swept_s = now_s;
}

int model_find_pool(struct model *model, const char *name, struct pool **pool, struct error *error)
{
	*pool = model_pool_find(model, name);
	return *pool ? 0 : model_no_pool(model, name, error);
}

int model_no_backend(const struct pool *pool, struct addr address, struct error *error)
{
	char text[ADDRESS_TEXT];

	return error_set(error, ENOENT, "pool \"%s\" has no backend %s", pool->name, address_print(address, text));
}

int model_backend_add(struct model *model, const char *pool_name, struct addr address, uint16_t weight,
	const struct mac *pinned, struct error *error)
{
	char text[ADDRESS_TEXT];
	struct backend *backend;
	struct pool *pool;
	int err = model_find_pool(model, pool_name, &pool, error);

	if (err)
		return err;
	address_print(address, text);
	if (address_fault(address))
		return error_set(error, EINVAL, "%s %s", text, address_fault(address));
	if (pinned && address_mac_fault(pinned))
		return error_set(error, EINVAL, "the MAC of %s %s", text, address_mac_fault(pinned));
	backend = model_backend_find_any(pool, address);
	if (backend && !backend->removed)
		return error_set(error, EEXIST, "pool \"%s\" has backend %s already", pool->name, text);
	err = model_family_check(model, pool, address, error);
	if (err)
		return err;
	if (model_vip_find_address(model, address))
		return error_set(error, EINVAL, "%s is a VIP: a backend is known by an address of its own", text);
	if (!backend) {
		err = model_backend_insert(model, pool, address, weight, pinned, MODEL_ANY_ID, &backend, error);
		if (err)
			return err;
	} else {
		model_backend_revive(model, backend);
		model_backend_set_weight(model, backend, weight);
		model_backend_pin(model, backend, pinned);
	}
	model->generation++;
	return 0;
}

/* The backend of a pool by name, or -errno. */
static int find_backend(struct model *model, const char *pool_name, struct addr address, struct backend **backend,
	struct error *error)
{
	struct pool *pool;
	int err = model_find_pool(model, pool_name, &pool, error);

	if (err)
		return err;
	*backend = model_backend_find(pool, address);
	return *backend ? 0 : model_no_backend(pool, address, error);
}

int model_backend_del(struct model *model, const char *pool_name, struct addr address, struct error *error)
{
	struct backend *backend;
	int err = find_backend(model, pool_name, address, &backend, error);

	if (err)
		return err;
	model_backend_retire(model, backend);
	model->generation++;
	return 0;
}

int model_backend_set(struct model *model, const char *pool_name, struct addr address, uint16_t weight,
	struct error *error)
{
	struct backend *backend;
	int err = find_backend(model, pool_name, address, &backend, error);

	if (err)
		return err;
	if (backend->weight != weight) {
		model_backend_set_weight(model, backend, weight);
		model->generation++;
	}
	return 0;
}
