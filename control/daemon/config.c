/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads shunt.conf with libconfig, setting by setting as the table of settings has it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_access.h"
#include "config_reader.h"
#include "config_text.h"
#include "settings.h"

#define FILE_MAX_BYTES (256 << 20) /* of the file, and of all it includes together */
#define INCLUDE_MAX_FILES 1000
#define INCLUDE_MAX_DEPTH 10 /* libconfig's */
#define SHOWN_MAX 160 /* "pools[32767].backends[65535].address" and the start of an unknown name */

struct reader {
	config_t lib;
	char *folder; /* where "@include" is looked for */
	struct config *config;
	struct error *error;
	unsigned int n_included;
	size_t included_bytes;
	const char *lib_file; /* the last file looked up, and what it is called */
	const char *file;
};

int config_place(struct error *error, const char *file, int line, const char *name, int err)
{
	struct error what = *error;
	char where[16] = "";

	if (line)
		snprintf(where, sizeof(where), ":%d", line);
	error_set(
		error, EINVAL, "%.200s%s: %s%s%.240s", file, where, name ? name : "", name ? ": " : "", what.text);
	return err;
}

static int no_memory(struct error *error)
{
	return error_set(error, ENOMEM, "out of memory");
}

/* A path as our own in config->files; the first is the configuration itself. NULL: no memory. */
static const char *keep_file(struct reader *r, const char *folder, const char *name)
{
	struct strings *files = &r->config->files;
	char *path, **grown;

	if (!folder || name[0] == '/' || !strcmp(folder, "."))
		path = strdup(name);
	else if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	if (!path)
		return NULL;
	for (size_t i = 1; i < files->n; i++) {
		if (!strcmp(files->item[i], path)) {
			free(path);
			return files->item[i];
		}
	}
	grown = realloc(files->item, (files->n + 1) * sizeof(*grown));
	if (!grown) {
		free(path);
		return NULL;
	}
	files->item = grown;
	files->item[files->n] = path;
	return files->item[files->n++];
}

/* The file a setting is in. */
static const char *file_of(struct reader *r, const config_setting_t *setting)
{
	const char *lib_file = config_setting_source_file(setting);

	if (!lib_file)
		return r->config->files.item[0];
	if (lib_file != r->lib_file) {
		const char *file = keep_file(r, r->folder, lib_file);

		if (!file)
			return lib_file;
		r->lib_file = lib_file;
		r->file = file;
	}
	return r->file;
}

static int line_of(const config_setting_t *setting)
{
	return (int)config_setting_source_line(setting);
}

static int place(struct reader *r, const config_setting_t *where, const char *shown, int err)
{
	return config_place(r->error, file_of(r, where), line_of(where), shown, err);
}

/* Strings of an array, borrowed; kind VALUE_OTHER if there is something else in it. */
static int read_strings(config_setting_t *from, struct value *value)
{
	int n = config_setting_length(from);

	value->items.item = calloc((size_t)n + 1, sizeof(char *));
	if (!value->items.item)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		const char *text = config_setting_get_string_elem(from, i);

		if (!text)
			value->kind = VALUE_OTHER;
		value->items.item[i] = (char *)text;
	}
	value->items.n = (size_t)n;
	return 0;
}

static int read_value(config_setting_t *from, struct value *value)
{
	*value = (struct value){ .kind = VALUE_OTHER };
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		value->kind = VALUE_NUMBER;
		value->number = config_setting_get_int64(from);
		if (config_setting_type(from) == CONFIG_TYPE_INT)
			value->number = config_setting_get_int(from);
		break;
	case CONFIG_TYPE_FLOAT:
		value->kind = VALUE_REAL;
		break;
	case CONFIG_TYPE_BOOL:
		value->kind = VALUE_BOOL;
		value->truth = config_setting_get_bool(from);
		break;
	case CONFIG_TYPE_STRING:
		value->kind = VALUE_TEXT;
		value->text = config_setting_get_string(from);
		break;
	case CONFIG_TYPE_GROUP:
		value->kind = VALUE_GROUP;
		break;
	case CONFIG_TYPE_LIST:
		value->kind = VALUE_LIST;
		break;
	case CONFIG_TYPE_ARRAY:
		value->kind = VALUE_ARRAY;
		return read_strings(from, value);
	}
	return 0;
}

