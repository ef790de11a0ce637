/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the program's functions hand one another about the packet under way: in its CPU's memory, as the stack is
 * scarce and theirs add up. No pointers: the verifier forgets them there. Numbers it has forgotten the bounds of.
 */
#ifndef SHUNT_WORK_H
#define SHUNT_WORK_H

#include "forward.h"
#include "xdp_tables.h"

struct work {
	struct packet packet;
	struct verdict verdict; /* once a step has come to one */
	__u32 half;		/* the snapshot that all steps use */
	__u32 vip;		/* STEP_FLOW: index of the packet's VIP in the VIP index */
};

_Static_assert(sizeof(struct work) <= XDP_WORK, "work");

/* What is to be done with a packet after a step. */
enum step {
	STEP_VERDICT, /* what work.verdict says */
	STEP_FLOW,    /* it is a flow's of a VIP: flow() */
	STEP_OTHER,   /* it is none: other() */
	STEP_ERROR,   /* it is an ICMP error for a VIP: quote(), error() */
};

core_inline struct work *work_of(const struct tables *t)
{
	return (struct work *)t->cpu->work;
}

/* The first function's, of a packet that others will go on with. */
core_inline struct work *work_begin(const struct tables *t)
{
	struct work *w = work_of(t);

	w->half = t->number;
	return w;
}

/* Any other function's: the same snapshot, the same time. */
core_inline struct work *work_open(struct tables *t)
{
	struct work *w;

	tables_open_worker(t);
	w = work_of(t);
	tables_open_snapshot(t, w->half);
	t->tick = t->cpu->tick;
	return w;
}

core_inline int work_verdict(struct work *w, __u32 action, __u32 counter)
{
	verdict_set(&w->verdict, action, counter);
	return STEP_VERDICT;
}

#endif
