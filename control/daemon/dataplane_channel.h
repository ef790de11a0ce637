/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shuntd's end of the socket to shunt-dataplane (core/channel.h): connects, again and again, takes messages
 * apart and hands them on. For forwarder_dataplane.c only.
 */
#ifndef SHUNT_DATAPLANE_CHANNEL_H
#define SHUNT_DATAPLANE_CHANNEL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "channel.h"

struct dataplane_channel;

/* Descriptors are the callee's from then on. */
struct dataplane_channel_handler {
	void *context;
	void (*hello)(void *context, const struct channel_hello *hello, int statistics_fd);
	void (*flows)(void *context, const struct channel_flows *flows, int fd); /* fd -1: there is none any more */
	void (*ack)(void *context, const struct channel_ack *ack);
	void (*down)(void *context, const char *why); /* no connection: could not be made, or ended; each time */
};

/* handler: the caller's, outlives it. Connects from the loop. NULL: no memory. */
struct dataplane_channel *dataplane_channel_new(struct event_base *base, const char *path,
	const struct dataplane_channel_handler *handler);
void dataplane_channel_free(struct dataplane_channel *channel);

/*
 * Where to connect from now on: at once where there is no connection, else when it has ended, as it is when a
 * dataplane is restarted to listen elsewhere. 0 or -ENOMEM.
 */
int dataplane_channel_set_path(struct dataplane_channel *channel, const char *path);
/* Send a snapshot's descriptor, which stays the caller's. 0, or -errno: then the connection was closed. */
int dataplane_channel_send(struct dataplane_channel *channel, uint64_t version, uint64_t size, int fd);
/* Close for this reason, and begin anew. */
void dataplane_channel_reset(struct dataplane_channel *channel, const char *why);

#endif