static int read_scalar(struct reader *r, const struct setting *setting, config_setting_t *from, const char *shown,
	void *base)
{
	struct value value;
	int err = read_value(from, &value);

	if (err)
		return no_memory(r->error);
	err = settings_store(setting, &value, base, r->error);
	free(value.items.item);
	return err ? place(r, from, shown, err) : 0;
}

static int read_group(
	struct reader *r, config_setting_t *group, const char *prefix, const char *shown, void *base);

static void set_origin(struct reader *r, const struct setting *list, void *element, const config_setting_t *from)
{
	const char *file = file_of(r, from);
	int line = line_of(from);

	if (!strcmp(list->path, "pools")) {
		((struct config_pool *)element)->file = file;
		((struct config_pool *)element)->line = line;
	} else if (!strcmp(list->path, "access")) {
		((struct config_access *)element)->file = file;
		((struct config_access *)element)->line = line;
	} else if (!strcmp(list->path, "vips")) {
		((struct config_vip *)element)->file = file;
		((struct config_vip *)element)->line = line;
	} else {
		((struct config_backend *)element)->file = file;
		((struct config_backend *)element)->line = line;
	}
}

static int read_element(struct reader *r, const struct setting *list, config_setting_t *from, const char *shown,
	void *element)
{
	int err = settings_defaults(list->path, element);

	if (err)
		return no_memory(r->error);
	if (config_setting_type(from) != CONFIG_TYPE_GROUP) {
		error_set(r->error, EINVAL, "must be a group { ... }");
		return place(r, from, shown, -EINVAL);
	}
	set_origin(r, list, element, from);
	return read_group(r, from, list->path, shown, element);
}

static int read_list(struct reader *r, const struct setting *setting, config_setting_t *from, const char *shown,
	void *base)
{
	int type = config_setting_type(from), n = config_setting_length(from);
	char element_shown[SHOWN_MAX];
	char *elements;

	/* "[ ]" is an empty list to everybody but libconfig. */
	if (type != CONFIG_TYPE_LIST && !(type == CONFIG_TYPE_ARRAY && n == 0))
		return read_scalar(r, setting, from, shown, base);
	if (n > setting->max) {
		error_set(r->error, EINVAL, "%d are too many: at most %d", n, (int)setting->max);
		return place(r, from, shown, -EINVAL);
	}
	elements = calloc((size_t)n + 1, setting->element_size);
	if (!elements)
		return no_memory(r->error);
	*(void **)((char *)base + setting->offset) = elements;
	for (int i = 0; i < n; i++) {
		int err;

		/* Counted first, so that what an element holds is freed if it is wrong. */
		*(size_t *)((char *)base + setting->count) = (size_t)i + 1;
		snprintf(element_shown, sizeof(element_shown), "%.64s[%d]", shown, i);
		err = read_element(r, setting, config_setting_get_elem(from, (unsigned int)i), element_shown,
			elements + (size_t)i * setting->element_size);
		if (err)
			return err;
	}
	return 0;
}

static int read_setting(struct reader *r, const struct setting *setting, config_setting_t *from, const char *shown,
	void *base)
{
	switch (setting->type) {
	case SETTING_GROUP:
		if (config_setting_type(from) != CONFIG_TYPE_GROUP)
			return read_scalar(r, setting, from, shown, base);
		if (setting->has_given)
			*((bool *)((char *)base + setting->given)) = true;
		return read_group(r, from, setting->path, shown, base);
	case SETTING_LIST:
		return read_list(r, setting, from, shown, base);
	default:
		return read_scalar(r, setting, from, shown, base);
	}
}

static void show(char *text, const char *shown, const char *name)
{
	snprintf(text, SHOWN_MAX, "%.80s%s%.64s", shown, *shown ? "." : "", name);
}

/* That what is in a check is of its type, which is known by now, and makes a whole. */
static int finish_check(struct reader *r, config_setting_t *group, const char *shown, struct config_pool *pool)
{
	const char *word;
	config_setting_t *from;
	char name[SHOWN_MAX];
	int err = 0;

	for (int i = 0; i < config_setting_length(group) && !err; i++) {
		from = config_setting_get_elem(group, (unsigned int)i);
		word = config_setting_name(from);
		err = settings_belong(settings_find("pools.check", word), pool->check.type, r->error);
	}
	if (!err) {
		err = check_complete(&pool->check, &word, r->error);
		from = config_setting_get_member(group, word);
	}
	if (!err)
		return 0;
	show(name, shown, word);
	return place(r, from ? from : group, name, err);
}

