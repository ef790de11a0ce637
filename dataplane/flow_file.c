/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, judging and making the flow table's file. */
#include "flow_file.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
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

static struct flow_file *file_new(const char *dir, const char *name, const char *suffix)
{
	struct flow_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = f->read_fd = -1;
	snprintf(f->path, sizeof(f->path), "%s/%s%s", dir, name, suffix);
	return f;
}

/* What is wrong with a table that is there, or NULL. */
static const char *misfit(const struct flow_file *f, const struct snapshot_header *snapshot)
{
	const struct flow_table_header *h = f->header;
	char boot_id[sizeof(h->boot_id)];

	if (h->magic != FLOW_TABLE_MAGIC || h->abi != FLOW_TABLE_ABI || h->header_size != FLOW_TABLE_HEADER_SIZE)
		return "it has another layout";
	if (h->capacity != snapshot->flow_capacity ||
		h->n_buckets != flow_table_buckets(snapshot->flow_capacity) ||
		f->size < flow_table_size(snapshot->flow_capacity))
		return "it has another capacity";
	if (h->key_check != flow_key_check(snapshot->hash_key))
		return "it was made with another hash key";
	if (read_boot_id(boot_id, sizeof(boot_id)) || strncmp(boot_id, h->boot_id, sizeof(boot_id)))
		return "it is from before this machine was started";
	if (clock_s() < h->last_sweep_s || clock_s() - h->last_sweep_s > FLOW_TIMEOUT_MAX_S)
		return "it has not been in use for hours";
	return NULL;
}

/*
 * Clear what died while nobody swept, counting from the last sweep: a word that old may have a tick that
 * has wrapped around and would pass for a young one. Returns the flows that live.
 */
static __u64 revive(struct flow_file *f, const struct snapshot_header *snapshot)
{
	__u32 then = flow_tick(f->header->last_sweep_s);
	__u64 pause = clock_s() / FLOW_TICK_S - f->header->last_sweep_s / FLOW_TICK_S, flows = 0;

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

/*
 * Open what is there. Returns 1 if it fits and is open, 0 if there is none or it doesn't fit, -1 with a
 * line logged if another process has it.
 */
static int adopt(struct flow_file *f, const struct snapshot_header *snapshot)
{
	const char *wrong = "it cannot be mapped";
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0)
		return 0;
	if (flock(f->fd, LOCK_EX | LOCK_NB)) {
		log_error("the flow table %s is in use by another shunt-dataplane", f->path);
		return -1;
	}
	if (fstat(f->fd, &st) || !S_ISREG(st.st_mode) || st.st_size < FLOW_TABLE_HEADER_SIZE) {
		wrong = "it is too short";
	} else {
		f->size = (__u64)st.st_size;
		if (!map(f))
			wrong = misfit(f, snapshot);
	}
	if (!wrong) {
		log_info("flow table %s: adopted with %llu flows", f->path,
			(unsigned long long)revive(f, snapshot));
		return 1;
	}
	log_info("flow table %s: begun anew, for %s", f->path, wrong);
	unlink(f->path);
	return 0;
}

/* Make a file with memory behind it, and an empty table in it. Returns 0, or -1 with errno. */
static int create(struct flow_file *f, const struct snapshot_header *snapshot)
{
	__u64 size = flow_table_size(snapshot->flow_capacity);
	struct flow_table_header *h;
	struct statfs fs;

	f->fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0 || flock(f->fd, LOCK_EX | LOCK_NB) || fstatfs(f->fd, &fs))
		return -1;
	/* f_bsize of hugetlbfs is its page size. */
	f->size = (size + (__u64)fs.f_bsize - 1) / (__u64)fs.f_bsize * (__u64)fs.f_bsize;
	if (ftruncate(f->fd, (off_t)f->size) || fallocate(f->fd, 0, 0, (off_t)f->size) || map(f))
		return -1;
	h = f->header;
	h->abi = FLOW_TABLE_ABI;
	h->header_size = FLOW_TABLE_HEADER_SIZE;
	h->capacity = snapshot->flow_capacity;
	h->n_buckets = flow_table_buckets(snapshot->flow_capacity);
	h->key_check = flow_key_check(snapshot->hash_key);
	h->last_sweep_s = clock_s();
	if (read_boot_id(h->boot_id, sizeof(h->boot_id)))
		return -1;
	__atomic_store_n(&h->magic, FLOW_TABLE_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

/* Make a new table where there is room. suffix: of the file's name. */
static struct flow_file *make(const char *name, const char *suffix, const struct snapshot_header *snapshot)
{
	struct places places;

	find_places(&places);
	for (unsigned int i = 0; i < places.n; i++) {
		struct flow_file *f = file_new(places.dir[i], name, suffix);

		if (!f)
			break;
		if (!create(f, snapshot)) {
			log_info("flow table %s: new, %llu MB for %llu flows", f->path,
				(unsigned long long)(f->size >> 20), (unsigned long long)snapshot->flow_capacity);
			return f;
		}
		if (i == places.n - 1)
			log_error("cannot make the flow table %s of %llu MB: %m", f->path,
				(unsigned long long)(flow_table_size(snapshot->flow_capacity) >> 20));
		if (f->fd >= 0)
			unlink(f->path);
		flow_file_close(f);
	}
	return NULL;
}

/* Remove what lies about under this name elsewhere, and what a replacement that was killed left. */
static void clean_up(const struct places *places, const char *name, const struct flow_file *keep)
{
	for (unsigned int i = 0; i < places->n; i++) {
		char path[sizeof(keep->path)];

		snprintf(path, sizeof(path), "%s/%s.new", places->dir[i], name);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", places->dir[i], name);
		if (strcmp(path, keep->path))
			unlink(path);
	}
}

struct flow_file *flow_file_open(const char *name, const struct snapshot_header *snapshot)
{
	struct flow_file *f = NULL;
	struct places places;

	find_places(&places);
	for (unsigned int i = 0; i < places.n && !f; i++) {
		int found;

		f = file_new(places.dir[i], name, "");
		found = f ? adopt(f, snapshot) : -1;
		if (found > 0)
			break;
		flow_file_close(f);
		f = NULL;
		if (found < 0)
			return NULL;
	}
	if (!f)
		f = make(name, "", snapshot);
	if (f)
		clean_up(&places, name, f);
	return f;
}

struct flow_file *flow_file_replace(
	const char *name, const struct snapshot_header *snapshot, const struct flow_file *old)
{
	struct flow_file *f;
	char path[sizeof(f->path)];

	f = make(name, ".new", snapshot);
	if (!f)
		return NULL;
	unlink(old->path);
	snprintf(path, sizeof(path), "%.*s", (int)(strlen(f->path) - strlen(".new")), f->path);
	if (rename(f->path, path))
		log_warning("cannot rename %s: %m", f->path);
	else
		strcpy(f->path, path);
	return f;
}
