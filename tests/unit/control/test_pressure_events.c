/* SPDX-License-Identifier: BSD-3-Clause */
/* pressure: one event when new flows of a VIP, or of any, get no entry, and one when that is over. */
#include "pressure.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "events.h"
#include "unit.h"

#define CAPACITY 1000000

static struct event_base *base;
static struct model *model;
static struct pressure *pressure;
static uint64_t counted[COUNTER_COUNT];

/* In place of counters.c. */
uint64_t counters_total(const struct counters *counters, enum counter counter)
{
	return counted[counter];
}

static void begin(void)
{
	model = control_model(
		"interface = \"eth0\"; pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } "
		");\n"
		"vips = ( { address = \"192.0.2.80\"; protocol = \"tcp\"; port = 80; pool = \"web\"; },\n"
		"         { address = \"192.0.2.81\"; protocol = \"tcp\"; port = 80; pool = \"web\";\n"
		"           half_open = 5000; },\n"
		"         { address = \"192.0.2.82\"; protocol = \"tcp\"; port = 80; pool = \"web\";\n"
		"           half_open = 0; } );\n");
	base = event_base_new();
	memset(counted, 0, sizeof(counted));
	pressure = pressure_open(base, model, NULL, CAPACITY);
	if (!model || !base || !pressure || events_open(base) < 0)
		abort();
	pressure_look(pressure);
}

static void end(void)
{
	pressure_close(pressure);
	events_close();
	model_free(model);
	event_base_free(base);
}

static struct vip *vip(const char *address)
{
	return model_vip_find(model, unit_addr(address), IPPROTO_TCP, 80);
}

static size_t n_warnings(void)
{
	json_t *lines = json_array();
	size_t n;

	pressure_warnings(pressure, lines);
	n = json_array_size(lines);
	json_decref(lines);
	return n;
}

static void look(unsigned int seconds)
{
	while (seconds--)
		pressure_look(pressure);
}

static void a_flood(void)
{
	begin();
	look(3);
	CU_ASSERT_EQUAL(events_last(), 0);
	for (int i = 0; i < 30; i++) {
		vip("192.0.2.81")->traffic.over_bound += 1000;
		look(1);
	}
	CU_ASSERT_EQUAL_FATAL(events_last(), 1);
	CU_ASSERT_EQUAL(events_get(1)->kind, EVENT_VIP_FLOOD);
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(1)->text, "192.0.2.81:80/tcp"));
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(1)->text, "5000"));
	CU_ASSERT_EQUAL(n_warnings(), 1);
	CU_ASSERT_TRUE(pressure_at_bound(pressure, vip("192.0.2.81")));
	CU_ASSERT_FALSE(pressure_at_bound(pressure, vip("192.0.2.80")));
	CU_ASSERT_TRUE(pressure_at_bound(pressure, vip("192.0.2.82")));
	/* It pauses, for less than the time that ends it. */
	look(PRESSURE_QUIET_S - 1);
	vip("192.0.2.81")->traffic.over_bound += 5;
	look(PRESSURE_QUIET_S);
	CU_ASSERT_EQUAL(events_last(), 1);
	look(1);
	CU_ASSERT_EQUAL_FATAL(events_last(), 2);
	CU_ASSERT_EQUAL(events_get(2)->kind, EVENT_VIP_FLOOD_OVER);
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(2)->text, "30005 were"));
	CU_ASSERT_EQUAL(n_warnings(), 0);
	look(100);
	CU_ASSERT_EQUAL(events_last(), 2);
	end();
}

/* One VIP's is not another's; a VIP that is to have no entries is never told of; the default is a quarter. */
static void of_each_vip(void)
{
	begin();
	vip("192.0.2.80")->traffic.over_bound = 1;
	vip("192.0.2.82")->traffic.over_bound = 1000;
	look(1);
	CU_ASSERT_EQUAL_FATAL(events_last(), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(1)->text, "192.0.2.80:80/tcp"));
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(1)->text, "250000"));
	vip("192.0.2.81")->traffic.over_bound = 1;
	look(1);
	CU_ASSERT_EQUAL(events_last(), 2);
	CU_ASSERT_EQUAL(n_warnings(), 2);
	end();
}

/* What was counted before shuntd began, or of a VIP that had the id before, is nothing that rises now. */
static void what_was_before(void)
{
	struct vip *v;
	uint16_t id;

	begin();
	v = vip("192.0.2.81");
	v->traffic.over_bound = 7;
	look(1);
	CU_ASSERT_EQUAL(events_last(), 1);
	id = v->id;
	v->address = unit_addr("192.0.2.99");
	v->traffic.over_bound = 1000;
	look(1);
	CU_ASSERT_EQUAL(v->id, id);
	CU_ASSERT_EQUAL(events_last(), 1);
	CU_ASSERT_EQUAL(n_warnings(), 0);
	end();
}

/* The table: those without an entry that are not so for a bound. */
static void a_full_table(void)
{
	begin();
	counted[COUNTER_FLOW_UNTRACKED] = counted[COUNTER_SYN_OVER_BOUND] = 1000;
	look(1);
	CU_ASSERT_EQUAL(events_last(), 0);
	counted[COUNTER_FLOW_UNTRACKED] += 3;
	look(1);
	CU_ASSERT_EQUAL_FATAL(events_last(), 1);
	CU_ASSERT_EQUAL(events_get(1)->kind, EVENT_TABLE_FULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(1)->text, "1000000 flows"));
	CU_ASSERT_EQUAL(n_warnings(), 1);
	look(PRESSURE_QUIET_S);
	CU_ASSERT_EQUAL_FATAL(events_last(), 2);
	CU_ASSERT_EQUAL(events_get(2)->kind, EVENT_TABLE_FULL_OVER);
	CU_ASSERT_PTR_NOT_NULL(strstr(events_get(2)->text, "3 were"));
	end();
}

/* The two counters are read one after the other: in a flood the second is ahead by what came meanwhile. */
static void read_while_they_rise(void)
{
	begin();
	counted[COUNTER_FLOW_UNTRACKED] = 500;
	look(1);
	look(PRESSURE_QUIET_S);
	CU_ASSERT_EQUAL_FATAL(events_last(), 2);
	for (int i = 0; i < 30; i++) {
		counted[COUNTER_FLOW_UNTRACKED] += 1000;
		counted[COUNTER_SYN_OVER_BOUND] = counted[COUNTER_FLOW_UNTRACKED] - 500 + (i % 3 == 1);
		look(1);
	}
	CU_ASSERT_EQUAL(events_last(), 2);
	CU_ASSERT_EQUAL(n_warnings(), 0);
	end();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a flood begins and ends", a_flood },
		{ "of each VIP", of_each_vip },
		{ "what was counted before", what_was_before },
		{ "a full table", a_full_table },
		{ "counters read while they rise", read_while_they_rise },
		{ NULL, NULL },
	};

	return unit_run("pressure events", tests);
}
