/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse.h: every combination of tags, options and extension headers in front of a transport header, and what the
 * parser says of it. What becomes of such packets is in tests/packets.
 */
#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame_text.h"
#include "quote.h"
#include "unit.h"

static struct frame_text text;
static int quotes; /* go on with what an ICMP error quotes */
static const struct frame_name no_names[] = { { NULL, { { 0 } } } };

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (frame_text_add(&text, line))
		CU_FAIL_FATAL("the test's own frame is wrong");
}

static void begin(int tags)
{
	frame_text_begin(&text, no_names);
	add("eth dst=02:00:00:00:00:aa src=02:00:00:00:00:01");
	for (int i = 0; i < tags; i++)
		add("vlan id=%d", i + 1);
}

/* Parse the frame in memory of exactly its size. */
static struct packet parse_as_it_is(void)
{
	struct packet p;
	struct frame f;

	f.data = malloc(text.len);
	if (!f.data)
		abort();
	memcpy(f.data, text.data, text.len);
	f.end = f.data + text.len;
	f.len = (__u32)text.len;
	f.port = 0;
	memset(&p, 0xa5, sizeof(p));
	packet_parse(&f, &p);
	if (p.kind == PACKET_ERROR && quotes)
		packet_parse_quote(&f, &p);
	free(f.data);
	return p;
}

static struct packet parse(void)
{
	if (frame_text_finish(&text))
		CU_FAIL_FATAL("the test's own frame is wrong");
	return parse_as_it_is();
}

static void check(const struct packet *p, int kind, int l3, int l4, int l4_len)
{
	CU_ASSERT_EQUAL(p->kind, kind);
	CU_ASSERT_EQUAL(p->l3, l3);
	CU_ASSERT_EQUAL(p->l4, l4);
	CU_ASSERT_EQUAL(p->l4_len, l4_len);
}

static void check_flow(const struct packet *p, int proto, const char *src, const char *dst)
{
	CU_ASSERT_EQUAL(p->proto, proto);
	CU_ASSERT(addr_equal(p->src, unit_addr(src)));
	CU_ASSERT(addr_equal(p->dst, unit_addr(dst)));
	CU_ASSERT_EQUAL(p->sport, core_be16(40000));
	CU_ASSERT_EQUAL(p->dport, core_be16(443));
}

/* Tags 0..2, header lengths 5..15, TCP and UDP. */
static void ipv4(void)
{
	for (int tags = 0; tags <= 2; tags++)
		for (int words = 0; words <= 10; words++)
			for (int udp = 0; udp < 2; udp++) {
				char options[81] = "";
				int l3 = 14 + 4 * tags, l4 = l3 + 20 + 4 * words;
				struct packet p;

				for (int i = 0; i < words; i++)
					strcat(options, "01010101");
				begin(tags);
				add("ipv4 src=198.51.100.2 dst=192.0.2.80 options=%s", options);
				add(udp ? "udp sport=40000 dport=443" : "tcp sport=40000 dport=443 flags=SFR");
				add("data len=7");
				p = parse();
				check(&p, PACKET_FLOW, l3, l4, udp ? 15 : 27);
				check_flow(&p, udp ? PROTO_UDP : PROTO_TCP, "198.51.100.2", "192.0.2.80");
				CU_ASSERT_EQUAL(p.tcp_flags, udp ? 0 : TCP_SYN | TCP_FIN | TCP_RST);
			}
}

/* A packet that is to be dropped for this, if it is for a VIP. */
static void check_fault(const struct packet *p, int fault)
{
	CU_ASSERT_EQUAL(p->kind, PACKET_FAULTY);
	CU_ASSERT_EQUAL(p->fault, fault);
}

/* One, or the other for a reason. */
static void check_flow_or(const struct packet *p, int flow, int fault)
{
	if (flow)
		CU_ASSERT_EQUAL(p->kind, PACKET_FLOW)
	else
		check_fault(p, fault);
}

