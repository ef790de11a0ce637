/* SPDX-License-Identifier: BSD-3-Clause */
/* The running set: commands and their refusals, reload by least change, what is said to listeners. */
#include "model.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "control.h"
#include "unit.h"

#define TWO_POOLS CONTROL_DPDK \
	"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.12\"; }, { address = \"10.0.0.11\"; } ); },\n" \
	"          { name = \"six\"; backends = ( { address = \"2001:db8:a::1\"; } ); } );\n" \
	"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; },\n" \
	"         { address = \"2001:db8::80\"; port = 80; pool = \"six\"; } );\n"

#define CHECK_REFUSED(call, number, words)                     \
	do {                                                   \
		uint64_t before = model_generation(m);         \
		struct error error = { "" };                   \
		int err = (call);                              \
		CU_ASSERT_EQUAL(err, -(number));               \
		if (strcmp(error.text, words))                 \
			unit_note("said: %s", error.text);     \
		CU_ASSERT_STRING_EQUAL(error.text, words);     \
		CU_ASSERT_EQUAL(model_generation(m), before);  \
	} while (0)

#define CHECK_DONE(call)                                       \
	do {                                                   \
		uint64_t before = model_generation(m);         \
		struct error error = { "" };                   \
		int err = (call);                              \
		if (err)                                       \
			unit_note("said: %s", error.text);     \
		CU_ASSERT_EQUAL(err, 0);                       \
		CU_ASSERT_TRUE(model_generation(m) > before);  \
	} while (0)

static struct addr addr(const char *text)
{
	return unit_addr(text);
}

static void lists_are_sorted(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct pool *web = model_pool_find(m, "web"), *six = model_pool_find(m, "six");

	CU_ASSERT_PTR_EQUAL(model_pools(m), six);
	CU_ASSERT_PTR_EQUAL(six->next, web);
	CU_ASSERT_PTR_NULL(web->next);
	CU_ASSERT_TRUE(addr_equal(web->backends->address, addr("10.0.0.11")));
	CU_ASSERT_TRUE(addr_equal(web->backends->next->address, addr("10.0.0.12")));
	CU_ASSERT_EQUAL(web->family, AF_INET);
	CU_ASSERT_EQUAL(six->family, AF_INET6);
	CU_ASSERT_EQUAL(model_vips(m)->pool, web);
	CU_ASSERT_EQUAL(model_vips(m)->next->pool, six);
	CU_ASSERT_EQUAL(model_count(m).vips, 2);
	CU_ASSERT_EQUAL(model_count(m).pools, 2);
	CU_ASSERT_EQUAL(model_count(m).backends, 3);
	CU_ASSERT_PTR_EQUAL(model_vip_by_id(m, model_vips(m)->id), model_vips(m));
	CU_ASSERT_PTR_EQUAL(model_backend_by_id(m, web->backends->id), web->backends);
	CU_ASSERT_PTR_NULL(model_backend_by_id(m, 65534));
	CU_ASSERT_PTR_NULL(model_backend_by_id(m, 65535));
	model_free(m);
}

static void vip_commands(void)
{
	struct model *m = control_model(TWO_POOLS);

	CHECK_DONE(model_vip_add(m, addr("192.0.2.80"), IPPROTO_UDP, 53, "web", &error));
	CHECK_REFUSED(model_vip_add(m, addr("192.0.2.80"), IPPROTO_UDP, 53, "web", &error), EEXIST,
		"VIP 192.0.2.80:53/udp is there already, with pool \"web\"");
	CHECK_REFUSED(model_vip_add(m, addr("192.0.2.81"), IPPROTO_TCP, 80, "wbe", &error), ENOENT,
		"there is no pool \"wbe\" (did you mean \"web\"?)");
	CHECK_REFUSED(model_vip_add(m, addr("192.0.2.81"), IPPROTO_TCP, 80, "six", &error), EINVAL,
		"192.0.2.81 is IPv4, but pool \"six\" is IPv6");
	CHECK_REFUSED(model_vip_add(m, addr("10.0.0.11"), IPPROTO_TCP, 80, "web", &error), EINVAL,
		"10.0.0.11 is a backend of pool \"web\": it can't be a VIP too");
	CHECK_REFUSED(model_vip_add(m, addr("239.1.1.1"), IPPROTO_TCP, 80, "web", &error), EINVAL,
		"239.1.1.1 is a multicast address");
	CHECK_DONE(model_vip_del(m, addr("192.0.2.80"), IPPROTO_UDP, 53, &error));
	CHECK_REFUSED(model_vip_del(m, addr("2001:db8::1"), IPPROTO_TCP, 53, &error), ENOENT,
		"there is no VIP [2001:db8::1]:53/tcp");
	model_free(m);
}

