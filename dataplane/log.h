/* SPDX-License-Identifier: BSD-3-Clause */
/* One line an event to standard error, with systemd's priorities when that is the journal. Any thread but workers.
 */
#ifndef SHUNT_LOG_H
#define SHUNT_LOG_H

/* Find out where standard error goes; call once, first. */
void log_init(void);

/* printf-like, without the newline. One write(2) a line, so that lines of several threads stay whole. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
