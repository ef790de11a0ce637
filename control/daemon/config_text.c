/* SPDX-License-Identifier: BSD-3-Clause */
/* What has to be done to a configuration's text before libconfig reads it. */
#include "config_text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct text {
	const char *at;
	const char *end;
	char *out; /* NULL: only looked at */
	int line;
};

static char peek(const struct text *t, size_t ahead)
{
	return (size_t)(t->end - t->at) > ahead ? t->at[ahead] : '\0';
}

static void put(struct text *t, char c)
{
	if (t->out)
		*t->out++ = c;
}

static void copy(struct text *t)
{
	if (*t->at == '\n')
		t->line++;
	put(t, *t->at++);
}

static void copy_line_comment(struct text *t)
{
	while (t->at < t->end && *t->at != '\n')
		copy(t);
}

static bool copy_block_comment(struct text *t)
{
	copy(t);
	copy(t);
	while (t->at < t->end && !(*t->at == '*' && peek(t, 1) == '/'))
		copy(t);
	if (t->at == t->end)
		return false;
	copy(t);
	copy(t);
	return true;
}

static bool copy_string(struct text *t)
{
	copy(t);
	while (t->at < t->end && *t->at != '"') {
		if (*t->at == '\\' && t->end - t->at > 1)
			copy(t);
		copy(t);
	}
	if (t->at == t->end)
		return false;
	copy(t);
	return true;
}

/* A number, or false if it is too long for any; "L" is put behind one that needs it and hasn't any. */
static bool copy_number(struct text *t)
{
	bool hex = *t->at == '0' && (peek(t, 1) | 0x20) == 'x';
	uint64_t number = 0;
	int digits = 0;

	if (hex) {
		copy(t);
		copy(t);
	}
	while (t->at < t->end && (hex ? isxdigit((unsigned char)*t->at) : isdigit((unsigned char)*t->at))) {
		char c = *t->at;

		if (number || c != '0')
			digits++;
		if (digits > (hex ? 15 : 18))
			return false;
		number = number * (hex ? 16 : 10) +
			(uint64_t)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
		copy(t);
	}
	if (number > INT_MAX && !strchr(hex ? "L" : "L.eE", peek(t, 0) ? peek(t, 0) : ' '))
		put(t, 'L');
	/* The rest of a fraction is no number of its own. */
	while (t->at < t->end && (isalnum((unsigned char)*t->at) || *t->at == '.'))
		copy(t);
	return true;
}

static void copy_word(struct text *t)
{
	while (t->at < t->end && (isalnum((unsigned char)*t->at) || strchr("_-*", *t->at)))
		copy(t);
}

static int copy_token(struct text *t, struct error *error)
{
	const char *start = t->at;

	if (!*t->at)
		return error_set(error, EINVAL, "holds a zero byte: not a text file");
	if (*t->at == '#' || (*t->at == '/' && peek(t, 1) == '/'))
		copy_line_comment(t);
	else if (*t->at == '/' && peek(t, 1) == '*')
		return copy_block_comment(t) ? 0
					     : error_set(error, EINVAL, "a comment that begins here has no end");
	else if (*t->at == '"')
		return copy_string(t) ? 0 : error_set(error, EINVAL, "a string that begins here has no end");
	else if (isdigit((unsigned char)*t->at))
		return copy_number(t) ? 0 : error_set(error, EINVAL, "%.18s... is too large a number", start);
	else if (isalpha((unsigned char)*t->at) || *t->at == '*')
		copy_word(t);
	else
		copy(t);
	return 0;
}

int config_text_prepare(const char *text, size_t size, char **out, int *line, struct error *error)
{
	/* A number that is given an "L" has ten characters at least. */
	char *prepared = malloc(size + size / 8 + 2);
	struct text t = { .at = text, .end = text + size, .out = prepared, .line = 1 };

	*line = 0;
	if (!prepared)
		return error_set(error, ENOMEM, "out of memory");
	while (t.at < t.end) {
		int err;

		*line = t.line;
		err = copy_token(&t, error);
		if (err) {
			free(prepared);
			return err;
		}
	}
	*t.out = '\0';
	/* A zero byte within a string or a comment. */
	if (strlen(prepared) != (size_t)(t.out - prepared)) {
		free(prepared);
		return error_set(error, EINVAL, "holds a zero byte: not a text file");
	}
	*out = prepared;
	return 0;
}

/* Whether an "@include" begins here; libconfig wants it at the start of a line, and refuses it elsewhere. */
static bool is_include(const struct text *t, struct config_include *include)
{
	static const char word[] = "@include";
	const char *at = t->at + sizeof(word) - 1, *quote;

	if (strncmp(t->at, word, sizeof(word) - 1) || !*at || !strchr(" \t", *at))
		return false;
	at += strspn(at, " \t");
	quote = *at == '"' ? strchr(at + 1, '"') : NULL;
	if (!quote)
		return false;
	*include = (struct config_include){ .name = at + 1, .length = (size_t)(quote - at - 1), .line = t->line };
	return true;
}

bool config_text_include(const char **at, int *line, struct config_include *include)
{
	struct text t = { .at = *at, .end = *at + strlen(*at), .line = *line };
	struct error error;

	while (t.at < t.end) {
		bool found = *t.at == '@' && is_include(&t, include);

		if (copy_token(&t, &error))
			return false;
		*at = t.at;
		*line = t.line;
		if (found)
			return true;
	}
	return false;
}

const char *config_text_line(const char *text, int line, char *copy_to, size_t size)
{
	size_t length;

	while (--line > 0 && (text = strchr(text, '\n')))
		text++;
	if (!text)
		return "";
	text += strspn(text, " \t");
	length = strcspn(text, "\r\n");
	if (length >= size)
		length = size - 1;
	memcpy(copy_to, text, length);
	copy_to[length] = '\0';
	return copy_to;
}
