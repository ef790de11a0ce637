/* SPDX-License-Identifier: BSD-3-Clause */
/* Shell completion: goes through the words as args.c does, but takes everything as it comes. */
#include "complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "client.h"
#include "command.h"
#include "text.h"

/* A person waits at the prompt. */
#define DAEMON_TIMEOUT_MS 1000

struct completion {
	const char *word; /* to be completed */
	int before;       /* characters before it that are to be repeated: the "--pool=" of "--pool=w" */
	const char *socket;
	const char *group;
	const char *pool; /* named so far, by argument or option */
	const char *list; /* likewise an access list */

	const struct command *command;
	const struct parameter *argument; /* the next one */
};

static void offer(const struct completion *c, const char *candidate, const char *description)
{
	if (!strncmp(candidate, c->word, strlen(c->word)))
		printf("%.*s%s%s%s\n", c->before, c->word - c->before, candidate, description ? "\t" : "",
			description ? description : "");
}

static void offer_commands(const struct completion *c)
{
	for (const struct command *command = command_table; command->words[0]; command++) {
		const char *second = command->words[1];
		bool first = command == command_table || strcmp(command[-1].words[0], command->words[0]);

		if (c->group && second && !strcmp(command->words[0], c->group))
			offer(c, second, command->summary);
		else if (!c->group && !second)
			offer(c, command->words[0], command->summary);
		else if (!c->group && first)
			offer(c, command->words[0], "add, del and the like");
	}
}

static void offer_options(const struct completion *c, const struct parameter *options)
{
	for (const struct parameter *o = options; o && o->name; o++)
		offer(c, o->name, o->help);
}

static void offer_choices(const struct completion *c, const char *choices)
{
	char word[TEXT_SHORT];

	for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, "|"), at);
		offer(c, word, NULL);
	}
}

static void offer_backends(const struct completion *c, const json_t *pool)
{
	const json_t *backend;
	size_t i;

	if (c->pool && strcmp(c->pool, text_member(pool, "name", "")))
		return;
	json_array_foreach(json_object_get(pool, "backends"), i, backend)
		offer(c, text_member(backend, "address", ""), text_member(backend, "state", NULL));
}

/* Names and addresses the daemon knows. Without a daemon there are none, and that is no error here. */
static void offer_known(const struct completion *c, enum value_kind kind)
{
	json_t *params = json_object(), *result = NULL;
	struct failure failure = { .status = STATUS_DONE };
	const json_t *item;
	char text[TEXT_VIP];
	size_t i;

	if (client_call(c->socket, "show", params, DAEMON_TIMEOUT_MS, &result, &failure) == STATUS_DONE) {
		json_array_foreach(json_object_get(result, kind == VALUE_VIP ? "vips" : "pools"), i, item) {
			if (kind == VALUE_VIP)
				offer(c, text_vip(text, item), text_member(item, "pool", NULL));
			else if (kind == VALUE_POOL)
				offer(c, text_member(item, "name", ""), text_member(item, "scheduler", NULL));
			else
				offer_backends(c, item);
		}
		json_decref(result);
	}
	failure_fini(&failure);
	json_decref(params);
}

/* Access lists; or of the list in the words before its rules. */
static void offer_access(const struct completion *c, enum value_kind kind)
{
	json_t *params = json_object(), *result = NULL;
	struct failure failure = { .status = STATUS_DONE };
	const json_t *item;
	size_t i;

	if (kind == VALUE_PREFIX)
		json_object_set_new(params, "list", json_string(c->list ? c->list : ""));
	if (client_call(c->socket, "access.show", params, DAEMON_TIMEOUT_MS, &result, &failure) == STATUS_DONE) {
		json_array_foreach (json_object_get(result, "access"), i, item)
			offer(c, text_member(item, "name", ""), NULL);
		json_array_foreach (json_object_get(result, "rules"), i, item)
			offer(c, text_member(item, "prefix", ""), text_member(item, "action", NULL));
		json_decref(result);
	}
	failure_fini(&failure);
	json_decref(params);
}

static void offer_value(const struct completion *c, const struct parameter *parameter)
{
	if (parameter->flags & PARAMETER_FRESH)
		return;
	switch (parameter->kind) {
	case VALUE_CHOICE:
		offer_choices(c, parameter->choices);
		break;
	case VALUE_SWITCH:
		offer_choices(c, "on|off");
		break;
	case VALUE_POOL:
	case VALUE_ADDRESS:
	case VALUE_VIP:
		offer_known(c, parameter->kind);
		break;
	case VALUE_ACCESS_OR_NONE:
		offer_choices(c, "none");
		offer_access(c, parameter->kind);
		break;
	case VALUE_ACCESS:
	case VALUE_PREFIX:
		offer_access(c, parameter->kind);
		break;
	case VALUE_FILE:
	case VALUE_DAEMON_FILE:
		puts(":files");
		break;
	default:
		break;
	}
}

static const struct parameter *find_option(const struct completion *c, const char *word)
{
	const struct parameter *option = NULL;
	size_t length = strcspn(word, "=");

	if (c->command)
		option = args_find(c->command->options, word, length);
	return option ? option : args_find(command_global_options, word, length);
}

static void note(struct completion *c, const struct parameter *parameter, const char *value)
{
	if (parameter->kind == VALUE_POOL)
		c->pool = value;
	else if (parameter->kind == VALUE_ACCESS)
		c->list = value;
	else if (!strcmp(parameter->name, "--socket"))
		c->socket = value;
}

/* A word before the one to be completed that is no option. */
static void take_word(struct completion *c, const char *word)
{
	if (c->command && !strcmp(c->command->words[0], "help")) {
		c->group = word;
	} else if (c->command) {
		if (c->argument && c->argument->name)
			note(c, c->argument, word);
		if (c->argument && c->argument->name && !(c->argument->flags & PARAMETER_REPEATED))
			c->argument++;
	} else if (c->group || !command_is_group(word)) {
		c->command = c->group ? command_find(c->group, word) : command_find(word, NULL);
		c->argument = c->command ? c->command->arguments : NULL;
	} else {
		c->group = word;
	}
}

void complete_print(int n, char **words)
{
	const char *environment = getenv("SHUNT_SOCKET");
	struct completion c = { .socket = environment && *environment ? environment : CLIENT_SOCKET };
	const struct parameter *option;

	for (int i = 0; i < n - 1; i++) {
		if (words[i][0] != '-') {
			take_word(&c, words[i]);
			continue;
		}
		option = find_option(&c, words[i]);
		if (!option || !option->value)
			continue;
		if (strchr(words[i], '=')) {
			note(&c, option, strchr(words[i], '=') + 1);
		} else if (i == n - 2) { /* its value is what is to be completed */
			c.word = words[n - 1];
			offer_value(&c, option);
			return;
		} else {
			note(&c, option, words[++i]);
		}
	}
	c.word = n ? words[n - 1] : "";
	option = c.word[0] == '-' && strchr(c.word, '=') ? find_option(&c, c.word) : NULL;
	if (option && option->value) {
		c.before = (int)strcspn(c.word, "=") + 1;
		c.word += c.before;
		offer_value(&c, option);
	} else if (c.word[0] == '-') {
		offer_options(&c, c.command ? c.command->options : NULL);
		offer_options(&c, command_global_options);
	} else if (!c.command || !strcmp(c.command->words[0], "help")) {
		offer_commands(&c);
	} else if (c.argument && c.argument->name) {
		offer_value(&c, c.argument);
	}
}
