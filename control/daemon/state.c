/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file: what must outlive shuntd. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "state_file.h"

#define FORMAT 2	/* of state.json: raised when an older shuntd could not read it */
#define FORMAT_OLDEST 1 /* that is still read */
#define FILE_NAME "state.json"
#define DAMAGED_NAME "state.json.damaged"
#define KEY_NAME "hash_key"
#define FIRST_IDS 1024 /* of pools and backends */
#define SAVE_SOON_MS 1000
#define SAVE_TOTALS_S 60

struct state {
	char *directory;
	int folder;
	struct model *model;
	struct model_listener listener;
	uint64_t digest; /* of the configuration the running set is from */
	uint64_t made_key[2];
	uint64_t given_key[2];
	bool key_given;
	uint64_t snapshot_version;
	uint64_t saved_generation;
	bool other_config; /* since the last save */
	bool failed;       /* the last save, which was logged */
	struct event *soon;
	struct event *totals;
};

/* mkdir -p, the last folder as ours. */
static int make_directory(const char *path)
{
	char copy[512];

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(copy, 0750) && errno != EEXIST ? -errno : 0;
}

static void save_soon(void *context)
{
	static const struct timeval delay = { SAVE_SOON_MS / 1000, SAVE_SOON_MS % 1000 * 1000 };
	struct state *state = context;

	if (state->soon && !event_pending(state->soon, EV_TIMEOUT, NULL))
		event_add(state->soon, &delay);
}

int state_open(const char *directory, struct model *model, struct state **out, struct error *error)
{
	struct state *state = calloc(1, sizeof(*state));
	int err;

	if (!state || !(state->directory = strdup(directory))) {
		free(state);
		return error_set(error, ENOMEM, "out of memory");
	}
	err = make_directory(directory);
	state->folder = err ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->folder < 0) {
		err = err ? err : -errno;
		error_set(error, -err, "control.state: %s: %s", directory, strerror(-err));
		goto fail;
	}
	if (flock(state->folder, LOCK_EX | LOCK_NB)) {
		err = -errno;
		error_set(error, -err, "control.state: %s: %s", directory,
			err == -EWOULDBLOCK ? "another shuntd is using it" : strerror(-err));
		close(state->folder);
		goto fail;
	}
	state->model = model;
	state->listener = (struct model_listener){ .context = state, .snapshot_needed = save_soon };
	model_listen(model, &state->listener);
	*out = state;
	return 0;

fail:
	free(state->directory);
	free(state);
	return err;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	state_keep(state, NULL);
	model_unlisten(state->model, &state->listener);
	close(state->folder);
	free(state->directory);
	free(state);
}

static void key_to_text(const uint64_t key[2], char text[34])
{
	snprintf(text, 34, "%016" PRIx64 "%016" PRIx64 "\n", __builtin_bswap64(key[0]), __builtin_bswap64(key[1]));
}

static int key_from_text(const char *text, uint64_t key[2])
{
	char half[17];

	if (strspn(text, "0123456789abcdef") != 32 || strcmp(text + 32, "\n"))
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		snprintf(half, sizeof(half), "%.16s", text + 16 * i);
		key[i] = __builtin_bswap64(strtoull(half, NULL, 16));
	}
	return 0;
}

static void note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(json_t *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_array_append_new(notes, json_vsprintf(format, args));
	va_end(args);
}

/* The key made at the first start; made now if there is none. */
static int open_key(struct state *state, json_t *notes, struct error *error)
{
	char *text, line[34];
	size_t size;
	int err = state_file_read(state->folder, KEY_NAME, &text, &size);

	if (!err) {
		err = key_from_text(text, state->made_key);
		free(text);
		if (!err)
			return 0;
		note(notes,
			"%s/" KEY_NAME " does not hold 32 hexadecimal digits: a new hash key is made, flows are "
			"spread anew",
			state->directory);
	} else if (err != -ENOENT) {
		return error_set(error, -err, "%s/" KEY_NAME ": %s", state->directory, strerror(-err));
	}
	if (getrandom(state->made_key, sizeof(state->made_key), 0) != sizeof(state->made_key))
		return error_set(error, EIO, "no random bytes for the hash key");
	key_to_text(state->made_key, line);
	err = state_file_replace(state->folder, KEY_NAME, line, strlen(line), 0600);
	if (err)
		return error_set(error, -err, "%s/" KEY_NAME ": %s", state->directory, strerror(-err));
	return 0;
}

