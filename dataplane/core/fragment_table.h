/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of datagrams whose first fragment has come, and where it went: its layout. What it is for, and what is
 * bounded, says fragments.h. Four entries to a 64-byte bucket, one bucket that a datagram may be in; shared by all
 * workers of a forwarder, without locks. Nothing of it outlives the program that made it but by 16 seconds.
 */
#ifndef SHUNT_FRAGMENT_TABLE_H
#define SHUNT_FRAGMENT_TABLE_H

#include "flow_table.h"
#include "hash.h"
#include "types.h"

#define FRAGMENT_ENTRIES 4    /* to a bucket */
#define FRAGMENT_BUCKETS 4096 /* of a forwarder */
#define FRAGMENT_TICKS 4      /* an entry lives so long and up to one more: 16 s at least, for RFC 791's 15 */
#define FRAGMENT_WAIT_MS 500  /* that a fragment is held */
#define FRAGMENT_STAY_MS 50   /* after which it may be displaced by another: reordering takes less */

/*
 * A datagram. claim says whose the entry is, and changes by compare-and-swap alone; word is written by who has made
 * the claim, and after it. Both together hold all of the hash, so that a reader who finds the one without the other,
 * in between, finds nothing. 0: free, whatever word is. The sweeper (sweep.h) frees what is dead, so that ticks can't
 * wrap unseen.
 *
 *	claim  the hash's high 23 bits, VIP id 16, bytes of the first fragment 13 (in units of 8), tick 12 on top
 *	word   the hash's low 48 bits, backend id 16 on top
 */
struct fragment_entry {
	__u64 claim; /* any worker, sweeper: rw by compare-and-swap */
	__u64 word;  /* any worker: rw */
};

struct fragment_bucket {
	struct fragment_entry entry[FRAGMENT_ENTRIES];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct fragment_bucket) == 64, "fragment bucket");

#define FRAGMENT_CLAIM_BITS 23
#define FRAGMENT_CLAIM_MASK ((1ULL << FRAGMENT_CLAIM_BITS) - 1)
#define FRAGMENT_VIP_SHIFT 23
#define FRAGMENT_UNITS_SHIFT 39
#define FRAGMENT_UNITS_MASK 0x1fffu
#define FRAGMENT_BACKEND_SHIFT 48
#define FRAGMENT_WORD_MASK ((1ULL << FRAGMENT_BACKEND_SHIFT) - 1)

/* Where a datagram's first fragment went. */
struct fragment_home {
	__u32 backend;
	__u32 vip;
	__u32 units; /* of 8 bytes, that it has of the datagram */
};

/*
 * A datagram's hash. id, proto: as they stand in the header; proto is not looked at for IPv6, where it is the first
 * fragment's alone to say. No flow's message is of these lengths.
 */
core_inline __u64 fragment_hash(const __u64 key[2], struct addr src, struct addr dst, __u32 id, __u8 proto)
{
	struct sip_state s;

	sip_begin(&s, key);
	if (addr_is_ipv4(dst)) {
		sip_word(&s, (src.lo >> 32) | (dst.lo & 0xffffffff00000000ULL));
		return sip_end(&s, (__u64)(id & 0xffff) | (__u64)proto << 16 | 11ULL << 56);
	}
	sip_word(&s, src.hi);
	sip_word(&s, src.lo);
	sip_word(&s, dst.hi);
	sip_word(&s, dst.lo);
	return sip_end(&s, (__u64)id | 36ULL << 56);
}

core_inline __u64 fragment_claim(__u64 hash, __u32 vip, __u32 units, __u32 tick)
{
	return hash >> (64 - FRAGMENT_CLAIM_BITS) | (__u64)(vip & 0xffff) << FRAGMENT_VIP_SHIFT |
		(__u64)(units & FRAGMENT_UNITS_MASK) << FRAGMENT_UNITS_SHIFT | (__u64)tick << FLOW_TICK_SHIFT;
}

core_inline __u64 fragment_word(__u64 hash, __u32 backend)
{
	return (hash & FRAGMENT_WORD_MASK) | (__u64)backend << FRAGMENT_BACKEND_SHIFT;
}

core_inline __u32 fragment_claim_units(__u64 claim)
{
	return (__u32)(claim >> FRAGMENT_UNITS_SHIFT) & FRAGMENT_UNITS_MASK;
}

core_inline int fragment_is_over(__u64 claim, __u32 tick)
{
	return flow_word_age(claim, tick) > FRAGMENT_TICKS;
}

core_inline int fragment_is(__u64 claim, __u64 word, __u64 hash, __u32 tick)
{
	return (((claim ^ hash >> (64 - FRAGMENT_CLAIM_BITS)) & FRAGMENT_CLAIM_MASK) |
		       ((word ^ hash) & FRAGMENT_WORD_MASK)) == 0 &&
		claim && !fragment_is_over(claim, tick);
}

#endif
