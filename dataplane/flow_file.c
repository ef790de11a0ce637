/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, judging and making the flow table's file, and the one that follows it. */
#include "flow_file.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"
#include "log.h"

#define SHARED_MEMORY "/dev/shm"
#define MAX_PLACES 8
#define ELDER ".elder" /* behind the name of the table that was in use before */

/* Folders where the file may be: hugetlbfs mounts, then shared memory. */
struct places {
	char dir[MAX_PLACES][256];
	unsigned int n;
};

static void find_places(struct places *p)
{
	FILE *mounts = setmntent("/proc/mounts", "re");
	struct mntent *m;

	p->n = 0;
	while (mounts && (m = getmntent(mounts)) && p->n < MAX_PLACES - 1)
		if (!strcmp(m->mnt_type, "hugetlbfs") && !access(m->mnt_dir, W_OK) &&
			strlen(m->mnt_dir) < sizeof(p->dir[0]))
			strcpy(p->dir[p->n++], m->mnt_dir);
	if (mounts)
		endmntent(mounts);
	strcpy(p->dir[p->n++], SHARED_MEMORY);
}

static int read_boot_id(char *id, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int ok = f && fgets(id, (int)size, f);

	if (f)
		fclose(f);
	if (!ok)
		return -1;
	id[strcspn(id, "\n")] = 0;
	return 0;
}

/* Map the whole file, with memory behind all of it: workers are not to fault. */
static int map(struct flow_file *f)
{
	void *mapping = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f->fd, 0);
	char path[64];

	if (mapping == MAP_FAILED)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	f->read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->read_fd < 0) {
		munmap(mapping, f->size);
		return -1;
	}
	f->header = mapping;
	f->buckets = (struct flow_bucket *)((char *)mapping + FLOW_TABLE_HEADER_SIZE);
	return 0;
}

void flow_file_close(struct flow_file *f)
{
	if (!f)
		return;
	if (f->header)
		munmap(f->header, f->size);
	if (f->read_fd >= 0)
		close(f->read_fd);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

void flow_file_remove(struct flow_file *f)
{
	unlink(f->path);
	flow_file_close(f);
}

static struct flow_file *file_new(const char *dir, const char *name, const char *suffix)
{
	struct flow_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = f->read_fd = -1;
	snprintf(f->path, sizeof(f->path), "%s/%s%s", dir, name, suffix);
	return f;
}

/* What is wrong with a table that is there, whatever its capacity, or NULL. */
static const char *misfit(const struct flow_file *f, const struct snapshot_header *snapshot)
{
	const struct flow_table_header *h = f->header;
	char boot_id[sizeof(h->boot_id)];

	if (h->magic != FLOW_TABLE_MAGIC || h->abi != FLOW_TABLE_ABI || h->header_size != FLOW_TABLE_HEADER_SIZE)
		return "it has another layout";
	if (h->capacity < FLOW_CAPACITY_MIN || h->capacity > FLOW_CAPACITY_MAX ||
		h->n_buckets != flow_table_buckets(h->capacity) || f->size < flow_table_size(h->capacity))
		return "it is not as large as it says";
	if (h->key_check != flow_key_check(snapshot->hash_key))
		return "it was made with another hash key";
	if (read_boot_id(boot_id, sizeof(boot_id)) || strncmp(boot_id, h->boot_id, sizeof(boot_id)))
		return "it is from before this machine was started";
	if (clock_s() < h->last_beat_s || clock_s() - h->last_beat_s > FLOW_TIMEOUT_MAX_S)
		return "it has not been in use for hours";
	return NULL;
}

/*
 * Clear what died while nobody swept, counting from the last beat: a word that old may have a tick that
 * has wrapped around and would pass for a young one. Returns the flows that live.
 */
static __u64 revive(struct flow_file *f, const struct snapshot_header *snapshot)
{
	__u32 then = flow_tick(f->header->last_beat_s);
	__u64 pause = clock_s() / FLOW_TICK_S - f->header->last_beat_s / FLOW_TICK_S, flows = 0;

	for (__u32 b = 0; b < f->header->n_buckets; b++)
		for (int i = 0; i < FLOW_BUCKET_WORDS; i++) {
			__u64 *place = &f->buckets[b].word[i], word = *place;

			if (!word)
				continue;
			if (flow_word_age(word, then) + pause > snapshot->timeout[flow_word_state(word)])
				*place = 0;
			else
				flows++;
		}
	return flows;
}

/* Whether the file can only be ours: in a folder open to all, anybody may have made one of this name. */
static bool is_own(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		!(st.st_mode & (S_IWGRP | S_IWOTH));
}

/*
 * Open what is there. Returns 1 if it fits and is open, with the flows that live in it; 0 if there is none or it
 * doesn't fit, and then it lies there still, unless it is somebody else's; -1 with a line logged if another process
 * has it.
 */
static int adopt(struct flow_file *f, const struct snapshot_header *snapshot, __u64 *flows)
{
	const char *wrong = "it cannot be mapped";
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0)
		return 0;
	if (!is_own(f->fd)) {
		log_warning("flow table %s: removed, for it is not from a shunt-dataplane of this user", f->path);
		unlink(f->path);
		return 0;
	}
	if (flock(f->fd, LOCK_EX | LOCK_NB)) {
		log_error("the flow table %s is in use by another shunt-dataplane", f->path);
		return -1;
	}
	if (fstat(f->fd, &st) || st.st_size < FLOW_TABLE_HEADER_SIZE) {
		wrong = "it is too short";
	} else {
		f->size = (__u64)st.st_size;
		if (!map(f))
			wrong = misfit(f, snapshot);
	}
	if (!wrong) {
		*flows = revive(f, snapshot);
		return 1;
	}
	log_info("flow table %s: not used, for %s", f->path, wrong);
	return 0;
}

