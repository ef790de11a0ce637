/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type exec: a command of the operator's exits with status 0. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "address.h"
#include "check_kind.h"
#include "process.h"

#define WEIGHT_STATUS 2 /* that says weight 0 */
#define COMMAND_MAX 64  /* words that a command may have */

struct exec_run {
	struct check_run run;
	struct process *process; /* NULL: it has ended */
	bool dynamic_weight;
};

static const char *first_line(const char *output, char *line, size_t size)
{
	output += strspn(output, " \t\r\n");
	snprintf(line, size, "%.*s", (int)strcspn(output, "\r\n"), output);
	return line;
}

/* The command's own words are the reason; without any, how it ended. */
static void finish_failed(struct check_run *run, const struct process_end *end)
{
	char line[CHECK_WHY];

	first_line(end->output, line, sizeof(line));
	if (end->flooded)
		check_finish(run, CHECK_FAILED, "killed: more than %d KiB of output", PROCESS_FLOOD / 1024);
	else if (WIFSIGNALED(end->status))
		check_finish(run, CHECK_FAILED, "ended by signal %d (%s)%s%s", WTERMSIG(end->status),
			strsignal(WTERMSIG(end->status)), *line ? ": " : "", line);
	else if (*line)
		check_finish(run, CHECK_FAILED, "%s (exit status %d)", line, WEXITSTATUS(end->status));
	else
		check_finish(run, CHECK_FAILED, "exit status %d", WEXITSTATUS(end->status));
}

static void on_end(void *context, const struct process_end *end)
{
	struct exec_run *exec = context;
	int status = WIFEXITED(end->status) && !end->flooded ? WEXITSTATUS(end->status) : -1;

	exec->process = NULL;
	if (exec->dynamic_weight && status >= WEIGHT_STATUS) {
		exec->run.result.weight = status - WEIGHT_STATUS;
		status = 0;
	}
	if (status == 0)
		check_succeed(&exec->run);
	else
		finish_failed(&exec->run, end);
}

static void begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	struct exec_run *exec = (struct exec_run *)run;
	char pool[32 + NAME_MAX_LEN], backend[32 + ADDRESS_TEXT], address[32 + ADDRESS_TEXT], port[32], timeout[32];
	char text[ADDRESS_TEXT];
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = { path, pool, backend, address, port, timeout, NULL };
	char *command[COMMAND_MAX + 1] = { NULL };
	struct process_wish wish = { .command = command, .environment = environment, .user = check->user };
	struct error error;

	snprintf(pool, sizeof(pool), "SHUNT_POOL=%s", target->pool);
	snprintf(backend, sizeof(backend), "SHUNT_BACKEND=%s", address_print(target->backend, text));
	snprintf(address, sizeof(address), "SHUNT_ADDRESS=%s", address_print(target->address, text));
	snprintf(port, sizeof(port), "SHUNT_PORT=%u", target->port);
	snprintf(timeout, sizeof(timeout), "SHUNT_TIMEOUT_MS=%u", run->timeout_ms);
	for (size_t i = 0; i < check->command.n && i < COMMAND_MAX; i++)
		command[i] = check->command.item[i];
	exec->dynamic_weight = check->dynamic_weight;
	if (!run->checker->processes)
		run->checker->processes = processes_open(run->checker->base, run->checker->priority);
	if (run->checker->processes)
		exec->process = process_start(run->checker->processes, &wish, on_end, exec, &error);
	else
		error_set(&error, 0, "no memory");
	if (!exec->process)
		check_finish(run, CHECK_UNMADE, "%s", error.text);
}

static void look(struct check_run *run, short what)
{
	(void)what;
	process_look(((struct exec_run *)run)->process);
}

static void late(struct check_run *run, const char *limit)
{
	run->result.silent = false;
	snprintf(run->why, sizeof(run->why), "killed: not done within %s", limit);
}

static void end(struct check_run *run)
{
	process_kill(((struct exec_run *)run)->process);
}

const struct check_kind check_exec = { .size = sizeof(struct exec_run),
	.begin = begin,
	.look = look,
	.late = late,
	.end = end };
