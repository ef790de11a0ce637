/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP loader, against the kernel: in a network namespace of its own with a veth, and a BPF file system that
 * nobody else sees. Packets are BPF_PROG_TEST_RUN's, on the program that is pinned. Exit status 77 (skipped)
 * without root.
 */
#include "xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "shunt_xdp.h"
#include "snapshots.h"
#include "unit.h"

#define ROOT "/mnt" /* a BPF file system on it, in this process's view alone: several of this test may run */
#define PINS ROOT "/pins"
#define FOLDER PINS "/in0"
#define CAPACITY 4096

static const struct xdp_options options = { .interface = "in0", .pin_dir = PINS };
static struct error error;
static __u64 version;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of this thread's own: what others take of the processor meanwhile is not in it. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void run(const char *command)
{
	if (system(command))
		unit_note("failed: %s", command);
}

static void link_up(void)
{
	run("ip link add in0 type veth peer name out0 && ip link set in0 up && ip link set out0 up");
}

static void link_down(void)
{
	run("ip link del in0");
}

/* A snapshot of n backends with the next version. */
static void *snapshot(__u32 n, __u64 capacity, size_t *size)
{
	struct test_pool pool = { .n = n };
	struct snapshot_header *block = test_snapshot(&pool, size);

	block->version = ++version;
	block->flow_capacity = capacity;
	test_seal(block, *size);
	return block;
}

static int publish_of(struct xdp *x, __u32 n, __u64 capacity)
{
	size_t size;
	void *block = snapshot(n, capacity, &size);
	int result = xdp_publish(x, block, size, NULL, &error);

	free(block);
	if (result)
		unit_note("not in force: %s\n", error.text);
	return result;
}

static int publish(struct xdp *x)
{
	return publish_of(x, 5, CAPACITY);
}

static struct xdp *open_with(enum xdp_mode mode)
{
	struct xdp_options o = options;
	struct xdp *x = NULL;

	o.mode = mode;
	error.text[0] = '\0';
	if (xdp_open(&x, &o, &error))
		unit_note("xdp_open: %s", error.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x);
	return x;
}

static struct xdp *open_auto(void)
{
	return open_with(XDP_MODE_AUTO);
}

/* Id of the program on the interface, 0: none. */
static __u32 on_interface(void)
{
	__u32 id = 0;

	bpf_xdp_query_id((int)if_nametoindex("in0"), 0, &id);
	return id;
}

static int pinned_program(void)
{
	int fd = bpf_obj_get(FOLDER "/current/program");

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

/* One TCP packet through a program: the XDP action. */
static int send_to(int program, uint32_t client, uint16_t port, uint8_t flags, uint8_t *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_size_in = TEST_FRAME, .data_out = out, .data_size_out = 256,
		.repeat = 1);
	uint8_t frame[TEST_FRAME];

	test_tcp4(frame, client, port, flags);
	o.data_in = frame;
	CU_ASSERT_EQUAL_FATAL(bpf_prog_test_run_opts(program, &o), 0);
	return (int)o.retval;
}

/* Backends that these flows are on, by their MACs; each packet has to be forwarded. */
static void send_flows(uint8_t flags, unsigned n, struct mac *to)
{
	int program = pinned_program();
	uint8_t out[256];

	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(send_to(program, 0xc6336401 + i, (uint16_t)(1000 + i), flags, out), XDP_TX);
		memcpy(&to[i], out, sizeof(to[i]));
	}
	close(program);
}

