/* SPDX-License-Identifier: BSD-3-Clause */
/* One JSON-RPC 2.0 request: checked against the table of methods, handed to its handler, answered. */
#include "rpc_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_access.h"
#include "log.h"
#include "rpc_method.h"
#include "suggest.h"

struct rpc_request {
	struct rpc_call call; /* first: rpc_call_finish() gets from one to the other */
	json_t *message;      /* the values of call are parts of it */
	json_t *id;           /* NULL: a notification */
	struct publish_waiter *waiter;
	bool beginning; /* done() is the caller's of rpc_request_begin() to expect */
	bool finished;
	void (*done)(void *context, json_t *reply);
	void *context;
};

json_t *rpc_error_reply(int code, const char *message)
{
	return json_pack("{s:s,s:n,s:{s:i,s:s}}", "jsonrpc", "2.0", "id", "error", "code", code, "message", message);
}

enum rpc_outcome rpc_fail(struct rpc_call *call, int code, int error, const char *format, ...)
{
	va_list args;

	call->error_code = code;
	call->error_errno = -error;
	va_start(args, format);
	vsnprintf(call->error, sizeof(call->error), format, args);
	va_end(args);
	return RPC_DONE;
}

enum rpc_outcome rpc_changed(struct rpc_call *call, int result, const struct error *error)
{
	if (result < 0)
		return rpc_fail(call, RPC_REFUSED, result, "%s", error->text);
	call->result = json_object();
	return RPC_PUBLISHED;
}

const struct rpc_value *rpc_get(const struct rpc_call *call, const char *name)
{
	static const struct rpc_value none;

	for (int i = 0; call->method->params[i].name; i++)
		if (strcmp(call->method->params[i].name, name) == 0)
			return &call->value[i];
	return &none;
}

const char *rpc_get_text(const struct rpc_call *call, const char *name)
{
	const struct rpc_value *value = rpc_get(call, name);

	return value->given ? value->text : NULL;
}

bool rpc_get_flag(const struct rpc_call *call, const char *name)
{
	const struct rpc_value *value = rpc_get(call, name);

	return value->given && value->flag;
}

static json_t *error_object(const struct rpc_call *call)
{
	/* Words out of a file may be anything; a reply is UTF-8. */
	json_t *message = json_string(call->error);
	json_t *error = json_pack("{s:i,s:o}", "code", call->error_code, "message",
		message ? message : json_string("refused, for a reason that is not UTF-8"));
	const char *name = call->error_errno > 0 ? strerrorname_np(call->error_errno) : NULL;

	if (name)
		json_object_set_new(error, "data", json_pack("{s:s}", "errno", name));
	return error;
}

/* The reply goes out and the request goes away; what waits has been cancelled or is done. */
static void finish(struct rpc_request *request)
{
	struct rpc_call *call = &request->call;
	json_t *reply = NULL;

	if (!call->result && !call->error_code)
		rpc_fail(call, RPC_INTERNAL_ERROR, -ENOMEM, "no memory for an answer");
	if (request->id && call->error_code)
		reply = json_pack("{s:s,s:O,s:o}", "jsonrpc", "2.0", "id", request->id, "error", error_object(call));
	else if (request->id)
		reply = json_pack("{s:s,s:O,s:O}", "jsonrpc", "2.0", "id", request->id, "result", call->result);
	json_decref(call->result);
	json_decref(request->id);
	json_decref(request->message);
	request->done(request->context, reply);
	if (request->beginning)
		request->finished = true;
	else
		free(request);
}

static void on_published(void *context, enum publish_result result, uint64_t version, const char *why)
{
	struct rpc_request *request = context;
	struct rpc_call *call = &request->call;

	request->waiter = NULL;
	switch (result) {
	case PUBLISH_DONE:
		json_object_set_new(call->result, "snapshot", json_integer((json_int_t)version));
		break;
	case PUBLISH_REFUSED:
		rpc_fail(call, RPC_UNACKNOWLEDGED, 0, "%s", why);
		break;
	case PUBLISH_TIMED_OUT:
		rpc_fail(call, RPC_UNACKNOWLEDGED, -ETIMEDOUT, "%s", why);
		break;
	default:
		rpc_fail(call, RPC_REFUSED, 0, "%s", why);
		break;
	}
	finish(request);
}

