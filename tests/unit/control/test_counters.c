/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters: totals over several workers, restarts of the dataplane and of shuntd, and ids used again. The
 * publisher is the test's: it hands out a statistics segment made here.
 */
#include "counters.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define WORKERS 2

/* A forwarder of the test's. */
struct fake {
	struct forwarder forwarder;
	struct stats_header *stats;
	struct stats_worker *workers; /* WORKERS of them */
};

static struct fake fakes[FORWARDER_KINDS];
static struct publish_listener *listening;
static struct event_base *base;
static struct model *model;
static struct counters *counters;
static char directory[] = "/tmp/shunt-counters-XXXXXX";

static bool fake_worker(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *worker)
{
	const struct fake *fake = (const struct fake *)forwarder;

	if (index >= WORKERS)
		return false;
	*worker = (struct forwarder_worker){ .core = index,
		.received = &fake->workers[index].received,
		.counter = fake->workers[index].counter,
		.vip = fake->workers[index].vip,
		.backend = fake->workers[index].backend,
		.handshakes = fake->workers[index].handshakes,
		.guard = fake->workers[index].guard,
		.n_ids = STATS_IDS };
	return true;
}

static const struct forwarder_operations operations = { .worker = fake_worker };

void publish_listen(struct publisher *publisher, struct publish_listener *listener)
{
	listening = listener;
}

const struct forwarder *publish_forwarder(const struct publisher *publisher, enum forwarder_kind kind)
{
	return fakes[kind].forwarder.does ? &fakes[kind].forwarder : NULL;
}

const struct forwarder *publish_main(const struct publisher *publisher)
{
	const struct forwarder *xdp = publish_forwarder(publisher, FORWARDER_XDP);

	return xdp ? xdp : publish_forwarder(publisher, FORWARDER_DATAPLANE);
}

const struct stats_header *publish_stats(const struct publisher *publisher)
{
	const struct forwarder *f = publish_main(publisher);

	return f ? f->stats : NULL;
}

struct forwarder_flows publish_flows(const struct publisher *publisher)
{
	return (struct forwarder_flows){ .header = NULL };
}

const void *publish_snapshot(const struct publisher *publisher)
{
	return NULL;
}

bool publish_alive(const struct publisher *publisher)
{
	return publish_stats(publisher) != NULL;
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

static void count_in(enum forwarder_kind kind, uint16_t id, unsigned int worker, uint64_t packets)
{
	struct stats_worker *w = &fakes[kind].workers[worker];

	w->backend[id].packets += packets;
	w->backend[id].bytes += packets * 64;
	w->received += packets;
	w->counter[COUNTER_FORWARDED] += packets;
}

static void count(uint16_t id, unsigned int worker, uint64_t packets)
{
	count_in(FORWARDER_DATAPLANE, id, worker, packets);
}

/* A segment that begins at zero; nobody is told. */
static void make_segment(enum forwarder_kind kind, uint64_t started_ns)
{
	struct fake *fake = &fakes[kind];

	fake->stats = calloc(1, sizeof(*fake->stats));
	fake->workers = calloc(WORKERS, sizeof(*fake->workers));
	if (!fake->stats || !fake->workers)
		abort();
	fake->forwarder = (struct forwarder){ .does = &operations, .kind = kind,
		.segment = { .started_ns = started_ns, .pid = 7 } };
}

static void come_up(enum forwarder_kind kind)
{
	fakes[kind].forwarder.up = true;
	fakes[kind].forwarder.stats = fakes[kind].stats;
	listening->connected(listening->context, &fakes[kind].forwarder);
}

/* The connection is lost, the segment is not. */
static void go_down(enum forwarder_kind kind)
{
	fakes[kind].forwarder.up = false;
	if (listening)
		listening->disconnected(listening->context, &fakes[kind].forwarder);
	fakes[kind].forwarder.stats = NULL;
}

static void connect_forwarder(enum forwarder_kind kind, uint64_t started_ns)
{
	make_segment(kind, started_ns);
	come_up(kind);
}

static void disconnect_forwarder(enum forwarder_kind kind)
{
	go_down(kind);
	free(fakes[kind].stats);
	free(fakes[kind].workers);
	fakes[kind].stats = NULL;
}

static void connect_dataplane(uint64_t started_ns)
{
	connect_forwarder(FORWARDER_DATAPLANE, started_ns);
}

static void disconnect_dataplane(void)
{
	disconnect_forwarder(FORWARDER_DATAPLANE);
}

/* saved: packets of the first backend in the state file. */
static void start_shuntd(uint64_t saved)
{
	struct error error;

	model = model_new();
	model_pool_add(model,
		&(struct config_pool){ .name = "web", .check = { .given = true, .type = CHECK_NONE } }, &error);
	model_backend_add(model, "web", unit_addr("10.0.0.11"), 100, NULL, &error);
	model_backend_add(model, "web", unit_addr("10.0.0.12"), 100, NULL, &error);
	model_vip_add(model, unit_addr("192.0.2.80"), IPPROTO_TCP, 80, "web", &error);
	backend_traffic("10.0.0.11")->packets = saved;
	counters = counters_open(base, model, NULL, directory);
	CU_ASSERT_PTR_NOT_NULL_FATAL(counters);
}

/* As if killed: forwarders go on. */
static void stop_shuntd(void)
{
	listening = NULL;
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		fakes[kind].forwarder.up = false;
		fakes[kind].forwarder.stats = NULL;
	}
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
	start_shuntd(0);
}

