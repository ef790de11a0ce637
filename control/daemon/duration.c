/* SPDX-License-Identifier: BSD-3-Clause */
/* Times as operators write them. */
#include "duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DURATION_MAX_MS (366LL * 24 * 3600 * 1000)

static const struct {
	const char *name;
	int64_t ms;
} units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

#define N_UNITS (sizeof(units) / sizeof(units[0]))

int64_t duration_parse_ms(const char *text)
{
	int64_t number = 0;
	size_t digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
		if (digits == 12)
			return -EINVAL;
		number = number * 10 + (text[digits] - '0');
	}
	if (!digits)
		return -EINVAL;
	for (size_t i = 0; i < N_UNITS; i++)
		if (!strcmp(text + digits, units[i].name))
			return number <= DURATION_MAX_MS / units[i].ms ? number * units[i].ms : -EINVAL;
	return -EINVAL;
}

const char *duration_print_ms(uint64_t ms, char *text)
{
	size_t i = 0;

	if (ms == 0)
		i = 2;
	while (ms % (uint64_t)units[i].ms)
		i++;
	snprintf(text, DURATION_TEXT, "%" PRIu64 "%s", ms / (uint64_t)units[i].ms, units[i].name);
	return text;
}
