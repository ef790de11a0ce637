/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that change the running set, check a file for it or save it: a word that it was done. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "printers.h"
#include "text.h"

void print_change(const struct invocation *invocation, const json_t *result)
{
	printf("Done: in force with snapshot %llu.\n", text_number(result, "snapshot"));
}

void print_reload(const struct invocation *invocation, const json_t *result)
{
	const json_t *changes = json_object_get(result, "changes"), *change;
	bool dry_run = json_object_get(invocation->given, "--dry-run");
	size_t i;

	json_array_foreach(changes, i, change) {
		text_put(stdout, json_is_string(change) ? json_string_value(change) : "?");
		putchar('\n');
	}
	if (!json_array_size(changes))
		puts("Nothing to change: the running set is what the file says.");
	else if (dry_run)
		puts("Dry run: nothing was changed.");
	else
		print_change(invocation, result);
}

void print_detach(const struct invocation *invocation, const json_t *result)
{
	const char *interface = text_member(result, "interface", "?");

	fputs(json_is_true(json_object_get(result, "detached")) ? "Done: no XDP program of shunt's is on " :
		"Nothing to do: there was no XDP program of shunt's on ", stdout);
	text_put(stdout, interface);
	puts(".");
}

void print_check(const struct invocation *invocation, const json_t *result)
{
	text_put(stdout, text_member(invocation->params, "file", "?"));
	fputs(" is right: ", stdout);
	text_plural(stdout, text_number(result, "vips"), "VIP");
	fputs(", ", stdout);
	text_plural(stdout, text_number(result, "pools"), "pool");
	fputs(", ", stdout);
	text_plural(stdout, text_number(result, "backends"), "backend");
	puts(".");
}

/* Write the text and have it on disk; errno tells what failed. Closes the file in any case. */
static int write_all(int fd, const char *text)
{
	size_t size = strlen(text), written = 0;
	int error = 0;

	while (written < size && !error) {
		ssize_t n = write(fd, text + written, size - written);

		if (n >= 0)
			written += (size_t)n;
		else if (errno != EINTR)
			error = errno;
	}
	/* EINVAL: a pipe or a device, which has no disk. */
	if (!error && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		error = errno;
	if (close(fd) < 0 && !error)
		error = errno;
	errno = error;
	return error ? -1 : 0;
}

/* By a temporary file beside it that takes its place, mode kept. Returns 0, or -1 with errno. */
static int replace_file(const char *path, const struct stat *old, const char *text)
{
	char *temporary;
	mode_t mask = umask(0);
	int fd, error;

	umask(mask);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -1;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		goto fail;
	if (fchmod(fd, old ? old->st_mode & 07777 : 0666 & ~mask) < 0 ||
		(old && geteuid() == 0 && fchown(fd, old->st_uid, old->st_gid) < 0)) {
		error = errno;
		close(fd);
		errno = error;
		goto unlink;
	}
	if (write_all(fd, text) < 0 || rename(temporary, path) < 0)
		goto unlink;
	free(temporary);
	return 0;

unlink:
	error = errno;
	unlink(temporary);
	errno = error;
fail:
	error = errno;
	free(temporary);
	errno = error;
	return -1;
}

static int write_file(const char *path, const char *text)
{
	struct stat old;
	char *target;
	int fd, result;

	if (stat(path, &old) < 0)
		return errno == ENOENT ? replace_file(path, NULL, text) : -1;
	if (!S_ISREG(old.st_mode)) { /* a device or a pipe is written to, not replaced */
		fd = open(path, O_WRONLY | O_CLOEXEC);
		return fd < 0 ? -1 : write_all(fd, text);
	}
	target = realpath(path, NULL); /* not the symbolic link but what it names */
	if (!target)
		return -1;
	result = replace_file(target, &old, text);
	free(target);
	return result;
}

enum status save_run(struct invocation *invocation, struct failure *failure)
{
	const char *path = text_member(invocation->given, "FILE", "-"), *text;
	bool to_stdout = !strcmp(path, "-");
	json_t *result;
	enum status status;

	status = command_call(invocation, &result, failure);
	if (status != STATUS_DONE)
		return status;
	text = text_member(result, "text", NULL);
	if (!text)
		status = failure_set(failure, STATUS_FAILED, "shuntd gave no text to save");
	else if (!to_stdout && write_file(path, text) < 0)
		status = failure_set(failure, STATUS_FAILED, "can't write %s: %s", path, strerror(errno));
	else if (invocation->json)
		command_print_json(result);
	else if (to_stdout)
		fputs(text, stdout);
	else
		printf("Saved to %s.\n", path);
	json_decref(result);
	return status;
}
