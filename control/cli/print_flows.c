/* SPDX-License-Identifier: BSD-3-Clause */
/* "flows": entries of the flow table; "explain": the account of one flow. */
#include <stdio.h>
#include <string.h>

#include "printers.h"
#include "table.h"
#include "text.h"

void print_flows(const struct invocation *invocation, const json_t *result)
{
	struct table *table = table_new(true, invocation->colour);
	unsigned long long shown = text_number(result, "shown"), matched = text_number(result, "matched");
	const json_t *flow;
	char idle[TEXT_SHORT];
	size_t i;

	table_column(table, "VIP", COLUMN_LEFT);
	table_column(table, "Backend", COLUMN_LEFT);
	table_column(table, "State", COLUMN_LEFT);
	table_column(table, "Idle", COLUMN_RIGHT);
	json_array_foreach(json_object_get(result, "flows"), i, flow) {
		table_row(table);
		table_cell(table, NULL, "%s", text_member(flow, "vip", "-"));
		table_cell(table, NULL, "%s", text_member(flow, "backend", "-"));
		table_cell(table, NULL, "%s", text_member(flow, "state", "-"));
		table_cell(table, NULL, "%s", text_duration(idle, text_number(flow, "idle_s")));
	}
	table_print(table);
	if (shown < matched)
		printf("%llu of ", shown);
	text_plural(stdout, matched, "flow");
	puts(shown < matched ? "; --limit N shows more" : "");
}

static void print_chosen(const struct invocation *invocation, const json_t *result)
{
	const char *backend = text_member(result, "backend", NULL);
	/* Round-robin and least-flows decide when the packet is there, not before. */
	bool open = !backend && !strcmp(text_member(result, "reason", ""), "hash");

	fputs("backend   ", stdout);
	text_put_coloured(invocation->colour, backend ? COLOUR_GOOD : open ? COLOUR_WARN : COLOUR_BAD,
		backend ? backend : open ? "not settled before the packet comes" : "none");
	if (backend)
		printf(", %s, MAC %s", text_member(result, "state", "?"), text_member(result, "mac", "not known"));
	putchar('\n');
}

/* What the VIP's access list says of the source, if it was asked. */
static void print_access_rule(const json_t *result)
{
	const char *list = text_member(result, "access", NULL);
	const json_t *rule = json_object_get(result, "rule");

	if (!list)
		return;
	printf("access    list %s, ", list);
	if (json_is_object(rule))
		printf("rule %s %s\n", text_member(rule, "action", "-"), text_member(rule, "prefix", "-"));
	else
		puts("no rule for the source");
}

void print_explain(const struct invocation *invocation, const json_t *result)
{
	const char *vip = text_member(result, "vip", NULL), *flow_state = text_member(result, "flow_state", NULL);
	const json_t *slot = json_object_get(result, "slot");

	printf("packet    from %s to %s\n", text_member(invocation->params, "source", "?"),
		text_member(invocation->params, "vip", "?"));
	if (vip) {
		printf("VIP       %s, pool %s, scheduler %s\n", vip, text_member(result, "pool", "?"),
			text_member(result, "scheduler", "?"));
		printf("flow      %s%s\n", flow_state ? "in the flow table: " : "not in the flow table",
			flow_state ? flow_state : "");
		print_access_rule(result);
	} else {
		puts("VIP       none");
	}
	if (json_is_integer(slot))
		printf("slot      %lld\n", (long long)json_integer_value(slot));
	print_chosen(invocation, result);
	fputs("why       ", stdout);
	text_put(stdout, text_member(result, "text", text_member(result, "reason", "?")));
	putchar('\n');
}
