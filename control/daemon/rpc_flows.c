/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods "flows" and "explain": the flow table, and the account of one flow. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explain.h"
#include "flow_scan.h"
#include "rpc_method.h"

#define DEFAULT_LIMIT 100

/* A "flows" call on its way through the table. */
struct flows {
	struct rpc_call *call;
	struct flow_scan *scan;
	const struct rpc_value *vip, *backend; /* filters, if given */
	json_t *list;
	uint64_t limit;
	uint64_t matched;
};

static bool is_asked_for(const struct flows *flows, const struct flow_seen *seen)
{
	const struct vip_spec *vip = &flows->vip->vip;

	if (flows->vip->given && !(seen->vip && addr_equal(seen->vip->address, vip->address) &&
					 seen->vip->port == vip->port && seen->vip->protocol == vip->protocol))
		return false;
	return !flows->backend->given ||
	       (seen->backend && addr_equal(seen->backend->address, flows->backend->address));
}

static bool visit(void *context, const struct flow_seen *seen)
{
	char vip[ADDRESS_VIP_TEXT], backend[ADDRESS_TEXT];
	struct flows *flows = context;

	if (!is_asked_for(flows, seen))
		return true;
	if (flows->matched++ >= flows->limit)
		return true;
	json_array_append_new(flows->list,
		json_pack("{s:s?,s:s?,s:s,s:i}", "vip",
			seen->vip ? address_print_vip(seen->vip->address, seen->vip->protocol, seen->vip->port, vip) : NULL,
			"backend", seen->backend ? address_print(seen->backend->address, backend) : NULL, "state",
			flow_state_name(seen->state), "idle_s", (int)seen->idle_s));
	return true;
}

static json_t *flows_result(json_t *list, uint64_t matched)
{
	return json_pack("{s:o,s:I,s:I}", "flows", list, "shown", (json_int_t)json_array_size(list), "matched",
		(json_int_t)matched);
}

static void on_scanned(void *context)
{
	struct flows *flows = context;
	struct rpc_call *call = flows->call;

	call->result = flows_result(flows->list, flows->matched);
	free(flows);
	rpc_call_finish(call);
}

static void cancel(struct rpc_call *call)
{
	struct flows *flows = call->pending;

	flow_scan_cancel(flows->scan);
	json_decref(flows->list);
	free(flows);
}

enum rpc_outcome rpc_flows(struct rpc_call *call)
{
	const struct rpc_value *limit = rpc_get(call, "limit");
	struct daemon *daemon = call->daemon;
	struct flows *flows;

	if (!publish_flows(daemon->publisher).buckets) {
		call->result = flows_result(json_array(), 0);
		return RPC_DONE;
	}
	flows = calloc(1, sizeof(*flows));
	if (!flows)
		return RPC_DONE;
	flows->call = call;
	flows->vip = rpc_get(call, "vip");
	flows->backend = rpc_get(call, "backend");
	flows->limit = limit->given ? (uint64_t)limit->number : DEFAULT_LIMIT;
	flows->list = json_array();
	flows->scan = flow_scan_begin(daemon->base, daemon->model, daemon->publisher, visit, on_scanned, flows);
	if (!flows->scan) {
		json_decref(flows->list);
		free(flows);
		return rpc_fail(call, RPC_INTERNAL_ERROR, -ENOMEM, "no memory to look through the flow table");
	}
	call->pending = flows;
	call->cancel = cancel;
	return RPC_PENDING;
}

static const char *backend_text(const struct backend *backend, char *text)
{
	return backend ? address_print(backend->address, text) : "one that is no more";
}

/* What is not usual about the pool that a new flow goes to. */
static void put_pool(const struct pool *pool, char *text, size_t size)
{
	if (pool->in_fallback)
		snprintf(text, size, "Pool %s has nobody for new flows: its fallback, %s, serves. ", pool->name,
			pool->fallback->name);
	else if (pool->panicking)
		snprintf(text, size, "Too few of the pool's backends are healthy: all are used. ");
}

