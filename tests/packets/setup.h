/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The set-up the fixtures are written for: one snapshot, and names for the MAC addresses in it. The key,
 * ids and addresses are fixed, so every body of the core has to give the same backend for the same packet.
 *
 *	pool web    web1 web2 web3 (10.0.0.11-13) up; web-draining, web-down, web-disabled, web-suspect: as they
 *	            are called
 *	pool six    six1 six2 six3 (2001:db8:a::11-13) up
 *	pool empty  empty-draining, empty-suspect: nothing for a new flow
 *
 *	192.0.2.80:80/tcp  192.0.2.80:53/udp            web       2001:db8::80 likewise: six
 *	192.0.2.81:0/tcp   192.0.2.81:0/udp             web       2001:db8::81 likewise: six
 *	192.0.2.81:8080/tcp                             empty     2001:db8::81 likewise: empty
 *	192.0.2.82:80/tcp  (this host is not active)    web       2001:db8::82 likewise: six
 *	192.0.2.83:80/tcp                               empty     2001:db8::83 likewise
 *	192.0.2.84:80/tcp  192.0.2.84:53/udp  (no flow  web       2001:db8::84:80/tcp likewise: six
 *	                   may be half-open)
 *	192.0.2.85:80/tcp  192.0.2.85:53/udp  list 1    web       2001:db8::85 TCP alone: six
 *	192.0.2.86:80/tcp                     list 2    web       2001:db8::86 likewise: six
 *
 * Access list 1 denies 198.51.100.7, .16/28 and in it .18, and many that are far; list 2 allows 198.51.100.0/24 but .32/27,
 * of which .33, and 2001:db8:ff00::/64 but ::10/124. rules in setup.c has them all.
 */
#ifndef SHUNT_SETUP_H
#define SHUNT_SETUP_H

#include <stddef.h>

#include "frame_text.h"
#include "snapshot.h"

#define SETUP_CAPACITY 4096
#define SETUP_BACKENDS 12
#define SETUP_LISTS 2 /* of access */
#define SETUP_RULES 320

/* MACs by name: lb (own), router, client, other, broadcast, zero, and each backend's. Of static storage. */
const struct frame_name *setup_names(const struct mac *own);

/* A backend's id by its name, or -1; and its name by id. */
int setup_backend_id(const char *name);
const char *setup_backend_name(unsigned id);

/*
 * The snapshot, in memory from malloc of exactly *size bytes, the caller's to free; NULL without memory. own:
 * MAC of the one port. version: what it is published as. Any number of times.
 */
void *setup_snapshot(const struct mac *own, __u64 version, size_t *size);

/* The same with another scheduler for every pool, and n_slots, a prime, instead of MAGLEV_SLOTS. */
void *setup_snapshot_with(const struct mac *own, __u64 version, enum scheduler scheduler, __u32 n_slots,
	size_t *size);

/* Put the right checksum into a block that was changed. */
void setup_seal(void *block, size_t size);

#endif
