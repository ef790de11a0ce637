/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libcurl in the event loop: its handles, kept for the next check, and its sockets and timer as events. Only for
 * check_http.c.
 */
#ifndef SHUNT_CHECK_HTTP_CLIENT_H
#define SHUNT_CHECK_HTTP_CLIENT_H

#include <curl/curl.h>

#include "check_kind.h"

struct check_http_client;

/* A run of check_http.c, as far as the client has to know it. */
struct check_http_run {
	struct check_run run;
	CURL *easy; /* its CURLOPT_PRIVATE is the run; NULL: none */
	struct check_http_client *client;
	bool added;  /* easy is under way */
	bool broken; /* no memory to watch its socket */
};

/* An easy handle with what is the same for all checks set. NULL: no memory. */
CURL *check_http_easy(struct checker *checker);
/*
 * The client for the authorities that are trusted: libcurl keeps them read for a time, but those of one file only. ca: NULL for
 * checks that trust nobody. NULL: no memory.
 */
struct check_http_client *check_http_client(struct checker *checker, const char *ca);
/* Let http->easy go ahead. The run may be finished within, as others may. */
void check_http_client_add(struct check_http_run *http);
/* Something happened to the socket (EV_READ, EV_WRITE); 0: look whether. Likewise. */
void check_http_client_act(struct check_http_run *http, short what);
/* Give back its handle, whatever it is at. */
void check_http_client_remove(struct check_http_run *http);
void check_http_clients_close(struct checker *checker);

/* Of check_http.c: easy is over, with this. */
void check_http_over(struct check_http_run *http, CURLcode code);

#endif
