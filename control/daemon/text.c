/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that grows at its end. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

static void add(struct text *text, const char *more, size_t size)
{
	if (text->room - text->size < size) {
		size_t room = (text->room + size) * 2 + 4096;
		char *grown = realloc(text->data, room);

		if (!grown) {
			text->failed = true;
			return;
		}
		text->data = grown;
		text->room = room;
	}
	memcpy(text->data + text->size, more, size);
	text->size += size;
}

void text_add(struct text *text, const char *more)
{
	add(text, more, strlen(more));
}

void text_add_number(struct text *text, uint64_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	add(text, at, (size_t)(digits + sizeof(digits) - at));
}

void text_add_end(struct text *text)
{
	add(text, "", 1);
}
