/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks as commands give them (JSON) and as people read them. */
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

static int place(struct error *error, const char *name, int err)
{
	struct error what = *error;

	error_set(error, EINVAL, "check.%.64s: %.400s", name, what.text);
	return err;
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

/* One member into the pool's check. */
static int read_member(const char *name, const json_t *from, struct config_pool *pool, struct error *error)
{
	const struct setting *setting = settings_find(PREFIX, name);
	struct value value;
	int err;

	if (!setting)
		return settings_unknown(PREFIX, name, error);
	err = read_value(from, &value);
	if (err)
		return error_set(error, ENOMEM, "out of memory");
	err = settings_store(setting, &value, pool, error);
	free(value.items.item);
	return err;
}

int config_check_from_json(const json_t *object, struct check *check, struct error *error)
{
	struct config_pool pool = { 0 };
	const char *name;
	json_t *from;
	int err;

	*check = pool.check;
	if (object && !json_is_null(object) && !json_is_object(object))
		return error_set(error, EINVAL, "check: must be an object");
	if (config_check_default(&pool.check))
		return error_set(error, ENOMEM, "out of memory");
	if (json_is_object(object))
		pool.check.given = true;
	json_object_foreach((json_t *)object, name, from) {
		err = read_member(name, from, &pool, error);
		if (err)
			goto refuse;
	}
	/* Once the type is known. */
	json_object_foreach ((json_t *)object, name, from) {
		err = settings_belong(settings_find(PREFIX, name), pool.check.type, error);
		if (err)
			goto refuse;
	}
	err = check_complete(&pool.check, &name, error);
	if (err)
		goto refuse;
	*check = pool.check;
	return 0;

refuse:
	check_free(&pool.check);
	return place(error, name, err);
}

const char *config_check_print(const struct check *check, char *text)
{
	char interval[DURATION_TEXT], timeout[DURATION_TEXT], port[16] = "";

	if (check->type == CHECK_NONE) {
		snprintf(text, CONFIG_CHECK_TEXT, "none");
		return text;
	}
	if (check->port)
		snprintf(port, sizeof(port), " port %u", check->port);
	snprintf(text, CONFIG_CHECK_TEXT, "%s via %s%s, every %s, timeout %s, rise %u, fall %u",
		check_type_name(check->type), check->via == CHECK_VIA_VIP ? "vip" : "backend", port,
		duration_print_ms(check->interval_ms, interval), duration_print_ms(check->timeout_ms, timeout),
		check->rise, check->fall);
	return text;
}
