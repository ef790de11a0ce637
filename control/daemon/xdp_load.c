/* SPDX-License-Identifier: BSD-3-Clause */
/* From the skeleton to a set: sizes, which maps are used on, and what a refusal means. */
#include "xdp_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "shunt_xdp.skel.h"

#include "hash.h"
#include "maglev.h"
#include "xdp_system.h"

#define IDS_MIN 64	/* so few take no more than a page a CPU */
#define RULES_MIN 64
#define LINES_STEP 1024 /* a half grows by whole 64 KiB */
#define LARGE_MTU 3000	/* frames that fill more than a page, with what drivers put around them */

static bool frags_refused; /* by this kernel */

const __u8 *xdp_load_build_id(void)
{
	static union {
		__u8 byte[sizeof(((struct xdp_control *)0)->build_id)];
		__u64 word[3];
	} id;
	const __u8 *object;
	size_t size;

	if (id.word[0])
		return id.byte;
	object = shunt_xdp__elf_bytes(&size);
	/* FNV-1a, from three beginnings. */
	for (int i = 0; i < 3; i++) {
		__u64 hash = 0xcbf29ce484222325ULL + (__u64)i;

		for (size_t at = 0; at < size; at++)
			hash = (hash ^ object[at]) * 0x100000001b3ULL;
		id.word[i] = hash | 1;
	}
	return id.byte;
}

/* A power of two above every id. */
static uint32_t ids_of(const struct snapshot_header *snapshot)
{
	const struct snapshot_vip *vips = (const void *)((const char *)snapshot + snapshot->vips_off);
	uint32_t n = snapshot->n_backends, ids = IDS_MIN;

	for (uint32_t i = 0; i < snapshot->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].vip != SNAPSHOT_NONE && vips[i].vip >= n)
			n = vips[i].vip + 1u;
	while (ids < n)
		ids *= 2;
	return ids;
}

static uint32_t rules_of(const struct snapshot_header *snapshot)
{
	uint32_t rules = RULES_MIN;

	while (rules < snapshot->n_rules)
		rules *= 2;
	return rules;
}

/* Lines of a half with room to grow: a quarter more, and slots of the pools that have none while no server is up. */
static uint32_t roomy_lines(const struct snapshot_header *snapshot)
{
	const struct snapshot_pool *pools = (const void *)((const char *)snapshot + snapshot->pools_off);
	uint64_t size = snapshot->size + snapshot->size / 4;

	for (uint32_t i = 0; i < snapshot->n_pools; i++)
		if (pools[i].used && !pools[i].slot_count)
			size += MAGLEV_SLOTS * sizeof(__u16);
	return (xdp_lines(size) + LINES_STEP - 1) / LINES_STEP * LINES_STEP;
}

struct xdp_wants xdp_load_wants(const struct snapshot_header *snapshot, uint32_t mtu, uint32_t queues)
{
	return (struct xdp_wants){
		.half_lines = xdp_lines(snapshot->size),
		.roomy_lines = roomy_lines(snapshot),
		.ids = ids_of(snapshot),
		.rules = rules_of(snapshot),
		.n_cpus = (uint32_t)libbpf_num_possible_cpus(),
		.n_queues = queues,
		.frags = mtu > LARGE_MTU && !frags_refused,
		.capacity = snapshot->flow_capacity,
		.key_check = flow_key_check(snapshot->hash_key),
	};
}

/* What becomes of the flow tables. */
struct tables_plan {
	uint64_t capacity;
	int flows; /* descriptor of a map to use on; -1: a new one */
	int elder; /* likewise; -1: none */
	uint32_t n_elder_buckets;
};

static struct tables_plan plan_tables(const struct xdp_wants *wants, const struct xdp_set *old)
{
	struct tables_plan plan = { .capacity = wants->capacity, .flows = -1, .elder = -1 };
	bool has_elder;

