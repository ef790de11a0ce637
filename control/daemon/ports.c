/* SPDX-License-Identifier: BSD-3-Clause */
/* The interfaces that backends are behind. */
#include "ports.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "redirect.h"
#include "snapshot.h"
#include "way.h"

/* Routes that an interface brings come a moment after its address, many addresses one after the other. */
#define ROUTES_SETTLE_US 200000
/* What a driver takes from XDP changes without an event. */
#define LOOK_S 10

struct port {
	struct ports *ports;
	struct interface *interface;
	struct interface_listener events;
	bool started;
	bool deaf; /* it takes no frames from XDP */
};

struct ports {
	struct netlink *netlink;
	struct netlink_listener events;
	struct ports_listener *listeners;
	struct event *settled; /* after a change of links or addresses */
	struct event *added;   /* a port, in this turn of the loop */
	struct event *look;    /* now and then, while there are several */
	bool several;
	bool started;
	bool full; /* logged */
	uint32_t n;
	struct port port[SNAPSHOT_MAX_PORTS];
};

static void on_up(void *context)
{
	struct port *port = context;

	for (struct ports_listener *l = port->ports->listeners; l; l = l->next)
		if (l->up)
			l->up(l->context, (uint32_t)(port - port->ports->port));
}

static void on_down(void *context)
{
	struct port *port = context;

	for (struct ports_listener *l = port->ports->listeners; l; l = l->next)
		if (l->down)
			l->down(l->context, (uint32_t)(port - port->ports->port));
}

static void tell_moved(struct ports *ports)
{
	for (struct ports_listener *l = ports->listeners; l; l = l->next)
		if (l->moved)
			l->moved(l->context);
}

static void on_moved(void *context)
{
	tell_moved(((struct port *)context)->ports);
}

static void start(struct ports *ports)
{
	for (uint32_t i = 0; i < ports->n; i++) {
		struct port *port = &ports->port[i];

		if (port->started)
			continue;
		port->started = true;
		interface_start(port->interface);
	}
}

static void on_added(evutil_socket_t fd, short what, void *context)
{
	start(context);
	tell_moved(context);
}

/* Whether it takes frames from XDP. Returns whether that is new. Port 0 is where they come from. */
static bool look_at(struct port *port)
{
	unsigned int index = interface_link(port->interface);
	bool was_deaf = port->deaf;

	if (index && port != port->ports->port)
		port->deaf = !redirect_is_taken(port->ports->netlink, index);
	return port->deaf != was_deaf;
}

static bool look_at_all(struct ports *ports)
{
	bool news = false;

	for (uint32_t i = 0; i < ports->n; i++)
		news |= look_at(&ports->port[i]);
	return news;
}

static void tell_routes(struct ports *ports)
{
	for (struct ports_listener *l = ports->listeners; l; l = l->next)
		if (l->routes)
			l->routes(l->context);
}

static void on_settled(evutil_socket_t fd, short what, void *context)
{
	look_at_all(context);
	tell_routes(context);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	if (look_at_all(context))
		tell_routes(context);
}

static void expect_routes(struct ports *ports)
{
	struct timeval delay = { .tv_usec = ROUTES_SETTLE_US };

	if (ports->several && ports->started && !evtimer_pending(ports->settled, NULL))
		event_add(ports->settled, &delay);
}

static void on_message(void *context, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
		expect_routes(context);
	}
}

static void on_lost(void *context)
{
	expect_routes(context);
}

/* One more, at the end. NULL: no memory. */
static struct port *add(struct ports *ports, const char *name)
{
	struct port *port = &ports->port[ports->n];

	port->interface = interface_open(ports->netlink, name);
	if (!port->interface)
		return NULL;
	port->ports = ports;
	port->events = (struct interface_listener){ .context = port, .up = on_up, .down = on_down, .moved = on_moved };
	interface_listen(port->interface, &port->events);
	look_at(port);
	ports->n++;
	return port;
}

struct ports *ports_open(struct event_base *base, struct netlink *netlink, const char *main, bool several)
{
	static const struct timeval interval = { .tv_sec = LOOK_S };
	struct ports *ports = calloc(1, sizeof(*ports));

	if (!ports)
		return NULL;
	ports->netlink = netlink;
	ports->several = several;
	ports->settled = evtimer_new(base, on_settled, ports);
	ports->added = event_new(base, -1, 0, on_added, ports);
	ports->look = event_new(base, -1, EV_PERSIST, on_look, ports);
	if (!ports->settled || !ports->added || !ports->look || (several && event_add(ports->look, &interval)) ||
		!add(ports, main)) {
		ports_close(ports);
		return NULL;
	}
	ports->events = (struct netlink_listener){ .context = ports, .message = on_message, .lost = on_lost };
	netlink_listen(netlink, &ports->events);
	return ports;
}

void ports_close(struct ports *ports)
{
	if (!ports)
		return;
	for (uint32_t i = 0; i < ports->n; i++)
		interface_close(ports->port[i].interface);
	if (ports->settled)
		event_free(ports->settled);
	if (ports->added)
		event_free(ports->added);
	if (ports->look)
		event_free(ports->look);
	free(ports);
}

void ports_listen(struct ports *ports, struct ports_listener *listener)
{
	struct ports_listener **end = &ports->listeners;

	while (*end)
		end = &(*end)->next;
	listener->next = NULL;
	*end = listener;
}

void ports_start(struct ports *ports)
{
	ports->started = true;
	start(ports);
}

uint32_t ports_count(const struct ports *ports)
{
	return ports->n;
}

struct interface *ports_interface(const struct ports *ports, uint32_t port)
{
	return ports->port[port].interface;
}

/* The port that is the interface of this index, made one if need be; 0 if it can't be. */
static uint32_t port_of_link(struct ports *ports, unsigned int index)
{
	char name[IF_NAMESIZE];

	for (uint32_t i = 0; i < ports->n; i++)
		if (interface_link(ports->port[i].interface) == index)
			return i;
	if (!if_indextoname(index, name))
		return 0;
	if (ports->n == SNAPSHOT_MAX_PORTS) {
		if (!ports->full)
			log_warning("backends are behind more than %d interfaces: those behind %s are not reached",
				SNAPSHOT_MAX_PORTS, name);
		ports->full = true;
		return 0;
	}
	/* It may be one of ours under a new index, which we are about to be told of. */
	for (uint32_t i = 0; i < ports->n; i++)
		if (!strcmp(interface_name(ports->port[i].interface), name))
			return i;
	if (!add(ports, name))
		return 0;
	log_info("port %u is %s: a backend is behind it", ports->n - 1, name);
	if (ports->started)
		event_active(ports->added, EV_TIMEOUT, 0);
	return ports->n - 1;
}

uint32_t ports_of(struct ports *ports, struct addr backend)
{
	struct way way;

	if (!ports->several || way_ask(ports->netlink, backend, 0, &way) || way.type != RTN_UNICAST ||
		way.has_gateway || !way.oif)
		return 0;
	return port_of_link(ports, way.oif);
}

bool ports_reach(const struct ports *ports, uint32_t port)
{
	return !ports->port[port].deaf;
}

void ports_warnings(const struct ports *ports, json_t *warnings)
{
	for (uint32_t i = 1; i < ports->n; i++) {
		const char *name = interface_name(ports->port[i].interface);

		if (!ports->port[i].deaf || !interface_link(ports->port[i].interface))
			continue;
		json_array_append_new(warnings,
			json_sprintf("interface %s takes no frames from XDP: backends behind it get none; many drivers take "
				     "them once the interface has an XDP program of its own, whichever; a bridge or VLAN "
				     "never does", name));
	}
}
