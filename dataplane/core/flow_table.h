/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table: which backend a flow is on. One 64-bit word a flow, eight to a 64-byte bucket, two
 * buckets a flow may be in; a word changes only by compare-and-swap, so any number of workers and
 * processes share a table without locks. It holds a keyed fingerprint, not the flow's addresses: two
 * flows of one VIP whose fingerprints and buckets collide (about 3 in a million new flows) share a
 * backend. No timers: a word carries the tick it was last used in and is dead when its state's timeout
 * has passed since; the sweeper (flow_table_sweep) clears dead words so that ticks can't wrap unseen.
 *
 * Sixteen bytes are allotted for each flow of stated capacity, two words, so that a table filled to its
 * capacity is half full and nearly every flow finds room in the bucket that is looked at first.
 */
#ifndef SHUNT_FLOW_TABLE_H
#define SHUNT_FLOW_TABLE_H

#include "types.h"
#include "snapshot.h"

#define FLOW_TABLE_MAGIC 0x31574f4c464e4853ULL /* "SHNFLOW1" */
#define FLOW_TABLE_ABI 1
#define FLOW_TABLE_HEADER_SIZE 4096
#define FLOW_BUCKET_WORDS 8
#define FLOW_CAPACITY_MIN 1024
#define FLOW_CAPACITY_MAX 1000000000

/* A tick is 4 s; the word has 12 bits of it: it wraps after 4.5 hours, timeouts end at 4 (3600 ticks). */
#define FLOW_TICK_S 4
#define FLOW_TICK_MASK 0xfffu
#define FLOW_TIMEOUT_MAX_S 14400
#define FLOW_TICK_SKEW 16 /* a stamp this far in the future is another clock's reading, not a wrapped one */

/* The word: fingerprint 21 bits, VIP id 12 (its low bits), backend id 16, state 3, tick 12. */
#define FLOW_FINGERPRINT_BITS 21
#define FLOW_VIP_SHIFT 21
#define FLOW_VIP_MASK 0xfffu
#define FLOW_TAG_MASK 0x1ffffffffULL /* fingerprint and VIP: what a look-up compares */
#define FLOW_BACKEND_SHIFT 33
#define FLOW_STATE_SHIFT 49
#define FLOW_STATE_MASK 0x7u
#define FLOW_TICK_SHIFT 52

struct flow_bucket {
	__u64 word[FLOW_BUCKET_WORDS]; /* any worker: rw by compare-and-swap; 0: free */
} __attribute__((aligned(64)));

/* The first page of the file. The buckets follow at FLOW_TABLE_HEADER_SIZE. */
struct flow_table_header {
	__u64 magic;
	__u32 abi;
	__u32 header_size;  /* FLOW_TABLE_HEADER_SIZE */
	__u64 capacity;     /* flows, as stated */
	__u32 n_buckets;    /* flow_table_buckets(capacity) */
	__u32 reserved;
	__u64 key_check;    /* flow_key_check() of the hash key the fingerprints were made with */
	__u64 last_beat_s;  /* CLOCK_MONOTONIC, seconds: when a process last was at it; sweeper: rw, others: ro */
	char boot_id[40];   /* of the kernel CLOCK_MONOTONIC belongs to */
};

_Static_assert(sizeof(struct flow_bucket) == 64, "flow bucket");
_Static_assert(sizeof(struct flow_table_header) <= FLOW_TABLE_HEADER_SIZE, "flow table header");

/* Buckets of a table for this many flows: at most sixteen bytes a flow, header included. */
core_inline __u32 flow_table_buckets(__u64 capacity)
{
	return (__u32)((capacity * 16 - FLOW_TABLE_HEADER_SIZE) / sizeof(struct flow_bucket));
}

core_inline __u64 flow_table_size(__u64 capacity)
{
	return FLOW_TABLE_HEADER_SIZE + (__u64)flow_table_buckets(capacity) * sizeof(struct flow_bucket);
}

core_inline __u64 flow_word(__u64 tag, __u32 backend, __u32 state, __u32 tick)
{
	return tag | (__u64)backend << FLOW_BACKEND_SHIFT | (__u64)state << FLOW_STATE_SHIFT |
	       (__u64)tick << FLOW_TICK_SHIFT;
}

core_inline __u32 flow_word_backend(__u64 word)
{
	return (__u32)(word >> FLOW_BACKEND_SHIFT) & 0xffff;
}

core_inline __u32 flow_word_state(__u64 word)
{
	return (__u32)(word >> FLOW_STATE_SHIFT) & FLOW_STATE_MASK;
}

core_inline __u32 flow_word_vip(__u64 word)
{
	return (__u32)(word >> FLOW_VIP_SHIFT) & FLOW_VIP_MASK;
}

core_inline __u32 flow_word_tick(__u64 word)
{
	return (__u32)(word >> FLOW_TICK_SHIFT);
}

/* Whether either side has ended the connection. */
core_inline int flow_word_is_closing(__u64 word)
{
	__u32 state = flow_word_state(word);

	return state == FLOW_FIN || state == FLOW_RESET;
}

