/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes what the fuzzers begin with, from the fixtures and from their set-up:
 *
 *	seeds packet FOLDER FIXTURES...   a file a fixture, some with several frames a burst, and
 *	                                  datagrams in fragments
 *	seeds snapshot FOLDER             a snapshot by each scheduler
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "fuzz_packet.h"
#include "setup.h"

static const struct mac own = { { 0x02, 0, 0, 0, 0, 0xaa } };

static FILE *create(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(EXIT_FAILURE);
	}
	return file;
}

static void put_frame(FILE *file, const uint8_t *frame, size_t len)
{
	len = len < 0x7fff ? len : 0x7fff;
	fputc((int)(len & 0xff), file);
	fputc((int)(len >> 8), file);
	fwrite(frame, 1, len, file);
}

/*
 * Datagrams in fragments, in the orders that they come in: ID:OFFSET+LENGTH for one that is not the last, with a
 * dot behind it for the last; /TICKS for the end of a burst, with s if the tables are swept then and d if servers
 * are disabled, or are there again. An entry lives for FRAGMENT_TICKS, 4.
 */
static const struct order {
	const char *name;
	int options;
	const char *pieces;
} orders[] = {
	{ "two", 0, "7:0+64 7:64+20." },
	{ "three", 0, "7:0+64 7:64+64 7:128+1." },
	{ "one-by-one", OPTION_ONE_BY_ONE, "7:0+64 7:64+64 7:128+20." },
	{ "seconds-apart", 0, "7:0+64 /1 7:64+64 /3 7:128+20." },
	{ "backwards", 0, "7:128+20. 7:64+64 7:0+64 /0 7:128+20." },
	{ "first-twice", 0, "7:0+64 7:0+64 7:64+20. 7:64+20." },
	{ "later-overlaps-first", 0, "7:0+64 7:56+16 7:8+100." },
	{ "later-overlaps-later", 0, "7:0+64 7:64+64 7:96+64." },
	{ "first-overlaps-first", 0, "7:0+64 7:0+72 7:64+20." },
	{ "same-id", 0, "7:0+64 7:64+20. /1 7:0+72 7:72+20." },
	{ "same-id-later", 0, "7:0+64 /5 7:64+20. 7:0+72 7:72+20." },
	{ "mixed", 0, "7:0+64 8:0+80 7:64+20. 8:80+20." },
	{ "swept", 0, "7:0+64 /1s 7:64+20. /30s 7:64+20." },
	{ "servers-disabled", 0, "7:0+64 8:0+64 9:0+64 /0d 7:64+20. 8:64+20. 9:64+20. /0d 7:64+20." },
	{ "no-table", OPTION_NO_FRAGMENTS, "7:0+64 7:64+20." },
	{ "no-flows", OPTION_NO_FLOWS, "7:0+64 7:64+20." },
};

/* len: of what it has of the datagram, the first one's UDP header included. A datagram of another id is of another
 * flow, too. */
static void put_fragment(FILE *file, int version, unsigned id, unsigned offset, unsigned len, int more)
{
	static struct frame_text text;
	char lines[5][80] = { "eth src=router dst=lb" };
	int n = 1, bad = 0;

	if (version == 4) {
		snprintf(lines[n++], sizeof(lines[0]),
			"ipv4 src=198.51.100.2 dst=192.0.2.80 proto=17 id=%u offset=%u more=%d", id, offset, more);
	} else {
		strcpy(lines[n++], "ipv6 src=2001:db8:1::2 dst=2001:db8::80");
		snprintf(lines[n++], sizeof(lines[0]), "fragment next=17 id=%u offset=%u more=%d", id, offset,
			more);
	}
	if (!offset)
		snprintf(lines[n++], sizeof(lines[0]), "udp sport=%u dport=53", 40000 + id);
	snprintf(lines[n++], sizeof(lines[0]), "data len=%u", offset ? len : len - 8);
	frame_text_begin(&text, setup_names(&own));
	for (int i = 0; i < n; i++)
		bad |= frame_text_add(&text, lines[i]);
	if (bad || frame_text_finish(&text)) {
		fprintf(stderr, "a fragment: %s\n", text.error);
		exit(EXIT_FAILURE);
	}
	put_frame(file, text.data, text.len);
}