static struct xdp_control *map_control(void)
{
	int fd = bpf_obj_get(FOLDER "/control");
	void *map = mmap(NULL, sizeof(struct xdp_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CU_ASSERT_FATAL(map != MAP_FAILED);
	close(fd);
	return map;
}

static void unmap_control(struct xdp_control *control)
{
	munmap(control, sizeof(*control));
}

static __u64 total_received(const struct xdp *x)
{
	struct xdp_worker w;
	__u64 sum = 0;

	for (__u32 i = 0; xdp_worker(x, i, &w); i++)
		sum += *w.received;
	return sum;
}

/* Packets of all backends or of all VIPs. */
static __u64 total(const struct xdp *x, bool of_vips)
{
	struct xdp_worker w;
	__u64 sum = 0;

	for (__u32 i = 0; xdp_worker(x, i, &w); i++)
		for (__u32 id = 0; id < w.n_ids; id++)
			sum += (of_vips ? w.vip : w.backend)[id].packets;
	return sum;
}

static unsigned entries_in(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	while (folder && (e = readdir(folder)))
		n += e->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return n;
}

static void nothing_is_left(void)
{
	CU_ASSERT_EQUAL(access(PINS, F_OK), -1);
	CU_ASSERT_EQUAL(on_interface(), 0);
}

static void detach(void)
{
	bool found;

	CU_ASSERT_EQUAL(xdp_detach(&options, &found, &error), 0);
	CU_ASSERT(found);
	nothing_is_left();
}

/* ---------------------------------------------------------------------------------------------------------------
 */

static void attaches_at_the_first_publication(void)
{
	struct xdp *x = open_auto();
	struct mac to[8];
	bool found;

	CU_ASSERT(!xdp_attached(x));
	CU_ASSERT_EQUAL(on_interface(), 0);
	CU_ASSERT_EQUAL(xdp_version(x), 0);
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT(xdp_native(x));
	CU_ASSERT(on_interface() != 0);
	CU_ASSERT_EQUAL(xdp_version(x), version);
	CU_ASSERT_EQUAL(xdp_stats(x)->snapshot_version, version);
	CU_ASSERT_PTR_NULL(xdp_warning(x));
	send_flows(TCP_SYN, 8, to);
	CU_ASSERT_EQUAL(total_received(x), 8);
	CU_ASSERT_EQUAL(total(x, true), 8);
	CU_ASSERT_EQUAL(total(x, false), 8);
	CU_ASSERT_EQUAL(xdp_release(x, &found, &error), 0);
	nothing_is_left();
	xdp_close(x);
}

static void one_that_never_attached_leaves_nothing(void)
{
	struct xdp *x = open_auto();

	CU_ASSERT_EQUAL(access(FOLDER, F_OK), 0);
	xdp_close(x);
	nothing_is_left();
}

static void goes_on_without_shuntd_and_is_taken_over(void)
{
	struct xdp *x = open_auto();
	struct mac before[64], after[64];
	__u64 started;
	__u32 id;

	CU_ASSERT_EQUAL(publish(x), 0);
	id = on_interface();
	started = xdp_stats(x)->started_ns;
	send_flows(TCP_ACK, 64, before);
	xdp_close(x);
	CU_ASSERT_EQUAL(on_interface(), id);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);

	x = open_auto();
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT(xdp_native(x));
	CU_ASSERT_EQUAL(xdp_version(x), version);
	CU_ASSERT_EQUAL(total_received(x), 128);
	CU_ASSERT_EQUAL(xdp_stats(x)->started_ns, started);
	/* Another pool, in which hashing alone would move flows: the program stays, and so do they. */
	CU_ASSERT_EQUAL(publish_of(x, 9, CAPACITY), 0);
	CU_ASSERT_EQUAL(on_interface(), id);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	xdp_close(x);
	detach();
}

static void grows_and_counts_on(void)
{
	struct xdp *x = open_auto();
	struct mac before[64], after[64];
	struct xdp_worker w;
	__u32 id;

	CU_ASSERT_EQUAL(publish(x), 0);
	id = on_interface();
	send_flows(TCP_ACK, 64, before);
	CU_ASSERT(xdp_worker(x, 0, &w));
	CU_ASSERT_EQUAL(w.n_ids, 64);
	/* More ids than there is room for. */
	CU_ASSERT_EQUAL(publish_of(x, 100, CAPACITY), 0);
	CU_ASSERT(on_interface() != id);
	CU_ASSERT(xdp_worker(x, 0, &w));
	CU_ASSERT_EQUAL(w.n_ids, 128);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	CU_ASSERT_EQUAL(total_received(x), 128);
	CU_ASSERT_EQUAL(total(x, true), 128);
	CU_ASSERT_EQUAL(total(x, false), 128);
	/* Again, and over a restart: nothing twice, nothing lost. */
	CU_ASSERT_EQUAL(publish_of(x, 300, CAPACITY), 0);
	xdp_close(x);
	x = open_auto();
	CU_ASSERT_EQUAL(publish_of(x, 600, CAPACITY), 0);
	CU_ASSERT_EQUAL(total(x, true), 128);
	CU_ASSERT_EQUAL(total(x, false), 128);
	CU_ASSERT_EQUAL(total_received(x), 128);
	xdp_close(x);
	detach();
}

/* Killed between the exchange of two programs and the sum of what the first counted. */
static void a_crash_while_growing_loses_no_counts(void)
{
	struct xdp *x = open_auto();
	struct xdp_control *control;
	struct bpf_prog_info info = { 0 };
	struct xdp_worker w;
	struct mac to[16];
	__u32 size = sizeof(info);
	char command[256];
	int program;

	CU_ASSERT_EQUAL(publish(x), 0);
	send_flows(TCP_ACK, 16, to);
	program = pinned_program();
	CU_ASSERT_EQUAL(bpf_obj_get_info_by_fd(program, &info, &size), 0);
	/* As it was before: the old set still pinned, the new one's row empty, and its note of what is to be done.
	 */
	snprintf(command, sizeof(command),
		"mkdir %s/keep && cd %s/current/ && for p in *; do ln $p %s/keep/ || exit; done", ROOT, FOLDER,
		ROOT);
	run(command);
	CU_ASSERT_EQUAL(publish_of(x, 100, CAPACITY), 0);
	snprintf(command, sizeof(command), "mv %s/keep %s/set-%u", ROOT, FOLDER, info.id);
	run(command);
	CU_ASSERT_EQUAL(total(x, true), 16);
	CU_ASSERT(xdp_worker(x, xdp_stats(x)->n_workers, &w));
	CU_ASSERT_EQUAL(w.core, UINT32_MAX);
	memset((void *)w.vip, 0, w.n_ids * sizeof(*w.vip));
	memset((void *)w.backend, 0, w.n_ids * sizeof(*w.backend));
	control = map_control();
	control->carry_from = info.id;
	xdp_close(x);
	x = open_auto();
	CU_ASSERT_EQUAL(control->carry_from, 0);
	unmap_control(control);
	CU_ASSERT_EQUAL(total(x, true), 16);
	CU_ASSERT_EQUAL(total(x, false), 16);
	snprintf(command, sizeof(command), "%s/set-%u", FOLDER, info.id);
	CU_ASSERT_EQUAL(access(command, F_OK), -1);
	xdp_close(x);
	close(program);
	detach();
}

static void a_newer_program_takes_the_place(void)
{
	struct xdp *x = open_auto();
	struct xdp_control *control;
	struct mac before[64], after[64];
	__u64 started;
	__u32 id;

	CU_ASSERT_EQUAL(publish(x), 0);
	send_flows(TCP_ACK, 64, before);
	id = on_interface();
	started = xdp_stats(x)->started_ns;
	xdp_close(x);
	control = map_control();
	control->build_id[3] ^= 1;
	unmap_control(control);
	x = open_auto();
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(on_interface(), id);
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(on_interface() != id && on_interface() != 0);
	CU_ASSERT_EQUAL(total_received(x), 64);
	CU_ASSERT_EQUAL(total(x, true), 64);
	CU_ASSERT_EQUAL(xdp_stats(x)->started_ns, started);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	xdp_close(x);
	detach();
}

static void another_layout_is_replaced_with_its_flows(void)
{
	struct xdp *x = open_auto();
	struct xdp_control *control;
	struct mac before[64], after[64];
	__u32 id;

	CU_ASSERT_EQUAL(publish(x), 0);
	send_flows(TCP_ACK, 64, before);
	id = on_interface();
	xdp_close(x);
	control = map_control();
	control->abi++;
	unmap_control(control);
	x = open_auto();
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(xdp_version(x), 0);
	CU_ASSERT_EQUAL(total_received(x), 0);
	xdp_tick(x);
	CU_ASSERT_EQUAL(on_interface(), id);
	/* In a pool of other size hashing alone would not find them. */
	CU_ASSERT_EQUAL(publish_of(x, 11, CAPACITY), 0);
	CU_ASSERT(on_interface() != id);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	CU_ASSERT_EQUAL(total_received(x), 64);
	xdp_close(x);
	detach();
}

static void another_capacity_keeps_the_flows(void)
{
	struct xdp *x = open_auto();
	struct mac before[64], after[64];
	const struct flow_table_header *header;
	const struct flow_bucket *buckets;
	__u32 n_buckets, id;

	CU_ASSERT_EQUAL(publish_of(x, 5, CAPACITY), 0);
	send_flows(TCP_ACK, 64, before);
	CU_ASSERT_EQUAL(publish_of(x, 11, CAPACITY * 4), 0);
	header = xdp_flows(x, &buckets, &n_buckets);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->capacity, CAPACITY * 4);
	CU_ASSERT_EQUAL(n_buckets, flow_table_buckets(CAPACITY * 4));
	id = on_interface();
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	/* All have moved by now: a sweep finds that the elder table is empty, and it goes. */
	for (int i = 0; i < 40 && on_interface() == id; i++) {
		usleep(100000);
		xdp_tick(x);
	}
	CU_ASSERT(on_interface() != id);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	CU_ASSERT_EQUAL(total(x, true), 192);
	xdp_close(x);
	detach();
}

