/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's hook: a command that is run for each event, with its kind, pool, address and text as arguments
 * and more in its environment. One at a time and in order, so that the last run tells how things stand; what it
 * says goes into the log. One that hangs or floods is ended, and one that is too slow misses the oldest events:
 * nobody waits for it.
 */
#ifndef SHUNT_HOOK_H
#define SHUNT_HOOK_H

#include <event2/event.h>
#include <stdint.h>

struct hook;

#define HOOK_LIMIT_MS 10000 /* how long a run may take */
#define HOOK_QUEUE 256	    /* events that may wait for it */

/*
 * Run the command (NULL: none) for the events that are kept and those to come, each time for limit_ms at most;
 * after events_open(). NULL: no memory.
 */
struct hook *hook_open(struct event_base *base, const char *command, uint32_t limit_ms);
/* Another command, or none, from the next run on. */
void hook_set(struct hook *hook, const char *command);
/* What runs is ended, what waits dropped. NULL is none. */
void hook_close(struct hook *hook);

#endif
