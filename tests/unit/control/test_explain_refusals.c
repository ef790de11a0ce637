/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain, of what a VIP does not let in: for sources and ports of all kinds it names the counter that the
 * forwarder then counts the packet under, and the rule that decides, by a snapshot as shuntd builds it.
 */
#include "explain.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "address.h"
#include "control.h"
#include "frame_text.h"
#include "parse.h"
#include "snapshot_build.h"
#include "unit.h"
#include "verdicts.h"
#include "world.h"

#define N_BUCKETS 64
#define V4 "192.0.2.80"
#define V6 "2001:db8::80"
#define CONFIG                                                                                                    \
	CONTROL_DPDK "pools = ( { name = \"four\"; backends = ( { address = \"10.0.0.11\"; } ); },\n"             \
		     "  { name = \"six\"; backends = ( { address = \"2001:db8:a::11\"; } ); } );\n"               \
		     "access = ( { name = \"edge\"; deny = [ \"203.0.113.0/24\", \"2001:db8:bad::/48\" ];\n"      \
		     "    allow = [ \"203.0.113.7\", \"2001:db8:bad:1::/64\" ]; },\n"                             \
		     "  { name = \"shut\"; deny = [ \"203.0.113.0/24\", \"127.0.0.0/8\" ]; } );\n"                \
		     "vips = ( { address = \"" V4 "\"; port = 80; pool = \"four\"; access = \"edge\"; },\n"       \
		     "  { address = \"" V4 "\"; port = 81; pool = \"four\"; access = \"shut\"; },\n"              \
		     "  { address = \"" V4 "\"; port = 82; pool = \"four\"; source_rate = 100; },\n"              \
		     "  { address = \"192.0.2.81\"; port = 0; pool = \"four\"; access = \"shut\"; },\n"           \
		     "  { address = \"" V6 "\"; port = 80; pool = \"six\"; access = \"edge\"; } );\n"

#define ETH sizeof(struct eth_header)
#define FRAME_MAX (ETH + sizeof(struct ipv6_header) + 20)

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };
static struct model *model;
static struct world world;

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

/* A snapshot of the model as it is, to be changed by edit (NULL: by nobody), on the heap. */
static void *snapshot(void (*edit)(struct tables *tables))
{
	struct snapshot_inputs inputs = {
		.version = 1,
		.hash_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
		.flow_capacity = 4096,
		.timeout_s = { 0, 60, 900, 120, 10, 300, 300 },
		.n_ports = 1,
		.port_mac = { own },
	};
	struct snapshot_builder *builder = snapshot_builder_new();
	struct snapshot_block block;
	struct error error = { "" };
	struct tables tables;
	void *copy;

	CU_ASSERT_EQUAL_FATAL(snapshot_build(builder, model, &inputs, &block, &error), 0);
	copy = aligned_alloc(64, block.size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, block.data, block.size);
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	tables_open_snapshot(&tables, copy);
	if (edit)
		edit(&tables);
	return copy;
}

static void begin(void)
{
	model = control_model(CONFIG);
	control_bring_up(model);
	CU_ASSERT_EQUAL_FATAL(world_open(&world, snapshot(NULL), N_BUCKETS), 0);
	world.tables.tick = flow_tick(now_s());
}

static void end(void)
{
	world_close(&world);
	model_free(model);
}

static void put_ports(uint8_t *l4, uint16_t source, uint16_t port, uint8_t flags)
{
	const uint8_t tcp[20] = { (uint8_t)(source >> 8), (uint8_t)source, (uint8_t)(port >> 8),
		(uint8_t)port, [12] = 0x50, [13] = flags };

	memcpy(l4, tcp, sizeof(tcp));
}

/* A packet of TCP, into frame[FRAME_MAX]; its length. */
static size_t put_tcp(
	uint8_t *frame, struct addr source, uint16_t source_port, struct addr vip, uint16_t port, uint8_t flags)
{
	bool is4 = addr_is_ipv4(vip);
	const struct eth_header eth = { .dst = own,
		.src = { { 0x02, 0, 0, 0, 0, 1 } },
		.type = core_be16(is4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6) };
	const struct ipv4_header ip4 = { .version_ihl = 0x45,
		.total_len = core_be16(40),
		.ttl = 64,
		.proto = PROTO_TCP,
		.src = addr_to_ipv4(source),
		.dst = addr_to_ipv4(vip) };
	struct ipv6_header ip6 = {
		.payload_len = core_be16(20), .next = PROTO_TCP, .hop_limit = 64, .src = source, .dst = vip
	};

	*(uint8_t *)&ip6 = 0x60;
	memcpy(frame, &eth, ETH);
	if (is4) {
		memcpy(frame + ETH, &ip4, sizeof(ip4));
		frame_ipv4_seal(frame + ETH);
	} else {
		memcpy(frame + ETH, &ip6, sizeof(ip6));
	}
	put_ports(frame + ETH + (is4 ? sizeof(ip4) : sizeof(ip6)), source_port, port, flags);
	return ETH + (is4 ? sizeof(ip4) : sizeof(ip6)) + 20;
}

