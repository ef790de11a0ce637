/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules and routes for checks by way of the VIP. What is in place is never remembered but asked of the
 * kernel before each check, because an interface that goes down, or a network manager that tidies up,
 * takes routes and rules away without asking us.
 */
#include "route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "log.h"

#define VIPS_LOOKED_AT 256 /* for warnings: routes asked for in one go, at most */

struct routes {
	struct netlink *netlink;
	struct interface *interface;
	struct model *model;
	struct interface_listener link;
	uint32_t wanted_v4, wanted_v6;
	char why[160];
	struct addr gateway[SNAPSHOT_MAX_IDS + 1]; /* by backend id; all zero: not wanted */
};

static bool is_wanted(const struct routes *routes, uint32_t id)
{
	return routes->gateway[id].hi || routes->gateway[id].lo;
}

uint32_t route_mark(const struct backend *backend)
{
	return ROUTE_MARK | backend->id;
}

static struct nlmsghdr *begin_rule(struct routes *routes, uint16_t type, uint16_t flags, int family, uint32_t mark,
	uint32_t mask, uint32_t priority, uint8_t action)
{
	struct nlmsghdr *message = netlink_begin(routes->netlink, type, flags);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->family = (uint8_t)family;
	head->action = action;
	mnl_attr_put_u32(message, FRA_FWMARK, mark);
	mnl_attr_put_u32(message, FRA_FWMASK, mask);
	mnl_attr_put_u32(message, FRA_PRIORITY, priority);
	mnl_attr_put_u8(message, FRA_PROTOCOL, ROUTE_PROTOCOL);
	return message;
}

/* NLM_F_EXCL: without it the kernel would add the same rule a second time. */
#define ADD_FLAGS (NLM_F_CREATE | NLM_F_EXCL)

static int change_rule(struct routes *routes, uint16_t type, uint16_t flags, int family, uint32_t id)
{
	struct nlmsghdr *message = begin_rule(routes, type, flags, family, ROUTE_MARK | id, 0xffffffff,
		ROUTE_RULE_PRIORITY, FR_ACT_TO_TBL);

	mnl_attr_put_u32(message, FRA_TABLE, ROUTE_TABLE + id);
	return netlink_request(routes->netlink, message);
}

static int change_catch(struct routes *routes, uint16_t type, uint16_t flags, int family)
{
	struct nlmsghdr *message = begin_rule(routes, type, flags, family, ROUTE_MARK, ROUTE_MARK_MASK,
		ROUTE_RULE_PRIORITY + 1, FR_ACT_UNREACHABLE);

	return netlink_request(routes->netlink, message);
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
	struct addr gateway = routes->gateway[id];
	int family = address_family(gateway);
	unsigned int oif = interface_index(routes->interface);
	int error;

	if (!oif)
		return -ENETDOWN;
	/* The catching rule first: from here on a marked packet never takes the host's own routes. */
	error = change_catch(routes, RTM_NEWRULE, ADD_FLAGS, family);
	if (error && error != -EEXIST)
		return error;
	/* REPLACE: what is there may lead to an interface that has since been made anew. */
	error = change_route(routes, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, gateway, id, oif);
	if (error)
		return error;
	error = change_rule(routes, RTM_NEWRULE, ADD_FLAGS, family, id);
	return error == -EEXIST ? 0 : error;
}

void route_want(struct routes *routes, const struct backend *backend)
{
	uint32_t *wanted = addr_is_ipv4(backend->address) ? &routes->wanted_v4 : &routes->wanted_v6;

	if (is_wanted(routes, backend->id))
		return;
	(*wanted)++;
	routes->gateway[backend->id] = backend->address;
	if (interface_index(routes->interface))
		install(routes, backend->id); /* a failure shows at the first check, in route_ready() */
}

void route_drop(struct routes *routes, const struct backend *backend)
{
	uint32_t id = backend->id;
	struct addr gateway = routes->gateway[id];
	int family = address_family(gateway);
	uint32_t *wanted = family == AF_INET ? &routes->wanted_v4 : &routes->wanted_v6;

	if (!is_wanted(routes, id))
		return;
	routes->gateway[id] = (struct addr){ 0, 0 };
	change_rule(routes, RTM_DELRULE, 0, family, id);
	change_route(routes, RTM_DELROUTE, 0, gateway, id, 0);
	if (--*wanted == 0)
		change_catch(routes, RTM_DELRULE, 0, family);
}

/* What the kernel says of where a packet would go. */
struct way {
	struct addr gateway;
	bool has_gateway;
	unsigned int oif;
	uint8_t type; /* RTN_* */
};

