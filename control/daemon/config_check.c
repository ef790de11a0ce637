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
#include "config_check.h"
#include "config_reader.h"
#include "suggest.h"

static int no_memory(struct error *error)
{
	return error_set(error, ENOMEM, "out of memory");
}

/* "on line 12", with the file where it is another one. */
const char *config_elsewhere(char *text, size_t size, const char *file, int line, const char *from)
{
	if (!strcmp(file, from))
		snprintf(text, size, "on line %d", line);
	else
		snprintf(text, size, "at %.100s:%d", file, line);
	return text;
}

int config_refuse_pool(const struct config_context *c, const struct config_pool *pool, const char *setting)
{
	char name[64];

	snprintf(name, sizeof(name), "pools[%zu]%s", (size_t)(pool - c->config->pools), setting);
	return config_place(c->error, pool->file, pool->line, name, -EINVAL);
}

static int refuse_vip(const struct config_context *c, const struct config_vip *vip, const char *setting)
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

static int check_pool_names(const struct config_context *c)
{
	char where[128];

	for (size_t i = 1; i < c->config->n_pools; i++) {
		const struct config_pool *first = c->by_name[i - 1], *second = c->by_name[i];

		if (strcmp(first->name, second->name))
			continue;
		error_set(c->error, EINVAL, "\"%s\" is the name of the pool %s already", second->name,
			config_elsewhere(where, sizeof(where), first->file, first->line, second->file));
		return config_refuse_pool(c, second, ".name");
	}
	return 0;
}

static int check_vips(const struct config_context *c)
{
	char vip[ADDRESS_VIP_TEXT], where[128];

	for (size_t i = 1; i < c->config->n_vips; i++) {
		const struct config_vip *first = c->by_vip[i - 1], *second = c->by_vip[i];

		if (compare_vips(first, second))
			continue;
		error_set(c->error, EINVAL, "%s is a VIP %s already",
			address_print_vip(second->address, second->protocol, second->port, vip),
			config_elsewhere(where, sizeof(where), first->file, first->line, second->file));
		return refuse_vip(c, second, "");
	}
	return 0;
}

const struct config_pool *config_find_pool(const struct config_context *c, const char *name)
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

const struct config_vip *config_find_vip(const struct config_context *c, struct addr address)
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

void config_no_pool(const struct config_context *c, const char *name)
{
	struct suggestion nearest = { .word = name };
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
		error_set(c->error, EINVAL, "there is no pool \"%s\", nor any other", name);
	else if (shown < c->config->n_pools)
		error_set(c->error, EINVAL, "there is no pool \"%s\"%s; pools: %s and %zu more", name, hint, known,
			c->config->n_pools - shown);
	else
		error_set(c->error, EINVAL, "there is no pool \"%s\"%s; pools: %s", name, hint, known);
}

/* Pool of each VIP, and that all of a pool is of one family. */
static int check_vip_pools(const struct config_context *c)
{
	char text[ADDRESS_TEXT], other[ADDRESS_TEXT], where[128];

	for (size_t i = 0; i < c->config->n_vips; i++) {
		const struct config_vip *vip = &c->config->vips[i];
		const struct config_pool *pool = config_find_pool(c, vip->pool);
		int family = address_family(vip->address);
		struct addr peer;
		const char *file;
		struct use *use;
		int line;

		if (!pool) {
			config_no_pool(c, vip->pool);
			return refuse_vip(c, vip, ".pool");
		}
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
			address_print(peer, other), config_elsewhere(where, sizeof(where), file, line, vip->file));
		return refuse_vip(c, vip, ".address");
	}
	return 0;
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
static int check_path(const struct config_context *c)
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
	struct config_context c = { .config = config, .error = error };
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
		err = config_check_pools(&c);
out:
	free(c.by_name);
	free(c.by_vip);
	free(c.use);
	return err;
}
