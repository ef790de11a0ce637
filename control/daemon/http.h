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
/* Of these a metric's head, and one that has a single value; name without "shunt_". */
void http_put_head(struct evbuffer *out, const char *name, const char *type, const char *help);
void http_put_plain(struct evbuffer *out, const char *name, const char *type, const char *help, double value);
/* http_backends.c: what there is of each backend, in the same format; http_health.c: pools, checks and events. */
void http_put_backends(const struct daemon *daemon, struct evbuffer *out);
void http_put_health(const struct daemon *daemon, struct evbuffer *out);
/* http_page.c: the page for people. */
void http_put_page(const struct daemon *daemon, struct evbuffer *out);

#endif
