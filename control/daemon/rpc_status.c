/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods "status" and "counters". */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "forwarder_dataplane.h"
#include "forwarder_xdp.h"
#include "rpc_method.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* A rate for people and graphs: a tenth is as fine as it means anything. */
static json_t *rate(double per_second)
{
	return json_real((double)(int64_t)(per_second * 10 + 0.5) / 10);
}

/* A string in a field of another process's: it ends where the field does at the latest, and may be anything. */
static json_t *text_of(const char *field, size_t size)
{
	json_t *text = json_stringn(field, strnlen(field, size));

	return text ? text : json_string("?");
}

static json_t *port_status(const struct stats_port *port)
{
	char mac[ADDRESS_MAC_TEXT];
	struct mac copy = port->mac;

	return json_pack("{s:o,s:o,s:s,s:i,s:s,s:i,s:I,s:I,s:I}", "name",
		text_of(port->name, sizeof(port->name)), "driver", text_of(port->driver, sizeof(port->driver)), "mac",
		address_print_mac(&copy, mac), "mtu", (int)port->mtu, "link", port->link_up ? "up" : "down",
		"speed_mbps", (int)port->link_mbps, "rx_missed", (json_int_t)port->rx_missed, "rx_errors",
		(json_int_t)port->rx_errors, "tx_errors", (json_int_t)port->tx_errors);
}

static json_t *ports_status(const struct stats_header *stats)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < stats->n_ports && i < SNAPSHOT_MAX_PORTS; i++)
		json_array_append_new(ports, port_status(&stats->port[i]));
	return ports;
}

static json_t *worker_status(const struct forwarder_worker *worker, struct worker_rates rates)
{
	json_t *status = json_pack("{s:i,s:I,s:o}", "core", (int)worker->core, "packets", (json_int_t)*worker->received,
		"packets_per_second", rate(rates.packets_per_second));

	if (worker->polls)
		json_object_set_new(status, "busy_percent", rate(rates.busy_percent));
	return status;
}

static json_t *workers_status(const struct daemon *daemon, const struct forwarder *f)
{
	json_t *workers = json_array();
	struct forwarder_worker worker;

	for (uint32_t i = 0; forwarder_worker(f, i, &worker); i++)
		if (worker.core != FORWARDER_NO_CORE && forwarder_worker_is_at_work(&worker))
			json_array_append_new(workers,
				worker_status(&worker, counters_worker_rates(daemon->counters, f->kind, i)));
	return workers;
}

static uint64_t uptime_s(uint64_t started_ns)
{
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return now_ns > started_ns ? (now_ns - started_ns) / 1000000000 : 0;
}

static json_t *dataplane_status(const struct daemon *daemon, const struct forwarder *f)
{
	const struct channel_hello *hello = forwarder_dataplane_hello(f);

	if (!hello)
		return json_pack("{s:b}", "connected", 0);
	return json_pack("{s:b,s:o,s:I,s:o,s:o,s:o,s:o}", "connected", 1, "version",
		text_of(hello->version, sizeof(hello->version)), "pid",
		(json_int_t)hello->pid, "uptime_s", number(uptime_s(f->stats->started_ns)), "snapshot",
		number(f->stats->snapshot_version), "ports", ports_status(f->stats), "workers",
		workers_status(daemon, f));
}

static json_t *flows_status(const struct daemon *daemon)
{
	const struct stats_header *stats = publish_stats(daemon->publisher);
	const struct flow_table_header *table = publish_flows(daemon->publisher).header;

	return json_pack("{s:o,s:o,s:o,s:o}", "active", number(stats ? stats->flows_active : 0), "closing",
		number(stats ? stats->flows_closing : 0), "half_open", number(stats ? stats->flows_half_open : 0),
		"capacity", number(table ? table->capacity : daemon->config->flow_capacity));
}

