/* SPDX-License-Identifier: BSD-3-Clause */
/* The HTTP server: who listens, and what is asked for. */
#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "log.h"

#define TIMEOUT_S 10
#define HEADERS_LIMIT 8192
#define ACCEPT_PAUSE_MS 100 /* when there are no descriptors: asking again at once would burn the core */

struct http_server {
	struct daemon *daemon;
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
	struct event *resume;
	bool paused; /* logged */
};

static void reply(struct evhttp_request *request, int code, const char *reason, const char *type,
	struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_send_reply(request, code, reason, body);
	evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *request, void *context)
{
	struct http_server *server = context;
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	http_put_metrics(server->daemon, body);
	reply(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", body);
}

/* Well is: a forwarder is there, works, and has a snapshot of ours in force. */
static void on_healthz(struct evhttp_request *request, void *context)
{
	struct http_server *server = context;
	struct publisher *publisher = server->daemon->publisher;
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	if (publish_alive(publisher) && publish_version(publisher)) {
		evbuffer_add_printf(body, "ok\n");
		reply(request, HTTP_OK, "OK", "text/plain; charset=utf-8", body);
	} else {
		json_t *warnings = json_array();
		const char *why;

		publish_warnings(publisher, warnings);
		why = json_string_value(json_array_get(warnings, 0));
		evbuffer_add_printf(body, "%s\n", why ? why : "no snapshot is in force yet");
		json_decref(warnings);
		reply(request, HTTP_SERVUNAVAIL, "Service Unavailable", "text/plain; charset=utf-8", body);
	}
}

static void on_page(struct evhttp_request *request, void *context)
{
	struct http_server *server = context;
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	http_put_page(server->daemon, body);
	reply(request, HTTP_OK, "OK", "text/html; charset=utf-8", body);
}

/* libevent hands its own context to a listener's error callback: this is the way back to ours. */
static struct http_server *serving;

static void on_accept_error(struct evconnlistener *listener, void *context)
{
	struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };

	(void)context;
	if (!serving->paused)
		log_warning("control.http: no client can be let in: %s", strerror(errno));
	serving->paused = true;
	evconnlistener_disable(listener);
	event_add(serving->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *context)
{
	struct http_server *server = context;

	(void)fd;
	(void)what;
	evconnlistener_enable(evhttp_bound_socket_get_listener(server->bound));
}

static int open_socket(const char *listen_on, struct error *error)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct addr address;
	uint16_t port;
	int on = 1, fd;
	bool ipv4;

	if (address_parse_endpoint(listen_on, &address, &port) < 0)
		return error_set(error, EINVAL, "control.http: \"%s\" is not ADDRESS:PORT", listen_on);
	ipv4 = addr_is_ipv4(address);
	v4.sin_port = v6.sin6_port = htons(port);
	v4.sin_addr.s_addr = addr_to_ipv4(address);
	memcpy(&v6.sin6_addr, &address, sizeof(address));
	fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, "control.http: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, ipv4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, ipv4 ? sizeof(v4) : sizeof(v6)) < 0 ||
		listen(fd, 128) < 0) {
		int saved = errno;

		close(fd);
		return error_set(error, saved, "control.http: can't listen on %s: %s", listen_on, strerror(saved));
	}
	return fd;
}

static int start(struct http_server *server, int fd)
{
	server->resume = evtimer_new(server->daemon->base, on_resume, server);
	server->http = evhttp_new(server->daemon->base);
	if (!server->resume || !server->http)
		return -ENOMEM;
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(server->http, HEADERS_LIMIT);
	evhttp_set_max_body_size(server->http, 0);
	evhttp_set_timeout(server->http, TIMEOUT_S);
	if (evhttp_set_cb(server->http, "/metrics", on_metrics, server) < 0 ||
		evhttp_set_cb(server->http, "/healthz", on_healthz, server) < 0 ||
		evhttp_set_cb(server->http, "/", on_page, server) < 0)
		return -ENOMEM;
	server->bound = evhttp_accept_socket_with_handle(server->http, fd);
	if (!server->bound)
		return -ENOMEM;
	serving = server;
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(server->bound), on_accept_error);
	return 0;
}

int http_open(struct daemon *daemon, const char *listen, struct http_server **out, struct error *error)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int fd;

	if (!server)
		return error_set(error, ENOMEM, "control.http: no memory");
	server->daemon = daemon;
	fd = open_socket(listen, error);
	if (fd < 0) {
		free(server);
		return fd;
	}
	if (start(server, fd) < 0) {
		if (!server->bound)
			close(fd);
		http_close(server);
		return error_set(error, ENOMEM, "control.http: no memory");
	}
	*out = server;
	return 0;
}

void http_close(struct http_server *server)
{
	if (!server)
		return;
	if (server->http)
		evhttp_free(server->http);
	if (server->resume)
		event_free(server->resume);
	if (serving == server)
		serving = NULL;
	free(server);
}