/* A bucket of the pinned table of fragments, written or read. */
static void fragments(struct fragment_bucket *bucket, bool write)
{
	int fd = bpf_obj_get(FOLDER "/current/fragments");
	__u32 key = FRAGMENT_BUCKETS - 1;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(
		write ? bpf_map_update_elem(fd, &key, bucket, 0) : bpf_map_lookup_elem(fd, &key, bucket), 0);
	close(fd);
}

static void sweeps(void)
{
	__u32 tick = flow_tick(now_ns() / 1000000000);
	struct fragment_bucket datagrams = { 0 };
	struct xdp *x = open_auto();
	struct mac to[64];
	__u64 sweep = 0;

	CU_ASSERT_EQUAL(publish(x), 0);
	send_flows(TCP_SYN, 48, to);
	/* A dead one, and one that lives for a while. */
	datagrams.entry[0].claim = fragment_claim(1, 2, 3, (tick - 100) & FLOW_TICK_MASK);
	datagrams.entry[3].claim = fragment_claim(1, 2, 3, (tick + FLOW_TICK_SKEW - 1) & FLOW_TICK_MASK);
	fragments(&datagrams, true);
	for (int i = 0; i < 40 && !sweep; i++) {
		usleep(50000);
		xdp_tick(x);
		sweep = xdp_stats(x)->sweep;
	}
	CU_ASSERT_EQUAL(xdp_stats(x)->flows_active, 48);
	CU_ASSERT_EQUAL(xdp_stats(x)->flows_half_open, 48);
	fragments(&datagrams, false);
	CU_ASSERT_EQUAL(datagrams.entry[0].claim, 0);
	CU_ASSERT_NOT_EQUAL(datagrams.entry[3].claim, 0);
	xdp_close(x);
	detach();
}

