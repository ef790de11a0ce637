/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files that make a configuration: config.c reads it, config_check.c looks at the whole. */
#ifndef SHUNT_CONFIG_READER_H
#define SHUNT_CONFIG_READER_H

#include "config.h"

/* Put the place in front of what *error says: "FILE:LINE: NAME: ...". line 0, name NULL: without. Returns err. */
int config_place(struct error *error, const char *file, int line, const char *name, int err);

/*
 * What no setting alone can say: duplicates, families, names without a pool, path and port. Settles the types
 * of checks nobody gave. 0, or -EINVAL or -ENOMEM and the line for the operator.
 */
int config_check(struct config *config, struct error *error);

/* A regular file's bytes, a zero behind them, to be freed. 0, or -errno and a line in *error. */
int config_slurp(const char *path, char **text, size_t *size, struct error *error);
/* The digest, CONFIG_DIGEST_BEGIN at first, with these bytes. */
#define CONFIG_DIGEST_BEGIN 0xcbf29ce484222325ULL
uint64_t config_digest_add(uint64_t digest, const char *text, size_t size);

#endif