/* The table of this name and suffix that fits, in *f, or NULL there. Returns 0, or -1 if another process has it. */
static int find(const struct places *places, const char *name, const char *suffix,
	const struct snapshot_header *snapshot, struct flow_file **f, __u64 *flows)
{
	for (unsigned int i = 0; i < places->n; i++) {
		int found;

		*f = file_new(places->dir[i], name, suffix);
		found = *f ? adopt(*f, snapshot, flows) : -1;
		if (found > 0)
			return 0;
		flow_file_close(*f);
		*f = NULL;
		if (found < 0)
			return -1;
	}
	return 0;
}

/* Bytes that the file of this path would give back. */
static __u64 bytes_held(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (__u64)st.st_blocks * 512;
}

/* Whether the folder's file system has so much left, as far as it tells: one without a limit doesn't. */
static bool has_room(const char *dir, __u64 bytes)
{
	struct statfs fs;

	return statfs(dir, &fs) || (__s64)fs.f_blocks <= 0 || fs.f_bavail * (__u64)fs.f_bsize >= bytes;
}

/* Size and memory of the new file, and its mapping. Returns 0, or -1 with errno. */
static int allocate(struct flow_file *f, __u64 size)
{
	struct statfs fs;

	if (flock(f->fd, LOCK_EX | LOCK_NB) || fstatfs(f->fd, &fs))
		return -1;
	/* f_bsize of hugetlbfs is its page size. One of 1 GB is not for a table of some MB. */
	if ((__u64)fs.f_bsize > size) {
		errno = EFBIG;
		return -1;
	}
	f->size = (size + (__u64)fs.f_bsize - 1) / (__u64)fs.f_bsize * (__u64)fs.f_bsize;
	if (ftruncate(f->fd, (off_t)f->size) || fallocate(f->fd, 0, 0, (off_t)f->size))
		return -1;
	return map(f);
}

/*
 * Make a file with memory behind it, and an empty table in it. What has this path goes, whoever made it.
 * Returns 0, or -1 with errno and no file left.
 */
