/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plain.h says nothing of a packet that parse.h and vip.h don't: frames with bytes changed and ends cut, at
 * random, and each that plain.h takes for a packet of the VIP's is one to the general way too, of the same flow.
 */
#include "plain.h"

#include <stdlib.h>
#include <string.h>

#include "forward_other.h"
#include "frame_text.h"
#include "snapshots.h"
#include "unit.h"

#define ROOM 80 /* bytes of a frame, and more than a plain packet */

static struct world world;

/* The VIP's index entry for what test_tcp4() or test_udp4() makes. */
static const struct snapshot_vip *vip_of(int udp)
{
	return vip_lookup(&world.tables, addr_from_ipv4(core_be32(0xc0000250)),
		udp ? core_be16(53) : core_be16(80), udp ? PROTO_UDP : PROTO_TCP);
}

static int is_for(const uint8_t *bytes, size_t readable, __u32 len, const struct snapshot_vip *vip)
{
	/* In memory of its size, so that a read behind it is seen. */
	uint8_t *data = malloc(readable);
	struct frame f = { data, data + readable, len, 0 };
	const struct plain_packet *plain = (const struct plain_packet *)data;
	struct flow_message expected, message;
	struct plain_shape shape = { 0 };
	struct verdict v = { 0 };
	struct lookup l = { 0 };
	struct packet p;

	if (!data)
		abort();
	memcpy(data, bytes, readable);
	CU_ASSERT_EQUAL_FATAL(plain_shape_of(&shape, &world.tables, 0, vip), 0);
	if (!plain_is(&shape, &f)) {
		free(data);
		return 0;
	}
	packet_parse(&f, &p);
	/* The rest of what it may not be is asked where it is no hit. */
	CU_ASSERT_EQUAL(p.kind, plain_is_odd(plain) ? PACKET_FAULTY : PACKET_FLOW);
	if (p.kind != PACKET_FLOW) {
		free(data);
		return 1;
	}
	CU_ASSERT_TRUE(forward_begin(&world.tables, &f, &p, &l, &v));
	CU_ASSERT_PTR_EQUAL(l.vip, vip);
	CU_ASSERT_EQUAL(l.signal, p.proto == PROTO_TCP ? plain->tcp_flags & SIGNAL_TCP : SIGNAL_UDP);
	expected = flow_message_ipv4(p.src, p.dst, p.sport, p.dport, p.proto);
	message = plain_message(&shape, plain);
	CU_ASSERT_EQUAL(l.signal, plain_signal(&shape, plain));
	CU_ASSERT_EQUAL(message.first, expected.first);
	CU_ASSERT_EQUAL(message.last, expected.last);
	free(data);
	return 1;
}

static void test_is_for(void)
{
	uint8_t frame[ROOM] = { 0 };

	test_tcp4(frame, 0x0a000001, 1234, TCP_SYN);
	CU_ASSERT_TRUE(is_for(frame, TEST_FRAME, TEST_FRAME, vip_of(0)));
	CU_ASSERT_TRUE(is_for(frame, ROOM, ROOM, vip_of(0)));
	CU_ASSERT_TRUE(is_for(frame, TEST_FRAME, 1514, vip_of(0)));
	CU_ASSERT_FALSE(is_for(frame, TEST_FRAME, TEST_FRAME, vip_of(1)));
	for (size_t readable = 1; readable < TEST_FRAME; readable++)
		CU_ASSERT_FALSE(is_for(frame, readable, (__u32)readable, vip_of(0)));
	test_udp4(frame, 0x0a000001, 1234);
	CU_ASSERT_TRUE(is_for(frame, TEST_FRAME, TEST_FRAME, vip_of(1)));
	CU_ASSERT_FALSE(is_for(frame, TEST_FRAME, TEST_FRAME, vip_of(0)));
}

