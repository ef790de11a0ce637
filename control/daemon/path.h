/* SPDX-License-Identifier: BSD-3-Clause */
/* Which forwarders are in use: what the settings path, interface and dpdk.port come to. */
#ifndef SHUNT_PATH_H
#define SHUNT_PATH_H

#include <stdbool.h>

#include "config.h"

#define PATH_WAIT_MS 5000 /* for shunt-dataplane, where there is another way */

/* Both: AF_XDP sockets of shunt-dataplane above the XDP program, which forwards alone while those are away. */
struct path_choice {
	bool dataplane;
	bool xdp;
	char reason[320]; /* for operators: "no dpdk.port is given" */
};

/*
 * Decide, for the life of this process. config: checked. Where it says "auto" and both ways are open it waits for
 * shunt-dataplane to greet on dpdk.socket, for at most wait_ms; else it returns at once. Blocks: before the loop.
 */
void path_choose(const struct config *config, unsigned int wait_ms, struct path_choice *choice);

/* The interface on which neighbours and checks are. */
const char *path_interface(const struct path_choice *choice, const struct config *config);

#endif
