/* SPDX-License-Identifier: BSD-3-Clause */
/* Drains: when they end and how, what they refuse, what of them outlives shuntd and the machine's start; enable.
 */
#include "drain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control.h"
#include "text.h"
#include "unit.h"

#define POOLS                                                                                                     \
	CONTROL_DPDK                                                                                              \
	"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; },\n"  \
	"                                         { address = \"10.0.0.13\"; } ); },\n"                           \
	"          { name = \"dns\"; backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; } ); " \
	"},\n"                                                                                                    \
	"          { name = \"one\"; check: { type = \"none\"; }; backends = ( { address = \"10.0.0.13\"; } ); "  \
	"} );\n"                                                                                                  \
	"vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; },\n"                                    \
	"         { address = \"192.0.2.80\"; port = 53; pool = \"dns\"; } );\n"

static struct model *m;
static struct error error;

static struct model *up(void)
{
	struct model *model = control_model(POOLS);

	control_bring_up(model);
	return model;
}

static struct backend *of(const char *pool, const char *address)
{
	return control_backend(m, pool, address);
}

static int drain(const char *pool, const char *address, uint64_t deadline_ms, bool force)
{
	struct drain_wish wish = { .deadline_ms = deadline_ms, .force = force };

	return model_drain(m, pool, unit_addr(address), &wish, &error);
}

static void sweep_twice(uint64_t from)
{
	model_reap(m, from);
	model_reap(m, from + 1);
}

static void over_when_none_is_left(void)
{
	struct backend *b;

	m = up();
	b = of("web", "10.0.0.11");
	b->active_flows = 2;
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 0, false), 0);
	CU_ASSERT_TRUE(b->drain.since_ms > 0 && b->drain.since_ms <= clock_boot_ms());
	CU_ASSERT_EQUAL(b->drain.deadline_ms, 0);
	CU_ASSERT_FALSE(model_backend_is_in_slots(b));
	sweep_twice(100);
	CU_ASSERT_FALSE(b->drain.over);
	b->active_flows = 0;
	b->closing_flows = 1;
	sweep_twice(110);
	CU_ASSERT_FALSE(b->drain.over);
	b->closing_flows = 0;
	model_reap(m, 120);
	CU_ASSERT_TRUE(b->drain.over);
	CU_ASSERT_FALSE(b->drain.expired);
	CU_ASSERT_EQUAL(b->drain.cut, 0);
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_DRAINED);
	CU_ASSERT_FALSE(model_backend_is_in_slots(b));
	model_free(m);
}

static void deadlines(void)
{
	struct backend *first, *second;
	uint64_t now;

	m = up();
	first = of("web", "10.0.0.11");
	second = of("dns", "10.0.0.12");
	CU_ASSERT_EQUAL(model_drain_deadlines(m, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 60000, false), 0);
	CU_ASSERT_EQUAL(drain("dns", "10.0.0.12", 90000, false), 0);
	now = first->drain.since_ms;
	CU_ASSERT_EQUAL(first->drain.deadline_ms, now + 60000);
	CU_ASSERT_EQUAL(model_drain_deadlines(m, now + 59999), now + 60000);
	first->active_flows = 3;
	first->closing_flows = 4;
	CU_ASSERT_EQUAL(model_drain_deadlines(m, now + 60000), second->drain.deadline_ms);
	CU_ASSERT_TRUE(first->drain.over && first->drain.expired);
	CU_ASSERT_EQUAL(first->drain.cut, 3);
	CU_ASSERT_EQUAL(model_backend_state(first), STATE_DRAINED);
	CU_ASSERT_EQUAL(model_backend_state(second), STATE_DRAINING);
	CU_ASSERT_EQUAL(model_drain_deadlines(m, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(second->drain.cut, 0);
	CU_ASSERT_EQUAL(model_drain_deadlines(m, UINT64_MAX), 0);
	model_free(m);
}

/* Again, to wait for it say, leaves the deadline alone; another one counts from now. */
static void again(void)
{
	struct drain before;
	uint64_t generation;
	struct backend *b;

	m = up();
	b = of("web", "10.0.0.11");
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 60000, false), 0);
	before = b->drain;
	generation = model_generation(m);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 0, false), 0);
	CU_ASSERT_EQUAL(memcmp(&before, &b->drain, sizeof(before)), 0);
	CU_ASSERT_EQUAL(model_generation(m), generation);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 120000, false), 0);
	CU_ASSERT_EQUAL(b->drain.since_ms, before.since_ms);
	CU_ASSERT_TRUE(b->drain.deadline_ms >= before.since_ms + 120000);
	CU_ASSERT_TRUE(model_generation(m) > generation);
	sweep_twice(100);
	CU_ASSERT_TRUE(b->drain.over);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 1, false), 0);
	CU_ASSERT_EQUAL(model_drain_deadlines(m, UINT64_MAX), 0);
	CU_ASSERT_FALSE(b->drain.expired);
	model_free(m);
}

