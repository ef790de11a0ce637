/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of types udp, dns and ping. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_bed.h"
#include "check_server.h"
#include "check_text.h"
#include "dns_message.h"
#include "unit.h"

static struct check udp(const char *send, const char *receive)
{
	return (struct check){ .type = CHECK_UDP, .send = (char *)send, .receive = (char *)receive };
}

static struct check_verdict meet(const struct check *check, const void *says, size_t size, uint32_t timeout_ms)
{
	struct check_server *server = check_server_new_udp(says, size);
	struct check_verdict v = check_bed_make(check, check_server_port(server), timeout_ms);

	check_server_free(server);
	return v;
}

static void test_udp(void)
{
	struct check any = udp(NULL, NULL), text = udp("ping", "pong"), hex = udp("hex:00 01 ff", "hex:00 ?? ff");
	uint16_t port;
	int fd;
	struct check_verdict v;

	SUCCEEDS(meet(&any, "anything", 8, 1000));
	SUCCEEDS(meet(&any, "", 0, 1000));
	SUCCEEDS(meet(&any, NULL, 0, 1000));
	SUCCEEDS(meet(&text, "here: pong!", 11, 1000));
	FAILS(meet(&text, NULL, 0, 1000), "an answer that was not expected, of 4 bytes: 70 69 6e 67");
	SUCCEEDS(meet(&hex, NULL, 0, 1000));
	FAILS(meet(&hex, "\0\1\xff\1", 4, 1000), "an answer that was not expected, of 4 bytes: 00 01 ff 01");
	FAILS(check_bed_make(&any, check_bed_free_port(), 1000), "Connection refused");
	fd = check_bed_bind(SOCK_DGRAM, &port);
	v = check_bed_make(&any, port, 50);
	FAILS(v, "no answer within 50ms");
	CU_ASSERT(v.silent);
	close(fd);
}

static struct check dns(const char *query, enum check_record record, const char *rcode)
{
	return (struct check){ .type = CHECK_DNS, .query = (char *)query, .record = record, .rcode = (char *)rcode };
}

/* A name server: the question back as an answer, after what is done to it. */
struct name_server {
	int fd;
	uint8_t rcode;
	enum { HONEST, OTHER_ID, OTHER_NAME, NOT_AN_ANSWER, SHORT, WITHOUT_QUESTION, LIAR_FIRST, UPPER_CASE } manner;
};

static void on_question(evutil_socket_t fd, short what, void *context)
{
	const struct name_server *server = context;
	struct sockaddr_storage from;
	socklen_t from_size = sizeof(from);
	uint8_t message[512];
	ssize_t size = recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &from_size);

	if (size < 12)
		return;
	message[2] |= 0x80;
	message[3] = server->rcode;
	if (server->manner == OTHER_ID || server->manner == LIAR_FIRST)
		message[0] ^= 1;
	if (server->manner == OTHER_NAME)
		message[13] ^= 1;
	if (server->manner == UPPER_CASE)
		message[13] ^= 0x20;
	if (server->manner == NOT_AN_ANSWER)
		message[2] &= 0x7f;
	if (server->manner == SHORT)
		size = 11;
	if (server->manner == WITHOUT_QUESTION) {
		message[5] = 0;
		size = 12;
	}
	sendto(fd, message, (size_t)size, 0, (struct sockaddr *)&from, from_size);
	if (server->manner == LIAR_FIRST) {
		message[0] ^= 1;
		sendto(fd, message, (size_t)size, 0, (struct sockaddr *)&from, from_size);
	}
}

static struct check_verdict ask(const struct check *check, int manner, uint8_t rcode)
{
	struct name_server server = { .manner = manner, .rcode = rcode };
	struct event *event;
	struct check_verdict v;
	bool is_heard = manner == HONEST || manner == UPPER_CASE || manner == LIAR_FIRST;
	uint16_t port;

	server.fd = check_bed_bind(SOCK_DGRAM, &port);
	event = event_new(bed_base, server.fd, EV_READ | EV_PERSIST, on_question, &server);
	event_add(event, NULL);
	v = check_bed_make(check, port, rcode || is_heard ? BED_LONG_MS : 100);
	event_free(event);
	close(server.fd);
	return v;
}

static void test_dns(void)
{
	struct check root = dns(".", CHECK_RECORD_NS, "NOERROR");
	struct check name = dns("www.example.org", CHECK_RECORD_AAAA, "NOERROR,NXDOMAIN");
	struct check_verdict v;

	SUCCEEDS(ask(&root, HONEST, 0));
	SUCCEEDS(ask(&name, HONEST, 3));
	SUCCEEDS(ask(&name, UPPER_CASE, 0));
	SUCCEEDS(ask(&name, LIAR_FIRST, 0));
	FAILS(ask(&root, HONEST, 2), "answered with SERVFAIL");
	FAILS(ask(&root, HONEST, 3), "answered with NXDOMAIN");
	FAILS(ask(&root, HONEST, 14), "answered with rcode 14");
	FAILS(ask(&root, WITHOUT_QUESTION, 5), "answered with REFUSED");
	v = ask(&root, OTHER_ID, 0);
	FAILS(v, "within 100ms nothing but 1 datagram that is no answer to the question");
	CU_ASSERT_FALSE(v.silent);
	CU_ASSERT_EQUAL(ask(&name, OTHER_NAME, 0).outcome, CHECK_FAILED);
	CU_ASSERT_EQUAL(ask(&root, NOT_AN_ANSWER, 0).outcome, CHECK_FAILED);
	CU_ASSERT_EQUAL(ask(&root, SHORT, 0).outcome, CHECK_FAILED);
	CU_ASSERT_EQUAL(ask(&root, WITHOUT_QUESTION, 0).outcome, CHECK_FAILED);
	FAILS(check_bed_make(&root, check_bed_free_port(), 1000), "Connection refused");
}