/* The counter that such a packet ends in. */
static unsigned int send_one(
	const char *source, uint16_t source_port, const char *vip, uint16_t port, uint8_t flags)
{
	uint8_t frame[FRAME_MAX];
	struct parcel p;
	size_t len = put_tcp(frame, unit_addr(source), source_port, unit_addr(vip), port, flags);

	CU_ASSERT_EQUAL_FATAL(world_one(&world, frame, len, &p), 0);
	parcel_free(&p);
	return p.verdict.counter;
}

static struct explanation explain(const char *source, uint16_t source_port, const char *vip, uint16_t port)
{
	struct forwarder_flows flows = { .buckets = world.tables.buckets, .n_buckets = world.tables.n_buckets };

	return explain_flow(world.snapshot, &flows, unit_addr(source), source_port, unit_addr(vip), port,
		PROTO_TCP, now_s(), false);
}

/* As the model has it; NULL: none. */
static const char *rule_of(const struct explanation *e, char *text)
{
	const struct vip *vip = model_vip_by_id(model, e->vip);
	const struct access_rule *rule;

	if (!e->listed || e->rule == EXPLAIN_NO_RULE)
		return NULL;
	rule = access_list_find_id(model_access_find(model, vip->policy.access), e->rule);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
	CU_ASSERT_EQUAL(rule->allow, e->reason != EXPLAIN_DENIED);
	return address_print_prefix(rule->address, rule->length, text);
}

static const struct asked {
	const char *source;
	uint16_t source_port;
	const char *vip;
	uint16_t port;
	enum explain_reason reason;
	unsigned int counter;
	bool listed;
	const char *rule; /* NULL: none */
} asked[] = {
	{ "198.51.100.2", 1, V4, 81, EXPLAIN_HASH, COUNTER_FORWARDED, true, NULL },
	{ "198.51.100.2", 1, V4, 82, EXPLAIN_HASH, COUNTER_FORWARDED, false, NULL },
	{ "203.0.113.7", 1, V4, 80, EXPLAIN_HASH, COUNTER_FORWARDED, true, "203.0.113.7/32" },
	{ "203.0.113.8", 1, V4, 80, EXPLAIN_DENIED, COUNTER_DROP_DENIED, true, "203.0.113.0/24" },
	{ "203.0.113.7", 1, V4, 81, EXPLAIN_DENIED, COUNTER_DROP_DENIED, true, "203.0.113.0/24" },
	{ "198.51.100.2", 1, V4, 80, EXPLAIN_NOT_ALLOWED, COUNTER_DROP_NOT_ALLOWED, true, NULL },
	{ "2001:db8:bad:1::9", 1, V6, 80, EXPLAIN_HASH, COUNTER_FORWARDED, true, "2001:db8:bad:1::/64" },
	{ "2001:db8:bad::9", 1, V6, 80, EXPLAIN_DENIED, COUNTER_DROP_DENIED, true, "2001:db8:bad::/48" },
	{ "2001:db8:c::9", 1, V6, 80, EXPLAIN_NOT_ALLOWED, COUNTER_DROP_NOT_ALLOWED, true, NULL },
	/* Any port's VIP. */
	{ "198.51.100.2", 1, "192.0.2.81", 999, EXPLAIN_HASH, COUNTER_FORWARDED, true, NULL },
	{ "203.0.113.9", 1, "192.0.2.81", 999, EXPLAIN_DENIED, COUNTER_DROP_DENIED, true, "203.0.113.0/24" },
	/* What is wrong with a packet comes first, whatever the list, and whether or not a VIP has the port. */
	{ "127.0.0.1", 1, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_LOOPBACK, false, NULL },
	{ "127.255.0.1", 1, V4, 81, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_LOOPBACK, false, NULL },
	{ "127.0.0.1", 1, V4, 99, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_LOOPBACK, false, NULL },
	{ "0.1.2.3", 1, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_UNSPECIFIED, false, NULL },
	{ "224.0.0.1", 1, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_MULTICAST, false, NULL },
	{ "255.255.255.255", 1, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_BROADCAST, false, NULL },
	{ "240.0.0.1", 1, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_BROADCAST, false, NULL },
	{ "::1", 1, V6, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_LOOPBACK, false, NULL },
	{ "::", 1, V6, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_UNSPECIFIED, false, NULL },
	{ "ff02::1", 1, V6, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_MULTICAST, false, NULL },
	{ "198.51.100.2", 0, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_PORT_ZERO, false, NULL },
	{ "203.0.113.8", 0, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_PORT_ZERO, false, NULL },
	{ "198.51.100.2", 1, V4, 0, EXPLAIN_FAULTY, COUNTER_DROP_PORT_ZERO, false, NULL },
	{ "198.51.100.2", 1, "192.0.2.81", 0, EXPLAIN_FAULTY, COUNTER_DROP_PORT_ZERO, false, NULL },
	{ "127.0.0.1", 0, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_SOURCE_LOOPBACK, false, NULL },
	{ V4, 1, V4, 80, EXPLAIN_FAULTY, COUNTER_DROP_LAND, false, NULL },
	{ V6, 1, V6, 80, EXPLAIN_FAULTY, COUNTER_DROP_LAND, false, NULL },
	/* Another VIP's address is looked for last. */
	{ "192.0.2.81", 1, V4, 80, EXPLAIN_NOT_ALLOWED, COUNTER_DROP_NOT_ALLOWED, true, NULL },
	{ "192.0.2.81", 1, V4, 81, EXPLAIN_FAULTY, COUNTER_DROP_LAND, true, NULL },
	{ "192.0.2.81", 1, V4, 82, EXPLAIN_FAULTY, COUNTER_DROP_LAND, false, NULL },
	{ "198.51.100.2", 1, V4, 99, EXPLAIN_NO_VIP, COUNTER_DROP_NO_SERVICE, false, NULL },
	{ "198.51.100.2", 1, "192.0.2.99", 80, EXPLAIN_NO_VIP, COUNTER_TO_KERNEL, false, NULL },
	{ "127.0.0.1", 0, "192.0.2.99", 80, EXPLAIN_NO_VIP, COUNTER_TO_KERNEL, false, NULL },
};

