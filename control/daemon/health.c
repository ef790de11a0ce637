/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health checks of type tcp: a connection that comes about is a success. One struct probe a backend, with
 * one timer and at most one socket.
 */
#include "health.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "duration.h"
#include "log.h"

#define NO_FORWARDER "shunt-dataplane is not there"
#define SUSPECT_TIMEOUT_MS 250 /* of the check that a suspicion asks for, at most */
#define SPREAD_US 1000 /* first checks: one this often on average, but none later than its interval */

struct probe {
	struct health *health;
	struct backend *backend;
	struct check check; /* as it was when the probe was set up; not the strings */
	uint32_t check_version;
	struct event *timer;
	struct event *io;
	int fd; /* -1: none under way */
	struct timespec started;
	uint32_t successes; /* in a row */
	uint32_t failures;  /* in a row */
	bool fresh;         /* no verdict yet: the first success will do */
	bool unmade;        /* the last check could not be made */
	bool in_use;        /* the pool had a VIP when the probe was set up */
	bool suspected;	    /* the check under way, or due at once, answers health_suspect() */
	bool stopped;       /* the backend was taken out of the set */
	uint64_t since_s;   /* CLOCK_MONOTONIC */
	char error[160];    /* "": none */
};

struct health {
	struct event_base *base;
	struct model *model;
	struct routes *routes;
	struct neighbours *neighbours;
	const struct publisher *publisher;
	struct model_listener changes;
	uint32_t n_probes;
	uint32_t n_unmade;
};

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static uint64_t elapsed_us(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - since->tv_sec) * 1000000 + (uint64_t)(now.tv_nsec / 1000) -
	       (uint64_t)(since->tv_nsec / 1000);
}

static struct timeval timeval_us(uint64_t us)
{
	return (struct timeval){ .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };
}

static uint64_t random_below(uint64_t n)
{
	return n ? (uint64_t)random() % n : 0;
}

/* Thousands of checks that are due at once don't hold up the forwarder's socket or an operator's command. */
static int lowest_priority(const struct health *health)
{
	return event_base_get_npriorities(health->base) - 1;
}

/* The first check: soon, but many that begin at once are spread out. */
static void schedule_first(struct probe *probe)
{
	uint64_t window = (uint64_t)probe->health->n_probes * SPREAD_US;
	uint64_t interval = (uint64_t)probe->check.interval_ms * 1000;
	struct timeval delay = timeval_us(random_below(window < interval ? window : interval));

	event_add(probe->timer, &delay);
}

/* The next one an interval after the last began, give or take a twentieth so that none stay in step. */
static void schedule_next(struct probe *probe)
{
	uint64_t interval = (uint64_t)probe->check.interval_ms * 1000;
	uint64_t due = interval - interval / 20 + random_below(interval / 10 + 1);
	uint64_t spent = elapsed_us(&probe->started);
	struct timeval delay = timeval_us(due > spent ? due - spent : 0);

	event_add(probe->timer, &delay);
}

static const char *name_of(const struct probe *probe, char *text, size_t size)
{
	char address[ADDRESS_TEXT];

	snprintf(text, size, "backend %s %s", probe->backend->pool->name,
		address_print(probe->backend->address, address));
	return text;
}

static void close_connection(struct probe *probe)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (probe->io)
		event_free(probe->io);
	probe->io = NULL;
	if (probe->fd < 0)
		return;
	/*
	 * Reset instead of closing: else each check would leave a port in TIME_WAIT for a minute, and a thousand
	 * backends behind one VIP would use them all up.
	 */
	setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(probe->fd);
	probe->fd = -1;
}

static void set_unmade(struct probe *probe, bool unmade)
{
	struct health *health = probe->health;

	if (unmade == probe->unmade)
		return;
	probe->unmade = unmade;
	health->n_unmade += unmade ? 1 : -1;
	if (health->n_unmade == 0)
		log_info("every backend that is to be checked can be again");
}

