/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool that has too few: panic and fallback, in the model and in the snapshot; and shares that grow (slow start)
 * or are what a check says, in the slots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "slow_start.h"
#include "clock.h"
#include "snapshot_build.h"
#include "unit.h"
#include "vip.h"

#define BACKENDS                                                                                                  \
	"backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; }, { address = \"10.0.0.13\"; "    \
	"},\n"                                                                                                    \
	"{ address = \"10.0.0.14\"; } );"
#define WITH(policy, rest)                                                                                        \
	CONTROL_DPDK "pools = ( { name = \"web\"; " policy BACKENDS " }" rest " );\n"                             \
		     "vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );\n"
#define SORRY ", { name = \"sorry\"; scheduler = \"source-hash\"; backends = ( { address = \"10.0.0.21\"; } ); }"

static const struct snapshot_inputs inputs = {
	.version = 1,
	.hash_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
	.flow_capacity = 1000000,
	.timeout_s = { 0, 60, 900, 120, 10, 300, 300 },
	.n_ports = 1,
	.port_mac = { { { 2, 0, 0, 0, 1, 0 } } },
};

static struct model *m;
static struct snapshot_builder *builder;
static struct snapshot_block block;

static void set_up(const char *text)
{
	m = control_model(text);
	control_bring_up(m);
	builder = snapshot_builder_new();
}

static void tear_down(void)
{
	snapshot_block_close(&block);
	snapshot_builder_free(builder);
	model_free(m);
}

static void build(void)
{
	struct error error;

	snapshot_block_close(&block);
	if (snapshot_build(builder, m, &inputs, &block, &error)) {
		unit_note("%s", error.text);
		CU_FAIL_FATAL("no snapshot");
	}
}

static struct pool *web(void)
{
	return model_pool_find(m, "web");
}

static struct backend *nth(unsigned int i)
{
	struct backend *b = web()->backends;

	while (i--)
		b = b->next;
	return b;
}

static void set_healthy(unsigned int i, bool healthy)
{
	model_set_healthy(m, nth(i), healthy);
}

/* What the snapshot says of the VIP. */
static struct snapshot_vip vip(void)
{
	struct tables t = { 0 };
	const struct snapshot_vip *found;

	build();
	tables_open_snapshot(&t, block.data);
	found = vip_find(&t, unit_addr("192.0.2.80"), core_be16(80), 6);
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	return *found;
}

static const __u16 *slots(void)
{
	const struct snapshot_header *h = block.data;

	return (const __u16 *)((const char *)block.data + h->slots_off) + vip().slot_first;
}

/* Of the VIP's new flows, permille. */
static double share(const struct backend *b)
{
	uint32_t n = vip().slot_count, hits = 0;
	const __u16 *slot = slots();

	for (uint32_t i = 0; i < n; i++)
		hits += slot[i] == b->id;
	return n ? 1000.0 * hits / n : 0;
}

static uint8_t flags(const struct backend *b)
{
	const struct snapshot_header *h = block.data;

	build();
	h = block.data;
	return ((const struct snapshot_backend *)((const char *)block.data + h->backends_off))[b->id].flags;
}

static void panic(void)
{
	struct error error;

	set_up(WITH("panic = 50; ", ""));
	CU_ASSERT_FALSE(web()->panicking);
	set_healthy(0, false);
	set_healthy(1, false);
	/* Half is not below half. */
	CU_ASSERT_FALSE(web()->panicking);
	CU_ASSERT_EQUAL(model_pool_in_slots(web()), 2);
	set_healthy(2, false);
	CU_ASSERT_TRUE(web()->panicking && web()->slots_dirty);
	CU_ASSERT_EQUAL(model_pool_in_slots(web()), 4);
	CU_ASSERT_TRUE(share(nth(0)) > 240 && share(nth(3)) > 240);
	CU_ASSERT_EQUAL(flags(nth(0)), BACKEND_USED | BACKEND_VALID | BACKEND_UP);
	CU_ASSERT_EQUAL(model_backend_state(nth(0)), STATE_DOWN);
	/* Of the enabled ones: with two taken out, one of two is healthy. */
	CU_ASSERT_EQUAL(model_disable(m, NULL, nth(0)->address, &error), 0);
	CU_ASSERT_TRUE(web()->panicking);
	CU_ASSERT_EQUAL(model_drain(m, NULL, nth(1)->address, &control_force, &error), 0);
	CU_ASSERT_FALSE(web()->panicking);
	CU_ASSERT_EQUAL(model_pool_in_slots(web()), 1);
	CU_ASSERT_EQUAL(flags(nth(2)), BACKEND_USED | BACKEND_VALID);
	/* None is healthy, and without a fallback all are used. */
	set_healthy(3, false);
	CU_ASSERT_TRUE(web()->panicking);
	set_healthy(2, true);
	CU_ASSERT_FALSE(web()->panicking);
	tear_down();
}

