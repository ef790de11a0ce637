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
	__u16 spread;	/* each flow is from a source of its own, bench_source() */
};

/* Source i, host order, far from the ones around it: 64.0.0.0 to 125.255.255.255, none twice for long. */
core_inline __u32 bench_source(__u32 i)
{
	return 0x40000000 + core_range(i * 2654435761u, 0x3e000000);
}

#endif
