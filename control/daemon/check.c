/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks as values: all from the table of settings, so that a new setting is copied and compared as well. */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "settings.h"

int check_copy(struct check *to, const struct check *from)
{
	struct config_pool pool = { .check = *from };
	int err = settings_own("pools", &pool);

	*to = pool.check;
	return err;
}

void check_free(struct check *check)
{
	struct config_pool pool = { .check = *check };

	settings_free("pools", &pool);
	*check = pool.check;
}

bool check_equal(const struct check *a, const struct check *b)
{
	const struct config_pool x = { .check = *a }, y = { .check = *b };

	if (a->given != b->given)
		return false;
	for (const struct setting *s = settings; s->path; s++) {
		if (!settings_is_in(s, "pools.check") || (!a->given && !strcmp(settings_word(s), "type")))
			continue;
		if (!settings_equal(s, &x, &y))
			return false;
	}
	return true;
}

int check_complete(struct check *check, const char **setting, struct error *error)
{
	if (check->type == CHECK_EXEC) {
		check->via = CHECK_VIA_BACKEND;
		*setting = "command";
		if (!check->command.n)
			return error_set(error, EINVAL,
				"is missing: an array of strings, the absolute path of a program and "
				"its arguments, as type is \"exec\"");
		if (check->command.item[0][0] != '/')
			return error_set(error, EINVAL, "\"%.64s\" is not the absolute path of a program",
				check->command.item[0]);
	}
	*setting = check->key ? "cert" : "key";
	if (!check->cert != !check->key)
		return error_set(error, EINVAL, "is missing: %s is given, and neither is of use without the other",
			check->key ? "key" : "cert");
	return 0;
}

bool check_wants_port(const struct check *check)
{
	switch (check->type) {
	case CHECK_TCP:
	case CHECK_HTTP:
	case CHECK_HTTPS:
	case CHECK_UDP:
		return check->port == 0;
	default:
		return false;
	}
}

const char *check_type_name(enum check_type type)
{
	return settings_find("pools.check", "type")->choices[type];
}
