/* SPDX-License-Identifier: BSD-3-Clause */
/* shunt.conf: what is taken, and the exact words for what isn't. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "settings.h"
#include "unit.h"

#define DPDK "dpdk: { port = \"net_null0\"; cores = \"1\"; };\n" /* line 1 of most */
#define WEB "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; } ); } );\n"

static struct config *parse(const char *text)
{
	struct config *config;
	struct error error;

	if (config_parse("shunt.conf", text, strlen(text), &config, &error)) {
		unit_note("refused: %s", error.text);
		return NULL;
	}
	return config;
}

struct refusal {
	const char *text;
	const char *error;
};

static void expect(const struct refusal *r)
{
	struct error error = { "" };
	struct config *config;
	int err = config_parse("shunt.conf", r->text, strlen(r->text), &config, &error);

	if (err != -EINVAL || strcmp(error.text, r->error))
		unit_note("for:  %s\nsaid: %s\nnot:  %s", r->text, err ? error.text : "(nothing: taken)", r->error);
	CU_ASSERT_EQUAL(err, -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, r->error);
	CU_ASSERT_PTR_NULL(config);
	if (!err)
		config_free(config);
}

static const struct refusal scalars[] = {
	{ "", "shunt.conf: interface: is missing: the NIC for the XDP path; or dpdk.port, for the DPDK path" },
	{ "dpdk: { cores = \"1\"; };",
		"shunt.conf: interface: is missing: the NIC for the XDP path; or dpdk.port, for the DPDK path" },
	{ "interface = \"eth0\"; path = \"dpdk\";", "shunt.conf: dpdk.port: is missing: the port to drive, a PCI address "
		"or a DPDK virtual device, as path is \"dpdk\"" },
	{ DPDK "path = \"xdp\";", "shunt.conf: interface: is missing: the NIC that the XDP program is to be attached to, "
		"as path is \"xdp\"" },
	{ "dpdk:\n{\n  port = \"x\";\n};", "shunt.conf: dpdk.cores: is missing: a list of CPU numbers, as a string such "
	      "as \"2-3\" or \"2,4\" (CPUs that forward, one worker each)" },
	{ "dpdk: { port = \"af_xdp:eth0\"; cores = \"1\"; };",
		"shunt.conf: interface: must be \"eth0\", as dpdk.port is sockets above the XDP program there" },
	{ "interface = \"eth1\";\ndpdk: { port = \"af_xdp:eth0,copy\"; cores = \"1\"; };",
		"shunt.conf: interface: must be \"eth0\", as dpdk.port is sockets above the XDP program there" },
	{ DPDK "interface = \"\";", "shunt.conf:2: interface: \"\" is not an interface's name, as a string of at most 15 "
		"characters" },
	{ "dpdk: { port = \"x\"; cores = \"1\"; kernel_interface = \"a b\"; };", "shunt.conf:1: dpdk.kernel_interface: \"a b\" "
		"is not an interface's name, as a string of at most 15 characters, or \"\" for none" },
	{ DPDK "xdp: { mode = \"offload\"; };", "shunt.conf:2: xdp.mode: \"offload\" is none of \"auto\", \"native\", "
		"\"generic\"" },
	{ DPDK "xdp: { pin = \"shunt\"; };", "shunt.conf:2: xdp.pin: \"shunt\" is not an absolute path of at most 255 "
		"characters, as a string" },
	{ DPDK "path = \"dpkd\";", "shunt.conf:2: path: \"dpkd\" is none of \"auto\", \"dpdk\", \"xdp\"" },
	{ DPDK "path = 1;", "shunt.conf:2: path: must be \"auto\", \"dpdk\" or \"xdp\", not a number" },
	{ DPDK "path = { };", "shunt.conf:2: path: must be \"auto\", \"dpdk\" or \"xdp\", not a group" },
	{ DPDK "flowtable: { };", "shunt.conf:2: flowtable: unknown setting: did you mean \"flow_table\"?" },
	{ DPDK "bananas = true;", "shunt.conf:2: bananas: unknown setting; there is path, interface, dpdk, xdp, flow_table, "
	      "control, announce, echo, pools, access, vips" },
	{ DPDK "flow_table:\n{\n capcity = 5000;\n};",
		"shunt.conf:4: flow_table.capcity: unknown setting: did you mean \"capacity\"?" },
	{ DPDK "flow_table = 7;", "shunt.conf:2: flow_table: must be a group { ... }, not a number" },
	{ DPDK "flow_table: { capacity = 1000; };",
		"shunt.conf:2: flow_table.capacity: 1000 is out of range: 1024 to 1000000000" },
	{ DPDK "flow_table: { capacity = 4294968296; };",
		"shunt.conf:2: flow_table.capacity: 4294968296 is out of range: 1024 to 1000000000" },
	{ DPDK "flow_table: { capacity = 0x100000400; };",
		"shunt.conf:2: flow_table.capacity: 4294968320 is out of range: 1024 to 1000000000" },
	{ DPDK "flow_table: { capacity = -5000; };",
		"shunt.conf:2: flow_table.capacity: -5000 is out of range: 1024 to 1000000000" },
	{ DPDK "\nflow_table: { capacity = 12345678901234567890; };",
		"shunt.conf:3: 123456789012345678... is too large a number" },
	{ DPDK "flow_table: { capacity = 1e6; };",
		"shunt.conf:2: flow_table.capacity: must be a whole number, 1024 to 1000000000, not a number with a "
		"fraction" },
	{ DPDK "flow_table: { capacity = \"many\"; };",
		"shunt.conf:2: flow_table.capacity: must be a whole number, 1024 to 1000000000, not a string" },
	{ DPDK "flow_table: { hash_key = \"0011\"; };",
		"shunt.conf:2: flow_table.hash_key: must be 32 hexadecimal digits" },
	{ DPDK "flow_table: { timeouts: { syn = \"3s\"; }; };",
		"shunt.conf:2: flow_table.timeouts.syn: \"3s\" is out of range: \"4s\" to \"4h\"" },
	{ DPDK "flow_table: { timeouts: { syn = \"4500ms\"; }; };",
		"shunt.conf:2: flow_table.timeouts.syn: \"4500ms\" is not a whole number of seconds" },
	{ DPDK "flow_table: { timeouts: { udp = \"5\"; }; };",
		"shunt.conf:2: flow_table.timeouts.udp: \"5\" is not a time with its unit (ms, s, m, h), as a string, \"4s\" "
		"to \"4h\"" },
	{ DPDK "flow_table: { timeouts: { udp = 300; }; };",
		"shunt.conf:2: flow_table.timeouts.udp: must be a time with its unit (ms, s, m, h), as a string, \"4s\" to "
		"\"4h\", not a number" },
	{ DPDK "control: { socket = \"shuntd.sock\"; };",
		"shunt.conf:2: control.socket: \"shuntd.sock\" is not an absolute path of at most 107 characters, as a "
		"string" },
	{ DPDK "control: { http = \"localhost:80\"; };",
		"shunt.conf:2: control.http: \"localhost:80\" is not \"\" or ADDRESS:PORT, as a string such as "
		"\"127.0.0.1:9190\" or \"[::1]:9190\"" },
	{ DPDK "control: { group = \"\"; };",
		"shunt.conf:2: control.group: \"\" is not a string of 1 to 63 characters" },
	{ DPDK "xdp: { mode = \"fast\"; };",
		"shunt.conf:2: xdp.mode: \"fast\" is none of \"auto\", \"native\", \"generic\"" },
	{ DPDK "interface = \"eth0/1\";",
		"shunt.conf:2: interface: \"eth0/1\" is not an interface's name, as a string of at most 15 characters" },
	{ "dpdk: { port = \"x\"; cores = \"3-2\"; };", "shunt.conf:1: dpdk.cores: \"3-2\" is not a list of CPU numbers, as a "
	      "string such as \"2-3\" or \"2,4\"" },
	{ "dpdk: { port = \"x\"; cores = \"1,\"; };", "shunt.conf:1: dpdk.cores: \"1,\" is not a list of CPU numbers, as a "
	      "string such as \"2-3\" or \"2,4\"" },
	{ "dpdk: { port = \"x\"; cores = 1; };", "shunt.conf:1: dpdk.cores: must be a list of CPU numbers, as a string such "
	      "as \"2-3\" or \"2,4\", not a number" },
	{ "dpdk: { port = \"x\"; cores = \"1\"; eal_args = [ 1, 2 ]; };", "shunt.conf:1: dpdk.eal_args: must be an array of "
	      "strings [ \"...\", \"...\" ], not something else" },
	{ "dpdk: { port = \"x\"; cores = \"1\"; eal_args = \"-v\"; };", "shunt.conf:1: dpdk.eal_args: must be an array of "
	      "strings [ \"...\", \"...\" ], not a string" },
	{ .text = NULL },
};

