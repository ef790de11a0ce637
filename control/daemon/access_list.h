/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An access list of the running set: its rules in order, each with an id that goes into snapshots and counters and
 * so outlives restarts, and the nodes that forwarders look them up by. The model's; one thread.
 */
#ifndef SHUNT_ACCESS_LIST_H
#define SHUNT_ACCESS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access_build.h"
#include "config.h"

#define ACCESS_COUNTED 2 /* kinds of forwarders */

struct access_rule {
	struct addr address;
	uint32_t id;
	uint8_t length;
	bool allow;
	bool fresh; /* its counter, if its id was another's before, is not known yet */
	/* Packets that it decided on: base and what each kind of forwarder's memory says. access_totals.c: rw */
	uint64_t base;
	uint64_t counted[ACCESS_COUNTED];
};

struct access_list {
	struct access_list *next; /* ascending name */
	char name[NAME_MAX_LEN + 1];
	struct access_rule *rules; /* ascending, as access_prefix_compare() has it */
	uint32_t n;
	uint32_t n_allow;
	uint64_t digest;  /* of the files of prefixes that it was made of last; 0: none */
	uint64_t gone[2]; /* packets that rules which were taken out denied, and allowed */
	uint32_t index; /* of the snapshot that was built last; ACCESS_UNUSED: no VIP has it */
	bool compiled;	/* what follows is of these rules */
	struct snapshot_access nodes; /* links and leaves count from the list's own first word */
	uint32_t *words;
	uint64_t n_words;
};

#define ACCESS_UNUSED UINT32_MAX
#define ACCESS_NO_LIST "none" /* of "vip set --access": no list has this name */

/* Ids of rules: the lowest that are free, the next one first. */
struct access_ids {
	uint64_t used[SNAPSHOT_MAX_RULES / 64];
	uint32_t n;
	uint32_t next;
};

struct access_list *access_list_new(const char *name); /* NULL: no memory */
void access_list_free(struct access_list *list, struct access_ids *ids);

/* The rule with exactly this prefix, or NULL. */
struct access_rule *access_list_find(const struct access_list *list, const struct config_prefix *prefix);
/* The one with this id, or NULL. Looks at all of them. */
const struct access_rule *access_list_find_id(const struct access_list *list, uint32_t id);

/*
 * Make rules of those of the n prefixes, sorted and none twice, that are none yet; what is there stays as it is.
 * Returns how many; or -ENOMEM, -ENOSPC, or -EEXIST if one is there the other way, and *error; then nothing changed.
 */
int access_list_add(struct access_list *list, struct access_ids *ids, const struct config_prefix *prefixes, size_t n,
	struct error *error);
/* Take n prefixes out, sorted. 0; or -ENOENT if one is not there, and *error; then nothing changed. */
int access_list_del(struct access_list *list, struct access_ids *ids, const struct config_prefix *prefixes, size_t n,
	struct error *error);
/* A rule as it was in the state file; in order. 0, -ENOMEM, or -EINVAL if its id is another's. */
int access_list_restore(struct access_list *list, struct access_ids *ids, const struct access_rule *rule);

/* See that nodes and words are of the rules as they are. 0 or -ENOMEM. 100,000 rules: a few milliseconds. */
int access_list_compile(struct access_list *list);

static inline uint64_t access_rule_packets(const struct access_rule *rule)
{
	return rule->base + rule->counted[0] + rule->counted[1];
}

/* What its rules denied, and allowed, those that are gone among them: neither ever falls. */
void access_list_packets(const struct access_list *list, uint64_t packets[2]);

/* The order of prefixes, for qsort() too. */
int config_prefix_compare(const void *a, const void *b);
/* Sort, and leave out those that are there twice. 0; or -EEXIST and *error if one is both allowed and denied. */
int config_prefixes_settle(struct config_prefix *prefixes, size_t *n, struct error *error);

#endif