static void suspicion_is_no_panic(void)
{
	set_up(WITH("panic = 50; ", ""));
	for (unsigned int i = 0; i < 3; i++)
		model_set_suspect(m, nth(i), true);
	CU_ASSERT_FALSE(web()->panicking);
	CU_ASSERT_EQUAL(model_pool_in_slots(web()), 1);
	CU_ASSERT_EQUAL(flags(nth(0)), BACKEND_USED | BACKEND_VALID | BACKEND_UP | BACKEND_SUSPECT);
	set_healthy(1, false);
	set_healthy(2, false);
	set_healthy(3, false);
	CU_ASSERT_TRUE(web()->panicking);
	CU_ASSERT_EQUAL(model_pool_in_slots(web()), 4);
	CU_ASSERT_EQUAL(flags(nth(0)), BACKEND_USED | BACKEND_VALID | BACKEND_UP);
	tear_down();
}

static void fallback(void)
{
	struct pool *sorry;
	struct error error;

	set_up(WITH("fallback = \"sorry\"; ", SORRY));
	sorry = model_pool_find(m, "sorry");
	CU_ASSERT_PTR_EQUAL(web()->fallback, sorry);
	CU_ASSERT_TRUE(model_pool_is_used(sorry));
	CU_ASSERT_PTR_EQUAL(model_check_vip(m, sorry), model_vips(m));
	CU_ASSERT_EQUAL(vip().pool, web()->id);
	for (unsigned int i = 0; i < 4; i++)
		set_healthy(i, false);
	CU_ASSERT_TRUE(web()->in_fallback);
	CU_ASSERT_EQUAL(vip().pool, sorry->id);
	CU_ASSERT_EQUAL(vip().flags >> VIP_SCHED_SHIFT & 3, SCHEDULER_SOURCE_HASH);
	CU_ASSERT_DOUBLE_EQUAL(share(sorry->backends), 1000, 0.1);
	/* Its own flows stay on those that only their check calls down. */
	CU_ASSERT_EQUAL(flags(nth(0)), BACKEND_USED | BACKEND_VALID);
	/* The fallback has nobody either. */
	model_set_healthy(m, sorry->backends, false);
	CU_ASSERT_FALSE(web()->in_fallback);
	CU_ASSERT_EQUAL(vip().pool, web()->id);
	CU_ASSERT_EQUAL(vip().slot_count, 0);
	model_set_healthy(m, sorry->backends, true);
	CU_ASSERT_TRUE(web()->in_fallback);
	set_healthy(2, true);
	CU_ASSERT_FALSE(web()->in_fallback);
	CU_ASSERT_DOUBLE_EQUAL(share(nth(2)), 1000, 0.1);
	/* By command it is the same. */
	CU_ASSERT_EQUAL(model_drain(m, "web", nth(2)->address, &control_force, &error), 0);
	CU_ASSERT_TRUE(web()->in_fallback);
	CU_ASSERT_EQUAL(model_pool_del(m, "sorry", &error), -EBUSY);
	CU_ASSERT_STRING_EQUAL(error.text, "pool \"sorry\" is the fallback of pool \"web\"");
	/* A reload without it. */
	free(control_apply(m, WITH("", SORRY), false));
	CU_ASSERT_FALSE(web()->in_fallback || web()->fallback);
	CU_ASSERT_FALSE(model_pool_is_used(sorry));
	CU_ASSERT_PTR_NULL(model_check_vip(m, sorry));
	CU_ASSERT_EQUAL(vip().slot_count, 0);
	tear_down();
}

/* Healthy strangers before one's own dead; a few of one's own before strangers. */
static void panic_and_fallback(void)
{
	set_up(WITH("panic = 60; fallback = \"sorry\"; ", SORRY));
	for (unsigned int i = 0; i < 3; i++)
		set_healthy(i, false);
	CU_ASSERT_TRUE(web()->panicking && !web()->in_fallback);
	set_healthy(3, false);
	CU_ASSERT_TRUE(!web()->panicking && web()->in_fallback);
	model_set_healthy(m, model_pool_find(m, "sorry")->backends, false);
	CU_ASSERT_TRUE(web()->panicking && !web()->in_fallback);
	CU_ASSERT_TRUE(share(nth(0)) > 240);
	tear_down();
}

