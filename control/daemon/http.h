/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is to be seen over HTTP, all of it read-only: /metrics for Prometheus, /healthz for a supervisor, and a
 * plain status page at /.
 */
#ifndef SHUNT_HTTP_H
#define SHUNT_HTTP_H

#include "config.h"
#include "daemon.h"

struct http_server;
struct evbuffer;

/* listen: control.http, "ADDR:PORT". 0 and *out, or -errno and a line in *error (it is in use, is not ours). */
int http_open(struct daemon *daemon, const char *listen, struct http_server **out, struct error *error);
void http_close(struct http_server *server);

/* http_metrics.c: the text of /metrics (Prometheus' exposition format 0.0.4), appended. */
void http_put_metrics(const struct daemon *daemon, struct evbuffer *out);

#endif
