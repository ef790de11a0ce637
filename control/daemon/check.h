/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool's check as the settings of pools.check say it: a value, whose strings are its own. How it is made is
 * check_run.h's, when and what follows from it health.h's.
 */
#ifndef SHUNT_CHECK_H
#define SHUNT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"

struct error;

/* In the order of check_types in settings.c. */
enum check_type {
	CHECK_NONE,
	CHECK_TCP,
	CHECK_HTTP,
	CHECK_HTTPS,
	CHECK_UDP,
	CHECK_DNS,
	CHECK_PING,
	CHECK_EXEC
};
#define CHECK_TYPES 8

enum check_via { CHECK_VIA_VIP, CHECK_VIA_BACKEND };

/* In the order of check_records in settings.c. */
enum check_record {
	CHECK_RECORD_A,
	CHECK_RECORD_AAAA,
	CHECK_RECORD_NS,
	CHECK_RECORD_SOA,
	CHECK_RECORD_TXT,
	CHECK_RECORD_SRV,
	CHECK_RECORD_MX,
	CHECK_RECORD_PTR,
	CHECK_RECORD_ANY
};

struct strings {
	char **item;
	size_t n;
};

struct check {
	bool given; /* false: nobody said; then tcp, or none where no VIP of the pool is one of TCP and one port */
	enum check_type type;
	enum check_via via; /* exec: always backend */
	uint16_t port; /* host order; 0: the VIP's port */
	uint32_t interval_ms;
	uint32_t fast_interval_ms; /* while a result is in doubt; may be longer than interval_ms: then that holds */
	uint32_t jitter; /* percent of the interval, either way */
	uint32_t timeout_ms;
	uint32_t rise;
	uint32_t fall;
	bool source_given;
	struct addr source; /* checks come from it */

	/* http, https. Defaults are filled in; NULL: not given, which only host, body, sni, ca, cert and key can be. */
	char *method;
	char *host; /* of the Host header */
	char *path;
	struct strings headers; /* "Name: value" */
	char *expect;           /* check_expect_parse() takes it */
	char *body;             /* POSIX extended regular expression that compiles */
	char *sni; /* https, as the rest */
	bool verify;
	char *ca; /* files, absolute */
	char *cert;
	char *key;

	/* udp; NULL: not given. check_payload_parse() takes them. */
	char *send;
	char *receive;

	/* dns */
	char *query;
	enum check_record record;
	char *rcode; /* check_rcodes_parse() takes it */

	/* exec */
	struct strings command; /* the program's absolute path, and its arguments */
	char *user;
	bool dynamic_weight; /* exit status 2 to 255: success, and sets the weight to status - 2 */
};

/* to: uninitialised or freed. 0, or -ENOMEM, and *to is as freed. */
int check_copy(struct check *to, const struct check *from);
/* The strings; twice does no harm. */
void check_free(struct check *check);
/* Same content. The type of checks that nobody gave follows from the VIPs and is not compared. */
bool check_equal(const struct check *a, const struct check *b);

/*
 * Whether its settings make a check together; what follows from others is set. 0; or -EINVAL, the one that is
 * wrong
 * ("command"), and what is, without the place.
 */
int check_complete(struct check *check, const char **setting, struct error *error);
/* Whether it can be made only where a port is known: one of its own, or a VIP's. */
bool check_wants_port(const struct check *check);

/* "tcp" */
const char *check_type_name(enum check_type type);

#endif