/* Every chain of up to three of the five extension headers, legal or not. */
static void ipv6(void)
{
	static const struct {
		const char *line;
		int size;
	} ext[] = { { "", 0 }, { "hop-by-hop size=16", 16 }, { "routing size=24", 24 }, { "fragment id=5", 8 },
		{ "ah size=20", 20 }, { "dest-opts size=80", 80 } };

	for (int tags = 0; tags <= 2; tags++)
		for (int chain = 0; chain < 6 * 6 * 6; chain++) {
			int kinds[] = { chain % 6, chain / 6 % 6, chain / 36 }, l3 = 14 + 4 * tags, l4 = l3 + 40;
			int before = 0, fragments = 0, legal = 1;
			struct packet p;

			begin(tags);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			for (int i = 0; i < 3; i++)
				if (kinds[i]) {
					add("%s", ext[kinds[i]].line);
					l4 += ext[kinds[i]].size;
					/* Hop-by-hop options first, a fragment header once. */
					legal &= kinds[i] != 1 || !before;
					legal &= kinds[i] != 3 || !fragments++;
					before++;
				}
			add("tcp sport=40000 dport=443 flags=A");
			p = parse();
			check_flow_or(&p, legal, COUNTER_DROP_EXT_HEADERS);
			if (!legal)
				continue;
			check(&p, PACKET_FLOW, l3, l4, 20);
			check_flow(&p, PROTO_TCP, "2001:db8:1::2", "2001:db8::80");
			CU_ASSERT_EQUAL(p.tcp_flags, TCP_ACK);
			CU_ASSERT_EQUAL(p.fragment, FRAGMENT_NONE);
		}
}

/* None too many, none too long, and none by which the packet has further to go. */
static void ipv6_bounds(void)
{
	struct packet p;

	for (int n = 0; n <= PARSE_MAX_EXT + 2; n++) {
		begin(0);
		add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
		for (int i = 0; i < n; i++)
			add("dest-opts");
		add("udp sport=40000 dport=443");
		p = parse();
		check_flow_or(&p, n <= PARSE_MAX_EXT, COUNTER_DROP_EXT_HEADERS);
		CU_ASSERT(addr_equal(p.dst, unit_addr("2001:db8::80")));
	}
	for (int size = 8; size <= 2048; size += 8)
		for (int two = 0; two < 2; two++) {
			begin(0);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			if (two)
				add("routing size=8");
			add("dest-opts size=%d", size);
			add("udp sport=40000 dport=443");
			p = parse();
			check_flow_or(&p, size + 8 * two <= PARSE_MAX_EXT_BYTES, COUNTER_DROP_EXT_HEADERS);
		}
	for (int type = 0; type < 6; type++)
		for (int left = 0; left < 256; left += left < 3 ? 1 : 36) {
			begin(0);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			add("routing type=%d left=%d", type, left);
			add("udp sport=40000 dport=443");
			p = parse();
			check_flow_or(&p, left == 0, COUNTER_DROP_ROUTING_HEADER);
		}
}

static void check_fragment(const struct packet *p, int offset, int more, int len, __u32 id)
{
	CU_ASSERT_EQUAL(p->kind, offset ? PACKET_FRAGMENT : PACKET_FLOW);
	CU_ASSERT_EQUAL(p->fragment, offset ? FRAGMENT_LATER : more ? FRAGMENT_FIRST : FRAGMENT_NONE);
	CU_ASSERT_EQUAL(p->proto, PROTO_UDP);
	if (!offset && !more)
		return;
	CU_ASSERT_EQUAL(p->frag_offset, offset);
	CU_ASSERT_EQUAL(p->frag_more, more);
	CU_ASSERT_EQUAL(p->frag_len, len);
	CU_ASSERT_EQUAL(p->frag_id, id);
}

/* Every offset and flag of a fragment, over both families: whole only without either. */
static void fragments(void)
{
	for (int offset = 0; offset < 65536; offset += 8)
		for (int more = 0; more < 2; more++) {
			struct packet p;

			begin(0);
			add("ipv4 src=198.51.100.2 dst=192.0.2.80 id=0x1234 offset=%d more=%d df=1", offset, more);
			add("udp sport=40000 dport=443");
			p = parse();
			check_fragment(&p, offset, more, 8, core_be16(0x1234));
			check(&p, p.kind, 14, 34, 8);
			begin(0);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			add("dest-opts size=16");
			add("fragment id=0x12345678 offset=%d more=%d", offset, more);
			add("udp sport=40000 dport=443");
			p = parse();
			check_fragment(&p, offset, more, 8, core_be32(0x12345678));
			check(&p, p.kind, 14, 14 + 40 + 24, 8);
		}
}

