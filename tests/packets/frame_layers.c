/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocols of frame_text.h. Written from the RFCs with no use of the core's headers or of its checksum
 * code: these frames are what the core is judged by.
 */
#include "frame_layers.h"

#include <arpa/inet.h>
#include <string.h>

static void put16(uint8_t *at, unsigned long value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, unsigned long value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* Internet checksum (RFC 1071), byte by byte: sum of big-endian words, carries folded in. */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Sum of the pseudo-header of the innermost IP header before l (RFC 9293, 3.1; RFC 8200, 8.1). */
static uint32_t sum_pseudo(const struct frame_text *t, const struct frame_layer *l, unsigned protocol, size_t size)
{
	uint32_t sum = protocol + (uint32_t)(size & 0xffff) + (uint32_t)(size >> 16);

	while (l-- > t->layer) {
		const uint8_t *ip = t->data + l->start;

		if (!strcmp(l->kind->name, "ipv4"))
			return sum_bytes(sum, ip + 12, 8);
		if (!strcmp(l->kind->name, "ipv6"))
			return sum_bytes(sum, ip + 8, 32);
	}
	return sum;
}

void frame_ipv4_seal(uint8_t *header)
{
	size_t size = (header[0] & 15u) * 4;

	put16(header + 10, 0);
	put16(header + 10, ~sum_bytes(0, header, size) & 0xffff);
}

/* Put the checksum of [l->start, end), on top of sum, at offset. */
static void put_checksum(
	struct frame_text *t, const struct frame_layer *l, size_t offset, uint32_t sum, size_t end)
{
	uint8_t *header = t->data + l->start;

	if (l->given & GIVEN_CHECK)
		return;
	put16(header + offset, 0);
	put16(header + offset, ~sum_bytes(sum, header, end - l->start) & 0xffff);
}

static void put_ethertype(uint8_t *at, const struct frame_layer *l, const struct frame_layer *next)
{
	if (!(l->given & GIVEN_NEXT) && next && next->kind->ethertype >= 0)
		put16(at, (unsigned long)next->kind->ethertype);
}

static void put_protocol(uint8_t *at, const struct frame_layer *l, const struct frame_layer *next)
{
	if (!(l->given & GIVEN_NEXT))
		*at = (uint8_t)(next && next->kind->protocol >= 0 ? next->kind->protocol : 59);
}

static void eth_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	struct mac dst = frame_mac(w, "dst"), src = frame_mac(w, "src");

	frame_append(t, &dst, 6);
	frame_append(t, &src, 6);
	put16(frame_append(t, NULL, 2), frame_given(w, "type", l, GIVEN_NEXT));
}

static void eth_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	put_ethertype(t->data + l->start + 12, l, next);
}

static void vlan_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	uint8_t *at = frame_append(t, NULL, 4);

	put16(at,
		frame_number(w, "id", 0) | frame_number(w, "priority", 0) << 13 | frame_number(w, "dei", 0) << 12);
	put16(at + 2, frame_given(w, "type", l, GIVEN_NEXT));
}

static void vlan_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	put_ethertype(t->data + l->start + 2, l, next);
}

static void ipv4_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	size_t at = t->len, header;
	uint8_t *ip = frame_append(t, NULL, 20);

	frame_address(w, "src", AF_INET, ip + 12);
	frame_address(w, "dst", AF_INET, ip + 16);
	header = 20 + frame_append_hex(w, "options");
	if (header % 4)
		frame_fail(t, "options= is no multiple of 4 bytes");
	ip = t->data + at;
	ip[0] = (uint8_t)(frame_number(w, "version", 4) << 4 | (frame_number(w, "ihl", header / 4) & 15));
	ip[1] = (uint8_t)frame_number(w, "tos", 0);
	put16(ip + 2, frame_given(w, "len", l, GIVEN_LEN));
	put16(ip + 4, frame_number(w, "id", 0));
	put16(ip + 6,
		frame_number(w, "df", 0) << 14 | frame_number(w, "more", 0) << 13 |
			(frame_number(w, "offset", 0) / 8 & 0x1fff));
	ip[8] = (uint8_t)frame_number(w, "ttl", 64);
	ip[9] = (uint8_t)frame_given(w, "proto", l, GIVEN_NEXT);
	put16(ip + 10, frame_given(w, "check", l, GIVEN_CHECK));
	t->odd_length |= l->given & GIVEN_LEN;
}

static void ipv4_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	uint8_t *ip = t->data + l->start;

	if (!(l->given & GIVEN_LEN))
		put16(ip + 2, end - l->start);
	put_protocol(ip + 9, l, next);
	put_checksum(t, l, 10, 0, l->start + l->header);
}

