/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules and routes for checks by way of the VIP. What is in place is not remembered but asked of the kernel before
 * a check, because an interface that goes down, or a network manager that tidies up, takes routes and rules away
 * without asking us. Where there are more than 200 checks a second, the question is put before some of them.
 */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "address.h"
#include "log.h"
#include "route_private.h"
#include "way.h"

/* Questions whether all is in place: so many in so long. */
#define ASKS 20
#define ASK_MS 100

uint32_t route_mark(const struct backend *backend)
{
	return ROUTE_MARK | backend->id;
}

static struct route_rules *rules_of(const struct routes *routes, struct addr gateway)
{
	return addr_is_ipv4(gateway) ? routes->rules_v4 : routes->rules_v6;
}

/* oif 0: whichever (to delete). */
static int change_route(struct routes *routes, uint16_t type, uint16_t flags, struct addr gateway, uint32_t id,
	unsigned int oif)
{
	struct nlmsghdr *message = netlink_begin(routes->netlink, type, flags);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = (uint8_t)address_family(gateway);
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_scope = type == RTM_NEWROUTE ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
	head->rtm_type = type == RTM_NEWROUTE ? RTN_UNICAST : RTN_UNSPEC;
	head->rtm_flags = type == RTM_NEWROUTE ? RTNH_F_ONLINK : 0;
	mnl_attr_put_u32(message, RTA_TABLE, ROUTE_TABLE + id);
	/* The kernel has a hash of what routes lead to, which knows the metric and not the gateway. */
	if (type == RTM_NEWROUTE)
		mnl_attr_put_u32(message, RTA_PRIORITY, id + 1);
	if (oif) {
		netlink_put_addr(message, RTA_GATEWAY, gateway);
		mnl_attr_put_u32(message, RTA_OIF, oif);
	}
	return netlink_request(routes->netlink, message);
}

/* 0 for what is in place or was put there. */
static int install(struct routes *routes, uint32_t id)
{
	struct way_out *way_out = &routes->way_out[id];
	unsigned int oif = interface_index(ports_interface(routes->ports, way_out->port));
	int error;

	if (!oif)
		return -ENETDOWN;
	/* REPLACE: what is there may lead to an interface that has since been made anew. */
	error = change_route(routes, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, way_out->gateway, id, oif);
	if (!error)
		error = route_rules_install(rules_of(routes, way_out->gateway), id, way_out->installed);
	way_out->installed = error == 0;
	return error;
}

void route_want(struct routes *routes, const struct backend *backend)
{
	if (route_is_wanted(routes, backend->id))
		return;
	route_rules_want(rules_of(routes, backend->address), backend->id);
	routes->way_out[backend->id] = (struct way_out){ .gateway = backend->address };
}

void route_drop(struct routes *routes, const struct backend *backend)
{
	struct way_out *way_out = &routes->way_out[backend->id];

	if (!route_is_wanted(routes, backend->id))
		return;
	route_rules_drop(rules_of(routes, way_out->gateway), backend->id, way_out->installed);
	if (way_out->installed)
		change_route(routes, RTM_DELROUTE, 0, way_out->gateway, backend->id, 0);
	*way_out = (struct way_out){ .installed = false };
}

static bool leads_to(const struct way *way, struct addr gateway, unsigned int oif)
{
	return way->has_gateway && addr_equal(way->gateway, gateway) && way->oif == oif;
}

/*
 * Whether the kernel is to be asked once more, though nothing says that something is missing: always, unless there
 * are so many checks that the questions would cost more than they tell. Who takes away what all share is found out
 * by others' questions, and whose own table is empty is refused at once (route_doubt).
 */
static bool may_ask(struct routes *routes)
{
	struct timespec now;
	uint64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (now_ms - routes->asking_ms >= ASK_MS) {
		routes->asking_ms = now_ms;
		routes->asked = 0;
	}
	return routes->asked++ < ASKS;
}

/* Ask: 0 if its packets go to the backend; -ENOENT if they go elsewhere. */
static int ask(struct routes *routes, const struct backend *backend, struct addr destination, unsigned int oif,
	struct way *way)
{
	struct way_out *way_out = &routes->way_out[backend->id];
	int error = way_ask(routes->netlink, destination, route_mark(backend), way);

	if (error)
		return error;
	if (!leads_to(way, way_out->gateway, oif))
		return -ENOENT;
	way_out->oif = oif;
	way_out->era = routes->era;
	return 0;
}

static const char *fault(
	struct routes *routes, const struct interface *interface, int error, const struct way *way)
{
	if (error == -ENOENT && way->type == RTN_LOCAL)
		return "the VIP is an address of this host";
	if (error == -ENOENT && way->oif)
		return "another routing rule takes packets with the check's mark";
	snprintf(routes->why, sizeof(routes->why), "no route to the backend on %s: %s", interface_name(interface),
		strerror(-error));
	return routes->why;
}

bool route_is_up(const struct routes *routes, const struct backend *backend)
{
	return interface_index(ports_interface(routes->ports, backend->port)) != 0;
}

bool route_ready(struct routes *routes, const struct backend *backend, struct addr destination, const char **why)
{
	const struct interface *interface = ports_interface(routes->ports, backend->port);
	struct way_out *way_out = &routes->way_out[backend->id];
	unsigned int oif = interface_index(interface);
	struct way way = { .oif = 0 };
	int error;

	*why = "";
	way_out->port = backend->port;
	if (!oif) {
		*why = ROUTE_NO_INTERFACE;
		return false;
	}
	if (way_out->installed) {
		if (way_out->oif == oif && way_out->era == routes->era && !may_ask(routes))
			return true;
		if (ask(routes, backend, destination, oif, &way) == 0)
			return true;
		routes->era++;
	}
	error = install(routes, backend->id);
	if (!error)
		error = ask(routes, backend, destination, oif, &way);
	if (error)
		*why = fault(routes, interface, error, &way);
	return error == 0;
}

void route_doubt(struct routes *routes, const struct backend *backend)
{
	routes->way_out[backend->id].oif = 0;
}

static void free_routes(struct routes *routes)
{
	route_rules_free(routes->rules_v4);
	route_rules_free(routes->rules_v6);
	free(routes);
}

struct routes *route_open(struct netlink *netlink, const struct ports *ports, struct model *model)
{
	struct routes *routes = calloc(1, sizeof(*routes));
	size_t left;

	if (!routes)
		return NULL;
	routes->netlink = netlink;
	routes->ports = ports;
	routes->model = model;
	routes->rules_v4 = route_rules_new(netlink, AF_INET);
	routes->rules_v6 = route_rules_new(netlink, AF_INET6);
	if (!routes->rules_v4 || !routes->rules_v6) {
		free_routes(routes);
		return NULL;
	}
	left = route_sweep(netlink, AF_INET) + route_sweep(netlink, AF_INET6);
	if (left)
		log_notice("removed %zu routing rules and routes that an earlier shuntd had left", left);
	return routes;
}

void route_close(struct routes *routes)
{
	if (!routes)
		return;
	route_sweep(routes->netlink, AF_INET);
	route_sweep(routes->netlink, AF_INET6);
	free_routes(routes);
}
