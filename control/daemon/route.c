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
#include "way.h"

#define VIPS_LOOKED_AT 256 /* for warnings: routes asked for in one go, at most */

/* One backend's: where its packets go, and whether rule and route were put in place. */
struct way_out {
	struct addr gateway; /* all zero: not wanted */
	uint32_t port;       /* that it is behind */
	bool installed;
};

struct routes {
	struct netlink *netlink;
	const struct ports *ports;
	struct model *model;
	uint32_t wanted_v4, wanted_v6;
	bool frame_v4, frame_v6; /* install_frame() was done */
	char why[160];
	struct way_out way_out[SNAPSHOT_MAX_IDS + 1]; /* by backend id */
};

static bool is_wanted(const struct routes *routes, uint32_t id)
{
	return routes->way_out[id].gateway.hi || routes->way_out[id].gateway.lo;
}

uint32_t route_mark(const struct backend *backend)
{
	return ROUTE_MARK | backend->id;
}

/* NLM_F_EXCL: without it the kernel would add the same rule a second time. */
#define ADD_FLAGS (NLM_F_CREATE | NLM_F_EXCL)

struct rule {
	uint32_t mark, mask; /* mask 0: any */
	uint32_t priority;
	uint8_t action;
	uint32_t flags;
	uint32_t table;  /* 0: none */
	uint32_t target; /* of FR_ACT_GOTO */
};

/* type: RTM_NEWRULE or RTM_DELRULE. */
static int change_rule(struct routes *routes, uint16_t type, int family, const struct rule *rule)
{
	struct nlmsghdr *message = netlink_begin(routes->netlink, type, type == RTM_NEWRULE ? ADD_FLAGS : 0);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->family = (uint8_t)family;
	head->action = rule->action;
	head->flags = rule->flags;
	if (rule->mask) {
		mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(message, FRA_FWMASK, rule->mask);
	}
	if (rule->table)
		mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	if (rule->target)
		mnl_attr_put_u32(message, FRA_GOTO, rule->target);
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(message, FRA_PROTOCOL, ROUTE_PROTOCOL);
	return netlink_request(routes->netlink, message);
}

static struct rule backend_rule(uint32_t id)
{
	return (struct rule){
		.mark = ROUTE_MARK | id,
		.mask = 0xffffffff,
		.priority = ROUTE_RULE_PRIORITY + 1,
		.action = FR_ACT_TO_TBL,
		.table = ROUTE_TABLE + id,
	};
}

/*
 * What stands around the backends' rules, each after those it needs: the end, a rule that does nothing; before it
 * one that refuses what has a mark and found no rule; and first of all one by which packets without a mark
 * go on behind the end at once, so that thousands of rules cost the host's other traffic nothing.
 */
static const struct rule frame[] = {
	{ .priority = ROUTE_RULE_PRIORITY + 3, .action = FR_ACT_NOP },
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.priority = ROUTE_RULE_PRIORITY + 2,
		.action = FR_ACT_UNREACHABLE,
	},
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.flags = FIB_RULE_INVERT,
		.priority = ROUTE_RULE_PRIORITY,
		.action = FR_ACT_GOTO,
		.target = ROUTE_RULE_PRIORITY + 3,
	},
};

#define FRAME_RULES (sizeof(frame) / sizeof(frame[0]))

static int install_frame(struct routes *routes, int family)
{
	bool *installed = family == AF_INET ? &routes->frame_v4 : &routes->frame_v6;

	for (size_t i = 0; i < FRAME_RULES && !*installed; i++) {
		int error = change_rule(routes, RTM_NEWRULE, family, &frame[i]);

		if (error && error != -EEXIST)
			return error;
	}
	*installed = true;
	return 0;
}

/* From the last to the first; also what was put there more than once. */
static void remove_frame(struct routes *routes, int family)
{
	for (size_t i = FRAME_RULES; i > 0; i--)
		while (change_rule(routes, RTM_DELRULE, family, &frame[i - 1]) == 0)
			;
	if (family == AF_INET)
		routes->frame_v4 = false;
	else
		routes->frame_v6 = false;
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
	int family = address_family(way_out->gateway);
	unsigned int oif = interface_index(ports_interface(routes->ports, way_out->port));
	struct rule rule = backend_rule(id);
	int error;

	if (!oif)
		return -ENETDOWN;
	/* It was there and is there no more: whoever removed it may have removed all. */
	if (way_out->installed)
		routes->frame_v4 = routes->frame_v6 = false;
	error = install_frame(routes, family);
	if (error)
		return error;
	/* REPLACE: what is there may lead to an interface that has since been made anew. */
	error = change_route(routes, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, way_out->gateway, id, oif);
	if (error)
		return error;
	error = change_rule(routes, RTM_NEWRULE, family, &rule);
	way_out->installed = error == 0 || error == -EEXIST;
	return way_out->installed ? 0 : error;
}

