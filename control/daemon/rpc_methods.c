/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of methods, and "help", which tells of it. */
#include "events.h"
#include "flow_table.h"
#include "rpc_method.h"

#define REQUIRED true
#define OPTIONAL false

#define POOL_HELP "name of the pool"
#define ONLY_POOL { "pool", RPC_TEXT, OPTIONAL, .help = "only in this pool; without it in every pool that has it" }
#define ADDRESS { "address", RPC_ADDRESS, REQUIRED, .help = "of the backend" }
#define WEIGHT_HELP "share of new flows; 0: none"
#define ACCESS_HELP "name of the access list"
#define PREFIXES_HELP "as 203.0.113.0/24, 2001:db8::/32, or an address"
#define VIP_HELP "as 192.0.2.80:80/tcp or [2001:db8::80]:53/udp; port 0: every port"

const struct rpc_method rpc_methods[] = {
	{ "status", RPC_READ, { { NULL } }, rpc_status, "versions, path, ports, workers, flows, what is wrong" },
	{ "show", RPC_READ,
		{ { "what", RPC_CHOICE, OPTIONAL, .choices = "vips|pools|backends", .help = "only these" },
			{ "pool", RPC_TEXT, OPTIONAL, .help = "only this pool, and its VIPs" },
			{ "backend", RPC_ADDRESS, OPTIONAL, .help = "of the backends only those with this address" },
			{ "stats", RPC_FLAG, OPTIONAL, .help = "totals; they are always there" },
			{ "rate", RPC_FLAG, OPTIONAL, .help = "packets, bytes and new flows a second" } },
		rpc_show, "the running set: VIPs, pools and their backends" },
	{ "vip.add", RPC_CHANGE,
		{ { "vip", RPC_VIP, REQUIRED, .help = VIP_HELP }, { "pool", RPC_TEXT, REQUIRED, .help = POOL_HELP } },
		rpc_vip_add, "serve a VIP from a pool" },
	{ "vip.set", RPC_CHANGE,
		{ { "vip", RPC_VIP, REQUIRED, .help = VIP_HELP },
			{ "access", RPC_TEXT, OPTIONAL, .help = ACCESS_HELP "; \"\": none" },
			{ "source_rate", RPC_NUMBER, OPTIONAL, .max = VIP_SOURCE_RATE_MAX,
				.help = "new flows a second that one source may begin; 0: any number" },
			{ "source_burst", RPC_NUMBER, OPTIONAL, .max = 1000000,
				.help = "so many at once of a source that has been silent; 0: a second's worth" },
			{ "half_open", RPC_NUMBER, OPTIONAL, .min = -1, .max = FLOW_CAPACITY_MAX,
				.help = "half-open flows it may have in the flow table; -1: a quarter of the table" } },
		rpc_vip_set, "change what a VIP lets in" },
	{ "vip.del", RPC_CHANGE, { { "vip", RPC_VIP, REQUIRED, .help = VIP_HELP } }, rpc_vip_del,
		"serve a VIP no more" },
	{ "access.show", RPC_READ,
		{ { "list", RPC_TEXT, OPTIONAL, .help = "the rules of this one" },
			{ "limit", RPC_NUMBER, OPTIONAL, .max = SNAPSHOT_MAX_RULES,
				.help = "at most so many rules, those with most packets; 1000" } },
		rpc_access_show, "the access lists, and what their rules decided" },
	{ "access.new", RPC_CHANGE, { { "list", RPC_TEXT, REQUIRED, .help = ACCESS_HELP } }, rpc_access_new,
		"make an access list, without rules" },
	{ "access.remove", RPC_CHANGE, { { "list", RPC_TEXT, REQUIRED, .help = ACCESS_HELP } }, rpc_access_remove,
		"remove an access list that no VIP has" },
	{ "access.add", RPC_CHANGE,
		{ { "list", RPC_TEXT, REQUIRED, .help = ACCESS_HELP },
			{ "action", RPC_CHOICE, REQUIRED, .choices = "allow|deny", .help = "what becomes of the sources" },
			{ "prefixes", RPC_PREFIXES, REQUIRED, .help = PREFIXES_HELP } },
		rpc_access_add, "make rules of prefixes; those that are there already are left as they are" },
	{ "access.del", RPC_CHANGE,
		{ { "list", RPC_TEXT, REQUIRED, .help = ACCESS_HELP },
			{ "prefixes", RPC_PREFIXES, REQUIRED, .help = PREFIXES_HELP } },
		rpc_access_del, "take rules out of an access list" },
	{ "pool.add", RPC_CHANGE,
		{ { "pool", RPC_TEXT, REQUIRED, .help = POOL_HELP },
			{ "scheduler", RPC_CHOICE, OPTIONAL, .choices = "maglev|source-hash|round-robin|least-flows",
				.help = "how a new flow finds its backend; maglev" },
			{ "panic", RPC_NUMBER, OPTIONAL, .max = 100,
				.help = "percent: with fewer of its enabled backends healthy all are used; 0: never" },
			{ "fallback", RPC_TEXT, OPTIONAL, .help = "the pool that serves while no backend of this one can" },
			{ "slow_start", RPC_TEXT, OPTIONAL,
				.help = "time over which a backend that came up gets its share of new flows; 0s" },
			{ "passive", RPC_FLAG, OPTIONAL, .help = "whether handshakes that fail make a backend suspect; true" },
			{ "check", RPC_OBJECT, OPTIONAL, .help = "type, via, port, interval, ..., as pools.check of shunt.conf" } },
		rpc_pool_add, "make a pool, without backends" },
	{ "pool.del", RPC_CHANGE, { { "pool", RPC_TEXT, REQUIRED, .help = POOL_HELP } }, rpc_pool_del,
		"remove a pool that no VIP uses" },
	{ "backend.add", RPC_CHANGE,
		{ { "pool", RPC_TEXT, REQUIRED, .help = POOL_HELP }, ADDRESS,
			{ "weight", RPC_NUMBER, OPTIONAL, .max = 65535, .help = WEIGHT_HELP "; 100" },
			{ "mac", RPC_MAC, OPTIONAL, .help = "to pin it; else the neighbour table is asked" } },
		rpc_backend_add, "put a backend into a pool" },
	{ "backend.del", RPC_CHANGE, { { "pool", RPC_TEXT, REQUIRED, .help = POOL_HELP }, ADDRESS }, rpc_backend_del,
		"take a backend out of a pool; its flows go on" },
	{ "backend.set", RPC_CHANGE,
		{ { "pool", RPC_TEXT, REQUIRED, .help = POOL_HELP }, ADDRESS,
			{ "weight", RPC_NUMBER, REQUIRED, .max = 65535, .help = WEIGHT_HELP } },
		rpc_backend_set, "change a backend's weight" },
	{ "disable", RPC_CHANGE, { ADDRESS, ONLY_POOL }, rpc_disable, "take a backend out at once, with its flows" },
	{ "enable", RPC_CHANGE, { ADDRESS, ONLY_POOL }, rpc_enable, "end a disable or a drain; new flows come with its first good check" },
	{ "drain", RPC_CHANGE,
		{ ADDRESS, ONLY_POOL,
			{ "deadline", RPC_TEXT, OPTIONAL, .help = "as 30m: flows that are left then are cut; never" },
			{ "force", RPC_FLAG, OPTIONAL, .help = "also the last backend of a pool that takes new flows" } },
		rpc_drain, "no new flows for a backend; those it has stay" },
	{ "counters", RPC_READ, { { "help", RPC_FLAG, OPTIONAL, .help = "each with its help and class" } }, rpc_counters,
		"every verdict, drop reason and event" },
	{ "flows", RPC_READ,
		{ { "vip", RPC_VIP, OPTIONAL, .help = "only this VIP's" },
			{ "backend", RPC_ADDRESS, OPTIONAL, .help = "only this backend's" },
			{ "limit", RPC_NUMBER, OPTIONAL, .max = 100000, .help = "show so many; 100" } },
		rpc_flows, "what the flow table holds" },
	{ "explain", RPC_READ,
		{ { "source", RPC_ENDPOINT, REQUIRED, .help = "the client, as 198.51.100.2:40000" },
			{ "vip", RPC_VIP, REQUIRED, .help = VIP_HELP } },
		rpc_explain, "which backend a flow gets, and why" },
	{ "events", RPC_READ,
		{ { "after", RPC_NUMBER, OPTIONAL, .max = INT64_MAX,
			  .help = "those after the one of this number; without it the newest" },
			{ "run", RPC_TEXT, OPTIONAL, .help = "of shuntd, that the number is from, as the last answer had it" },
			{ "limit", RPC_NUMBER, OPTIONAL, .max = EVENT_RING, .help = "at most so many; all that are kept" },
			{ "wait", RPC_FLAG, OPTIONAL, .help = "if there is none, answer when one comes, or after 30 s" },
			{ "pool", RPC_TEXT, OPTIONAL, .help = "only this pool's" },
			{ "backend", RPC_ADDRESS, OPTIONAL, .help = "only this backend's" } },
		rpc_events, "what happened to backends, pools and forwarders" },
	{ "reload", RPC_CHANGE, { { "dry_run", RPC_FLAG, OPTIONAL, .help = "only say what would change" } }, rpc_reload,
		"make the running set what the configuration file says" },
	/* Not for everybody: the file is read with the daemon's rights. */
	{ "check", RPC_CHANGE, { { "file", RPC_TEXT, REQUIRED, .help = "absolute path" } }, rpc_check,
		"is this configuration file right" },
	{ "save", RPC_READ, { { NULL } }, rpc_save, "the running set as a configuration file" },
	{ "detach", RPC_CHANGE,
		{ { "interface", RPC_TEXT, OPTIONAL, .help = "without it the one that shuntd forwards on" } }, rpc_detach,
		"take the XDP program off an interface; reload attaches it again" },
	{ "help", RPC_READ, { { NULL } }, rpc_help, "the methods and their parameters" },
	{ NULL },
};