static void the_last_one_needs_force(void)
{
	m = up();
	CU_ASSERT_EQUAL(drain("dns", "10.0.0.12", 0, false), 0);
	/* In no pool where one refuses. */
	CU_ASSERT_EQUAL(drain(NULL, "10.0.0.11", 0, false), -EBUSY);
	CU_ASSERT_STRING_EQUAL(error.text,
		"10.0.0.11 is the last backend of pool \"dns\" that takes new flows: only --force drains it");
	CU_ASSERT_FALSE(of("web", "10.0.0.11")->draining);
	CU_ASSERT_EQUAL(model_backend_state(of("web", "10.0.0.11")), STATE_UP);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 0, false), 0);
	CU_ASSERT_EQUAL(drain(NULL, "10.0.0.11", 0, true), 0);
	CU_ASSERT_TRUE(of("dns", "10.0.0.11")->draining);
	/* One that takes none is nobody's last. */
	model_set_healthy(m, of("web", "10.0.0.12"), false);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.12", 0, false), 0);
	CU_ASSERT_EQUAL(drain("web", "10.0.0.13", 0, false), -EBUSY);
	CU_ASSERT_EQUAL(drain(NULL, "10.0.0.99", 0, false), -ENOENT);
	CU_ASSERT_EQUAL(drain("nil", "10.0.0.11", 0, false), -ENOENT);
	model_free(m);
}

static void enabled_through_its_check(void)
{
	struct backend *b;

	m = up();
	b = of("web", "10.0.0.11");
	CU_ASSERT_EQUAL(drain(NULL, "10.0.0.11", 1, false), 0);
	model_drain_deadlines(m, UINT64_MAX);
	CU_ASSERT_EQUAL(model_enable(m, NULL, b->address, &error), 0);
	CU_ASSERT_FALSE(b->draining || b->drain.over || b->drain.expired || b->drain.deadline_ms);
	CU_ASSERT_TRUE(b->returning && b->healthy);
	CU_ASSERT_FALSE(model_backend_is_in_slots(b));
	/* One that returns is nobody others could rely on. */
	CU_ASSERT_EQUAL(drain("dns", "10.0.0.12", 0, false), -EBUSY);
	model_set_returned(m, b);
	CU_ASSERT_TRUE(model_backend_is_in_slots(b));
	CU_ASSERT_EQUAL(model_backend_state(b), STATE_UP);
	/* Without anything to undo nothing is asked of it. */
	CU_ASSERT_EQUAL(model_enable(m, "web", b->address, &error), 0);
	CU_ASSERT_FALSE(b->returning);
	/* Taken out before it was back: the next enable is another one, whose check is yet to be begun. */
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 0, true), 0);
		CU_ASSERT_FALSE(b->returning);
		CU_ASSERT_EQUAL(model_enable(m, "web", b->address, &error), 0);
		CU_ASSERT_TRUE(b->returning);
	}
	CU_ASSERT_EQUAL(model_disable(m, "web", b->address, &error), 0);
	CU_ASSERT_FALSE(b->returning);
	/* Where there is no check, at once. */
	b = of("one", "10.0.0.13");
	CU_ASSERT_EQUAL(drain("one", "10.0.0.13", 0, true), 0);
	CU_ASSERT_EQUAL(model_enable(m, "one", b->address, &error), 0);
	CU_ASSERT_TRUE(model_backend_is_in_slots(b));
	model_free(m);
}

/* What a restart of shuntd makes of it, the machine's start being this one or another. */
static void restart(bool other_boot)
{
	struct text text = { 0 };
	json_t *state;

	text_add(&text, "{");
	model_dump(m, &text);
	text_add(&text, "}");
	state = json_loadb(text.data, text.size, 0, NULL);
	free(text.data);
	CU_ASSERT_PTR_NOT_NULL_FATAL(state);
	CU_ASSERT_TRUE(json_string_length(json_object_get(state, "boot")) == 36);
	if (other_boot)
		json_object_set_new(state, "boot", json_string("00000000-0000-0000-0000-000000000000"));
	model_free(m);
	m = model_new();
	if (model_restore(m, state, &error)) {
		unit_note("%s", error.text);
		CU_FAIL_FATAL("not restored");
	}
	json_decref(state);
}