void route_want(struct routes *routes, const struct backend *backend)
{
	if (is_wanted(routes, backend->id))
		return;
	if (addr_is_ipv4(backend->address))
		routes->wanted_v4++;
	else
		routes->wanted_v6++;
	routes->way_out[backend->id] = (struct way_out){ .gateway = backend->address };
}

void route_drop(struct routes *routes, const struct backend *backend)
{
	struct way_out *way_out = &routes->way_out[backend->id];
	int family = address_family(way_out->gateway);
	uint32_t *wanted = family == AF_INET ? &routes->wanted_v4 : &routes->wanted_v6;
	struct rule rule = backend_rule(backend->id);

	if (!is_wanted(routes, backend->id))
		return;
	if (way_out->installed) {
		change_rule(routes, RTM_DELRULE, family, &rule);
		change_route(routes, RTM_DELROUTE, 0, way_out->gateway, backend->id, 0);
	}
	*way_out = (struct way_out){ .installed = false };
	if (--*wanted == 0)
		remove_frame(routes, family);
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

/* What a dump found that is ours: messages one after the other, to be sent back as deletions. */
struct found {
	char *messages;
	size_t size, room;
	int family;
};

static void add_found(struct found *found, const struct nlmsghdr *message)
{
	size_t length = MNL_ALIGN(message->nlmsg_len);

	if (found->size + length > found->room) {
		size_t room = found->room * 2 + length + 4096;
		char *more = realloc(found->messages, room);

		if (!more)
			return;
		found->messages = more;
		found->room = room;
	}
	memcpy(found->messages + found->size, message, message->nlmsg_len);
	found->size += length;
}

static uint32_t number(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0 ? mnl_attr_get_u32(attribute) : 0;
}

static int note_rule(const struct nlmsghdr *message, void *context)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	uint32_t mark = 0, priority = 0;
	struct found *found = context;
	const struct nlattr *attribute;
	uint8_t protocol = 0;

	if (message->nlmsg_type != RTM_NEWRULE || head->family != found->family)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, message, sizeof(*head)) {
		if (mnl_attr_get_type(attribute) == FRA_FWMARK)
			mark = number(attribute);
		if (mnl_attr_get_type(attribute) == FRA_PRIORITY)
			priority = number(attribute);
		if (mnl_attr_get_type(attribute) == FRA_PROTOCOL && mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
			protocol = mnl_attr_get_u8(attribute);
	}
	/* By mark or, the one rule that has none, by its place. */
	if (protocol == ROUTE_PROTOCOL &&
		((mark & ROUTE_MARK_MASK) == ROUTE_MARK || priority == ROUTE_RULE_PRIORITY + 3))
		add_found(found, message);
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
		if (mnl_attr_get_type(attribute) == RTA_TABLE)
			table = number(attribute);
	if (table - ROUTE_TABLE < SNAPSHOT_MAX_IDS)
		add_found(found, message);
	return MNL_CB_OK;
}

/* Send what was found back as deletions of this type; returns how many there were. */
static size_t delete_found(struct routes *routes, struct found *found, uint16_t type)
{
	struct nlmsghdr *from = (struct nlmsghdr *)found->messages;
	int left = (int)found->size;
	size_t n = 0;

	for (; mnl_nlmsg_ok(from, left); from = mnl_nlmsg_next(from, &left)) {
		struct nlmsghdr *message = netlink_begin(routes->netlink, type, 0);
		size_t size = mnl_nlmsg_get_payload_len(from);

		memcpy(mnl_nlmsg_put_extra_header(message, size), mnl_nlmsg_get_payload(from), size);
		netlink_request(routes->netlink, message);
		n++;
	}
	free(found->messages);
	return n;
}

