/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiled expressions, the last used first; those that nobody uses go when there are many. */
#include "check_regex.h"

#include <stdlib.h>
#include <string.h>

#include "check_kind.h"
#include "expression.h"

#define KEPT 64

struct check_regex {
	struct check_regex *next;
	unsigned int users;
	struct expression *compiled;
	char text[];
};

static void drop(struct check_regex **link)
{
	struct check_regex *regex = *link;

	*link = regex->next;
	expression_free(regex->compiled);
	free(regex);
}

/* The one that waits longest, if there are too many. */
static void make_room(struct checker *checker)
{
	struct check_regex **last = NULL;
	unsigned int n = 0;

	for (struct check_regex **link = &checker->regexes; *link; link = &(*link)->next, n++)
		if ((*link)->users == 0)
			last = link;
	if (n >= KEPT && last)
		drop(last);
}

static struct check_regex *compile(struct checker *checker, const char *expression)
{
	size_t size = strlen(expression) + 1;
	struct check_regex *regex = malloc(sizeof(*regex) + size);

	if (!regex)
		return NULL;
	memcpy(regex->text, expression, size);
	regex->compiled = expression_new(expression);
	if (!regex->compiled) {
		free(regex);
		return NULL;
	}
	make_room(checker);
	regex->users = 0;
	return regex;
}

struct check_regex *check_regex_get(struct checker *checker, const char *expression)
{
	struct check_regex *regex = NULL;

	for (struct check_regex **link = &checker->regexes; *link; link = &(*link)->next) {
		if (strcmp((*link)->text, expression))
			continue;
		regex = *link;
		*link = regex->next;
		break;
	}
	if (!regex)
		regex = compile(checker, expression);
	if (!regex)
		return NULL;
	regex->next = checker->regexes;
	checker->regexes = regex;
	regex->users++;
	return regex;
}

void check_regex_put(struct check_regex *regex)
{
	if (regex)
		regex->users--;
}

bool check_regex_finds(const struct check_regex *regex, const char *data, size_t size)
{
	return expression_finds(regex->compiled, data, size);
}

void check_regex_close(struct checker *checker)
{
	while (checker->regexes)
		drop(&checker->regexes);
}