static const struct refusal pools[] = {
	{ DPDK "pools = 3;", "shunt.conf:2: pools: must be a list of groups ( { ... }, { ... } ), not a number" },
	{ DPDK "pools = ( 3 );", "shunt.conf:2: pools[0]: must be a group { ... }" },
	{ DPDK "pools = ( { } );",
		"shunt.conf:2: pools[0].name: is missing: a name of 1 to 63 letters, digits and . _ -, as "
		"a string (what VIPs and commands call it)" },
	{ DPDK "pools = ( { name = \"a b\"; } );",
		"shunt.conf:2: pools[0].name: \"a b\" is not a name of 1 to 63 letters, "
		"digits and . _ -, as a string" },
	{ DPDK "pools = ( { name = \"web\"; },\n\n { name = \"web\"; } );",
		"shunt.conf:4: pools[1].name: \"web\" is the name of the pool on line 2 already" },
	{ DPDK "pools = ( { name = \"web\"; scheduler = \"rr\"; } );",
		"shunt.conf:2: pools[0].scheduler: \"rr\" is none of "
		"\"maglev\", \"source-hash\", \"round-robin\", \"least-flows\"" },
	{ DPDK "pools = ( { name = \"web\"; backend = ( ); } );",
		"shunt.conf:2: pools[0].backend: unknown setting: did you mean \"backends\"?" },
	{ DPDK "pools = ( { name = \"web\"; check: { type = \"htpp\"; }; } );",
		"shunt.conf:2: pools[0].check.type: \"htpp\" is none of \"none\", \"tcp\", \"http\", \"https\", "
		"\"udp\", \"dns\", \"ping\", \"exec\"" },
	{ DPDK "pools = ( { name = \"web\"; check: { expect = \"200\"; }; } );",
		"shunt.conf:2: pools[0].check.expect: is for http and https checks; this one is tcp" },
	{ DPDK "pools = ( { name = \"web\"; check: { via = \"wire\"; }; } );",
		"shunt.conf:2: pools[0].check.via: \"wire\" is none of \"vip\", \"backend\"" },
	{ DPDK "pools = ( { name = \"web\"; check: { rise = 0; }; } );",
		"shunt.conf:2: pools[0].check.rise: 0 is out of range: 1 to 1000" },
	{ DPDK "pools = ( { name = \"web\"; check: { interval = \"1\"; }; } );",
		"shunt.conf:2: pools[0].check.interval: \"1\" is not a time with its unit (ms, s, m, h), as a "
		"string, "
		"\"50ms\" to \"1h\"" },
	{ DPDK "pools = ( { name = \"web\"; check: { port = 65536; }; } );",
		"shunt.conf:2: pools[0].check.port: 65536 is out of range: 0 to 65535" },
	{ DPDK "pools = ( { name = \"web\"; check = true; } );",
		"shunt.conf:2: pools[0].check: must be a group { ... }, not true or false" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; },\n"
	       "  { address = \"10.0.0.12\";\n    weight = 70000; } ); } );",
		"shunt.conf:4: pools[0].backends[1].weight: 70000 is out of range: 0 to 65535" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { weight = 1; } ); } );",
		"shunt.conf:2: pools[0].backends[0].address: is missing: an IPv4 or IPv6 address, as a string "
		"(the real "
		"server's own)" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.300\"; } ); } );",
		"shunt.conf:2: pools[0].backends[0].address: \"10.0.0.300\" is not an IPv4 or IPv6 address, as a "
		"string" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"::ffff:10.0.0.1\"; } ); } );",
		"shunt.conf:2: pools[0].backends[0].address: \"::ffff:10.0.0.1\" is not an IPv4 or IPv6 address, "
		"as a "
		"string" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"fe80::1\"; } ); } );",
		"shunt.conf:2: pools[0].backends[0].address: fe80::1 is a link-local address" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.1\"; mac = \"01:00:5e:00:00:01\"; } "
	       "); } );",
		"shunt.conf:2: pools[0].backends[0].mac: 01:00:5e:00:00:01 is a group address (multicast or "
		"broadcast), not "
		"one host's" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.1\"; mac = \"02:00:00:00:00\"; } ); "
	       "} );",
		"shunt.conf:2: pools[0].backends[0].mac: \"02:00:00:00:00\" is not a MAC address, as a string "
		"such as "
		"\"02:00:00:00:00:12\"" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.1\"; },\n{ address = \"10.0.0.2\"; "
	       "},\n"
	       "{ address = \"10.0.0.1\"; } ); } );",
		"shunt.conf:4: pools[0].backends[2].address: 10.0.0.1 is a backend of this pool on line 2 "
		"already" },
	{ DPDK "pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.1\"; },\n{ address = "
	       "\"2001:db8::1\"; } ); } );",
		"shunt.conf:3: pools[0].backends[1].address: 2001:db8::1 is IPv6, but 10.0.0.1 on line 2 is IPv4: "
		"a pool is "
		"of one family" },
	{ .text = NULL },
};

