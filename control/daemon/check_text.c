/* SPDX-License-Identifier: BSD-3-Clause */
/* Statuses, datagrams and answers of DNS, from the words of the configuration. */
#include "check_text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config.h"

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* Three digits, within the range; NULL: not there. */
static const char *read_status(const char *text, unsigned int *status)
{
	*status = 0;
	for (int i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)text[i]))
			return NULL;
		*status = *status * 10 + (unsigned int)(text[i] - '0');
	}
	return *status < CHECK_STATUS_MIN || *status > CHECK_STATUS_MAX ? NULL : text + 3;
}

int check_expect_parse(const char *text, struct check_expect *expect, struct error *error)
{
	const char *at = text;
	unsigned int low, high;

	*expect = (struct check_expect){ 0 };
	do {
		at = read_status(skip_blanks(at), &low);
		high = low;
		if (at && *at == '-')
			at = read_status(at + 1, &high);
		if (!at || low > high || (*skip_blanks(at) && *skip_blanks(at) != ','))
			return error_set(error, EINVAL,
				"\"%.64s\" is not a list of statuses from %d to %d, such as \"200-299,304\"", text,
				CHECK_STATUS_MIN, CHECK_STATUS_MAX);
		for (; low <= high; low++)
			expect->bits[low / 64] |= 1ULL << low % 64;
		at = skip_blanks(at);
	} while (*at++ == ',');
	return 0;
}

bool check_expect_has(const struct check_expect *expect, long status)
{
	return status >= CHECK_STATUS_MIN && status <= CHECK_STATUS_MAX &&
	       expect->bits[status / 64] >> status % 64 & 1;
}

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int too_long(struct error *error)
{
	return error_set(error, EINVAL, "has more than %d bytes", CHECK_PAYLOAD_MAX);
}

static int parse_hex(const char *text, bool wildcards, struct check_payload *payload, struct error *error)
{
	const char *at;

	for (at = skip_blanks(text); *at; at = skip_blanks(at)) {
		bool any = wildcards && at[0] == '?' && at[1] == '?';

		if (wildcards && *at == '*' && !*skip_blanks(at + 1)) {
			payload->any_rest = true;
			break;
		}
		if (!any && (digit(at[0]) < 0 || digit(at[1]) < 0))
			break;
		if (payload->size == CHECK_PAYLOAD_MAX)
			return too_long(error);
		payload->any[payload->size] = any;
		payload->byte[payload->size++] = any ? 0 : (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
		at += 2;
	}
	if (!*at || payload->any_rest)
		return 0;
	if (wildcards)
		return error_set(error, EINVAL,
			"\"%.16s\" is neither two hexadecimal digits, nor ?? for any byte, nor a * for any rest at the end", at);
	return error_set(error, EINVAL, "\"%.16s\" is not two hexadecimal digits", at);
}

int check_payload_parse(const char *text, bool wildcards, struct check_payload *payload, struct error *error)
{
	static const char prefix[] = "hex:";

	memset(payload, 0, sizeof(*payload));
	if (!strncmp(text, prefix, sizeof(prefix) - 1)) {
		payload->is_hex = true;
		return parse_hex(text + sizeof(prefix) - 1, wildcards, payload, error);
	}
	payload->size = strlen(text);
	if (payload->size > CHECK_PAYLOAD_MAX)
		return too_long(error);
	memcpy(payload->byte, text, payload->size);
	return 0;
}

bool check_payload_matches(const struct check_payload *payload, const void *data, size_t size)
{
	const uint8_t *byte = data;

	if (!payload->is_hex)
		return memmem(data, size, payload->byte, payload->size) != NULL;
	if (size < payload->size || (size > payload->size && !payload->any_rest))
		return false;
	for (size_t i = 0; i < payload->size; i++)
		if (!payload->any[i] && byte[i] != payload->byte[i])
			return false;
	return true;
}

/* RFC 1035, 4.1.1; RFC 2136, 2.2. */
static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN",
	"YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE" };
#define N_RCODES (sizeof(rcodes) / sizeof(rcodes[0]))

const char *check_rcode_name(unsigned int rcode)
{
	return rcode < N_RCODES ? rcodes[rcode] : NULL;
}

int check_rcodes_parse(const char *text, uint32_t *set, struct error *error)
{
	const char *at = text;

	*set = 0;
	do {
		size_t length, i;

		at = skip_blanks(at);
		length = strcspn(at, ", \t");
		for (i = 0; i < N_RCODES; i++)
			if (strlen(rcodes[i]) == length && !strncasecmp(at, rcodes[i], length))
				break;
		at = skip_blanks(at + length);
		if (i == N_RCODES || (*at && *at != ','))
			return error_set(error, EINVAL,
				"\"%.64s\" is not a list of NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, "
				"YXRRSET, NXRRSET, NOTAUTH, NOTZONE, such as \"NOERROR,NXDOMAIN\"",
				text);
		*set |= 1u << i;
	} while (*at++ == ',');
	return 0;
}

int check_name_parse(const char *text, uint8_t *wire, struct error *error)
{
	const char *at = strcmp(text, ".") ? text : "";
	size_t size = 0;

	while (*at) {
		size_t length = strcspn(at, ".");

		/* RFC 1035, 2.3.4: labels of 1 to 63 bytes, 255 in all with their lengths. */
		if (length == 0 || length > 63 || size + length + 2 > CHECK_NAME_MAX)
			return error_set(error, EINVAL,
				"\"%.64s\" is not a domain name: labels of 1 to 63 characters with dots between, 253 in all", text);
		wire[size++] = (uint8_t)length;
		memcpy(wire + size, at, length);
		size += length;
		at += length;
		if (*at == '.')
			at++;
	}
	wire[size++] = 0;
	return (int)size;
}
