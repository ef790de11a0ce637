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

/* How the backend was chosen, by the reason the daemon gives. */
static void print_choice(const json_t *result)
{
	const char *flow_state = text_member(result, "flow_state", NULL);
	const char *reason = text_member(result, "reason", "?");
	const json_t *slot = json_object_get(result, "slot");

	if (!strcmp(reason, "flow")) {
		printf("flow      known in the flow table%s%s: it stays where it is\n", flow_state ? ", " : "",
			flow_state ? flow_state : "");
		return;
	}
	if (!strcmp(reason, "no-vip"))
		return;
	puts("flow      not in the flow table: a new one");
	if (!strcmp(reason, "hash") && json_is_integer(slot))
		printf("choice    slot %lld of the pool's table\n", (long long)json_integer_value(slot));
	else if (!strcmp(reason, "no-backend"))
		puts("choice    none: no backend of the pool takes new flows");
}

void print_explain(const struct invocation *invocation, const json_t *result)
{
	const char *backend = text_member(result, "backend", NULL), *text = text_member(result, "text", NULL);
	const char *vip = text_member(result, "vip", NULL);

	printf("packet    from %s to %s\n", text_member(invocation->params, "source", "?"),
		text_member(invocation->params, "vip", "?"));
	if (vip)
		printf("VIP       %s, pool %s, scheduler %s\n", vip, text_member(result, "pool", "?"),
			text_member(result, "scheduler", "?"));
	else
		puts("VIP       none has this address, protocol and port");
	print_choice(result);
	fputs("backend   ", stdout);
	text_put_coloured(invocation->colour, backend ? COLOUR_GOOD : COLOUR_BAD, backend ? backend : "none");
	if (backend)
		printf(", %s, MAC %s", text_member(result, "state", "?"), text_member(result, "mac", "not known"));
	putchar('\n');
	if (text) {
		putchar('\n');
		text_put(stdout, text);
		if (!*text || text[strlen(text) - 1] != '\n')
			putchar('\n');
	}
}
