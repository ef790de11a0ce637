/* SPDX-License-Identifier: BSD-3-Clause */
/* access.show, .new, .remove, .add, .del */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_access.h"
#include "counters.h"
#include "model.h"
#include "rpc_method.h"

#define LIMIT 1000

static json_t *users(struct model *model, const struct access_list *list)
{
	json_t *vips = json_array();
	char text[ADDRESS_VIP_TEXT];

	for (const struct vip *vip = model_access_user(model, list, NULL); vip; vip = model_access_user(model, list, vip))
		json_array_append_new(
			vips, json_string(address_print_vip(vip->address, vip->protocol, vip->port, text)));
	return vips;
}

static json_t *list_json(struct model *model, const struct access_list *list)
{
	uint64_t packets[2];

	access_list_packets(list, packets);
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "name", list->name, "allow", (json_int_t)list->n_allow,
		"deny", (json_int_t)(list->n - list->n_allow), "packets_allowed", (json_int_t)packets[1],
		"packets_denied", (json_int_t)packets[0], "vips", users(model, list));
}

static json_t *rule_json(const struct access_rule *rule)
{
	char text[ADDRESS_PREFIX_TEXT];

	return json_pack("{s:s,s:s,s:I}", "prefix", address_print_prefix(rule->address, rule->length, text), "action",
		rule->allow ? "allow" : "deny", "packets", (json_int_t)access_rule_packets(rule));
}

/* Most packets first, then in the list's order. */
static int by_packets(const void *a, const void *b)
{
	const struct access_rule *x = *(const struct access_rule *const *)a, *y = *(const struct access_rule *const *)b;
	uint64_t of_x = access_rule_packets(x), of_y = access_rule_packets(y);

	return of_x != of_y ? (of_x < of_y) - (of_x > of_y) : (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
	const struct access_rule *x = *(const struct access_rule *const *)a, *y = *(const struct access_rule *const *)b;

	return (x > y) - (x < y);
}

/* The rules with most packets, at most limit, in the list's order; NULL: no memory. */
static json_t *rules_json(const struct access_list *list, size_t limit)
{
	const struct access_rule **rules = calloc(list->n + 1u, sizeof(*rules));
	json_t *array = rules ? json_array() : NULL;
	size_t n = list->n;

	for (size_t i = 0; array && i < n; i++)
		rules[i] = &list->rules[i];
	if (array && n > limit) {
		qsort(rules, n, sizeof(*rules), by_packets);
		n = limit;
		qsort(rules, n, sizeof(*rules), by_place);
	}
	for (size_t i = 0; array && i < n; i++)
		json_array_append_new(array, rule_json(rules[i]));
	free(rules);
	return array;
}

static enum rpc_outcome no_list(struct rpc_call *call, const char *name)
{
	return rpc_fail(call, RPC_REFUSED, -ENOENT, "there is no access list \"%.64s\"", name);
}

enum rpc_outcome rpc_access_show(struct rpc_call *call)
{
	struct model *model = call->daemon->model;
	const struct rpc_value *limit = rpc_get(call, "limit");
	const char *name = rpc_get_text(call, "list");
	struct access_list *list;
	json_t *lists;

	counters_refresh(call->daemon->counters);
	if (name) {
		list = model_access_find(model, name);
		if (!list)
			return no_list(call, name);
		call->result = list_json(model, list);
		json_object_set_new(call->result, "rules", rules_json(list, limit->given ? (size_t)limit->number : LIMIT));
		return RPC_DONE;
	}
	lists = json_array();
	for (list = model_access_lists(model); list; list = list->next)
		json_array_append_new(lists, list_json(model, list));
	call->result = json_pack("{s:o}", "access", lists);
	return RPC_DONE;
}

enum rpc_outcome rpc_access_new(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call, model_access_new(call->daemon->model, rpc_get_text(call, "list"), &error), &error);
}

enum rpc_outcome rpc_access_remove(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call, model_access_remove(call->daemon->model, rpc_get_text(call, "list"), &error), &error);
}

/* The prefixes of the request, which were looked at already; to be freed. NULL: no memory. */
static struct config_prefix *take_prefixes(const struct rpc_call *call, bool allow, size_t *n)
{
	const json_t *from = rpc_get(call, "prefixes")->object, *item;
	struct config_prefix *prefixes = calloc(json_array_size(from) + 1, sizeof(*prefixes));
	struct error error;
	size_t i;

	*n = 0;
	if (!prefixes)
		return NULL;
	json_array_foreach (from, i, item) {
		access_prefix_parse(json_string_value(item), &prefixes[i], &error);
		prefixes[i].allow = allow;
	}
	*n = i;
	config_prefixes_settle(prefixes, n, &error);
	return prefixes;
}

enum rpc_outcome rpc_access_add(struct rpc_call *call)
{
	bool allow = !strcmp(rpc_get_text(call, "action"), "allow");
	struct config_prefix *prefixes;
	enum rpc_outcome outcome;
	struct error error;
	size_t n;
	int added;

	prefixes = take_prefixes(call, allow, &n);
	if (!prefixes)
		return rpc_fail(call, RPC_INTERNAL_ERROR, -ENOMEM, "out of memory");
	added = model_access_add(call->daemon->model, rpc_get_text(call, "list"), prefixes, n, &error);
	free(prefixes);
	/* What was counted of their ids before goes to disk with them. */
	counters_refresh(call->daemon->counters);
	outcome = rpc_changed(call, added, &error);
	if (call->result)
		json_object_set_new(call->result, "added", json_integer(added));
	return outcome;
}

enum rpc_outcome rpc_access_del(struct rpc_call *call)
{
	struct config_prefix *prefixes;
	struct error error;
	size_t n;
	int err;

	prefixes = take_prefixes(call, false, &n);
	if (!prefixes)
		return rpc_fail(call, RPC_INTERNAL_ERROR, -ENOMEM, "out of memory");
	/* Up to now they are theirs. */
	counters_refresh(call->daemon->counters);
	err = model_access_del(call->daemon->model, rpc_get_text(call, "list"), prefixes, n, &error);
	free(prefixes);
	return rpc_changed(call, err, &error);
}