/* Each bit of the first 54 bytes turned: whatever decides is looked at, and nothing else. */
static void test_each_bit(void)
{
	/* Bytes that may be anything: source MAC, and TCP's from sequence to window but for its flags, which are read;
	 * of the source port, all but what makes it 0. Of the IP header none, as its checksum covers it. */
	static const uint8_t free_bytes[TEST_FRAME] = { [6 ... 11] = 1, [34 ... 35] = 1, [38 ... 53] = 1 };
	/* Type of service, identification, time to live, checksum, source. */
	static const uint8_t free_of_checksum[TEST_FRAME] = {
		[15] = 1, [18 ... 19] = 1, [22] = 1, [24 ... 29] = 1
	};
	uint8_t frame[ROOM] = { 0 };

	for (int i = 0; i < TEST_FRAME * 8; i++) {
		int taken;

		test_tcp4(frame, 0x0a000001, 1234, TCP_ACK);
		frame[i / 8] ^= (uint8_t)(1 << i % 8);
		taken = is_for(frame, TEST_FRAME, TEST_FRAME, vip_of(0));
		CU_ASSERT_EQUAL(taken, free_bytes[i / 8]);
		/* With the checksum that it then should have, what else decides is seen. */
		if (i / 8 < ETH_LEN || i / 8 >= ETH_LEN + 20)
			continue;
		frame_ipv4_seal(frame + ETH_LEN);
		taken = is_for(frame, TEST_FRAME, TEST_FRAME, vip_of(0));
		/* "Don't fragment" and the reserved bit are no fragment's. No bit makes
		 * the source, 10.0.0.1, one that may be none. */
		if (i / 8 == 20)
			CU_ASSERT_EQUAL(taken, i % 8 >= 6)
		else
			CU_ASSERT_EQUAL(taken, free_of_checksum[i / 8]);
	}
}

/* The right checksum for a header of the usual length. */
static void seal(uint8_t *frame)
{
	if ((frame[ETH_LEN] & 15) == 5)
		frame_ipv4_seal(frame + ETH_LEN);
}

static void test_random(void)
{
	uint8_t frame[ROOM];
	uint64_t state = 1;
	unsigned int taken = 0;

	for (int i = 0; i < 400000; i++) {
		size_t readable =
			(size_t)(unit_random(&state) % 8 ? TEST_FRAME + unit_random(&state) % (ROOM - TEST_FRAME)
							 : 1 + unit_random(&state) % TEST_FRAME);
		int udp = unit_random(&state) & 1;

		memset(frame, 0, sizeof(frame));
		if (udp)
			test_udp4(frame, (uint32_t)unit_random(&state), (uint16_t)unit_random(&state));
		else
			test_tcp4(frame, (uint32_t)unit_random(&state), (uint16_t)unit_random(&state),
				(uint8_t)unit_random(&state));
		for (int n = unit_random(&state) % 4; n; n--)
			frame[unit_random(&state) % TEST_FRAME] = (uint8_t)unit_random(&state);
		if (unit_random(&state) % 8)
			seal(frame);
		/* The two bytes that lengths are compared with, more often. */
		if (unit_random(&state) % 4 == 0) {
			frame[17] = (uint8_t)(unit_random(&state) % 80);
			seal(frame);
		}
		taken += (unsigned int)is_for(frame, readable,
			(__u32)readable + (unit_random(&state) % 4 ? 0 : (__u32)(unit_random(&state) % 1500)),
			vip_of(udp));
	}
	CU_ASSERT_TRUE(taken > 50000);
	CU_ASSERT_TRUE(taken < 350000);
}

int main(void)
{
	static const struct test_pool pool = { .n = 3 };
	static const struct unit_test tests[] = {
		{ "what is a VIP's and what isn't", test_is_for },
		{ "each bit of a packet", test_each_bit },
		{ "changed and cut at random", test_random },
		{ NULL, NULL },
	};
	int status;

	if (world_open(&world, test_snapshot(&pool, NULL), 0))
		abort();
	status = unit_run("plain", tests);
	world_close(&world);
	return status;
}
