/* SPDX-License-Identifier: BSD-3-Clause */
/* Regular expressions as a program of steps, run at all places at once. */
#include "expression.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum step_kind {
	STEP_BYTE,  /* one of a set */
	STEP_AT,    /* nothing, at such a place */
	STEP_FORK,  /* go on at a and at b */
	STEP_FOUND, /* the end */
};

/* a, b: how many steps further on; so a part can be moved and copied. */
struct step {
	uint8_t kind;
	char at;      /* of STEP_AT: ^ $ or the letter after the backslash */
	uint16_t set; /* of STEP_BYTE */
	int16_t a, b;
};

struct set {
	uint64_t has[4];
};

struct places {
	size_t n;
	uint16_t *step; /* each a STEP_BYTE */
};

struct expression {
	struct step step[EXPRESSION_SIZE_MAX + 1];
	size_t n;
	struct set *set;
	size_t n_sets;
	int error;
	/* While it is looked for: */
	struct places now, next;
	uint16_t *waiting;           /* steps to be followed */
	uint32_t *seen;              /* by step: the turn it was last met in */
	uint32_t turn;
};

static const char *parse_choice(struct expression *e, const char *text);

/* Room for n steps from at on. */
static bool make_room(struct expression *e, size_t at, size_t n)
{
	if (e->n + n > EXPRESSION_SIZE_MAX) {
		e->error = E2BIG;
		return false;
	}
	memmove(e->step + at + n, e->step + at, (e->n - at) * sizeof(e->step[0]));
	e->n += n;
	return true;
}

static void insert(struct expression *e, size_t at, struct step step)
{
	if (make_room(e, at, 1))
		e->step[at] = step;
}

static void append_set(struct expression *e, const struct set *set)
{
	struct set *grown = realloc(e->set, (e->n_sets + 1) * sizeof(*set));

	if (!grown) {
		e->error = ENOMEM;
		return;
	}
	e->set = grown;
	e->set[e->n_sets] = *set;
	insert(e, e->n, (struct step){ .kind = STEP_BYTE, .set = (uint16_t)e->n_sets++, .a = 1 });
}

static void append_byte(struct expression *e, unsigned char byte)
{
	struct set set = { { 0 } };

	set.has[byte / 64] |= 1ull << byte % 64;
	append_set(e, &set);
}

/* What stands for one byte means what the C library takes it for. */
static void append_class(struct expression *e, const char *text, size_t length)
{
	char *copy = strndup(text, length);
	struct set set = { { 0 } };
	regex_t regex;

	if (!copy || regcomp(&regex, copy, REG_EXTENDED | REG_NOSUB | REG_NEWLINE)) {
		free(copy);
		e->error = ENOMEM;
		return;
	}
	for (unsigned int byte = 0; byte < 256; byte++) {
		const char data[2] = { (char)byte, '\0' };
		regmatch_t range = { .rm_so = 0, .rm_eo = 1 };

		if (regexec(&regex, data, 1, &range, REG_STARTEND) == 0)
			set.has[byte / 64] |= 1ull << byte % 64;
	}
	regfree(&regex);
	free(copy);
	append_set(e, &set);
}

/* Within it there may be [:alpha:], [=a=] and [.a.]. */
const char *expression_brackets_end(const char *text)
{
	text++;
	text += *text == '^';
	text += *text == ']';
	for (; *text && *text != ']'; text++) {
		const char *end = *text == '[' && text[1] && strchr(".:=", text[1]) ? strchr(text + 2, text[1]) : NULL;

		if (end && end[1] == ']')
			text = end + 1;
	}
	return text;
}

static const char *parse_escape(struct expression *e, const char *text)
{
	if (!text[1])
		return text + 1;
	if (strchr("wWsS", text[1]))
		append_class(e, text, 2);
	else if (strchr("bB<>`'", text[1]))
		insert(e, e->n, (struct step){ .kind = STEP_AT, .at = text[1], .a = 1 });
	else
		append_byte(e, (unsigned char)text[1]);
	return text + 2;
}

