/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks as values: all from the table of settings, so that a new setting is copied and compared as well. */
#include "check.h"

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

const char *check_type_name(enum check_type type)
{
	return settings_find("pools.check", "type")->choices[type];
}
