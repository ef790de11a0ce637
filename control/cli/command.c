/* SPDX-License-Identifier: BSD-3-Clause */
/* What all commands share: finding one, calling the daemon for it, printing JSON. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "text.h"

#define RPC_METHOD_NOT_FOUND (-32601)

const struct command *command_find(const char *first, const char *second)
{
	for (const struct command *c = command_table; c->words[0]; c++)
		if (!strcmp(c->words[0], first) &&
			(second ? c->words[1] && !strcmp(c->words[1], second) : !c->words[1]))
			return c;
	return NULL;
}

bool command_is_group(const char *first)
{
	for (const struct command *c = command_table; c->words[0]; c++)
		if (c->words[1] && !strcmp(c->words[0], first))
			return true;
	return false;
}

const char *command_name(const struct command *command, char *out)
{
	snprintf(out, TEXT_SHORT, "%s%s%s", command->words[0], command->words[1] ? " " : "",
		command->words[1] ? command->words[1] : "");
	return out;
}

enum status command_call(struct invocation *invocation, json_t **result, struct failure *failure)
{
	const struct command *command = invocation->command;
	enum status status;

	status = client_call(invocation->socket, command->method, invocation->params, CLIENT_TIMEOUT_MS, result,
		failure);
	if (status == STATUS_DONE)
		return status;
	if (failure->outcome_unknown && command->changes)
		return failure_set(failure, status,
			"%s; whether the change was made is not known: see 'shuntctl show'",
			failure_message(failure));
	if (failure_code(failure) == RPC_METHOD_NOT_FOUND)
		return failure_set(failure, status,
			"this shuntd has no method '%s': is it of another version than this shuntctl, %s?",
			command->method, SHUNT_VERSION);
	return status;
}

void command_print_json(const json_t *result)
{
	/* 15 digits are what a double keeps of any decimal number: 12.3 stays 12.3. */
	json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	putchar('\n');
}
