/* SPDX-License-Identifier: BSD-3-Clause */
/* "events": what happened, and, with --follow, what happens, also while shuntd is restarted. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "printers.h"
#include "text.h"

#define SHOWN 100	   /* unless --limit says otherwise, */
#define SHOWN_FOLLOWING 10 /* or --follow is given, as "tail -f" does */
/* shuntd answers a call that waits after 30 s at the latest. */
#define WAIT_TIMEOUT_MS (30000 + CLIENT_TIMEOUT_MS)
#define AWAY_MS 250 /* from one look for a shuntd that is away to the next */

/* "2026-11-21T17:10:57.123Z" as the time of here, "2026-11-21 18:10:57.123"; as it is if it is none. */
static const char *local_time(const char *text, char *out)
{
	struct tm utc = { .tm_isdst = 0 }, local;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	time_t seconds;
	size_t length;

	if (!rest)
		return text;
	seconds = timegm(&utc);
	localtime_r(&seconds, &local);
	length = strftime(out, TEXT_SHORT, "%Y-%m-%d %H:%M:%S", &local);
	snprintf(out + length, TEXT_SHORT - length, "%.*s", (int)strcspn(rest, "Z"), rest);
	return out;
}

static void print_event(const struct invocation *invocation, const json_t *event)
{
	const char *priority = text_member(event, "priority", "");
	char when[TEXT_SHORT];

	if (invocation->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	text_put(stdout, local_time(text_member(event, "time", "-"), when));
	fputs("  ", stdout);
	text_put_coloured(invocation->colour,
		!strcmp(priority, "warning")	    ? COLOUR_WARN
			: !strcmp(priority, "info") ? COLOUR_OFF
						    : NULL,
		text_member(event, "message", text_member(event, "text", "?")));
	putchar('\n');
}

/* At once: whoever follows reads them as they come. False if nobody reads any more. */
static bool print_events(const struct invocation *invocation, const json_t *result)
{
	const json_t *event;
	size_t i;

	json_array_foreach (json_object_get(result, "events"), i, event)
		print_event(invocation, event);
	return fflush(stdout) == 0 && !ferror(stdout);
}

static void say(const char *what)
{
	fprintf(stderr, "shuntctl: %s\n", what);
}

/* Next to be asked for: what comes after this answer. */
static void go_on_after(struct invocation *invocation, const json_t *result)
{
	json_object_del(invocation->params, "limit");
	json_object_set_new(invocation->params, "wait", json_true());
	json_object_set(invocation->params, "after", json_object_get(result, "next"));
	json_object_set(invocation->params, "run", json_object_get(result, "run"));
}

/*
 * One call that waits, begun anew until it is answered: a shuntd that is restarted is away for a moment. What it
 * refuses, or does not know, ends it.
 */
static enum status wait_for_events(struct invocation *invocation, json_t **result, struct failure *failure)
{
	struct timespec pause = { .tv_nsec = AWAY_MS * 1000000 };
	bool away = false;
	enum status status;

	for (;;) {
		status = client_call(invocation->socket, invocation->command->method, invocation->params,
			WAIT_TIMEOUT_MS, result, failure);
		if (status == STATUS_DONE || failure_code(failure))
			break;
		if (!away)
			say("shuntd is away: waiting for it");
		away = true;
		failure_fini(failure);
		*failure = (struct failure){ .status = STATUS_DONE };
		nanosleep(&pause, NULL);
	}
	if (away && status == STATUS_DONE)
		say("shuntd is back");
	return status;
}

/* result: the first answer, released here. */
static enum status follow(struct invocation *invocation, json_t *result, struct failure *failure)
{
	enum status status = STATUS_DONE;
	bool read = true;

	while (status == STATUS_DONE && read) {
		char run[TEXT_SHORT];

		snprintf(run, sizeof(run), "%s", text_member(result, "run", ""));
		go_on_after(invocation, result);
		json_decref(result);
		result = NULL;
		status = wait_for_events(invocation, &result, failure);
		if (status != STATUS_DONE)
			break;
		if (strcmp(run, text_member(result, "run", "")))
			say("shuntd was restarted: these are its events since");
		else if (json_is_true(json_object_get(result, "lost")))
			say("more events came than shuntd keeps: some are missing here");
		read = print_events(invocation, result);
	}
	json_decref(result);
	return status;
}

enum status events_run(struct invocation *invocation, struct failure *failure)
{
	bool following = json_object_get(invocation->given, "--follow");
	json_t *result;
	enum status status;

	if (!json_object_get(invocation->params, "limit"))
		json_object_set_new(
			invocation->params, "limit", json_integer(following ? SHOWN_FOLLOWING : SHOWN));
	status = command_call(invocation, &result, failure);
	if (status != STATUS_DONE)
		return status;
	if (print_events(invocation, result) && following)
		return follow(invocation, result, failure);
	json_decref(result);
	return status;
}