static int create(struct flow_file *f, const struct snapshot_header *snapshot)
{
	struct flow_table_header *h;
	int error;

	remove(f->path);
	f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0)
		return -1;
	if (allocate(f, flow_table_size(snapshot->flow_capacity)))
		goto fail;
	h = f->header;
	h->abi = FLOW_TABLE_ABI;
	h->header_size = FLOW_TABLE_HEADER_SIZE;
	h->capacity = snapshot->flow_capacity;
	h->n_buckets = flow_table_buckets(snapshot->flow_capacity);
	h->key_check = flow_key_check(snapshot->hash_key);
	h->last_beat_s = clock_s();
	if (read_boot_id(h->boot_id, sizeof(h->boot_id)))
		goto fail;
	__atomic_store_n(&h->magic, FLOW_TABLE_MAGIC, __ATOMIC_RELEASE);
	return 0;

fail:
	error = errno;
	unlink(f->path);
	errno = error;
	return -1;
}

/* A new table in the folder, with ".new" behind its name. NULL with errno. */
static struct flow_file *make_in(const char *dir, const char *name, const struct snapshot_header *snapshot)
{
	struct flow_file *f = file_new(dir, name, ".new");
	int error;

	if (!f)
		return NULL;
	/* Asked first, for taking gigabytes until there are no more takes long. */
	if (!has_room(dir, flow_table_size(snapshot->flow_capacity)))
		errno = ENOSPC;
	else if (!create(f, snapshot))
		return f;
	error = errno;
	flow_file_close(f);
	errno = error;
	return NULL;
}

/* Where there is no room beside the old table: in its place, if that helps. Nobody uses it. NULL with errno. */
static struct flow_file *make_instead(const char *dir, const char *name, const struct snapshot_header *snapshot)
{
	__u64 size = flow_table_size(snapshot->flow_capacity), held;
	int error = errno;
	char old[512];

	snprintf(old, sizeof(old), "%s/%s", dir, name);
	held = bytes_held(old);
	errno = error;
	if (!held || !has_room(dir, size > held ? size - held : 0) || unlink(old))
		return NULL;
	return make_in(dir, name, snapshot);
}

/* Give the file the name with this suffix, in its folder, over what has it. Returns 0, or -1 with a line logged. */
static int take_name(struct flow_file *f, const char *name, const char *suffix)
{
	char path[sizeof(f->path)], *last;

	memcpy(path, f->path, sizeof(path));
	last = strrchr(path, '/') + 1;
	snprintf(last, sizeof(path) - (size_t)(last - path), "%s%s", name, suffix);
	if (rename(f->path, path)) {
		log_warning("cannot rename %s to %s: %m", f->path, path);
		return -1;
	}
	strcpy(f->path, path);
	return 0;
}

/* Remove what lies about under this name elsewhere, and what a process that was killed here left. elder: or NULL. */
static void clean_up(
	const struct places *places, const char *name, const struct flow_file *keep, const struct flow_file *elder)
{
	static const char *const suffixes[] = { "", ".new", ELDER };

	for (unsigned int i = 0; i < places->n; i++)
		for (unsigned int s = 0; s < sizeof(suffixes) / sizeof(suffixes[0]); s++) {
			char path[sizeof(keep->path)];

			snprintf(path, sizeof(path), "%s/%s%s", places->dir[i], name, suffixes[s]);
			if (strcmp(path, keep->path) && (!elder || strcmp(path, elder->path)))
				unlink(path);
		}
}

/* A new table where there is room, with ".new" behind its name. in_use: an old one gives nothing back. */
static struct flow_file *make_anywhere(
	const struct places *places, const char *name, const struct snapshot_header *snapshot, bool in_use)
{
	struct flow_file *f = NULL;

	for (unsigned int i = 0; i < places->n && !f; i++) {
		f = make_in(places->dir[i], name, snapshot);
		if (!f && !in_use)
			f = make_instead(places->dir[i], name, snapshot);
	}
	return f;
}

static void say_new(const struct flow_file *f)
{
	log_info("flow table %s: new, %llu MB for %llu flows", f->path, (unsigned long long)(f->size >> 20),
		(unsigned long long)f->header->capacity);
}

