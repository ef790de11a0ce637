/* SPDX-License-Identifier: BSD-3-Clause */
/* From the model to the flat block a forwarder works from. */
#include "snapshot_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel.h"
#include "maglev.h"
#include "rate.h"
#include "snapshot_check.h"

#define ALIGNMENT 64
#define VIP_INDEX_MIN 64

struct snapshot_builder {
	uint64_t hash_key[2]; /* the slots were built with */
	bool has_key;
	struct maglev_member *members;
	size_t members_room;
	/* The block is made here and then written to the memfd: faulting fresh shared pages in one by one costs
	 * several times as much. */
	char *work;
	size_t work_room;
	struct maglev_scratch scratch;
};

/* Where things stand in the block to be. */
struct layout {
	uint32_t n_pools;
	uint32_t n_backends;
	uint32_t n_vips; /* entries of the index: VIPs, and addresses that have any */
	uint64_t n_slots;
	uint32_t vip_index_size;
	uint32_t n_policies;
	uint32_t n_access;
	uint32_t n_rules;
	uint64_t n_access_words;
	uint64_t ports_off, vips_off, pools_off, backends_off, slots_off, policies_off, access_off, access_words_off;
	uint64_t size;
};

struct snapshot_builder *snapshot_builder_new(void)
{
	return calloc(1, sizeof(struct snapshot_builder));
}

void snapshot_builder_free(struct snapshot_builder *builder)
{
	if (!builder)
		return;
	free(builder->members);
	free(builder->work);
	free(builder);
}

static int no_memory(struct error *error)
{
	return error_set(error, ENOMEM, "no memory for the snapshot");
}

