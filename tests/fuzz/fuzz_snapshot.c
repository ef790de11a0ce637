/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes what a forwarder takes for a snapshot: any bytes, with magic, size and checksum made good. If they are
 * accepted, packets go through a forwarder that works from them. Input: the snapshot, header first.
 */
#include <string.h>

#include "frame_text.h"
#include "fuzz.h"
#include "setup.h"
#include "snapshot_check.h"
#include "sweep.h"
#include "world.h"

#define BUCKETS 16

static struct world w;
static struct sweep sweep;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FUZZ_CHECK(!world_open(&w, NULL, BUCKETS));
	return 0;
}

/* The bytes in memory of their own, exactly as long, aligned as a mapping is, and made good. */
static void *repaired(const uint8_t *data, size_t size)
{
	struct snapshot_header *h;
	void *block;

	FUZZ_CHECK(!posix_memalign(&block, 64, size));
	memcpy(block, data, size);
	h = block;
	h->magic = SNAPSHOT_MAGIC;
	h->abi = SNAPSHOT_ABI;
	h->size = size;
	setup_seal(block, size);
	return block;
}

/* A frame to each VIP that the snapshot has: from several clients, as TCP, and as a ping of the address. */
static void send_to(const struct snapshot_vip *vip)
{
	uint8_t frame[74] = { 0 };
	int v4 = addr_is_ipv4(vip->addr), l4 = v4 ? 34 : 54;
	struct parcel p;

	memcpy(frame, &w.tables.ports[0].mac, 6);
	frame[12] = v4 ? 0x08 : 0x86;
	frame[13] = v4 ? 0x00 : 0xdd;
	frame[14] = v4 ? 0x45 : 0x60;
	if (v4) {
		frame[17] = 60;
		frame[23] = vip->proto ? vip->proto : PROTO_ICMP;
		frame[26] = 198;
		memcpy(frame + 30, (const char *)&vip->addr + 12, 4);
	} else {
		frame[19] = 20;
		frame[20] = vip->proto ? vip->proto : PROTO_ICMPV6;
		frame[22] = 0x20;
		memcpy(frame + 38, &vip->addr, 16);
	}
	memcpy(frame + l4 + 2, &vip->port, 2);
	frame[l4] = vip->proto ? 1 : v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
	for (uint8_t client = 1; client < 6; client++) {
		frame[v4 ? 29 : 37] = client;
		if (v4)
			frame_ipv4_seal(frame + ETH_LEN);
		frame[l4 + 13] = client & 1 ? TCP_SYN : TCP_ACK;
		world_one(&w, frame, sizeof(frame), &p);
		FUZZ_CHECK(p.verdict.action != ACTION_TO_BACKEND || p.verdict.port < w.tables.header->n_ports);
		FUZZ_CHECK(
			p.verdict.action != ACTION_TO_BACKEND || p.verdict.backend < w.tables.header->n_backends);
		parcel_free(&p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot_fault fault = { 0 };
	__u32 n_vips = 0;
	void *block;

	size &= ~(size_t)7;
	if (size < sizeof(struct snapshot_header))
		return 0;
	block = repaired(data, size);
	if (snapshot_check(block, size, &fault)) {
		FUZZ_CHECK(fault.what && *fault.what);
		free(block);
		return 0;
	}
	world_clear(&w);
	world_publish(&w, block);
	for (__u32 i = 0; i < w.tables.header->vip_index_size && n_vips < 64; i++)
		if (w.tables.vips[i].flags & VIP_USED) {
			send_to(&w.tables.vips[i]);
			n_vips++;
		}
	FUZZ_CHECK(world_verdicts(&w) == w.stats->received);
	sweep.next = sweep.next_fragment = 0;
	FUZZ_CHECK(sweep_buckets(&sweep, &w.tables, BUCKETS + WORLD_FRAGMENT_BUCKETS) == 1);
	return 0;
}
