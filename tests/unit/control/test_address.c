/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, MACs, VIPs and times as operators write them: taken, refused, and printed back. */
#include "address.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "duration.h"
#include "suggest.h"
#include "unit.h"

static void addresses(void)
{
	static const struct {
		const char *text;
		const char *printed; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "2001:DB8:0:0:0:0:0:80", "2001:db8::80" },
		{ "::", "::" },
		{ "", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ " 192.0.2.1", NULL },
		{ "192.0.2.1 ", NULL },
		{ "0300.0.2.1", NULL },
		{ "::ffff:192.0.2.1", NULL },
		{ "[2001:db8::1]", NULL },
		{ "fe80::1%eth0", NULL },
		{ "2001:db8::1::", NULL },
		{ "localhost", NULL },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char text[ADDRESS_TEXT];
		struct addr address;
		int err = address_parse(cases[i].text, &address);

		CU_ASSERT_EQUAL(err, cases[i].printed ? 0 : -EINVAL);
		if (!err)
			CU_ASSERT_STRING_EQUAL(address_print(address, text), cases[i].printed);
	}
}

static void order(void)
{
	static const char *const ascending[] = { "::1", "0.0.0.1", "9.255.255.255", "10.0.0.9", "10.0.0.10", "10.0.1.0",
		"200.0.0.1", "2001:db8::1", "2001:db8::100", "2001:db8:1::", "ff00::" };

	for (size_t i = 0; i < UNIT_COUNT(ascending); i++)
		for (size_t j = 0; j < UNIT_COUNT(ascending); j++)
			CU_ASSERT_EQUAL(address_compare(unit_addr(ascending[i]), unit_addr(ascending[j])),
				(i > j) - (i < j));
}

static void hosts_only(void)
{
	static const char *const good[] = { "1.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255", "2001:db8::1",
		"fd00::1", "fec0::1", "::2" };
	static const char *const bad[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1",
		"239.255.255.255", "255.255.255.255", "::", "::1", "ff02::1", "fe80::1", "febf::1" };

	for (size_t i = 0; i < UNIT_COUNT(good); i++)
		CU_ASSERT_PTR_NULL(address_fault(unit_addr(good[i])));
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		CU_ASSERT_PTR_NOT_NULL(address_fault(unit_addr(bad[i])));
}