static void end(void)
{
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		if (fakes[kind].stats)
			disconnect_forwarder((enum forwarder_kind)kind);
		fakes[kind].forwarder.does = NULL;
	}
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
static void count_handshakes(uint16_t id, unsigned int worker, uint64_t asked, uint64_t completed, uint64_t repeated)
{
	struct stats_handshakes *h = &fakes[FORWARDER_DATAPLANE].workers[worker].handshakes[id];

	h->asked += asked;
	h->completed += completed;
	h->repeated += repeated;
}

/* Handshakes are totals as packets are: over workers, segments and restarts. */
static void handshakes_are_totals(void)
{
	const struct traffic *t;
	uint16_t id;

	begin();
	connect_dataplane(100);
	id = backend_id("10.0.0.11");
	count_handshakes(id, 0, 10, 8, 1);
	count_handshakes(id, 1, 5, 5, 0);
	counters_refresh(counters);
	t = backend_traffic("10.0.0.11");
	CU_ASSERT(t->syns == 15 && t->handshakes == 13 && t->syn_repeats == 1);
	disconnect_dataplane();
	connect_dataplane(200);
	count_handshakes(id, 1, 1, 1, 1);
	counters_refresh(counters);
	CU_ASSERT(t->syns == 16 && t->handshakes == 14 && t->syn_repeats == 2);
	/* shuntd is killed, and its state file has lost them; the segment goes on. */
	stop_shuntd();
	start_shuntd(0);
	come_up(FORWARDER_DATAPLANE);
	counters_refresh(counters);
	t = backend_traffic("10.0.0.11");
	CU_ASSERT(t->syns == 16 && t->handshakes == 14 && t->syn_repeats == 2);
	t = backend_traffic("10.0.0.12");
	CU_ASSERT(t->syns == 0 && t->handshakes == 0 && t->syn_repeats == 0);
	end();
}

/* What VIPs' guards count likewise; what is half-open is of now, and by the bits of the id that a flow has. */
static void guards_are_totals(void)
{
	const struct vip *vip;
	struct stats_guard *guard;

	begin();
	connect_dataplane(100);
	vip = model_vips(model);
	guard = fakes[FORWARDER_DATAPLANE].workers[0].guard;
	guard[vip->id] = (struct stats_guard){ 1000, 900, 50, 64, 5, 4, 3, 2 };
	fakes[FORWARDER_DATAPLANE].workers[1].guard[vip->id].untracked = 10;
	fakes[FORWARDER_DATAPLANE].stats->half_open[vip->id & FLOW_VIP_MASK] = 77;
	counters_refresh(counters);
	CU_ASSERT(vip->traffic.elsewhere == 64 && vip->traffic.untracked == 15 && vip->traffic.refused == 4 &&
		vip->traffic.limited == 3 && vip->traffic.over_bound == 2 && vip->half_open == 77);
	disconnect_dataplane();
	connect_dataplane(200);
	fakes[FORWARDER_DATAPLANE].workers[1].guard[vip->id].refused = 1;
	counters_refresh(counters);
	CU_ASSERT(vip->traffic.refused == 5 && vip->traffic.over_bound == 2 && vip->half_open == 0);
	/* shuntd is killed, and its state file has lost them; the segment goes on. */
	stop_shuntd();
	start_shuntd(0);
	come_up(FORWARDER_DATAPLANE);
	counters_refresh(counters);
	vip = model_vips(model);
	CU_ASSERT(vip->traffic.elsewhere == 64 && vip->traffic.untracked == 15 && vip->traffic.refused == 5 &&
		vip->traffic.limited == 3 && vip->traffic.over_bound == 2);
	end();
}

