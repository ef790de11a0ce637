/* SPDX-License-Identifier: BSD-3-Clause */
/* Method "flows": what the flow table holds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
