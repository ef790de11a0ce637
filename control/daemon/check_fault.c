/* SPDX-License-Identifier: BSD-3-Clause */
/* What may stand in the texts of a check: nothing that a request or a question could not carry as it was meant. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "check_regex.h"
#include "check_text.h"
#include "config.h"
#include "expression.h"

#define BODY_SIZE_MAX EXPRESSION_SIZE_MAX /* of an expression, with its repetitions written out */
#define BODY_DEPTH_MAX 32  /* of groups in it */

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

/* RFC 9110, 5.6.2. */
static size_t token_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) || (text[length] && strchr("!#$%&'*+-.^_`|~", text[length])))
		length++;
	return length;
}

/* Without blanks and control characters, which would end the line it stands in, or the word. */
static bool is_word(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

int check_method_fault(const char *text, struct error *error)
{
	if (text[token_length(text)])
		return error_set(error, EINVAL, "\"%.64s\" is not a method, such as \"GET\", \"HEAD\" or \"OPTIONS\"", text);
	return 0;
}

/* "[2001:db8::1]" at the beginning: its end, or NULL. */
static const char *skip_bracketed(const char *text)
{
	size_t length = strcspn(text, "]");
	char inner[ADDRESS_TEXT];
	struct addr address;

	if (*text != '[' || !text[length] || length > sizeof(inner))
		return NULL;
	snprintf(inner, sizeof(inner), "%.*s", (int)length - 1, text + 1);
	return address_parse(inner, &address) ? NULL : text + length + 1;
}

/* A name or an address, and perhaps a port. */
static bool is_host(const char *text)
{
	const char *end = skip_bracketed(text);
	struct addr address;
	long port;

	if (!address_parse(text, &address))
		return true;
	if (!end)
		end = text + strspn(text, NAME_CHARACTERS);
	if (end == text || !*end)
		return end != text;
	if (*end++ != ':' || !*end || strlen(end) > 5 || end[strspn(end, "0123456789")])
		return false;
	port = strtol(end, NULL, 10);
	return port > 0 && port <= UINT16_MAX;
}

int check_host_fault(const char *text, struct error *error)
{
	if (!is_host(text))
		return error_set(error, EINVAL,
			"\"%.64s\" is not a host's name or address, such as \"www.example.com\" or \"[2001:db8::1]:8080\"", text);
	return 0;
}

int check_path_fault(const char *text, struct error *error)
{
	if (*text != '/' || !is_word(text))
		return error_set(error, EINVAL,
			"\"%.64s\" is not a path, which begins with \"/\" and has no blank (%%20 stands for one)", text);
	return 0;
}

/* Of one line. */
static bool is_line(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

int check_header_fault(const char *text, struct error *error)
{
	size_t length = token_length(text);

	if (!length || text[length] != ':' || !is_line(text))
		return error_set(error, EINVAL, "\"%.64s\" is not a header, such as \"Accept: text/plain\"", text);
	return 0;
}

int check_command_fault(const char *text, struct error *error)
{
	if (is_line(text))
		return 0;
	return error_set(error, EINVAL, "\"%.64s\" has a control character", text);
}

int check_expect_fault(const char *text, struct error *error)
{
	struct check_expect expect;

	return check_expect_parse(text, &expect, error);
}

/* How much an expression becomes when it is compiled: repetitions are written out, and those within them again. */
struct expression_size {
	unsigned long all;
	unsigned long last; /* of that, what a repetition that comes next would repeat */
};

static void add_part(struct expression_size *size, unsigned long part)
{
	size->last = part;
	size->all += part;
}

static void repeat_last(struct expression_size *size, unsigned long times)
{
	unsigned long more = size->last * (times < BODY_SIZE_MAX ? times : BODY_SIZE_MAX) + 1;

	size->last += more;
	size->all += more;
}

/* Of "{2,5}" and the like, the greater number. */
static unsigned long most_of(const char *braces)
{
	const char *comma = braces + strcspn(braces, ",}");

	return strtoul(*comma == ',' && comma[1] != '}' ? comma + 1 : braces + 1, NULL, 10);
}

/*
 * Why an expression is none for a check, whatever the C library thinks of it. To look back for what a group has
 * found takes any time, and repetitions of repetitions any memory. NULL: it is one.
 */
static const char *expression_fault(const char *text)
{
	struct expression_size size[BODY_DEPTH_MAX] = { { 0 } };
	unsigned int depth = 0;

	for (; *text; text++) {
		if (*text == '[') {
			text = expression_brackets_end(text);
			add_part(&size[depth], 1);
		} else if (*text == '\\') {
			if (isdigit((unsigned char)*++text))
				return "refers back to a group, which may take too long";
			add_part(&size[depth], 1);
		} else if (*text == '(') {
			if (++depth == BODY_DEPTH_MAX)
				return "has groups within groups within groups";
			size[depth] = (struct expression_size){ 0 };
		} else if (*text == ')') {
			if (depth == 0)
				return "has a ) that closes nothing";
			depth--;
			add_part(&size[depth], size[depth + 1].all + 1);
		} else if (strchr("*+?{", *text)) {
			repeat_last(&size[depth], *text == '{' ? most_of(text) : 1);
		} else {
			add_part(&size[depth], 1);
		}
		if (size[depth].all > BODY_SIZE_MAX)
			return "repeats too much";
		if (!*text)
			break;
	}
	return NULL;
}

/* As it will be looked for (expression.h). */
static int compiled_fault(const char *text, struct error *error)
{
	struct expression *expression = expression_new(text);

	if (!expression)
		return errno == E2BIG ? error_set(error, EINVAL, "\"%.64s\" repeats too much", text) :
					error_set(error, errno, "%s", strerror(errno));
	expression_free(expression);
	return 0;
}

int check_body_fault(const char *text, struct error *error)
{
	char why[128];
	regex_t regex;
	int err;

	if (expression_fault(text))
		return error_set(error, EINVAL, "\"%.64s\" %s", text, expression_fault(text));
	err = regcomp(&regex, text, CHECK_REGEX_FLAGS);

	if (!err) {
		regfree(&regex);
		return compiled_fault(text, error);
	}
	regerror(err, &regex, why, sizeof(why));
	return error_set(error, EINVAL, "\"%.64s\" is not an extended regular expression: %s", text, why);
}

int check_sni_fault(const char *text, struct error *error)
{
	if (text[strspn(text, NAME_CHARACTERS)])
		return error_set(error, EINVAL, "\"%.64s\" is not a host's name, such as \"www.example.com\"", text);
	return 0;
}

int check_send_fault(const char *text, struct error *error)
{
	struct check_payload payload;

	return check_payload_parse(text, false, &payload, error);
}

int check_receive_fault(const char *text, struct error *error)
{
	struct check_payload payload;

	return check_payload_parse(text, true, &payload, error);
}

int check_query_fault(const char *text, struct error *error)
{
	uint8_t wire[CHECK_NAME_MAX];
	int length = check_name_parse(text, wire, error);

	if (length < 0)
		return length;
	return is_word(text) ? 0 : error_set(error, EINVAL, "\"%.64s\" has a blank or a control character", text);
}

int check_rcode_fault(const char *text, struct error *error)
{
	uint32_t rcodes;

	return check_rcodes_parse(text, &rcodes, error);
}
