/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from the results of a backend's checks. */
#include "judge.h"

#include <string.h>

#define SUSPECT_TIMEOUT_MS 250 /* of the check that a suspicion asks for, at most */
#define RETURN_TRIES 20	       /* fast ones, of a backend that was enabled: somebody waits for it */
#define SLOT_MS 20

void judge_begin(struct judge *judge, bool up)
{
	*judge = (struct judge){ .up = up, .fresh = true };
}

void judge_return(struct judge *judge)
{
	judge->returning = true;
	judge->suspected = false;
	judge->successes = judge->failures = 0;
}

void judge_suspect(struct judge *judge)
{
	judge->suspected = true;
}

enum judge_verdict judge_succeeded(struct judge *judge, const struct check *check)
{
	bool at_once = judge->fresh || judge->returning;

	judge->fresh = judge->returning = judge->suspected = false;
	judge->failures = 0;
	judge->successes++;
	if (judge->up || (judge->successes < check->rise && !at_once))
		return JUDGE_NOTHING;
	judge->up = true;
	return JUDGE_UP;
}

enum judge_verdict judge_failed(struct judge *judge, const struct check *check)
{
	bool agreed = judge->suspected, first = judge->fresh;

	judge->fresh = judge->suspected = false;
	judge->successes = 0;
	judge->failures++;
	if (!judge->up)
		return first ? JUDGE_DOWN : JUDGE_NOTHING;
	if (judge->failures < check->fall && !agreed)
		return JUDGE_NOTHING;
	judge->up = false;
	return JUDGE_DOWN;
}

void judge_unmade(struct judge *judge)
{
	judge->suspected = false;
}

static bool is_in_doubt(const struct judge *judge)
{
	if (judge->returning && judge->failures < RETURN_TRIES)
		return true;
	return judge->up ? judge->failures > 0 : judge->successes > 0;
}

uint32_t judge_interval_ms(const struct judge *judge, const struct check *check)
{
	return is_in_doubt(judge) && check->fast_interval_ms < check->interval_ms ? check->fast_interval_ms
										  : check->interval_ms;
}

uint32_t judge_timeout_ms(const struct judge *judge, const struct check *check)
{
	return judge->suspected && check->timeout_ms > SUSPECT_TIMEOUT_MS ? SUSPECT_TIMEOUT_MS : check->timeout_ms;
}

/* What is more than a second ago counts no more. */
static void move_to(struct judge_limit *limit, uint64_t slot)
{
	if (slot - limit->slot >= JUDGE_LIMIT_SLOTS) {
		memset(limit->in_slot, 0, sizeof(limit->in_slot));
		limit->made = 0;
		limit->slot = slot;
	}
	while (limit->slot < slot) {
		uint32_t *next = &limit->in_slot[++limit->slot % JUDGE_LIMIT_SLOTS];

		limit->made -= *next;
		*next = 0;
	}
}

bool judge_limit_take(struct judge_limit *limit, uint64_t now_ms)
{
	move_to(limit, now_ms / SLOT_MS);
	if (limit->most && limit->made >= limit->most)
		return false;
	limit->made++;
	limit->in_slot[limit->slot % JUDGE_LIMIT_SLOTS]++;
	return true;
}

uint32_t judge_limit_wait_ms(const struct judge_limit *limit, uint64_t now_ms)
{
	uint64_t slot = now_ms / SLOT_MS;

	/* Until the oldest that has any is left behind. */
	for (uint32_t i = 1; i <= JUDGE_LIMIT_SLOTS; i++)
		if (limit->in_slot[(limit->slot + i) % JUDGE_LIMIT_SLOTS])
			return (uint32_t)((limit->slot + i) * SLOT_MS > now_ms
					? (limit->slot + i) * SLOT_MS - now_ms
					: 1);
	return (uint32_t)((slot + 1) * SLOT_MS - now_ms);
}
