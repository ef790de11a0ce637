/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes the forwarding core with frames, several a burst, by each scheduler; the input's form is in
 * fuzz_packet.h. What must hold: one verdict a packet, nothing read or written beside a frame, what goes to a
 * backend or to the kernel is what came but for the MAC addresses, fragments go where their datagram's entry says,
 * a sound flow table, and nothing dead in what was swept.
 */
#include "fuzz_packet.h"

#include <string.h>

#include "fixture.h"
#include "fuzz.h"
#include "setup.h"
#include "snapshot_check.h"
#include "sweep.h"
#include "world.h"

#define BUCKETS 16
#define FEW_FRAGMENT_BUCKETS 2 /* soon full */
#define SLOTS 251

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static struct world worlds[SCHEDULER_COUNT];
/* Of each world the snapshot that is not in force: version 1 is the set-up, 2 has most of its servers disabled. */
static void *others[SCHEDULER_COUNT];
static struct flow_bucket elder[BUCKETS];
static struct sweep sweep;

/* Leave each pool one of the servers that take new flows. */
static void disable_most(struct snapshot_header *h, size_t size)
{
	struct snapshot_backend *backends = (struct snapshot_backend *)((char *)h + h->backends_off);
	struct snapshot_pool *pools = (struct snapshot_pool *)((char *)h + h->pools_off);
	__u16 *slots = (__u16 *)((char *)h + h->slots_off);
	struct snapshot_fault fault;

	for (__u32 i = 0; i < h->n_pools; i++) {
		__u16 *slot = slots + pools[i].slot_first, stays = *slot;

		for (__u32 s = 0; s < pools[i].slot_count; s++) {
			if (slot[s] != stays)
				backends[slot[s]].flags = BACKEND_USED;
			slot[s] = stays;
		}
	}
	setup_seal(h, size);
	FUZZ_CHECK(snapshot_check(h, size, &fault) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (int i = 0; i < SCHEDULER_COUNT; i++) {
		size_t size;
		void *snapshot = setup_snapshot_with(&own, 1, (enum scheduler)i, SLOTS, &size);

		others[i] = setup_snapshot_with(&own, 2, (enum scheduler)i, SLOTS, &size);
		FUZZ_CHECK(others[i]);
		disable_most(others[i], size);
		FUZZ_CHECK(snapshot && !world_open(&worlds[i], snapshot, BUCKETS) && !world_add_sources(&worlds[i]));
	}
	return 0;
}

static void check_to_backend(const struct world *w, const struct parcel *p)
{
	const struct snapshot_backend *b = tables_backend(&w->tables, p->verdict.backend);

	FUZZ_CHECK(p->verdict.counter == COUNTER_FORWARDED);
	FUZZ_CHECK(b && b->flags & BACKEND_VALID && p->verdict.port == 0);
	FUZZ_CHECK(p->out_len == p->readable && p->readable >= ETH_LEN);
	FUZZ_CHECK(!memcmp(p->in, &own, 6));
	FUZZ_CHECK(!memcmp(p->out, &b->dst, 6) && !memcmp(p->out + 6, &own, 6));
	FUZZ_CHECK(!memcmp(p->out + 12, p->in + 12, p->readable - 12));
}

static void check_answer(const struct parcel *p)
{
	FUZZ_CHECK(p->out_len >= ETH_LEN && p->out_len <= p->readable + 8);
	FUZZ_CHECK(!memcmp(p->out + 6, &own, 6));
	/* It goes back to whom asked, or to all nodes. */
	FUZZ_CHECK(!memcmp(p->out, p->in + 6, 6) || !memcmp(p->out, "\x33\x33\0\0\0\1", 6));
}

static void check_parcel(const struct world *w, const struct parcel *p)
{
	FUZZ_CHECK(p->verdict.counter < COUNTER_COUNT && !fixture_is_event(p->verdict.counter));
	switch (p->verdict.action) {
	case ACTION_TO_BACKEND:
		check_to_backend(w, p);
		break;
	case ACTION_ANSWER_ARP:
		FUZZ_CHECK(p->verdict.counter == COUNTER_ANSWERED_ARP);
		check_answer(p);
		break;
	case ACTION_ANSWER_ND:
		FUZZ_CHECK(p->verdict.counter == COUNTER_ANSWERED_ND);
		check_answer(p);
		break;
	case ACTION_ANSWER_ECHO:
		FUZZ_CHECK(p->verdict.counter == COUNTER_ANSWERED_ECHO);
		check_answer(p);
		break;
	case ACTION_TO_KERNEL:
		FUZZ_CHECK(p->verdict.counter == COUNTER_TO_KERNEL);
		FUZZ_CHECK(p->out_len == p->readable && (!p->readable || !memcmp(p->out, p->in, p->readable)));
		break;
	case ACTION_DROP:
		FUZZ_CHECK(p->verdict.counter >= COUNTER_DROP_MALFORMED);
		break;
	case ACTION_HOLD:
		FUZZ_CHECK(p->verdict.counter == COUNTER_HELD_FRAGMENT);
		FUZZ_CHECK(p->out_len == p->readable && !memcmp(p->out, p->in, p->readable));
		break;
	default:
		FUZZ_CHECK(!"an action there isn't");
	}
}

static void check_flows(const struct world *w)
{
	for (__u32 i = 0; i < BUCKETS * FLOW_BUCKET_WORDS; i++) {
		__u64 word = w->buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS];

		FUZZ_CHECK(
			!word || (flow_word_state(word) > FLOW_NONE && flow_word_state(word) < FLOW_STATE_COUNT));
		FUZZ_CHECK(!word || flow_word_backend(word) < SETUP_BACKENDS);
	}
}

