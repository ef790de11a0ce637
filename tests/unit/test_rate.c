/* SPDX-License-Identifier: BSD-3-Clause */
/* rate.h: how many of what comes is let through, at any speed, in bursts, and when the clock wraps. */
#include "rate.h"

#include <stdlib.h>

#include "unit.h"

#define SECOND (1000000000u >> GUARD_TIME_SHIFT)

/* What is let through of n events, one every gap units from *now on. */
static unsigned int run(__u32 *due, __u32 *now, unsigned int n, __u32 gap, __u32 interval, __u32 tolerance)
{
	unsigned int through = 0;

	for (unsigned int i = 0; i < n; i++, *now += gap)
		through += (unsigned int)rate_allows(due, *now, interval, tolerance);
	return through;
}

/* At every place that the clock can have, one before it wraps among them. */
static const __u32 clocks[] = { 0, 1, SECOND, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };

static void burst_then_rate(void)
{
	__u32 interval = rate_interval(100), tolerance = rate_tolerance(interval, 10);

	for (size_t i = 0; i < UNIT_COUNT(clocks); i++) {
		__u32 now = clocks[i], due = now;
		unsigned int n;

		CU_ASSERT_EQUAL(run(&due, &now, 1000, 0, interval, tolerance), 10);
		/* Ten times as fast as it may: a tenth of it. */
		n = run(&due, &now, 10000, interval / 10, interval, tolerance);
		CU_ASSERT(n >= 999 && n <= 1001);
		/* As fast as it may: all of it, and silence brings back the burst but no more. */
		CU_ASSERT_EQUAL(run(&due, &now, 500, interval, interval, tolerance), 500);
		now += 60 * SECOND;
		CU_ASSERT_EQUAL(run(&due, &now, 1000, 0, interval, tolerance), 10);
	}
}

static void refused_costs_nothing(void)
{
	__u32 interval = rate_interval(1), now = 5, due = 5;

	CU_ASSERT_TRUE(rate_allows(&due, now, interval, 0));
	CU_ASSERT_EQUAL(due, 5 + interval);
	CU_ASSERT_EQUAL(run(&due, &now, 100, 1, interval, 0), 0);
	CU_ASSERT_EQUAL(due, 5 + interval);
	now = due - 1;
	CU_ASSERT_FALSE(rate_allows(&due, now, interval, 0));
	CU_ASSERT_TRUE(rate_allows(&due, now + 1, interval, 0));
}

/* Never more than the burst and the rate, in whatever steps time goes on. */
static void never_more(void)
{
	__u32 interval = rate_interval(1000), tolerance = rate_tolerance(interval, 20);

	srandom(1);
	for (size_t i = 0; i < UNIT_COUNT(clocks); i++) {
		__u32 now = clocks[i], due = now;
		__u64 passed = 0, through = 0;

		for (int event = 0; event < 100000; event++) {
			__u32 gap = (__u32)random() % (event % 1000 ? 40 : 10000);

			through += (unsigned int)rate_allows(&due, now, interval, tolerance);
			if (through > 20 + passed / interval)
				CU_FAIL_FATAL("more than may be");
			now += gap;
			passed += gap;
		}
		CU_ASSERT(through > 1000);
	}
}

/* A due time of long ago, wherever it seems to be by now, holds nothing back but for about as long as a burst is. */
static void long_ago(void)
{
	__u32 interval = rate_interval(10), tolerance = rate_tolerance(interval, 5), held = 0;

	for (__u64 ago = interval; ago < 1ULL << 32; ago += 1009) {
		__u32 due = 77, now = 77 + (__u32)ago;

		held += !rate_allows(&due, now, interval, tolerance);
	}
	CU_ASSERT(held <= (interval + tolerance + RATE_SKEW) / 1009 + 1);
}

/* Intervals are within a percent of what was asked for up to 1000 a second, and never none. */
static void intervals(void)
{
	for (__u32 rate = 1; rate <= 60000; rate++) {
		double right = 1e9 / (1 << GUARD_TIME_SHIFT) / rate, is = rate_interval(rate);

		if (is < 1 || (rate <= 1000 && (is < right * 0.99 || is > right * 1.01)) || is > right * 1.5 + 1)
			CU_FAIL_FATAL("not the interval of that rate");
	}
	CU_ASSERT_EQUAL(rate_tolerance(100, 0), 0);
	CU_ASSERT_EQUAL(rate_tolerance(100, 1), 0);
	CU_ASSERT_EQUAL(rate_tolerance(100, 3), 200);
	CU_ASSERT_EQUAL(rate_tolerance(rate_interval(1), 100000), RATE_HORIZON - rate_interval(1));
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a burst, then the rate, then a burst again", burst_then_rate },
		{ "what is not let through changes nothing", refused_costs_nothing },
		{ "never more than the burst and the rate", never_more },
		{ "what was long ago is over, wherever the clock is", long_ago },
		{ "the interval of every rate", intervals },
		{ NULL, NULL },
	};

	return unit_run("rate", tests);
}
