/* SPDX-License-Identifier: BSD-3-Clause */
/* The hook: where in the ring of events it is, and the run under way. */
#include "hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "events.h"
#include "log.h"
#include "process.h"

#define N_VARIABLES 8

struct hook {
	struct events_listener listener;
	struct processes *processes;
	struct process *running; /* NULL: none */
	char *command;		 /* NULL: none is configured */
	uint32_t limit_ms;
	uint64_t done;		  /* sequence number of the last event that was run for, or missed */
	struct event_entry entry; /* that it is run for */
	char trouble[512];	  /* why it could not be started last, or "" */
};

/* The program's name is enough to know it by. */
static const char *name_of(const struct hook *hook)
{
	const char *slash = strrchr(hook->command, '/');

	return slash ? slash + 1 : hook->command;
}

/* Line by line, as the log has it. */
static void log_output(const struct hook *hook, const char *output)
{
	while (*output) {
		size_t length = strcspn(output, "\n");

		if (length)
			log_info("hook %s: %.*s", name_of(hook), (int)length, output);
		output += length + (output[length] == '\n');
	}
}

static void log_end(const struct hook *hook, const struct process_end *end)
{
	const struct event_entry *e = &hook->entry;
	char about[NAME_MAX_LEN + ADDRESS_TEXT + 64];

	snprintf(about, sizeof(about), "%s%s%s%s%s", event_kind_infos[e->kind].name, e->pool[0] ? " " : "",
		e->pool, e->backend[0] ? " " : "", e->backend);
	if (end->timed_out)
		log_warning("hook %s, run for %s: not done within %g s: ended", name_of(hook), about,
			hook->limit_ms / 1000.0);
	else if (end->flooded)
		log_warning("hook %s, run for %s: more output than it may have: ended", name_of(hook), about);
	else if (WIFSIGNALED(end->status))
		log_warning(
			"hook %s, run for %s: ended by signal %d", name_of(hook), about, WTERMSIG(end->status));
	else if (WEXITSTATUS(end->status))
		log_warning("hook %s, run for %s: exit status %d", name_of(hook), about, WEXITSTATUS(end->status));
}

static void run_next(struct hook *hook);

static void on_end(void *context, const struct process_end *end)
{
	struct hook *hook = context;

	hook->running = NULL;
	/* The command may be another by now, or none. */
	if (hook->command) {
		log_output(hook, end->output);
		log_end(hook, end);
	}
	run_next(hook);
}

static char *variable(const char *name, const char *value)
{
	char *text;

	return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

/* Into environment[N_VARIABLES + 1], to be freed; one for which there is no memory is left out, and those after
 * it. */
static void fill_environment(const struct event_entry *entry, char **environment)
{
	char sequence[24], seconds[32], message[EVENT_MESSAGE];
	size_t n = 0;

	snprintf(sequence, sizeof(sequence), "%llu", (unsigned long long)entry->sequence);
	snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long)(entry->time_ms / 1000),
		(int)(entry->time_ms % 1000));
	environment[n++] = variable("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	environment[n++] = variable("SHUNT_EVENT", event_kind_infos[entry->kind].name);
	environment[n++] = variable("SHUNT_POOL", entry->pool);
	environment[n++] = variable("SHUNT_BACKEND", entry->backend);
	environment[n++] = variable("SHUNT_TEXT", entry->text);
	environment[n++] = variable("SHUNT_MESSAGE", event_message(entry, message));
	environment[n++] = variable("SHUNT_TIME", seconds);
	environment[n++] = variable("SHUNT_SEQUENCE", sequence);
	environment[n] = NULL;
}

/* Start it for hook->entry. False if it can't be; why is logged once while it stays the same. */
static bool start(struct hook *hook)
{
	struct event_entry *e = &hook->entry;
	char kind[32], *environment[N_VARIABLES + 1];
	char *command[] = { hook->command, kind, e->pool, e->backend, e->text, NULL };
	struct process_wish wish = {
		.command = command, .environment = environment, .timeout_ms = hook->limit_ms
	};
	struct error error;

	snprintf(kind, sizeof(kind), "%s", event_kind_infos[e->kind].name);
	fill_environment(e, environment);
	hook->running = process_start(hook->processes, &wish, on_end, hook, &error);
	for (size_t i = 0; i < N_VARIABLES; i++)
		free(environment[i]);
	if (!hook->running && strcmp(hook->trouble, error.text))
		log_warning("hook %s can't be run: %s", hook->command, error.text);
	snprintf(hook->trouble, sizeof(hook->trouble), "%s", hook->running ? "" : error.text);
	return hook->running;
}

/* If none runs, run it for the oldest that waits. */
static void run_next(struct hook *hook)
{
	if (!hook->command) {
		hook->done = events_last();
		return;
	}
	while (!hook->running && hook->done < events_last()) {
		uint64_t waiting = events_last() - hook->done;

		/* What is newest says how things stand: the oldest go. */
		if (waiting > HOOK_QUEUE) {
			log_warning("hook %s can't keep up: it is not run for the oldest %llu events",
				name_of(hook), (unsigned long long)(waiting - HOOK_QUEUE));
			hook->done = events_last() - HOOK_QUEUE;
		}
		hook->entry = *events_get(++hook->done);
		start(hook);
	}
}

static void on_told(void *context)
{
	run_next(context);
}

struct hook *hook_open(struct event_base *base, const char *command, uint32_t limit_ms)
{
	struct hook *hook = calloc(1, sizeof(*hook));

	if (!hook)
		return NULL;
	hook->processes = processes_open(base, event_base_get_npriorities(base) - 1);
	if (!hook->processes) {
		free(hook);
		return NULL;
	}
	hook->limit_ms = limit_ms;
	hook->done = events_first() - 1;
	hook->listener = (struct events_listener){ .context = hook, .told = on_told };
	hook_set(hook, command);
	events_listen(&hook->listener);
	return hook;
}

void hook_set(struct hook *hook, const char *command)
{
	free(hook->command);
	hook->command = command ? strdup(command) : NULL;
	if (command && !hook->command)
		log_error("no memory: the hook is not run");
	hook->trouble[0] = '\0';
}

void hook_close(struct hook *hook)
{
	if (!hook)
		return;
	events_unlisten(&hook->listener);
	processes_close(hook->processes);
	free(hook->command);
	free(hook);
}