static void packets_end_where_it_says(void)
{
	begin();
	for (size_t i = 0; i < UNIT_COUNT(asked); i++) {
		const struct asked *a = &asked[i];
		struct explanation e = explain(a->source, a->source_port, a->vip, a->port);
		unsigned int counter = send_one(a->source, a->source_port, a->vip, a->port, TCP_SYN);
		char text[ADDRESS_PREFIX_TEXT];
		const char *rule = rule_of(&e, text);

		if (e.reason != a->reason || e.counter != a->counter || e.counter != counter)
			unit_note("%s:%u to %s:%u: reason %d, counter %u, and then %u", a->source, a->source_port,
				a->vip, a->port, (int)e.reason, e.counter, counter);
		CU_ASSERT_EQUAL(e.reason, a->reason);
		CU_ASSERT_EQUAL(e.counter, a->counter);
		CU_ASSERT_EQUAL(e.counter, counter);
		CU_ASSERT_EQUAL(e.listed, a->listed);
		CU_ASSERT((rule && a->rule && !strcmp(rule, a->rule)) || rule == a->rule);
		CU_ASSERT_EQUAL(e.backend != SNAPSHOT_NONE, a->reason == EXPLAIN_HASH);
		CU_ASSERT_EQUAL(e.entry, SNAPSHOT_NONE);
	}
	end();
}

/* A flow that is let in is there; once its source is denied, it is cut. */
static void a_flow_under_way(void)
{
	struct config_prefix prefix = { .address = unit_addr("203.0.113.7"), .length = 32 };
	struct explanation e;
	struct error error;
	char text[ADDRESS_PREFIX_TEXT];

	begin();
	CU_ASSERT_EQUAL(send_one("203.0.113.7", 7, V4, 80, TCP_SYN), COUNTER_FORWARDED);
	e = explain("203.0.113.7", 7, V4, 80);
	CU_ASSERT(e.reason == EXPLAIN_FLOW && e.listed);
	CU_ASSERT_STRING_EQUAL(rule_of(&e, text), "203.0.113.7/32");
	CU_ASSERT_EQUAL_FATAL(model_access_del(model, "edge", &prefix, 1, &error), 0);
	world_publish(&world, snapshot(NULL));
	e = explain("203.0.113.7", 7, V4, 80);
	CU_ASSERT_EQUAL(e.reason, EXPLAIN_DENIED);
	CU_ASSERT_EQUAL(e.backend, SNAPSHOT_NONE);
	CU_ASSERT_NOT_EQUAL(e.entry, SNAPSHOT_NONE);
	CU_ASSERT_EQUAL(e.flow_state, FLOW_SYN);
	CU_ASSERT_STRING_EQUAL(rule_of(&e, text), "203.0.113.0/24");
	CU_ASSERT_EQUAL(send_one("203.0.113.7", 7, V4, 80, TCP_ACK), COUNTER_DROP_DENIED);
	end();
}

