/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's log: one line an event to standard error. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program = "shuntd";
static bool to_journal;
static int least_urgent = LOG_INFO;

void log_init(const char *name)
{
	program = name;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_level(int priority)
{
	least_urgent = priority;
}

static const char *urgency(int priority)
{
	switch (priority) {
	case LOG_ERR:
		return "error: ";
	case LOG_WARNING:
		return "warning: ";
	case LOG_DEBUG:
		return "debug: ";
	default:
		return "";
	}
}

void log_write(int priority, const char *format, ...)
{
	int saved_errno = errno;
	char line[1024];
	size_t length;
	va_list args;

	if (priority > least_urgent)
		return;
	if (to_journal)
		length = (size_t)snprintf(line, sizeof(line), "<%d>", priority);
	else
		length = (size_t)snprintf(line, sizeof(line), "%s: %s", program, urgency(priority));
	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - 1 - length, format, args);
	va_end(args);
	length = strlen(line);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	/* One write a line, so that lines of several processes on one terminal don't mix. */
	if (write(STDERR_FILENO, line, length) < 0) {
		/* Nobody left to tell. */
	}
	errno = saved_errno;
}
