/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The small languages in a check's settings: statuses, datagrams, answers of DNS. Read when the configuration is, to
 * refuse what is wrong, and again by who makes the check. Functions that parse return 0, or -EINVAL and what is wrong
 * in *error, without the place.
 */
#ifndef SHUNT_CHECK_TEXT_H
#define SHUNT_CHECK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define CHECK_STATUS_MIN 100
#define CHECK_STATUS_MAX 599

struct check_expect {
	uint64_t bits[(CHECK_STATUS_MAX + 64) / 64];
};

/* "200-299,304", blanks after commas. */
int check_expect_parse(const char *text, struct check_expect *expect, struct error *error);
bool check_expect_has(const struct check_expect *expect, long status);

#define CHECK_PAYLOAD_MAX 1400 /* bytes: a datagram that no network splits */

struct check_payload {
	bool is_hex;
	bool any_rest; /* hex: "*" at the end */
	size_t size;
	uint8_t byte[CHECK_PAYLOAD_MAX];
	bool any[CHECK_PAYLOAD_MAX]; /* hex: "??" */
};

/* Text, or "hex:0a ff", and with wildcards "hex:0a ?? 0b *". */
int check_payload_parse(const char *text, bool wildcards, struct check_payload *payload, struct error *error);
/* Text: found anywhere in it. Bytes: all of it. */
bool check_payload_matches(const struct check_payload *payload, const void *data, size_t size);

/* "NOERROR,NXDOMAIN" as 1 << rcode. */
int check_rcodes_parse(const char *text, uint32_t *rcodes, struct error *error);
/* "NXDOMAIN"; NULL for one that has no name. */
const char *check_rcode_name(unsigned int rcode);

/* A name as questions carry it: labels with their lengths, up to the root's 0; room for 255. Returns its length. */
#define CHECK_NAME_MAX 255
int check_name_parse(const char *text, uint8_t *wire, struct error *error);

/* What the settings of these names take: struct setting's check. */
int check_method_fault(const char *text, struct error *error);
int check_host_fault(const char *text, struct error *error);
int check_path_fault(const char *text, struct error *error);
int check_header_fault(const char *text, struct error *error);
int check_expect_fault(const char *text, struct error *error);
int check_body_fault(const char *text, struct error *error);
int check_sni_fault(const char *text, struct error *error);
int check_send_fault(const char *text, struct error *error);
int check_receive_fault(const char *text, struct error *error);
int check_query_fault(const char *text, struct error *error);
int check_command_fault(const char *text, struct error *error);
int check_rcode_fault(const char *text, struct error *error);

#endif
