/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A generation: one validated snapshot in memory of its own, with the flow table it works on. Made by the
 * main thread, then only read; the workers use the one that worker_shared.generation points to.
 */
#ifndef SHUNT_GENERATION_H
#define SHUNT_GENERATION_H

#include <stddef.h>

#include "tables.h"

#define GENERATION_MAX_BYTES (4ULL << 30) /* of a snapshot: more can only be a mistake */

struct generation {
	struct tables tables; /* without what is a worker's own */
	__u64 number;	      /* of those in use one after the other: the memory of one may become that of another */
	void *block;
	__u64 size;
};

/* One without snapshot: all packets go to the kernel. NULL if there is no memory. */
struct generation *generation_new(void);

/*
 * Copy a snapshot of size bytes out of a file and check it. NULL on error, with a sentence in why. The
 * flow table is the caller's to put in.
 */
struct generation *generation_read(int fd, __u64 size, char *why, size_t why_size);

/* g may be NULL; nobody uses it any more. */
void generation_free(struct generation *g);

#endif
