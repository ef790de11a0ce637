/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * answer.h: checksums for every value there is, judged by a receiver written for this test; room that is missing.
 * The answers as such are in tests/packets.
 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define V4 34 /* offset of ICMP behind Ethernet and IPv4 */
#define V6 54

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };

/* Sum of big-endian words, folded: what a receiver computes (RFC 1071). */
static uint32_t sum(uint32_t start, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		start += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		start = (start & 0xffff) + (start >> 16);
	}
	return start;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Sum of the IPv6 pseudo-header of an ICMPv6 message of this size. */
static uint32_t pseudo(const uint8_t *frame, size_t size)
{
	return sum((uint32_t)size + 58, frame + 14 + 8, 32);
}

static struct frame frame_of(uint8_t *bytes, size_t len)
{
	return (struct frame){ .data = bytes, .end = bytes + len, .len = (__u32)len };
}

/* A ping with size bytes behind its header, checksums right. */
static size_t ping4(uint8_t *frame, uint32_t id_seq, const uint8_t *data, size_t size)
{
	static const uint8_t head[] = { 2, 0, 0, 0, 0, 0xaa, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 63,
		1, 0, 0, 198, 51, 100, 2, 192, 0, 2, 80, 8, 0, 0, 0 };

	memcpy(frame, head, sizeof(head));
	put16(frame + 16, (uint32_t)(28 + size));
	put16(frame + V4 + 4, id_seq >> 16);
	put16(frame + V4 + 6, id_seq);
	if (size)
		memcpy(frame + V4 + 8, data, size);
	put16(frame + 24, ~sum(0, frame + 14, 20));
	put16(frame + V4 + 2, ~sum(0, frame + V4, 8 + size));
	return V4 + 8 + size;
}

static size_t ping6(uint8_t *frame, uint32_t id_seq, const uint8_t *data, size_t size)
{
	struct addr src = unit_addr("2001:db8:1::2"), dst = unit_addr("2001:db8::80");

	memset(frame, 0, V6 + 8);
	memcpy(frame, own.byte, 6);
	frame[11] = 1;
	put16(frame + 12, 0x86dd);
	frame[14] = 0x60;
	put16(frame + 18, (uint32_t)(8 + size));
	frame[20] = 58;
	frame[21] = 63;
	memcpy(frame + 22, &src, 16);
	memcpy(frame + 38, &dst, 16);
	frame[V6] = 128;
	put16(frame + V6 + 4, id_seq >> 16);
	put16(frame + V6 + 6, id_seq);
	if (size)
		memcpy(frame + V6 + 8, data, size);
	put16(frame + V6 + 2, ~sum(pseudo(frame, 8 + size), frame + V6, 8 + size));
	return V6 + 8 + size;
}

/* Answer in place; the request must be taken for a ping. */
static void answer(uint8_t *bytes, size_t len)
{
	struct frame f = frame_of(bytes, len);
	struct packet p;

	packet_parse(&f, &p);
	if (p.kind != PACKET_ECHO || answer_length(ACTION_ANSWER_ECHO, &f, &p) != len ||
		answer_write(ACTION_ANSWER_ECHO, &f, &p, own))
		CU_FAIL_FATAL("not answered");
}

/*
 * The 65,536 values of a word of the message make all checksums there are. A receiver takes the answer, and its
 * checksum is the one that a sender would have computed: but for a message whose words add up to 0xffff with
 * neither id nor sequence, where 0xffff stands for 0.
 */
