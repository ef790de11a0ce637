/* SPDX-License-Identifier: BSD-3-Clause */
/* A program's maps as memory: opened, judged, filled with a snapshot. */
#include "xdp_set.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xdp_load.h"
#include "xdp_pin.h"
#include "xdp_system.h"

#define PAGE 4096u

struct xdp_set *xdp_set_new(void)
{
	struct xdp_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->program = -1;
	set->drained = true;
	for (int i = 0; i < XDP_MAPS; i++)
		set->fd[i] = -1;
	return set;
}

void xdp_set_free(struct xdp_set *set)
{
	if (!set)
		return;
	for (int i = 0; i < XDP_MAP_MAPPED; i++)
		if (set->memory[i])
			munmap(set->memory[i], set->size[i]);
	for (int i = 0; i < XDP_MAPS; i++)
		if (set->fd[i] >= 0)
			close(set->fd[i]);
	if (set->program >= 0)
		close(set->program);
	free(set);
}

/* Bytes of a map's entries, as long as they lie in its memory. */
static uint64_t entry_size(const struct bpf_map_info *info)
{
	return (info->value_size + 7ull) & ~7ull;
}

/* Map one, if it has entries of this size: *entries, or -errno. */
static int map_one(struct xdp_set *set, enum xdp_map i, uint32_t value_size, uint32_t *entries)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	void *memory;

	if (set->fd[i] < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(set->fd[i], &info, &size))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != value_size || !(info.map_flags & BPF_F_MMAPABLE))
		return -EPROTO;
	set->size[i] = (info.max_entries * entry_size(&info) + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	memory = mmap(NULL, set->size[i], PROT_READ | PROT_WRITE, MAP_SHARED, set->fd[i], 0);
	if (memory == MAP_FAILED)
		return -errno;
	set->memory[i] = memory;
	*entries = info.max_entries;
	return 0;
}

/* A flow table in a map: its header, or NULL if it is none, or not whole. n_buckets: 0 for whatever it says. */
static struct flow_table_header *judge_table(struct xdp_set *set, enum xdp_map i, uint32_t n_buckets)
{
	struct flow_table_header *header;
	uint32_t entries;

	if (!set->memory[i] && map_one(set, i, sizeof(struct flow_bucket), &entries))
		return NULL;
	header = set->memory[i];
	if (set->size[i] < FLOW_TABLE_HEADER_SIZE || header->magic != FLOW_TABLE_MAGIC ||
		header->abi != FLOW_TABLE_ABI || header->header_size != FLOW_TABLE_HEADER_SIZE ||
		header->n_buckets > (set->size[i] - FLOW_TABLE_HEADER_SIZE) / sizeof(struct flow_bucket))
		return NULL;
	return !n_buckets || header->n_buckets == n_buckets ? header : NULL;
}

static bool are_sizes_sane(const struct xdp_control *control)
{
	const struct xdp_sizes *sizes = &control->sizes;

	return sizes->ids && !(sizes->ids & (sizes->ids - 1)) && sizes->ids <= STATS_IDS && sizes->n_cpus &&
		sizes->n_cpus < XDP_MAX_CPUS && sizes->rules && sizes->rules <= SNAPSHOT_MAX_RULES && control->half_lines && control->half_lines <= UINT32_MAX / 2 &&
		(control->in_force < 2 || control->in_force == XDP_NO_SNAPSHOT);
}

/* Whether a half that is said to be in force holds a block that fits into it. */
static bool is_half_sane(const struct xdp_control *control, const struct xdp_line *lines)
{
	const struct snapshot_header *header;

	if (control->in_force == XDP_NO_SNAPSHOT)
		return true;
	header = (const void *)(lines + (uint64_t)control->in_force * control->half_lines);
	return header->magic == SNAPSHOT_MAGIC && header->abi == SNAPSHOT_ABI &&
		header->size <= (uint64_t)control->half_lines * XDP_LINE;
}

static int map_rows(struct xdp_set *set, enum xdp_map i, uint32_t value_size, uint32_t entries)
{
	uint32_t there;
	int result = map_one(set, i, value_size, &there);

	return result ? result : there == entries ? 0 : -EPROTO;
}

