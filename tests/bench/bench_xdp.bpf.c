/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XDP programs beside which shunt's is measured: vary gives the frame another flow, undoes what the run before
 * changed, and goes on to the program in next; which may be one that does nothing, or touch, which reads the one
 * line of memory that a flow table can't do without, and waits for it. macswap is the least that a forwarder can
 * do; generate and drop are at either end of the wire it is measured on.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench_xdp.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

struct bench_line {
	__u64 word[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_MAX_LINES);
	__type(key, __u32);
	__type(value, struct bench_line);
} lines SEC(".maps");

struct bench_flow choice;

struct flow_packet {
	struct eth_header eth;
	struct ipv4_header ip;
	__be16 sport;
	__be16 dport;
} __attribute__((packed));

/* The frame becomes one of choice.n flows, from choice.first on: in turn, or in an order as good as random. */
core_inline void set_flow(struct flow_packet *p)
{
	__u32 flow;

	choice.state = choice.state * 6364136223846793005ULL + 1442695040888963407ULL;
	flow = core_range((__u32)(choice.state >> 32), choice.n);
	if (choice.in_turn)
		flow = choice.turn++;
	flow += choice.first;
	p->eth.dst = choice.mac;
	if (choice.spread) {
		__u32 src = bench_source(flow, choice.spread), sum = 0x4500 + 46 + 0x4006 + 0xc000 + 0x0250;

		p->ip.src = core_be32(src);
		sum += (src >> 16) + (src & 0xffff);
		sum = (sum & 0xffff) + (sum >> 16);
		p->ip.check = core_be16((__u16) ~((sum & 0xffff) + (sum >> 16)));
		p->sport = core_be16(10000);
		return;
	}
	/* As good as bench_frame()'s addresses, without a division. */
	p->ip.src = core_be32(0x0a000000 + (flow >> 15));
	/* But for this address's lower half, of a flow below 2^31, the sum is always the same. */
	p->ip.check = core_be16(0xffff - (0x4500 + 46 + 0x4006 + 0x0a00 + 0xc000 + 0x0250 - 0xffff) - (flow >> 15));
	p->sport = core_be16((__u16)(10000 + (flow & 0x7fff)));
}

SEC("xdp")
int vary(struct xdp_md *ctx)
{
	struct flow_packet *p = (struct flow_packet *)(long)ctx->data;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	set_flow(p);
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int nothing(struct xdp_md *ctx)
{
	return XDP_TX;
}

SEC("xdp")
int touch(struct xdp_md *ctx)
{
	struct flow_packet *p = (struct flow_packet *)(long)ctx->data;
	const struct bench_line *line;
	__u32 index;
	__u64 hash;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	/* Knuth, The Art of Computer Programming 3, 6.4: multiplication by the golden ratio. */
	hash = ((__u64)p->ip.src << 16 | p->sport) * 0x9e3779b97f4a7c15ULL;
	index = core_range((__u32)(hash >> 32), choice.n_lines);
	line = bpf_map_lookup_elem(&lines, &index);
	/* It is 0. The next packet's flow depends on it, so that no run hides behind another's wait. */
	if (line)
		choice.state += line->word[hash & 7];
	return XDP_TX;
}

SEC("xdp")
int macswap(struct xdp_md *ctx)
{
	struct eth_header *eth = (struct eth_header *)(long)ctx->data;
	struct mac was;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	was = eth->dst;
	eth->dst = eth->src;
	eth->src = was;
	return XDP_TX;
}

/* Counts what comes back. One CPU runs it. */
__u64 dropped;

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	dropped++;
	return XDP_DROP;
}

/* Sends the frame it was given, as one of another flow. The pages of frames sent before come again as they are. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct flow_packet *p = (struct flow_packet *)(long)ctx->data;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	p->eth.src = (struct mac){ { 2, 0, 0, 0, 9, 9 } };
	set_flow(p);
	return XDP_TX;
}

char license_of_program[] SEC("license") = "Dual BSD/GPL";
