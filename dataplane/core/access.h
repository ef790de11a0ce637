/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access lists: which rule, if any, a source's longest prefix gives, in few steps whatever the list holds.
 *
 * First a sieve, a bit for each value of a source's first 9 to 21 bits: 0 if no source that begins with them is in
 * any prefix. It is no larger than 256 KiB, so that it stays in the processor's second-level cache, and for most
 * sources of most lists it is all that is read: with 100,000 random prefixes of IPv4 one bit in twenty is set.
 *
 * Behind it a tree over the source's bits, of two kinds of nodes:
 *
 *   table  takes the next 4, 8, 12 or 16 bits: a link for each of their values. For parts with many ranges.
 *   leaf   takes the next 32 bits: a cache line with the starts of up to eight ranges, ascending, and their links;
 *          or two such lines one after the other, for up to sixteen
 *
 * (after DXR, Zec, Rizzo and Mikuc 2012: a large table of the first bits, and a short sorted piece for each of
 * them.) A link is a result or names another node. 100,000 random prefixes of IPv4 are a table of 65,536 links and
 * one leaf behind each: two steps. shuntd makes all this from prefixes (access_build.h); forwarders only read.
 *
 * A list's links stand apart from its leaves, so that each word of both is known to be a link, or a start of which
 * any value will do: snapshot_check.h looks at all of them in one pass, no matter which of them lead where. A
 * look-up ends after ACCESS_STEPS steps even where links go in a circle.
 */
#ifndef SHUNT_ACCESS_H
#define SHUNT_ACCESS_H

#include "snapshot.h"
#include "tables.h"
#include "types.h"

#define ACCESS_SIEVE_MIN 9 /* bits: a cache line */
#define ACCESS_SIEVE_MAX 21
#define ACCESS_STEPS 32 /* as many as 128 bits by four at a time */
#define ACCESS_LINE 16	/* words of a cache line */
#define ACCESS_LEAF 8	/* ranges of a leaf's line */

/*
 * A link. With ACCESS_ON: to the node ACCESS_NODE, a leaf if its stride is 0 (ACCESS_DOUBLE: one of two lines),
 * else a table of so many times four bits that begins at that line of the links. Without: the result, the id of
 * the rule that decides plus 1, or 0 for none, and whether that keeps the source out.
 */
#define ACCESS_ON 0x80000000u
#define ACCESS_STRIDE_SHIFT 28
#define ACCESS_STRIDE_MASK 7u
#define ACCESS_STRIDE_MAX 4u
#define ACCESS_DOUBLE 5u
#define ACCESS_NODE 0x0fffffffu
#define ACCESS_OUT 0x40000000u
#define ACCESS_RULE 0x0007ffffu

_Static_assert(SNAPSHOT_MAX_RULES < ACCESS_RULE, "access rule");

/* Where in the access words the sieve has the source's bit, counted in bits. */
core_inline __u64 access_sieve_bit(const struct snapshot_sieve *sieve, struct addr source)
{
	if (core_likely(addr_is_ipv4(source)))
		return (__u64)sieve->at4 * 32 +
			(((__u64)__builtin_bswap32(addr_to_ipv4(source)) << 32) >> (sieve->shift4 & 63));
	return (__u64)sieve->at6 * 32 + (__builtin_bswap64(source.hi) >> (sieve->shift6 & 63));
}

/* Whether that bit is set: only then the list's nodes need be asked. */
core_inline int access_concerns(const struct tables *t, __u64 bit)
{
	__u32 word = (__u32)(bit / 32);
	const __u32 *line = tables_access_line(t, word);

	return !line || line[word & (ACCESS_LINE - 1)] >> (bit % 32) & 1;
}

/* A look-up on its way. hi, lo: the source's bits that are not looked at yet, from the topmost on. */
struct access_walk {
	__u64 hi;
	__u64 lo;
	__u32 link;
};

core_inline struct access_walk access_begin(const struct snapshot_access *list, struct addr source)
{
	if (core_likely(addr_is_ipv4(source)))
		return (struct access_walk){ (__u64)__builtin_bswap32(addr_to_ipv4(source)) << 32, 0, list->first4 };
	return (struct access_walk){ __builtin_bswap64(source.hi), __builtin_bswap64(source.lo), list->first6 };
}

core_inline int access_goes_on(const struct access_walk *w)
{
	return (w->link & ACCESS_ON) != 0;
}

core_inline __u32 access_stride(__u32 link)
{
	return link >> ACCESS_STRIDE_SHIFT & ACCESS_STRIDE_MASK;
}

core_inline int access_is_leaf(__u32 stride)
{
	return stride - 1 >= ACCESS_STRIDE_MAX;
}

