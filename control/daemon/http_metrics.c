/* SPDX-License-Identifier: BSD-3-Clause */
/* /metrics: everything that counts or has a state, in Prometheus' text format. Names begin with shunt_. */
#include <event2/buffer.h>
#include <string.h>

#include "address.h"
#include "http.h"

void http_put_head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP shunt_%s %s\n# TYPE shunt_%s %s\n", name, help, name, type);
}

void http_put_plain(struct evbuffer *out, const char *name, const char *type, const char *help, double value)
{
	http_put_head(out, name, type, help);
	evbuffer_add_printf(out, "shunt_%s %.17g\n", name, value);
}

static void put_process(const struct daemon *daemon, struct evbuffer *out)
{
	const struct stats_header *stats = publish_stats(daemon->publisher);
	const struct flow_table_header *table = publish_flows(daemon->publisher).header;

	http_put_head(out, "build_info", "gauge", "Version of shuntd.");
	evbuffer_add_printf(out, "shunt_build_info{version=\"%s\"} 1\n", SHUNT_VERSION);
	http_put_head(out, "path_info", "gauge",
		"What carries traffic: dpdk, xdp-native, xdp-generic; xdp: not attached.");
	evbuffer_add_printf(out, "shunt_path_info{path=\"%s\"} 1\n", daemon_path(daemon));
	http_put_plain(out, "uptime_seconds", "gauge", "Since shuntd began.", (double)daemon_uptime_s(daemon));
	http_put_plain(out, "dataplane_up", "gauge",
		"Whether the forwarder is there and alive, on whichever path.", publish_alive(daemon->publisher));
	http_put_plain(out, "snapshot_version", "gauge", "Version of the snapshot in force; 0: none.",
		(double)publish_version(daemon->publisher));
	http_put_plain(out, "flows_active", "gauge", "Flows in use, as the last sweep counted them.",
		stats ? (double)stats->flows_active : 0);
	http_put_plain(out, "flows_closing", "gauge", "Flows that have seen a FIN or RST.",
		stats ? (double)stats->flows_closing : 0);
	http_put_plain(out, "flows_half_open", "gauge",
		"Flows of which one packet was seen; among the active ones.",
		stats ? (double)stats->flows_half_open : 0);
	http_put_plain(out, "flows_capacity", "gauge", "Flows the table is made for.",
		table ? (double)table->capacity : (double)daemon->config->flow_capacity);
}

static void put_counters(const struct daemon *daemon, struct evbuffer *out)
{
	http_put_plain(out, "packets_received_total", "counter", "Packets the workers took in.",
		(double)counters_received(daemon->counters));
	http_put_plain(out, "port_missed_total", "counter",
		"Packets the ports lost because the workers were behind.",
		(double)counters_port_missed(daemon->counters));
	http_put_head(out, "verdicts_total", "counter",
		"Packets by what became of them; together they are all received.");
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (counter_infos[i].class == COUNTER_CLASS_VERDICT)
			evbuffer_add_printf(out, "shunt_verdicts_total{verdict=\"%s\"} %llu\n", counter_infos[i].name,
				(unsigned long long)counters_total(daemon->counters, (enum counter)i));
	for (int i = 0; i < COUNTER_COUNT; i++) {
		char name[80];

		if (counter_infos[i].class != COUNTER_CLASS_EVENT)
			continue;
		snprintf(name, sizeof(name), "%s_total", counter_infos[i].name);
		http_put_plain(out, name, "counter", counter_infos[i].help,
			(double)counters_total(daemon->counters, (enum counter)i));
	}
}

static const char *const forwarder_names[FORWARDER_KINDS] = {
	[FORWARDER_XDP] = "xdp",
	[FORWARDER_DATAPLANE] = "dataplane",
};

/* Whether the forwarder has a worker of this index that is one to be shown. */
static bool get_worker(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *worker)
{
	return forwarder && forwarder_worker(forwarder, index, worker) && worker->core != FORWARDER_NO_CORE;
}

