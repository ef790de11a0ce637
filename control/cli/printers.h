/* SPDX-License-Identifier: BSD-3-Clause */
/* What rows of the table of commands name: how a result is shown to people, and what does more than one call. */
#ifndef SHUNTCTL_PRINTERS_H
#define SHUNTCTL_PRINTERS_H

#include "command.h"

void print_status(const struct invocation *invocation, const json_t *result);
void print_show(const struct invocation *invocation, const json_t *result);
void print_flows(const struct invocation *invocation, const json_t *result);
void print_access(const struct invocation *invocation, const json_t *result);
void print_explain(const struct invocation *invocation, const json_t *result);
void print_change(const struct invocation *invocation, const json_t *result); /* any command that only changes */
void print_reload(const struct invocation *invocation, const json_t *result);
void print_detach(const struct invocation *invocation, const json_t *result);
void print_check(const struct invocation *invocation, const json_t *result);

enum status counters_run(struct invocation *invocation, struct failure *failure);
enum status drain_run(struct invocation *invocation, struct failure *failure);
enum status events_run(struct invocation *invocation, struct failure *failure);
enum status save_run(struct invocation *invocation, struct failure *failure);
enum status help_run(struct invocation *invocation, struct failure *failure);

#endif
