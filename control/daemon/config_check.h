/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files that look at a configuration as a whole: config_check.c and, of pools, config_check_pools.c.
 */
#ifndef SHUNT_CONFIG_CHECK_H
#define SHUNT_CONFIG_CHECK_H

#include "config.h"

struct config_context {
	struct config *config;
	struct error *error;
	const struct config_pool **by_name;	/* n_pools */
	const struct config_vip **by_vip;	/* n_vips, by address, protocol, port */
	struct use {				/* by pool, in the file's order */
		const struct config_vip *first; /* VIP of the pool, or NULL */
		size_t n_vips;
		size_t n_port_vips;
		size_t n_tcp_vips;
		const struct config_pool *lent_to; /* one with VIPs that falls back to it, or NULL */
		size_t n_lent_port_vips;           /* of such pools */
	} * use;
};

/* "on line 12" into text, returned; with the file where it is another one than from. */
const char *config_elsewhere(char *text, size_t size, const char *file, int line, const char *from);
/* Put the pool's place in front of what the error says; setting as ".name". Returns -EINVAL. */
int config_refuse_pool(const struct config_context *c, const struct config_pool *pool, const char *setting);
/* By name; NULL: there is none. */
const struct config_pool *config_find_pool(const struct config_context *c, const char *name);
/* Some VIP of this address; NULL: there is none. */
const struct config_vip *config_find_vip(const struct config_context *c, struct addr address);
/* "there is no pool "x" (did you mean "y"?); pools: ..." */
void config_no_pool(const struct config_context *c, const char *name);

/* Backends, checks and fallbacks, once it is known who uses a pool. 0, -EINVAL or -ENOMEM. */
int config_check_pools(const struct config_context *c);

#endif
