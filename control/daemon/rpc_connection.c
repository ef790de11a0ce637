/* SPDX-License-Identifier: BSD-3-Clause */
/* One client of the operators' socket. */
#include "rpc_connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "rpc_method.h"
#include "rpc_request.h"

#define REQUESTS_A_TURN 16       /* before other clients get their turn */
#define UNREAD_LIMIT (64 * 1024) /* bytes of replies not read yet: no further request is worked on */

struct rpc_connection {
	struct daemon *daemon;
	struct bufferevent *stream;
	struct event *turn;           /* goes on with lines that wait */
	struct rpc_request *request;  /* being worked on, or NULL */
	size_t searched;              /* bytes of input known to hold no end of line */
	bool may_change;
	bool working;                 /* in rpc_request_begin() */
	bool ended;                   /* the client sends no more; what has come in is still worked on */
	bool gone;                    /* nor does it read: no answer is waited for */
	bool closing;                 /* nothing more is worked on; closed when all is written */
	void (*closed)(void *context, struct rpc_connection *connection);
	void *context;
};

static void end(struct rpc_connection *c)
{
	void (*closed)(void *context, struct rpc_connection *connection) = c->closed;

	closed(c->context, c);
	rpc_connection_free(c);
}

static size_t unread(const struct rpc_connection *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->stream));
}

static void send_reply(struct rpc_connection *c, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	/* Without memory for a reply the client would wait for ever: it hears the end of the connection instead. */
	if (!text || bufferevent_write(c->stream, text, strlen(text)) < 0 || bufferevent_write(c->stream, "\n", 1) < 0)
		c->closing = true;
	free(text);
}

/* Whether the other end is closed, and not only its sending side. */
static bool has_hung_up(const struct rpc_connection *c)
{
	struct pollfd peer = { .fd = bufferevent_getfd(c->stream) };

	return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR));
}

/* Nobody reads the answer: what was asked is not waited for. A change that was made stays. */
static void stop_waiting(struct rpc_connection *c)
{
	if (c->request)
		rpc_request_cancel(c->request);
	c->request = NULL;
}

static void go_on_later(struct rpc_connection *c)
{
	event_active(c->turn, EV_TIMEOUT, 0);
}

static void on_reply(void *context, json_t *reply)
{
	struct rpc_connection *c = context;

	c->request = NULL;
	if (reply)
		send_reply(c, reply);
	if (!c->working)
		go_on_later(c);
}

/* The next line without its end, to be freed; NULL: none is complete yet. */
static char *next_line(struct rpc_connection *c, size_t *length)
{
	struct evbuffer *input = bufferevent_get_input(c->stream);
	size_t size = evbuffer_get_length(input);
	struct evbuffer_ptr from, at;
	char *line;

	if (size == c->searched || evbuffer_ptr_set(input, &from, c->searched, EVBUFFER_PTR_SET) < 0)
		return NULL;
	at = evbuffer_search(input, "\n", 1, &from);
	if (at.pos < 0) {
		c->searched = size;
		return NULL;
	}
	c->searched = 0;
	*length = (size_t)at.pos;
	if (*length > RPC_LINE_LIMIT)
		return NULL; /* refused by the length of the input, below */
	line = malloc(*length + 1);
	if (!line || evbuffer_remove(input, line, *length) < 0) {
		free(line);
		return NULL;
	}
	line[*length] = '\0';
	evbuffer_drain(input, 1);
	return line;
}

static void refuse_line(struct rpc_connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->stream);

	evbuffer_drain(input, evbuffer_get_length(input));
	c->searched = 0;
	c->closing = true;
	send_reply(c, rpc_error_reply(RPC_INVALID_REQUEST, "a request of more than 1 MiB"));
}

static bool is_blank(const char *line, size_t length)
{
	return strspn(line, " \t\r") >= length;
}

/*
 * Read on while there is room: a client that is too far ahead waits in its own write. (Not by libevent's high
 * watermark: while that is reached, 2.1 runs the read callback again and again without a pause.)
 */
static void take_in(struct rpc_connection *c)
{
	if (!c->closing && !c->ended && evbuffer_get_length(bufferevent_get_input(c->stream)) <= RPC_LINE_LIMIT)
		bufferevent_enable(c->stream, EV_READ);
	else
		bufferevent_disable(c->stream, EV_READ);
}

/* Work on what has come in. May end the connection. */
static void work(struct rpc_connection *c)
{
	int done = 0;

	while (!c->request && !c->closing && unread(c) < UNREAD_LIMIT) {
		size_t length;
		char *line;

		if (done++ == REQUESTS_A_TURN) {
			go_on_later(c);
			break;
		}
		line = next_line(c, &length);
		if (!line) {
			if (evbuffer_get_length(bufferevent_get_input(c->stream)) > RPC_LINE_LIMIT)
				refuse_line(c);
			c->closing |= c->ended;
			break;
		}
		if (!is_blank(line, length)) {
			c->working = true;
			c->request = rpc_request_begin(c->daemon, c->may_change, line, length, on_reply, c);
			c->working = false;
			if (c->gone)
				stop_waiting(c);
		}
		free(line);
	}
	if (c->closing && !c->request && unread(c) == 0)
		end(c);
	else
		take_in(c);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	work(context);
}

static void on_read(struct bufferevent *stream, void *context)
{
	(void)stream;
	work(context);
}

/* All that was to be written is. */
static void on_written(struct bufferevent *stream, void *context)
{
	(void)stream;
	work(context);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	struct rpc_connection *c = context;

	(void)stream;
	/* Whoever only closed its sending side still wants the answers to what it sent. */
	if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING)) {
		c->ended = true;
		c->gone = has_hung_up(c);
		if (c->gone)
			stop_waiting(c);
		work(c);
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		log_notice("a client of the socket has read nothing for %d s: closed", RPC_WRITE_S);
	end(c);
}

struct rpc_connection *rpc_connection_new(struct daemon *daemon, evutil_socket_t fd, bool may_change,
	void (*closed)(void *context, struct rpc_connection *connection), void *context)
{
	struct timeval patience = { .tv_sec = RPC_WRITE_S };
	struct rpc_connection *c = calloc(1, sizeof(*c));

	if (!c || evutil_make_socket_nonblocking(fd) < 0) {
		free(c);
		close(fd);
		return NULL;
	}
	c->daemon = daemon;
	c->may_change = may_change;
	c->closed = closed;
	c->context = context;
	c->stream = bufferevent_socket_new(daemon->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->stream) {
		free(c);
		close(fd);
		return NULL;
	}
	c->turn = event_new(daemon->base, -1, 0, on_turn, c);
	if (!c->turn) {
		rpc_connection_free(c);
		return NULL;
	}
	bufferevent_setcb(c->stream, on_read, on_written, on_event, c);
	bufferevent_set_timeouts(c->stream, NULL, &patience);
	bufferevent_enable(c->stream, EV_READ | EV_WRITE);
	return c;
}

void rpc_connection_free(struct rpc_connection *c)
{
	if (c->request)
		rpc_request_cancel(c->request);
	if (c->turn)
		event_free(c->turn);
	bufferevent_free(c->stream);
	free(c);
}