static void put_pause(FILE *file, int pause)
{
	put_frame(file, NULL, 0);
	fputc(pause, file);
}

static void put_pieces(FILE *file, int version, const char *pieces)
{
	while (*pieces) {
		unsigned id, offset, len;
		char end = 0;

		if (sscanf(pieces, "/%u%c", &len, &end) > 0)
			put_pause(file, (int)len | (end == 's' ? PAUSE_SWEEP : end == 'd' ? PAUSE_SERVERS : 0));
		else if (sscanf(pieces, "%u:%u+%u%c", &id, &offset, &len, &end) > 2)
			put_fragment(file, version, id, offset, len, end != '.');
		pieces += strcspn(pieces, " ");
		pieces += *pieces == ' ';
	}
}

/* More datagrams than there is room for, then the rest of each. */
static void put_many(FILE *file, int version)
{
	for (unsigned id = 0; id < 24; id++)
		put_fragment(file, version, id, 0, 8 + 8 * id, 1);
	put_pause(file, 1);
	for (unsigned id = 0; id < 24; id++)
		put_fragment(file, version, id, 8 + 8 * id, 1, 0);
}

static void fragments(const char *folder, int version)
{
	char name[64];
	FILE *file;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		snprintf(name, sizeof(name), "fragments-%d-%s", version, orders[i].name);
		file = create(folder, name);
		fputc((int)(i % SCHEDULER_COUNT) | orders[i].options, file);
		put_pieces(file, version, orders[i].pieces);
		fclose(file);
	}
	snprintf(name, sizeof(name), "fragments-%d-many", version);
	file = create(folder, name);
	fputc(SCHEDULER_MAGLEV, file);
	put_many(file, version);
	fclose(file);
}

static int packets(const char *folder, char **files)
{
	struct fixtures all = { 0 };
	FILE *file = NULL;
	char name[64];

	for (; *files; files++)
		if (fixtures_load(&all, *files, setup_names(&own))) {
			fprintf(stderr, "%s\n", all.error);
			return EXIT_FAILURE;
		}
	for (size_t i = 0; i < all.n; i++) {
		/* The long ones make a fuzzer slow and teach it nothing. */
		if (all.list[i].len > 1000)
			continue;
		file = create(folder, all.list[i].name);
		fputc((int)(i % SCHEDULER_COUNT) |
				(all.list[i].counter == COUNTER_DROP_CHECKSUM ? OPTION_AS_IT_IS : 0),
			file);
		put_frame(file, all.list[i].frame, all.list[i].len);
		fclose(file);
	}
	for (size_t i = 0; i + 8 <= all.n; i += 8) {
		snprintf(name, sizeof(name), "burst-%zu", i);
		file = create(folder, name);
		fputc((int)(i / 8 % SCHEDULER_COUNT), file);
		for (size_t k = i; k < i + 8; k++)
			if (all.list[k].len <= 200)
				put_frame(file, all.list[k].frame, all.list[k].len);
		fclose(file);
	}
	fragments(folder, 4);
	fragments(folder, 6);
	fixtures_free(&all);
	return EXIT_SUCCESS;
}

static int snapshots(const char *folder)
{
	for (int s = 0; s < SCHEDULER_COUNT; s++) {
		char name[32];
		size_t size;
		void *block = setup_snapshot_with(&own, 1, (enum scheduler)s, 13, &size);
		FILE *file;

		if (!block)
			return EXIT_FAILURE;
		snprintf(name, sizeof(name), "scheduler-%d", s);
		file = create(folder, name);
		fwrite(block, 1, size, file);
		fclose(file);
		free(block);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "packet"))
		return packets(argv[2], argv + 3);
	if (argc == 3 && !strcmp(argv[1], "snapshot"))
		return snapshots(argv[2]);
	fprintf(stderr, "usage: seeds packet FOLDER FIXTURES... | seeds snapshot FOLDER\n");
	return 2;
}
