/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type udp: a datagram is answered, with what was expected if that was said. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "check_kind.h"
#include "check_text.h"

#define SHOWN 16 /* bytes of an answer that was not expected */

struct udp_run {
	struct check_run run;
	bool any; /* answer will do */
	struct check_payload receive;
};

static void begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	struct udp_run *udp = (struct udp_run *)run;
	struct check_payload send;
	struct error error;

	udp->any = !check->receive;
	if (check_payload_parse(check->send ? check->send : "", false, &send, &error) < 0 ||
		(check->receive && check_payload_parse(check->receive, true, &udp->receive, &error) < 0)) {
		check_finish(run, CHECK_UNMADE, "%s", error.text);
		return;
	}
	if (check_connect(run, SOCK_DGRAM, 0, check, target))
		check_send(run, send.byte, send.size);
}

static void finish_unexpected(struct check_run *run, const uint8_t *data, size_t size)
{
	char shown[SHOWN * 3 + 1] = "";

	for (size_t i = 0; i < size && i < SHOWN; i++)
		snprintf(shown + i * 3, 4, " %02x", data[i]);
	check_finish(run, CHECK_FAILED, "an answer that was not expected, of %zu bytes:%s%s", size, shown,
		size > SHOWN ? " ..." : "");
}

static void look(struct check_run *run, short what)
{
	struct udp_run *udp = (struct udp_run *)run;
	uint8_t data[65536];
	ssize_t size = check_receive(run, data, sizeof(data));

	(void)what;
	if (size < 0)
		return;
	if (udp->any || check_payload_matches(&udp->receive, data, (size_t)size))
		check_succeed(run);
	else
		finish_unexpected(run, data, (size_t)size);
}

const struct check_kind check_udp = { .size = sizeof(struct udp_run), .begin = begin, .look = look };
