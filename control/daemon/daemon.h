/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of the running daemon, for those who serve operators: RPC handlers and HTTP pages ask them
 * and translate. main.c makes them and takes them down.
 */
#ifndef SHUNT_DAEMON_H
#define SHUNT_DAEMON_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "announce.h"
#include "claims.h"
#include "config.h"
#include "counters.h"
#include "drain.h"
#include "health.h"
#include "hook.h"
#include "model.h"
#include "neighbour.h"
#include "netlink.h"
#include "path.h"
#include "ports.h"
#include "pressure.h"
#include "publish.h"
#include "route.h"
#include "slow_start.h"
#include "state.h"

struct daemon {
	struct event_base *base;
	const char *config_path;
	struct config *config; /* as it was read last */
	struct model *model;
	struct state *state;
	struct netlink *netlink;
	struct path_choice path;
	int claim; /* on the shunt-dataplane of dpdk.socket; -1: none */
	struct ports *ports;
	struct routes *routes;
	struct neighbours *neighbours;
	struct health *health;
	struct publisher *publisher;
	struct counters *counters;
	struct announcer *announcer;
	struct claims *claims;
	struct pressure *pressure;
	struct hook *hook;
	struct drains *drains;
	struct slow_start *slow_start;
	struct event *watch;
	json_t *warned;     /* route_warnings() that stand in the log already */
	uint64_t started_s; /* CLOCK_MONOTONIC */
};

uint64_t daemon_uptime_s(const struct daemon *daemon);

/* What carries traffic now: "dpdk", "xdp-native", "xdp-generic", or "xdp" while the program is not attached. */
const char *daemon_path(const struct daemon *daemon);

/* What is wrong now: an array of lines for the operator, the caller's. A part that is NULL is left out. */
json_t *daemon_warnings(const struct daemon *daemon);

/*
 * Look every ten seconds for what would keep checks from working (route_warnings: an operator may change a
 * sysctl or an address at any time) and log what is new. 0 or -ENOMEM. Closing does nothing if it was not opened.
 */
int daemon_watch_open(struct daemon *daemon);
void daemon_watch_close(struct daemon *daemon);

/*
 * Read the configuration file again and make the running set what it says; with dry_run only say what would
 * change. 0 and *changes, an array of strings, the caller's; or -errno and a line in *error: then nothing is
 * changed. An event tells of what was done. The forwarder follows by itself: publish_wait() tells when.
 */
int daemon_reload(struct daemon *daemon, bool dry_run, json_t **changes, struct error *error);

#endif
