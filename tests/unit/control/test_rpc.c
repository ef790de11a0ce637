/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_connection, rpc_request, rpc_methods: bytes into a connection, replies out of it. */
#include "rpc_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc_daemon.h"
#include "rpc_method.h"
#include "unit.h"

static struct daemon *serving;

/* A client: the other end of a connection. */
struct client {
	int fd;
	struct rpc_connection *connection; /* NULL: closed by itself */
	char buffer[1 << 16];
	size_t size;
};

static struct client client;

static void note_closed(void *context, struct rpc_connection *connection)
{
	((struct client *)context)->connection = NULL;
}

static void let_in(bool may_change)
{
	int pair[2];

	client.size = 0;
	if (!serving)
		serving = rpc_daemon_new();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || fcntl(pair[1], F_SETFL, O_NONBLOCK) < 0)
		abort();
	client.fd = pair[1];
	client.connection = rpc_connection_new(serving, pair[0], may_change, note_closed, &client);
	CU_ASSERT_PTR_NOT_NULL_FATAL(client.connection);
}

static void leave(void)
{
	if (client.connection)
		rpc_connection_free(client.connection);
	client.connection = NULL;
	close(client.fd);
}

static void put(const char *text)
{
	CU_ASSERT_EQUAL(write(client.fd, text, strlen(text)), (ssize_t)strlen(text));
	rpc_daemon_turn(serving);
}

/* The next line that came, as JSON: the caller's; NULL: none. */
static json_t *get(void)
{
	char *end;
	json_t *reply;
	ssize_t more;

	while ((more = read(client.fd, client.buffer + client.size, sizeof(client.buffer) - client.size)) > 0)
		client.size += (size_t)more;
	end = memchr(client.buffer, '\n', client.size);
	if (!end)
		return NULL;
	reply = json_loadb(client.buffer, (size_t)(end - client.buffer), 0, NULL);
	CU_ASSERT_PTR_NOT_NULL(reply);
	client.size -= (size_t)(end + 1 - client.buffer);
	memmove(client.buffer, end + 1, client.size);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(reply, "jsonrpc")), "2.0");
	return reply;
}

/* Send a line and expect an error of this code; words in its message, or NULL. */
static void expect_error(const char *line, int code, const char *words)
{
	json_t *reply, *error;
	const char *message;

	put(line);
	put("\n");
	reply = get();
	error = json_object_get(reply, "error");
	message = json_string_value(json_object_get(error, "message"));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(error, "code")), code);
	CU_ASSERT_PTR_NOT_NULL(message);
	if (words && (!message || !strstr(message, words))) {
		unit_note("%s: \"%s\" lacks \"%s\"", line, message ? message : "no message", words);
		CU_FAIL("message");
	}
	json_decref(reply);
}

static json_t *expect_result(const char *line)
{
	json_t *reply, *result;

	put(line);
	put("\n");
	reply = get();
	result = json_incref(json_object_get(reply, "result"));
	if (!result)
		unit_note("%s: no result", line);
	CU_ASSERT_PTR_NOT_NULL(result);
	json_decref(reply);
	return result;
}

static void what_is_no_request(void)
{
	let_in(true);
	expect_error("nonsense", RPC_PARSE_ERROR, "not JSON");
	expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"", RPC_PARSE_ERROR, NULL);
	expect_error("\xff\xfe", RPC_PARSE_ERROR, NULL);
	expect_error("{\"id\":1,\"id\":2}", RPC_PARSE_ERROR, "duplicate");
	expect_error("17", RPC_INVALID_REQUEST, "object");
	expect_error("[]", RPC_INVALID_REQUEST, "batches");
	expect_error("{}", RPC_INVALID_REQUEST, "method");
	expect_error("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}", RPC_INVALID_REQUEST, "2.0");
	expect_error("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}", RPC_INVALID_REQUEST, "id");
	expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", RPC_INVALID_REQUEST, "method");
	put("\n  \r\n\n");
	CU_ASSERT_PTR_NULL(get());
	CU_ASSERT_PTR_NOT_NULL(client.connection);
	leave();
}