/* prefix: in the table; shown: in messages, where lists have an index. */
static int read_group(struct reader *r, config_setting_t *group, const char *prefix, const char *shown, void *base)
{
	char name[SHOWN_MAX], what[256];

	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *from = config_setting_get_elem(group, (unsigned int)i);

		if (settings_find(prefix, config_setting_name(from)))
			continue;
		show(name, shown, config_setting_name(from));
		return place(r, from, name, settings_unknown(prefix, config_setting_name(from), r->error));
	}
	for (const struct setting *s = settings; s->path; s++) {
		config_setting_t *from;
		int err;

		if (!settings_is_in(s, prefix))
			continue;
		show(name, shown, settings_word(s));
		from = config_setting_get_member(group, settings_word(s));
		if (from) {
			err = read_setting(r, s, from, name, base);
			if (err)
				return err;
		} else if (s->required) {
			error_set(r->error, EINVAL, "is missing: %s (%s)",
				settings_describe(s, what, sizeof(what)), s->help);
			return place(r, group, name, -EINVAL);
		}
	}
	return strcmp(prefix, "pools.check") ? 0 : finish_check(r, group, shown, base);
}

/* FNV-1a, 64 bits: the digest need only tell one file from the next. */
uint64_t config_digest_add(uint64_t digest, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		digest = (digest ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return digest;
}

/* A whole regular file. 0 and *text, to be freed; or -errno and *error. */
int config_slurp(const char *path, char **text, size_t *size, struct error *error)
{
	/* A pipe would keep the daemon waiting. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat status;
	size_t done = 0;

	*text = NULL;
	if (fd < 0 || fstat(fd, &status)) {
		err = -errno;
		goto out;
	}
	if (!S_ISREG(status.st_mode)) {
		err = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
		goto out;
	}
	if (status.st_size > FILE_MAX_BYTES) {
		err = -EFBIG;
		goto out;
	}
	*text = malloc((size_t)status.st_size + 1);
	if (!*text) {
		err = -ENOMEM;
		goto out;
	}
	while (done < (size_t)status.st_size) {
		ssize_t n = read(fd, *text + done, (size_t)status.st_size - done);

		if (n < 0) {
			err = -errno;
			goto out;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	(*text)[done] = '\0';
	*size = done;
out:
	if (fd >= 0)
		close(fd);
	if (err) {
		free(*text);
		error_set(error, -err, "%.300s: cannot be read: %s", path,
			err == -EINVAL ? "it is not a regular file" : strerror(-err));
	}
	return err;
}

/* Line in which two texts begin to differ; 0: they don't. */
static int line_of_difference(const char *a, const char *b)
{
	int line = 1;

	for (; *a == *b; a++, b++) {
		if (!*a)
			return 0;
		line += *a == '\n';
	}
	return line;
}

static int check_includes(struct reader *r, const char *file, const char *prepared, int depth);

/* One of them: 0, or what is wrong within it, or with it: then *at_include. */
static int check_included(struct reader *r, const char *path, int depth, bool *at_include)
{
	char *text, *prepared;
	size_t size;
	int line, err;

	*at_include = true;
	if (depth == INCLUDE_MAX_DEPTH || r->n_included++ == INCLUDE_MAX_FILES)
		return error_set(
			r->error, EINVAL, "%s: too many files in one another: does one include itself?", path);
	err = config_slurp(path, &text, &size, r->error);
	if (err)
		return err;
	r->included_bytes += size;
	if (r->included_bytes > FILE_MAX_BYTES) {
		free(text);
		return error_set(r->error, EFBIG, "%s: what is included is too large", path);
	}
	*at_include = false;
	r->config->digest = config_digest_add(r->config->digest, text, size);
	err = config_text_prepare(text, size, &prepared, &line, r->error);
	/* libconfig reads the file itself, and cuts a number that wants an "L". */
	if (!err && (line = line_of_difference(text, prepared))) {
		err = error_set(r->error, EINVAL, "a number above 2147483647 needs an \"L\" behind it");
		free(prepared);
	}
	free(text);
	if (err)
		return err == -ENOMEM ? err : config_place(r->error, path, line, NULL, err);
	err = check_includes(r, path, prepared, depth + 1);
	free(prepared);
	return err;
}

/*
 * Look at what is included before libconfig does, which would wait for a pipe, read a device without end, and
 * end the process on a folder. The included files have to be good text too, and change the digest.
 */
static int check_includes(struct reader *r, const char *file, const char *prepared, int depth)
{
	struct config_include include;
	int line = 1;

	while (config_text_include(&prepared, &line, &include)) {
		char name[PATH_MAX];
		const char *path;
		bool at_include = true;
		int err;

		if (include.length >= sizeof(name) || *include.name == '/' ||
			memchr(include.name, '\\', include.length)) {
			error_set(r->error, EINVAL, "must be the name, without \"\\\", of a file beside this one");
			return config_place(r->error, file, include.line, "@include", -EINVAL);
		}
		snprintf(name, sizeof(name), "%.*s", (int)include.length, include.name);
		path = keep_file(r, r->folder, name);
		err = path ? check_included(r, path, depth, &at_include) : no_memory(r->error);
		if (err && at_include && err != -ENOMEM)
			return config_place(r->error, file, include.line, "@include", -EINVAL);
		if (err)
			return err;
	}
	return 0;
}

static int syntax_error(struct reader *r, const char *text)
{
	const char *file = config_error_file(&r->lib);
	int line = config_error_line(&r->lib);
	char copy[100];

	if (file) {
		error_set(r->error, EINVAL, "%s", config_error_text(&r->lib));
		file = keep_file(r, r->folder, file);
		return config_place(r->error, file ? file : "included file", line, NULL, -EINVAL);
	}
	error_set(r->error, EINVAL, "%s at, or just before: %s", config_error_text(&r->lib),
		config_text_line(text, line, copy, sizeof(copy)));
	return config_place(r->error, r->config->files.item[0], line, NULL, -EINVAL);
}

static int read_text(struct reader *r, const char *text, size_t size)
{
	char *prepared;
	int line, err = config_text_prepare(text, size, &prepared, &line, r->error);

	if (err)
		return err == -ENOMEM ? err : config_place(r->error, r->config->files.item[0], line, NULL, err);
	r->config->digest = config_digest_add(CONFIG_DIGEST_BEGIN, text, size);
	err = check_includes(r, r->config->files.item[0], prepared, 0);
	config_set_include_dir(&r->lib, r->folder);
	if (!err && !config_read_string(&r->lib, prepared))
		err = syntax_error(r, prepared);
	if (!err)
		err = read_group(r, config_root_setting(&r->lib), "", "", r->config);
	free(prepared);
	if (err)
		return err;
	/* One packet or many: IPVS has one timeout for UDP. */
	r->config->timeout_s[FLOW_UDP_NEW] = r->config->timeout_s[FLOW_UDP];
	err = config_access_read(r->config, r->error);
	return err ? err : config_check(r->config, r->error);
}

int config_parse(const char *name, const char *text, size_t size, struct config **out, struct error *error)
{
	struct reader r = { .error = error };
	char *copy = strdup(name);
	int err = -ENOMEM;

	*out = NULL;
	config_init(&r.lib);
	r.config = calloc(1, sizeof(*r.config));
	if (!copy || !r.config || !keep_file(&r, NULL, name) || settings_defaults("", r.config))
		no_memory(error);
	else {
		r.folder = dirname(copy);
		err = read_text(&r, text, size);
	}
	config_destroy(&r.lib);
	free(copy);
	if (err)
		config_free(r.config);
	else
		*out = r.config;
	return err;
}

int config_load(const char *path, struct config **out, struct error *error)
{
	char *text;
	size_t size;
	int err = config_slurp(path, &text, &size, error);

	*out = NULL;
	if (err)
		return err;
	err = config_parse(path, text, size, out, error);
	free(text);
	return err;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_pools; i++) {
		free(config->pools[i].backends);
		settings_free("pools", &config->pools[i]);
	}
	free(config->pools);
	for (size_t i = 0; i < config->n_access; i++) {
		free(config->access[i].prefixes);
		settings_free("access", &config->access[i]);
	}
	free(config->access);
	free(config->vips);
	for (size_t i = 0; i < config->files.n; i++)
		free(config->files.item[i]);
	free(config->files.item);
	settings_free("", config);
	free(config);
}
