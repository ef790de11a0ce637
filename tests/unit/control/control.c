/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests of shuntd share. */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

const struct drain_wish control_force = { .force = true };

struct config *control_parse(const char *text)
{
	struct config *config;
	struct error error;

	if (config_parse("test.conf", text, strlen(text), &config, &error)) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	return config;
}

char *control_apply(struct model *model, const char *text, bool dry_run)
{
	struct config *config = control_parse(text);
	json_t *changes = model_apply(model, config, dry_run), *change;
	char *lines = NULL;
	size_t size, i;
	FILE *stream = open_memstream(&lines, &size);

	json_array_foreach(changes, i, change)
		fprintf(stream, "%s\n", json_string_value(change));
	fclose(stream);
	json_decref(changes);
	config_free(config);
	return lines;
}

struct model *control_model(const char *text)
{
	struct model *model = model_new();

	free(control_apply(model, text, false));
	return model;
}

struct backend *control_backend(struct model *model, const char *pool, const char *address)
{
	return model_backend_find(model_pool_find(model, pool), unit_addr(address));
}

void control_bring_up(struct model *model)
{
	struct mac mac = { { 2, 0, 0, 0, 0, 0 } };

	for (struct pool *pool = model_pools(model); pool; pool = pool->next) {
		for (struct backend *b = pool->backends; b; b = b->next) {
			mac.byte[4] = (__u8)(b->id >> 8);
			mac.byte[5] = (__u8)b->id;
			model_set_mac(model, b, &mac);
			model_set_healthy(model, b, true);
		}
	}
}
