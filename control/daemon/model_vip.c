/* SPDX-License-Identifier: BSD-3-Clause */
/* VIPs of the running set. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "model_private.h"

static int compare_vip(const void *key, const void *item)
{
	const struct vip_spec *spec = key;
	const struct vip *vip = item;
	int order = address_compare(spec->address, vip->address);

	if (!order)
		order = (spec->protocol > vip->protocol) - (spec->protocol < vip->protocol);
	return order ? order : (spec->port > vip->port) - (spec->port < vip->port);
}

struct vip *model_vip_find(struct model *model, struct addr address, uint8_t protocol, uint16_t port)
{
	struct vip_spec spec = { address, port, protocol };
	size_t position;

	return sorted_find(&model->vips, &spec, compare_vip, &position) ? model->vips.item[position] : NULL;
}

struct vip *model_vip_find_address(struct model *model, struct addr address)
{
	struct vip_spec least = { address, 0, 0 };
	struct vip *vip;
	size_t position;

	sorted_find(&model->vips, &least, compare_vip, &position);
	if (position == model->vips.n)
		return NULL;
	vip = model->vips.item[position];
	return addr_equal(vip->address, address) ? vip : NULL;
}

static bool is_checked_by_udp(const struct pool *pool)
{
	return pool->check.type == CHECK_UDP || pool->check.type == CHECK_DNS;
}

/* How well the pool's check can go to it. */
static int check_rank(const struct pool *pool, const struct vip *vip)
{
	uint8_t protocol = is_checked_by_udp(pool) ? IPPROTO_UDP : IPPROTO_TCP;

	return vip->port ? 1 + (vip->protocol == protocol) : 0;
}

/* The best that the pool's own VIPs have; of others' it is not known. */
static int best_rank(const struct pool *pool)
{
	uint32_t n_best = is_checked_by_udp(pool) ? pool->n_port_vips - pool->n_tcp_vips : pool->n_tcp_vips;

	return n_best || !pool->n_vips ? 2 : pool->n_port_vips ? 1 : 0;
}

struct vip *model_check_vip(struct model *model, struct pool *pool)
{
	struct vip *best = pool->check_vip;
	int enough = best_rank(pool);

	if (best || !model_pool_is_used(pool))
		return best;
	for (struct vip *vip = model->first_vip; vip && (!best || check_rank(pool, best) < enough); vip = vip->next)
		if (pool == (pool->n_vips ? vip->pool : vip->pool->fallback) &&
			(!best || check_rank(pool, vip) > check_rank(pool, best)))
			best = vip;
	pool->check_vip = best;
	return best;
}

/* Whether a check would rather go to a. */
static bool precedes(const struct pool *pool, const struct vip *a, const struct vip *b)
{
	struct vip_spec spec = { a->address, a->port, a->protocol };

	return check_rank(pool, a) != check_rank(pool, b) ? check_rank(pool, a) > check_rank(pool, b) : compare_vip(&spec, b) < 0;
}

/* The pool has one VIP more or less. */
static void count(struct model *model, struct pool *pool, const struct vip *vip, int one)
{
	bool tcp = vip->port && vip->protocol == IPPROTO_TCP;
	int family = pool->family;

	pool->n_vips += (uint32_t)one;
	if (vip->port)
		pool->n_port_vips += (uint32_t)one;
	if (tcp)
		pool->n_tcp_vips += (uint32_t)one;
	if (pool->check_vip &&
		(pool->check_vip == vip || pool->check_vip->pool != pool ||
			(one > 0 && precedes(pool, vip, pool->check_vip))))
		pool->check_vip = NULL;
	model_pool_count_vips(model, pool, one, tcp ? one : 0);
	if (pool->family == AF_UNSPEC)
		pool->family = address_family(vip->address);
	else if (!pool->n_vips && !pool->n_backends)
		pool->family = AF_UNSPEC;
	model_pool_settle(model, pool);
	/* One without backends has a fallback, or is one, only now that its family is known. */
	if (pool->family != family && !model->settle_later)
		model_weigh_all(model);
}

int model_vip_insert(struct model *model, const struct vip_spec *spec, struct pool *pool, int id, struct vip **out,
	struct error *error)
{
	struct vip *vip = calloc(1, sizeof(*vip));
	size_t position;
	int err;

	if (!vip)
		return error_set(error, ENOMEM, "out of memory");
	vip->address = spec->address;
	vip->port = spec->port;
	vip->protocol = spec->protocol;
	err = id == MODEL_ANY_ID ? model_ids_take(&model->vip_ids, vip) :
				   model_ids_take_exact(&model->vip_ids, (uint32_t)id, vip);
	if (err == -ENOSPC)
		error_set(error, ENOSPC, "there are %d VIPs already, as many as can be", SNAPSHOT_MAX_IDS);
	else if (err < 0)
		error_set(error, -err, "id %d of a VIP is another's, or none", id);
	if (err < 0)
		goto free_vip;
	vip->id = (uint16_t)(id == MODEL_ANY_ID ? err : id);
	sorted_find(&model->vips, spec, compare_vip, &position);
	err = sorted_insert(&model->vips, position, vip);
	if (err) {
		error_set(error, ENOMEM, "out of memory");
		goto release;
	}
	vip->next = position + 1 < model->vips.n ? model->vips.item[position + 1] : NULL;
	if (position)
		((struct vip *)model->vips.item[position - 1])->next = vip;
	else
		model->first_vip = vip;
	vip->pool = pool;
	count(model, pool, vip, 1);
	model_tell_snapshot_needed(model);
	*out = vip;
	return 0;

release:
	model_ids_release(&model->vip_ids, vip->id);
free_vip:
	free(vip);
	return err;
}