static void params_are_checked(void)
{
	let_in(true);
#define REQUEST(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"
	expect_error(REQUEST("statos", "{}"), RPC_METHOD_NOT_FOUND, "status");
	expect_error(REQUEST("show", "[]"), RPC_INVALID_PARAMS, "object");
	expect_error(REQUEST("show", "{\"wat\":\"vips\"}"), RPC_INVALID_PARAMS, "what");
	expect_error(REQUEST("show", "{\"what\":\"vip\"}"), RPC_INVALID_PARAMS, "vips|pools|backends");
	expect_error(REQUEST("show", "{\"what\":\"vips|pools\"}"), RPC_INVALID_PARAMS, "one of");
	expect_error(REQUEST("show", "{\"rate\":1}"), RPC_INVALID_PARAMS, "true or false");
	expect_error(REQUEST("backend.add", "{\"pool\":\"web\"}"), RPC_INVALID_PARAMS, "address");
	expect_error(REQUEST("backend.add", "{\"pool\":\"web\",\"address\":\"10.0.0\"}"), RPC_INVALID_PARAMS, "address");
	expect_error(REQUEST("backend.set", "{\"pool\":\"web\",\"address\":\"10.0.0.11\",\"weight\":65536}"),
		RPC_INVALID_PARAMS, "65535");
	expect_error(REQUEST("backend.set", "{\"pool\":\"web\",\"address\":\"10.0.0.11\",\"weight\":1.5}"),
		RPC_INVALID_PARAMS, "whole");
	expect_error(REQUEST("backend.add", "{\"pool\":\"web\",\"address\":\"10.0.0.13\",\"mac\":\"1:2\"}"),
		RPC_INVALID_PARAMS, "MAC");
	expect_error(REQUEST("vip.add", "{\"vip\":\"192.0.2.80\",\"pool\":\"web\"}"), RPC_INVALID_PARAMS, "VIP");
	expect_error(
		REQUEST("pool.add", "{\"pool\":\"p\",\"check\":{\"type\":\"htpp\"}}"), RPC_INVALID_PARAMS, "htpp");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"check\":{\"path\":\"/\"}}"), RPC_INVALID_PARAMS,
		"check.path: is for http and https checks; this one is tcp");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"check\":{\"type\":\"exec\",\"command\":[\"/x\",1]}}"),
		RPC_INVALID_PARAMS, "check.command: must be an array of strings");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"check\":{\"type\":\"https\",\"verify\":0}}"),
		RPC_INVALID_PARAMS, "check.verify: must be true or false");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"panic\":101}"), RPC_INVALID_PARAMS, "0 to 100");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"slow_start\":\"3\"}"), RPC_INVALID_PARAMS,
		"slow_start: \"3\" is not a time");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"fallback\":\"a b\"}"), RPC_INVALID_PARAMS,
		"fallback: \"a b\"");
	expect_error(REQUEST("explain", "{\"source\":\"[2001:db8::1]:1\",\"vip\":\"192.0.2.80:80/tcp\"}"),
		RPC_INVALID_PARAMS, "family");
	expect_error(REQUEST("check", "{\"file\":\"shunt.conf\"}"), RPC_INVALID_PARAMS, "absolute");
	leave();
}

