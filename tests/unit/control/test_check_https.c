/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of type https, of servers (openssl's) with certificates good and bad, made for the test. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check_bed.h"
#include "check_server.h"
#include "unit.h"

static char folder[] = "/tmp/shunt-check-https-XXXXXX";

/* An authority and another one; certificates of the first: good, expired, of another name, of a client. */
static const char make_all[] =
	"set -e; exec >log 2>&1\n"
	"key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
	"authority() { key $1; openssl req -x509 -new -key $1.key -subj /CN=$1 -days 30 -out $1.pem; }\n"
	"certificate() { # NAME DAYS SUBJECT-ALTERNATIVE-NAMES\n"
	"	key $1; echo \"subjectAltName=$3\" >$1.ext\n"
	"	openssl req -new -key $1.key -subj /CN=$1 -out $1.csr\n"
	"	openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $2 -extfile $1.ext "
	"-out $1.pem\n"
	"}\n"
	"authority ca; authority other\n"
	"certificate good 30 DNS:web.example,IP:127.0.0.1\n"
	"certificate expired -1 DNS:web.example,IP:127.0.0.1\n"
	"certificate wrong 30 DNS:mail.example\n"
	"certificate client 30 DNS:shuntd\n"
	"openssl ec -in client.key -aes128 -passout pass:secret -out locked.key\n";

static char *file(const char *name)
{
	static char paths[8][128];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static pid_t start_server(uint16_t port, const char *certificate, char *const *more)
{
	char accept[32], key[160], pem[160];
	char *arguments[24] = { (char *)"openssl", (char *)"s_server", (char *)"-quiet", (char *)"-www",
		(char *)"-accept", accept, (char *)"-cert", pem, (char *)"-key", key };
	int n = 10;
	pid_t pid;

	snprintf(accept, sizeof(accept), "127.0.0.1:%u", port);
	snprintf(key, sizeof(key), "%s/%s.key", folder, certificate);
	snprintf(pem, sizeof(pem), "%s/%s.pem", folder, certificate);
	while (more && *more)
		arguments[n++] = *more++;
	pid = fork();
	if (pid)
		return pid;
	freopen("/dev/null", "r", stdin);
	freopen(file("server.log"), "a", stdout);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	execvp(arguments[0], arguments);
	_exit(127);
}

static void await_server(uint16_t port)
{
	const struct check tcp = { .type = CHECK_TCP };

	for (int i = 0; i < 3000; i++) {
		if (check_bed_make(&tcp, port, BED_LONG_MS).outcome == CHECK_SUCCEEDED)
			return;
		usleep(10000);
	}
	fprintf(stderr, "openssl s_server does not come up\n");
	abort();
}

static struct check_verdict meet(const struct check *check, const char *certificate, char *const *more)
{
	uint16_t port = check_bed_free_port();
	pid_t pid = start_server(port, certificate, more);
	struct check_verdict v;

	await_server(port);
	v = check_bed_make(check, port, BED_LONG_MS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return v;
}

static struct check usual(void)
{
	return (struct check){
		.type = CHECK_HTTPS, .method = (char *)"GET", .path = (char *)"/", .expect = (char *)"200"
	};
}

static struct check verifying(void)
{
	struct check check = usual();

	check.verify = true;
	check.ca = file("ca.pem");
	check.host = (char *)"web.example";
	return check;
}

#define ENDS(v, as, because)                                                                                      \
	do {                                                                                                      \
		struct check_verdict is = v;                                                                      \
		CU_ASSERT_EQUAL(is.outcome, as);                                                                  \
		CU_ASSERT_PTR_NOT_NULL(strstr(is.why, because));                                                  \
		unit_note("%s", is.why);                                                                          \
	} while (0)

static void test_not_verified(void)
{
	struct check check = usual();

	SUCCEEDS(meet(&check, "good", NULL));
	SUCCEEDS(meet(&check, "expired", NULL));
	SUCCEEDS(meet(&check, "wrong", NULL));
	check.host = (char *)"gone.invalid";
	SUCCEEDS(meet(&check, "good", NULL));
}

static void test_verified(void)
{
	struct check check = verifying();

	SUCCEEDS(meet(&check, "good", NULL));
	check.host = NULL; /* the address is in the certificate */
	SUCCEEDS(meet(&check, "good", NULL));
	check.sni = (char *)"web.example";
	SUCCEEDS(meet(&check, "good", NULL));
	check.sni = NULL;
	check.host = (char *)"web.example:8443"; /* the port is no part of the name */
	SUCCEEDS(meet(&check, "good", NULL));
	check = verifying();
	ENDS(meet(&check, "expired", NULL), CHECK_FAILED, "certificate has expired");
	ENDS(meet(&check, "wrong", NULL), CHECK_FAILED, "web.example");
	check.ca = file("other.pem");
	ENDS(meet(&check, "good", NULL), CHECK_FAILED, "certificate");
	check.ca = NULL; /* the system's authorities don't know it either */
	ENDS(meet(&check, "good", NULL), CHECK_FAILED, "certificate");
}

/* The name that is asked for: another gets the server's other certificate. */
static void test_name(void)
{
	char *more[] = { (char *)"-servername", (char *)"web.example", (char *)"-cert2", file("good.pem"),
		(char *)"-key2", file("good.key"), NULL };
	struct check check = verifying();

	SUCCEEDS(meet(&check, "wrong", more));
	check.sni = (char *)"mail.example";
	SUCCEEDS(meet(&check, "wrong", more));
	check.sni = (char *)"web.example";
	check.host = (char *)"elsewhere.example";
	SUCCEEDS(meet(&check, "wrong", more));
	check.sni = NULL;
	ENDS(meet(&check, "wrong", more), CHECK_FAILED, "elsewhere.example");
}

static void test_client_certificate(void)
{
	char *more[] = { (char *)"-Verify", (char *)"1", (char *)"-verify_return_error", (char *)"-CAfile",
		file("ca.pem"), NULL };
	struct check check = verifying();

	ENDS(meet(&check, "good", more), CHECK_FAILED, "");
	check.cert = file("client.pem");
	check.key = file("client.key");
	SUCCEEDS(meet(&check, "good", more));
}

/* Files of ours that are not what they should be say nothing of the server. */
static void test_own_trouble(void)
{
	struct check check = verifying();

	check.ca = file("no-such.pem");
	ENDS(meet(&check, "good", NULL), CHECK_UNMADE, "no-such.pem");
	check.ca = file("good.ext");
	ENDS(meet(&check, "good", NULL), CHECK_UNMADE, "good.ext");
	check = verifying();
	check.cert = file("client.pem");
	check.key = file("no-such.key");
	ENDS(meet(&check, "good", NULL), CHECK_UNMADE, "no-such.key");
	check.key = file("good.key");
	ENDS(meet(&check, "good", NULL), CHECK_UNMADE, "");
	/* Nobody is asked for the word that it takes. */
	check.key = file("locked.key");
	ENDS(meet(&check, "good", NULL), CHECK_UNMADE, "locked.key");
}

static struct check_verdict meet_other(
	const struct check *check, enum check_manner manner, const char *says, uint32_t timeout_ms)
{
	struct check_server *server = check_server_new(manner, says);
	struct check_verdict v = check_bed_make(check, check_server_port(server), timeout_ms);

	check_server_free(server);
	return v;
}

static void test_no_tls(void)
{
	struct check check = usual();

	ENDS(meet_other(&check, SERVER_GREETS, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", BED_LONG_MS), CHECK_FAILED,
		"no TLS: ");
	ENDS(meet_other(&check, SERVER_GREETS, "HTTP/1.1 400 Bad Request\r\n\r\n", BED_LONG_MS), CHECK_FAILED,
		"no TLS: ");
	ENDS(meet_other(&check, SERVER_SILENT, NULL, 100), CHECK_FAILED,
		"connected, but TLS was not set up within 100ms");
	ENDS(meet_other(&check, SERVER_CLOSES, NULL, BED_LONG_MS), CHECK_FAILED, "");
}

/* A file of authorities is read once in a while, not for each check; and what is new in it is seen. */
static void test_authorities_kept(void)
{
	struct check good = verifying(), system = verifying();
	uint16_t port = check_bed_free_port();
	pid_t pid = start_server(port, "good", NULL);
	struct timespec before, after;

	system.ca = NULL;
	await_server(port);
	for (int round = 0; round < 2; round++) {
		const struct check *check = round ? &good : &system;
		int rounds = 50;

		check_bed_make(check, port, BED_LONG_MS);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
		for (int i = 0; i < rounds; i++)
			CU_ASSERT_EQUAL(
				check_bed_make(check, port, BED_LONG_MS).outcome, round ? CHECK_SUCCEEDED : CHECK_FAILED);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
		unit_note("%.2f ms of CPU a check that trusts %s",
			((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) /
				rounds / 1e6,
			round ? "one authority" : "the system's");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_down(void)
{
	CU_ASSERT_EQUAL(check_bed_down(), 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "not verified", test_not_verified },
		{ "verified", test_verified },
		{ "by name", test_name },
		{ "a client's certificate", test_client_certificate },
		{ "our own trouble is no verdict", test_own_trouble },
		{ "servers without TLS", test_no_tls },
		{ "authorities are not read each time", test_authorities_kept },
		{ "no descriptor is left", test_down },
		{ NULL, NULL },
	};
	char command[sizeof(make_all) + 256];
	int status;

	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	snprintf(command, sizeof(command), "cd %s\n%s", folder, make_all);
	status = system(command);
	if (status != 0) {
		fprintf(stderr, "no certificates: see %s/log\n", folder);
		return EXIT_FAILURE;
	}
	check_bed_up();
	status = unit_run("check_https", tests);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? status : EXIT_FAILURE;
}