/* A new, empty table by this name; nobody's flows are waited for. */
static struct flow_file *make(
	const struct places *places, const char *name, const struct snapshot_header *snapshot, bool in_use)
{
	struct flow_file *f = make_anywhere(places, name, snapshot, in_use);

	if (!f) {
		log_error("cannot make the flow table %s/%s of %llu MB for %llu flows: %m",
			places->dir[places->n - 1], name,
			(unsigned long long)(flow_table_size(snapshot->flow_capacity) >> 20),
			(unsigned long long)snapshot->flow_capacity);
		return NULL;
	}
	/* Under the other name it is as good a table, but one that the next start does not find. */
	(void)take_name(f, name, "");
	say_new(f);
	clean_up(places, name, f, NULL);
	return f;
}

/*
 * A process that is killed between the renames leaves the old table under its new name only, which is where the next
 * one finds it.
 */
static struct flow_file *succeed(const struct places *places, const char *name,
	const struct snapshot_header *snapshot, struct flow_file *old)
{
	struct flow_file *f = make_anywhere(places, name, snapshot, true);

	if (!f) {
		log_warning("flow_table.capacity: no room for a table of %llu MB for %llu flows beside %s (%m): that "
			    "stays in use, for %llu flows, until there is room when shunt-dataplane is started",
			(unsigned long long)(flow_table_size(snapshot->flow_capacity) >> 20),
			(unsigned long long)snapshot->flow_capacity, old->path,
			(unsigned long long)old->header->capacity);
		return NULL;
	}
	if (take_name(old, name, ELDER)) {
		flow_file_remove(f);
		return NULL;
	}
	(void)take_name(f, name, "");
	say_new(f);
	log_info("flow table %s: the one before, for %llu flows, until those in it have moved over or ended", old->path,
		(unsigned long long)old->header->capacity);
	clean_up(places, name, f, old);
	return f;
}

struct flow_file *flow_file_succeed(struct flow_file *old, const char *name, const struct snapshot_header *snapshot)
{
	struct places places;

	find_places(&places);
	return succeed(&places, name, snapshot, old);
}

void flow_file_say_waiting(const struct flow_file *now, const struct snapshot_header *snapshot)
{
	log_info("flow_table.capacity: %llu instead of %llu takes effect when the table before this one is out of use",
		(unsigned long long)snapshot->flow_capacity, (unsigned long long)now->header->capacity);
}

/* The two tables that were found, the elder one perhaps NULL, for this capacity. */
static struct flow_file *go_on(const struct places *places, const char *name, const struct snapshot_header *snapshot,
	struct flow_file *f, struct flow_file **elder)
{
	struct flow_file *next;

	if (f->header->capacity != snapshot->flow_capacity && *elder) {
		flow_file_say_waiting(f, snapshot);
	} else if (f->header->capacity != snapshot->flow_capacity) {
		next = succeed(places, name, snapshot, f);
		if (next) {
			*elder = f;
			return next;
		}
	}
	clean_up(places, name, f, *elder);
	return f;
}

struct flow_file *flow_file_open(const char *name, const struct snapshot_header *snapshot, struct flow_file **elder)
{
	struct flow_file *f = NULL;
	__u64 flows = 0, elder_flows = 0;
	struct places places;

	*elder = NULL;
	find_places(&places);
	if (find(&places, name, "", snapshot, &f, &flows) ||
		find(&places, name, ELDER, snapshot, elder, &elder_flows)) {
		flow_file_close(f);
		return NULL;
	}
	if (!f && *elder && !take_name(*elder, name, "")) {
		f = *elder;
		flows = elder_flows;
		*elder = NULL;
	}
	if (*elder && (!f || !elder_flows)) {
		flow_file_remove(*elder);
		*elder = NULL;
	}
	/* One without flows has nothing to hand over. */
	if (f && f->header->capacity != snapshot->flow_capacity && !flows && !*elder) {
		flow_file_close(f);
		f = NULL;
	}
	if (!f)
		return make(&places, name, snapshot, false);
	log_info("flow table %s: adopted with %llu flows", f->path, (unsigned long long)flows);
	if (*elder)
		log_info("flow table %s: adopted with %llu flows that move over", (*elder)->path,
			(unsigned long long)elder_flows);
	return go_on(&places, name, snapshot, f, elder);
}

struct flow_file *flow_file_replace(const char *name, const struct snapshot_header *snapshot)
{
	struct places places;

	find_places(&places);
	return make(&places, name, snapshot, true);
}