/* One fragment by itself, bound for a backend: where its datagram goes. */
static void check_fragment(const struct world *w, const struct parcel *p)
{
	struct fragment_home home;
	int known = !world_datagram(w, p->in, p->readable, &home);

	if (known && p->verdict.action == ACTION_TO_BACKEND)
		FUZZ_CHECK(home.backend == p->verdict.backend && home.vip == p->verdict.vip);
	FUZZ_CHECK(!known || p->verdict.action != ACTION_HOLD);
}

/* Make the checksum of an IPv4 header right, behind up to two tags, if the header is all there. */
static void mend(uint8_t *frame, size_t len)
{
	size_t at = 12, header_len;
	uint32_t sum = 0;

	for (int i = 0;
		i < 2 && len >= at + 2 && (!memcmp(frame + at, "\x81\0", 2) || !memcmp(frame + at, "\x88\xa8", 2));
		i++)
		at += 4;
	if (len < at + 2 + 20 || memcmp(frame + at, "\x08\0", 2))
		return;
	at += 2;
	header_len = (frame[at] & 15u) * 4;
	if (header_len < 20 || len < at + header_len)
		return;
	frame[at + 10] = frame[at + 11] = 0;
	for (size_t i = 0; i < header_len; i += 2)
		sum += (uint32_t)frame[at + i] << 8 | frame[at + i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[at + 10] = (uint8_t)(sum >> 8);
	frame[at + 11] = (uint8_t)sum;
}

/* Two new flows of a source in so many units of the clock, which goes on so far from burst to burst, and two pings. */
#define RATE_INTERVAL 10000

static void set_rates(struct world *w, int limited)
{
	char *block = w->snapshot;
	struct snapshot_header *h = w->snapshot;
	struct snapshot_vip *vips = (struct snapshot_vip *)(block + h->vips_off);
	struct snapshot_policy *policies = (struct snapshot_policy *)(block + h->policies_off);

	h->echo_interval = limited ? RATE_INTERVAL : 0;
	h->echo_tolerance = RATE_INTERVAL;
	for (__u32 i = 0; i < h->n_policies; i++) {
		policies[i].source_interval = RATE_INTERVAL;
		policies[i].source_tolerance = RATE_INTERVAL;
	}
	for (__u32 i = 0; i < h->vip_index_size; i++)
		if (vips[i].flags & VIP_USED && vips[i].proto)
			vips[i].flags = (__u8)(limited ? vips[i].flags | VIP_RATE : vips[i].flags & ~VIP_RATE);
}

/* Put the other snapshot in force. */
static void exchange(struct world *w, uint8_t options)
{
	void **other = &others[w - worlds], *before = w->snapshot;

	w->snapshot = *other;
	*other = before;
	tables_open_snapshot(&w->tables, w->snapshot);
	set_rates(w, options & OPTION_RATES);
}

static struct world *prepare(uint8_t options)
{
	struct world *w = &worlds[(options & OPTION_SCHEDULER) % SCHEDULER_COUNT];

	w->tables.n_fragment_buckets = options & OPTION_NO_FRAGMENTS ? 0 : FEW_FRAGMENT_BUCKETS;
	w->tables.n_buckets = options & OPTION_NO_FLOWS ? 0 : BUCKETS;
	w->tables.n_elder_buckets = 0;
	w->tables.elder_buckets = elder;
	world_clear(w);
	w->tables.tick = 1000;
	/* What the input before left of sources is over by now. */
	w->tables.now += 4 * RATE_INTERVAL;
	if (w->tables.header->version != 1)
		exchange(w, options);
	set_rates(w, options & OPTION_RATES);
	return w;
}

static void sweep_all(const struct world *w)
{
	const struct tables *t = &w->tables;

	sweep.next = sweep.next_elder = sweep.next_fragment = 0;
	FUZZ_CHECK(sweep_buckets(&sweep, t, t->n_buckets + t->n_elder_buckets + t->n_fragment_buckets));
	for (__u32 i = 0; i < t->n_buckets * FLOW_BUCKET_WORDS; i++) {
		__u64 word = t->buckets[i / FLOW_BUCKET_WORDS].word[i % FLOW_BUCKET_WORDS];

		FUZZ_CHECK(!word || flow_word_alive(word, t->tick, t->header->timeout));
	}
	for (__u32 i = 0; i < t->n_fragment_buckets * FRAGMENT_ENTRIES; i++) {
		__u64 claim = t->fragments[i / FRAGMENT_ENTRIES].entry[i % FRAGMENT_ENTRIES].claim;

		FUZZ_CHECK(!claim || !fragment_is_over(claim, t->tick));
	}
}

static void between_bursts(struct world *w, uint8_t options, uint8_t pause)
{
	w->tables.tick = (w->tables.tick + (pause & PAUSE_TICKS)) & FLOW_TICK_MASK;
	w->tables.now += RATE_INTERVAL;
	if (pause & PAUSE_SERVERS)
		exchange(w, options);
	if (options & OPTION_ELDER && w->tables.n_buckets && !w->tables.n_elder_buckets) {
		memcpy(elder, w->buckets, sizeof(elder));
		memset(w->buckets, 0, sizeof(elder));
		w->tables.n_elder_buckets = BUCKETS;
	}
	if (pause & PAUSE_SWEEP)
		sweep_all(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	uint8_t options, *frames, *data;
	struct parcel parcels[BURST_MAX];
	struct world *w;
	__u64 received = 0;

	if (size < 1)
		return 0;
	options = input[0];
	w = prepare(options);
	size--;
	frames = malloc(size + 1);
	FUZZ_CHECK(frames);
	memcpy(frames, input + 1, size);
	data = frames;
	while (size >= 2) {
		__u32 n = 0, most = options & OPTION_ONE_BY_ONE ? 1 : BURST_MAX;
		uint8_t pause = 0;

		while (n < most && size >= 2) {
			size_t len = data[0] | (size_t)(data[1] & 0x7f) << 8;
			int split = data[1] & 0x80;

			data += 2;
			size -= 2;
			len = len < size ? len : size;
			if (!(options & OPTION_AS_IT_IS))
				mend(data, len);
			parcels[n++] =
				(struct parcel){ .in = data, .readable = len, .len = split ? len + 1000 : len };
			data += len;
			size -= len;
			if (!len) {
				if (size) {
					pause = *data++;
					size--;
				}
				break;
			}
		}
		/* No room for an answer in a buffer that ends early is the one failure there is. */
		if (world_burst(w, parcels, n))
			FUZZ_CHECK(w->stats->counter[COUNTER_DROP_NO_ROOM]);
		for (__u32 i = 0; i < n; i++) {
			check_parcel(w, &parcels[i]);
			if (n == 1 && parcels[i].len == parcels[i].readable)
				check_fragment(w, &parcels[i]);
			parcel_free(&parcels[i]);
		}
		received += n;
		between_bursts(w, options, pause);
	}
	free(frames);
	FUZZ_CHECK(world_verdicts(w) == received && w->stats->received == received);
	check_flows(w);
	return 0;
}
