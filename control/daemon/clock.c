/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine's time since its start. */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)(now.tv_nsec / 1000000) + 1;
}

const char *clock_boot_id(char text[CLOCK_BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, CLOCK_BOOT_ID - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	/* It goes into a JSON string as it is. */
	text[strspn(text, "0123456789abcdef-")] = '\0';
	return text;
}
