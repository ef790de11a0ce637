/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration as a whole: what no setting alone can say. Everything is sorted once and looked up by
 * bisection, so that thousands of VIPs and backends cost milliseconds.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "config_reader.h"
#include "suggest.h"

struct context {
	struct config *config;
	struct error *error;
	const struct config_pool **by_name; /* n_pools */
	const struct config_vip **by_vip;   /* n_vips, by address, protocol, port */
	struct use {                        /* by pool, in the file's order */
		const struct config_vip *first; /* VIP of the pool, or NULL */
		size_t n_vips;
		size_t n_port_vips;
		size_t n_tcp_vips;
	} *use;
};

static int no_memory(struct error *error)
{
	return error_set(error, ENOMEM, "out of memory");
}

/* "on line 12", with the file where it is another one. */
static const char *elsewhere(char *text, size_t size, const char *file, int line, const char *from)
{
	if (!strcmp(file, from))
		snprintf(text, size, "on line %d", line);
	else
		snprintf(text, size, "at %.100s:%d", file, line);
	return text;
}

static int refuse_pool(const struct context *c, const struct config_pool *pool, const char *setting)
{
	char name[64];

	snprintf(name, sizeof(name), "pools[%zu]%s", (size_t)(pool - c->config->pools), setting);
	return config_place(c->error, pool->file, pool->line, name, -EINVAL);
}

static int refuse_backend(const struct context *c, const struct config_pool *pool,
	const struct config_backend *backend)
{
	char name[64];

	snprintf(name, sizeof(name), "pools[%zu].backends[%zu].address", (size_t)(pool - c->config->pools),
		(size_t)(backend - pool->backends));
	return config_place(c->error, backend->file, backend->line, name, -EINVAL);
}

static int refuse_vip(const struct context *c, const struct config_vip *vip, const char *setting)
{
	char name[64];

	snprintf(name, sizeof(name), "vips[%zu]%s", (size_t)(vip - c->config->vips), setting);
	return config_place(c->error, vip->file, vip->line, name, -EINVAL);
}

