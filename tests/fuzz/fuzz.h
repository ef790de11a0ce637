/* SPDX-License-Identifier: BSD-3-Clause */
/* What libFuzzer calls, and what every fuzz target says when something is not as it has to be. */
#ifndef SHUNT_FUZZ_H
#define SHUNT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run with the input that led here kept. */
#define FUZZ_CHECK(condition)                                                                              \
	do {                                                                                               \
		if (!(condition)) {                                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                           \
		}                                                                                          \
	} while (0)

#endif
