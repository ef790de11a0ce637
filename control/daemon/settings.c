/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of settings, and how to find something in it. */
#include "settings.h"

#include <errno.h>
#include <string.h>

#include "check_text.h"
#include "config_access.h"
#include "flow_table.h"
#include "suggest.h"

#define IN(type, field) .offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)
#define GIVEN(type, field) .has_given = true, .given = offsetof(struct type, field)
#define LIST_OF(type, list, counter, element) \
	IN(type, list), .count = offsetof(struct type, counter), .element_size = sizeof(struct element)
#define OF(type) (1u << CHECK_##type)
#define OF_WEB (OF(HTTP) | OF(HTTPS))
#define TIMEOUT(state)                                                                           \
	.type = SETTING_DURATION, .min = FLOW_TICK_S * 1000, .max = FLOW_TIMEOUT_MAX_S * 1000LL, \
	.seconds = true, IN(config, timeout_s[state])

static const char *const paths[] = { "auto", "dpdk", "xdp", NULL };
static const char *const idles[] = { "poll", "sleep", NULL };
static const char *const modes[] = { "auto", "native", "generic", NULL };
static const char *const schedulers[] = { "maglev", "source-hash", "round-robin", "least-flows", NULL };
static const char *const check_types[] = { "none", "tcp", "http", "https", "udp", "dns", "ping", "exec", NULL };
static const char *const check_records[] = { "A", "AAAA", "NS", "SOA", "TXT", "SRV", "MX", "PTR", "ANY", NULL };
static const char *const vias[] = { "vip", "backend", NULL };

