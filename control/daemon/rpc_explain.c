/* SPDX-License-Identifier: BSD-3-Clause */
/* Method "explain": the account of one flow, with the names of what decides. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "counters.h"
#include "explain.h"
#include "flow_scan.h"
#include "rpc_method.h"

static const char *backend_text(const struct backend *backend, char *text)
{
	return backend ? address_print(backend->address, text) : "one that is no more";
}

/* The access list that was asked, and its rule that decided. Either may have gone since the snapshot was made. */
struct found {
	const struct access_list *list; /* NULL: the VIP has none, or none was asked */
	const struct access_rule *rule; /* NULL: none decided */
};

static struct found find_rule(struct model *model, const struct explanation *e)
{
	const struct vip *vip = e->listed ? model_vip_by_id(model, e->vip) : NULL;
	struct found found = { .list = vip ? model_access_find(model, vip->policy.access) : NULL };

	if (found.list && e->rule != EXPLAIN_NO_RULE)
		found.rule = access_list_find_id(found.list, e->rule);
	return found;
}

static const char *list_text(const struct found *found)
{
	return found->list ? found->list->name : "that its VIP had";
}

static const char *rule_text(const struct access_rule *rule, char *text)
{
	return rule ? address_print_prefix(rule->address, rule->length, text) : "a prefix that is no more";
}

/* What is not usual about the pool that a new flow goes to. */
static void put_pool(const struct pool *pool, FILE *text)
{
	if (pool->in_fallback)
		fprintf(text, "Pool %s has nobody for new flows: its fallback, %s, serves. ", pool->name,
			pool->fallback->name);
	else if (pool->panicking)
		fputs("Too few of the pool's backends are healthy: all are used. ", text);
}

/* New flows at once that a source may begin, of a VIP with source_rate. */
static uint32_t burst_of(const struct vip *vip)
{
	return vip->policy.source_burst ? vip->policy.source_burst : vip->policy.source_rate;
}

/* What there is to say before where the flow goes. */
static void put_before(struct daemon *daemon, const struct explanation *e, const struct found *found, FILE *text)
{
	const struct vip *vip = model_vip_by_id(daemon->model, e->vip);
	char a[ADDRESS_TEXT], prefix[ADDRESS_PREFIX_TEXT];

	if (found->rule)
		fprintf(text, "Access list %s allows %s. ", list_text(found), rule_text(found->rule, prefix));
	if (e->entry != SNAPSHOT_NONE && e->reason != EXPLAIN_FLOW)
		fprintf(text, "Its entry in the flow table names %s, where its next packet is not to go. ",
			backend_text(model_backend_by_id(daemon->model, e->entry), a));
	if (!vip || e->reason != EXPLAIN_HASH)
		return;
	put_pool(vip->pool, text);
	if (e->limited && vip->policy.source_rate)
		fprintf(text,
			"New flows of its source%s are limited to %u a second (burst %u): one beyond that is "
			"dropped (%s). ",
			address_family(vip->address) == AF_INET6 ? ", a /64," : "", vip->policy.source_rate,
			burst_of(vip), counter_infos[COUNTER_DROP_SOURCE_RATE].name);
	if (e->at_bound)
		fprintf(text,
			"Its VIP has its bound of half-open flows, %u: it goes by hash and gets no entry before "
			"its second packet. ",
			model_vip_half_open(vip, daemon->config->flow_capacity));
}

static void put_kept_out(const struct explanation *e, const struct found *found, FILE *text)
{
	char prefix[ADDRESS_PREFIX_TEXT];

	if (e->reason == EXPLAIN_DENIED)
		fprintf(text, "Access list %s denies %s", list_text(found), rule_text(found->rule, prefix));
	else
		fprintf(text, "The source is in no prefix of access list %s, which allows others",
			list_text(found));
	fprintf(text, ": the packet is dropped (%s).", counter_infos[e->counter].name);
	if (e->entry != SNAPSHOT_NONE)
		fputs(" Its flow, which is in the flow table, is cut by that.", text);
}

static void put_new(struct model *model, const struct explanation *e, FILE *text)
{
	const struct backend *backend = model_backend_by_id(model, e->backend);
	const struct backend *other = model_backend_by_id(model, e->other);
	char a[ADDRESS_TEXT], b[ADDRESS_TEXT];

	if (e->scheduler == SCHEDULER_ROUND_ROBIN && !e->by_hash)
		fputs("A new flow's backend is not determined before its first packet: with round-robin it is "
		      "whoever is next at that moment.",
			text);
	else if (e->scheduler == SCHEDULER_LEAST_FLOWS && !e->by_hash && other)
		fprintf(text,
			"A new flow's backend is not determined before its first packet: with least-flows it is "
			"%s or %s, whichever then has fewer flows for its weight.",
			backend_text(backend, a), backend_text(other, b));
	else if (e->scheduler == SCHEDULER_LEAST_FLOWS && !e->by_hash)
		fputs("A new flow: both of its two choices are this backend.", text);
	else
		fprintf(text, "A new flow: its hash chooses slot %u of the pool's %u.", e->slot, e->slots);
}

