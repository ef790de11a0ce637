/* SPDX-License-Identifier: BSD-3-Clause */
/* Method "show": the running set as one object. */
#include <string.h>

#include "clock.h"
#include "rpc_method.h"

static void put_traffic(json_t *object, const struct traffic *traffic)
{
	json_object_set_new(object, "packets", json_integer((json_int_t)traffic->packets));
	json_object_set_new(object, "bytes", json_integer((json_int_t)traffic->bytes));
	json_object_set_new(object, "new_flows", json_integer((json_int_t)traffic->new_flows));
}

/* A tenth is as fine as a rate means anything. */
static void put_rate(json_t *object, const char *key, double per_second)
{
	json_object_set_new(object, key, json_real((double)(int64_t)(per_second * 10 + 0.5) / 10));
}

static void put_rates(json_t *object, struct rates rates)
{
	put_rate(object, "packets_per_second", rates.packets_per_second);
	put_rate(object, "bytes_per_second", rates.bytes_per_second);
	put_rate(object, "new_flows_per_second", rates.new_flows_per_second);
}

/* What the VIP did not let in, or gave no entry in the flow table; and what that table is worth to it. */
static void put_guard(const struct daemon *daemon, json_t *object, const struct vip *vip)
{
	const struct traffic *t = &vip->traffic;

	json_object_set_new(object, "half_open", json_integer((json_int_t)vip->half_open));
	json_object_set_new(object, "half_open_bound",
		json_integer((json_int_t)model_vip_half_open(vip, daemon->config->flow_capacity)));
	json_object_set_new(
		object, "at_bound", json_boolean(daemon->pressure && pressure_at_bound(daemon->pressure, vip)));
	json_object_set_new(object, "untracked", json_integer((json_int_t)t->untracked));
	json_object_set_new(object, "over_bound", json_integer((json_int_t)t->over_bound));
	json_object_set_new(object, "elsewhere", json_integer((json_int_t)t->elsewhere));
	json_object_set_new(object, "refused", json_integer((json_int_t)t->refused));
	json_object_set_new(object, "limited", json_integer((json_int_t)t->limited));
}

static json_t *show_vip(const struct daemon *daemon, const struct vip *vip, bool rate)
{
	char address[ADDRESS_TEXT];
	json_t *object = json_pack("{s:s,s:s,s:i,s:s,s:I}", "address", address_print(vip->address, address), "protocol",
		address_protocol_name(vip->protocol), "port", (int)vip->port, "pool", vip->pool->name, "active_flows",
		(json_int_t)vip->active_flows);

	json_object_set_new(object, "policy", config_vip_policy_to_json(&vip->policy));
	put_traffic(object, &vip->traffic);
	put_guard(daemon, object, vip);
	if (rate)
		put_rates(object, counters_vip_rates(daemon->counters, vip));
	return object;
}

/* Whether sweeps have counted the flows it had when its drain began. */
static bool is_counted(const struct backend *backend)
{
	return backend->sweeps > 1;
}