static void outlive_shuntd(void)
{
	struct drain before;

	m = up();
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 60000, false), 0);
	CU_ASSERT_EQUAL(drain("dns", "10.0.0.12", 1, false), 0);
	of("dns", "10.0.0.12")->active_flows = 7;
	model_drain_deadlines(m, of("dns", "10.0.0.12")->drain.deadline_ms);
	CU_ASSERT_EQUAL(model_disable(m, "web", unit_addr("10.0.0.12"), &error), 0);
	CU_ASSERT_EQUAL(model_enable(m, "web", unit_addr("10.0.0.12"), &error), 0);
	model_set_check_weight(m, of("web", "10.0.0.13"), 17);
	model_set_ramp(m, of("web", "10.0.0.13"), 325);
	before = of("web", "10.0.0.11")->drain;
	restart(false);
	CU_ASSERT_EQUAL(memcmp(&before, &of("web", "10.0.0.11")->drain, sizeof(before)), 0);
	CU_ASSERT_EQUAL(model_backend_state(of("web", "10.0.0.11")), STATE_DRAINING);
	CU_ASSERT_EQUAL(model_backend_state(of("dns", "10.0.0.12")), STATE_DRAINED);
	CU_ASSERT_EQUAL(of("dns", "10.0.0.12")->drain.cut, 7);
	CU_ASSERT_TRUE(of("dns", "10.0.0.12")->drain.expired);
	CU_ASSERT_TRUE(of("web", "10.0.0.12")->returning);
	CU_ASSERT_EQUAL(of("web", "10.0.0.13")->check_weight, 17);
	CU_ASSERT_EQUAL(of("web", "10.0.0.13")->ramp, 325);
	CU_ASSERT_EQUAL(of("dns", "10.0.0.11")->check_weight, -1);
	CU_ASSERT_EQUAL(of("dns", "10.0.0.11")->ramp, RAMP_FULL);
	CU_ASSERT_EQUAL(model_pool_in_slots(model_pool_find(m, "web")), 1);
	CU_ASSERT_EQUAL(model_pool_in_slots(model_pool_find(m, "dns")), 1);
	model_free(m);
}

/* The times of another start say nothing: the deadline counts anew. */
static void outlive_a_start_of_the_machine(void)
{
	uint64_t now;

	m = up();
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 60000, false), 0);
	CU_ASSERT_EQUAL(drain("dns", "10.0.0.12", 0, false), 0);
	sweep_twice(100);
	of("web", "10.0.0.11")->drain = (struct drain){ .since_ms = 5, .deadline_ms = 60005 };
	now = clock_boot_ms();
	restart(true);
	CU_ASSERT_TRUE(of("web", "10.0.0.11")->drain.since_ms >= now);
	CU_ASSERT_EQUAL(of("web", "10.0.0.11")->drain.deadline_ms, of("web", "10.0.0.11")->drain.since_ms + 60000);
	CU_ASSERT_EQUAL(model_backend_state(of("web", "10.0.0.11")), STATE_DRAINING);
	CU_ASSERT_EQUAL(model_backend_state(of("dns", "10.0.0.12")), STATE_DRAINED);
	model_free(m);
}

/* By the loop's timer, also of drains that were begun before it was there. */
static void the_timer(void)
{
	struct event_base *base = event_base_new();
	struct drains *drains;
	uint64_t end = clock_boot_ms() + 30000;

	m = up();
	CU_ASSERT_EQUAL(drain("web", "10.0.0.11", 50, false), 0);
	drains = drains_open(base, m, NULL);
	CU_ASSERT_EQUAL(drain("dns", "10.0.0.12", 100, false), 0);
	while (!of("dns", "10.0.0.12")->drain.over && clock_boot_ms() < end)
		event_base_loop(base, EVLOOP_ONCE);
	CU_ASSERT_TRUE(of("web", "10.0.0.11")->drain.expired);
	CU_ASSERT_TRUE(of("dns", "10.0.0.12")->drain.expired);
	CU_ASSERT_TRUE(clock_boot_ms() >= of("dns", "10.0.0.12")->drain.deadline_ms);
	drains_close(drains);
	event_base_free(base);
	model_free(m);
}

static void hundreds_at_once(void)
{
	char address[20];

	m = model_new();
	free(control_apply(
		m, CONTROL_DPDK "pools = ( { name = \"big\"; check: { type = \"none\"; }; } );\n", false));
	for (unsigned int i = 0; i < 500; i++) {
		struct mac mac = { { 2, 0, 0, 0, (__u8)(i >> 8), (__u8)i } };

		snprintf(address, sizeof(address), "10.1.%u.%u", i / 250, i % 250 + 1);
		CU_ASSERT_EQUAL(model_backend_add(m, "big", unit_addr(address), 100, &mac, &error), 0);
	}
	for (unsigned int i = 0; i < 499; i++) {
		snprintf(address, sizeof(address), "10.1.%u.%u", i / 250, i % 250 + 1);
		CU_ASSERT_EQUAL(drain(NULL, address, 1000 + i, false), 0);
	}
	CU_ASSERT_EQUAL(drain(NULL, "10.1.1.250", 1, false), -EBUSY);
	sweep_twice(100);
	for (const struct backend *b = model_pools(m)->backends; b; b = b->next)
		CU_ASSERT_EQUAL(model_backend_state(b), b->next ? STATE_DRAINED : STATE_UP);
	model_free(m);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "over when none is left", over_when_none_is_left },
		{ "deadlines", deadlines },
		{ "again", again },
		{ "the last one needs force", the_last_one_needs_force },
		{ "enabled through its check", enabled_through_its_check },
		{ "outlive shuntd", outlive_shuntd },
		{ "outlive a start of the machine", outlive_a_start_of_the_machine },
		{ "the timer", the_timer },
		{ "hundreds at once", hundreds_at_once },
		{ NULL, NULL },
	};

	return unit_run("drain", tests);
}
