/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting DPDK's environment from our settings, with its chatter held back: what fails is said in one
 * line of ours, with the first complaint of DPDK's own as the reason. Main thread.
 */
#ifndef SHUNT_EAL_H
#define SHUNT_EAL_H

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

/* Whether the setting dpdk.port is a PCI address (with or without arguments behind it). */
bool eal_port_is_pci(const char *port);

/*
 * Start the environment with lcore 0 for the main thread and lcores 1..n_cpus for the workers. bytes:
 * memory that buffers are going to need. Returns 0, or -1 with a line logged.
 */
int eal_start(const struct settings *s, uint64_t bytes);

/* Free all that DPDK holds; nothing of it may be in use any more. */
void eal_stop(void);

/*
 * From begin to end DPDK's complaints are kept instead of logged; eal_complaint() gives the first of them
 * since begin, or "" if there was none.
 */
void eal_hush_begin(void);
void eal_hush_end(void);
const char *eal_complaint(void);

#endif
