/* SPDX-License-Identifier: BSD-3-Clause */
/* The body of world.h. */
#include "world.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame_text.h"

/* Around a frame, as a driver leaves room there: longer than any header that an offset could be wrong by. */
#define HEADROOM 128
#define TAILROOM 512
#define MARGIN 0xa5

/* Memory for len bytes of a frame. Around it AddressSanitizer reports each access, and without it frame_free()
 * each write. */
static uint8_t *frame_new(size_t len)
{
	uint8_t *room = malloc(HEADROOM + len + TAILROOM);

	if (!room)
		return NULL;
	memset(room, MARGIN, HEADROOM + len + TAILROOM);
	ASAN_POISON_MEMORY_REGION(room, HEADROOM);
	ASAN_POISON_MEMORY_REGION(room + HEADROOM + len, TAILROOM);
	return room + HEADROOM;
}

static void check_margin(const uint8_t *margin, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (margin[i] == MARGIN)
			continue;
		fprintf(stderr, "the core has written beside a frame\n");
		abort();
	}
}

static void frame_free(uint8_t *frame, size_t len)
{
	uint8_t *room = frame - HEADROOM;

	if (!frame)
		return;
	ASAN_UNPOISON_MEMORY_REGION(room, HEADROOM + len + TAILROOM);
	check_margin(room, HEADROOM);
	check_margin(frame + len, TAILROOM);
	free(room);
}

int world_open(struct world *w, void *snapshot, __u32 n_buckets)
{
	*w = (struct world){ .snapshot = snapshot };
	w->active = calloc(STATS_IDS, sizeof(*w->active));
	w->stats = calloc(1, sizeof(*w->stats));
	if (n_buckets && posix_memalign((void **)&w->buckets, 64, n_buckets * sizeof(*w->buckets)))
		w->buckets = NULL;
	if (posix_memalign((void **)&w->fragments, 64, WORLD_FRAGMENT_BUCKETS * sizeof(*w->fragments)))
		w->fragments = NULL;
	if (!w->active || !w->stats || !w->fragments || (n_buckets && !w->buckets)) {
		world_close(w);
		return -1;
	}
	if (snapshot)
		tables_open_snapshot(&w->tables, snapshot);
	w->tables.buckets = w->buckets;
	w->tables.n_buckets = n_buckets;
	w->tables.fragments = w->fragments;
	w->tables.n_fragment_buckets = WORLD_FRAGMENT_BUCKETS;
	w->tables.stats = w->stats;
	w->tables.active = w->active;
	w->tables.tick = 1000;
	world_clear(w);
	return 0;
}

void world_close(struct world *w)
{
	free(w->snapshot);
	free(w->active);
	free(w->stats);
	free(w->buckets);
	free(w->fragments);
	free(w->sources);
	*w = (struct world){ 0 };
}

int world_add_sources(struct world *w)
{
	if (posix_memalign((void **)&w->sources, 64, SOURCE_BUCKETS * sizeof(*w->sources))) {
		w->sources = NULL;
		return -1;
	}
	w->tables.sources = w->sources;
	memset(w->sources, 0, SOURCE_BUCKETS * sizeof(*w->sources));
	return 0;
}

void world_publish(struct world *w, void *snapshot)
{
	free(w->snapshot);
	w->snapshot = snapshot;
	tables_open_snapshot(&w->tables, snapshot);
}

void world_clear(struct world *w)
{
	memset(w->stats->counter, 0, sizeof(w->stats->counter));
	w->stats->received = 0;
	memset(w->fragments, 0, WORLD_FRAGMENT_BUCKETS * sizeof(*w->fragments));
	if (w->buckets)
		memset(w->buckets, 0, w->tables.n_buckets * sizeof(*w->buckets));
}

/* Do what the verdict says, in memory of exactly the length it asks for. */
static int carry_out(struct world *w, struct parcel *p, struct frame *f)
{
	const struct snapshot_port *port;
	struct packet packet;
	size_t length, readable;
	uint8_t *out;

	if (p->verdict.action < ACTION_ANSWER_ARP || p->verdict.action > ACTION_ANSWER_ECHO)
		return 0;
	packet_parse(f, &packet);
	length = answer_length(p->verdict.action, f, &packet);
	readable = p->readable < p->len && length > p->readable ? p->readable : length;
	out = frame_new(readable);
	port = tables_port(&w->tables, f->port);
	if (!out || !port) {
		frame_free(out, readable);
		return -1;
	}
	memcpy(out, p->out, readable < p->out_len ? readable : p->out_len);
	frame_free(p->out, p->out_len);
	p->out = out;
	p->out_len = readable;
	*f = (struct frame){ .data = out, .end = out + readable, .len = (__u32)length, .port = f->port };
	if (!answer_write(p->verdict.action, f, &packet, port->mac))
		return 0;
	p->verdict = (struct verdict){ .action = ACTION_DROP, .counter = COUNTER_DROP_NO_ROOM };
	return -1;
}