/* By command, piece by piece; its family is known only by its VIP. */
static void fallback_of_one_without_backends(void)
{
	struct config_pool empty = { .name = "empty", .check = { .type = CHECK_TCP }, .fallback = "sorry" };
	struct error error;

	set_up(WITH("", SORRY));
	CU_ASSERT_EQUAL(model_pool_add(m, &empty, &error), 0);
	CU_ASSERT_FALSE(model_pool_find(m, "empty")->in_fallback);
	CU_ASSERT_EQUAL(model_vip_add(m, unit_addr("192.0.2.81"), 6, 80, "empty", &error), 0);
	CU_ASSERT_TRUE(model_pool_find(m, "empty")->in_fallback);
	build();
	CU_ASSERT_EQUAL(model_vip_del(m, unit_addr("192.0.2.81"), 6, 80, &error), 0);
	CU_ASSERT_EQUAL(model_pool_del(m, "empty", &error), 0);
	tear_down();
}

/* One level: where the fallback falls back to is nobody's business but its own VIPs'. */
static void fallbacks_of_each_other(void)
{
	set_up(WITH("fallback = \"sorry\"; ",
		", { name = \"sorry\"; fallback = \"web\"; panic = 100; backends = ( { address = \"10.0.0.21\"; } "
		"); }"));
	for (unsigned int i = 0; i < 4; i++)
		set_healthy(i, false);
	CU_ASSERT_TRUE(web()->in_fallback);
	model_set_healthy(m, model_pool_find(m, "sorry")->backends, false);
	/* With nobody healthy anywhere, "sorry" is in a panic, and serves. */
	CU_ASSERT_TRUE(model_pool_find(m, "sorry")->panicking);
	CU_ASSERT_TRUE(web()->in_fallback);
	set_healthy(0, true);
	CU_ASSERT_FALSE(web()->in_fallback);
	CU_ASSERT_TRUE(model_pool_find(m, "sorry")->in_fallback);
	tear_down();
}

/* The counts, which everything follows from, against counting, over many changes of all kinds. */
static void counts_are_right(void)
{
	uint64_t random = 7;
	struct error error;

	set_up(WITH("panic = 50; fallback = \"sorry\"; ", SORRY));
	for (int i = 0; i < 3000; i++) {
		struct backend *b = nth((unsigned int)(unit_random(&random) % 4));
		uint32_t n_usable = 0, n_healthy = 0, n_in_slots = 0;
		bool yes = unit_random(&random) & 1;
		struct mac mac = { { 2, 0, 0, 0, 0, (__u8)i } };

		switch (unit_random(&random) % 9) {
		case 0:
			model_set_healthy(m, b, yes);
			break;
		case 1:
			model_set_suspect(m, b, yes);
			break;
		case 2:
			model_set_mac(m, b, yes ? &mac : NULL);
			break;
		case 3:
			(void)(yes ? model_disable : model_enable)(m, "web", b->address, &error);
			break;
		case 4:
			(void)model_drain(m, "web", b->address, &control_force, &error);
			break;
		case 5:
			model_set_returned(m, b);
			break;
		case 6:
			model_set_check_weight(m, b, yes ? -1 : (int32_t)(unit_random(&random) % 3));
			break;
		case 7:
			model_set_port(m, b, 0, yes);
			break;
		case 8:
			model_set_healthy(m, model_pool_find(m, "sorry")->backends, yes);
			break;
		}
		for (b = web()->backends; b; b = b->next) {
			n_usable += model_backend_is_usable(b);
			n_healthy += model_backend_is_usable(b) && b->healthy;
			n_in_slots += model_backend_is_in_slots(b);
		}
		if (n_usable != web()->n_usable || n_healthy != web()->n_healthy ||
			n_in_slots != model_pool_in_slots(web()) || (n_in_slots && web()->in_fallback))
			CU_FAIL_FATAL("a count is wrong");
	}
	(void)vip();
	tear_down();
}

static void shares_grow(void)
{
	static __u16 before[65537];
	const __u16 *after;
	uint32_t moved = 0;

	set_up(WITH("", ""));
	(void)vip();
	memcpy(before, slots(), sizeof(before));
	model_set_ramp(m, nth(0), 100);
	/* A tenth of what the others have: 1 of 31. */
	CU_ASSERT_DOUBLE_EQUAL(share(nth(0)), 1000.0 / 31, 1);
	CU_ASSERT_DOUBLE_EQUAL(share(nth(1)), 10000.0 / 31, 3);
	/* What others had stays theirs, but for the little that Maglev moves. */
	after = slots();
	for (uint32_t i = 0; i < 65537; i++)
		moved += before[i] != nth(0)->id && before[i] != after[i];
	CU_ASSERT_TRUE(moved < 65537 / 20);
	model_set_ramp(m, nth(0), RAMP_FULL);
	(void)vip();
	CU_ASSERT_EQUAL(memcmp(before, slots(), sizeof(before)), 0);
	/* Of weight 1, and of the greatest. */
	for (unsigned int i = 0; i < 4; i++)
		model_set_check_weight(m, nth(i), 1);
	model_set_ramp(m, nth(0), 550);
	CU_ASSERT_DOUBLE_EQUAL(share(nth(0)), 1000 * 0.55 / 3.55, 1);
	for (unsigned int i = 0; i < 4; i++)
		model_set_check_weight(m, nth(i), 65535);
	CU_ASSERT_DOUBLE_EQUAL(share(nth(0)), 1000 * 0.55 / 3.55, 1);
	model_set_check_weight(m, nth(0), 1);
	CU_ASSERT_TRUE(share(nth(0)) < 1);
	tear_down();
}