	if (!old || !old->flows || old->flows->key_check != wants->key_check)
		return plan;
	has_elder = old->elder && !wants->without_elder;
	if (old->flows->capacity == wants->capacity || has_elder) {
		plan.capacity = old->flows->capacity;
		plan.flows = old->fd[XDP_MAP_FLOWS];
		if (has_elder) {
			plan.elder = old->fd[XDP_MAP_ELDER];
			plan.n_elder_buckets = old->elder->n_buckets;
		}
	} else {
		plan.elder = old->fd[XDP_MAP_FLOWS];
		plan.n_elder_buckets = old->flows->n_buckets;
	}
	return plan;
}

/* The sizes of all maps, into the object: as constants, as what shuntd finds later, and as max_entries. */
static int set_sizes(struct shunt_xdp *object, const struct xdp_wants *wants, const struct xdp_set *old,
	const struct tables_plan *plan)
{
	struct xdp_control *control = &object->data_control->control;
	uint32_t lines = wants->roomy_lines, rows;
	struct xdp_sizes sizes = {
		.n_buckets = flow_table_buckets(plan->capacity),
		.n_elder_buckets = plan->n_elder_buckets,
		.ids = wants->ids,
		.rules = wants->rules,
		.n_cpus = wants->n_cpus,
		.n_queues = wants->n_queues,
		.frags = wants->frags,
		.n_fragment_buckets = FRAGMENT_BUCKETS,
	};
	int result;

	/* The same number again, so that the counters' maps can be used on. */
	if (old && old->control && old->control->sizes.ids > sizes.ids)
		sizes.ids = old->control->sizes.ids;
	if (old && old->control && old->control->sizes.rules > sizes.rules)
		sizes.rules = old->control->sizes.rules;
	rows = (sizes.n_cpus + 1) * sizes.ids;
	memcpy((void *)&object->rodata->sizes, &sizes, sizeof(sizes));
	control->sizes = sizes;
	control->half_lines = lines;
	result = bpf_map__set_max_entries(object->maps.snapshot, lines * 2);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.flows, XDP_FLOW_HEADER_LINES + sizes.n_buckets);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.vip_stats, rows);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.backend_stats, rows);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.handshakes, rows);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.guard, rows);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.rules, (sizes.n_cpus + 1) * sizes.rules);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.active, sizes.ids);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.fragments, sizes.n_fragment_buckets);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.xsks, sizes.n_queues ? sizes.n_queues : 1);
	if (!result)
		result = bpf_map__set_max_entries(object->maps.owners, sizes.n_queues ? sizes.n_queues : 1);
	if (!result && sizes.frags)
		result = bpf_program__set_flags(object->progs.shunt_xdp, BPF_F_XDP_HAS_FRAGS);
	return result;
}

static void set_control(struct shunt_xdp *object, const struct xdp_set *old)
{
	struct xdp_control *control = &object->data_control->control;

	control->magic = XDP_CONTROL_MAGIC;
	control->abi = XDP_ABI;
	control->in_force = XDP_NO_SNAPSHOT;
	control->started_ns = control->last_beat_ns = xdp_system_now_ns();
	xdp_system_boot_id(control->boot_id);
	memcpy(control->build_id, xdp_load_build_id(), sizeof(control->build_id));
	if (!old || !old->control)
		return;
	control->started_ns = old->control->started_ns;
	if (old->control->sizes.ids != control->sizes.ids || old->control->sizes.rules != control->sizes.rules)
		control->carry_from = old->program_id;
}

