/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes the forwarding core with frames, several a burst, by each scheduler. Input: a byte that chooses
 * scheduler and tick, then frames, each a 16-bit little-endian length (top bit: the frame goes on in another
 * buffer) and that many bytes. What must hold: one verdict a packet, nothing read or written beside a frame, what
 * goes to a backend or to the kernel is what came but for the MAC addresses, and a sound flow table.
 */
#include <string.h>

#include "fixture.h"
#include "fuzz.h"
#include "setup.h"
#include "world.h"

#define BUCKETS 16
#define SLOTS 251

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static struct world worlds[SCHEDULER_COUNT];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (int i = 0; i < SCHEDULER_COUNT; i++) {
		size_t size;
		void *snapshot = setup_snapshot_with(&own, 1, (enum scheduler)i, SLOTS, &size);

		FUZZ_CHECK(snapshot && !world_open(&worlds[i], snapshot, BUCKETS));
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parcel parcels[BURST_MAX];
	struct world *w;
	__u64 received = 0;

	if (size < 1)
		return 0;
	w = &worlds[data[0] % SCHEDULER_COUNT];
	world_clear(w);
	w->tables.tick = 1000;
	data++;
	size--;
	while (size >= 2) {
		__u32 n = 0;

		while (n < BURST_MAX && size >= 2) {
			size_t len = data[0] | (size_t)(data[1] & 0x7f) << 8;
			int split = data[1] & 0x80;

			data += 2;
			size -= 2;
			len = len < size ? len : size;
			parcels[n++] =
				(struct parcel){ .in = data, .readable = len, .len = split ? len + 1000 : len };
			data += len;
			size -= len;
			/* An empty frame ends the burst, and some time goes by. */
			if (!len)
				break;
		}
		/* No room for an answer in a buffer that ends early is the one failure there is. */
		if (world_burst(w, parcels, n))
			FUZZ_CHECK(w->stats->counter[COUNTER_DROP_NO_ROOM]);
		for (__u32 i = 0; i < n; i++) {
			check_parcel(w, &parcels[i]);
			parcel_free(&parcels[i]);
		}
		received += n;
		w->tables.tick = (w->tables.tick + 7) & FLOW_TICK_MASK;
	}
	FUZZ_CHECK(world_verdicts(w) == received && w->stats->received == received);
	check_flows(w);
	return 0;
}