static void test_dns_message(void)
{
	static const uint8_t name[] = "\3www\7example\3org";
	static const uint8_t expected[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3org\0\0\x1c\0\1";
	uint8_t question[DNS_QUESTION_MAX], answer[DNS_QUESTION_MAX + 100];
	size_t size = dns_ask(0x1234, name, sizeof(name), DNS_AAAA, question);

	CU_ASSERT_EQUAL_FATAL(size, sizeof(expected) - 1);
	CU_ASSERT(!memcmp(question, expected, size));
	CU_ASSERT_EQUAL(dns_rcode(question, size, question, size), -1);
	memset(answer, 0xff, sizeof(answer));
	memcpy(answer, question, size);
	answer[2] |= 0x80;
	/* Every length short of the whole is none; what is behind it does not matter. */
	for (size_t cut = 0; cut < size; cut++)
		CU_ASSERT_EQUAL(dns_rcode(question, size, answer, cut), -1);
	CU_ASSERT_EQUAL(dns_rcode(question, size, answer, size), 0);
	CU_ASSERT_EQUAL(dns_rcode(question, size, answer, sizeof(answer)), 0);
	answer[5] = 2;
	CU_ASSERT_EQUAL(dns_rcode(question, size, answer, size), -1);
}

static const struct check ping = { .type = CHECK_PING };

static void test_ping(void)
{
	struct check_target target = check_bed_target(0);
	struct check_verdict v = check_bed_make_of(&ping, &target, 1000);

	if (v.outcome == CHECK_UNMADE) {
		unit_note("not tried: %s", v.why);
		return;
	}
	SUCCEEDS(v);
	target.address = unit_addr("::1");
	v = check_bed_make_of(&ping, &target, 1000);
	if (v.outcome == CHECK_UNMADE)
		unit_note("IPv6 not tried: %s", v.why);
	else
		SUCCEEDS(v);
}

static void set_range(const char *range)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);

	if (fd < 0 || write(fd, range, strlen(range)) < 0)
		_exit(2);
	close(fd);
}

static void up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

/* Both kinds of sockets, each for both families, in a network of our own; with nobody there, too. Root only. */
static void ping_apart(void)
{
	static const char *const addresses[] = { "127.0.0.1", "::1" }, *const ranges[] = { "0 2147483647", "1 0" };
	struct check_target target = check_bed_target(0);
	struct check_verdict v;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(1);
	up();
	for (int range = 0; range < 2; range++) {
		set_range(ranges[range]);
		check_bed_up();
		for (int family = 0; family < 2; family++) {
			target.address = unit_addr(addresses[family]);
			for (int i = 0; i < 20; i++)
				if (check_bed_make_of(&ping, &target, 1000).outcome != CHECK_SUCCEEDED)
					_exit(10 + range * 2 + family);
		}
		set_range("1 0");
		target.address = unit_addr("192.0.2.1");
		v = check_bed_make_of(&ping, &target, 1000);
		if (v.outcome != CHECK_UNMADE)
			_exit(20);
		if (check_bed_down() != 0)
			_exit(21);
	}
	_exit(0);
}

static void test_ping_sockets(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		ping_apart();
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		unit_note("not tried: not root");
	else
		CU_ASSERT_EQUAL(status, 0);
}

static void test_source(void)
{
	struct check check = udp(NULL, NULL);
	struct check_server *server = check_server_new_udp("x", 1);
	struct check_verdict v;

	check.source_given = true;
	check.source = unit_addr("127.0.0.9");
	SUCCEEDS(check_bed_make(&check, check_server_port(server), 1000));
	check.source = unit_addr("192.0.2.7");
	v = check_bed_make(&check, check_server_port(server), 1000);
	CU_ASSERT_EQUAL(v.outcome, CHECK_UNMADE);
	CU_ASSERT_STRING_EQUAL(v.why, "check.source: Cannot assign requested address");
	check_server_free(server);
}

static void test_down(void)
{
	CU_ASSERT_EQUAL(check_bed_down(), 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "udp", test_udp },
		{ "dns", test_dns },
		{ "messages of dns", test_dns_message },
		{ "ping", test_ping },
		{ "ping by both kinds of sockets", test_ping_sockets },
		{ "the address they come from", test_source },
		{ "no descriptor is left", test_down },
		{ NULL, NULL },
	};

	check_bed_up();
	return unit_run("check_datagram", tests);
}
