/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands under way. That one has ended is told by a descriptor (pidfd), not by SIGCHLD, so that nobody else's children
 * are waited for and no signal is missed.
 */
#include "process.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_spawn.h"

#define CLOSE_WAIT_MS 1000 /* for what was killed to be gone */

struct process {
	struct processes *owner;
	struct process *next, **link;
	void (*done)(void *context, const struct process_end *end); /* NULL: killed, and only to be waited for */
	void *context;
	pid_t pid;
	int pidfd;
	int output; /* -1: at its end */
	struct event ended;
	struct event readable;
	struct event limit;
	struct process_end end;
	size_t read;
	size_t kept;
	char text[PROCESS_OUTPUT + 1];
};

struct processes {
	struct event_base *base;
	int priority;
	struct process *list;
};

struct processes *processes_open(struct event_base *base, int priority)
{
	struct processes *processes = calloc(1, sizeof(*processes));
	struct sigaction usual = { .sa_handler = SIG_DFL }, found;

	if (!processes)
		return NULL;
	/* Who started us may have had it ignored: then nobody would be told with which status a command ended. */
	if (sigaction(SIGCHLD, NULL, &found) == 0 && found.sa_handler == SIG_IGN)
		sigaction(SIGCHLD, &usual, NULL);
	processes->base = base;
	processes->priority = priority;
	return processes;
}

static void close_output(struct process *process)
{
	if (process->output < 0)
		return;
	event_del(&process->readable);
	close(process->output);
	process->output = -1;
}

/* The number is the command's until it is waited for, and its group's as long: no other can be hit. */
static void kill_group(const struct process *process)
{
	kill(-process->pid, SIGKILL);
	/* Before it is a group of its own, it is only itself. */
	kill(process->pid, SIGKILL);
}

static void free_process(struct process *process)
{
	close_output(process);
	event_del(&process->limit);
	event_del(&process->ended);
	close(process->pidfd);
	*process->link = process->next;
	if (process->next)
		process->next->link = process->link;
	free(process);
}

/* False when there is nothing more to read for now. */
static bool read_some(struct process *process)
{
	char scratch[16384];
	ssize_t n = read(process->output, scratch, sizeof(scratch));
	size_t keep;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close_output(process);
		return false;
	}
	keep = (size_t)n < PROCESS_OUTPUT - process->kept ? (size_t)n : PROCESS_OUTPUT - process->kept;
	memcpy(process->text + process->kept, scratch, keep);
	process->kept += keep;
	process->read += (size_t)n;
	if (process->read <= PROCESS_FLOOD)
		return true;
	process->end.flooded = true;
	close_output(process);
	kill_group(process);
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	read_some(context);
}

/* Whether it has ended; its number stays its own until waitpid(). */
static bool has_ended(const struct process *process)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid;
}

static void on_ended(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;
	void (*done)(void *, const struct process_end *) = process->done;
	void *done_context = process->context;
	struct process_end end;
	char text[PROCESS_OUTPUT + 1];

	(void)fd;
	(void)what;
	if (!has_ended(process))
		return;
	/* What it left behind in its group, before its number may be another's. */
	kill_group(process);
	/* Descendants that had the pipe, too, are not waited for. Too much of it has the group killed once more. */
	while (process->output >= 0 && read_some(process))
		;
	waitpid(process->pid, &process->end.status, WNOHANG);
	memcpy(text, process->text, sizeof(text));
	text[process->kept] = '\0';
	end = process->end;
	end.output = text;
	free_process(process);
	if (done)
		done(done_context, &end);
}

void process_look(struct process *process)
{
	if (process)
		on_ended(process->pidfd, EV_READ, process);
}

static void on_limit(evutil_socket_t unused, short what, void *context)
{
	struct process *process = context;

	(void)unused;
	(void)what;
	process->end.timed_out = true;
	kill_group(process);
}

static int watch(struct process *process, uint32_t timeout_ms)
{
	struct processes *owner = process->owner;
	struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };

	evtimer_assign(&process->limit, owner->base, on_limit, process);
	event_assign(&process->ended, owner->base, process->pidfd, EV_READ | EV_PERSIST, on_ended, process);
	event_assign(&process->readable, owner->base, process->output, EV_READ | EV_PERSIST, on_readable, process);
	event_priority_set(&process->limit, owner->priority);
	event_priority_set(&process->ended, owner->priority);
	event_priority_set(&process->readable, owner->priority);
	if (event_add(&process->ended, NULL) < 0 || event_add(&process->readable, NULL) < 0 ||
		(timeout_ms && event_add(&process->limit, &limit) < 0))
		return -ENOMEM;
	return 0;
}

/* A pipe of which neither end is 0, 1 or 2, which are the command's. */
static int open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);

		if (moved < 0) {
			int err = -errno;

			close(ends[0]);
			close(ends[1]);
			return err;
		}
		close(ends[i]);
		ends[i] = moved;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

/* Forget one that was started and can't be watched. */
static void give_up(struct process *process)
{
	kill_group(process);
	waitpid(process->pid, NULL, 0);
	free_process(process);
}

struct process *process_start(struct processes *processes, const struct process_wish *wish,
	void (*done)(void *, const struct process_end *), void *context, struct error *error)
{
	struct process *process = calloc(1, sizeof(*process));
	int pipe_ends[2], err;

	if (!process) {
		error_set(error, ENOMEM, "%s", strerror(ENOMEM));
		return NULL;
	}
	err = open_pipe(pipe_ends);
	if (err < 0) {
		free(process);
		error_set(error, -err, "%s", strerror(-err));
		return NULL;
	}
	process->pid = process_spawn(wish, pipe_ends[1], error);
	close(pipe_ends[1]);
	if (process->pid < 0) {
		close(pipe_ends[0]);
		free(process);
		return NULL;
	}
	process->owner = processes;
	process->done = done;
	process->context = context;
	process->output = pipe_ends[0];
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	err = process->pidfd < 0 ? -errno : 0;
	process->next = processes->list;
	process->link = &processes->list;
	if (process->next)
		process->next->link = &process->next;
	processes->list = process;
	/* The events are set up in any case, so that giving up finds them. */
	if (watch(process, wish->timeout_ms) < 0 && !err)
		err = -ENOMEM;
	if (err == 0)
		return process;
	give_up(process);
	error_set(error, -err, "%s", strerror(-err));
	return NULL;
}

void process_kill(struct process *process)
{
	if (!process)
		return;
	process->done = NULL;
	kill_group(process);
	event_del(&process->limit);
	close_output(process);
}

void processes_close(struct processes *processes)
{
	if (!processes)
		return;
	for (struct process *p = processes->list; p; p = p->next)
		process_kill(p);
	while (processes->list) {
		struct process *process = processes->list;
		struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };

		/* One that does not die even of this, because a file system hangs, is left to init. */
		if (poll(&ended, 1, CLOSE_WAIT_MS) > 0)
			waitpid(process->pid, NULL, WNOHANG);
		free_process(process);
	}
	free(processes);
}
