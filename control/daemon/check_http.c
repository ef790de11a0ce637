/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of types http and https: a request is answered with a status that is expected, and a body in which the
 * expression is found. Whatever the server sends, no more is read than is needed for that: without an expression
 * nothing of the body.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "check_http_client.h"
#include "check_http_request.h"
#include "check_regex.h"
#include "check_text.h"

#define HEADERS_MAX 65536 /* bytes that a server may send before the body, and after it */
#define BODY_MAX 65536    /* in which the expression is looked for */
#define BODY_STEP 4096    /* its room at first */

struct http_run {
	struct check_http_run client;
	struct check_http_request request;
	struct check_expect expect;
	struct check_regex *regex; /* NULL: the body does not matter */
	bool tls;
	bool decided; /* while libcurl was reading: outcome and why are in client.run */
	size_t headers; /* bytes */
	char *body;
	size_t body_size;
	size_t body_room;
	char error[CURL_ERROR_SIZE];
};

/* The answer is known: libcurl is told to stop by the 0 that this returns. */
static size_t decide(struct http_run *http, enum check_outcome outcome, const char *why)
{
	struct check_run *run = &http->client.run;

	http->decided = true;
	run->result.outcome = outcome;
	snprintf(run->why, sizeof(run->why), "%s", why);
	return 0;
}

static size_t decide_by_body(struct http_run *http)
{
	if (check_regex_finds(http->regex, http->body ? http->body : "", http->body_size))
		return decide(http, CHECK_SUCCEEDED, "");
	return decide(http, CHECK_FAILED, "the body does not match");
}

static size_t decide_by_status(struct http_run *http, size_t line)
{
	long status = 0;
	char why[64];

	curl_easy_getinfo(http->client.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 100 && status < 200 && status != 101)
		return line; /* the final one is yet to come */
	snprintf(why, sizeof(why), "HTTP status %ld", status);
	if (!check_expect_has(&http->expect, status))
		return decide(http, CHECK_FAILED, why);
	return http->regex ? line : decide(http, CHECK_SUCCEEDED, "");
}

/* One line of headers, or of what comes after a body in chunks. */
static size_t on_header(char *data, size_t one, size_t size, void *context)
{
	struct http_run *http = context;

	http->headers += size * one;
	if (http->headers > HEADERS_MAX)
		return decide(http, CHECK_FAILED, "more than 64 KiB of HTTP headers");
	if (size && (data[0] == '\r' || data[0] == '\n') && !http->body_size)
		return decide_by_status(http, size);
	return size;
}

static bool make_room(struct http_run *http, size_t wanted)
{
	size_t room = http->body_room ? http->body_room * 2 : BODY_STEP;
	char *grown;

	if (wanted <= http->body_room)
		return true;
	while (room < wanted)
		room *= 2;
	grown = realloc(http->body, room);
	if (!grown)
		return false;
	http->body = grown;
	http->body_room = room;
	return true;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
	struct http_run *http = context;
	size_t keep = size * one < BODY_MAX - http->body_size ? size * one : BODY_MAX - http->body_size;

	if (!make_room(http, http->body_size + keep + 1))
		return decide(http, CHECK_UNMADE, strerror(ENOMEM));
	memcpy(http->body + http->body_size, data, keep);
	http->body_size += keep;
	http->body[http->body_size] = '\0';
	return http->body_size == BODY_MAX ? decide_by_body(http) : size;
}

