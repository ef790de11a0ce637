/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists of a configuration: their prefixes, from the file itself and from files of prefixes. */
#ifndef SHUNT_CONFIG_ACCESS_H
#define SHUNT_CONFIG_ACCESS_H

#include "config.h"

/* Whether a text is a prefix, or an address: 0, or -EINVAL and what is wrong, without the place. */
int access_prefix_check(const char *text, struct error *error);
/* The same, and which. */
int access_prefix_parse(const char *text, struct config_prefix *prefix, struct error *error);

/*
 * Fill prefixes of all access lists, reading their files, which change the digest; and see that names are not there
 * twice and VIPs name lists that are. 0, or -EINVAL or -ENOMEM and the line for the operator.
 */
int config_access_read(struct config *config, struct error *error);

#endif
