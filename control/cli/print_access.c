/* SPDX-License-Identifier: BSD-3-Clause */
/* "access show": the lists, or the rules of one. */
#include <stdio.h>

#include "printers.h"
#include "table.h"
#include "text.h"

#define VIPS_SHOWN 3 /* of those that have a list; --json has all */

static void print_lists(const struct invocation *invocation, const json_t *lists)
{
	struct table *table = table_new(true, invocation->colour);
	const json_t *list, *vip;
	char number[TEXT_SHORT];
	size_t i, k;

	table_column(table, "List", COLUMN_LEFT);
	table_column(table, "Allow", COLUMN_RIGHT);
	table_column(table, "Deny", COLUMN_RIGHT);
	table_column(table, "AllowedPkts", COLUMN_RIGHT);
	table_column(table, "DeniedPkts", COLUMN_RIGHT);
	table_column(table, "VIPs", COLUMN_LEFT);
	json_array_foreach (lists, i, list) {
		const json_t *vips = json_object_get(list, "vips");
		char shown[VIPS_SHOWN * TEXT_VIP + TEXT_SHORT] = "";
		size_t length = 0;

		json_array_foreach (vips, k, vip)
			if (k < VIPS_SHOWN && length < sizeof(shown))
				length += (size_t)snprintf(shown + length, sizeof(shown) - length, "%s%s", k ? " " : "",
					json_string_value(vip));
		if (k > VIPS_SHOWN && length < sizeof(shown))
			snprintf(shown + length, sizeof(shown) - length, " and %zu more", k - VIPS_SHOWN);
		table_row(table);
		table_cell(table, NULL, "%s", text_member(list, "name", "-"));
		table_cell(table, NULL, "%llu", text_number(list, "allow"));
		table_cell(table, NULL, "%llu", text_number(list, "deny"));
		table_cell(table, NULL, "%s", text_count(number, text_number(list, "packets_allowed")));
		table_cell(table, NULL, "%s", text_count(number, text_number(list, "packets_denied")));
		table_cell(table, NULL, "%s", *shown ? shown : "-");
	}
	table_print(table);
}

static void print_rules(const struct invocation *invocation, const json_t *list)
{
	struct table *table = table_new(true, invocation->colour);
	unsigned long long n = text_number(list, "allow") + text_number(list, "deny");
	const json_t *rules = json_object_get(list, "rules"), *rule;
	char number[TEXT_SHORT];
	size_t i;

	table_column(table, "Action", COLUMN_LEFT);
	table_column(table, "Prefix", COLUMN_LEFT);
	table_column(table, "Packets", COLUMN_RIGHT);
	json_array_foreach (rules, i, rule) {
		table_row(table);
		table_cell(table, NULL, "%s", text_member(rule, "action", "-"));
		table_cell(table, NULL, "%s", text_member(rule, "prefix", "-"));
		table_cell(table, NULL, "%s", text_count(number, text_number(rule, "packets")));
	}
	table_print(table);
	if (json_array_size(rules) < n)
		printf("%zu of ", json_array_size(rules));
	text_plural(stdout, n, "rule");
	if (json_array_size(rules) < n)
		printf(", those with most packets; --limit N shows more");
	puts(text_number(list, "allow") ? "; any other source is kept out" : "; any other source is let in");
}

void print_access(const struct invocation *invocation, const json_t *result)
{
	const json_t *lists = json_object_get(result, "access");

	if (lists)
		print_lists(invocation, lists);
	else
		print_rules(invocation, result);
}