static void totals_outlive_the_dataplane(void)
{
	begin();
	connect_dataplane(1);
	count(backend_id("10.0.0.11"), 0, 5);
	counters_refresh(counters);
	disconnect_dataplane();
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 5);

	make_segment(FORWARDER_DATAPLANE, 2);
	count(backend_id("10.0.0.11"), 1, 2);
	come_up(FORWARDER_DATAPLANE);
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
	go_down(FORWARDER_DATAPLANE);
	count(backend_id("10.0.0.11"), 0, 5);
	come_up(FORWARDER_DATAPLANE);
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
	start_shuntd(60); /* as saved half a minute before */
	come_up(FORWARDER_DATAPLANE);
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
	start_shuntd(4);
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

/* What either counts, over restarts of each by itself. */
static void two_forwarders(void)
{
	uint16_t id;

	begin();
	id = backend_id("10.0.0.11");
	connect_forwarder(FORWARDER_XDP, 1);
	count_in(FORWARDER_XDP, id, 0, 3);
	connect_dataplane(2);
	count(id, 1, 10);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 13);
	CU_ASSERT_EQUAL(counters_received(counters), 13);
	/* It is killed; the other takes over at once, and counts beside the next one. */
	count(id, 1, 7);
	disconnect_dataplane();
	count_in(FORWARDER_XDP, id, 1, 100);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 120);
	connect_dataplane(3);
	count(id, 0, 1000);
	count_in(FORWARDER_XDP, id, 1, 30);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 1150);
	CU_ASSERT_EQUAL(counters_received(counters), 1150);
	CU_ASSERT_EQUAL(counters_total(counters, COUNTER_FORWARDED), 1150);

	/* shuntd is killed: both go on and are met one after the other. */
	stop_shuntd();
	count(id, 0, 2);
	count_in(FORWARDER_XDP, id, 0, 4);
	start_shuntd(900);
	come_up(FORWARDER_XDP);
	come_up(FORWARDER_DATAPLANE);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 1156);

	/* Again, and once more before the second was met. */
	stop_shuntd();
	start_shuntd(900);
	come_up(FORWARDER_XDP);
	count_in(FORWARDER_XDP, id, 0, 8);
	counters_refresh(counters);
	stop_shuntd();
	start_shuntd(900);
	come_up(FORWARDER_XDP);
	come_up(FORWARDER_DATAPLANE);
	count(id, 0, 16);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 1180);

	/* The dataplane is another when shuntd comes back: its last figures are the state file's, the rest is exact. */
	stop_shuntd();
	free(fakes[FORWARDER_DATAPLANE].stats);
	free(fakes[FORWARDER_DATAPLANE].workers);
	count_in(FORWARDER_XDP, id, 0, 5);
	start_shuntd(1180);
	come_up(FORWARDER_XDP);
	connect_dataplane(4);
	count(id, 0, 3);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 1183);
	count_in(FORWARDER_XDP, id, 0, 5);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 1188);
	end();
}

