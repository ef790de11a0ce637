/* SPDX-License-Identifier: BSD-3-Clause */
/* fragment_room.c: who waits, for how long, who gives way to whom; what is sent is what came, with other MACs. */
#include "fragment_room.h"

#include <stdlib.h>
#include <string.h>

#include "fragments.h"
#include "snapshots.h"
#include "unit.h"

#define MS 1000000ull
#define LARGE 9000

static struct fragment_bucket buckets[64];
static struct tables tables;
static void *snapshot;
static struct fragment_room *room;
static struct fragment_tally tally;
static struct verdict went; /* of the frame sent last */
static uint8_t sent[LARGE];
static size_t sent_len;
static bool sending;
static uint64_t now_ns;

static bool take(void *context, const uint8_t *frame, size_t len, const struct verdict *v)
{
	(void)context;
	went = *v;
	memcpy(sent, frame, len);
	sent_len = len;
	return sending;
}

static struct fragment_errand errand(void)
{
	return (struct fragment_errand){ .tables = &tables, .now_ns = now_ns, .send = take, .tally = &tally };
}

static void open_room(void)
{
	struct test_pool pool = { .n = 4 };

	snapshot = test_snapshot(&pool, NULL);
	memset(buckets, 0, sizeof(buckets));
	tables = (struct tables){ .fragments = buckets, .n_fragment_buckets = 64, .tick = 100 };
	tables_open_snapshot(&tables, snapshot);
	tally = (struct fragment_tally){ 0 };
	sending = true;
	now_ns = 1000 * MS;
	room = fragment_room_new();
	if (!room)
		abort();
}

static void close_room(void)
{
	fragment_room_free(room);
	free(snapshot);
}

/* A later fragment of len bytes of the datagram with this identification, at offset 1480. */
static void make(uint8_t *frame, size_t len, uint16_t id)
{
	static const uint8_t head[] = { 2, 0, 0, 0, 0, 0xaa, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 185, 64, 17,
		0, 0, 198, 51, 100, 2, 192, 0, 2, 80 };
	uint32_t sum = 0;

	memset(frame, 0x5a, len);
	memcpy(frame, head, sizeof(head));
	frame[16] = (uint8_t)((len - 14) >> 8);
	frame[17] = (uint8_t)(len - 14);
	frame[18] = (uint8_t)(id >> 8);
	frame[19] = (uint8_t)id;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

static void add(uint16_t id, size_t len)
{
	static uint8_t frame[LARGE];
	struct fragment_errand e = errand();

	make(frame, len, id);
	fragment_room_add(room, frame, len, &e);
}

static void look(void)
{
	struct fragment_errand e = errand();

	fragment_room_look(room, &e);
}

/* The first fragment of a datagram, of units * 8 bytes, goes to this backend. */
static void first(uint16_t id, __u32 backend, __u32 units)
{
	uint8_t frame[100];
	struct frame f = { frame, frame + sizeof(frame), sizeof(frame), 0 };
	struct packet p;

	make(frame, sizeof(frame), id);
	packet_parse(&f, &p);
	if (p.kind != PACKET_FRAGMENT)
		abort();
	fragment_enter(&tables, fragment_hash_of(&tables, &p), &(struct fragment_home){ backend, 1, units });
}

static void waits_for_its_first(void)
{
	struct mac to = test_backend_mac(2);
	uint8_t frame[500];

	open_room();
	add(7, sizeof(frame));
	add(8, 100);
	now_ns += 10 * MS;
	look();
	CU_ASSERT_EQUAL(fragment_room_count(room), 2);
	CU_ASSERT_EQUAL(sent_len, 0);
	first(7, 2, 185);
	look();
	CU_ASSERT_EQUAL(fragment_room_count(room), 1);
	CU_ASSERT_EQUAL(tally.sent, 1);
	CU_ASSERT_EQUAL(went.backend, 2);
	CU_ASSERT_EQUAL(went.vip, 1);
	make(frame, sizeof(frame), 7);
	CU_ASSERT_EQUAL_FATAL(sent_len, sizeof(frame));
	CU_ASSERT_EQUAL(memcmp(sent, &to, 6), 0);
	CU_ASSERT_EQUAL(memcmp(sent + 12, frame + 12, sent_len - 12), 0);
	/* The other has half a second from when it came. */
	now_ns += 489 * MS;
	look();
	CU_ASSERT_EQUAL(fragment_room_count(room), 1);
	now_ns += MS;
	look();
	CU_ASSERT_EQUAL(fragment_room_count(room), 0);
	CU_ASSERT_EQUAL(tally.lost, 1);
	close_room();
}

static void known_need_not_wait(void)
{
	open_room();
	first(7, 3, 185);
	add(7, 100);
	CU_ASSERT_EQUAL(fragment_room_count(room), 0);
	CU_ASSERT_EQUAL(tally.sent, 1);
	CU_ASSERT_EQUAL(went.backend, 3);
	/* What can't be sent is lost, and what overlaps its first. */
	sending = false;
	add(7, 100);
	CU_ASSERT_EQUAL(tally.lost, 1);
	sending = true;
	first(9, 3, 186);
	add(9, 100);
	CU_ASSERT_EQUAL(tally.lost, 2);
	CU_ASSERT_EQUAL(tally.sent, 1);
	CU_ASSERT_EQUAL(fragment_room_count(room), 0);
	close_room();
}

static void full_by_number(void)
{
	open_room();
	for (uint16_t i = 0; i < FRAGMENT_ROOM_FRAMES; i++)
		add(i, 60);
	CU_ASSERT_EQUAL(tally.lost, 0);
	/* At once none gives way; after a while the oldest does, one for one. */
	add(1000, 60);
	CU_ASSERT_EQUAL(tally.lost, 1);
	now_ns += FRAGMENT_STAY_MS * MS;
	for (uint16_t i = 0; i < 10; i++)
		add((uint16_t)(2000 + i), 60);
	CU_ASSERT_EQUAL(tally.lost, 11);
	CU_ASSERT_EQUAL(fragment_room_count(room), FRAGMENT_ROOM_FRAMES);
	first(9, 1, 185);
	first(10, 1, 185);
	first(2009, 1, 185);
	look();
	CU_ASSERT_EQUAL(tally.sent, 2);
	close_room();
}

static void full_by_bytes(void)
{
	unsigned int n = FRAGMENT_ROOM_BYTES / LARGE;

	open_room();
	for (unsigned int i = 0; i < n + 5; i++)
		add((uint16_t)i, LARGE);
	CU_ASSERT_EQUAL(fragment_room_count(room), n);
	CU_ASSERT_EQUAL(tally.lost, 5);
	now_ns += FRAGMENT_STAY_MS * MS;
	add(1000, LARGE);
	CU_ASSERT_EQUAL(fragment_room_count(room), n);
	CU_ASSERT_EQUAL(tally.lost, 6);
	/* Small ones find what is left. */
	add(1001, 60);
	CU_ASSERT_EQUAL(fragment_room_count(room), n + 1);
	now_ns += FRAGMENT_WAIT_MS * MS;
	look();
	CU_ASSERT_EQUAL(fragment_room_count(room), 0);
	CU_ASSERT_EQUAL(tally.lost, 6 + n + 1);
	close_room();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "a fragment waits for its first", waits_for_its_first },
		{ "one whose first is known need not wait", known_need_not_wait },
		{ "full by number", full_by_number },
		{ "full by bytes", full_by_bytes },
		{ NULL, NULL },
	};

	return unit_run("fragment_room", tests);
}
