/* SPDX-License-Identifier: BSD-3-Clause */
/* How a command becomes a process of its own. Only for process.c. */
#ifndef SHUNT_PROCESS_SPAWN_H
#define SHUNT_PROCESS_SPAWN_H

#include <sys/types.h>

#include "process.h"

/* Its number, with output as its standard output and error; or -errno and why in *error: then there is no such process. */
pid_t process_spawn(const struct process_wish *wish, int output, struct error *error);

#endif