static void pool_commands(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct config_pool pool = { .name = "web" };

	config_check_default(&pool.check);
	CHECK_REFUSED(model_pool_add(m, &pool, &error), EEXIST, "pool \"web\" is there already");
	strcpy(pool.name, "a pool");
	CHECK_REFUSED(model_pool_add(m, &pool, &error), EINVAL,
		"\"a pool\" is not a name of 1 to 63 letters, digits and . _ -, as a string");
	CHECK_REFUSED(model_pool_del(m, "web", &error), EBUSY, "pool \"web\" is in use by VIP 192.0.2.80:80/tcp");
	CHECK_DONE(model_vip_add(m, addr("192.0.2.1"), IPPROTO_TCP, 1, "web", &error));
	CHECK_REFUSED(model_pool_del(m, "web", &error), EBUSY,
		"pool \"web\" is in use by VIP 192.0.2.1:1/tcp and 1 more");
	CHECK_REFUSED(model_pool_del(m, "bew", &error), ENOENT, "there is no pool \"bew\"");
	CHECK_DONE(model_vip_del(m, addr("192.0.2.1"), IPPROTO_TCP, 1, &error));
	CHECK_DONE(model_vip_del(m, addr("192.0.2.80"), IPPROTO_TCP, 80, &error));
	CHECK_DONE(model_pool_del(m, "web", &error));
	CU_ASSERT_PTR_NULL(model_pool_find(m, "web"));
	CU_ASSERT_EQUAL(model_count(m).backends, 1);

	/* A pool without anything takes either family. */
	strcpy(pool.name, "new");
	pool.scheduler = SCHEDULER_ROUND_ROBIN;
	CHECK_DONE(model_pool_add(m, &pool, &error));
	CU_ASSERT_EQUAL(model_pool_find(m, "new")->family, AF_UNSPEC);
	CHECK_DONE(model_backend_add(m, "new", addr("2001:db8:a::9"), 1, NULL, &error));
	CHECK_REFUSED(model_backend_add(m, "new", addr("10.0.0.9"), 1, NULL, &error), EINVAL,
		"10.0.0.9 is IPv4, but pool \"new\" is IPv6");
	CHECK_DONE(model_backend_del(m, "new", addr("2001:db8:a::9"), &error));
	CHECK_DONE(model_backend_add(m, "new", addr("10.0.0.9"), 1, NULL, &error));
	check_free(&pool.check);
	model_free(m);
}

static void backend_commands(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct mac group = { { 1, 0, 0, 0, 0, 1 } }, mac = { { 2, 0, 0, 0, 0, 1 } };

	CHECK_REFUSED(model_backend_add(m, "web", addr("10.0.0.11"), 1, NULL, &error), EEXIST,
		"pool \"web\" has backend 10.0.0.11 already");
	CHECK_REFUSED(model_backend_add(m, "web", addr("192.0.2.80"), 1, NULL, &error), EINVAL,
		"192.0.2.80 is a VIP: a backend is known by an address of its own");
	CHECK_REFUSED(model_backend_add(m, "web", addr("127.0.0.1"), 1, NULL, &error), EINVAL,
		"127.0.0.1 is a loopback address");
	CHECK_REFUSED(model_backend_add(m, "web", addr("10.0.0.9"), 1, &group, &error), EINVAL,
		"the MAC of 10.0.0.9 is a group address (multicast or broadcast), not one host's");
	CHECK_REFUSED(model_backend_add(m, "nil", addr("10.0.0.9"), 1, NULL, &error), ENOENT, "there is no pool \"nil\"");
	CHECK_REFUSED(model_backend_set(m, "web", addr("10.0.0.9"), 1, &error), ENOENT,
		"pool \"web\" has no backend 10.0.0.9");
	CHECK_REFUSED(model_backend_del(m, "web", addr("10.0.0.9"), &error), ENOENT,
		"pool \"web\" has no backend 10.0.0.9");
	CHECK_REFUSED(model_disable(m, NULL, addr("10.0.0.9"), &error), ENOENT, "no pool has a backend 10.0.0.9");
	CHECK_REFUSED(model_drain(m, "six", addr("10.0.0.11"), &control_force, &error), ENOENT,
		"pool \"six\" has no backend 10.0.0.11");
	CHECK_DONE(model_backend_add(m, "web", addr("10.0.0.9"), 7, &mac, &error));
	CU_ASSERT_TRUE(control_backend(m, "web", "10.0.0.9")->mac_pinned);
	CHECK_DONE(model_backend_set(m, "web", addr("10.0.0.9"), 0, &error));
	CU_ASSERT_EQUAL(control_backend(m, "web", "10.0.0.9")->weight, 0);
	model_free(m);
}