static void vips(void)
{
	static const struct {
		const char *text;
		const char *printed; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.80:80/tcp", "192.0.2.80:80/tcp" },
		{ "192.0.2.80:0/udp", "192.0.2.80:0/udp" },
		{ "[2001:db8::80]:65535/udp", "[2001:db8::80]:65535/udp" },
		{ "[2001:0db8::0080]:080/tcp", "[2001:db8::80]:80/tcp" },
		{ "192.0.2.80:80", NULL },
		{ "192.0.2.80/tcp", NULL },
		{ "192.0.2.80:/tcp", NULL },
		{ "192.0.2.80:80/", NULL },
		{ "192.0.2.80:80/TCP", NULL },
		{ "192.0.2.80:80/sctp", NULL },
		{ "192.0.2.80:65536/tcp", NULL },
		{ "192.0.2.80:-1/tcp", NULL },
		{ "192.0.2.80:99999999999999999999/tcp", NULL },
		{ "[192.0.2.80]:80/tcp", NULL },
		{ "2001:db8::80:80/tcp", NULL },
		{ "[2001:db8::80]80/tcp", NULL },
		{ "[2001:db8::80:80/tcp", NULL },
		{ "[2001:db8::80000000000000000000000000000000000000000000]:80/tcp", NULL },
		{ ":80/tcp", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char text[ADDRESS_VIP_TEXT];
		struct vip_spec vip;
		int err = address_parse_vip(cases[i].text, &vip);

		CU_ASSERT_EQUAL(err, cases[i].printed ? 0 : -EINVAL);
		if (!err)
			CU_ASSERT_STRING_EQUAL(address_print_vip(vip.address, vip.protocol, vip.port, text),
				cases[i].printed);
	}
}

static void endpoints(void)
{
	char text[ADDRESS_VIP_TEXT];
	struct addr address;
	uint16_t port;

	CU_ASSERT_EQUAL(address_parse_endpoint("198.51.100.2:40000", &address, &port), 0);
	CU_ASSERT_EQUAL(port, 40000);
	CU_ASSERT_STRING_EQUAL(address_print_endpoint(address, port, text), "198.51.100.2:40000");
	CU_ASSERT_EQUAL(address_parse_endpoint("198.51.100.2:40000/tcp", &address, &port), -EINVAL);
	/* The longest there is. */
	CU_ASSERT_EQUAL(address_parse_endpoint("[1111:2222:3333:4444:5555:6666:7777:8888]:65535", &address, &port), 0);
	CU_ASSERT_STRING_EQUAL(address_print_vip(address, IPPROTO_UDP, port, text),
		"[1111:2222:3333:4444:5555:6666:7777:8888]:65535/udp");
}

static void macs(void)
{
	static const char *const bad[] = { "", "02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:1", "02-00-00-00-00-01",
		"02:00:00:00:00:0g", "020000000001", "02:00:00:00:00:01 " };
	char text[ADDRESS_MAC_TEXT];
	struct mac mac;

	CU_ASSERT_EQUAL(address_parse_mac("02:aB:cd:EF:00:12", &mac), 0);
	CU_ASSERT_STRING_EQUAL(address_print_mac(&mac, text), "02:ab:cd:ef:00:12");
	CU_ASSERT_PTR_NULL(address_mac_fault(&mac));
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		CU_ASSERT_EQUAL(address_parse_mac(bad[i], &mac), -EINVAL);
	CU_ASSERT_EQUAL(address_parse_mac("ff:ff:ff:ff:ff:ff", &mac), 0);
	CU_ASSERT_PTR_NOT_NULL(address_mac_fault(&mac));
	CU_ASSERT_EQUAL(address_parse_mac("00:00:00:00:00:00", &mac), 0);
	CU_ASSERT_PTR_NOT_NULL(address_mac_fault(&mac));
}

static void durations(void)
{
	static const struct {
		const char *text;
		int64_t ms; /* -EINVAL: refused */
		const char *printed;
	} cases[] = {
		{ "500ms", 500, "500ms" },
		{ "1s", 1000, "1s" },
		{ "1500ms", 1500, "1500ms" },
		{ "60s", 60000, "1m" },
		{ "90s", 90000, "90s" },
		{ "120m", 7200000, "2h" },
		{ "0s", 0, "0s" },
		{ "", -EINVAL, NULL },
		{ "5", -EINVAL, NULL },
		{ "s", -EINVAL, NULL },
		{ "-1s", -EINVAL, NULL },
		{ "1.5s", -EINVAL, NULL },
		{ "1 s", -EINVAL, NULL },
		{ "1S", -EINVAL, NULL },
		{ "1sec", -EINVAL, NULL },
		{ "9000h", -EINVAL, NULL },
		{ "99999999999999999999ms", -EINVAL, NULL },
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char text[DURATION_TEXT];
		int64_t ms = duration_parse_ms(cases[i].text);

		CU_ASSERT_EQUAL(ms, cases[i].ms);
		if (ms >= 0)
			CU_ASSERT_STRING_EQUAL(duration_print_ms((uint64_t)ms, text), cases[i].printed);
	}
}

static const char *nearest(const char *word)
{
	static const char *const known[] = { "capacity", "timeouts", "hash_key", "web", "web6" };
	struct suggestion suggestion = { .word = word };

	for (size_t i = 0; i < UNIT_COUNT(known); i++)
		suggest(&suggestion, known[i]);
	return suggestion.best ? suggestion.best : "";
}

static void suggestions(void)
{
	CU_ASSERT_STRING_EQUAL(nearest("capcity"), "capacity");
	CU_ASSERT_STRING_EQUAL(nearest("cpaacity"), "capacity");
	CU_ASSERT_STRING_EQUAL(nearest("hashkey"), "hash_key");
	CU_ASSERT_STRING_EQUAL(nearest("wbe"), "web");
	CU_ASSERT_STRING_EQUAL(nearest("web7"), "web");
	CU_ASSERT_STRING_EQUAL(nearest("banana"), "");
	CU_ASSERT_STRING_EQUAL(nearest(""), "");
	CU_ASSERT_STRING_EQUAL(nearest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"");
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "addresses", addresses },
		{ "their order", order },
		{ "only what can be a host's", hosts_only },
		{ "VIPs", vips },
		{ "endpoints", endpoints },
		{ "MACs", macs },
		{ "times", durations },
		{ "did you mean", suggestions },
		{ NULL, NULL },
	};

	return unit_run("address", tests);
}
