/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors as one line for an operator. */
#include <stdarg.h>
#include <stdio.h>

#include "config.h"

int error_set(struct error *error, int errno_value, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	/* What stands in a file goes into it: one line it is all the same. */
	for (char *c = error->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return -errno_value;
}