/* What a repetition repeats. */
static const char *parse_one(struct expression *e, const char *text)
{
	const char *end;

	switch (*text) {
	case '(':
		text = parse_choice(e, text + 1);
		return text + (*text == ')');
	case '[':
		end = expression_brackets_end(text);
		end += *end != '\0';
		append_class(e, text, (size_t)(end - text));
		return end;
	case '.':
		append_class(e, text, 1);
		return text + 1;
	case '^':
	case '$':
		insert(e, e->n, (struct step){ .kind = STEP_AT, .at = *text, .a = 1 });
		return text + 1;
	case '\\':
		return parse_escape(e, text);
	default:
		append_byte(e, (unsigned char)*text);
		return text + 1;
	}
}

/* A part that was taken out, once more. */
static void append_copy(struct expression *e, const struct step *part, size_t length)
{
	size_t at = e->n;

	if (make_room(e, at, length))
		memcpy(e->step + at, part, length * sizeof(*part));
}

/* Steps from at on become any number of themselves, from least to most. */
static void repeat(struct expression *e, size_t at, unsigned long least, unsigned long most)
{
	size_t length = e->n - at;
	struct step *part = malloc((length + 1) * sizeof(*part));

	if (!part) {
		e->error = ENOMEM;
		return;
	}
	memcpy(part, e->step + at, length * sizeof(*part));
	e->n = at;
	for (unsigned long i = 0; i < least && length && !e->error; i++)
		append_copy(e, part, length);
	if (most == ULONG_MAX && least) {
		insert(e, e->n, (struct step){ .kind = STEP_FORK, .a = (int16_t)-(int)length, .b = 1 });
	} else if (most == ULONG_MAX) {
		insert(e, e->n, (struct step){ .kind = STEP_FORK, .a = 1, .b = (int16_t)(length + 2) });
		append_copy(e, part, length);
		insert(e, e->n, (struct step){ .kind = STEP_FORK, .a = (int16_t)-(int)length, .b = 1 });
	}
	for (unsigned long i = least; most != ULONG_MAX && i < most && length && !e->error; i++) {
		insert(e, e->n, (struct step){ .kind = STEP_FORK, .a = 1, .b = (int16_t)(length + 1) });
		append_copy(e, part, length);
	}
	free(part);
}

/* "{2}", "{2,}", "{2,5}", "{,5}". */
static const char *parse_braces(struct expression *e, const char *text, size_t at)
{
	char *end;
	unsigned long least = strtoul(text + 1, &end, 10), most = least;

	if (*end == ',')
		most = end[1] == '}' ? ULONG_MAX : strtoul(end + 1, &end, 10);
	repeat(e, at, least, most);
	text += strcspn(text, "}");
	return text + (*text == '}');
}

/* Of the steps from at on. */
static const char *parse_repetition(struct expression *e, const char *text, size_t at)
{
	if (*text == '{')
		return parse_braces(e, text, at);
	repeat(e, at, *text == '+', *text == '?' ? 1 : ULONG_MAX);
	return text + 1;
}

static const char *parse_branch(struct expression *e, const char *text)
{
	while (*text && *text != '|' && *text != ')' && !e->error) {
		size_t at = e->n;

		text = parse_one(e, text);
		while (*text && strchr("*+?{", *text) && !e->error)
			text = parse_repetition(e, text, at);
	}
	return text;
}

/* Branches with a | between, up to the end or the parenthesis that closes them. */
static const char *parse_choice(struct expression *e, const char *text)
{
	size_t at = e->n, first;

	text = parse_branch(e, text);
	while (*text == '|' && !e->error) {
		/* What is there already or what comes now: behind that both go on. */
		first = e->n - at;
		insert(e, at, (struct step){ .kind = STEP_FORK, .a = 1, .b = (int16_t)(first + 2) });
		at = e->n;
		insert(e, at, (struct step){ .kind = STEP_FORK });
		text = parse_branch(e, text + 1);
		if (!e->error)
			e->step[at].a = e->step[at].b = (int16_t)(e->n - at);
		at -= first + 1;
	}
	return text;
}

