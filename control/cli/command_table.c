/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of commands. What a row has to say is in command.h. */
#include "client.h"
#include "command.h"
#include "printers.h"

#define END { .name = NULL }

#define POOL { "POOL", NULL, "pool", VALUE_POOL, 0, "name of the pool" }
#define ADDR { "ADDR", NULL, "address", VALUE_ADDRESS, 0, "address of the backend" }
#define VIP_HELP "as 192.0.2.80:80/tcp or [2001:db8::80]:53/udp; port 0: every port"
#define WEIGHT_HELP "share of new flows, 1 to 65535; 0: no new flows"

const struct parameter command_global_options[] = {
	{ "--socket", "PATH", NULL, VALUE_FILE, 0,
		"where shuntd listens (or SHUNT_SOCKET; default " CLIENT_SOCKET ")" },
	{ "--json", NULL, NULL, VALUE_FLAG, 0, "print the result, and an error, as JSON" },
	{ "--help", NULL, NULL, VALUE_FLAG, 0, "print help, of the command if there is one, and leave" },
	{ "--version", NULL, NULL, VALUE_FLAG, 0, "print the version of shuntctl and leave" },
	END,
};

/* Of several commands. */
static const struct parameter pool_argument[] = { POOL, END };
static const struct parameter backend_argument[] = { ADDR, END };
static const struct parameter pool_and_backend[] = { POOL, ADDR, END };
static const struct parameter in_pool_option[] = {
	{ "--pool", "NAME", "pool", VALUE_POOL, 0,
		"only in this pool; without it in every pool that has the backend" },
	END,
};

static const struct parameter drain_options[] = {
	{ "--pool", "NAME", "pool", VALUE_POOL, 0,
		"only in this pool; without it in every pool that has the backend" },
	{ "--deadline", "TIME", "deadline", VALUE_TIME, 0,
		"as 30m: flows that are left then are cut; without it none ever is" },
	{ "--wait", NULL, NULL, VALUE_FLAG, 0, "show how far it is, until no flow is left or the deadline is over" },
	{ "--force", NULL, "force", VALUE_FLAG, 0, "also the last backend of a pool that takes new flows" },
	END,
};

static const struct parameter show_arguments[] = {
	{ "vips|pools|backends", NULL, "what", VALUE_CHOICE, PARAMETER_OPTIONAL, "only these, as a table",
		"vips|pools|backends" },
	END,
};
static const struct parameter show_options[] = {
	{ "--pool", "NAME", "pool", VALUE_POOL, 0, "only this pool, and its VIPs" },
	{ "--backend", "ADDR", "backend", VALUE_ADDRESS, 0, "of the backends only those with this address" },
	{ "--stats", NULL, "stats", VALUE_FLAG, 0, "packets, bytes and new flows since the object was made" },
	{ "--rate", NULL, "rate", VALUE_FLAG, 0, "packets, bytes and new flows a second, just now" },
	END,
};

