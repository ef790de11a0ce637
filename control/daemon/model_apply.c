/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Make the running set what a configuration says, by the least change: what stays keeps its id, MAC, health,
 * flows, drain and disable. A dry run goes the same way and leaves out the doing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"
#include "settings.h"

/* A pool that goes on by another name: one that is gone and that a VIP leaves for one that is new. */
struct rename {
	struct pool *pool;
	const struct config_pool *to;
};

struct apply {
	struct model *model;
	const struct config *config;
	const struct config_pool **by_name; /* n_pools */
	const struct config_vip **by_vip;   /* n_vips */
	struct rename *renames; /* room for n_pools */
	size_t n_renames;
	json_t *changes;
	bool dry_run;
	int err;
	struct error error;
};

static void say(struct apply *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct apply *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (json_array_append_new(a->changes, json_vsprintf(format, args)))
		a->err = -ENOMEM;
	va_end(args);
}

static int by_pool_name(const void *a, const void *b)
{
	return strcmp(
		(*(const struct config_pool *const *)a)->name, (*(const struct config_pool *const *)b)->name);
}

static int compare_vips(struct vip_spec x, struct vip_spec y)
{
	int order = address_compare(x.address, y.address);

	if (!order)
		order = (x.protocol > y.protocol) - (x.protocol < y.protocol);
	return order ? order : (x.port > y.port) - (x.port < y.port);
}

static struct vip_spec spec_of(const struct config_vip *vip)
{
	return (struct vip_spec){ vip->address, vip->port, vip->protocol };
}

static int by_vip(const void *a, const void *b)
{
	return compare_vips(
		spec_of(*(const struct config_vip *const *)a), spec_of(*(const struct config_vip *const *)b));
}

static int by_address(const void *a, const void *b)
{
	return address_compare((*(const struct config_backend *const *)a)->address,
		(*(const struct config_backend *const *)b)->address);
}

static const struct config_pool *find_pool(const struct apply *a, const char *name)
{
	struct config_pool key, *wanted = &key;
	const struct config_pool **found;

	snprintf(key.name, sizeof(key.name), "%s", name);
	found = bsearch(&wanted, a->by_name, a->config->n_pools, sizeof(*a->by_name), by_pool_name);
	return found ? *found : NULL;
}

/* What the pool is to be, or NULL: gone. */
static const struct config_pool *goal_of(const struct apply *a, const struct pool *pool)
{
	for (size_t i = 0; i < a->n_renames; i++)
		if (a->renames[i].pool == pool)
			return a->renames[i].to;
	return find_pool(a, pool->name);
}

/* What is to be that pool, or NULL: it is new. */
static struct pool *pool_for(const struct apply *a, const struct config_pool *to)
{
	for (size_t i = 0; i < a->n_renames; i++)
		if (a->renames[i].to == to)
			return a->renames[i].pool;
	return model_pool_find(a->model, to->name);
}

/* The pool's name once all is done, which after a dry run it isn't. */
static const char *name_of(const struct apply *a, const struct pool *pool)
{
	const struct config_pool *to = goal_of(a, pool);

	return to ? to->name : pool->name;
}

static bool has_vip(const struct apply *a, const struct vip *vip)
{
	struct config_vip key = { .address = vip->address, .port = vip->port, .protocol = vip->protocol };
	const struct config_vip *wanted = &key;

	return bsearch(&wanted, a->by_vip, a->config->n_vips, sizeof(*a->by_vip), by_vip) != NULL;
}

/* The pool's backends in ascending address, to be freed; NULL: no memory. */
static const struct config_backend **sort_backends(const struct config_pool *pool)
{
	const struct config_backend **sorted = calloc(pool->n_backends + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < pool->n_backends; i++)
		sorted[i] = &pool->backends[i];
	qsort(sorted, pool->n_backends, sizeof(*sorted), by_address);
	return sorted;
}

/*
 * A pool by another name is the same to the forwarder, which knows it by its id: flows stay, and drains and totals as
 * well. Its VIPs tell which one it is; a pool without any has no flows to lose.
 */
static void rename_pools(struct apply *a)
{
	for (size_t i = 0; i < a->config->n_vips; i++) {
		const struct config_vip *vip = a->by_vip[i];
		const struct vip *now = model_vip_find(a->model, vip->address, vip->protocol, vip->port);
		const struct config_pool *to = find_pool(a, vip->pool);

		if (!now || goal_of(a, now->pool) || pool_for(a, to))
			continue;
		say(a, "pool %s, was %s (renamed, its connections stay)", to->name, now->pool->name);
		a->renames[a->n_renames++] = (struct rename){ now->pool, to };
		if (!a->dry_run)
			model_pool_rename(a->model, now->pool, to->name);
	}
}

