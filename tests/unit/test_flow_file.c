/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow_file.h: which table a starting dataplane goes on with, what becomes of one of another capacity, and that no
 * moment at which a process may be killed loses flows. In /dev/shm, or a hugetlbfs that happens to have room.
 */
#include "flow_file.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "unit.h"

static char name[64];
static struct snapshot_header snapshot;
static struct flow_file *now, *elder;

static __u64 now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec;
}

static void wipe(void)
{
	char pattern[200];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/dev/shm/%s*", name);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

/* A first start. */
static void begin(__u64 capacity)
{
	wipe();
	snapshot = (struct snapshot_header){ .hash_key = { 1, 2 }, .flow_capacity = capacity,
		.timeout = { 0, 15, 225, 30, 3, 75, 75 } };
	now = flow_file_open(name, &snapshot, &elder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(now);
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, capacity);
}

/* The process is gone, and another one starts. */
static void restart(void)
{
	flow_file_close(now);
	flow_file_close(elder);
	now = flow_file_open(name, &snapshot, &elder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(now);
}

static void end(void)
{
	flow_file_close(now);
	flow_file_close(elder);
	now = elder = NULL;
	wipe();
}

static void put_flows(struct flow_file *f, __u32 n, __u64 used_s)
{
	for (__u32 i = 0; i < n; i++)
		f->buckets[i % f->header->n_buckets].word[i / f->header->n_buckets] =
			flow_word(i, i & 0xff, FLOW_ESTABLISHED, flow_tick(used_s));
}

static __u32 flows(const struct flow_file *f)
{
	__u32 n = 0;

	for (__u32 b = 0; b < f->header->n_buckets; b++)
		for (int i = 0; i < FLOW_BUCKET_WORDS; i++)
			n += f->buckets[b].word[i] != 0;
	return n;
}

static int files(void)
{
	char pattern[200];
	glob_t found;
	int n;

	snprintf(pattern, sizeof(pattern), "/dev/shm/%s*", name);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	n = (int)found.gl_pathc;
	globfree(&found);
	return n;
}

static void path_of(char *path, size_t size, const char *suffix)
{
	snprintf(path, size, "/dev/shm/%s%s", name, suffix);
}

/* What a killed process leaves is found as it was. */
static void outlives(void)
{
	begin(4096);
	put_flows(now, 500, now_s());
	restart();
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(flows(now), 500);
	CU_ASSERT_EQUAL(files(), 1);
	end();
}

/* Live, larger and smaller. */
static void succeeds(void)
{
	static const __u64 capacities[] = { 8192, 1024, 4097, 100000 };

	for (size_t i = 0; i < UNIT_COUNT(capacities); i++) {
		struct flow_file *next;

		begin(4096);
		put_flows(now, 700, now_s());
		snapshot.flow_capacity = capacities[i];
		next = flow_file_succeed(now, name, &snapshot);
		CU_ASSERT_PTR_NOT_NULL_FATAL(next);
		elder = now;
		now = next;
		CU_ASSERT_EQUAL(now->header->capacity, capacities[i]);
		CU_ASSERT_EQUAL(flows(now), 0);
		CU_ASSERT_EQUAL(flows(elder), 700);
		CU_ASSERT_EQUAL(files(), 2);
		put_flows(now, 3, now_s());
		/* Both are there again after a restart, each as what it was. */
		restart();
		CU_ASSERT_PTR_NOT_NULL_FATAL(elder);
		CU_ASSERT_EQUAL(now->header->capacity, capacities[i]);
		CU_ASSERT_EQUAL(flows(now), 3);
		CU_ASSERT_EQUAL(elder->header->capacity, 4096);
		CU_ASSERT_EQUAL(flows(elder), 700);
		/* Out of use, it goes. */
		flow_file_remove(elder);
		elder = NULL;
		CU_ASSERT_EQUAL(files(), 1);
		restart();
		CU_ASSERT_PTR_NULL(elder);
		CU_ASSERT_EQUAL(flows(now), 3);
		end();
	}
}

/* The capacity changed while no process was there. */
static void at_start(void)
{
	begin(4096);
	put_flows(now, 700, now_s());
	snapshot.flow_capacity = 2048;
	restart();
	CU_ASSERT_PTR_NOT_NULL_FATAL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, 2048);
	CU_ASSERT_EQUAL(flows(elder), 700);
	/* Once more: there is an elder already, so it waits, and both stay. */
	put_flows(now, 10, now_s());
	snapshot.flow_capacity = 16384;
	restart();
	CU_ASSERT_PTR_NOT_NULL_FATAL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, 2048);
	CU_ASSERT_EQUAL(flows(now), 10);
	CU_ASSERT_EQUAL(flows(elder), 700);
	/* Until the elder has no flow left. */
	memset(elder->buckets, 0, elder->header->n_buckets * sizeof(struct flow_bucket));
	restart();
	CU_ASSERT_PTR_NOT_NULL_FATAL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, 16384);
	CU_ASSERT_EQUAL(elder->header->capacity, 2048);
	CU_ASSERT_EQUAL(flows(elder), 10);
	end();
	/* A table without flows has nothing to hand over. */
	begin(4096);
	put_flows(now, 100, now_s() - 1000);
	snapshot.flow_capacity = 2048;
	restart();
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, 2048);
	CU_ASSERT_EQUAL(files(), 1);
	end();
}

