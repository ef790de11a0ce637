/* SPDX-License-Identifier: BSD-3-Clause */
/* Failures: their message, their exit status, how they are printed. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

#define RPC_INVALID_PARAMS (-32602)

enum status failure_set(struct failure *failure, enum status status, const char *format, ...)
{
	char *message = NULL;
	json_t *text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);

	text = json_string(message ? message : "out of memory");
	if (!text) { /* not UTF-8: somebody typed something odd */
		for (char *c = message; c && *c; c++)
			*c = *c & 0x80 ? '?' : *c;
		text = json_string(message);
	}
	json_decref(failure->error);
	failure->status = status;
	failure->error = json_pack("{s:o}", "message", text);
	free(message);
	return status;
}

enum status failure_from_daemon(struct failure *failure, json_t *error)
{
	json_decref(failure->error);
	failure->error = error;
	/* What the daemon can't read as the method's parameters was a wrong command line. */
	failure->status = failure_code(failure) == RPC_INVALID_PARAMS ? STATUS_USAGE : STATUS_FAILED;
	return failure->status;
}

int failure_code(const struct failure *failure)
{
	return (int)json_integer_value(json_object_get(failure->error, "code"));
}

const char *failure_message(const struct failure *failure)
{
	const char *message = json_string_value(json_object_get(failure->error, "message"));

	return message && *message ? message : "failed, and shuntd did not say why";
}

void failure_print(const struct failure *failure, bool json)
{
	json_t *error;

	if (!json) {
		fputs("shuntctl: ", stderr);
		text_put(stderr, failure_message(failure));
		fputc('\n', stderr);
		return;
	}
	error = json_copy(failure->error);
	json_object_set_new(error, "exit_status", json_integer(failure->status));
	error = json_pack("{s:o}", "error", error);
	json_dumpf(error, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(error);
}

void failure_fini(struct failure *failure)
{
	json_decref(failure->error);
	failure->error = NULL;
}