static void steps(void)
{
	uint16_t last = 0;

	CU_ASSERT_EQUAL(slow_start_permille(0, 1000), 100);
	CU_ASSERT_EQUAL(slow_start_permille(49, 1000), 100);
	CU_ASSERT_EQUAL(slow_start_permille(50, 1000), 145);
	CU_ASSERT_EQUAL(slow_start_permille(999, 1000), 955);
	CU_ASSERT_EQUAL(slow_start_permille(1000, 1000), RAMP_FULL);
	CU_ASSERT_EQUAL(slow_start_permille(0, 0), RAMP_FULL);
	for (uint64_t ms = 0; ms <= 3600000; ms += 997) {
		uint16_t now = slow_start_permille(ms, 3600000);

		CU_ASSERT_TRUE(now >= last);
		last = now;
	}
}

static void pass_ms(struct event_base *base, uint64_t ms)
{
	uint64_t end = clock_boot_ms() + ms;
	struct timeval tick = { .tv_usec = 5000 };

	do {
		event_base_loopexit(base, &tick);
		event_base_dispatch(base);
	} while (clock_boot_ms() < end);
}

/* Who comes up while others have their full share begins with a tenth; a whole pool has nobody to spare it. */
static void slow_start(void)
{
	struct event_base *base = event_base_new();
	struct slow_start *s;
	struct error error;
	uint64_t up_ms;

	m = control_model(WITH("slow_start = \"200ms\"; ", ""));
	s = slow_start_open(base, m);
	up_ms = clock_boot_ms();
	control_bring_up(m);
	if (clock_boot_ms() - up_ms < 200)
		for (unsigned int i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(nth(i)->ramp, RAMP_FULL);
	pass_ms(base, 210);
	set_healthy(0, false);
	up_ms = clock_boot_ms();
	set_healthy(0, true);
	CU_ASSERT_EQUAL(nth(0)->ramp, 100);
	pass_ms(base, 100);
	/* No further than the time that has passed lets it be, however long we were kept from looking. */
	CU_ASSERT_TRUE(nth(0)->ramp > 100 && nth(0)->ramp <= slow_start_permille(clock_boot_ms() - up_ms, 200));
	for (int i = 0; i < 1000 && nth(0)->ramp < RAMP_FULL; i++)
		pass_ms(base, 10);
	CU_ASSERT_EQUAL(nth(0)->ramp, RAMP_FULL);
	CU_ASSERT_TRUE(clock_boot_ms() - up_ms >= 200);
	/* By command; not by a suspicion that was refuted. */
	CU_ASSERT_EQUAL(model_disable(m, NULL, nth(1)->address, &error), 0);
	CU_ASSERT_EQUAL(model_enable(m, NULL, nth(1)->address, &error), 0);
	CU_ASSERT_EQUAL(nth(1)->ramp, RAMP_FULL);
	model_set_returned(m, nth(1));
	CU_ASSERT_EQUAL(nth(1)->ramp, 100);
	model_set_suspect(m, nth(2), true);
	model_set_suspect(m, nth(2), false);
	CU_ASSERT_EQUAL(nth(2)->ramp, RAMP_FULL);
	/* Down again before it was over; and shuntd restarted meanwhile goes on with it. */
	set_healthy(1, false);
	CU_ASSERT_EQUAL(nth(1)->ramp, RAMP_FULL);
	set_healthy(1, true);
	model_set_ramp(m, nth(1), 550);
	slow_start_close(s);
	s = slow_start_open(base, m);
	CU_ASSERT_EQUAL(nth(1)->ramp, 550);
	pass_ms(base, 260);
	CU_ASSERT_EQUAL(nth(1)->ramp, RAMP_FULL);
	slow_start_close(s);
	event_base_free(base);
	model_free(m);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "panic", panic },
		{ "suspicion is no panic", suspicion_is_no_panic },
		{ "fallback", fallback },
		{ "fallback of one without backends", fallback_of_one_without_backends },
		{ "panic and fallback", panic_and_fallback },
		{ "fallbacks of each other", fallbacks_of_each_other },
		{ "counts are right", counts_are_right },
		{ "shares grow", shares_grow },
		{ "steps", steps },
		{ "slow start", slow_start },
		{ NULL, NULL },
	};

	return unit_run("pool", tests);
}
