/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies below an AF_XDP port: shuntd's XDP program, which forwards by itself what no socket takes off its
 * hands, with the same tables. This process finds it by the maps that shuntd pins in xdp.pin, joins it as soon as
 * it can do what the program does, and leaves it when it stops; killed, it leaves by itself, as the kernel takes a
 * closed socket out of the map. Main thread.
 *
 * The port stands by, and the program forwards alone, as long as one of these is missing: a snapshot not older
 * than the program's, with one port only; the program's flow table, for the snapshot's hash key; workers that run.
 */
#ifndef SHUNT_BELOW_H
#define SHUNT_BELOW_H

#include <stdbool.h>

#include "afxdp.h"
#include "flow_file.h"
#include "settings.h"

struct adopt;

struct below {
	struct afxdp *port;
	struct adopt *adopt;
	char flows_path[320], elder_path[320], xsks_path[320], owners_path[320], control_path[320];
	int xsks; /* the map that the sockets are in; -1: none */
	__u32 xsks_id;
	__u32 no_elder_id; /* of a map that stands where an elder table would be, and is none */
	char why[256];	   /* it stands by */
	char said[256];	   /* the same, as it was last logged */
};

/* Not joined yet. port, adopt: used as long as *b is. */
void below_init(struct below *b, const struct settings *s, struct afxdp *port, struct adopt *adopt);

/*
 * The flow table to use with this snapshot: the one in use if it is still the program's, else the program's. NULL
 * if there is none that fits. The caller owns it; in_use stays open.
 */
struct flow_file *below_flows(struct below *b, struct flow_file *in_use, const struct snapshot_header *snapshot);

/* Likewise the elder table, which the program has for a while after the capacity has changed; else NULL. */
struct flow_file *below_elder(struct below *b, struct flow_file *in_use, const struct snapshot_header *snapshot);

/*
 * Whether to sweep the tables, which are the program's: not with a snapshot older than its own, that does not know
 * all the backends its flows are on.
 */
bool below_may_sweep(const struct below *b);

/* About ten times a second, once the workers run: join when that is possible, follow what shuntd changes. */
void below_beat(struct below *b);

/* Leave, and wait until the workers have dealt with all that had come by then. They run still. */
void below_leave(struct below *b);

#endif
