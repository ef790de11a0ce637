/* SPDX-License-Identifier: BSD-3-Clause */
/* What the XDP loader asks of kernel and library: time, rights, memory, a grace period, and why something failed.
 */
#ifndef SHUNT_XDP_SYSTEM_H
#define SHUNT_XDP_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

#define XDP_BOOT_ID_SIZE 40

uint64_t xdp_system_now_ns(void); /* CLOCK_MONOTONIC */
/* The kernel's boot id, "" if it can't be read. */
void xdp_system_boot_id(char id[XDP_BOOT_ID_SIZE]);

/* 0, or -EPERM and what is missing. */
int xdp_system_check_rights(struct error *error);
/* 0, or -ENOMEM and *error where so many bytes more can't be had. */
int xdp_system_check_memory(uint64_t bytes, struct error *error);

/* Whether -errno tells of what we lack (descriptors, memory, rights), and nothing of what was looked at. */
bool xdp_system_is_want(int error);

/* Return when no program that runs now runs any more: an RCU grace period, some 10 to 30 ms. 0 or -errno. */
int xdp_system_wait_for_programs(void);

/* Have libbpf speak to our log, at debug level. */
void xdp_system_listen_to_libbpf(void);
/* The last line of libbpf's, or of the verifier's, that says what went wrong; "" if there was none since forget().
 */
const char *xdp_system_libbpf_said(void);
void xdp_system_forget(void);

#endif