static void echo4_every_checksum(void)
{
	static const uint32_t id_seq[] = { 0, 1, 0x12340001, 0xffffffff, 0x0000f7ff };
	uint8_t seen[65536] = { 0 }, frame[128], data[2];
	__u32 values = 0, other = 0;

	for (size_t i = 0; i < UNIT_COUNT(id_seq); i++)
		for (uint32_t value = 0; value < 65536; value++) {
			uint16_t check, right;
			size_t len;

			put16(data, value);
			len = ping4(frame, id_seq[i], data, 2);
			answer(frame, len);
			if (frame[V4] != 0 || sum(0, frame + V4, len - V4) != 0xffff ||
				sum(0, frame + 14, 20) != 0xffff)
				CU_FAIL_FATAL("a receiver would refuse it");
			check = (uint16_t)(frame[V4 + 2] << 8 | frame[V4 + 3]);
			put16(frame + V4 + 2, 0);
			right = (uint16_t)~sum(0, frame + V4, len - V4);
			other += check != right;
			if (check != right && (id_seq[i] || check != 0xffff || right))
				CU_FAIL_FATAL("not the checksum that a sender computes");
			values += !seen[check];
			seen[check] = 1;
		}
	CU_ASSERT(other <= 1);
	CU_ASSERT_EQUAL(values, 65536);
}

static void echo6_every_checksum(void)
{
	uint8_t frame[128], data[2];

	for (uint32_t value = 0; value < 65536; value++) {
		uint32_t check;
		size_t len;

		put16(data, value);
		len = ping6(frame, 0, data, 2);
		answer(frame, len);
		if (frame[V6] != 129 || frame[21] != 64 ||
			sum(pseudo(frame, len - V6), frame + V6, len - V6) != 0xffff)
			CU_FAIL_FATAL("a receiver would refuse it");
		check = (uint32_t)(frame[V6 + 2] << 8 | frame[V6 + 3]);
		put16(frame + V6 + 2, 0);
		if (check != (uint16_t)~sum(pseudo(frame, len - V6), frame + V6, len - V6))
			CU_FAIL_FATAL("not the checksum that a sender computes");
	}
}

/* The IPv4 header's checksum, for every TTL and every value of the identification. */
static void ipv4_header_checksum(void)
{
	uint8_t frame[128], data[1] = { 0 };

	for (uint32_t id = 0; id < 65536; id++) {
		size_t len = ping4(frame, 7, data, 1);
		uint16_t check;

		put16(frame + 18, id);
		frame[22] = (uint8_t)(id * 7);
		put16(frame + 24, 0);
		put16(frame + 24, ~sum(0, frame + 14, 20));
		answer(frame, len);
		check = (uint16_t)(frame[24] << 8 | frame[25]);
		put16(frame + 24, 0);
		if (frame[22] != 64 || check != (uint16_t)~sum(0, frame + 14, 20))
			CU_FAIL_FATAL("wrong");
	}
}

/* Every size of a ping, odd ones too, and the data come back as they were. */
static void echo_sizes(void)
{
	uint8_t frame[2048], data[1500];
	uint64_t state = 1;

	for (size_t size = 0; size <= sizeof(data); size++) {
		size_t len;

		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)unit_random(&state);
		len = ping4(frame, 99, data, size);
		answer(frame, len);
		CU_ASSERT_EQUAL(sum(0, frame + V4, len - V4), 0xffff);
		CU_ASSERT_EQUAL(memcmp(frame + V4 + 8, data, size), 0);
		len = ping6(frame, 99, data, size);
		answer(frame, len);
		CU_ASSERT_EQUAL(sum(pseudo(frame, len - V6), frame + V6, len - V6), 0xffff);
		CU_ASSERT_EQUAL(memcmp(frame + V6 + 8, data, size), 0);
	}
}

/* A neighbour solicitation for target, without option, from asker. */
static size_t solicitation(uint8_t *frame, struct addr asker, struct addr target)
{
	memset(frame, 0, V6 + 24);
	frame[6] = 2;
	frame[11] = 1;
	put16(frame + 12, 0x86dd);
	frame[14] = 0x60;
	put16(frame + 18, 24);
	frame[20] = 58;
	frame[21] = 255;
	memcpy(frame + 22, &asker, 16);
	memcpy(frame + 38, &target, 16);
	frame[V6] = 135;
	memcpy(frame + V6 + 8, &target, 16);
	return V6 + 24;
}

