/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines. A line that standard error does not take at once is lost rather than waited for. */
#include "log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static bool journal;

void log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	/* Inherited through a redirection the variable would speak of another stream: systemd.exec(5). */
	journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
		st.st_dev == device && st.st_ino == inode;
}

/*
 * A pipe takes a line that poll() has announced room for: lines are shorter than PIPE_BUF. The lock keeps
 * another thread from taking that room; nobody waits while holding it.
 */
static void put(const char *line, size_t size)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	pthread_mutex_lock(&lock);
	if (poll(&p, 1, 0) > 0 && p.revents & POLLOUT)
		(void)!write(STDERR_FILENO, line, size);
	pthread_mutex_unlock(&lock);
}

static void write_line(int priority, const char *format, va_list args)
{
	char line[1024];
	int n, head;

	head = journal ? snprintf(line, sizeof(line), "<%d>", priority)
		       : snprintf(line, sizeof(line), "shunt-dataplane: ");
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	if (n < 0)
		return;
	n += head;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	put(line, (size_t)n);
}

#define LOG_FUNCTION(name, priority)                                                                              \
	void name(const char *format, ...)                                                                        \
	{                                                                                                         \
		va_list args;                                                                                     \
                                                                                                                  \
		va_start(args, format);                                                                           \
		write_line(priority, format, args);                                                               \
		va_end(args);                                                                                     \
	}

LOG_FUNCTION(log_error, LOG_ERR)
LOG_FUNCTION(log_warning, LOG_WARNING)
LOG_FUNCTION(log_info, LOG_INFO)