static void ipv6_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	uint8_t *ip = frame_append(t, NULL, 40);

	put32(ip,
		frame_number(w, "version", 6) << 28 | frame_number(w, "class", 0) << 20 |
			frame_number(w, "flow", 0));
	put16(ip + 4, frame_given(w, "len", l, GIVEN_LEN));
	ip[6] = (uint8_t)frame_given(w, "next", l, GIVEN_NEXT);
	ip[7] = (uint8_t)frame_number(w, "hops", 64);
	frame_address(w, "src", AF_INET6, ip + 8);
	frame_address(w, "dst", AF_INET6, ip + 24);
	t->odd_length |= l->given & GIVEN_LEN;
}

static void ipv6_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	uint8_t *ip = t->data + l->start;

	if (!(l->given & GIVEN_LEN))
		put16(ip + 4, end - l->start - 40);
	put_protocol(ip + 6, l, next);
}

/* Hop-by-hop and destination options, full of padding (RFC 8200, 4.2). */
static void options_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	unsigned long size = frame_number(w, "size", 8), at = 2;
	uint8_t *ext = frame_append(t, NULL, size < 8 ? 8 : size);

	ext[0] = (uint8_t)frame_given(w, "next", l, GIVEN_NEXT);
	ext[1] = (uint8_t)frame_number(w, "len", size / 8 - 1);
	while (at + 2 <= size) {
		unsigned long n = size - at - 2 < 255 ? size - at - 2 : 255;

		ext[at] = 1;
		ext[at + 1] = (uint8_t)n;
		at += n + 2;
	}
}

static void routing_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	unsigned long size = frame_number(w, "size", 8);
	uint8_t *ext = frame_append(t, NULL, size < 8 ? 8 : size);

	ext[0] = (uint8_t)frame_given(w, "next", l, GIVEN_NEXT);
	ext[1] = (uint8_t)frame_number(w, "len", size / 8 - 1);
	ext[2] = (uint8_t)frame_number(w, "type", 4);
	ext[3] = (uint8_t)frame_number(w, "left", 0);
}

static void fragment_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	uint8_t *ext = frame_append(t, NULL, 8);

	ext[0] = (uint8_t)frame_given(w, "next", l, GIVEN_NEXT);
	put16(ext + 2, (frame_number(w, "offset", 0) & 0xfff8) | frame_number(w, "more", 0));
	put32(ext + 4, frame_number(w, "id", 0));
}

/* Authentication header (RFC 4302): length in 32-bit words less two. */
static void ah_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	unsigned long size = frame_number(w, "size", 24);
	uint8_t *ext = frame_append(t, NULL, size < 8 ? 8 : size);

	ext[0] = (uint8_t)frame_given(w, "next", l, GIVEN_NEXT);
	ext[1] = (uint8_t)frame_number(w, "len", size / 4 - 2);
}

static void extension_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	put_protocol(t->data + l->start, l, next);
}

static void tcp_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	static const char letters[] = "FSRPAUEC";
	const char *flags = frame_word(w, "flags");
	size_t at = t->len, header;
	uint8_t *tcp;

	frame_append(t, NULL, 20);
	header = 20 + frame_append_hex(w, "options");
	if (header % 4)
		frame_fail(t, "options= is no multiple of 4 bytes");
	tcp = t->data + at;
	put16(tcp, frame_number(w, "sport", 0));
	put16(tcp + 2, frame_number(w, "dport", 0));
	put32(tcp + 4, frame_number(w, "seq", 1));
	put32(tcp + 8, frame_number(w, "ack", 0));
	tcp[12] = (uint8_t)(frame_number(w, "off", header / 4) << 4);
	for (; flags && *flags && *flags != '.'; flags++) {
		const char *letter = strchr(letters, *flags);

		if (!letter)
			frame_fail(t, "flags=: %c is none of %s", *flags, letters);
		else
			tcp[13] |= (uint8_t)(1u << (letter - letters));
	}
	put16(tcp + 14, frame_number(w, "window", 65535));
	put16(tcp + 16, frame_given(w, "check", l, GIVEN_CHECK));
}

static void tcp_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	put_checksum(t, l, 16, sum_pseudo(t, l, 6, end - l->start), end);
}

static void udp_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	uint8_t *udp = frame_append(t, NULL, 8);

	put16(udp, frame_number(w, "sport", 0));
	put16(udp + 2, frame_number(w, "dport", 0));
	put16(udp + 4, frame_given(w, "len", l, GIVEN_LEN));
	put16(udp + 6, frame_given(w, "check", l, GIVEN_CHECK));
}

static void udp_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	if (!(l->given & GIVEN_LEN))
		put16(t->data + l->start + 4, end - l->start);
	put_checksum(t, l, 6, sum_pseudo(t, l, 17, end - l->start), end);
}

