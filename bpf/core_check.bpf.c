/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The proof that the forwarding core is BPF as well: an XDP body around every step of it. The build
 * compiles it and a test has the kernel's verifier accept it; nothing attaches it to an interface.
 */
#include "map_tables.h"

#include "forward.h"

static struct frame frame_of(struct xdp_md *ctx)
{
	struct frame f = { (__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, 0, 0 };

	f.len = (__u32)(f.end - f.data);
	return f;
}

/* Global, so that the verifier walks it once and not once for each way through it. */
__attribute__((noinline)) int parse(struct xdp_md *ctx, struct packet *p)
{
	struct frame f = frame_of(ctx);

	if (!p)
		return -1;
	packet_parse(&f, p);
	return 0;
}

__attribute__((noinline)) int answer(struct xdp_md *ctx, const struct packet *p, __u32 action)
{
	struct frame f = frame_of(ctx);
	struct tables t = { 0 };
	const struct snapshot_port *port = tables_port(&t, 0);
	struct packet bounded;

	if (!p || !port || p->l3 > ETH_LEN + 2 * sizeof(struct vlan_tag) || p->l4 > 16384)
		return XDP_DROP;
	bounded = *p;
	if (answer_length(action, &f, &bounded) > f.len)
		return XDP_DROP;
	return answer_write(action, &f, &bounded, port->mac) ? XDP_DROP : XDP_TX;
}

SEC("xdp")
int core_check(struct xdp_md *ctx)
{
	struct frame f = frame_of(ctx);
	__u32 zero = 0;
	struct tables t = { bpf_map_lookup_elem(&header, &zero), flow_tick(bpf_ktime_get_coarse_ns() / 1000000000) };
	struct verdict v = { 0 };
	struct packet p = { 0 };
	struct lookup l;

	parse(ctx, &p);
	if (forward_begin(&t, &f, &p, &l, &v)) {
		forward_hash(&t, &p, &l);
		forward_place(&t, &l);
		forward_probe(&t, &l);
		forward_finish(&t, &f, &l, &v);
	}
	tables_count(&t, v.counter);
	switch (v.action) {
	case ACTION_TO_BACKEND:
		forward_account(&t, &v, f.len);
		return XDP_TX;
	case ACTION_TO_KERNEL:
		return XDP_PASS;
	case ACTION_DROP:
		return XDP_DROP;
	default:
		return answer(ctx, &p, v.action);
	}
}

char license_of_program[] SEC("license") = "Dual BSD/GPL";