/* All but the flow tables. The maps of one program agree with its control, or are not what it says they are. */
static int map_all(struct xdp_set *set)
{
	const struct xdp_control *control;
	const struct xdp_sizes *sizes;
	uint32_t rows, entries;
	int result = map_one(set, XDP_MAP_CONTROL, sizeof(struct xdp_control), &entries);

	if (result)
		return result;
	control = set->memory[XDP_MAP_CONTROL];
	sizes = &control->sizes;
	if (control->magic != XDP_CONTROL_MAGIC || control->abi != XDP_ABI || !are_sizes_sane(control))
		return -EPROTO;
	rows = (sizes->n_cpus + 1) * sizes->ids;
	result = map_rows(set, XDP_MAP_CPUS, XDP_MAX_CPUS * sizeof(struct xdp_cpu), 1);
	if (!result)
		result = map_rows(set, XDP_MAP_SNAPSHOT, sizeof(struct xdp_line), control->half_lines * 2);
	if (!result)
		result = map_rows(set, XDP_MAP_VIP_STATS, sizeof(struct stats_traffic), rows);
	if (!result)
		result = map_rows(set, XDP_MAP_BACKEND_STATS, sizeof(struct stats_traffic), rows);
	if (!result)
		result = map_rows(set, XDP_MAP_HANDSHAKES, sizeof(struct stats_handshakes), rows);
	if (!result)
		result = map_rows(set, XDP_MAP_GUARD, sizeof(struct stats_guard), rows);
	if (!result)
		result = map_rows(set, XDP_MAP_RULES, sizeof(__u64), (sizes->n_cpus + 1) * sizes->rules);
	if (!result)
		result = map_rows(set, XDP_MAP_ACTIVE, sizeof(uint32_t), sizes->ids);
	if (!result)
		result = map_rows(set, XDP_MAP_FRAGMENTS, sizeof(struct fragment_bucket), sizes->n_fragment_buckets);
	if (!result && (set->fd[XDP_MAP_OUT] < 0 || set->fd[XDP_MAP_HELD] < 0))
		result = -ENOENT;
	if (!result && !is_half_sane(control, set->memory[XDP_MAP_SNAPSHOT]))
		result = -EPROTO;
	return result;
}

int xdp_set_map(struct xdp_set *set)
{
	int result = map_all(set);

	set->flows = judge_table(set, XDP_MAP_FLOWS, 0);
	if (result)
		return result;
	set->control = set->memory[XDP_MAP_CONTROL];
	set->cpus = set->memory[XDP_MAP_CPUS];
	set->snapshot = set->memory[XDP_MAP_SNAPSHOT];
	set->vip_stats = set->memory[XDP_MAP_VIP_STATS];
	set->backend_stats = set->memory[XDP_MAP_BACKEND_STATS];
	set->handshakes = set->memory[XDP_MAP_HANDSHAKES];
	set->guard = set->memory[XDP_MAP_GUARD];
	set->rules = set->memory[XDP_MAP_RULES];
	set->active = set->memory[XDP_MAP_ACTIVE];
	set->fragments = set->memory[XDP_MAP_FRAGMENTS];
	if (set->flows && set->flows->n_buckets != set->control->sizes.n_buckets)
		set->flows = NULL;
	if (set->control->sizes.n_elder_buckets)
		set->elder = judge_table(set, XDP_MAP_ELDER, set->control->sizes.n_elder_buckets);
	return 0;
}