static void refusals_say_why(void)
{
	let_in(true);
	expect_error(REQUEST("vip.add", "{\"vip\":\"192.0.2.80:80/tcp\",\"pool\":\"web\"}"), RPC_REFUSED, "192.0.2.80");
	expect_error(REQUEST("vip.add", "{\"vip\":\"192.0.2.81:80/tcp\",\"pool\":\"wob\"}"), RPC_REFUSED, "wob");
	expect_error(REQUEST("pool.del", "{\"pool\":\"web\"}"), RPC_REFUSED, "web");
	expect_error(REQUEST("pool.add", "{\"pool\":\"p\",\"fallback\":\"wob\"}"), RPC_REFUSED, "wob");
	expect_error(REQUEST("drain", "{\"address\":\"10.0.0.99\"}"), RPC_REFUSED, "10.0.0.99");
	expect_error(REQUEST("check", "{\"file\":\"/dev/zero\"}"), RPC_REFUSED, "not a file");
	expect_error(REQUEST("check", "{\"file\":\"/nonexistent\"}"), RPC_REFUSED, "No such file");
	leave();
}

static void readers_do_not_change(void)
{
	json_t *result;

	let_in(false);
	for (const struct rpc_method *m = rpc_methods; m->name; m++) {
		char line[160];

		if (m->permission != RPC_CHANGE)
			continue;
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{}}", m->name);
		expect_error(line, RPC_FORBIDDEN, m->name);
	}
	result = expect_result(REQUEST("show", "{}"));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "vips")), 2);
	json_decref(result);
	leave();
}

static void show_is_as_agreed(void)
{
	json_t *result, *backend, *vip;
	const char *of_vip[] = { "half_open", "half_open_bound", "untracked", "over_bound", "elsewhere", "refused",
		"limited" };
	const char *keys[] = { "address", "weight", "state", "mac", "active_flows", "packets", "bytes",
		"new_flows", "healthy", "closing_flows", "check_error", "since_s", "packets_per_second", "syns",
		"handshakes", "syn_repeats", "suspect", "returning", "check_weight", "share", "drain" };

	let_in(false);
	result = expect_result(REQUEST("show", "{\"stats\":true,\"rate\":true}"));
	backend = json_array_get(
		json_object_get(json_array_get(json_object_get(result, "pools"), 1), "backends"), 0);
	for (size_t i = 0; i < UNIT_COUNT(keys); i++)
		if (!json_object_get(backend, keys[i]))
			unit_note("no \"%s\"", keys[i]);
	CU_ASSERT_EQUAL(json_object_size(backend), UNIT_COUNT(keys) + 2);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(backend, "address")), "10.0.0.11");
	CU_ASSERT(json_is_null(json_object_get(backend, "mac")));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(backend, "state")), "down");
	json_decref(result);
	result = expect_result(REQUEST("show", "{\"what\":\"vips\"}"));
	CU_ASSERT_PTR_NULL(json_object_get(result, "pools"));
	vip = json_array_get(json_object_get(result, "vips"), 0);
	for (size_t i = 0; i < UNIT_COUNT(of_vip); i++)
		CU_ASSERT(json_is_integer(json_object_get(vip, of_vip[i])));
	json_decref(result);
	leave();
}

static void counters_are_the_list(void)
{
	json_t *result;

	let_in(false);
	result = expect_result(REQUEST("counters", "{}"));
	CU_ASSERT_EQUAL(json_object_size(result), COUNTER_COUNT + 2);
	CU_ASSERT(json_is_integer(json_object_get(result, "drop_no_backend")));
	json_decref(result);
	result = expect_result(REQUEST("counters", "{\"help\":true}"));
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(result, "flow_hit"), "class")), "event");
	json_decref(result);
	leave();
}

/* What is sent in one go, in pieces, or without its end. */
static void lines_in_any_pieces(void)
{
	json_t *reply;

	let_in(false);
	put("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"help\"}\r\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"x\"}\n"
	    "{\"jsonrpc\":\"2.0\",\"method\":\"help\"}\n{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"help\"}\n{\"jsonr");
	reply = get();
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(reply, "id")), "a");
	json_decref(reply);
	reply = get();
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(reply, "id")), 2);
	json_decref(reply);
	reply = get(); /* nothing for the notification between */
	CU_ASSERT(json_is_null(json_object_get(reply, "id")));
	CU_ASSERT_PTR_NOT_NULL(json_object_get(reply, "result"));
	json_decref(reply);
	CU_ASSERT_PTR_NULL(get());
	put("pc\":\"2.0\",\"id\":3.5,\"method\":");
	CU_ASSERT_PTR_NULL(get());
	put("\"help\"}\n");
	reply = get();
	CU_ASSERT_EQUAL(json_real_value(json_object_get(reply, "id")), 3.5);
	json_decref(reply);
	leave();
}

