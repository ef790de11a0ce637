/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Test: has the kernel's verifier accept a BPF object's XDP program and runs it once on a frame that is
 * for no VIP, which it must leave to the kernel. Exit status 77 (skipped) without the right to load BPF.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

int main(int argc, char **argv)
{
	unsigned char frame[64] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0, 0, 40 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1);
	struct bpf_object *object;
	struct bpf_program *program;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: %s OBJECT\n", argv[0]);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "loading BPF programs needs root\n");
		return 77;
	}
	object = bpf_object__open_file(argv[1], NULL);
	if (!object) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	error = bpf_object__load(object);
	if (error) {
		fprintf(stderr, "%s: the verifier refused it: %s\n", argv[1], strerror(-error));
		return 1;
	}
	program = bpf_object__next_program(object, NULL);
	error = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
	if (error || run.retval != XDP_PASS) {
		fprintf(stderr, "run: %s, returned %u, not XDP_PASS\n", strerror(-error), run.retval);
		return 1;
	}
	printf("accepted: %zu instructions\n", bpf_program__insn_cnt(program));
	bpf_object__close(object);
	return 0;
}
