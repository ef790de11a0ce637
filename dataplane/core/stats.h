/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The statistics segment: one shared, sparse block of memory that the forwarder makes and writes and
 * shuntd maps read-only, so that reading counters costs the workers nothing. A counter has one writer
 * and only rises while the segment lives; readers take differences.
 */
#ifndef SHUNT_STATS_H
#define SHUNT_STATS_H

#include "flow_table.h"
#include "snapshot.h"
#include "types.h"
#include "verdicts.h"

#define STATS_MAGIC 0x31544154534e4853ULL /* "SHNSTAT1" */
#define STATS_ABI 3
#define STATS_MAX_WORKERS 64
#define STATS_COUNTERS 64 /* room for COUNTER_COUNT */
#define STATS_IDS 65536

_Static_assert(COUNTER_COUNT <= STATS_COUNTERS, "more counters than the segment has room for");

struct stats_traffic {
	__u64 packets;      /* worker: rw, others: ro */
	__u64 bytes;        /* worker: rw, others: ro; of frames from the destination MAC on, without FCS */
	__u64 new_flows;    /* worker: rw, others: ro */
	__u64 new_at_sweep; /* worker: ro, sweeper: rw; new_flows when active[] was last counted */
};

/* A backend's TCP handshakes, as far as the client's side of them shows. Of flows that are in the flow table. */
struct stats_handshakes {
	__u64 asked;	 /* worker: rw, others: ro; SYNs that began a flow on it */
	__u64 completed; /* worker: rw, others: ro; half-open flows whose client went on: the backend had answered
			  */
	__u64 repeated;	 /* worker: rw, others: ro; SYNs of flows that were half-open on it already */
	__u64 reserved;
};

/* What happened to a VIP's packets beside being forwarded. */
struct stats_guard {
	/*
	 * These three are by FLOW_VIP_MASK's bits of the id alone, as displaced words have no more. opened -
	 * closed - at_sweep, a signed number, is what the worker takes for its share of the VIP's half-open flows.
	 */
	__u64 opened;	/* worker: rw, others: ro, as all but one; half-open flows entered */
	__u64 closed;	/* half-open flows that went on, were displaced or ended */
	__u64 at_sweep; /* worker: ro, sweeper: rw; sweep_share() */
	__u64 elsewhere; /* packets whose backend is not the one that hashing would give: estimated from a sample */
	__u64 untracked; /* new flows forwarded without an entry */
	__u64 refused;	 /* packets that the access list kept out */
	__u64 limited;	 /* new flows beyond their source's rate */
	__u64 over_bound; /* of those untracked: the VIP had its bound of half-open flows */
};

struct stats_worker {
	__u64 received;                /* packets; equals the sum of the VERDICT counters */
	__u64 polls;                   /* receive bursts tried */
	__u64 busy_polls;              /* receive bursts that brought something */
	__s32 tid;                     /* of the thread, for /proc/PID/task/TID */
	__u32 core;                    /* CPU the worker runs on */
	__u32 echo_due;                /* the worker's own: when its next answer to a ping is due */
	__u32 reserved0;
	__u64 reserved[3];
	__u64 counter[STATS_COUNTERS]; /* by enum counter */
	struct stats_traffic vip[STATS_IDS];
	struct stats_traffic backend[STATS_IDS];
	struct stats_handshakes handshakes[STATS_IDS]; /* by backend id */
	struct stats_guard guard[STATS_IDS];	       /* by VIP id */
	__u64 rule[SNAPSHOT_MAX_RULES];		       /* by rule id: packets that an access list's rule decided on */
};

struct stats_port {
	char name[32];   /* as DPDK names it */
	char driver[32];
	struct mac mac;
	__u16 mtu;
	__u32 link_up;
	__u32 link_mbps; /* 0: unknown */
	__u32 rx_queues;
	__u32 tx_queues;
	__u32 reserved;
	__u64 rx_missed; /* packets the port lost because the workers were behind */
	__u64 rx_errors;
	__u64 tx_errors;
};

struct stats_header {
	__u64 magic;
	__u32 abi;
	__u32 pid;
	__u64 size;             /* bytes of the segment */
	__u64 worker_off;       /* struct stats_worker[n_workers] */
	__u64 started_ns;       /* CLOCK_MONOTONIC */
	__u64 heartbeat_ns;     /* CLOCK_MONOTONIC, about ten times a second */
	__u64 snapshot_version; /* in force on every worker; 0: none yet */
	__u32 n_workers;
	__u32 n_ports;
	struct stats_port port[16];

	/* What the last sweep of the flow table counted. Sweeper: rw, others: ro. */
	__u64 sweep;          /* sweeps finished */
	__u64 sweep_ns;       /* CLOCK_MONOTONIC at its end */
	__u64 flows_active;   /* half-open, established and UDP */
	__u64 flows_closing;  /* FIN or RST seen, not yet timed out */
	__u64 flows_half_open;
	__u64 flow_slots;     /* flows the table has room for, in all */
	__u64 fragments_off;  /* bytes to the table of fragments.h, FRAGMENT_BUCKETS, which the workers share; 0: it is elsewhere */
	__u64 reserved[7];
	__u32 active[STATS_IDS];  /* by backend id */
	__u32 closing[STATS_IDS]; /* by backend id */
	__u32 silent_s[STATS_IDS]; /* by backend id: since the last packet of that of its active flows which had
				      none for longest; in ticks */
	__u32 half_open[FLOW_VIP_MASK + 1]; /* TCP flows, by the bits of the VIP id that a flow's word has */
};

_Static_assert(sizeof(struct stats_traffic) == 32, "stats traffic");
_Static_assert(sizeof(struct stats_handshakes) == 32, "stats handshakes");
_Static_assert(sizeof(struct stats_guard) == 64, "stats guard");
_Static_assert(sizeof(struct stats_worker) % 64 == 0, "stats worker");

#endif
