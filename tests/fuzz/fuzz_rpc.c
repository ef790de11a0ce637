/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes the operators' socket: any bytes, in pieces, into a connection that may change everything. Input: one
 * byte of flags (1: may change; 2: the client stops sending; 4: it never reads), one byte, the length of the
 * pieces less one, and then what is sent. Each reply must be one line of JSON-RPC.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "events.h"
#include "fuzz.h"
#include "rpc_connection.h"
#include "rpc_daemon.h"

#define FLAG_MAY_CHANGE 1
#define FLAG_STOPS_SENDING 2
#define FLAG_NEVER_READS 4
#define REPLIES (4 << 20)

static struct daemon *serving;
static struct rpc_connection *connection;
static char replies[REPLIES];
static size_t n_replies;

static void stop(void)
{
	events_close();
	rpc_daemon_free(serving);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	serving = rpc_daemon_new();
	FUZZ_CHECK(!events_open(serving->base));
	atexit(stop);
	return 0;
}

static void note_closed(void *context, struct rpc_connection *closed)
{
	connection = NULL;
}

static void read_replies(int fd)
{
	ssize_t n;

	while (n_replies < sizeof(replies) && (n = read(fd, replies + n_replies, sizeof(replies) - n_replies)) > 0)
		n_replies += (size_t)n;
}

static void check_replies(void)
{
	for (char *line = replies, *end; (end = memchr(line, '\n', (size_t)(replies + n_replies - line))); line = end + 1) {
		json_t *reply = json_loadb(line, (size_t)(end - line), 0, NULL);

		FUZZ_CHECK(json_is_object(reply));
		FUZZ_CHECK(json_object_get(reply, "id"));
		FUZZ_CHECK(!json_object_get(reply, "result") != !json_object_get(reply, "error"));
		json_decref(reply);
	}
}

static void feed(int fd, const uint8_t *data, size_t size, size_t piece, bool reads)
{
	while (size && connection) {
		ssize_t n = send(fd, data, size < piece ? size : piece, MSG_NOSIGNAL);

		event_base_loop(serving->base, EVLOOP_NONBLOCK);
		if (reads)
			read_replies(fd);
		if (n < 0)
			break;
		data += n;
		size -= (size_t)n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];

	if (size < 2)
		return 0;
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	FUZZ_CHECK(!fcntl(pair[1], F_SETFL, O_NONBLOCK));
	n_replies = 0;
	connection = rpc_connection_new(serving, pair[0], data[0] & FLAG_MAY_CHANGE, note_closed, NULL);
	FUZZ_CHECK(connection);
	feed(pair[1], data + 2, size - 2, (size_t)data[1] + 1, !(data[0] & FLAG_NEVER_READS));
	if (data[0] & FLAG_STOPS_SENDING)
		shutdown(pair[1], SHUT_WR);
	rpc_daemon_turn(serving);
	read_replies(pair[1]);
	check_replies();
	if (connection)
		rpc_connection_free(connection);
	close(pair[1]);
	rpc_daemon_reset(serving);
	rpc_daemon_turn(serving);
	return 0;
}
