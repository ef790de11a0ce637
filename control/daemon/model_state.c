/* SPDX-License-Identifier: BSD-3-Clause */
/* The running set as JSON, for the state file, and back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "model_private.h"
#include "settings.h"

/*
 * Written by hand, as it is done at every change: a thousand backends take a tenth of what a tree of JSON values
 * would. Nothing in it wants escaping: names, addresses and numbers. What is as usual is left out. Only what the
 * settings of pools are is not known here.
 */
static void dump_numbers(const char *name, const uint64_t *number, size_t n, struct text *out)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= number[i];
	if (!any)
		return;
	text_add(out, ",\"");
	text_add(out, name);
	text_add(out, "\":");
	for (size_t i = 0; i < n; i++) {
		text_add(out, i ? "," : "[");
		text_add_number(out, number[i]);
	}
	text_add(out, "]");
}

static void dump_traffic(const struct traffic *t, struct text *out)
{
	const uint64_t total[] = { t->packets, t->bytes, t->new_flows };
	const uint64_t handshakes[] = { t->syns, t->handshakes, t->syn_repeats };
	const uint64_t guard[] = { t->elsewhere, t->untracked, t->over_bound, t->refused, t->limited };

	dump_numbers("traffic", total, 3, out);
	dump_numbers("handshakes", handshakes, 3, out);
	dump_numbers("guard", guard, 5, out);
}

static void dump_number(const char *name, uint64_t number, struct text *out)
{
	text_add(out, ",\"");
	text_add(out, name);
	text_add(out, "\":");
	text_add_number(out, number);
}

static void dump_flag(const char *name, bool flag, struct text *out)
{
	if (!flag)
		return;
	text_add(out, ",\"");
	text_add(out, name);
	text_add(out, "\":true");
}

/* Times are worth something with the "boot" they are of. */
static void dump_drain(const struct drain *drain, struct text *out)
{
	text_add(out, ",\"drain\":{\"since_ms\":");
	text_add_number(out, drain->since_ms);
	if (drain->deadline_ms)
		dump_number("deadline_ms", drain->deadline_ms, out);
	if (drain->cut)
		dump_number("cut", drain->cut, out);
	dump_flag("over", drain->over, out);
	dump_flag("expired", drain->expired, out);
	text_add(out, "}");
}

static void dump_backend(const struct backend *b, struct text *out)
{
	char address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

	text_add(out, "{\"address\":\"");
	text_add(out, address_print(b->address, address));
	text_add(out, "\"");
	dump_number("id", b->id, out);
	dump_number("weight", b->weight, out);
	if (b->mac_known) {
		text_add(out, ",\"mac\":\"");
		text_add(out, address_print_mac(&b->mac, mac));
		text_add(out, "\"");
	}
	dump_flag("pinned", b->mac_pinned, out);
	dump_flag("healthy", b->healthy, out);
	dump_flag("disabled", b->disabled, out);
	dump_flag("draining", b->draining, out);
	dump_flag("returning", b->returning, out);
	dump_flag("removed", b->removed, out);
	if (b->draining)
		dump_drain(&b->drain, out);
	if (b->check_weight >= 0)
		dump_number("check_weight", (uint64_t)b->check_weight, out);
	if (b->ramp != RAMP_FULL)
		dump_number("ramp", b->ramp, out);
	dump_traffic(&b->traffic, out);
	text_add(out, "}");
}

/* object: given up; NULL: no memory. */
static void dump_json(json_t *object, struct text *out)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	if (text)
		text_add(out, text);
	else
		out->failed = true;
	free(text);
	json_decref(object);
}

/* What is not the default, as it would be in a file. */
static void dump_settings(const struct pool *pool, struct text *out)
{
	struct config_pool settings_of = model_pool_policy(pool);

	settings_of.name[0] = '\0';
	settings_of.check = pool->check;
	dump_json(config_pool_to_json(&settings_of), out);
}