/* Killed at any moment of a change: before the renames, between them, after. */
static void killed(void)
{
	char path[200], as[200];

	/* Before: the new one is half made, the old one in its place. */
	begin(4096);
	put_flows(now, 700, now_s());
	path_of(path, sizeof(path), ".new");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_EQUAL(files(), 2);
	restart();
	CU_ASSERT_EQUAL(flows(now), 700);
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(files(), 1);
	/* Between: the old one has its new name, the new one not. */
	path_of(path, sizeof(path), "");
	path_of(as, sizeof(as), ".elder");
	CU_ASSERT_EQUAL(rename(path, as), 0);
	restart();
	CU_ASSERT_EQUAL(flows(now), 700);
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(files(), 1);
	/* The same, with the new capacity. */
	CU_ASSERT_EQUAL(rename(path, as), 0);
	snapshot.flow_capacity = 8192;
	restart();
	CU_ASSERT_PTR_NOT_NULL_FATAL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, 8192);
	CU_ASSERT_EQUAL(flows(elder), 700);
	CU_ASSERT_EQUAL(files(), 2);
	end();
}

static void other_magic(struct flow_table_header *h)
{
	h->magic++;
}

static void other_abi(struct flow_table_header *h)
{
	h->abi++;
}

static void other_header_size(struct flow_table_header *h)
{
	h->header_size *= 2;
}

static void other_key(struct flow_table_header *h)
{
	h->key_check ^= 1;
}

static void more_buckets(struct flow_table_header *h)
{
	h->n_buckets++;
}

static void larger(struct flow_table_header *h)
{
	h->capacity *= 2;
	h->n_buckets = flow_table_buckets(h->capacity);
}

static void too_small(struct flow_table_header *h)
{
	h->capacity = FLOW_CAPACITY_MIN - 1;
	h->n_buckets = flow_table_buckets(h->capacity);
}

static void other_boot(struct flow_table_header *h)
{
	h->boot_id[3] ^= 1;
}

static void hours_ago(struct flow_table_header *h)
{
	h->last_beat_s = now_s() > FLOW_TIMEOUT_MAX_S + 1 ? now_s() - FLOW_TIMEOUT_MAX_S - 1 : now_s() + 1000;
}

static void from_tomorrow(struct flow_table_header *h)
{
	h->last_beat_s = now_s() + 86400;
}

/* What can't be gone on with is not, be it the table or its elder; a table without header, or cut short, neither. */
static void misfits(void)
{
	static void (*const spoil[])(struct flow_table_header *) = { other_magic, other_abi, other_header_size, other_key,
		more_buckets, larger, too_small, other_boot, hours_ago, from_tomorrow };

	for (size_t i = 0; i < UNIT_COUNT(spoil); i++) {
		begin(4096);
		put_flows(now, 100, now_s());
		spoil[i](now->header);
		restart();
		CU_ASSERT_EQUAL(flows(now), 0);
		CU_ASSERT_EQUAL(now->header->capacity, 4096);
		CU_ASSERT_PTR_NULL(elder);
		CU_ASSERT_EQUAL(files(), 1);
		/* The elder alone: the table goes on. */
		put_flows(now, 100, now_s());
		snapshot.flow_capacity = 8192;
		restart();
		CU_ASSERT_PTR_NOT_NULL_FATAL(elder);
		put_flows(now, 50, now_s());
		spoil[i](elder->header);
		restart();
		CU_ASSERT_PTR_NULL(elder);
		CU_ASSERT_EQUAL(flows(now), 50);
		CU_ASSERT_EQUAL(files(), 1);
		end();
	}
}

static void odd_files(void)
{
	char path[200];

	begin(4096);
	put_flows(now, 100, now_s());
	CU_ASSERT_EQUAL(truncate(now->path, 100), 0);
	restart();
	CU_ASSERT_EQUAL(flows(now), 0);
	path_of(path, sizeof(path), ".elder");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	restart();
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(files(), 1);
	/* One that anybody may have made. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_EQUAL(chmod(path, 0666), 0);
	restart();
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(files(), 1);
	end();
}

/* Another key makes both useless. */
static void another_key(void)
{
	struct flow_file *next;

	begin(4096);
	put_flows(now, 100, now_s());
	snapshot.flow_capacity = 8192;
	restart();
	CU_ASSERT_PTR_NOT_NULL(elder);
	snapshot.hash_key[0] = 77;
	next = flow_file_replace(name, &snapshot);
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	CU_ASSERT_EQUAL(files(), 1);
	flow_file_close(now);
	now = next;
	put_flows(now, 5, now_s());
	restart();
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(flows(now), 5);
	end();
}

/* A second process, and no memory for more. */
static void refused(void)
{
	struct flow_file *another, *its_elder;

	begin(4096);
	put_flows(now, 100, now_s());
	another = flow_file_open(name, &snapshot, &its_elder);
	CU_ASSERT_PTR_NULL(another);
	CU_ASSERT_PTR_NULL(its_elder);
	snapshot.flow_capacity = FLOW_CAPACITY_MAX * 100ull;
	CU_ASSERT_PTR_NULL(flow_file_succeed(now, name, &snapshot));
	CU_ASSERT_EQUAL(files(), 1);
	CU_ASSERT_EQUAL(flows(now), 100);
	/* At a start, too: what is there is kept. */
	restart();
	CU_ASSERT_PTR_NULL(elder);
	CU_ASSERT_EQUAL(now->header->capacity, 4096);
	CU_ASSERT_EQUAL(flows(now), 100);
	end();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "outlives its process", outlives },
		{ "another capacity", succeeds },
		{ "another capacity at the start", at_start },
		{ "killed meanwhile", killed },
		{ "what doesn't fit", misfits },
		{ "odd files", odd_files },
		{ "another key", another_key },
		{ "in use, and no room", refused },
		{ NULL, NULL },
	};

	snprintf(name, sizeof(name), "shunt-unit-%d.flows", (int)getpid());
	return unit_run("flow table's file", tests);
}
