/* SPDX-License-Identifier: BSD-3-Clause */
/* From a command line to an invocation, by the table of commands. */
#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "suggest.h"
#include "text.h"

struct parser {
	const char *const *argv;
	int argc;
	int at;
	bool no_more_options; /* "--" was there */
	const struct parameter *argument; /* the next one expected */
	struct invocation *invocation;
	struct failure *failure;
};

const struct parameter *args_find(const struct parameter *parameters, const char *name, size_t length)
{
	for (const struct parameter *p = parameters; p && p->name; p++)
		if (strlen(p->name) == length && !memcmp(p->name, name, length))
			return p;
	return NULL;
}

/* "vip add: ", "vip: " or "", for messages. */
static const char *prefix(const struct invocation *invocation, char *out)
{
	if (invocation->command)
		command_name(invocation->command, out);
	else
		snprintf(out, TEXT_SHORT, "%s", invocation->group ? invocation->group : "");
	if (*out)
		strcat(out, ": ");
	return out;
}

/* Note a value under its name and put it into the params where it has a place there. Takes the reference. */
static void give(struct invocation *invocation, const struct parameter *parameter, json_t *value)
{
	const char *member = parameter->member, *dot;
	json_t *object = invocation->params, *list;

	if (parameter->flags & PARAMETER_REPEATED) {
		list = json_object_get(invocation->given, parameter->name);
		if (!list) {
			list = json_array();
			json_object_set_new(invocation->given, parameter->name, list);
		}
		json_array_append_new(list, value);
		return;
	}
	json_object_set(invocation->given, parameter->name, value);
	dot = member ? strchr(member, '.') : NULL;
	if (dot) {
		char outer[TEXT_SHORT];

		snprintf(outer, sizeof(outer), "%.*s", (int)(dot - member), member);
		object = json_object_get(invocation->params, outer);
		if (!object) {
			object = json_object();
			json_object_set_new(invocation->params, outer, object);
		}
		member = dot + 1;
	}
	if (member)
		json_object_set(object, member, value);
	json_decref(value);
}

static enum status wrong_value(struct parser *p, const struct parameter *parameter, const char *text)
{
	char name[TEXT_SHORT + 2];

	if (parameter->kind == VALUE_CHOICE) {
		const char *near = suggest_choice(parameter->choices, text);

		return failure_set(p->failure, STATUS_USAGE, "%s%s%s'%s' is none of %s%s%.*s%s",
			prefix(p->invocation, name), parameter->value ? parameter->name : "",
			parameter->value ? ": " : "", text, parameter->choices, near ? ": did you mean '" : "",
			near ? (int)strcspn(near, "|") : 0, near ? near : "", near ? "'?" : "");
	}
	return failure_set(p->failure, STATUS_USAGE, "%s%s%s'%s' is not %s", prefix(p->invocation, name),
		parameter->value ? parameter->name : "", parameter->value ? ": " : "", text,
		value_form(parameter->kind));
}

static enum status parse_option(struct parser *p, const char *text)
{
	struct invocation *in = p->invocation;
	const char *equals = strchr(text, '='), *value = "";
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	const struct parameter *option = NULL;
	char name[TEXT_SHORT + 2];
	json_t *parsed;

	if (!strcmp(text, "-h"))
		text = "--help", length = strlen(text);
	if (in->command)
		option = args_find(in->command->options, text, length);
	if (!option)
		option = args_find(command_global_options, text, length);
	if (!option) {
		const char *near = suggest_option(in->command, text, length);

		return failure_set(p->failure, STATUS_USAGE, "%sunknown option '%.*s'%s%s%s", prefix(in, name), (int)length,
			text, near ? ": did you mean '" : in->command ? "" : " before the command's words",
			near ? near : "", near ? "'?" : "");
	}
	if (!option->value && equals)
		return failure_set(p->failure, STATUS_USAGE, "%s%s takes no value", prefix(in, name), option->name);
	if (option->value) {
		if (!equals && p->at == p->argc)
			return failure_set(p->failure, STATUS_USAGE, "%s%s needs a value: %s", prefix(in, name), option->name,
				option->kind == VALUE_CHOICE ? option->choices : value_form(option->kind));
		value = equals ? equals + 1 : p->argv[p->at++];
	}
	parsed = value_parse(option->kind, option->choices, value);
	if (!parsed)
		return wrong_value(p, option, value);
	if (json_object_get(in->given, option->name) && option->value) {
		json_decref(parsed);
		return failure_set(p->failure, STATUS_USAGE, "%s%s is given twice", prefix(in, name), option->name);
	}
	give(in, option, parsed);
	return STATUS_DONE;
}

