/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists: rules in order, their ids, their nodes. */
#include "access_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

#define IDS_LEAST 64

struct access_list *access_list_new(const char *name)
{
	struct access_list *list = calloc(1, sizeof(*list));

	if (list) {
		snprintf(list->name, sizeof(list->name), "%s", name);
		list->index = ACCESS_UNUSED;
	}
	return list;
}

static void id_release(struct access_ids *ids, uint32_t id)
{
	ids->used[id / 64] &= ~(1ULL << id % 64);
	ids->n--;
}

static int id_take_exact(struct access_ids *ids, uint32_t id)
{
	if (id >= SNAPSHOT_MAX_RULES || ids->used[id / 64] >> id % 64 & 1)
		return -EINVAL;
	ids->used[id / 64] |= 1ULL << id % 64;
	ids->n++;
	return 0;
}

/*
 * The caller has seen that there is one. Next-fit among the lowest, a quarter more than there are: on the XDP path
 * each costs a counter on every CPU.
 */
static uint32_t id_take(struct access_ids *ids)
{
	uint32_t room = IDS_LEAST, id;

	while (room < SNAPSHOT_MAX_RULES && room < ids->n + ids->n / 4 + 1)
		room *= 2;
	id = ids->next < room ? ids->next : 0;
	while (ids->used[id / 64] >> id % 64 & 1)
		id = (id + 1) % room;
	id_take_exact(ids, id);
	ids->next = id + 1;
	return id;
}

void access_list_free(struct access_list *list, struct access_ids *ids)
{
	for (uint32_t i = 0; i < list->n; i++)
		id_release(ids, list->rules[i].id);
	free(list->rules);
	free(list->words);
	free(list);
}

static int compare(struct addr a, uint8_t a_length, struct addr b, uint8_t b_length)
{
	struct access_prefix x = { .address = a, .length = a_length }, y = { .address = b, .length = b_length };

	return access_prefix_compare(&x, &y);
}

int config_prefix_compare(const void *a, const void *b)
{
	const struct config_prefix *x = a, *y = b;

	return compare(x->address, x->length, y->address, y->length);
}

static int compare_rule(const struct config_prefix *prefix, const struct access_rule *rule)
{
	return compare(prefix->address, prefix->length, rule->address, rule->length);
}

int config_prefixes_settle(struct config_prefix *prefixes, size_t *n, struct error *error)
{
	char text[ADDRESS_PREFIX_TEXT];
	size_t kept = 0;

	if (*n)
		qsort(prefixes, *n, sizeof(*prefixes), config_prefix_compare);
	for (size_t i = 0; i < *n; i++) {
		if (!kept || config_prefix_compare(&prefixes[kept - 1], &prefixes[i]))
			prefixes[kept++] = prefixes[i];
		else if (prefixes[kept - 1].allow != prefixes[i].allow)
			return error_set(error, EEXIST, "%s is both allowed and denied",
				address_print_prefix(prefixes[i].address, prefixes[i].length, text));
	}
	*n = kept;
	return 0;
}

/* Where the prefix is, or would have to be. */
static uint32_t position(const struct access_list *list, const struct config_prefix *prefix)
{
	uint32_t low = 0, high = list->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_rule(prefix, &list->rules[middle]) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct access_rule *access_list_find(const struct access_list *list, const struct config_prefix *prefix)
{
	uint32_t at = position(list, prefix);

	return at < list->n && !compare_rule(prefix, &list->rules[at]) ? &list->rules[at] : NULL;
}

const struct access_rule *access_list_find_id(const struct access_list *list, uint32_t id)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->rules[i].id == id)
			return &list->rules[i];
	return NULL;
}

static void count_allows(struct access_list *list)
{
	list->n_allow = 0;
	for (uint32_t i = 0; i < list->n; i++)
		list->n_allow += list->rules[i].allow;
	list->compiled = false;
}

static struct access_rule new_rule(const struct config_prefix *prefix, struct access_ids *ids)
{
	return (struct access_rule){ .address = prefix->address, .length = prefix->length, .allow = prefix->allow,
		.id = id_take(ids), .fresh = true };
}

static int no_room(const struct access_ids *ids, size_t more, struct error *error)
{
	if (ids->n + more <= SNAPSHOT_MAX_RULES)
		return 0;
	return error_set(error, ENOSPC, "%zu rules of access lists are too many: at most %d in all lists together",
		ids->n + more, SNAPSHOT_MAX_RULES);
}

int access_list_add(struct access_list *list, struct access_ids *ids, const struct config_prefix *prefixes, size_t n,
	struct error *error)
{
	struct access_rule *merged;
	char text[ADDRESS_PREFIX_TEXT];
	size_t added = 0, from = 0, to = 0;
	int err;

