/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists of a configuration. */
#include "config_access.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access_list.h"
#include "address.h"
#include "config_check.h"
#include "config_reader.h"
#include "suggest.h"

#define BLANKS " \t\r"
/* Some may be there twice. The daemon does nothing else while it reads them. */
#define READ_MAX (2 * SNAPSHOT_MAX_RULES)

int access_prefix_parse(const char *text, struct config_prefix *prefix, struct error *error)
{
	char right[ADDRESS_PREFIX_TEXT];
	int err = address_parse_prefix(text, &prefix->address, &prefix->length);

	if (err == -ERANGE)
		return error_set(error, EINVAL, "\"%.64s\" has bits behind its length: %s is meant, or another length?",
			text, address_print_prefix(prefix->address, prefix->length, right));
	if (err)
		return error_set(error, EINVAL,
			"\"%.64s\" is not a prefix, as \"203.0.113.0/24\" or \"2001:db8::/32\", nor an address", text);
	return 0;
}

int access_prefix_check(const char *text, struct error *error)
{
	struct config_prefix prefix;

	return access_prefix_parse(text, &prefix, error);
}

static int refuse(const struct config *config, const struct config_access *list, const char *setting, int err,
	struct error *error)
{
	char name[64];

	snprintf(name, sizeof(name), "access[%zu]%s", (size_t)(list - config->access), setting);
	return config_place(error, list->file, list->line, name, err);
}