static void wait_for_forwarder(struct rpc_request *request)
{
	struct publisher *publisher = request->call.daemon->publisher;

	if (publisher)
		request->waiter = publish_wait(publisher, on_published, request, PUBLISH_WAIT_MS);
	if (request->waiter)
		return;
	rpc_fail(&request->call, RPC_UNACKNOWLEDGED, -ENOMEM,
		"the change is kept, but there is no memory to wait for the forwarder");
	finish(request);
}

void rpc_call_finish(struct rpc_call *call)
{
	finish((struct rpc_request *)call);
}

static void run(struct rpc_request *request)
{
	switch (request->call.method->handler(&request->call)) {
	case RPC_PUBLISHED:
		wait_for_forwarder(request);
		break;
	case RPC_DONE:
		finish(request);
		break;
	case RPC_PENDING:
		break;
	}
}

/* Whether text is one of "a|b|c". */
static bool is_choice(const char *choices, const char *text)
{
	size_t length = strcspn(text, "|");

	if (text[length])
		return false;
	for (const char *c = choices; c; c = strchr(c, '|')) {
		c += *c == '|';
		if (strncmp(c, text, length) == 0 && (c[length] == '|' || c[length] == '\0'))
			return true;
	}
	return false;
}

static int invalid(struct rpc_call *call, const char *name, const char *what)
{
	rpc_fail(call, RPC_INVALID_PARAMS, -EINVAL, "%s: %s", name, what);
	return -EINVAL;
}

static int take_prefixes(struct rpc_call *call, const struct rpc_param *param, const json_t *json)
{
	struct config_prefix prefix;
	const json_t *item;
	struct error error;
	size_t i;

	if (!json_array_size(json))
		return invalid(call, param->name, "must be an array of prefixes, as [\"203.0.113.0/24\"]");
	json_array_foreach (json, i, item)
		if (!json_is_string(item))
			return invalid(call, param->name, "must be an array of strings");
		else if (access_prefix_parse(json_string_value(item), &prefix, &error))
			return invalid(call, param->name, error.text);
	return 0;
}

/* Convert one value of the request; -EINVAL with the call's error set. */
static int take_value(struct rpc_call *call, const struct rpc_param *param, struct rpc_value *value, json_t *json)
{
	const char *text = json_string_value(json);
	char expected[160];

	value->given = true;
	switch (param->type) {
	case RPC_FLAG:
		value->flag = json_is_true(json);
		return json_is_boolean(json) ? 0 : invalid(call, param->name, "must be true or false");
	case RPC_NUMBER:
		value->number = json_integer_value(json);
		if (json_is_integer(json) && value->number >= param->min && value->number <= param->max)
			return 0;
		snprintf(expected, sizeof(expected), "must be a whole number, %" PRId64 " to %" PRId64, param->min,
			param->max);
		return invalid(call, param->name, expected);
	case RPC_OBJECT:
		value->object = json;
		return json_is_object(json) ? 0 : invalid(call, param->name, "must be an object");
	case RPC_PREFIXES:
		value->object = json;
		return take_prefixes(call, param, json);
	case RPC_TEXT:
		value->text = text;
		return text ? 0 : invalid(call, param->name, "must be a string");
	case RPC_CHOICE:
		value->text = text;
		snprintf(expected, sizeof(expected), "must be one of %s", param->choices);
		return text && is_choice(param->choices, text) ? 0 : invalid(call, param->name, expected);
	case RPC_ADDRESS:
		return text && address_parse(text, &value->address) == 0 ?
			       0 :
			       invalid(call, param->name, "must be an address, as \"10.0.0.11\" or \"2001:db8::11\"");
	case RPC_ENDPOINT:
		return text && address_parse_endpoint(text, &value->endpoint.address, &value->endpoint.port) == 0 ?
			       0 :
			       invalid(call, param->name,
				       "must be an address and port, as \"198.51.100.2:40000\" or \"[2001:db8::2]:40000\"");
	case RPC_VIP:
		return text && address_parse_vip(text, &value->vip) == 0 ?
			       0 :
			       invalid(call, param->name,
				       "must be a VIP, as \"192.0.2.80:80/tcp\" or \"[2001:db8::80]:53/udp\"");
	case RPC_MAC:
		return text && address_parse_mac(text, &value->mac) == 0 ?
			       0 :
			       invalid(call, param->name, "must be a MAC address, as \"02:00:00:00:00:12\"");
	}
	return -EINVAL;
}

