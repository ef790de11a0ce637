/* SPDX-License-Identifier: BSD-3-Clause */
/* CLOCK_MONOTONIC, the clock of everything that leaves the process. */
#ifndef SHUNT_CLOCK_H
#define SHUNT_CLOCK_H

#include <time.h>

#include "types.h"

static inline __u64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000u + (__u64)t.tv_nsec;
}

static inline __u64 clock_s(void)
{
	return clock_ns() / 1000000000u;
}

#endif
