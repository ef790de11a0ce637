/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes what the fuzzers begin with, from the fixtures and from their set-up:
 *
 *	seeds packet FOLDER FIXTURES...   a file a fixture, and some with several frames a burst
 *	seeds snapshot FOLDER             a snapshot by each scheduler
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "setup.h"

#define AS_IT_IS 0x80 /* an option of fuzz_packet */

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

static void put_frame(FILE *file, const struct fixture *f)
{
	size_t len = f->len < 0x7fff ? f->len : 0x7fff;

	fputc((int)(len & 0xff), file);
	fputc((int)(len >> 8), file);
	fwrite(f->frame, 1, len, file);
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
		fputc((int)(i % SCHEDULER_COUNT) | (all.list[i].counter == COUNTER_DROP_CHECKSUM ? AS_IT_IS : 0),
			file);
		put_frame(file, &all.list[i]);
		fclose(file);
	}
	for (size_t i = 0; i + 8 <= all.n; i += 8) {
		snprintf(name, sizeof(name), "burst-%zu", i);
		file = create(folder, name);
		fputc((int)(i / 8 % SCHEDULER_COUNT), file);
		for (size_t k = i; k < i + 8; k++)
			if (all.list[k].len <= 200)
				put_frame(file, &all.list[k]);
		fclose(file);
	}
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