static void states(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct backend *b = control_backend(m, "web", "10.0.0.11");
	struct mac mac = { { 2, 0, 0, 0, 0, 1 } };

	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DOWN);
	model_set_healthy(m, b, true);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DOWN);
	model_set_mac(m, b, &mac);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_UP);
	CU_ASSERT_TRUE(model_backend_is_in_slots(b));
	CHECK_DONE(model_drain(m, NULL, b->address, &control_force, &error));
	/* Not before a sweep that began since has counted. */
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	model_reap(m, 100);
	model_reap(m, 100);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	/* The forwarder is away: nobody knows. */
	model_flows_unknown(m);
	model_reap(m, 102);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	model_reap(m, 103);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINED);
	/* Where none is left none comes. */
	model_flows_unknown(m);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINED);
	CHECK_DONE(model_enable(m, NULL, b->address, &error));
	CHECK_DONE(model_drain(m, NULL, b->address, &control_force, &error));
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	b->active_flows = 1;
	model_reap(m, 104);
	model_reap(m, 105);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINING);
	CU_ASSERT_FALSE(model_backend_is_in_slots(b));
	CHECK_DONE(model_disable(m, NULL, b->address, &error));
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DISABLED);
	CHECK_DONE(model_enable(m, "web", b->address, &error));
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DOWN);
	model_set_returned(m, b);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_UP);
	CU_ASSERT_STRING_EQUAL(backend_state_name(STATE_DRAINED), "drained");
	model_free(m);
}

/* Only what changes slots makes them dirty. */
static void slots_get_dirty(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct pool *web = model_pool_find(m, "web"), *six = model_pool_find(m, "six");
	struct backend *b = control_backend(m, "web", "10.0.0.11");
	struct mac mac = { { 2, 0, 0, 0, 0, 99 } };

	control_bring_up(m);
	web->slots_dirty = six->slots_dirty = false;
	model_set_mac(m, b, &mac);
	CU_ASSERT_FALSE(web->slots_dirty);
	CHECK_DONE(model_backend_set(m, "web", b->address, 50, &error));
	CU_ASSERT_TRUE(web->slots_dirty);
	web->slots_dirty = false;
	model_set_healthy(m, b, false);
	CU_ASSERT_TRUE(web->slots_dirty);
	web->slots_dirty = false;
	CHECK_DONE(model_backend_set(m, "web", b->address, 60, &error));
	CHECK_DONE(model_drain(m, NULL, b->address, &control_force, &error));
	CU_ASSERT_FALSE(web->slots_dirty);
	CHECK_DONE(model_backend_del(m, "web", b->address, &error));
	CU_ASSERT_FALSE(web->slots_dirty);
	CHECK_DONE(model_backend_del(m, "web", addr("10.0.0.12"), &error));
	CU_ASSERT_TRUE(web->slots_dirty);
	CU_ASSERT_FALSE(six->slots_dirty);
	model_free(m);
}

static void removed_backends_stay_until_their_flows_end(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct pool *web = model_pool_find(m, "web");
	struct backend *b = control_backend(m, "web", "10.0.0.11");
	uint16_t id = b->id;

	b->active_flows = 3;
	CHECK_DONE(model_backend_del(m, "web", b->address, &error));
	CU_ASSERT_PTR_NULL(control_backend(m, "web", "10.0.0.11"));
	CU_ASSERT_EQUAL(web->n_backends, 1);
	CU_ASSERT_EQUAL(model_count(m).backends, 2);
	CU_ASSERT_PTR_EQUAL(model_backend_by_id(m, id), b);
	model_reap(m, 100);
	model_reap(m, 1000);
	CU_ASSERT_PTR_EQUAL(model_backend_by_id(m, id), b);

	/* Back before its flows ended: the same one. */
	CHECK_DONE(model_backend_add(m, "web", addr("10.0.0.11"), 7, NULL, &error));
	CU_ASSERT_PTR_EQUAL(control_backend(m, "web", "10.0.0.11"), b);
	CU_ASSERT_EQUAL(b->active_flows, 3);
	CU_ASSERT_EQUAL(b->weight, 7);
	CU_ASSERT_EQUAL(web->n_backends, 2);
	CHECK_DONE(model_backend_del(m, "web", b->address, &error));
	b->active_flows = 0;
	model_reap(m, 1001);
	model_reap(m, 1010);
	CU_ASSERT_PTR_NOT_NULL(model_backend_by_id(m, id));
	model_reap(m, 1020);
	CU_ASSERT_PTR_NULL(model_backend_by_id(m, id));
	/* The id is not given out again at once. */
	CHECK_DONE(model_backend_add(m, "web", addr("10.0.0.11"), 7, NULL, &error));
	CU_ASSERT_NOT_EQUAL(control_backend(m, "web", "10.0.0.11")->id, id);
	model_free(m);
}