/* What is behind a first fragment's header is its own, and a later one's nobody's. */
static void ipv6_fragment_chains(void)
{
	struct packet p;

	begin(0);
	add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
	add("fragment id=7 more=1");
	add("dest-opts size=16");
	add("udp sport=40000 dport=443");
	p = parse();
	check(&p, PACKET_FLOW, 14, 14 + 40 + 24, 8);
	CU_ASSERT_EQUAL(p.fragment, FRAGMENT_FIRST);
	CU_ASSERT_EQUAL(p.frag_len, 24);
	begin(0);
	add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
	add("fragment id=7 offset=24 next=60");
	add("data len=40");
	p = parse();
	check(&p, PACKET_FRAGMENT, 14, 14 + 48, 40);
	CU_ASSERT_EQUAL(p.proto, PROTO_DEST_OPTS);
	CU_ASSERT_EQUAL(p.frag_len, 40);
}

/* First fragments that end in their transport header, and TCP's that would be put over it. */
static void tiny_fragments(void)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int udp = 0; udp < 2; udp++)
			for (int size = 0; size <= 40; size += 8) {
				const char *proto = udp ? "17" : "6";
				int least = udp ? 8 : 20;
				struct packet p;

				begin(0);
				add(v6 ? "ipv6 src=2001:db8:1::2 dst=2001:db8::80"
				       : "ipv4 src=198.51.100.2 dst=192.0.2.80 more=1 proto=%s", proto);
				if (v6)
					add("fragment more=1 next=%s", proto);
				if (size)
					add("data len=%d fill=1", size);
				p = parse();
				check_flow_or(&p, size >= least, COUNTER_DROP_FRAGMENT_TINY);
				begin(0);
				add(v6 ? "ipv6 src=2001:db8:1::2 dst=2001:db8::80"
				       : "ipv4 src=198.51.100.2 dst=192.0.2.80 offset=%d proto=%s", size + 8, proto);
				if (v6)
					add("fragment offset=%d next=%s", size + 8, proto);
				add("data len=24");
				p = parse();
				if (size + 8 < 20 && !udp)
					check_fault(&p, COUNTER_DROP_FRAGMENT_TINY);
				else
					CU_ASSERT_EQUAL(p.kind, PACKET_FRAGMENT);
			}
}

/* Every IPv4 total length from none to beyond the frame: short unless the transport header fits. */
static void ipv4_lengths(void)
{
	for (int len = 0; len < 80; len++) {
		struct packet p;

		begin(0);
		add("ipv4 src=198.51.100.2 dst=192.0.2.80 len=%d", len);
		add("tcp sport=40000 dport=443 flags=S");
		add("data len=10");
		p = parse();
		check_flow_or(&p, len >= 40 && len <= 50,
			len < 20 || len > 50 ? COUNTER_DROP_LENGTH : COUNTER_DROP_TRUNCATED);
		CU_ASSERT(addr_equal(p.dst, unit_addr("192.0.2.80")));
	}
}

static void ipv6_lengths(void)
{
	for (int len = 0; len < 60; len++) {
		struct packet p;

		begin(0);
		add("ipv6 src=2001:db8:1::2 dst=2001:db8::80 len=%d", len);
		add("dest-opts size=16");
		add("udp sport=40000 dport=443");
		add("data len=10");
		p = parse();
		check_flow_or(&p, len >= 24 && len <= 34, len > 34 ? COUNTER_DROP_LENGTH : COUNTER_DROP_TRUNCATED);
	}
}

/* Every IPv4 version and header length: malformed unless 4 and at least 5. */
static void ipv4_first_byte(void)
{
	for (int version = 0; version < 16; version++)
		for (int ihl = 0; ihl < 16; ihl++) {
			struct packet p;

			begin(0);
			add("ipv4 src=198.51.100.2 dst=192.0.2.80 version=%d ihl=%d", version, ihl);
			add("udp sport=40000 dport=443");
			add("data len=60 fill=1");
			if (frame_text_finish(&text))
				CU_FAIL_FATAL("the test's own frame is wrong");
			if (ihl >= 5)
				frame_ipv4_seal(text.data + ETH_LEN);
			p = parse_as_it_is();
			CU_ASSERT_EQUAL(p.kind, version != 4 || ihl < 5 ? PACKET_MALFORMED : PACKET_FLOW);
		}
}

/* Router alert, loose source route, and nothing: 40 bytes. */
#define LONGEST_OPTIONS "9404000083070404c0000201" "01010101010101010101010101010101010101010101010101010101"