/* From DPDK to XDP: what the dataplane counted is the state file's from then on. */
static void another_path(void)
{
	uint16_t id;

	begin();
	id = backend_id("10.0.0.11");
	connect_dataplane(1);
	count(id, 0, 50);
	counters_refresh(counters);
	stop_shuntd();
	free(fakes[FORWARDER_DATAPLANE].stats);
	free(fakes[FORWARDER_DATAPLANE].workers);
	fakes[FORWARDER_DATAPLANE].stats = NULL;
	fakes[FORWARDER_DATAPLANE].forwarder.does = NULL;
	start_shuntd(50);
	connect_forwarder(FORWARDER_XDP, 2);
	count_in(FORWARDER_XDP, id, 0, 7);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 57);
	/* Killed, with a state file that is older. */
	stop_shuntd();
	start_shuntd(50);
	come_up(FORWARDER_XDP);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 57);
	end();
}

/* A shuntd from before there were two forwarders wrote another file. */
static void a_file_of_before(void)
{
	char path[100];
	uint16_t id;
	FILE *file;

	begin();
	id = backend_id("10.0.0.11");
	connect_dataplane(9);
	count(id, 0, 30);
	stop_shuntd();
	snprintf(path, sizeof(path), "%s/traffic.json", directory);
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fprintf(file, "{\"segment\":{\"pid\":7,\"started_ns\":9},\"vips\":{},\"backends\":{\"%u\":[100,6400,0]}}", id);
	fclose(file);
	start_shuntd(110);
	come_up(FORWARDER_DATAPLANE);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 130);
	end();
}

/* One that counts nothing yet, as XDP before it is attached for the first time, and then begins. */
static void a_segment_to_come(void)
{
	begin();
	connect_forwarder(FORWARDER_XDP, 0);
	counters_refresh(counters);
	fakes[FORWARDER_XDP].forwarder.segment.started_ns = 5;
	come_up(FORWARDER_XDP);
	count_in(FORWARDER_XDP, backend_id("10.0.0.11"), 0, 6);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 6);
	stop_shuntd();
	start_shuntd(2);
	come_up(FORWARDER_XDP);
	counters_refresh(counters);
	CU_ASSERT_EQUAL(backend_traffic("10.0.0.11")->packets, 6);
	end();
}

/* A sweep that ended before a drain, or before the forwarder was met, says nothing of what came after it. */
static void sweeps_of_before_do_not_count(void)
{
	struct drain_wish wish = { .force = true };
	struct error error;
	struct backend *b;

	begin();
	make_segment(FORWARDER_DATAPLANE, 1);
	fakes[FORWARDER_DATAPLANE].stats->sweep_ns = 5000000000;
	come_up(FORWARDER_DATAPLANE);
	b = model_backend_find(model_pool_find(model, "web"), unit_addr("10.0.0.11"));
	counters_catch_up(counters);
	CU_ASSERT_EQUAL(b->sweeps, 0);
	fakes[FORWARDER_DATAPLANE].stats->sweep_ns = 6000000000;
	counters_catch_up(counters);
	CU_ASSERT_EQUAL(model_drain(model, "web", b->address, &wish, &error), 0);
	counters_catch_up(counters);
	CU_ASSERT_EQUAL(b->sweeps, 0);
	fakes[FORWARDER_DATAPLANE].stats->sweep_ns = 7000000000;
	counters_catch_up(counters);
	CU_ASSERT_FALSE(b->drain.over);
	fakes[FORWARDER_DATAPLANE].stats->sweep_ns = 8000000000;
	counters_catch_up(counters);
	CU_ASSERT_TRUE(b->drain.over);
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
		{ "handshakes are totals", handshakes_are_totals },
		{ "guards are totals", guards_are_totals },
		{ "totals outlive the dataplane", totals_outlive_the_dataplane },
		{ "the same segment goes on", the_same_segment_goes_on },
		{ "totals outlive shuntd", totals_outlive_shuntd },
		{ "both were restarted", both_were_restarted },
		{ "ids are used again", ids_are_used_again },
		{ "two forwarders", two_forwarders },
		{ "a segment to come", a_segment_to_come },
		{ "another path", another_path },
		{ "a file of before", a_file_of_before },
		{ "sweeps of before do not count", sweeps_of_before_do_not_count },
		{ "the list is named", the_list_is_named },
		{ NULL, NULL },
	};
	int status = unit_run("counters", tests);

	clean_up();
	return status;
}
