/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands of the operator's: run beside the event loop as a user of their own, for a limited time, with what they
 * say cut at a limit, and never left behind. A command is a process group and session of its own; when it ends, or is
 * ended, all that is left of its group is killed. (What makes itself a daemon, in a session of its own, is on its own.)
 * Only the loop's thread may call.
 */
#ifndef SHUNT_PROCESS_H
#define SHUNT_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

#define PROCESS_OUTPUT 1024     /* bytes of output that are kept: the first */
#define PROCESS_FLOOD (1 << 20) /* with more than this it is killed */

struct processes;
struct process;

struct process_wish {
	char *const *command;     /* the program's absolute path, its arguments, NULL */
	char *const *environment; /* all of it: "NAME=value", NULL */
	const char *user;         /* with its primary group and no other; NULL: ourselves */
	uint32_t timeout_ms;      /* 0: none; it is killed by process_kill() */
};

struct process_end {
	int status;         /* as of waitpid() */
	bool timed_out;     /* killed for that */
	bool flooded;       /* killed for that */
	const char *output; /* of both standard output and error; 0 at its end; valid during the call */
};

/* Events get the priority. NULL: no memory. */
struct processes *processes_open(struct event_base *base, int priority);
/* Those that run are killed, and waited for. NULL is none. */
void processes_close(struct processes *processes);

/*
 * Run it. done is called once, never from within this call, and the process is gone by then. NULL: it could not be
 * started, for the reason in *error, and done will not be called.
 */
struct process *process_start(struct processes *processes, const struct process_wish *wish,
	void (*done)(void *context, const struct process_end *end), void *context, struct error *error);
/* If it has ended and the loop has not come to it yet, done is called from within this. NULL is none. */
void process_look(struct process *process);
/* End it and its group at once; done will not be called. NULL is none. */
void process_kill(struct process *process);

#endif
