/* SPDX-License-Identifier: BSD-3-Clause */
/* The running set as JSON, for the state file, and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

static json_t *dump_traffic(const struct traffic *t)
{
	return json_pack("{sI sI sI}", "packets", (json_int_t)t->packets, "bytes", (json_int_t)t->bytes, "new_flows",
		(json_int_t)t->new_flows);
}

static json_t *dump_backend(const struct backend *b)
{
	char address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

	return json_pack("{ss si si ss? sb sb sb sb sb so}", "address", address_print(b->address, address), "id", b->id,
		"weight", b->weight, "mac", b->mac_known ? address_print_mac(&b->mac, mac) : NULL, "mac_pinned",
		b->mac_pinned, "healthy", b->healthy, "disabled", b->disabled, "draining", b->draining, "removed",
		b->removed, "traffic", dump_traffic(&b->traffic));
}

static json_t *dump_check(const struct check *c)
{
	return json_pack("{sb si si si si si si si}", "given", c->given, "type", (int)c->type, "via", (int)c->via,
		"port", c->port, "interval_ms", (int)c->interval_ms, "timeout_ms", (int)c->timeout_ms, "rise",
		(int)c->rise, "fall", (int)c->fall);
}

static json_t *dump_pool(const struct pool *pool)
{
	json_t *backends = json_array();

	for (const struct backend *b = pool->backends; b; b = b->next) {
		if (json_array_append_new(backends, dump_backend(b))) {
			json_decref(backends);
			return NULL;
		}
	}
	return json_pack("{ss si ss so so}", "name", pool->name, "id", pool->id, "scheduler",
		scheduler_name(pool->scheduler), "check", dump_check(&pool->check), "backends", backends);
}

static json_t *dump_vip(const struct vip *vip)
{
	char text[ADDRESS_VIP_TEXT];

	return json_pack("{ss si ss so}", "vip", address_print_vip(vip->address, vip->protocol, vip->port, text), "id",
		vip->id, "pool", vip->pool->name, "traffic", dump_traffic(&vip->traffic));
}

json_t *model_dump(struct model *model)
{
	json_t *pools = json_array(), *vips = json_array();
	bool whole = pools && vips;

	for (const struct pool *pool = model->first_pool; pool && whole; pool = pool->next)
		whole = !json_array_append_new(pools, dump_pool(pool));
	for (const struct vip *vip = model->first_vip; vip && whole; vip = vip->next)
		whole = !json_array_append_new(vips, dump_vip(vip));
	if (!whole) {
		json_decref(pools);
		json_decref(vips);
		return NULL;
	}
	return json_pack("{so so s{si si si}}", "pools", pools, "vips", vips, "next_ids", "pool",
		(int)model->pool_ids.next, "vip", (int)model->vip_ids.next, "backend", (int)model->backend_ids.next);
}

/* A number of the state within bounds; what lies outside marks *fault. */
static int64_t number(const json_t *object, const char *name, int64_t max, bool *fault)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= max)
		return json_integer_value(value);
	*fault = true;
	return 0;
}

static bool flag(const json_t *object, const char *name, bool *fault)
{
	const json_t *value = json_object_get(object, name);

	*fault |= !json_is_boolean(value);
	return json_is_true(value);
}

static const char *text(const json_t *object, const char *name, bool *fault)
{
	const char *value = json_string_value(json_object_get(object, name));

	*fault |= !value;
	return value ? value : "";
}

static struct traffic restore_traffic(const json_t *object, bool *fault)
{
	const json_t *traffic = json_object_get(object, "traffic");

	return (struct traffic){
		.packets = (uint64_t)number(traffic, "packets", INT64_MAX, fault),
		.bytes = (uint64_t)number(traffic, "bytes", INT64_MAX, fault),
		.new_flows = (uint64_t)number(traffic, "new_flows", INT64_MAX, fault),
	};
}

static struct check restore_check(const json_t *object, bool *fault)
{
	return (struct check){
		.given = flag(object, "given", fault),
		.type = (enum check_type)number(object, "type", CHECK_TCP, fault),
		.via = (enum check_via)number(object, "via", CHECK_VIA_BACKEND, fault),
		.port = (uint16_t)number(object, "port", UINT16_MAX, fault),
		.interval_ms = (uint32_t)number(object, "interval_ms", INT32_MAX, fault),
		.timeout_ms = (uint32_t)number(object, "timeout_ms", INT32_MAX, fault),
		.rise = (uint32_t)number(object, "rise", INT32_MAX, fault),
		.fall = (uint32_t)number(object, "fall", INT32_MAX, fault),
	};
}

static int broken(struct error *error, const char *what, const char *name)
{
	return error_set(error, EINVAL, "%s %.64s is not as it was written", what, *name ? name : "without a name");
}

