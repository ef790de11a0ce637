/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks made one at a time or many at once, by a loop of the test's own, of servers on loopback that it has. */
#ifndef SHUNT_CHECK_BED_H
#define SHUNT_CHECK_BED_H

#include "check_run.h"

#define BED_PRIORITY 2 /* of all events: the lowest of three */
#define BED_LONG_MS 20000 /* limit of a check that ends by itself: not reached, however busy the machine is */

struct check_verdict {
	unsigned times; /* that it was told: 1 */
	enum check_outcome outcome;
	int weight;
	bool silent;
	char why[512];
	double ms; /* that it took */
};

/* What a verdict is to be: with <string.h>, CUnit and unit.h. ANSWERED: something of the target's was heard. */
#define SUCCEEDS(v)                                                                                        \
	do {                                                                                               \
		struct check_verdict is = v;                                                               \
		CU_ASSERT_EQUAL(is.outcome, CHECK_SUCCEEDED);                                              \
		if (is.outcome != CHECK_SUCCEEDED)                                                         \
			unit_note("%s", is.why);                                                           \
	} while (0)
#define FAILS(v, because)                                                                                  \
	do {                                                                                               \
		struct check_verdict is = v;                                                               \
		CU_ASSERT_EQUAL(is.outcome, CHECK_FAILED);                                                 \
		CU_ASSERT_STRING_EQUAL(is.why, because);                                                   \
		if (strcmp(is.why, because))                                                               \
			unit_note("%s", is.why);                                                           \
	} while (0)
#define FAILS_ANSWERED(v, because)                                                                         \
	do {                                                                                               \
		struct check_verdict heard = v;                                                            \
		FAILS(heard, because);                                                                     \
		CU_ASSERT_FALSE(heard.silent);                                                             \
	} while (0)

extern struct event_base *bed_base;
extern struct checker *bed_checker;

/* Before the tests and after them; check_bed_down() gives the number of descriptors left over. */
void check_bed_up(void);
int check_bed_down(void);

/* 127.0.0.1, and the port. */
struct check_target check_bed_target(uint16_t port);
/* One check, made; one that takes more than a minute ends the program. */
struct check_verdict check_bed_make(const struct check *check, uint16_t port, uint32_t timeout_ms);
struct check_verdict check_bed_make_of(
	const struct check *check, const struct check_target *target, uint32_t timeout_ms);
/* Let the loop go on until the verdict is there. */
void check_bed_await(const struct check_verdict *verdict);
/* For check_begin(); context: a struct check_verdict. */
void check_bed_note(void *context, const struct check_result *result);

/* A socket that listens or is bound, on 127.0.0.1, at a port of the kernel's choice. */
int check_bed_bind(int type, uint16_t *port);
/* A port that nobody has. */
uint16_t check_bed_free_port(void);
/* Open descriptors of this process. */
int check_bed_descriptors(void);

#endif
