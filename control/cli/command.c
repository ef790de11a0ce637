/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of commands, and what all of them share. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "printers.h"
#include "text.h"

#define RPC_METHOD_NOT_FOUND (-32601)

#define PARAMETERS(...) ((const struct parameter[]){ __VA_ARGS__, { .name = NULL } })

#define POOL_OPTION \
	{ "--pool", "NAME", "pool", VALUE_POOL, 0, "only in this pool; without it in every pool that has the backend" }
#define BACKEND_ARGUMENT { "ADDR", NULL, "address", VALUE_ADDRESS, 0, "address of the backend" }
#define POOL_ARGUMENT { "POOL", NULL, "pool", VALUE_POOL, 0, "name of the pool" }
#define WEIGHT_HELP "share of new flows, 1 to 65535; 0: no new flows"
#define VIP_HELP "as 192.0.2.80:80/tcp or [2001:db8::80]:53/udp; port 0: every port"

const struct parameter command_global_options[] = {
	{ "--socket", "PATH", NULL, VALUE_FILE, 0, "where shuntd listens (or SHUNT_SOCKET; default " CLIENT_SOCKET ")" },
	{ "--json", NULL, NULL, VALUE_FLAG, 0, "print the result, and an error, as JSON" },
	{ "--help", NULL, NULL, VALUE_FLAG, 0, "print help, of the command if there is one, and leave" },
	{ "--version", NULL, NULL, VALUE_FLAG, 0, "print the version of shuntctl and leave" },
	{ .name = NULL },
};