/* The account in words, for people: what decided, and what it would take to be otherwise. */
static void put_text(struct rpc_call *call, const struct explanation *e)
{
	struct model *model = call->daemon->model;
	const struct backend *entry = model_backend_by_id(model, e->entry);
	const struct backend *backend = model_backend_by_id(model, e->backend);
	const struct backend *other = model_backend_by_id(model, e->other);
	const struct vip *vip = model_vip_by_id(model, e->vip);
	char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
	char text[768] = "", before[512] = "";

	if (e->entry != SNAPSHOT_NONE && e->reason != EXPLAIN_FLOW)
		snprintf(before, sizeof(before), "Its entry in the flow table names %s, which can't be used: the flow "
						 "gets another. ", backend_text(entry, a));
	if (vip && e->reason == EXPLAIN_HASH)
		put_pool(vip->pool, before + strlen(before), sizeof(before) - strlen(before));
	if (vip && e->reason == EXPLAIN_HASH && e->at_bound)
		snprintf(before + strlen(before), sizeof(before) - strlen(before),
			"Its VIP has its bound of half-open flows, %u: it goes by hash and gets no entry before "
			"its second packet. ",
			model_vip_half_open(vip, call->daemon->config->flow_capacity));
	switch (e->reason) {
	case EXPLAIN_NO_VIP:
		snprintf(text, sizeof(text), "No VIP has this address, protocol and port: the packet is not ours to forward.");
		break;
	case EXPLAIN_FLOW:
		snprintf(text, sizeof(text),
			"The flow is in the flow table (%s, idle for %u s) and stays on its backend whatever the pool "
			"becomes.%s",
			flow_state_name((enum flow_state)e->flow_state), e->idle_s,
			e->flow_state == FLOW_FIN || e->flow_state == FLOW_RESET ?
				" It is closing: a new connection from this port would be placed anew." :
				"");
		break;
	case EXPLAIN_NO_BACKEND:
		snprintf(text, sizeof(text), "%sNo backend of the pool takes new flows: all are down, draining, disabled, of "
					     "weight 0, waiting for their check or without a known MAC.", before);
		break;
	case EXPLAIN_HASH:
		if (e->scheduler == SCHEDULER_ROUND_ROBIN && !e->at_bound)
			snprintf(text, sizeof(text), "%sA new flow's backend is not determined before its first packet: with "
						     "round-robin it is whoever is next at that moment.", before);
		else if (e->scheduler == SCHEDULER_LEAST_FLOWS && !e->at_bound && other)
			snprintf(text, sizeof(text), "%sA new flow's backend is not determined before its first packet: with "
						     "least-flows it is %s or %s, whichever then has fewer flows for its weight.",
				before, backend_text(backend, a), backend_text(other, b));
		else if (e->scheduler == SCHEDULER_LEAST_FLOWS && !e->at_bound)
			snprintf(text, sizeof(text), "%sA new flow: both of its two choices are this backend.", before);
		else
			snprintf(text, sizeof(text), "%sA new flow: its hash chooses slot %u of the pool's %u.", before, e->slot,
				e->slots);
		break;
	}
	json_object_set_new(call->result, "text", json_string(text));
}

static const char *reason_name(enum explain_reason reason)
{
	static const char *const names[] = {
		[EXPLAIN_NO_VIP] = "no-vip",
		[EXPLAIN_FLOW] = "flow",
		[EXPLAIN_HASH] = "hash",
		[EXPLAIN_NO_BACKEND] = "no-backend",
	};

	return names[reason];
}

static void put_explanation(struct rpc_call *call, const struct explanation *e)
{
	const struct vip *vip = model_vip_by_id(call->daemon->model, e->vip);
	/* With two candidates left nothing is settled. */
	const struct backend *backend = e->other == SNAPSHOT_NONE ?
						model_backend_by_id(call->daemon->model, e->backend) :
						NULL;
	char vip_text[ADDRESS_VIP_TEXT], address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

	call->result = json_pack("{s:s?,s:s,s:o,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?}", "backend",
		backend ? address_print(backend->address, address) : NULL, "reason", reason_name(e->reason), "slot",
		e->slot == EXPLAIN_NO_SLOT ? json_null() : json_integer((json_int_t)e->slot), "vip",
		vip ? address_print_vip(vip->address, vip->protocol, vip->port, vip_text) : NULL, "pool",
		vip ? vip->pool->name : NULL, "scheduler", vip ? scheduler_name(e->scheduler) : NULL, "state",
		backend ? backend_state_name(model_backend_state(backend)) : NULL, "mac",
		backend && backend->mac_known ? address_print_mac(&backend->mac, mac) : NULL, "flow_state",
		e->flow_state != FLOW_NONE ? flow_state_name((enum flow_state)e->flow_state) : NULL);
	json_object_set_new(call->result, "at_bound", json_boolean(e->at_bound));
	put_text(call, e);
}

/* Whether new flows of the VIP with this id have got no entry lately. */
static bool is_at_bound(const struct daemon *daemon, uint16_t id)
{
	const struct vip *vip = model_vip_by_id(daemon->model, id);

	return vip && daemon->pressure && pressure_at_bound(daemon->pressure, vip);
}

enum rpc_outcome rpc_explain(struct rpc_call *call)
{
	const struct rpc_value *source = rpc_get(call, "source");
	const struct vip_spec *vip = &rpc_get(call, "vip")->vip;
	struct publisher *publisher = call->daemon->publisher;
	const void *snapshot = publish_snapshot(publisher);
	struct explanation explanation;
	struct forwarder_flows flows;
	struct timespec now;

	if (address_family(source->endpoint.address) != address_family(vip->address))
		return rpc_fail(call, RPC_INVALID_PARAMS, -EINVAL, "source and vip must be of one family, IPv4 or IPv6");
	if (!snapshot)
		return rpc_fail(call, RPC_REFUSED, 0, "no snapshot is in force: the forwarder forwards nothing yet");
	flows = publish_flows(publisher);
	clock_gettime(CLOCK_MONOTONIC, &now);
	explanation = explain_flow(snapshot, &flows, source->endpoint.address, source->endpoint.port, vip->address,
		vip->port, vip->protocol, (uint64_t)now.tv_sec, false);
	if (is_at_bound(call->daemon, explanation.vip))
		explanation = explain_flow(snapshot, &flows, source->endpoint.address, source->endpoint.port,
			vip->address, vip->port, vip->protocol, (uint64_t)now.tv_sec, true);
	put_explanation(call, &explanation);
	return RPC_DONE;
}
