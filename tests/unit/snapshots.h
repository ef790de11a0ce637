/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots of one pool, for unit tests: a VIP 192.0.2.80 and 2001:db8::80 with TCP port 80 and UDP port 53,
 * backends with ids from 0. And the frames that go to them, made in place without any text.
 */
#ifndef SHUNT_SNAPSHOTS_H
#define SHUNT_SNAPSHOTS_H

#include <stddef.h>
#include <stdint.h>

#include "parse.h"
#include "snapshot.h"
#include "world.h"

struct test_pool {
	enum scheduler scheduler;
	__u32 n;       /* backends */
	__u32 n_slots; /* 0: MAGLEV_SLOTS; else a prime */
	__u32 bound;   /* of half-open flows, of 192.0.2.80:80; 0: none */
	/* Of backend i; NULL: 100, and up. */
	__u16 (*weight)(__u32 i);        /* 0: takes no new flows, but is there */
	__u8 (*flags)(__u32 i);          /* BACKEND_*; without BACKEND_UP it takes no new flows either */
};

extern const struct mac test_own; /* MAC of the port */

/* In memory from malloc, sealed; *size may be NULL. Aborts without memory. */
void *test_snapshot(const struct test_pool *pool, size_t *size);
void test_seal(void *block, size_t size);

/* MAC of backend i. */
struct mac test_backend_mac(__u32 i);

#define TEST_FRAME 54 /* bytes of a TCP packet without options over IPv4 */

/* A TCP packet to 192.0.2.80:80, into frame[TEST_FRAME]. client and port in host order. */
void test_tcp4(uint8_t *frame, uint32_t client, uint16_t port, uint8_t flags);
/* A UDP packet to 192.0.2.80:53 of TEST_FRAME bytes. */
void test_udp4(uint8_t *frame, uint32_t client, uint16_t port);

/* Run one such frame through the world; the backend it goes to, or -1. */
int test_send(struct world *w, const uint8_t *frame);
int test_send_tcp(struct world *w, uint32_t client, uint16_t port, uint8_t flags);

#endif