/* What decided, and what it would take to be otherwise. */
static void put_reason(struct daemon *daemon, const struct explanation *e, const struct found *found, FILE *text)
{
	switch (e->reason) {
	case EXPLAIN_NO_VIP:
		if (e->counter == COUNTER_TO_KERNEL)
			fputs("No VIP has this address, protocol and port: the packet is not ours to forward.",
				text);
		else
			fprintf(text,
				"VIPs have this address, but none has the protocol and port: the packet is "
				"dropped (%s).",
				counter_infos[e->counter].name);
		break;
	case EXPLAIN_INACTIVE:
	case EXPLAIN_FAULTY:
		fprintf(text, "Such a packet is dropped: it is %s (%s).", counter_infos[e->counter].help,
			counter_infos[e->counter].name);
		break;
	case EXPLAIN_DENIED:
	case EXPLAIN_NOT_ALLOWED:
		put_kept_out(e, found, text);
		break;
	case EXPLAIN_FLOW:
		put_before(daemon, e, found, text);
		fprintf(text,
			"The flow is in the flow table (%s, idle for %u s) and stays on its backend whatever the "
			"pool "
			"becomes.%s",
			flow_state_name((enum flow_state)e->flow_state), e->idle_s,
			e->flow_state == FLOW_FIN || e->flow_state == FLOW_RESET
				? " It is closing: a new connection from this port would be placed anew."
				: "");
		break;
	case EXPLAIN_NO_BACKEND:
		put_before(daemon, e, found, text);
		fputs("No backend of the pool takes new flows: all are down, draining, disabled, of weight 0, "
		      "waiting "
		      "for their check or without a known MAC.",
			text);
		break;
	case EXPLAIN_HASH:
		put_before(daemon, e, found, text);
		put_new(daemon->model, e, text);
		break;
	}
}

/* The account in words, for people. */
static void put_text(struct rpc_call *call, const struct explanation *e, const struct found *found)
{
	char text[2048] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	if (!stream)
		return;
	put_reason(call->daemon, e, found, stream);
	fclose(stream);
	json_object_set_new(call->result, "text", json_string(text));
}

static const char *reason_name(enum explain_reason reason)
{
	static const char *const names[] = {
		[EXPLAIN_NO_VIP] = "no-vip",
		[EXPLAIN_FLOW] = "flow",
		[EXPLAIN_HASH] = "hash",
		[EXPLAIN_NO_BACKEND] = "no-backend",
		[EXPLAIN_INACTIVE] = "inactive",
		[EXPLAIN_FAULTY] = "faulty",
		[EXPLAIN_DENIED] = "denied",
		[EXPLAIN_NOT_ALLOWED] = "not-allowed",
	};

	return names[reason];
}

/* What the VIP lets in, as far as it was asked. */
static void put_policy(struct rpc_call *call, const struct explanation *e, const struct found *found)
{
	const struct vip *vip = e->limited ? model_vip_by_id(call->daemon->model, e->vip) : NULL;
	bool limited = vip && vip->policy.source_rate;
	char prefix[ADDRESS_PREFIX_TEXT];

	json_object_set_new(call->result, "counter", json_string(counter_infos[e->counter].name));
	json_object_set_new(call->result, "access", found->list ? json_string(found->list->name) : json_null());
	json_object_set_new(call->result, "rule",
		found->rule ? json_pack("{s:s,s:s}", "prefix", rule_text(found->rule, prefix), "action",
				      found->rule->allow ? "allow" : "deny")
			    : json_null());
	json_object_set_new(
		call->result, "source_rate", limited ? json_integer(vip->policy.source_rate) : json_null());
	json_object_set_new(call->result, "source_burst", limited ? json_integer(burst_of(vip)) : json_null());
}

static void put_explanation(struct rpc_call *call, const struct explanation *e)
{
	const struct vip *vip = model_vip_by_id(call->daemon->model, e->vip);
	/* With two candidates left nothing is settled. */
	const struct backend *backend =
		e->other == SNAPSHOT_NONE ? model_backend_by_id(call->daemon->model, e->backend) : NULL;
	const struct found found = find_rule(call->daemon->model, e);
	char vip_text[ADDRESS_VIP_TEXT], address[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];

	call->result = json_pack("{s:s?,s:s,s:o,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?}", "backend",
		backend ? address_print(backend->address, address) : NULL, "reason", reason_name(e->reason),
		"slot", e->slot == EXPLAIN_NO_SLOT ? json_null() : json_integer((json_int_t)e->slot), "vip",
		vip ? address_print_vip(vip->address, vip->protocol, vip->port, vip_text) : NULL, "pool",
		vip ? vip->pool->name : NULL, "scheduler", vip ? scheduler_name(e->scheduler) : NULL, "state",
		backend ? backend_state_name(model_backend_state(backend)) : NULL, "mac",
		backend && backend->mac_known ? address_print_mac(&backend->mac, mac) : NULL, "flow_state",
		e->flow_state != FLOW_NONE ? flow_state_name((enum flow_state)e->flow_state) : NULL);
	json_object_set_new(call->result, "at_bound", json_boolean(e->at_bound));
	put_policy(call, e, &found);
	put_text(call, e, &found);
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
		return rpc_fail(
			call, RPC_INVALID_PARAMS, -EINVAL, "source and vip must be of one family, IPv4 or IPv6");
	if (!snapshot)
		return rpc_fail(
			call, RPC_REFUSED, 0, "no snapshot is in force: the forwarder forwards nothing yet");
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
