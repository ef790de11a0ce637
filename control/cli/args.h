/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a command line to an invocation, by the table of commands.
 *
 * Options may stand before, between and after arguments, as "--name value" or "--name=value"; those of a
 * command after its words, global ones anywhere; "--" ends them.
 */
#ifndef SHUNTCTL_ARGS_H
#define SHUNTCTL_ARGS_H

#include "command.h"

/*
 * Fills *invocation in; what it holds is valid until args_fini(), also after a failure. With help or
 * version wanted, the rest of the line is not judged. Returns STATUS_DONE, or STATUS_USAGE with *failure set.
 */
enum status args_parse(int argc, const char *const *argv, struct invocation *invocation, struct failure *failure);
void args_fini(struct invocation *invocation);

/* The parameter of this name in an array (NULL: none), the name ending at length. NULL if there is none. */
const struct parameter *args_find(const struct parameter *parameters, const char *name, size_t length);

#endif