struct expression *expression_new(const char *text)
{
	struct expression *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	parse_choice(e, text);
	e->step[e->n++] = (struct step){ .kind = STEP_FOUND };
	e->now.step = calloc(e->n, sizeof(uint16_t));
	e->next.step = calloc(e->n, sizeof(uint16_t));
	e->waiting = calloc(e->n * 2, sizeof(uint16_t));
	e->seen = calloc(e->n, sizeof(uint32_t));
	if (!e->error && e->now.step && e->next.step && e->waiting && e->seen)
		return e;
	errno = e->error ? e->error : ENOMEM;
	expression_free(e);
	return NULL;
}

void expression_free(struct expression *e)
{
	if (!e)
		return;
	free(e->now.step);
	free(e->next.step);
	free(e->waiting);
	free(e->seen);
	free(e->set);
	free(e);
}

static bool is_word(const char *data, size_t size, size_t at)
{
	return at < size && (isalnum((unsigned char)data[at]) || data[at] == '_');
}

/* Whether a STEP_AT is right before data[at]. */
static bool is_at(char which, const char *data, size_t size, size_t at)
{
	bool before = at > 0 && is_word(data, size, at - 1), after = is_word(data, size, at);

	switch (which) {
	case '^':
		return at == 0 || data[at - 1] == '\n';
	case '$':
		return at == size || data[at] == '\n';
	case 'b':
		return before != after;
	case 'B':
		return before == after;
	case '<':
		return !before && after;
	case '>':
		return before && !after;
	case '`':
		return at == 0;
	default:
		return at == size;
	}
}

/* All that can be reached from a step before data[at] without a byte is in places. True: the end can. */
static bool follow(struct expression *e, struct places *places, size_t first, const char *data, size_t size, size_t at)
{
	size_t n = 0;

	e->waiting[n++] = (uint16_t)first;
	while (n) {
		size_t i = e->waiting[--n];
		const struct step *step = &e->step[i];

		if (e->seen[i] == e->turn)
			continue;
		e->seen[i] = e->turn;
		if (step->kind == STEP_FOUND)
			return true;
		if (step->kind == STEP_BYTE)
			places->step[places->n++] = (uint16_t)i;
		else if (step->kind == STEP_FORK || is_at(step->at, data, size, at))
			e->waiting[n++] = (uint16_t)((int)i + step->a);
		/* Each step is followed once: never more wait than twice as many as there are. */
		if (step->kind == STEP_FORK)
			e->waiting[n++] = (uint16_t)((int)i + step->b);
	}
	return false;
}

static void next_turn(struct expression *e)
{
	if (++e->turn == 0) {
		memset(e->seen, 0, e->n * sizeof(e->seen[0]));
		e->turn = 1;
	}
}

bool expression_finds(struct expression *e, const char *data, size_t size)
{
	e->now.n = 0;
	next_turn(e);
	for (size_t at = 0;; at++) {
		struct places now;

		/* It may begin here as well. */
		if (follow(e, &e->now, 0, data, size, at))
			return true;
		if (at == size)
			return false;
		now = e->now;
		e->next.n = 0;
		next_turn(e);
		for (size_t k = 0; k < now.n; k++) {
			const struct step *step = &e->step[now.step[k]];
			unsigned char byte = (unsigned char)data[at];

			if ((e->set[step->set].has[byte / 64] >> byte % 64 & 1) &&
				follow(e, &e->next, now.step[k] + 1u, data, size, at + 1))
				return true;
		}
		e->now = e->next;
		e->next = now;
	}
}