int xdp_set_format_flows(struct xdp_set *set, uint64_t capacity, uint64_t key_check)
{
	struct flow_table_header *header;
	uint32_t entries;
	int result = map_one(set, XDP_MAP_FLOWS, sizeof(struct flow_bucket), &entries);

	if (result)
		return result;
	header = set->memory[XDP_MAP_FLOWS];
	header->abi = FLOW_TABLE_ABI;
	header->header_size = FLOW_TABLE_HEADER_SIZE;
	header->capacity = capacity;
	header->n_buckets = flow_table_buckets(capacity);
	header->key_check = key_check;
	header->last_beat_s = xdp_system_now_ns() / 1000000000u;
	xdp_system_boot_id(header->boot_id);
	__atomic_store_n(&header->magic, FLOW_TABLE_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

static void note_want(struct xdp_set *set, int result)
{
	if (result < 0 && xdp_system_is_want(result) && !set->want)
		set->want = result;
}

struct xdp_set *xdp_set_open(const struct xdp_pins *pins, uint32_t program_id)
{
	struct xdp_set *set = xdp_set_new();
	char path[PATH_MAX];

	if (!set)
		return NULL;
	set->program_id = program_id;
	/* Who had it before may have been killed right after an exchange of halves. */
	set->drained = false;
	set->program = bpf_obj_get(xdp_pin_path(pins, program_id, XDP_PIN_PROGRAM, path));
	note_want(set, set->program);
	for (int i = 0; i < XDP_MAPS; i++) {
		set->fd[i] = bpf_obj_get(xdp_pin_path(pins, program_id, xdp_map_names[i], path));
		note_want(set, set->fd[i]);
	}
	note_want(set, xdp_set_map(set));
	return set;
}

struct flow_bucket *xdp_set_buckets(struct flow_table_header *header)
{
	return (struct flow_bucket *)((char *)header + FLOW_TABLE_HEADER_SIZE);
}

const struct snapshot_header *xdp_set_snapshot(const struct xdp_set *set)
{
	if (!set->control || set->control->in_force == XDP_NO_SNAPSHOT)
		return NULL;
	return (const void *)(set->snapshot + (uint64_t)set->control->in_force * set->control->half_lines);
}

bool xdp_set_fits(const struct xdp_set *set, const struct xdp_wants *wants)
{
	const struct xdp_control *control = set->control;
	bool table;

	if (!control || memcmp(control->build_id, xdp_load_build_id(), sizeof(control->build_id)))
		return false;
	if (set->elder && wants->without_elder)
		return false;
	/* While a table has an elder it is kept, whatever the capacity: the elder empties by itself. */
	table = set->flows && set->flows->key_check == wants->key_check &&
		(set->flows->capacity == wants->capacity || set->elder);
	return table && control->half_lines >= wants->half_lines && control->sizes.ids >= wants->ids &&
		control->sizes.rules >= wants->rules &&
		control->sizes.n_cpus == wants->n_cpus && control->sizes.n_queues == wants->n_queues &&
		control->sizes.frags >= wants->frags;
}

/* The interfaces of a half's ports; one that can't be entered is one that frames are dropped and counted for. */
static void set_ports(const struct xdp_set *set, uint32_t first, const unsigned int *port_index, uint32_t n)
{
	for (uint32_t i = 1; i < SNAPSHOT_MAX_PORTS; i++) {
		uint32_t key = first + i, index = port_index && i < n ? port_index[i] : 0;

		if (!index || bpf_map_update_elem(set->fd[XDP_MAP_OUT], &key, &index, BPF_ANY))
			bpf_map_delete_elem(set->fd[XDP_MAP_OUT], &key);
	}
}

int xdp_set_publish(struct xdp_set *set, const struct snapshot_header *block, const unsigned int *port_index)
{
	struct xdp_control *control = set->control;
	uint32_t half = control->in_force == 0, line = half * control->half_lines;
	int result = set->drained ? 0 : xdp_system_wait_for_programs();

	if (result)
		return result;
	memcpy(set->snapshot + line, block, block->size);
	xdp_half_set(&control->half[half], block, line);
	control->half[half].out_first = half * SNAPSHOT_MAX_PORTS;
	set_ports(set, control->half[half].out_first, port_index, block->n_ports);
	__atomic_store_n(&control->in_force, half, __ATOMIC_RELEASE);
	control->snapshot_version = block->version;
	set->drained = !xdp_system_wait_for_programs();
	return 0;
}

/* Per id, what all rows of the one have, into the last row of the other. */
static void carry(struct stats_traffic *to, const struct xdp_sizes *to_sizes, const struct stats_traffic *from,
	const struct xdp_sizes *from_sizes)
{
	uint32_t ids = to_sizes->ids < from_sizes->ids ? to_sizes->ids : from_sizes->ids;

	to += (uint64_t)to_sizes->n_cpus * to_sizes->ids;
	for (uint32_t id = 0; id < ids; id++) {
		struct stats_traffic sum = { 0 };

		for (uint32_t row = 0; row <= from_sizes->n_cpus; row++) {
			const struct stats_traffic *part = &from[(uint64_t)row * from_sizes->ids + id];

			sum.packets += part->packets;
			sum.bytes += part->bytes;
			sum.new_flows += part->new_flows;
			sum.new_at_sweep += part->new_at_sweep;
		}
		to[id] = sum;
	}
}

static void carry_handshakes(const struct xdp_set *to, const struct xdp_set *from)
{
	const struct xdp_sizes *to_sizes = &to->control->sizes, *from_sizes = &from->control->sizes;
	uint32_t ids = to_sizes->ids < from_sizes->ids ? to_sizes->ids : from_sizes->ids;
	struct stats_handshakes *row_to = to->handshakes + (uint64_t)to_sizes->n_cpus * to_sizes->ids;

	for (uint32_t id = 0; id < ids; id++) {
		struct stats_handshakes sum = { 0 };

		for (uint32_t row = 0; row <= from_sizes->n_cpus; row++) {
			const struct stats_handshakes *part =
				&from->handshakes[(uint64_t)row * from_sizes->ids + id];

			sum.asked += part->asked;
			sum.completed += part->completed;
			sum.repeated += part->repeated;
		}
		row_to[id] = sum;
	}
}

static void carry_guard(const struct xdp_set *to, const struct xdp_set *from)
{
	const struct xdp_sizes *to_sizes = &to->control->sizes, *from_sizes = &from->control->sizes;
	uint32_t ids = to_sizes->ids < from_sizes->ids ? to_sizes->ids : from_sizes->ids;
	struct stats_guard *row_to = to->guard + (uint64_t)to_sizes->n_cpus * to_sizes->ids;

	for (uint32_t id = 0; id < ids; id++) {
		struct stats_guard sum = { 0 };

		for (uint32_t row = 0; row <= from_sizes->n_cpus; row++) {
			const struct stats_guard *part = &from->guard[(uint64_t)row * from_sizes->ids + id];

			sum.opened += part->opened;
			sum.closed += part->closed;
			sum.at_sweep += part->at_sweep;
			sum.elsewhere += part->elsewhere;
			sum.untracked += part->untracked;
			sum.refused += part->refused;
			sum.limited += part->limited;
			sum.over_bound += part->over_bound;
		}
		row_to[id] = sum;
	}
}

static void carry_rules(const struct xdp_set *to, const struct xdp_set *from)
{
	const struct xdp_sizes *to_sizes = &to->control->sizes, *from_sizes = &from->control->sizes;
	uint32_t rules = to_sizes->rules < from_sizes->rules ? to_sizes->rules : from_sizes->rules;
	__u64 *row_to = to->rules + (uint64_t)to_sizes->n_cpus * to_sizes->rules;

	for (uint32_t rule = 0; rule < rules; rule++) {
		__u64 sum = 0;

		for (uint32_t row = 0; row <= from_sizes->n_cpus; row++)
			sum += from->rules[(uint64_t)row * from_sizes->rules + rule];
		row_to[rule] = sum;
	}
}

void xdp_set_carry(struct xdp_set *set, const struct xdp_set *from)
{
	if (!set->control || !set->control->carry_from)
		return;
	if (from && from->control && from->program_id == set->control->carry_from) {
		carry(set->vip_stats, &set->control->sizes, from->vip_stats, &from->control->sizes);
		carry(set->backend_stats, &set->control->sizes, from->backend_stats, &from->control->sizes);
		carry_handshakes(set, from);
		carry_guard(set, from);
		carry_rules(set, from);
	}
	__atomic_store_n(&set->control->carry_from, 0, __ATOMIC_RELEASE);
}
