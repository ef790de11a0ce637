/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of pools: what their settings take and refuse, as values, as JSON, and the small languages within them. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "check_text.h"
#include "control.h"
#include "settings.h"
#include "unit.h"

#define BAD_BYTES "\xff\xfe"

struct refusal {
	const char *check; /* what stands in check: { } */
	const char *error; /* behind "shunt.conf:2: pools[0].check." */
};

static const struct refusal refusals[] = {
	{ "type = \"tcp\"; path = \"/\";", "path: is for http and https checks; this one is tcp" },
	{ "sni = \"a\"; type = \"http\";", "sni: is for https checks; this one is http" },
	{ "type = \"exec\"; command = [ \"/x\" ]; via = \"vip\";",
		"via: is for none, tcp, http, https, udp, dns and ping checks; this one is exec" },
	{ "type = \"ping\"; port = 1;", "port: is for none, tcp, http, https, udp, dns and exec checks; this one is ping" },
	{ "type = \"none\"; query = \".\";", "query: is for dns checks; this one is none" },
	{ "type = \"exec\";", "command: is missing: an array of strings, the absolute path of a program and its arguments, "
			      "as type is \"exec\"" },
	{ "type = \"exec\"; command = [ \"x\" ];", "command: \"x\" is not the absolute path of a program" },
	{ "type = \"exec\"; command = \"/x\";",
		"command: must be an array of strings [ \"...\", \"...\" ], not a string" },
	{ "type = \"exec\"; command = [ 1 ];",
		"command: must be an array of strings [ \"...\", \"...\" ], not something else" },
	{ "type = \"exec\"; command = [ \"/" BAD_BYTES "\" ];", "command: is not UTF-8" },
	{ "type = \"https\"; cert = \"/c\";", "key: is missing: cert is given, and neither is of use without the other" },
	{ "type = \"https\"; key = \"/k\";", "cert: is missing: key is given, and neither is of use without the other" },
	{ "type = \"https\"; ca = \"ca.pem\";",
		"ca: \"ca.pem\" is not an absolute path of at most 1023 characters, as a string" },
	{ "type = \"https\"; verify = 1;", "verify: must be true or false, not a number" },
	{ "type = \"https\"; sni = \"a b\";", "sni: \"a b\" is not a host's name, such as \"www.example.com\"" },
	{ "type = \"http\"; method = \"GE T\";",
		"method: \"GE T\" is not a method, such as \"GET\", \"HEAD\" or \"OPTIONS\"" },
	{ "type = \"http\"; host = \"a/b\";", "host: \"a/b\" is not a host's name or address, such as \"www.example.com\" or "
					      "\"[2001:db8::1]:8080\"" },
	{ "type = \"http\"; host = \"a\\r\\nX: y\";", "host: \"a??X: y\" is not a host's name or address, such as "
						      "\"www.example.com\" or \"[2001:db8::1]:8080\"" },
	{ "type = \"http\"; path = \"x\";",
		"path: \"x\" is not a path, which begins with \"/\" and has no blank (%20 stands for one)" },
	{ "type = \"http\"; path = \"/a b\";",
		"path: \"/a b\" is not a path, which begins with \"/\" and has no blank (%20 stands for one)" },
	{ "type = \"http\"; headers = [ \"A: b\", \"no\" ];",
		"headers: \"no\" is not a header, such as \"Accept: text/plain\"" },
	{ "type = \"http\"; headers = [ \"A: b\\nC: d\" ];",
		"headers: \"A: b?C: d\" is not a header, such as \"Accept: text/plain\"" },
	{ "type = \"http\"; expect = \"200-\";",
		"expect: \"200-\" is not a list of statuses from 100 to 599, such as \"200-299,304\"" },
	{ "type = \"http\"; expect = 200;", "expect: must be a string of 1 to 255 characters, not a number" },
	{ "type = \"http\"; body = \"(ok\";",
		"body: \"(ok\" is not an extended regular expression: Unmatched ( or \\(" },
	{ "type = \"http\"; body = \"" BAD_BYTES "\";", "body: is not UTF-8" },
	{ "type = \"exec\"; command = [ \"/x\", \"a\nb\" ];", "command: \"a?b\" has a control character" },
	{ "type = \"udp\"; send = \"hex:0 1\";", "send: \"0 1\" is not two hexadecimal digits" },
	{ "type = \"udp\"; send = \"hex:??\";", "send: \"??\" is not two hexadecimal digits" },
	{ "type = \"udp\"; receive = \"hex:00 * 01\";", "receive: \"* 01\" is neither two hexadecimal digits, nor ?? for any "
							"byte, nor a * for any rest at the end" },
	{ "type = \"dns\"; query = \"a..b\";",
		"query: \"a..b\" is not a domain name: labels of 1 to 63 characters with dots between, 253 in all" },
	{ "type = \"dns\"; record = \"CAA\";", "record: \"CAA\" is none of \"A\", \"AAAA\", \"NS\", \"SOA\", \"TXT\", \"SRV\", "
					       "\"MX\", \"PTR\", \"ANY\"" },
	{ "type = \"dns\"; rcode = \"NOERROR NXDOMAIN\";",
		"rcode: \"NOERROR NXDOMAIN\" is not a list of NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, "
		"YXDOMAIN, YXRRSET, NXRRSET, NOTAUTH, NOTZONE, such as \"NOERROR,NXDOMAIN\"" },
	{ "fast_interval = \"49ms\";", "fast_interval: \"49ms\" is out of range: \"50ms\" to \"1h\"" },
	{ "jitter = 51;", "jitter: 51 is out of range: 0 to 50" },
	{ "source = \"2001:db8::1\";", "source: 2001:db8::1 is IPv6, but pool \"web\" is IPv4" },
	{ "source = \"127.0.0.1:80\";", "source: \"127.0.0.1:80\" is not an IPv4 or IPv6 address, as a string" },
};