/* Index into the words of the line, or of the link, that the next step reads. */
core_inline __u32 access_word(const struct snapshot_access *list, const struct access_walk *w)
{
	__u32 stride = access_stride(w->link), node = (w->link & ACCESS_NODE) * ACCESS_LINE;

	return access_is_leaf(stride) ? list->leaves + node
				      : list->links + node + (__u32)(w->hi >> (64 - 4 * stride));
}

/* 1 if a start is above the value, else 0; without a branch, which nobody could foresee. */
core_inline __u32 access_is_above(__u32 start, __u32 value)
{
#ifdef __bpf__
	__u64 less = (__u64)value - start;

	__asm__ volatile("" : "+r"(less));
	return (__u32)(less >> 63);
#else
	return start > value;
#endif
}

/* An index into a leaf's starts, below ACCESS_LEAF, as BPF's verifier is told where it can't see it. */
core_inline __u32 access_leaf_index(__u32 x)
{
#ifdef __bpf__
	__u64 index = x;

	_Static_assert(ACCESS_LEAF == 8, "the mask");
	__asm__ volatile("%0 &= 7" : "+r"(index));
	return (__u32)index;
#else
	return x & (ACCESS_LEAF - 1);
#endif
}

/* How many of a leaf's starts are not above the value; of the first one that is taken for granted. */
core_inline __u32 access_leaf_range(const __u32 *leaf, __u32 value)
{
	__u32 above = 0;

	core_unroll for (__u32 i = 1; i < ACCESS_LEAF; i++) above += access_is_above(leaf[i], value);
	return ACCESS_LEAF - 1 - above;
}

/* One step of a walk that goes on. */
core_inline void access_step(const struct tables *t, const struct snapshot_access *list, struct access_walk *w)
{
	__u32 stride = access_stride(w->link), word = access_word(list, w);
	const __u32 *line = tables_access_line(t, word);

	if (core_unlikely(!line)) {
		w->link = 0;
	} else if (access_is_leaf(stride)) {
		__u32 value = (__u32)(w->hi >> 32), is_double = stride / ACCESS_DOUBLE;
		const __u32 *second = tables_access_line(t, word + ACCESS_LINE * is_double);

		/* The second line's, if there is one and the value is not below its first start. */
		if (core_likely(second != 0))
			line = tables_access_line(
				t, word + ACCESS_LINE * (is_double & (access_is_above(second[0], value) ^ 1)));
		if (core_unlikely(!line))
			w->link = 0;
		else
			w->link = line[ACCESS_LEAF + access_leaf_index(access_leaf_range(line, value))];
		w->hi = w->hi << 32 | w->lo >> 32;
		w->lo <<= 32;
	} else {
		w->link = line[word & (ACCESS_LINE - 1)];
		w->hi = w->hi << 4 * stride | w->lo >> (64 - 4 * stride);
		w->lo <<= 4 * stride;
	}
}

/* To its end. Returns the result. */
core_inline __u32 access_finish(const struct tables *t, const struct snapshot_access *list, struct access_walk *w)
{
	core_unroll
	for (__u32 i = 0; i < ACCESS_STEPS; i++) {
		if (!access_goes_on(w))
			break;
		access_step(t, list, w);
	}
	return access_goes_on(w) ? 0 : w->link;
}

/* The result for a source. */
core_inline __u32 access_look_up(const struct tables *t, const struct snapshot_access *list, struct addr source)
{
	struct access_walk w;

	if (core_likely(!access_concerns(t, access_sieve_bit(&list->sieve, source))))
		return list->sieve.none;
	w = access_begin(list, source);
	return access_finish(t, list, &w);
}

/* The access list of a VIP with VIP_ACCESS; never NULL but for the BPF verifier. */
core_inline const struct snapshot_access *access_list(const struct tables *t, __u32 vip)
{
	const struct snapshot_policy *policy = tables_policy(t, vip);

	return policy ? tables_access(t, policy->access) : (void *)0;
}

/*
 * Count a result for a packet of the VIP: the rule's counter and, if it keeps the source out, the VIP's. Returns the
 * counter of the verdict to drop it with, or COUNTER_FORWARDED if it is let in.
 */
core_inline __u32 access_count(const struct tables *t, __u32 vip, __u32 result)
{
	__u32 rule = result & ACCESS_RULE;

	if (rule) {
		__u64 *count = tables_rule(t, rule - 1);

		if (count)
			(*count)++;
	}
	if (result & ACCESS_OUT) {
		struct stats_guard *guard = tables_guard(t, vip);

		if (guard)
			guard->refused++;
		return rule ? COUNTER_DROP_DENIED : COUNTER_DROP_NOT_ALLOWED;
	}
	return COUNTER_FORWARDED;
}

#endif
