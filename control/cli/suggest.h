/* SPDX-License-Identifier: BSD-3-Clause */
/* What somebody may have meant who mistyped a command, an option or one of some words. */
#ifndef SHUNTCTL_SUGGEST_H
#define SHUNTCTL_SUGGEST_H

#include "command.h"

/* STATUS_USAGE, with a failure that says what there is instead. group: the first word, NULL if `word` is it.
 * word: NULL if the second word is missing. */
enum status suggest_unknown_command(struct failure *failure, const char *group, const char *word);

/* The nearest option of a command (NULL: of none) and the global ones, NULL if none is near. */
const char *suggest_option(const struct command *command, const char *text, size_t length);

/* The start of the nearest word within "a|b|c", NULL if none is near. */
const char *suggest_choice(const char *choices, const char *text);

#endif
