/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiled expressions, the last used first; those that nobody uses go when there are many. */
#include "check_regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_kind.h"

#define KEPT 64
#define USES 10000 /* after which it is compiled anew: it keeps each state that bodies have brought it into */

struct check_regex {
	struct check_regex *next;
	unsigned int users;
	unsigned int uses;
	regex_t compiled;
	char expression[];
};

static void drop(struct check_regex **link)
{
	struct check_regex *regex = *link;

	*link = regex->next;
	regfree(&regex->compiled);
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

/*
 * The C library tries an expression at one place after the other, each time up to the end if need be: seconds, for
 * 64 KiB of x and "x+y". One that can only be at the very beginning it tries once, in time that grows with the
 * length alone. So the expression is one for all of the text up to where it is found. (References back to what a
 * group has matched would not be linear even so; the configuration has none.)
 */
static int compile_linear(regex_t *compiled, const char *expression)
{
	char *whole;
	int err;

	/* Any byte: [^x] is any but x and the end of a line, while a dot is none that is 0 either. */
	if (asprintf(&whole, "\\`([^x]|x|\n)*(%s)", expression) < 0)
		return -1;
	err = regcomp(compiled, whole, CHECK_REGEX_FLAGS);
	free(whole);
	return err;
}

static struct check_regex *compile(struct checker *checker, const char *expression)
{
	size_t size = strlen(expression) + 1;
	struct check_regex *regex = malloc(sizeof(*regex) + size);

	if (!regex)
		return NULL;
	memcpy(regex->expression, expression, size);
	if (compile_linear(&regex->compiled, expression)) {
		free(regex);
		return NULL;
	}
	make_room(checker);
	regex->users = regex->uses = 0;
	return regex;
}

struct check_regex *check_regex_get(struct checker *checker, const char *expression)
{
	struct check_regex *regex = NULL;

	for (struct check_regex **link = &checker->regexes; *link; link = &(*link)->next) {
		if (strcmp((*link)->expression, expression))
			continue;
		if ((*link)->uses >= USES && (*link)->users == 0) {
			drop(link);
			break;
		}
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
	regex->uses++;
	return regex;
}

void check_regex_put(struct check_regex *regex)
{
	if (regex)
		regex->users--;
}

bool check_regex_finds(const struct check_regex *regex, const char *data, size_t size)
{
	/* By length, not up to the first 0 (REG_STARTEND): the data is whatever a server sent. */
	regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)size };

	return regexec(&regex->compiled, data, 1, &range, REG_STARTEND) == 0;
}

void check_regex_close(struct checker *checker)
{
	while (checker->regexes)
		drop(&checker->regexes);
}
