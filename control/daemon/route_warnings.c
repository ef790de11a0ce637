/* SPDX-License-Identifier: BSD-3-Clause */
/* What of the host would keep checks by way of the VIP from working. */
#include <stdio.h>

#include "address.h"
#include "route_private.h"
#include "way.h"

#define VIPS_LOOKED_AT 256 /* routes asked for in one go, at most */

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
static json_t *vip_warning(
	struct routes *routes, const struct interface *interface, struct addr address, int rp_filter)
{
	const char *name = interface_name(interface);
	char text[ADDRESS_TEXT];
	struct way way;
	int error = way_ask(routes->netlink, address, 0, &way);

	address_print(address, text);
	if (!error && way.type == RTN_LOCAL)
		return json_sprintf(
			"VIP %s is an address of this host: it must not be, checks by way of the VIP can't "
			"leave the host",
			text);
	if (!addr_is_ipv4(address) || rp_filter == 0)
		return NULL;
	if (rp_filter == 1 && !error && way.type == RTN_UNICAST && way.oif == interface_index(interface))
		return NULL;
	if (rp_filter == 2 && !error && way.type == RTN_UNICAST)
		return NULL;
	return json_sprintf(
		"net.ipv4.conf.%s.rp_filter (or .all) is %d: the answers to checks by way of VIP %s are "
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
			if (!route_is_wanted(routes, b->id))
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

static void warn_of_port(
	struct routes *routes, const struct interface *interface, const struct wanted *wanted, json_t *warnings)
{
	if (!interface_index(interface)) {
		json_array_append_new(warnings,
			interface_name(interface)[0]
				? json_sprintf("interface %s is not there or not up", interface_name(interface))
				: json_string("there is no dpdk.kernel_interface: no neighbours, no checks by way "
					      "of the VIP"));
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
