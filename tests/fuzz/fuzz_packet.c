/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes the forwarding core with frames, several a burst, by each scheduler. Input: a byte of options (below),
 * then frames, each a 16-bit little-endian length (top bit: the frame goes on in another buffer) and that many
 * bytes; one of length 0 ends a burst. What must hold: one verdict a packet, nothing read or written beside a
 * frame, what goes to a backend or to the kernel is what came but for the MAC addresses, and a sound flow table.
 */
#include <string.h>

#include "fixture.h"
#include "fuzz.h"
#include "setup.h"
#include "world.h"

#define OPTION_SCHEDULER 0x03
#define OPTION_ONE_BY_ONE 0x04 /* bursts of one frame: none is prepared while another is under way */
#define OPTION_NO_FLOWS 0x08   /* without a flow table */
#define OPTION_ELDER 0x10      /* after a burst the flow table becomes the elder one of a new table */
#define OPTION_RATES 0x20      /* pings and a source's new flows are limited */
#define OPTION_AS_IT_IS 0x80   /* IPv4 headers' checksums are not made right first, which mutation makes wrong */

#define BUCKETS 16
#define SLOTS 251

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static struct world worlds[SCHEDULER_COUNT];
static struct flow_bucket elder[BUCKETS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (int i = 0; i < SCHEDULER_COUNT; i++) {
		size_t size;
		void *snapshot = setup_snapshot_with(&own, 1, (enum scheduler)i, SLOTS, &size);

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

static struct world *prepare(uint8_t options)
{
	struct world *w = &worlds[(options & OPTION_SCHEDULER) % SCHEDULER_COUNT];

	w->tables.n_buckets = options & OPTION_NO_FLOWS ? 0 : BUCKETS;
	w->tables.n_elder_buckets = 0;
	w->tables.elder_buckets = elder;
	world_clear(w);
	w->tables.tick = 1000;
	/* What the input before left of sources is over by now. */
	w->tables.now += 4 * RATE_INTERVAL;
	set_rates(w, options & OPTION_RATES);
	return w;
}

static void between_bursts(struct world *w, uint8_t options)
{
	w->tables.tick = (w->tables.tick + 7) & FLOW_TICK_MASK;
	w->tables.now += RATE_INTERVAL;
	if (options & OPTION_ELDER && w->tables.n_buckets && !w->tables.n_elder_buckets) {
		memcpy(elder, w->buckets, sizeof(elder));
		memset(w->buckets, 0, sizeof(elder));
		w->tables.n_elder_buckets = BUCKETS;
	}
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
		between_bursts(w, options);
	}
	free(frames);
	FUZZ_CHECK(world_verdicts(w) == received && w->stats->received == received);
	check_flows(w);
	return 0;
}