/* Answers the suspicion, if there was one: whether there was. */
static bool end_suspicion(struct probe *probe)
{
	bool suspected = probe->suspected;

	probe->suspected = false;
	return suspected;
}

/* Our own trouble: say so, once for all backends that share it, and leave the judgement alone. */
static void finish_unmade(struct probe *probe, const char *why)
{
	char name[NAME_MAX_LEN + ADDRESS_TEXT + 16];

	if (probe->health->n_unmade == 0)
		log_warning("%s: not checked: %s", name_of(probe, name, sizeof(name)), why);
	end_suspicion(probe);
	set_unmade(probe, true);
	snprintf(probe->error, sizeof(probe->error), "not checked: %s", why);
	schedule_next(probe);
}

static void judge(struct probe *probe, bool healthy)
{
	char name[NAME_MAX_LEN + ADDRESS_TEXT + 16];

	name_of(probe, name, sizeof(name));
	if (healthy)
		log_notice("%s: up", name);
	else
		log_warning("%s: down: %s", name, probe->error);
	probe->since_s = now_s();
	if (probe->backend->healthy != healthy)
		model_set_healthy(probe->health->model, probe->backend, healthy);
}

static void finish_success(struct probe *probe)
{
	bool enough = ++probe->successes >= probe->check.rise || probe->fresh;

	end_suspicion(probe);
	model_set_returned(probe->health->model, probe->backend);
	set_unmade(probe, false);
	probe->failures = 0;
	probe->fresh = false;
	probe->error[0] = '\0';
	schedule_next(probe);
	if (!probe->backend->healthy && enough)
		judge(probe, true);
}

static void finish_failure(struct probe *probe, const char *why)
{
	bool first = probe->fresh, agreed = end_suspicion(probe);

	set_unmade(probe, false);
	probe->failures++;
	probe->successes = 0;
	probe->fresh = false;
	snprintf(probe->error, sizeof(probe->error), "%s", why);
	schedule_next(probe);
	if ((probe->backend->healthy && (probe->failures >= probe->check.fall || agreed)) ||
		(!probe->backend->healthy && first))
		judge(probe, false);
}

