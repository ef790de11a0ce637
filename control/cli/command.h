/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of commands. From it follow parsing (args.c), usage and help (usage.c), shell completion
 * (complete.c) and what is asked of the daemon; a new command is a new row and, at most, a new printer.
 */
#ifndef SHUNTCTL_COMMAND_H
#define SHUNTCTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "value.h"

struct invocation;

#define PARAMETER_OPTIONAL 0x1 /* an argument that may be left out */
#define PARAMETER_REQUIRED 0x2 /* an option that may not */
#define PARAMETER_FRESH 0x4    /* names something that is to be made: completion has nothing to offer */
#define PARAMETER_REPEATED 0x8 /* the last argument, or an option: any number of them; an array to the daemon */

/* An argument or an option. Arrays of them end with a NULL name. */
struct parameter {
	const char *name;     /* an option's "--weight"; of an argument what usage shows: "ADDR" */
	const char *value;    /* what usage shows as an option's value; NULL for arguments and flags */
	const char *member;   /* of the method's params; "check.type" goes into an object; NULL: not sent */
	enum value_kind kind;
	unsigned flags;
	const char *help;
	const char *choices;  /* for VALUE_CHOICE: "tcp|none" */
};

struct command {
	const char *words[2];              /* { "vip", "add" }, { "show" } */
	const struct parameter *arguments; /* NULL: none */
	const struct parameter *options;   /* NULL: none */
	const char *method;
	const char *summary;               /* half a line, for the list of commands */
	const char *details;               /* more, for its own help; NULL: no more to say */
	bool changes;                      /* the running set: without an answer the outcome is in doubt */
	/* Print the result for people. May be NULL where run does it. */
	void (*print)(const struct invocation *invocation, const json_t *result);
	/* What is done instead of one call and its printing. NULL: that. */
	enum status (*run)(struct invocation *invocation, struct failure *failure);
};

/* A command line understood. */
struct invocation {
	const struct command *command; /* NULL: none, or only the first word of a group */
	const char *group;             /* that first word; NULL: none */
	const char *socket;
	bool json;
	bool help;
	bool version;
	bool colour;    /* standard output takes colours */
	json_t *params; /* what the method gets */
	json_t *given;  /* every value by its parameter's name: "--all", "FILE"; repeated ones as arrays */
};

extern const struct command command_table[]; /* ends with a NULL first word */
extern const struct parameter command_global_options[];
extern const struct parameter command_pool_add_options[];

/* The row with these words; second may be NULL. NULL if there is none. */
const struct command *command_find(const char *first, const char *second);
/* Whether first is the first of two words of some command. */
bool command_is_group(const char *first);
/* "vip add", in TEXT_SHORT bytes; returns out. */
const char *command_name(const struct command *command, char *out);

/* The call of the command's method, as every command without a run of its own does it. *result: the caller's. */
enum status command_call(struct invocation *invocation, json_t **result, struct failure *failure);
/* Print as JSON, for --json. */
void command_print_json(const json_t *result);

#endif
