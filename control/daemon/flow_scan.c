/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks through the flow table, a piece a turn of the event loop. */
#include "flow_scan.h"

#include <stdlib.h>
#include <time.h>

#define BUCKETS_A_TURN 32768 /* 2 MiB: about a millisecond */

struct flow_scan {
	struct event *turn;
	struct model *model;
	struct publisher *publisher;
	bool (*visit)(void *context, const struct flow_seen *seen);
	void (*done)(void *context);
	void *context;
	uint32_t next; /* bucket; those of the elder table come last */
};

const char *flow_state_name(enum flow_state state)
{
	static const char *const names[FLOW_STATE_COUNT] = {
		[FLOW_NONE] = "none",
		[FLOW_SYN] = "syn",
		[FLOW_ESTABLISHED] = "established",
		[FLOW_FIN] = "fin",
		[FLOW_RESET] = "reset",
		[FLOW_UDP_NEW] = "udp-new",
		[FLOW_UDP] = "udp",
	};

	return (unsigned int)state < FLOW_STATE_COUNT ? names[state] : "unknown";
}

bool flow_seen_is_active(const struct flow_seen *seen)
{
	return seen->state != FLOW_FIN && seen->state != FLOW_RESET;
}

/*
 * A word has only the low bits of its VIP's id; the backend's pool tells which of those that share them, unless that
 * VIP has been given another pool since.
 */
static const struct vip *vip_of(struct model *model, uint32_t low_bits, const struct backend *backend)
{
	const struct vip *first = NULL;

	for (uint32_t id = low_bits; id < SNAPSHOT_MAX_IDS; id += FLOW_VIP_MASK + 1) {
		const struct vip *vip = model_vip_by_id(model, (uint16_t)id);

		if (vip && (!backend || vip->pool == backend->pool))
			return vip;
		first = first ? first : vip;
	}
	return first;
}

/* False: the visitor has seen enough. */
static bool visit_bucket(struct flow_scan *scan, const struct flow_bucket *bucket, uint32_t tick,
	const __u16 *timeout)
{
	for (int i = 0; i < FLOW_BUCKET_WORDS; i++) {
		uint64_t word = *(const volatile __u64 *)&bucket->word[i];
		struct flow_seen seen;

		if (!flow_word_alive(word, tick, timeout))
			continue;
		seen.backend = model_backend_by_id(scan->model, (uint16_t)flow_word_backend(word));
		seen.vip = vip_of(scan->model, flow_word_vip(word), seen.backend);
		seen.state = (enum flow_state)flow_word_state(word);
		seen.idle_s = flow_word_age(word, tick) * FLOW_TICK_S;
		if (!scan->visit(scan->context, &seen))
			return false;
	}
	return true;
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	struct flow_scan *scan = context;
	const struct snapshot_header *snapshot = publish_snapshot(scan->publisher);
	struct forwarder_flows flows = publish_flows(scan->publisher);
	uint32_t end = scan->next + BUCKETS_A_TURN, all = flows.n_buckets + flows.n_elder_buckets;
	struct timeval at_once = { 0, 0 };
	struct timespec now;
	bool more = flows.buckets && snapshot;

	(void)fd;
	(void)what;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (end > all)
		end = all;
	for (; more && scan->next < end; scan->next++) {
		const struct flow_bucket *bucket = scan->next < flows.n_buckets ? &flows.buckets[scan->next] :
			&flows.elder_buckets[scan->next - flows.n_buckets];

		more = visit_bucket(scan, bucket, flow_tick((__u64)now.tv_sec), snapshot->timeout);
	}
	if (more && scan->next < all && event_add(scan->turn, &at_once) == 0)
		return;

	void (*done)(void *) = scan->done;
	void *its_context = scan->context;

	flow_scan_cancel(scan);
	done(its_context);
}

struct flow_scan *flow_scan_begin(struct event_base *base, struct model *model, struct publisher *publisher,
	bool (*visit)(void *context, const struct flow_seen *seen), void (*done)(void *context), void *context)
{
	struct flow_scan *scan = calloc(1, sizeof(*scan));
	struct timeval at_once = { 0, 0 };

	if (!scan)
		return NULL;
	scan->turn = evtimer_new(base, on_turn, scan);
	if (!scan->turn || event_add(scan->turn, &at_once) < 0) {
		if (scan->turn)
			event_free(scan->turn);
		free(scan);
		return NULL;
	}
	scan->model = model;
	scan->publisher = publisher;
	scan->visit = visit;
	scan->done = done;
	scan->context = context;
	return scan;
}

void flow_scan_cancel(struct flow_scan *scan)
{
	event_free(scan->turn);
	free(scan);
}
