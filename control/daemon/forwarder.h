/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A forwarder, as the publisher and the counters see it: takes snapshots, and shares what it counts and its flow
 * table. There are two kinds, shunt-dataplane behind its socket (forwarder_dataplane.c) and the XDP program in
 * the kernel (forwarder_xdp.c). One thread, that of the event base.
 */
#ifndef SHUNT_FORWARDER_H
#define SHUNT_FORWARDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "flow_table.h"
#include "snapshot_build.h"
#include "stats.h"

struct forwarder;

enum forwarder_kind { FORWARDER_XDP, FORWARDER_DATAPLANE, FORWARDER_KINDS };

/* Memory that a forwarder counts in, told from the one before it. */
struct forwarder_segment {
	uint64_t started_ns; /* CLOCK_MONOTONIC; 0: none yet */
	uint32_t pid;
};

/* What becomes of a snapshot that is handed to a forwarder. */
enum forwarder_answer {
	FORWARDER_HAS_IT,   /* in force */
	FORWARDER_WILL_SAY, /* taken() or down() is to come, or has come */
	FORWARDER_REFUSES,  /* the one before it stays in force */
};

/* A worker: a core of shunt-dataplane, a CPU for the XDP program. It writes on meanwhile. */
struct forwarder_worker {
	uint32_t core; /* FORWARDER_NO_CORE: none, but figures of earlier memory, to be added up with the others */
	const __u64 *received;
	const __u64 *counter; /* by enum counter */
	const __u64 *polls, *busy_polls; /* NULL: it does not poll */
	const struct stats_traffic *vip, *backend; /* n_ids each, by id */
	const struct stats_handshakes *handshakes; /* n_ids, by backend id; NULL: not counted */
	const struct stats_guard *guard;	   /* n_ids, by VIP id; NULL: likewise */
	const __u64 *rule;			   /* n_rules, by rule id; NULL: likewise */
	uint32_t n_ids;
	uint32_t n_rules;
};

#define FORWARDER_NO_CORE UINT32_MAX

struct forwarder_flows {
	const struct flow_table_header *header; /* NULL: none is shared */
	const struct flow_bucket *buckets;
	uint32_t n_buckets;
	/* The table before, of another capacity, while flows are left in it; else NULL and 0. */
	const struct flow_bucket *elder_buckets;
	uint32_t n_elder_buckets;
};

/* Whom a forwarder tells; never from within a call of forwarder_free(). */
struct forwarder_owner {
	void *context;
	/* It takes snapshots from now on. Again, without down(), where it has to have all anew, or segment is another. */
	void (*up)(void *context, struct forwarder *forwarder);
	/* No longer. stats, flows and worker() are there until this returns. */
	void (*down)(void *context, struct forwarder *forwarder);
	/* The snapshot it was sent last is in force; or is refused, with a line that says why. */
	void (*taken)(void *context, struct forwarder *forwarder, const char *refusal);
	/* Its ports are others: a snapshot with them is needed. */
	void (*ports_changed)(void *context);
};

struct forwarder_operations {
	void (*free)(struct forwarder *forwarder);
	void (*reconfigure)(struct forwarder *forwarder, const struct config *config);
	/* Ports by index, into mac[SNAPSHOT_MAX_PORTS]; how many: 1 or more. Only while it is up. */
	uint32_t (*ports)(const struct forwarder *forwarder, struct mac *mac);
	/* block: the caller's, at least until the answer. error: set with FORWARDER_REFUSES. */
	enum forwarder_answer (*send)(struct forwarder *forwarder, const struct snapshot_block *block, uint64_t version,
		struct error *error);
	bool (*worker)(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *worker);
	bool (*alive)(const struct forwarder *forwarder);
	/* Why there is no answer yet, for who waits for one: "there is no shunt-dataplane". */
	const char *(*excuse)(const struct forwarder *forwarder);
	/* Add lines on what is wrong with it to an array of strings. */
	void (*warnings)(const struct forwarder *forwarder, json_t *warnings);
};

/* What its implementation embeds as its first member. */
struct forwarder {
	const struct forwarder_operations *does;
	struct forwarder_owner owner;
	enum forwarder_kind kind;
	bool carries_checks; /* the kernel reaches backends by way of it: while it is not alive no check says anything */
	bool up;
	uint64_t snapshot_version; /* it worked from when it came up; 0: none */
	struct forwarder_segment segment;
	const struct stats_header *stats; /* NULL while there is none, as when it is not up */
	struct forwarder_flows flows;
};

static inline void forwarder_free(struct forwarder *forwarder)
{
	if (forwarder)
		forwarder->does->free(forwarder);
}

/* Worker index's figures: false beyond the last, and while there are no stats. */
static inline bool forwarder_worker(const struct forwarder *forwarder, uint32_t index,
	struct forwarder_worker *worker)
{
	return forwarder->stats && forwarder->does->worker(forwarder, index, worker);
}

/* Of the CPUs only those are shown that have seen packets; who polls is at work without any. */
static inline bool forwarder_worker_is_at_work(const struct forwarder_worker *worker)
{
	return worker->polls || *worker->received;
}

/* Up, and doing its work: its heartbeat is not older than three seconds. */
static inline bool forwarder_alive(const struct forwarder *forwarder)
{
	return forwarder->up && forwarder->does->alive(forwarder);
}

#endif
