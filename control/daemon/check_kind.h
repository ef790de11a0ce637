/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the types of checks share: each is a struct check_kind whose runs begin with a struct check_run. Only for
 * check_*.c.
 */
#ifndef SHUNT_CHECK_KIND_H
#define SHUNT_CHECK_KIND_H

#include <event2/event_struct.h>

#include "check_run.h"

#define CHECK_WHY 240 /* room for the reason of a failure */

struct checker {
	struct event_base *base;
	int priority;
	struct check_run *runs; /* under way */
};

struct check_run {
	const struct check_kind *kind;
	struct checker *checker;
	struct check_run *next, **link; /* of checker->runs */
	void (*done)(void *context, const struct check_result *result);
	void *context;
	struct event limit; /* the time it has; or at once, when it was over before it had begun */
	struct event io;    /* of fd, once check_watch() was called */
	int fd;		    /* -1: none; closed with the run */
	uint32_t timeout_ms;
	bool *gone;	/* set when the run is freed; NULL: nobody asks */
	bool beginning; /* within begin() */
	bool decided;	/* in begin(): result and why are told later */
	bool watched;
	struct check_result result;
	char why[CHECK_WHY];
};

struct check_kind {
	size_t size; /* of its struct, which begins with a struct check_run and is zero at first */
	/* Begin, or check_finish(). */
	void (*begin)(struct check_run *run, const struct check *check, const struct check_target *target);
	/*
	 * Something happened to run->fd, or the time is over and the answer may have come all the same while
	 * others had the loop's attention. check_finish() if this was it.
	 */
	void (*look)(struct check_run *run);
	/* The time is over: say why that is, if "no answer" does not say all, and false in *silent if somebody had
	 * answered. */
	void (*late)(struct check_run *run, struct check_result *result); /* may be NULL */
	/* Give back what is the type's, but not fd; also of a run whose begin() finished it half way. */
	void (*end)(struct check_run *run); /* may be NULL */
};

extern const struct check_kind check_tcp;

/* This was the outcome; of failures, and of checks not made, with why. Outside begin() the run is gone after it.
 */
void check_finish(struct check_run *run, enum check_outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define check_succeed(run) check_finish(run, CHECK_SUCCEEDED, "%s", "")
/* What is in run->result and run->why already. */
void check_tell(struct check_run *run);
/* Call look() when run->fd can be read (EV_READ) or written (EV_WRITE), or is broken. -ENOMEM after
 * check_finish(). */
int check_watch(struct check_run *run, short what);
void check_unwatch(struct check_run *run);
/* run->kind->look(), with false if the run was over with it. */
bool check_look(struct check_run *run);

/*
 * run->fd becomes a socket of the target's family that does not block, with its mark, bound to the check's source.
 * 0; or -errno after check_finish().
 */
int check_socket(struct check_run *run, int type, int protocol, const struct check *check,
	const struct check_target *target);
/* Connect run->fd to the target. 0 if it is on its way or there; or -errno after check_finish(). */
int check_connect(struct check_run *run, const struct check_target *target);
/* The outcome of an error of the socket that came later than from connect() itself. */
void check_finish_error(struct check_run *run, int error);
/* A connection begun, and watched. 0; or -errno after check_finish(). */
int check_tcp_begin(struct check_run *run, const struct check *check, const struct check_target *target);
/* Whether it has come about. False: not yet, or it has failed and check_finish() was called. */
bool check_tcp_connected(struct check_run *run);

#endif
