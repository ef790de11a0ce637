/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of 1,024 flows, as fast as one CPU sends them, through whatever forwards on the other end of a veth pair,
 * and how many of them do not come back: to count what is lost while shuntd is killed, restarted or upgraded
 * there.
 *
 * usage: bench_xdp_gap [--seconds N] OUT MAC
 * OUT: the end to send from, where frames come back to; MAC: of the other end. Runs until the time is over or
 * standard input is closed, whichever is first; prints "sent N" and "lost N".
 */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include "bench_snapshot.h"
#include "bench_xdp.h"
#include "bench_xdp.skel.h"
#include "parse.h"

#define FLOWS 1024
#define BATCH 64
#define ROUND 65536	/* frames a call, which costs some milliseconds before the first */
#define DRAIN_US 200000 /* after the last frame was sent */

static void die(const char *what)
{
	fprintf(stderr, "bench_xdp_gap: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_stdin_closed(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* Returns how many. */
static unsigned long send_frames(int generate, int out, double seconds)
{
	struct xdp_md where = { .data_end = BENCH_FRAME_LEN, .ingress_ifindex = (__u32)out };
	__u8 frame[BENCH_FRAME_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &where,
		.ctx_size_in = sizeof(where), .repeat = ROUND, .batch_size = BATCH,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	double begun = now_s();
	unsigned long sent = 0;

	bench_frame(frame, 0, TCP_ACK);
	while (now_s() - begun < seconds && !is_stdin_closed()) {
		if (bpf_prog_test_run_opts(generate, &run))
			die("sending frames");
		sent += ROUND;
	}
	return sent;
}

/* Generator, counter and the kernel's work for both on one CPU, so that the counter has one writer. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("one CPU");
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 } };
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
	double seconds = 3600;
	struct bench_xdp *programs;
	unsigned long sent;
	struct mac mac;
	int option, out;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			seconds = atof(optarg);
		else
			return 2;
	}
	if (argc - optind != 2 ||
		sscanf(argv[optind + 1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac.byte[0], &mac.byte[1], &mac.byte[2],
			&mac.byte[3], &mac.byte[4], &mac.byte[5]) != 6)
		return 2;
	out = (int)if_nametoindex(argv[optind]);
	programs = bench_xdp__open_and_load();
	if (!out || !programs)
		die("opening");
	stay_on_one_cpu();
	programs->bss->choice.mac = mac;
	programs->bss->choice.state = 88172645463325252ULL;
	programs->bss->choice.n = FLOWS;
	if (bpf_link_create(bpf_program__fd(programs->progs.drop), out, BPF_XDP, &native) < 0)
		die("attaching to the interface");
	sent = send_frames(bpf_program__fd(programs->progs.generate), out, seconds);
	usleep(DRAIN_US);
	printf("sent %lu\nlost %ld\n", sent, (long)(sent - programs->bss->dropped));
	bench_xdp__destroy(programs);
	return 0;
}
