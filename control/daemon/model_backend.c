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
		return backend->sweeps != SWEEPS_TO_COUNT || backend->active_flows || backend->closing_flows ?
			       STATE_DRAINING : STATE_DRAINED;
	return backend->healthy && backend->mac_known && !backend->cut_off && !backend->returning ? STATE_UP
												  : STATE_DOWN;
}

uint16_t model_backend_weight(const struct backend *b)
{
	return b->check_weight >= 0 ? (uint16_t)b->check_weight : b->weight;
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

/* What of a backend decides on slots: taken before a change, compared after it. */
struct share {
	bool in_slots;
	uint16_t weight;
	uint16_t ramp;
};

static struct share share_of(const struct backend *backend)
{
	return (struct share){ model_backend_is_in_slots(backend), model_backend_weight(backend), backend->ramp };
}

static void changed(struct model *model, struct backend *backend, struct share before)
{
	struct share now = share_of(backend);

	if (before.in_slots != now.in_slots ||
		(now.in_slots && (before.weight != now.weight || before.ramp != now.ramp)))
		backend->pool->slots_dirty = true;
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
	struct share before = share_of(backend);

	backend->removed = true;
	backend->removed_at_s = 0;
	backend->sweeps = 0;
	count_out(model, backend->pool);
	model->n_removed++;
	changed(model, backend, before);
}

void model_backend_revive(struct model *model, struct backend *backend)
{
	struct share before = share_of(backend);

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
	changed(model, backend, before);
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
	struct share before = share_of(backend);

	if (backend->weight == weight)
		return;
	backend->weight = weight;
	changed(model, backend, before);
}

void model_backend_pin(struct model *model, struct backend *backend, const struct mac *mac)
{
	struct share before = share_of(backend);

	/* What was pinned is still the best guess when it is not any more. */
	backend->mac_pinned = mac != NULL;
	if (mac) {
		backend->mac = *mac;
		backend->mac_known = true;
	}
	changed(model, backend, before);
}

void model_backend_set_flags(struct model *model, struct backend *backend, bool disabled, bool draining)
{
	struct share before = share_of(backend);

	if (backend->disabled == disabled && backend->draining == draining)
		return;
	/* Flows that began since the last sweep are not counted yet. */
	if (draining && !backend->draining)
		backend->sweeps = 0;
	backend->disabled = disabled;
	backend->draining = draining;
	changed(model, backend, before);
}

void model_set_mac(struct model *model, struct backend *backend, const struct mac *mac)
{
	struct share before = share_of(backend);

	if (backend->mac_pinned || (!mac && !backend->mac_known))
		return;
	if (mac && backend->mac_known && !memcmp(mac, &backend->mac, sizeof(*mac)))
		return;
	backend->mac_known = mac != NULL;
	if (mac)
		backend->mac = *mac;
	changed(model, backend, before);
}

void model_set_port(struct model *model, struct backend *backend, uint16_t port, bool reached)
{
	struct share before = share_of(backend);

	if (backend->port == port && backend->cut_off == !reached)
		return;
	backend->port = port;
	backend->cut_off = !reached;
	changed(model, backend, before);
}

void model_set_healthy(struct model *model, struct backend *backend, bool healthy)
{
	struct share before = share_of(backend);

	if (backend->removed || backend->healthy == healthy)
		return;
	backend->healthy = healthy;
	changed(model, backend, before);
}

void model_set_suspect(struct model *model, struct backend *backend, bool suspect)
{
	struct share before = share_of(backend);

	if (backend->removed || backend->suspect == suspect)
		return;
	backend->suspect = suspect;
	changed(model, backend, before);
}

void model_set_returned(struct model *model, struct backend *backend)
{
	struct share before = share_of(backend);

	if (!backend->returning)
		return;
	backend->returning = false;
	changed(model, backend, before);
}

void model_set_check_weight(struct model *model, struct backend *backend, int32_t weight)
{
	struct share before = share_of(backend);

	if (backend->removed || backend->check_weight == weight)
		return;
	backend->check_weight = weight;
	changed(model, backend, before);
}

void model_set_ramp(struct model *model, struct backend *backend, uint16_t permille)
{
	struct share before = share_of(backend);

	if (backend->ramp == permille)
		return;
	backend->ramp = permille;
	changed(model, backend, before);
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
		}
	}
}

static int find_pool(struct model *model, const char *name, struct pool **pool, struct error *error)
{
	*pool = model_pool_find(model, name);
	return *pool ? 0 : model_no_pool(model, name, error);
}

static int no_backend(const struct pool *pool, struct addr address, struct error *error)
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
	int err = find_pool(model, pool_name, &pool, error);

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
	err = model_family_check(pool, address, error);
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
	int err = find_pool(model, pool_name, &pool, error);

	if (err)
		return err;
	*backend = model_backend_find(pool, address);
	return *backend ? 0 : no_backend(pool, address, error);
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

enum wish { WISH_DISABLE, WISH_ENABLE, WISH_DRAIN };

static void grant(struct model *model, struct backend *b, enum wish wish)
{
	static const enum event_kind kinds[] = { [WISH_DISABLE] = EVENT_DISABLED, [WISH_ENABLE] = EVENT_ENABLED,
		[WISH_DRAIN] = EVENT_DRAIN_BEGUN };
	bool disabled = wish == WISH_ENABLE ? false : b->disabled || wish == WISH_DISABLE;
	bool draining = wish == WISH_ENABLE ? false : b->draining || wish == WISH_DRAIN;

	if (disabled == b->disabled && draining == b->draining)
		return;
	model_backend_set_flags(model, b, disabled, draining);
	model->generation++;
	event_tell(kinds[wish], NULL, b, "%s", "");
}

static int set_wish(struct model *model, const char *pool_name, struct addr address, enum wish wish,
	struct error *error)
{
	struct backend *backend;
	char text[ADDRESS_TEXT];
	struct pool *pool;
	bool found = false;

	if (pool_name) {
		int err = find_pool(model, pool_name, &pool, error);

		if (err)
			return err;
		backend = model_backend_find(pool, address);
		if (!backend)
			return no_backend(pool, address, error);
		grant(model, backend, wish);
		return 0;
	}
	for (pool = model->first_pool; pool; pool = pool->next) {
		backend = model_backend_find(pool, address);
		if (!backend)
			continue;
		grant(model, backend, wish);
		found = true;
	}
	return found ? 0 : error_set(error, ENOENT, "no pool has a backend %s", address_print(address, text));
}

int model_disable(struct model *model, const char *pool, struct addr address, struct error *error)
{
	return set_wish(model, pool, address, WISH_DISABLE, error);
}

int model_enable(struct model *model, const char *pool, struct addr address, struct error *error)
{
	return set_wish(model, pool, address, WISH_ENABLE, error);
}

int model_drain(struct model *model, const char *pool, struct addr address, const struct drain_wish *wish,
	struct error *error)
{
	(void)wish;
	return set_wish(model, pool, address, WISH_DRAIN, error);
}