static const struct refusal vips[] = {
	{ DPDK WEB "vips = ( { port = 80; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].address: is missing: an IPv4 or IPv6 address, as a string (of the pool's family)" },
	{ DPDK WEB "vips = ( { address = \"192.0.2.80\"; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].port: is missing: a whole number, 0 to 65535 (0: every port that no other VIP of the "
		"address has)" },
	{ DPDK WEB "vips = ( { address = \"192.0.2.80\"; port = 65536; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].port: 65536 is out of range: 0 to 65535" },
	{ DPDK WEB "vips = ( { address = \"192.0.2.80\"; port = \"http\"; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].port: must be a whole number, 0 to 65535, not a string" },
	{ DPDK WEB "vips = ( { address = \"192.0.2.80\"; port = 80; protocol = \"sctp\"; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].protocol: \"sctp\" is not \"tcp\" or \"udp\"" },
	{ DPDK WEB "vips = ( { address = \"224.0.0.1\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].address: 224.0.0.1 is a multicast address" },
	{ DPDK WEB "vips = ( { address = \"127.0.0.1\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].address: 127.0.0.1 is a loopback address" },
	{ DPDK WEB "vips = ( { address = \"::\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].address: :: is the unspecified address" },
	{ DPDK WEB "vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"wbe\"; } );",
		"shunt.conf:3: vips[0].pool: there is no pool \"wbe\" (did you mean \"web\"?); pools: \"web\"" },
	{ DPDK "vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:2: vips[0].pool: there is no pool \"web\", nor any other" },
	{ DPDK WEB "vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; },\n"
		   "{ address = \"192.0.2.80\"; port = 443; pool = \"web\"; },\n"
		   "{ address = \"192.0.2.80\"; protocol = \"tcp\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:5: vips[2]: 192.0.2.80:80/tcp is a VIP on line 3 already" },
	{ DPDK WEB "vips = ( { address = \"2001:db8::80\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:3: vips[0].address: 2001:db8::80 is IPv6, but pool \"web\" is IPv4: backend 10.0.0.11 on line 2" },
	{ DPDK "pools = ( { name = \"web\"; } );\nvips = ( { address = \"2001:db8::80\"; port = 80; pool = \"web\"; },\n"
	       "{ address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:4: vips[1].address: 192.0.2.80 is IPv4, but pool \"web\" is IPv6: VIP 2001:db8::80 on line 3" },
	{ DPDK WEB "vips = ( { address = \"10.0.0.11\"; port = 80; pool = \"web\"; } );",
		"shunt.conf:2: pools[0].backends[0].address: 10.0.0.11 is a VIP on line 3: a backend is known by an address "
		"of its own" },
	{ DPDK "pools = ( { name = \"any\"; check: { type = \"tcp\"; }; } );\n"
	       "vips = ( { address = \"192.0.2.80\"; port = 0; pool = \"any\"; } );",
		"shunt.conf:2: pools[0].check.port: is missing: the VIPs of pool \"any\" are on every port (port 0), so a "
		"check of type \"tcp\" has to say which; or type \"none\"" },
	{ DPDK "pools = ( { name = \"spare\"; check: { type = \"http\"; }; }, { name = \"any\"; fallback = \"spare\"; } );\n"
	       "vips = ( { address = \"192.0.2.80\"; port = 0; pool = \"any\"; } );",
		"shunt.conf:2: pools[0].check.port: is missing: the VIPs of pool \"any\", whose fallback this is, are on every port "
		"(port 0), so a check of type \"http\" has to say which; or type \"none\"" },
	{ .text = NULL },
};

