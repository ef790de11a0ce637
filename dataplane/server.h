/* SPDX-License-Identifier: BSD-3-Clause */
/* The dataplane's end of the channel to shuntd (core/channel.h). One client at a time. Main thread. */
#ifndef SHUNT_SERVER_H
#define SHUNT_SERVER_H

#include "adopt.h"
#include "channel.h"
#include "settings.h"

struct server {
	int lock; /* of the path */
	int listener;
	int client; /* -1: nobody there */
	char path[108];
	struct channel_hello hello; /* ready-made, but for the snapshot's version */
	int statistics;		    /* descriptor that goes with it; not ours */
	struct adopt *adopt;
};

/*
 * Take the socket's path: one that is another shunt-dataplane's, or that any live process listens on, is refused, a stale
 * one replaced. Nobody can connect yet. Returns 0, or -1 with a line logged.
 */
int server_open(struct server *s, const char *path);

/* Let shuntd connect. The rest of *s has been filled in. Returns 0, or -1 with a line logged. */
int server_listen(struct server *s);

/* The listener is readable: take the new client, greet it, close the old one. */
void server_accept(struct server *s);

/* The client is readable: handle one message. It may be closed then. */
void server_receive(struct server *s);

/* The flow tables may be others: tell the client, if there is one and they are. */
void server_tell_flows(struct server *s);

/* Close all, and remove the socket. */
void server_close(struct server *s);

#endif
