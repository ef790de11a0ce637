/* SPDX-License-Identifier: BSD-3-Clause */
/* The status page: VIPs, pools and backends as they are, and what happened last. */
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <time.h>

#include "address.h"
#include "clock.h"
#include "events.h"
#include "http.h"

#define EVENTS_SHOWN 20

static void put_escaped(struct evbuffer *out, const char *text)
{
	char *escaped = evhttp_htmlescape(text);

	evbuffer_add_printf(out, "%s", escaped ? escaped : "");
	free(escaped);
}

/* What there is to say of it beside its state. */
static void put_notes(struct evbuffer *out, const struct backend *backend)
{
	const struct drain *drain = &backend->drain;
	const char *error = health_error(backend);
	uint64_t now_ms = clock_boot_ms();

	if (backend->suspect)
		evbuffer_add_printf(out, "suspect: handshakes with it have stopped. ");
	if (backend->returning)
		evbuffer_add_printf(out, "no new flows before its check succeeds. ");
	if (backend->ramp < RAMP_FULL)
		evbuffer_add_printf(out, "slow start: %u %% of its weight. ", backend->ramp / 10u);
	if (backend->draining && drain->over && drain->cut)
		evbuffer_add_printf(out, "%u flows were cut. ", drain->cut);
	if (backend->draining && !drain->over && drain->deadline_ms > now_ms)
		evbuffer_add_printf(out, "%llu s until its flows are cut. ",
			(unsigned long long)(drain->deadline_ms - now_ms + 999) / 1000);
	put_escaped(out, error ? error : "");
}

static void put_backend(struct evbuffer *out, const struct backend *backend)
{
	char address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

	evbuffer_add_printf(out,
		"<tr><td></td><td>%s</td><td class=\"%s\">%s</td><td>%u</td><td>%s</td><td>%u</td><td>%u</td><td>",
		address_print(backend->address, address), backend_state_name(model_backend_state(backend)),
		backend_state_name(model_backend_state(backend)), backend->weight,
		backend->mac_known ? address_print_mac(&backend->mac, mac) : "not known", backend->active_flows,
		backend->closing_flows);
	put_notes(out, backend);
	evbuffer_add_printf(out, "</td></tr>\n");
}

static void put_vip(struct evbuffer *out, const struct vip *vip)
{
	char text[ADDRESS_VIP_TEXT];

	evbuffer_add_printf(
		out, "<tr><td>%s</td><td>", address_print_vip(vip->address, vip->protocol, vip->port, text));
	put_escaped(out, vip->pool->name);
	evbuffer_add_printf(out, "</td><td>%u</td></tr>\n", vip->active_flows);
}

static void put_pool(struct evbuffer *out, const struct pool *pool)
{
	evbuffer_add_printf(out, "<tr class=\"pool\"><td>");
	put_escaped(out, pool->name);
	evbuffer_add_printf(out, "</td><td colspan=\"7\">%s, %u VIPs%s", scheduler_name(pool->scheduler),
		pool->n_vips, pool->panicking ? ", panic: health is ignored" : "");
	if (pool->in_fallback && pool->fallback) {
		evbuffer_add_printf(out, ", served by ");
		put_escaped(out, pool->fallback->name);
	}
	evbuffer_add_printf(out, "</td></tr>\n");
	for (const struct backend *b = pool->backends; b; b = b->next)
		if (!b->removed)
			put_backend(out, b);
}

/* The newest first. */
static void put_events(struct evbuffer *out)
{
	char message[EVENT_MESSAGE], when[32];
	struct tm local;

	evbuffer_add_printf(out, "<table><tr><th>when</th><th>what happened</th></tr>\n");
	for (uint64_t i = events_last(), n = 0; i >= events_first() && n < EVENTS_SHOWN; i--, n++) {
		const struct event_entry *entry = events_get(i);
		time_t seconds = (time_t)(entry->time_ms / 1000);

		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
		evbuffer_add_printf(out, "<tr><td>%s</td><td>", when);
		put_escaped(out, event_message(entry, message));
		evbuffer_add_printf(out, "</td></tr>\n");
	}
	evbuffer_add_printf(out, "</table>\n");
}

void http_put_page(const struct daemon *daemon, struct evbuffer *out)
{
	json_t *warnings = daemon_warnings(daemon), *warning;
	size_t i;

	evbuffer_add_printf(out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>shunt</title>\n"
		"<meta http-equiv=\"refresh\" content=\"5\"><style>\n"
		"body{font:14px sans-serif;margin:2em}td,th{text-align:left;padding:2px 12px 2px 0}\n"
		".pool td{padding-top:10px;font-weight:bold}.up{color:#070}.down,.disabled,.warning{color:#b00}\n"
		".draining,.drained{color:#a60}\n</style></head><body>\n"
		"<h1>shunt %s</h1>\n<p>snapshot %llu, up %llu s, path %s, forwarder %s, %.0f packets/s. "
		"<a href=\"/metrics\">metrics</a></p>\n",
		SHUNT_VERSION, (unsigned long long)publish_version(daemon->publisher),
		(unsigned long long)daemon_uptime_s(daemon), daemon_path(daemon),
		publish_alive(daemon->publisher) ? "there" : "not there",
		counters_packets_per_second(daemon->counters));
	json_array_foreach (warnings, i, warning) {
		evbuffer_add_printf(out, "<p class=\"warning\">");
		put_escaped(out, json_string_value(warning));
		evbuffer_add_printf(out, "</p>\n");
	}
	json_decref(warnings);
	evbuffer_add_printf(out, "<table><tr><th>VIP</th><th>pool</th><th>active</th></tr>\n");
	for (const struct vip *v = model_vips(daemon->model); v; v = v->next)
		put_vip(out, v);
	evbuffer_add_printf(out,
		"</table>\n<table><tr><th>pool</th><th>backend</th><th>state</th><th>weight</th><th>MAC</th>"
		"<th>active</th><th>closing</th><th></th></tr>\n");
	for (const struct pool *p = model_pools(daemon->model); p; p = p->next)
		put_pool(out, p);
	evbuffer_add_printf(out, "</table>\n");
	put_events(out);
	evbuffer_add_printf(out, "</body></html>\n");
}
