/* SPDX-License-Identifier: BSD-3-Clause */
/* Running a suite with CUnit, and the test data of unit.h. */
#include "unit.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int unit_run(const char *name, const struct unit_test *tests)
{
	CU_pSuite suite;
	unsigned failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	suite = CU_add_suite(name, NULL, NULL);
	if (!suite)
		return EXIT_FAILURE;
	for (; tests->name; tests++)
		if (!CU_add_test(suite, tests->name, tests->run))
			return EXIT_FAILURE;
	setvbuf(stdout, NULL, _IOLBF, 0);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed() +
		(CU_get_number_of_tests_run() == 0);
	CU_cleanup_registry();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t unit_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

struct addr unit_addr(const char *text)
{
	struct addr a;
	__be32 v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return addr_from_ipv4(v4);
	if (inet_pton(AF_INET6, text, &a) == 1)
		return a;
	fprintf(stderr, "%s: not an address\n", text);
	abort();
}

uint64_t unit_digest(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3;
	return hash;
}

void unit_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("\n    ");
	vprintf(format, arguments);
	va_end(arguments);
}
