/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of a configuration: their backends, their checks, and what serves in their place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "config_check.h"
#include "config_reader.h"

static int refuse_backend(
	const struct config_context *c, const struct config_pool *pool, const struct config_backend *backend)
{
	char name[64];

	snprintf(name, sizeof(name), "pools[%zu].backends[%zu].address", (size_t)(pool - c->config->pools),
		(size_t)(backend - pool->backends));
	return config_place(c->error, backend->file, backend->line, name, -EINVAL);
}

static int by_backend_address(const void *a, const void *b)
{
	const struct config_backend *x = *(const struct config_backend *const *)a,
				    *y = *(const struct config_backend *const *)b;
	int order = address_compare(x->address, y->address);

	return order ? order : (x > y) - (x < y);
}

/* Families, duplicates, and none that is a VIP. sorted: room for the pool's backends. */
static int check_backends(
	const struct config_context *c, const struct config_pool *pool, const struct config_backend **sorted)
{
	char text[ADDRESS_TEXT], other[ADDRESS_TEXT], where[128];

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct config_backend *backend = &pool->backends[i], *first = &pool->backends[0];
		const struct config_vip *vip = config_find_vip(c, backend->address);
		int family = address_family(backend->address);

		sorted[i] = backend;
		if (family != address_family(first->address)) {
			error_set(c->error, EINVAL, "%s is %s, but %s %s is %s: a pool is of one family",
				address_print(backend->address, text), address_family_name(family),
				address_print(first->address, other),
				config_elsewhere(where, sizeof(where), first->file, first->line, backend->file),
				address_family_name(address_family(first->address)));
			return refuse_backend(c, pool, backend);
		}
		if (vip) {
			error_set(c->error, EINVAL, "%s is a VIP %s: a backend is known by an address of its own",
				address_print(backend->address, text),
				config_elsewhere(where, sizeof(where), vip->file, vip->line, backend->file));
			return refuse_backend(c, pool, backend);
		}
	}
	qsort(sorted, pool->n_backends, sizeof(*sorted), by_backend_address);
	for (size_t i = 1; i < pool->n_backends; i++) {
		if (address_compare(sorted[i - 1]->address, sorted[i]->address))
			continue;
		error_set(c->error, EINVAL, "%s is a backend of this pool %s already",
			address_print(sorted[i]->address, text),
			config_elsewhere(
				where, sizeof(where), sorted[i - 1]->file, sorted[i - 1]->line, sorted[i]->file));
		return refuse_backend(c, pool, sorted[i]);
	}
	return 0;
}

/* Most checks have to know a port; where nobody said anything, it is made only where there is one. */
static int settle_check(const struct config_context *c, struct config_pool *pool)
{
	const struct use *use = &c->use[pool - c->config->pools];
	const struct config_pool *served = use->n_vips ? pool : use->lent_to;

	if (!pool->check.given) {
		pool->check.type = use->n_vips && !use->n_tcp_vips ? CHECK_NONE : CHECK_TCP;
		return 0;
	}
	if (!check_wants_port(&pool->check) || !served || (use->n_vips ? use->n_port_vips : use->n_lent_port_vips))
		return 0;
	error_set(c->error, EINVAL,
		"is missing: the VIPs of pool \"%s\"%s are on every port (port 0), so a check of "
		"type \"%s\" has to say which; or type \"none\"",
		served->name, served == pool ? "" : ", whose fallback this is,", check_type_name(pool->check.type));
	return config_refuse_pool(c, pool, ".check.port");
}

/* Of its backends or VIPs, which are of one; AF_UNSPEC: it has none. */
static int family_of(const struct config_context *c, const struct config_pool *pool)
{
	const struct config_vip *vip = c->use[pool - c->config->pools].first;

	if (pool->n_backends)
		return address_family(pool->backends[0].address);
	return vip ? address_family(vip->address) : AF_UNSPEC;
}

static int check_source(const struct config_context *c, const struct config_pool *pool)
{
	int family = family_of(c, pool);
	char text[ADDRESS_TEXT];

	if (!pool->check.source_given || family == AF_UNSPEC || family == address_family(pool->check.source))
		return 0;
	error_set(c->error, EINVAL, "%s is %s, but pool \"%s\" is %s", address_print(pool->check.source, text),
		address_family_name(address_family(pool->check.source)), pool->name, address_family_name(family));
	return config_refuse_pool(c, pool, ".check.source");
}

static int check_fallback(const struct config_context *c, const struct config_pool *pool)
{
	const struct config_pool *to;
	int family, other;

	if (!pool->fallback[0])
		return 0;
	to = config_find_pool(c, pool->fallback);
	family = family_of(c, pool);
	other = to ? family_of(c, to) : AF_UNSPEC;
	if (!to)
		config_no_pool(c, pool->fallback);
	else if (to == pool)
		error_set(c->error, EINVAL, "\"%s\" is this pool itself: it has to be another", pool->fallback);
	else if (family != AF_UNSPEC && other != AF_UNSPEC && family != other)
		error_set(c->error, EINVAL, "pool \"%s\" is %s, but pool \"%s\" is %s", to->name,
			address_family_name(other), pool->name, address_family_name(family));
	else
		return 0;
	return config_refuse_pool(c, pool, ".fallback");
}

/* A pool serves the VIPs of those that fall back to it. */
static void lend_vips(const struct config_context *c)
{
	for (size_t i = 0; i < c->config->n_pools; i++) {
		const struct config_pool *pool = &c->config->pools[i];
		const struct config_pool *to = pool->fallback[0] ? config_find_pool(c, pool->fallback) : NULL;

		if (!to || !c->use[i].n_vips)
			continue;
		c->use[to - c->config->pools].lent_to = pool;
		c->use[to - c->config->pools].n_lent_port_vips += c->use[i].n_port_vips;
	}
}

int config_check_pools(const struct config_context *c)
{
	const struct config_backend **sorted;
	size_t most = 0, all = 0;
	int err = 0;

	for (size_t i = 0; i < c->config->n_pools; i++) {
		all += c->config->pools[i].n_backends;
		if (c->config->pools[i].n_backends > most)
			most = c->config->pools[i].n_backends;
		if (all > CONFIG_MAX_BACKENDS) {
			error_set(c->error, EINVAL, "more than %d backends in all pools together",
				CONFIG_MAX_BACKENDS);
			return config_refuse_pool(c, &c->config->pools[i], ".backends");
		}
	}
	lend_vips(c);
	sorted = calloc(most + 1, sizeof(*sorted));
	if (!sorted)
		return error_set(c->error, ENOMEM, "out of memory");
	for (size_t i = 0; i < c->config->n_pools && !err; i++) {
		err = check_backends(c, &c->config->pools[i], sorted);
		if (!err)
			err = settle_check(c, &c->config->pools[i]);
		if (!err)
			err = check_source(c, &c->config->pools[i]);
		if (!err)
			err = check_fallback(c, &c->config->pools[i]);
	}
	free(sorted);
	return err;
}
