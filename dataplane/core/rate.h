/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits on how often something may happen, by the generic cell rate algorithm (ITU-T I.371, annex A, "virtual
 * scheduling"): the whole state is the time at which the next event is due, a token bucket without arithmetic on
 * tokens. An event may come up to a tolerance before it is due, which makes a burst; each that is let through puts
 * off the next by an interval, one that is not changes nothing.
 *
 * Times are 32 bits of GUARD_TIME units and wrap after 19.5 hours. A due time further ahead than it can be is of
 * long ago, so nothing has to be swept: something that was silent for a multiple of 19.5 hours to within its own
 * tolerance may find itself held back for that long at most. It can be ahead by RATE_SKEW more than interval and
 * tolerance: workers read the clock once for many packets, and who wrote it may have done so later.
 */
#ifndef SHUNT_RATE_H
#define SHUNT_RATE_H

#include "snapshot.h"
#include "types.h"

/* No interval and tolerance are more than this together: 18 minutes. */
#define RATE_HORIZON (1u << 26)
#define RATE_SKEW (1u << 14) /* a quarter of a second */

/* Units that a due time is ahead of now; 0: it has passed. horizon: what it can be at most, by the writer's clock. */
core_inline __u32 rate_ahead(__u32 due, __u32 now, __u32 horizon)
{
	__u32 ahead = due - now;

	return ahead > horizon + RATE_SKEW ? 0 : ahead;
}

/*
 * Whether an event may happen now; then *due becomes the next one's time. interval + tolerance: at most
 * RATE_HORIZON. Not for a *due that others write.
 */
core_inline int rate_allows(__u32 *due, __u32 now, __u32 interval, __u32 tolerance)
{
	__u32 ahead = rate_ahead(*due, now, interval + tolerance);

	if (ahead > tolerance)
		return 0;
	*due = now + ahead + interval;
	return 1;
}

/* Builder's side: the interval of a rate (1..60000 events a second), and the tolerance that lets a burst of n come
 * at once. */
core_inline __u32 rate_interval(__u32 rate)
{
	__u32 units = (__u32)((1000000000ULL + (((__u64)rate << GUARD_TIME_SHIFT) >> 1)) /
		((__u64)rate << GUARD_TIME_SHIFT));

	return units ? units : 1;
}

core_inline __u32 rate_tolerance(__u32 interval, __u32 burst)
{
	__u64 units = (__u64)interval * (burst ? burst - 1 : 0);

	return units < RATE_HORIZON - interval ? (__u32)units : RATE_HORIZON - interval;
}

#endif
