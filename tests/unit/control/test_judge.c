/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from the results of checks, how many changes a second, and how late things are. */
#include "judge.h"
#include "lateness.h"
#include "unit.h"

static const struct check usual = {
	.type = CHECK_TCP, .interval_ms = 1000, .fast_interval_ms = 250, .timeout_ms = 500, .rise = 2, .fall = 3
};

static struct judge judge_of(bool up)
{
	struct judge judge;

	judge_begin(&judge, up);
	return judge;
}

/* An opinion that rests on results already. */
static struct judge settled(bool up)
{
	struct judge judge = judge_of(up);

	judge.fresh = false;
	return judge;
}

static void test_first_result(void)
{
	struct judge judge = judge_of(false);

	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_UP);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_NOTHING);

	/* Down it is already, but nobody has said why. */
	judge = judge_of(false);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_DOWN);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_UP);

	/* It was up before a restart: one failure does not change that. */
	judge = judge_of(true);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_TRUE(judge.up);
}

static void test_rise_and_fall(void)
{
	struct judge judge = settled(true);

	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_DOWN);
	CU_ASSERT_EQUAL(judge.failures, 3);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);

	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_UP);
	CU_ASSERT_EQUAL(judge.successes, 2);
}

static void test_doubt(void)
{
	struct check slow_doubt = usual;
	struct judge judge = judge_of(false);

	/* A first result is not waited for any faster: nothing has happened. */
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 1000);
	judge_failed(&judge, &usual);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 1000);
	judge_succeeded(&judge, &usual);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 250);
	judge_succeeded(&judge, &usual);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 1000);
	judge_failed(&judge, &usual);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 250);
	judge_unmade(&judge);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 250);
	judge_failed(&judge, &usual);
	judge_failed(&judge, &usual);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &usual), 1000);

	/* Never slower than usual. */
	slow_doubt.fast_interval_ms = 5000;
	judge_succeeded(&judge, &slow_doubt);
	CU_ASSERT_EQUAL(judge_interval_ms(&judge, &slow_doubt), 1000);
}

static void test_suspicion(void)
{
	struct check quick = usual;
	struct judge judge = settled(true);

	CU_ASSERT_EQUAL(judge_timeout_ms(&judge, &usual), 500);
	judge_suspect(&judge);
	CU_ASSERT_EQUAL(judge_timeout_ms(&judge, &usual), 250);
	quick.timeout_ms = 100;
	CU_ASSERT_EQUAL(judge_timeout_ms(&judge, &quick), 100);

	/* Two agree. */
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_DOWN);
	CU_ASSERT_FALSE(judge.suspected);
	CU_ASSERT_EQUAL(judge_timeout_ms(&judge, &usual), 500);

	/* Two do not: it is over, and one failure is but one. */
	judge = settled(true);
	judge_suspect(&judge);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_FALSE(judge.suspected);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);

	/* One could not be asked. */
	judge = settled(true);
	judge_suspect(&judge);
	judge_unmade(&judge);
	CU_ASSERT_FALSE(judge.suspected);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
}

static void test_returning(void)
{
	struct judge judge = settled(false);
	unsigned int tries = 0;

	/* Fast for as long as somebody may be watching, then as usual; whenever the first success comes it is
	 * enough. */
	judge_return(&judge);
	while (judge_interval_ms(&judge, &usual) == 250 && ++tries < 1000)
		CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_NOTHING);
	CU_ASSERT_EQUAL(tries, 20);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_UP);
	CU_ASSERT_FALSE(judge.returning);

	/* Held to be up still: it takes as many failures as ever to be held down. */
	judge = settled(true);
	judge_return(&judge);
	judge_failed(&judge, &usual);
	judge_failed(&judge, &usual);
	CU_ASSERT_EQUAL(judge_failed(&judge, &usual), JUDGE_DOWN);
	CU_ASSERT_TRUE(judge.returning);
	CU_ASSERT_EQUAL(judge_succeeded(&judge, &usual), JUDGE_UP);
}

