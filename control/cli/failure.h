/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a command was not done, and the exit status that says so. Functions that can fail fill one in and
 * return its status; it is printed once, by main().
 */
#ifndef SHUNTCTL_FAILURE_H
#define SHUNTCTL_FAILURE_H

#include <jansson.h>
#include <stdbool.h>

/* Exit statuses, promised to scripts. */
enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1, /* refused or failed */
	STATUS_USAGE = 2,
	STATUS_NO_DAEMON = 3,
	STATUS_WAIT_ENDED = 4, /* without what was waited for */
};

struct failure {
	enum status status;
	json_t *error;        /* object with "message"; from the daemon also "code" and perhaps "data" */
	bool outcome_unknown; /* the request was sent and no answer came back */
};

/* Set the message and return the status. An earlier message is replaced. */
enum status failure_set(struct failure *failure, enum status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Take over a reference to the error object of a JSON-RPC answer; returns the status it stands for. */
enum status failure_from_daemon(struct failure *failure, json_t *error);

/* "code" of a daemon's error, 0 if the failure is our own. */
int failure_code(const struct failure *failure);
const char *failure_message(const struct failure *failure);

/* Print to standard error: "shuntctl: message", or with json the object {"error": {..., "exit_status": N}}. */
void failure_print(const struct failure *failure, bool json);
void failure_fini(struct failure *failure);

#endif