static const struct refusal syntax[] = {
	{ DPDK "pools = (\n  { name = \"web\" oops }\n);",
		"shunt.conf:3: syntax error at, or just before: { name = \"web\" oops }" },
	{ DPDK "path = \"auto\";\npath = \"dpdk\";",
		"shunt.conf:3: duplicate setting name at, or just before: path = \"dpdk\";" },
	{ DPDK "xdp: { };\n\nxdp: { };", "shunt.conf:4: duplicate setting name at, or just before: xdp: { };" },
	{ DPDK "path = \"auto;\n\n\n", "shunt.conf:2: a string that begins here has no end" },
	{ DPDK "\n/* path = \"auto\";\n", "shunt.conf:3: a comment that begins here has no end" },
	{ DPDK "@include \"nowhere.conf\"\n",
		"shunt.conf:2: @include: nowhere.conf: cannot be read: No such file or directory" },
	{ DPDK "path = \"auto\";\n@include \"/etc/passwd\"\n",
		"shunt.conf:3: @include: must be the name, without \"\\\", of a file beside this one" },
	{ DPDK "@include \"a\\\"b\"\n",
		"shunt.conf:2: @include: must be the name, without \"\\\", of a file beside this one" },
	{ DPDK "a = [ 1, \"x\" ];", "shunt.conf:2: mismatched element type in array at, or just before: a = [ 1, \"x\" ];" },
	{ .text = NULL },
};

static void expect_all(const struct refusal *refusals)
{
	for (; refusals->text; refusals++)
		expect(refusals);
}

static void wrong_scalars(void)
{
	expect_all(scalars);
}

static void wrong_pools(void)
{
	expect_all(pools);
}

