/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Passive detection: looks at what the forwarders count of handshakes about forty times a second, and makes a
 * backend whose handshakes have stopped while its peers' go on suspect (passive_judge.h says when): it gets no new
 * flows, and an extra check says whether it is down. For pools with "passive" that are checked. One thread, that
 * of the event base.
 */
#ifndef SHUNT_PASSIVE_H
#define SHUNT_PASSIVE_H

#include <event2/event.h>

#include "health.h"
#include "model.h"
#include "publish.h"

struct passive;

/* All are the caller's, outlive it. NULL: no memory. */
struct passive *passive_open(
	struct event_base *base, struct model *model, struct publisher *publisher, struct health *health);
void passive_close(struct passive *passive); /* may be NULL */

#endif
