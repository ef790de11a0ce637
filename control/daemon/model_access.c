/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists of the running set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"
#include "suggest.h"

struct access_list *model_access_lists(struct model *model)
{
	return model->first_access;
}

struct access_segment *model_access_segments(struct model *model)
{
	return model->segments;
}

struct access_list *model_access_find(struct model *model, const char *name)
{
	struct access_list *list = model->first_access;

	while (list && strcmp(list->name, name))
		list = list->next;
	return list;
}

static int no_list(struct model *model, const char *name, struct error *error)
{
	struct suggestion nearest = { .word = name };

	for (const struct access_list *list = model->first_access; list; list = list->next)
		suggest(&nearest, list->name);
	return error_set(error, ENOENT, "there is no access list \"%.64s\"%s%s%s", name,
		nearest.best ? " (did you mean \"" : "", nearest.best ? nearest.best : "", nearest.best ? "\"?)" : "");
}

int model_access_check(struct model *model, const char *name, struct error *error)
{
	return !*name || model_access_find(model, name) ? 0 : no_list(model, name, error);
}

int model_access_insert(struct model *model, const char *name, struct access_list **out, struct error *error)
{
	struct access_list **at = &model->first_access;

	*out = access_list_new(name);
	if (!*out)
		return error_set(error, ENOMEM, "out of memory");
	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	(*out)->next = *at;
	*at = *out;
	model->n_access++;
	return 0;
}

void model_access_drop(struct model *model, struct access_list *list)
{
	struct access_list **at = &model->first_access;

	while (*at != list)
		at = &(*at)->next;
	*at = list->next;
	model->n_access--;
	access_list_free(list, &model->rule_ids);
}

const struct vip *model_access_user(struct model *model, const struct access_list *list, const struct vip *after)
{
	const struct vip *vip = after ? after->next : model->first_vip;

	while (vip && strcmp(vip->policy.access, list->name))
		vip = vip->next;
	return vip;
}

/* The list's rules are others. */
static void touch(struct model *model, struct access_list *list)
{
	model->generation++;
	if (model_access_user(model, list, NULL))
		model_tell_snapshot_needed(model);
}

int model_access_new(struct model *model, const char *name, struct error *error)
{
	struct access_list *list;
	int err;

	if (!model_name_is_good(name))
		return error_set(error, EINVAL, "\"%.64s\" is not a name of 1 to 63 letters, digits and . _ -", name);
	if (!strcmp(name, ACCESS_NO_LIST))
		return error_set(
			error, EINVAL, "\"" ACCESS_NO_LIST "\" is what commands call having no access list");
	if (model_access_find(model, name))
		return error_set(error, EEXIST, "access list \"%s\" is there already", name);
	if (model->n_access >= CONFIG_MAX_ACCESS)
		return error_set(error, ENOSPC, "there are %d access lists already, as many as can be",
			CONFIG_MAX_ACCESS);
	err = model_access_insert(model, name, &list, error);
	model->generation += !err;
	return err;
}

int model_access_remove(struct model *model, const char *name, struct error *error)
{
	struct access_list *list = model_access_find(model, name);
	const struct vip *vip = list ? model_access_user(model, list, NULL) : NULL;
	char text[ADDRESS_VIP_TEXT];

	if (!list)
		return no_list(model, name, error);
	if (vip)
		return error_set(error, EBUSY, "access list \"%s\" is in use by VIP %s", name,
			address_print_vip(vip->address, vip->protocol, vip->port, text));
	model_access_drop(model, list);
	model->generation++;
	return 0;
}

int model_access_add(
	struct model *model, const char *name, const struct config_prefix *prefixes, size_t n, struct error *error)
{
	struct access_list *list = model_access_find(model, name);
	int added;

	if (!list)
		return no_list(model, name, error);
	added = access_list_add(list, &model->rule_ids, prefixes, n, error);
	if (added > 0)
		touch(model, list);
	return added;
}

int model_access_del(
	struct model *model, const char *name, const struct config_prefix *prefixes, size_t n, struct error *error)
{
	struct access_list *list = model_access_find(model, name);
	int err;

	if (!list)
		return no_list(model, name, error);
	err = access_list_del(list, &model->rule_ids, prefixes, n, error);
	if (!err)
		touch(model, list);
	return err;
}
