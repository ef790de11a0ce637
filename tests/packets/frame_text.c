/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of frame_text.h: words and their values, and the order in which layers are finished. */
#include "frame_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame_layers.h"

#define WORDS_MAX 24

/* The words of a line behind the first: key=value. */
struct frame_words {
	struct frame_text *text;
	int n;
	char *key[WORDS_MAX];
	char *value[WORDS_MAX];
	int used[WORDS_MAX];
};

int frame_fail(struct frame_text *t, const char *format, ...)
{
	va_list arguments;

	if (t->error[0])
		return -1;
	va_start(arguments, format);
	vsnprintf(t->error, sizeof(t->error), format, arguments);
	va_end(arguments);
	return -1;
}

const char *frame_word(struct frame_words *w, const char *key)
{
	for (int i = 0; i < w->n; i++)
		if (!strcmp(w->key[i], key)) {
			w->used[i] = 1;
			return w->value[i];
		}
	return NULL;
}

unsigned long frame_number(struct frame_words *w, const char *key, unsigned long otherwise)
{
	const char *value = frame_word(w, key);
	unsigned long number;
	char *end;

	if (!value)
		return otherwise;
	number = strtoul(value, &end, 0);
	if (end == value || *end)
		frame_fail(w->text, "%s=%s is not a number", key, value);
	return number;
}

unsigned long frame_given(struct frame_words *w, const char *key, struct frame_layer *l, unsigned bit)
{
	if (frame_word(w, key))
		l->given |= bit;
	return frame_number(w, key, 0);
}

struct mac frame_mac(struct frame_words *w, const char *key)
{
	const char *value = frame_word(w, key);
	struct mac mac = { { 0 } };
	int used = 0;

	if (!value) {
		frame_fail(w->text, "%s= is missing", key);
		return mac;
	}
	for (const struct frame_name *n = w->text->names; n && n->name; n++)
		if (!strcmp(n->name, value))
			return n->mac;
	if (sscanf(value, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%n", &mac.byte[0], &mac.byte[1], &mac.byte[2],
		    &mac.byte[3], &mac.byte[4], &mac.byte[5], &used) != 6 ||
		value[used])
		frame_fail(w->text, "%s=%s is neither a MAC address nor the name of one", key, value);
	return mac;
}

void frame_address(struct frame_words *w, const char *key, int family, void *bytes)
{
	const char *value = frame_word(w, key);

	if (!value || inet_pton(family, value, bytes) != 1)
		frame_fail(w->text, "%s=%s is no %s address", key, value ? value : "",
			family == AF_INET ? "IPv4" : "IPv6");
}

uint8_t *frame_append(struct frame_text *t, const void *bytes, size_t size)
{
	uint8_t *at;

	if (size > sizeof(t->data) - t->len) {
		frame_fail(t, "the frame is larger than %zu bytes", sizeof(t->data));
		t->len = 0;
	}
	at = t->data + t->len;
	if (bytes)
		memcpy(at, bytes, size);
	else
		memset(at, 0, size);
	t->len += size;
	return at;
}

size_t frame_append_hex(struct frame_words *w, const char *key)
{
	const char *value = frame_word(w, key);
	size_t bytes = 0;

	while (value && *value) {
		char digits[3] = { value[0], value[1], 0 };
		uint8_t byte;

		if (*value == '.') {
			value++;
			continue;
		}
		if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1])) {
			frame_fail(w->text, "%s= is not pairs of hex digits, with dots between at most", key);
			break;
		}
		byte = (uint8_t)strtoul(digits, NULL, 16);
		frame_append(w->text, &byte, 1);
		value += 2;
		bytes++;
	}
	return bytes;
}

static const struct frame_layer_kind *find_kind(const char *word)
{
	for (const struct frame_layer_kind *k = frame_layer_kinds; k->name; k++)
		if (!strcmp(k->name, word))
			return k;
	return NULL;
}

int frame_text_knows(const char *word)
{
	return !strcmp(word, "pad") || !strcmp(word, "cut") || find_kind(word);
}

static int split(struct frame_words *w, char *line)
{
	char *rest = NULL;

	for (char *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		char *equals = strchr(word, '=');

		if (!equals || equals == word)
			return frame_fail(w->text, "%s: not of the form key=value", word);
		if (w->n == WORDS_MAX)
			return frame_fail(w->text, "too many words in one line");
		*equals = 0;
		w->key[w->n] = word;
		w->value[w->n++] = equals + 1;
	}
	return 0;
}

void frame_text_begin(struct frame_text *t, const struct frame_name *names)
{
	memset(t, 0, sizeof(*t));
	t->names = names;
	t->cut_to = SIZE_MAX;
}

int frame_text_add(struct frame_text *t, char *line)
{
	struct frame_words w = { .text = t };
	const struct frame_layer_kind *kind;
	struct frame_layer *l;
	char *rest;

	line += strspn(line, " \t");
	rest = line + strcspn(line, " \t");
	if (*rest)
		*rest++ = 0;
	if (split(&w, rest))
		return -1;
	kind = find_kind(line);
	if (kind) {
		if (t->n_layers == FRAME_TEXT_LAYERS)
			return frame_fail(t, "too many layers");
		l = &t->layer[t->n_layers++];
		l->kind = kind;
		l->start = t->len;
		kind->add(t, &w, l);
		l->header = t->len - l->start;
	} else if (!strcmp(line, "pad")) {
		t->pad_to = frame_number(&w, "to", 0);
		if (t->pad_to > sizeof(t->data))
			frame_fail(t, "pad to=%zu is too large", t->pad_to);
	} else if (!strcmp(line, "cut")) {
		t->cut_to = frame_number(&w, "to", SIZE_MAX);
		t->cut_by = frame_number(&w, "by", 0);
	} else {
		frame_fail(t, "%s: no layer of that name", line);
	}
	for (int i = 0; i < w.n; i++)
		if (!w.used[i])
			frame_fail(t, "%s: %s= means nothing here", line, w.key[i]);
	return t->error[0] ? -1 : 0;
}

int frame_text_finish(struct frame_text *t)
{
	/* From the inside out: an outer checksum may cover an inner one. */
	for (int i = t->n_layers - 1; i >= 0; i--)
		if (t->layer[i].kind->finish)
			t->layer[i].kind->finish(
				t, &t->layer[i], i + 1 < t->n_layers ? &t->layer[i + 1] : NULL, t->len);
	t->content = t->len;
	if (t->pad_to > t->len)
		frame_append(t, NULL, t->pad_to - t->len);
	if (t->cut_to < t->len)
		t->len = t->cut_to;
	t->len -= t->cut_by < t->len ? t->cut_by : t->len;
	return t->error[0] ? -1 : 0;
}

void frame_text_print(const char *title, const uint8_t *bytes, size_t len)
{
	printf("  %s, %zu bytes:", title, len);
	for (size_t i = 0; i < len && i < 160; i++)
		printf("%s%02x", i % 2 ? "" : " ", bytes[i]);
	printf("%s\n", len > 160 ? " ..." : "");
}