/* Every checksum there is, with options and without: of all that are not the right one, none is taken. */
static void ipv4_checksums(void)
{
	for (int options = 0; options < 2; options++) {
		uint32_t right, taken = 0;

		begin(0);
		add("ipv4 src=198.51.100.2 dst=192.0.2.80 id=0xbeef options=%s",
			options ? LONGEST_OPTIONS : "");
		add("udp sport=40000 dport=443");
		if (frame_text_finish(&text))
			CU_FAIL_FATAL("the test's own frame is wrong");
		right = (uint32_t)text.data[24] << 8 | text.data[25];
		for (uint32_t check = 0; check < 65536; check++) {
			struct packet p;

			text.data[24] = (uint8_t)(check >> 8);
			text.data[25] = (uint8_t)check;
			p = parse_as_it_is();
			check_flow_or(&p, check == right, COUNTER_DROP_CHECKSUM);
			taken += p.kind == PACKET_FLOW;
		}
		CU_ASSERT_EQUAL(taken, 1);
	}
}

/* Every header that one bit was lost of is seen to be wrong. */
static void ipv4_bits(void)
{
	for (int bit = 0; bit < 60 * 8; bit++) {
		struct packet p;

		begin(0);
		add("ipv4 src=198.51.100.2 dst=192.0.2.80 options=" LONGEST_OPTIONS);
		add("udp sport=40000 dport=443");
		add("data len=40");
		if (frame_text_finish(&text))
			CU_FAIL_FATAL("the test's own frame is wrong");
		text.data[ETH_LEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
		p = parse_as_it_is();
		CU_ASSERT(p.kind == PACKET_MALFORMED || p.kind == PACKET_FAULTY);
		if (bit >= 32)
			check_fault(&p, COUNTER_DROP_CHECKSUM);
	}
}

/* Every first byte of an IPv4 source, and the VIP's own. */
static void ipv4_sources(void)
{
	for (int first = 0; first < 256; first++) {
		struct packet p;

		begin(0);
		add("ipv4 src=%d.1.2.3 dst=192.0.2.80", first);
		add("udp sport=40000 dport=443");
		p = parse();
		check_flow_or(&p, first >= 1 && first <= 223 && first != 127,
			first == 0               ? COUNTER_DROP_SOURCE_UNSPECIFIED
				: first == 127   ? COUNTER_DROP_SOURCE_LOOPBACK
				: first < 240    ? COUNTER_DROP_SOURCE_MULTICAST
						 : COUNTER_DROP_SOURCE_BROADCAST);
	}
	for (int proto = 0; proto < 256; proto++) {
		struct packet p;

		begin(0);
		add("ipv4 src=192.0.2.80 dst=192.0.2.80 proto=%d", proto);
		add("data len=40");
		p = parse();
		check_fault(&p, COUNTER_DROP_LAND);
	}
}

static void ipv6_sources(void)
{
	static const struct {
		const char *src;
		int fault;
	} sources[] = { { "2001:db8:1::2", 0 }, { "fe80::1", 0 }, { "fd00::1", 0 }, { "::2", 0 }, { "64:ff9b::1", 0 },
		{ "::1", COUNTER_DROP_SOURCE_LOOPBACK }, { "::", COUNTER_DROP_SOURCE_UNSPECIFIED },
		{ "::ffff:192.0.2.1", COUNTER_DROP_SOURCE_UNSPECIFIED }, { "ff02::1", COUNTER_DROP_SOURCE_MULTICAST },
		{ "ff0e::1", COUNTER_DROP_SOURCE_MULTICAST }, { "2001:db8::80", COUNTER_DROP_LAND } };

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct packet p;

		begin(0);
		add("ipv6 src=%s dst=2001:db8::80", sources[i].src);
		add("dest-opts");
		add("udp sport=40000 dport=443");
		p = parse();
		check_flow_or(&p, !sources[i].fault, sources[i].fault);
		/* It comes before what else may be wrong. */
		begin(0);
		add("ipv6 src=%s dst=2001:db8::80", sources[i].src);
		add("routing left=1");
		add("udp sport=0 dport=443");
		p = parse();
		check_fault(&p, sources[i].fault ? sources[i].fault : COUNTER_DROP_ROUTING_HEADER);
	}
}

