/* SPDX-License-Identifier: BSD-3-Clause */
/* events, rpc_events: the ring and its overflow, sequence numbers, filters, and clients that wait. */
#include "events.h"

#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "log.h"
#include "rpc_daemon.h"
#include "rpc_request.h"
#include "unit.h"

#define REQUEST(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":" params "}"

static struct daemon *serving;
static struct backend *web11, *web12, *dns11;

static void open_ring(void)
{
	CU_ASSERT_EQUAL_FATAL(events_open(serving->base), 0);
}

static void tell(unsigned int n, const struct backend *backend)
{
	for (unsigned int i = 0; i < n; i++)
		event_tell(EVENT_BACKEND_DOWN, NULL, backend, "failure %u", i);
}

static void without_a_ring_nothing_is_kept(void)
{
	tell(3, web11);
	CU_ASSERT_EQUAL(events_last(), 0);
	CU_ASSERT_PTR_NULL(events_get(1));
	CU_ASSERT_STRING_EQUAL(events_run(), "");
}

static void entries_say_what_was_told(void)
{
	const struct event_entry *entry;

	open_ring();
	CU_ASSERT_EQUAL(events_first(), 1);
	event_tell(EVENT_BACKEND_DOWN, NULL, web11, "3 failures in a row: %s", "a\nb\x1b\x7f");
	event_tell(EVENT_POOL_PANIC, web11->pool, NULL, "%d of %d", 1, 3);
	event_tell(EVENT_RELOAD, NULL, NULL, "%s", "");
	event_tell(EVENT_BACKEND_UP, NULL, dns11, "latin: \xe9");
	entry = events_get(1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	CU_ASSERT_EQUAL(entry->sequence, 1);
	CU_ASSERT_EQUAL(entry->kind, EVENT_BACKEND_DOWN);
	CU_ASSERT_TRUE(entry->time_ms > 1600000000000);
	CU_ASSERT_STRING_EQUAL(entry->pool, "web");
	CU_ASSERT_STRING_EQUAL(entry->backend, "10.0.0.11");
	CU_ASSERT_STRING_EQUAL(entry->text, "3 failures in a row: a?b??");
	CU_ASSERT_STRING_EQUAL(events_get(2)->backend, "");
	CU_ASSERT_STRING_EQUAL(events_get(2)->pool, "web");
	CU_ASSERT_STRING_EQUAL(events_get(2)->text, "1 of 3");
	CU_ASSERT_STRING_EQUAL(events_get(3)->pool, "");
	CU_ASSERT_STRING_EQUAL(events_get(3)->text, "");
	CU_ASSERT_STRING_EQUAL(events_get(4)->backend, "2001:db8:a::11");
	CU_ASSERT_STRING_EQUAL(events_get(4)->text, "latin: ?");
	CU_ASSERT_EQUAL(events_count(EVENT_BACKEND_DOWN), 1);
	CU_ASSERT_EQUAL(events_count(EVENT_DISABLED), 0);
	events_close();
	CU_ASSERT_EQUAL(events_last(), 0);
}

static void a_long_text_is_cut(void)
{
	char text[2 * EVENT_TEXT];

	open_ring();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	event_tell(EVENT_BACKEND_DOWN, NULL, web11, "%s", text);
	CU_ASSERT_EQUAL(strlen(events_get(1)->text), EVENT_TEXT - 1);
	events_close();
}

static void the_oldest_give_way(void)
{
	open_ring();
	tell(EVENT_RING, web11);
	CU_ASSERT_EQUAL(events_first(), 1);
	tell(10, web12);
	CU_ASSERT_EQUAL(events_last(), EVENT_RING + 10);
	CU_ASSERT_EQUAL(events_first(), 11);
	CU_ASSERT_PTR_NULL(events_get(10));
	CU_ASSERT_PTR_NULL(events_get(EVENT_RING + 11));
	for (uint64_t i = events_first(); i <= events_last(); i++)
		CU_ASSERT_EQUAL(events_get(i)->sequence, i);
	CU_ASSERT_STRING_EQUAL(events_get(11)->backend, "10.0.0.11");
	CU_ASSERT_STRING_EQUAL(events_get(EVENT_RING + 1)->backend, "10.0.0.12");
	events_close();
}

static void kinds_have_names(void)
{
	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		CU_ASSERT_EQUAL(event_kind_from_name(event_kind_infos[kind].name), kind);
		CU_ASSERT_TRUE(event_kind_infos[kind].help[0] != '\0');
	}
	CU_ASSERT_TRUE(event_kind_from_name("backend_sideways") < 0);
}

static void note_told(void *context)
{
	++*(unsigned int *)context;
}

static void listeners_are_told_once_a_turn(void)
{
	unsigned int told = 0, other = 0;
	struct events_listener first = { .context = &told, .told = note_told };
	struct events_listener second = { .context = &other, .told = note_told };

	open_ring();
	events_listen(&first);
	events_listen(&second);
	tell(5, web11);
	CU_ASSERT_EQUAL(told, 0);
	rpc_daemon_turn(serving);
	CU_ASSERT_EQUAL(told, 1);
	events_unlisten(&second);
	tell(1, web11);
	rpc_daemon_turn(serving);
	CU_ASSERT_EQUAL(told, 2);
	CU_ASSERT_EQUAL(other, 1);
	events_unlisten(&first);
	events_close();
}