static void wrong_vips(void)
{
	expect_all(vips);
}

static void wrong_syntax(void)
{
	static const char zero[] = DPDK "path = \"auto\";\n\0path = \"xdp\";\n";
	struct config *config;
	struct error error;

	expect_all(syntax);
	CU_ASSERT_EQUAL(config_parse("shunt.conf", zero, sizeof(zero) - 1, &config, &error), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, "shunt.conf:3: holds a zero byte: not a text file");
}

static void many_missing_pools_are_counted(void)
{
	char text[8192], *end = text;
	struct refusal r = { text, "shunt.conf:2: vips[0].pool: there is no pool \"zzzzzz\"; pools: \"p0\", \"p1\", \"p2\", "
		"\"p3\", \"p4\", \"p5\", \"p6\", \"p7\" and 32 more" };

	end += sprintf(end, DPDK "vips = ( { address = \"192.0.2.1\"; port = 1; pool = \"zzzzzz\"; } ); pools = (");
	for (int i = 0; i < 40; i++)
		end += sprintf(end, "%s{ name = \"p%d\"; }", i ? ", " : "", i);
	sprintf(end, ");");
	expect(&r);
}

static void defaults(void)
{
	struct config *c = parse(DPDK WEB "vips = ( { address = \"192.0.2.80\"; port = 80; pool = \"web\"; } );");

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(c->path, PATH_AUTO);
	CU_ASSERT_PTR_NULL(c->interface);
	CU_ASSERT_EQUAL(c->xdp_mode, XDP_MODE_AUTO);
	CU_ASSERT_STRING_EQUAL(c->xdp_pin, "/sys/fs/bpf/shunt");
	CU_ASSERT_STRING_EQUAL(c->dpdk_port, "net_null0");
	CU_ASSERT_STRING_EQUAL(c->kernel_interface, "shunt0");
	CU_ASSERT_STRING_EQUAL(c->dpdk_socket, "/run/shunt/dataplane.sock");
	CU_ASSERT_STRING_EQUAL(c->control_socket, "/run/shunt/shuntd.sock");
	CU_ASSERT_STRING_EQUAL(c->control_group, "shunt");
	CU_ASSERT_STRING_EQUAL(c->control_http, "127.0.0.1:9190");
	CU_ASSERT_STRING_EQUAL(c->control_state, "/var/lib/shunt");
	CU_ASSERT_FALSE(c->hash_key_given);
	CU_ASSERT_EQUAL(c->flow_capacity, 1000000);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_SYN], 60);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_ESTABLISHED], 900);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_FIN], 120);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_RESET], 10);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_UDP], 300);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_UDP_NEW], 300);
	CU_ASSERT_EQUAL_FATAL(c->n_pools, 1);
	CU_ASSERT_STRING_EQUAL(c->pools[0].name, "web");
	CU_ASSERT_EQUAL(c->pools[0].scheduler, SCHEDULER_MAGLEV);
	CU_ASSERT_FALSE(c->pools[0].check.given);
	CU_ASSERT_EQUAL(c->pools[0].check.type, CHECK_TCP);
	CU_ASSERT_EQUAL(c->pools[0].check.interval_ms, 1000);
	CU_ASSERT_EQUAL(c->pools[0].check.timeout_ms, 500);
	CU_ASSERT_EQUAL(c->pools[0].check.rise, 2);
	CU_ASSERT_EQUAL(c->pools[0].check.fall, 3);
	CU_ASSERT_EQUAL_FATAL(c->pools[0].n_backends, 1);
	CU_ASSERT_EQUAL(c->pools[0].backends[0].weight, 100);
	CU_ASSERT_FALSE(c->pools[0].backends[0].mac_pinned);
	CU_ASSERT_EQUAL_FATAL(c->n_vips, 1);
	CU_ASSERT_EQUAL(c->vips[0].protocol, IPPROTO_TCP);
	config_free(c);
}

/* The XDP path wants an interface and nothing of the group dpdk. */
static void without_dpdk(void)
{
	struct config *c = parse("interface = \"eth0\"; path = \"xdp\";");
	char name[16];

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_PTR_NULL(c->dpdk_port);
	CU_ASSERT_PTR_NULL(config_sockets_on(c, name));
	config_free(c);
	c = parse("interface = \"eth0\"; dpdk: { socket = \"/s\"; };");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	config_free(c);
	c = parse("interface = \"eth0\"; dpdk: { port = \"af_xdp:eth0,copy\"; cores = \"1\"; kernel_interface = \"\"; };");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(config_sockets_on(c, name), "eth0");
	config_free(c);
}

