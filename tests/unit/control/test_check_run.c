/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a check, shown with those of type tcp. */
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_bed.h"
#include "unit.h"

static const struct check tcp = { .type = CHECK_TCP };

static void test_connects(void)
{
	uint16_t port;
	int listener = check_bed_bind(SOCK_STREAM, &port);
	struct check_verdict v = check_bed_make(&tcp, port, 1000);

	CU_ASSERT_EQUAL(v.outcome, CHECK_SUCCEEDED);
	CU_ASSERT_STRING_EQUAL(v.why, "");
	CU_ASSERT_EQUAL(v.weight, -1);
	close(listener);
}

static void test_refused(void)
{
	struct check_verdict v = check_bed_make(&tcp, check_bed_free_port(), 1000);

	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	CU_ASSERT_STRING_EQUAL(v.why, "Connection refused");
	CU_ASSERT_FALSE(v.silent);
}

/* A server that has no room for more connections: as one that is gone. */
static void test_nobody_answers(void)
{
	uint16_t port;
	int listener = check_bed_bind(SOCK_STREAM, &port);
	struct check_verdict v = { 0 }, others[3] = { { 0 } };
	struct check_run *held[3];
	struct check_target target = check_bed_target(port);

	listen(listener, 0);
	for (int i = 0; i < 3; i++)
		held[i] = check_begin(bed_checker, &tcp, &target, 5000, check_bed_note, &others[i]);
	for (int i = 0; i < 3; i++)
		check_cancel(held[i]);
	/* The queue holds one that was reset, too, for it was not taken off. */
	v = check_bed_make(&tcp, port, 50);
	if (v.outcome == CHECK_SUCCEEDED)
		v = check_bed_make(&tcp, port, 50);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	CU_ASSERT_STRING_EQUAL(v.why, "no answer within 50ms");
	CU_ASSERT(v.silent);
	/* The loop's clock stands still while it is at work: a timer may come that much early. */
	CU_ASSERT(v.ms >= 25);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(others[i].times, 0);
	close(listener);
}

/* 240.0.0.0/4 is no place to go, by our own routes; with no descriptor left there is no check at all. */
static void test_own_trouble(void)
{
	struct check_target target = check_bed_target(80);
	struct rlimit usual, none;
	struct check_verdict v;

	target.address = unit_addr("255.255.255.255");
	v = check_bed_make_of(&tcp, &target, 1000);
	CU_ASSERT_EQUAL(v.outcome, CHECK_UNMADE);
	CU_ASSERT(strlen(v.why) > 0);

	getrlimit(RLIMIT_NOFILE, &usual);
	none = usual;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	v = check_bed_make(&tcp, 80, 1000);
	setrlimit(RLIMIT_NOFILE, &usual);
	CU_ASSERT_EQUAL(v.outcome, CHECK_UNMADE);
	CU_ASSERT_STRING_EQUAL(v.why, "Too many open files");
}

static void test_cancelled(void)
{
	struct check_verdict v = { 0 };
	struct check_target target = check_bed_target(check_bed_free_port());
	struct check_run *run = check_begin(bed_checker, &tcp, &target, 100, check_bed_note, &v);

	check_cancel(run);
	check_cancel(NULL);
	event_base_loop(bed_base, EVLOOP_NONBLOCK);
	CU_ASSERT_EQUAL(v.times, 0);
	/* Also when it is over already and only has to be told: a refusal over loopback comes at once. */
	run = check_begin(bed_checker, &tcp, &target, 100, check_bed_note, &v);
	usleep(1000);
	check_cancel(run);
	event_base_loop(bed_base, EVLOOP_NONBLOCK);
	CU_ASSERT_EQUAL(v.times, 0);
}

/* We were busy and come too late to both, the answer and the limit: the answer counts. */
static void test_busy(void)
{
	uint16_t port;
	int listener = check_bed_bind(SOCK_STREAM, &port);
	struct check_verdict v = { 0 };
	struct check_target target = check_bed_target(port);

	check_begin(bed_checker, &tcp, &target, 10, check_bed_note, &v);
	usleep(30000);
	check_bed_await(&v);
	CU_ASSERT_EQUAL(v.outcome, CHECK_SUCCEEDED);
	close(listener);
}

static void test_many(void)
{
	uint16_t port;
	int listener = check_bed_bind(SOCK_STREAM, &port), before = check_bed_descriptors();

	for (int i = 0; i < 5000; i++) {
		CU_ASSERT_EQUAL_FATAL(check_bed_make(&tcp, port, 1000).outcome, CHECK_SUCCEEDED);
		close(accept(listener, NULL, NULL));
	}
	CU_ASSERT_EQUAL(check_bed_descriptors(), before);
	close(listener);
}

static void test_closed_while_under_way(void)
{
	static struct check_verdict v[10];
	struct check_target target = check_bed_target(check_bed_free_port());

	for (int i = 0; i < 10; i++)
		check_begin(bed_checker, &tcp, &target, 100, check_bed_note, &v[i]);
	CU_ASSERT_EQUAL(check_bed_down(), 0);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(v[i].times, 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a connection", test_connects },
		{ "a refusal", test_refused },
		{ "nobody answers", test_nobody_answers },
		{ "our own trouble is no verdict", test_own_trouble },
		{ "given up", test_cancelled },
		{ "looked at too late", test_busy },
		{ "five thousand leave no descriptor", test_many },
		{ "closed while checks are under way", test_closed_while_under_way },
		{ NULL, NULL },
	};

	check_bed_up();
	return unit_run("check_run", tests);
}
