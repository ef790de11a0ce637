/* SPDX-License-Identifier: BSD-3-Clause */
/* What somebody may have meant: the nearest word by edit distance. */
#include "suggest.h"

#include <string.h>

#define WORD_MAX 32

struct nearest {
	const char *text; /* what was typed */
	size_t length;
	const char *word;
	size_t distance;
};

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many insertions, deletions, changes and swaps of neighbours turn a into b (optimal string
 * alignment). Longer words than WORD_MAX are as far from everything as can be.
 */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = min(min(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[b_len];
}

static void consider(struct nearest *nearest, const char *word, size_t length)
{
	size_t distance = edit_distance(nearest->text, nearest->length, word, length);
	/* More than a third of a word wrong is another word. What begins like it is an abbreviation. */
	bool begins = nearest->length && nearest->length < length && !memcmp(nearest->text, word, nearest->length);
	size_t most = length > 5 ? length / 3 : 1 + (length > 3);

	if (begins)
		distance = 1;
	if (distance <= most && (!nearest->word || distance < nearest->distance)) {
		nearest->word = word;
		nearest->distance = distance;
	}
}

/* "add, del or set" into out. */
static void list_second_words(const char *group, char *out, size_t size)
{
	const struct command *command = command_table, *next;

	*out = 0;
	while (command->words[0] && (!command->words[1] || strcmp(command->words[0], group)))
		command++;
	for (; command && command->words[0]; command = next) {
		next = command + 1;
		if (!next->words[0] || strcmp(next->words[0], group))
			next = NULL;
		if (*out)
			strncat(out, next ? ", " : " or ", size - strlen(out) - 1);
		strncat(out, command->words[1], size - strlen(out) - 1);
	}
}

static enum status unknown_second_word(struct failure *failure, const char *group, const char *word,
	const char *near)
{
	char words[64];

	list_second_words(group, words, sizeof(words));
	if (!word)
		return failure_set(failure, STATUS_USAGE, "'%s' needs another word: %s", group, words);
	if (near)
		return failure_set(failure, STATUS_USAGE, "unknown command '%s %s': did you mean '%s %s'?", group,
			word, group, near);
	return failure_set(failure, STATUS_USAGE, "unknown command '%s %s': after '%s' comes %s", group, word,
		group, words);
}

enum status suggest_unknown_command(struct failure *failure, const char *group, const char *word)
{
	struct nearest nearest = { .text = word, .length = word ? strlen(word) : 0 };

	for (const struct command *c = command_table; word && c->words[0]; c++) {
		const char *candidate = group ? c->words[1] : c->words[0];

		if (candidate && (!group || !strcmp(c->words[0], group)))
			consider(&nearest, candidate, strlen(candidate));
	}
	if (group)
		return unknown_second_word(failure, group, word, nearest.word);
	if (nearest.word)
		return failure_set(failure, STATUS_USAGE, "unknown command '%s': did you mean '%s'?", word,
			nearest.word);
	return failure_set(failure, STATUS_USAGE, "unknown command '%s': 'shuntctl help' lists those there are",
		word);
}

const char *suggest_option(const struct command *command, const char *text, size_t length)
{
	struct nearest nearest = { .text = text, .length = length };

	for (const struct parameter *o = command ? command->options : NULL; o && o->name; o++)
		consider(&nearest, o->name, strlen(o->name));
	for (const struct parameter *o = command_global_options; o->name; o++)
		consider(&nearest, o->name, strlen(o->name));
	return nearest.word;
}

const char *suggest_choice(const char *choices, const char *text)
{
	struct nearest nearest = { .text = text, .length = strlen(text) };

	for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		consider(&nearest, at, strcspn(at, "|"));
	return nearest.word;
}
