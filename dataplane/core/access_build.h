/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builder's side of access.h: prefixes to ranges to sieves and nodes. For shuntd and tests; forwarders have no
 * use for it. No memory is asked for: the caller gives room and tries again with more where it was too little.
 */
#ifndef SHUNT_ACCESS_BUILD_H
#define SHUNT_ACCESS_BUILD_H

#include "access.h"

/* A rule: sources in address/length, of which the bits behind length are 0. */
struct access_prefix {
	struct addr address;
	__u32 rule;   /* id: 0..SNAPSHOT_MAX_RULES - 1 */
	__u8 length;  /* 0..32, of an IPv6 address 0..128 */
	__u8 allow;   /* 0: keeps its sources out */
	__u16 reserved;
};

/* Sources from here on, up to the next one's start, left-aligned; of a list's one family. */
struct access_range {
	__u64 hi;
	__u64 lo;
	__u32 result;
	__u32 reserved;
};

#define ACCESS_LEAF_MAX (2 * ACCESS_LEAF)

#define ACCESS_ROOM_RANGES(n_prefixes) (2 * (n_prefixes) + 1)
#define ACCESS_ROOM_SIEVES (2 * (1u << ACCESS_SIEVE_MAX) / 32)

/* The caller's memory for one list: n_* used of *_room, 0 at first. */
struct access_room {
	struct access_range *ranges; /* ACCESS_ROOM_RANGES(n) of them */
	__u32 *links;
	__u32 *leaves;
	__u64 n_links;	   /* words: a multiple of ACCESS_LINE */
	__u64 links_room;  /* words */
	__u64 n_leaves;	   /* leaves */
	__u64 leaves_room; /* leaves */
	__u32 *sieves;	   /* ACCESS_ROOM_SIEVES words */
	__u32 n_sieves;	   /* words: a multiple of ACCESS_LINE */
};

/* Where a range starts, in ascending order. */
core_inline int access_compare(__u64 a_hi, __u64 a_lo, __u64 b_hi, __u64 b_lo)
{
	if (a_hi != b_hi)
		return a_hi < b_hi ? -1 : 1;
	return a_lo == b_lo ? 0 : a_lo < b_lo ? -1 : 1;
}

/* The order prefixes have to be in: IPv4 first, ascending addresses, of one address the shorter first. */
core_inline int access_prefix_compare(const struct access_prefix *a, const struct access_prefix *b)
{
	int a4 = addr_is_ipv4(a->address), order;

	if (a4 != addr_is_ipv4(b->address))
		return a4 ? -1 : 1;
	order = access_compare(__builtin_bswap64(a->address.hi), __builtin_bswap64(a->address.lo),
		__builtin_bswap64(b->address.hi), __builtin_bswap64(b->address.lo));
	return order ? order : (int)a->length - (int)b->length;
}

/* Left-aligned. */
core_inline struct access_walk access_start(const struct access_prefix *p)
{
	struct snapshot_access none = { 0 };

	return access_begin(&none, p->address);
}

/* Append a range; one that begins where the last one does takes its place. */
core_inline void access_emit(struct access_range *ranges, __u32 *n, __u64 hi, __u64 lo, __u32 result)
{
	if (*n && !access_compare(ranges[*n - 1].hi, ranges[*n - 1].lo, hi, lo))
		--*n;
	if (*n && ranges[*n - 1].result == result)
		return;
	ranges[(*n)++] = (struct access_range){ hi, lo, result, 0 };
}

/*
 * The ranges of n prefixes of one family, in order, into ranges[ACCESS_ROOM_RANGES(n)]; none: what those in no prefix
 * get. Returns how many.
 */
core_cold __u32 access_ranges(
	const struct access_prefix *prefixes, __u32 n, __u32 none, struct access_range *ranges)
{
	/* The prefixes that the present one lies in, and itself; the first after each, 0, 0 for the end of all. */
	struct {
		__u64 hi, lo;
		__u32 result;
	} open[130];
	__u32 depth = 0, count = 0;

	access_emit(ranges, &count, 0, 0, none);
	for (__u32 i = 0; i <= n; i++) {
		struct access_walk start = { 0, 0, 0 };
		__u64 hi, lo;
		__u32 length;

		if (i < n)
			start = access_start(&prefixes[i]);
		while (depth && (i == n || ((open[depth - 1].hi | open[depth - 1].lo) &&
					   access_compare(open[depth - 1].hi, open[depth - 1].lo, start.hi, start.lo) <= 0))) {
			depth--;
			if (open[depth].hi | open[depth].lo)
				access_emit(ranges, &count, open[depth].hi, open[depth].lo,
					depth ? open[depth - 1].result : none);
		}
		if (i == n)
			break;
		length = prefixes[i].length;
		hi = start.hi;
		lo = start.lo;
		if (length > 64) {
			lo += 1ULL << (128 - length);
			hi += lo == 0;
		} else if (length) {
			hi += 1ULL << (64 - length);
		} else {
			hi = 0;
		}
		open[depth].hi = hi;
		open[depth].lo = lo;
		open[depth].result = (prefixes[i].rule + 1) | (prefixes[i].allow ? 0 : ACCESS_OUT);
		access_emit(ranges, &count, start.hi, start.lo, open[depth].result);
		depth++;
	}
	return count;
}

