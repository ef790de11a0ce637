/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A forwarder without ports: the core with a snapshot, a flow table and counters in ordinary memory, and a
 * body that carries out verdicts as the dataplane does, for tests and fuzzers. Frames are handed to the core with
 * head- and tailroom that is poisoned: AddressSanitizer reports every access beside them, and without it a write
 * ends the program.
 */
#ifndef SHUNT_WORLD_H
#define SHUNT_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "burst.h"
#include "tables.h"

#define WORLD_FRAGMENT_BUCKETS 16

struct world {
	struct tables tables;
	void *snapshot;      /* owned; what tables.header points to */
	__u32 *active;       /* owned, STATS_IDS */
	struct stats_worker *stats;
	struct flow_bucket *buckets;
	struct fragment_bucket *fragments; /* owned, WORLD_FRAGMENT_BUCKETS */
	struct source_bucket *sources;	   /* owned, SOURCE_BUCKETS; NULL unless asked for */
};

/* A frame on its way in and what became of it. */
struct parcel {
	const uint8_t *in;
	size_t len;          /* of the whole frame */
	size_t readable;     /* bytes of it that lie in one piece from its start on: len, or fewer */
	struct verdict verdict;
	uint8_t *out;        /* owned, until parcel_free(): the frame after the verdict was carried out */
	size_t out_len;      /* readable bytes of it */
};

/* Snapshot from malloc (taken over) or NULL, flow table of n_buckets or 0. Returns 0, or -1 without memory. */
int world_open(struct world *w, void *snapshot, __u32 n_buckets);
void world_close(struct world *w);

/* A table of sources, without which none is limited. 0 or -1. */
int world_add_sources(struct world *w);

/* Work from another snapshot from now on (taken over); flows stay. */
void world_publish(struct world *w, void *snapshot);

/* Forget all flows and counters. */
void world_clear(struct world *w);

/*
 * n parcels (1..BURST_MAX) through the core in one burst; counts them as a worker does. Returns 0, or -1
 * when an allocation failed or an answer couldn't be written (then the verdict is drop_no_room).
 */
int world_burst(struct world *w, struct parcel *parcels, __u32 n);

/* One frame, all of it readable. */
int world_one(struct world *w, const uint8_t *frame, size_t len, struct parcel *p);

void parcel_free(struct parcel *p);

/* The flow entry a frame would find: its word, or 0 if there is none or the frame is not a VIP's flow's. */
__u64 world_flow(const struct world *w, const uint8_t *frame, size_t len);

/* Enter one for it, in its first bucket, used just now. Returns 0, or -1 if the frame is not a VIP's flow's. */
int world_set_flow(struct world *w, const uint8_t *frame, size_t len, unsigned backend, unsigned state);

/* The same of the datagram that a frame is a fragment of: where its first went; and its entry. */
int world_datagram(const struct world *w, const uint8_t *frame, size_t len, struct fragment_home *home);
int world_set_datagram(struct world *w, const uint8_t *frame, size_t len, unsigned backend, unsigned bytes);

/* Sum of all counters of class VERDICT. */
__u64 world_verdicts(const struct world *w);

#endif
