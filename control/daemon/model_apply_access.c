/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists of a reload: rules that stay keep their ids and counters. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

#define SAID_ONE_BY_ONE 16

static const struct config_access *find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_access; i++)
		if (!strcmp(config->access[i].name, name))
			return &config->access[i];
	return NULL;
}

static int say(json_t *changes, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int say(json_t *changes, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = json_array_append_new(changes, json_vsprintf(format, args)) ? -ENOMEM : 0;
	va_end(args);
	return err;
}

/* What happens to these prefixes: "added", "removed". */
static int say_prefixes(json_t *changes, const char *name, const struct config_prefix *prefixes, size_t n,
	const char *what)
{
	char text[ADDRESS_PREFIX_TEXT];
	int err = 0;

	if (n > SAID_ONE_BY_ONE)
		return say(changes, "access %s %zu prefixes %s", name, n, what);
	for (size_t i = 0; i < n && !err; i++)
		err = say(changes, "access %s %s %s %s", name, prefixes[i].allow ? "allow" : "deny",
			address_print_prefix(prefixes[i].address, prefixes[i].length, text), what);
	return err;
}

static bool is_wanted(const struct config_access *to, const struct config_prefix *prefix)
{
	const struct config_prefix *there =
		to->n_prefixes ? bsearch(prefix, to->prefixes, to->n_prefixes, sizeof(*prefix), config_prefix_compare) :
				 NULL;

	return there && there->allow == prefix->allow;
}

/* Take out the rules that are not to be any more; to: NULL, all of them. */
static int shrink(struct model *model, struct access_list *list, const struct config_access *to, bool dry_run,
	json_t *changes)
{
	struct config_prefix *removed = calloc(list->n + 1u, sizeof(*removed));
	struct error error;
	size_t n = 0;
	int err = removed ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < list->n && !err; i++) {
		const struct access_rule *rule = &list->rules[i];
		struct config_prefix prefix = { rule->address, rule->length, rule->allow };

		if (!to || !is_wanted(to, &prefix))
			removed[n++] = prefix;
	}
	if (!err && to)
		err = say_prefixes(changes, list->name, removed, n, "removed");
	if (!err && n && !dry_run)
		err = access_list_del(list, &model->rule_ids, removed, n, &error);
	free(removed);
	return err;
}

static int grow(struct model *model, const struct config_access *to, bool dry_run, json_t *changes)
{
	struct access_list *list = model_access_find(model, to->name);
	struct config_prefix *added = calloc(to->n_prefixes + 1, sizeof(*added));
	struct error error;
	size_t n = 0;
	int err = added ? 0 : -ENOMEM;

	for (size_t i = 0; i < to->n_prefixes && !err; i++) {
		const struct access_rule *there = list ? access_list_find(list, &to->prefixes[i]) : NULL;

		if (!there || there->allow != to->prefixes[i].allow)
			added[n++] = to->prefixes[i];
	}
	if (!err && !list)
		err = say(changes, "access %s added, %zu prefix%s", to->name, n, n == 1 ? "" : "es");
	else if (!err)
		err = say_prefixes(changes, to->name, added, n, "added");
	if (!err && !list && !dry_run)
		err = model_access_insert(model, to->name, &list, &error);
	if (!err && n && !dry_run)
		err = access_list_add(list, &model->rule_ids, added, n, &error);
	if (err >= 0 && !dry_run)
		list->digest = to->digest;
	free(added);
	if (err > 0)
		model_tell_snapshot_needed(model);
	return err < 0 ? err : 0;
}

int model_apply_access(struct model *model, const struct config *config, bool dry_run, json_t *changes)
{
	size_t before = json_array_size(changes);
	int err = 0;

	/* First what gives up ids, then what takes some. */
	for (struct access_list *list = model->first_access; list && !err; list = list->next)
		err = shrink(model, list, find(config, list->name), dry_run, changes);
	for (size_t i = 0; i < config->n_access && !err; i++)
		err = grow(model, &config->access[i], dry_run, changes);
	if (!err && !dry_run && json_array_size(changes) != before)
		model_tell_snapshot_needed(model);
	return err;
}

json_t *model_apply_prefix_files(struct model *model, const struct config *config)
{
	json_t *changes = json_array();
	int err = changes ? 0 : -ENOMEM;

	for (int growing = 0; growing < 2; growing++)
		for (size_t i = 0; i < config->n_access && !err; i++) {
			const struct config_access *to = &config->access[i];
			struct access_list *list = model_access_find(model, to->name);

			/* One that was removed by command stays so, and one that was made by command what it is.
			 */
			if (!to->digest || !list || !list->digest || list->digest == to->digest)
				continue;
			err = growing ? grow(model, to, false, changes) : shrink(model, list, to, false, changes);
		}
	if (err) {
		json_decref(changes);
		return NULL;
	}
	if (json_array_size(changes)) {
		model->generation++;
		model_tell_snapshot_needed(model);
	}
	return changes;
}

int model_apply_access_end(struct model *model, const struct config *config, bool dry_run, json_t *changes)
{
	int err = 0;

	for (struct access_list *list = model->first_access, *next; list && !err; list = next) {
		next = list->next;
		if (find(config, list->name))
			continue;
		err = say(changes, "access %s removed", list->name);
		if (!dry_run)
			model_access_drop(model, list);
	}
	return err;
}
