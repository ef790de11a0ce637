/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One health check, made once: begun, and told when it is over. When one is made and what follows from it is
 * health.h's. Everything happens in the event loop, without blocking and without threads; only that loop's thread
 * may call.
 */
#ifndef SHUNT_CHECK_RUN_H
#define SHUNT_CHECK_RUN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "types.h"

struct checker;
struct check_run;

enum check_outcome {
	CHECK_SUCCEEDED,
	CHECK_FAILED,
	CHECK_UNMADE, /* our own trouble (no descriptor, no route, no such user): says nothing of the target */
};

struct check_target {
	struct addr address;
	uint16_t port;	     /* host order; ping has none */
	uint32_t mark;	     /* SO_MARK of what is sent; 0: none */
	struct addr backend; /* these two for exec's environment */
	const char *pool;
};

struct check_result {
	enum check_outcome outcome;
	const char *why; /* one line, "" for a success; valid during the call */
	int weight;	 /* that exec asked for, 0 to 253; -1: none */
	bool silent; /* failed, and nobody has answered anything, not even to refuse: perhaps it is another machine
			now */
};

/* Events get the priority. NULL: no memory. */
struct checker *checker_open(struct event_base *base, int priority);
/* Checks under way are cancelled. NULL is none. */
void checker_close(struct checker *checker);

/*
 * Begin a check of any type but none. done is called once, never from within this call, and the run is gone by
 * then. check and target are used during the call only. NULL: no memory, and done will not be called.
 */
struct check_run *check_begin(struct checker *checker, const struct check *check,
	const struct check_target *target, uint32_t timeout_ms,
	void (*done)(void *context, const struct check_result *result), void *context);
/* Give it up: done will not be called. NULL is none. */
void check_cancel(struct check_run *run);

#endif