/* However large the table, no call takes long: the event loop has other things to do. */
static void sweeps_ten_million_flows_in_slices(void)
{
	struct xdp *x = open_auto();
	struct flow_table_header *header;
	struct flow_bucket *buckets;
	const struct flow_bucket *shown;
	uint64_t longest_ns = 0, begun_ns, begun, ticks = 0;
	__u32 n;

	CU_ASSERT_EQUAL(publish_of(x, 5, 10000000), 0);
	header = (struct flow_table_header *)xdp_flows(x, &shown, &n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	buckets = (struct flow_bucket *)shown;
	for (__u32 i = 0; i < n; i++)
		for (__u32 w = 0; w < FLOW_BUCKET_WORDS; w += 2)
			buckets[i].word[w] =
				flow_word(i | 1, i % 5, FLOW_ESTABLISHED, flow_tick(now_ns() / 1000000000));
	begun = now_ns();
	while (!xdp_stats(x)->flows_active && ticks < 30000) {
		usleep(10000);
		begun_ns = cpu_ns();
		xdp_tick(x);
		if (cpu_ns() - begun_ns > longest_ns)
			longest_ns = cpu_ns() - begun_ns;
		ticks++;
	}
	CU_ASSERT_EQUAL(xdp_stats(x)->flows_active, n * 4ull);
	CU_ASSERT(longest_ns < 100000000);
	unit_note("%u flows, %u ticks, %u ms in all, at most %u us a tick\n", n * 4, (unsigned)ticks,
		(unsigned)((now_ns() - begun) / 1000000), (unsigned)(longest_ns / 1000));
	xdp_close(x);
	detach();
}

static int load_foreign(void)
{
	const struct bpf_insn pass[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT } };

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", pass, 2, NULL);
}