static int restore_backend(struct model *model, struct pool *pool, const json_t *from, struct error *error)
{
	bool fault = false, removed = flag(from, "removed", &fault), pinned = flag(from, "mac_pinned", &fault);
	const char *address_text = text(from, "address", &fault);
	const char *mac_text = json_string_value(json_object_get(from, "mac"));
	uint16_t weight = (uint16_t)number(from, "weight", UINT16_MAX, &fault);
	int err, id = (int)number(from, "id", SNAPSHOT_MAX_IDS - 1, &fault);
	struct backend *backend;
	struct addr address;
	struct mac mac;

	if (fault || address_parse(address_text, &address) || address_fault(address) ||
		model_backend_find_any(pool, address) || (mac_text && address_parse_mac(mac_text, &mac)) ||
		(pinned && !mac_text) || (!removed && model_family_check(pool, address, error)))
		return broken(error, "backend", address_text);
	err = model_backend_insert(model, pool, address, weight, pinned ? &mac : NULL, id, &backend, error);
	if (err)
		return err;
	backend->healthy = flag(from, "healthy", &fault);
	backend->disabled = flag(from, "disabled", &fault);
	backend->draining = flag(from, "draining", &fault);
	backend->traffic = restore_traffic(from, &fault);
	if (mac_text) {
		backend->mac = mac;
		backend->mac_known = true;
	}
	pool->slots_dirty = true;
	if (removed)
		model_backend_retire(model, backend);
	else
		model_tell_backend_changed(model, backend);
	return fault ? broken(error, "backend", address_text) : 0;
}

static int restore_pool(struct model *model, const json_t *from, struct error *error)
{
	bool fault = false;
	const char *name = text(from, "name", &fault);
	int err, id = (int)number(from, "id", SNAPSHOT_MAX_IDS - 1, &fault);
	int scheduler = scheduler_from_name(text(from, "scheduler", &fault));
	struct check check = restore_check(json_object_get(from, "check"), &fault);
	const json_t *backends = json_object_get(from, "backends"), *backend;
	struct pool *pool;
	size_t i;

	if (fault || scheduler < 0 || !json_is_array(backends) || !model_name_is_good(name) ||
		model_pool_find(model, name))
		return broken(error, "pool", name);
	err = model_pool_insert(model, name, (enum scheduler)scheduler, &check, id, &pool, error);
	/* With the type it had; its VIPs settle it again. */
	if (!err)
		pool->check.type = check.type;
	json_array_foreach(backends, i, backend)
		if (!err)
			err = restore_backend(model, pool, backend, error);
	return err;
}

static int restore_vip(struct model *model, const json_t *from, struct error *error)
{
	bool fault = false;
	const char *name = text(from, "vip", &fault);
	struct pool *pool = model_pool_find(model, text(from, "pool", &fault));
	int err, id = (int)number(from, "id", SNAPSHOT_MAX_IDS - 1, &fault);
	struct traffic traffic = restore_traffic(from, &fault);
	struct vip_spec spec;
	struct vip *vip;

	if (fault || !pool || address_parse_vip(name, &spec) || address_fault(spec.address) ||
		model_vip_find(model, spec.address, spec.protocol, spec.port) ||
		model_family_check(pool, spec.address, error))
		return broken(error, "VIP", name);
	err = model_vip_insert(model, &spec, pool, id, &vip, error);
	if (!err)
		vip->traffic = traffic;
	return err;
}

static void empty(struct model *model)
{
	while (model->first_vip)
		model_vip_remove(model, model->first_vip);
	while (model->first_pool)
		model_pool_remove(model, model->first_pool);
	model->pool_ids.next = model->vip_ids.next = model->backend_ids.next = 0;
}

int model_restore(struct model *model, const json_t *state, struct error *error)
{
	const json_t *pools = json_object_get(state, "pools"), *vips = json_object_get(state, "vips"), *item;
	const json_t *next = json_object_get(state, "next_ids");
	bool fault = !json_is_array(pools) || !json_is_array(vips);
	int err = 0;
	size_t i;

	model->pool_ids.next = (uint32_t)number(next, "pool", SNAPSHOT_MAX_IDS - 1, &fault);
	model->vip_ids.next = (uint32_t)number(next, "vip", SNAPSHOT_MAX_IDS - 1, &fault);
	model->backend_ids.next = (uint32_t)number(next, "backend", SNAPSHOT_MAX_IDS - 1, &fault);
	if (fault)
		err = error_set(error, EINVAL, "pools, vips or next_ids are not as they were written");
	/* The VIPs come one after the other: what a pool's check is follows from all of them. */
	model->settle_later = true;
	json_array_foreach(pools, i, item)
		if (!err)
			err = restore_pool(model, item, error);
	json_array_foreach(vips, i, item)
		if (!err)
			err = restore_vip(model, item, error);
	if (err)
		empty(model);
	model_settle_all(model);
	return err == -EEXIST ? -EINVAL : err;
}
