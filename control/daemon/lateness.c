/* SPDX-License-Identifier: BSD-3-Clause */
/* How late things were that were due at a time. */
#include "lateness.h"

#include <math.h>
#include <string.h>

#define FIRST_SHIFT 6 /* up to 64 us is no lateness that means anything */
#define LAST (LATENESS_STEPS - 1)

/* Four to an octave: by the two bits below the highest one. */
static unsigned int step_of(uint64_t us)
{
	unsigned int octave, step;

	if (us <= 1u << FIRST_SHIFT)
		return 0;
	us--;
	octave = 63 - (unsigned int)__builtin_clzll(us);
	step = (octave - FIRST_SHIFT) * 4 + (unsigned int)(us >> (octave - 2) & 3) + 1;
	return step < LAST ? step : LAST;
}

double lateness_step_ms(unsigned int step)
{
	unsigned int octave = step / 4, quarter = step % 4;

	return ldexp(1 + quarter / 4.0, (int)(FIRST_SHIFT + octave)) / 1000;
}

void lateness_add(struct lateness *lateness, uint64_t now_us, uint64_t late_us)
{
	uint64_t turn = now_us / (LATENESS_KEPT_S * 1000000ull);
	unsigned int step = step_of(late_us);

	if (turn != lateness->turn) {
		if (turn != lateness->turn + 1)
			memset(lateness->recent, 0, sizeof(lateness->recent));
		memset(lateness->recent[turn % 2], 0, sizeof(lateness->recent[0]));
		lateness->turn = turn;
	}
	lateness->recent[turn % 2][step]++;
	lateness->total[step]++;
	lateness->n++;
	lateness->sum_us += late_us;
}

double lateness_recent_ms(const struct lateness *lateness, double share)
{
	uint64_t n = 0, before = 0;

	for (unsigned int i = 0; i < LATENESS_STEPS; i++)
		n += lateness->recent[0][i] + lateness->recent[1][i];
	for (unsigned int i = 0; n && i < LATENESS_STEPS; i++) {
		before += lateness->recent[0][i] + lateness->recent[1][i];
		if ((double)before >= share * (double)n)
			return lateness_step_ms(i);
	}
	return 0;
}
