/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words every core header is written in: fixed-width kernel types, byte order, addresses,
 * atomics. Compiled by gcc, clang and clang -target bpf alike; includes nothing but kernel uapi.
 */
#ifndef SHUNT_TYPES_H
#define SHUNT_TYPES_H

#include <linux/types.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the shared layouts are defined for little-endian machines"
#endif

#define core_inline static inline __attribute__((always_inline, unused))
/*
 * Functions off the usual path: kept out of its callers' registers, except in BPF, which has few calls.
 * core_apart: one that a flood takes; core_cold: one that is small before it is fast.
 */
#ifdef __bpf__
#define core_apart core_inline
#define core_cold core_inline
#else
#define core_apart static __attribute__((noinline, unused))
#define core_cold static __attribute__((noinline, cold, unused))
#endif
/*
 * For structs of what may lie at any address. The BPF compiler would read their fields by single bytes, while the
 * machines that this is for, and so the verifier, take whole ones anywhere; the layouts are the same without
 * packing.
 */
#ifdef __bpf__
#define core_unaligned
#else
#define core_unaligned __attribute__((packed))
#endif
/*
 * Before a loop of few rounds: BPF gets the rounds one after the other. Kernels before 6.3 refuse a loop whose way
 * back is no jump, which the compiler may well make of one that it leaves a loop.
 */
#ifdef __bpf__
#define core_unroll _Pragma("clang loop unroll(full)")
#else
#define core_unroll
#endif
#define core_likely(x) __builtin_expect(!!(x), 1)
#define core_unlikely(x) __builtin_expect(!!(x), 0)

#define core_be16(x) ((__be16)__builtin_bswap16((__u16)(x)))
#define core_be32(x) ((__be32)__builtin_bswap32((__u32)(x)))

/*
 * An IPv6 address, or an IPv4 address mapped to ::ffff:a.b.c.d. In memory the sixteen bytes stand in
 * network order; hi and lo are those bytes loaded as they lie.
 */
struct addr {
	__u64 hi;
	__u64 lo;
};

core_inline struct addr addr_from_ipv4(__be32 v4)
{
	return (struct addr){ 0, (__u64)v4 << 32 | 0xffff0000u };
}

core_inline int addr_is_ipv4(struct addr a)
{
	return a.hi == 0 && (__u32)a.lo == 0xffff0000u;
}

core_inline __be32 addr_to_ipv4(struct addr a)
{
	return (__be32)(a.lo >> 32);
}

core_inline int addr_equal(struct addr a, struct addr b)
{
	return ((a.hi ^ b.hi) | (a.lo ^ b.lo)) == 0;
}

/* Scale a 32-bit hash to 0..n-1 without a division (Lemire, "Fast random integer generation"). */
core_inline __u32 core_range(__u32 hash, __u32 n)
{
	return (__u32)((__u64)hash * n >> 32);
}

/*
 * 1 if x is 0, else 0. For BPF by arithmetic that the compiler can't turn back into a branch, each of
 * which would double the paths its verifier has to walk.
 */
core_inline __u32 core_is_zero(__u64 x)
{
#ifdef __bpf__
	__u64 sign = x | -x;

	__asm__ volatile("" : "+r"(sign));
	return (__u32)(sign >> 63) ^ 1;
#else
	return x == 0;
#endif
}

/* The same for x below 2^63, in fewer instructions. */
core_inline __u32 core_is_zero63(__u64 x)
{
#ifdef __bpf__
	x--;
	__asm__ volatile("" : "+r"(x));
	return (__u32)(x >> 63);
#else
	return x == 0;
#endif
}

/*
 * x, the offset of a header, below 2^14. BPF's verifier is told so where x comes out of memory: before Linux 6.8 it forgets
 * of all but whole words what it knew when they were put there.
 */
core_inline __u32 core_offset(__u32 x)
{
#ifdef __bpf__
	__u64 bounded = x;

	__asm__ volatile("%0 &= 0x3fff" : "+r"(bounded));
	return (__u32)bounded;
#else
	return x;
#endif
}

/* The greater of two values below 2^31. */
core_inline __u32 core_max(__u32 a, __u32 b)
{
#ifdef __bpf__
	__s32 less = (__s32)(a - b);

	__asm__ volatile("" : "+r"(less));
	return a - ((__u32)less & (__u32)(less >> 31));
#else
	return a > b ? a : b;
#endif
}

/*
 * Index of the lowest set bit of x, 1..255. BPF has no instruction for it and its compiler no substitute: there the
 * single bit shifts another three of a de Bruijn sequence to the top of the byte, which tell its index from a table.
 */
core_inline __u32 core_lowest_bit8(__u32 x)
{
#ifdef __bpf__
	x &= -x;
	return 0x56374210u >> (x * 0x17 >> 3 & 0x1c) & 7;
#else
	return (__u32)__builtin_ctz(x);
#endif
}

struct mac {
	__u8 byte[6];
};

/* The same six bytes as two numbers, to compare them at once. */
struct mac_words {
	__u32 low;
	__u16 high;
} core_unaligned __attribute__((may_alias));

/* Two MAC addresses in a row, to copy them in few steps. */
struct mac_pair {
	__u32 word[3];
} core_unaligned __attribute__((may_alias));

core_inline int mac_equal(const struct mac *a, const struct mac *b)
{
	const struct mac_words *x = (const struct mac_words *)a, *y = (const struct mac_words *)b;

	return ((x->low ^ y->low) | (__u32)(x->high ^ y->high)) == 0;
}

#endif