static void a_foreign_program_stays(void)
{
	struct xdp *x = open_auto();
	int foreign = load_foreign();
	__u32 id;

	CU_ASSERT_EQUAL(bpf_xdp_attach((int)if_nametoindex("in0"), foreign, 0, NULL), 0);
	id = on_interface();
	CU_ASSERT_EQUAL(publish(x), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "foreign"));
	CU_ASSERT_EQUAL(on_interface(), id);
	CU_ASSERT(!xdp_attached(x));
	CU_ASSERT(xdp_pending(x));
	CU_ASSERT_EQUAL(entries_in(FOLDER), 0);
	/* Once it is off, the same snapshot comes into force by itself. */
	CU_ASSERT_EQUAL(bpf_xdp_detach((int)if_nametoindex("in0"), 0, NULL), 0);
	for (int i = 0; i < 40 && !xdp_attached(x); i++) {
		usleep(50000);
		xdp_tick(x);
	}
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(xdp_version(x), version);
	xdp_close(x);
	close(foreign);
	detach();
}

static void tick_until(struct xdp *x, bool attached)
{
	for (int i = 0; i < 60 && xdp_attached(x) != attached; i++) {
		usleep(50000);
		xdp_tick(x);
	}
	CU_ASSERT_EQUAL(xdp_attached(x), attached);
}

static void the_interface_comes_and_goes(void)
{
	struct mac before[64], after[64];
	struct xdp *x;

	link_down();
	x = open_auto();
	CU_ASSERT_EQUAL(publish(x), -ENODEV);
	CU_ASSERT(xdp_pending(x));
	CU_ASSERT_PTR_NOT_NULL(xdp_warning(x));
	link_up();
	tick_until(x, true);
	send_flows(TCP_ACK, 64, before);
	link_down();
	tick_until(x, false);
	CU_ASSERT_EQUAL(publish_of(x, 11, CAPACITY), -ENODEV);
	link_up();
	tick_until(x, true);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	/* It goes while there is no shuntd. */
	xdp_close(x);
	link_down();
	x = open_auto();
	CU_ASSERT(!xdp_attached(x));
	link_up();
	CU_ASSERT_EQUAL(publish_of(x, 12, CAPACITY), 0);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	xdp_close(x);
	detach();
}