/* A start's bits behind the first so many, left-aligned: the walk's that has come that far. */
core_inline struct access_walk access_behind(const struct access_range *r, __u32 bits)
{
	struct access_walk w = { r->hi, r->lo, 0 };

	if (bits >= 64) {
		w.hi = bits == 128 ? 0 : w.lo << (bits - 64);
		w.lo = 0;
	} else if (bits) {
		w.hi = w.hi << bits | w.lo >> (64 - bits);
		w.lo <<= bits;
	}
	return w;
}

/* A leaf's range to be: ranges first..end - 1 of the list, more than one if they differ only behind its 32 bits. */
struct access_entry {
	__u32 start;
	__u32 first;
	__u32 end;
};

/*
 * What a leaf for ranges first..end - 1 would hold, of which the first goes on from before the part that begins
 * behind so many bits. Returns how many entries, or ACCESS_LEAF_MAX + 1 if they are too many for a leaf.
 */
core_cold __u32 access_entries(
	const struct access_range *ranges, __u32 first, __u32 end, __u32 bits, struct access_entry *entries)
{
	__u32 n = 1;

	entries[0] = (struct access_entry){ 0, first, first + 1 };
	for (__u32 i = first + 1; i < end; i++) {
		struct access_walk at = access_behind(&ranges[i], bits);
		__u32 start = (__u32)(at.hi >> 32);
		int whole = !((__u32)at.hi | at.lo);
		struct access_entry *last = &entries[n - 1];

		if (last->start == start) {
			last->end = i + 1;
			continue;
		}
		/* Behind one that is divided the value after it goes on with what was last. */
		if (last->end - last->first > 1 && last->start + 1 != start) {
			if (n == ACCESS_LEAF_MAX)
				return ACCESS_LEAF_MAX + 1;
			entries[n] = (struct access_entry){ last->start + 1, i - 1, i };
			n++;
		}
		if (n == ACCESS_LEAF_MAX)
			return ACCESS_LEAF_MAX + 1;
		entries[n++] = (struct access_entry){ start, whole ? i : i - 1, i + 1 };
	}
	if (entries[n - 1].end - entries[n - 1].first > 1 && entries[n - 1].start != 0xffffffffu) {
		if (n == ACCESS_LEAF_MAX)
			return ACCESS_LEAF_MAX + 1;
		entries[n] = (struct access_entry){ entries[n - 1].start + 1, end - 1, end };
		n++;
	}
	return n;
}

/* Bits of a table for a part of so many ranges with so many bits to go, in units of four. */
core_inline __u32 access_table_stride(__u32 n, __u32 bits_left)
{
	__u32 stride = ACCESS_STRIDE_MAX;

	/* Four links a range at most: most of what is behind a link then is a result or one leaf. */
	while (stride > 1 && (4 * stride > bits_left || 1ULL << 4 * stride > 4ULL * n))
		stride--;
	return stride;
}

/*
 * Nodes for ranges first..end - 1, of which the first goes on from before the part that begins behind so many bits of
 * all those an address has. Returns the link to them; room->n_* beyond the room if that was too little.
 */
core_cold __u32 access_build_part(struct access_room *room, __u32 first, __u32 end, __u32 bits, __u32 all_bits)
{
	struct access_entry entries[ACCESS_LEAF_MAX];
	__u32 n, stride, i = first + 1;
	__u64 at;

	if (end - first == 1)
		return room->ranges[first].result;
	n = access_entries(room->ranges, first, end, bits, entries);
	if (n <= ACCESS_LEAF_MAX) {
		__u32 lines = n > ACCESS_LEAF ? 2 : 1, link = 0;

		at = room->n_leaves;
		room->n_leaves += lines;
		for (__u32 e = 0; e < lines * ACCESS_LEAF; e++) {
			__u64 word = (at + e / ACCESS_LEAF) * ACCESS_LINE + e % ACCESS_LEAF;

			/* What is behind the last one repeats it, the greatest value too. */
			if (e < n)
				link = access_build_part(
					room, entries[e].first, entries[e].end, bits + 32, all_bits);
			if (at + lines > room->leaves_room)
				continue;
			room->leaves[word] = e < n ? entries[e].start : 0xffffffffu;
			room->leaves[word + ACCESS_LEAF] = link;
		}
		return ACCESS_ON | (lines > 1 ? ACCESS_DOUBLE : 0) << ACCESS_STRIDE_SHIFT |
			((__u32)at & ACCESS_NODE);
	}
	stride = access_table_stride(end - first, all_bits - bits);
	at = room->n_links;
	room->n_links += 1ULL << 4 * stride;
	for (__u32 value = 0; value < 1u << 4 * stride; value++) {
		__u32 from, link;

		/* One that begins with the value is the first of its part; the one before goes on into others. */
		if (i < end) {
			struct access_walk start = access_behind(&room->ranges[i], bits);

			if (start.hi >> (64 - 4 * stride) == value && !(start.hi << 4 * stride | start.lo))
				i++;
		}
		from = i - 1;
		while (i < end && access_behind(&room->ranges[i], bits).hi >> (64 - 4 * stride) == value)
			i++;
		link = access_build_part(room, from, i, bits + 4 * stride, all_bits);
		if (at + value < room->links_room)
			room->links[at + value] = link;
	}
	return ACCESS_ON | stride << ACCESS_STRIDE_SHIFT | ((__u32)(at / ACCESS_LINE) & ACCESS_NODE);
}

