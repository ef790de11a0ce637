/* SPDX-License-Identifier: BSD-3-Clause */
/* What systemd wants to know of a service: sd_notify(3)'s protocol, without the library. */
#ifndef SHUNT_NOTIFY_H
#define SHUNT_NOTIFY_H

/* Send "READY=1", "STOPPING=1" and the like to the service manager, if there is one. Main thread. */
void notify_systemd(const char *state);

#endif
