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
 * Open the table of this name for the snapshot's key: the one that is there if it fits, else a new one, after one log
 * line that says why. One that is of another capacity is followed by a new one and is in *elder then, as is one that was
 * followed before; else *elder is NULL. Where there is an elder already, or no room for both, the one in use
 * keeps its capacity. Returns NULL with a line logged on error.
 */
struct flow_file *flow_file_open(const char *name, const struct snapshot_header *snapshot, struct flow_file **elder);

/*
 * A new table of this name for the snapshot's capacity, after the one that is open, which becomes the elder: its
 * file is by another name then. Returns NULL with a line logged if there is no room for both, and nothing changed.
 */
struct flow_file *flow_file_succeed(struct flow_file *old, const char *name, const struct snapshot_header *snapshot);

/* Log that the snapshot's capacity waits until the elder table is out of use. */
void flow_file_say_waiting(const struct flow_file *now, const struct snapshot_header *snapshot);

/*
 * A new table of this name in place of the one that is open and of its elder, which stay mapped for those who still
 * use them but are no longer files. Returns NULL with a line logged on error, and nothing changed.
 */
struct flow_file *flow_file_replace(const char *name, const struct snapshot_header *snapshot);

/* Unmap; the file stays. f may be NULL. */
void flow_file_close(struct flow_file *f);

/* Unmap, and remove the file. */
void flow_file_remove(struct flow_file *f);

#endif
