/* SPDX-License-Identifier: BSD-3-Clause */
/* "show": the tree of VIPs, pools and backends, and each of them as a table. */
#include <stdio.h>
#include <string.h>

#include "printers.h"
#include "table.h"
#include "text.h"

/* What is shown beside the basics. */
struct view {
	bool stats;
	bool rate;
	bool colour;
};

static const char *state_colour(const char *state)
{
	static const struct {
		const char *state, *colour;
	} colours[] = { { "up", COLOUR_GOOD }, { "down", COLOUR_BAD }, { "draining", COLOUR_WARN },
		{ "drained", COLOUR_WARN }, { "disabled", COLOUR_OFF } };

	for (size_t i = 0; i < sizeof(colours) / sizeof(*colours); i++)
		if (!strcmp(colours[i].state, state))
			return colours[i].colour;
	return NULL;
}

/* "12 left, silent for 40s at most, cut in 25m 3s" */
static void drain_note(const json_t *drain, char *out, size_t size)
{
	char silent[TEXT_SHORT], left[TEXT_SHORT];
	size_t length;

	if (json_is_number(json_object_get(drain, "flows_left")))
		snprintf(out, size, "%llu left", text_number(drain, "flows_left"));
	else
		snprintf(out, size, "counting its flows");
	length = strlen(out);
	if (text_number(drain, "silent_s"))
		snprintf(out + length, size - length, ", silent for %s at most",
			text_duration(silent, text_number(drain, "silent_s")));
	length = strlen(out);
	if (json_is_number(json_object_get(drain, "time_left_s")))
		snprintf(out + length, size - length, ", cut in %s",
			text_duration(left, text_number(drain, "time_left_s")));
}

/* What a reader at night wants to know beside the state: why it is so, and since when. */
static const char *backend_note(const json_t *backend, char *out, size_t size)
{
	const char *state = text_member(backend, "state", ""), *error = text_member(backend, "check_error", NULL);
	const json_t *weight = json_object_get(backend, "weight"), *drain = json_object_get(backend, "drain");
	double share = text_real(backend, "share");
	char since[TEXT_SHORT];

	*out = 0;
	if (!strcmp(state, "up") && json_is_integer(weight) && json_integer_value(weight) == 0) {
		snprintf(out, size, "weight 0: no new flows");
	} else if (!strcmp(state, "draining") && json_is_object(drain)) {
		drain_note(drain, out, size);
	} else if (!strcmp(state, "drained") && text_number(drain, "cut")) {
		snprintf(out, size, "%llu cut at the deadline", text_number(drain, "cut"));
	} else if (!strcmp(state, "up") && json_is_true(json_object_get(backend, "suspect"))) {
		snprintf(out, size, "suspect: its handshakes fail");
	} else if (!strcmp(state, "up") && share > 0 && share < 1) {
		snprintf(out, size, "slow start, %.0f %% of its share", share * 100);
	} else if (!strcmp(state, "down") && error) {
		snprintf(out, size, "%s", error);
		if (json_is_number(json_object_get(backend, "since_s")))
			snprintf(out + strlen(out), size - strlen(out), ", for %s",
				text_duration(since, text_number(backend, "since_s")));
	} else if (!strcmp(state, "down") && !json_is_string(json_object_get(backend, "mac"))) {
		snprintf(out, size, "MAC address not known");
	} else if (!strcmp(state, "down") && json_is_true(json_object_get(backend, "returning"))) {
		snprintf(out, size, "waits for its check");
	}
	return out;
}

static void traffic_columns(struct table *table, const struct view *view, bool headings)
{
	static const char *const names[] = { "Packets", "Bytes", "NewFlows", "Pkts/s", "Bytes/s", "Flows/s" };

	for (int i = view->stats ? 0 : 3; i < (view->rate ? 6 : 3); i++)
		if (headings)
			table_column(table, names[i], COLUMN_RIGHT);
		else
			table_cell(table, NULL, "%s", names[i]);
}

static void traffic_cells(struct table *table, const struct view *view, const json_t *object)
{
	static const char *const names[] = { "packets", "bytes", "new_flows", "packets_per_second",
		"bytes_per_second", "new_flows_per_second" };
	char text[TEXT_SHORT];

	for (int i = view->stats ? 0 : 3; i < (view->rate ? 6 : 3); i++)
		table_cell(table, NULL, "%s", (i < 3 ? text_count : text_rate)(text, text_real(object, names[i])));
}

static void flow_cells(struct table *table, const json_t *backend)
{
	table_cell(table, NULL, "%llu", text_number(backend, "active_flows"));
	table_cell(table, NULL, "%llu", text_number(backend, "closing_flows"));
}

