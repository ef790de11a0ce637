/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules and routes for checks by way of the VIP. What is in place is never remembered but asked of the
 * kernel before each check, because an interface that goes down, or a network manager that tidies up,
 * takes routes and rules away without asking us.
 */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "log.h"
#include "route_private.h"
#include "way.h"

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

bool route_ready(struct routes *routes, const struct backend *backend, struct addr destination, const char **why)
{
	const struct interface *interface = ports_interface(routes->ports, backend->port);
	struct way_out *way_out = &routes->way_out[backend->id];
	unsigned int oif = interface_index(interface);
	struct addr gateway = way_out->gateway;
	int error = -ENOENT;
	struct way way;

	*why = "";
	way_out->port = backend->port;
	if (!oif) {
		*why = "the kernel interface is not there or not up";
		return false;
	}
	if (way_out->installed)
		error = way_ask(routes->netlink, destination, route_mark(backend), &way);
	if (!error && leads_to(&way, gateway, oif))
		return true;
	error = install(routes, backend->id);
	if (!error)
		error = way_ask(routes->netlink, destination, route_mark(backend), &way);
	if (!error && leads_to(&way, gateway, oif))
		return true;
	if (!error && way.type == RTN_LOCAL) {
		*why = "the VIP is an address of this host";
		return false;
	}
	if (error)
		snprintf(routes->why, sizeof(routes->why), "no route to the backend on %s: %s",
			interface_name(interface), strerror(-error));
	*why = error ? routes->why : "another routing rule takes packets with the check's mark";
	return false;
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
