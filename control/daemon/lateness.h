/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How late things were that were due at a time: counts on a logarithmic scale, four steps to each doubling, so
 * that adding one costs next to nothing and a percentile is right to a fifth. One thread.
 */
#ifndef SHUNT_LATENESS_H
#define SHUNT_LATENESS_H

#include <stdint.h>

#define LATENESS_STEPS 72  /* 64 us, 80 us, ... 15 s; the last is for all that is later */
#define LATENESS_KEPT_S 30 /* how far back "recent" goes, up to twice that */

/* All zero: nothing yet. */
struct lateness {
	uint64_t total[LATENESS_STEPS];
	uint64_t n;
	uint64_t sum_us;
	uint32_t recent[2][LATENESS_STEPS];
	uint64_t turn; /* which of the two is filled is turn % 2 */
};

/* now_us: of a clock that is never set back. */
void lateness_add(struct lateness *lateness, uint64_t now_us, uint64_t late_us);
/* What this share of the recent ones (0.99) was not later than, in ms; 0: there are none. */
double lateness_recent_ms(const struct lateness *lateness, double share);
/* What is counted at a step was not later than this. */
double lateness_step_ms(unsigned int step);

#endif