/* A change is not answered before a forwarder has it; what comes behind it waits. */
static void changes_wait_in_order(void)
{
	let_in(true);
	put(REQUEST("backend.set", "{\"pool\":\"web\",\"address\":\"10.0.0.11\",\"weight\":7}") "\n" REQUEST("help",
		"{}") "\n");
	CU_ASSERT_PTR_NULL(get());
	CU_ASSERT_EQUAL(model_pools(serving->model)->next->backends->weight, 7);
	/* The client goes; nothing is left behind (the sanitizers look). */
	leave();
	rpc_daemon_turn(serving);
	rpc_daemon_reset(serving);
	CU_ASSERT_EQUAL(model_pools(serving->model)->next->backends->weight, 100);
}

static void whoever_stops_sending_is_answered(void)
{
	json_t *reply;

	let_in(false);
	put(REQUEST("help", "{}") "\n" REQUEST("show", "{}") "\n{\"half");
	CU_ASSERT_EQUAL(shutdown(client.fd, SHUT_WR), 0);
	rpc_daemon_turn(serving);
	for (int i = 0; i < 2; i++) {
		reply = get();
		CU_ASSERT_PTR_NOT_NULL(json_object_get(reply, "result"));
		json_decref(reply);
	}
	CU_ASSERT_PTR_NULL(get());
	CU_ASSERT_PTR_NULL(client.connection);
	leave();
}

/* It waits for events and closes: the wait is over, and the changes it sent behind it are made. */
static void whoever_hangs_up_is_not_waited_for(void)
{
	let_in(true);
	put(REQUEST("events", "{\"wait\":true}") "\n" REQUEST("disable", "{\"address\":\"10.0.0.12\"}") "\n"
		REQUEST("events", "{\"wait\":true}") "\n" REQUEST("disable", "{\"address\":\"10.0.0.11\"}") "\n");
	CU_ASSERT_PTR_NULL(get());
	CU_ASSERT_PTR_NOT_NULL(client.connection);
	CU_ASSERT_FALSE(model_pools(serving->model)->next->backends->disabled);
	close(client.fd);
	rpc_daemon_turn(serving);
	CU_ASSERT_PTR_NULL(client.connection);
	CU_ASSERT_TRUE(model_pools(serving->model)->next->backends->disabled);
	CU_ASSERT_TRUE(model_pools(serving->model)->next->backends->next->disabled);
	rpc_daemon_reset(serving);
}

/* Write as much of it as the connection takes; returns how much that was. */
static size_t push(const char *data, size_t size)
{
	size_t sent = 0;
	int stuck = 0;

	while (sent < size && stuck < 3) {
		ssize_t n = send(client.fd, data + sent, size - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		stuck = n < 0 ? stuck + 1 : 0;
		sent += n < 0 ? 0 : (size_t)n;
		rpc_daemon_turn(serving);
	}
	return sent;
}

static void lines_have_a_limit(void)
{
	size_t size = 10 << 20;
	char *line = malloc(size);
	json_t *reply;

	memset(line, 'x', size);
	let_in(false);
	line[RPC_LINE_LIMIT] = '\n';
	CU_ASSERT_EQUAL(push(line, RPC_LINE_LIMIT + 1), RPC_LINE_LIMIT + 1);
	reply = get();
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(reply, "error"), "code")), RPC_PARSE_ERROR);
	json_decref(reply);
	CU_ASSERT_PTR_NOT_NULL(client.connection);

	line[RPC_LINE_LIMIT] = 'x';
	CU_ASSERT(push(line, size) < 3 * RPC_LINE_LIMIT);
	reply = get();
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(reply, "error"), "code")),
		RPC_INVALID_REQUEST);
	json_decref(reply);
	CU_ASSERT_PTR_NULL(client.connection);
	leave();
	free(line);
}