static void disabled_flows_stay_cut_when_removed(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct backend *b = control_backend(m, "web", "10.0.0.11");

	CHECK_DONE(model_disable(m, NULL, b->address, &error));
	CHECK_DONE(model_backend_del(m, "web", b->address, &error));
	CU_ASSERT_TRUE(b->disabled);
	CHECK_DONE(model_backend_add(m, "web", addr("10.0.0.11"), 1, NULL, &error));
	CU_ASSERT_FALSE(b->disabled);
	model_free(m);
}

static void reload_is_a_least_change(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct backend *b = control_backend(m, "web", "10.0.0.11");
	uint16_t id = b->id, vip_id = model_vips(m)->id;
	static const char to[] = CONTROL_DPDK
		"pools = ( { name = \"web\"; scheduler = \"round-robin\"; check: { type = \"none\"; };\n"
		"            backends = ( { address = \"10.0.0.11\"; weight = 7; }, { address = \"10.0.0.13\"; } ); },\n"
		"          { name = \"new\"; backends = ( { address = \"10.0.0.21\"; mac = \"02:00:00:00:00:21\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"new\"; source_rate = 9; half_open = 8; },\n"
		"         { address = \"192.0.2.81\"; port = 80; pool = \"web\"; source_burst = 7; } );\n";
	static const char expected[] =
		"vip [2001:db8::80]:80/tcp removed\n"
		"backend six 2001:db8:a::1 removed, its 3 connections do not stay\n"
		"backend web 10.0.0.12 removed (was draining)\n"
		"pool new added\n"
		"backend new 10.0.0.21 added\n"
		"pool web scheduler round-robin, was maglev\n"
		"pool web check none, was tcp via vip, every 1s, timeout 500ms, rise 2, fall 3 (by default)\n"
		"backend web 10.0.0.11 weight 7, was 100\n"
		"backend web 10.0.0.13 added\n"
		"vip 192.0.2.80:80/tcp source_rate 9, was 0\n"
		"vip 192.0.2.80:80/tcp half_open 8, was by default\n"
		"vip 192.0.2.80:80/tcp pool new, was web (its connections stay until they end)\n"
		"vip 192.0.2.81:80/tcp added, pool web\n"
		"pool six removed\n";
	char *said;
	uint64_t generation;

	CHECK_DONE(model_drain(m, NULL, addr("10.0.0.12"), &control_force, &error));
	CHECK_DONE(model_disable(m, NULL, addr("10.0.0.11"), &error));
	b->active_flows = 5;
	control_backend(m, "six", "2001:db8:a::1")->active_flows = 2;
	control_backend(m, "six", "2001:db8:a::1")->closing_flows = 1;
	control_backend(m, "web", "10.0.0.12")->active_flows = 4; /* they stay */
	b->traffic.packets = 77;
	generation = model_generation(m);
	said = control_apply(m, to, true);
	CU_ASSERT_STRING_EQUAL(said, expected);
	free(said);
	CU_ASSERT_EQUAL(model_generation(m), generation);
	CU_ASSERT_EQUAL(model_count(m).pools, 2);

	said = control_apply(m, to, false);
	CU_ASSERT_STRING_EQUAL(said, expected);
	free(said);
	CU_ASSERT_TRUE(model_generation(m) > generation);
	CU_ASSERT_PTR_EQUAL(control_backend(m, "web", "10.0.0.11"), b);
	CU_ASSERT_EQUAL(b->id, id);
	CU_ASSERT_EQUAL(b->active_flows, 5);
	CU_ASSERT_EQUAL(b->traffic.packets, 77);
	CU_ASSERT_TRUE(b->disabled);
	CU_ASSERT_TRUE(b->healthy); /* there is no check any more */
	CU_ASSERT_EQUAL(model_vips(m)->id, vip_id);
	CU_ASSERT_STRING_EQUAL(model_vips(m)->pool->name, "new");
	CU_ASSERT(model_vips(m)->policy.source_rate == 9 && model_vips(m)->policy.half_open == 8);
	CU_ASSERT_EQUAL(model_vips(m)->next->policy.source_burst, 7);
	CU_ASSERT_EQUAL(model_pool_find(m, "web")->n_vips, 1);
	CU_ASSERT_PTR_NULL(model_pool_find(m, "six"));

	said = control_apply(m, to, false);
	CU_ASSERT_STRING_EQUAL(said, "");
	free(said);
	model_free(m);
}

