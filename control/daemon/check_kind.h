/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the types of checks share: each is a struct check_kind whose runs begin with a struct check_run. Only for
 * check_*.c.
 */
#ifndef SHUNT_CHECK_KIND_H
#define SHUNT_CHECK_KIND_H

#include <event2/event_struct.h>
#include <sys/types.h>

#include "check_run.h"

#define CHECK_WHY 240 /* room for the reason of a failure */

struct check_http_clients;

/* Whether this host's ICMP is the kernel's own sockets or raw ones. */
enum checker_ping { CHECKER_PING_UNKNOWN, CHECKER_PING_OWN, CHECKER_PING_RAW };

struct checker {
	struct event_base *base;
	int priority;
	struct check_run *runs;           /* under way */
	struct check_closing *closing;	  /* NULL: no check ever left any */
	enum checker_ping ping[2];        /* of IPv6, of IPv4 */
	struct check_http_clients *http;  /* NULL: no such check was ever made */
	struct processes *processes;      /* NULL: likewise */
	struct check_regex *regexes;      /* check_regex.h; NULL: likewise */
};

struct check_run {
	const struct check_kind *kind;
	struct checker *checker;
	struct check_run *next, **link; /* of checker->runs */
	void (*done)(void *context, const struct check_result *result);
	void *context;
	struct event limit; /* the time it has; or at once, when it was over before it had begun */
	struct event io;    /* of fd, once check_watch() was called */
	int fd;             /* -1: none; closed with the run */
	uint32_t timeout_ms;
	bool *gone;     /* set when the run is freed; NULL: nobody asks */
	bool beginning; /* within begin() */
	bool decided;   /* in begin(): result and why are told later */
	bool watched;
	struct check_result result;
	char why[CHECK_WHY];
};

struct check_kind {
	size_t size; /* of its struct, which begins with a struct check_run and is zero at first */
	/* Begin, or check_finish(). */
	void (*begin)(struct check_run *run, const struct check *check, const struct check_target *target);
	/*
	 * Something happened to run->fd (EV_READ, EV_WRITE); or, what being 0, the time is over, and the answer may
	 * have come all the same while others had the loop's attention. check_finish() if this was it.
	 */
	void (*look)(struct check_run *run, short what);
	/* The time is over: run->why and run->result say that nobody answered; to be changed if that is not all. */
	void (*late)(struct check_run *run, const char *limit); /* may be NULL */
	/* Give back what is the type's, but not fd; also of a run whose begin() finished it half way. */
	void (*end)(struct check_run *run); /* may be NULL */
};

extern const struct check_kind check_tcp, check_http, check_udp, check_dns, check_ping, check_exec;

/* This was the outcome; of failures, and of checks not made, with why. The run is gone after it, but for begin(). */
void check_finish(struct check_run *run, enum check_outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, with run->result and run->why as they are. Not in begin(). */
void check_finish_decided(struct check_run *run);
#define check_succeed(run) check_finish(run, CHECK_SUCCEEDED, "%s", "")
/* Call look() when run->fd can be read (EV_READ) or written (EV_WRITE), or is broken. False: no memory. */
bool check_try_watch(struct check_run *run, short what);
/* The same, with check_finish() if it fails. */
void check_watch(struct check_run *run, short what);
void check_unwatch(struct check_run *run);

/*
 * run->fd becomes a socket of the target's family that does not block, with the target's mark, bound to the check's
 * source. 0, or -errno.
 */
int check_socket(struct check_run *run, int type, int protocol, const struct check *check,
	const struct check_target *target);
/* The same, and connected to the target or on its way to it. False after check_finish(). */
bool check_connect(struct check_run *run, int type, int protocol, const struct check *check,
	const struct check_target *target);
/* The outcome of an error that the socket had later. */
void check_finish_error(struct check_run *run, int error);
/* Send it as one datagram, and watch for answers; or check_finish(). */
void check_send(struct check_run *run, const void *data, size_t size);
/* The size of a datagram, cut at room; -1: there is none, or the run was finished. */
ssize_t check_receive(struct check_run *run, void *data, size_t room);

/*
 * Close a connection on which the target may still be sending, after a moment. What comes for one that is no more
 * is refused by the kernel in packets without our mark: they would go to the VIP as a client's do, and be counted
 * there.
 */
void check_close_later(struct checker *checker, int fd);
void check_close_all(struct checker *checker);

/* Checks that begin with a connection: set out, and look whether it has come about; false: not yet, or finished. */
void check_tcp_begin(struct check_run *run, const struct check *check, const struct check_target *target);
bool check_tcp_connected(struct check_run *run);

#endif
