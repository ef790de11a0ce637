/* SPDX-License-Identifier: BSD-3-Clause */
/* What bench_xdp tells its BPF programs. */
#ifndef SHUNT_BENCH_XDP_H
#define SHUNT_BENCH_XDP_H

#include "types.h"

/* Lines of 64 bytes that touch can be given. */
#define BENCH_MAX_LINES (1u << 18)

struct bench_flow {
	__u64 state;   /* of the random order */
	__u32 n;       /* flows */
	__u32 first;   /* number of the first */
	__u32 in_turn; /* one after the other, without end */
	__u32 turn;
	__u32 n_lines;	/* of touch's table */
	struct mac mac; /* what frames are addressed to */
	__u16 spread;	/* each flow is from a source of its own, bench_source(), of SPREAD_... */
};

enum { SPREAD_ALL = 1, SPREAD_QUARTER };

/*
 * Source i, host order, as good as random: of all unicast addresses, 11.0.0.0 to 223.255.255.255 without 127; or
 * of a quarter of them, 64.0.0.0 to 125.255.255.255.
 */
core_inline __u32 bench_source(__u32 i, __u32 spread)
{
	__u32 source;

	/* A mixing in which every bit has a part of every other. */
	i = (i ^ i >> 16) * 0x7feb352d;
	i = (i ^ i >> 15) * 0x846ca68b;
	i ^= i >> 16;
	if (spread == SPREAD_QUARTER)
		return 0x40000000 + core_range(i, 0x3e000000);
	source = 0x0b000000 + core_range(i, 0xd4000000);
	return source < 0x7f000000 ? source : source + 0x01000000;
}

#endif
