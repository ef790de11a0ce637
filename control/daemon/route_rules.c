/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules by which packets with a backend's mark find its table. */
#include "route_rules.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <stdlib.h>

#include "route.h"

#define PRIORITY_ENTER ROUTE_RULE_PRIORITY
#define PRIORITY_LEAVE ROUTE_BLOCKS_PRIORITY
#define PRIORITY_BLOCKS (ROUTE_BLOCKS_PRIORITY + 1)
#define PRIORITY_NO_BLOCK (ROUTE_BLOCKS_PRIORITY + 2)

/* A part of the ids, and the rules that lead to its own. */
#define GROUP 16u  /* ids */
#define BLOCK 256u /* ids */
#define GROUPS ((SNAPSHOT_MAX_IDS + GROUP) / GROUP)
#define BLOCKS ((SNAPSHOT_MAX_IDS + BLOCK) / BLOCK)
#define PRIORITY_BLOCK(id) (ROUTE_BLOCKS_PRIORITY + 3 + (id) / BLOCK * (2 + 2 * BLOCK / GROUP))
#define PRIORITY_GROUP(id) (PRIORITY_BLOCK(id) + 2 + (id) % BLOCK / GROUP * 2)

_Static_assert(PRIORITY_BLOCK(BLOCKS *BLOCK) == ROUTE_BLOCKS_END, "the end is behind the last block");

struct part {
	uint16_t wanted; /* ids in it */
	bool installed;
};

struct route_rules {
	struct netlink *netlink;
	int family;
	bool frame; /* install_frame() was done */
	uint32_t wanted;
	struct part block[BLOCKS];
	struct part group[GROUPS];
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

/* What stands around the blocks, each after those it needs: a rule that leads nowhere would let packets pass. */
static const struct rule frame[] = {
	{ .priority = ROUTE_BLOCKS_END, .action = FR_ACT_NOP },
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.priority = PRIORITY_NO_BLOCK,
		.action = FR_ACT_UNREACHABLE,
	},
	{
		.mark = ROUTE_MARK,
		.mask = ROUTE_MARK_MASK,
		.flags = FIB_RULE_INVERT,
		.priority = PRIORITY_LEAVE,
		.action = FR_ACT_GOTO,
		.target = ROUTE_BLOCKS_END,
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
		.priority = PRIORITY_GROUP(id),
		.action = FR_ACT_TO_TBL,
		.table = ROUTE_TABLE + id,
	};
}

/* The rule that leads what is marked with one of size ids, from id's first on, to a priority. */
static struct rule part_begin(uint32_t id, uint32_t size, uint32_t priority, uint32_t target)
{
	return (struct rule){
		.mark = ROUTE_MARK | (id - id % size),
		.mask = ~(size - 1),
		.priority = priority,
		.action = FR_ACT_GOTO,
		.target = target,
	};
}

/* Ends a part: what has its mark and found no rule, or an empty table, is refused without a look at the others. */
static struct rule part_end(uint32_t id, uint32_t size, uint32_t priority)
{
	return (struct rule){
		.mark = ROUTE_MARK | (id - id % size),
		.mask = ~(size - 1),
		.priority = priority + 1,
		.action = FR_ACT_UNREACHABLE,
	};
}

static struct rule block_begin(uint32_t id)
{
	return part_begin(id, BLOCK, PRIORITY_BLOCKS, PRIORITY_BLOCK(id));
}

static struct rule group_begin(uint32_t id)
{
	return part_begin(id, GROUP, PRIORITY_BLOCK(id), PRIORITY_GROUP(id));
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

/* After what it leads to. */
static int install_part(const struct route_rules *rules, struct part *part, struct rule begin, struct rule end)
{
	int error;

	if (part->installed)
		return 0;
	error = add_rule(rules, &end);
	if (!error)
		error = add_rule(rules, &begin);
	part->installed = error == 0;
	return error;
}

static void remove_part(const struct route_rules *rules, struct part *part, struct rule begin, struct rule end)
{
	if (--part->wanted || !part->installed)
		return;
	remove_rule(rules, &begin);
	remove_rule(rules, &end);
	part->installed = false;
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
	rules->block[id / BLOCK].wanted++;
	rules->group[id / GROUP].wanted++;
}

void route_rules_drop(struct route_rules *rules, uint32_t id, bool installed)
{
	struct rule rule = backend_rule(id);

	/* The ways in before what they lead to. */
	remove_part(rules, &rules->block[id / BLOCK], block_begin(id), part_end(id, BLOCK, PRIORITY_BLOCK(id)));
	remove_part(rules, &rules->group[id / GROUP], group_begin(id), part_end(id, GROUP, PRIORITY_GROUP(id)));
	if (installed)
		change_rule(rules, RTM_DELRULE, &rule);
	if (--rules->wanted == 0)
		remove_frame(rules);
}

int route_rules_install(struct route_rules *rules, uint32_t id, bool lost)
{
	struct part *block = &rules->block[id / BLOCK], *group = &rules->group[id / GROUP];
	struct rule rule = backend_rule(id);
	int error;

	if (lost)
		rules->frame = block->installed = group->installed = false;
	error = install_frame(rules);
	if (!error)
		error = add_rule(rules, &rule);
	if (!error)
		error = install_part(rules, group, group_begin(id), part_end(id, GROUP, PRIORITY_GROUP(id)));
	if (!error)
		error = install_part(rules, block, block_begin(id), part_end(id, BLOCK, PRIORITY_BLOCK(id)));
	return error;
}
