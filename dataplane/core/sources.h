/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many flows of a VIP a source may begin in the time: rate.h for each source, which is an IPv4 address or the
 * first 64 bits of an IPv6 one, as that is what one customer has. The table is of fixed size and keeps a word only
 * as long as it says something: once a source's next flow is due, it is as one that was never seen, and its word
 * free.
 *
 * Where eight others are in a source's bucket whose time has not come, it is let in: a limit that a flood of
 * forged sources can turn into a refusal of honest ones would be worth less than none. Their own words go after an
 * interval each. The hash is keyed, so that nobody can aim at a bucket; two sources whose fingerprints meet in a
 * bucket share a limit, one in 2^29 of those there at a time.
 */
#ifndef SHUNT_SOURCES_H
#define SHUNT_SOURCES_H

#include "hash.h"
#include "rate.h"
#include "source_table.h"
#include "tables.h"
#include "types.h"

/* Hash of a source and a VIP. No other message is of these lengths. */
core_inline __u64 source_vip_hash(const __u64 key[2], struct addr source, __u32 vip)
{
	struct sip_state s;
	__u64 first = addr_is_ipv4(source) ? source.lo >> 32 : source.hi;

	sip_begin(&s, key);
	sip_word(&s, first);
	return sip_end(&s, vip | (addr_is_ipv4(source) ? 10ULL : 14ULL) << 56);
}

core_inline int source_word_is_free(__u64 word, __u32 now)
{
	return !word || !rate_ahead((__u32)word, now, RATE_HORIZON);
}

/* A word's place in a bucket: of this fingerprint, else the first free one, else -1. */
core_inline int source_choose(const struct source_bucket *bucket, __u32 fingerprint, __u32 now)
{
	int place = -1;

	core_unroll
	for (int i = SOURCE_WORDS - 1; i >= 0; i--)
		if (source_word_is_free(bucket->word[i], now))
			place = i;
	core_unroll
	for (int i = 0; i < SOURCE_WORDS; i++)
		if (bucket->word[i] >> 32 == fingerprint)
			place = i;
	return place;
}

/*
 * One try at the source's word: 1, the flow may begin and is counted; 0, it may not; or -1, another worker was faster.
 */
core_inline int source_try(struct source_bucket *bucket, __u32 fingerprint, __u32 now, __u32 interval, __u32 tolerance)
{
	int i = source_choose(bucket, fingerprint, now);
	__u64 *place, old;
	__u32 due = now;

	if (i < 0)
		return 1;
	place = &bucket->word[i & (SOURCE_WORDS - 1)];
	old = *(volatile __u64 *)place;
	if (old >> 32 == fingerprint)
		due = (__u32)old;
	else if (!source_word_is_free(old, now))
		return -1;
	if (!rate_allows(&due, now, interval, tolerance))
		return 0;
	return __sync_val_compare_and_swap(place, old, (__u64)fingerprint << 32 | due) == old ? 1 : -1;
}

/*
 * Whether the source may begin a flow of the VIP now; if so it is counted. interval + tolerance: at most
 * RATE_HORIZON. Another worker that is faster twice has let in one more.
 */
core_inline int source_allows(
	const struct tables *t, struct addr source, __u32 vip, __u32 interval, __u32 tolerance)
{
	__u64 hash = source_vip_hash(tables_header(t)->hash_key, source, vip);
	struct source_bucket *bucket = tables_sources(t, (__u32)hash & (SOURCE_BUCKETS - 1));
	__u32 fingerprint = (__u32)(hash >> 32), now = tables_now(t);
	int result;

	if (!bucket)
		return 1;
	fingerprint += !fingerprint;
	result = source_try(bucket, fingerprint, now, interval, tolerance);
	if (result < 0)
		result = source_try(bucket, fingerprint, now, interval, tolerance);
	return result != 0;
}

#endif