static void everything_given(void)
{
	struct config *c = parse(
		"path = \"dpdk\"; interface = \"eth0\";\n"
		"dpdk = { port = \"0000:65:00.0\"; cores = \"2-3,8\"; kernel_interface = \"k0\"; eal_args = [ \"-a\", \"b\" ];\n"
		"  socket = \"/s\"; run_dir = \"/r\"; idle = \"sleep\"; mbufs = 4096; mbuf_size = 512;\n"
		"  mtu = 9000; };\n"
		"xdp: { mode = \"native\"; pin = \"/p\"; };\n"
		"flow_table: { capacity = 1024; hash_key = \"000102030405060708090a0b0c0d0e0F\";\n"
		"  timeouts: { syn = \"4s\"; established = \"4h\"; fin = \"2m\"; reset = \"8s\"; udp = \"1m\"; }; };\n"
		"control: { socket = \"/c\"; group = \"g\"; http = \"\"; state = \"/t\"; };\n"
		"pools = ( { name = \"a.b_c-1\"; scheduler = \"least-flows\";\n"
		"  check: { type = \"tcp\"; via = \"backend\"; port = 8080; interval = \"2s\"; timeout = \"100ms\"; rise = 1;\n"
		"    fall = 5; };\n"
		"  backends = ( { address = \"2001:db8:a::1\"; weight = 0; mac = \"02:00:00:00:00:aB\"; } ); } );\n"
		"vips = ( { address = \"2001:db8::80\"; protocol = \"udp\"; port = 0; pool = \"a.b_c-1\"; } );\n");
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0xab };

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(c->path, PATH_DPDK);
	CU_ASSERT_STRING_EQUAL(c->interface, "eth0");
	CU_ASSERT_STRING_EQUAL(c->dpdk_cores, "2-3,8");
	CU_ASSERT_EQUAL(c->eal_args.n, 2);
	CU_ASSERT_EQUAL(c->dpdk_idle, IDLE_SLEEP);
	CU_ASSERT_EQUAL(c->dpdk_mbufs, 4096);
	CU_ASSERT_EQUAL(c->dpdk_mtu, 9000);
	CU_ASSERT_EQUAL(c->xdp_mode, XDP_MODE_NATIVE);
	CU_ASSERT_STRING_EQUAL(c->xdp_pin, "/p");
	CU_ASSERT_TRUE(c->hash_key_given);
	CU_ASSERT_EQUAL(c->hash_key[0], 0x0706050403020100);
	CU_ASSERT_EQUAL(c->hash_key[1], 0x0f0e0d0c0b0a0908);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_ESTABLISHED], 14400);
	CU_ASSERT_EQUAL(c->timeout_s[FLOW_UDP_NEW], 60);
	CU_ASSERT_STRING_EQUAL(c->control_http, "");
	CU_ASSERT_EQUAL(c->pools[0].scheduler, SCHEDULER_LEAST_FLOWS);
	CU_ASSERT_TRUE(c->pools[0].check.given);
	CU_ASSERT_EQUAL(c->pools[0].check.via, CHECK_VIA_BACKEND);
	CU_ASSERT_EQUAL(c->pools[0].check.port, 8080);
	CU_ASSERT_EQUAL(c->pools[0].check.timeout_ms, 100);
	CU_ASSERT_EQUAL(c->pools[0].backends[0].weight, 0);
	CU_ASSERT_TRUE(c->pools[0].backends[0].mac_pinned);
	CU_ASSERT_EQUAL(memcmp(&c->pools[0].backends[0].mac, mac, 6), 0);
	CU_ASSERT_EQUAL(c->vips[0].protocol, IPPROTO_UDP);
	CU_ASSERT_EQUAL(c->vips[0].port, 0);
	config_free(c);
}

