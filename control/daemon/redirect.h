/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether an XDP program can send frames out of another interface than the one it is attached to. */
#ifndef SHUNT_REDIRECT_H
#define SHUNT_REDIRECT_H

#include <stdbool.h>

#include "netlink.h"

/*
 * Whether the interface of this index takes frames that XDP redirects to it. If it does not, the kernel drops each of
 * them after the program has counted it as sent, and tells nobody. It is exact from Linux 6.3 on, where it may change
 * while the interface is there; before, what is not known takes them. Any thread that netlink is of; some 20 us.
 */
bool redirect_is_taken(struct netlink *netlink, unsigned int index);

#endif