/* From the file's text into the model. 0, or -errno and why it can't be used. */
static int restore(struct state *state, const char *text, size_t size, struct error *error)
{
	json_error_t fault;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
	const char *digest = json_string_value(json_object_get(root, "config_digest"));
	const json_t *version = json_object_get(root, "snapshot_version");
	json_int_t format;
	int err;

	if (!root)
		return error_set(error, EINVAL, "line %d: %s", fault.line, fault.text);
	format = json_integer_value(json_object_get(root, "format"));
	if (format < FORMAT_OLDEST || format > FORMAT)
		err = error_set(error, EINVAL, "not of format %d to %d", FORMAT_OLDEST, FORMAT);
	else if (!digest || strspn(digest, "0123456789abcdef") != 16 || digest[16] || !json_is_integer(version) ||
		json_integer_value(version) < 0 || json_integer_value(version) > STATE_MAX_SNAPSHOT_VERSION)
		err = error_set(error, EINVAL, "config_digest or snapshot_version is not as it was written");
	else
		err = model_restore(state->model, root, error);
	if (!err) {
		state->digest = strtoull(digest, NULL, 16);
		state->snapshot_version = (uint64_t)json_integer_value(version);
	}
	json_decref(root);
	return err;
}

/*
 * Without state nobody knows which ids were given out, and the forwarder's flow table may outlive the state:
 * begin anywhere, so that what it holds finds neither its VIP nor its backend, and the hash decides as for any
 * flow it doesn't know. Near zero, as the snapshot's tables are as long as the highest id.
 */
static void scatter_ids(struct state *state)
{
	uint16_t random[3] = { 0 };

	/* None so early after the machine's start: then there are no flows either. */
	(void)!getrandom(random, sizeof(random), GRND_NONBLOCK);
	model_begin_ids(state->model, random[0] % FIRST_IDS, random[1] % FIRST_IDS, random[2] % FIRST_IDS);
}

/* 1: the model is filled; 0: there is no state to fill it from; -errno. */
static int load(struct state *state, json_t *notes, struct error *error)
{
	struct error why;
	char *text;
	size_t size;
	int err = state_file_read(state->folder, FILE_NAME, &text, &size);

	if (err == -ENOENT) {
		note(notes, "no state in %s: starting from the configuration", state->directory);
		scatter_ids(state);
		return 0;
	}
	if (err)
		return error_set(error, -err, "%s/" FILE_NAME ": %s", state->directory, strerror(-err));
	err = restore(state, text, size, &why);
	free(text);
	if (!err)
		return 1;
	if (err == -ENOMEM)
		return error_set(error, ENOMEM, "out of memory");
	if (renameat(state->folder, FILE_NAME, state->folder, DAMAGED_NAME)) {
		err = -errno;
		return error_set(error, -err, "%s/" FILE_NAME " is damaged (%.200s) and cannot be set aside: %s",
			state->directory, why.text, strerror(-err));
	}
	note(notes,
		"%s/" FILE_NAME " is damaged (%s): set aside as " DAMAGED_NAME
		", starting from the configuration; "
		"what was changed by command, drains and disables are lost",
		state->directory, why.text);
	scatter_ids(state);
	return 0;
}

/* What has changed by it: lines, which are given up. */
static void note_changes(json_t *notes, json_t *changes, const char *why)
{
	const json_t *change;
	size_t i;

	note(notes, "%s", why);
	json_array_foreach (changes, i, change)
		note(notes, "%s", json_string_value(change));
	json_decref(changes);
}

/* The whole configuration. */
static int apply(
	struct state *state, const struct config *config, bool restored, json_t *notes, struct error *error)
{
	json_t *changes = model_apply(state->model, config, false);

