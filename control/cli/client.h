/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way to shuntd: one JSON-RPC 2.0 request over its Unix socket, one answer, each a line.
 */
#ifndef SHUNTCTL_CLIENT_H
#define SHUNTCTL_CLIENT_H

#include <jansson.h>

#include "failure.h"

#define CLIENT_SOCKET "/run/shunt/shuntd.sock"
/* shuntd answers a change within 5 s, acknowledged or not. */
#define CLIENT_TIMEOUT_MS 10000
/* The largest answer there can be, of 65,535 VIPs and backends each, is a third of this. */
#define CLIENT_ANSWER_MAX (128u << 20)

/*
 * Call a method on a connection of its own. params: borrowed, an object. *result: an object, the caller's.
 * timeout_ms: how long shuntd may be silent. Returns STATUS_DONE, or fills *failure in and returns its status;
 * failure->outcome_unknown tells whether the request may have been carried out nevertheless.
 */
enum status client_call(const char *path, const char *method, json_t *params, int timeout_ms, json_t **result,
	struct failure *failure);

#endif
