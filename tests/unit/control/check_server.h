/* SPDX-License-Identifier: BSD-3-Clause */
/* Servers on loopback that behave as they were told to, well or badly, in the loop of check_bed.h. */
#ifndef SHUNT_CHECK_SERVER_H
#define SHUNT_CHECK_SERVER_H

#include <stddef.h>
#include <stdint.h>

enum check_manner {
	SERVER_ANSWERS,  /* once it has read the end of a request; then it closes */
	SERVER_STAYS,    /* likewise, but it keeps the connection */
	SERVER_GREETS,   /* says it at once and stays */
	SERVER_ENDLESS,  /* as it answers; what comes after the first line of dashes is sent again and again */
	SERVER_DRIPS,    /* as it answers, a byte at a time, one every 100 ms */
	SERVER_SILENT,   /* accepts, and that is all */
	SERVER_CLOSES    /* at once */
};

struct check_server;

struct check_server *check_server_new(enum check_manner manner, const char *says);
void check_server_free(struct check_server *server);
uint16_t check_server_port(const struct check_server *server);
/* What was last asked, up to 8 KiB of it. */
const char *check_server_asked(const struct check_server *server);
unsigned int check_server_connections(const struct check_server *server);
/* Bytes that it handed to its sockets. */
size_t check_server_sent(const struct check_server *server);

/* A UDP server that answers each datagram with this; NULL: with what came. */
struct check_server *check_server_new_udp(const void *answer, size_t size);

#endif
