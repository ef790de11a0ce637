/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that have done their service, and are closed when it is likely that nothing more comes on them. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check_kind.h"

#define MOMENT_MS 200 /* for the target's end of it, and for what gets lost on the way and is sent again */
#define BATCH_MS 20   /* so many of them are closed at a time */

struct closing {
	struct closing *next;
	uint64_t due_ms;
	int fd;
};

struct check_closing {
	struct event timer;
	struct closing *first, **last; /* in the order they are due */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_timer(struct check_closing *closing, uint64_t delay_ms)
{
	const struct timeval delay = { .tv_usec = (suseconds_t)delay_ms * 1000 };

	event_add(&closing->timer, &delay);
}

static void close_first(struct check_closing *closing)
{
	struct closing *first = closing->first;

	closing->first = first->next;
	if (!closing->first)
		closing->last = &closing->first;
	close(first->fd);
	free(first);
}

static void on_timer(evutil_socket_t unused, short what, void *context)
{
	struct check_closing *closing = context;
	uint64_t now = now_ms();

	(void)unused;
	(void)what;
	while (closing->first && closing->first->due_ms <= now)
		close_first(closing);
	if (closing->first) {
		uint64_t left = closing->first->due_ms - now;

		set_timer(closing, left > BATCH_MS ? left : BATCH_MS);
	}
}

static struct check_closing *new_closing(struct checker *checker)
{
	struct check_closing *closing = calloc(1, sizeof(*closing));

	if (!closing)
		return NULL;
	closing->last = &closing->first;
	evtimer_assign(&closing->timer, checker->base, on_timer, closing);
	event_priority_set(&closing->timer, checker->priority);
	return closing;
}

/* Nothing is read: a target that has very much to say stops when the kernel has no more room for it. */
void check_close_later(struct checker *checker, int fd)
{
	struct check_closing *closing = checker->closing;
	struct closing *one = malloc(sizeof(*one));

	if (one && !closing)
		closing = checker->closing = new_closing(checker);
	if (!one || !closing) {
		free(one);
		close(fd);
		return;
	}
	if (!closing->first)
		set_timer(closing, MOMENT_MS);
	one->next = NULL;
	one->due_ms = now_ms() + MOMENT_MS;
	one->fd = fd;
	*closing->last = one;
	closing->last = &one->next;
}

void check_close_all(struct checker *checker)
{
	struct check_closing *closing = checker->closing;

	if (!closing)
		return;
	while (closing->first)
		close_first(closing);
	event_del(&closing->timer);
	free(closing);
	checker->closing = NULL;
}