/* That its source has become a VIP since is no harm to a flow. */
static void a_flow_of_what_is_a_vip_by_now(void)
{
	struct explanation e;
	struct error error;

	begin();
	CU_ASSERT_EQUAL(send_one("198.51.100.2", 7, V4, 81, TCP_SYN), COUNTER_FORWARDED);
	CU_ASSERT_EQUAL_FATAL(model_vip_add(model, unit_addr("198.51.100.2"), PROTO_TCP, 80, "four", &error), 0);
	world_publish(&world, snapshot(NULL));
	e = explain("198.51.100.2", 7, V4, 81);
	CU_ASSERT(e.reason == EXPLAIN_FLOW && e.counter == COUNTER_FORWARDED);
	CU_ASSERT_EQUAL(send_one("198.51.100.2", 7, V4, 81, TCP_ACK), COUNTER_FORWARDED);
	e = explain("198.51.100.2", 8, V4, 81);
	CU_ASSERT(e.reason == EXPLAIN_FAULTY && e.counter == COUNTER_DROP_LAND);
	CU_ASSERT_EQUAL(send_one("198.51.100.2", 8, V4, 81, TCP_SYN), COUNTER_DROP_LAND);
	end();
}

static void only_new_flows_are_limited(void)
{
	struct explanation e;

	begin();
	e = explain("198.51.100.2", 7, V4, 82);
	CU_ASSERT(e.reason == EXPLAIN_HASH && e.limited);
	CU_ASSERT_FALSE(explain("198.51.100.2", 7, V4, 81).limited);
	send_one("198.51.100.2", 7, V4, 82, TCP_SYN);
	e = explain("198.51.100.2", 7, V4, 82);
	CU_ASSERT(e.reason == EXPLAIN_FLOW && !e.limited);
	CU_ASSERT_FALSE(explain("127.0.0.1", 7, V4, 82).limited);
	end();
}

static void make_inactive(struct tables *tables)
{
	struct snapshot_vip *vips = (struct snapshot_vip *)(uintptr_t)tables->vips;

	for (__u32 i = 0; i < tables->header->vip_index_size; i++)
		vips[i].flags &= (__u8)~VIP_ACTIVE;
}

/* Then nothing else is asked, not of a faulty packet either. */
static void inactive_vips(void)
{
	static const struct asked of_inactive[] = {
		{ "203.0.113.7", 1, V4, 80, .counter = COUNTER_DROP_INACTIVE },
		{ "203.0.113.8", 1, V4, 80, .counter = COUNTER_DROP_INACTIVE },
		{ "127.0.0.1", 1, V4, 80, .counter = COUNTER_DROP_INACTIVE },
		{ "203.0.113.7", 1, V4, 99, .counter = COUNTER_DROP_INACTIVE },
		{ "203.0.113.7", 1, "192.0.2.99", 80, .counter = COUNTER_TO_KERNEL },
	};

	begin();
	world_publish(&world, snapshot(make_inactive));
	for (size_t i = 0; i < UNIT_COUNT(of_inactive); i++) {
		const struct asked *a = &of_inactive[i];
		struct explanation e = explain(a->source, a->source_port, a->vip, a->port);

		CU_ASSERT_EQUAL(e.counter, a->counter);
		CU_ASSERT_EQUAL(e.counter, send_one(a->source, a->source_port, a->vip, a->port, TCP_SYN));
		CU_ASSERT_EQUAL(e.reason, a->counter == COUNTER_TO_KERNEL ? EXPLAIN_NO_VIP : EXPLAIN_INACTIVE);
		CU_ASSERT(!e.listed && e.backend == SNAPSHOT_NONE);
	}
	end();
}

/* A rule that has gone since is none any more. */
static void rules_by_id(void)
{
	struct config_prefix prefix = { .address = unit_addr("203.0.113.7"), .length = 32 };
	struct access_list *list;
	struct error error;
	uint32_t id;

	begin();
	list = model_access_find(model, "edge");
	id = access_list_find(list, &prefix)->id;
	CU_ASSERT_PTR_EQUAL(access_list_find_id(list, id), access_list_find(list, &prefix));
	CU_ASSERT_EQUAL(model_access_del(model, "edge", &prefix, 1, &error), 0);
	CU_ASSERT_PTR_NULL(access_list_find_id(list, id));
	CU_ASSERT_PTR_NULL(access_list_find_id(list, EXPLAIN_NO_RULE));
	end();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "packets end where it says", packets_end_where_it_says },
		{ "a flow under way", a_flow_under_way },
		{ "a flow of what is a VIP by now", a_flow_of_what_is_a_vip_by_now },
		{ "only new flows are limited", only_new_flows_are_limited },
		{ "inactive VIPs", inactive_vips },
		{ "rules by their ids", rules_by_id },
		{ NULL, NULL },
	};

	return unit_run("explain, refusals", tests);
}
