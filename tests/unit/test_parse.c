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
#include "unit.h"

static struct frame_text text;
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
static struct packet parse(void)
{
	struct packet p;
	struct frame f;

	if (frame_text_finish(&text))
		CU_FAIL_FATAL("the test's own frame is wrong");
	f.data = malloc(text.len);
	if (!f.data)
		abort();
	memcpy(f.data, text.data, text.len);
	f.end = f.data + text.len;
	f.len = (__u32)text.len;
	f.port = 0;
	memset(&p, 0xa5, sizeof(p));
	packet_parse(&f, &p);
	free(f.data);
	return p;
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

/* Every chain of up to three of the five extension headers, and none longer than six is refused. */
static void ipv6(void)
{
	static const struct {
		const char *line;
		int size;
	} ext[] = { { "", 0 }, { "hop-by-hop size=16", 16 }, { "routing size=24", 24 }, { "fragment id=5", 8 },
		{ "ah size=20", 20 }, { "dest-opts size=2048", 2048 } };

	for (int tags = 0; tags <= 2; tags++)
		for (int chain = 0; chain < 6 * 6 * 6; chain++) {
			int kinds[] = { chain % 6, chain / 6 % 6, chain / 36 }, l3 = 14 + 4 * tags, l4 = l3 + 40;
			struct packet p;

			begin(tags);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			for (int i = 0; i < 3; i++)
				if (kinds[i]) {
					add("%s", ext[kinds[i]].line);
					l4 += ext[kinds[i]].size;
				}
			add("tcp sport=40000 dport=443 flags=A");
			p = parse();
			check(&p, PACKET_FLOW, l3, l4, 20);
			check_flow(&p, PROTO_TCP, "2001:db8:1::2", "2001:db8::80");
			CU_ASSERT_EQUAL(p.tcp_flags, TCP_ACK);
		}
	for (int n = 0; n <= PARSE_MAX_EXT + 2; n++) {
		struct packet p;

		begin(0);
		add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
		for (int i = 0; i < n; i++)
			add("dest-opts");
		add("udp sport=40000 dport=443");
		p = parse();
		CU_ASSERT_EQUAL(p.kind, n <= PARSE_MAX_EXT ? PACKET_FLOW : PACKET_EXT);
		CU_ASSERT(addr_equal(p.dst, unit_addr("2001:db8::80")));
	}
}

/* Every offset and flag of a fragment, over both families: whole only without either. */
static void fragments(void)
{
	for (int offset = 0; offset < 65536; offset += offset < 64 ? 8 : 4096)
		for (int more = 0; more < 2; more++) {
			struct packet p;

			begin(0);
			add("ipv4 src=198.51.100.2 dst=192.0.2.80 offset=%d more=%d df=1", offset, more);
			add("udp sport=40000 dport=443");
			p = parse();
			CU_ASSERT_EQUAL(p.kind, offset || more ? PACKET_FRAGMENT : PACKET_FLOW);
			begin(0);
			add("ipv6 src=2001:db8:1::2 dst=2001:db8::80");
			add("fragment offset=%d more=%d", offset, more);
			add("udp sport=40000 dport=443");
			p = parse();
			CU_ASSERT_EQUAL(p.kind, offset || more ? PACKET_FRAGMENT : PACKET_FLOW);
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
		CU_ASSERT_EQUAL(p.kind, len >= 40 && len <= 50 ? PACKET_FLOW : PACKET_SHORT);
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
		CU_ASSERT_EQUAL(p.kind, len >= 24 && len <= 34 ? PACKET_FLOW : PACKET_SHORT);
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
			add("data len=60");
			p = parse();
			CU_ASSERT_EQUAL(p.kind, version != 4 || ihl < 5 ? PACKET_MALFORMED : PACKET_FLOW);
		}
}

/* Every protocol: flows of TCP and UDP, the family's own ICMP, all else something other. */
static void protocols(void)
{
	for (int proto = 0; proto < 256; proto++) {
		int v6_ext = proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
			proto == PROTO_AH || proto == PROTO_DEST_OPTS;
		struct packet p;

		begin(0);
		add("ipv4 src=198.51.100.2 dst=192.0.2.80 proto=%d", proto);
		add("data len=64 fill=0");
		p = parse();
		CU_ASSERT_EQUAL(p.kind,
			proto == PROTO_TCP || proto == PROTO_UDP ? PACKET_FLOW
				: proto == PROTO_ICMP		 ? PACKET_ICMP
								 : PACKET_OTHER);
		begin(0);
		add("ipv6 src=2001:db8:1::2 dst=2001:db8::80 next=%d", proto);
		add("data len=64 fill=59");
		p = parse();
		if (!v6_ext)
			CU_ASSERT_EQUAL(p.kind,
				proto == PROTO_TCP || proto == PROTO_UDP ? PACKET_FLOW
					: proto == PROTO_ICMPV6		 ? PACKET_ICMP
									 : PACKET_OTHER);
	}
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
		{ "fragments", fragments },
		{ "IPv4: every total length", ipv4_lengths },
		{ "IPv6: every payload length", ipv6_lengths },
		{ "IPv4: every version and header length", ipv4_first_byte },
		{ "every protocol", protocols },
		{ "every other EtherType", ethertypes },
		{ NULL, NULL },
	};

	return unit_run("parse", tests);
}