const struct setting settings[] = {
	{ "path", SETTING_CHOICE, "auto",
		"which forwarder carries the traffic; auto: dpdk where dpdk.port is given, else xdp; where both "
		"dpdk.port and "
		"interface are, dpdk if shunt-dataplane answers within five seconds of shuntd's start, else xdp",
		.choices = paths, .applies = APPLIES_AT_RESTART, IN(config, path) },
	{ "interface", SETTING_INTERFACE, NULL,
		"the NIC of the XDP path, with the host's own address; unused on the DPDK path", .min = 1,
		.applies = APPLIES_AT_RESTART, IN(config, interface) },

	{ "dpdk", SETTING_GROUP, NULL, "the DPDK path; shunt-dataplane reads this group and no other" },
	{ "dpdk.port", SETTING_TEXT, NULL,
		"a PCI address, a DPDK virtual device such as \"net_tap0,iface=wire0\", or \"af_xdp:\" and the "
		"name of "
		"interface: sockets above the XDP program, which forwards alone while shunt-dataplane is away",
		.min = 1, .max = 255, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_port) },
	{ "dpdk.cores", SETTING_CORES, NULL, "CPUs that forward, one worker each; to be given with dpdk.port",
		.applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_cores) },
	{ "dpdk.kernel_interface", SETTING_INTERFACE, "shunt0", "where the kernel sees all that is not for a VIP",
		.applies = APPLIES_AT_BOTH_RESTARTS, IN(config, kernel_interface) },
	{ "dpdk.eal_args", SETTING_STRINGS, NULL, "more arguments for DPDK's EAL",
		.applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, eal_args) },
	{ "dpdk.socket", SETTING_PATH, "/run/shunt/dataplane.sock", "where shuntd finds shunt-dataplane",
		.max = 107, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_socket) },
	{ "dpdk.run_dir", SETTING_PATH, "/run/shunt", "where shunt-dataplane keeps the snapshot it works from",
		.max = 255, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_run_dir) },
	{ "dpdk.idle", SETTING_CHOICE, "poll",
		"what a worker without packets does; sleep: naps of some 50 us, for laptops and tests",
		.choices = idles, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_idle) },

	{ "dpdk.mbufs", SETTING_NUMBER, NULL, "packet buffers for receiving; not given: by the number of workers",
		.min = 1024, .max = 64 << 20, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_mbufs),
		GIVEN(config, dpdk_mbufs_given) },
	{ "dpdk.mbuf_size", SETTING_NUMBER, "2176", "bytes of each, 128 of headroom included", .min = 256,
		.max = 16384, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_mbuf_size) },
	{ "dpdk.mtu", SETTING_NUMBER, NULL,
		"MTU of the port and of dpdk.kernel_interface; not given: what the port has. Above XDP it is the interface's",
		.min = 1280, .max = 65535, .applies = APPLIES_AT_DATAPLANE_RESTART, IN(config, dpdk_mtu),
		GIVEN(config, dpdk_mtu_given) },

	{ "xdp", SETTING_GROUP, NULL, "the XDP path" },
	{ "xdp.mode", SETTING_CHOICE, "auto",
		"native: in the driver; generic: after it, at a fraction of the speed; auto: native, and generic "
		"where the "
		"driver can't",
		.choices = modes, .applies = APPLIES_AT_RESTART, IN(config, xdp_mode) },
	{ "xdp.pin", SETTING_PATH, "/sys/fs/bpf/shunt",
		"folder on a BPF file system in which program and tables outlive shuntd", .max = 255,
		.applies = APPLIES_AT_BOTH_RESTARTS, IN(config, xdp_pin) },

	{ "flow_table", SETTING_GROUP, NULL, "which backend a connection is on" },
	{ "flow_table.capacity", SETTING_NUMBER, "1000000",
		"flows it has room for, at 16 bytes each; flows of a table of another capacity are carried over",
		.min = FLOW_CAPACITY_MIN, .max = FLOW_CAPACITY_MAX, IN(config, flow_capacity) },
	{ "flow_table.hash_key", SETTING_KEY, NULL,
		"must be the same on all load balancers of a fleet; not given: one is made and kept in "
		"control.state",
		.secret = true, IN(config, hash_key), GIVEN(config, hash_key_given) },
	{ "flow_table.timeouts", SETTING_GROUP, NULL, "after which idle time a flow is forgotten" },
	{ "flow_table.timeouts.syn", .standard = "60s", .help = "TCP, half-open", TIMEOUT(FLOW_SYN) },
	{ "flow_table.timeouts.established", .standard = "900s", .help = "TCP, past its handshake",
		TIMEOUT(FLOW_ESTABLISHED) },
	{ "flow_table.timeouts.fin", .standard = "120s", .help = "TCP, closed by the client", TIMEOUT(FLOW_FIN) },
	{ "flow_table.timeouts.reset", .standard = "10s", .help = "TCP, reset by the client",
		TIMEOUT(FLOW_RESET) },
	{ "flow_table.timeouts.udp", .standard = "300s", .help = "UDP", TIMEOUT(FLOW_UDP) },

	{ "control", SETTING_GROUP, NULL, "shuntd itself" },
	{ "control.socket", SETTING_PATH, "/run/shunt/shuntd.sock", "where operators and shuntctl reach it",
		.max = 107, .applies = APPLIES_AT_RESTART, IN(config, control_socket) },
	{ "control.group", SETTING_TEXT, "shunt", "whose members may connect and change things", .min = 1,
		.max = 63, .applies = APPLIES_AT_RESTART, IN(config, control_group) },
	{ "control.http", SETTING_LISTEN, "127.0.0.1:9190",
		"/metrics, /healthz and the status page; \"\" for none", .applies = APPLIES_AT_RESTART,
		IN(config, control_http) },
	{ "control.state", SETTING_PATH, "/var/lib/shunt", "folder of what must outlive shuntd", .max = 255,
		.applies = APPLIES_AT_RESTART, IN(config, control_state) },
	{ "control.hook", SETTING_PATH, NULL,
		"a command that is run at each event, with kind, pool, address and text as arguments", .max = 255,
		IN(config, control_hook) },
	{ "control.check_changes", SETTING_NUMBER, "100",
		"backends that checks may bring up or take down in a second, the others wait; 0: any number",
		.max = 100000, IN(config, check_changes) },

	{ "announce", SETTING_GROUP, NULL,
		"telling neighbours where VIPs are: gratuitous ARP, unsolicited neighbour advertisements" },
	{ "announce.repeat", SETTING_NUMBER, "3",
		"times that an address is announced when it becomes active, the forwarder or its link comes up, or its "
		"MAC is another; 0: never",
		.max = 100, IN(config, announce_repeat) },
	{ "announce.interval", SETTING_DURATION, "1s", "from one announcement of an address to the next",
		.min = 100, .max = 3600000, IN(config, announce_interval_ms) },
	{ "announce.rate", SETTING_NUMBER, "500", "announcements a second, of all addresses together", .min = 1,
		.max = 100000, IN(config, announce_rate) },

	{ "echo", SETTING_GROUP, NULL, "answers to pings of VIPs" },
	{ "echo.rate", SETTING_NUMBER, "1000", "a second that each worker, or CPU, gives at most; 0: any number",
		.max = 50000, IN(config, echo_rate) },
	{ "echo.burst", SETTING_NUMBER, "1000", "pings at once that are answered all the same", .min = 1,
		.max = 100000, IN(config, echo_burst) },

	{ "pools", SETTING_LIST, NULL, "sets of backends", .max = CONFIG_MAX_POOLS,
		LIST_OF(config, pools, n_pools, config_pool) },
	{ "pools.name", SETTING_NAME, NULL, "what VIPs and commands call it", .required = true,
		IN(config_pool, name) },
	{ "pools.scheduler", SETTING_CHOICE, "maglev", "how a new flow gets its backend", .choices = schedulers,
		IN(config_pool, scheduler) },
	{ "pools.panic", SETTING_NUMBER, "0",
		"percent: with fewer of its enabled backends healthy all of them are used, healthy or not; 0: "
		"never",
		.max = 100, IN(config_pool, panic) },
	{ "pools.fallback", SETTING_NAME, NULL,
		"the pool, of the same family, that serves the VIPs while no backend of this one can; its own "
		"fallback is not "
		"followed",
		IN(config_pool, fallback) },
	{ "pools.slow_start", SETTING_DURATION, "0s",
		"the time over which a backend that came up gets to its full share of new flows", .max = 3600000,
		IN(config_pool, slow_start_ms) },
	{ "pools.passive", SETTING_BOOL, "true",
		"whether a backend is suspect, checked at once and left alone meanwhile, when handshakes of "
		"clients with it fail "
		"and those with others don't",
		IN(config_pool, passive) },
	{ "pools.check", SETTING_GROUP, NULL,
		"how a backend is judged; without this group tcp, or none where no VIP of the pool is one of TCP",
		GIVEN(config_pool, check.given) },
	{ "pools.check.type", SETTING_CHOICE, "tcp",
		"none: always up; tcp: a connection can be made; http, https: a request is answered as it should "
		"be; udp: a datagram "
		"is; dns: a question is; ping: an echo request is; exec: a command exits with status 0",
		.choices = check_types, IN(config_pool, check.type) },
	{ "pools.check.via", SETTING_CHOICE, "vip",
		"vip: to the VIP, the way a client's packet takes; backend: to the backend's own address",
		.choices = vias, .checks = ~OF(EXEC), IN(config_pool, check.via) },
	{ "pools.check.port", SETTING_NUMBER, "0",
		"0: the VIP's; where that is none, 53 of dns checks", .max = 65535,
		.checks = ~OF(PING), IN(config_pool, check.port) },
	{ "pools.check.source", SETTING_ADDRESS, NULL,
		"the address of this host that checks come from, of the pool's family", .checks = ~OF(EXEC),
		IN(config_pool, check.source), GIVEN(config_pool, check.source_given) },
	{ "pools.check.interval", SETTING_DURATION, "1s", "between the starts of two checks", .min = 50,
		.max = 3600000, IN(config_pool, check.interval_ms) },
	{ "pools.check.fast_interval", SETTING_DURATION, "250ms",
		"the same while a result is in doubt: after a failure of one that is up, a success of one that is "
		"down; never longer "
		"than interval",
		.min = 50, .max = 3600000, IN(config_pool, check.fast_interval_ms) },
	{ "pools.check.jitter", SETTING_NUMBER, "5",
		"percent by which an interval is longer or shorter by chance, so that checks don't fall in step",
		.max = 50, IN(config_pool, check.jitter) },
	{ "pools.check.timeout", SETTING_DURATION, "500ms", "a check that takes longer has failed", .min = 10,
		.max = 600000, IN(config_pool, check.timeout_ms) },
	{ "pools.check.rise", SETTING_NUMBER, "2", "successes in a row that bring a failed backend up", .min = 1,
		.max = 1000, IN(config_pool, check.rise) },
	{ "pools.check.fall", SETTING_NUMBER, "3", "failures in a row that take it down", .min = 1, .max = 1000,
		IN(config_pool, check.fall) },
	{ "pools.check.method", SETTING_TEXT, "GET", "of the request, such as GET, HEAD or OPTIONS", .min = 1,
		.max = 20, .checks = OF_WEB, .check = check_method_fault, IN(config_pool, check.method) },
	{ "pools.check.host", SETTING_TEXT, NULL,
		"the Host header, and the server's name in TLS unless sni says another; not given: the address "
		"checked",
		.min = 1, .max = 255, .checks = OF_WEB, .check = check_host_fault, IN(config_pool, check.host) },
	{ "pools.check.path", SETTING_TEXT, "/", "what is asked for, beginning with \"/\"", .min = 1, .max = 1023,
		.checks = OF_WEB, .check = check_path_fault, IN(config_pool, check.path) },
	{ "pools.check.headers", SETTING_STRINGS, NULL, "more of them, each \"Name: value\"", .max = 32,
		.checks = OF_WEB, .secret = true, .check = check_header_fault, IN(config_pool, check.headers) },
	{ "pools.check.expect", SETTING_TEXT, "200-299",
		"the statuses that are a success: numbers and ranges within 100 to 599, with commas between",
		.min = 1, .max = 255, .checks = OF_WEB, .check = check_expect_fault,
		IN(config_pool, check.expect) },
	{ "pools.check.body", SETTING_TEXT, NULL,
		"an extended regular expression, without references back to its groups, that must be found in the "
		"first 64 KiB of the body; ^ and $ are those of a line",
		.min = 1, .max = 1023, .checks = OF_WEB, .check = check_body_fault, IN(config_pool, check.body) },
	{ "pools.check.sni", SETTING_TEXT, NULL, "the server's name in TLS; not given: host, if that is a name",
		.min = 1, .max = 255, .checks = OF(HTTPS), .check = check_sni_fault, IN(config_pool, check.sni) },
	{ "pools.check.verify", SETTING_BOOL, "false",
		"whether a certificate that can't be verified, or is of another name, is a failure",
		.checks = OF(HTTPS), IN(config_pool, check.verify) },
	{ "pools.check.ca", SETTING_PATH, NULL,
		"the file of the authorities that verify trusts, PEM; not given: the system's", .max = 1023,
		.checks = OF(HTTPS), IN(config_pool, check.ca) },
	{ "pools.check.cert", SETTING_PATH, NULL,
		"the file of the certificate that shuntd shows, PEM; to be given with key", .max = 1023,
		.checks = OF(HTTPS), IN(config_pool, check.cert) },
	{ "pools.check.key", SETTING_PATH, NULL, "the file of its key, PEM", .max = 1023, .checks = OF(HTTPS),
		IN(config_pool, check.key) },
	{ "pools.check.send", SETTING_TEXT, NULL,
		"the datagram: text, or \"hex:\" and bytes such as \"hex:1b 00 ff\"; not given: an empty one",
		.max = 4095, .checks = OF(UDP), .check = check_send_fault, IN(config_pool, check.send) },
	{ "pools.check.receive", SETTING_TEXT, NULL,
		"the answer: text that must be found in it, or \"hex:\" and all its bytes, where ?? is any byte "
		"and a * at the end any "
		"rest; not given: any answer",
		.min = 1, .max = 4095, .checks = OF(UDP), .check = check_receive_fault,
		IN(config_pool, check.receive) },
	{ "pools.check.query", SETTING_TEXT, ".", "the name that is asked for", .min = 1, .max = 254,
		.checks = OF(DNS), .check = check_query_fault, IN(config_pool, check.query) },
	{ "pools.check.record", SETTING_CHOICE, "NS", "the type of record that is asked for",
		.choices = check_records, .checks = OF(DNS), IN(config_pool, check.record) },
	{ "pools.check.rcode", SETTING_TEXT, "NOERROR",
		"the answers that are a success, with commas between: NOERROR, NXDOMAIN, REFUSED and the like",
		.min = 1, .max = 255, .checks = OF(DNS), .check = check_rcode_fault,
		IN(config_pool, check.rcode) },
	{ "pools.check.command", SETTING_STRINGS, NULL,
		"the command: the absolute path of a program, and its arguments; no shell is between", .max = 64,
		.check = check_command_fault, .checks = OF(EXEC), IN(config_pool, check.command) },
	{ "pools.check.user", SETTING_TEXT, "nobody", "the user that it runs as", .min = 1, .max = 63,
		.checks = OF(EXEC), IN(config_pool, check.user) },
	{ "pools.check.dynamic_weight", SETTING_BOOL, "false",
		"whether an exit status of 2 to 255 is a success that sets the backend's weight to that less 2, "
		"as keepalived's "
		"misc_dynamic does",
		.checks = OF(EXEC), IN(config_pool, check.dynamic_weight) },
	{ "pools.backends", SETTING_LIST, NULL, "real servers, all IPv4 or all IPv6", .max = CONFIG_MAX_BACKENDS,
		LIST_OF(config_pool, backends, n_backends, config_backend) },
	{ "pools.backends.address", SETTING_ADDRESS, NULL, "the real server's own", .required = true,
		IN(config_backend, address) },
	{ "pools.backends.weight", SETTING_NUMBER, "100", "its share of new flows; 0: none", .max = 65535,
		IN(config_backend, weight) },
	{ "pools.backends.mac", SETTING_MAC, NULL, "only to pin it; else the kernel's neighbour table is asked",
		IN(config_backend, mac), GIVEN(config_backend, mac_pinned) },

	{ "access", SETTING_LIST, NULL,
		"lists of sources, for VIPs to name: of those that have a source the longest prefix decides; one that is in "
		"none is let in unless the list allows any",
		.max = CONFIG_MAX_ACCESS, LIST_OF(config, access, n_access, config_access) },
	{ "access.name", SETTING_NAME, NULL, "what VIPs and commands call it", .required = true,
		IN(config_access, name) },
	{ "access.allow", SETTING_STRINGS, NULL, "prefixes, as \"10.0.0.0/8\" or \"2001:db8::/32\", or addresses",
		.check = access_prefix_check, IN(config_access, allow) },
	{ "access.deny", SETTING_STRINGS, NULL, "the same, to be kept out", .check = access_prefix_check,
		IN(config_access, deny) },
	{ "access.allow_file", SETTING_TEXT, NULL,
		"a file with more of them, one a line, \"#\" begins a comment; looked for beside this one", .min = 1,
		.max = 4095, IN(config_access, allow_file) },
	{ "access.deny_file", SETTING_TEXT, NULL, "the same, to be kept out", .min = 1, .max = 4095,
		IN(config_access, deny_file) },

	{ "vips", SETTING_LIST, NULL, "what clients connect to", .max = CONFIG_MAX_VIPS,
		LIST_OF(config, vips, n_vips, config_vip) },
	{ "vips.address", SETTING_ADDRESS, NULL, "of the pool's family", .required = true,
		IN(config_vip, address) },
	{ "vips.protocol", SETTING_PROTOCOL, "tcp", "tcp or udp", IN(config_vip, protocol) },
	{ "vips.port", SETTING_NUMBER, NULL, "0: every port that no other VIP of the address has", .max = 65535,
		.required = true, IN(config_vip, port) },
	{ "vips.pool", SETTING_NAME, NULL, "the name of one of the pools", .required = true,
		IN(config_vip, pool) },
	{ "vips.access", SETTING_NAME, NULL, "the name of one of the access lists", IN(config_vip, policy.access) },
	{ "vips.source_rate", SETTING_NUMBER, "0",
		"new flows a second that one source may begin, an IPv4 address or an IPv6 /64; 0: any number",
		.max = VIP_SOURCE_RATE_MAX, IN(config_vip, policy.source_rate) },
	{ "vips.source_burst", SETTING_NUMBER, "0",
		"so many at once of a source that has been silent; 0: as many as source_rate", .max = 1000000,
		IN(config_vip, policy.source_burst) },
	{ "vips.half_open", SETTING_NUMBER, NULL,
		"flows whose handshake is not over that it may have in the flow table: beyond, SYNs are forwarded by "
		"hash without an entry; 0: all of them; not given: a quarter of flow_table.capacity",
		.max = FLOW_CAPACITY_MAX, IN(config_vip, policy.half_open), GIVEN(config_vip, policy.half_open_given) },
	{ .path = NULL },
};

