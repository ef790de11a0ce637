/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools and checks as commands give them (JSON), as the state file keeps them, and as people read them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "duration.h"
#include "settings.h"

#define PREFIX "pools.check"

/* Strings of an array, borrowed; kind VALUE_OTHER if there is something else in it. */
static int read_strings(const json_t *from, struct value *value)
{
	size_t i;
	json_t *item;

	value->kind = VALUE_ARRAY;
	value->items.item = calloc(json_array_size(from) + 1, sizeof(char *));
	if (!value->items.item)
		return -ENOMEM;
	json_array_foreach (from, i, item) {
		if (!json_is_string(item))
			value->kind = VALUE_OTHER;
		value->items.item[i] = (char *)json_string_value(item);
	}
	value->items.n = i;
	return 0;
}

static int read_value(const json_t *from, struct value *value)
{
	*value = (struct value){ .kind = VALUE_OTHER };
	switch (json_typeof(from)) {
	case JSON_INTEGER:
		value->kind = VALUE_NUMBER;
		value->number = json_integer_value(from);
		break;
	case JSON_STRING:
		value->kind = VALUE_TEXT;
		value->text = json_string_value(from);
		break;
	case JSON_REAL:
		value->kind = VALUE_REAL;
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		value->kind = VALUE_BOOL;
		value->truth = json_is_true(from);
		break;
	case JSON_OBJECT:
		value->kind = VALUE_GROUP;
		break;
	case JSON_ARRAY:
		return read_strings(from, value);
	default:
		break;
	}
	return 0;
}

static int place(struct error *error, const char *before, const char *name, int err)
{
	struct error what = *error;

	error_set(error, EINVAL, "%s%.64s: %.400s", before, name, what.text);
	return err;
}

static int no_memory(struct error *error)
{
	return error_set(error, ENOMEM, "out of memory");
}

/* One value of the group prefix. */
static int read_member(const char *prefix, const char *name, const json_t *from, void *base, struct error *error)
{
	const struct setting *setting = settings_find(prefix, name);
	struct value value;
	int err;

	if (!setting || setting->type == SETTING_LIST)
		return settings_unknown(prefix, name, error);
	err = read_value(from, &value);
	if (err)
		return no_memory(error);
	err = settings_store(setting, &value, base, error);
	free(value.items.item);
	return err;
}

/* Into the pool's check, which has the defaults. */
static int read_check(const json_t *object, struct config_pool *pool, struct error *error)
{
	const char *name;
	json_t *from;
	int err;

	if (!object || json_is_null(object))
		return 0;
	if (!json_is_object(object))
		return error_set(error, EINVAL, "check: must be an object");
	pool->check.given = true;
	json_object_foreach((json_t *)object, name, from) {
		err = read_member(PREFIX, name, from, pool, error);
		if (err)
			return place(error, "check.", name, err);
	}
	/* Once the type is known. */
	json_object_foreach ((json_t *)object, name, from) {
		err = settings_belong(settings_find(PREFIX, name), pool->check.type, error);
		if (err)
			return place(error, "check.", name, err);
	}
	err = check_complete(&pool->check, &name, error);
	return err ? place(error, "check.", name, err) : 0;
}

int config_check_default(struct check *check)
{
	struct config_pool pool = { 0 };
	int err = settings_defaults("pools", &pool);

	if (err)
		settings_free("pools", &pool);
	*check = pool.check;
	return err;
}

int config_check_from_json(const json_t *object, struct check *check, struct error *error)
{
	struct config_pool pool = { 0 };
	int err = settings_defaults("pools", &pool) ? no_memory(error) : read_check(object, &pool, error);

	if (err)
		settings_free("pools", &pool);
	*check = pool.check;
	return err;
}

int config_pool_from_json(const json_t *object, struct config_pool *pool, struct error *error)
{
	const char *name;
	json_t *from;
	int err;

	*pool = (struct config_pool){ 0 };
	err = settings_defaults("pools", pool) ? no_memory(error) : 0;
	json_object_foreach ((json_t *)object, name, from) {
		if (err)
			break;
		if (!strcmp(name, "check")) {
			err = read_check(from, pool, error);
		} else {
			err = read_member("pools", name, from, pool, error);
			if (err)
				place(error, "", name, err);
		}
	}
	if (err)
		settings_free("pools", pool);
	return err;
}

static json_t *strings_json(const struct strings *strings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < strings->n; i++)
		json_array_append_new(array, json_string(strings->item[i]));
	return array;
}