/* Room for the members of the pool's slots. */
static int reserve_members(struct snapshot_builder *builder, size_t n)
{
	struct maglev_member *grown;

	if (n <= builder->members_room)
		return 0;
	grown = realloc(builder->members, n * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	builder->members = grown;
	builder->members_room = n;
	return 0;
}

/*
 * What the pool's weights are to be multiplied by, so that a tenth of a small one is something: nothing but their
 * ratio matters, so all others keep their places.
 */
static uint16_t scale_of(const struct pool *pool)
{
	uint32_t greatest = 1;
	bool ramping = false;

	for (const struct backend *b = pool->backends; b; b = b->next) {
		if (!model_backend_is_in_slots(b))
			continue;
		ramping |= b->ramp != RAMP_FULL;
		if (model_backend_weight(b) > greatest)
			greatest = model_backend_weight(b);
	}
	if (!ramping)
		return 1;
	return (uint16_t)(MAGLEV_MAX_WEIGHT / greatest < RAMP_FULL ? MAGLEV_MAX_WEIGHT / greatest : RAMP_FULL);
}

/* Its weight in the slots. */
static uint16_t slot_weight(const struct backend *b)
{
	uint32_t weight = (uint32_t)model_backend_weight(b) * b->pool->slot_scale;

	if (b->ramp != RAMP_FULL)
		weight = weight * b->ramp / RAMP_FULL;
	return weight ? (uint16_t)weight : 1;
}

static int build_slots(struct snapshot_builder *builder, struct pool *pool, const uint64_t key[2])
{
	__u64 hash_key[2] = { key[0], key[1] };
	uint32_t n = 0;

	if (reserve_members(builder, pool->n_backends))
		return -ENOMEM;
	pool->slot_scale = scale_of(pool);
	for (const struct backend *b = pool->backends; b; b = b->next)
		if (model_backend_is_in_slots(b))
			maglev_member_init(
				&builder->members[n++], hash_key, b->address, b->id, slot_weight(b), MAGLEV_SLOTS);
	pool->n_slots = 0;
	if (n) {
		if (!pool->slots)
			pool->slots = malloc(MAGLEV_SLOTS * sizeof(*pool->slots));
		if (!pool->slots)
			return -ENOMEM;
		if (pool->scheduler == SCHEDULER_ROUND_ROBIN)
			round_robin_build(pool->slots, MAGLEV_SLOTS, builder->members, n, &builder->scratch);
		else
			maglev_build(pool->slots, MAGLEV_SLOTS, builder->members, n, &builder->scratch);
		pool->n_slots = MAGLEV_SLOTS;
	}
	pool->slots_dirty = false;
	return 0;
}

/* Those of pools that no VIP uses can wait. */
static int build_dirty_slots(struct snapshot_builder *builder, struct model *model, const uint64_t key[2])
{
	bool other_key = !builder->has_key || builder->hash_key[0] != key[0] || builder->hash_key[1] != key[1];

	for (struct pool *pool = model_pools(model); pool; pool = pool->next) {
		pool->slots_dirty |= other_key;
		if (!pool->slots_dirty || !model_pool_is_used(pool))
			continue;
		if (build_slots(builder, pool, key)) {
			/* Those done so far are of this key, the rest perhaps of none. */
			builder->has_key = false;
			return -ENOMEM;
		}
	}
	builder->has_key = true;
	memcpy(builder->hash_key, key, sizeof(builder->hash_key));
	return 0;
}

/* See that the access lists that VIPs have are compiled, and number them. 0 or -ENOMEM. */
static int build_access(struct model *model)
{
	uint32_t n = 0;

	for (struct access_list *list = model_access_lists(model); list; list = list->next) {
		bool used = model_access_user(model, list, NULL);

		list->index = used ? n++ : ACCESS_UNUSED;
		if (used && access_list_compile(list))
			return -ENOMEM;
	}
	return 0;
}

static uint64_t place(uint64_t *size, uint64_t bytes)
{
	uint64_t at = *size;

	*size = (at + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return at;
}

static uint32_t slots_of(const struct pool *pool)
{
	return model_pool_is_used(pool) ? pool->n_slots : 0;
}

static void measure_access(struct model *model, struct layout *l)
{
	for (const struct access_list *list = model_access_lists(model); list; list = list->next) {
		if (list->index == ACCESS_UNUSED)
			continue;
		l->n_access++;
		l->n_access_words += list->n_words;
		for (uint32_t i = 0; i < list->n; i++)
			if (list->rules[i].id >= l->n_rules)
				l->n_rules = list->rules[i].id + 1;
	}
	l->access_off = place(&l->size, l->n_access * sizeof(struct snapshot_access));
	l->access_words_off = place(&l->size, l->n_access_words * sizeof(__u32));
}

static void measure(struct model *model, uint32_t n_ports, struct layout *l)
{
	struct addr last = { 0, 0 };

	*l = (struct layout){ .vip_index_size = VIP_INDEX_MIN, .size = sizeof(struct snapshot_header) };
	for (const struct pool *pool = model_pools(model); pool; pool = pool->next) {
		if (pool->id >= l->n_pools)
			l->n_pools = pool->id + 1u;
		for (const struct backend *b = pool->backends; b; b = b->next)
			if (b->id >= l->n_backends)
				l->n_backends = b->id + 1u;
		l->n_slots += slots_of(pool);
	}
	for (const struct vip *vip = model_vips(model); vip; vip = vip->next) {
		l->n_vips += addr_equal(vip->address, last) ? 1 : 2;
		last = vip->address;
		if (vip->id >= l->n_policies)
			l->n_policies = vip->id + 1u;
	}
	while (l->vip_index_size < 2 * l->n_vips)
		l->vip_index_size *= 2;
	l->ports_off = place(&l->size, n_ports * sizeof(struct snapshot_port));
	l->pools_off = place(&l->size, l->n_pools * sizeof(struct snapshot_pool));
	l->policies_off = place(&l->size, l->n_policies * sizeof(struct snapshot_policy));
	l->backends_off = place(&l->size, l->n_backends * sizeof(struct snapshot_backend));
	l->slots_off = place(&l->size, l->n_slots * sizeof(__u16));
	measure_access(model, l);
	/* The VIP index stands last, as its size is not certain before it is filled. */
}

/* The pool that serves the VIPs of this one now. */
static const struct pool *serving(const struct pool *pool)
{
	return pool->in_fallback ? pool->fallback : pool;
}

static struct snapshot_vip vip_entry(const struct vip *vip, const struct snapshot_pool *pools)
{
	const struct snapshot_pool *pool = &pools[serving(vip->pool)->id];

	return (struct snapshot_vip){
		.addr = vip->address,
		.port = core_be16(vip->port),
		.proto = vip->protocol,
		.flags = (__u8)(VIP_USED | VIP_ACTIVE | (vip->policy.source_rate ? VIP_RATE : 0) |
			(*vip->policy.access ? VIP_ACCESS : 0) |
			pool->scheduler << VIP_SCHED_SHIFT),
		.vip = vip->id,
		.pool = serving(vip->pool)->id,
		.slot_first = pool->slot_first,
		.slot_count = pool->slot_count,
	};
}

/* Fill the index; the greatest number of steps a look-up takes, or -1 if it has to be larger. */
static int fill_vips(
	struct model *model, const struct snapshot_pool *pools, struct snapshot_vip *index, uint32_t size)
{
	struct addr last = { 0, 0 };
	int probe = 1;

	for (const struct vip *vip = model_vips(model); vip; vip = vip->next) {
		struct snapshot_vip entry = vip_entry(vip, pools);
		int steps = vip_index_insert(index, size, &entry);

		if (steps > 0 && !addr_equal(vip->address, last)) {
			struct snapshot_vip address = { .addr = vip->address, .flags = VIP_USED | VIP_ACTIVE,
				.vip = SNAPSHOT_NONE, .pool = SNAPSHOT_NONE };
			int more = vip_index_insert(index, size, &address);

			steps = more < 0 ? -1 : more > steps ? more : steps;
			last = vip->address;
		}
		if (steps < 0)
			return -1;
		if (steps > probe)
			probe = steps;
	}
	return probe;
}

/* The index of VIPs on the heap, as large as it has to be. 0, or -ENOMEM. */
static int build_vips(struct model *model, const struct snapshot_pool *pools, struct layout *l,
	struct snapshot_vip **index, uint32_t *probe)
{
	for (;; l->vip_index_size *= 2) {
		int steps;

		*index = calloc(l->vip_index_size, sizeof(**index));
		if (!*index)
			return -ENOMEM;
		steps = fill_vips(model, pools, *index, l->vip_index_size);
		if (steps > 0) {
			*probe = (uint32_t)steps;
			return 0;
		}
		free(*index);
	}
}

/* Where each pool's slots begin. pools: l->n_pools, zeroed. */
static void fill_pools(struct model *model, struct snapshot_pool *pools)
{
	uint32_t first = 0;

	for (const struct pool *pool = model_pools(model); pool; pool = pool->next) {
		pools[pool->id] = (struct snapshot_pool){ .slot_first = first, .slot_count = slots_of(pool),
			.scheduler = (__u8)pool->scheduler, .used = 1 };
		first += slots_of(pool);
	}
}

static __u8 backend_flags(const struct backend *b)
{
	bool in_slots = model_backend_is_in_slots(b);

	if (!b->mac_known || b->cut_off || b->disabled || (b->draining && b->drain.expired))
		return BACKEND_USED;
	/* Of a removed one nobody knows whether it is still there: a client that tries again goes elsewhere. */
	if (!in_slots && (b->removed || !b->healthy))
		return BACKEND_USED | BACKEND_VALID;
	return BACKEND_USED | BACKEND_VALID | BACKEND_UP | (b->suspect && !in_slots ? BACKEND_SUSPECT : 0);
}

static void fill_backends(struct model *model, struct snapshot_backend *backends,
	const struct snapshot_inputs *inputs)
{
	for (const struct pool *pool = model_pools(model); pool; pool = pool->next)
		for (const struct backend *b = pool->backends; b; b = b->next)
			backends[b->id] = (struct snapshot_backend){ .dst = b->mac,
				.src = inputs->port_mac[b->port],
				.port = b->port,
				.pool = pool->id,
				.weight = model_backend_is_in_slots(b) ? slot_weight(b) : model_backend_weight(b),
				.flags = backend_flags(b) };
}

/* The access lists are there. */
static void fill_policies(
	struct model *model, const struct layout *l, char *block, const struct snapshot_inputs *inputs)
{
	const struct snapshot_access *access = (const struct snapshot_access *)(block + l->access_off);
	struct snapshot_policy *policies = (struct snapshot_policy *)(block + l->policies_off);

	for (const struct vip *vip = model_vips(model); vip; vip = vip->next) {
		const struct vip_policy *p = &vip->policy;
		struct snapshot_policy *to = &policies[vip->id];
		uint32_t burst = p->source_burst ? p->source_burst : p->source_rate;

		to->half_open = model_vip_half_open(vip, inputs->flow_capacity);
		if (*p->access) {
			to->access = model_access_find(model, p->access)->index;
			to->sieve = access[to->access].sieve;
		}
		if (!p->source_rate)
			continue;
		to->source_interval = rate_interval(p->source_rate);
		to->source_tolerance = rate_tolerance(to->source_interval, burst);
	}
}

static void fill_access(struct model *model, const struct layout *l, char *block)
{
	struct snapshot_access *access = (struct snapshot_access *)(block + l->access_off);
	__u32 *words = (__u32 *)(block + l->access_words_off), first = 0;

	for (const struct access_list *list = model_access_lists(model); list; list = list->next) {
		if (list->index == ACCESS_UNUSED)
			continue;
		access[list->index] = list->nodes;
		access_shift(&access[list->index], first);
		memcpy(words + first, list->words, list->n_words * sizeof(*words));
		first += (__u32)list->n_words;
	}
}

static void fill_header(struct snapshot_header *h, const struct layout *l, const struct snapshot_inputs *inputs,
	uint32_t probe)
{
	*h = (struct snapshot_header){
		.magic = SNAPSHOT_MAGIC,
		.abi = SNAPSHOT_ABI,
		.n_ports = inputs->n_ports,
		.size = l->size,
		.version = inputs->version,
		.hash_key = { inputs->hash_key[0], inputs->hash_key[1] },
		.flow_capacity = inputs->flow_capacity,
		.vip_index_size = l->vip_index_size,
		.vip_index_probe = probe,
		.n_pools = l->n_pools,
		.n_backends = l->n_backends,
		.n_slots = l->n_slots,
		.ports_off = l->ports_off,
		.vips_off = l->vips_off,
		.pools_off = l->pools_off,
		.backends_off = l->backends_off,
		.slots_off = l->slots_off,
		.policies_off = l->policies_off,
		.n_policies = l->n_policies,
		.access_off = l->access_off,
		.access_words_off = l->access_words_off,
		.n_access = l->n_access,
		.n_rules = l->n_rules,
		.n_access_words = l->n_access_words,
	};
	for (int state = FLOW_SYN; state < FLOW_STATE_COUNT; state++)
		h->timeout[state] = (__u16)((inputs->timeout_s[state] + FLOW_TICK_S - 1) / FLOW_TICK_S);
	if (inputs->echo_rate) {
		h->echo_interval = rate_interval(inputs->echo_rate);
		h->echo_tolerance = rate_tolerance(h->echo_interval, inputs->echo_burst);
	}
}

static void fill(struct model *model, const struct snapshot_inputs *inputs, const struct layout *l,
	const struct snapshot_pool *pools, const struct snapshot_vip *vips, uint32_t probe, char *block)
{
	struct snapshot_port *ports = (struct snapshot_port *)(block + l->ports_off);
	__u16 *slots = (__u16 *)(block + l->slots_off);

	for (uint32_t i = 0; i < inputs->n_ports; i++)
		ports[i].mac = inputs->port_mac[i];
	if (l->n_pools)
		memcpy(block + l->pools_off, pools, l->n_pools * sizeof(*pools));
	memcpy(block + l->vips_off, vips, l->vip_index_size * sizeof(*vips));
	fill_access(model, l, block);
	fill_policies(model, l, block, inputs);
	fill_backends(model, (struct snapshot_backend *)(block + l->backends_off), inputs);
	for (const struct pool *pool = model_pools(model); pool; pool = pool->next)
		if (slots_of(pool))
			memcpy(slots + pools[pool->id].slot_first, pool->slots, pool->n_slots * sizeof(*slots));
	fill_header((struct snapshot_header *)block, l, inputs, probe);
	((struct snapshot_header *)block)->checksum = snapshot_checksum(block, l->size);
}

/* Memory for a block, the builder's, zeroed but for the slots, all of which are written; NULL: none. */
static char *open_work(struct snapshot_builder *builder, const struct layout *l)
{
	uint64_t slots_end = l->slots_off + l->n_slots * sizeof(__u16);

	if (builder->work_room < l->size) {
		char *larger = aligned_alloc(ALIGNMENT, l->size);

		if (!larger)
			return NULL;
		free(builder->work);
		builder->work = larger;
		builder->work_room = l->size;
	}
	memset(builder->work, 0, l->slots_off);
	memset(builder->work + slots_end, 0, l->size - slots_end);
	return builder->work;
}

/* A memfd of the data that nobody can change any more, and a read-only mapping of it. 0, or -errno. */
static int seal(const char *data, uint64_t size, struct snapshot_block *block)
{
	int fd = memfd_create("shunt-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING), err = 0;
	const void *mapped = MAP_FAILED;
	uint64_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = write(fd, data + done, size - done);

		if (n <= 0) {
			err = n < 0 ? -errno : -EIO;
			goto fail;
		}
		done += (uint64_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, CHANNEL_SEALS)) {
		err = -errno;
		goto fail;
	}
	/* The same pages as a shared mapping, which many kernels before 6.7 refuse of a sealed file. */
	mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	*block = (struct snapshot_block){ .fd = fd, .data = mapped, .size = size };
	return 0;

fail:
	close(fd);
	return err;
}

static int build_block(struct snapshot_builder *builder, struct model *model, const struct snapshot_inputs *inputs,
	struct layout *l, const struct snapshot_pool *pools, struct snapshot_block *block, struct error *error)
{
	struct snapshot_fault fault = { 0 };
	struct snapshot_vip *vips;
	uint32_t probe;
	char *data;
	int err = build_vips(model, pools, l, &vips, &probe);

	if (err)
		return no_memory(error);
	l->vips_off = l->size;
	place(&l->size, l->vip_index_size * sizeof(*vips));
	data = open_work(builder, l);
	if (data)
		fill(model, inputs, l, pools, vips, probe, data);
	free(vips);
	if (!data)
		return no_memory(error);
	if (snapshot_check(data, l->size, &fault))
		return error_set(error, EINVAL, "the snapshot is wrong, and is not sent: %s (%llu)", fault.what,
			(unsigned long long)fault.index);
	err = seal(data, l->size, block);
	return err ? error_set(error, -err, "no shared memory for the snapshot: %s", strerror(-err)) : 0;
}

int snapshot_build(struct snapshot_builder *builder, struct model *model, const struct snapshot_inputs *inputs,
	struct snapshot_block *block, struct error *error)
{
	struct snapshot_pool *pools;
	struct layout l;
	int err;

	*block = (struct snapshot_block){ .fd = -1 };
	if (build_dirty_slots(builder, model, inputs->hash_key) || build_access(model))
		return no_memory(error);
	measure(model, inputs->n_ports, &l);
	pools = calloc(l.n_pools + 1, sizeof(*pools));
	if (!pools)
		return no_memory(error);
	fill_pools(model, pools);
	err = build_block(builder, model, inputs, &l, pools, block, error);
	free(pools);
	return err;
}

void snapshot_block_close(struct snapshot_block *block)
{
	if (!block->data)
		return;
	munmap((void *)block->data, block->size);
	close(block->fd);
	*block = (struct snapshot_block){ .fd = -1 };
}
