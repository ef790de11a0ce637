/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a check, whatever its type: begun, looked at, out of time, told. */
#include "check_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_http_client.h"
#include "check_kind.h"
#include "check_regex.h"
#include "duration.h"
#include "process.h"

/* By enum check_type. */
static const struct check_kind *const kinds[] = {
	[CHECK_TCP] = &check_tcp,
	[CHECK_HTTP] = &check_http,
	[CHECK_HTTPS] = &check_http,
	[CHECK_UDP] = &check_udp,
	[CHECK_DNS] = &check_dns,
	[CHECK_PING] = &check_ping,
	[CHECK_EXEC] = &check_exec,
};

struct checker *checker_open(struct event_base *base, int priority)
{
	struct checker *checker = calloc(1, sizeof(*checker));

	if (!checker)
		return NULL;
	checker->base = base;
	checker->priority = priority;
	return checker;
}

void checker_close(struct checker *checker)
{
	if (!checker)
		return;
	while (checker->runs)
		check_cancel(checker->runs);
	check_close_all(checker);
	check_http_clients_close(checker);
	check_regex_close(checker);
	processes_close(checker->processes);
	free(checker);
}

void check_unwatch(struct check_run *run)
{
	if (run->watched)
		event_del(&run->io);
	run->watched = false;
}

static void end(struct check_run *run)
{
	event_del(&run->limit);
	check_unwatch(run);
	if (run->kind->end)
		run->kind->end(run);
	if (run->fd >= 0)
		close(run->fd);
	*run->link = run->next;
	if (run->next)
		run->next->link = run->link;
	if (run->gone)
		*run->gone = true;
	free(run);
}

/* How many bytes of text are one character of UTF-8 (RFC 3629), beyond ASCII; 0: they are none. */
static size_t utf8_size(const unsigned char *text)
{
	size_t size = text[0] >= 0xc2 && text[0] <= 0xdf ? 2 : (text[0] & 0xf0) == 0xe0 ? 3 : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4 : 0;

	for (size_t i = 1; i < size; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than it need be, half of a pair of UTF-16, or beyond the last. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return size;
}

/* Text that came from outside becomes one line of valid UTF-8: it goes into logs and JSON. */
static void clean(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++) {
		size_t size = *at < 0x80 ? 0 : utf8_size(at);

		if (size)
			at += size - 1;
		else if (*at < 0x20 || *at >= 0x7f)
			*at = '?';
	}
}

void check_finish_decided(struct check_run *run)
{
	void (*done)(void *, const struct check_result *) = run->done;
	void *context = run->context;
	struct check_result result = run->result;
	char why[CHECK_WHY];

	memcpy(why, run->why, sizeof(why));
	clean(why);
	result.why = why;
	end(run);
	done(context, &result);
}

void check_finish(struct check_run *run, enum check_outcome outcome, const char *format, ...)
{
	va_list args;

	run->result.outcome = outcome;
	va_start(args, format);
	vsnprintf(run->why, sizeof(run->why), format, args);
	va_end(args);
	if (!run->beginning) {
		check_finish_decided(run);
		return;
	}
	run->decided = true;
	check_unwatch(run);
	event_active(&run->limit, EV_TIMEOUT, 0);
}

static void on_io(evutil_socket_t fd, short what, void *context)
{
	struct check_run *run = context;

	(void)fd;
	run->kind->look(run, what);
}

/* Asked of the descriptor, not of the event: if we were busy for long, both it and the time limit are due. */
static void on_limit(evutil_socket_t unused, short what, void *context)
{
	struct check_run *run = context;
	char limit[DURATION_TEXT];
	bool gone = false;

	(void)unused;
	(void)what;
	if (!run->decided) {
		run->gone = &gone;
		run->kind->look(run, 0);
		if (gone)
			return;
		run->gone = NULL;
		duration_print_ms(run->timeout_ms, limit);
		run->result.outcome = CHECK_FAILED;
		run->result.silent = true;
		snprintf(run->why, sizeof(run->why), "no answer within %s", limit);
		if (run->kind->late)
			run->kind->late(run, limit);
	}
	check_finish_decided(run);
}

bool check_try_watch(struct check_run *run, short what)
{
	check_unwatch(run);
	if (event_assign(&run->io, run->checker->base, run->fd, what | EV_PERSIST, on_io, run) < 0)
		return false;
	event_priority_set(&run->io, run->checker->priority);
	run->watched = event_add(&run->io, NULL) == 0;
	return run->watched;
}

void check_watch(struct check_run *run, short what)
{
	if (!check_try_watch(run, what))
		check_finish(run, CHECK_UNMADE, "%s", strerror(ENOMEM));
}

static const struct check_kind *kind_of(enum check_type type)
{
	return (size_t)type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : NULL;
}

struct check_run *check_begin(struct checker *checker, const struct check *check,
	const struct check_target *target, uint32_t timeout_ms, void (*done)(void *, const struct check_result *),
	void *context)
{
	const struct check_kind *kind = kind_of(check->type);
	struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct check_run *run = kind ? calloc(1, kind->size) : NULL;

	if (!run)
		return NULL;
	run->kind = kind;
	run->checker = checker;
	run->done = done;
	run->context = context;
	run->fd = -1;
	run->timeout_ms = timeout_ms;
	run->result.weight = -1;
	evtimer_assign(&run->limit, checker->base, on_limit, run);
	event_priority_set(&run->limit, checker->priority);
	if (event_add(&run->limit, &limit) < 0) {
		free(run);
		return NULL;
	}
	run->next = checker->runs;
	run->link = &checker->runs;
	if (run->next)
		run->next->link = &run->next;
	checker->runs = run;
	run->beginning = true;
	kind->begin(run, check, target);
	run->beginning = false;
	return run;
}

void check_cancel(struct check_run *run)
{
	if (run)
		end(run);
}