/* A solicitation may come from no address, and from no other that a packet may not. */
static void solicitations(void)
{
	struct packet p;

	begin(0);
	add("ipv6 src=:: dst=ff02::1:ff00:80 hops=255");
	add("ns target=2001:db8::80");
	p = parse();
	CU_ASSERT_EQUAL(p.kind, PACKET_ND);
	CU_ASSERT_EQUAL(p.fault, 0);
	begin(0);
	add("ipv6 src=::1 dst=ff02::1:ff00:80 hops=255");
	add("ns target=2001:db8::80");
	p = parse();
	check_fault(&p, COUNTER_DROP_SOURCE_LOOPBACK);
	begin(0);
	add("ipv6 src=2001:db8::2 dst=ff02::1:ff00:80 hops=255");
	add("fragment more=1");
	add("ns target=2001:db8::80");
	p = parse();
	check_fault(&p, COUNTER_DROP_FRAGMENT);
}

static void port_zero(void)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int udp = 0; udp < 2; udp++)
			for (int zero = 0; zero < 4; zero++) {
				struct packet p;

				begin(0);
				add(v6 ? "ipv6 src=2001:db8:1::2 dst=2001:db8::80"
				       : "ipv4 src=198.51.100.2 dst=192.0.2.80");
				add("%s sport=%d dport=%d", udp ? "udp" : "tcp", zero & 1 ? 0 : 9, zero & 2 ? 0 : 9);
				p = parse();
				check_flow_or(&p, !zero, COUNTER_DROP_PORT_ZERO);
			}
}

/* What every protocol is: flows of TCP and UDP, the family's own ICMP, all else something other. */
static void check_protocol(const struct packet *p, int proto, int icmp)
{
	if (proto == PROTO_TCP || proto == PROTO_UDP)
		CU_ASSERT_EQUAL(p->kind, PACKET_FLOW)
	else if (proto == icmp)
		check_fault(p, COUNTER_DROP_ICMP);
	else
		CU_ASSERT_EQUAL(p->kind, PACKET_OTHER);
}

static void protocols(void)
{
	for (int proto = 0; proto < 256; proto++) {
		struct packet p;

		begin(0);
		add("ipv4 src=198.51.100.2 dst=192.0.2.80 proto=%d", proto);
		add("data len=64 fill=59");
		p = parse();
		check_protocol(&p, proto, PROTO_ICMP);
		begin(0);
		add("ipv6 src=2001:db8:1::2 dst=2001:db8::80 next=%d", proto);
		add("data len=64 fill=200");
		p = parse();
		if (!parse_is_extension((__u8)proto))
			check_protocol(&p, proto, PROTO_ICMPV6);
	}
}

/* Which types are pings, which are errors about a packet, and which are nothing for a VIP. */
static void icmp_types(void)
{
	for (int type = 0; type < 256; type++)
		for (int code = 0; code < 20; code += code < 2 ? 1 : 17) {
			struct packet p;

			begin(0);
			add("ipv4 src=198.51.100.2 dst=192.0.2.80");
			add("icmp type=%d code=%d", type, code);
			p = parse();
			if (type == 8 && !code)
				CU_ASSERT_EQUAL(p.kind, PACKET_ECHO)
			else if (type == 3 || type == 11 || type == 12)
				CU_ASSERT_EQUAL(p.kind, PACKET_ERROR)
			else
				check_fault(&p, COUNTER_DROP_ICMP);
			begin(0);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			add("icmp6 type=%d code=%d", type, code);
			p = parse();
			if (type == 128 && !code)
				CU_ASSERT_EQUAL(p.kind, PACKET_ECHO)
			else if (type >= 1 && type <= 4)
				CU_ASSERT_EQUAL(p.kind, PACKET_ERROR)
			else
				check_fault(&p, COUNTER_DROP_ICMP);
		}
}

static void check_quote(const struct packet *p, int good)
{
	if (!good) {
		check_fault(p, COUNTER_DROP_ICMP_QUOTE);
		return;
	}
	CU_ASSERT_EQUAL(p->kind, PACKET_ERROR);
	CU_ASSERT_EQUAL(p->proto, PROTO_TCP);
	CU_ASSERT_EQUAL(p->sport, core_be16(40000));
	CU_ASSERT_EQUAL(p->dport, core_be16(443));
}

/* ICMP errors with every number of bytes of what they quote, behind every length of options: ports are what it
 * takes. */