/* A client: its reply, or NULL while it waits. */
struct asking {
	struct rpc_request *request;
	json_t *reply;
};

static void take(void *context, json_t *reply)
{
	struct asking *asking = context;

	asking->request = NULL;
	asking->reply = reply;
}

static void ask(struct asking *asking, const char *line)
{
	asking->reply = NULL;
	asking->request = rpc_request_begin(serving, false, line, strlen(line), take, asking);
}

/* The result; ends the asking. */
static json_t *result_of(struct asking *asking)
{
	json_t *result = json_incref(json_object_get(asking->reply, "result"));

	CU_ASSERT_PTR_NOT_NULL_FATAL(result);
	json_decref(asking->reply);
	asking->reply = NULL;
	return result;
}

static json_t *get(const char *line)
{
	struct asking asking;

	ask(&asking, line);
	return result_of(&asking);
}

static uint64_t sequence_at(const json_t *result, size_t index)
{
	return (uint64_t)json_integer_value(
		json_object_get(json_array_get(json_object_get(result, "events"), index), "sequence"));
}

/* How many events, from which to which, and where it goes on. */
static void expect(const char *line, size_t n, uint64_t first, uint64_t last, uint64_t next, bool lost)
{
	json_t *result = get(line);

	if (json_array_size(json_object_get(result, "events")) != n)
		unit_note("%s: %zu events", line, json_array_size(json_object_get(result, "events")));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "events")), n);
	CU_ASSERT_TRUE(n == 0 || sequence_at(result, 0) == first);
	CU_ASSERT_TRUE(n == 0 || sequence_at(result, n - 1) == last);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "next")), (json_int_t)next);
	CU_ASSERT_EQUAL(json_is_true(json_object_get(result, "lost")), lost);
	json_decref(result);
}

static void the_newest_are_shown(void)
{
	json_t *result, *event;

	open_ring();
	expect(REQUEST("{}"), 0, 0, 0, 0, false);
	tell(4, web11); /* 1 to 4 */
	tell(3, dns11); /* 5 to 7 */
	tell(2, web12); /* 8, 9 */
	event_tell(EVENT_RELOAD, NULL, NULL, "nothing has changed");
	expect(REQUEST("{}"), 10, 1, 10, 10, false);
	expect(REQUEST("{\"limit\":3}"), 3, 8, 10, 10, false);
	expect(REQUEST("{\"limit\":0}"), 0, 0, 0, 10, false);
	expect(REQUEST("{\"pool\":\"web\"}"), 6, 1, 9, 10, false);
	expect(REQUEST("{\"pool\":\"web\",\"limit\":3}"), 3, 4, 9, 10, false);
	expect(REQUEST("{\"pool\":\"none\"}"), 0, 0, 0, 10, false);
	expect(REQUEST("{\"backend\":\"10.0.0.12\"}"), 2, 8, 9, 10, false);
	expect(REQUEST("{\"backend\":\"2001:DB8:a:0::11\",\"pool\":\"dns\"}"), 3, 5, 7, 10, false);
	expect(REQUEST("{\"backend\":\"10.0.0.12\",\"pool\":\"dns\"}"), 0, 0, 0, 10, false);
	result = get(REQUEST("{\"limit\":2}"));
	event = json_array_get(json_object_get(result, "events"), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(event, "kind")), "backend_down");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(event, "priority")), "warning");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(event, "pool")), "web");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(event, "backend")), "10.0.0.12");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(event, "text")), "failure 1");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(event, "message")), "backend web 10.0.0.12: down: failure 1");
	CU_ASSERT_EQUAL(
		strlen(json_string_value(json_object_get(event, "time"))), strlen("2026-11-21T17:10:57.123Z"));
	event = json_array_get(json_object_get(result, "events"), 1);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(event, "message")), "reload: nothing has changed");
	CU_ASSERT_TRUE(json_is_null(json_object_get(event, "pool")));
	CU_ASSERT_TRUE(json_is_null(json_object_get(event, "backend")));
	json_decref(result);
	events_close();
}

static void one_goes_on_where_one_was(void)
{
	char line[200];

	open_ring();
	tell(6, web11);
	expect(REQUEST("{\"after\":0}"), 6, 1, 6, 6, false);
	expect(REQUEST("{\"after\":0,\"limit\":2}"), 2, 1, 2, 2, false);
	expect(REQUEST("{\"after\":2,\"limit\":2}"), 2, 3, 4, 4, false);
	expect(REQUEST("{\"after\":6}"), 0, 0, 0, 6, false);
	/* Of another run: all there are, and that some are missing. */
	expect(REQUEST("{\"after\":7}"), 6, 1, 6, 6, true);
	expect(REQUEST("{\"after\":2,\"run\":\"other\"}"), 6, 1, 6, 6, true);
	expect(REQUEST("{\"after\":2,\"run\":\"other\",\"wait\":true}"), 6, 1, 6, 6, true);
	snprintf(line, sizeof(line), REQUEST("{\"after\":2,\"run\":\"%s\"}"), events_run());
	expect(line, 4, 3, 6, 6, false);
	tell(EVENT_RING, web12); /* 7 to EVENT_RING + 6 */
	expect(REQUEST("{\"after\":6,\"limit\":1}"), 1, 7, 7, 7, false);
	expect(REQUEST("{\"after\":5,\"limit\":1}"), 1, 7, 7, 7, true);
	events_close();
}

