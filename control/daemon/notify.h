/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the daemon tells its service manager (sd_notify(3)'s protocol: datagrams to $NOTIFY_SOCKET).
 * Without a service manager every call does nothing.
 */
#ifndef SHUNT_NOTIFY_H
#define SHUNT_NOTIFY_H

#include <stdint.h>

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID and removes them from the environment. */
void notify_init(void);

void notify_ready(void);
void notify_reloading(void); /* followed by notify_ready() when done */
void notify_stopping(void);
void notify_watchdog(void);
/* One line shown by "systemctl status". */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often notify_watchdog() is wanted, milliseconds: half the manager's limit; 0: not at all. */
uint32_t notify_watchdog_interval_ms(void);

#endif
