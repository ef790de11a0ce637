/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that grows at its end, for what is written often and in bulk: the state file. */
#ifndef SHUNT_TEXT_H
#define SHUNT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* not terminated; to be freed */
	size_t size;
	size_t room;
	bool failed; /* out of memory at some time: the text is not whole */
};

void text_add(struct text *text, const char *more);
void text_add_number(struct text *text, uint64_t number);
void text_add_end(struct text *text); /* a zero, where a part is to be used as a string */

#endif
