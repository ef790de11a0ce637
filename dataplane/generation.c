/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots are copied into memory on huge pages if it is to be had: workers look about in it at random. */
#include "generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshot_check.h"

#define HUGE (2u << 20)

/* Mappings of their own rather than malloc(): what is freed goes back to the system at once. */
static void *block_new(__u64 size)
{
	__u64 rounded = (size + HUGE - 1) & ~(__u64)(HUGE - 1), before, behind;
	char *map = mmap(NULL, rounded + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	before = (HUGE - ((__u64)map & (HUGE - 1))) & (HUGE - 1);
	behind = HUGE - before;
	if (before)
		munmap(map, before);
	if (behind)
		munmap(map + before + rounded, behind);
	(void)madvise(map + before, rounded, MADV_HUGEPAGE);
	return map + before;
}

static void block_free(void *block, __u64 size)
{
	munmap(block, (size + HUGE - 1) & ~(__u64)(HUGE - 1));
}

static int read_all(int fd, char *to, __u64 size)
{
	__u64 done = 0;

	while (done < size) {
		ssize_t n = pread(fd, to + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (__u64)n;
	}
	return 0;
}

struct generation *generation_new(void)
{
	return calloc(1, sizeof(struct generation));
}

struct generation *generation_read(int fd, __u64 size, char *why, size_t why_size)
{
	struct snapshot_fault fault = { "" };
	struct generation *g;

	if (size < sizeof(struct snapshot_header) || size > GENERATION_MAX_BYTES) {
		snprintf(why, why_size, "%llu bytes can't be a snapshot", (unsigned long long)size);
		return NULL;
	}
	g = generation_new();
	if (g)
		g->block = block_new(size);
	if (!g || !g->block) {
		snprintf(why, why_size, "no memory for %llu bytes", (unsigned long long)size);
		goto fail;
	}
	g->size = size;
	if (read_all(fd, g->block, size)) {
		snprintf(why, why_size, "cannot be read: %s", strerror(errno));
		goto fail;
	}
	if (snapshot_check(g->block, size, &fault)) {
		snprintf(why, why_size, "%s (%llu)", fault.what, (unsigned long long)fault.index);
		goto fail;
	}
	tables_open_snapshot(&g->tables, g->block);
	return g;

fail:
	generation_free(g);
	return NULL;
}

void generation_free(struct generation *g)
{
	if (g && g->block)
		block_free(g->block, g->size);
	free(g);
}
