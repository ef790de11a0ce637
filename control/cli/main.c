/* SPDX-License-Identifier: BSD-3-Clause */
/* shuntctl: the command line of shunt. A client of shuntd's socket and of nothing else. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "complete.h"
#include "usage.h"

/* Colours are for people at a terminal who have not said otherwise (no-color.org). */
static bool colours_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && terminal && strcmp(terminal, "dumb") != 0;
}

/* One call of the command's method and its result, for people or for programs. */
static enum status call_and_print(struct invocation *invocation, struct failure *failure)
{
	json_t *result;
	enum status status;

	status = command_call(invocation, &result, failure);
	if (status != STATUS_DONE)
		return status;
	if (invocation->json)
		command_print_json(result);
	else
		invocation->command->print(invocation, result);
	json_decref(result);
	return STATUS_DONE;
}

static enum status run(struct invocation *invocation, struct failure *failure)
{
	if (invocation->version) {
		puts("shuntctl " SHUNT_VERSION);
		return STATUS_DONE;
	}
	if (invocation->help) {
		if (invocation->command)
			usage_print_command(stdout, invocation->command);
		else if (invocation->group)
			usage_print_group(stdout, invocation->group);
		else
			usage_print_overview(stdout);
		return STATUS_DONE;
	}
	return invocation->command->run ? invocation->command->run(invocation, failure) :
					  call_and_print(invocation, failure);
}

static volatile sig_atomic_t reader_left;

static void note_reader_left(int signal_number)
{
	reader_left = 1;
}

/* Output that did not get out is a failure; that nobody wanted it to the end is none ("shuntctl show | head"). */
static enum status finish_output(enum status status, struct failure *failure)
{
	int error;

	errno = 0;
	error = fflush(stdout) < 0 || ferror(stdout);
	if (!error || reader_left || status != STATUS_DONE)
		return status;
	return failure_set(failure, STATUS_FAILED, "can't write the output: %s",
		errno ? strerror(errno) : "not all of it got out");
}

int main(int argc, char **argv)
{
	struct failure failure = { .status = STATUS_DONE };
	struct invocation invocation;
	enum status status;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, note_reader_left);
	if (argc > 1 && !strcmp(argv[1], "__complete")) {
		complete_print(argc - 2, argv + 2);
		return STATUS_DONE;
	}

	status = args_parse(argc, (const char *const *)argv, &invocation, &failure);
	invocation.colour = colours_wanted();
	if (status == STATUS_DONE)
		status = run(&invocation, &failure);
	status = finish_output(status, &failure);
	if (status != STATUS_DONE) {
		if (argc == 1)
			usage_print_overview(stderr);
		else
			failure_print(&failure, invocation.json);
		if (status == STATUS_USAGE && !invocation.json && invocation.command && !failure_code(&failure))
			usage_print_line(stderr, invocation.command);
	}
	args_fini(&invocation);
	failure_fini(&failure);
	return status;
}