static json_t *number_or_null(bool known, uint64_t number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *show_drain(const struct backend *backend)
{
	const struct drain *drain = &backend->drain;
	uint64_t now = clock_boot_ms(), since = now > drain->since_ms ? now - drain->since_ms : 0;
	uint64_t left = drain->deadline_ms > now ? drain->deadline_ms - now : 0;
	uint64_t flows = drain->over ? 0 : (uint64_t)backend->active_flows + backend->closing_flows;

	if (!backend->draining)
		return json_null();
	return json_pack("{s:I,s:o,s:o,s:o,s:I}", "since_s", (json_int_t)(since / 1000), "flows_left",
		number_or_null(drain->over || is_counted(backend), flows), "silent_s",
		number_or_null(!drain->over && is_counted(backend) && backend->active_flows, backend->silent_s),
		"time_left_s", number_or_null(drain->deadline_ms && !drain->over, (left + 999) / 1000), "cut",
		(json_int_t)drain->cut);
}

static void put_standing(json_t *object, const struct backend *backend)
{
	json_object_set_new(object, "suspect", json_boolean(backend->suspect));
	json_object_set_new(object, "returning", json_boolean(backend->returning));
	json_object_set_new(object, "check_weight",
		number_or_null(backend->check_weight >= 0, (uint64_t)backend->check_weight));
	json_object_set_new(object, "share", json_real((double)backend->ramp / RAMP_FULL));
	json_object_set_new(object, "drain", show_drain(backend));
}

static json_t *show_backend(const struct daemon *daemon, const struct backend *backend, bool rate)
{
	char address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];
	const char *error = health_error(backend);
	json_t *object = json_pack("{s:s,s:i,s:s,s:s?,s:I,s:I,s:b,s:o,s:I}", "address",
		address_print(backend->address, address), "weight", (int)backend->weight, "state",
		backend_state_name(model_backend_state(backend)), "mac",
		backend->mac_known ? address_print_mac(&backend->mac, mac) : NULL, "active_flows",
		(json_int_t)backend->active_flows, "closing_flows", (json_int_t)backend->closing_flows, "healthy",
		backend->healthy, "check_error", error ? json_string(error) : json_null(), "since_s", (json_int_t)health_since_s(backend));

	put_standing(object, backend);
	put_traffic(object, &backend->traffic);
	json_object_set_new(object, "syns", json_integer((json_int_t)backend->traffic.syns));
	json_object_set_new(object, "handshakes", json_integer((json_int_t)backend->traffic.handshakes));
	json_object_set_new(object, "syn_repeats", json_integer((json_int_t)backend->traffic.syn_repeats));
	if (rate)
		put_rates(object, counters_backend_rates(daemon->counters, backend));
	return object;
}

static json_t *show_pool(const struct daemon *daemon, const struct pool *pool, const struct rpc_value *only, bool rate)
{
	char check[CONFIG_CHECK_TEXT];
	json_t *backends = json_array();

	for (const struct backend *b = pool->backends; b; b = b->next)
		if (!b->removed && (!only->given || addr_equal(b->address, only->address)))
			json_array_append_new(backends, show_backend(daemon, b, rate));
	return json_pack("{s:s,s:b,s:s,s:s,s:i,s:b,s:s?,s:b,s:o}", "name", pool->name, "in_use",
		model_pool_is_used(pool), "scheduler",
		scheduler_name(pool->scheduler), "check", config_check_print(&pool->check, check), "panic",
		(int)pool->panic, "panicking", pool->panicking, "fallback",
		pool->fallback ? pool->fallback->name : NULL, "in_fallback", pool->in_fallback, "backends", backends);
}

enum rpc_outcome rpc_show(struct rpc_call *call)
{
	const struct daemon *daemon = call->daemon;
	const char *what = rpc_get_text(call, "what"), *pool = rpc_get_text(call, "pool");
	const struct rpc_value *backend = rpc_get(call, "backend");
	bool rate = rpc_get_flag(call, "rate");
	json_t *vips = json_array(), *pools = json_array();

	if (daemon->counters)
		counters_refresh(daemon->counters);
	if (!what || strcmp(what, "vips") == 0)
		for (const struct vip *v = model_vips(daemon->model); v; v = v->next)
			if (!pool || strcmp(v->pool->name, pool) == 0)
				json_array_append_new(vips, show_vip(daemon, v, rate));
	if (!what || strcmp(what, "vips") != 0)
		for (const struct pool *p = model_pools(daemon->model); p; p = p->next)
			if (!pool || strcmp(p->name, pool) == 0)
				json_array_append_new(pools, show_pool(daemon, p, backend, rate));
	call->result = json_object();
	if (!what || strcmp(what, "vips") == 0)
		json_object_set(call->result, "vips", vips);
	if (!what || strcmp(what, "vips") != 0)
		json_object_set(call->result, "pools", pools);
	json_decref(vips);
	json_decref(pools);
	return RPC_DONE;
}
