/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every unit test shares: one suite a program, run by CUnit with one line a test, and small
 * sources of test data. A program fails when one of its tests does.
 */
#ifndef SHUNT_UNIT_H
#define SHUNT_UNIT_H

#include <CUnit/CUnit.h>
#include <stddef.h>
#include <stdint.h>

#include "types.h"

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* Run the tests up to the one without a name; returns the exit status of the program. */
int unit_run(const char *suite, const struct unit_test *tests);

/* The next number of a reproducible sequence (splitmix64); *state: where it stands, any value at first. */
uint64_t unit_random(uint64_t *state);

/* An address from its text, IPv4 or IPv6. */
struct addr unit_addr(const char *text);

/* FNV-1a, 64 bits. */
uint64_t unit_digest(const void *data, size_t size);

/* Say what a test found, when the assertion that follows would not. */
void unit_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
