/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clock that drains and slow starts go by: milliseconds since the machine was started, also while it slept.
 * Nobody sets it, so that one who sets the time of day back an hour prolongs no drain; and what is kept of it in a
 * file is worth something only until the next start, whose id is another.
 */
#ifndef SHUNT_CLOCK_H
#define SHUNT_CLOCK_H

#include <stdint.h>

#define CLOCK_BOOT_ID 40 /* bytes for it, its end included */

uint64_t clock_boot_ms(void); /* CLOCK_BOOTTIME; never 0 */
/* The machine's id of this start into text, returned; "" where the kernel doesn't tell. */
const char *clock_boot_id(char text[CLOCK_BOOT_ID]);

#endif
