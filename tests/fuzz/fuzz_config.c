/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes shunt.conf: the input is the file. What is refused is refused in one line that begins with the
 * file's name. What is taken makes a running set, which makes a valid snapshot, survives its own state
 * file, and is written by "save" as a file that changes nothing.
 */
#include <string.h>

#include "config.h"
#include "fuzz.h"
#include "model.h"
#include "snapshot_build.h"

#define NAME "fuzz.conf"
#define POOLS_WITH_SLOTS 3 /* a pool's slots take a millisecond */

static struct snapshot_builder *builder;

/* libconfig 1.5 forgets the string it was reading when a syntax error comes after it: some bytes a bad file. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	builder = snapshot_builder_new();
	return builder ? 0 : -1;
}

static struct model *model_of(const struct config *config)
{
	struct model *model = model_new();
	json_t *changes = model_apply(model, config, false);

	FUZZ_CHECK(changes);
	json_decref(changes);
	return model;
}

/* Nothing of it differs from what the configuration says. */
static void check_unchanged(struct model *model, const struct config *config)
{
	json_t *changes = model_apply(model, config, true);

	FUZZ_CHECK(json_array_size(changes) == 0);
	json_decref(changes);
}

static void check_save(struct model *model, const struct config *config)
{
	struct config *again;
	struct error error;
	json_t *differences;
	char *text;

	FUZZ_CHECK(!model_save_text(model, config, &text));
	if (config_parse(NAME, text, strlen(text), &again, &error)) {
		fprintf(stderr, "%s\n%s\n", text, error.text);
		abort();
	}
	differences = config_diff(config, again);
	FUZZ_CHECK(json_array_size(differences) == 0);
	json_decref(differences);
	check_unchanged(model, again);
	config_free(again);
	free(text);
}

static void check_state(struct model *model, const struct config *config)
{
	struct text text = { 0 }, again = { 0 };
	struct model *restored = model_new();
	struct error error;
	json_t *state;

	text_add(&text, "{");
	model_dump(model, &text);
	text_add(&text, "}");
	state = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(state);
	FUZZ_CHECK(!model_restore(restored, state, &error));
	check_unchanged(restored, config);
	text_add(&again, "{");
	model_dump(restored, &again);
	text_add(&again, "}");
	FUZZ_CHECK(text.size == again.size && !memcmp(text.data, again.data, text.size));
	json_decref(state);
	model_free(restored);
	free(text.data);
	free(again.data);
}

static void check_snapshot(struct model *model, const struct config *config)
{
	struct snapshot_inputs inputs = { .version = 1, .flow_capacity = config->flow_capacity, .n_ports = 1 };
	struct snapshot_block block;
	struct error error;

	memcpy(inputs.timeout_s, config->timeout_s, sizeof(inputs.timeout_s));
	if (snapshot_build(builder, model, &inputs, &block, &error)) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	snapshot_block_close(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = { "" };
	struct config *config;
	struct model *model;

	/* Other files are not the fuzzer's to choose. */
	if (memmem(data, size, "@include", 8))
		return 0;
	if (config_parse(NAME, (const char *)data, size, &config, &error)) {
		FUZZ_CHECK(!config && !strncmp(error.text, NAME ":", strlen(NAME) + 1));
		return 0;
	}
	model = model_of(config);
	check_unchanged(model, config);
	check_save(model, config);
	check_state(model, config);
	if (config->n_pools <= POOLS_WITH_SLOTS)
		check_snapshot(model, config);
	model_free(model);
	config_free(config);
	return 0;
}