static void who_waits_is_told(void)
{
	struct asking any, dns, late;
	json_t *result;

	open_ring();
	tell(2, web11);
	ask(&any, REQUEST("{\"wait\":true}"));
	ask(&dns, REQUEST("{\"wait\":true,\"after\":0,\"pool\":\"dns\"}"));
	ask(&late, REQUEST("{\"wait\":true,\"after\":0}"));
	CU_ASSERT_PTR_NOT_NULL(any.request);
	CU_ASSERT_PTR_NOT_NULL(dns.request);
	CU_ASSERT_PTR_NULL(late.request); /* there is something */
	json_decref(result_of(&late));
	tell(1, web12);
	rpc_daemon_turn(serving);
	CU_ASSERT_PTR_NULL_FATAL(any.request);
	CU_ASSERT_PTR_NOT_NULL(dns.request);
	result = result_of(&any);
	CU_ASSERT_EQUAL(sequence_at(result, 0), 3);
	json_decref(result);
	tell(1, dns11);
	rpc_daemon_turn(serving);
	CU_ASSERT_PTR_NULL_FATAL(dns.request);
	result = result_of(&dns);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "events")), 1);
	CU_ASSERT_EQUAL(sequence_at(result, 0), 4);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "next")), 4);
	json_decref(result);
	events_close();
}

/* More in one turn than the ring holds. */
static void who_waits_hears_of_a_loss(void)
{
	struct asking asking;
	json_t *result;

	open_ring();
	ask(&asking, REQUEST("{\"wait\":true,\"limit\":5}"));
	tell(EVENT_RING + 7, web11);
	rpc_daemon_turn(serving);
	CU_ASSERT_PTR_NULL_FATAL(asking.request);
	result = result_of(&asking);
	CU_ASSERT_TRUE(json_is_true(json_object_get(result, "lost")));
	CU_ASSERT_EQUAL(sequence_at(result, 0), 8);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "next")), 12);
	json_decref(result);
	events_close();
}

static void waiters_are_bounded_and_may_leave(void)
{
	static struct asking asking[300];
	size_t waiting = 0, n = sizeof(asking) / sizeof(*asking);

	open_ring();
	for (size_t i = 0; i < n; i++) {
		ask(&asking[i], REQUEST("{\"wait\":true}"));
		waiting += asking[i].request != NULL;
	}
	CU_ASSERT_EQUAL(waiting, 256);
	CU_ASSERT_PTR_NOT_NULL(json_object_get(asking[n - 1].reply, "error"));
	for (size_t i = waiting; i < n; i++)
		json_decref(asking[i].reply);
	/* One leaves, another may come. */
	rpc_request_cancel(asking[0].request);
	ask(&asking[0], REQUEST("{\"wait\":true}"));
	CU_ASSERT_PTR_NOT_NULL(asking[0].request);
	tell(1, web11);
	rpc_daemon_turn(serving);
	for (size_t i = 0; i < waiting; i++) {
		CU_ASSERT_PTR_NULL(asking[i].request);
		json_decref(asking[i].reply);
	}
	for (size_t i = 0; i < 3; i++)
		ask(&asking[i], REQUEST("{\"wait\":true}"));
	for (size_t i = 0; i < 3; i++)
		rpc_request_cancel(asking[i].request);
	tell(1, web11);
	rpc_daemon_turn(serving);
	events_close();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "without a ring nothing is kept", without_a_ring_nothing_is_kept },
		{ "entries say what was told", entries_say_what_was_told },
		{ "a long text is cut", a_long_text_is_cut },
		{ "the oldest give way", the_oldest_give_way },
		{ "kinds have names", kinds_have_names },
		{ "listeners are told once a turn", listeners_are_told_once_a_turn },
		{ "the newest are shown", the_newest_are_shown },
		{ "one goes on where one was", one_goes_on_where_one_was },
		{ "who waits is told", who_waits_is_told },
		{ "who waits hears of a loss", who_waits_hears_of_a_loss },
		{ "waiters are bounded and may leave", waiters_are_bounded_and_may_leave },
		{ NULL, NULL },
	};
	int status;

	serving = rpc_daemon_new();
	rpc_daemon_turn(serving); /* that there is no forwarder it tells now */
	web11 = control_backend(serving->model, "web", "10.0.0.11");
	web12 = control_backend(serving->model, "web", "10.0.0.12");
	dns11 = control_backend(serving->model, "dns", "2001:db8:a::11");
	status = unit_run("events", tests);
	rpc_daemon_free(serving);
	return status;
}