static char *config_of(const char *check)
{
	static char text[8192];

	snprintf(text, sizeof(text), CONTROL_DPDK "pools = ( { name = \"web\"; check: { %s }; "
			"backends = ( { address = \"10.0.0.11\"; } ); } );\n", check);
	return text;
}

static void wrong_ones_are_named(void)
{
	char expected[512];

	for (size_t i = 0; i < UNIT_COUNT(refusals); i++) {
		const char *text = config_of(refusals[i].check);
		struct error error = { "" };
		struct config *config;
		int err = config_parse("shunt.conf", text, strlen(text), &config, &error);

		snprintf(expected, sizeof(expected), "shunt.conf:2: pools[0].check.%s", refusals[i].error);
		CU_ASSERT_EQUAL(err, -EINVAL);
		CU_ASSERT_STRING_EQUAL(error.text, expected);
		if (strcmp(error.text, expected))
			unit_note("for: %s\nsaid: %s\nnot:  %s", refusals[i].check, error.text, expected);
		if (!err)
			config_free(config);
	}
}

static void wrong_policies_are_named(void)
{
	static const struct refusal policies[] = {
		{ "panic = 101;", "pools[0].panic: 101 is out of range: 0 to 100" },
		{ "fallback = \"web\";", "pools[0].fallback: \"web\" is this pool itself: it has to be another" },
		{ "fallback = \"spar\";",
			"pools[0].fallback: there is no pool \"spar\" (did you mean \"spare\"?); pools: \"web\", \"spare\"" },
		{ "fallback = \"spare\"; backends = ( { address = \"10.0.0.1\"; } );",
			"pools[0].fallback: pool \"spare\" is IPv6, but pool \"web\" is IPv4" },
		{ "slow_start = \"61m\";", "pools[0].slow_start: \"61m\" is out of range: \"0s\" to \"1h\"" },
		{ "passive = \"yes\";", "pools[0].passive: must be true or false, not a string" },
	};
	char text[1024], expected[512];

	for (size_t i = 0; i < UNIT_COUNT(policies); i++) {
		struct error error = { "" };
		struct config *config;
		int err;

		snprintf(text, sizeof(text), CONTROL_DPDK "pools = ( { name = \"web\"; %s }, { name = \"spare\"; "
				"backends = ( { address = \"2001:db8::1\"; } ); } );\n", policies[i].check);
		err = config_parse("shunt.conf", text, strlen(text), &config, &error);
		snprintf(expected, sizeof(expected), "shunt.conf:2: %s", policies[i].error);
		CU_ASSERT_EQUAL(err, -EINVAL);
		CU_ASSERT_STRING_EQUAL(error.text, expected);
		if (strcmp(error.text, expected))
			unit_note("said: %s\nnot:  %s", error.text, expected);
		if (!err)
			config_free(config);
	}
}

