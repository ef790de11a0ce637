/* SPDX-License-Identifier: BSD-3-Clause */
/* Which forwarders are in use. */
#include "path.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "log.h"

#define TRY_EVERY_MS 100

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A connection, or -1 and errno. */
static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Whether a greeting comes by then. It is the publisher that listens to what it says: this connection ends here. */
static bool greets(int fd, uint64_t deadline_ms)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	struct channel_hello hello = { .magic = 0 };
	uint64_t now = now_ms();

	if (now >= deadline_ms || poll(&readable, 1, (int)(deadline_ms - now)) <= 0) {
		errno = ETIMEDOUT;
		return false;
	}
	errno = ECONNRESET;
	return recv(fd, &hello, sizeof(hello), 0) >= (ssize_t)sizeof(hello.head) && hello.head.type == CHANNEL_HELLO;
}

/* 0, or the errno of the last try. */
static int wait_for_dataplane(const char *path, unsigned int wait_ms)
{
	uint64_t deadline = now_ms() + wait_ms;
	int error;

	do {
		int fd = dial(path);
		bool there = fd >= 0 && greets(fd, deadline);

		error = there ? 0 : errno;
		if (fd >= 0)
			close(fd);
		if (!there)
			poll(NULL, 0, TRY_EVERY_MS);
	} while (error && now_ms() < deadline);
	return error;
}

static void choose_by_answer(const struct config *config, unsigned int wait_ms, struct path_choice *choice)
{
	int error;

	log_info("path \"auto\": both dpdk.port and interface are given; waiting up to %u s for shunt-dataplane on %s",
		wait_ms / 1000, config->dpdk_socket);
	error = wait_for_dataplane(config->dpdk_socket, wait_ms);
	choice->dataplane = error == 0;
	choice->xdp = error != 0;
	if (error)
		snprintf(choice->reason, sizeof(choice->reason),
			"auto: shunt-dataplane did not answer on %s within %u s of the start: %s", config->dpdk_socket,
			wait_ms / 1000, strerror(error));
	else
		snprintf(choice->reason, sizeof(choice->reason), "auto: shunt-dataplane answers on %s",
			config->dpdk_socket);
}

void path_choose(const struct config *config, unsigned int wait_ms, struct path_choice *choice)
{
	char name[IFNAMSIZ];

	*choice = (struct path_choice){ .xdp = config->path == PATH_XDP || !config->dpdk_port };
	choice->dataplane = !choice->xdp;
	if (config->path == PATH_XDP) {
		snprintf(choice->reason, sizeof(choice->reason), "path is \"xdp\"");
	} else if (config_sockets_on(config, name)) {
		choice->xdp = true;
		snprintf(choice->reason, sizeof(choice->reason),
			"dpdk.port is sockets above the XDP program on %s, which forwards while shunt-dataplane is away", name);
	} else if (config->path == PATH_DPDK) {
		snprintf(choice->reason, sizeof(choice->reason), "path is \"dpdk\"");
	} else if (!config->dpdk_port) {
		snprintf(choice->reason, sizeof(choice->reason), "auto: no dpdk.port is given");
	} else if (!config->interface) {
		snprintf(choice->reason, sizeof(choice->reason), "auto: dpdk.port is given, and no interface");
	} else {
		choose_by_answer(config, wait_ms, choice);
	}
	log_notice("path %s (%s)", choice->xdp && choice->dataplane ? "dpdk above xdp" : choice->xdp ? "xdp" : "dpdk",
		choice->reason);
}

const char *path_interface(const struct path_choice *choice, const struct config *config)
{
	return choice->xdp ? config->interface : config->kernel_interface;
}
