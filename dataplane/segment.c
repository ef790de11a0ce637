/* SPDX-License-Identifier: BSD-3-Clause */
/* The statistics segment: a memfd, whose pages come into being where they are written to. */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define PAGE 4096u

int segment_open(struct segment *s, unsigned int workers, unsigned int ports)
{
	__u64 offset = (sizeof(struct stats_header) + PAGE - 1) & ~(__u64)(PAGE - 1);
	__u64 fragments;
	char path[64];
	void *map;
	int fd;

	fragments = (offset + workers * sizeof(struct stats_worker) + PAGE - 1) & ~(__u64)(PAGE - 1);
	s->size = fragments + FRAGMENT_BUCKETS * sizeof(struct fragment_bucket);
	s->fd = -1;
	fd = memfd_create("shunt-statistics", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)s->size)) {
		log_error("cannot make the statistics segment: %m");
		goto fail;
	}
	map = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		log_error("cannot map the statistics segment: %m");
		goto fail;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0) {
		log_error("cannot open the statistics segment for reading: %m");
		munmap(map, s->size);
		goto fail;
	}
	close(fd);
	s->header = map;
	s->workers = (struct stats_worker *)((char *)map + offset);
	s->fragments = (struct fragment_bucket *)((char *)map + fragments);
	*s->header = (struct stats_header){
		.abi = STATS_ABI,
		.pid = (__u32)getpid(),
		.size = s->size,
		.worker_off = offset,
		.fragments_off = fragments,
		.started_ns = clock_ns(),
		.n_workers = workers,
		.n_ports = ports,
	};
	__atomic_store_n(&s->header->magic, STATS_MAGIC, __ATOMIC_RELEASE);
	return 0;

fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

void segment_close(struct segment *s)
{
	munmap(s->header, s->size);
	close(s->fd);
}

static void populate(const void *first, const void *last)
{
	__u64 from = (__u64)first & ~(__u64)(PAGE - 1), to = ((__u64)last + PAGE - 1) & ~(__u64)(PAGE - 1);

	/* Best effort: kernels before 5.14 don't know it, and the first packet faults instead. */
	if (to > from)
		(void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
}

void segment_populate(struct segment *s, const struct snapshot_header *snapshot)
{
	const struct snapshot_vip *vips = (const void *)((const char *)snapshot + snapshot->vips_off);
	__u32 n_vips = 0;

	for (__u32 i = 0; i < snapshot->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].vip != SNAPSHOT_NONE && vips[i].vip >= n_vips)
			n_vips = vips[i].vip + 1u;
	populate(s->fragments, s->fragments + FRAGMENT_BUCKETS);
	for (__u32 w = 0; w < s->header->n_workers; w++) {
		struct stats_worker *worker = &s->workers[w];

		populate(worker, &worker->vip[n_vips]);
		populate(worker->backend, &worker->backend[snapshot->n_backends]);
		populate(worker->handshakes, &worker->handshakes[snapshot->n_backends]);
		populate(worker->guard, &worker->guard[n_vips]);
		populate(worker->rule, &worker->rule[snapshot->n_rules]);
	}
}

void segment_beat(struct segment *s)
{
	__atomic_store_n(&s->header->heartbeat_ns, clock_ns(), __ATOMIC_RELAXED);
}