static void hosts(void)
{
	static const char *const good[] = { "a", "www.example.com", "www.example.com:8080", "10.0.0.1", "10.0.0.1:80", "2001:db8::1",
		"[2001:db8::1]", "[2001:db8::1]:65535", "a_b-c.example.", "xn--bcher-kva.example" };
	static const char *const wrong[] = { ":80", "a:", "a:0", "a:65536", "a:80b", "a b", "a?b", "a#b", "a@b", "[::1", "::1]", "[a]",
		"[]", "[::1]80", "[::1]:", "a:1:2", "-?", "\xc3\xa9.example" };
	struct error error;

	for (size_t i = 0; i < UNIT_COUNT(good); i++)
		CU_ASSERT_EQUAL(check_host_fault(good[i], &error), 0);
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		CU_ASSERT_EQUAL(check_host_fault(wrong[i], &error), -EINVAL);
}

/* One of each type, with all that it has. */
static const char *const full[] = {
	"type = \"none\";",
	"type = \"tcp\"; via = \"backend\"; port = 8080; source = \"10.0.0.1\"; interval = \"2s\"; fast_interval = \"50ms\"; "
	"jitter = 0; timeout = \"1s\"; rise = 1; fall = 1;",
	"type = \"http\"; method = \"HEAD\"; host = \"www.example.com:81\"; path = \"/a?b=%20\"; headers = [ \"A: b\", \"C:\" ]; "
	"expect = \"200-299, 304\"; body = \"^(ok|\\\"fine\\\"\\\\.)$\";",
	"type = \"https\"; sni = \"a.b\"; verify = true; ca = \"/ca\"; cert = \"/c\"; key = \"/k\";",
	"type = \"udp\"; send = \"hex:1b 00FF\"; receive = \"hex:1c ?? ff*\"; port = 123;",
	"type = \"udp\"; send = \"a\\x01\\n\"; receive = \"\xc3\xa9\";",
	"type = \"dns\"; query = \"www.example.com.\"; record = \"AAAA\"; rcode = \"NOERROR, nxdomain\";",
	"type = \"ping\"; via = \"vip\";",
	"type = \"exec\"; command = [ \"/bin/x\", \"\", \"-a b\" ]; user = \"daemon\"; dynamic_weight = true; port = 80;",
};

/* What is taken goes into a copy, through JSON, and through a saved file as it is. */
static void good_ones_go_everywhere(void)
{
	for (size_t i = 0; i < UNIT_COUNT(full); i++) {
		struct config *config = control_parse(config_of(full[i])), *again;
		const struct config_pool *pool = &config->pools[0];
		struct model *model = control_model(config_of(full[i]));
		json_t *json = config_pool_to_json(pool);
		struct config_pool from_json;
		struct check copy;
		struct error error;
		char *text;

		CU_ASSERT_EQUAL_FATAL(check_copy(&copy, &pool->check), 0);
		CU_ASSERT_TRUE(check_equal(&copy, &pool->check));
		check_free(&copy);
		check_free(&copy);
		CU_ASSERT_PTR_NOT_NULL_FATAL(json);
		if (config_pool_from_json(json, &from_json, &error)) {
			unit_note("for: %s\nsaid: %s", full[i], error.text);
			CU_FAIL_FATAL("its own JSON is refused");
		}
		CU_ASSERT_TRUE(check_equal(&from_json.check, &pool->check));
		check_free(&from_json.check);
		json_decref(json);
		CU_ASSERT_EQUAL_FATAL(model_save_text(model, config, &text), 0);
		again = control_parse(text);
		CU_ASSERT_TRUE(check_equal(&again->pools[0].check, &pool->check));
		if (!check_equal(&again->pools[0].check, &pool->check))
			unit_note("%s", text);
		free(text);
		config_free(again);
		model_free(model);
		config_free(config);
	}
}