static void drop_vips(struct apply *a)
{
	char text[ADDRESS_VIP_TEXT];

	for (struct vip *vip = a->model->first_vip, *next; vip; vip = next) {
		next = vip->next;
		if (has_vip(a, vip))
			continue;
		say(a, "vip %s removed", address_print_vip(vip->address, vip->protocol, vip->port, text));
		if (!a->dry_run)
			model_vip_remove(a->model, vip);
	}
}

/* With its pool: then its flows don't go on. */
static void say_dropped(struct apply *a, const struct backend *b, bool with_pool)
{
	uint32_t flows = with_pool ? b->active_flows + b->closing_flows : 0;
	char text[ADDRESS_TEXT], left[64] = "";

	if (flows)
		snprintf(left, sizeof(left), ", its %u connection%s not stay", flows,
			flows > 1 ? "s do" : " does");
	say(a, "backend %s %s removed%s%s", name_of(a, b->pool), address_print(b->address, text),
		b->disabled ? " (was disabled)" : b->draining ? " (was draining)" : "", left);
}

/* Of a pool that goes itself: flows on them do not go on, so they need not stay for these. */
static void drop_all_backends(struct apply *a, struct pool *pool)
{
	for (const struct backend *b = pool->backends; b; b = b->next)
		if (!b->removed)
			say_dropped(a, b, true);
	if (!a->dry_run)
		model_backend_free_all(a->model, pool);
}

static void drop_backends(struct apply *a, struct pool *pool, const struct config_pool *to)
{
	const struct config_backend **sorted = sort_backends(to);

	if (!sorted) {
		a->err = -ENOMEM;
		return;
	}
	for (struct backend *b = pool->backends; b; b = b->next) {
		struct config_backend key = { .address = b->address };
		const struct config_backend *wanted = &key;

		if (b->removed || bsearch(&wanted, sorted, to->n_backends, sizeof(*sorted), by_address))
			continue;
		say_dropped(a, b, false);
		if (!a->dry_run)
			model_backend_retire(a->model, b);
	}
	free(sorted);
}

static void add_backend(struct apply *a, const char *pool_name, struct pool *pool, struct backend *removed,
	const struct config_backend *to)
{
	const struct mac *pinned = to->mac_pinned ? &to->mac : NULL;
	char text[ADDRESS_TEXT];

	say(a, "backend %s %s added", pool_name, address_print(to->address, text));
	if (a->dry_run)
		return;
	if (!removed) {
		int err = model_backend_insert(
			a->model, pool, to->address, to->weight, pinned, MODEL_ANY_ID, &removed, &a->error);

		if (err)
			a->err = err;
		return;
	}
	model_backend_revive(a->model, removed);
	model_backend_set_weight(a->model, removed, to->weight);
	model_backend_pin(a->model, removed, pinned);
}

static void change_backend(struct apply *a, struct backend *b, const struct config_backend *to)
{
	char text[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];
	const char *name = name_of(a, b->pool);

	address_print(to->address, text);
	if (b->weight != to->weight) {
		say(a, "backend %s %s weight %u, was %u", name, text, to->weight, b->weight);
		if (!a->dry_run)
			model_backend_set_weight(a->model, b, to->weight);
	}
	if (to->mac_pinned && (!b->mac_pinned || memcmp(&b->mac, &to->mac, sizeof(b->mac)))) {
		say(a, "backend %s %s mac pinned to %s", name, text, address_print_mac(&to->mac, mac));
		if (!a->dry_run)
			model_backend_pin(a->model, b, &to->mac);
	} else if (!to->mac_pinned && b->mac_pinned) {
		say(a, "backend %s %s mac not pinned any more", name, text);
		if (!a->dry_run)
			model_backend_pin(a->model, b, NULL);
	}
}

/* pool: NULL in a dry run for one that isn't there yet. */
static void fill_pool(struct apply *a, struct pool *pool, const struct config_pool *to)
{
	const struct config_backend **sorted = sort_backends(to);

	if (!sorted)
		a->err = -ENOMEM;
	for (size_t i = 0; i < to->n_backends && !a->err; i++) {
		struct backend *b = pool ? model_backend_find_any(pool, sorted[i]->address) : NULL;

		if (b && !b->removed)
			change_backend(a, b, sorted[i]);
		else
			add_backend(a, to->name, pool, b, sorted[i]);
	}
	free(sorted);
}