/* In no second more than the limit, and all of it when that is wanted. */
static void test_limit(void)
{
	static uint16_t made[20000]; /* by millisecond */
	struct judge_limit limit = { .most = 100 };
	uint64_t state = 1, start = 123456789;
	uint32_t total = 0;

	for (uint32_t ms = 0; ms < 20000; ms++) {
		bool wanted = ms < 10000 || unit_random(&state) % 50 == 0;

		while (wanted && judge_limit_take(&limit, start + ms) && made[ms] < 1000)
			made[ms]++;
		total += made[ms];
	}
	for (uint32_t ms = 0; ms + 1000 <= 20000; ms++) {
		uint32_t in_second = 0;

		for (uint32_t i = 0; i < 1000; i++)
			in_second += made[ms + i];
		CU_ASSERT_TRUE(in_second <= 100);
		if (in_second > 100)
			break;
	}
	CU_ASSERT_EQUAL(made[0], 100);
	CU_ASSERT_TRUE(total >= 19 * 98 && total <= 20 * 100);
}

static void test_limit_wait(void)
{
	struct judge_limit limit = { .most = 2 };
	uint32_t wait;

	CU_ASSERT_TRUE(judge_limit_take(&limit, 5000));
	CU_ASSERT_TRUE(judge_limit_take(&limit, 5500));
	CU_ASSERT_FALSE(judge_limit_take(&limit, 5600));
	wait = judge_limit_wait_ms(&limit, 5600);
	CU_ASSERT_TRUE(wait >= 400 && wait <= 420);
	CU_ASSERT_FALSE(judge_limit_take(&limit, 5600 + wait - 1));
	CU_ASSERT_TRUE(judge_limit_take(&limit, 5600 + wait));
	CU_ASSERT_FALSE(judge_limit_take(&limit, 5600 + wait));

	/* After a long silence. */
	CU_ASSERT_TRUE(judge_limit_take(&limit, 900000));
	/* No limit. */
	limit = (struct judge_limit){ 0 };
	for (int i = 0; i < 100000; i++)
		CU_ASSERT_TRUE_FATAL(judge_limit_take(&limit, 7));
}

static void test_lateness(void)
{
	struct lateness lateness = { .n = 0 };

	CU_ASSERT_EQUAL(lateness_recent_ms(&lateness, 0.99), 0);
	for (uint64_t us = 1; us < 20000000; us += us / 7 + 1) {
		struct lateness one = { .n = 0 };
		double ms;

		lateness_add(&one, 1, us);
		ms = lateness_recent_ms(&one, 0.99);
		CU_ASSERT_TRUE(us > 14000000 || (double)us / 1000 <= ms);
		CU_ASSERT_TRUE(us <= 64 || ms <= (double)us / 1000 * 1.2501);
	}
	for (int i = 0; i < 980; i++)
		lateness_add(&lateness, 1000, 900);
	for (int i = 0; i < 20; i++)
		lateness_add(&lateness, 1000, 100000);
	CU_ASSERT_DOUBLE_EQUAL(lateness_recent_ms(&lateness, 0.5), 1, 0.15);
	CU_ASSERT_DOUBLE_EQUAL(lateness_recent_ms(&lateness, 0.99), 110, 15);
	CU_ASSERT_EQUAL(lateness.n, 1000);
	CU_ASSERT_EQUAL(lateness.sum_us, 980 * 900 + 20 * 100000);

	/* Kept for half a minute more, then recent no longer. */
	lateness_add(&lateness, LATENESS_KEPT_S * 1000000ull, 900);
	CU_ASSERT_TRUE(lateness_recent_ms(&lateness, 0.99) > 90);
	lateness_add(&lateness, 2 * LATENESS_KEPT_S * 1000000ull, 900);
	CU_ASSERT_TRUE(lateness_recent_ms(&lateness, 0.99) < 2);
	CU_ASSERT_EQUAL(lateness.n, 1002);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "the first result is a verdict", test_first_result },
		{ "rise and fall count results in a row", test_rise_and_fall },
		{ "checks come faster while a result is in doubt", test_doubt },
		{ "a suspicion and one failure make it down", test_suspicion },
		{ "what was enabled is up at its first success", test_returning },
		{ "changes a second are limited", test_limit },
		{ "and the next is made as soon as it may be", test_limit_wait },
		{ "lateness, by its share", test_lateness },
		{ NULL, NULL },
	};

	return unit_run("judge", tests);
}
