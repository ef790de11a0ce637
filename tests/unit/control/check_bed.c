/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks made by a loop of the test's own. */
#include "check_bed.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#define PATIENCE_S 60

struct event_base *bed_base;
struct checker *bed_checker;
static int descriptors_before;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int check_bed_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

void check_bed_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	descriptors_before = check_bed_descriptors();
	bed_base = event_base_new();
	event_base_priority_init(bed_base, 3);
	bed_checker = checker_open(bed_base, BED_PRIORITY);
}

int check_bed_down(void)
{
	checker_close(bed_checker);
	event_base_free(bed_base);
	return check_bed_descriptors() - descriptors_before;
}

struct check_target check_bed_target(uint16_t port)
{
	struct addr loopback = unit_addr("127.0.0.1");

	return (struct check_target){ .address = loopback, .port = port, .backend = loopback, .pool = "web" };
}

void check_bed_note(void *context, const struct check_result *result)
{
	struct check_verdict *verdict = context;

	verdict->times++;
	verdict->outcome = result->outcome;
	verdict->weight = result->weight;
	verdict->silent = result->silent;
	snprintf(verdict->why, sizeof(verdict->why), "%s", result->why);
}

void check_bed_await(const struct check_verdict *verdict)
{
	double end = now_ms() + PATIENCE_S * 1e3;

	while (!verdict->times) {
		event_base_loop(bed_base, EVLOOP_ONCE);
		if (now_ms() > end) {
			fprintf(stderr, "a check has no end\n");
			abort();
		}
	}
}

struct check_verdict check_bed_make_of(
	const struct check *check, const struct check_target *target, uint32_t timeout_ms)
{
	struct check_verdict verdict = { .times = 0 };
	double begun = now_ms();

	CU_ASSERT_PTR_NOT_NULL_FATAL(
		check_begin(bed_checker, check, target, timeout_ms, check_bed_note, &verdict));
	CU_ASSERT_EQUAL(verdict.times, 0);
	check_bed_await(&verdict);
	verdict.ms = now_ms() - begun;
	return verdict;
}

struct check_verdict check_bed_make(const struct check *check, uint16_t port, uint32_t timeout_ms)
{
	struct check_target target = check_bed_target(port);

	return check_bed_make_of(check, &target, timeout_ms);
}

int check_bed_bind(int type, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 ||
		(type == SOCK_STREAM && listen(fd, 1024) < 0) ||
		getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
		perror("a socket on loopback");
		abort();
	}
	*port = ntohs(at.sin_port);
	return fd;
}

uint16_t check_bed_free_port(void)
{
	uint16_t port;

	close(check_bed_bind(SOCK_STREAM, &port));
	return port;
}