/* Advertisements to many askers for many targets all carry a checksum that a receiver takes. */
static void advertisement_checksums(void)
{
	uint8_t frame[V6 + ND_ADVERTISEMENT_LEN];
	uint64_t state = 2;

	for (int i = 0; i < 50000; i++) {
		struct addr asker = { unit_random(&state), unit_random(&state) };
		struct addr target = { unit_random(&state), unit_random(&state) };
		struct frame f;
		struct packet p;

		asker.hi &= ~1ull; /* no multicast address: nobody asks from one */
		if (i % 100 == 0)
			asker = (struct addr){ 0, 0 };
		f = frame_of(frame, solicitation(frame, asker, target));
		packet_parse(&f, &p);
		if (p.kind != PACKET_ND || answer_length(ACTION_ANSWER_ND, &f, &p) != sizeof(frame))
			CU_FAIL_FATAL("not taken for a solicitation");
		f = frame_of(frame, sizeof(frame));
		if (answer_write(ACTION_ANSWER_ND, &f, &p, own))
			CU_FAIL_FATAL("not answered");
		if (sum(pseudo(frame, ND_ADVERTISEMENT_LEN), frame + V6, ND_ADVERTISEMENT_LEN) != 0xffff)
			CU_FAIL_FATAL("a receiver would refuse it");
	}
}

/* room bytes of memory, filled from bytes as far as those go. Not inlined: gcc would warn of sizes out of bounds. */
__attribute__((noinline)) static uint8_t *cut(const uint8_t *bytes, size_t len, size_t room)
{
	uint8_t *copy = malloc(room);

	if (!copy && room)
		abort();
	if (room)
		memcpy(copy, bytes, room < len ? room : len);
	return copy;
}

/*
 * A frame that does not hold the answer, nor perhaps its own headers any more, is left for dropping, and nothing
 * beside it is touched. needs: bytes of the frame that the answer takes.
 */
static void check_no_room(__u32 action, const uint8_t *request, size_t len, size_t needs)
{
	uint8_t whole[128];
	struct frame f;
	struct packet p;

	memcpy(whole, request, len);
	f = frame_of(whole, len);
	packet_parse(&f, &p);
	for (size_t room = 0; room <= needs; room++) {
		uint8_t *copy = cut(request, len, room);

		f = frame_of(copy, room);
		CU_ASSERT_EQUAL(answer_write(action, &f, &p, own), room < needs ? -1 : 0);
		free(copy);
	}
}

static void no_room(void)
{
	static const uint8_t arp[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6,
		4, 0, 1 };
	uint8_t request[128];
	size_t len = solicitation(request, unit_addr("2001:db8:a::1"), unit_addr("2001:db8::80"));

	check_no_room(ACTION_ANSWER_ND, request, len, V6 + ND_ADVERTISEMENT_LEN);
	check_no_room(ACTION_ANSWER_ARP, arp, sizeof(arp), sizeof(arp));
	len = ping4(request, 7, NULL, 0);
	check_no_room(ACTION_ANSWER_ECHO, request, len, V4 + 8);
	len = ping6(request, 7, NULL, 0);
	check_no_room(ACTION_ANSWER_ECHO, request, len, V6 + 8);
}

/* Actions that are no answers write none. */
static void not_an_answer(void)
{
	uint8_t frame[128], before[V4 + 8];
	struct frame f = frame_of(frame, ping4(frame, 7, NULL, 0));
	struct packet p;

	packet_parse(&f, &p);
	memcpy(before, frame, sizeof(before));
	CU_ASSERT_EQUAL(answer_write(ACTION_TO_BACKEND, &f, &p, own), -1);
	CU_ASSERT_EQUAL(answer_write(ACTION_TO_KERNEL, &f, &p, own), -1);
	CU_ASSERT_EQUAL(answer_write(ACTION_DROP, &f, &p, own), -1);
	CU_ASSERT_EQUAL(memcmp(before, frame, sizeof(before)), 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "ping: each of 65,536 checksums", echo4_every_checksum },
		{ "ping over IPv6: each of 65,536 checksums", echo6_every_checksum },
		{ "ping: the IPv4 header's checksum", ipv4_header_checksum },
		{ "ping: every size", echo_sizes },
		{ "advertisements: checksums", advertisement_checksums },
		{ "no room", no_room },
		{ "not an answer", not_an_answer },
		{ NULL, NULL },
	};

	return unit_run("answer", tests);
}
