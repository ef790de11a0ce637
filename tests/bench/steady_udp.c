/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks a UDP service at a steady rate, over many flows at once, and says what became of it: how many questions
 * went unanswered, how many of them in a row at worst, which is the gap in the service as packets and as
 * milliseconds, and how many flows were answered by another server than before (it answers with its name, a space
 * and the question).
 *
 * usage: steady_udp ADDRESS PORT RATE SECONDS FLOWS
 *
 * Prints one JSON object. SIGTERM ends it early.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FLOWS 4096
#define LAST_ANSWERS_NS 500000000ull
#define RECEIVE_BUFFER (1 << 20)

struct flow {
	int fd;
	char server[16];
};

static struct flow flows[MAX_FLOWS];
static unsigned int n_flows;
static uint64_t rate, n_all, sent, answered, moved, refused;
static uint64_t *sent_ns, *latency_ns; /* by question; latency 0: not answered */
static volatile sig_atomic_t stop;

static void on_term(int number)
{
	(void)number;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void open_flows(const char *address, const char *port, int epoll)
{
	bool six = strchr(address, ':');
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(six ? AF_INET6 : AF_INET, address, six ? (void *)&to6.sin6_addr : (void *)&to4.sin_addr) !=
		1) {
		fprintf(stderr, "steady_udp: \"%s\" is no address\n", address);
		exit(2);
	}
	for (unsigned int i = 0; i < n_flows; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
		int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = RECEIVE_BUFFER;

		if (fd < 0 || connect(fd, six ? (void *)&to6 : (void *)&to4, six ? sizeof(to6) : sizeof(to4)) ||
			epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) {
			fprintf(stderr, "steady_udp: socket: %s\n", strerror(errno));
			exit(1);
		}
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		flows[i].fd = fd;
	}
}

static void ask(void)
{
	char question[24];
	int n = snprintf(question, sizeof(question), "%" PRIu64, sent);

	sent_ns[sent] = now_ns();
	if (send(flows[sent % n_flows].fd, question, (size_t)n, 0) != n)
		refused++;
	sent++;
}

static void take_answers(struct flow *f)
{
	char text[64];
	ssize_t n;

	while ((n = recv(f->fd, text, sizeof(text) - 1, 0)) > 0) {
		char server[sizeof(f->server)];
		uint64_t question;

		text[n] = 0;
		if (sscanf(text, "%15s %" SCNu64, server, &question) != 2 || question >= sent ||
			latency_ns[question])
			continue;
		latency_ns[question] = now_ns() - sent_ns[question];
		answered++;
		moved += f->server[0] && strcmp(f->server, server);
		strcpy(f->server, server);
	}
}

static void run(int epoll)
{
	uint64_t start = now_ns(), end = 0;

	while (!end || (answered < sent && now_ns() < end)) {
		uint64_t due = (now_ns() - start) * rate / 1000000000u + 1;
		struct epoll_event e[64];
		int n;

		while (!end && sent < due && sent < n_all)
			ask();
		if (!end && (sent == n_all || stop))
			end = now_ns() + LAST_ANSWERS_NS;
		n = epoll_wait(epoll, e, 64, rate > 1000 ? 0 : 1);
		for (int i = 0; i < n; i++)
			take_answers(&flows[e[i].data.u32]);
		if (!n) {
			const struct timespec nap = { .tv_nsec = 30000 };

			nanosleep(&nap, NULL);
		}
	}
}

static void report(void)
{
	uint64_t row = 0, worst = 0, worst_ns = 0, row_ns = 0, slowest = 0;

	for (uint64_t i = 0; i < sent; i++) {
		if (latency_ns[i]) {
			row = 0;
			slowest = latency_ns[i] > slowest ? latency_ns[i] : slowest;
			continue;
		}
		if (!row++)
			row_ns = sent_ns[i];
		if (row > worst) {
			worst = row;
			worst_ns = sent_ns[i] - row_ns + 1000000000u / rate;
		}
	}
	printf("{ \"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"gap_packets\": %" PRIu64 ", \"gap_ms\": %.3f, \"slowest_ms\": %.3f, \"moved\": %" PRIu64
	       " }\n",
		sent, refused, sent - answered, worst, (double)worst_ns / 1e6, (double)slowest / 1e6, moved);
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(0);

	if (argc != 6 || atoi(argv[3]) <= 0 || atoi(argv[4]) <= 0 || atoi(argv[5]) <= 0 ||
		atoi(argv[5]) > MAX_FLOWS) {
		fprintf(stderr, "usage: steady_udp ADDRESS PORT RATE SECONDS FLOWS\n");
		return 2;
	}
	rate = (uint64_t)atoi(argv[3]);
	n_all = rate * (uint64_t)atoi(argv[4]);
	n_flows = (unsigned int)atoi(argv[5]);
	sent_ns = calloc(n_all, sizeof(*sent_ns));
	latency_ns = calloc(n_all, sizeof(*latency_ns));
	if (!sent_ns || !latency_ns)
		return 1;
	signal(SIGTERM, on_term);
	open_flows(argv[1], argv[2], epoll);
	run(epoll);
	report();
	return 0;
}