/* Every setting of a check makes a difference, and a copy of its own. */
static void no_two_are_equal(void)
{
	struct check checks[UNIT_COUNT(full)];

	for (size_t i = 0; i < UNIT_COUNT(full); i++) {
		struct config *config = control_parse(config_of(full[i]));

		CU_ASSERT_EQUAL_FATAL(check_copy(&checks[i], &config->pools[0].check), 0);
		config_free(config);
	}
	for (size_t i = 0; i < UNIT_COUNT(full); i++)
		for (size_t k = 0; k < UNIT_COUNT(full); k++)
			CU_ASSERT_EQUAL(check_equal(&checks[i], &checks[k]), i == k);
	for (size_t i = 0; i < UNIT_COUNT(full); i++)
		check_free(&checks[i]);
}

static void what_follows_is_set(void)
{
	struct config *config = control_parse(config_of("type = \"exec\"; command = [ \"/x\" ];"));

	CU_ASSERT_EQUAL(config->pools[0].check.via, CHECK_VIA_BACKEND);
	CU_ASSERT_STRING_EQUAL(config->pools[0].check.user, "nobody");
	config_free(config);
	config = control_parse(config_of("type = \"https\";"));
	CU_ASSERT_STRING_EQUAL(config->pools[0].check.method, "GET");
	CU_ASSERT_STRING_EQUAL(config->pools[0].check.path, "/");
	CU_ASSERT_STRING_EQUAL(config->pools[0].check.expect, "200-299");
	CU_ASSERT_PTR_NULL(config->pools[0].check.host);
	CU_ASSERT_FALSE(config->pools[0].check.verify);
	CU_ASSERT_EQUAL(config->pools[0].check.fast_interval_ms, 250);
	CU_ASSERT_EQUAL(config->pools[0].check.jitter, 5);
	config_free(config);
}

static void statuses(void)
{
	static const char *const wrong[] = { "", ",", "20", "2000", "99", "600", "299-200", "200,", "200;300", "200 - 299" };
	struct check_expect expect;
	struct error error;

	CU_ASSERT_EQUAL(check_expect_parse("200-299, 304 ,599", &expect, &error), 0);
	CU_ASSERT_TRUE(check_expect_has(&expect, 200));
	CU_ASSERT_TRUE(check_expect_has(&expect, 299));
	CU_ASSERT_TRUE(check_expect_has(&expect, 304));
	CU_ASSERT_TRUE(check_expect_has(&expect, 599));
	CU_ASSERT_FALSE(check_expect_has(&expect, 300));
	CU_ASSERT_FALSE(check_expect_has(&expect, 199));
	CU_ASSERT_FALSE(check_expect_has(&expect, 600));
	CU_ASSERT_FALSE(check_expect_has(&expect, 0));
	CU_ASSERT_FALSE(check_expect_has(&expect, -1));
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		CU_ASSERT_EQUAL(check_expect_parse(wrong[i], &expect, &error), -EINVAL);
}

