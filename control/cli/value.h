/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kinds of values on the command line. Their form is judged here, so that a slip of the fingers is a usage
 * error even without a daemon; whether the daemon wants the value (range, known pool) is the daemon's to say.
 */
#ifndef SHUNTCTL_VALUE_H
#define SHUNTCTL_VALUE_H

#include <jansson.h>

enum value_kind {
	VALUE_FLAG, /* an option without a value: true */
	VALUE_TEXT,
	VALUE_POOL,	      /* a pool's name */
	VALUE_ADDRESS,	      /* of a backend */
	VALUE_SOURCE_ADDRESS, /* of this host */
	VALUE_SWITCH,	      /* on or off: true or false */
	VALUE_VIP,	      /* ADDR:PORT/PROTO */
	VALUE_ACCESS,	      /* an access list's name */
	VALUE_ACCESS_OR_NONE, /* the same, or "none": "" */
	VALUE_PREFIX,	      /* ADDR/LENGTH, or ADDR */
	VALUE_SOURCE,	      /* ADDR:PORT */
	VALUE_NUMBER,
	VALUE_BOUND,  /* a number, or "default": -1 */
	VALUE_TIME, /* with its unit, passed on as it is */
	VALUE_MAC,
	VALUE_CHOICE,	   /* one of some words */
	VALUE_FILE,	   /* that shuntctl uses */
	VALUE_DAEMON_FILE, /* that shuntd is to use: passed on with its whole path */
};

/*
 * The value as JSON for the daemon (a new reference), or NULL if the text has not the form of the kind.
 * choices: for VALUE_CHOICE, the words with "|" between them.
 */
json_t *value_parse(enum value_kind kind, const char *choices, const char *text);

/* What a value of the kind looks like, for errors: "a number", "an address, as 10.0.0.11 or 2001:db8::11". */
const char *value_form(enum value_kind kind);

#endif
