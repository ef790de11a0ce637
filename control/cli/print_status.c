/* SPDX-License-Identifier: BSD-3-Clause */
/* "status": how daemons, ports and workers are, one line each, what is wrong last and in red. */
#include <stdio.h>

#include "printers.h"
#include "text.h"

#define LABEL "%-11s"

static void print_daemon(const char *name, const json_t *daemon)
{
	char up[TEXT_SHORT];

	printf(LABEL "%s, up %s, pid %llu", name, text_member(daemon, "version", "?"),
		text_duration(up, text_number(daemon, "uptime_s")), text_number(daemon, "pid"));
}

static void print_flow_table(const json_t *flows)
{
	unsigned long long held = text_number(flows, "active") + text_number(flows, "closing");
	unsigned long long capacity = text_number(flows, "capacity");

	printf(LABEL "%llu active (%llu of them half-open), %llu closing; room for %llu", "flows",
		text_number(flows, "active"), text_number(flows, "half_open"),
		text_number(flows, "closing"), capacity);
	if (capacity)
		printf(" (%.1f%% used)", 100.0 * (double)held / (double)capacity);
	putchar('\n');
}

static void print_port(const json_t *port)
{
	unsigned long long mbps = text_number(port, "speed_mbps");

	printf(LABEL "%s (%s), %s, MTU %llu, link %s", "port", text_member(port, "name", "?"),
		text_member(port, "driver", "?"), text_member(port, "mac", "?"),
		text_number(port, "mtu"), text_member(port, "link", "?"));
	if (mbps)
		printf(" at %g Gbit/s", (double)mbps / 1000);
	printf("; lost: %llu missed, %llu receive and %llu transmit errors\n",
		text_number(port, "rx_missed"), text_number(port, "rx_errors"),
		text_number(port, "tx_errors"));
}

static void print_worker(const json_t *worker)
{
	char packets[TEXT_SHORT], rate[TEXT_SHORT];

	printf(LABEL "core %llu, %s packets/s, ", "worker", text_number(worker, "core"),
		text_rate(rate, text_real(worker, "packets_per_second")));
	/* Only who polls is busy or not; XDP runs when there is something to do. */
	if (json_object_get(worker, "busy_percent"))
		printf("%.0f%% busy, ", text_real(worker, "busy_percent"));
	printf("%s packets in all\n", text_count(packets, text_real(worker, "packets")));
}

static void print_dataplane(const struct invocation *invocation, const json_t *dataplane, bool alone)
{
	if (json_is_true(json_object_get(dataplane, "connected"))) {
		print_daemon("dataplane", dataplane);
		printf(", snapshot %llu in force\n", text_number(dataplane, "snapshot"));
		return;
	}
	printf(LABEL, "dataplane");
	text_put_coloured(invocation->colour, COLOUR_BAD, "not connected");
	puts(alone ? ": is shunt-dataplane running? shuntd goes on trying" : ": XDP forwards meanwhile");
}

static void print_xdp(const struct invocation *invocation, const json_t *xdp)
{
	char up[TEXT_SHORT];

	printf(LABEL "%s, ", "program", text_member(xdp, "interface", "?"));
	if (json_is_true(json_object_get(xdp, "attached")))
		printf("%s mode, counting for %s, snapshot %llu in force\n", text_member(xdp, "mode", "?"),
			text_duration(up, text_number(xdp, "uptime_s")), text_number(xdp, "snapshot"));
	else
		text_put_coloured(invocation->colour, COLOUR_BAD, "not attached\n");
}

static void print_ports_and_workers(const json_t *forwarder)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(forwarder, "ports"), i, item)
		print_port(item);
	json_array_foreach(json_object_get(forwarder, "workers"), i, item)
		print_worker(item);
}

void print_status(const struct invocation *invocation, const json_t *result)
{
	const json_t *dataplane = json_object_get(result, "dataplane"), *xdp = json_object_get(result, "xdp"), *item;
	char rate[TEXT_SHORT];
	size_t i;

	print_daemon("shuntd", result);
	printf("\n" LABEL "%s, snapshot %llu", "path", text_member(result, "path", "?"),
		text_number(result, "snapshot"));
	if (json_object_get(result, "path_reason")) /* not of a shuntd that has one path only */
		printf(" (%s)", text_member(result, "path_reason", ""));
	putchar('\n');
	if (xdp)
		print_xdp(invocation, xdp);
	if (dataplane)
		print_dataplane(invocation, dataplane, !xdp);

	printf(LABEL, "set");
	text_plural(stdout, text_number(result, "vips"), "VIP");
	fputs(", ", stdout);
	text_plural(stdout, text_number(result, "pools"), "pool");
	fputs(", ", stdout);
	text_plural(stdout, text_number(result, "backends"), "backend");
	printf("\n" LABEL "%s packets/s\n", "traffic", text_rate(rate, text_real(result, "packets_per_second")));
	print_flow_table(json_object_get(result, "flows"));
	print_ports_and_workers(xdp);
	print_ports_and_workers(dataplane);

	json_array_foreach(json_object_get(result, "warnings"), i, item) {
		text_put_coloured(invocation->colour, COLOUR_BAD, "warning: ");
		text_put(stdout, json_is_string(item) ? json_string_value(item) : "?");
		putchar('\n');
	}
}