/* What is checked where nobody said: tcp where a VIP has a TCP port, else nothing can be asked. */
static void check_by_default(void)
{
	static const struct {
		const char *vips;
		enum check_type type;
	} cases[] = {
		{ "", CHECK_TCP },
		{ "{ address = \"192.0.2.1\"; protocol = \"udp\"; port = 53; pool = \"web\"; }", CHECK_NONE },
		{ "{ address = \"192.0.2.1\"; protocol = \"tcp\"; port = 0; pool = \"web\"; }", CHECK_NONE },
		{ "{ address = \"192.0.2.1\"; protocol = \"udp\"; port = 53; pool = \"web\"; },"
		  "{ address = \"192.0.2.2\"; protocol = \"tcp\"; port = 53; pool = \"web\"; }", CHECK_TCP },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char text[1024];
		struct config *c;

		snprintf(text, sizeof(text), DPDK WEB "vips = ( %s );", cases[i].vips);
		c = parse(text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(c);
		CU_ASSERT_EQUAL(c->pools[0].check.type, cases[i].type);
		config_free(c);
	}
}

static char folder[] = "/tmp/shunt-test-config-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

/* What config_load() says of the file, without the folder's name. */
static int load(const char *name, struct config **config, char *said)
{
	struct error error = { "" };
	char path[128], *at;
	int err;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	err = config_load(path, config, &error);
	for (at = error.text; *at;) {
		if (!strncmp(at, folder, strlen(folder)))
			at += strlen(folder) + 1;
		else
			*said++ = *at++;
	}
	*said = '\0';
	return err;
}

static void files(void)
{
	struct config *c;
	char said[600];
	uint64_t digest;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	CU_ASSERT_EQUAL(load("none.conf", &c, said), -ENOENT);
	CU_ASSERT_STRING_EQUAL(said, "none.conf: cannot be read: No such file or directory");
	CU_ASSERT_EQUAL(load(".", &c, said), -EISDIR);
	CU_ASSERT_STRING_EQUAL(said, ".: cannot be read: Is a directory");

	write_file("shunt.conf", DPDK "@include \"pools.conf\"\npath = \"auto\";\n");
	write_file("pools.conf", "\n" WEB);
	CU_ASSERT_EQUAL_FATAL(load("shunt.conf", &c, said), 0);
	CU_ASSERT_EQUAL(c->n_pools, 1);
	digest = c->digest;
	config_free(c);

	/* A change of what is included is a change of the configuration. */
	write_file("pools.conf", "\n" WEB "# more\n");
	CU_ASSERT_EQUAL_FATAL(load("shunt.conf", &c, said), 0);
	CU_ASSERT_NOT_EQUAL(c->digest, digest);
	config_free(c);

	write_file("pools.conf", "\n\npools = ( { name = \"web\"; sheduler = \"maglev\"; } );\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said,
		"pools.conf:3: pools[0].sheduler: unknown setting: did you mean \"scheduler\"?");
	write_file("pools.conf", "\npools = = 3;\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "pools.conf:2: syntax error");
	write_file("pools.conf", "\n\nflow_table: { capacity = 4294968296; };\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "pools.conf:3: a number above 2147483647 needs an \"L\" behind it");
	write_file("pools.conf", WEB);
	write_file("shunt.conf", DPDK "\nvips = ( { address = \"10.0.0.11\"; port = 1; pool = \"web\"; } );\n"
				      "@include \"pools.conf\"\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "pools.conf:1: pools[0].backends[0].address: 10.0.0.11 is a VIP at shunt.conf:3: a "
		"backend is known by an address of its own");

	/* A pipe is not waited for. */
	write_file("shunt.conf", "");
	snprintf(said, sizeof(said), "%s/pipe", folder);
	CU_ASSERT_EQUAL_FATAL(mkfifo(said, 0600), 0);
	CU_ASSERT_EQUAL(load("pipe", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "pipe: cannot be read: it is not a regular file");

	/* Nor one that is included, nor what has no end, nor a folder; nor files that include each other. */
	write_file("shunt.conf", DPDK "/* @include \"nowhere\" */ # @include \"nowhere\"\n  @include\t \"pipe\" # x\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "shunt.conf:3: @include: pipe: cannot be read: it is not a regular file");
	write_file("pools.conf", "\n@include \"zero\"\n");
	snprintf(said, sizeof(said), "%s/zero", folder);
	CU_ASSERT_EQUAL_FATAL(symlink("/dev/zero", said), 0);
	write_file("shunt.conf", DPDK "@include \"pools.conf\"\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "pools.conf:2: @include: zero: cannot be read: it is not a regular file");
	write_file("shunt.conf", DPDK "@include \".\"\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "cannot be read: Is a directory"));
	write_file("pools.conf", "@include \"more.conf\"\n@include \"more.conf\"\n");
	write_file("more.conf", "@include \"pools.conf\"\n@include \"pools.conf\"\n");
	write_file("shunt.conf", DPDK "@include \"pools.conf\"\n");
	CU_ASSERT_EQUAL(load("shunt.conf", &c, said), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "too many files in one another: does one include itself?"));
	snprintf(said, sizeof(said), "rm -r %s", folder);
	CU_ASSERT_EQUAL(system(said), 0);
}

static void checks_from_json(void)
{
	static const struct {
		const char *json;
		const char *error; /* NULL: taken */
		const char *text;
	} cases[] = {
		{ "null", NULL, "tcp via vip, every 1s, timeout 500ms, rise 2, fall 3" },
		{ "{\"type\":\"none\"}", NULL, "none" },
		{ "{\"via\":\"backend\",\"port\":8080,\"interval\":\"90s\"}", NULL,
			"tcp via backend port 8080, every 90s, timeout 500ms, rise 2, fall 3" },
		{ "[]", "check: must be an object", NULL },
		{ "{\"rise\":0}", "check.rise: 0 is out of range: 1 to 1000", NULL },
		{ "{\"rise\":\"2\"}", "check.rise: must be a whole number, 1 to 1000, not a string", NULL },
		{ "{\"rize\":2}", "check.rize: unknown setting: did you mean \"rise\"?", NULL },
		{ "{\"type\":\"dns\",\"sni\":\"a\"}", "check.sni: is for https checks; this one is dns", NULL },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		json_t *json = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		char text[CONFIG_CHECK_TEXT];
		struct error error = { "" };
		struct check check;
		int err = config_check_from_json(json, &check, &error);

		if (cases[i].error) {
			CU_ASSERT_EQUAL(err, -EINVAL);
			CU_ASSERT_STRING_EQUAL(error.text, cases[i].error);
		} else {
			CU_ASSERT_EQUAL_FATAL(err, 0);
			CU_ASSERT_EQUAL(check.given, !json_is_null(json));
			CU_ASSERT_STRING_EQUAL(config_check_print(&check, text), cases[i].text);
			check_free(&check);
		}
		json_decref(json);
	}
}

static void differences(void)
{
	struct config *a = parse(DPDK), *b = parse("dpdk: { port = \"net_null0\"; cores = \"1-2\"; };\n"
		"flow_table: { capacity = 2000000; hash_key = \"000102030405060708090a0b0c0d0e0f\"; };\n"
		"control: { http = \"\"; };\n");
	static const char *const expected[] = {
		"dpdk.cores: \"1-2\", was \"1\" (when shunt-dataplane is restarted)",
		"flow_table.capacity: 2000000, was 1000000",
		"flow_table.hash_key: changed",
		"control.http: \"\", was \"127.0.0.1:9190\" (when shuntd is restarted)",
	};
	json_t *changes;

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	changes = config_diff(a, b);
	CU_ASSERT_EQUAL(json_array_size(changes), UNIT_COUNT(expected));
	for (size_t i = 0; i < UNIT_COUNT(expected); i++)
		CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(changes, i)), expected[i]);
	json_decref(changes);
	changes = config_diff(a, a);
	CU_ASSERT_EQUAL(json_array_size(changes), 0);
	json_decref(changes);
	config_free(a);
	config_free(b);
}

/* The table's own: every default is a value that the setting takes, and every name can be found. */
static void the_table_is_sound(void)
{
	for (const struct setting *s = settings; s->path; s++) {
		char prefix[128] = "";
		const char *dot = strrchr(s->path, '.');

		if (dot)
			snprintf(prefix, sizeof(prefix), "%.*s", (int)(dot - s->path), s->path);
		CU_ASSERT_PTR_EQUAL(settings_find(prefix, settings_word(s)), s);
		CU_ASSERT_PTR_NOT_NULL(s->help);
		if (s->type == SETTING_GROUP || s->type == SETTING_LIST)
			continue;
		CU_ASSERT_TRUE(s->size > 0);
		if (s->type == SETTING_NUMBER || s->type == SETTING_DURATION || s->type == SETTING_TEXT)
			CU_ASSERT_TRUE(s->min < s->max);
		if (s->standard) {
			struct config config = { 0 };
			struct value value = { .kind = s->type == SETTING_NUMBER ? VALUE_NUMBER : VALUE_TEXT,
				.text = s->standard, .number = atoll(s->standard) };
			struct error error;

			if (*settings_list_of(s))
				continue;
			CU_ASSERT_EQUAL(settings_store(s, &value, &config, &error), 0);
			CU_ASSERT_TRUE(settings_is_default(s, &config));
			settings_free("", &config);
		}
	}
}

/* The file that is installed: taken as it is, and it knows every setting there is. */
static void the_installed_file(void)
{
	const char *path = getenv("SHUNT_CONF");
	struct config *config;
	struct error error;
	static char text[1 << 16];
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(path);
	if (config_load(path, &config, &error)) {
		unit_note("%s", error.text);
		CU_FAIL_FATAL("the installed file is refused");
	}
	config_free(config);
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (const struct setting *s = settings; s->path; s++) {
		if (strstr(text, settings_word(s)))
			continue;
		unit_note("%s is not in it", s->path);
		CU_FAIL("a setting is missing");
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "defaults", defaults },
		{ "without DPDK", without_dpdk },
		{ "everything given", everything_given },
		{ "wrong settings are named with file, line and remedy", wrong_scalars },
		{ "wrong pools", wrong_pools },
		{ "wrong VIPs", wrong_vips },
		{ "wrong syntax", wrong_syntax },
		{ "a missing pool among many", many_missing_pools_are_counted },
		{ "check by default", check_by_default },
		{ "files and @include", files },
		{ "checks from JSON", checks_from_json },
		{ "differences between two", differences },
		{ "the table of settings is sound", the_table_is_sound },
		{ "the installed shunt.conf", the_installed_file },
		{ NULL, NULL },
	};

	return unit_run("config", tests);
}
