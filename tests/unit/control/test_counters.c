/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters: totals over several workers, restarts of the dataplane and of shuntd, and ids used again. The
 * publisher is the test's: it hands out a statistics segment made here.
 */
#include "counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define WORKERS 2

static struct stats_header *segment;
static struct stats_worker *workers; /* WORKERS of them */
static struct publish_listener *listening;
static struct event_base *base;
static struct model *model;
static struct counters *counters;
static char directory[] = "/tmp/shunt-counters-XXXXXX";

void publish_listen(struct publisher *publisher, struct publish_listener *listener)
{
	listening = listener;
}

const struct stats_header *publish_stats(const struct publisher *publisher)
{
	return segment;
}

const struct stats_worker *publish_worker(const struct publisher *publisher, uint32_t worker)
{
	return segment && worker < WORKERS ? &workers[worker] : NULL;
}

const struct flow_bucket *publish_flows(const struct publisher *publisher, uint32_t *n_buckets)
{
	*n_buckets = 0;
	return NULL;
}

const void *publish_snapshot(const struct publisher *publisher)
{
	return NULL;
}

bool publish_alive(const struct publisher *publisher)
{
	return segment != NULL;
}

static struct traffic *backend_traffic(const char *address)
{
	struct backend *b = model_backend_find(model_pool_find(model, "web"), unit_addr(address));

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	return &b->traffic;
}

static uint16_t backend_id(const char *address)
{
	return model_backend_find(model_pool_find(model, "web"), unit_addr(address))->id;
}

static void count(uint16_t id, unsigned int worker, uint64_t packets)
{
	workers[worker].backend[id].packets += packets;
	workers[worker].backend[id].bytes += packets * 64;
	workers[worker].received += packets;
	workers[worker].counter[COUNTER_FORWARDED] += packets;
}

static void connect_dataplane(uint64_t started_ns)
{
	segment = calloc(1, sizeof(*segment));
	workers = calloc(WORKERS, sizeof(*workers));
	if (!segment || !workers)
		abort();
	segment->started_ns = started_ns;
	segment->pid = 7;
	if (listening)
		listening->connected(listening->context);
}

static void disconnect_dataplane(void)
{
	listening->disconnected(listening->context);
	free(segment);
	free(workers);
	segment = NULL;
	workers = NULL;
}

static void start_shuntd(void)
{
	struct error error;

	model = model_new();
	model_pool_add(model, "web", SCHEDULER_MAGLEV, &(struct check){ .given = true, .type = CHECK_NONE }, &error);
	model_backend_add(model, "web", unit_addr("10.0.0.11"), 100, NULL, &error);
	model_backend_add(model, "web", unit_addr("10.0.0.12"), 100, NULL, &error);
	counters = counters_open(base, model, NULL, directory);
	CU_ASSERT_PTR_NOT_NULL_FATAL(counters);
}

static void stop_shuntd(void)
{
	listening = NULL;
	counters_close(counters);
	model_free(model);
}

static void begin(void)
{
	char path[100];

	if (!base) {
		base = event_base_new();
		if (!base || !mkdtemp(directory))
			abort();
	}
	snprintf(path, sizeof(path), "%s/traffic.json", directory);
	unlink(path);
	start_shuntd();
}

static void end(void)
{
	if (segment)
		disconnect_dataplane();
	stop_shuntd();
}

static void workers_are_added_up(void)
{
	begin();
	connect_dataplane(1);
	count(backend_id("10.0.0.11"), 0, 3);
	count(backend_id("10.0.0.11"), 1, 4);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 7);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->bytes, 7 * 64);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.12")->packets, 0);
	CU_ASSERT_EQUAL(counters_received(counters), 7);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 7);
	end();
}