/* A pool by another name keeps its ids, and all that its backends had; the dry run says the same. */
static void a_pool_may_be_renamed(void)
{
	static const char to[] = CONTROL_DPDK
		"pools = ( { name = \"aaa\"; scheduler = \"round-robin\";\n"
		"            backends = ( { address = \"10.0.0.11\"; weight = 7; }, { address = \"10.0.0.13\"; } ); },\n"
		"          { name = \"six\"; backends = ( { address = \"2001:db8:a::1\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"aaa\"; },\n"
		"         { address = \"2001:db8::80\"; port = 80; pool = \"six\"; } );\n";
	static const char expected[] =
		"pool aaa, was web (renamed, its connections stay)\n"
		"backend aaa 10.0.0.12 removed\n"
		"pool aaa scheduler round-robin, was maglev\n"
		"backend aaa 10.0.0.11 weight 7, was 100\n"
		"backend aaa 10.0.0.13 added\n";
	struct model *m = control_model(TWO_POOLS);
	struct pool *web = model_pool_find(m, "web");
	struct backend *b = control_backend(m, "web", "10.0.0.11"), *gone = control_backend(m, "web", "10.0.0.12");
	uint16_t pool_id = web->id, id = b->id, gone_id = gone->id;
	char *said;

	CHECK_DONE(model_disable(m, NULL, addr("10.0.0.11"), &error));
	said = control_apply(m, to, true);
	CU_ASSERT_STRING_EQUAL(said, expected);
	free(said);
	CU_ASSERT_PTR_EQUAL(model_pool_find(m, "web"), web);
	said = control_apply(m, to, false);
	CU_ASSERT_STRING_EQUAL(said, expected);
	free(said);
	CU_ASSERT_PTR_NULL(model_pool_find(m, "web"));
	CU_ASSERT_PTR_EQUAL(model_pool_find(m, "aaa"), web);
	CU_ASSERT_PTR_EQUAL(model_pools(m), web);
	CU_ASSERT_STRING_EQUAL(web->next->name, "six");
	CU_ASSERT_EQUAL(web->id, pool_id);
	CU_ASSERT_PTR_EQUAL(control_backend(m, "aaa", "10.0.0.11"), b);
	CU_ASSERT_EQUAL(b->id, id);
	CU_ASSERT_TRUE(b->disabled);
	/* Its flows go on, as those of any backend that is taken out. */
	CU_ASSERT_PTR_EQUAL(model_backend_by_id(m, gone_id), gone);
	CU_ASSERT_TRUE(gone->removed);
	said = control_apply(m, to, false);
	CU_ASSERT_STRING_EQUAL(said, "");
	free(said);
	model_free(m);
}

/* One that is divided goes on as the pool of its first VIP; one that is joined to another has no name to go on by. */
static void pools_may_be_divided_and_joined(void)
{
	static const char one[] = CONTROL_DPDK
		"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; },\n"
		"         { address = \"192.0.2.81\"; port = 80; pool = \"web\"; } );\n";
	static const char two[] = CONTROL_DPDK
		"pools = ( { name = \"b\"; backends = ( { address = \"10.0.0.11\"; } ); },\n"
		"          { name = \"a\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"b\"; },\n"
		"         { address = \"192.0.2.81\"; port = 80; pool = \"a\"; } );\n";
	static const char joined[] = CONTROL_DPDK
		"pools = ( { name = \"a\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"a\"; },\n"
		"         { address = \"192.0.2.81\"; port = 80; pool = \"a\"; } );\n";
	struct model *m = control_model(one);
	uint16_t id = control_backend(m, "web", "10.0.0.11")->id;
	char *said = control_apply(m, two, false);

	CU_ASSERT_STRING_EQUAL(said,
		"pool b, was web (renamed, its connections stay)\n"
		"pool a added\n"
		"backend a 10.0.0.11 added\n"
		"vip 192.0.2.81:80/tcp pool a, was b (its connections stay until they end)\n");
	free(said);
	CU_ASSERT_EQUAL(control_backend(m, "b", "10.0.0.11")->id, id);
	control_backend(m, "b", "10.0.0.11")->active_flows = 3;
	said = control_apply(m, joined, false);
	CU_ASSERT_STRING_EQUAL(said,
		"backend b 10.0.0.11 removed, its 3 connections do not stay\n"
		"vip 192.0.2.80:80/tcp pool a, was b (its connections move)\n"
		"pool b removed\n");
	free(said);
	model_free(m);
}

static void a_pool_may_change_its_family(void)
{
	struct model *m = control_model(TWO_POOLS);
	char *said = control_apply(m, CONTROL_DPDK
		"pools = ( { name = \"web\"; backends = ( { address = \"2001:db8:a::1\"; } ); }, { name = \"six\"; } );\n"
		"vips = ( { address = \"2001:db8::80\"; port = 80; pool = \"web\"; },\n"
		"         { address = \"192.0.2.80\"; port = 80; pool = \"six\"; } );\n", false);

	CU_ASSERT_STRING_EQUAL(said,
		"backend six 2001:db8:a::1 removed\n"
		"backend web 10.0.0.11 removed\n"
		"backend web 10.0.0.12 removed\n"
		"backend web 2001:db8:a::1 added\n"
		"vip 192.0.2.80:80/tcp pool six, was web (its connections stay until they end)\n"
		"vip [2001:db8::80]:80/tcp pool web, was six (its connections stay until they end)\n");
	free(said);
	CU_ASSERT_EQUAL(model_pool_find(m, "web")->family, AF_INET6);
	CU_ASSERT_EQUAL(model_pool_find(m, "six")->family, AF_INET);
	model_free(m);
}

