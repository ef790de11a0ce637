/* SPDX-License-Identifier: BSD-3-Clause */
/* Which forwarders are in use, by what is configured and who answers. */
#include "path.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "control.h"
#include "log.h"
#include "unit.h"

#define PORT "dpdk: { port = \"net_null0\"; cores = \"1\"; socket = \"%s/dp\"; };\n"
#define SOCKETS "dpdk: { port = \"af_xdp:eth0\"; cores = \"1\"; socket = \"%s/dp\"; };\n"

static char folder[] = "/tmp/shunt-test-path-XXXXXX";

/* The choice for this configuration, in which %s is the folder of the socket. */
static struct path_choice choose(const char *text, unsigned int wait_ms)
{
	struct path_choice choice;
	struct config *config;
	char filled[1024];

	snprintf(filled, sizeof(filled), text, folder);
	config = control_parse(filled);
	path_choose(config, wait_ms, &choice);
	CU_ASSERT_STRING_EQUAL(path_interface(&choice, config), choice.xdp ? "eth0" : "shunt0");
	config_free(config);
	return choice;
}

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void by_configuration(void)
{
	static const struct {
		const char *text;
		bool dataplane, xdp;
		const char *reason;
	} cases[] = {
		{ "interface = \"eth0\";", false, true, "auto: no dpdk.port is given" },
		{ PORT, true, false, "auto: dpdk.port is given, and no interface" },
		{ PORT "path = \"dpdk\"; interface = \"eth0\";", true, false, "path is \"dpdk\"" },
		{ PORT "path = \"xdp\"; interface = \"eth0\";", false, true, "path is \"xdp\"" },
		{ SOCKETS "path = \"xdp\"; interface = \"eth0\";", false, true, "path is \"xdp\"" },
		{ SOCKETS "path = \"dpdk\"; interface = \"eth0\";", true, true, "dpdk.port is sockets above the XDP program on "
			"eth0, which forwards while shunt-dataplane is away" },
		{ SOCKETS "interface = \"eth0\";", true, true, "dpdk.port is sockets above the XDP program on eth0, which "
			"forwards while shunt-dataplane is away" },
	};
	struct timespec begin;

	log_level(-1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct path_choice choice = choose(cases[i].text, 5000);

		CU_ASSERT_EQUAL(choice.dataplane, cases[i].dataplane);
		CU_ASSERT_EQUAL(choice.xdp, cases[i].xdp);
		CU_ASSERT_STRING_EQUAL(choice.reason, cases[i].reason);
	}
	/* None of them has to wait. */
	CU_ASSERT_TRUE(seconds_since(&begin) < 4);
}

/* A dataplane that comes after a while. */
struct late {
	unsigned int after_ms;
	bool silent; /* takes connections and says nothing */
};

static void *come_late(void *context)
{
	struct channel_hello hello = { .head = { CHANNEL_HELLO, sizeof(hello) }, .magic = CHANNEL_MAGIC,
		.abi = CHANNEL_ABI };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct late *late = context;
	int listener, peer;

	usleep(late->after_ms * 1000);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/dp", folder);
	unlink(address.sun_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4))
		abort();
	/* Nobody comes if they have given up by now. */
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 10 }, sizeof(struct timeval));
	peer = accept(listener, NULL, NULL);
	if (peer >= 0 && !late->silent && send(peer, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
		abort();
	/* Until it has gone. */
	(void)!recv(peer, &hello, sizeof(hello), 0);
	close(peer);
	close(listener);
	unlink(address.sun_path);
	return NULL;
}

static struct path_choice choose_with(struct late *late, unsigned int wait_ms)
{
	struct path_choice choice;
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, come_late, late), 0);
	choice = choose(PORT "interface = \"eth0\";", wait_ms);
	pthread_join(thread, NULL);
	return choice;
}

static void by_answer(void)
{
	struct path_choice choice = choose_with(&(struct late){ .after_ms = 300 }, 5000);

	CU_ASSERT_TRUE(choice.dataplane);
	CU_ASSERT_FALSE(choice.xdp);
	CU_ASSERT_PTR_NOT_NULL(strstr(choice.reason, "auto: shunt-dataplane answers on "));

	choice = choose_with(&(struct late){ .silent = true }, 600);
	CU_ASSERT_FALSE(choice.dataplane);
	CU_ASSERT_TRUE(choice.xdp);

	choice = choose(PORT "interface = \"eth0\";", 300);
	CU_ASSERT_FALSE(choice.dataplane);
	CU_ASSERT_TRUE(choice.xdp);
	CU_ASSERT_PTR_NOT_NULL(strstr(choice.reason, "auto: shunt-dataplane did not answer on "));
	CU_ASSERT_PTR_NOT_NULL(strstr(choice.reason, "No such file or directory"));
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "by configuration", by_configuration },
		{ "by who answers", by_answer },
		{ NULL, NULL },
	};
	int status;

	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	status = unit_run("path", tests);
	rmdir(folder);
	return status;
}
