/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments that came before the first of their datagram, in copies, until the program knows where that went
 * (core/fragments.h): the waiting that a BPF program can't do itself. Bounded in number, bytes and time. One thread.
 */
#ifndef SHUNT_FRAGMENT_ROOM_H
#define SHUNT_FRAGMENT_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forward.h"

#define FRAGMENT_ROOM_FRAMES 256
#define FRAGMENT_ROOM_BYTES (1u << 20)

struct fragment_room;

/* What became of frames: added to, never set to zero here. */
struct fragment_tally {
	uint64_t sent;
	uint64_t lost;
};

/* Who looks, and what for. */
struct fragment_errand {
	const struct tables *tables; /* with a snapshot and the table of fragments; nothing is counted in it */
	uint64_t now_ns;	     /* CLOCK_MONOTONIC */
	/* Send a frame that has been rewritten to where the verdict says. Returns whether it was. */
	bool (*send)(void *context, const uint8_t *frame, size_t len, const struct verdict *verdict);
	void *context;
	struct fragment_tally *tally;
};

struct fragment_room *fragment_room_new(void);	     /* NULL: no memory */
void fragment_room_free(struct fragment_room *room); /* what is in it is forgotten; room may be NULL */

/* How many frames are in it. */
unsigned int fragment_room_count(const struct fragment_room *room);

/*
 * A fragment: sent if its first is known by now, else kept in copy. Where the room is full, those that have waited for
 * FRAGMENT_STAY_MS give way, the oldest first; if that is not enough the fragment itself is lost.
 */
void fragment_room_add(struct fragment_room *room, const uint8_t *frame, size_t len, const struct fragment_errand *errand);

/*
 * Look again where each goes: those whose first has come by now are sent, and are lost if they can't be; lost are also
 * those that have no place any more (an overlap, a backend that is gone), and those that have waited for
 * FRAGMENT_WAIT_MS.
 */
void fragment_room_look(struct fragment_room *room, const struct fragment_errand *errand);

#endif
