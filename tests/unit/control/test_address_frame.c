/* SPDX-License-Identifier: BSD-3-Clause */
/* address_frame.h: what shuntd sends is what the forwarder of another host would heed, and what others say is
 * read. */
#include "address_frame.h"

#include <stdlib.h>
#include <string.h>

#include "neighbour.h"
#include "unit.h"

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static const struct mac other = { { 0x02, 0, 0, 0, 0, 0xbb } };

static struct packet parse(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size); /* so that a sanitizer sees what is read beyond */
	struct frame f = { .data = copy, .end = copy + size, .len = (__u32)size };
	struct packet p;

	memcpy(copy, bytes, size);
	packet_parse(&f, &p);
	if (p.kind == PACKET_ND)
		CU_ASSERT_TRUE(solicitation_is_right(&f, &p));
	free(copy);
	return p;
}

static enum address_claim claim(const uint8_t *bytes, size_t size, struct addr *address, struct mac *mac)
{
	uint8_t *copy = malloc(size);
	enum address_claim kind;

	memcpy(copy, bytes, size);
	kind = address_frame_claim(copy, size, address, mac);
	free(copy);
	return kind;
}

/* Sum of an ICMPv6 message and its pseudo-header as a receiver computes it. */
static uint32_t sum6(const uint8_t *frame, size_t size)
{
	uint32_t total = (uint32_t)(size - 54) + 58;

	for (size_t i = 22; i < size; i += 2)
		total += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static void announcements(void)
{
	static const char *const addresses[] = { "192.0.2.80", "2001:db8::80",
		"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" };
	uint8_t frame[ADDRESS_FRAME_MAX];

	for (size_t i = 0; i < UNIT_COUNT(addresses); i++) {
		struct addr address = unit_addr(addresses[i]), said;
		size_t size = address_frame_announcement(frame, &own, address);
		struct packet p = parse(frame, size);
		struct mac mac;

		CU_ASSERT(size >= 60 && size <= sizeof(frame));
		CU_ASSERT_EQUAL(p.kind, addr_is_ipv4(address) ? PACKET_ARP : PACKET_NA);
		CU_ASSERT_TRUE(addr_equal(p.dst, address));
		CU_ASSERT_TRUE(addr_equal(p.src, address));
		CU_ASSERT_TRUE(frame[0] & 1);
		CU_ASSERT_EQUAL(memcmp(frame + 6, own.byte, 6), 0);
		CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_ANNOUNCED);
		CU_ASSERT_TRUE(addr_equal(said, address));
		CU_ASSERT_TRUE(mac_equal(&mac, &own));
		if (!addr_is_ipv4(address))
			CU_ASSERT_EQUAL(sum6(frame, size), 0xffff);
	}
}

static void probes(void)
{
	static const char *const addresses[] = { "192.0.2.80", "2001:db8::80", "2001:db8::12:3456:789a" };
	uint8_t frame[ADDRESS_FRAME_MAX];

	for (size_t i = 0; i < UNIT_COUNT(addresses); i++) {
		struct addr address = unit_addr(addresses[i]), said;
		size_t size = address_frame_probe(frame, &own, address);
		struct packet p = parse(frame, size);
		struct mac mac;

		CU_ASSERT_EQUAL(p.kind, addr_is_ipv4(address) ? PACKET_ARP : PACKET_ND);
		CU_ASSERT_TRUE(addr_equal(p.dst, address));
		CU_ASSERT_TRUE(addr_is_ipv4(p.src) ? !addr_to_ipv4(p.src) : !(p.src.hi | p.src.lo));
		CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_NONE);
		if (!addr_is_ipv4(address))
			CU_ASSERT_EQUAL(
				memcmp(frame + 2, frame + 50, 4), 0); /* 33:33 and the group's last bytes */
	}
}

/* The MAC that the option says; without an option the sender's. */
static void advertisements(void)
{
	uint8_t frame[ADDRESS_FRAME_MAX];
	struct addr address = unit_addr("2001:db8::80"), said;
	size_t size = address_frame_announcement(frame, &own, address);
	struct mac mac;

	memcpy(frame + 6, other.byte, 6);
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_ANNOUNCED);
	CU_ASSERT_TRUE(mac_equal(&mac, &own));
	frame[19] = 24;
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_ANNOUNCED);
	CU_ASSERT_TRUE(mac_equal(&mac, &other));
	frame[58] |= 0x40; /* solicited */
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_ANSWERED);
	frame[19] = 32;
	frame[79] = 0; /* the option's length */
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_NONE);
	frame[79] = 2;
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_NONE);
	frame[79] = 1;
	frame[21] = 254; /* through a router */
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_NONE);
}

static void arp(void)
{
	uint8_t frame[ADDRESS_FRAME_MAX];
	size_t size = address_frame_announcement(frame, &own, unit_addr("192.0.2.80"));
	struct addr said;
	struct mac mac;

	frame[41] = 81; /* the target */
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_ASKED_FROM);
	frame[21] = 2;
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_ANSWERED);
	frame[21] = 3;
	CU_ASSERT_EQUAL(claim(frame, size, &said, &mac), ADDRESS_CLAIM_NONE);
}

/* Cut short at any place, or with any byte changed: nothing is read beyond, and cut short says nothing. */
static void broken(void)
{
	static const char *const addresses[] = { "192.0.2.80", "2001:db8::80" };

	for (size_t i = 0; i < UNIT_COUNT(addresses); i++) {
		uint8_t frame[ADDRESS_FRAME_MAX];
		size_t size = address_frame_announcement(frame, &own, unit_addr(addresses[i]));
		size_t least = i ? size : 42;
		struct addr said;
		struct mac mac;

		for (size_t cut = 0; cut < least; cut++)
			CU_ASSERT_EQUAL(claim(frame, cut, &said, &mac), ADDRESS_CLAIM_NONE);
		for (size_t at = 0; at < size; at++)
			for (unsigned int value = 0; value < 256; value++) {
				uint8_t before = frame[at];

				frame[at] = (uint8_t)value;
				claim(frame, size, &said, &mac);
				frame[at] = before;
			}
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "announcements", announcements },
		{ "probes", probes },
		{ "whose MAC an advertisement says", advertisements },
		{ "what ARP says", arp },
		{ "frames that are broken", broken },
		{ NULL, NULL },
	};

	return unit_run("address_frame", tests);
}
