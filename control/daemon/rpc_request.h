/* SPDX-License-Identifier: BSD-3-Clause */
/* One JSON-RPC 2.0 request, from the line it came in to its reply. One thread. */
#ifndef SHUNT_RPC_REQUEST_H
#define SHUNT_RPC_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon.h"

struct rpc_request;

/*
 * Work on one line (without its end). done() is called once, perhaps before this returns, with the reply to
 * send (the callee's to free) or NULL if there is none (a notification). Returns NULL when done() has been
 * called already; else the request, which is gone after done().
 */
struct rpc_request *rpc_request_begin(struct daemon *daemon, bool may_change, const char *line, size_t length,
	void (*done)(void *context, json_t *reply), void *context);
/* Nobody waits for the reply any more; done() will not be called. A change that was made stays. */
void rpc_request_cancel(struct rpc_request *request);

/* A reply that says so, to a request that could not even be read. */
json_t *rpc_error_reply(int code, const char *message);

#endif
