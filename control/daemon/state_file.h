/* SPDX-License-Identifier: BSD-3-Clause */
/* Small files that must be whole after a crash. */
#ifndef SHUNT_STATE_FILE_H
#define SHUNT_STATE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* All of a file in the folder: 0 and *text (NUL-terminated, to be freed) and its *size; or -errno. */
int state_file_read(int folder, const char *name, char **text, size_t *size);

/*
 * Put a file in the place of the one of this name: a temporary one, fsync, rename, fsync of the folder. 0 or
 * -errno; on error the old file is there as it was.
 */
int state_file_replace(int folder, const char *name, const char *text, size_t size, mode_t mode);

#endif