static void dump_pool(const struct pool *pool, struct text *out)
{
	text_add(out, "{\"name\":\"");
	text_add(out, pool->name);
	text_add(out, "\"");
	dump_number("id", pool->id, out);
	text_add(out, ",\"settings\":");
	dump_settings(pool, out);
	text_add(out, ",\n \"backends\":[");
	for (const struct backend *b = pool->backends; b; b = b->next) {
		text_add(out, b == pool->backends ? "\n  " : ",\n  ");
		dump_backend(b, out);
	}
	text_add(out, "]}");
}

static void dump_vip(const struct vip *vip, struct text *out)
{
	char name[ADDRESS_VIP_TEXT];

	text_add(out, "{\"vip\":\"");
	text_add(out, address_print_vip(vip->address, vip->protocol, vip->port, name));
	text_add(out, "\"");
	dump_number("id", vip->id, out);
	text_add(out, ",\"pool\":\"");
	text_add(out, vip->pool->name);
	text_add(out, "\",\"policy\":");
	dump_json(config_vip_policy_to_json(&vip->policy), out);
	dump_traffic(&vip->traffic, out);
	text_add(out, "}");
}

/* ["203.0.113.0/24",0,17]: prefix, whether it allows, id; then base and what was counted, if that is not all 0. */
static void dump_rule(const struct access_rule *rule, struct text *out)
{
	char prefix[ADDRESS_PREFIX_TEXT];

	text_add(out, "[\"");
	text_add(out, address_print_prefix(rule->address, rule->length, prefix));
	text_add(out, rule->allow ? "\",1," : "\",0,");
	text_add_number(out, rule->id);
	if (rule->base || rule->counted[0] || rule->counted[1]) {
		text_add(out, (int64_t)rule->base < 0 ? ",-" : ",");
		text_add_number(out, (int64_t)rule->base < 0 ? -rule->base : rule->base);
		for (int i = 0; i < ACCESS_COUNTED; i++) {
			text_add(out, ",");
			text_add_number(out, rule->counted[i]);
		}
	}
	text_add(out, "]");
}

static void dump_access(const struct model *model, struct text *out)
{
	char digest[40];

	text_add(out, "],\n\"access_segments\":[");
	for (int i = 0; i < ACCESS_COUNTED; i++) {
		text_add(out, i ? ",[" : "[");
		text_add_number(out, model->segments[i].started_ns);
		text_add(out, ",");
		text_add_number(out, model->segments[i].pid);
		text_add(out, "]");
	}
	text_add(out, "],\n\"access\":[");
	for (const struct access_list *list = model->first_access; list; list = list->next) {
		text_add(out, list == model->first_access ? "\n {\"name\":\"" : ",\n {\"name\":\"");
		text_add(out, list->name);
		text_add(out, "\",\"rules\":[");
		for (uint32_t i = 0; i < list->n; i++) {
			text_add(out, i ? ",\n  " : "\n  ");
			dump_rule(&list->rules[i], out);
		}
		text_add(out, "]");
		dump_numbers("gone", list->gone, 2, out);
		if (list->digest) {
			snprintf(digest, sizeof(digest), ",\"files\":\"%016" PRIx64 "\"", list->digest);
			text_add(out, digest);
		}
		text_add(out, "}");
	}
}