/* The type of a check nobody gave follows the VIPs; nobody is taken for healthy on the way. */
static void check_follows_vips(void)
{
	static const char both[] = CONTROL_DPDK
		"pools = ( { name = \"dns\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"
		"vips = ( { address = \"192.0.2.1\"; protocol = \"udp\"; port = 53; pool = \"dns\"; },\n"
		"         { address = \"192.0.2.2\"; protocol = \"tcp\"; port = 53; pool = \"dns\"; } );\n";
	struct model *m = control_model(both);
	struct pool *pool = model_pool_find(m, "dns");
	struct backend *b = pool->backends;

	CU_ASSERT_EQUAL(pool->check.type, CHECK_TCP);
	CU_ASSERT_FALSE(b->healthy);
	CU_ASSERT_EQUAL(model_check_vip(m, pool)->protocol, IPPROTO_TCP);
	CHECK_DONE(model_vip_del(m, addr("192.0.2.2"), IPPROTO_TCP, 53, &error));
	CU_ASSERT_EQUAL(pool->check.type, CHECK_NONE);
	CU_ASSERT_TRUE(b->healthy);
	CU_ASSERT_EQUAL(model_check_vip(m, pool)->protocol, IPPROTO_UDP);
	CHECK_DONE(model_vip_add(m, addr("192.0.2.0"), IPPROTO_TCP, 0, "dns", &error));
	CU_ASSERT_EQUAL(pool->check.type, CHECK_NONE);
	CU_ASSERT_EQUAL(model_check_vip(m, pool)->port, 53);
	CHECK_DONE(model_vip_add(m, addr("192.0.2.3"), IPPROTO_TCP, 80, "dns", &error));
	CU_ASSERT_EQUAL(pool->check.type, CHECK_TCP);
	CU_ASSERT_EQUAL(model_check_vip(m, pool)->port, 80);
	model_free(m);
}

static void a_given_check_has_a_port_to_go_to(void)
{
	struct model *m = control_model(CONTROL_DPDK "pools = ( { name = \"any\"; check: { type = \"tcp\"; }; } );\n");

	CHECK_REFUSED(model_vip_add(m, addr("192.0.2.1"), IPPROTO_TCP, 0, "any", &error), EINVAL,
		"VIP 192.0.2.1:0/tcp is on every port, and the check of pool \"any\" does not say which one to connect to");
	CHECK_DONE(model_vip_add(m, addr("192.0.2.1"), IPPROTO_TCP, 80, "any", &error));
	CHECK_DONE(model_vip_add(m, addr("192.0.2.1"), IPPROTO_TCP, 0, "any", &error));
	CHECK_REFUSED(model_vip_del(m, addr("192.0.2.1"), IPPROTO_TCP, 80, &error), EBUSY,
		"the check of pool \"any\" goes to the port of VIP 192.0.2.1:80/tcp: its other VIPs, on every port, have to "
		"be deleted first");
	model_free(m);
}

struct heard {
	int added, changed, removed, pools, snapshots;
};

static void hear_added(void *context, struct backend *backend)
{
	((struct heard *)context)->added++;
}

static void hear_changed(void *context, struct backend *backend)
{
	((struct heard *)context)->changed++;
}

static void hear_removed(void *context, struct backend *backend)
{
	((struct heard *)context)->removed++;
}

static void hear_pool(void *context, struct pool *pool)
{
	((struct heard *)context)->pools++;
}

static void hear_snapshot(void *context)
{
	((struct heard *)context)->snapshots++;
}

static void listeners_are_told(void)
{
	struct model *m = control_model(TWO_POOLS);
	struct heard heard = { 0 };
	struct model_listener listener = { .context = &heard, .backend_added = hear_added,
		.backend_changed = hear_changed, .backend_removed = hear_removed, .pool_changed = hear_pool,
		.snapshot_needed = hear_snapshot };
	struct model_listener deaf = { 0 };
	struct backend *b = control_backend(m, "web", "10.0.0.11");

	model_listen(m, &deaf);
	model_listen(m, &listener);
	model_set_healthy(m, b, false);
	CU_ASSERT_EQUAL(heard.changed, 0);
	model_set_healthy(m, b, true);
	CU_ASSERT_EQUAL(heard.changed, 1);
	CU_ASSERT_EQUAL(heard.snapshots, 1);
	CHECK_DONE(model_backend_add(m, "web", addr("10.0.0.19"), 1, NULL, &error));
	CU_ASSERT_EQUAL(heard.added, 1);
	CHECK_DONE(model_backend_del(m, "web", addr("10.0.0.19"), &error));
	CU_ASSERT_EQUAL(heard.removed, 0);
	CU_ASSERT_EQUAL(heard.changed, 2);
	model_reap(m, 1);
	model_reap(m, 100);
	CU_ASSERT_EQUAL(heard.removed, 1);
	CHECK_DONE(model_vip_add(m, addr("192.0.2.99"), IPPROTO_TCP, 1, "web", &error));
	CU_ASSERT_EQUAL(heard.pools, 1);
	model_unlisten(m, &listener);
	CHECK_DONE(model_vip_del(m, addr("192.0.2.99"), IPPROTO_TCP, 1, &error));
	CU_ASSERT_EQUAL(heard.pools, 1);
	model_free(m);
}