static const struct parameter vip_add_arguments[] = {
	{ "ADDR:PORT/PROTO", NULL, "vip", VALUE_VIP, PARAMETER_FRESH, VIP_HELP },
	END,
};
static const struct parameter vip_add_options[] = {
	{ "--pool", "NAME", "pool", VALUE_POOL, PARAMETER_REQUIRED, "the pool that serves it" },
	END,
};
static const struct parameter access_show_arguments[] = {
	{ "NAME", NULL, "list", VALUE_ACCESS, PARAMETER_OPTIONAL, "the rules of this list" },
	END,
};
static const struct parameter access_show_options[] = {
	{ "--limit", "N", "limit", VALUE_NUMBER, 0, "at most so many rules, those with most packets (default 1000)" },
	END,
};
static const struct parameter access_new_arguments[] = {
	{ "NAME", NULL, "list", VALUE_ACCESS, PARAMETER_FRESH, "letters, digits, '.', '_' and '-'" },
	END,
};
static const struct parameter access_remove_arguments[] = {
	{ "NAME", NULL, "list", VALUE_ACCESS, 0, "name of the access list" },
	END,
};
static const struct parameter access_add_arguments[] = {
	{ "NAME", NULL, "list", VALUE_ACCESS, 0, "name of the access list" },
	{ "allow|deny", NULL, "action", VALUE_CHOICE, 0, "what becomes of packets from there", "allow|deny" },
	{ "PREFIX", NULL, "prefixes", VALUE_PREFIX, PARAMETER_REPEATED | PARAMETER_FRESH,
		"as 203.0.113.0/24, 2001:db8::/32, or an address" },
	END,
};
static const struct parameter access_del_arguments[] = {
	{ "NAME", NULL, "list", VALUE_ACCESS, 0, "name of the access list" },
	{ "PREFIX", NULL, "prefixes", VALUE_PREFIX, PARAMETER_REPEATED, "as the list has it" },
	END,
};
static const struct parameter vip_set_options[] = {
	{ "--access", "NAME", "access", VALUE_ACCESS_OR_NONE, 0, "the access list it has; none: no list" },
	{ "--source-rate", "N", "source_rate", VALUE_NUMBER, 0,
		"new flows a second that one source may begin; 0: any number" },
	{ "--source-burst", "N", "source_burst", VALUE_NUMBER, 0,
		"so many at once of a source that has been silent; 0: a second's worth" },
	{ "--half-open", "N", "half_open", VALUE_BOUND, 0,
		"half-open flows it may have in the flow table; default: a quarter of the table" },
	END,
};
static const struct parameter vip_del_arguments[] = {
	{ "ADDR:PORT/PROTO", NULL, "vip", VALUE_VIP, 0, VIP_HELP },
	END,
};

static const struct parameter pool_add_arguments[] = {
	{ "NAME", NULL, "pool", VALUE_POOL, PARAMETER_FRESH, "letters, digits, '.', '_' and '-'" },
	END,
};

static const struct parameter backend_add_arguments[] = {
	POOL,
	{ "ADDR", NULL, "address", VALUE_ADDRESS, PARAMETER_FRESH, "address of the real server, on this network" },
	END,
};
static const struct parameter backend_add_options[] = {
	{ "--weight", "N", "weight", VALUE_NUMBER, 0, WEIGHT_HELP " (default 100)" },
	{ "--mac", "MAC", "mac", VALUE_MAC, 0, "pin its MAC address; without it the neighbour table is asked" },
	END,
};
static const struct parameter backend_set_options[] = {
	{ "--weight", "N", "weight", VALUE_NUMBER, PARAMETER_REQUIRED, WEIGHT_HELP },
	END,
};

static const struct parameter counters_options[] = {
	{ "--all", NULL, NULL, VALUE_FLAG, 0, "those that are zero, too" },
	{ "--rate", NULL, NULL, VALUE_FLAG, 0, "read twice, a second apart: how much each grows a second" },
	END,
};

static const struct parameter flows_options[] = {
	{ "--vip", "ADDR:PORT/PROTO", "vip", VALUE_VIP, 0, "only flows to this VIP" },
	{ "--backend", "ADDR", "backend", VALUE_ADDRESS, 0, "only flows on this backend" },
	{ "--limit", "N", "limit", VALUE_NUMBER, 0, "at most so many (default 100)" },
	END,
};

static const struct parameter explain_arguments[] = {
	{ "SRC:PORT", NULL, "source", VALUE_SOURCE, 0, "the client's address and port" },
	{ "VIP:PORT/PROTO", NULL, "vip", VALUE_VIP, 0, "what it connects to, as 192.0.2.80:80/tcp" },
	END,
};

static const struct parameter events_options[] = {
	{ "--follow", NULL, NULL, VALUE_FLAG, 0, "go on with what comes, until Ctrl-C" },
	{ "--pool", "NAME", "pool", VALUE_POOL, 0, "only this pool's and its backends'" },
	{ "--backend", "ADDR", "backend", VALUE_ADDRESS, 0, "only this backend's" },
	{ "--limit", "N", "limit", VALUE_NUMBER, 0, "the last so many (default 100, with --follow 10)" },
	END,
};

