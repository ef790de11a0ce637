/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules by which packets with a backend's mark find its table. */
#include "route_rules.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <stdlib.h>

#include "route.h"

#define PRIORITY_ENTER ROUTE_RULE_PRIORITY
#define PRIORITY_LEAVE ROUTE_GROUPS_PRIORITY
#define PRIORITY_GROUPS (ROUTE_GROUPS_PRIORITY + 1)
#define PRIORITY_NO_GROUP (ROUTE_GROUPS_PRIORITY + 2)
#define PRIORITY_GROUP(group) (ROUTE_GROUPS_PRIORITY + 3 + 2 * (group))

#define GROUPS ((SNAPSHOT_MAX_IDS + ROUTE_GROUP) / ROUTE_GROUP)
#define GROUP_MASK (0xffffffffu & ~(ROUTE_GROUP - 1u))

_Static_assert(PRIORITY_GROUP(GROUPS) <= ROUTE_GROUPS_END, "the end is behind the last group");

struct route_rules {
	struct netlink *netlink;
	int family;
	bool frame; /* install_frame() was done */
	uint32_t wanted;
	struct group {
		uint16_t wanted;
		bool installed;
	} group[GROUPS];
};

/* NLM_F_EXCL: without it the kernel would add the same rule a second time. */
#define ADD_FLAGS (NLM_F_CREATE | NLM_F_EXCL)

struct rule {
	uint32_t mark, mask; /* mask 0: any */
	uint32_t priority;
	uint8_t action;
	uint32_t flags;
	uint32_t table;	 /* 0: none */
	uint32_t target; /* of FR_ACT_GOTO */
};

/* type: RTM_NEWRULE or RTM_DELRULE. */
static int change_rule(const struct route_rules *rules, uint16_t type, const struct rule *rule)
{
	struct nlmsghdr *message = netlink_begin(rules->netlink, type, type == RTM_NEWRULE ? ADD_FLAGS : 0);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->family = (uint8_t)rules->family;
	head->action = rule->action;
	head->flags = rule->flags;
	if (rule->mask) {
		mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(message, FRA_FWMASK, rule->mask);
	}
	if (rule->table)
		mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	if (rule->target)
		mnl_attr_put_u32(message, FRA_GOTO, rule->target);
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(message, FRA_PROTOCOL, ROUTE_PROTOCOL);
	return netlink_request(rules->netlink, message);
}

/* There already is as good. */
static int add_rule(const struct route_rules *rules, const struct rule *rule)
{
	int error = change_rule(rules, RTM_NEWRULE, rule);

	return error == -EEXIST ? 0 : error;
}

/* Also what was put there more than once. */
static void remove_rule(const struct route_rules *rules, const struct rule *rule)
{
	while (change_rule(rules, RTM_DELRULE, rule) == 0)
		;
}

/* What stands around the groups, each after those it needs: a rule that leads nowhere would let packets pass. */
static const struct rule frame[] = {
	{ .priority = ROUTE_GROUPS_END, .action = FR_ACT_NOP },
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.priority = PRIORITY_NO_GROUP,
		.action = FR_ACT_UNREACHABLE,
	},
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.flags = FIB_RULE_INVERT,
		.priority = PRIORITY_LEAVE,
		.action = FR_ACT_GOTO,
		.target = ROUTE_GROUPS_END,
	},
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.priority = PRIORITY_ENTER,
		.action = FR_ACT_GOTO,
		.target = PRIORITY_LEAVE,
	},
};

#define FRAME_RULES (sizeof(frame) / sizeof(frame[0]))

static struct rule backend_rule(uint32_t id)
{
	return (struct rule){
		.mark = ROUTE_MARK | id,
		.mask = 0xffffffff,
		.priority = PRIORITY_GROUP(id / ROUTE_GROUP),
		.action = FR_ACT_TO_TBL,
		.table = ROUTE_TABLE + id,
	};
}

/* Ends a group: what has its mark and found no rule, or an empty table, is refused without a look at the others.
 */
static struct rule group_end(uint32_t group)
{
	return (struct rule){
		.mark = ROUTE_MARK | group * ROUTE_GROUP,
		.mask = GROUP_MASK,
		.priority = PRIORITY_GROUP(group) + 1,
		.action = FR_ACT_UNREACHABLE,
	};
}

static struct rule group_begin(uint32_t group)
{
	return (struct rule){
		.mark = ROUTE_MARK | group * ROUTE_GROUP,
		.mask = GROUP_MASK,
		.priority = PRIORITY_GROUPS,
		.action = FR_ACT_GOTO,
		.target = PRIORITY_GROUP(group),
	};
}

static int install_frame(struct route_rules *rules)
{
	for (size_t i = 0; i < FRAME_RULES && !rules->frame; i++) {
		int error = add_rule(rules, &frame[i]);

		if (error)
			return error;
	}
	rules->frame = true;
	return 0;
}

static void remove_frame(struct route_rules *rules)
{
	for (size_t i = FRAME_RULES; i > 0; i--)
		remove_rule(rules, &frame[i - 1]);
	rules->frame = false;
}

/* After a first rule of the group: the way in leads there. */
static int install_group(struct route_rules *rules, uint32_t number)
{
	struct rule begin = group_begin(number), end = group_end(number);
	struct group *group = &rules->group[number];
	int error;

	if (group->installed)
		return 0;
	error = add_rule(rules, &end);
	if (!error)
		error = add_rule(rules, &begin);
	group->installed = error == 0;
	return error;
}

static void remove_group(struct route_rules *rules, uint32_t number)
{
	struct rule begin = group_begin(number), end = group_end(number);

	remove_rule(rules, &begin);
	remove_rule(rules, &end);
	rules->group[number].installed = false;
}

struct route_rules *route_rules_new(struct netlink *netlink, int family)
{
	struct route_rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return NULL;
	rules->netlink = netlink;
	rules->family = family;
	return rules;
}

void route_rules_free(struct route_rules *rules)
{
	free(rules);
}

void route_rules_want(struct route_rules *rules, uint32_t id)
{
	rules->wanted++;
	rules->group[id / ROUTE_GROUP].wanted++;
}

void route_rules_drop(struct route_rules *rules, uint32_t id, bool installed)
{
	uint32_t group = id / ROUTE_GROUP;
	struct rule rule = backend_rule(id);
	bool last = --rules->group[group].wanted == 0;

	/* The way in before what it leads to. */
	if (last && rules->group[group].installed)
		remove_group(rules, group);
	if (installed)
		change_rule(rules, RTM_DELRULE, &rule);
	if (--rules->wanted == 0)
		remove_frame(rules);
}

int route_rules_install(struct route_rules *rules, uint32_t id, bool lost)
{
	uint32_t group = id / ROUTE_GROUP;
	struct rule rule = backend_rule(id);
	int error;

	if (lost)
		rules->frame = rules->group[group].installed = false;
	error = install_frame(rules);
	if (!error)
		error = add_rule(rules, &rule);
	if (!error)
		error = install_group(rules, group);
	return error;
}
