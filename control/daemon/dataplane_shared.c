/* SPDX-License-Identifier: BSD-3-Clause */
/* Read-only mappings of what shunt-dataplane shares. */
#include "dataplane_shared.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file, or NULL if it is smaller than least or can't be mapped. Closes fd. */
static const void *map(int fd, size_t least, size_t *size)
{
	const void *data = MAP_FAILED;
	struct stat status;

	if (!fstat(fd, &status) && status.st_size >= 0 && (size_t)status.st_size >= least) {
		*size = (size_t)status.st_size;
		data = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
	}
	close(fd);
	return data == MAP_FAILED ? NULL : data;
}

const char *dataplane_stats_open(struct dataplane_stats *stats, int fd)
{
	struct dataplane_stats now = { 0 };
	const char *fault = NULL;

	now.header = map(fd, sizeof(*now.header), &now.size);
	if (!now.header)
		return "its statistics can't be mapped";
	now.n_workers = now.header->n_workers;
	if (now.header->magic != STATS_MAGIC || now.header->abi != STATS_ABI)
		fault = "its statistics are of another layout than shuntd's";
	else if (now.header->size > now.size ||
		now.header->n_ports > sizeof(now.header->port) / sizeof(now.header->port[0]) ||
		now.n_workers > STATS_MAX_WORKERS || now.header->worker_off % 64 ||
		now.header->worker_off > now.size ||
		now.n_workers > (now.size - now.header->worker_off) / sizeof(*now.workers))
		fault = "its statistics are not as large as they say";
	if (fault) {
		dataplane_stats_close(&now);
		return fault;
	}
	now.workers = (const void *)((const char *)now.header + now.header->worker_off);
	dataplane_stats_close(stats);
	*stats = now;
	return NULL;
}

void dataplane_stats_close(struct dataplane_stats *stats)
{
	if (stats->header)
		munmap((void *)stats->header, stats->size);
	*stats = (struct dataplane_stats){ 0 };
}

const char *dataplane_flow_table_open(struct dataplane_flow_table *table, int fd, uint64_t size)
{
	struct dataplane_flow_table now = { 0 };
	const char *fault = NULL;

	now.header = map(fd, FLOW_TABLE_HEADER_SIZE, &now.size);
	if (!now.header)
		return "its flow table can't be mapped";
	now.n_buckets = now.header->n_buckets;
	if (now.header->magic != FLOW_TABLE_MAGIC || now.header->abi != FLOW_TABLE_ABI ||
		now.header->header_size != FLOW_TABLE_HEADER_SIZE)
		fault = "its flow table is of another layout than shuntd's";
	else if (size > now.size ||
		 now.n_buckets > (now.size - FLOW_TABLE_HEADER_SIZE) / sizeof(struct flow_bucket))
		fault = "its flow table is not as large as it says";
	if (fault) {
		dataplane_flow_table_close(&now);
		return fault;
	}
	now.buckets = (const void *)((const char *)now.header + FLOW_TABLE_HEADER_SIZE);
	dataplane_flow_table_close(table);
	*table = now;
	return NULL;
}

void dataplane_flow_table_close(struct dataplane_flow_table *table)
{
	if (table->header)
		munmap((void *)table->header, table->size);
	*table = (struct dataplane_flow_table){ 0 };
}
