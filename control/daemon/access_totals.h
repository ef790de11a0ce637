/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Totals of what access lists' rules decided, over restarts of forwarders and of shuntd: kept in the rules, which the
 * state file has. One thread.
 */
#ifndef SHUNT_ACCESS_TOTALS_H
#define SHUNT_ACCESS_TOTALS_H

#include "forwarder.h"
#include "model.h"
#include "publish.h"

struct access_totals;

/* model, publisher: the caller's, outlive it. NULL: no memory. */
struct access_totals *access_totals_open(struct model *model, const struct publisher *publisher);
void access_totals_close(struct access_totals *totals);

/* The forwarder came up, perhaps with other memory than before, in which all counters are 0 at first. */
void access_totals_begin(struct access_totals *totals, const struct forwarder *forwarder);
/* Read what those count that are up. With 100,000 rules about a millisecond for each worker. */
void access_totals_read(struct access_totals *totals);

#endif
