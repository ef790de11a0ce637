/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded (LD_PRELOAD), sets the wall clock of one program: by as many seconds as the file CLOCK_SHIFT says, eight
 * bytes that may change at any time. Clocks that nobody can set stay as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static int64_t shift_s(void)
{
	static const volatile int64_t *shift;
	const char *path = getenv("CLOCK_SHIFT");
	int fd;

	if (!shift && path && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0)
		shift = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
	return shift && shift != MAP_FAILED ? *shift : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	int result;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, now);
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		now->tv_sec += shift_s();
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;
	int result = clock_gettime(CLOCK_REALTIME, &precise);

	(void)zone;
	*now = (struct timeval){ precise.tv_sec, precise.tv_nsec / 1000 };
	return result;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
