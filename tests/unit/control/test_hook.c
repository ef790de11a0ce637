/* SPDX-License-Identifier: BSD-3-Clause */
/* hook: what it is called with, one at a time and in order; one that hangs, floods, is slow or is not there. */
#include "hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "events.h"
#include "log.h"
#include "unit.h"

#define LIMIT_MS 120000 /* longer than patience: not reached */
#define SHORT_LIMIT_MS 300
#define PATIENCE_MS 60000

static struct event_base *base;
static struct model *model;
static struct backend *web11;
static char folder[] = "/tmp/shunt-hook-XXXXXX";
static char script[64], record[64], gate[64];

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The hook's record so far, in static memory. */
static const char *recorded(void)
{
	static char text[1 << 16];
	FILE *file = fopen(record, "re");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[length] = '\0';
	return text;
}

static size_t lines_recorded(void)
{
	size_t n = 0;

	for (const char *c = recorded(); *c; c++)
		n += *c == '\n';
	return n;
}

/* Run the loop until so many lines are there; false when patience is over. */
static bool await_lines(size_t n)
{
	struct timeval pause = { .tv_usec = 5000 };
	uint64_t begun = now_ms();

	while (lines_recorded() < n && now_ms() - begun < PATIENCE_MS) {
		event_base_loopexit(base, &pause);
		event_base_dispatch(base);
	}
	return lines_recorded() >= n;
}

/* A shell script with this body; what it is to write goes to $record. */
static void write_script(const char *body)
{
	FILE *file = fopen(script, "we");

	if (!file || fprintf(file, "#!/bin/sh\nrecord=%s gate=%s\n%s\n", record, gate, body) < 0 || fclose(file) ||
		chmod(script, 0755) < 0)
		abort();
	unlink(record);
	unlink(gate);
}

static struct hook *open_hook_with(const char *command, uint32_t limit_ms)
{
	struct hook *hook;

	CU_ASSERT_EQUAL_FATAL(events_open(base), 0);
	hook = hook_open(base, command, limit_ms);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hook);
	return hook;
}

static struct hook *open_hook(const char *command)
{
	return open_hook_with(command, LIMIT_MS);
}

static void close_hook(struct hook *hook)
{
	hook_close(hook);
	events_close();
}

static void expect_record(const char *words)
{
	if (!strstr(recorded(), words))
		unit_note("\"%s\" is not in \"%s\"", words, recorded());
	CU_ASSERT_PTR_NOT_NULL(strstr(recorded(), words));
}

static void it_is_told_what_and_of_whom(void)
{
	struct hook *hook;

	write_script("echo \"$#|$1|$2|$3|$4|$SHUNT_SEQUENCE $SHUNT_EVENT $SHUNT_POOL $SHUNT_BACKEND|$SHUNT_TEXT|"
		     "$SHUNT_MESSAGE|${SHUNT_TIME%.*}\" >>$record");
	hook = open_hook(script);
	event_tell(EVENT_BACKEND_DOWN, NULL, web11, "3 in a row: $(reboot) \"x\"");
	event_tell(EVENT_POOL_PANIC, web11->pool, NULL, "1 of 3");
	event_tell(EVENT_RELOAD, NULL, NULL, "%s", "");
	CU_ASSERT_TRUE(await_lines(3));
	expect_record("4|backend_down|web|10.0.0.11|3 in a row: $(reboot) \"x\"|1 backend_down web 10.0.0.11|"
		      "3 in a row: $(reboot) \"x\"|backend web 10.0.0.11: down: 3 in a row: $(reboot) \"x\"|");
	expect_record("\n4|pool_panic|web||1 of 3|2 pool_panic web |1 of 3|pool web: panic: 1 of 3|");
	expect_record("\n4|reload||||3 reload  ||reload|");
	close_hook(hook);
}

/* Each waits for the one before it, although the first takes longest. */
static void one_at_a_time_in_order(void)
{
	struct hook *hook;
	char wanted[200] = "";

	write_script("echo begin $4 >>$record; [ $4 != 0 ] || sleep 0.1; echo end $4 >>$record");
	hook = open_hook(script);
	for (int i = 0; i < 5; i++) {
		event_tell(EVENT_BACKEND_UP, NULL, web11, "%d", i);
		snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), "begin %d\nend %d\n", i, i);
	}
	CU_ASSERT_TRUE(await_lines(10));
	CU_ASSERT_STRING_EQUAL(recorded(), wanted);
	close_hook(hook);
}

