/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks as commands give them (JSON) and as people read them. */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "duration.h"
#include "settings.h"

#define PREFIX "pools.check"

static void read_value(const json_t *from, struct value *value)
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
		break;
	case JSON_OBJECT:
		value->kind = VALUE_GROUP;
		break;
	default:
		break;
	}
}

static int place(struct error *error, const char *name, int err)
{
	struct error what = *error;

	error_set(error, EINVAL, "check.%.64s: %.400s", name, what.text);
	return err;
}

void config_check_default(struct check *check)
{
	struct config_pool pool = { 0 };

	/* Scalars only: nothing to run out of memory for, nothing to free. */
	(void)settings_defaults("pools", &pool);
	*check = pool.check;
}

int config_check_from_json(const json_t *object, struct check *check, struct error *error)
{
	struct config_pool pool = { 0 };
	const char *name;
	json_t *from;

	config_check_default(&pool.check);
	if (!object || json_is_null(object)) {
		*check = pool.check;
		return 0;
	}
	if (!json_is_object(object))
		return error_set(error, EINVAL, "check: must be an object");
	pool.check.given = true;
	json_object_foreach((json_t *)object, name, from) {
		const struct setting *setting = settings_find(PREFIX, name);
		struct value value;
		int err;

		if (!setting)
			return place(error, name, settings_unknown(PREFIX, name, error));
		read_value(from, &value);
		err = settings_store(setting, &value, &pool, error);
		if (err)
			return place(error, name, err);
	}
	*check = pool.check;
	return 0;
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
	snprintf(text, CONFIG_CHECK_TEXT, "tcp via %s%s, every %s, timeout %s, rise %u, fall %u",
		check->via == CHECK_VIA_VIP ? "vip" : "backend", port,
		duration_print_ms(check->interval_ms, interval), duration_print_ms(check->timeout_ms, timeout),
		check->rise, check->fall);
	return text;
}