/* A client that reads nothing is worked for no further, and loses nothing if it reads later. */
static void whoever_does_not_read_waits(void)
{
	static const char line[] = REQUEST("none", "{}") "\n";
	size_t sent = 0, answered = 0, length = strlen(line), n = 1 << 15;
	char *lines = malloc(n * length);
	json_t *reply;

	for (size_t i = 0; i < n; i++)
		memcpy(lines + i * length, line, length);
	let_in(false);
	sent = push(lines, n * length);
	CU_ASSERT(sent < n * length);
	for (int idle = 0; idle < 3;) {
		while ((reply = get())) {
			answered++;
			idle = 0;
			json_decref(reply);
		}
		idle++;
		rpc_daemon_turn(serving);
	}
	CU_ASSERT_EQUAL(answered, sent / length);
	CU_ASSERT_PTR_NOT_NULL(client.connection);
	leave();
	free(lines);
}

static void the_table_is_whole(void)
{
	for (const struct rpc_method *m = rpc_methods; m->name; m++) {
		char line[160];
		json_t *reply;
		int n = 0;

		CU_ASSERT_PTR_NOT_NULL(m->handler);
		CU_ASSERT_PTR_NOT_NULL(m->help);
		while (m->params[n].name) {
			CU_ASSERT_PTR_NOT_NULL(m->params[n].help);
			CU_ASSERT((m->params[n].type == RPC_CHOICE) == (m->params[n].choices != NULL));
			CU_ASSERT((m->params[n].type == RPC_NUMBER) == (m->params[n].max > m->params[n].min));
			n++;
		}
		CU_ASSERT(n <= RPC_MAX_PARAMS);
		for (const struct rpc_method *other = m + 1; other->name; other++)
			CU_ASSERT_STRING_NOT_EQUAL(m->name, other->name);
		if (m->permission == RPC_CHANGE)
			continue;
		let_in(false);
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"}\n", m->name);
		put(line);
		reply = get();
		CU_ASSERT_PTR_NOT_NULL(reply);
		json_decref(reply);
		leave();
	}
}

static void save_reads_back(void)
{
	struct config *config;
	struct error error;
	const char *text;
	json_t *result;

	let_in(false);
	result = expect_result(REQUEST("save", "{}"));
	text = json_string_value(json_object_get(result, "text"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL_FATAL(config_parse("saved", text, strlen(text), &config, &error), 0);
	CU_ASSERT_EQUAL(config->n_vips, 2);
	config_free(config);
	json_decref(result);
	leave();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "what is no request is refused", what_is_no_request },
		{ "parameters are checked", params_are_checked },
		{ "refusals say why", refusals_say_why },
		{ "readers do not change", readers_do_not_change },
		{ "show is as agreed", show_is_as_agreed },
		{ "counters are the list", counters_are_the_list },
		{ "lines come in any pieces", lines_in_any_pieces },
		{ "changes wait for the forwarder, and others behind them", changes_wait_in_order },
		{ "whoever stops sending is answered", whoever_stops_sending_is_answered },
		{ "whoever hangs up is not waited for", whoever_hangs_up_is_not_waited_for },
		{ "lines have a limit", lines_have_a_limit },
		{ "whoever does not read waits", whoever_does_not_read_waits },
		{ "the table of methods is whole", the_table_is_whole },
		{ "save reads back", save_reads_back },
		{ NULL, NULL },
	};
	int status = unit_run("rpc", tests);

	if (serving)
		rpc_daemon_free(serving);
	return status;
}
