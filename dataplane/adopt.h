/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking up snapshots: received ones, and the one kept in run_dir when the process starts. A snapshot is
 * adopted whole or refused whole. Main thread.
 */
#ifndef SHUNT_ADOPT_H
#define SHUNT_ADOPT_H

#include <stdbool.h>

#include "below.h"
#include "flow_file.h"
#include "segment.h"
#include "settings.h"
#include "worker.h"

struct adopt {
	struct worker_shared *shared;
	struct segment *segment;
	struct below *below;	 /* of an AF_XDP port, whose flow table is that of the XDP program; else NULL */
	struct flow_file *flows; /* NULL until the first snapshot, and when there is no room for one */
	struct flow_file *elder; /* the one before, of another capacity, while flows are left in it; else NULL */
	struct source_bucket *sources; /* SOURCE_BUCKETS, this process's own; NULL: no memory for them */
	bool flows_changed;	 /* whoever maps the tables has to be told; cleared by the teller */
	char flow_name[300];	 /* of the flow table's file */
	char kept_path[300];	 /* of the kept snapshot */
	bool keep_due;
	bool keep_failed;	/* when it was last tried */
	__u64 keep_after_s;	/* not to be tried again before */
	__u64 capacity_said; /* a capacity that can't be had yet, which was logged */
};

/* shared->generation becomes one without snapshot. Returns 0, or -1 with a line logged. */
int adopt_init(struct adopt *a, const struct settings *s, struct worker_shared *shared, struct segment *segment);

/* Whether the tables of the XDP program below are others by now: then they are those in use. For AF_XDP ports. */
void adopt_follow_flows(struct adopt *a);

/* Nothing is left in the elder table: go on without. A change of capacity that waited for that is made now. */
void adopt_drop_elder(struct adopt *a);

/* Wait until every worker has been through its loop once more. */
void adopt_wait_for_workers(const struct adopt *a);

/* Workers have stopped. Writes the kept snapshot if that is due. */
void adopt_fini(struct adopt *a);

/* Adopt the kept snapshot, if there is one; before the workers start. A bad one is logged and left alone. */
void adopt_kept(struct adopt *a);

/*
 * Adopt a snapshot that came as a sealed memfd, which stays the caller's. Returns 0 once every worker
 * works from it; or -1 with one line in why and the old snapshot in force.
 */
int adopt_received(struct adopt *a, int fd, __u64 size, __u64 version, char *why, size_t why_size);

/*
 * Write the snapshot in force to run_dir if that has not been done yet; after a failure, which is logged
 * once, not before a second has passed.
 */
void adopt_keep(struct adopt *a);

#endif
