/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, MACs, ports and VIPs as operators write them, to and from the values the tables hold. No
 * name is ever looked up. Functions are pure; any thread.
 */
#ifndef SHUNT_ADDRESS_H
#define SHUNT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define ADDRESS_TEXT 46  /* room for an address */
#define ADDRESS_MAC_TEXT 18
#define ADDRESS_VIP_TEXT 64 /* room for "[address]:65535/tcp" */

/* What a VIP is known by: written "192.0.2.80:80/tcp", "[2001:db8::80]:53/udp". */
struct vip_spec {
	struct addr address;
	uint16_t port; /* host order; 0: every port */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
};

/* "192.0.2.1", "2001:db8::1" (no brackets). 0, or -EINVAL; IPv4 in IPv6's clothes ("::ffff:1.2.3.4") is one. */
int address_parse(const char *text, struct addr *address);
/*
 * "203.0.113.0/24", "2001:db8::/32", or an address for itself alone. 0; -EINVAL for another form; -ERANGE, *length set
 * and *address cut to it, if bits behind the length are set.
 */
int address_parse_prefix(const char *text, struct addr *address, uint8_t *length);
/* And back, with the length always, into text[ADDRESS_PREFIX_TEXT], which it returns. */
#define ADDRESS_PREFIX_TEXT (ADDRESS_TEXT + 4)
const char *address_print_prefix(struct addr address, uint8_t length, char *text);
/* The usual form (RFC 5952) into text[ADDRESS_TEXT], which it returns. */
const char *address_print(struct addr address, char *text);
/* AF_INET or AF_INET6. */
int address_family(struct addr address);
/* "IPv4" or "IPv6", for messages. */
const char *address_family_name(int family);
/* As memcmp: IPv4 by number, IPv6 by number; the order of lists and of Maglev's ties. */
int address_compare(struct addr a, struct addr b);
/* Why this can't be the address of a VIP or of a backend ("is a multicast address"), or NULL if it can. */
const char *address_fault(struct addr address);

/* "02:00:00:00:00:12", either case. 0, or -EINVAL. */
int address_parse_mac(const char *text, struct mac *mac);
const char *address_print_mac(const struct mac *mac, char *text); /* text[ADDRESS_MAC_TEXT] */
/* Why frames can't be sent to it as to one host, or NULL. */
const char *address_mac_fault(const struct mac *mac);

/* "198.51.100.2:40000", "[2001:db8::2]:40000". 0, or -EINVAL. Port in host order, 0..65535. */
int address_parse_endpoint(const char *text, struct addr *address, uint16_t *port);
const char *address_print_endpoint(struct addr address, uint16_t port, char *text); /* text[ADDRESS_VIP_TEXT] */

/* 0, or -EINVAL if it isn't written ADDR:PORT/PROTO; says nothing of whether the address suits a VIP. */
int address_parse_vip(const char *text, struct vip_spec *vip);
/* Into text[ADDRESS_VIP_TEXT], returned. */
const char *address_print_vip(struct addr address, uint8_t protocol, uint16_t port, char *text);

const char *address_protocol_name(uint8_t protocol); /* "tcp", "udp" */
/* IPPROTO_TCP or IPPROTO_UDP, or -EINVAL. */
int address_parse_protocol(const char *text);

#endif
