/* SPDX-License-Identifier: BSD-3-Clause */
/* From a command line to an invocation, by the table of commands. */
#include "args.h"

#include <stdarg.h>
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

/* A usage error, after the name of the command it is about: "vip add: ...". */
__attribute__((format(printf, 2, 3))) static enum status wrong(struct parser *p, const char *format, ...)
{
	const struct invocation *in = p->invocation;
	char name[TEXT_SHORT], *what = NULL;
	enum status status;
	va_list args;

	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	if (in->command)
		command_name(in->command, name);
	else
		snprintf(name, sizeof(name), "%s", in->group ? in->group : "");
	status = failure_set(p->failure, STATUS_USAGE, "%s%s%s", name, *name ? ": " : "",
		what ? what : "out of memory");
	free(what);
	return status;
}

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set(object, name, value);
}

/* One more value of the array of this name. */
static void append(json_t *object, const char *name, json_t *value)
{
	json_t *list = json_object_get(object, name);

	if (!list) {
		list = json_array();
		json_object_set_new(object, name, list);
	}
	json_array_append(list, value);
}

/* Note a value under its name and put it into the params where it has a place there. Takes the reference. */
static void give(struct invocation *invocation, const struct parameter *parameter, json_t *value)
{
	void (*put)(json_t * object, const char *name, json_t *value) =
		parameter->flags & PARAMETER_REPEATED ? append : set;
	const char *member = parameter->member, *dot = member ? strchr(member, '.') : NULL;
	json_t *object = invocation->params;

	put(invocation->given, parameter->name, value);
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
		put(object, member, value);
	json_decref(value);
}

static enum status wrong_value(struct parser *p, const struct parameter *parameter, const char *text)
{
	const char *option = parameter->value ? parameter->name : "", *colon = parameter->value ? ": " : "";
	const char *near;

	if (parameter->kind != VALUE_CHOICE)
		return wrong(p, "%s%s'%s' is not %s", option, colon, text, value_form(parameter->kind));
	near = suggest_choice(parameter->choices, text);
	if (!near)
		return wrong(p, "%s%s'%s' is none of %s", option, colon, text, parameter->choices);
	return wrong(p, "%s%s'%s' is none of %s: did you mean '%.*s'?", option, colon, text, parameter->choices,
		(int)strcspn(near, "|"), near);
}

static enum status unknown_option(struct parser *p, const char *text, size_t length)
{
	const char *near = suggest_option(p->invocation->command, text, length);

	if (near)
		return wrong(p, "unknown option '%.*s': did you mean '%s'?", (int)length, text, near);
	return wrong(p, "unknown option '%.*s'%s", (int)length, text,
		p->invocation->command ? "" : " before the command's words");
}

static enum status parse_option(struct parser *p, const char *text)
{
	struct invocation *in = p->invocation;
	const char *equals = strchr(text, '='), *value = "";
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	const struct parameter *option = NULL;
	json_t *parsed;

	if (!strcmp(text, "-h"))
		text = "--help", length = strlen(text);
	if (in->command)
		option = args_find(in->command->options, text, length);
	if (!option)
		option = args_find(command_global_options, text, length);
	if (!option)
		return unknown_option(p, text, length);
	if (!option->value && equals)
		return wrong(p, "%s takes no value", option->name);
	if (option->value && !equals && p->at == p->argc)
		return wrong(p, "%s needs a value: %s", option->name,
			option->choices ? option->choices : value_form(option->kind));
	if (option->value && !(option->flags & PARAMETER_REPEATED) && json_object_get(in->given, option->name))
		return wrong(p, "%s is given twice", option->name);
	if (option->value)
		value = equals ? equals + 1 : p->argv[p->at++];
	parsed = value_parse(option->kind, option->choices, value);
	if (!parsed)
		return wrong_value(p, option, value);
	give(in, option, parsed);
	return STATUS_DONE;
}

static enum status parse_word(struct parser *p, const char *word)
{
	struct invocation *in = p->invocation;
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
		return wrong(p, "'%s' is one argument too many", word);
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

	if (!in->command && in->group)
		return suggest_unknown_command(p->failure, in->group, NULL);
	if (!in->command)
		return wrong(p, "no command given: 'shuntctl help' lists them");
	if (p->argument && p->argument->name && !(p->argument->flags & PARAMETER_OPTIONAL) &&
		!json_object_get(in->given, p->argument->name))
		return wrong(p, "%s is missing: %s", p->argument->name, p->argument->help);
	for (const struct parameter *o = in->command->options; o && o->name; o++)
		if (o->flags & PARAMETER_REQUIRED && !json_object_get(in->given, o->name))
			return wrong(p, "%s %s is missing: %s", o->name, o->value, o->help);
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
	/* An error is in the form that was asked for, even if that was asked for later. */
	for (int i = p.at; status != STATUS_DONE && i < argc; i++)
		invocation->json |= !strcmp(argv[i], "--json");
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