/* The sieve of n ranges, with a bit for each part that anything but none is in. Returns its shift. */
core_cold __u8 access_build_sieve(struct access_room *room, __u32 n, __u32 none)
{
	__u32 bits = ACCESS_SIEVE_MIN, *words = room->sieves + room->n_sieves;

	/* Eight bits a range, so that few sources share theirs with a prefix that they are not in. */
	while (bits < ACCESS_SIEVE_MAX && 1ULL << bits < 8ULL * n)
		bits++;
	__builtin_memset(words, 0, (1u << bits) / 8);
	room->n_sieves += (1u << bits) / 32;
	for (__u32 i = 0; i < n; i++) {
		const struct access_range *r = &room->ranges[i], *next = r + 1;
		__u64 last = i + 1 < n ? next->hi - !next->lo : ~0ULL;

		if (r->result == none)
			continue;
		for (__u32 part = (__u32)(r->hi >> (64 - bits)); part <= last >> (64 - bits); part++)
			words[part / 32] |= 1u << part % 32;
	}
	return (__u8)(64 - bits);
}

/*
 * Build a list from n prefixes in the order of access_prefix_compare(), none twice. With any that allows, sources
 * in no prefix are kept out. list: all is set but where its parts are, which access_place() does. Returns 0; or -1
 * if the room for links or leaves is too little: room->n_links and n_leaves then say how much there has to be, and
 * have to be set back to 0 before the next try. Any thread.
 */
core_cold int access_build(
	const struct access_prefix *prefixes, __u32 n, struct access_room *room, struct snapshot_access *list)
{
	__u32 n4 = 0, none = 0, count;

	*list = (struct snapshot_access){ 0 };
	room->n_sieves = 0;
	while (n4 < n && addr_is_ipv4(prefixes[n4].address))
		n4++;
	for (__u32 i = 0; i < n; i++)
		if (prefixes[i].allow)
			none = ACCESS_OUT;
	count = access_ranges(prefixes, n4, none, room->ranges);
	list->first4 = access_build_part(room, 0, count, 0, 32);
	list->sieve.shift4 = access_build_sieve(room, count, none);
	list->sieve.at6 = room->n_sieves;
	count = access_ranges(n > n4 ? prefixes + n4 : prefixes, n - n4, none, room->ranges);
	list->first6 = access_build_part(room, 0, count, 0, 128);
	list->sieve.shift6 = access_build_sieve(room, count, none);
	list->sieve.none = none;
	list->n_links = (__u32)room->n_links;
	list->n_leaves = (__u32)room->n_leaves;
	if (room->n_links > room->links_room || room->n_leaves > room->leaves_room)
		return -1;
	return room->n_links / ACCESS_LINE > ACCESS_NODE || room->n_leaves > ACCESS_NODE ? -1 : 0;
}

/* How many access words a list takes that was built. */
core_inline __u64 access_n_words(const struct access_room *room)
{
	return room->n_links + room->n_leaves * ACCESS_LINE + room->n_sieves;
}

/* The same list, its words so much further on. */
core_inline void access_shift(struct snapshot_access *list, __u32 by)
{
	list->links += by;
	list->leaves += by;
	list->sieve.at4 += by;
	list->sieve.at6 += by;
}

/* Copy a built list's parts to words[access_n_words()], and have it find them there. */
core_cold void access_place(const struct access_room *room, struct snapshot_access *list, __u32 *words)
{
	list->links = 0;
	list->leaves = list->n_links;
	list->sieve.at4 = list->leaves + list->n_leaves * ACCESS_LINE;
	list->sieve.at6 += list->sieve.at4;
	__builtin_memcpy(words, room->links, list->n_links * sizeof(*words));
	__builtin_memcpy(words + list->leaves, room->leaves, (__u64)list->n_leaves * ACCESS_LINE * sizeof(*words));
	__builtin_memcpy(words + list->sieve.at4, room->sieves, (__u64)room->n_sieves * sizeof(*words));
}

#endif
