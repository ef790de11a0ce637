/* SPDX-License-Identifier: BSD-3-Clause */
/* Kinds of values on the command line and their forms. */
#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_address(const char *text)
{
	struct in6_addr scratch;

	return inet_pton(AF_INET, text, &scratch) == 1 || inet_pton(AF_INET6, text, &scratch) == 1;
}

/* Decimal digits and nothing else: strtoull alone takes blanks, signs and nothing at all. */
static bool is_number(const char *text, unsigned long long max, unsigned long long *value)
{
	char *end;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *value <= max;
}

/* "192.0.2.80:80", "[2001:db8::80]:80". */
static bool is_endpoint(const char *text, size_t length)
{
	char copy[INET6_ADDRSTRLEN + 16], *port, *address = copy;
	unsigned long long number;
	struct in6_addr scratch;
	int family = AF_INET;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = 0;
	port = strrchr(copy, ':');
	if (!port || !is_number(port + 1, 65535, &number))
		return false;
	*port = 0;
	if (*address == '[') {
		family = AF_INET6;
		address++;
		if (port[-1] != ']')
			return false;
		port[-1] = 0;
	}
	return inet_pton(family, address, &scratch) == 1;
}

static bool is_prefix(const char *text)
{
	const char *slash = strchr(text, '/');
	char copy[INET6_ADDRSTRLEN];
	unsigned long long length;

	if (!slash)
		return is_address(text);
	if ((size_t)(slash - text) >= sizeof(copy))
		return false;
	memcpy(copy, text, (size_t)(slash - text));
	copy[slash - text] = 0;
	return is_address(copy) && is_number(slash + 1, strchr(copy, ':') ? 128 : 32, &length);
}

static bool is_vip(const char *text)
{
	const char *protocol = strrchr(text, '/');

	return protocol && (!strcmp(protocol, "/tcp") || !strcmp(protocol, "/udp")) &&
	       is_endpoint(text, (size_t)(protocol - text));
}

static bool is_mac(const char *text)
{
	for (int i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':' : !text[i] || !strchr("0123456789abcdefABCDEF", text[i]))
			return false;
	return !text[17];
}

static bool is_time(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	return digits && (!strcmp(unit, "ms") || !strcmp(unit, "s") || !strcmp(unit, "m") || !strcmp(unit, "h"));
}

static bool is_choice(const char *choices, const char *text)
{
	size_t length = strlen(text);

	for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		if (length && strcspn(at, "|") == length && !strncmp(at, text, length))
			return true;
	return false;
}

/* The daemon has a working directory of its own. */
static json_t *absolute_path(const char *text)
{
	char *folder;
	json_t *path;

	if (!*text)
		return NULL;
	if (*text == '/')
		return json_string(text);
	folder = realpath(".", NULL);
	if (!folder)
		return json_string(text);
	path = json_sprintf("%s%s%s", folder, strcmp(folder, "/") ? "/" : "", text);
	free(folder);
	return path;
}

json_t *value_parse(enum value_kind kind, const char *choices, const char *text)
{
	unsigned long long number;
	bool right = false;

	switch (kind) {
	case VALUE_FLAG:
		return json_true();
	case VALUE_NUMBER:
		return is_number(text, INT64_MAX, &number) ? json_integer((json_int_t)number) : NULL;
	case VALUE_BOUND:
		if (!strcmp(text, "default"))
			return json_integer(-1);
		return is_number(text, INT64_MAX, &number) ? json_integer((json_int_t)number) : NULL;
	case VALUE_ACCESS_OR_NONE:
		return *text ? json_string(strcmp(text, "none") ? text : "") : NULL;
	case VALUE_DAEMON_FILE:
		return absolute_path(text);
	case VALUE_TEXT:
	case VALUE_POOL:
	case VALUE_FILE:
	case VALUE_ACCESS:
		right = *text != 0;
		break;
	case VALUE_SWITCH:
		return strcmp(text, "on") && strcmp(text, "off") ? NULL : json_boolean(!strcmp(text, "on"));
	case VALUE_ADDRESS:
	case VALUE_SOURCE_ADDRESS:
		right = is_address(text);
		break;
	case VALUE_PREFIX:
		right = is_prefix(text);
		break;
	case VALUE_VIP:
		right = is_vip(text);
		break;
	case VALUE_SOURCE:
		right = is_endpoint(text, strlen(text));
		break;
	case VALUE_TIME:
		right = is_time(text);
		break;
	case VALUE_MAC:
		right = is_mac(text);
		break;
	case VALUE_CHOICE:
		right = is_choice(choices, text);
		break;
	}
	return right ? json_string(text) : NULL; /* NULL too for what is not UTF-8 */
}

const char *value_form(enum value_kind kind)
{
	switch (kind) {
	case VALUE_POOL:
		return "a pool's name";
	case VALUE_ACCESS_OR_NONE:
		return "an access list's name, or none";
	case VALUE_ACCESS:
		return "an access list's name";
	case VALUE_PREFIX:
		return "a prefix, as 203.0.113.0/24 or 2001:db8::/32, or an address";
	case VALUE_SWITCH:
		return "on or off";
	case VALUE_ADDRESS:
	case VALUE_SOURCE_ADDRESS:
		return "an address, as 10.0.0.11 or 2001:db8::11";
	case VALUE_VIP:
		return "a VIP: ADDR:PORT/PROTO, as 192.0.2.80:80/tcp or [2001:db8::80]:53/udp";
	case VALUE_SOURCE:
		return "an address and port, as 198.51.100.2:40000 or [2001:db8::2]:40000";
	case VALUE_NUMBER:
		return "a number";
	case VALUE_BOUND:
		return "a number, or default";
	case VALUE_TIME:
		return "a time with its unit, as 500ms, 2s, 1m or 1h";
	case VALUE_MAC:
		return "a MAC address, as 02:00:00:00:00:11";
	case VALUE_FILE:
	case VALUE_DAEMON_FILE:
		return "the name of a file";
	default:
		return "a value";
	}
}