/* ICMP and ICMPv6 up to the fourth byte, and the four that id and seq, or rest, fill. */
static void icmp_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	uint8_t *icmp = frame_append(t, NULL, 8);

	icmp[0] = (uint8_t)frame_number(w, "type", 0);
	icmp[1] = (uint8_t)frame_number(w, "code", 0);
	put16(icmp + 2, frame_given(w, "check", l, GIVEN_CHECK));
	put32(icmp + 4, frame_number(w, "rest", frame_number(w, "id", 0) << 16 | frame_number(w, "seq", 0)));
}

static void icmp_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	put_checksum(t, l, 2, 0, end);
}

static void icmp6_finish(
	struct frame_text *t, const struct frame_layer *l, const struct frame_layer *next, size_t end)
{
	put_checksum(t, l, 2, sum_pseudo(t, l, 58, end - l->start), end);
}

/* Neighbour solicitation and advertisement (RFC 4861, 4.3 and 4.4), with one link-layer address option at most. */
static void neighbour_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l, int type,
	const char *option, int option_type)
{
	const char *flags = frame_word(w, "flags");
	uint8_t *nd = frame_append(t, NULL, 24);

	nd[0] = (uint8_t)frame_number(w, "type", (unsigned long)type);
	nd[1] = (uint8_t)frame_number(w, "code", 0);
	put16(nd + 2, frame_given(w, "check", l, GIVEN_CHECK));
	for (; flags && *flags; flags++)
		nd[4] |= (uint8_t)(*flags == 'R' ? 0x80 : *flags == 'S' ? 0x40 : *flags == 'O' ? 0x20 : 0);
	frame_address(w, "target", AF_INET6, nd + 8);
	if (frame_word(w, option)) {
		struct mac mac = frame_mac(w, option);
		uint8_t *at = frame_append(t, NULL, 8);

		at[0] = (uint8_t)option_type;
		at[1] = 1;
		memcpy(at + 2, &mac, 6);
	}
}

static void ns_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	neighbour_add(t, w, l, 135, "slla", 1);
}

static void na_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	neighbour_add(t, w, l, 136, "tlla", 2);
}

static void arp_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	const char *op = frame_word(w, "op");
	uint8_t *arp = frame_append(t, NULL, 28);
	struct mac sha = frame_mac(w, "sha"), tha = { { 0 } };

	put16(arp, frame_number(w, "hardware", 1));
	put16(arp + 2, frame_number(w, "protocol", 0x0800));
	arp[4] = (uint8_t)frame_number(w, "hlen", 6);
	arp[5] = (uint8_t)frame_number(w, "plen", 4);
	if (op && !strcmp(op, "request"))
		arp[7] = 1;
	else if (op && !strcmp(op, "reply"))
		arp[7] = 2;
	else
		put16(arp + 6, frame_number(w, "op", 0));
	memcpy(arp + 8, &sha, 6);
	frame_address(w, "spa", AF_INET, arp + 14);
	if (frame_word(w, "tha"))
		tha = frame_mac(w, "tha");
	memcpy(arp + 18, &tha, 6);
	frame_address(w, "tpa", AF_INET, arp + 24);
}

/* text=, hex=, or len= bytes that count up, or that are all fill=. */
static void data_add(struct frame_text *t, struct frame_words *w, struct frame_layer *l)
{
	const char *text = frame_word(w, "text");
	size_t len = frame_number(w, "len", 0);

	if (text)
		frame_append(t, text, strlen(text));
	frame_append_hex(w, "hex");
	if (len) {
		int filled = frame_word(w, "fill") != NULL;
		unsigned long fill = frame_number(w, "fill", 0);
		uint8_t *at = frame_append(t, NULL, len);

		for (size_t i = 0; i < len && !t->error[0]; i++)
			at[i] = (uint8_t)(filled ? fill : i);
	}
}

const struct frame_layer_kind frame_layer_kinds[] = {
	{ "eth", -1, -1, eth_add, eth_finish },
	{ "vlan", 0x8100, -1, vlan_add, vlan_finish },
	{ "arp", 0x0806, -1, arp_add, NULL },
	{ "ipv4", 0x0800, 4, ipv4_add, ipv4_finish },
	{ "ipv6", 0x86dd, 41, ipv6_add, ipv6_finish },
	{ "hop-by-hop", -1, 0, options_add, extension_finish },
	{ "routing", -1, 43, routing_add, extension_finish },
	{ "fragment", -1, 44, fragment_add, extension_finish },
	{ "ah", -1, 51, ah_add, extension_finish },
	{ "dest-opts", -1, 60, options_add, extension_finish },
	{ "tcp", -1, 6, tcp_add, tcp_finish },
	{ "udp", -1, 17, udp_add, udp_finish },
	{ "icmp", -1, 1, icmp_add, icmp_finish },
	{ "icmp6", -1, 58, icmp_add, icmp6_finish },
	{ "ns", -1, 58, ns_add, icmp6_finish },
	{ "na", -1, 58, na_add, icmp6_finish },
	{ "data", -1, -1, data_add, NULL },
	{ NULL, 0, 0, NULL, NULL },
};