/* Ties by the file's order, which is the arrays': the later is the one in error. */
static int by_pool_name(const void *a, const void *b)
{
	const struct config_pool *x = *(const struct config_pool *const *)a,
				 *y = *(const struct config_pool *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

static int compare_vips(const struct config_vip *x, const struct config_vip *y)
{
	int order = address_compare(x->address, y->address);

	if (!order)
		order = (x->protocol > y->protocol) - (x->protocol < y->protocol);
	return order ? order : (x->port > y->port) - (x->port < y->port);
}

static int by_vip(const void *a, const void *b)
{
	const struct config_vip *x = *(const struct config_vip *const *)a,
				*y = *(const struct config_vip *const *)b;
	int order = compare_vips(x, y);

	return order ? order : (x > y) - (x < y);
}

static int by_backend_address(const void *a, const void *b)
{
	const struct config_backend *x = *(const struct config_backend *const *)a,
				    *y = *(const struct config_backend *const *)b;
	int order = address_compare(x->address, y->address);

	return order ? order : (x > y) - (x < y);
}

static int check_pool_names(const struct context *c)
{
	char where[128];

	for (size_t i = 1; i < c->config->n_pools; i++) {
		const struct config_pool *first = c->by_name[i - 1], *second = c->by_name[i];

		if (strcmp(first->name, second->name))
			continue;
		error_set(c->error, EINVAL, "\"%s\" is the name of the pool %s already", second->name,
			elsewhere(where, sizeof(where), first->file, first->line, second->file));
		return refuse_pool(c, second, ".name");
	}
	return 0;
}

static int check_vips(const struct context *c)
{
	char vip[ADDRESS_VIP_TEXT], where[128];

	for (size_t i = 1; i < c->config->n_vips; i++) {
		const struct config_vip *first = c->by_vip[i - 1], *second = c->by_vip[i];

		if (compare_vips(first, second))
			continue;
		error_set(c->error, EINVAL, "%s is a VIP %s already",
			address_print_vip(second->address, second->protocol, second->port, vip),
			elsewhere(where, sizeof(where), first->file, first->line, second->file));
		return refuse_vip(c, second, "");
	}
	return 0;
}

static const struct config_pool *find_pool(const struct context *c, const char *name)
{
	size_t low = 0, high = c->config->n_pools;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, c->by_name[middle]->name);

		if (order == 0)
			return c->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const struct config_vip *find_vip_address(const struct context *c, struct addr address)
{
	size_t low = 0, high = c->config->n_vips;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = address_compare(address, c->by_vip[middle]->address);

		if (order == 0)
			return c->by_vip[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int refuse_missing_pool(const struct context *c, const struct config_vip *vip)
{
	struct suggestion nearest = { .word = vip->pool };
	char known[200] = "", hint[96] = "";
	size_t length = 0, shown = 0;

	for (size_t i = 0; i < c->config->n_pools; i++)
		suggest(&nearest, c->config->pools[i].name);
	for (; shown < c->config->n_pools && shown < 8 && length < sizeof(known) - NAME_MAX_LEN - 16; shown++)
		length += (size_t)snprintf(known + length, sizeof(known) - length, "%s\"%s\"", shown ? ", " : "",
			c->config->pools[shown].name);
	if (nearest.best)
		snprintf(hint, sizeof(hint), " (did you mean \"%s\"?)", nearest.best);
	if (shown == 0)
		error_set(c->error, EINVAL, "there is no pool \"%s\", nor any other", vip->pool);
	else if (shown < c->config->n_pools)
		error_set(c->error, EINVAL, "there is no pool \"%s\"%s; pools: %s and %zu more", vip->pool, hint,
			known, c->config->n_pools - shown);
	else
		error_set(c->error, EINVAL, "there is no pool \"%s\"%s; pools: %s", vip->pool, hint, known);
	return refuse_vip(c, vip, ".pool");
}

/* Pool of each VIP, and that all of a pool is of one family. */
static int check_vip_pools(const struct context *c)
{
	char text[ADDRESS_TEXT], other[ADDRESS_TEXT], where[128];

	for (size_t i = 0; i < c->config->n_vips; i++) {
		const struct config_vip *vip = &c->config->vips[i];
		const struct config_pool *pool = find_pool(c, vip->pool);
		int family = address_family(vip->address);
		struct addr peer;
		const char *file;
		struct use *use;
		int line;

		if (!pool)
			return refuse_missing_pool(c, vip);
		use = &c->use[pool - c->config->pools];
		if (!use->first)
			use->first = vip;
		use->n_vips++;
		use->n_port_vips += vip->port != 0;
		use->n_tcp_vips += vip->port != 0 && vip->protocol == IPPROTO_TCP;
		peer = pool->n_backends ? pool->backends[0].address : use->first->address;
		file = pool->n_backends ? pool->backends[0].file : use->first->file;
		line = pool->n_backends ? pool->backends[0].line : use->first->line;
		if (address_family(peer) == family)
			continue;
		error_set(c->error, EINVAL, "%s is %s, but pool \"%s\" is %s: %s %s %s",
			address_print(vip->address, text), address_family_name(family), pool->name,
			address_family_name(address_family(peer)), pool->n_backends ? "backend" : "VIP",
			address_print(peer, other), elsewhere(where, sizeof(where), file, line, vip->file));
		return refuse_vip(c, vip, ".address");
	}
	return 0;
}

/* Families, duplicates, and none that is a VIP. sorted: room for the pool's backends. */
static int check_backends(const struct context *c, const struct config_pool *pool,
	const struct config_backend **sorted)
{
	char text[ADDRESS_TEXT], other[ADDRESS_TEXT], where[128];

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct config_backend *backend = &pool->backends[i], *first = &pool->backends[0];
		const struct config_vip *vip = find_vip_address(c, backend->address);
		int family = address_family(backend->address);

		sorted[i] = backend;
		if (family != address_family(first->address)) {
			error_set(c->error, EINVAL, "%s is %s, but %s %s is %s: a pool is of one family",
				address_print(backend->address, text), address_family_name(family),
				address_print(first->address, other),
				elsewhere(where, sizeof(where), first->file, first->line, backend->file),
				address_family_name(address_family(first->address)));
			return refuse_backend(c, pool, backend);
		}
		if (vip) {
			error_set(c->error, EINVAL, "%s is a VIP %s: a backend is known by an address of its own",
				address_print(backend->address, text),
				elsewhere(where, sizeof(where), vip->file, vip->line, backend->file));
			return refuse_backend(c, pool, backend);
		}
	}
	qsort(sorted, pool->n_backends, sizeof(*sorted), by_backend_address);
	for (size_t i = 1; i < pool->n_backends; i++) {
		if (address_compare(sorted[i - 1]->address, sorted[i]->address))
			continue;
		error_set(c->error, EINVAL, "%s is a backend of this pool %s already",
			address_print(sorted[i]->address, text),
			elsewhere(
				where, sizeof(where), sorted[i - 1]->file, sorted[i - 1]->line, sorted[i]->file));
		return refuse_backend(c, pool, sorted[i]);
	}
	return 0;
}

/* Most checks have to know a port; where nobody said anything, it is made only where there is one. */
static int settle_check(const struct context *c, struct config_pool *pool)
{
	const struct use *use = &c->use[pool - c->config->pools];

	if (!pool->check.given) {
		pool->check.type = use->n_vips && !use->n_tcp_vips ? CHECK_NONE : CHECK_TCP;
		return 0;
	}
	if (!check_wants_port(&pool->check) || !use->n_vips || use->n_port_vips)
		return 0;
	error_set(c->error, EINVAL,
		"is missing: the VIPs of pool \"%s\" are on every port (port 0), so a check of "
		"type \"%s\" has to say which; or type \"none\"",
		pool->name, check_type_name(pool->check.type));
	return refuse_pool(c, pool, ".check.port");
}

static int check_pools(const struct context *c)
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
			return refuse_pool(c, &c->config->pools[i], ".backends");
		}
	}
	sorted = calloc(most + 1, sizeof(*sorted));
	if (!sorted)
		return no_memory(c->error);
	for (size_t i = 0; i < c->config->n_pools && !err; i++) {
		err = check_backends(c, &c->config->pools[i], sorted);
		if (!err)
			err = settle_check(c, &c->config->pools[i]);
	}
	free(sorted);
	return err;
}

