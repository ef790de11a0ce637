/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests of shuntd share: small configurations and models. */
#ifndef SHUNT_UNIT_CONTROL_H
#define SHUNT_UNIT_CONTROL_H

#include "config.h"
#include "model.h"

/* What every configuration has to have. */
#define CONTROL_DPDK "dpdk: { port = \"net_null0\"; cores = \"1\"; };\n"

/* The configuration of this text; a wrong one ends the test program. */
struct config *control_parse(const char *text);

/* A model of this configuration, which is freed. */
struct model *control_model(const char *text);

/* Make the running set what the text says; the changes, one a line, to be freed. */
char *control_apply(struct model *model, const char *text, bool dry_run);

/* A pool's backend by the text of its address; NULL: none. */
struct backend *control_backend(struct model *model, const char *pool, const char *address);

/* A drain without a deadline, of the last one too. */
extern const struct drain_wish control_force;

/* All of a model's backends up, with a MAC each. */
void control_bring_up(struct model *model);

#endif
