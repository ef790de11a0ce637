/* SPDX-License-Identifier: BSD-3-Clause */
/* What health.c's parts share: the checks of one backend, and the changes they lead to. Only for health*.c. */
#ifndef SHUNT_HEALTH_PRIVATE_H
#define SHUNT_HEALTH_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "check_run.h"
#include "health.h"
#include "judge.h"

#define HEALTH_ERROR 256

/* The checks of one backend: one timer, and at most one check under way. */
struct probe {
	struct health *health;
	struct backend *backend;
	struct event timer;    /* the next check */
	struct check_run *run; /* the one under way; NULL: none */
	struct judge judge;
	uint64_t due_us;   /* when the one that is next, or under way, was to begin */
	uint64_t began_us; /* when the last one did */
	uint64_t since_us; /* the last change */
	uint32_t check_version; /* these four as they were when it was set up */
	bool in_use;	   /* the pool had a VIP to serve */
	bool returning;	   /* the backend was to come back */
	bool stopped;	   /* the backend was taken out of the set */
	bool unmade;	   /* the last check could not be made */
	bool is_held;
	TAILQ_ENTRY(probe) held;   /* of health->held, if it is */
	char error[HEALTH_ERROR]; /* "": none */
};

TAILQ_HEAD(probe_queue, probe);

struct health {
	struct event_base *base;
	struct model *model;
	struct routes *routes;
	struct neighbours *neighbours;
	const struct publisher *publisher;
	struct checker *checker;
	struct model_listener changes;
	uint32_t n_probes;
	struct judge_limit limit;
	struct probe_queue held; /* whose opinion is to become a change when the limit allows: first come, first served */
	bool told_unmade;	 /* that checks can't be made; not yet that they can again */
	struct event *release;	 /* of those held */
	uint64_t told_held_us;	 /* when that was said last; 0: never */
	struct health_stats stats;
};

/* Microseconds of CLOCK_MONOTONIC: the only clock of checks, so that nobody who sets the host's time moves them. */
uint64_t health_now_us(void);
/* Events of checks: thousands that are due at once don't hold up the forwarder's socket or an operator's command. */
int health_priority(const struct health *health);

/* health_probe.c */
/* NULL: no memory. The backend has none yet. */
struct probe *health_probe_new(struct health *health, struct backend *backend);
void health_probe_free(struct probe *probe);
/* Begin anew with the pool's check, VIPs and backend as they are now: forget results, but not what they led to. */
void health_probe_set_up(struct probe *probe);
/* The first check is to come soon, but many that begin at once are spread out. */
void health_probe_schedule_first(struct probe *probe);
/* The next check is made at once, and one under way, which was begun too early to tell, is given up. */
void health_probe_hurry(struct probe *probe);

/* health_change.c */
/* What the judge says of a backend, told, and made so now or when the limit allows; first: see judge.h's fresh. */
void health_change(struct probe *probe, enum judge_verdict verdict, bool limited, const char *reason);
/* The check asked for another weight. */
void health_change_weight(struct probe *probe, int32_t weight);
/* What was held of this backend is so no more. */
void health_change_forget(struct probe *probe);
/* Make those that the limit allows. */
void health_change_release(evutil_socket_t unused, short what, void *health);

#endif