static void put_workers(const struct daemon *daemon, struct evbuffer *out)
{
	struct forwarder_worker worker;

	http_put_head(out, "worker_packets_total", "counter",
		"Packets a worker, or a CPU in XDP, took in since its forwarder began.");
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(daemon->publisher, (enum forwarder_kind)kind);

		for (uint32_t i = 0; get_worker(f, i, &worker); i++)
			if (forwarder_worker_is_at_work(&worker))
				evbuffer_add_printf(out,
					"shunt_worker_packets_total{forwarder=\"%s\",core=\"%u\"} %llu\n",
					forwarder_names[kind], worker.core, (unsigned long long)*worker.received);
	}
	http_put_head(
		out, "worker_busy_ratio", "gauge", "Receive bursts of the last second that brought something.");
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(daemon->publisher, (enum forwarder_kind)kind);

		for (uint32_t i = 0; get_worker(f, i, &worker); i++)
			if (worker.polls)
				evbuffer_add_printf(out, "shunt_worker_busy_ratio{forwarder=\"%s\",core=\"%u\"} %.4f\n",
					forwarder_names[kind], worker.core,
					counters_worker_rates(daemon->counters, f->kind, i).busy_percent / 100);
	}
}

#define RULES_SHOWN 1000 /* of a list, one by one */

/* Of long lists only the sums: a series for each of 100,000 rules would be more than all else. */
static void put_access(const struct daemon *daemon, struct evbuffer *out)
{
	char prefix[ADDRESS_PREFIX_TEXT];

	if (!model_access_lists(daemon->model))
		return;
	http_put_head(out, "access_packets_total", "counter",
		"Packets that rules of an access list decided on, those taken out since among them.");
	for (struct access_list *list = model_access_lists(daemon->model); list; list = list->next) {
		uint64_t packets[2];

		access_list_packets(list, packets);
		for (int allow = 0; allow < 2; allow++)
			evbuffer_add_printf(out, "shunt_access_packets_total{list=\"%s\",action=\"%s\"} %llu\n",
				list->name, allow ? "allow" : "deny", (unsigned long long)packets[allow]);
	}
	http_put_head(out, "access_rule_packets_total", "counter",
		"The same by rule, of lists with at most 1000 of them.");
	for (struct access_list *list = model_access_lists(daemon->model); list; list = list->next)
		for (uint32_t i = 0; i < list->n && list->n <= RULES_SHOWN; i++)
			evbuffer_add_printf(out,
				"shunt_access_rule_packets_total{list=\"%s\",action=\"%s\",prefix=\"%s\"} %llu\n",
				list->name, list->rules[i].allow ? "allow" : "deny",
				address_print_prefix(list->rules[i].address, list->rules[i].length, prefix),
				(unsigned long long)access_rule_packets(&list->rules[i]));
}

static void put_port_value(const struct daemon *daemon, struct evbuffer *out,
	unsigned long long (*value)(const struct stats_port *port), const char *name)
{
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(daemon->publisher, (enum forwarder_kind)kind);
		const struct stats_header *stats = f ? f->stats : NULL;

		for (uint32_t i = 0; stats && i < stats->n_ports && i < SNAPSHOT_MAX_PORTS; i++)
			evbuffer_add_printf(out, "shunt_%s{forwarder=\"%s\",port=\"%u\"} %llu\n", name,
				forwarder_names[kind], i, value(&stats->port[i]));
	}
}

static unsigned long long port_up(const struct stats_port *port)
{
	return port->link_up;
}

static unsigned long long port_rx_errors(const struct stats_port *port)
{
	return port->rx_errors;
}

static unsigned long long port_tx_errors(const struct stats_port *port)
{
	return port->tx_errors;
}

static void put_ports(const struct daemon *daemon, struct evbuffer *out)
{
	http_put_head(out, "port_up", "gauge", "Whether the port has a link.");
	put_port_value(daemon, out, port_up, "port_up");
	http_put_head(out, "port_rx_errors_total", "counter", "Receive errors of the port.");
	put_port_value(daemon, out, port_rx_errors, "port_rx_errors_total");
	http_put_head(out, "port_tx_errors_total", "counter", "Transmit errors of the port.");
	put_port_value(daemon, out, port_tx_errors, "port_tx_errors_total");
}

/* Pool names hold no character that would have to be escaped, addresses neither. */
static double vip_packets(const struct vip *vip)
{
	return (double)vip->traffic.packets;
}

static double vip_bytes(const struct vip *vip)
{
	return (double)vip->traffic.bytes;
}