static enum status parse_word(struct parser *p, const char *word)
{
	struct invocation *in = p->invocation;
	char name[TEXT_SHORT + 2];
	json_t *value;

	if (!in->command) {
		in->command = in->group ? command_find(in->group, word) : command_find(word, NULL);
		if (!in->command && !in->group && command_is_group(word)) {
			in->group = word;
			return STATUS_DONE;
		}
		if (!in->command)
			return suggest_unknown_command(p->failure, in->group, word);
		p->argument = in->command->arguments;
		return STATUS_DONE;
	}
	if (!p->argument || !p->argument->name)
		return failure_set(p->failure, STATUS_USAGE, "%s'%s' is one argument too many", prefix(in, name), word);
	value = value_parse(p->argument->kind, p->argument->choices, word);
	if (!value)
		return wrong_value(p, p->argument, word);
	give(in, p->argument, value);
	if (!(p->argument->flags & PARAMETER_REPEATED))
		p->argument++;
	return STATUS_DONE;
}

/* What has to be there and isn't. */
static enum status check_complete(struct parser *p)
{
	const struct invocation *in = p->invocation;
	char name[TEXT_SHORT + 2];

	if (!in->command && in->group)
		return suggest_unknown_command(p->failure, in->group, NULL);
	if (!in->command)
		return failure_set(p->failure, STATUS_USAGE, "no command given: 'shuntctl help' lists them");
	if (p->argument && p->argument->name && !(p->argument->flags & PARAMETER_OPTIONAL))
		return failure_set(p->failure, STATUS_USAGE, "%s%s is missing: %s", prefix(in, name), p->argument->name,
			p->argument->help);
	for (const struct parameter *o = in->command->options; o && o->name; o++)
		if (o->flags & PARAMETER_REQUIRED && !json_object_get(in->given, o->name))
			return failure_set(p->failure, STATUS_USAGE, "%s%s %s is missing: %s", prefix(in, name), o->name,
				o->value, o->help);
	return STATUS_DONE;
}

enum status args_parse(int argc, const char *const *argv, struct invocation *invocation, struct failure *failure)
{
	struct parser p = { .argv = argv, .argc = argc, .at = 1, .invocation = invocation, .failure = failure };
	const char *environment = getenv("SHUNT_SOCKET");
	enum status status = STATUS_DONE;

	*invocation = (struct invocation){ .params = json_object(), .given = json_object() };
	if (!invocation->params || !invocation->given)
		return failure_set(failure, STATUS_FAILED, "out of memory");

	while (status == STATUS_DONE && p.at < argc && !invocation->help && !invocation->version) {
		const char *text = argv[p.at++];

		if (!p.no_more_options && !strcmp(text, "--"))
			p.no_more_options = true;
		else if (!p.no_more_options && text[0] == '-' && text[1])
			status = parse_option(&p, text);
		else
			status = parse_word(&p, text);
		invocation->help = json_object_get(invocation->given, "--help");
		invocation->version = json_object_get(invocation->given, "--version");
		invocation->json = json_object_get(invocation->given, "--json");
	}
	invocation->socket = json_string_value(json_object_get(invocation->given, "--socket"));
	if (!invocation->socket)
		invocation->socket = environment && *environment ? environment : CLIENT_SOCKET;
	if (status == STATUS_DONE && !invocation->help && !invocation->version)
		status = check_complete(&p);
	return status;
}

void args_fini(struct invocation *invocation)
{
	json_decref(invocation->params);
	json_decref(invocation->given);
}
