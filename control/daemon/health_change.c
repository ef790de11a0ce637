/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the judges say becomes the running set, at most control.check_changes a second. What is beyond waits in a queue
 * and is made when its turn comes, if the judge has not changed its mind by then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "health_private.h"

#define TELL_HELD_US 10000000 /* that changes are held is told no more often */

/* The opinion becomes the state. */
static void make(struct probe *probe, const char *reason)
{
	struct model *model = probe->health->model;
	struct backend *backend = probe->backend;
	bool up = probe->judge.up;

	probe->since_us = health_now_us();
	event_tell(up ? EVENT_BACKEND_UP : EVENT_BACKEND_DOWN, NULL, backend, "%s", reason);
	model_set_healthy(model, backend, up);
	/* After it: a suspect that is down gets no new flow in between. */
	if (!up)
		model_set_suspect(model, backend, false);
}

static void wait_for_limit(struct health *health)
{
	uint32_t wait_ms = judge_limit_wait_ms(&health->limit, health_now_us() / 1000);
	struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

	if (!evtimer_pending(health->release, NULL))
		event_add(health->release, &wait);
}

static void hold(struct probe *probe)
{
	struct health *health = probe->health;
	uint64_t now = health_now_us();

	probe->is_held = true;
	TAILQ_INSERT_TAIL(&health->held, probe, held);
	health->stats.held++;
	health->stats.n_held++;
	if (!health->told_held_us || now - health->told_held_us > TELL_HELD_US) {
		event_tell(EVENT_CHANGES_HELD, NULL, NULL,
			"checks change the state of more than %u backends a second (control.check_changes)",
			health->limit.most);
		health->told_held_us = now;
	}
	wait_for_limit(health);
}

void health_change_forget(struct probe *probe)
{
	if (!probe->is_held)
		return;
	probe->is_held = false;
	TAILQ_REMOVE(&probe->health->held, probe, held);
	probe->health->stats.n_held--;
}

void health_change(struct probe *probe, enum judge_verdict verdict, bool limited, const char *reason)
{
	struct health *health = probe->health;

	if (verdict == JUDGE_NOTHING)
		return;
	/* It changed its mind before the last change was made: there is none. */
	if (probe->is_held && probe->judge.up == probe->backend->healthy) {
		health_change_forget(probe);
		return;
	}
	/* Those that wait go first. */
	if (limited && probe->judge.up != probe->backend->healthy &&
		(!TAILQ_EMPTY(&health->held) || !judge_limit_take(&health->limit, health_now_us() / 1000)))
		hold(probe);
	else
		make(probe, reason);
}

void health_change_weight(struct probe *probe, int32_t weight)
{
	struct health *health = probe->health;

	/* What the limit does not allow now is asked for again by the next check. */
	if (probe->backend->check_weight != weight && TAILQ_EMPTY(&health->held) &&
		judge_limit_take(&health->limit, health_now_us() / 1000))
		model_set_check_weight(health->model, probe->backend, weight);
}

void health_change_release(evutil_socket_t unused, short what, void *context)
{
	struct health *health = context;
	char reason[HEALTH_ERROR + 60];
	struct probe *probe;

	(void)unused;
	(void)what;
	while ((probe = TAILQ_FIRST(&health->held)) &&
		judge_limit_take(&health->limit, health_now_us() / 1000)) {
		health_change_forget(probe);
		snprintf(reason, sizeof(reason), "%u %s in a row, held back for a while%s%s",
			probe->judge.up ? probe->judge.successes : probe->judge.failures,
			probe->judge.up ? "successes" : "failures", probe->error[0] ? ": " : "", probe->error);
		make(probe, reason);
	}
	if (probe)
		wait_for_limit(health);
}