/* A value as people read it, without quotes, into text[VALUE_TEXT_SIZE], returned. */
#define VALUE_TEXT_SIZE 128
static const char *value_text(const struct setting *setting, const void *base, char *text)
{
	char *printed = NULL;
	size_t size;
	FILE *stream;

	snprintf(text, VALUE_TEXT_SIZE, setting->has_given ? "by default" : "none");
	if (setting->has_given && !settings_has_value(setting, base))
		return text;
	stream = open_memstream(&printed, &size);
	if (!stream)
		return text;
	settings_print(setting, base, stream);
	if (fclose(stream) == 0 && size) {
		bool quoted = printed[0] == '"';

		snprintf(text, VALUE_TEXT_SIZE, "%.*s", (int)size - 2 * quoted, printed + quoted);
	}
	free(printed);
	return text;
}

/* "pool web panic 50, was 0" for each of its settings that changes, name and check aside. */
static void say_policy(struct apply *a, const struct pool *pool, const struct config_pool *to)
{
	struct config_pool was = model_pool_policy(pool);
	char before[VALUE_TEXT_SIZE], after[VALUE_TEXT_SIZE];

	if (pool->fallback)
		snprintf(was.fallback, sizeof(was.fallback), "%s", name_of(a, pool->fallback));
	for (const struct setting *s = settings; s->path; s++)
		if (settings_is_in(s, "pools") && s->type != SETTING_GROUP && s->type != SETTING_LIST &&
			strcmp(settings_word(s), "name") && !settings_equal(s, &was, to))
			say(a, "pool %s %s %s, was %s", to->name, settings_word(s), value_text(s, to, after),
				value_text(s, &was, before));
}

/* "pool web check.path /x, was /" for each setting that changes; of another check all in one line. */
static void say_check(struct apply *a, const struct pool *pool, const struct config_pool *to)
{
	const struct config_pool was = { .check = pool->check };
	char before[CONFIG_CHECK_TEXT], after[CONFIG_CHECK_TEXT];

	if (check_equal(&was.check, &to->check))
		return;
	if (was.check.type != to->check.type || was.check.given != to->check.given) {
		say(a, "pool %s check %s%s, was %s%s", to->name, config_check_print(&to->check, after),
			to->check.given ? "" : " (by default)", config_check_print(&was.check, before),
			was.check.given ? "" : " (by default)");
		return;
	}
	for (const struct setting *s = settings; s->path; s++) {
		if (!settings_is_in(s, "pools.check") || settings_equal(s, &was, to))
			continue;
		if (s->secret)
			say(a, "pool %s check.%s changed", to->name, settings_word(s));
		else
			say(a, "pool %s check.%s %s, was %s", to->name, settings_word(s), value_text(s, to, after),
				value_text(s, &was, before));
	}
}

static void change_pool(struct apply *a, struct pool *pool, const struct config_pool *to)
{
	say_policy(a, pool, to);
	say_check(a, pool, to);
	if (!a->dry_run && model_pool_set(a->model, pool, to))
		a->err = -ENOMEM;
}

static void make_pool(struct apply *a, const struct config_pool *to)
{
	struct pool *pool = NULL;

	say(a, "pool %s added", to->name);
	if (!a->dry_run) {
		int err = model_pool_insert(a->model, to, MODEL_ANY_ID, &pool, &a->error);

		if (err) {
			a->err = err;
			return;
		}
	}
	fill_pool(a, pool, to);
}

static void set_pools(struct apply *a)
{
	/* First everything that gives up ids, then what takes some. */
	for (struct pool *pool = a->model->first_pool; pool && !a->err; pool = pool->next) {
		const struct config_pool *to = goal_of(a, pool);

		if (to)
			drop_backends(a, pool, to);
		else
			drop_all_backends(a, pool);
	}
	for (size_t i = 0; i < a->config->n_pools && !a->err; i++) {
		struct pool *pool = pool_for(a, a->by_name[i]);

		if (!pool) {
			make_pool(a, a->by_name[i]);
			continue;
		}
		change_pool(a, pool, a->by_name[i]);
		fill_pool(a, pool, a->by_name[i]);
	}
}

/* Once every pool is there; of those that go nobody's fallback stays. */
static void set_fallbacks(struct apply *a)
{
	for (struct pool *pool = a->model->first_pool; pool; pool = pool->next) {
		const struct config_pool *to = goal_of(a, pool);

		if (!a->dry_run)
			model_pool_set_fallback(a->model, pool,
				to && to->fallback[0] ? model_pool_find(a->model, to->fallback) : NULL);
	}
}

