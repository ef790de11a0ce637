/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program: a body around the forwarding core. What is a VIP's is forwarded, answered or dropped
 * here, all else passes to the kernel. One program for native and generic mode.
 *
 *	shunt_xdp()   the usual packet, at once (usual.h); any other:
 *	  parse()     what it is
 *	  flow()      a flow's: the core's steps, one by one
 *	  rest()      what is none
 *	    other()   the verdict
 *	    answer()  writes an answer
 *
 * For kernels from 5.15 on: its atomics are of 5.12, no helper is younger than 5.11 but bpf_xdp_get_buff_len(),
 * which the verifier never sees where sizes.frags is 0; look-ups in arrays and bpf_jiffies64() become
 * instructions. The functions are global, so that each is verified once by itself and not once for each way that
 * leads to it: in one piece that came to half of the million instructions that the verifier may walk. Stack is
 * scarce: the deepest chain, shunt_xdp(), flow(), has to fit into 512 bytes with each function's share rounded up.
 */
#include "xdp_tables.h"

#include "forward.h"
#include "usual.h"

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

/* What flow() returns for a packet that is no flow's of a VIP. */
#define NO_FLOW (-1)

/* A packet of a VIP's flow, to the backend it goes to. Returns the XDP action; or NO_FLOW, having counted nothing.
 */
__attribute__((noinline)) int flow(struct xdp_md *ctx, const struct packet *parsed)
{
	struct frame f = frame_of(ctx);
	struct packet p;
	struct verdict v = { 0 };
	struct tables t;
	struct lookup l;
	int none = tables_open(&t);

	if (!parsed || none) {
		count_verdict(&t, COUNTER_TO_KERNEL);
		return XDP_PASS;
	}
	/* A copy, of whose alignment the compiler is sure. */
	p = *parsed;
	switch (forward_match(&t, &f, &p, &l, &v)) {
	case MATCH_OTHER:
		return NO_FLOW;
	case MATCH_VERDICT:
		count_verdict(&t, v.counter);
		return XDP_DROP;
	default:
		break;
	}
	if (has_socket(ctx)) {
		t.cpu->to_socket++;
		return (int)bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_DROP);
	}
	forward_hash(&t, &p, &l);
	forward_place(&t, &l);
	l.index = -1;
	forward_finish(&t, &f, &l, &v);
	if (v.action == ACTION_TO_BACKEND)
		return send(&t, &f, &v);
	count_verdict(&t, v.counter);
	return XDP_DROP;
}

/* The verdict on what is no flow's packet: its action, and its counter in the byte above. */
__attribute__((noinline)) int other(struct xdp_md *ctx, const struct packet *parsed)
{
	struct frame f = frame_of(ctx);
	struct packet p;
	struct verdict v = { 0 };
	struct tables t;

	if (!parsed || tables_open(&t))
		return ACTION_TO_KERNEL | COUNTER_TO_KERNEL << 8;
	p = *parsed;
	forward_other(&t, &f, &p, &v);
	return v.action | v.counter << 8;
}

/*
 * Write an answer over the request and make the frame as long as it is. Returns 0, or -1 if it can't be. The
 * packet's offsets are bounded here as the verifier has not seen where they come from.
 */
__attribute__((noinline)) int answer(struct xdp_md *ctx, const struct packet *p, __u32 action)
{
	struct frame f = frame_of(ctx);
	struct packet bounded;
	struct tables t;
	__u32 length;

	if (!p || tables_open(&t) || p->l3 > ETH_LEN + PARSE_MAX_VLAN * sizeof(struct vlan_tag) || p->l4 > 16384)
		return -1;
	bounded = *p;
	length = answer_length(action, &f, &bounded);
	if (length != f.len && bpf_xdp_adjust_tail(ctx, (int)(length - f.len)))
		return -1;
	f = frame_of(ctx);
	return answer_write(action, &f, &bounded, tables_port(&t, f.port)->mac);
}

__attribute__((noinline)) int count(__u32 counter)
{
	struct tables t;

	tables_open(&t);
	count_verdict(&t, counter);
	return 0;
}

/*
 * What is no flow's packet of a VIP. Returns the XDP action. Not what calls flow(): before Linux 6.8 the stacks of
 * functions that call one another are rounded up to 32 bytes each, and 512 is little.
 */
__attribute__((noinline)) int rest(struct xdp_md *ctx, const struct packet *p)
{
	__u32 verdict, counter;
	int action;

	verdict = (__u32)other(ctx, p);
	counter = verdict >> 8;
	switch (verdict & 0xff) {
	case ACTION_TO_KERNEL:
		action = XDP_PASS;
		break;
	case ACTION_DROP:
		action = XDP_DROP;
		break;
	default:
		action = XDP_TX;
		if (answer(ctx, p, verdict & 0xff)) {
			action = XDP_DROP;
			counter = COUNTER_DROP_NO_ROOM;
		}
	}
	count(counter);
	return action;
}

__attribute__((noinline)) int parse(struct xdp_md *ctx, struct packet *p)
{
	struct frame f = frame_of(ctx);

	if (!p)
		return -1;
	packet_parse(&f, p);
	return 0;
}

SEC("xdp")
int shunt_xdp(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	struct packet p, parsed;
	struct verdict v;
	struct tables t;
	int action;

	if (!usual_parse(&f, &p)) {
		if (!tables_open(&t) && !sizes.n_queues && usual_forward(&t, &f, &p, &v))
			return send(&t, &f, &v);
		/* A copy, so that p itself need not be memory. */
		parsed = p;
	} else {
		/* Until Linux 6.3 a function may be given no memory but what has been written. */
		parsed = (struct packet){ 0 };
		parse(ctx, &parsed);
	}
	action = flow(ctx, &parsed);
	return action == NO_FLOW ? rest(ctx, &parsed) : action;
}

char license_of_program[] SEC("license") = "Dual BSD/GPL";
