/* SPDX-License-Identifier: BSD-3-Clause */
/* In the order of arrival, so that the oldest is the first. */
#include "fragment_room.h"

#include <stdlib.h>
#include <string.h>

#include "fragments.h"

#define MS 1000000ull

struct waiting {
	uint8_t *frame;
	size_t len;
	uint64_t since_ns;
};

struct fragment_room {
	struct waiting waiting[FRAGMENT_ROOM_FRAMES];
	unsigned int n;
	size_t bytes;
};

struct fragment_room *fragment_room_new(void)
{
	return calloc(1, sizeof(struct fragment_room));
}

/* The first so many are gone already, or go now. */
static void forget(struct fragment_room *room, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		room->bytes -= room->waiting[i].len;
		free(room->waiting[i].frame);
	}
	room->n -= n;
	memmove(room->waiting, room->waiting + n, room->n * sizeof(room->waiting[0]));
}

void fragment_room_free(struct fragment_room *room)
{
	if (!room)
		return;
	forget(room, room->n);
	free(room);
}

unsigned int fragment_room_count(const struct fragment_room *room)
{
	return room->n;
}

/* How many of the oldest have to go for so many bytes more. */
static unsigned int in_the_way(const struct fragment_room *room, size_t len)
{
	unsigned int n = room->n == FRAGMENT_ROOM_FRAMES;
	size_t bytes = room->bytes - (n ? room->waiting[0].len : 0);

	while (n < room->n && bytes + len > FRAGMENT_ROOM_BYTES)
		bytes -= room->waiting[n++].len;
	return n;
}

/* Whether there is room for so many bytes, by now. */
static bool make_room(struct fragment_room *room, size_t len, const struct fragment_errand *errand)
{
	unsigned int n = in_the_way(room, len);

	/* The newest of them is the one that says whether they all may be displaced. */
	if (len > FRAGMENT_ROOM_BYTES ||
		(n && errand->now_ns - room->waiting[n - 1].since_ns < FRAGMENT_STAY_MS * MS))
		return false;
	forget(room, n);
	errand->tally->lost += n;
	return true;
}

/* Returns whether the fragment is done with: sent, or lost. */
static bool settle(const struct waiting *w, const struct fragment_errand *errand)
{
	struct frame f = { .data = w->frame, .end = w->frame + w->len, .len = (__u32)w->len };
	struct verdict v = { .action = ACTION_HOLD };
	struct packet p;

	packet_parse(&f, &p);
	fragment_follow(errand->tables, &f, &p, &v);
	if (v.action == ACTION_HOLD && errand->now_ns - w->since_ns < FRAGMENT_WAIT_MS * MS)
		return false;
	if (v.action == ACTION_TO_BACKEND && errand->send(errand->context, w->frame, w->len, &v))
		errand->tally->sent++;
	else
		errand->tally->lost++;
	return true;
}

void fragment_room_add(struct fragment_room *room, const uint8_t *frame, size_t len, const struct fragment_errand *errand)
{
	struct waiting w = { .frame = malloc(len ? len : 1), .len = len, .since_ns = errand->now_ns };

	if (!w.frame) {
		errand->tally->lost++;
		return;
	}
	memcpy(w.frame, frame, len);
	if (settle(&w, errand)) {
		free(w.frame);
	} else if (!make_room(room, len, errand)) {
		errand->tally->lost++;
		free(w.frame);
	} else {
		room->bytes += len;
		room->waiting[room->n++] = w;
	}
}

void fragment_room_look(struct fragment_room *room, const struct fragment_errand *errand)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < room->n; i++) {
		struct waiting *w = &room->waiting[i];

		if (settle(w, errand)) {
			room->bytes -= w->len;
			free(w->frame);
		} else {
			room->waiting[kept++] = *w;
		}
	}
	room->n = kept;
}
