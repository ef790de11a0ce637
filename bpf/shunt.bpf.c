/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program: a body around the forwarding core. What is a VIP's is forwarded, answered or dropped
 * here, all else passes to the kernel. One program for native and generic mode.
 *
 *	shunt_xdp()     the usual packet, at once (usual.h); any other by steps, which keep what they find in work.h:
 *	parse()         what it is
 *	match()         which VIP it is for
 *	limited()       whether its source may begin a flow
 *	flow()          a flow's: to its backend; settle(), sample(): what is counted of it
 *	other()         what is none: the verdict
 *	quote()         what an ICMP error is about; error(): where that goes
 *	carry_out()     what the verdict says
 *	answer()        writes an answer
 *
 * For kernels from 5.15 on: its atomics are of 5.12, no helper is younger than 5.11 but bpf_xdp_get_buff_len(),
 * which the verifier never sees where sizes.frags is 0; look-ups in arrays and bpf_jiffies64() become
 * instructions. The functions are global, so that each is verified once by itself and not once for each way that
 * leads to it: in one piece that came to half of the million instructions that the verifier may walk. Stack is
 * scarce: the deepest chain, shunt_xdp(), flow(), has to fit into 512 bytes with each function's share rounded up to
 * 32. So steps are called one after the other, and none calls another.
 */
#include "xdp_tables.h"

#include "forward_other.h"
#include "fragments.h"
#include "usual.h"
#include "work.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2 * SNAPSHOT_MAX_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xdp_owner);
} owners SEC(".maps");

/* By possible CPU, which libbpf counts. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} held SEC(".maps");

core_inline struct frame frame_of(struct xdp_md *ctx)
{
	struct frame f = { (__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, 0, 0 };

	f.len = sizes.frags ? (__u32)bpf_xdp_get_buff_len(ctx) : (__u32)(f.end - f.data);
	return f;
}

/* A packet that is done with. */
core_inline void count_verdict(const struct tables *t, __u32 counter)
{
	t->cpu->received++;
	tables_count(t, counter);
}

/* Send a frame that was rewritten to the backend. Returns the XDP action. */
core_inline int send(const struct tables *t, const struct frame *f, const struct verdict *v)
{
	int action = XDP_TX;

	if (core_unlikely(v->port != f->port)) {
		action = (int)bpf_redirect_map(&out, t->half->out_first + v->port, XDP_DROP);
		if (action == XDP_DROP) {
			count_verdict(t, COUNTER_DROP_TX_FULL);
			return XDP_DROP;
		}
	}
	forward_account(t, v, f->len);
	count_verdict(t, COUNTER_FORWARDED);
	return action;
}

/* Whether an AF_XDP socket is at the queue the frame came by, and who receives from it lives. */
core_inline int has_socket(const struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;
	const struct xdp_owner *owner;

	if (!sizes.n_queues)
		return 0;
	owner = bpf_map_lookup_elem(&owners, &queue);
	return owner && *(volatile const __u32 *)&owner->thread & XDP_OWNER_THREAD &&
		bpf_map_lookup_elem(&xsks, &queue);
}

/* What kind of packet it is, and what is wrong with it. */
__attribute__((noinline)) int parse(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct tables t;
	struct work *w = work_open(&t);

	packet_parse(&f, &w->packet);
	return 0;
}

/* What the access list of a VIP that has one says of a source, of which hi and lo are the words: its result. */
__attribute__((noinline)) int access(__u32 half, __u32 vip, __u64 hi, __u64 lo)
{
	const struct snapshot_access *list;
	struct tables t;

	tables_open_snapshot(&t, half);
	list = access_list(&t, vip);
	return list ? (int)access_look_up(&t, list, (struct addr){ hi, lo }) : 0;
}

/* Whether the VIP lets the source in; a packet that it does not is done with. */
core_inline int admits(const struct tables *t, const struct snapshot_vip *vip, struct addr src)
{
	const struct snapshot_policy *policy;
	__u32 counter;

	if (core_likely(!(vip->flags & VIP_ACCESS)))
		return 1;
	/* Most of those who are let in are not in the sieve. */
	policy = tables_policy(t, vip->vip);
	if (policy && !policy->sieve.none && !access_concerns(t, access_sieve_bit(&policy->sieve, src)))
		return 1;
	counter = access_count(t, vip->vip, (__u32)access(t->number, vip->vip, src.hi, src.lo));
	if (core_likely(counter == COUNTER_FORWARDED))
		return 1;
	count_verdict(t, counter);
	return 0;
}

