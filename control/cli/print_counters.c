/* SPDX-License-Identifier: BSD-3-Clause */
/* "counters": what became of the packets, by verdict, and what happened on the way. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "printers.h"
#include "text.h"

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A counter's value: with help it stands in an object, with rate it is what the counter grew by a second. */
static double value_of(const json_t *counter)
{
	return json_is_object(counter) ? text_real(counter, "value") : json_number_value(counter);
}

/* Replace each value by its growth a second between two readings, in place. */
static void take_difference(json_t *counters, const json_t *before, double seconds)
{
	const char *name;
	json_t *counter;
	void *next;

	json_object_foreach_safe(counters, next, name, counter) {
		double growth = value_of(counter) - value_of(json_object_get(before, name));
		/* A dataplane that started anew in between begins at 0. */
		json_t *rate = json_real(growth > 0 ? growth / seconds : 0);

		if (json_is_object(counter))
			json_object_set_new(counter, "value", rate);
		else
			json_object_set_new(counters, name, rate);
	}
}

/* The value as it is shown. */
static const char *value_text(const json_t *counter, bool rate, char *out)
{
	if (rate)
		text_rate(out, value_of(counter));
	else
		snprintf(out, TEXT_SHORT, "%llu", text_number(counter, "value"));
	return out;
}

/* Whether a counter is of the class; class NULL stands for all that are of neither of the two there are. */
static bool is_of_class(const json_t *counter, const char *class)
{
	const char *its = text_member(counter, "class", "");

	return class ? !strcasecmp(its, class) : strcasecmp(its, "verdict") && strcasecmp(its, "event");
}

/* Packets lost are what one looks for here. */
static const char *counter_colour(const char *name)
{
	bool loss = !strncmp(name, "drop_", 5) || !strcmp(name, "kernel_dropped") || !strcmp(name, "port_missed");

	return loss ? COLOUR_WARN : NULL;
}

static void print_counters(const struct invocation *invocation, json_t *counters)
{
	static const char *const classes[][2] = { { NULL, "Received" },
		{ "verdict", "Verdicts: each packet received ends in one of them" },
		{ "event", "Events: what happened on the way" } };
	bool all = json_object_get(invocation->given, "--all");
	bool rate = json_object_get(invocation->given, "--rate");
	int name_width = 0, value_width = 0, hidden = 0, shown = 0;
	char text[TEXT_SHORT];
	const char *name;
	json_t *counter;

	json_object_foreach(counters, name, counter) {
		int length = (int)strlen(name);

		name_width = length > name_width ? length : name_width;
		length = (int)strlen(value_text(counter, rate, text));
		value_width = length > value_width ? length : value_width;
	}
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		bool titled = false;

		json_object_foreach(counters, name, counter) {
			if (!is_of_class(counter, classes[i][0]))
				continue;
			if (!all && value_of(counter) == 0) {
				hidden++;
				continue;
			}
			if (!titled)
				puts(classes[i][1]);
			titled = true;
			shown++;
			printf("  %-*s  %*s%s  ", name_width, name, value_width, value_text(counter, rate, text),
				rate ? "/s" : "");
			text_put_coloured(invocation->colour, value_of(counter) > 0 ? counter_colour(name) : NULL,
				text_member(counter, "help", ""));
			putchar('\n');
		}
	}
	if (hidden)
		printf("%s%d%s %s zero; --all shows %s.\n", shown ? "" : "All ", hidden, shown ? " more" : "",
			hidden == 1 ? "is" : "are", hidden == 1 ? "it" : "them");
}

enum status counters_run(struct invocation *invocation, struct failure *failure)
{
	json_t *counters = NULL, *before = NULL;
	struct timespec second = { 1, 0 };
	enum status status = STATUS_DONE;
	double begin_s = 0;

	if (!invocation->json)
		json_object_set_new(invocation->params, "help", json_true());
	if (json_object_get(invocation->given, "--rate")) {
		begin_s = now_s();
		status = command_call(invocation, &before, failure);
		if (status != STATUS_DONE)
			return status;
		nanosleep(&second, NULL);
	}
	status = command_call(invocation, &counters, failure);
	if (status == STATUS_DONE) {
		if (before)
			take_difference(counters, before, now_s() - begin_s);
		if (invocation->json)
			command_print_json(counters);
		else
			print_counters(invocation, counters);
	}
	json_decref(counters);
	json_decref(before);
	return status;
}