/*
 * Whether it is a TCP flow of which one packet was seen: what VIPs have a bound of. Datagrams of which no second has
 * come are no less in the way of others, but as likely to be sound: questions to a name server.
 */
core_inline int flow_word_is_half_open(__u64 word)
{
	return (int)core_is_zero63(flow_word_state(word) ^ FLOW_SYN);
}

/* Tick of a CLOCK_MONOTONIC reading in seconds. */
core_inline __u32 flow_tick(__u64 now_s)
{
	return (__u32)(now_s / FLOW_TICK_S) & FLOW_TICK_MASK;
}

/* Ticks since the word was last used. */
core_inline __u32 flow_word_age(__u64 word, __u32 tick)
{
	__u32 age = (tick - flow_word_tick(word)) & FLOW_TICK_MASK;

	/* All ones below the skew's window, by the sign of a difference: no branch. */
	return age & (__u32)((__s32)(age - (FLOW_TICK_MASK + 1 - FLOW_TICK_SKEW)) >> 31);
}

/* Whether the word is a flow that has not timed out. timeout: snapshot_header.timeout. */
core_inline int flow_word_alive(__u64 word, __u32 tick, const __u16 *timeout)
{
	return flow_word_state(word) != FLOW_NONE && flow_word_age(word, tick) <= timeout[flow_word_state(word)];
}

/* A flow's two places and what to look for there. */
struct flow_place {
	__u64 tag;
	__u32 bucket[2];
};

core_inline __u64 flow_fingerprint(__u64 hash)
{
	return hash & ((1u << FLOW_FINGERPRINT_BITS) - 1);
}

core_inline __u32 flow_first_bucket(__u64 hash, __u32 n_buckets)
{
	return core_range((__u32)(hash >> 32), n_buckets);
}

core_inline __u32 flow_second_bucket(__u64 hash, __u32 n_buckets)
{
	return core_range((__u32)(hash >> 11), n_buckets);
}

/*
 * hash: flow_hash(). The fingerprint takes its low 21 bits, the first bucket its high 32, of which the choice
 * among n_buckets weighs the topmost most; the second the 32 bits from 11 on, likewise.
 */
core_inline struct flow_place flow_place(__u64 hash, __u32 vip, __u32 n_buckets)
{
	struct flow_place p;

	p.tag = flow_fingerprint(hash) | (__u64)(vip & FLOW_VIP_MASK) << FLOW_VIP_SHIFT;
	p.bucket[0] = flow_first_bucket(hash, n_buckets);
	p.bucket[1] = flow_second_bucket(hash, n_buckets);
	return p;
}

#ifdef __AVX2__
typedef __u64 flow_words __attribute__((vector_size(32), may_alias));
typedef double flow_signs __attribute__((vector_size(32)));

/* Bit i: word i of the four has the tag and isn't free. */
core_inline __u32 flow_words_find(const __u64 *word, __u64 tag)
{
	flow_words words = *(const volatile flow_words *)word; /* aligned: each is still read undivided */

	return (__u32)__builtin_ia32_movmskpd256((flow_signs)((((words ^ tag) & FLOW_TAG_MASK) == 0) & (words != 0)));
}
#endif

/* Bit i: word i of the bucket equals value in the bits of mask. */
core_inline __u32 flow_bucket_match(const struct flow_bucket *bucket, __u64 value, __u64 mask)
{
	__u32 equal = 0;

#ifdef __AVX2__
	for (int i = 0; i < FLOW_BUCKET_WORDS; i += 4) {
		flow_words words = *(const volatile flow_words *)&bucket->word[i];

		equal |= (__u32)__builtin_ia32_movmskpd256((flow_signs)(((words ^ value) & mask) == 0)) << i;
	}
#else
	for (int i = 0; i < FLOW_BUCKET_WORDS; i++)
		equal |= core_is_zero((*(volatile const __u64 *)&bucket->word[i] ^ value) & mask) << i;
#endif
	return equal;
}

/* Bit i: word i of the bucket is free. */
core_inline __u32 flow_bucket_free(const struct flow_bucket *bucket)
{
	__u32 free = 0;

	for (int i = 0; i < FLOW_BUCKET_WORDS; i++)
		free |= core_is_zero(*(volatile const __u64 *)&bucket->word[i]) << i;
	return free;
}

/* Index of the first word with this tag in the bucket, or -1. A free word has none, not even tag 0. */
core_inline int flow_bucket_find(const struct flow_bucket *bucket, __u64 tag)
{
	__u32 hits = 0;

#ifdef __AVX2__
	hits = flow_words_find(bucket->word, tag) | flow_words_find(bucket->word + 4, tag) << 4;
#else
	for (int i = 0; i < FLOW_BUCKET_WORDS; i++) {
		__u64 word = *(volatile const __u64 *)&bucket->word[i];

		hits |= core_is_zero63((word ^ tag) & FLOW_TAG_MASK) << i;
	}
	if (core_unlikely(!tag))
		hits &= ~flow_bucket_free(bucket);
#endif
	return hits ? (int)core_lowest_bit8(hits) : -1;
}

#endif