/* Which VIP it is for. Returns enum step. */
__attribute__((noinline)) int match(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct verdict v = { 0 };
	struct lookup l = { 0 };
	struct tables t;
	struct work *w = work_open(&t);

	switch (forward_match(&t, &f, &w->packet, &l, &v)) {
	case MATCH_FLOW:
		w->vip = l.vip_index;
		return STEP_FLOW;
	case MATCH_OTHER:
		return STEP_OTHER;
	default:
		w->verdict = v;
		return STEP_VERDICT;
	}
}

/* Whether a packet of a VIP that limits its sources begins a flow that its source may not begin now. */
__attribute__((noinline)) int limited(void)
{
	struct verdict v = { 0 };
	struct lookup l = { 0 };
	struct tables t;
	const struct work *w = work_open(&t);

	l.vip = tables_vip(&t, w->vip);
	l.src = w->packet.src;
	l.signal = packet_signal(&w->packet);
	if (!l.vip || !forward_is_limited(&l))
		return 0;
	forward_hash(&t, &w->packet, &l);
	forward_place(&t, &l);
	return forward_is_over_rate(&t, &l, &v);
}

/*
 * A packet of a VIP's flow: the verdict. Which is carried out elsewhere, so that what does is verified once, and not
 * behind each way that leads through here.
 */
__attribute__((noinline)) int flow(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct verdict v = { 0 };
	struct lookup l = { 0 };
	struct tables t;
	struct work *w = work_open(&t);

	l.vip = tables_vip(&t, w->vip);
	if (l.vip) {
		l.src = w->packet.src;
		l.signal = packet_signal(&w->packet);
		forward_hash(&t, &w->packet, &l);
		forward_place(&t, &l);
		l.index = -1;
		forward_settle(&t, &f, &l, &v);
	} else {
		verdict_set(&v, ACTION_DROP, COUNTER_DROP_NO_SERVICE);
	}
	w->verdict = v;
	return 0;
}

/* Count what a flow's packet has changed about half-open flows. */
__attribute__((noinline)) int settle(void)
{
	struct stats_guard *guard;
	struct tables t;

	tables_open_worker(&t);
	core_unroll
	for (__u32 i = 0; i < XDP_CHANGES; i++) {
		__u32 change = t.cpu->change[i];

		guard = change & 0xffff ? tables_guard(&t, (change & 0xffff) - 1) : (void *)0;
		if (guard)
			guard->closed++;
		guard = change >> 16 ? tables_guard(&t, (change >> 16) - 1) : (void *)0;
		if (guard)
			guard->opened++;
		t.cpu->change[i] = 0;
	}
	t.cpu->n_changes = 0;
	return 0;
}

/* A packet of a VIP's flow that is of the sample, with its verdict. */
__attribute__((noinline)) int sample(void)
{
	struct lookup l = { 0 };
	struct tables t;
	const struct work *w = work_open(&t);
	struct verdict v = w->verdict;

	l.vip = tables_vip(&t, w->vip);
	if (!l.vip)
		return 0;
	l.src = w->packet.src;
	forward_hash(&t, &w->packet, &l);
	forward_sample(&t, &l, &v);
	return 0;
}

/* What is no flow's packet. Returns enum step. */
__attribute__((noinline)) int other(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct verdict v = { 0 };
	struct tables t;
	struct work *w = work_open(&t);

	if (forward_other(&t, &f, &w->packet, &v) == MATCH_ERROR)
		return STEP_ERROR;
	w->verdict = v;
	return STEP_VERDICT;
}

/* What packet an ICMP error is about. */
__attribute__((noinline)) int quote(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct tables t;
	struct work *w = work_open(&t);

	packet_parse_quote(&f, &w->packet);
	return 0;
}

/* The verdict on the error. */
__attribute__((noinline)) int error(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct verdict v = { 0 };
	struct tables t;
	struct work *w = work_open(&t);

	forward_error(&t, &f, &w->packet, &v);
	w->verdict = v;
	return STEP_VERDICT;
}

/* The last word on a fragment. */
__attribute__((noinline)) int resolve(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct tables t;
	struct work *w = work_open(&t);
	struct verdict v = w->verdict;

	fragment_resolve(&t, &f, &w->packet, &v);
	w->verdict = v;
	return 0;
}

/*
 * Write an answer over the request and make the frame as long as it is. Returns 0, or -1 if it can't be. The
 * packet's offsets are bounded here as the verifier has not seen where they come from.
 */