/* The text of "save" is a configuration that changes nothing. */
static void saved_text_parses_back(void)
{
	static const char text[] =
		"dpdk: { port = \"net_tap0,iface=\\\"w\\\"\"; cores = \"1-2\"; eal_args = [ \"-a\", \"b\\\\c\" ]; idle = \"sleep\"; };\n"
		"interface = \"eth9\";\n"
		"flow_table: { capacity = 2000000; hash_key = \"000102030405060708090a0b0c0d0e0f\";\n"
		"  timeouts: { syn = \"30s\"; }; };\n"
		"control: { http = \"\"; };\n"
		"pools = ( { name = \"web\"; scheduler = \"least-flows\"; check: { port = 8080; interval = \"1500ms\"; };\n"
		"  backends = ( { address = \"10.0.0.11\"; weight = 5; }, { address = \"10.0.0.12\"; mac = \"02:00:00:00:00:12\"; } ); },\n"
		"  { name = \"empty\"; } );\n"
		"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; source_rate = 9; half_open = 0; },\n"
		"         { address = \"2001:db8::80\"; protocol = \"udp\"; port = 0; pool = \"empty\"; source_burst = 2; } );\n";
	struct config *config = control_parse(text), *again;
	struct model *m = control_model(text);
	char *saved, *said;
	json_t *changes;

	CHECK_DONE(model_backend_add(m, "web", addr("10.0.0.13"), 0, NULL, &error));
	CHECK_DONE(model_backend_del(m, "web", addr("10.0.0.11"), &error));
	CU_ASSERT_EQUAL_FATAL(model_save_text(m, config, &saved), 0);
	again = control_parse(saved);
	changes = config_diff(config, again);
	CU_ASSERT_EQUAL(json_array_size(changes), 0);
	json_decref(changes);
	said = control_apply(m, saved, false);
	CU_ASSERT_STRING_EQUAL(said, "");
	if (*said)
		unit_note("%s\n%s", saved, said);
	free(said);
	free(saved);
	config_free(again);
	config_free(config);
	model_free(m);
}

static void as_many_as_can_be(void)
{
	struct model *m = control_model(CONTROL_DPDK "pools = ( { name = \"big\"; } );\n");
	struct error why;
	uint32_t n;

	for (n = 0; n < 65535; n++)
		if (model_backend_add(m, "big", addr_from_ipv4(core_be32(0x0a000001 + n)), 1, NULL,
			&why))
			break;
	CU_ASSERT_EQUAL(n, 65535);
	CHECK_REFUSED(model_backend_add(m, "big", addr("11.0.0.1"), 1, NULL, &error), ENOSPC,
		"there are 65535 backends already, as many as can be");
	/* One that only waits for its flows makes room. */
	CHECK_DONE(model_backend_del(m, "big", addr("10.0.0.1"), &error));
	CHECK_DONE(model_backend_add(m, "big", addr("11.0.0.1"), 1, NULL, &error));
	model_free(m);
}

/* "pools = ( { name = NAME; ... } );" with n backends from a first address on, and a VIP of the pool. */
static char *large_pool(const char *name, const char *net, unsigned int n)
{
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fprintf(stream, CONTROL_DPDK "pools = ( { name = \"%s\"; backends = (\n", name);
	for (unsigned int i = 1; i <= n; i++)
		fprintf(stream, "%s{ address = \"%s.%u.%u.1\"; }", i > 1 ? ",\n" : "", net, i >> 8, i & 255);
	fprintf(stream, " ); } );\nvips = ( { address = \"192.0.2.80\"; port = 80; pool = \"%s\"; } );\n", name);
	fclose(stream);
	return text;
}

