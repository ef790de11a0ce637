/* SPDX-License-Identifier: BSD-3-Clause */
/* A BPF array that can be mapped is memory like a file's; what remains is to see that it is a flow table. */
#include "flow_map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u

static int map_info(int fd, struct bpf_map_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size);
}

__u32 flow_map_id(const char *path)
{
	struct bpf_map_info info;
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	if (map_info(fd, &info))
		info.id = 0;
	close(fd);
	return info.id;
}

/* What is wrong with the table, or NULL. */
static const char *misfit(const struct flow_file *f)
{
	const struct flow_table_header *h = f->header;

	if (__atomic_load_n(&h->magic, __ATOMIC_ACQUIRE) != FLOW_TABLE_MAGIC || h->abi != FLOW_TABLE_ABI ||
		h->header_size != FLOW_TABLE_HEADER_SIZE)
		return "it has another layout, or none yet";
	if (!h->n_buckets || FLOW_TABLE_HEADER_SIZE + (__u64)h->n_buckets * sizeof(struct flow_bucket) > f->size)
		return "it is shorter than it says";
	return NULL;
}

struct flow_file *flow_map_open(const char *path, char *why, size_t why_size)
{
	struct flow_file *f = calloc(1, sizeof(*f));
	struct bpf_map_info info;
	const char *wrong = NULL;
	void *mapping;

	if (!f) {
		snprintf(why, why_size, "no memory");
		return NULL;
	}
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->read_fd = -1;
	f->fd = bpf_obj_get(path);
	if (f->fd < 0 || map_info(f->fd, &info)) {
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
		goto fail;
	}
	f->map_id = info.id;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(struct flow_bucket) ||
		!(info.map_flags & BPF_F_MMAPABLE)) {
		wrong = "it is no array of buckets that can be mapped";
		goto misfit;
	}
	f->size = ((__u64)info.max_entries * info.value_size + PAGE - 1) & ~(__u64)(PAGE - 1);
	mapping = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f->fd, 0);
	if (mapping == MAP_FAILED) {
		snprintf(why, why_size, "%s cannot be mapped: %s", path, strerror(errno));
		goto fail;
	}
	f->header = mapping;
	f->buckets = (struct flow_bucket *)((char *)mapping + FLOW_TABLE_HEADER_SIZE);
	wrong = misfit(f);
	if (!wrong)
		return f;

misfit:
	snprintf(why, why_size, "%s: %s", path, wrong);
fail:
	flow_file_close(f);
	return NULL;
}