/* The new dataplane begins at zero; what it counted before shuntd found it is not lost. */
static void totals_outlive_the_dataplane(void)
{
	begin();
	connect_dataplane(1);
	count(backend_id("10.0.0.11"), 0, 5);
	counters_refresh(counters);
	disconnect_dataplane();
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 5);

	segment = calloc(1, sizeof(*segment));
	workers = calloc(WORKERS, sizeof(*workers));
	segment->started_ns = 2;
	count(backend_id("10.0.0.11"), 1, 2);
	listening->connected(listening->context);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 7);
	CU_ASSERT_EQUAL(counters_total(counters, COUNTER_FORWARDED), 7);
	count(backend_id("10.0.0.11"), 0, 1);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 8);
	end();
}

/* The connection was lost, the dataplane was not. */
static void the_same_segment_goes_on(void)
{
	begin();
	connect_dataplane(1);
	count(backend_id("10.0.0.11"), 0, 5);
	counters_refresh(counters);
	listening->disconnected(listening->context);
	count(backend_id("10.0.0.11"), 0, 5);
	listening->connected(listening->context);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 10);
	end();
}

/* shuntd was killed; its state file is older than the last packets. Nothing is lost or counted twice. */
static void totals_outlive_shuntd(void)
{
	uint16_t id;

	begin();
	id = backend_id("10.0.0.11");
	connect_dataplane(1);
	count(id, 0, 5);
	counters_refresh(counters);
	disconnect_dataplane();
	connect_dataplane(2);
	count(id, 0, 100);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 105);
	stop_shuntd();

	count(id, 0, 10);
	start_shuntd();
	backend_traffic("10.0.0.11")->packets = 60; /* as saved half a minute before */
	listening->connected(listening->context);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 115);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->bytes, 115 * 64);
	end();
}

/* Another segment than the saved one: the state file's totals are all there is. */
static void both_were_restarted(void)
{
	begin();
	connect_dataplane(1);
	count(backend_id("10.0.0.11"), 0, 5);
	counters_refresh(counters);
	disconnect_dataplane();
	stop_shuntd();
	start_shuntd();
	backend_traffic("10.0.0.11")->packets = 4;
	connect_dataplane(3);
	count(backend_id("10.0.0.11"), 0, 1);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 5);
	end();
}

/* A backend begins at zero, whoever had its id before. */
static void ids_are_used_again(void)
{
	struct error error;
	uint16_t id;

	begin();
	connect_dataplane(1);
	id = backend_id("10.0.0.12");
	count(id, 0, 50);
	counters_refresh(counters);
	model_backend_del(model, "web", unit_addr("10.0.0.12"), &error);
	model_reap(model, 1);
	model_reap(model, 1000);
	counters_refresh(counters);
	do { /* next-fit: all others have their turn first */
		CU_ASSERT_EQUAL_FATAL(model_backend_add(model, "web", unit_addr("10.0.0.13"), 1, NULL, &error), 0);
		if (backend_id("10.0.0.13") == id)
			break;
		model_backend_del(model, "web", unit_addr("10.0.0.13"), &error);
		model_reap(model, 1);
		model_reap(model, 1000);
	} while (true);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.13")->packets, 0);
	count(id, 0, 2);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.13")->packets, 2);
	end();
}

static void the_list_is_named(void)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(counter_infos[i].name);
		CU_ASSERT_PTR_NOT_NULL(counter_infos[i].help);
	}
	CU_ASSERT_EQUAL(counter_infos[COUNTER_FORWARDED].class, COUNTER_CLASS_VERDICT);
	CU_ASSERT_EQUAL(counter_infos[COUNTER_FLOW_HIT].class, COUNTER_CLASS_EVENT);
}

static void clean_up(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/traffic.json", directory);
	unlink(path);
	rmdir(directory);
	event_base_free(base);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "workers are added up", workers_are_added_up },
		{ "totals outlive the dataplane", totals_outlive_the_dataplane },
		{ "the same segment goes on", the_same_segment_goes_on },
		{ "totals outlive shuntd", totals_outlive_shuntd },
		{ "both were restarted", both_were_restarted },
		{ "ids are used again", ids_are_used_again },
		{ "the list is named", the_list_is_named },
		{ NULL, NULL },
	};
	int status = unit_run("counters", tests);

	clean_up();
	return status;
}
