/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic.json in control.state: from which statistics segment the totals of VIPs and backends were read, and
 * the base of each, so that a shuntd that is started again counts on exactly. It need not be newer than the
 * bases are, and those change only with the segment: a total is its base plus what the segment says.
 */
#ifndef SHUNT_COUNTERS_FILE_H
#define SHUNT_COUNTERS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "stats.h"

/* Of a VIP or a backend. Sums are modulo 2^64: a base may be negative and the total is right all the same. */
struct counters_base {
	struct traffic traffic; /* total less what the segment said at the same time */
	bool used;              /* the id has had an object since the segment began */
};

struct counters_bases {
	uint64_t segment_started_ns; /* the segment they belong to: stats_header; 0: none yet */
	uint32_t segment_pid;
	struct counters_base vip[STATS_IDS]; /* by id */
	struct counters_base backend[STATS_IDS];
};

/* A failure is logged: it costs no more than totals that may jump at a restart. */
void counters_file_save(const char *path, const struct counters_bases *bases);
/* Take the file's bases if it is of this segment, and return whether it is. The ids in it count as used. */
bool counters_file_load(const char *path, const struct stats_header *segment, struct counters_bases *bases);

#endif