static void begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	struct http_run *http = (struct http_run *)run;
	const char *ca = NULL;
	struct error error;

	http->tls = check->type == CHECK_HTTPS;
	if (check_expect_parse(check->expect, &http->expect, &error) < 0) {
		check_finish(run, CHECK_UNMADE, "%s", error.text);
		return;
	}
	if (check->body) {
		http->regex = check_regex_get(run->checker, check->body);
		if (!http->regex) {
			check_finish(run, CHECK_UNMADE, "no memory for the expression of the body");
			return;
		}
	}
	if (http->tls && check->verify)
		ca = check->ca ? check->ca : check_http_authorities();
	http->client.easy = check_http_easy(run->checker);
	if (http->client.easy)
		http->client.client = check_http_client(run->checker, ca);
	if (!http->client.client || check_http_request_set(&http->request, http->client.easy, check, target, ca) < 0) {
		check_finish(run, CHECK_UNMADE, "%s", strerror(ENOMEM));
		return;
	}
	curl_easy_setopt(http->client.easy, CURLOPT_PRIVATE, http);
	curl_easy_setopt(http->client.easy, CURLOPT_OPENSOCKETDATA, run);
	curl_easy_setopt(http->client.easy, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(http->client.easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(http->client.easy, CURLOPT_HEADERDATA, http);
	curl_easy_setopt(http->client.easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(http->client.easy, CURLOPT_WRITEDATA, http);
	check_tcp_begin(run, check, target);
}

static void look(struct check_run *run, short what)
{
	struct http_run *http = (struct http_run *)run;

	if (http->client.added)
		check_http_client_act(&http->client, what);
	else if (check_tcp_connected(run))
		check_http_client_add(&http->client);
}

/* An error that says something of us and nothing of the server. */
static bool is_ours(CURLcode code)
{
	switch (code) {
	case CURLE_FAILED_INIT:
	case CURLE_URL_MALFORMAT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION:
	case CURLE_SSL_CERTPROBLEM:     /* the one that we would show */
	case CURLE_SSL_CACERT_BADFILE:  /* those that we would trust */
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CIPHER:
		return true;
	default:
		return false;
	}
}

/* A line of headers that grows beyond what libcurl has room for is "out of memory" to it. */
static bool is_out_of_memory(CURLcode code)
{
	void *some = code == CURLE_OUT_OF_MEMORY ? malloc(HEADERS_MAX * 4) : NULL;

	free(some);
	return code == CURLE_OUT_OF_MEMORY && !some;
}

static void finish_failed(struct http_run *http, CURLcode code)
{
	struct check_run *run = &http->client.run;
	const char *why = http->error[0] ? http->error : curl_easy_strerror(code);

	if (is_ours(code) || is_out_of_memory(code))
		check_finish(run, CHECK_UNMADE, "%s", why);
	else if (code == CURLE_GOT_NOTHING)
		check_finish(run, CHECK_FAILED, "the connection was closed without an answer");
	else if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_HTTP2 || code == CURLE_WEIRD_SERVER_REPLY)
		check_finish(run, CHECK_FAILED, "the answer is not HTTP: %s", why);
	else if (code == CURLE_OUT_OF_MEMORY)
		check_finish(run, CHECK_FAILED, "more than 64 KiB of HTTP headers");
	else if (code == CURLE_SSL_CONNECT_ERROR)
		check_finish(run, CHECK_FAILED, "no TLS: %s", why);
	else
		check_finish(run, CHECK_FAILED, "%s", why);
}

void check_http_over(struct check_http_run *client, CURLcode code)
{
	struct http_run *http = (struct http_run *)client;

	http->error[sizeof(http->error) - 1] = '\0';
	if (!http->decided && code == CURLE_OK) {
		if (!http->headers)
			decide(http, CHECK_FAILED, "the connection was closed without an answer");
		else
			decide_by_body(http);
	}
	if (http->decided)
		check_finish_decided(&client->run);
	else
		finish_failed(http, code);
}

/* How far it came. */
static void late(struct check_run *run, const char *limit)
{
	struct http_run *http = (struct http_run *)run;
	double connected = 0;

	if (!http->client.added)
		return;
	run->result.silent = false;
	if (http->client.broken) {
		run->result.outcome = CHECK_UNMADE;
		snprintf(run->why, sizeof(run->why), "%s", strerror(ENOMEM));
		return;
	}
	curl_easy_getinfo(http->client.easy, CURLINFO_APPCONNECT_TIME, &connected);
	snprintf(run->why, sizeof(run->why), "connected, but %s within %s",
		http->tls && connected == 0   ? "TLS was not set up" :
			!http->headers        ? "no answer" :
			http->body_size       ? "not all of the body" :
						"not all of the answer",
		limit);
}

static void end(struct check_run *run)
{
	struct http_run *http = (struct http_run *)run;

	bool connected = http->client.added;

	check_http_client_remove(&http->client);
	if (connected) {
		check_close_later(run->checker, run->fd);
		run->fd = -1;
	}
	check_http_request_free(&http->request);
	check_regex_put(http->regex);
	free(http->body);
}

const struct check_kind check_http = { .size = sizeof(struct http_run),
	.begin = begin,
	.look = look,
	.late = late,
	.end = end };
