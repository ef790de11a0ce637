/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keyed hash of a flow: SipHash-1-3 (Aumasson and Bernstein 2012, one compression and three
 * finalisation rounds), with 64-bit additions, rotations and exclusive-ors only, so that BPF has it too.
 *
 * What is promised: SipHash is a pseudo-random function. Whoever doesn't know the 128-bit key can't
 * choose addresses and ports that meet in one bucket of the flow table or on one backend better than by
 * trying them one by one, not even after watching where other flows went. Every load balancer with the
 * same key computes the same value. The message is the bytes on the wire: source address, destination
 * address (4 or 16 bytes each), source port, destination port, protocol; so any SipHash-1-3 gives the same.
 */
#ifndef SHUNT_HASH_H
#define SHUNT_HASH_H

#include "types.h"

struct sip_state {
	__u64 v0, v1, v2, v3;
};

core_inline __u64 sip_rotate(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

core_inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = sip_rotate(s->v1, 13) ^ s->v0;
	s->v3 = sip_rotate(s->v3, 16) ^ s->v2;
	s->v0 = sip_rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = sip_rotate(s->v1, 17) ^ s->v2;
	s->v3 = sip_rotate(s->v3, 21) ^ s->v0;
	s->v2 = sip_rotate(s->v2, 32);
}

core_inline void sip_begin(struct sip_state *s, const __u64 key[2])
{
	s->v0 = key[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key[1] ^ 0x7465646279746573ULL;
}

core_inline void sip_word(struct sip_state *s, __u64 word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

/* last: the message's last 0..7 bytes, and its length modulo 256 in the top byte. */
core_inline __u64 sip_end(struct sip_state *s, __u64 last)
{
	sip_word(s, last);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The message of an IPv4 flow is 13 bytes: two words, the second with SipHash's length byte. */
struct flow_message {
	__u64 first;
	__u64 last;
};

core_inline __u64 flow_message_last(__be16 sport, __be16 dport, __u8 proto, __u64 length)
{
	return (__u64)sport | (__u64)dport << 16 | (__u64)proto << 32 | length << 56;
}

core_inline struct flow_message flow_message_ipv4(struct addr src, struct addr dst, __be16 sport, __be16 dport,
	__u8 proto)
{
	return (struct flow_message){ (src.lo >> 32) | (dst.lo & 0xffffffff00000000ULL),
		flow_message_last(sport, dport, proto, 13) };
}

/* Hash of an IPv4 flow's message. Without branches, so that a loop of it becomes vector code. */
core_inline __u64 flow_hash_ipv4(const __u64 key[2], struct flow_message m)
{
	struct sip_state s;

	sip_begin(&s, key);
	sip_word(&s, m.first);
	return sip_end(&s, m.last);
}

/* Hash of a flow; ports in network order. */
core_inline __u64 flow_hash(const __u64 key[2], struct addr src, struct addr dst, __be16 sport, __be16 dport,
	__u8 proto)
{
	struct sip_state s;

	if (addr_is_ipv4(dst))
		return flow_hash_ipv4(key, flow_message_ipv4(src, dst, sport, dport, proto));
	sip_begin(&s, key);
	sip_word(&s, src.hi);
	sip_word(&s, src.lo);
	sip_word(&s, dst.hi);
	sip_word(&s, dst.lo);
	return sip_end(&s, flow_message_last(sport, dport, proto, 37));
}

/* Hash of an address: of the client's for source-hash, of a backend's for its Maglev permutation. */
core_inline __u64 source_hash(const __u64 key[2], struct addr a)
{
	struct sip_state s;

	sip_begin(&s, key);
	if (addr_is_ipv4(a))
		return sip_end(&s, a.lo >> 32 | 4ULL << 56);
	sip_word(&s, a.hi);
	sip_word(&s, a.lo);
	return sip_end(&s, 16ULL << 56);
}

/* Tells one key from another without giving it away: the hash of an empty message. */
core_inline __u64 flow_key_check(const __u64 key[2])
{
	struct sip_state s;

	sip_begin(&s, key);
	return sip_end(&s, 0);
}

#endif
