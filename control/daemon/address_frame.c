/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames about who has an address. */
#include "address_frame.h"

#include <string.h>

#include "answer.h"
#include "parse.h"

#define MIN_FRAME 60 /* Ethernet's least, without FCS */
#define OPTION_TARGET_MAC 2

static const struct mac everybody = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct mac nobody = { { 0 } };

struct arp_frame {
	struct eth_header eth;
	struct arp_ipv4 arp;
} __attribute__((packed));

struct advertisement_frame {
	struct eth_header eth;
	struct ipv6_header ip;
	struct nd_advertisement na;
} __attribute__((packed));

struct solicitation_frame {
	struct eth_header eth;
	struct ipv6_header ip;
	struct nd_solicitation ns;
} __attribute__((packed));

static size_t write_arp(uint8_t *frame, const struct mac *own, __be32 sender, __be32 target)
{
	const struct arp_frame f = {
		.eth = { .dst = everybody, .src = *own, .type = core_be16(ETHERTYPE_ARP) },
		.arp = { .hardware = core_be16(1),
			.protocol = core_be16(ETHERTYPE_IPV4),
			.hardware_len = 6,
			.protocol_len = 4,
			.op = core_be16(1),
			.sender_mac = *own,
			.sender_ip = sender,
			.target_mac = nobody,
			.target_ip = target },
	};

	memset(frame, 0, MIN_FRAME);
	memcpy(frame, &f, sizeof(f));
	return MIN_FRAME;
}

/* The checksum of an ICMPv6 message of size bytes between these addresses; its own field is 0. */
static __be16 checksum(const struct ipv6_header *ip, const void *message, size_t size)
{
	const uint8_t *bytes = message;
	__u32 sum = checksum_addr(checksum_addr(0, ip->src), ip->dst);

	sum = checksum_add(sum, core_be32(size));
	sum = checksum_add(sum, core_be32(PROTO_ICMPV6));
	for (size_t i = 0; i < size; i += 2)
		sum = checksum_add(sum, (__u32)bytes[i] | (__u32)bytes[i + 1] << 8);
	return checksum_fold(sum);
}

static struct ipv6_header ipv6_head(struct addr src, struct addr dst, size_t size)
{
	return (struct ipv6_header){ .version_class_flow = core_be32(6u << 28),
		.payload_len = core_be16(size),
		.next = PROTO_ICMPV6,
		.hop_limit = 255,
		.src = src,
		.dst = dst };
}

static size_t write_advertisement(uint8_t *frame, const struct mac *own, struct addr address)
{
	static const struct addr all_nodes = { 0x02ffULL, 0x0100000000000000ULL }; /* ff02::1 */
	struct advertisement_frame f = {
		.eth = { .dst = { { 0x33, 0x33, 0, 0, 0, 1 } }, .src = *own, .type = core_be16(ETHERTYPE_IPV6) },
		.ip = ipv6_head(address, all_nodes, sizeof(f.na)),
		.na = { .icmp = { .type = ICMPV6_NEIGHBOUR_ADVERTISEMENT },
			.flags = ND_OVERRIDE,
			.target = address,
			.option_type = OPTION_TARGET_MAC,
			.option_len = 1,
			.option_mac = *own },
	};

	f.na.icmp.check = checksum(&f.ip, &f.na, sizeof(f.na));
	memcpy(frame, &f, sizeof(f));
	return sizeof(f);
}

static size_t write_solicitation(uint8_t *frame, const struct mac *own, struct addr address)
{
	uint8_t group[16] = { 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff }; /* the solicited-node one */
	const struct addr none = { 0, 0 };
	struct solicitation_frame f = {
		.eth = { .src = *own, .type = core_be16(ETHERTYPE_IPV6) },
		.ns = { .icmp = { .type = ICMPV6_NEIGHBOUR_SOLICITATION }, .target = address },
	};
	struct addr to;

	memcpy(group + 13, (const uint8_t *)&address + 13, 3);
	memcpy(&to, group, sizeof(to));
	f.eth.dst = (struct mac){ { 0x33, 0x33, group[12], group[13], group[14], group[15] } };
	f.ip = ipv6_head(none, to, sizeof(f.ns));
	f.ns.icmp.check = checksum(&f.ip, &f.ns, sizeof(f.ns));
	memcpy(frame, &f, sizeof(f));
	return sizeof(f);
}

