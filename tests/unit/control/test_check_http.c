/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type http, of servers that answer as they should and of all the others. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check_bed.h"
#include "check_server.h"
#include "unit.h"

#define COST_ROUNDS 3000
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

static struct check usual(void)
{
	return (struct check){ .type = CHECK_HTTP, .method = (char *)"GET", .path = (char *)"/", .expect = (char *)"200-299" };
}

static struct check_verdict meet(const struct check *check, enum check_manner manner, const char *says, uint32_t timeout_ms)
{
	struct check_server *server = check_server_new(manner, says);
	struct check_verdict v = check_bed_make(check, check_server_port(server), timeout_ms);

	check_server_free(server);
	return v;
}

static void test_status(void)
{
	struct check check = usual();
	struct check_verdict v;

	v = meet(&check, SERVER_ANSWERS, OK, BED_LONG_MS);
	SUCCEEDS(v);
	SUCCEEDS(meet(&check, SERVER_STAYS, OK, BED_LONG_MS));
	SUCCEEDS(meet(&check, SERVER_ANSWERS, "HTTP/1.0 204 No Content\r\n\r\n", BED_LONG_MS));
	SUCCEEDS(meet(&check, SERVER_ANSWERS, "HTTP/1.1 100 Continue\r\n\r\n" OK, BED_LONG_MS));
	v = meet(&check, SERVER_ANSWERS, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", BED_LONG_MS);
	FAILS_ANSWERED(v, "HTTP status 503");
	/* A redirect is an answer, not a way. */
	v = meet(&check, SERVER_ANSWERS, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", BED_LONG_MS);
	FAILS_ANSWERED(v, "HTTP status 302");
	check.expect = (char *)"200,300-310";
	SUCCEEDS(meet(&check, SERVER_ANSWERS, "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", BED_LONG_MS));
	v = meet(&check, SERVER_ANSWERS, "HTTP/1.1 204 No Content\r\n\r\n", BED_LONG_MS);
	FAILS_ANSWERED(v, "HTTP status 204");
}

static void test_request(void)
{
	struct check_server *server = check_server_new(SERVER_ANSWERS, OK);
	char *headers[] = { (char *)"X-Check: shunt", (char *)"Accept: text/plain", (char *)"X-Empty:" };
	struct check check = usual();
	char expected[512];
	uint16_t port = check_server_port(server);

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	SUCCEEDS(check_bed_make(&check, port, BED_LONG_MS));
	snprintf(expected, sizeof(expected),
		"GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: shuntd/" SHUNT_VERSION
		"\r\nAccept: */*\r\nConnection: close\r\n\r\n", port);
	CU_ASSERT_STRING_EQUAL(check_server_asked(server), expected);

	/* A host that no name server knows: it is never asked for. */
	check.host = (char *)"gone.invalid:8080";
	check.path = (char *)"/a/../healthz?x=1";
	check.method = (char *)"OPTIONS";
	check.headers = (struct strings){ headers, 3 };
	SUCCEEDS(check_bed_make(&check, port, BED_LONG_MS));
	CU_ASSERT_STRING_EQUAL(check_server_asked(server),
		"OPTIONS /a/../healthz?x=1 HTTP/1.1\r\nHost: gone.invalid:8080\r\nUser-Agent: shuntd/" SHUNT_VERSION
		"\r\nConnection: close\r\nX-Check: shunt\r\nAccept: text/plain\r\nX-Empty:\r\n\r\n");
	check.headers.n = 0;

	check.host = NULL;
	check.path = (char *)"/";
	check.method = (char *)"POST";
	SUCCEEDS(check_bed_make(&check, port, BED_LONG_MS));
	CU_ASSERT_PTR_NOT_NULL(strstr(check_server_asked(server), "POST / HTTP/1.1\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(check_server_asked(server), "\r\nContent-Length: 0\r\n"));
	check.method = (char *)"HEAD";
	SUCCEEDS(check_bed_make(&check, port, BED_LONG_MS));
	CU_ASSERT_PTR_NOT_NULL(strstr(check_server_asked(server), "HEAD / HTTP/1.1\r\n"));
	/* The handle that was used for these is as good as new. */
	check.method = (char *)"GET";
	SUCCEEDS(check_bed_make(&check, port, BED_LONG_MS));
	snprintf(expected, sizeof(expected),
		"GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: shuntd/" SHUNT_VERSION
		"\r\nAccept: */*\r\nConnection: close\r\n\r\n", port);
	CU_ASSERT_STRING_EQUAL(check_server_asked(server), expected);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	check_server_free(server);
}

static void test_body(void)
{
	struct check check = usual();
	struct check_verdict v;
	static char long_one[200000];

	check.body = (char *)"^hel+o$|^status: (ok|fine)";
	SUCCEEDS(meet(&check, SERVER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstatus: ok", BED_LONG_MS));
	SUCCEEDS(meet(&check, SERVER_ANSWERS, "HTTP/1.0 200 OK\r\n\r\nstatus: fine", BED_LONG_MS));
	SUCCEEDS(meet(&check, SERVER_STAYS,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nstat\r\n6\r\nus: ok\r\n0\r\nX-Trailer: 1\r\n\r\n", BED_LONG_MS));
	v = meet(&check, SERVER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nstatus: bad", BED_LONG_MS);
	FAILS_ANSWERED(v, "the body does not match");
	v = meet(&check, SERVER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", BED_LONG_MS);
	FAILS_ANSWERED(v, "the body does not match");
	/* Cut short. */
	v = meet(&check, SERVER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstatus: ok", BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	unit_note("cut short: %s", v.why);
	/* Within the first 64 KiB it counts, after that it does not. */
	for (int at = 65000; at <= 66000; at += 1000) {
		int length = sprintf(long_one, "HTTP/1.0 200 OK\r\n\r\n");

		memset(long_one + length, 'x', 100000);
		strcpy(long_one + length + 100000, "\n");
		memcpy(long_one + length + at, "needle", 6);
		check.body = (char *)"needle";
		v = meet(&check, SERVER_ANSWERS, long_one, BED_LONG_MS);
		CU_ASSERT_EQUAL(v.outcome, at == 65000 ? CHECK_SUCCEEDED : CHECK_FAILED);
	}
	/* The C library alone would take fifteen seconds for this one. */
	strcpy(long_one, "HTTP/1.0 200 OK\r\n\r\n");
	memset(long_one + strlen(long_one), 'x', 65536);
	long_one[65536] = '\0';
	check.body = (char *)"x+y|x+z$";
	v = meet(&check, SERVER_ANSWERS, long_one, BED_LONG_MS);
	FAILS_ANSWERED(v, "the body does not match");
	CU_ASSERT(v.ms < 10000);
}

static void test_faults(void)
{
	struct check check = usual(), body = usual();
	struct check_verdict v;
	static char text[20000];

	body.body = (char *)"never there";
	v = meet(&check, SERVER_SILENT, NULL, 100);
	FAILS_ANSWERED(v, "connected, but no answer within 100ms");
	/* The loop's clock stands still while it is at work: a timer may come that much early. */
	CU_ASSERT(v.ms >= 50);
	v = meet(&check, SERVER_DRIPS, OK, 400);
	FAILS_ANSWERED(v, "connected, but no answer within 400ms");
	v = meet(&check, SERVER_CLOSES, NULL, BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	unit_note("closes at once: %s", v.why);
	v = meet(&check, SERVER_GREETS, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	unit_note("another protocol: %s", v.why);
	CU_ASSERT_PTR_NOT_NULL(strstr(v.why, "the answer is not HTTP"));
	v = meet(&check, SERVER_ANSWERS, "\x15\x03\x03\x00\x02\x02\x16", BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	unit_note("TLS: %s", v.why);
	v = meet(&check, SERVER_ENDLESS, "HTTP/1.1 200 OK\r\n---X-Header: and one more\r\n", BED_LONG_MS);
	FAILS_ANSWERED(v, "more than 64 KiB of HTTP headers");
	v = meet(&check, SERVER_ENDLESS, "HTTP/1.1 100 Continue\r\n\r\n---HTTP/1.1 100 Continue\r\n\r\n", BED_LONG_MS);
	CU_ASSERT_EQUAL(v.outcome, CHECK_FAILED);
	unit_note("always to be continued: %s", v.why);
	v = meet(&check, SERVER_ENDLESS, "HTTP/1.1 200 OK\r\nX-Long: ---and without an end ", BED_LONG_MS);
	FAILS_ANSWERED(v, "more than 64 KiB of HTTP headers");
	v = meet(&check, SERVER_ENDLESS, "HTTP/1.1 200 OK\r\n: nonsense\r\n\x01\xff\xfe ---\r\n", BED_LONG_MS);
	unit_note("nonsense: %s", v.why);
	/* Any number of bytes of a body: of no interest, or too many. */
	v = meet(&check, SERVER_ENDLESS, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n---many bytes ", BED_LONG_MS);
	SUCCEEDS(v);
	strcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n---");
	memset(text + strlen(text), 'x', 16384);
	text[16384 + 50] = '\0';
	v = meet(&body, SERVER_ENDLESS, text, BED_LONG_MS);
	FAILS_ANSWERED(v, "the body does not match");
	v = meet(&body, SERVER_ENDLESS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n---X-Trailer: and one more\r\n", BED_LONG_MS);
	FAILS_ANSWERED(v, "more than 64 KiB of HTTP headers");
	/* The headers may not be there by then, if the machine has much else to do. */
	for (int i = 0; i < 10; i++) {
		v = meet(&body, SERVER_STAYS, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome", 100);
		if (strstr(v.why, "of the body"))
			break;
	}
	FAILS_ANSWERED(v, "connected, but not all of the body within 100ms");
	v = meet(&check, SERVER_ENDLESS, "---HTTP/1.1 200 OK\r\n", BED_LONG_MS);
	unit_note("status lines without an end: %s", v.why);
}

/* Nobody may be kept waiting by a server that has much to say. */
static void test_huge_is_not_read(void)
{
	struct check_server *server;
	struct check check = usual();
	static char text[70000];

	strcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n---");
	memset(text + strlen(text), 'x', 65536);
	text[65536 + 50] = '\0';
	server = check_server_new(SERVER_ENDLESS, text);
	SUCCEEDS(check_bed_make(&check, check_server_port(server), BED_LONG_MS));
	unit_note("%zu bytes were sent", check_server_sent(server));
	CU_ASSERT(check_server_sent(server) < 16 << 20);
	check_server_free(server);
}

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks;
}

static void test_nothing_is_left(void)
{
	struct check_server *servers[] = { check_server_new(SERVER_ANSWERS, OK), check_server_new(SERVER_CLOSES, NULL),
		check_server_new(SERVER_SILENT, NULL),
		NULL };
	struct check check = usual();
	static char endless[20000] = "HTTP/1.1 200 OK\r\n\r\n---";
	struct check_verdict v[16];
	size_t memory = 0;
	int descriptors = 0;

	memset(endless + strlen(endless), 'x', 16384);
	servers[3] = check_server_new(SERVER_ENDLESS, endless);
	check.body = (char *)"x{3}$";
	for (int i = 0; i < 700; i++) {
		if (i == 200) {
			memory = in_use();
			descriptors = check_bed_descriptors();
		}
		memset(v, 0, sizeof(v));
		for (int k = 0; k < 16; k++) {
			struct check_target target = check_bed_target(check_server_port(servers[k % 4]));
			struct check_run *run = check_begin(bed_checker, &check, &target, 5, check_bed_note, &v[k]);

			if (k == 7) {
				event_base_loop(bed_base, EVLOOP_ONCE);
				check_cancel(v[k].times ? NULL : run);
			}
		}
		for (int k = 0; k < 16; k++)
			if (k != 7)
				check_bed_await(&v[k]);
	}
	/* The last connections are given a moment. */
	for (int i = 0; i < 50; i++) {
		usleep(10000);
		event_base_loop(bed_base, EVLOOP_NONBLOCK);
	}
	CU_ASSERT(check_bed_descriptors() <= descriptors + 8);
	unit_note("%d descriptors more, %ld bytes more after 8,000 checks", check_bed_descriptors() - descriptors,
		(long)(in_use() - memory));
	CU_ASSERT((long)(in_use() - memory) < 100000);
	for (int i = 0; i < 4; i++)
		check_server_free(servers[i]);
}

/* A server in a process of its own, so that its work is not counted. Returns its port. */
static uint16_t start_apart(pid_t *pid)
{
	uint16_t port = 0;
	int ends[2];

	if (pipe(ends) < 0)
		return 0;
	*pid = fork();
	if (*pid == 0) {
		bed_base = event_base_new();
		event_base_priority_init(bed_base, 3);
		port = check_server_port(check_server_new(SERVER_ANSWERS, OK));
		if (write(ends[1], &port, sizeof(port)) == sizeof(port))
			event_base_dispatch(bed_base);
		_exit(1);
	}
	if (read(ends[0], &port, sizeof(port)) < 0)
		port = 0;
	close(ends[0]);
	close(ends[1]);
	return port;
}

static void test_cost(void)
{
	struct check check = usual();
	struct timespec before, after;
	pid_t server = -1;
	uint16_t port = start_apart(&server);

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (int i = 0; i < COST_ROUNDS; i++)
		CU_ASSERT_EQUAL_FATAL(check_bed_make(&check, port, BED_LONG_MS).outcome, CHECK_SUCCEEDED);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	unit_note("%.0f us of CPU a check",
		((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) /
			COST_ROUNDS / 1e3);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void test_down(void)
{
	CU_ASSERT_EQUAL(check_bed_down(), 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "statuses", test_status },
		{ "what is asked", test_request },
		{ "the body", test_body },
		{ "faulty servers", test_faults },
		{ "a huge answer is not read", test_huge_is_not_read },
		{ "many leave nothing behind", test_nothing_is_left },
		{ "what they cost", test_cost },
		{ "no descriptor is left", test_down },
		{ NULL, NULL },
	};

	check_bed_up();
	return unit_run("check_http", tests);
}
