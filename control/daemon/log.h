/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's log: one line an event to standard error. Under systemd's journal a line starts with its
 * priority as "<N>", elsewhere with the program's name.
 */
#ifndef SHUNT_LOG_H
#define SHUNT_LOG_H

#include <syslog.h> /* LOG_ERR and the like: the priorities, nothing else of it */

/* Take note of where standard error goes. name: of the program; the caller's, kept. */
void log_init(const char *name);
/* Lines less urgent than this priority are not written; LOG_INFO at first. */
void log_level(int priority);

/*
 * Write one line. Control characters in it (a client's or a peer's words may be part of it) are written
 * as '?', and what is beyond about 1,000 bytes is cut. Never fails, never changes errno.
 */
void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