int world_burst(struct world *w, struct parcel *parcels, __u32 n)
{
	struct frame frames[BURST_MAX];
	struct verdict verdicts[BURST_MAX];
	int result = 0;

	for (__u32 i = 0; i < n; i++) {
		struct parcel *p = &parcels[i];

		p->out_len = p->readable;
		p->out = frame_new(p->readable);
		if (!p->out)
			return -1;
		if (p->readable)
			memcpy(p->out, p->in, p->readable);
		frames[i] = (struct frame){ .data = p->out, .end = p->out + p->readable, .len = (__u32)p->len };
	}
	memset(verdicts, 0xa5, sizeof(verdicts));
	forward_burst(&w->tables, frames, verdicts, n);
	for (__u32 i = 0; i < n; i++) {
		struct parcel *p = &parcels[i];

		p->verdict = verdicts[i];
		if (carry_out(w, p, &frames[i]))
			result = -1;
		w->stats->received++;
		tables_count(&w->tables, p->verdict.counter);
		if (p->verdict.action == ACTION_TO_BACKEND)
			forward_account(&w->tables, &p->verdict, (__u32)p->len);
	}
	return result;
}

int world_one(struct world *w, const uint8_t *frame, size_t len, struct parcel *p)
{
	*p = (struct parcel){ .in = frame, .len = len, .readable = len };
	return world_burst(w, p, 1);
}

void parcel_free(struct parcel *p)
{
	frame_free(p->out, p->out_len);
	p->out = NULL;
}

/* Make a copy of a frame, at f, one that was sent to this host and is as long as it says. p: what it is. */
static void mend(const struct world *w, struct frame *f, const struct packet *p)
{
	__be16 len;

	if (f->len < sizeof(struct eth_header))
		return;
	memcpy(f->data, &w->tables.ports[0].mac, sizeof(struct mac));
	if (p->fault != COUNTER_DROP_LENGTH && p->fault != COUNTER_DROP_CHECKSUM)
		return;
	if (addr_is_ipv4(p->dst)) {
		len = core_be16(f->len - p->l3);
		memcpy(f->data + p->l3 + 2, &len, sizeof(len));
		frame_ipv4_seal(f->data + p->l3);
	} else {
		len = core_be16(f->len - p->l3 - sizeof(struct ipv6_header));
		memcpy(f->data + p->l3 + 4, &len, sizeof(len));
	}
}

/*
 * Where the flow of a frame, or that which it is an error about, has its entry: of one that is dropped for a wrong
 * MAC address, length or checksum, the flow that it would be of. Returns 0, or -1 if it isn't a VIP's flow's.
 */
static int place_of(const struct world *w, const uint8_t *frame, size_t len, struct lookup *l)
{
	__u8 *copy = malloc(len ? len : 1);
	struct frame f = { .data = copy, .end = copy + len, .len = (__u32)len };
	struct verdict v;
	struct packet p;
	int match;

	if (!copy)
		abort();
	memcpy(copy, frame, len);
	packet_parse(&f, &p);
	mend(w, &f, &p);
	packet_parse(&f, &p);
	if (p.kind == PACKET_ERROR)
		packet_parse_quote(&f, &p);
	if (p.kind == PACKET_ERROR)
		p.kind = PACKET_FLOW;
	match = w->tables.n_buckets ? (int)forward_match(&w->tables, &f, &p, l, &v) : MATCH_OTHER;
	free(copy);
	if (match != MATCH_FLOW)
		return -1;
	forward_hash(&w->tables, &p, l);
	forward_place(&w->tables, l);
	return 0;
}

__u64 world_flow(const struct world *w, const uint8_t *frame, size_t len)
{
	struct lookup l = { 0 };
	__u64 word = 0;

	if (!place_of(w, frame, len, &l))
		flow_find(&w->tables, &l.place, -1, &word);
	return word;
}

int world_set_flow(struct world *w, const uint8_t *frame, size_t len, unsigned backend, unsigned state)
{
	struct lookup l = { 0 };
	__u64 *place, word;

	if (place_of(w, frame, len, &l))
		return -1;
	place = flow_find(&w->tables, &l.place, -1, &word);
	if (!place)
		place = &w->tables.buckets[l.place.bucket[0]].word[0];
	*place = flow_word(l.place.tag, backend, state, w->tables.tick);
	return 0;
}

/* The hash of a fragment's datagram. Returns 0, or -1 if it is none. */
static int datagram_of(const struct world *w, const uint8_t *frame, size_t len, __u64 *hash)
{
	struct frame f = { .data = (__u8 *)frame, .end = (__u8 *)frame + len, .len = (__u32)len };
	struct packet p;

	packet_parse(&f, &p);
	if (!p.fragment || !w->tables.header)
		return -1;
	*hash = fragment_hash_of(&w->tables, &p);
	return 0;
}

int world_datagram(const struct world *w, const uint8_t *frame, size_t len, struct fragment_home *home)
{
	__u64 hash;

	*home = (struct fragment_home){ 0 };
	return datagram_of(w, frame, len, &hash) || !fragment_find(&w->tables, hash, home) ? -1 : 0;
}

int world_set_datagram(struct world *w, const uint8_t *frame, size_t len, unsigned backend, unsigned bytes)
{
	struct fragment_home home = { .backend = backend, .units = (bytes + 7) / 8 };
	__u64 hash;

	return datagram_of(w, frame, len, &hash) ? -1 : fragment_enter(&w->tables, hash, &home);
}

__u64 world_verdicts(const struct world *w)
{
	__u64 sum = 0;

#define COUNTER_ADD_VERDICT(symbol) sum += w->stats->counter[COUNTER_##symbol];
#define COUNTER_ADD_EVENT(symbol)
#define COUNTER_ADD(symbol, class, name, help) COUNTER_ADD_##class(symbol)
	COUNTER_LIST(COUNTER_ADD)
#undef COUNTER_ADD
	return sum;
}