void model_dump(struct model *model, struct text *out)
{
	char boot[CLOCK_BOOT_ID];

	text_add(out, "\"boot\":\"");
	text_add(out, clock_boot_id(boot));
	text_add(out, "\",\"next_ids\":{\"pool\":");
	text_add_number(out, model->pool_ids.next);
	dump_number("vip", model->vip_ids.next, out);
	dump_number("backend", model->backend_ids.next, out);
	dump_number("rule", model->rule_ids.next, out);
	text_add(out, "},\n\"pools\":[");
	for (const struct pool *pool = model->first_pool; pool; pool = pool->next) {
		text_add(out, pool == model->first_pool ? "\n " : ",\n ");
		dump_pool(pool, out);
	}
	text_add(out, "],\n\"vips\":[");
	for (const struct vip *vip = model->first_vip; vip; vip = vip->next) {
		text_add(out, vip == model->first_vip ? "\n " : ",\n ");
		dump_vip(vip, out);
	}
	dump_access(model, out);
	text_add(out, "]");
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

/* One that is left out is false. */
static bool flag(const json_t *object, const char *name, bool *fault)
{
	const json_t *value = json_object_get(object, name);

	*fault |= value && !json_is_boolean(value);
	return json_is_true(value);
}

static const char *string(const json_t *object, const char *name, bool *fault)
{
	const char *value = json_string_value(json_object_get(object, name));

	*fault |= !value;
	return value ? value : "";
}

/* One that may be left out. */
static int64_t number_or(const json_t *object, const char *name, int64_t max, int64_t otherwise, bool *fault)
{
	return json_object_get(object, name) ? number(object, name, max, fault) : otherwise;
}

/*
 * same_boot: its times are of this start of the machine; after another one nobody knows how long that took, and
 * the deadline counts anew.
 */
static struct drain restore_drain(const json_t *object, bool same_boot, bool *fault)
{
	struct drain drain = {
		.since_ms = (uint64_t)number_or(object, "since_ms", INT64_MAX, 0, fault),
		.deadline_ms = (uint64_t)number_or(object, "deadline_ms", INT64_MAX, 0, fault),
		.cut = (uint32_t)number_or(object, "cut", UINT32_MAX, 0, fault),
		.over = flag(object, "over", fault),
		.expired = flag(object, "expired", fault),
	};
	uint64_t now = clock_boot_ms();

	*fault |= drain.deadline_ms && drain.deadline_ms < drain.since_ms;
	if (same_boot && drain.since_ms && drain.since_ms <= now)
		return drain;
	if (drain.deadline_ms)
		drain.deadline_ms = now + (drain.deadline_ms - drain.since_ms);
	drain.since_ms = now;
	return drain;
}

static void restore_numbers(const json_t *object, const char *name, uint64_t *number, size_t n, bool *fault)
{
	const json_t *array = json_object_get(object, name);

	if (array && json_array_size(array) != n)
		*fault = true;
	for (size_t i = 0; array && i < n; i++) {
		const json_t *number_of = json_array_get(array, i);

		if (!json_is_integer(number_of) || json_integer_value(number_of) < 0)
			*fault = true;
		else
			number[i] = (uint64_t)json_integer_value(number_of);
	}
}

static struct traffic restore_traffic(const json_t *object, bool *fault)
{
	uint64_t total[3] = { 0 }, handshakes[3] = { 0 }, guard[5] = { 0 };

	restore_numbers(object, "traffic", total, 3, fault);
	restore_numbers(object, "handshakes", handshakes, 3, fault);
	restore_numbers(object, "guard", guard, 5, fault);
	return (struct traffic){ total[0], total[1], total[2], handshakes[0], handshakes[1], handshakes[2],
		guard[0], guard[1], guard[2], guard[3], guard[4] };
}

/* One of a check's, within the range that the configuration has for it. */
static uint32_t check_number(const json_t *object, const char *name, const char *setting_name, bool *fault)
{
	const struct setting *setting = settings_find("pools.check", setting_name);
	int64_t value = number(object, name, setting->max, fault);

	*fault |= value < setting->min;
	return (uint32_t)value;
}

/* What there was in format 1, before other checks than those of TCP: all in numbers. 0 or -ENOMEM. */
static int restore_old_settings(const json_t *from, struct config_pool *wanted, bool *fault)
{
	const json_t *object = json_object_get(from, "check");
	int scheduler = scheduler_from_name(string(from, "scheduler", fault));
	struct error error;
	struct check *check = &wanted->check;

	if (config_pool_from_json(NULL, wanted, &error))
		return -ENOMEM;
	*fault |= scheduler < 0;
	wanted->scheduler = (enum scheduler)scheduler;
	check->given = flag(object, "given", fault);
	check->type = (enum check_type)number(object, "type", CHECK_TCP, fault);
	check->via = (enum check_via)number(object, "via", CHECK_VIA_BACKEND, fault);
	check->port = (uint16_t)number(object, "port", UINT16_MAX, fault);
	check->interval_ms = check_number(object, "interval_ms", "interval", fault);
	check->timeout_ms = check_number(object, "timeout_ms", "timeout", fault);
	check->rise = check_number(object, "rise", "rise", fault);
	check->fall = check_number(object, "fall", "fall", fault);
	return 0;
}

/* *wanted: its check to be freed, whatever is returned. 0, -EINVAL or -ENOMEM. */
static int restore_settings(const json_t *from, struct config_pool *wanted, struct error *error)
{
	const json_t *object = json_object_get(from, "settings");
	bool fault = false;
	const char *name = string(from, "name", &fault);
	int err;

	if (object)
		err = json_is_object(object) ? config_pool_from_json(object, wanted, error) : -EINVAL;
	else
		err = restore_old_settings(from, wanted, &fault);
	if (err == -ENOMEM)
		return err;
	if (err || fault || !model_name_is_good(name))
		return -EINVAL;
	snprintf(wanted->name, sizeof(wanted->name), "%s", name);
	return 0;
}

static int broken(struct error *error, const char *what, const char *name)
{
	return error_set(
		error, EINVAL, "%s %.64s is not as it was written", what, *name ? name : "without a name");
}

/* What it was besides its place in the pool. */
static void restore_standing(struct backend *backend, const json_t *from, bool same_boot, bool *fault)
{
	backend->healthy = flag(from, "healthy", fault);
	backend->disabled = flag(from, "disabled", fault);
	backend->draining = flag(from, "draining", fault);
	backend->returning = flag(from, "returning", fault);
	backend->check_weight = (int32_t)number_or(from, "check_weight", UINT16_MAX, -1, fault);
	backend->ramp = (uint16_t)number_or(from, "ramp", RAMP_FULL, RAMP_FULL, fault);
	backend->traffic = restore_traffic(from, fault);
	if (backend->draining)
		backend->drain = restore_drain(json_object_get(from, "drain"), same_boot, fault);
}

static int restore_backend(
	struct model *model, struct pool *pool, const json_t *from, bool same_boot, struct error *error)
{
	bool fault = false, removed = flag(from, "removed", &fault), pinned = flag(from, "pinned", &fault);
	const char *address_text = string(from, "address", &fault);
	const char *mac_text = json_string_value(json_object_get(from, "mac"));
	uint16_t weight = (uint16_t)number(from, "weight", UINT16_MAX, &fault);
	int err, id = (int)number(from, "id", SNAPSHOT_MAX_IDS - 1, &fault);
	struct model_share before;
	struct backend *backend;
	struct addr address;
	struct mac mac;
	int family = pool->family;

	if (fault || address_parse(address_text, &address) || address_fault(address) ||
		model_backend_find_any(pool, address) || (mac_text && address_parse_mac(mac_text, &mac)) ||
		(pinned && !mac_text) || (!removed && model_family_check(model, pool, address, error)))
		return broken(error, "backend", address_text);
	err = model_backend_insert(model, pool, address, weight, pinned ? &mac : NULL, id, &backend, error);
	if (err)
		return err;
	before = model_share_of(backend);
	restore_standing(backend, from, same_boot, &fault);
	if (mac_text) {
		backend->mac = mac;
		backend->mac_known = true;
	}
	model_backend_touch(model, backend, before);
	if (removed) {
		/* It may be of the family the pool had before. */
		model_backend_retire(model, backend);
		pool->family = family;
	}
	return fault ? broken(error, "backend", address_text) : 0;
}

static int restore_pool(struct model *model, const json_t *from, bool same_boot, struct error *error)
{
	bool fault = false;
	int id = (int)number(from, "id", SNAPSHOT_MAX_IDS - 1, &fault);
	const json_t *backends = json_object_get(from, "backends"), *backend;
	struct config_pool wanted = { 0 };
	int err = restore_settings(from, &wanted, error);
	struct pool *pool;
	size_t i;

	if (err == -ENOMEM)
		error_set(error, ENOMEM, "out of memory");
	else if (err || fault || !json_is_array(backends) || model_pool_find(model, wanted.name))
		err = broken(error, "pool", string(from, "name", &fault));
	else
		err = model_pool_insert(model, &wanted, id, &pool, error);
	/* With the type it had; its VIPs settle it again. */
	if (!err)
		pool->check.type = wanted.check.type;
	check_free(&wanted.check);
	json_array_foreach(backends, i, backend)
		if (!err)
			err = restore_backend(model, pool, backend, same_boot, error);
	return err;
}

/* Once all pools are there. */
static int restore_fallback(struct model *model, const json_t *from, struct error *error)
{
	const char *name = json_string_value(json_object_get(from, "name"));
	const char *to = json_string_value(json_object_get(json_object_get(from, "settings"), "fallback"));
	struct pool *pool = model_pool_find(model, name), *fallback = to ? model_pool_find(model, to) : NULL;

	if (!to)
		return 0;
	if (!fallback || fallback == pool)
		return broken(error, "pool", name);
	model_pool_set_fallback(model, pool, fallback);
	return 0;
}

static int restore_vip(struct model *model, const json_t *from, struct error *error)
{
	bool fault = false;
	const char *name = string(from, "vip", &fault);
	struct pool *pool = model_pool_find(model, string(from, "pool", &fault));
	int err, id = (int)number(from, "id", SNAPSHOT_MAX_IDS - 1, &fault);
	struct traffic traffic = restore_traffic(from, &fault);
	const json_t *policy_from = json_object_get(from, "policy");
	struct vip_policy policy;
	struct vip_spec spec;
	struct vip *vip;

	if (config_vip_policy_from_json(policy_from, &policy, error) || fault || !pool ||
		address_parse_vip(name, &spec) || address_fault(spec.address) ||
		model_vip_find(model, spec.address, spec.protocol, spec.port) ||
		model_family_check(model, pool, spec.address, error) ||
		model_access_check(model, policy.access, error))
		return broken(error, "VIP", name);
	err = model_vip_insert(model, &spec, pool, id, &vip, error);
	if (!err) {
		vip->traffic = traffic;
		vip->policy = policy;
	}
	return err;
}

static int64_t element(const json_t *array, size_t i, int64_t min, int64_t max, bool *fault)
{
	const json_t *value = json_array_get(array, i);

	if (json_is_integer(value) && json_integer_value(value) >= min && json_integer_value(value) <= max)
		return json_integer_value(value);
	*fault = true;
	return 0;
}

/* 0; -EINVAL or -ENOMEM. */
static int restore_rule(struct model *model, struct access_list *list, const json_t *from)
{
	const char *prefix = json_string_value(json_array_get(from, 0));
	struct access_rule rule = { 0 };
	bool fault = false;

	rule.allow = element(from, 1, 0, 1, &fault);
	rule.id = (uint32_t)element(from, 2, 0, SNAPSHOT_MAX_RULES - 1, &fault);
	if (json_array_size(from) > 3) {
		rule.base = (uint64_t)element(from, 3, INT64_MIN, INT64_MAX, &fault);
		for (size_t i = 0; i < ACCESS_COUNTED; i++)
			rule.counted[i] = (uint64_t)element(from, 4 + i, 0, INT64_MAX, &fault);
	}
	if (fault || !prefix || address_parse_prefix(prefix, &rule.address, &rule.length))
		return -EINVAL;
	return access_list_restore(list, &model->rule_ids, &rule);
}

static int restore_access(struct model *model, const json_t *from, struct error *error)
{
	bool fault = false;
	const char *name = string(from, "name", &fault);
	const json_t *rules = json_object_get(from, "rules"), *rule;
	const char *digest = json_string_value(json_object_get(from, "files"));
	struct access_list *list;
	size_t i;
	int err;

	if (fault || !json_is_array(rules) || !model_name_is_good(name) || model_access_find(model, name))
		return broken(error, "access list", name);
	err = model_access_insert(model, name, &list, error);
	if (!err)
		restore_numbers(from, "gone", list->gone, 2, &fault);
	if (fault)
		return broken(error, "access list", name);
	list->digest = digest ? strtoull(digest, NULL, 16) : 0;
	json_array_foreach (rules, i, rule)
		if (!err) {
			err = restore_rule(model, list, rule);
			if (err == -ENOMEM)
				error_set(error, ENOMEM, "out of memory");
			else if (err)
				broken(error, "access list", name);
		}
	return err;
}

static void restore_segments(struct model *model, const json_t *from)
{
	bool fault = false;

	for (size_t i = 0; i < ACCESS_COUNTED; i++) {
		const json_t *segment = json_array_get(from, i);

		model->segments[i].started_ns = (uint64_t)element(segment, 0, 0, INT64_MAX, &fault);
		model->segments[i].pid = (uint64_t)element(segment, 1, 0, INT64_MAX, &fault);
	}
	if (fault)
		memset(model->segments, 0, sizeof(model->segments));
}

static void empty(struct model *model)
{
	while (model->first_vip)
		model_vip_remove(model, model->first_vip);
	while (model->first_pool)
		model_pool_remove(model, model->first_pool);
	while (model->first_access)
		model_access_drop(model, model->first_access);
	memset(model->segments, 0, sizeof(model->segments));
	model->pool_ids.next = model->vip_ids.next = model->backend_ids.next = 0;
}

void model_begin_ids(struct model *model, uint16_t pool, uint16_t vip, uint16_t backend)
{
	model->pool_ids.next = pool;
	model->vip_ids.next = vip;
	model->backend_ids.next = backend;
}

int model_restore(struct model *model, const json_t *state, struct error *error)
{
	const json_t *pools = json_object_get(state, "pools"), *vips = json_object_get(state, "vips"), *item;
	const json_t *next = json_object_get(state, "next_ids");
	const char *boot = json_string_value(json_object_get(state, "boot"));
	char boot_now[CLOCK_BOOT_ID];
	bool same_boot = boot && *boot && !strcmp(boot, clock_boot_id(boot_now));
	bool fault = !json_is_array(pools) || !json_is_array(vips);
	int err = 0;
	size_t i;

	model->pool_ids.next = (uint32_t)number(next, "pool", SNAPSHOT_MAX_IDS - 1, &fault);
	model->vip_ids.next = (uint32_t)number(next, "vip", SNAPSHOT_MAX_IDS - 1, &fault);
	model->backend_ids.next = (uint32_t)number(next, "backend", SNAPSHOT_MAX_IDS - 1, &fault);
	model->rule_ids.next = (uint32_t)number_or(next, "rule", SNAPSHOT_MAX_RULES, 0, &fault);
	if (fault)
		err = error_set(error, EINVAL, "pools, vips or next_ids are not as they were written");
	/* The VIPs come one after the other: what a pool's check is follows from all of them. */
	model->settle_later = model->quiet = true;
	json_array_foreach(pools, i, item)
		if (!err)
			err = restore_pool(model, item, same_boot, error);
	json_array_foreach (pools, i, item)
		if (!err)
			err = restore_fallback(model, item, error);
	json_array_foreach (json_object_get(state, "access"), i, item)
		if (!err)
			err = restore_access(model, item, error);
	restore_segments(model, json_object_get(state, "access_segments"));
	json_array_foreach(vips, i, item)
		if (!err)
			err = restore_vip(model, item, error);
	if (err)
		empty(model);
	model_settle_all(model);
	model->quiet = false;
	return err == -EEXIST ? -EINVAL : err;
}