static uint32_t timeout_ms(const struct probe *probe)
{
	return probe->suspected && probe->check.timeout_ms > SUSPECT_TIMEOUT_MS ? SUSPECT_TIMEOUT_MS
										: probe->check.timeout_ms;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

/* The connection came about or failed, or its time is over. */
static void on_connected(evutil_socket_t fd, short what, void *context)
{
	struct probe *probe = context;
	/* Asked of the socket, not of the event: if we were busy for long, both it and its timeout are due. */
	bool connected = is_connected(fd);
	int error = 0;
	socklen_t length = sizeof(error);
	char why[80], limit[DURATION_TEXT];

	(void)what;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	close_connection(probe);
	if (connected && !error) {
		finish_success(probe);
		return;
	}
	/* While it was on its way the forwarder that carries it went. */
	if (!publish_carries_checks(probe->health->publisher)) {
		finish_unmade(probe, NO_FORWARDER);
		return;
	}
	/* Nobody there: perhaps because it is another machine now, and its neighbour entry is the old one's. */
	if ((!error || error == EHOSTUNREACH) && probe->failures == 0)
		neighbour_doubt(probe->health->neighbours, probe->backend);
	snprintf(why, sizeof(why), "no answer within %s", duration_print_ms(timeout_ms(probe), limit));
	finish_failure(probe, error ? strerror(error) : why);
}

/* An error of connect() itself: true if it is of our making and says nothing of the backend. */
static bool is_ours(int error)
{
	/* Unreachable at once: by our own routes. What the network says comes later, through the socket. */
	return error != ECONNREFUSED && error != ECONNRESET && error != ETIMEDOUT;
}

/* Where to connect to, host order port. False with *why if there is no such place. */
static bool find_target(struct probe *probe, struct addr *address, uint16_t *port, const char **why)
{
	const struct vip *vip = model_check_vip(probe->health->model, probe->backend->pool);

	*address = probe->backend->address;
	*port = probe->check.port;
	if (probe->check.via == CHECK_VIA_BACKEND && *port)
		return true;
	if (!vip) {
		*why = "no VIP uses the pool";
		return false;
	}
	*port = *port ? *port : vip->port;
	if (!*port) {
		*why = "the pool's VIPs are for every port: give check.port";
		return false;
	}
	if (probe->check.via == CHECK_VIA_BACKEND)
		return true;
	*address = vip->address;
	return route_ready(probe->health->routes, probe->backend, vip->address, why);
}

/* A socket on its way to the target, or -errno. */
static int begin_connection(const struct probe *probe, struct addr address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool ipv4 = addr_is_ipv4(address);
	uint32_t mark = route_mark(probe->backend);
	int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	v4.sin_addr.s_addr = addr_to_ipv4(address);
	memcpy(&v6.sin6_addr, &address, sizeof(address));
	if (probe->check.via == CHECK_VIA_VIP && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		error = errno;
	if (!error && connect(fd, ipv4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
			      ipv4 ? sizeof(v4) : sizeof(v6)) < 0 &&
		errno != EINPROGRESS)
		error = errno;
	if (!error)
		return fd;
	close(fd);
	return -error;
}

static void on_timer(evutil_socket_t unused, short what, void *context)
{
	struct probe *probe = context;
	struct timeval limit = timeval_us((uint64_t)timeout_ms(probe) * 1000);
	struct addr address;
	const char *why;
	uint16_t port;
	int fd;

	(void)unused;
	(void)what;
	clock_gettime(CLOCK_MONOTONIC, &probe->started);
	if (probe->backend->pool->n_vips == 0 && !(probe->check.via == CHECK_VIA_BACKEND && probe->check.port)) {
		/* Nothing is wrong: the pool is not in use. pool_changed() tells of its first VIP. */
		snprintf(probe->error, sizeof(probe->error), "not checked: no VIP uses the pool");
		return;
	}
	/* On the DPDK path checks go over the kernel interface: without who serves it all backends would look dead. */
	if (!publish_carries_checks(probe->health->publisher)) {
		finish_unmade(probe, NO_FORWARDER);
		return;
	}
	if (!find_target(probe, &address, &port, &why)) {
		finish_unmade(probe, why);
		return;
	}
	if (probe->check.type != CHECK_TCP) {
		finish_unmade(probe, "checks of this type are not made yet");
		return;
	}
	fd = begin_connection(probe, address, port);
	if (fd < 0) {
		if (is_ours(-fd))
			finish_unmade(probe, strerror(-fd));
		else
			finish_failure(probe, strerror(-fd));
		return;
	}
	probe->fd = fd;
	/* A connection that came about at once is writable at once: no case of its own. */
	probe->io = event_new(probe->health->base, fd, EV_WRITE, on_connected, probe);
	if (!probe->io || event_priority_set(probe->io, lowest_priority(probe->health)) < 0 ||
		event_add(probe->io, &limit) < 0) {
		close_connection(probe);
		finish_unmade(probe, strerror(ENOMEM));
	}
}

/* Begin anew with the pool's check as it is now. */
static void set_up(struct probe *probe)
{
	struct backend *backend = probe->backend;

	event_del(probe->timer);
	close_connection(probe);
	set_unmade(probe, false);
	probe->check = backend->pool->check;
	probe->check_version = backend->pool->check_version;
	probe->in_use = backend->pool->n_vips > 0;
	probe->successes = probe->failures = 0;
	probe->suspected = false;
	probe->error[0] = '\0';
	probe->stopped = backend->removed;
	if (probe->check.type == CHECK_TCP && probe->check.via == CHECK_VIA_VIP && !backend->removed)
		route_want(probe->health->routes, backend);
	else
		route_drop(probe->health->routes, backend);
	if (backend->removed)
		return;
	if (probe->check.type == CHECK_NONE)
		model_set_healthy(probe->health->model, backend, true);
	else
		schedule_first(probe);
}

void health_suspect(struct health *health, struct backend *backend)
{
	struct probe *probe = backend->health;
	struct timeval at_once = { 0 };

	(void)health;
	if (!probe || probe->stopped || probe->check.type == CHECK_NONE || !backend->healthy || probe->suspected)
		return;
	/* One that is under way was begun before the suspicion and has a longer timeout. */
	close_connection(probe);
	probe->suspected = true;
	event_add(probe->timer, &at_once);
}

static void on_backend_added(void *context, struct backend *backend)
{
	struct health *health = context;
	struct probe *probe;

	if (backend->health)
		return;
	probe = calloc(1, sizeof(*probe));
	if (probe)
		probe->timer = evtimer_new(health->base, on_timer, probe);
	if (!probe || !probe->timer) {
		free(probe);
		log_error("no memory to check a backend: it stays as it is");
		return;
	}
	event_priority_set(probe->timer, lowest_priority(health));
	probe->health = health;
	probe->backend = backend;
	probe->fd = -1;
	probe->fresh = true;
	probe->since_s = now_s();
	backend->health = probe;
	health->n_probes++;
	set_up(probe);
}

/* Only one thing about a backend concerns its check: that it left the set, or came back into it. */
static void on_backend_changed(void *context, struct backend *backend)
{
	struct probe *probe = backend->health;

	(void)context;
	if (!probe || backend->removed == probe->stopped)
		return;
	probe->fresh = true;
	set_up(probe);
}

static void free_probe(struct probe *probe)
{
	probe->backend->health = NULL;
	probe->health->n_probes--;
	set_unmade(probe, false);
	close_connection(probe);
	event_free(probe->timer);
	free(probe);
}

static void on_backend_removed(void *context, struct backend *backend)
{
	struct health *health = context;

	route_drop(health->routes, backend);
	if (backend->health)
		free_probe(backend->health);
}

/* Whether the check goes on as it is although something about its pool has changed. */
static bool goes_on(const struct probe *probe, const struct pool *pool)
{
	return probe->check_version == pool->check_version && probe->in_use == (pool->n_vips > 0);
}

static void on_pool_changed(void *context, struct pool *pool)
{
	(void)context;
	for (struct backend *b = pool->backends; b; b = b->next)
		if (b->health && !goes_on(b->health, pool))
			set_up(b->health);
}

struct health *health_open(struct event_base *base, struct model *model, struct routes *routes,
	struct neighbours *neighbours, const struct publisher *publisher)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return NULL;
	health->base = base;
	health->model = model;
	health->routes = routes;
	health->neighbours = neighbours;
	health->publisher = publisher;
	health->changes = (struct model_listener){
		.context = health,
		.backend_added = on_backend_added,
		.backend_changed = on_backend_changed,
		.backend_removed = on_backend_removed,
		.pool_changed = on_pool_changed,
	};
	/* Counted before they are scheduled: the spread depends on how many there are. */
	for (struct pool *p = model_pools(model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			on_backend_added(health, b);
	for (struct pool *p = model_pools(model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (b->health && evtimer_pending(((struct probe *)b->health)->timer, NULL))
				schedule_first(b->health);
	model_listen(model, &health->changes);
	return health;
}

void health_close(struct health *health)
{
	if (!health)
		return;
	for (struct pool *p = model_pools(health->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (b->health)
				free_probe(b->health);
	free(health);
}

const char *health_error(const struct backend *backend)
{
	const struct probe *probe = backend->health;

	return probe && probe->error[0] ? probe->error : NULL;
}

uint64_t health_since_s(const struct backend *backend)
{
	const struct probe *probe = backend->health;

	return probe ? now_s() - probe->since_s : 0;
}

void health_warnings(const struct health *health, json_t *warnings)
{
	if (health->n_unmade)
		json_array_append_new(warnings,
			json_sprintf("%u of %u backends can't be checked and stay as they were judged last (show "
				     "backends says why)",
				health->n_unmade, health->n_probes));
}
