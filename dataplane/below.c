/* SPDX-License-Identifier: BSD-3-Clause */
/* Joining and leaving the XDP program below. */
#include "below.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "adopt.h"
#include "clock.h"
#include "flow_map.h"
#include "hash.h"
#include "log.h"
#include "shunt_xdp.h"

#define DRAIN_NS 200000000ull /* at most; workers that run need less than a millisecond */
#define DRAIN_NAP_NS 50000

void below_init(struct below *b, const struct settings *s, struct afxdp *port, struct adopt *adopt)
{
	char name[IFNAMSIZ];

	/* As shuntd spells it: the BPF file system reserves dots. */
	snprintf(name, sizeof(name), "%s", s->afxdp);
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = ':';
	*b = (struct below){ .port = port, .adopt = adopt, .xsks = -1 };
	snprintf(b->flows_path, sizeof(b->flows_path), "%s/%s/flows", s->xdp_pin, name);
	snprintf(b->elder_path, sizeof(b->elder_path), "%s/%s/elder", s->xdp_pin, name);
	snprintf(b->xsks_path, sizeof(b->xsks_path), "%s/%s/xsks", s->xdp_pin, name);
	snprintf(b->owners_path, sizeof(b->owners_path), "%s/%s/owners", s->xdp_pin, name);
	snprintf(b->control_path, sizeof(b->control_path), "%s/%s/control", s->xdp_pin, name);
}

/* Why the port can't take frames: the first reason that is found in a beat is the one that is said. */
__attribute__((format(printf, 2, 3))) static void want(struct below *b, const char *format, ...)
{
	va_list args;

	if (b->why[0])
		return;
	va_start(args, format);
	vsnprintf(b->why, sizeof(b->why), format, args);
	va_end(args);
}

struct flow_file *below_flows(struct below *b, struct flow_file *in_use, const struct snapshot_header *snapshot)
{
	__u64 key_check = flow_key_check(snapshot->hash_key);
	struct flow_file *f;
	char why[200];

	if (in_use && in_use->header->key_check == key_check && in_use->map_id == flow_map_id(b->flows_path))
		return in_use;
	f = flow_map_open(b->flows_path, why, sizeof(why));
	if (!f) {
		want(b, "no flow table of shuntd's: %s", why);
		return NULL;
	}
	if (f->header->key_check == key_check) {
		log_info("flow table %s: that of the XDP program, for %llu flows", f->path,
			(unsigned long long)f->header->capacity);
		return f;
	}
	want(b, "its flow table is for another hash key");
	flow_file_close(f);
	return NULL;
}

struct flow_file *below_elder(struct below *b, struct flow_file *in_use, const struct snapshot_header *snapshot)
{
	__u32 id = flow_map_id(b->elder_path);
	struct flow_file *f;
	char why[200];

	if (in_use && in_use->map_id == id)
		return in_use;
	if (!id || id == b->no_elder_id)
		return NULL;
	f = flow_map_open(b->elder_path, why, sizeof(why));
	if (f && f->header->key_check == flow_key_check(snapshot->hash_key))
		return f;
	flow_file_close(f);
	b->no_elder_id = id;
	return NULL;
}

/* Version of the snapshot that the program works from. -1: there is none to be seen. */
static int program_version(const struct below *b, __u64 *version)
{
	int fd = bpf_obj_get(b->control_path);
	const struct xdp_control *control;

	if (fd < 0)
		return -1;
	control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (control == MAP_FAILED)
		return -1;
	*version = __atomic_load_n(&control->snapshot_version, __ATOMIC_RELAXED);
	munmap((void *)control, sizeof(*control));
	return 0;
}

bool below_may_sweep(const struct below *b)
{
	const struct snapshot_header *h = b->adopt->shared->generation->tables.header;
	__u64 version;

	return h && !program_version(b, &version) && version <= h->version;
}

/* Whether this process can do what the program does. */
static bool is_ready(struct below *b)
{
	const struct snapshot_header *h = b->adopt->shared->generation->tables.header;
	__u64 version;

	if (!h) {
		want(b, "no snapshot yet");
	} else if (program_version(b, &version)) {
		want(b, "no program of shuntd's: %s: %s", b->control_path, strerror(errno));
	} else if (version > h->version) {
		want(b, "the snapshot here is older than its");
	} else if (b->adopt->flows) {
		return true;
	}
	return false;
}

static void join(struct below *b)
{
	/* Before the map itself: one that takes its place meanwhile is seen to be another in the next beat. */
	__u32 xsks_id = flow_map_id(b->xsks_path);
	int xsks = bpf_obj_get(b->xsks_path), owners = bpf_obj_get(b->owners_path);

	if (xsks < 0 || owners < 0 || afxdp_join(b->port, xsks, owners)) {
		if (errno != EAGAIN)
			want(b, "its maps %s and %s: %s", b->xsks_path, b->owners_path, strerror(errno));
		if (xsks >= 0)
			close(xsks);
	} else {
		b->xsks = xsks;
		b->xsks_id = xsks_id;
		b->said[0] = 0;
		log_info("frames to VIPs come from the XDP program, which goes on alone should this process end");
	}
	if (owners >= 0)
		close(owners);
}

void below_beat(struct below *b)
{
	bool ready;

	b->why[0] = 0;
	if (b->xsks >= 0 && flow_map_id(b->xsks_path) != b->xsks_id)
		below_leave(b);
	adopt_follow_flows(b->adopt);
	ready = is_ready(b);
	/* A snapshot that is on its way here too is no reason to leave. */
	if (b->xsks >= 0)
		return;
	if (ready)
		join(b);
	if (b->xsks < 0 && b->why[0] && strcmp(b->why, b->said)) {
		strcpy(b->said, b->why);
		log_info("standing by, XDP forwards alone: %s", b->said);
	}
}

/* Returns whether it is drained. */
static bool wait_until_drained(const struct below *b, bool sent, __u64 until_ns)
{
	const struct timespec nap = { .tv_nsec = DRAIN_NAP_NS };

	while (!afxdp_is_drained(b->port, sent)) {
		if (clock_ns() > until_ns)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

/*
 * Wait until no processor is in a run of the program any more that began before: what it had for the sockets is in
 * their rings then. Kernels with CPUs set apart (nohz_full) have no membarrier() that waits for it, but all wait
 * when a map in a map is exchanged.
 */
static void wait_for_program(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	int inner, outer = -1;
	__u32 zero = 0;

	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return;
	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "shunt_wait", sizeof(zero), sizeof(zero), 1, NULL);
	options.inner_map_fd = (__u32)inner;
	if (inner >= 0)
		outer = bpf_map_create(
			BPF_MAP_TYPE_ARRAY_OF_MAPS, "shunt_wait", sizeof(zero), sizeof(zero), 1, &options);
	if (outer < 0 || bpf_map_update_elem(outer, &zero, &inner, BPF_ANY))
		log_warning("cannot wait for the XDP program: its last frames may be lost: %m");
	if (outer >= 0)
		close(outer);
	if (inner >= 0)
		close(inner);
}

void below_leave(struct below *b)
{
	__u64 until_ns;

	if (b->xsks < 0)
		return;
	afxdp_leave(b->port, b->xsks);
	wait_for_program();
	close(b->xsks);
	b->xsks = -1;
	until_ns = clock_ns() + DRAIN_NS;
	if (wait_until_drained(b, false, until_ns)) {
		adopt_wait_for_workers(b->adopt);
		if (wait_until_drained(b, true, until_ns))
			return;
	}
	log_warning("the last frames of the AF_XDP sockets were not dealt with in time");
}