static void payloads(void)
{
	static const struct {
		const char *payload, *data;
		size_t size;
		bool matches;
	} cases[] = {
		{ "pong", "+pong\r\n", 7, true },
		{ "pong", "pon", 3, false },
		{ "hex:", "", 0, true },
		{ "hex:", "x", 1, false },
		{ "hex:*", "x", 1, true },
		{ "hex:41??43", "AxC", 3, true },
		{ "hex:41 ?? 43", "AxCD", 4, false },
		{ "hex:41 ?? 43 *", "AxCD", 4, true },
		{ "hex:41 ?? 43 *", "AxC", 3, true },
		{ "hex:41 ?? 43 *", "AxD", 3, false },
		{ "hex:41 ?? 43 *", "Ax", 2, false },
	};
	static char long_hex[4 + 2 * (CHECK_PAYLOAD_MAX + 1) + 1] = "hex:";
	struct check_payload payload;
	struct error error;

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		CU_ASSERT_EQUAL_FATAL(check_payload_parse(cases[i].payload, true, &payload, &error), 0);
		CU_ASSERT_EQUAL(check_payload_matches(&payload, cases[i].data, cases[i].size), cases[i].matches);
	}
	memset(long_hex + 4, '0', 2 * CHECK_PAYLOAD_MAX);
	CU_ASSERT_EQUAL(check_payload_parse(long_hex, false, &payload, &error), 0);
	CU_ASSERT_EQUAL(payload.size, CHECK_PAYLOAD_MAX);
	memset(long_hex + 4, '0', 2 * CHECK_PAYLOAD_MAX + 2);
	CU_ASSERT_EQUAL(check_payload_parse(long_hex, false, &payload, &error), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, "has more than 1400 bytes");
	CU_ASSERT_EQUAL(check_payload_parse("hex:?", true, &payload, &error), -EINVAL);
}

static void names_and_codes(void)
{
	char label[65], name[260];
	uint8_t wire[CHECK_NAME_MAX];
	struct error error;
	uint32_t rcodes;

	CU_ASSERT_EQUAL(check_name_parse(".", wire, &error), 1);
	CU_ASSERT_EQUAL(wire[0], 0);
	CU_ASSERT_EQUAL(check_name_parse("ab.c.", wire, &error), 6);
	CU_ASSERT_EQUAL(memcmp(wire, "\2ab\1c\0", 6), 0);
	memset(label, 'x', 64);
	label[64] = '\0';
	CU_ASSERT_EQUAL(check_name_parse(label, wire, &error), -EINVAL);
	label[63] = '\0';
	CU_ASSERT_EQUAL(check_name_parse(label, wire, &error), 65);
	/* 253 characters are 255 bytes, and that is all there may be. */
	snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label, label);
	CU_ASSERT_EQUAL(check_name_parse(name, wire, &error), 255);
	snprintf(name, sizeof(name), "%s.%s.%s.%.62s", label, label, label, label);
	CU_ASSERT_EQUAL(check_name_parse(name, wire, &error), -EINVAL);
	CU_ASSERT_EQUAL(check_name_parse(".a", wire, &error), -EINVAL);

	CU_ASSERT_EQUAL(check_rcodes_parse("NOERROR,nxdomain , REFUSED", &rcodes, &error), 0);
	CU_ASSERT_EQUAL(rcodes, 1u << 0 | 1u << 3 | 1u << 5);
	CU_ASSERT_EQUAL(check_rcodes_parse("NOERROR,", &rcodes, &error), -EINVAL);
	CU_ASSERT_STRING_EQUAL(check_rcode_name(3), "NXDOMAIN");
	CU_ASSERT_PTR_NULL(check_rcode_name(11));
}

/* Which VIP a check goes to: of its protocol first, and one of a single port. */
static void the_vip_of_a_check(void)
{
#define VIPS \
	"vips = ( { address = \"192.0.2.1\"; protocol = \"udp\"; port = 0; pool = \"web\"; },\n" \
	"  { address = \"192.0.2.2\"; protocol = \"udp\"; port = 53; pool = \"web\"; },\n" \
	"  { address = \"192.0.2.3\"; protocol = \"tcp\"; port = 53; pool = \"web\"; } );\n"
	static const struct {
		const char *check, *vip;
	} cases[] = {
		{ "type = \"tcp\";", "192.0.2.3" },
		{ "type = \"ping\";", "192.0.2.3" },
		{ "type = \"udp\";", "192.0.2.2" },
		{ "type = \"dns\";", "192.0.2.2" },
	};
	struct model *model = control_model("interface = \"eth0\";");

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char config[16384], address[ADDRESS_TEXT];
		struct pool *pool;

		snprintf(config, sizeof(config), "%s%s", config_of(cases[i].check), VIPS);
		free(control_apply(model, config, false));
		pool = model_pool_find(model, "web");
		CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
		CU_ASSERT_STRING_EQUAL(address_print(model_check_vip(model, pool)->address, address), cases[i].vip);
	}
	model_free(model);
}