static json_t *xdp_status(const struct daemon *daemon, const struct forwarder *f)
{
	const struct xdp *xdp = forwarder_xdp_loader(f);
	const struct stats_header *stats = xdp_stats(xdp);

	return json_pack("{s:s,s:b,s:s?,s:o,s:o,s:o,s:o}", "interface",
		interface_name(ports_interface(daemon->ports, 0)), "attached", xdp_attached(xdp), "mode",
		!xdp_attached(xdp) ? NULL : xdp_native(xdp) ? "native" : "generic", "uptime_s",
		number(stats->started_ns ? uptime_s(stats->started_ns) : 0), "snapshot", number(xdp_version(xdp)),
		"ports", ports_status(stats), "workers", workers_status(daemon, f));
}

/* How late, as far as any were: [ "not later than so many ms", how many ], beside the percentiles of the last
 * minute. */
static json_t *lateness_status(const struct lateness *lateness)
{
	json_t *steps = json_array();

	for (unsigned int i = 0; i < LATENESS_STEPS; i++)
		if (lateness->total[i])
			json_array_append_new(
				steps, json_pack("[f,o]", lateness_step_ms(i), number(lateness->total[i])));
	return steps;
}

static json_t *checks_status(const struct health *health)
{
	const struct health_stats *stats = health_stats(health);

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:f,s:f,s:o}", "made", number(stats->made), "failed",
		number(stats->failed), "unmade", number(stats->unmade), "under_way", number(stats->under_way),
		"backends_unchecked", number(stats->n_unmade), "changes_held", number(stats->held),
		"changes_waiting", number(stats->n_held), "late_p50_ms", lateness_recent_ms(&stats->lateness, 0.5),
		"late_p99_ms", lateness_recent_ms(&stats->lateness, 0.99), "lateness",
		lateness_status(&stats->lateness));
}

/* What each forwarder in use says of itself, under its name. */
static void put_forwarders(const struct daemon *daemon, json_t *status)
{
	const struct forwarder *xdp = publish_forwarder(daemon->publisher, FORWARDER_XDP);
	const struct forwarder *dataplane = publish_forwarder(daemon->publisher, FORWARDER_DATAPLANE);

	if (xdp)
		json_object_set_new(status, "xdp", xdp_status(daemon, xdp));
	if (dataplane)
		json_object_set_new(status, "dataplane", dataplane_status(daemon, dataplane));
}

enum rpc_outcome rpc_status(struct rpc_call *call)
{
	const struct daemon *daemon = call->daemon;
	struct model_counts counts = model_count(daemon->model);

	call->result = json_pack("{s:s,s:s,s:s,s:o,s:b,s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:o}", "version", SHUNT_VERSION,
		"path", daemon_path(daemon), "path_reason", daemon->path.reason, "snapshot",
		number(publish_version(daemon->publisher)), "pending", publish_is_pending(daemon->publisher), "uptime_s",
		number(daemon_uptime_s(daemon)), "pid", (int)getpid(),
		"packets_per_second", rate(counters_packets_per_second(daemon->counters)), "flows",
		flows_status(daemon), "vips", number(counts.vips), "pools", number(counts.pools), "backends",
		number(counts.backends), "warnings", daemon_warnings(daemon));
	if (daemon->health)
		json_object_set_new(call->result, "checks", checks_status(daemon->health));
	put_forwarders(daemon, call->result);
	return RPC_DONE;
}

static void put_counter(json_t *all, bool help, const char *name, uint64_t total, const char *text,
	const char *class)
{
	json_t *value = number(total);

	if (help)
		value = json_pack("{s:o,s:s,s:s}", "value", value, "help", text, "class", class);
	json_object_set_new(all, name, value);
}

enum rpc_outcome rpc_counters(struct rpc_call *call)
{
	const struct counters *counters = call->daemon->counters;
	bool help = rpc_get_flag(call, "help");

	counters_refresh(call->daemon->counters);
	call->result = json_object();
	put_counter(call->result, help, "received", counters_received(counters), "packets the workers took in",
		"received");
	put_counter(call->result, help, "port_missed", counters_port_missed(counters),
		"packets the ports lost because the workers were behind; not among the received", "received");
	for (int i = 0; i < COUNTER_COUNT; i++)
		put_counter(call->result, help, counter_infos[i].name, counters_total(counters, (enum counter)i),
			counter_infos[i].help,
			counter_infos[i].class == COUNTER_CLASS_VERDICT ? "verdict" : "event");
	return RPC_DONE;
}
