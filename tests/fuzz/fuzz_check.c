/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes what checks get to read: answers of name servers, datagrams held against a pattern, bodies in which an
 * expression is looked for. Input: a byte that says which, a text up to a 0, and then what a server sent.
 */
#include <stdbool.h>
#include <string.h>

#include "check_kind.h"
#include "check_regex.h"
#include "check_text.h"
#include "config.h"
#include "dns_message.h"
#include "fuzz.h"

#define DATA_MAX 4096 /* what a plain search, which is quadratic, can be asked of */

static struct checker checker;

/* An answer counts only if it is one, to this question. */
static void try_dns(const char *text, const uint8_t *data, size_t size)
{
	uint8_t name[CHECK_NAME_MAX], question[DNS_QUESTION_MAX];
	struct error error;
	int length = check_name_parse(text, name, &error), rcode;
	size_t question_size;

	if (length < 0)
		return;
	FUZZ_CHECK(length <= CHECK_NAME_MAX);
	question_size = dns_ask(0x1234, name, (size_t)length, DNS_A, question);
	FUZZ_CHECK(question_size == DNS_HEADER + (size_t)length + 4 && question_size <= DNS_QUESTION_MAX);
	rcode = dns_rcode(question, question_size, data, size);
	FUZZ_CHECK(rcode >= -1 && rcode < 16);
	if (rcode < 0)
		return;
	FUZZ_CHECK(size >= DNS_HEADER && data[0] == 0x12 && data[1] == 0x34 && data[2] & 0x80 &&
		(data[3] & 15) == rcode);
	FUZZ_CHECK(rcode > 0 || (size >= question_size && data[5] == 1));
}

static void try_payload(const char *text, const uint8_t *data, size_t size)
{
	struct check_payload payload;
	struct error error;

	if (check_payload_parse(text, true, &payload, &error) < 0)
		return;
	FUZZ_CHECK(payload.size <= CHECK_PAYLOAD_MAX);
	check_payload_matches(&payload, data, size);
	if (!payload.any_rest)
		FUZZ_CHECK(check_payload_matches(&payload, payload.byte, payload.size));
}

/* Found in linear time is what the C library finds in its own. */
static void try_body(const char *text, const uint8_t *data, size_t size)
{
	regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)size };
	struct check_regex *regex;
	struct error error;
	char body[DATA_MAX + 1];
	regex_t plain;
	bool found;

	if (size > DATA_MAX || check_body_fault(text, &error) < 0)
		return;
	memcpy(body, data, size);
	body[size] = '\0';
	FUZZ_CHECK(regcomp(&plain, text, CHECK_REGEX_FLAGS) == 0);
	regex = check_regex_get(&checker, text);
	FUZZ_CHECK(regex);
	found = check_regex_finds(regex, body, size);
	if (size < 64)
		FUZZ_CHECK(found == (regexec(&plain, body, 1, &range, REG_STARTEND) == 0));
	check_regex_put(regex);
	check_regex_close(&checker);
	regfree(&plain);
}

static void try_lists(const char *text)
{
	struct check_expect expect;
	struct error error;
	uint32_t rcodes;

	if (check_expect_parse(text, &expect, &error) == 0)
		FUZZ_CHECK(!check_expect_has(&expect, 99) && !check_expect_has(&expect, 600));
	if (check_rcodes_parse(text, &rcodes, &error) == 0)
		FUZZ_CHECK(rcodes && rcodes < 1 << 11);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
	const char *text = (const char *)data + 1;
	size_t rest;

	if (!end)
		return 0;
	rest = size - (size_t)(end + 1 - data);
	switch (data[0]) {
	case 'd':
		try_dns(text, end + 1, rest);
		break;
	case 'p':
		try_payload(text, end + 1, rest);
		break;
	case 'b':
		try_body(text, end + 1, rest);
		break;
	case 'l':
		try_lists(text);
		break;
	}
	return 0;
}