	for (size_t i = 0; i < n; i++) {
		const struct access_rule *there = access_list_find(list, &prefixes[i]);

		added += !there;
		if (there && there->allow != prefixes[i].allow)
			return error_set(error, EEXIST, "access list \"%s\" has %s already, to %s it", list->name,
				address_print_prefix(prefixes[i].address, prefixes[i].length, text),
				there->allow ? "allow" : "deny");
	}
	err = no_room(ids, added, error);
	if (err || !added)
		return err;
	merged = malloc((list->n + added) * sizeof(*merged));
	if (!merged)
		return error_set(error, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		while (from < list->n && compare_rule(&prefixes[i], &list->rules[from]) > 0)
			merged[to++] = list->rules[from++];
		if (from == list->n || compare_rule(&prefixes[i], &list->rules[from]))
			merged[to++] = new_rule(&prefixes[i], ids);
	}
	while (from < list->n)
		merged[to++] = list->rules[from++];
	free(list->rules);
	list->rules = merged;
	list->n = (uint32_t)to;
	count_allows(list);
	return (int)added;
}

int access_list_del(struct access_list *list, struct access_ids *ids, const struct config_prefix *prefixes, size_t n,
	struct error *error)
{
	char text[ADDRESS_PREFIX_TEXT];
	size_t next = 0;
	uint32_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!access_list_find(list, &prefixes[i]))
			return error_set(error, ENOENT, "access list \"%s\" has no %s", list->name,
				address_print_prefix(prefixes[i].address, prefixes[i].length, text));
	for (uint32_t i = 0; i < list->n; i++) {
		if (next < n && !compare_rule(&prefixes[next], &list->rules[i])) {
			list->gone[list->rules[i].allow] += access_rule_packets(&list->rules[i]);
			id_release(ids, list->rules[i].id);
			next++;
		} else {
			list->rules[kept++] = list->rules[i];
		}
	}
	list->n = kept;
	count_allows(list);
	return 0;
}

void access_list_packets(const struct access_list *list, uint64_t packets[2])
{
	packets[0] = list->gone[0];
	packets[1] = list->gone[1];
	for (uint32_t i = 0; i < list->n; i++)
		packets[list->rules[i].allow] += access_rule_packets(&list->rules[i]);
}

int access_list_restore(struct access_list *list, struct access_ids *ids, const struct access_rule *rule)
{
	/* By powers of two; afterwards the room is not known any more, and nothing is appended. */
	if (!(list->n & (list->n - 1))) {
		struct access_rule *grown = realloc(list->rules, (list->n ? 2 * list->n : 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->rules = grown;
	}
	if (list->n && compare(list->rules[list->n - 1].address, list->rules[list->n - 1].length, rule->address,
			       rule->length) >= 0)
		return -EINVAL;
	if (id_take_exact(ids, rule->id))
		return -EINVAL;
	list->rules[list->n++] = *rule;
	list->n_allow += rule->allow;
	list->compiled = false;
	return 0;
}

/* Build with room for so much. 0, -ENOMEM, or -ENOSPC and how much there has to be. */
static int try_room(struct access_list *list, const struct access_prefix *prefixes, struct access_room *room)
{
	uint64_t links, leaves;

	room->links = malloc((room->links_room + 1) * sizeof(__u32));
	room->leaves = malloc((room->leaves_room + 1) * ACCESS_LINE * sizeof(__u32));
	room->n_links = room->n_leaves = 0;
	if (!room->links || !room->leaves)
		return -ENOMEM;
	if (access_build(prefixes, list->n, room, &list->nodes)) {
		links = room->n_links;
		leaves = room->n_leaves;
		if (links <= room->links_room && leaves <= room->leaves_room)
			return -ENOMEM;
		room->links_room = links;
		room->leaves_room = leaves;
		return -ENOSPC;
	}
	return 0;
}

static int take_words(struct access_list *list, const struct access_room *room)
{
	uint32_t *words = malloc(access_n_words(room) * sizeof(*words));

	if (!words)
		return -ENOMEM;
	access_place(room, &list->nodes, words);
	list->n_words = access_n_words(room);
	free(list->words);
	list->words = words;
	return 0;
}

int access_list_compile(struct access_list *list)
{
	/* Most lists are mostly leaves, fewer than rules. */
	struct access_room room = { .links_room = 1024, .leaves_room = list->n + 16 };
	struct access_prefix *prefixes;
	int err = -ENOMEM;

	if (list->compiled)
		return 0;
	if (list->n > 4096)
		room.links_room = 1 << 17;
	prefixes = malloc((list->n + 1) * sizeof(*prefixes));
	room.ranges = malloc(ACCESS_ROOM_RANGES((size_t)list->n) * sizeof(*room.ranges));
	room.sieves = malloc(ACCESS_ROOM_SIEVES * sizeof(*room.sieves));
	if (prefixes && room.ranges && room.sieves) {
		for (uint32_t i = 0; i < list->n; i++)
			prefixes[i] = (struct access_prefix){ list->rules[i].address, list->rules[i].id,
				list->rules[i].length, list->rules[i].allow, 0 };
		while ((err = try_room(list, prefixes, &room)) == -ENOSPC) {
			free(room.links);
			free(room.leaves);
		}
		if (!err)
			err = take_words(list, &room);
		free(room.links);
		free(room.leaves);
	}
	free(prefixes);
	free(room.ranges);
	free(room.sieves);
	list->compiled = !err;
	return err;
}
