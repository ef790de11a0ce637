/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as text: the commented file, and what differs between two. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "settings.h"

static void indent(FILE *file, int depth)
{
	fprintf(file, "%*s", 2 * depth, "");
}

/* Whether it is in a group or list that other settings of the same table follow in. */
static bool is_inside(const struct setting *setting, const struct setting *group)
{
	size_t length = strlen(group->path);

	return !strncmp(setting->path, group->path, length) && setting->path[length] == '.';
}

static void print_one(FILE *file, const struct setting *s, int depth)
{
	char what[256];

	indent(file, depth);
	fprintf(file, "# %s: %s%s\n", s->help, settings_describe(s, what, sizeof(what)), s->required ? "; required" : "");
	indent(file, depth);
	if (!s->standard)
		fprintf(file, "#%s = ...;\n", settings_word(s));
	else if (s->type == SETTING_NUMBER)
		fprintf(file, "#%s = %s;\n", settings_word(s), s->standard);
	else
		fprintf(file, "#%s = \"%s\";\n", settings_word(s), s->standard);
}

static void print_close(FILE *file, const struct setting *group, int depth)
{
	indent(file, depth);
	fputs(group->type == SETTING_LIST ? "} );\n" : "};\n", file);
}

int config_print_settings(FILE *file)
{
	const struct setting *open[8];
	int depth = 0;

	for (const struct setting *s = settings; s->path; s++) {
		while (depth && !is_inside(s, open[depth - 1])) {
			depth--;
			print_close(file, open[depth], depth);
		}
		if (s->type == SETTING_LATER)
			continue;
		if (s->type != SETTING_GROUP && s->type != SETTING_LIST) {
			print_one(file, s, depth);
			continue;
		}
		indent(file, depth);
		fprintf(file, "# %s\n", s->help);
		indent(file, depth);
		fprintf(file, s->type == SETTING_LIST ? "%s = ( {\n" : "%s: {\n", settings_word(s));
		open[depth++] = s;
	}
	while (depth) {
		depth--;
		print_close(file, open[depth], depth);
	}
	return ferror(file) ? -1 : 0;
}

/* The value as text, to be freed; NULL: no memory. */
static char *value_text(const struct setting *setting, const struct config *config)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	if (!settings_print(setting, config, stream))
		fputs("not given", stream);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}

static const char *remark(const struct setting *setting)
{
	switch (setting->applies) {
	case APPLIES_AT_RESTART:
		return " (when shuntd is restarted)";
	case APPLIES_AT_DATAPLANE_RESTART:
		return " (when shunt-dataplane is restarted)";
	default:
		return "";
	}
}

static int add_difference(json_t *changes, const struct setting *setting, const struct config *before,
	const struct config *after)
{
	char *was = value_text(setting, before), *is = value_text(setting, after);
	int err = !was || !is ? -1 : 0;

	/* A key is nobody's to read in a log. */
	if (!err && strcmp(was, is))
		err = json_array_append_new(changes, setting->type == SETTING_KEY ?
			json_sprintf("%s: changed%s", setting->path, remark(setting)) :
			json_sprintf("%s: %s, was %s%s", setting->path, is, was, remark(setting)));
	free(was);
	free(is);
	return err;
}

json_t *config_diff(const struct config *before, const struct config *after)
{
	json_t *changes = json_array();

	for (const struct setting *s = settings; changes && s->path; s++) {
		if (s->type == SETTING_GROUP || s->type == SETTING_LIST || *settings_list_of(s))
			continue;
		if (add_difference(changes, s, before, after)) {
			json_decref(changes);
			return NULL;
		}
	}
	return changes;
}