void model_vip_remove(struct model *model, struct vip *vip)
{
	struct vip_spec spec = { vip->address, vip->port, vip->protocol };
	size_t position;

	sorted_find(&model->vips, &spec, compare_vip, &position);
	sorted_remove(&model->vips, position);
	if (position)
		((struct vip *)model->vips.item[position - 1])->next = vip->next;
	else
		model->first_vip = vip->next;
	model_ids_release(&model->vip_ids, vip->id);
	count(model, vip->pool, vip, -1);
	free(vip);
	model_tell_snapshot_needed(model);
}

void model_vip_move(struct model *model, struct vip *vip, struct pool *pool)
{
	struct pool *from = vip->pool;

	vip->pool = pool;
	count(model, from, vip, -1);
	count(model, pool, vip, 1);
	model_tell_snapshot_needed(model);
}

static const struct pool *pool_with_backend(struct model *model, struct addr address)
{
	for (struct pool *pool = model->first_pool; pool; pool = pool->next)
		if (model_backend_find(pool, address))
			return pool;
	return NULL;
}

int model_vip_add(struct model *model, struct addr address, uint8_t protocol, uint16_t port, const char *pool_name,
	struct error *error)
{
	struct vip_spec spec = { address, port, protocol };
	struct pool *pool = model_pool_find(model, pool_name);
	struct vip *vip = model_vip_find(model, address, protocol, port);
	const struct pool *other;
	char text[ADDRESS_VIP_TEXT];
	int err;

	if (address_fault(address))
		return error_set(error, EINVAL, "%s %s", address_print(address, text), address_fault(address));
	address_print_vip(address, protocol, port, text);
	if (vip)
		return error_set(
			error, EEXIST, "VIP %s is there already, with pool \"%s\"", text, vip->pool->name);
	if (!pool)
		return model_no_pool(model, pool_name, error);
	err = model_family_check(model, pool, address, error);
	if (err)
		return err;
	other = pool_with_backend(model, address);
	if (other)
		return error_set(error, EINVAL, "%s is a backend of pool \"%s\": it can't be a VIP too",
			address_print(address, text), other->name);
	if (pool->check.given && check_wants_port(&pool->check) && !port && !pool->n_port_vips)
		return error_set(error, EINVAL,
			"VIP %s is on every port, and the check of pool \"%s\" does not say which "
			"one to connect to",
			text, pool->name);
	err = model_vip_insert(model, &spec, pool, MODEL_ANY_ID, &vip, error);
	if (!err)
		model->generation++;
	return err;
}

void model_vip_set_policy(struct model *model, struct vip *vip, const struct vip_policy *policy)
{
	vip->policy = *policy;
	model_tell_snapshot_needed(model);
}

int model_vip_set(struct model *model, struct addr address, uint8_t protocol, uint16_t port,
	const struct vip_policy *policy, struct error *error)
{
	struct vip *vip = model_vip_find(model, address, protocol, port);
	char text[ADDRESS_VIP_TEXT];
	int err;

	if (!vip)
		return error_set(
			error, ENOENT, "there is no VIP %s", address_print_vip(address, protocol, port, text));
	err = model_access_check(model, policy->access, error);
	if (err)
		return err;
	model_vip_set_policy(model, vip, policy);
	model->generation++;
	return 0;
}

uint32_t model_vip_half_open(const struct vip *vip, uint64_t capacity)
{
	return vip->policy.half_open_given ? vip->policy.half_open : (uint32_t)(capacity / 4);
}

int model_vip_del(struct model *model, struct addr address, uint8_t protocol, uint16_t port, struct error *error)
{
	struct vip *vip = model_vip_find(model, address, protocol, port);
	char text[ADDRESS_VIP_TEXT];
	const struct pool *pool;

	address_print_vip(address, protocol, port, text);
	if (!vip)
		return error_set(error, ENOENT, "there is no VIP %s", text);
	pool = vip->pool;
	if (pool->check.given && check_wants_port(&pool->check) && port && pool->n_port_vips == 1 &&
		pool->n_vips > 1)
		return error_set(error, EBUSY,
			"the check of pool \"%s\" goes to the port of VIP %s: its other VIPs, on "
			"every port, have to be deleted first",
			pool->name, text);
	model_vip_remove(model, vip);
	model->generation++;
	return 0;
}
