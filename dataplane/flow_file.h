/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file of the flow table (core/flow_table.h): on a hugetlbfs mount if one has room, else in /dev/shm.
 * It outlives the process; the next one goes on with it. Main thread.
 */
#ifndef SHUNT_FLOW_FILE_H
#define SHUNT_FLOW_FILE_H

#include "flow_table.h"

struct flow_file {
	char path[512];
	struct flow_table_header *header;
	struct flow_bucket *buckets;
	__u64 size;  /* of file and mapping, in whole pages */
	int fd;	     /* holds the lock that keeps another process off */
	int read_fd; /* may only be mapped for reading: the one to give away; -1: none, shuntd has the table */
	__u32 map_id; /* of the BPF map that it is (flow_map.h) instead of a file; else 0 */
};

/*
 * Open the table of this name for the snapshot's capacity and key: the one that is there if it fits, else
 * a new one, after one log line that says why. One that doesn't fit goes when the new one is there, or before
 * if only that makes room. Returns NULL with a line logged on error.
 */
struct flow_file *flow_file_open(const char *name, const struct snapshot_header *snapshot);

/*
 * A new table of this name in place of the one that is open, which stays mapped for those who still use it
 * but is no longer the file. Returns NULL with a line logged on error, and nothing changed.
 */
struct flow_file *flow_file_replace(const char *name, const struct snapshot_header *snapshot);

/* Unmap; the file stays. f may be NULL. */
void flow_file_close(struct flow_file *f);

#endif