/* A reload says what changes, and health is told by another version. */
static void changes_are_said(void)
{
	static const char pools[] = CONTROL_DPDK "pools = ( { name = \"web\"; %s }, { name = \"spare\"; } );\n";
	static const struct {
		const char *settings, *changes;
		bool other_check;
	} steps[] = {
		{ "check: { type = \"http\"; };",
			"pool web check http / via vip, every 1s, timeout 500ms, rise 2, fall 3, was tcp via vip, every 1s, timeout 500ms, "
			"rise 2, fall 3 (by default)\n",
			true },
		{ "check: { type = \"http\"; path = \"/x\"; interval = \"2s\"; };",
			"pool web check.interval 2s, was 1s\npool web check.path /x, was /\n", true },
		/* Perhaps a password. */
		{ "check: { type = \"http\"; path = \"/x\"; interval = \"2s\"; headers = [ \"A: b\" ]; };",
			"pool web check.headers changed\n", true },
		{ "check: { type = \"http\"; path = \"/x\"; interval = \"2s\"; };", "pool web check.headers changed\n", true },
		{ "check: { type = \"http\"; path = \"/x\"; interval = \"2s\"; }; panic = 30;", "pool web panic 30, was 0\n", false },
		{ "check: { type = \"http\"; path = \"/x\"; interval = \"2s\"; }; fallback = \"spare\"; passive = false; slow_start = \"30s\";",
			"pool web panic 0, was 30\npool web fallback spare, was none\npool web slow_start 30s, was 0s\n"
			"pool web passive false, was true\n",
			false },
		{ "check: { type = \"http\"; path = \"/x\"; interval = \"2s\"; };",
			"pool web fallback none, was spare\npool web slow_start 0s, was 30s\npool web passive true, was false\n",
			false },
	};
	char text[1024];
	struct model *model;

	snprintf(text, sizeof(text), pools, "");
	model = control_model(text);
	for (size_t i = 0; i < UNIT_COUNT(steps); i++) {
		const struct pool *pool = model_pool_find(model, "web");
		uint32_t version = pool->check_version;
		char *changes;

		snprintf(text, sizeof(text), pools, steps[i].settings);
		for (int dry = 1; dry >= 0; dry--) {
			changes = control_apply(model, text, dry);
			CU_ASSERT_STRING_EQUAL(changes, steps[i].changes);
			if (strcmp(changes, steps[i].changes))
				unit_note("said: %s", changes);
			free(changes);
		}
		CU_ASSERT_EQUAL(pool->check_version != version, steps[i].other_check);
		changes = control_apply(model, text, false);
		CU_ASSERT_STRING_EQUAL(changes, "");
		free(changes);
	}
	model_free(model);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "wrong checks are named with file, line, setting and remedy", wrong_ones_are_named },
		{ "wrong policies of pools likewise", wrong_policies_are_named },
		{ "copies, JSON and saved files are the same", good_ones_go_everywhere },
		{ "no two are equal", no_two_are_equal },
		{ "what follows from others is set", what_follows_is_set },
		{ "hosts", hosts },
		{ "statuses", statuses },
		{ "payloads", payloads },
		{ "names and codes of DNS", names_and_codes },
		{ "the VIP of a check", the_vip_of_a_check },
		{ "a reload says what changes", changes_are_said },
		{ NULL, NULL },
	};

	return unit_run("check", tests);
}