static void half_written_pins(void)
{
	struct xdp *x = open_auto();
	struct mac to[8];
	__u32 id;

	/* Nothing attached: what lies about goes. */
	xdp_close(x);
	run("mkdir -p " FOLDER "/set-999999 && ln -s set-7 " FOLDER "/current && ln -s current/flows " FOLDER
	    "/flows");
	x = open_auto();
	CU_ASSERT_EQUAL(entries_in(FOLDER), 0);
	CU_ASSERT_EQUAL(publish(x), 0);
	id = on_interface();
	xdp_close(x);
	/* Attached, with leftovers of a set that never came into use, and of names half exchanged. */
	run("mkdir " FOLDER "/set-999999 && ln " FOLDER "/current/flows " FOLDER
	    "/set-999999/flows && ln -s x " FOLDER "/lead-new && ln " FOLDER "/link " FOLDER "/link-new");
	x = open_auto();
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(access(FOLDER "/set-999999", F_OK), -1);
	CU_ASSERT_EQUAL(access(FOLDER "/link-new", F_OK), -1);
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT_EQUAL(on_interface(), id);
	xdp_close(x);
	/* Killed after another set came into use, before "current" led there; and before a link had its name. */
	run("rm " FOLDER "/current && ln -s set-7 " FOLDER "/current && mv " FOLDER "/link " FOLDER "/link-new");
	x = open_auto();
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(on_interface(), id);
	CU_ASSERT_EQUAL(access(FOLDER "/link", F_OK), 0);
	CU_ASSERT_EQUAL(access(FOLDER "/link-new", F_OK), -1);
	send_flows(TCP_ACK, 8, to);
	xdp_close(x);
	/* A map is missing: replaced in one step. */
	run("rm " FOLDER "/current/backend_stats");
	x = open_auto();
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(on_interface() != 0 && on_interface() != id);
	send_flows(TCP_ACK, 8, to);
	xdp_close(x);
	/* The link is something else: the program in use has lost its pin, and so was taken off by the kernel. */
	run("rm " FOLDER "/link && ln " FOLDER "/current/flows " FOLDER "/link");
	for (int i = 0; i < 1000 && on_interface(); i++)
		usleep(10000);
	x = open_auto();
	CU_ASSERT(!xdp_attached(x));
	CU_ASSERT_EQUAL(publish(x), 0);
	xdp_close(x);
	detach();
}

static void taken_off_and_on_by_command(void)
{
	struct xdp *x = open_auto();
	struct mac before[64], after[64];
	bool found;

	CU_ASSERT_EQUAL(publish(x), 0);
	send_flows(TCP_ACK, 64, before);
	CU_ASSERT_EQUAL(xdp_release(x, &found, &error), 0);
	nothing_is_left();
	xdp_tick(x);
	CU_ASSERT_EQUAL(publish(x), -ESHUTDOWN);
	CU_ASSERT_PTR_NOT_NULL(xdp_warning(x));
	nothing_is_left();
	xdp_resume(x);
	CU_ASSERT_EQUAL(publish_of(x, 11, CAPACITY), 0);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	xdp_close(x);
	detach();
}

static void want_of_descriptors_takes_nothing_off(void)
{
	struct rlimit before, few;
	struct xdp *x = open_auto();
	struct mac flows[64], after[64];
	bool stayed = true;
	__u32 id;

	CU_ASSERT_EQUAL(publish(x), 0);
	send_flows(TCP_ACK, 64, flows);
	id = on_interface();
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	for (int i = 0; i < 30; i++) {
		usleep(50000);
		xdp_tick(x);
		stayed &= xdp_attached(x) && xdp_index(x);
	}
	setrlimit(RLIMIT_NOFILE, &before);
	CU_ASSERT(stayed);
	CU_ASSERT_EQUAL(on_interface(), id);
	xdp_close(x);
	/* Whatever it lacks one for at its start. */
	for (x = NULL; !x && few.rlim_cur < 64; few.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &few);
		if (xdp_open(&x, &options, &error))
			x = NULL;
		setrlimit(RLIMIT_NOFILE, &before);
		CU_ASSERT_EQUAL_FATAL(on_interface(), id);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(x);
	CU_ASSERT(xdp_attached(x));
	CU_ASSERT_EQUAL(publish_of(x, 9, CAPACITY), 0);
	CU_ASSERT_EQUAL(on_interface(), id);
	send_flows(TCP_ACK, 64, after);
	CU_ASSERT_EQUAL(memcmp(flows, after, sizeof(flows)), 0);
	xdp_close(x);
	detach();
}

static void two_at_once_are_refused(void)
{
	struct xdp *x = open_auto(), *y = NULL;
	bool found;

	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT_EQUAL(xdp_open(&y, &options, &error), -EBUSY);
	CU_ASSERT_EQUAL(xdp_detach(&options, &found, &error), -EBUSY);
	CU_ASSERT(on_interface() != 0);
	xdp_close(x);
	detach();
	CU_ASSERT_EQUAL(xdp_detach(&options, &found, &error), 0);
	CU_ASSERT(!found);
}

