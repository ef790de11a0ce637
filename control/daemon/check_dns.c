/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type dns: a question over UDP is answered, with an rcode that is among those expected. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "check_kind.h"
#include "check_text.h"
#include "dns_message.h"

/* By enum check_record. */
static const uint16_t types[] = {
	[CHECK_RECORD_A] = DNS_A,
	[CHECK_RECORD_AAAA] = DNS_AAAA,
	[CHECK_RECORD_NS] = DNS_NS,
	[CHECK_RECORD_SOA] = DNS_SOA,
	[CHECK_RECORD_TXT] = DNS_TXT,
	[CHECK_RECORD_SRV] = DNS_SRV,
	[CHECK_RECORD_MX] = DNS_MX,
	[CHECK_RECORD_PTR] = DNS_PTR,
	[CHECK_RECORD_ANY] = DNS_ANY,
};

struct dns_run {
	struct check_run run;
	uint32_t rcodes; /* 1 << each that is a success */
	uint32_t others; /* datagrams that were no answer to the question */
	size_t size;
	uint8_t question[DNS_QUESTION_MAX];
};

static void begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	struct dns_run *dns = (struct dns_run *)run;
	uint8_t name[CHECK_NAME_MAX];
	struct error error;
	uint16_t id;
	int size = check_name_parse(check->query, name, &error);

	if (size < 0 || check_rcodes_parse(check->rcode, &dns->rcodes, &error) < 0) {
		check_finish(run, CHECK_UNMADE, "%s", error.text);
		return;
	}
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id)) {
		check_finish(run, CHECK_UNMADE, "no random numbers yet");
		return;
	}
	dns->size = dns_ask(id, name, (size_t)size, types[check->record], dns->question);
	if (check_connect(run, SOCK_DGRAM, 0, check, target))
		check_send(run, dns->question, dns->size);
}

static void finish_unexpected(struct check_run *run, int rcode)
{
	const char *name = check_rcode_name((unsigned int)rcode);

	if (name)
		check_finish(run, CHECK_FAILED, "answered with %s", name);
	else
		check_finish(run, CHECK_FAILED, "answered with rcode %d", rcode);
}

static void look(struct check_run *run, short what)
{
	struct dns_run *dns = (struct dns_run *)run;
	uint8_t data[DNS_QUESTION_MAX]; /* more of an answer need not be seen */
	ssize_t size = check_receive(run, data, sizeof(data));
	int rcode;

	(void)what;
	if (size < 0)
		return;
	rcode = dns_rcode(dns->question, dns->size, data, (size_t)size);
	if (rcode < 0)
		dns->others++; /* perhaps somebody's guess: the answer may yet come */
	else if (dns->rcodes >> rcode & 1)
		check_succeed(run);
	else
		finish_unexpected(run, rcode);
}

static void late(struct check_run *run, const char *limit)
{
	const struct dns_run *dns = (const struct dns_run *)run;

	if (!dns->others)
		return;
	run->result.silent = false;
	snprintf(run->why, sizeof(run->why), "within %s nothing but %u datagram%s that %s no answer to the question", limit,
		dns->others, dns->others == 1 ? "" : "s", dns->others == 1 ? "is" : "are");
}

const struct check_kind check_dns = { .size = sizeof(struct dns_run), .begin = begin, .look = look, .late = late };
