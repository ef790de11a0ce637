/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet fixtures: named frames with what a forwarder has to make of them, read from text files that a
 * person writes (README.md of this folder). Every body of the core is held against the same ones.
 */
#ifndef SHUNT_FIXTURE_H
#define SHUNT_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "frame_text.h"
#include "verdicts.h"

#define FIXTURE_NO_FLOW (-1)

/* What has to come out. */
enum fixture_out {
	FIXTURE_NOTHING, /* dropped */
	FIXTURE_BACKEND, /* the frame with other MAC addresses, to a backend */
	FIXTURE_ANSWER,  /* an answer, where the frame came from */
	FIXTURE_KERNEL,  /* the frame as it is, to the kernel */
};

/* A flow's entry: its backend's id, or FIXTURE_NO_FLOW, and enum flow_state. */
struct fixture_flow {
	int backend;
	unsigned state;
};

/* A datagram's entry: the backend's id, or FIXTURE_NO_FLOW, and the bytes that its first fragment has of it. */
struct fixture_datagram {
	int backend;
	unsigned bytes;
};

struct fixture {
	char *name;
	char *shows;
	const char *file; /* as given to fixtures_load() */
	int line;
	uint8_t *frame;
	size_t len;
	size_t content;   /* bytes of the frame before padding and cutting */
	int odd_length;   /* an IP header's length is not that of what it carries */
	enum counter counter;
	uint64_t events;  /* bit i: the EVENT counter i has to rise by one; the others not at all */
	enum fixture_out out;
	int backend;      /* FIXTURE_BACKEND: id */
	uint8_t *answer;  /* FIXTURE_ANSWER */
	size_t answer_len;
	struct fixture_flow flow;   /* what the flow table has to hold before */
	struct fixture_flow leaves; /* and behind */
	struct fixture_datagram datagram; /* likewise, the table of fragments */
	struct fixture_datagram leads;
};

struct fixtures {
	struct fixture *list;
	size_t n;
	char error[320]; /* why loading failed: file:line: what */
};

/*
 * Read one file and append its fixtures to *f, which is zero at first. names: of setup_names(). Returns 0, or
 * -1 with f->error; what was read before stays.
 */
int fixtures_load(struct fixtures *f, const char *path, const struct frame_name *names);
void fixtures_free(struct fixtures *f);

/* Put the frame that has to come out (not of FIXTURE_NOTHING) into out, FRAME_TEXT_MAX bytes; returns its length. */
size_t fixture_expected(const struct fixture *f, const struct mac *own, uint8_t *out);

const char *fixture_counter_name(unsigned counter);
const char *fixture_state_name(unsigned state);
/* Whether a counter is of class EVENT. */
int fixture_is_event(unsigned counter);

#endif
