/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic.json in control.state: from which forwarders' segments the totals of VIPs and backends were read, and
 * the base of each, so that a shuntd that is started again counts on exactly. It need not be newer than the
 * bases are, and those change only with the segments: a total is its base plus what the segments say.
 */
#ifndef SHUNT_COUNTERS_FILE_H
#define SHUNT_COUNTERS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "forwarder.h"
#include "model.h"
#include "stats.h"

/* Of a VIP or a backend. Sums are modulo 2^64: a base may be negative and the total is right all the same. */
struct counters_base {
	struct traffic traffic; /* total less what the segments said at the same time */
	bool used;              /* the id has had an object since the segments began */
};

struct counters_bases {
	struct forwarder_segment segment[FORWARDER_KINDS];
	struct counters_base vip[STATS_IDS]; /* by id */
	struct counters_base backend[STATS_IDS];
};

/* A failure is logged: it costs no more than totals that may jump at a restart. */
void counters_file_save(const char *path, const struct counters_bases *bases);
/* What the file has, into zeroed bases: nothing if there is none. The ids in it count as used. */
void counters_file_load(const char *path, struct counters_bases *bases);

#endif
