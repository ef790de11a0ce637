/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments that came before the first of their datagram, while a worker waits for it (core/fragments.h): at most
 * WAITING_MAX, for FRAGMENT_WAIT_MS. A worker's own: while it has any it looks at WAITING_LOOK of them at each turn of
 * its loop and after each burst that brought fragments; while it has none, that costs it two comparisons.
 */
#ifndef SHUNT_WAITING_H
#define SHUNT_WAITING_H

#include <rte_mbuf.h>
#include <stdbool.h>

#include "parse.h"
#include "ports.h"
#include "tables.h"

#define WAITING_MAX 64
#define WAITING_LOOK 32

struct waiting_fragment {
	struct rte_mbuf *mbuf;
	__u64 hash;	/* fragment_hash() */
	__u32 since;	/* tables.now */
	__u16 offset;	/* bytes of the datagram before it */
	__u16 port;	/* it came in by */
};

struct waiting {
	__u64 used; /* bit i: fragment[i] is one; all zero at first */
	unsigned int next;
	__u32 full_until; /* tables.now: none may be displaced before, if it is full */
	struct waiting_fragment fragment[WAITING_MAX];
};

/* Keep a fragment whose verdict is ACTION_HOLD. Returns false, and the buffer stays the caller's, if there is no room. */
bool waiting_add(struct waiting *w, const struct tables *t, struct rte_mbuf *m, const struct frame *f);

/* Look where some of them go; send those whose first has come by now, drop those that have waited too long. */
void waiting_look(struct waiting *w, const struct tables *t, const struct port *ports, unsigned int queue);

/* The hash key may be another: to be called when another snapshot is used. */
void waiting_hash(struct waiting *w, const struct tables *t);

/* Drop all. */
void waiting_clear(struct waiting *w, const struct tables *t);

#endif
