/* SPDX-License-Identifier: BSD-3-Clause */
/* The operators' socket: listening, accepting, and who may change. */
#include "rpc.h"

#include <errno.h>
#include <event2/listener.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "rpc_connection.h"

#define BACKLOG 1024
#define MAX_CLIENTS 4096
#define ACCEPT_PAUSE_MS 100 /* when there are no descriptors: asking again at once would burn the core */
#define NO_GROUP ((gid_t)-1)

struct client {
	struct client *next, **link;
	struct rpc_connection *connection;
	struct rpc_server *server;
};

struct rpc_server {
	struct daemon *daemon;
	struct evconnlistener *listener;
	struct event *resume;
	struct client *clients;
	unsigned int n_clients, max_clients;
	gid_t group; /* NO_GROUP: none */
	bool paused; /* logged */
	bool full;   /* logged */
	char *path;
	dev_t device; /* of our socket, so that another's is not removed at the end */
	ino_t inode;
};

static int fill_address(const char *path, struct sockaddr_un *address, struct error *error)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return error_set(error, ENAMETOOLONG, "control.socket: %s is longer than the %zu bytes a socket's path may have",
			path, sizeof(address->sun_path) - 1);
	strcpy(address->sun_path, path);
	return 0;
}

int rpc_check_path(const char *path, struct error *error)
{
	struct sockaddr_un address;
	struct stat about;
	int fd, result;

	result = fill_address(path, &address, error);
	if (result)
		return result;
	if (lstat(path, &about) < 0)
		return errno == ENOENT ? 0 : error_set(error, errno, "control.socket: %s: %s", path, strerror(errno));
	if (!S_ISSOCK(about.st_mode))
		return error_set(error, EADDRINUSE, "control.socket: %s is there and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, errno, "control.socket: %s", strerror(errno));
	result = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	close(fd);
	/* EAGAIN: its queue of clients is full, so it is there. */
	if (result == 0 || result == EAGAIN)
		return error_set(error, EADDRINUSE, "control.socket: another process listens on %s: is shuntd running already?",
			path);
	if (result != ECONNREFUSED && result != ENOENT)
		return error_set(error, result, "control.socket: %s: %s", path, strerror(result));
	return 0;
}

/* The peer's groups as they were when it connected: no look-up that might wait for a directory server. */
static bool is_member(int fd, gid_t primary, gid_t group)
{
	gid_t few[64], *groups = few;
	socklen_t size = sizeof(few);
	bool member = primary == group;
	int result;

	if (member || group == NO_GROUP)
		return member;
	result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
	if (result < 0 && errno == ERANGE) {
		groups = malloc(size);
		if (!groups)
			return false;
		result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
	}
	for (size_t i = 0; result == 0 && i < size / sizeof(*groups); i++)
		member |= groups[i] == group;
	if (groups != few)
		free(groups);
	return member;
}

static bool may_change(const struct rpc_server *server, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() || is_member(fd, peer.gid, server->group);
}

static void forget_client(struct client *client)
{
	struct rpc_server *server = client->server;

	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	server->n_clients--;
	server->full = false;
	free(client);
}

static void on_closed(void *context, struct rpc_connection *connection)
{
	(void)connection;
	forget_client(context);
}

static void refuse_client(struct rpc_server *server, evutil_socket_t fd)
{
	static const char reply[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,\"message\":"
				    "\"too many clients\"}}\n";

	if (!server->full)
		log_warning("control.socket has %u clients: no more are let in", server->n_clients);
	server->full = true;
	if (send(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* It hears the end of the connection. */
	}
	close(fd);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length,
	void *context)
{
	struct rpc_server *server = context;
	struct client *client;

	(void)listener;
	(void)address;
	(void)length;
	server->paused = false;
	if (server->n_clients >= server->max_clients) {
		refuse_client(server, fd);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->server = server;
	client->connection = rpc_connection_new(server->daemon, fd, may_change(server, fd), on_closed, client);
	if (!client->connection) {
		free(client);
		return;
	}
	client->next = server->clients;
	client->link = &server->clients;
	if (client->next)
		client->next->link = &client->next;
	server->clients = client;
	server->n_clients++;
}

static void on_accept_error(struct evconnlistener *listener, void *context)
{
	struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };
	struct rpc_server *server = context;

	if (!server->paused)
		log_warning("control.socket: no client can be let in: %s", strerror(errno));
	server->paused = true;
	evconnlistener_disable(listener);
	event_add(server->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *context)
{
	struct rpc_server *server = context;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

static int make_directory(const char *path, struct error *error)
{
	char *copy = strdup(path);
	int result = 0;

	if (!copy)
		return error_set(error, ENOMEM, "no memory");
	if (mkdir(dirname(copy), 0755) < 0 && errno != EEXIST)
		result = error_set(error, errno, "control.socket: the directory of %s can't be made: %s", path,
			strerror(errno));
	free(copy);
	return result;
}

/* A socket bound to path with mode and group, not yet listening; or -errno. */
static int bind_socket(const struct rpc_server *server, struct error *error)
{
	struct sockaddr_un address;
	int fd, result = fill_address(server->path, &address, error);
	mode_t mask;

	if (result)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, errno, "control.socket: %s", strerror(errno));
	unlink(server->path); /* rpc_check_path() found nobody on it */
	/* By the mask, so that it never stands there with more rights than these. */
	mask = umask(0117);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	umask(mask);
	if (result) {
		close(fd);
		return error_set(error, result, "control.socket: %s: %s", server->path, strerror(result));
	}
	if (server->group != NO_GROUP && chown(server->path, (uid_t)-1, server->group) < 0)
		log_warning("control.socket: the group of %s can't be set: %s", server->path, strerror(errno));
	return fd;
}

static gid_t find_group(const char *name)
{
	const struct group *group = getgrnam(name);

	if (group)
		return group->gr_gid;
	log_warning("control.group: there is no group \"%s\": only root may use %s", name, "control.socket");
	return NO_GROUP;
}

/* Some descriptors are to be left for checks and the forwarder. */
static unsigned int client_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > MAX_CLIENTS)
		return MAX_CLIENTS;
	return (unsigned int)(limit.rlim_cur / 2);
}

int rpc_open(struct daemon *daemon, const char *path, const char *group, struct rpc_server **out,
	struct error *error)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	int fd = -1, result = -ENOMEM;
	struct stat about;

	if (!server)
		return error_set(error, ENOMEM, "no memory");
	server->daemon = daemon;
	server->max_clients = client_limit();
	server->path = strdup(path);
	server->resume = evtimer_new(daemon->base, on_resume, server);
	if (!server->path || !server->resume)
		goto no_memory;
	server->group = find_group(group);
	result = make_directory(path, error);
	if (!result)
		result = rpc_check_path(path, error);
	if (result)
		goto fail;
	result = fd = bind_socket(server, error);
	if (fd < 0)
		goto fail;
	if (stat(path, &about) == 0) {
		server->device = about.st_dev;
		server->inode = about.st_ino;
	}
	result = -ENOMEM;
	server->listener = evconnlistener_new(daemon->base, on_accept, server,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!server->listener)
		goto no_memory;
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	*out = server;
	return 0;

no_memory:
	error_set(error, ENOMEM, "control.socket: no memory");
	if (fd >= 0)
		close(fd);
fail:
	rpc_close(server);
	return result;
}

void rpc_close(struct rpc_server *server)
{
	struct stat about;

	if (!server)
		return;
	while (server->clients) {
		rpc_connection_free(server->clients->connection);
		forget_client(server->clients);
	}
	if (server->listener)
		evconnlistener_free(server->listener);
	if (server->resume)
		event_free(server->resume);
	if (server->inode && stat(server->path, &about) == 0 && about.st_dev == server->device &&
		about.st_ino == server->inode)
		unlink(server->path);
	free(server->path);
	free(server);
}
