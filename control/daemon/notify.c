/* SPDX-License-Identifier: BSD-3-Clause */
/* sd_notify(3)'s protocol, which is a datagram of a few words: not worth a library. */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static int notify_fd = -1;
static struct sockaddr_un notify_address;
static socklen_t notify_address_length;
static uint32_t watchdog_interval_ms;

static void read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	unsigned long long limit_us;

	if (!usec || (pid && strtoul(pid, NULL, 10) != (unsigned long)getpid()))
		return;
	limit_us = strtoull(usec, NULL, 10);
	if (limit_us == 0 || limit_us / 2000 > UINT32_MAX)
		return;
	watchdog_interval_ms = (uint32_t)(limit_us / 2000);
	if (watchdog_interval_ms == 0)
		watchdog_interval_ms = 1;
}

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length;

	read_watchdog();
	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	length = strlen(path);
	if (length >= sizeof(notify_address.sun_path)) {
		log_warning("NOTIFY_SOCKET is too long a path: the service manager will not be told");
		return;
	}
	notify_address.sun_family = AF_UNIX;
	memcpy(notify_address.sun_path, path, length + 1);
	if (path[0] == '@')
		notify_address.sun_path[0] = '\0';
	notify_address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify_fd < 0)
		log_warning("no socket to tell the service manager by: %s", strerror(errno));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void tell(const char *words)
{
	if (notify_fd < 0)
		return;
	if (sendto(notify_fd, words, strlen(words), MSG_NOSIGNAL, (struct sockaddr *)&notify_address,
		    notify_address_length) < 0)
		log_debug("the service manager could not be told: %s", strerror(errno));
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	struct timespec now;
	char words[80];

	/* The manager wants the time to tell this reload's READY from an earlier one. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(words, sizeof(words), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	tell(words);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_watchdog(void)
{
	tell("WATCHDOG=1");
}

void notify_status(const char *format, ...)
{
	char words[256] = "STATUS=";
	va_list args;

	va_start(args, format);
	vsnprintf(words + strlen(words), sizeof(words) - strlen(words), format, args);
	va_end(args);
	tell(words);
}

uint32_t notify_watchdog_interval_ms(void)
{
	return watchdog_interval_ms;
}