static void modes(void)
{
	struct xdp *x = open_with(XDP_MODE_GENERIC);

	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(xdp_attached(x) && !xdp_native(x));
	CU_ASSERT_PTR_NOT_NULL(xdp_warning(x));
	xdp_close(x);
	/* In auto it stays what it was; asked for by name it becomes that. */
	x = open_auto();
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(!xdp_native(x));
	xdp_close(x);
	x = open_with(XDP_MODE_NATIVE);
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(xdp_native(x));
	xdp_close(x);
	detach();
	/* An MTU that native mode takes only in several buffers. */
	run("ip link set in0 mtu 9000 && ip link set out0 mtu 9000");
	x = open_auto();
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(xdp_attached(x) && xdp_native(x));
	xdp_close(x);
	detach();
	run("ip link set in0 mtu 1500 && ip link set out0 mtu 1500");
}

/* A BPF file system has no names with dots. */
static void an_interface_with_a_dot_in_its_name(void)
{
	struct xdp_options o = options;
	struct xdp *x = NULL;
	size_t size;
	void *block = snapshot(5, CAPACITY, &size);
	bool found;

	o.interface = "in0.100";
	run("ip link set in0 down && ip link set in0 name in0.100 && ip link set in0.100 up");
	CU_ASSERT_EQUAL_FATAL(xdp_open(&x, &o, &error), 0);
	CU_ASSERT_EQUAL(xdp_publish(x, block, size, NULL, &error), 0);
	CU_ASSERT_EQUAL(access(PINS "/in0:100/flows", F_OK), 0);
	xdp_close(x);
	CU_ASSERT_EQUAL(xdp_detach(&o, &found, &error), 0);
	CU_ASSERT(found);
	run("ip link set in0.100 down && ip link set in0.100 name in0 && ip link set in0 up");
	free(block);
	nothing_is_left();
}

/* As "ip link show" has it. */
static bool has_allmulticast(void)
{
	struct ifreq request = { .ifr_name = "in0" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CU_ASSERT_EQUAL(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	close(fd);
	return request.ifr_flags & IFF_ALLMULTI;
}

/* The test's snapshot without its IPv6 VIPs. */
static void publish_ipv4_only(struct xdp *x)
{
	size_t size;
	struct snapshot_header *block = snapshot(5, CAPACITY, &size);
	struct snapshot_vip *vips = (struct snapshot_vip *)((char *)block + block->vips_off);

	for (__u32 i = 0; i < block->vip_index_size; i++)
		if (!addr_is_ipv4(vips[i].addr))
			vips[i] = (struct snapshot_vip){ 0 };
	test_seal(block, size);
	CU_ASSERT_EQUAL(xdp_publish(x, block, size, NULL, &error), 0);
	free(block);
}

static void lets_multicast_in_for_ipv6_vips(void)
{
	struct xdp *x = open_auto();
	bool found;

	CU_ASSERT(!has_allmulticast());
	publish_ipv4_only(x);
	CU_ASSERT(!has_allmulticast());
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT(has_allmulticast());
	publish_ipv4_only(x);
	CU_ASSERT(!has_allmulticast());
	CU_ASSERT_EQUAL(publish_of(x, 5, 2 * CAPACITY), 0); /* which is another set of maps */
	xdp_close(x);
	CU_ASSERT(has_allmulticast());
	x = open_auto();
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT_EQUAL(xdp_release(x, &found, &error), 0);
	CU_ASSERT(!has_allmulticast());
	xdp_resume(x);
	CU_ASSERT_EQUAL(publish(x), 0);
	xdp_close(x);
	CU_ASSERT(has_allmulticast());
	detach();
	CU_ASSERT(!has_allmulticast());
}

static void allmulticast_that_was_set_before_stays(void)
{
	struct xdp *x = open_auto();

	run("ip link set in0 allmulticast on");
	CU_ASSERT_EQUAL(publish(x), 0);
	publish_ipv4_only(x);
	CU_ASSERT(has_allmulticast());
	CU_ASSERT_EQUAL(publish(x), 0);
	xdp_close(x);
	detach();
	CU_ASSERT(has_allmulticast());
	run("ip link set in0 allmulticast off");
}

/* The mark of an interface that is gone is not one of the next of this name. */
static void allmulticast_of_an_interface_that_comes_back(void)
{
	struct xdp *x = open_auto();

	CU_ASSERT_EQUAL(publish(x), 0);
	xdp_close(x);
	link_down();
	link_up();
	run("ip link set in0 allmulticast on");
	x = open_auto();
	CU_ASSERT_EQUAL(publish(x), 0);
	xdp_close(x);
	detach();
	CU_ASSERT(has_allmulticast());
	run("ip link set in0 allmulticast off");
}

static void places_that_will_not_do(void)
{
	struct xdp_options o = options;
	struct xdp *x = NULL;

	o.pin_dir = "/tmp/shunt-nothing";
	CU_ASSERT_EQUAL(xdp_open(&x, &o, &error), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "mount -t bpf"));
	CU_ASSERT_EQUAL(access(o.pin_dir, F_OK), -1);
	o.pin_dir = ROOT "/a.b";
	CU_ASSERT(xdp_open(&x, &o, &error) < 0);
	o.pin_dir = "pins";
	CU_ASSERT_EQUAL(xdp_open(&x, &o, &error), -EINVAL);
	o = options;
	o.interface = "a/b";
	CU_ASSERT_EQUAL(xdp_open(&x, &o, &error), -EINVAL);
	CU_ASSERT_PTR_NULL(x);
	nothing_is_left();
}

static void a_flow_table_too_large_changes_nothing(void)
{
	struct xdp *x = open_auto();
	__u32 id;

	CU_ASSERT_EQUAL(publish(x), 0);
	id = on_interface();
	CU_ASSERT_EQUAL(publish_of(x, 5, 500000000000ull / 16), -ENOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "flow_table.capacity"));
	CU_ASSERT_EQUAL(on_interface(), id);
	CU_ASSERT_EQUAL(publish(x), 0);
	CU_ASSERT_EQUAL(on_interface(), id);
	xdp_close(x);
	detach();
}