/* Use the maps of old on that hold what must not be lost and have the size. */
static int reuse(struct shunt_xdp *object, const struct xdp_set *old, const struct tables_plan *plan)
{
	const struct xdp_sizes *sizes = &object->data_control->control.sizes;
	int result = 0;

	if (plan->flows >= 0)
		result = bpf_map__reuse_fd(object->maps.flows, plan->flows);
	if (!result && plan->elder >= 0)
		result = bpf_map__reuse_fd(object->maps.elder, plan->elder);
	if (result || !old || !old->control || old->control->sizes.n_cpus != sizes->n_cpus)
		return result;
	result = bpf_map__reuse_fd(object->maps.bss, old->fd[XDP_MAP_CPUS]);
	if (!result)
		result = bpf_map__reuse_fd(object->maps.held, old->fd[XDP_MAP_HELD]);
	if (!result && old->control->sizes.n_fragment_buckets == sizes->n_fragment_buckets)
		result = bpf_map__reuse_fd(object->maps.fragments, old->fd[XDP_MAP_FRAGMENTS]);
	if (!result && old->control->sizes.n_queues == sizes->n_queues && old->fd[XDP_MAP_XSKS] >= 0)
		result = bpf_map__reuse_fd(object->maps.xsks, old->fd[XDP_MAP_XSKS]);
	if (!result && old->control->sizes.n_queues == sizes->n_queues && old->fd[XDP_MAP_OWNERS] >= 0)
		result = bpf_map__reuse_fd(object->maps.owners, old->fd[XDP_MAP_OWNERS]);
	if (result || old->control->sizes.ids != sizes->ids || old->control->sizes.rules != sizes->rules)
		return result;
	result = bpf_map__reuse_fd(object->maps.vip_stats, old->fd[XDP_MAP_VIP_STATS]);
	if (!result)
		result = bpf_map__reuse_fd(object->maps.backend_stats, old->fd[XDP_MAP_BACKEND_STATS]);
	if (!result)
		result = bpf_map__reuse_fd(object->maps.handshakes, old->fd[XDP_MAP_HANDSHAKES]);
	if (!result)
		result = bpf_map__reuse_fd(object->maps.guard, old->fd[XDP_MAP_GUARD]);
	if (!result)
		result = bpf_map__reuse_fd(object->maps.rules, old->fd[XDP_MAP_RULES]);
	if (!result)
		result = bpf_map__reuse_fd(object->maps.active, old->fd[XDP_MAP_ACTIVE]);
	return result;
}

/* Bytes of the maps that will be made: all that is not small. */
static uint64_t bytes_of(const struct shunt_xdp *object, const struct tables_plan *plan)
{
	const struct xdp_control *control = &object->data_control->control;
	uint64_t rows = (control->sizes.n_cpus + 1ull) * control->sizes.ids;

	return control->half_lines * 2ull * XDP_LINE +
		rows *
		(2 * sizeof(struct stats_traffic) + sizeof(struct stats_handshakes) + sizeof(struct stats_guard)) +
		(control->sizes.n_cpus + 1ull) * control->sizes.rules * sizeof(__u64) +
		(plan->flows < 0 ? flow_table_size(plan->capacity) : 0);
}

static int explain(int result, const struct xdp_wants *wants, struct error *error)
{
	struct utsname kernel = { .release = "?" };

	if (result == -EPERM)
		return error_set(error, EPERM,
			"not permitted to load an XDP program: shuntd needs CAP_NET_ADMIN, CAP_BPF and "
			"CAP_PERFMON, outside any "
			"container or user namespace (before Linux 5.11 also LimitMEMLOCK=infinity)");
	/* Not E2BIG: that is what a verifier says that has walked too far. */
	if (result == -ENOMEM)
		return error_set(error, -result,
			"no memory for the XDP maps, of which the flow table takes %llu MB: lower "
			"flow_table.capacity",
			(unsigned long long)(flow_table_size(wants->capacity) >> 20));
	uname(&kernel);
	return error_set(error, -result, "Linux %s does not take shunt's XDP program (5.15 or later does): %s",
		kernel.release, *xdp_system_libbpf_said() ? xdp_system_libbpf_said() : strerror(-result));
}