/* "vip 192.0.2.80:80/tcp source_rate 100, was 0" for each of what it lets in that changes. */
static void set_policy(struct apply *a, struct vip *vip, const struct config_vip *to, const char *name)
{
	const struct config_vip was = { .policy = vip->policy };
	char before[VALUE_TEXT_SIZE], after[VALUE_TEXT_SIZE];
	bool changed = false;

	for (const struct setting *s = settings; s->path; s++) {
		if (!config_is_vip_policy(s) || settings_equal(s, &was, to))
			continue;
		say(a, "vip %s %s %s, was %s", name, settings_word(s), value_text(s, to, after),
			value_text(s, &was, before));
		changed = true;
	}
	if (changed && !a->dry_run)
		model_vip_set_policy(a->model, vip, &to->policy);
}

static void set_vips(struct apply *a)
{
	char text[ADDRESS_VIP_TEXT];

	for (size_t i = 0; i < a->config->n_vips && !a->err; i++) {
		const struct config_vip *to = a->by_vip[i];
		struct vip *vip = model_vip_find(a->model, to->address, to->protocol, to->port);
		struct vip_spec spec = spec_of(to);

		address_print_vip(to->address, to->protocol, to->port, text);
		if (!vip) {
			say(a, "vip %s added, pool %s", text, to->pool);
			if (!a->dry_run && !a->err)
				a->err = model_vip_insert(a->model, &spec, model_pool_find(a->model, to->pool),
					MODEL_ANY_ID, &vip, &a->error);
			if (vip)
				vip->policy = to->policy;
			continue;
		}
		set_policy(a, vip, to, text);
		if (strcmp(name_of(a, vip->pool), to->pool)) {
			/* To the forwarder a connection is its backend's, whatever pool that is of. */
			say(a, "vip %s pool %s, was %s (its connections %s)", text, to->pool, name_of(a, vip->pool),
				goal_of(a, vip->pool) ? "stay until they end" : "move");
			if (!a->dry_run)
				model_vip_move(a->model, vip, model_pool_find(a->model, to->pool));
		}
	}
}

static void drop_pools(struct apply *a)
{
	for (struct pool *pool = a->model->first_pool, *next; pool; pool = next) {
		next = pool->next;
		if (goal_of(a, pool))
			continue;
		say(a, "pool %s removed", pool->name);
		if (!a->dry_run)
			model_pool_remove(a->model, pool);
	}
}

/* On the way a pool may have held both families; now it is of one. */
static void settle_families(struct apply *a)
{
	for (struct pool *pool = a->model->first_pool; pool; pool = pool->next) {
		const struct backend *b = pool->backends;
		const struct vip *vip;

		while (b && b->removed)
			b = b->next;
		/* Looking for a VIP takes its time where there are many. */
		vip = b || !pool->n_vips ? NULL : model_check_vip(a->model, pool);
		if (b)
			pool->family = address_family(b->address);
		else if (vip)
			pool->family = address_family(vip->address);
	}
}

json_t *model_apply(struct model *model, const struct config *config, bool dry_run)
{
	struct apply a = { .model = model, .config = config, .dry_run = dry_run, .changes = json_array() };

	a.by_name = calloc(config->n_pools + 1, sizeof(*a.by_name));
	a.by_vip = calloc(config->n_vips + 1, sizeof(*a.by_vip));
	a.renames = calloc(config->n_pools + 1, sizeof(*a.renames));
	if (!a.changes || !a.by_name || !a.by_vip || !a.renames) {
		a.err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < config->n_pools; i++)
		a.by_name[i] = &config->pools[i];
	for (size_t i = 0; i < config->n_vips; i++)
		a.by_vip[i] = &config->vips[i];
	qsort(a.by_name, config->n_pools, sizeof(*a.by_name), by_pool_name);
	qsort(a.by_vip, config->n_vips, sizeof(*a.by_vip), by_vip);

	/* A pool whose UDP VIPs come before its TCP ones must not be taken for one without a check meanwhile. */
	model->settle_later = !dry_run;
	rename_pools(&a);
	drop_vips(&a);
	set_pools(&a);
	if (!a.err)
		set_fallbacks(&a);
	if (!a.err)
		a.err = model_apply_access(model, config, dry_run, a.changes);
	if (!a.err)
		set_vips(&a);
	if (!a.err)
		a.err = model_apply_access_end(model, config, dry_run, a.changes);
	if (!a.err)
		drop_pools(&a);
	if (!dry_run) {
		settle_families(&a);
		model_settle_all(model);
		if (json_array_size(a.changes))
			model->generation++;
	}
out:
	free(a.by_name);
	free(a.by_vip);
	free(a.renames);
	if (a.err) {
		json_decref(a.changes);
		return NULL;
	}
	return a.changes;
}
