/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between two configurations. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "settings.h"

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
	case APPLIES_AT_BOTH_RESTARTS:
		return " (when both shunt-dataplane and shuntd are restarted)";
	default:
		return "";
	}
}

static int add_difference(json_t *changes, const struct setting *setting, const struct config *before,
	const struct config *after)
{
	char *was = value_text(setting, before), *is = value_text(setting, after);
	int err = !was || !is ? -1 : 0;

	if (!err && strcmp(was, is))
		err = json_array_append_new(changes, setting->secret ?
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
