/* SPDX-License-Identifier: BSD-3-Clause */
/* Servers for checks to meet. */
#include "check_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_bed.h"

#define ASKED 8192
#define DRIP_US 100000

struct connection {
	struct check_server *server;
	struct connection *next, **link;
	struct bufferevent *stream;
	struct event *timer;
	size_t said;
	bool closing;
};

struct check_server {
	enum check_manner manner;
	char *says;
	size_t size;
	const char *again; /* of endless ones */
	int fd;
	uint16_t port;
	struct event *event;
	struct connection *connections;
	unsigned int n_connections;
	size_t sent;
	char asked[ASKED + 1];
};

static void free_connection(struct connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	if (connection->timer)
		event_free(connection->timer);
	bufferevent_free(connection->stream);
	free(connection);
}

static void say(struct connection *connection, const char *text, size_t size)
{
	connection->server->sent += size;
	bufferevent_write(connection->stream, text, size);
}

static void on_drip(evutil_socket_t unused, short what, void *context)
{
	struct connection *connection = context;

	if (connection->said < connection->server->size)
		say(connection, connection->server->says + connection->said++, 1);
}

static void answer(struct connection *connection)
{
	struct check_server *server = connection->server;
	struct timeval drip = { .tv_usec = DRIP_US };

	connection->closing = server->manner == SERVER_ANSWERS;
	if (server->manner != SERVER_DRIPS) {
		say(connection, server->says, server->again ? (size_t)(server->again - server->says) : server->size);
		return;
	}
	connection->timer = event_new(bed_base, -1, EV_PERSIST, on_drip, connection);
	event_add(connection->timer, &drip);
}

static void on_asked(struct bufferevent *stream, void *context)
{
	struct connection *connection = context;
	struct check_server *server = connection->server;
	struct evbuffer *input = bufferevent_get_input(stream);
	size_t length = strlen(server->asked);
	int n = evbuffer_remove(input, server->asked + length, ASKED - length);

	server->asked[length + (size_t)(n > 0 ? n : 0)] = '\0';
	evbuffer_drain(input, evbuffer_get_length(input));
	if (strstr(server->asked, "\r\n\r\n") && server->manner != SERVER_SILENT && server->manner != SERVER_GREETS)
		answer(connection);
}

static void on_said(struct bufferevent *stream, void *context)
{
	struct connection *connection = context;
	struct check_server *server = connection->server;

	if (connection->closing)
		free_connection(connection);
	else if (server->again && server->sent)
		say(connection, server->again, strlen(server->again));
}

static void on_over(struct bufferevent *stream, short what, void *context)
{
	free_connection(context);
}

static void on_connection(evutil_socket_t listener, short what, void *context)
{
	struct check_server *server = context;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *connection;
	int room = 65536;

	if (fd < 0)
		return;
	server->n_connections++;
	if (server->manner == SERVER_CLOSES) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	connection = calloc(1, sizeof(*connection));
	connection->server = server;
	connection->next = server->connections;
	connection->link = &server->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	server->connections = connection;
	server->asked[0] = '\0';
	connection->stream = bufferevent_socket_new(bed_base, fd, BEV_OPT_CLOSE_ON_FREE);
	/* As urgent as the checks, which would have to wait for ever if it were more. */
	bufferevent_priority_set(connection->stream, BED_PRIORITY);
	bufferevent_setcb(connection->stream, on_asked, on_said, on_over, connection);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
	if (server->manner == SERVER_GREETS)
		answer(connection);
}

static struct check_server *new_server(int type, enum check_manner manner, const void *says, size_t size,
	event_callback_fn on_event)
{
	struct check_server *server = calloc(1, sizeof(*server));

	server->manner = manner;
	server->says = malloc(size + 1);
	if (size)
		memcpy(server->says, says, size);
	server->says[size] = '\0';
	server->size = size;
	server->fd = check_bed_bind(type, &server->port);
	server->event = event_new(bed_base, server->fd, EV_READ | EV_PERSIST, on_event, server);
	event_priority_set(server->event, BED_PRIORITY);
	event_add(server->event, NULL);
	return server;
}

struct check_server *check_server_new(enum check_manner manner, const char *says)
{
	struct check_server *server = new_server(SOCK_STREAM, manner, says, says ? strlen(says) : 0, on_connection);

	if (manner == SERVER_ENDLESS)
		server->again = strstr(server->says, "---") + 3;
	return server;
}

static void on_datagram(evutil_socket_t fd, short what, void *context)
{
	struct check_server *server = context;
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	ssize_t n = recvfrom(fd, server->asked, ASKED, 0, (struct sockaddr *)&from, &from_size);

	if (n < 0)
		return;
	server->n_connections++;
	server->asked[n] = '\0';
	if (server->manner == SERVER_STAYS)
		sendto(fd, server->asked, (size_t)n, 0, (struct sockaddr *)&from, from_size);
	else
		sendto(fd, server->says, server->size, 0, (struct sockaddr *)&from, from_size);
}

struct check_server *check_server_new_udp(const void *says, size_t size)
{
	return new_server(SOCK_DGRAM, says ? SERVER_ANSWERS : SERVER_STAYS, says, size, on_datagram);
}

void check_server_free(struct check_server *server)
{
	while (server->connections)
		free_connection(server->connections);
	event_free(server->event);
	close(server->fd);
	free(server->says);
	free(server);
}

uint16_t check_server_port(const struct check_server *server)
{
	return server->port;
}

const char *check_server_asked(const struct check_server *server)
{
	return server->asked;
}

unsigned int check_server_connections(const struct check_server *server)
{
	return server->n_connections;
}

size_t check_server_sent(const struct check_server *server)
{
	return server->sent;
}
