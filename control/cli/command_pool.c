/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of "pool add": the settings of pools and their checks, by the names they have in shunt.conf. */
#include "command.h"

const struct parameter command_pool_add_options[] = {
	{ "--scheduler", "NAME", "scheduler", VALUE_CHOICE, 0, "how a new flow finds its backend",
		"maglev|source-hash|round-robin|least-flows" },
	{ "--panic", "PERCENT", "panic", VALUE_NUMBER, 0,
		"with fewer of its enabled backends healthy all are used; 0: never" },
	{ "--fallback", "POOL", "fallback", VALUE_POOL, 0, "the pool that serves while no backend of this one can" },
	{ "--slow-start", "TIME", "slow_start", VALUE_TIME, 0,
		"over which a backend that came up gets its share of new flows" },
	{ "--passive", "on|off", "passive", VALUE_SWITCH, 0, "whether handshakes that fail make a backend suspect" },

	{ "--check", "TYPE", "check.type", VALUE_CHOICE, 0, "how the health of backends is told",
		"tcp|http|https|udp|dns|ping|exec|none" },
	{ "--via", "WAY", "check.via", VALUE_CHOICE, 0,
		"check through the VIP, the way a client's packets take, or the backend's own address", "vip|backend" },
	{ "--port", "N", "check.port", VALUE_NUMBER, 0, "port the check goes to, if not the VIP's" },
	{ "--source", "ADDR", "check.source", VALUE_SOURCE_ADDRESS, 0, "address of this host that checks come from" },
	{ "--interval", "TIME", "check.interval", VALUE_TIME, 0, "from one check to the next" },
	{ "--fast-interval", "TIME", "check.fast_interval", VALUE_TIME, 0, "the same while a result is in doubt" },
	{ "--jitter", "PERCENT", "check.jitter", VALUE_NUMBER, 0, "by which intervals differ by chance" },
	{ "--timeout", "TIME", "check.timeout", VALUE_TIME, 0,
		"a check without an answer for so long has failed" },
	{ "--rise", "N", "check.rise", VALUE_NUMBER, 0, "successes in a row until a backend that was down is up" },
	{ "--fall", "N", "check.fall", VALUE_NUMBER, 0, "failures in a row until a backend is down" },

	{ "--method", "METHOD", "check.method", VALUE_TEXT, 0, "http, https: of the request" },
	{ "--host", "NAME", "check.host", VALUE_TEXT, 0, "http, https: the Host header" },
	{ "--path", "PATH", "check.path", VALUE_TEXT, 0, "http, https: what is asked for" },
	{ "--header", "LINE", "check.headers", VALUE_TEXT, PARAMETER_REPEATED,
		"http, https: one more header, as 'Name: value'; may be given again" },
	{ "--expect", "STATUSES", "check.expect", VALUE_TEXT, 0,
		"http, https: statuses that are a success, as 200-299,304" },
	{ "--body", "REGEX", "check.body", VALUE_TEXT, 0, "http, https: what must be found in the body" },
	{ "--sni", "NAME", "check.sni", VALUE_TEXT, 0, "https: the server's name in TLS, if not the host's" },
	{ "--verify", NULL, "check.verify", VALUE_FLAG, 0, "https: a certificate that is not right is a failure" },
	{ "--ca", "FILE", "check.ca", VALUE_DAEMON_FILE, 0, "https: the authorities to trust" },
	{ "--cert", "FILE", "check.cert", VALUE_DAEMON_FILE, 0, "https: the certificate to show" },
	{ "--key", "FILE", "check.key", VALUE_DAEMON_FILE, 0, "https: its key" },

	{ "--send", "DATA", "check.send", VALUE_TEXT, 0, "udp: the datagram, text or as 'hex:1b 00'" },
	{ "--receive", "DATA", "check.receive", VALUE_TEXT, 0,
		"udp: the answer, text that is in it or as 'hex:1c ?? *'" },

	{ "--query", "NAME", "check.query", VALUE_TEXT, 0, "dns: the name that is asked for" },
	{ "--record", "TYPE", "check.record", VALUE_CHOICE, 0, "dns: the record that is asked for",
		"A|AAAA|NS|SOA|TXT|SRV|MX|PTR|ANY" },
	{ "--rcode", "CODES", "check.rcode", VALUE_TEXT, 0, "dns: answers that are a success, as NOERROR,NXDOMAIN" },

	{ "--command", "WORD", "check.command", VALUE_TEXT, PARAMETER_REPEATED,
		"exec: the program's absolute path; given again, its arguments" },
	{ "--user", "NAME", "check.user", VALUE_TEXT, 0, "exec: whom it runs as" },
	{ "--dynamic-weight", NULL, "check.dynamic_weight", VALUE_FLAG, 0, "exec: the exit status sets the weight" },
	{ .name = NULL },
};