/* "2/3 up" of a pool's backends, in the colour that says how well that is. */
static void up_cell(struct table *table, const json_t *pool)
{
	const json_t *backends = json_object_get(pool, "backends"), *backend;
	size_t i, up = 0, n = json_array_size(backends);

	json_array_foreach(backends, i, backend)
		up += !strcmp(text_member(backend, "state", ""), "up");
	if (json_is_true(json_object_get(pool, "in_fallback")))
		table_cell(table, COLOUR_BAD, "%zu/%zu up, fallback %s", up, n, text_member(pool, "fallback", "?"));
	else
		table_cell(table, up == 0 ? COLOUR_BAD : up < n ? COLOUR_WARN : COLOUR_GOOD, "%zu/%zu up%s", up, n,
			json_is_true(json_object_get(pool, "panicking")) ? ", panic" : "");
}

/* "192.0.2.80:80": the protocol has a column of its own. */
static const char *endpoint_of(const json_t *vip, char *out)
{
	return text_endpoint(out, text_member(vip, "address", "?"), text_number(vip, "port"));
}

/* Its new flows get no entry in the flow table. */
static bool is_at_bound(const json_t *vip)
{
	return json_is_true(json_object_get(vip, "at_bound")) && text_number(vip, "half_open_bound");
}

static void vip_row(struct table *table, const struct view *view, const json_t *vip, const json_t *pool)
{
	char endpoint[TEXT_VIP];

	table_row(table);
	table_cell(table, NULL, "%s", text_member(vip, "protocol", "?"));
	table_cell(table, NULL, "%s", endpoint_of(vip, endpoint));
	table_cell(table, NULL, "%s", text_member(pool, "scheduler", "?"));
	table_cell(table, NULL, "%s", text_member(vip, "pool", "?"));
	up_cell(table, pool);
	table_cell(table, NULL, "%llu", text_number(vip, "active_flows"));
	table_skip(table);
	traffic_cells(table, view, vip);
	if (is_at_bound(vip))
		table_cell(table, COLOUR_WARN, "has its bound of half-open flows: new ones go by hash");
}

/* Their first cell is `first`: an arrow in the tree, the pool's name in the table of backends. */
static void backend_rows(struct table *table, const struct view *view, const json_t *pool, const char *first)
{
	const json_t *backends = json_object_get(pool, "backends"), *backend;
	char note[256];
	size_t i;

	json_array_foreach(backends, i, backend) {
		const char *state = text_member(backend, "state", "?");

		table_row(table);
		table_cell(table, NULL, "%s", first);
		table_cell(table, NULL, "%s", text_member(backend, "address", "?"));
		table_cell(table, state_colour(state), "%s", state);
		table_cell(table, NULL, "%llu", text_number(backend, "weight"));
		table_cell(table, NULL, "%s", text_member(backend, "mac", "-"));
		flow_cells(table, backend);
		traffic_cells(table, view, backend);
		table_cell(table, NULL, "%s", backend_note(backend, note, sizeof(note)));
	}
}

static void backend_columns(struct table *table, const struct view *view)
{
	static const char *const left[] = { "Pool", "Backend", "State", "Weight", "MAC" };

	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		table_column(table, left[i], COLUMN_LEFT);
	table_column(table, "Active", COLUMN_RIGHT);
	table_column(table, "Closing", COLUMN_RIGHT);
	traffic_columns(table, view, true);
	table_column(table, "Note", COLUMN_LEFT); /* why and since when */
}

/* Two rows of headings, one for each kind of row below, as ipvsadm has them. */
static struct table *tree_new(const struct view *view)
{
	static const char *const vip[] = { "Prot", "Address:Port", "Scheduler", "Pool", "" };
	static const char *const backend[] = { "  ->", "Backend", "State", "Weight", "MAC", "Active", "Closing" };
	struct table *table = table_new(false, view->colour);

	backend_columns(table, view);
	table_row(table);
	for (size_t i = 0; i < sizeof(vip) / sizeof(*vip); i++)
		table_cell(table, NULL, "%s", vip[i]);
	table_row(table);
	for (size_t i = 0; i < sizeof(backend) / sizeof(*backend); i++)
		table_cell(table, NULL, "%s", backend[i]);
	traffic_columns(table, view, false);
	return table;
}