const struct command command_table[] = {
	{
		.words = { "status" },
		.method = "status",
		.summary = "how the daemons, ports and workers are",
		.details = "Versions, forwarding path, snapshot in force, packets a second, flows, ports, workers, and\n"
			   "warnings if anything is not as it should be.",
		.print = print_status,
	},
	{
		.words = { "show" },
		.arguments = PARAMETERS({ "vips|pools|backends", NULL, "what", VALUE_CHOICE, PARAMETER_OPTIONAL,
			"only these, as a table", "vips|pools|backends" }),
		.options = PARAMETERS(
			{ "--stats", NULL, "stats", VALUE_FLAG, 0, "packets, bytes and new flows since the object was made" },
			{ "--rate", NULL, "rate", VALUE_FLAG, 0, "packets, bytes and new flows a second, just now" }),
		.method = "show",
		.summary = "the tree of VIPs, pools and backends",
		.details = "Under each VIP the backends of its pool, as 'ipvsadm -Ln' has it. A backend's state is up, down\n"
			   "(its check fails, or its MAC is not known), draining (keeps its flows, gets no new ones),\n"
			   "drained (none left) or disabled. Active flows are in use, closing ones have seen a FIN or RST.\n"
			   "A backend's flows and traffic are those of its pool, over all VIPs that use it.",
		.print = print_show,
	},
	{
		.words = { "vip", "add" },
		.arguments = PARAMETERS({ "ADDR:PORT/PROTO", NULL, "vip", VALUE_VIP, PARAMETER_FRESH, VIP_HELP }),
		.options = PARAMETERS({ "--pool", "NAME", "pool", VALUE_POOL, PARAMETER_REQUIRED, "the pool that serves it" }),
		.method = "vip.add",
		.summary = "serve a VIP from a pool",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "vip", "del" },
		.arguments = PARAMETERS({ "ADDR:PORT/PROTO", NULL, "vip", VALUE_VIP, 0, VIP_HELP }),
		.method = "vip.del",
		.summary = "serve a VIP no more",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "pool", "add" },
		.arguments = PARAMETERS(
			{ "NAME", NULL, "pool", VALUE_POOL, PARAMETER_FRESH, "letters, digits, '.', '_' and '-'" }),
		.options = PARAMETERS(
			{ "--scheduler", "NAME", "scheduler", VALUE_CHOICE, 0, "how a new flow finds its backend",
				"maglev|source-hash|round-robin|least-flows" },
			{ "--check", "TYPE", "check.type", VALUE_CHOICE, 0, "how the health of backends is told", "tcp|none" },
			{ "--via", "WAY", "check.via", VALUE_CHOICE, 0,
				"connect to the VIP on the backend, as clients do, or to the backend's own address", "vip|backend" },
			{ "--port", "N", "check.port", VALUE_NUMBER, 0, "port the check connects to, if not the VIP's" },
			{ "--interval", "TIME", "check.interval", VALUE_TIME, 0, "from one check to the next" },
			{ "--timeout", "TIME", "check.timeout", VALUE_TIME, 0, "a check without an answer for so long has failed" },
			{ "--rise", "N", "check.rise", VALUE_NUMBER, 0, "successes in a row until a backend that was down is up" },
			{ "--fall", "N", "check.fall", VALUE_NUMBER, 0, "failures in a row until a backend is down" }),
		.method = "pool.add",
		.summary = "make a pool, without backends",
		.details = "What is not given is as in shunt.conf: scheduler maglev; a TCP check via the VIP each second with\n"
			   "500ms for its answer, rise 2 and fall 3.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "pool", "del" },
		.arguments = PARAMETERS(POOL_ARGUMENT),
		.method = "pool.del",
		.summary = "remove a pool that no VIP uses",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "backend", "add" },
		.arguments = PARAMETERS(POOL_ARGUMENT,
			{ "ADDR", NULL, "address", VALUE_ADDRESS, PARAMETER_FRESH, "address of the real server, on this network" }),
		.options = PARAMETERS({ "--weight", "N", "weight", VALUE_NUMBER, 0, WEIGHT_HELP " (default 100)" },
			{ "--mac", "MAC", "mac", VALUE_MAC, 0, "pin its MAC address; without it the neighbour table is asked" }),
		.method = "backend.add",
		.summary = "put a backend into a pool",
		.details = "It gets flows as soon as its MAC is known and its check succeeds.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "backend", "del" },
		.arguments = PARAMETERS(POOL_ARGUMENT, BACKEND_ARGUMENT),
		.method = "backend.del",
		.summary = "take a backend out of a pool",
		.details = "It gets no new flows and is shown no more; the flows it has go on until they end.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "backend", "set" },
		.arguments = PARAMETERS(POOL_ARGUMENT, BACKEND_ARGUMENT),
		.options = PARAMETERS({ "--weight", "N", "weight", VALUE_NUMBER, PARAMETER_REQUIRED, WEIGHT_HELP }),
		.method = "backend.set",
		.summary = "change a backend's weight",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "drain" },
		.arguments = PARAMETERS(BACKEND_ARGUMENT),
		.options = PARAMETERS(POOL_OPTION),
		.method = "drain",
		.summary = "give a backend no new flows; those it has stay",
		.details = "'show' has it as draining with the flows left, and as drained when there are none. 'enable' ends it.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "disable" },
		.arguments = PARAMETERS(BACKEND_ARGUMENT),
		.options = PARAMETERS(POOL_OPTION),
		.method = "disable",
		.summary = "take a backend out at once, with its flows",
		.details = "Its flows are given other backends; TCP connections among them break. 'drain' is the gentle way.",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "enable" },
		.arguments = PARAMETERS(BACKEND_ARGUMENT),
		.options = PARAMETERS(POOL_OPTION),
		.method = "enable",
		.summary = "put a disabled or draining backend back in",
		.changes = true,
		.print = print_change,
	},
	{
		.words = { "counters" },
		.options = PARAMETERS({ "--all", NULL, NULL, VALUE_FLAG, 0, "those that are zero, too" },
			{ "--rate", NULL, NULL, VALUE_FLAG, 0, "read twice, a second apart: how much each grows a second" }),
		.method = "counters",
		.summary = "what became of the packets: every verdict and drop reason",
		.run = counters_run,
	},
	{
		.words = { "flows" },
		.options = PARAMETERS({ "--vip", "ADDR:PORT/PROTO", "vip", VALUE_VIP, 0, "only flows to this VIP" },
			{ "--backend", "ADDR", "backend", VALUE_ADDRESS, 0, "only flows on this backend" },
			{ "--limit", "N", "limit", VALUE_NUMBER, 0, "at most so many (default 100)" }),
		.method = "flows",
		.summary = "what the flow table holds",
		.details = "The table keeps a fingerprint of each flow and not the client's address, so none is shown;\n"
			   "'explain' finds the entry of a flow whose addresses are known.",
		.print = print_flows,
	},
	{
		.words = { "explain" },
		.arguments = PARAMETERS({ "SRC:PORT", NULL, "source", VALUE_SOURCE, 0, "the client's address and port" },
			{ "VIP:PORT/PROTO", NULL, "vip", VALUE_VIP, 0, "what it connects to, as 192.0.2.80:80/tcp" }),
		.method = "explain",
		.summary = "which backend a flow gets, and why",
		.print = print_explain,
	},
	{
		.words = { "reload" },
		.options = PARAMETERS({ "--dry-run", NULL, "dry_run", VALUE_FLAG, 0, "only say what would change" }),
		.method = "reload",
		.summary = "make the running set what shunt.conf says",
		.details = "Changes made by command are dropped ('save' first to keep them), except drains and disables of\n"
			   "backends that stay. A file with anything wrong changes nothing.",
		.changes = true,
		.print = print_reload,
	},
	{
		.words = { "check" },
		.arguments = PARAMETERS({ "FILE", NULL, "file", VALUE_DAEMON_FILE, 0, "a configuration; shuntd reads it" }),
		.method = "check",
		.summary = "say whether a configuration file is right",
		.print = print_check,
	},
	{
		.words = { "save" },
		.arguments = PARAMETERS({ "FILE", NULL, NULL, VALUE_FILE, 0, "where to; - for standard output" }),
		.method = "save",
		.summary = "write the running set as a configuration file",
		.details = "The file is replaced whole or not at all.",
		.run = save_run,
	},
	{
		.words = { "help" },
		.arguments = PARAMETERS({ "COMMAND", NULL, NULL, VALUE_TEXT, PARAMETER_OPTIONAL | PARAMETER_REPEATED,
			"the command's words" }),
		.summary = "this list, or the help of a command",
		.run = help_run,
	},
	{ .words = { NULL } },
};