	if (!changes)
		return error_set(error, ENOMEM, "out of memory");
	if (restored)
		note_changes(notes, changes,
			"the configuration has changed since: the running set is what it says; drains and "
			"disables stay");
	else
		json_decref(changes);
	return 0;
}

/* Only the files of prefixes may have changed. */
static int apply_prefix_files(struct state *state, const struct config *config, json_t *notes, struct error *error)
{
	json_t *changes = model_apply_prefix_files(state->model, config);

	if (!changes)
		return apply(state, config, true, notes, error);
	if (json_array_size(changes))
		note_changes(notes, changes,
			"files of prefixes have changed since: their access lists are what they say; all else "
			"stays");
	else
		json_decref(changes);
	return 0;
}

int state_start(struct state *state, const struct config *config, json_t **notes, struct error *error)
{
	int restored, err;

	*notes = json_array();
	if (!*notes)
		return error_set(error, ENOMEM, "out of memory");
	err = open_key(state, *notes, error);
	if (err)
		return err;
	restored = load(state, *notes, error);
	if (restored < 0)
		return restored;
	if (!restored || state->digest != config->digest) {
		err = apply(state, config, restored, *notes, error);
	} else {
		/* What is in the model is what is on disk. */
		state->saved_generation = model_generation(state->model);
		err = apply_prefix_files(state, config, *notes, error);
	}
	if (err)
		return err;
	state_set_config(state, config);
	return 0;
}

void state_set_config(struct state *state, const struct config *config)
{
	state->other_config |= state->digest != config->digest;
	state->digest = config->digest;
	state->key_given = config->hash_key_given;
	memcpy(state->given_key, config->hash_key, sizeof(state->given_key));
}

const uint64_t *state_hash_key(const struct state *state)
{
	return state->key_given ? state->given_key : state->made_key;
}

uint64_t state_snapshot_version(const struct state *state)
{
	return state->snapshot_version;
}

void state_set_snapshot_version(struct state *state, uint64_t version)
{
	state->snapshot_version = version;
}

static void write_text(const struct state *state, struct text *out)
{
	char head[200];

	snprintf(head, sizeof(head),
		"{\"format\":%d,\"shunt\":\"%s\",\"config_digest\":\"%016" PRIx64
		"\",\"snapshot_version\":%" PRIu64 ",\n",
		FORMAT, SHUNT_VERSION, state->digest, state->snapshot_version);
	text_add(out, head);
	model_dump(state->model, out);
	text_add(out, "}\n");
}

int state_save(struct state *state, struct error *error)
{
	struct text text = { 0 };
	int err;

	write_text(state, &text);
	err = text.failed ? -ENOMEM : state_file_replace(state->folder, FILE_NAME, text.data, text.size, 0640);
	free(text.data);
	if (err)
		return error_set(
			error, -err, "%s/" FILE_NAME " cannot be written: %s", state->directory, strerror(-err));
	state->saved_generation = model_generation(state->model);
	state->other_config = state->failed = false;
	if (state->soon)
		event_del(state->soon);
	return 0;
}

bool state_is_unsaved(const struct state *state)
{
	return state->other_config || state->saved_generation != model_generation(state->model);
}

static void save_now(evutil_socket_t fd, short what, void *context)
{
	struct state *state = context;
	struct error error;

	if (state_save(state, &error) && !state->failed) {
		log_error("%s", error.text);
		state->failed = true;
	}
}

int state_keep(struct state *state, struct event_base *base)
{
	static const struct timeval minute = { SAVE_TOTALS_S, 0 };

	if (state->soon)
		event_free(state->soon);
	if (state->totals)
		event_free(state->totals);
	state->soon = state->totals = NULL;
	if (!base)
		return 0;
	state->soon = evtimer_new(base, save_now, state);
	state->totals = event_new(base, -1, EV_PERSIST, save_now, state);
	if (!state->soon || !state->totals || event_add(state->totals, &minute)) {
		state_keep(state, NULL);
		return -ENOMEM;
	}
	return 0;
}