static void print_tree(const struct view *view, const json_t *vips, const json_t *pools)
{
	json_t *by_name = json_object(), *uses = json_object();
	const json_t *vip, *pool;
	struct table *table;
	bool shared = false;
	size_t i;

	if (!json_array_size(vips) && !json_array_size(pools)) {
		puts("No VIPs and no pools. 'shuntctl pool add', 'backend add' and 'vip add' make them, or a\n"
		     "configuration file and 'shuntctl reload'.");
		goto out;
	}
	json_array_foreach(pools, i, pool)
		json_object_set(by_name, text_member(pool, "name", "?"), (json_t *)pool);

	table = tree_new(view);
	json_array_foreach(vips, i, vip) {
		const char *name = text_member(vip, "pool", "?");

		shared |= json_object_get(uses, name) != NULL;
		json_object_set_new(uses, name, json_true());
		pool = json_object_get(by_name, name);
		vip_row(table, view, vip, pool);
		backend_rows(table, view, pool, "  ->");
	}
	/* A pool without a VIP carries nothing yet, but it is there. */
	json_array_foreach(pools, i, pool) {
		if (json_object_get(uses, text_member(pool, "name", "?")))
			continue;
		table_row(table);
		table_cell(table, NULL, "-");
		table_cell(table, NULL, "(no VIP)");
		table_cell(table, NULL, "%s", text_member(pool, "scheduler", "?"));
		table_cell(table, NULL, "%s", text_member(pool, "name", "?"));
		up_cell(table, pool);
		backend_rows(table, view, pool, "  ->");
	}
	table_print(table);
	if (shared)
		puts("\nWhere VIPs share a pool, a backend's figures are of all of them together.");
out:
	json_decref(by_name);
	json_decref(uses);
}

/* What is counted of VIPs alone. */
static const struct {
	const char *heading, *name;
} vip_figures[] = { { "HalfOpen", "half_open" }, { "Untracked", "untracked" }, { "Elsewhere", "elsewhere" },
	{ "Refused", "refused" }, { "Limited", "limited" } };

#define N_VIP_FIGURES (sizeof(vip_figures) / sizeof(*vip_figures))

static void print_vips(const struct view *view, const json_t *vips)
{
	struct table *table = table_new(true, view->colour);
	char endpoint[TEXT_VIP], count[TEXT_SHORT];
	const json_t *vip;
	size_t i;

	table_column(table, "Prot", COLUMN_LEFT);
	table_column(table, "Address:Port", COLUMN_LEFT);
	table_column(table, "Pool", COLUMN_LEFT);
	table_column(table, "Active", COLUMN_RIGHT);
	traffic_columns(table, view, true);
	for (size_t figure = 0; view->stats && figure < N_VIP_FIGURES; figure++)
		table_column(table, vip_figures[figure].heading, COLUMN_RIGHT);
	json_array_foreach(vips, i, vip) {
		table_row(table);
		table_cell(table, NULL, "%s", text_member(vip, "protocol", "?"));
		table_cell(table, NULL, "%s", endpoint_of(vip, endpoint));
		table_cell(table, NULL, "%s", text_member(vip, "pool", "?"));
		table_cell(table, NULL, "%llu", text_number(vip, "active_flows"));
		traffic_cells(table, view, vip);
		for (size_t figure = 0; view->stats && figure < N_VIP_FIGURES; figure++)
			table_cell(table, !figure && is_at_bound(vip) ? COLOUR_WARN : NULL, "%s",
				text_count(count, text_real(vip, vip_figures[figure].name)));
	}
	table_print(table);
}

static void print_pools(const struct view *view, const json_t *pools)
{
	struct table *table = table_new(true, view->colour);
	const json_t *pool;
	size_t i;

	table_column(table, "Pool", COLUMN_LEFT);
	table_column(table, "Scheduler", COLUMN_LEFT);
	table_column(table, "Backends", COLUMN_LEFT);
	table_column(table, "Check", COLUMN_LEFT);
	json_array_foreach(pools, i, pool) {
		table_row(table);
		table_cell(table, NULL, "%s", text_member(pool, "name", "?"));
		table_cell(table, NULL, "%s", text_member(pool, "scheduler", "?"));
		up_cell(table, pool);
		table_cell(table, NULL, "%s", text_member(pool, "check", "-"));
	}
	table_print(table);
}

static void print_backends(const struct view *view, const json_t *pools)
{
	struct table *table = table_new(true, view->colour);
	const json_t *pool;
	size_t i;

	backend_columns(table, view);
	json_array_foreach(pools, i, pool)
		backend_rows(table, view, pool, text_member(pool, "name", "?"));
	table_print(table);
}

void print_show(const struct invocation *invocation, const json_t *result)
{
	const char *what = text_member(invocation->params, "what", "");
	const struct view view = {
		.stats = json_object_get(invocation->given, "--stats"),
		.rate = json_object_get(invocation->given, "--rate"),
		.colour = invocation->colour,
	};
	const json_t *vips = json_object_get(result, "vips"), *pools = json_object_get(result, "pools");

	if (!strcmp(what, "vips"))
		print_vips(&view, vips);
	else if (!strcmp(what, "pools"))
		print_pools(&view, pools);
	else if (!strcmp(what, "backends"))
		print_backends(&view, pools);
	else
		print_tree(&view, vips, pools);
}