__attribute__((noinline)) int answer(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct packet bounded;
	struct tables t;
	const struct work *w = work_open(&t);
	__u32 action = w->verdict.action, length;

	bounded = w->packet;
	if (bounded.l3 > ETH_LEN + PARSE_MAX_VLAN * sizeof(struct vlan_tag) || bounded.l4 > 16384)
		return -1;
	length = answer_length(action, &f, &bounded);
	if (length != f.len && bpf_xdp_adjust_tail(ctx, (int)(length - f.len)))
		return -1;
	f = frame_of(ctx);
	return answer_write(action, &f, &bounded, tables_port(&t, f.port)->mac);
}

/* Hand a fragment to shuntd, which waits for its first. Returns the verdict's counter. */
core_inline __u32 hold(struct xdp_md *ctx, const struct frame *f)
{
	struct xdp_held meta = { .len = f->len };

	return bpf_perf_event_output(ctx, &held, BPF_F_CURRENT_CPU | (__u64)f->len << 32, &meta, sizeof(meta)) ?
		       COUNTER_DROP_FRAGMENT_FULL :
		       COUNTER_HELD_FRAGMENT;
}

/* What the verdict says. Returns the XDP action. */
__attribute__((noinline)) int carry_out(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct tables t;
	const struct work *w = work_open(&t);
	struct verdict v = w->verdict;
	int action = XDP_TX;

	switch (v.action) {
	case ACTION_TO_BACKEND:
		return send(&t, &f, &v);
	case ACTION_TO_KERNEL:
		action = XDP_PASS;
		break;
	case ACTION_DROP:
		action = XDP_DROP;
		break;
	case ACTION_HOLD:
		action = XDP_DROP;
		v.counter = (__u8)hold(ctx, &f);
		break;
	default:
		if (answer(ctx)) {
			action = XDP_DROP;
			v.counter = COUNTER_DROP_NO_ROOM;
		}
	}
	count_verdict(&t, v.counter);
	return action;
}

/* To whoever receives from the queue's socket. */
core_inline int send_to_socket(struct xdp_md *ctx, const struct tables *t)
{
	t->cpu->to_socket++;
	return (int)bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_DROP);
}

SEC("xdp")
int shunt_xdp(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	const struct snapshot_vip *vip;
	int step = STEP_FLOW, admitted = 0;
	struct verdict v;
	struct lookup l;
	struct packet p;
	struct tables t;
	struct work *w;
	__u32 index;

	if (tables_open(&t)) {
		count_verdict(&t, COUNTER_TO_KERNEL);
		return XDP_PASS;
	}
	if (!usual_parse(&f, &p)) {
		vip = usual_vip(&t, &f, &p, &index);
		if (vip && !sizes.n_queues && !(vip->flags & VIP_ACCESS && usual_is_odd(&p))) {
			int placed = usual_place(&t, &p, vip, &l);

			if (!admits(&t, vip, p.src))
				return XDP_DROP;
			if (placed && usual_forward(&t, &f, &p, &l, &v))
				return send(&t, &f, &v);
			admitted = 1;
		}
		w = work_begin(&t);
		w->vip = index;
		/* Once more, so that p itself need not be memory. */
		f = frame_of(ctx);
		if (usual_parse(&f, &w->packet))
			return XDP_DROP;
		if (usual_is_odd(&w->packet)) {
			parse(ctx);
			vip = (void *)0;
		}
		if (!vip)
			step = match(ctx);
	} else {
		w = work_begin(&t);
		parse(ctx);
		step = match(ctx);
	}
	if (step == STEP_FLOW) {
		/*
		 * Whoever receives from the socket asks the access list. All of a datagram has to meet the same table of
		 * fragments: the sockets get none.
		 */
		if (!w->packet.fragment && has_socket(ctx))
			return send_to_socket(ctx, &t);
		vip = tables_vip(&t, w->vip);
		if (!admitted && vip && !admits(&t, vip, w->packet.src))
			return XDP_DROP;
		if (vip && vip->flags & VIP_RATE && limited()) {
			count_verdict(&t, COUNTER_DROP_SOURCE_RATE);
			return XDP_DROP;
		}
		flow(ctx);
		if (t.cpu->n_changes)
			settle();
		if (forward_is_sampled(&t))
			sample();
	}
	if (step == STEP_OTHER)
		step = other(ctx);
	if (step == STEP_ERROR) {
		quote(ctx);
		error(ctx);
	}
	if (w->packet.fragment)
		resolve(ctx);
	return carry_out(ctx);
}

char license_of_program[] SEC("license") = "Dual BSD/GPL";