/* Room for n more prefixes. */
static int reserve(struct config_access *list, size_t n, size_t *room)
{
	size_t wanted = *room ? *room : 64;
	struct config_prefix *grown;

	while (wanted < list->n_prefixes + n)
		wanted *= 2;
	if (wanted == *room)
		return 0;
	grown = realloc(list->prefixes, wanted * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->prefixes = grown;
	*room = wanted;
	return 0;
}

static int add(struct config_access *list, const char *text, bool allow, size_t *room, struct error *error)
{
	struct config_prefix *prefix;
	int err;

	if (list->n_prefixes == READ_MAX)
		return error_set(
			error, EINVAL, "too many prefixes: at most %d in all lists together", SNAPSHOT_MAX_RULES);
	if (reserve(list, 1, room))
		return error_set(error, ENOMEM, "out of memory");
	prefix = &list->prefixes[list->n_prefixes];
	err = access_prefix_parse(text, prefix, error);
	prefix->allow = allow;
	list->n_prefixes += !err;
	return err;
}

/* The file's path: one that is relative is beside the configuration. */
static char *path_of(const struct config *config, const char *name)
{
	char *copy, *path = NULL;

	if (name[0] == '/')
		return strdup(name);
	copy = strdup(config->files.item[0]);
	if (copy && asprintf(&path, "%s/%s", dirname(copy), name) < 0)
		path = NULL;
	free(copy);
	return path;
}

/* The lines of a file's text, which is changed. */
static int add_lines(struct config_access *list, const char *path, char *text, bool allow, size_t *room,
	struct error *error)
{
	int line = 0;

	for (char *at = text, *next; at; at = next) {
		size_t length;
		int err;

		line++;
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		at += strspn(at, BLANKS);
		length = strcspn(at, BLANKS "#");
		if (!length)
			continue;
		if (at[length] && at[length] != '#' && at[length + strspn(at + length, BLANKS)] &&
			at[length + strspn(at + length, BLANKS)] != '#') {
			error_set(error, EINVAL, "there is more than a prefix on the line");
			return config_place(error, path, line, NULL, -EINVAL);
		}
		at[length] = '\0';
		err = add(list, at, allow, room, error);
		if (err)
			return err == -ENOMEM ? err : config_place(error, path, line, NULL, err);
	}
	return 0;
}

static int add_file(struct config *config, struct config_access *list, const char *name, bool allow, size_t *room,
	struct error *error)
{
	char *path = path_of(config, name), *text = NULL;
	size_t size;
	int err;

	if (!path)
		return error_set(error, ENOMEM, "out of memory");
	err = config_slurp(path, &text, &size, error);
	if (err) {
		if (err != -ENOMEM)
			err = refuse(config, list, allow ? ".allow_file" : ".deny_file", -EINVAL, error);
		free(path);
		return err;
	}
	list->digest = config_digest_add(list->digest ? list->digest : CONFIG_DIGEST_BEGIN, text, size);
	/* Whose end it is; a zero byte is in no file. */
	list->digest = config_digest_add(list->digest, allow ? "\0a" : "\0d", 2);
	if (memchr(text, '\0', size)) {
		error_set(error, EINVAL, "there is a zero byte in it");
		err = config_place(error, path, 0, NULL, -EINVAL);
	} else {
		err = add_lines(list, path, text, allow, room, error);
	}
	free(text);
	free(path);
	return err;
}

static int read_list(struct config *config, struct config_access *list, struct error *error)
{
	size_t room = 0;
	int err = 0;

	/* As strings they were looked at already. */
	for (size_t i = 0; i < list->allow.n && !err; i++)
		err = add(list, list->allow.item[i], true, &room, error);
	for (size_t i = 0; i < list->deny.n && !err; i++)
		err = add(list, list->deny.item[i], false, &room, error);
	if (!err && list->allow_file)
		err = add_file(config, list, list->allow_file, true, &room, error);
	if (!err && list->deny_file)
		err = add_file(config, list, list->deny_file, false, &room, error);
	if (err)
		return err;
	err = config_prefixes_settle(list->prefixes, &list->n_prefixes, error);
	return err ? refuse(config, list, "", -EINVAL, error) : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct config_access *x = *(const struct config_access *const *)a,
				   *y = *(const struct config_access *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

static int find_name(const void *key, const void *item)
{
	return strcmp(key, (*(const struct config_access *const *)item)->name);
}

static int check_names(const struct config *config, const struct config_access **sorted, struct error *error)
{
	for (size_t i = 0; i < config->n_access; i++)
		if (!strcmp(sorted[i]->name, ACCESS_NO_LIST)) {
			error_set(error, EINVAL,
				"\"" ACCESS_NO_LIST "\" is what commands call having no access list");
			return refuse(config, sorted[i], ".name", -EINVAL, error);
		}
	for (size_t i = 1; i < config->n_access; i++) {
		char where[128];

		if (strcmp(sorted[i - 1]->name, sorted[i]->name))
			continue;
		config_elsewhere(where, sizeof(where), sorted[i - 1]->file, sorted[i - 1]->line, sorted[i]->file);
		error_set(error, EINVAL, "\"%s\" is the name of the access list %s already", sorted[i]->name, where);
		return refuse(config, sorted[i], ".name", -EINVAL, error);
	}
	return 0;
}

static int check_vips(const struct config *config, const struct config_access **sorted, struct error *error)
{
	for (size_t i = 0; i < config->n_vips; i++) {
		const struct config_vip *vip = &config->vips[i];
		const char *name = vip->policy.access;
		struct suggestion nearest = { .word = name };
		char setting[64];

		if (!*name || (config->n_access && bsearch(name, sorted, config->n_access, sizeof(*sorted), find_name)))
			continue;
		for (size_t k = 0; k < config->n_access; k++)
			suggest(&nearest, config->access[k].name);
		snprintf(setting, sizeof(setting), "vips[%zu].access", i);
		error_set(error, EINVAL, "there is no access list \"%s\"%s%s%s", name,
			nearest.best ? ": did you mean \"" : "", nearest.best ? nearest.best : "",
			nearest.best ? "\"?" : "");
		return config_place(error, vip->file, vip->line, setting, -EINVAL);
	}
	return 0;
}

int config_access_read(struct config *config, struct error *error)
{
	const struct config_access **sorted = calloc(config->n_access + 1, sizeof(*sorted));
	size_t total = 0;
	int err = 0;

	if (!sorted)
		return error_set(error, ENOMEM, "out of memory");
	for (size_t i = 0; i < config->n_access && !err; i++) {
		err = read_list(config, &config->access[i], error);
		total += config->access[i].n_prefixes;
		sorted[i] = &config->access[i];
		if (!err && total > SNAPSHOT_MAX_RULES) {
			error_set(error, EINVAL, "%zu prefixes are too many: at most %d in all lists together", total,
				SNAPSHOT_MAX_RULES);
			err = refuse(config, &config->access[i], "", -EINVAL, error);
		}
	}
	if (!err) {
		qsort(sorted, config->n_access, sizeof(*sorted), by_name);
		err = check_names(config, sorted, error);
	}
	if (!err)
		err = check_vips(config, sorted, error);
	free(sorted);
	return err;
}