size_t address_frame_announcement(uint8_t *frame, const struct mac *own, struct addr address)
{
	__be32 v4 = addr_to_ipv4(address);

	return addr_is_ipv4(address) ? write_arp(frame, own, v4, v4) : write_advertisement(frame, own, address);
}

size_t address_frame_probe(uint8_t *frame, const struct mac *own, struct addr address)
{
	return addr_is_ipv4(address) ? write_arp(frame, own, 0, addr_to_ipv4(address))
				     : write_solicitation(frame, own, address);
}

static enum address_claim read_arp(const uint8_t *frame, size_t size, struct addr *address, struct mac *mac)
{
	const struct arp_ipv4 *arp = &((const struct arp_frame *)frame)->arp;

	if (size < sizeof(struct arp_frame) || arp->hardware != core_be16(1) ||
		arp->protocol != core_be16(ETHERTYPE_IPV4) || arp->hardware_len != 6 || arp->protocol_len != 4 ||
		(arp->op != core_be16(1) && arp->op != core_be16(2)) || !arp->sender_ip)
		return ADDRESS_CLAIM_NONE;
	*address = addr_from_ipv4(arp->sender_ip);
	*mac = arp->sender_mac;
	if (arp->sender_ip == arp->target_ip)
		return ADDRESS_CLAIM_ANNOUNCED;
	return arp->op == core_be16(1) ? ADDRESS_CLAIM_ASKED_FROM : ADDRESS_CLAIM_ANSWERED;
}

/* Its MAC by the option of the advertisement, where it has one; it is but asked for where it was sent from. */
static enum address_claim read_advertisement(
	const uint8_t *frame, size_t size, struct addr *address, struct mac *mac)
{
	const struct advertisement_frame *f = (const struct advertisement_frame *)frame;
	const size_t head = sizeof(*f) - 8;
	size_t end;

	if (size < head || f->ip.next != PROTO_ICMPV6 || f->ip.hop_limit != 255 ||
		f->na.icmp.type != ICMPV6_NEIGHBOUR_ADVERTISEMENT || f->na.icmp.code ||
		*(const uint8_t *)&f->na.target == 0xff)
		return ADDRESS_CLAIM_NONE;
	end = sizeof(f->eth) + sizeof(f->ip) + core_be16(f->ip.payload_len);
	if (end > size || end < head)
		return ADDRESS_CLAIM_NONE;
	*mac = f->eth.src;
	for (size_t at = head, length; at < end; at += length) {
		if (at + 8 > end)
			return ADDRESS_CLAIM_NONE;
		length = frame[at + 1] * 8u;
		if (!length || at + length > end)
			return ADDRESS_CLAIM_NONE;
		if (frame[at] == OPTION_TARGET_MAC && length == 8)
			memcpy(mac, frame + at + 2, sizeof(*mac));
	}
	*address = f->na.target;
	return f->na.flags & ND_SOLICITED ? ADDRESS_CLAIM_ANSWERED : ADDRESS_CLAIM_ANNOUNCED;
}

enum address_claim address_frame_claim(const uint8_t *frame, size_t size, struct addr *address, struct mac *mac)
{
	const struct eth_header *eth = (const struct eth_header *)frame;

	if (size < sizeof(*eth))
		return ADDRESS_CLAIM_NONE;
	if (eth->type == core_be16(ETHERTYPE_ARP))
		return read_arp(frame, size, address, mac);
	return eth->type == core_be16(ETHERTYPE_IPV6) ? read_advertisement(frame, size, address, mac)
						      : ADDRESS_CLAIM_NONE;
}