const char *config_sockets_on(const struct config *config, char *name)
{
	static const char prefix[] = "af_xdp:";
	const char *on;

	if (!config->dpdk_port || strncmp(config->dpdk_port, prefix, sizeof(prefix) - 1))
		return NULL;
	on = config->dpdk_port + sizeof(prefix) - 1;
	snprintf(name, IFNAMSIZ, "%.*s", (int)strcspn(on, ","), on);
	return name;
}

/* That what the path needs is there. */
static int check_path(const struct context *c)
{
	const struct config *config = c->config;
	const char *setting = NULL, *sockets_on;
	char name[IFNAMSIZ];

	sockets_on = config_sockets_on(config, name);
	if (config->path == PATH_XDP && !config->interface) {
		setting = "interface";
		error_set(c->error, EINVAL, "is missing: the NIC that the XDP program is to be attached to, as path is "
			"\"xdp\"");
	} else if (config->path == PATH_DPDK && !config->dpdk_port) {
		setting = "dpdk.port";
		error_set(c->error, EINVAL, "is missing: the port to drive, a PCI address or a DPDK virtual device, as path "
			"is \"dpdk\"");
	} else if (!config->interface && !config->dpdk_port) {
		setting = "interface";
		error_set(c->error, EINVAL, "is missing: the NIC for the XDP path; or dpdk.port, for the DPDK path");
	} else if (config->dpdk_port && !config->dpdk_cores) {
		setting = "dpdk.cores";
		error_set(c->error, EINVAL, "is missing: a list of CPU numbers, as a string such as \"2-3\" or \"2,4\" (CPUs "
			"that forward, one worker each)");
	} else if (sockets_on && (!config->interface || strcmp(sockets_on, config->interface))) {
		setting = "interface";
		error_set(c->error, EINVAL, "must be \"%s\", as dpdk.port is sockets above the XDP program there", name);
	}
	return setting ? config_place(c->error, config->files.item[0], 0, setting, -EINVAL) : 0;
}

int config_check(struct config *config, struct error *error)
{
	struct context c = { .config = config, .error = error };
	int err = -ENOMEM;

	c.by_name = calloc(config->n_pools + 1, sizeof(*c.by_name));
	c.by_vip = calloc(config->n_vips + 1, sizeof(*c.by_vip));
	c.use = calloc(config->n_pools + 1, sizeof(*c.use));
	if (!c.by_name || !c.by_vip || !c.use) {
		no_memory(error);
		goto out;
	}
	for (size_t i = 0; i < config->n_pools; i++)
		c.by_name[i] = &config->pools[i];
	for (size_t i = 0; i < config->n_vips; i++)
		c.by_vip[i] = &config->vips[i];
	qsort(c.by_name, config->n_pools, sizeof(*c.by_name), by_pool_name);
	qsort(c.by_vip, config->n_vips, sizeof(*c.by_vip), by_vip);
	err = check_path(&c);
	if (!err)
		err = check_pool_names(&c);
	if (!err)
		err = check_vips(&c);
	if (!err)
		err = check_vip_pools(&c);
	if (!err)
		err = check_pools(&c);
out:
	free(c.by_name);
	free(c.by_vip);
	free(c.use);
	return err;
}