static int note_way(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct way *way = context;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	way->type = head->rtm_type;
	mnl_attr_for_each(attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
			way->has_gateway = netlink_get_addr(attribute, head->rtm_family, &way->gateway);
		if (mnl_attr_get_type(attribute) == RTA_OIF && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			way->oif = mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

/* mark 0: none. */
static int ask_way(struct routes *routes, struct addr destination, uint32_t mark, struct way *way)
{
	struct nlmsghdr *message = netlink_begin(routes->netlink, RTM_GETROUTE, 0);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	memset(way, 0, sizeof(*way));
	head->rtm_family = (uint8_t)address_family(destination);
	head->rtm_dst_len = addr_is_ipv4(destination) ? 32 : 128;
	netlink_put_addr(message, RTA_DST, destination);
	if (mark)
		mnl_attr_put_u32(message, RTA_MARK, mark);
	return netlink_query(routes->netlink, message, note_way, way);
}

static bool leads_to(const struct routes *routes, const struct way *way, struct addr gateway)
{
	return way->has_gateway && addr_equal(way->gateway, gateway) && way->oif == interface_index(routes->interface);
}

bool route_ready(struct routes *routes, const struct backend *backend, struct addr destination, const char **why)
{
	struct addr gateway = routes->gateway[backend->id];
	struct way way;
	int error;

	*why = "";
	if (!interface_index(routes->interface)) {
		*why = "the kernel interface is not there or not up";
		return false;
	}
	error = ask_way(routes, destination, route_mark(backend), &way);
	if (!error && leads_to(routes, &way, gateway))
		return true;
	if (!error && way.type == RTN_LOCAL) {
		*why = "the VIP is an address of this host";
		return false;
	}
	error = install(routes, backend->id);
	if (!error)
		error = ask_way(routes, destination, route_mark(backend), &way);
	if (!error && leads_to(routes, &way, gateway))
		return true;
	if (error)
		snprintf(routes->why, sizeof(routes->why), "no route to the backend on %s: %s",
			interface_name(routes->interface), strerror(-error));
	*why = error ? routes->why : "another routing rule takes packets with the check's mark";
	return false;
}

static void on_up(void *context)
{
	struct routes *routes = context;

	for (uint32_t id = 0; id < SNAPSHOT_MAX_IDS; id++)
		if (is_wanted(routes, id))
			install(routes, id);
}

/* What a dump found that is ours: enough to delete it. */
struct found {
	uint32_t *item;
	size_t n, room;
	int family;
};

static void add_found(struct found *found, uint32_t item)
{
	if (found->n == found->room) {
		size_t room = found->room ? found->room * 2 : 64;
		uint32_t *more = realloc(found->item, room * sizeof(*more));

		if (!more)
			return;
		found->item = more;
		found->room = room;
	}
	found->item[found->n++] = item;
}

static int note_rule(const struct nlmsghdr *message, void *context)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	struct found *found = context;
	const struct nlattr *attribute;
	uint32_t mark = 0;
	uint8_t protocol = 0;

	if (message->nlmsg_type != RTM_NEWRULE || head->family != found->family)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == FRA_FWMARK && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			mark = mnl_attr_get_u32(attribute);
		if (mnl_attr_get_type(attribute) == FRA_PROTOCOL && mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
			protocol = mnl_attr_get_u8(attribute);
	}
	if (protocol == ROUTE_PROTOCOL && (mark & ROUTE_MARK_MASK) == ROUTE_MARK && head->action == FR_ACT_TO_TBL)
		add_found(found, mark & ~ROUTE_MARK_MASK);
	return MNL_CB_OK;
}

static int note_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct found *found = context;
	const struct nlattr *attribute;
	uint32_t table = 0;

	if (message->nlmsg_type != RTM_NEWROUTE || head->rtm_family != found->family ||
		head->rtm_protocol != ROUTE_PROTOCOL)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, message, sizeof(*head))
		if (mnl_attr_get_type(attribute) == RTA_TABLE && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			table = mnl_attr_get_u32(attribute);
	if (table - ROUTE_TABLE < SNAPSHOT_MAX_IDS)
		add_found(found, table - ROUTE_TABLE);
	return MNL_CB_OK;
}

/* Remove every rule and route that is ours, whoever put it there. Returns how many. */
static size_t sweep(struct routes *routes, int family)
{
	struct found rules = { .family = family }, ways = { .family = family };
	struct nlmsghdr *message = netlink_begin(routes->netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(message, sizeof(*rule));
	struct addr any = family == AF_INET ? addr_from_ipv4(0) : (struct addr){ 0, 0 };
	struct rtmsg *way;
	size_t removed;

	rule->family = (uint8_t)family;
	netlink_query(routes->netlink, message, note_rule, &rules);
	message = netlink_begin(routes->netlink, RTM_GETROUTE, NLM_F_DUMP);
	way = mnl_nlmsg_put_extra_header(message, sizeof(*way));
	way->rtm_family = (uint8_t)family;
	way->rtm_protocol = ROUTE_PROTOCOL; /* the kernel picks them out: a host with BGP may have a million others */
	netlink_query(routes->netlink, message, note_route, &ways);
	for (size_t i = 0; i < rules.n; i++)
		change_rule(routes, RTM_DELRULE, 0, family, rules.item[i]);
	for (size_t i = 0; i < ways.n; i++)
		change_route(routes, RTM_DELROUTE, 0, any, ways.item[i], 0);
	while (change_catch(routes, RTM_DELRULE, 0, family) == 0)
		;
	removed = rules.n + ways.n;
	free(rules.item);
	free(ways.item);
	return removed;
}

struct routes *route_open(struct netlink *netlink, struct interface *interface, struct model *model)
{
	struct routes *routes = calloc(1, sizeof(*routes));
	size_t left;

	if (!routes)
		return NULL;
	routes->netlink = netlink;
	routes->interface = interface;
	routes->model = model;
	left = sweep(routes, AF_INET) + sweep(routes, AF_INET6);
	if (left)
		log_notice("removed %zu routing rules and routes that an earlier shuntd had left", left);
	routes->link = (struct interface_listener){ .context = routes, .up = on_up };
	interface_listen(interface, &routes->link);
	return routes;
}

void route_close(struct routes *routes)
{
	if (!routes)
		return;
	sweep(routes, AF_INET);
	sweep(routes, AF_INET6);
	free(routes);
}

static int rp_filter_of(const char *interface)
{
	char path[100];
	int value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", interface);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* What the kernel would do to a packet from this VIP that comes in on the kernel interface, or NULL: nothing. */
static json_t *vip_warning(struct routes *routes, struct addr address, int rp_filter)
{
	const char *name = interface_name(routes->interface);
	char text[ADDRESS_TEXT];
	struct way way;
	int error = ask_way(routes, address, 0, &way);

	address_print(address, text);
	if (!error && way.type == RTN_LOCAL)
		return json_sprintf("VIP %s is an address of this host: it must not be, checks by way of the VIP can't "
				    "leave the host", text);
	if (!addr_is_ipv4(address) || rp_filter == 0)
		return NULL;
	if (rp_filter == 1 && !error && way.type == RTN_UNICAST && way.oif == interface_index(routes->interface))
		return NULL;
	if (rp_filter == 2 && !error && way.type == RTN_UNICAST)
		return NULL;
	return json_sprintf("net.ipv4.conf.%s.rp_filter (or .all) is %d: the answers to checks by way of VIP %s are "
			    "dropped, because the route back to it does not lead through %s: set both to 0",
		name, rp_filter, text, name);
}

static void warn_of_address(const struct routes *routes, json_t *warnings, int family, uint32_t wanted)
{
	if (wanted && !interface_has_address(routes->interface, family))
		json_array_append_new(warnings,
			json_sprintf("%s has no %s address: checks have no source address of this network",
				interface_name(routes->interface), address_family_name(family)));
}

void route_warnings(struct routes *routes, json_t *warnings)
{
	struct addr last = { 0, 0 };
	int all, rp_filter, asked = 0;

	if (!interface_index(routes->interface)) {
		json_array_append_new(warnings,
			interface_name(routes->interface)[0] ?
				json_sprintf("interface %s is not there or not up", interface_name(routes->interface)) :
				json_string("there is no dpdk.kernel_interface: no neighbours, no checks by way of the VIP"));
		return;
	}
	warn_of_address(routes, warnings, AF_INET, routes->wanted_v4);
	warn_of_address(routes, warnings, AF_INET6, routes->wanted_v6);
	all = rp_filter_of("all");
	rp_filter = rp_filter_of(interface_name(routes->interface));
	rp_filter = all > rp_filter ? all : rp_filter;
	for (struct vip *v = model_vips(routes->model); v && asked < VIPS_LOOKED_AT; v = v->next) {
		const struct check *check = &v->pool->check;
		json_t *warning;

		if (addr_equal(v->address, last) || check->type == CHECK_NONE || check->via != CHECK_VIA_VIP)
			continue;
		last = v->address;
		asked++;
		warning = vip_warning(routes, v->address, rp_filter);
		if (warning)
			json_array_append_new(warnings, warning);
	}
}
