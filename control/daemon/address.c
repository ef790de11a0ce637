/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, MACs, ports and VIPs as operators write them. */
#include "address.h"

#include <stdlib.h>
#include <ctype.h>
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int address_parse(const char *text, struct addr *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*address = addr_from_ipv4(v4.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
		return -EINVAL;
	memcpy(address, &v6, sizeof(*address));
	return 0;
}

int address_family(struct addr address)
{
	return addr_is_ipv4(address) ? AF_INET : AF_INET6;
}

const char *address_family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

int address_parse_prefix(const char *text, struct addr *address, uint8_t *length)
{
	const char *slash = strchr(text, '/');
	uint8_t *byte = (uint8_t *)address;
	char copy[ADDRESS_TEXT], *end;
	unsigned long bits;
	struct addr whole;
	int first;

	if (!slash) {
		if (address_parse(text, address))
			return -EINVAL;
		*length = addr_is_ipv4(*address) ? 32 : 128;
		return 0;
	}
	if ((size_t)(slash - text) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, (size_t)(slash - text));
	copy[slash - text] = '\0';
	if (address_parse(copy, address) || !isdigit((unsigned char)slash[1]) || strlen(slash + 1) > 3)
		return -EINVAL;
	bits = strtoul(slash + 1, &end, 10);
	if (*end || bits > (addr_is_ipv4(*address) ? 32 : 128))
		return -EINVAL;
	*length = (uint8_t)bits;
	whole = *address;
	first = (int)bits + (addr_is_ipv4(whole) ? 96 : 0);
	for (int i = first; i < 128; i++)
		byte[i / 8] &= (uint8_t)~(0x80 >> i % 8);
	return addr_equal(whole, *address) ? 0 : -ERANGE;
}

const char *address_print_prefix(struct addr address, uint8_t length, char *text)
{
	address_print(address, text);
	snprintf(text + strlen(text), 5, "/%u", length);
	return text;
}

const char *address_print(struct addr address, char *text)
{
	__be32 v4 = addr_to_ipv4(address);

	if (addr_is_ipv4(address))
		inet_ntop(AF_INET, &v4, text, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, &address, text, ADDRESS_TEXT);
	return text;
}

int address_compare(struct addr a, struct addr b)
{
	uint64_t x = be64toh(a.hi), y = be64toh(b.hi);

	if (x == y) {
		x = be64toh(a.lo);
		y = be64toh(b.lo);
	}
	return (x > y) - (x < y);
}

const char *address_fault(struct addr address)
{
	if (addr_is_ipv4(address)) {
		uint32_t v4 = ntohl(addr_to_ipv4(address));

		if (v4 >> 24 == 0)
			return "is the unspecified address or of its network";
		if (v4 >> 24 == 127)
			return "is a loopback address";
		if (v4 >> 28 == 14)
			return "is a multicast address";
		return v4 == 0xffffffff ? "is the broadcast address" : NULL;
	}
	if (address.hi == 0 && address.lo == 0)
		return "is the unspecified address";
	if (address.hi == 0 && be64toh(address.lo) == 1)
		return "is the loopback address";
	if (be64toh(address.hi) >> 56 == 0xff)
		return "is a multicast address";
	/* It would name another host on each link. */
	return be64toh(address.hi) >> 54 == 0xfe80 >> 6 ? "is a link-local address" : NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int address_parse_mac(const char *text, struct mac *mac)
{
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac->byte[i] = (__u8)(high << 4 | low);
	}
	return 0;
}

const char *address_print_mac(const struct mac *mac, char *text)
{
	const __u8 *b = mac->byte;

	snprintf(text, ADDRESS_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return text;
}

const char *address_mac_fault(const struct mac *mac)
{
	static const struct mac zero;

	if (mac->byte[0] & 1)
		return "is a group address (multicast or broadcast), not one host's";
	return memcmp(mac, &zero, sizeof(zero)) == 0 ? "is nobody's address" : NULL;
}

/* A port in decimal up to the terminator. -EINVAL, or it; *end: behind it. */
static int parse_port(const char *text, const char **end)
{
	int port = 0, digits = 0;

	for (; *text >= '0' && *text <= '9'; text++, digits++) {
		port = port * 10 + (*text - '0');
		if (port > 65535)
			return -EINVAL;
	}
	*end = text;
	return digits ? port : -EINVAL;
}

/* ADDR:PORT with brackets around IPv6; *end: behind the port. */
static int parse_endpoint(const char *text, struct addr *address, uint16_t *port, const char **end)
{
	char host[ADDRESS_TEXT];
	bool bracketed = *text == '[';
	const char *stop = strchr(text, bracketed ? ']' : ':');
	size_t length;
	int number;

	if (!stop)
		return -EINVAL;
	text += bracketed;
	length = (size_t)(stop - text);
	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	stop += bracketed;
	if (*stop != ':' || address_parse(host, address) || bracketed == !!addr_is_ipv4(*address))
		return -EINVAL;
	number = parse_port(stop + 1, end);
	if (number < 0)
		return number;
	*port = (uint16_t)number;
	return 0;
}

int address_parse_endpoint(const char *text, struct addr *address, uint16_t *port)
{
	const char *end;
	int err = parse_endpoint(text, address, port, &end);

	return err ? err : *end ? -EINVAL : 0;
}

const char *address_print_endpoint(struct addr address, uint16_t port, char *text)
{
	char host[ADDRESS_TEXT];

	snprintf(text, ADDRESS_VIP_TEXT, addr_is_ipv4(address) ? "%s:%u" : "[%s]:%u", address_print(address, host),
		port);
	return text;
}

int address_parse_vip(const char *text, struct vip_spec *vip)
{
	const char *end;
	int err = parse_endpoint(text, &vip->address, &vip->port, &end);
	int protocol;

	if (err || *end != '/')
		return -EINVAL;
	protocol = address_parse_protocol(end + 1);
	if (protocol < 0)
		return protocol;
	vip->protocol = (uint8_t)protocol;
	return 0;
}

const char *address_print_vip(struct addr address, uint8_t protocol, uint16_t port, char *text)
{
	size_t length;

	address_print_endpoint(address, port, text);
	length = strlen(text);
	snprintf(text + length, ADDRESS_VIP_TEXT - length, "/%s", address_protocol_name(protocol));
	return text;
}

const char *address_protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

int address_parse_protocol(const char *text)
{
	if (!strcmp(text, "tcp"))
		return IPPROTO_TCP;
	return !strcmp(text, "udp") ? IPPROTO_UDP : -EINVAL;
}
