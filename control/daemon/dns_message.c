/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions and answers of DNS. */
#include "dns_message.h"

#include <stdbool.h>
#include <string.h>

#define CLASS_IN 1
#define FLAG_ANSWER 0x80 /* of the third byte */
#define OPCODE 0x78
#define FLAG_RECURSION_DESIRED 0x01
#define RCODE 0x0f /* of the fourth */

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

size_t dns_ask(uint16_t id, const uint8_t *name, size_t name_size, uint16_t type, uint8_t *message)
{
	uint8_t *at = message;

	memset(message, 0, DNS_HEADER);
	put16(message, id);
	message[2] = FLAG_RECURSION_DESIRED;
	put16(message + 4, 1);
	at += DNS_HEADER;
	memcpy(at, name, name_size);
	at = put16(at + name_size, type);
	at = put16(at, CLASS_IN);
	return (size_t)(at - message);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/*
 * Lengths of labels are below 'A', so that the whole name can be compared without regard to case. A server that
 * wrote it with a pointer (RFC 1035, 4.1.4) is none: there is nothing before it to point to.
 */
static bool same_question(const uint8_t *a, const uint8_t *b, size_t size)
{
	size_t name = size - 4;

	for (size_t i = 0; i < name; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return memcmp(a + name, b + name, 4) == 0;
}

int dns_rcode(const uint8_t *question, size_t question_size, const uint8_t *data, size_t size)
{
	int rcode;

	if (size < DNS_HEADER || memcmp(data, question, 2) || !(data[2] & FLAG_ANSWER) || data[2] & OPCODE)
		return -1;
	rcode = data[3] & RCODE;
	/* A server that refuses, or does not understand, may leave the question out. */
	if (data[4] == 0 && data[5] == 0)
		return rcode ? rcode : -1;
	if (data[4] != 0 || data[5] != 1 || size < question_size ||
		!same_question(question + DNS_HEADER, data + DNS_HEADER, question_size - DNS_HEADER))
		return -1;
	return rcode;
}
