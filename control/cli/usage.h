/* SPDX-License-Identifier: BSD-3-Clause */
/* Usage and help, from the table of commands. */
#ifndef SHUNTCTL_USAGE_H
#define SHUNTCTL_USAGE_H

#include <stdio.h>

#include "command.h"

/* All commands in one list, and the global options. */
void usage_print_overview(FILE *stream);
/* The help of one command. */
void usage_print_command(FILE *stream, const struct command *command);
/* The help of all commands whose first word this is. */
void usage_print_group(FILE *stream, const char *group);
/* One line, "usage: shuntctl vip add ADDR:PORT/PROTO --pool NAME". */
void usage_print_line(FILE *stream, const struct command *command);

#endif
