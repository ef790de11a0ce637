/* SPDX-License-Identifier: BSD-3-Clause */
/* As much of DNS messages (RFC 1035, section 4) as a check needs: a question, and whether an answer is one to it. */
#ifndef SHUNT_DNS_MESSAGE_H
#define SHUNT_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER 12
#define DNS_QUESTION_MAX (DNS_HEADER + 255 + 4)

/* Types of records. */
#define DNS_A 1
#define DNS_NS 2
#define DNS_SOA 6
#define DNS_PTR 12
#define DNS_MX 15
#define DNS_TXT 16
#define DNS_AAAA 28
#define DNS_SRV 33
#define DNS_ANY 255

/*
 * A question for records of that type, class IN, recursion desired, into message[DNS_QUESTION_MAX]; name: labels with
 * their lengths, up to the root's 0, of that many bytes, 255 at the most. Returns its size.
 */
size_t dns_ask(uint16_t id, const uint8_t *name, size_t name_size, uint16_t type, uint8_t *message);

/*
 * The rcode, 0 to 15, of an answer to the question; -1 if data is not one: of another id, to another question, no
 * answer at all. Anything may be in data.
 */
int dns_rcode(const uint8_t *question, size_t question_size, const uint8_t *data, size_t size);

#endif