const struct command *command_find(const char *first, const char *second)
{
	for (const struct command *c = command_table; c->words[0]; c++)
		if (!strcmp(c->words[0], first) &&
			(second ? c->words[1] && !strcmp(c->words[1], second) : !c->words[1]))
			return c;
	return NULL;
}

bool command_is_group(const char *first)
{
	for (const struct command *c = command_table; c->words[0]; c++)
		if (c->words[1] && !strcmp(c->words[0], first))
			return true;
	return false;
}

const char *command_name(const struct command *command, char *out)
{
	snprintf(out, TEXT_SHORT, "%s%s%s", command->words[0], command->words[1] ? " " : "",
		command->words[1] ? command->words[1] : "");
	return out;
}

enum status command_call(struct invocation *invocation, json_t **result, struct failure *failure)
{
	const struct command *command = invocation->command;
	enum status status;

	status = client_call(invocation->socket, command->method, invocation->params, CLIENT_TIMEOUT_MS, result, failure);
	if (status == STATUS_DONE)
		return status;
	if (failure->outcome_unknown && command->changes)
		return failure_set(failure, status, "%s; whether the change was made is not known: see 'shuntctl show'",
			failure_message(failure));
	if (failure_code(failure) == RPC_METHOD_NOT_FOUND)
		return failure_set(failure, status,
			"this shuntd has no method '%s': is it of another version than this shuntctl, %s?",
			command->method, SHUNT_VERSION);
	return status;
}

void command_print_json(const json_t *result)
{
	/* 15 digits are what a double keeps of any decimal number: 12.3 stays 12.3. */
	json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	putchar('\n');
}
