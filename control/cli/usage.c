/* SPDX-License-Identifier: BSD-3-Clause */
/* Usage and help, from the table of commands. */
#include "usage.h"

#include <string.h>

#include "args.h"
#include "printers.h"
#include "text.h"

#define HELP_COLUMN 35
#define LINE_MAX_COLUMNS 100

/* A left part and what it means, in columns; what is too long for its column gets a line of its own. */
static void print_entry(FILE *stream, const char *left, const char *right)
{
	if (strlen(left) + 4 > HELP_COLUMN)
		fprintf(stream, "  %s\n%*s%s\n", left, HELP_COLUMN, "", right);
	else
		fprintf(stream, "  %-*s%s\n", HELP_COLUMN - 2, left, right);
}

/* "vip add ADDR:PORT/PROTO", and with options "--pool NAME" as well, in lines that begin at `indent`. */
static void print_synopsis(FILE *stream, const struct command *command, size_t indent, bool options)
{
	char part[160], name[TEXT_SHORT];
	size_t column = indent + (size_t)fprintf(stream, "%s", command_name(command, name));

	for (const struct parameter *a = command->arguments; a && a->name; a++)
		column += (size_t)fprintf(stream, a->flags & PARAMETER_OPTIONAL ? " [%s%s]" : " %s%s", a->name,
			a->flags & PARAMETER_REPEATED ? "..." : "");
	for (const struct parameter *o = options ? command->options : NULL; o && o->name; o++) {
		snprintf(part, sizeof(part), o->flags & PARAMETER_REQUIRED ? "%s%s%s%s" : "[%s%s%s]%s", o->name,
			o->value ? " " : "",
			!o->value	     ? ""
				: o->choices ? o->choices
					     : o->value,
			o->flags & PARAMETER_REPEATED ? "..." : "");
		if (column + 1 + strlen(part) > LINE_MAX_COLUMNS)
			column = (size_t)fprintf(stream, "\n%*s%s", (int)indent + 8, "", part) - 1;
		else
			column += (size_t)fprintf(stream, " %s", part);
	}
}

static void print_options(FILE *stream, const struct parameter *options)
{
	char left[160];

	for (const struct parameter *o = options; o && o->name; o++) {
		snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "", !o->value ? "" :
				o->choices ? o->choices : o->value);
		print_entry(stream, left, o->help);
	}
}

void usage_print_line(FILE *stream, const struct command *command)
{
	size_t indent = (size_t)fprintf(stream, "usage: shuntctl ");

	print_synopsis(stream, command, indent, true);
	fputc('\n', stream);
}

void usage_print_command(FILE *stream, const struct command *command)
{
	usage_print_line(stream, command);
	fprintf(stream, "\n%c%s.\n", command->summary[0] - 'a' + 'A', command->summary + 1);
	if (command->details)
		fprintf(stream, "%s\n", command->details);
	if (command->arguments || command->options)
		fputc('\n', stream);
	print_options(stream, command->arguments);
	print_options(stream, command->options);
}

void usage_print_group(FILE *stream, const char *group)
{
	bool first = true;

	for (const struct command *c = command_table; c->words[0]; c++) {
		if (strcmp(c->words[0], group))
			continue;
		if (!first)
			fputc('\n', stream);
		usage_print_command(stream, c);
		first = false;
	}
}

static void print_overview_entry(FILE *stream, const struct command *command)
{
	char left[160], name[TEXT_SHORT];
	size_t used = (size_t)snprintf(left, sizeof(left), "%s", command_name(command, name));

	for (const struct parameter *a = command->arguments; a && a->name; a++)
		used += (size_t)snprintf(left + used, sizeof(left) - used,
			a->flags & PARAMETER_OPTIONAL ? " [%s]" : " %s", a->name);
	print_entry(stream, left, command->summary);
}

void usage_print_overview(FILE *stream)
{
	fputs("usage: shuntctl [--socket PATH] [--json] COMMAND\n\n"
	      "Commands ('shuntctl help COMMAND' for their options):\n",
		stream);
	for (const struct command *c = command_table; c->words[0]; c++)
		print_overview_entry(stream, c);
	fputs("\nOptions:\n", stream);
	print_options(stream, command_global_options);
	fputs("\nExit status: 0 done; 1 refused or failed; 2 usage; 3 no daemon there; 4 a wait ended without what\nit waited for. See shuntctl(8).\n",
		stream);
}

/* "help", "help vip", "help vip add": as if --help had been given with those words. */
enum status help_run(struct invocation *invocation, struct failure *failure)
{
	json_t *words = json_object_get(invocation->given, "COMMAND"), *word;
	const char *argv[4] = { "shuntctl" };
	struct invocation meant;
	enum status status;
	size_t i;
	int argc = 1;

	json_array_foreach(words, i, word)
		if (argc < 3)
			argv[argc++] = json_string_value(word);
	if (argc == 1) {
		usage_print_overview(stdout);
		return STATUS_DONE;
	}
	argv[argc++] = "--help";
	status = args_parse(argc, argv, &meant, failure);
	if (status == STATUS_DONE && meant.command)
		usage_print_command(stdout, meant.command);
	else if (status == STATUS_DONE)
		usage_print_group(stdout, meant.group);
	args_fini(&meant);
	return status;
}