static const struct parameter reload_options[] = {
	{ "--dry-run", NULL, "dry_run", VALUE_FLAG, 0, "only say what would change" },
	END,
};
static const struct parameter check_arguments[] = {
	{ "FILE", NULL, "file", VALUE_DAEMON_FILE, 0, "a configuration; shuntd reads it" },
	END,
};
static const struct parameter save_arguments[] = {
	{ "FILE", NULL, NULL, VALUE_FILE, 0, "where to; - for standard output" },
	END,
};
static const struct parameter detach_arguments[] = {
	{ "INTERFACE", NULL, "interface", VALUE_TEXT, PARAMETER_OPTIONAL,
		"one of an earlier configuration; without it the one that shuntd forwards on" },
	END,
};
static const struct parameter help_arguments[] = {
	{ "COMMAND", NULL, NULL, VALUE_TEXT, PARAMETER_OPTIONAL | PARAMETER_REPEATED, "the command's words" },
	END,
};

const struct command command_table[] = {
	{
		.words = { "status" },
		.method = "status",
		.summary = "how the daemons, ports and workers are",
		.details =
			"Versions, forwarding path, snapshot in force, packets a second, flows, ports, workers,\n"
			"and warnings if anything is not as it should be.",
		.print = print_status,
	},
	{
		.words = { "show" },
		.arguments = show_arguments,
		.options = show_options,
		.method = "show",
		.summary = "the tree of VIPs, pools and backends",
		.details =
			"Under each VIP the backends of its pool, as 'ipvsadm -Ln' has it. A backend's state is up,\n"
			"down (its check fails, or its MAC address is not known), draining (keeps its flows, gets\n"
			"no new ones), drained (none left) or disabled. Active flows are in use, closing ones have\n"
			"seen a FIN or RST. A backend's flows and traffic are those of its pool, over all VIPs that\n"
			"use it.",
		.print = print_show,
	},
	{
		.words = { "vip", "add" },
		.arguments = vip_add_arguments,
		.options = vip_add_options,
		.method = "vip.add",
		.summary = "serve a VIP from a pool",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "vip", "set" },
		.arguments = vip_del_arguments,
		.options = vip_set_options,
		.method = "vip.set",
		.summary = "change what a VIP lets in",
		.details =
			"What is not given stays as it is. A source is an IPv4 address or an IPv6 /64. Beyond its half-open\n"
			"flows a VIP's SYNs are forwarded all the same, by hash and without an entry.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "vip", "del" },
		.arguments = vip_del_arguments,
		.method = "vip.del",
		.summary = "serve a VIP no more",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "pool", "add" },
		.arguments = pool_add_arguments,
		.options = command_pool_add_options,
		.method = "pool.add",
		.summary = "make a pool, without backends",
		.details =
			"What is not given is as in shunt.conf: scheduler maglev; a TCP check via the VIP each\n"
			"second with 500ms for its answer, rise 2 and fall 3. shunt.conf(5) says what settings of\n"
			"checks mean; one of another type of check is refused.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "pool", "del" },
		.arguments = pool_argument,
		.method = "pool.del",
		.summary = "remove a pool that no VIP uses",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "backend", "add" },
		.arguments = backend_add_arguments,
		.options = backend_add_options,
		.method = "backend.add",
		.summary = "put a backend into a pool",
		.details =
			"It gets flows as soon as its MAC address is known and its check succeeds.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "backend", "del" },
		.arguments = pool_and_backend,
		.method = "backend.del",
		.summary = "take a backend out of a pool",
		.details =
			"It gets no new flows and is shown no more; the flows it has go on until they end.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "backend", "set" },
		.arguments = pool_and_backend,
		.options = backend_set_options,
		.method = "backend.set",
		.summary = "change a backend's weight",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "drain" },
		.arguments = backend_argument,
		.options = drain_options,
		.method = "drain",
		.summary = "give a backend no new flows; those it has stay",
		.details =
			"In force when the command returns. 'show' has the backend as draining, with the flows left\n"
			"and the time, and as drained when there are none or the deadline is over. 'enable' ends it.\n"
			"Again with another --deadline, that counts anew. The drain goes on when --wait is ended\n"
			"with Ctrl-C, when shuntd or the forwarder is restarted, and through a reload.",
		.changes = true,
		.run = drain_run,
	},
	{
		.words = { "disable" },
		.arguments = backend_argument,
		.options = in_pool_option,
		.method = "disable",
		.summary = "take a backend out at once, with its flows",
		.details =
			"Its flows are given other backends; TCP connections among them break. 'drain' is the\n"
			"gentle way.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "enable" },
		.arguments = backend_argument,
		.options = in_pool_option,
		.method = "enable",
		.summary = "put a disabled or draining backend back in",
		.details =
			"Its check is made at once, and new flows come when it succeeds; where its pool has a\n"
			"slow_start, a few at first.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "counters" },
		.options = counters_options,
		.method = "counters",
		.summary = "what became of the packets: every verdict and drop reason",
		.run = counters_run,
	},
	{
		.words = { "flows" },
		.options = flows_options,
		.method = "flows",
		.summary = "what the flow table holds",
		.details =
			"The table keeps a fingerprint of each flow and not the client's address, so none is\n"
			"shown; 'explain' finds the entry of a flow whose addresses are known.",
		.print = print_flows,
	},
	{
		.words = { "explain" },
		.arguments = explain_arguments,
		.method = "explain",
		.summary = "which backend a flow gets, and why",
		.print = print_explain,
	},
	{
		.words = { "events" },
		.options = events_options,
		.method = "events",
		.summary = "what happened to backends, pools and forwarders",
		.details =
			"Of the last 1,024 events since shuntd was started. --follow goes on when shuntd is restarted,\n"
			"and says so. With --json each event is an object on a line of its own.",
		.run = events_run,
	},
	{
		.words = { "reload" },
		.options = reload_options,
		.method = "reload",
		.summary = "make the running set what shunt.conf says",
		.details =
			"Changes made by command are dropped ('save' first to keep them), except drains and\n"
			"disables of backends that stay. A file with anything wrong changes nothing.",
		.changes = true,
		.print = print_reload,
	},
	{
		.words = { "access", "show" },
		.arguments = access_show_arguments,
		.options = access_show_options,
		.method = "access.show",
		.summary = "access lists, and what their rules decided",
		.print = print_access,
	},
	{
		.words = { "access", "new" },
		.arguments = access_new_arguments,
		.method = "access.new",
		.summary = "make an access list, without rules",
		.details = "'vip set ADDR:PORT/PROTO --access NAME' puts it into force for a VIP.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "access", "add" },
		.arguments = access_add_arguments,
		.method = "access.add",
		.summary = "allow or deny sources",
		.details =
			"For each packet of a VIP that has the list the longest prefix that its source is in decides; a source\n"
			"that is in none is let in, unless the list allows any. Connections under way are cut, too.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "access", "del" },
		.arguments = access_del_arguments,
		.method = "access.del",
		.summary = "take rules out of an access list",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "access", "remove" },
		.arguments = access_remove_arguments,
		.method = "access.remove",
		.summary = "remove an access list that no VIP has",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "check" },
		.arguments = check_arguments,
		.method = "check",
		.summary = "say whether a configuration file is right",
		.print = print_check,
	},
	{
		.words = { "save" },
		.arguments = save_arguments,
		.method = "save",
		.summary = "write the running set as a configuration file",
		.details =
			"The file is replaced whole or not at all.",
		.run = save_run,
	},
	{
		.words = { "detach" },
		.arguments = detach_arguments,
		.method = "detach",
		.summary = "take the XDP program off the interface",
		.details =
			"Packets for VIPs then go to the kernel, which has no use for them. 'reload', or a restart of\n"
			"shuntd, attaches it again, with its flows if it was a reload. Where shuntd does not run,\n"
			"'shuntd --detach' does the same.",
		.changes = true,
		.print = print_detach,
	},
	{
		.words = { "help" },
		.arguments = help_arguments,
		.summary = "this list, or the help of a command",
		.run = help_run,
	},
	{ .words = { NULL } },
};