static const char *type_name(enum rpc_type type)
{
	static const char *const names[] = {
		[RPC_TEXT] = "string",
		[RPC_CHOICE] = "string",
		[RPC_FLAG] = "boolean",
		[RPC_NUMBER] = "number",
		[RPC_ADDRESS] = "address",
		[RPC_ENDPOINT] = "address:port",
		[RPC_VIP] = "address:port/protocol",
		[RPC_MAC] = "MAC address",
		[RPC_OBJECT] = "object",
		[RPC_PREFIXES] = "array of prefixes",
	};

	return names[type];
}

static json_t *params_help(const struct rpc_method *method)
{
	json_t *params = json_array();

	for (const struct rpc_param *p = method->params; p->name; p++) {
		json_t *param = json_pack("{s:s,s:s,s:b,s:s}", "name", p->name, "type", type_name(p->type), "required",
			p->required, "help", p->help);

		if (p->choices)
			json_object_set_new(param, "choices", json_string(p->choices));
		json_array_append_new(params, param);
	}
	return params;
}

enum rpc_outcome rpc_help(struct rpc_call *call)
{
	json_t *methods = json_array();

	for (const struct rpc_method *m = rpc_methods; m->name; m++)
		json_array_append_new(methods,
			json_pack("{s:s,s:b,s:s,s:o}", "name", m->name, "changes", m->permission == RPC_CHANGE, "help",
				m->help, "params", params_help(m)));
	call->result = json_pack("{s:o}", "methods", methods);
	return RPC_DONE;
}