/* More backends come than there are ids left: those that go make room for them. */
static void a_reload_finds_ids(void)
{
	static const char *const pool[] = { "b", "c", "a", "a" }, *const net[] = { "10", "10", "10", "11" };
	struct model *m = model_new();

	for (size_t i = 0; i < UNIT_COUNT(pool); i++) {
		char *text = large_pool(pool[i], net[i], 40000);
		struct config *config = control_parse(text);
		json_t *changes = model_apply(m, config, false);

		CU_ASSERT_PTR_NOT_NULL(changes);
		json_decref(changes);
		changes = model_apply(m, config, true);
		CU_ASSERT_EQUAL(json_array_size(changes), 0);
		json_decref(changes);
		CU_ASSERT_EQUAL(model_count(m).pools, 1);
		CU_ASSERT_EQUAL(model_count(m).backends, 40000);
		config_free(config);
		free(text);
	}
	model_free(m);
}

static void as_many_pools_as_a_file_may_have(void)
{
	struct model *m = model_new();
	struct config_pool pool = { .scheduler = SCHEDULER_MAGLEV };
	struct error why;
	uint32_t n;

	config_check_default(&pool.check);
	for (n = 0; n < 40000; n++) {
		snprintf(pool.name, sizeof(pool.name), "p%u", n);
		if (model_pool_add(m, &pool, &why))
			break;
	}
	check_free(&pool.check);
	CU_ASSERT_EQUAL(n, CONFIG_MAX_POOLS);
	CU_ASSERT_STRING_EQUAL(why.text, "there are 32767 pools already, as many as can be");
	model_free(m);
}

/* A backend that goes with its pool leaves at once: its id is the last to be given out again. */
static void a_freed_id_comes_again_last(void)
{
	struct model *m = control_model(TWO_POOLS);
	uint16_t id = model_pool_find(m, "six")->backends->id;
	struct error why;
	uint32_t n;

	CHECK_DONE(model_vip_del(m, addr("2001:db8::80"), IPPROTO_TCP, 80, &error));
	CHECK_DONE(model_pool_del(m, "six", &error));
	CU_ASSERT_PTR_NULL(model_backend_by_id(m, id));
	for (n = model_count(m).backends; n < 65534; n++) {
		if (model_backend_add(m, "web", addr_from_ipv4(core_be32(0x0b000001 + n)), 1, NULL, &why) ||
			model_backend_by_id(m, id))
			break;
	}
	CU_ASSERT_EQUAL(n, 65534);
	CHECK_DONE(model_backend_add(m, "web", addr("12.0.0.1"), 1, NULL, &error));
	CU_ASSERT_EQUAL(control_backend(m, "web", "12.0.0.1")->id, id);
	model_free(m);
}

/* Few backends that come and go have low ids, and yet none that was free a moment ago. */
static void ids_of_few_stay_low(void)
{
	struct model *m = control_model(TWO_POOLS);
	uint32_t last_used[1024] = { 0 }, low = 0, soon = 0;
	char text[32];

	for (uint32_t n = 1; n <= 5000; n++) {
		uint16_t id;

		snprintf(text, sizeof(text), "11.0.%u.%u", n >> 8, n & 255);
		CHECK_DONE(model_backend_add(m, "web", addr(text), 1, NULL, &error));
		id = control_backend(m, "web", text)->id;
		low += id < 1024;
		if (id < 1024) {
			soon += last_used[id] && n - last_used[id] < 700;
			last_used[id] = n;
		}
		CHECK_DONE(model_backend_del(m, "web", addr(text), &error));
		for (uint64_t sweep = 0; sweep < 4; sweep++)
			model_reap(m, 100 + 100 * n + sweep);
	}
	CU_ASSERT_EQUAL(low, 5000);
	CU_ASSERT_EQUAL(soon, 0);
	model_free(m);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "lists are sorted", lists_are_sorted },
		{ "VIP commands", vip_commands },
		{ "pool commands", pool_commands },
		{ "backend commands", backend_commands },
		{ "states", states },
		{ "slots get dirty by what changes them", slots_get_dirty },
		{ "removed backends stay until their flows end", removed_backends_stay_until_their_flows_end },
		{ "flows of a disabled backend stay cut when it is removed",
			disabled_flows_stay_cut_when_removed },
		{ "a reload is a least change", reload_is_a_least_change },
		{ "a pool may be renamed", a_pool_may_be_renamed },
		{ "pools may be divided and joined", pools_may_be_divided_and_joined },
		{ "a pool may change its family", a_pool_may_change_its_family },
		{ "a check nobody gave follows the VIPs", check_follows_vips },
		{ "a given check has a port to go to", a_given_check_has_a_port_to_go_to },
		{ "listeners are told", listeners_are_told },
		{ "saved text parses back", saved_text_parses_back },
		{ "as many as can be", as_many_as_can_be },
		{ "as many pools as a file may have", as_many_pools_as_a_file_may_have },
		{ "a reload finds ids", a_reload_finds_ids },
		{ "a freed id comes again last", a_freed_id_comes_again_last },
		{ "ids of few stay low", ids_of_few_stay_low },
		{ NULL, NULL },
	};

	return unit_run("model", tests);
}