/* A value as read_member() takes it. */
static json_t *value_json(const struct setting *setting, const void *base)
{
	const void *source = (const char *)base + setting->offset;
	char text[NAME_MAX_LEN + 3] = "", *end; /* an address is shorter */
	FILE *stream;

	if (settings_is_copied(setting))
		return json_string(*(char *const *)source);
	if (setting->type == SETTING_STRINGS)
		return strings_json(source);
	if (setting->type == SETTING_BOOL)
		return json_boolean(*(const bool *)source);
	stream = fmemopen(text, sizeof(text), "w");
	if (!stream)
		return NULL;
	settings_print(setting, base, stream);
	fclose(stream);
	if (text[0] != '"')
		return json_integer(strtoll(text, NULL, 10));
	/* Durations, choices, names, addresses: nothing that is escaped. */
	end = strrchr(text, '"');
	return json_stringn(text + 1, (size_t)(end - text - 1));
}

/* What a pool is of which nothing is said; NULL: no memory. */
static const struct config_pool *standard_pool(void)
{
	static struct config_pool standard;
	static bool ready;

	if (!ready && settings_defaults("pools", &standard))
		return NULL;
	ready = true;
	return &standard;
}

/* Those directly in the group prefix that are not the default. */
static json_t *group_json(const char *prefix, const struct config_pool *pool, const struct config_pool *standard)
{
	json_t *object = json_object();
	struct error error;

	for (const struct setting *s = settings; object && s->path; s++) {
		if (!settings_is_in(s, prefix) || s->type == SETTING_GROUP || s->type == SETTING_LIST ||
			settings_belong(s, pool->check.type, &error) || !settings_has_value(s, pool) ||
			settings_equal(s, pool, standard))
			continue;
		if (json_object_set_new(object, settings_word(s), value_json(s, pool))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

json_t *config_pool_to_json(const struct config_pool *pool)
{
	const struct config_pool *standard = standard_pool();
	json_t *object = standard ? group_json("pools", pool, standard) : NULL;

	if (!object || !pool->check.given)
		return object;
	if (json_object_set_new(object, "check", group_json(PREFIX, pool, standard))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

bool config_is_vip_policy(const struct setting *setting)
{
	return settings_is_in(setting, "vips") && setting->offset >= offsetof(struct config_vip, policy);
}

int config_vip_policy_from_json(const json_t *object, struct vip_policy *policy, struct error *error)
{
	struct config_vip vip = { 0 };
	const char *name;
	json_t *from;
	int err = settings_defaults("vips", &vip) ? no_memory(error) : 0;

	json_object_foreach ((json_t *)object, name, from) {
		const struct setting *setting = settings_find("vips", name);

		if (!err && setting && !config_is_vip_policy(setting))
			err = error_set(error, EINVAL, "%.64s is none of what a VIP lets in", name);
		if (!err)
			err = read_member("vips", name, from, &vip, error);
		if (err)
			return place(error, "", name, err);
	}
	*policy = vip.policy;
	return err;
}

json_t *config_vip_policy_to_json(const struct vip_policy *policy)
{
	const struct config_vip vip = { .policy = *policy };
	struct config_vip standard = { 0 };
	json_t *object = settings_defaults("vips", &standard) ? NULL : json_object();

	for (const struct setting *s = settings; object && s->path; s++) {
		if (!config_is_vip_policy(s) || !settings_has_value(s, &vip) || settings_equal(s, &vip, &standard))
			continue;
		if (json_object_set_new(object, settings_word(s), value_json(s, &vip))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

/* What is asked for, where that is more than the type says; with a blank before it. */
static void print_aim(const struct check *check, char *text, size_t size)
{
	switch (check->type) {
	case CHECK_HTTP:
	case CHECK_HTTPS:
		snprintf(text, size, " %.40s%.60s", check->host ? check->host : "", check->path);
		break;
	case CHECK_DNS:
		snprintf(text, size, " %.60s %s", check->query,
			settings_find(PREFIX, "record")->choices[check->record]);
		break;
	case CHECK_EXEC:
		snprintf(text, size, " %.60s", check->command.item[0]);
		break;
	default:
		*text = '\0';
	}
}

const char *config_check_print(const struct check *check, char *text)
{
	char interval[DURATION_TEXT], timeout[DURATION_TEXT], port[16] = "", aim[112];

	if (check->type == CHECK_NONE) {
		snprintf(text, CONFIG_CHECK_TEXT, "none");
		return text;
	}
	if (check->port)
		snprintf(port, sizeof(port), " port %u", check->port);
	print_aim(check, aim, sizeof(aim));
	snprintf(text, CONFIG_CHECK_TEXT, "%s%s%s%s, every %s, timeout %s, rise %u, fall %u",
		check_type_name(check->type), aim,
		check->type == CHECK_EXEC	      ? ""
			: check->via == CHECK_VIA_VIP ? " via vip"
						      : " via backend",
		port, duration_print_ms(check->interval_ms, interval),
		duration_print_ms(check->timeout_ms, timeout), check->rise, check->fall);
	return text;
}