/* A place where all this can be tried: gone with this process. */
static int make_world(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("bpf", ROOT, "bpf", 0, NULL))
		return -1;
	/* Neighbour discovery would be counted, too. */
	run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	link_up();
	return 0;
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "attaches at the first publication", attaches_at_the_first_publication },
		{ "one that never attached leaves nothing", one_that_never_attached_leaves_nothing },
		{ "goes on without shuntd and is taken over", goes_on_without_shuntd_and_is_taken_over },
		{ "grows and counts on", grows_and_counts_on },
		{ "a crash while growing loses no counts", a_crash_while_growing_loses_no_counts },
		{ "a newer program takes the place", a_newer_program_takes_the_place },
		{ "another layout is replaced with its flows", another_layout_is_replaced_with_its_flows },
		{ "another capacity keeps the flows", another_capacity_keeps_the_flows },
		{ "sweeps", sweeps },
		{ "sweeps ten million flows in slices", sweeps_ten_million_flows_in_slices },
		{ "a foreign program stays", a_foreign_program_stays },
		{ "the interface comes and goes", the_interface_comes_and_goes },
		{ "half-written pins", half_written_pins },
		{ "taken off and on by command", taken_off_and_on_by_command },
		{ "want of descriptors takes nothing off", want_of_descriptors_takes_nothing_off },
		{ "two at once are refused", two_at_once_are_refused },
		{ "modes", modes },
		{ "an interface with a dot in its name", an_interface_with_a_dot_in_its_name },
		{ "lets multicast in for IPv6 VIPs", lets_multicast_in_for_ipv6_vips },
		{ "allmulticast that was set before stays", allmulticast_that_was_set_before_stays },
		{ "allmulticast of an interface that comes back", allmulticast_of_an_interface_that_comes_back },
		{ "places that will not do", places_that_will_not_do },
		{ "a flow table too large changes nothing", a_flow_table_too_large_changes_nothing },
		{ NULL },
	};

	if (geteuid() != 0 || make_world()) {
		fprintf(stderr, "needs root, and namespaces of its own\n");
		return 77;
	}
	log_init("test");
	return unit_run("xdp", tests);
}