static int copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Take descriptors of what was loaded; the object itself, with its image of every map, is not kept. */
static int take(struct xdp_set *set, const struct shunt_xdp *object)
{
	const struct bpf_map *const maps[XDP_MAPS] = {
		[XDP_MAP_CONTROL] = object->maps.data_control,
		[XDP_MAP_CPUS] = object->maps.bss,
		[XDP_MAP_SNAPSHOT] = object->maps.snapshot,
		[XDP_MAP_FLOWS] = object->maps.flows,
		[XDP_MAP_ELDER] = object->maps.elder,
		[XDP_MAP_VIP_STATS] = object->maps.vip_stats,
		[XDP_MAP_BACKEND_STATS] = object->maps.backend_stats,
		[XDP_MAP_HANDSHAKES] = object->maps.handshakes,
		[XDP_MAP_GUARD] = object->maps.guard,
		[XDP_MAP_RULES] = object->maps.rules,
		[XDP_MAP_ACTIVE] = object->maps.active,
		[XDP_MAP_FRAGMENTS] = object->maps.fragments,
		[XDP_MAP_OUT] = object->maps.out,
		[XDP_MAP_HELD] = object->maps.held,
		[XDP_MAP_XSKS] = object->maps.xsks,
		[XDP_MAP_OWNERS] = object->maps.owners,
	};
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	set->program = copy(bpf_program__fd(object->progs.shunt_xdp));
	if (set->program < 0 || bpf_obj_get_info_by_fd(set->program, &info, &size))
		return -errno;
	set->program_id = info.id;
	for (int i = 0; i < XDP_MAPS; i++) {
		set->fd[i] = copy(bpf_map__fd(maps[i]));
		if (set->fd[i] < 0)
			return -errno;
	}
	return 0;
}

/* Counts of flows stay what they are until the next sweep. */
static void copy_active(struct xdp_set *set, const struct xdp_set *old)
{
	uint64_t size;

	if (!old || !old->active || old->control->sizes.ids == set->control->sizes.ids)
		return;
	size = old->size[XDP_MAP_ACTIVE] < set->size[XDP_MAP_ACTIVE] ? old->size[XDP_MAP_ACTIVE]
								     : set->size[XDP_MAP_ACTIVE];
	memcpy(set->active, old->active, size);
}

static int load_object(struct shunt_xdp *object, const struct xdp_wants *wants, const struct xdp_set *old,
	struct xdp_set *set, struct error *error)
{
	struct tables_plan plan = plan_tables(wants, old);
	int result = set_sizes(object, wants, old, &plan);

	if (!result) {
		set_control(object, old);
		result = reuse(object, old, &plan);
	}
	if (!result) {
		result = xdp_system_check_memory(bytes_of(object, &plan), error);
		if (result)
			return result;
		result = shunt_xdp__load(object);
	}
	if (!result)
		result = take(set, object);
	if (!result && plan.flows < 0)
		result = xdp_set_format_flows(set, plan.capacity, wants->key_check);
	if (!result)
		result = xdp_set_map(set);
	if (!result)
		copy_active(set, old);
	return result ? explain(result, wants, error) : 0;
}

static struct xdp_set *load(
	const struct xdp_wants *wants, const struct xdp_set *old, int *result, struct error *error)
{
	struct xdp_set *set = xdp_set_new();
	struct shunt_xdp *object = shunt_xdp__open();

	if (!set || !object)
		*result = error_set(error, ENOMEM, "no memory to load the XDP program");
	else
		*result = load_object(object, wants, old, set, error);
	shunt_xdp__destroy(object);
	if (*result) {
		xdp_set_free(set);
		set = NULL;
	}
	return set;
}

struct xdp_set *xdp_load(
	const struct xdp_wants *wants, const struct xdp_set *old, int *result, struct error *error)
{
	struct xdp_wants modest = *wants;
	struct xdp_set *set;

	if (wants->n_cpus < 1 || wants->n_cpus >= XDP_MAX_CPUS) {
		*result = error_set(
			error, ENOTSUP, "the XDP path is for machines of less than %d CPUs", XDP_MAX_CPUS);
		return NULL;
	}
	xdp_system_forget();
	set = load(wants, old, result, error);
	/* Frames in several buffers came with Linux 5.18; without them the driver may refuse this MTU, and will
	 * say so. */
	if (!set && wants->frags && *result != -EPERM && *result != -ENOMEM) {
		modest.frags = false;
		set = load(&modest, old, result, error);
		frags_refused = set != NULL;
	}
	return set;
}