static int unknown_param(struct rpc_call *call, const char *name)
{
	struct suggestion meant = { .word = name };

	for (const struct rpc_param *p = call->method->params; p->name; p++)
		suggest(&meant, p->name);
	rpc_fail(call, RPC_INVALID_PARAMS, -EINVAL, "%s has no parameter \"%.64s\"%s%s%s", call->method->name, name,
		meant.best ? ": \"" : "", meant.best ? meant.best : "", meant.best ? "\" is meant?" : "");
	return -EINVAL;
}

static int take_params(struct rpc_call *call, json_t *params)
{
	const char *name;
	json_t *json;

	if (params && !json_is_object(params)) {
		rpc_fail(call, RPC_INVALID_PARAMS, -EINVAL, "params must be an object");
		return -EINVAL;
	}
	json_object_foreach(params, name, json) {
		int i = 0;

		while (call->method->params[i].name && strcmp(call->method->params[i].name, name) != 0)
			i++;
		if (!call->method->params[i].name)
			return unknown_param(call, name);
		if (take_value(call, &call->method->params[i], &call->value[i], json) < 0)
			return -EINVAL;
	}
	for (int i = 0; call->method->params[i].name; i++)
		if (call->method->params[i].required && !call->value[i].given)
			return invalid(call, call->method->params[i].name, "is missing");
	return 0;
}

static const struct rpc_method *find_method(struct rpc_call *call, const char *name)
{
	struct suggestion meant = { .word = name };

	for (const struct rpc_method *m = rpc_methods; m->name; m++) {
		if (strcmp(m->name, name) == 0)
			return m;
		suggest(&meant, m->name);
	}
	rpc_fail(call, RPC_METHOD_NOT_FOUND, 0, "no method \"%.64s\"%s%s%s", name, meant.best ? ": \"" : "",
		meant.best ? meant.best : "", meant.best ? "\" is meant?" : "");
	return NULL;
}

/* Whether the line is a request that may be answered by its handler; else the call's error is set. */
static bool accept_message(struct rpc_request *request, bool may_change, const char *line, size_t length)
{
	struct rpc_call *call = &request->call;
	const char *name, *version;
	json_error_t where;
	json_t *id;

	/* Until the id is known the reply bears null, as the standard has it. */
	request->id = json_null();
	request->message = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!request->message) {
		rpc_fail(call, RPC_PARSE_ERROR, 0, "not JSON: %s (column %d)", where.text, where.column);
		return false;
	}
	if (!json_is_object(request->message)) {
		rpc_fail(call, RPC_INVALID_REQUEST, 0,
			json_is_array(request->message) ? "batches are not supported: one request a line" :
							  "a request is an object");
		return false;
	}
	id = json_object_get(request->message, "id");
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
		rpc_fail(call, RPC_INVALID_REQUEST, 0, "id must be a string, a number or null");
		return false;
	}
	request->id = json_incref(id);
	version = json_string_value(json_object_get(request->message, "jsonrpc"));
	name = json_string_value(json_object_get(request->message, "method"));
	if (!version || strcmp(version, "2.0") != 0 || !name) {
		/* Something that is not a request can't be a notification either: it is always answered. */
		if (!id)
			request->id = json_null();
		rpc_fail(call, RPC_INVALID_REQUEST, 0, "%s",
			name ? "\"jsonrpc\" must be \"2.0\"" : "\"method\" is missing or not a string");
		return false;
	}
	call->method = find_method(call, name);
	if (!call->method)
		return false;
	if (call->method->permission == RPC_CHANGE && !may_change) {
		rpc_fail(call, RPC_FORBIDDEN, -EPERM, "%s needs root or a member of control.group", name);
		return false;
	}
	return take_params(call, json_object_get(request->message, "params")) == 0;
}

struct rpc_request *rpc_request_begin(struct daemon *daemon, bool may_change, const char *line, size_t length,
	void (*done)(void *context, json_t *reply), void *context)
{
	struct rpc_request *request = calloc(1, sizeof(*request));

	if (!request) {
		done(context, rpc_error_reply(RPC_INTERNAL_ERROR, "no memory"));
		return NULL;
	}
	request->call.daemon = daemon;
	request->done = done;
	request->context = context;
	request->beginning = true;
	if (accept_message(request, may_change, line, length))
		run(request);
	else
		finish(request);
	request->beginning = false;
	if (!request->finished)
		return request;
	free(request);
	return NULL;
}

void rpc_request_cancel(struct rpc_request *request)
{
	if (request->waiter)
		publish_wait_cancel(request->waiter);
	else if (request->call.cancel)
		request->call.cancel(&request->call);
	json_decref(request->call.result);
	json_decref(request->id);
	json_decref(request->message);
	free(request);
}