/* Remove every rule and route that is ours, whichever version of us put it there. Returns how many. */
static size_t sweep(struct routes *routes, int family)
{
	struct found rules = { .family = family }, ways = { .family = family };
	struct nlmsghdr *message = netlink_begin(routes->netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(message, sizeof(*rule));
	struct rtmsg *way;

	rule->family = (uint8_t)family;
	netlink_query(routes->netlink, message, note_rule, &rules);
	message = netlink_begin(routes->netlink, RTM_GETROUTE, NLM_F_DUMP);
	way = mnl_nlmsg_put_extra_header(message, sizeof(*way));
	way->rtm_family = (uint8_t)family;
	way->rtm_protocol = ROUTE_PROTOCOL; /* the kernel picks them out: a host with BGP may have a million others */
	netlink_query(routes->netlink, message, note_route, &ways);
	return delete_found(routes, &rules, RTM_DELRULE) + delete_found(routes, &ways, RTM_DELROUTE);
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
	left = sweep(routes, AF_INET) + sweep(routes, AF_INET6);
	if (left)
		log_notice("removed %zu routing rules and routes that an earlier shuntd had left", left);
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

/* What the kernel would do to a packet from this VIP that comes in on the interface, or NULL: nothing. */
static json_t *vip_warning(struct routes *routes, const struct interface *interface, struct addr address, int rp_filter)
{
	const char *name = interface_name(interface);
	char text[ADDRESS_TEXT];
	struct way way;
	int error = way_ask(routes->netlink, address, 0, &way);

	address_print(address, text);
	if (!error && way.type == RTN_LOCAL)
		return json_sprintf("VIP %s is an address of this host: it must not be, checks by way of the VIP can't "
				    "leave the host", text);
	if (!addr_is_ipv4(address) || rp_filter == 0)
		return NULL;
	if (rp_filter == 1 && !error && way.type == RTN_UNICAST && way.oif == interface_index(interface))
		return NULL;
	if (rp_filter == 2 && !error && way.type == RTN_UNICAST)
		return NULL;
	return json_sprintf("net.ipv4.conf.%s.rp_filter (or .all) is %d: the answers to checks by way of VIP %s are "
			    "dropped, because the route back to it does not lead through %s: set both to 0",
		name, rp_filter, text, name);
}

/* What checks would come through an interface. */
struct wanted {
	bool v4, v6;
};

static void count_wanted(const struct routes *routes, struct wanted *wanted)
{
	for (struct pool *p = model_pools(routes->model); p; p = p->next) {
		for (struct backend *b = p->backends; b; b = b->next) {
			if (!is_wanted(routes, b->id))
				continue;
			wanted[b->port].v4 |= addr_is_ipv4(b->address);
			wanted[b->port].v6 |= !addr_is_ipv4(b->address);
		}
	}
}

static void warn_of_address(const struct interface *interface, json_t *warnings, int family)
{
	if (!interface_has_address(interface, family))
		json_array_append_new(warnings,
			json_sprintf("%s has no %s address: checks have no source address of this network",
				interface_name(interface), address_family_name(family)));
}

static void warn_of_vips(struct routes *routes, const struct interface *interface, json_t *warnings)
{
	int all = rp_filter_of("all"), rp_filter = rp_filter_of(interface_name(interface)), asked = 0;
	struct addr last = { 0, 0 };

	rp_filter = all > rp_filter ? all : rp_filter;
	for (struct vip *v = model_vips(routes->model); v && asked < VIPS_LOOKED_AT; v = v->next) {
		const struct check *check = &v->pool->check;
		json_t *warning;

		if (addr_equal(v->address, last) || check->type == CHECK_NONE || check->via != CHECK_VIA_VIP)
			continue;
		last = v->address;
		asked++;
		warning = vip_warning(routes, interface, v->address, rp_filter);
		if (warning)
			json_array_append_new(warnings, warning);
	}
}

static void warn_of_port(struct routes *routes, const struct interface *interface, const struct wanted *wanted,
	json_t *warnings)
{
	if (!interface_index(interface)) {
		json_array_append_new(warnings, interface_name(interface)[0] ?
			json_sprintf("interface %s is not there or not up", interface_name(interface)) :
			json_string("there is no dpdk.kernel_interface: no neighbours, no checks by way of the VIP"));
		return;
	}
	if (wanted->v4)
		warn_of_address(interface, warnings, AF_INET);
	if (wanted->v6)
		warn_of_address(interface, warnings, AF_INET6);
	warn_of_vips(routes, interface, warnings);
}

void route_warnings(struct routes *routes, json_t *warnings)
{
	struct wanted wanted[SNAPSHOT_MAX_PORTS] = { { false, false } };

	count_wanted(routes, wanted);
	for (uint32_t i = 0; i < ports_count(routes->ports); i++)
		if (i == 0 || wanted[i].v4 || wanted[i].v6)
			warn_of_port(routes, ports_interface(routes->ports, i), &wanted[i], warnings);
}