static void quotes_cut(void)
{
	quotes = 1;
	for (int words = 0; words <= 10; words++)
		for (int left = 0; left <= 60 + 8; left++) {
			struct packet p;
			size_t total;

			begin(0);
			add("ipv4 src=203.0.113.1 dst=192.0.2.80");
			add("icmp type=3 code=4");
			add("ipv4 src=192.0.2.80 dst=198.51.100.2 options=%.*s", 8 * words,
				"010101010101010101010101010101010101010101010101010101010101010101010101010101010"
				"1010101");
			add("tcp sport=443 dport=40000");
			add("data len=60");
			if (frame_text_finish(&text))
				CU_FAIL_FATAL("the test's own frame is wrong");
			total = 28 + (size_t)left;
			text.data[16] = (uint8_t)(total >> 8);
			text.data[17] = (uint8_t)total;
			frame_ipv4_seal(text.data + ETH_LEN);
			p = parse_as_it_is();
			check_quote(&p, left >= 24 + 4 * words);
			/* And where the frame, too, ends there. */
			text.len = ETH_LEN + total;
			p = parse_as_it_is();
			check_quote(&p, left >= 24 + 4 * words);
		}
	quotes = 0;
}

/* The same over IPv6, with up to five extension headers in the quote. */
static void quotes6_cut(void)
{
	quotes = 1;
	for (int n = 0; n <= 5; n++)
		for (int left = 0; left <= 40 + 16 * n + 8; left++) {
			struct packet p;
			size_t total;

			begin(0);
			add("ipv6 src=2001:db8:ffff::1 dst=2001:db8::80");
			add("icmp6 type=2");
			add("ipv6 src=2001:db8::80 dst=2001:db8:1::2");
			for (int i = 0; i < n; i++)
				add("dest-opts size=16");
			add("tcp sport=443 dport=40000");
			if (frame_text_finish(&text))
				CU_FAIL_FATAL("the test's own frame is wrong");
			total = 8 + (size_t)left;
			text.data[18] = (uint8_t)(total >> 8);
			text.data[19] = (uint8_t)total;
			p = parse_as_it_is();
			check_quote(&p, left >= 44 + 16 * n);
			CU_ASSERT(p.kind != PACKET_ERROR || addr_equal(p.src, unit_addr("2001:db8:1::2")));
			text.len = ETH_LEN + 40 + total;
			p = parse_as_it_is();
			check_quote(&p, left >= 44 + 16 * n);
		}
	quotes = 0;
}

/* Every EtherType but those known is left alone. */
static void ethertypes(void)
{
	for (int type = 0; type < 65536; type++) {
		struct packet p;

		if (type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6 || type == ETHERTYPE_ARP ||
			type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ)
			continue;
		frame_text_begin(&text, no_names);
		add("eth dst=02:00:00:00:00:aa src=02:00:00:00:00:01 type=%d", type);
		add("ipv4 src=198.51.100.2 dst=192.0.2.80");
		add("udp sport=40000 dport=443");
		p = parse();
		if (p.kind != PACKET_NOT_IP)
			CU_FAIL_FATAL("an EtherType that is none of ours is parsed");
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "IPv4: tags, header lengths, transports", ipv4 },
		{ "IPv6: tags and chains of extension headers", ipv6 },
		{ "IPv6: bounds of extension headers", ipv6_bounds },
		{ "fragments", fragments },
		{ "IPv6: headers before and behind a fragment's", ipv6_fragment_chains },
		{ "tiny fragments", tiny_fragments },
		{ "IPv4: every total length", ipv4_lengths },
		{ "IPv6: every payload length", ipv6_lengths },
		{ "IPv4: every version and header length", ipv4_first_byte },
		{ "IPv4: every checksum", ipv4_checksums },
		{ "IPv4: every bit of a header lost", ipv4_bits },
		{ "IPv4: sources", ipv4_sources },
		{ "IPv6: sources", ipv6_sources },
		{ "solicitations", solicitations },
		{ "port 0", port_zero },
		{ "every protocol", protocols },
		{ "every ICMP type", icmp_types },
		{ "ICMP errors: quotes cut anywhere", quotes_cut },
		{ "ICMPv6 errors: quotes cut anywhere", quotes6_cut },
		{ "every other EtherType", ethertypes },
		{ NULL, NULL },
	};

	return unit_run("parse", tests);
}
