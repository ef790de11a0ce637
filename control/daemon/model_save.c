/* SPDX-License-Identifier: BSD-3-Clause */
/* The running set as the text of a configuration file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"
#include "settings.h"

/* "name = value;" if it has one. */
static void print_value(FILE *file, const struct setting *setting, const void *base, const char *before)
{
	if (!settings_has_value(setting, base))
		return;
	fprintf(file, "%s%s = ", before, settings_word(setting));
	settings_print(setting, base, file);
	fputc(';', file);
}

/* The same if it differs from the default; settings without which there is no group are always there. */
static void print_setting(FILE *file, const struct setting *setting, const void *base, const char *before)
{
	if (!settings_is_default(setting, base))
		print_value(file, setting, base, before);
}

static bool has_any(const struct setting *group, const struct config *config)
{
	size_t length = strlen(group->path);

	for (const struct setting *s = group + 1; s->path; s++)
		if (!strncmp(s->path, group->path, length) && s->path[length] == '.' && s->type != SETTING_GROUP &&
			!settings_is_default(s, config))
			return true;
	return false;
}

/* Up to its closing brace, without the line's end. */
static void print_group(FILE *file, const struct setting *group, const struct config *config, int depth)
{
	char before[16];

	snprintf(before, sizeof(before), "\n%*s", 2 * (depth + 1), "");
	fprintf(file, "%*s%s:\n%*s{", 2 * depth, "", settings_word(group), 2 * depth, "");
	for (const struct setting *s = group + 1; s->path; s++) {
		if (!settings_is_in(s, group->path))
			continue;
		if (s->type != SETTING_GROUP) {
			print_setting(file, s, config, before);
		} else if (has_any(s, config)) {
			fputc('\n', file);
			print_group(file, s, config, depth + 1);
		}
	}
	fprintf(file, "\n%*s};", 2 * depth, "");
}

static void print_settings(FILE *file, const struct config *config)
{
	for (const struct setting *s = settings; s->path; s++) {
		if (!settings_is_in(s, "") || s->type == SETTING_LIST)
			continue;
		if (s->type == SETTING_GROUP) {
			if (has_any(s, config)) {
				fputc('\n', file);
				print_group(file, s, config, 0);
				fputc('\n', file);
			}
		} else if (!settings_is_default(s, config)) {
			print_setting(file, s, config, "");
			fputc('\n', file);
		}
	}
}

/* All that its type has: what a default is may change. */
static void print_check(FILE *file, const struct check *check)
{
	const struct config_pool pool = { .check = *check };
	struct error error;

	fputs("    check: {", file);
	for (const struct setting *s = settings; s->path; s++)
		if (settings_is_in(s, "pools.check") && !settings_belong(s, check->type, &error))
			print_value(file, s, &pool, " ");
	fputs(" };\n", file);
}

static void print_backend(FILE *file, const struct backend *b)
{
	char text[ADDRESS_TEXT];

	fprintf(file, "{ address = \"%s\"; weight = %u;", address_print(b->address, text), b->weight);
	if (b->mac_pinned)
		fprintf(file, " mac = \"%s\";", address_print_mac(&b->mac, text));
	fputs(" }", file);
}

static bool is_always_said(const struct setting *of_pool)
{
	return of_pool->required || !strcmp(settings_word(of_pool), "scheduler");
}

static void print_pool(FILE *file, const struct pool *pool)
{
	const struct config_pool policy = model_pool_policy(pool);
	const char *separator = "\n";

	fputs("  {", file);
	for (const struct setting *s = settings; s->path; s++)
		if (settings_is_in(s, "pools") && (is_always_said(s) || !settings_is_default(s, &policy)))
			print_value(file, s, &policy, "\n    ");
	fputc('\n', file);
	if (pool->check.given)
		print_check(file, &pool->check);
	fputs("    backends = (", file);
	for (const struct backend *b = pool->backends; b; b = b->next) {
		if (b->removed)
			continue;
		fprintf(file, "%s      ", separator);
		print_backend(file, b);
		separator = ",\n";
	}
	fputs(pool->n_backends ? "\n    );\n  }" : " );\n  }", file);
}

static void print_vip(FILE *file, const struct vip *vip)
{
	char text[ADDRESS_TEXT];

	const struct config_vip policy = { .policy = vip->policy };

	fprintf(file, "  { address = \"%s\"; protocol = \"%s\"; port = %u; pool = \"%s\";",
		address_print(vip->address, text), address_protocol_name(vip->protocol), vip->port,
		vip->pool->name);
	for (const struct setting *s = settings; s->path; s++)
		if (config_is_vip_policy(s))
			print_setting(file, s, &policy, " ");
	fputs(" }", file);
}

static void print_prefixes(FILE *file, const struct access_list *list, bool allow)
{
	char text[ADDRESS_PREFIX_TEXT];
	uint32_t n = 0;

	if (allow ? !list->n_allow : list->n_allow == list->n)
		return;
	fprintf(file, "    %s = [", allow ? "allow" : "deny");
	for (uint32_t i = 0; i < list->n; i++)
		if (list->rules[i].allow == allow) {
			fprintf(file, "%s%s\"%s\"", n ? "," : "", n % 6 ? " " : "\n      ",
				address_print_prefix(list->rules[i].address, list->rules[i].length, text));
			n++;
		}
	fputs("\n    ];\n", file);
}

static void print_access(FILE *file, const struct access_list *list)
{
	fprintf(file, "  {\n    name = \"%s\";\n", list->name);
	print_prefixes(file, list, true);
	print_prefixes(file, list, false);
	fputs(list->next ? "  },\n" : "  }\n", file);
}

int model_save_text(struct model *model, const struct config *config, char **text)
{
	size_t size;
	FILE *file = open_memstream(text, &size);

	if (!file)
		return -ENOMEM;
	fputs("# The running set, as saved by \"shuntctl save\". Drains and disables are not part of a "
	      "configuration.\n",
		file);
	print_settings(file, config);
	fputs("\npools = (\n", file);
	for (const struct pool *pool = model->first_pool; pool; pool = pool->next) {
		print_pool(file, pool);
		fputs(pool->next ? ",\n" : "\n", file);
	}
	fputs(");\n", file);
	if (model->first_access) {
		fputs("\naccess = (\n", file);
		for (const struct access_list *list = model->first_access; list; list = list->next)
			print_access(file, list);
		fputs(");\n", file);
	}
	fputs("\nvips = (\n", file);
	for (const struct vip *vip = model->first_vip; vip; vip = vip->next) {
		print_vip(file, vip);
		fputs(vip->next ? ",\n" : "\n", file);
	}
	fputs(");\n", file);
	return fclose(file) ? -ENOMEM : 0;
}
