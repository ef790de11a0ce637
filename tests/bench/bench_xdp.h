/* SPDX-License-Identifier: BSD-3-Clause */
/* What bench_xdp tells its BPF programs. */
#ifndef SHUNT_BENCH_XDP_H
#define SHUNT_BENCH_XDP_H

#include "types.h"

struct bench_flow {
	__u64 state;   /* of the random order */
	__u32 n;       /* flows */
	__u32 first;   /* number of the first */
	__u32 in_turn; /* one after the other, without end */
	__u32 turn;
	struct mac mac; /* what frames are addressed to */
};

#endif
