/* SPDX-License-Identifier: BSD-3-Clause */
/* "drain", and with --wait a live line until no flow is left. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "printers.h"
#include "text.h"

#define LOOK_MS 500 /* from one look to the next */
#define LINE_S 10   /* where nobody sees a line change, one this often, if it says anything new */

/* Of a server in all its pools. */
struct drain_view {
	unsigned pools;	  /* that have it */
	unsigned drained; /* of them those where none is left */
	char other[16];	  /* its state in one where it is neither draining nor drained; or "" */
	char pool[80];	  /* that one's name */
	bool counted;	  /* flows_left is known */
	bool timed;	  /* time_left is */
	unsigned long long flows_left, cut, silent_s, time_left_s;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
	interrupted = signal_number;
}

static void pause_ms(long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* One pool's part of it. */
static void look_at(struct drain_view *view, const json_t *pool, const json_t *backend)
{
	const json_t *drain = json_object_get(backend, "drain"), *left = json_object_get(drain, "time_left_s");
	char state[sizeof(view->other)];
	unsigned long long silent_s = text_number(drain, "silent_s"),
			   time_left_s = text_number(drain, "time_left_s");

	snprintf(state, sizeof(state), "%s", text_member(backend, "state", "?"));
	view->pools++;
	if (strcmp(state, "draining") && strcmp(state, "drained")) {
		memcpy(view->other, state, sizeof(state));
		snprintf(view->pool, sizeof(view->pool), "%s", text_member(pool, "name", "?"));
	}
	view->drained += !strcmp(state, "drained");
	view->counted &= json_is_number(json_object_get(drain, "flows_left"));
	view->flows_left += text_number(drain, "flows_left");
	view->cut += text_number(drain, "cut");
	view->silent_s = silent_s > view->silent_s ? silent_s : view->silent_s;
	if (json_is_number(left) && (!view->timed || time_left_s < view->time_left_s))
		view->time_left_s = time_left_s;
	view->timed |= json_is_number(left);
}

static struct drain_view view_of(const json_t *result)
{
	const json_t *pools = json_object_get(result, "pools"), *pool, *backends, *backend;
	struct drain_view view = { .counted = true };
	size_t i, j;

	json_array_foreach (pools, i, pool) {
		backends = json_object_get(pool, "backends");
		json_array_foreach (backends, j, backend)
			look_at(&view, pool, backend);
	}
	return view;
}

/* "12 flows left, the longest silent for 40s; they are cut in 25m 3s" */
static void describe(const struct drain_view *view, char *out, size_t size)
{
	char silent[TEXT_SHORT], left[TEXT_SHORT];
	size_t length;

	if (!view->counted)
		snprintf(out, size, "counting its flows");
	else
		snprintf(out, size, "%llu flow%s left", view->flows_left, view->flows_left == 1 ? "" : "s");
	length = strlen(out);
	if (view->counted && view->silent_s)
		snprintf(out + length, size - length, ", the longest silent for %s",
			text_duration(silent, view->silent_s));
	length = strlen(out);
	if (view->timed)
		snprintf(out + length, size - length, ", %s until the deadline",
			text_duration(left, view->time_left_s));
}

/* The line that stands on a terminal, or the next one in a log. */
static void show_line(const char *address, const struct drain_view *view, bool live)
{
	static char shown[200];
	static time_t shown_at;
	struct timespec now;
	char line[200];

	clock_gettime(CLOCK_MONOTONIC, &now);
	describe(view, line, sizeof(line));
	if (live) {
		printf("\r%s: %s\033[K", address, line);
	} else {
		if ((shown_at && now.tv_sec - shown_at < LINE_S) || !strcmp(line, shown))
			return;
		printf("%s: %s\n", address, line);
	}
	fflush(stdout);
	snprintf(shown, sizeof(shown), "%s", line);
	shown_at = view->counted ? now.tv_sec : 0;
}

/* What "show" says of the server now; a shuntd that is restarted is waited for. */
static enum status look(const struct invocation *invocation, json_t **result, struct failure *failure)
{
	json_t *params = json_pack(
		"{s:s,s:O}", "what", "backends", "backend", json_object_get(invocation->params, "address"));
	bool away = false;
	enum status status;

	if (json_object_get(invocation->params, "pool"))
		json_object_set(params, "pool", json_object_get(invocation->params, "pool"));
	for (;;) {
		status = client_call(invocation->socket, "show", params, CLIENT_TIMEOUT_MS, result, failure);
		if (status == STATUS_DONE || failure_code(failure) || interrupted)
			break;
		if (!away)
			fprintf(stderr, "shuntctl: shuntd is away: waiting for it, the drain goes on\n");
		away = true;
		failure_fini(failure);
		*failure = (struct failure){ .status = STATUS_DONE };
		pause_ms(LOOK_MS);
	}
	json_decref(params);
	return status;
}

static void report(const struct invocation *invocation, const char *address, const struct drain_view *view)
{
	if (invocation->json) {
		json_t *result = json_pack(
			"{s:s,s:s,s:I}", "address", address, "state", "drained", "cut", (json_int_t)view->cut);

		command_print_json(result);
		json_decref(result);
		return;
	}
	if (view->cut)
		printf("%s is drained: %llu flow%s cut at the deadline.\n", address, view->cut,
			view->cut == 1 ? " was" : "s were");
	else
		printf("%s is drained: no flow is left.\n", address);
}

/* Whether somebody else has ended it: STATUS_DONE if not. */
static enum status ended(const char *address, const struct drain_view *view, struct failure *failure)
{
	if (!view->pools)
		return failure_set(failure, STATUS_WAIT_ENDED, "%s was taken out of the set", address);
	if (!view->other[0])
		return STATUS_DONE;
	return failure_set(failure, STATUS_WAIT_ENDED, "the drain of %s was ended: in pool \"%s\" it is %s",
		address, view->pool, view->other);
}

/* Look again and again. *view: the last that was seen. STATUS_DONE: it is drained, or the waiting was interrupted.
 */
static enum status follow(
	const struct invocation *invocation, bool live, struct drain_view *view, struct failure *failure)
{
	const char *address = text_member(invocation->params, "address", "?");

	for (;;) {
		json_t *result = NULL;
		enum status status = look(invocation, &result, failure);

		if (interrupted || status != STATUS_DONE) {
			json_decref(result);
			return interrupted ? STATUS_DONE : status;
		}
		*view = view_of(result);
		json_decref(result);
		status = ended(address, view, failure);
		if (status != STATUS_DONE || view->drained == view->pools)
			return status;
		if (!invocation->json)
			show_line(address, view, live);
		pause_ms(LOOK_MS);
	}
}

static enum status wait_for_it(const struct invocation *invocation, struct failure *failure)
{
	const char *address = text_member(invocation->params, "address", "?");
	bool live = isatty(STDOUT_FILENO) && !invocation->json;
	struct drain_view view = { .pools = 0 };
	enum status status = follow(invocation, live, &view, failure);
	bool drained = status == STATUS_DONE && !interrupted;

	/* The line that changed gives way to the last word. */
	if (live)
		fputs(drained ? "\r\033[K" : "\n", stdout);
	if (drained)
		report(invocation, address, &view);
	if (drained || !interrupted)
		return status;
	failure_fini(failure);
	*failure = (struct failure){ .status = STATUS_DONE };
	return failure_set(failure, STATUS_WAIT_ENDED,
		"not waited for any longer: the drain of %s goes on; 'shuntctl enable %s' ends it", address,
		address);
}

enum status drain_run(struct invocation *invocation, struct failure *failure)
{
	bool wait = json_object_get(invocation->given, "--wait");
	struct sigaction action = { .sa_handler = on_signal };
	json_t *result;
	enum status status;

	/* Without SA_RESTART: whatever it waits in is left. */
	if (wait) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
	}
	status = command_call(invocation, &result, failure);
	if (status != STATUS_DONE)
		return status;
	if (!wait && invocation->json)
		command_print_json(result);
	else if (!wait)
		print_change(invocation, result);
	json_decref(result);
	return wait ? wait_for_it(invocation, failure) : STATUS_DONE;
}