static void one_that_hangs_is_ended(void)
{
	uint64_t begun = now_ms();
	struct hook *hook;

	write_script("[ $4 != hang ] || while :; do sleep 1; done; echo $4 >>$record");
	hook = open_hook_with(script, SHORT_LIMIT_MS);
	event_tell(EVENT_BACKEND_UP, NULL, web11, "hang");
	/* One of these has its say, even where others take so long that they are ended as well. */
	for (int i = 0; i < 50; i++)
		event_tell(EVENT_BACKEND_UP, NULL, web11, "on");
	CU_ASSERT_TRUE(await_lines(1));
	/* libevent's clock is the coarse one, up to a tick of the kernel's behind. */
	CU_ASSERT_TRUE(now_ms() - begun >= SHORT_LIMIT_MS - 20);
	CU_ASSERT_EQUAL(strncmp(recorded(), "on\n", 3), 0);
	close_hook(hook);
}

static void one_that_floods_is_ended(void)
{
	struct hook *hook;

	write_script("echo $4 >>$record; [ $4 != flood ] || yes; exit 3");
	hook = open_hook(script);
	event_tell(EVENT_BACKEND_UP, NULL, web11, "flood");
	event_tell(EVENT_BACKEND_UP, NULL, web11, "on");
	CU_ASSERT_TRUE(await_lines(2));
	CU_ASSERT_STRING_EQUAL(recorded(), "flood\non\n");
	close_hook(hook);
}

/* While it is busy with the first, more come than may wait: the oldest of them go. */
static void one_that_is_slow_misses_the_oldest(void)
{
	struct hook *hook;
	FILE *file;

	write_script("[ $4 != 0 ] || until [ -e $gate ]; do sleep 0.01; done; echo $4 >>$record");
	hook = open_hook(script);
	event_tell(EVENT_BACKEND_UP, NULL, web11, "0");
	event_base_loop(base, EVLOOP_NONBLOCK);
	for (int i = 1; i <= HOOK_QUEUE + 44; i++)
		event_tell(EVENT_BACKEND_UP, NULL, web11, "%d", i);
	file = fopen(gate, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fclose(file);
	CU_ASSERT_TRUE(await_lines(1 + HOOK_QUEUE));
	CU_ASSERT_EQUAL(strncmp(recorded(), "0\n45\n46\n", 8), 0);
	expect_record("\n299\n300\n");
	CU_ASSERT_EQUAL(lines_recorded(), 1 + HOOK_QUEUE);
	close_hook(hook);
}

static void one_that_is_not_there_is_no_harm(void)
{
	struct hook *hook = open_hook("/nowhere/hook");

	for (int i = 0; i < 10; i++)
		event_tell(EVENT_BACKEND_UP, NULL, web11, "%d", i);
	event_base_loop(base, EVLOOP_NONBLOCK);
	write_script("echo $4 >>$record");
	hook_set(hook, NULL);
	event_tell(EVENT_BACKEND_UP, NULL, web11, "none");
	event_base_loop(base, EVLOOP_NONBLOCK);
	hook_set(hook, script);
	event_tell(EVENT_BACKEND_UP, NULL, web11, "there");
	CU_ASSERT_TRUE(await_lines(1));
	CU_ASSERT_STRING_EQUAL(recorded(), "there\n");
	close_hook(hook);
}

static void it_is_ended_with_the_daemon(void)
{
	uint64_t begun = now_ms();
	struct hook *hook;

	write_script("echo $4 >>$record; sleep 60");
	hook = open_hook(script);
	event_tell(EVENT_BACKEND_UP, NULL, web11, "first");
	event_tell(EVENT_BACKEND_UP, NULL, web11, "second");
	CU_ASSERT_TRUE(await_lines(1));
	close_hook(hook);
	CU_ASSERT_STRING_EQUAL(recorded(), "first\n");
	CU_ASSERT_TRUE(now_ms() - begun < 30000);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "it is told what, and of whom", it_is_told_what_and_of_whom },
		{ "one at a time, in order", one_at_a_time_in_order },
		{ "one that hangs is ended", one_that_hangs_is_ended },
		{ "one that floods is ended", one_that_floods_is_ended },
		{ "one that is slow misses the oldest", one_that_is_slow_misses_the_oldest },
		{ "one that is not there is no harm", one_that_is_not_there_is_no_harm },
		{ "it is ended with the daemon", it_is_ended_with_the_daemon },
		{ NULL, NULL },
	};
	int status;

	if (!mkdtemp(folder))
		abort();
	log_level(-1);
	snprintf(script, sizeof(script), "%s/hook", folder);
	snprintf(record, sizeof(record), "%s/record", folder);
	snprintf(gate, sizeof(gate), "%s/gate", folder);
	base = event_base_new();
	model = control_model(
		CONTROL_DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n");
	web11 = control_backend(model, "web", "10.0.0.11");
	status = unit_run("hook", tests);
	model_free(model);
	event_base_free(base);
	unlink(script);
	unlink(record);
	unlink(gate);
	rmdir(folder);
	return status;
}