bool settings_is_in(const struct setting *setting, const char *prefix)
{
	size_t length = strlen(prefix);
	const char *rest = setting->path;

	if (length) {
		if (strncmp(rest, prefix, length) || rest[length] != '.')
			return false;
		rest += length + 1;
	}
	return !strchr(rest, '.');
}

const char *settings_word(const struct setting *setting)
{
	const char *dot = strrchr(setting->path, '.');

	return dot ? dot + 1 : setting->path;
}

const struct setting *settings_find(const char *prefix, const char *name)
{
	for (const struct setting *s = settings; s->path; s++)
		if (settings_is_in(s, prefix) && !strcmp(settings_word(s), name))
			return s;
	return NULL;
}

const char *settings_list_of(const struct setting *setting)
{
	static const char *const lists[] = { "pools.backends", "pools", "access", "vips" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t length = strlen(lists[i]);

		if (!strncmp(setting->path, lists[i], length) && setting->path[length] == '.')
			return lists[i];
	}
	return "";
}

int settings_unknown(const char *prefix, const char *name, struct error *error)
{
	struct suggestion nearest = { .word = name };
	char known[400];
	size_t length = 0;

	known[0] = '\0';
	for (const struct setting *s = settings; s->path; s++) {
		if (!settings_is_in(s, prefix))
			continue;
		suggest(&nearest, settings_word(s));
		if (length < sizeof(known))
			length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
				length ? ", " : "", settings_word(s));
	}
	if (nearest.best)
		return error_set(error, EINVAL, "unknown setting: did you mean \"%s\"?", nearest.best);
	return error_set(error, EINVAL, "unknown setting; there is %s", known);
}

const char *settings_types(const struct setting *setting, char *text, size_t size)
{
	uint32_t left = setting->checks & ((1u << CHECK_TYPES) - 1);
	size_t length = 0;

	*text = '\0';
	for (int i = 0; left && length < size; i++) {
		uint32_t bit = 1u << i;

		if (!(left & bit))
			continue;
		left &= ~bit;
		length += (size_t)snprintf(text + length, size - length, "%s%s",
			!length ? "" : left ? ", " : " and ", check_types[i]);
	}
	return text;
}

int settings_belong(const struct setting *setting, enum check_type type, struct error *error)
{
	char types[128];

	if (!setting->checks || setting->checks & 1u << type)
		return 0;
	return error_set(error, EINVAL, "is for %s checks; this one is %s",
		settings_types(setting, types, sizeof(types)), check_types[type]);
}
