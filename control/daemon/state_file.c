/* SPDX-License-Identifier: BSD-3-Clause */
/* Small files that must be whole after a crash. */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int state_file_read(int folder, const char *name, char **text, size_t *size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat status;
	size_t done = 0;

	*text = NULL;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode))
		err = -EINVAL;
	else if (!(*text = malloc((size_t)status.st_size + 1)))
		err = -ENOMEM;
	while (!err && done < (size_t)status.st_size) {
		ssize_t n = read(fd, *text + done, (size_t)status.st_size - done);

		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(fd);
	if (err) {
		free(*text);
		*text = NULL;
		return err;
	}
	(*text)[done] = '\0';
	*size = done;
	return 0;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

int state_file_replace(int folder, const char *name, const char *text, size_t size, mode_t mode)
{
	char temporary[64];
	int fd, err;

	snprintf(temporary, sizeof(temporary), ".%.50s.new", name);
	/* Left over from a crash, perhaps by another user: nobody else writes here, the folder is locked. */
	if (unlinkat(folder, temporary, 0) && errno != ENOENT)
		return -errno;
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, size);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(folder, temporary, folder, name))
		err = -errno;
	if (err) {
		unlinkat(folder, temporary, 0);
		return err;
	}
	return fsync(folder) ? -errno : 0;
}