static double vip_new_flows(const struct vip *vip)
{
	return (double)vip->traffic.new_flows;
}

static double vip_active(const struct vip *vip)
{
	return vip->active_flows;
}

static double vip_half_open(const struct vip *vip)
{
	return vip->half_open;
}

static double vip_untracked(const struct vip *vip)
{
	return (double)vip->traffic.untracked;
}

static double vip_over_bound(const struct vip *vip)
{
	return (double)vip->traffic.over_bound;
}

static double vip_elsewhere(const struct vip *vip)
{
	return (double)vip->traffic.elsewhere;
}

static double vip_refused(const struct vip *vip)
{
	return (double)vip->traffic.refused;
}

static double vip_limited(const struct vip *vip)
{
	return (double)vip->traffic.limited;
}

/* Not of the VIP alone, as the others are. */
static void put_bounds(const struct daemon *daemon, struct evbuffer *out)
{
	char vip[ADDRESS_VIP_TEXT];

	http_put_head(
		out, "vip_half_open_bound", "gauge", "Half-open flows that the VIP may have in the flow table.");
	for (const struct vip *v = model_vips(daemon->model); v; v = v->next)
		evbuffer_add_printf(out, "shunt_vip_half_open_bound{vip=\"%s\",pool=\"%s\"} %u\n",
			address_print_vip(v->address, v->protocol, v->port, vip), v->pool->name,
			model_vip_half_open(v, daemon->config->flow_capacity));
}

static void put_vips(const struct daemon *daemon, struct evbuffer *out)
{
	static const struct {
		const char *name, *type, *help;
		double (*value)(const struct vip *vip);
	} values[] = {
		{ "vip_flows_active", "gauge", "Flows in use, by VIP.", vip_active },
		{ "vip_packets_total", "counter", "Packets to the VIP that were sent to a backend.", vip_packets },
		{ "vip_bytes_total", "counter", "Bytes of frames to the VIP that were sent to a backend.",
			vip_bytes },
		{ "vip_new_flows_total", "counter", "Flows to the VIP that began.", vip_new_flows },
		{ "vip_flows_half_open", "gauge", "Of its flows in use those of TCP whose handshake is not over.",
			vip_half_open },
		{ "vip_untracked_total", "counter",
			"Flows to the VIP that began without an entry in the flow table: they go by hash.",
			vip_untracked },
		{ "vip_over_bound_total", "counter",
			"Of these, those for which the VIP had its bound of half-open flows.", vip_over_bound },
		{ "vip_elsewhere_packets_total", "counter",
			"Packets to the VIP that went to another backend than hashing alone would send them to, "
			"which is "
			"what the flow table is worth; estimated from a sample.",
			vip_elsewhere },
		{ "vip_refused_packets_total", "counter", "Packets to the VIP that its access list kept out.",
			vip_refused },
		{ "vip_limited_flows_total", "counter", "New flows to the VIP beyond their source's rate.",
			vip_limited },
	};
	char vip[ADDRESS_VIP_TEXT];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		http_put_head(out, values[i].name, values[i].type, values[i].help);
		for (const struct vip *v = model_vips(daemon->model); v; v = v->next)
			evbuffer_add_printf(out, "shunt_%s{vip=\"%s\",pool=\"%s\"} %.17g\n", values[i].name,
				address_print_vip(v->address, v->protocol, v->port, vip), v->pool->name,
				values[i].value(v));
	}
}

static void put_announcements(const struct daemon *daemon, struct evbuffer *out)
{
	http_put_plain(out, "announcements_total", "counter",
		"Gratuitous ARP and unsolicited neighbour advertisements that shuntd sent since it began.",
		daemon->announcer ? (double)announce_sent(daemon->announcer) : 0);
}

void http_put_metrics(const struct daemon *daemon, struct evbuffer *out)
{
	counters_refresh(daemon->counters);
	put_process(daemon, out);
	put_counters(daemon, out);
	put_workers(daemon, out);
	put_access(daemon, out);
	put_ports(daemon, out);
	put_announcements(daemon, out);
	put_vips(daemon, out);
	put_bounds(daemon, out);
	http_put_backends(daemon, out);
	http_put_health(daemon, out);
}
