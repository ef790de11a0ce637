/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passive.c with a model, and with a forwarder and checks of the test's: who becomes suspect, who does not although its
 * handshakes have stopped, and how long a suspicion that was refuted is not held again.
 */
#include "passive.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "events.h"
#include "unit.h"

#define BACKENDS 4
#define ROUND_MS 20 /* between two batches of flows */

static struct {
	struct forwarder forwarder;
	struct stats_header stats;
	__u64 received;
	struct stats_handshakes handshakes[STATS_IDS];
} fake;

static struct publish_listener *listening;
static struct event_base *base;
static struct model *model;
static struct passive *passive;
static struct backend *backends[BACKENDS];
static unsigned int asked_to_check; /* health_suspect() calls */
static uint64_t suspected_ms;	    /* when the last of them was */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool fake_worker(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *worker)
{
	if (index > 0)
		return false;
	*worker = (struct forwarder_worker){ .received = &fake.received, .handshakes = fake.handshakes, .n_ids = STATS_IDS };
	return true;
}

static const struct forwarder_operations operations = { .worker = fake_worker };

void publish_listen(struct publisher *publisher, struct publish_listener *listener)
{
	listening = listener;
}

const struct forwarder *publish_forwarder(const struct publisher *publisher, enum forwarder_kind kind)
{
	return kind == FORWARDER_DATAPLANE ? &fake.forwarder : NULL;
}

void health_suspect(struct health *health, struct backend *backend)
{
	CU_ASSERT(backend->suspect);
	asked_to_check++;
	suspected_ms = now_ms();
}

static void begin(bool wants_passive, enum check_type type)
{
	struct config_pool pool = { .name = "web", .passive = wants_passive, .check = { .given = true, .type = type } };
	struct mac mac = { { 2 } };
	struct error error;

	memset(&fake, 0, sizeof(fake));
	fake.received = 1;
	fake.forwarder = (struct forwarder){ .does = &operations, .up = true, .stats = &fake.stats };
	asked_to_check = 0;
	base = event_base_new();
	model = model_new();
	CU_ASSERT_EQUAL_FATAL(model_pool_add(model, &pool, &error), 0);
	for (int i = 0; i < BACKENDS; i++) {
		char address[] = "10.0.0.10";

		address[sizeof(address) - 2] = (char)('1' + i);
		CU_ASSERT_EQUAL_FATAL(model_backend_add(model, "web", unit_addr(address), 100, &mac, &error), 0);
		backends[i] = model_backend_find(model_pool_find(model, "web"), unit_addr(address));
		model_set_healthy(model, backends[i], true);
		CU_ASSERT_FATAL(model_backend_is_in_slots(backends[i]));
	}
	passive = passive_open(base, model, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(passive);
}

static void end(void)
{
	passive_close(passive);
	model_free(model);
	event_base_free(base);
}

/* So many ms of flows, 250 a second to each backend; bit i of dead: backend i completes none. */
static void flow(unsigned int ms, unsigned int dead)
{
	for (unsigned int at = 0; at < ms; at += ROUND_MS) {
		struct timeval round = { .tv_usec = ROUND_MS * 1000 };

		for (int i = 0; i < BACKENDS; i++) {
			struct stats_handshakes *h = &fake.handshakes[backends[i]->id];

			if (!model_backend_is_in_slots(backends[i]))
				continue;
			h->asked += 5;
			h->completed += dead >> i & 1 ? 0 : 5;
		}
		event_base_loopexit(base, &round);
		event_base_dispatch(base);
	}
}

/* Until the second one, which completes none, is suspect; for ten seconds at the most. */
static void flow_until_suspect(void)
{
	uint64_t end = now_ms() + 10000;

	while (!backends[1]->suspect && now_ms() < end)
		flow(ROUND_MS, 2);
}

static unsigned int suspects(void)
{
	unsigned int n = 0;

	for (int i = 0; i < BACKENDS; i++)
		n += backends[i]->suspect;
	return n;
}

static void a_dead_one_is_suspect(void)
{
	begin(true, CHECK_TCP);
	flow(500, 0);
	CU_ASSERT_EQUAL(suspects(), 0);
	flow_until_suspect();
	flow(100, 2);
	CU_ASSERT(backends[1]->suspect);
	CU_ASSERT_EQUAL(suspects(), 1);
	CU_ASSERT_EQUAL(asked_to_check, 1);
	/* The check agrees, and later that it is back. */
	model_set_suspect(model, backends[1], false);
	model_set_healthy(model, backends[1], false);
	flow(300, 2);
	model_set_healthy(model, backends[1], true);
	flow(500, 0);
	CU_ASSERT_EQUAL(suspects(), 0);
	CU_ASSERT_EQUAL(asked_to_check, 1);
	/* It was right, so it may be suspected again at once. */
	flow_until_suspect();
	CU_ASSERT(backends[1]->suspect);
	end();
}

static void never_more_than_half(void)
{
	begin(true, CHECK_TCP);
	flow(500, 0);
	flow(600, 7);
	CU_ASSERT_EQUAL(suspects(), 2);
	/* Nor if those are down by now. */
	for (int i = 0; i < BACKENDS; i++) {
		if (backends[i]->suspect)
			model_set_healthy(model, backends[i], false);
		model_set_suspect(model, backends[i], false);
	}
	flow(600, 7);
	CU_ASSERT_EQUAL(suspects(), 0);
	CU_ASSERT_EQUAL(asked_to_check, 2);
	end();
}

/* The check says that it is well: a second goes by before the next suspicion, then two. */
static void a_refuted_one_is_held_off(void)
{
	begin(true, CHECK_TCP);
	flow(500, 0);
	flow_until_suspect();
	CU_ASSERT(backends[1]->suspect);
	for (unsigned int hold_ms = 1000; hold_ms <= 2000; hold_ms *= 2) {
		uint64_t refuted_ms = now_ms();

		model_set_suspect(model, backends[1], false);
		flow_until_suspect();
		CU_ASSERT(backends[1]->suspect);
		CU_ASSERT(suspected_ms - refuted_ms >= hold_ms);
	}
	end();
}

static void only_where_it_is_wanted(void)
{
	begin(false, CHECK_TCP);
	flow(300, 0);
	flow(500, 2);
	CU_ASSERT_EQUAL(suspects(), 0);
	end();
	/* Without a check nobody could refute it. */
	begin(true, CHECK_NONE);
	flow(300, 0);
	flow(500, 2);
	CU_ASSERT_EQUAL(suspects(), 0);
	end();
}

/* Another forwarder's figures, or anew from others: not compared with those before. */
static void a_forwarder_that_comes_is_no_silence(void)
{
	begin(true, CHECK_TCP);
	flow(500, 0);
	for (int i = 0; i < BACKENDS; i++) {
		fake.handshakes[backends[i]->id].asked += 1000000;
		fake.handshakes[backends[i]->id].completed += i == 1 ? 0 : 1000000;
	}
	listening->connected(listening->context, &fake.forwarder);
	flow(300, 0);
	CU_ASSERT_EQUAL(suspects(), 0);
	end();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a dead one is suspect", a_dead_one_is_suspect },
		{ "never more than half", never_more_than_half },
		{ "a refuted one is held off", a_refuted_one_is_held_off },
		{ "only where it is wanted", only_where_it_is_wanted },
		{ "a forwarder that comes is no silence", a_forwarder_that_comes_is_no_silence },
		{ NULL, NULL },
	};

	return unit_run("passive", tests);
}
