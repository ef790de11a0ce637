/* SPDX-License-Identifier: BSD-3-Clause */
/* From a file descriptor to what the workers work from. */
#include "adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "hash.h"
#include "log.h"
#include "snapshot_check.h"

#define GRACE_NAP_NS 20000
#define KEEP_RETRY_S 1

/* "shunt-run-shunt-shunt0.flows": one for each run_dir and kernel interface. */
static void name_flow_file(char *name, size_t size, const struct settings *s)
{
	size_t n = (size_t)snprintf(
		name, size, "shunt%s-%s.flows", s->run_dir, *s->kernel_interface ? s->kernel_interface : "none");

	for (size_t i = 0; i < n && i < size; i++)
		if (name[i] == '/')
			name[i] = '-';
}

int adopt_init(struct adopt *a, const struct settings *s, struct worker_shared *shared, struct segment *segment)
{
	*a = (struct adopt){ .shared = shared, .segment = segment };
	name_flow_file(a->flow_name, sizeof(a->flow_name), s);
	snprintf(a->kept_path, sizeof(a->kept_path), "%s/dataplane.snapshot", s->run_dir);
	shared->generation = generation_new();
	if (!shared->generation) {
		log_error("no memory");
		return -1;
	}
	a->sources = mmap(NULL, SOURCE_BUCKETS * sizeof(*a->sources), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (a->sources == MAP_FAILED) {
		log_warning("no memory for a table of sources: source_rate of VIPs limits nothing");
		a->sources = NULL;
	}
	return 0;
}

void adopt_fini(struct adopt *a)
{
	a->keep_after_s = 0;
	adopt_keep(a);
	generation_free(a->shared->generation);
	a->shared->generation = NULL;
	flow_file_close(a->flows);
	flow_file_close(a->elder);
	if (a->sources)
		munmap(a->sources, SOURCE_BUCKETS * sizeof(*a->sources));
}

/* Napping rather than spinning: a worker may be off its core for a while, perhaps because this thread is on it. */
void adopt_wait_for_workers(const struct adopt *a)
{
	const struct timespec nap = { .tv_nsec = GRACE_NAP_NS };
	uint64_t token = rte_rcu_qsbr_start(a->shared->qsbr);

	while (!rte_rcu_qsbr_check(a->shared->qsbr, token, false))
		nanosleep(&nap, NULL);
}

/* Have the workers use g. When this returns none uses the generation before any more. */
static void use(struct adopt *a, struct generation *g)
{
	g->number = a->shared->generation->number + 1;
	__atomic_store_n(&a->shared->generation, g, __ATOMIC_RELEASE);
	adopt_wait_for_workers(a);
}

/*
 * The flow table for this snapshot: the one in use, unless there is none or key or capacity are others. *elder: the
 * elder one to use with it. Another capacity waits while there is an elder already.
 */
static struct flow_file *choose_flows(struct adopt *a, const struct snapshot_header *h, struct flow_file **elder)
{
	struct flow_file *next;

	*elder = a->below ? below_elder(a->below, a->elder, h) : a->elder;
	if (a->below)
		return below_flows(a->below, a->flows, h);
	if (!a->flows)
		return flow_file_open(a->flow_name, h, elder);
	if (a->flows->header->key_check != flow_key_check(h->hash_key)) {
		*elder = NULL;
		return flow_file_replace(a->flow_name, h);
	}
	if (a->flows->header->capacity == h->flow_capacity || a->capacity_said == h->flow_capacity) {
		if (a->flows->header->capacity == h->flow_capacity)
			a->capacity_said = 0;
		return a->flows;
	}
	a->capacity_said = h->flow_capacity;
	if (a->elder) {
		flow_file_say_waiting(a->flows, h);
		return a->flows;
	}
	next = flow_file_succeed(a->flows, a->flow_name, h);
	if (!next)
		return a->flows;
	*elder = a->flows;
	return next;
}

static void set_tables(struct generation *g, const struct flow_file *flows, const struct flow_file *elder)
{
	g->tables.buckets = flows ? flows->buckets : NULL;
	g->tables.n_buckets = flows ? flows->header->n_buckets : 0;
	g->tables.elder_buckets = elder ? elder->buckets : NULL;
	g->tables.n_elder_buckets = elder ? elder->header->n_buckets : 0;
}

/* No worker uses what was in use before any more: these are. */
static void keep_tables(struct adopt *a, struct flow_file *flows, struct flow_file *elder)
{
	struct flow_file *old_flows = a->flows, *old_elder = a->elder;

	if (flows == old_flows && elder == old_elder)
		return;
	a->flows = flows;
	a->elder = elder;
	a->flows_changed = flows && flows->read_fd >= 0;
	if (old_flows != flows && old_flows != elder)
		flow_file_close(old_flows);
	if (old_elder != elder)
		flow_file_close(old_elder);
}

/* The same snapshot with these tables. */
static void exchange_tables(struct adopt *a, struct flow_file *flows, struct flow_file *elder)
{
	struct generation *old = a->shared->generation, *g = generation_new();

	if (!g) {
		log_error("no memory");
		if (flows != a->flows)
			flow_file_close(flows);
		if (elder != a->elder && elder != a->flows)
			flow_file_close(elder);
		return;
	}
	*g = *old;
	set_tables(g, flows, elder);
	use(a, g);
	old->block = NULL; /* it is g's */
	generation_free(old);
	keep_tables(a, flows, elder);
}

/* What follows from there being no table, as far as an operator has to know it. */
static void warn_of_no_flows(void)
{
	log_error("forwarding without a flow table: the hash alone picks the backend, and connections break when "
		  "their pool changes; the next snapshot tries again");
}

/*
 * A kept snapshot may have been made for a port with another MAC: the card was changed, or a virtual
 * device drew a new one. The copy is ours, so it gets the port's; checked it has been already. The
 * checksum goes along, for the copy is what is kept.
 */
static void correct_macs(struct generation *g, const struct port *ports, unsigned int n_ports)
{
	struct snapshot_header *header = g->block;
	struct snapshot_port *port = (struct snapshot_port *)g->tables.ports;
	struct snapshot_backend *backend = (struct snapshot_backend *)g->tables.backends;
	bool changed = false;

	for (__u32 i = 0; i < g->tables.header->n_ports && i < n_ports; i++) {
		if (!memcmp(&port[i].mac, &ports[i].mac, sizeof(port[i].mac)))
			continue;
		port[i].mac = ports[i].mac;
		changed = true;
		for (__u32 b = 0; b < g->tables.header->n_backends; b++)
			if (backend[b].port == i)
				backend[b].src = ports[i].mac;
	}
	if (changed)
		header->checksum = snapshot_checksum(header, header->size);
}

/* Put g in force. Returns 0, or -1 with why; then g is the caller's still. */
static int put_in_force(struct adopt *a, struct generation *g, char *why, size_t why_size)
{
	struct generation *old = a->shared->generation;
	const struct snapshot_header *h = g->tables.header;
	struct flow_file *flows, *elder;

	if (h->n_ports > a->shared->n_ports) {
		snprintf(why, why_size, "it is for %u ports, and there are %u", h->n_ports, a->shared->n_ports);
		return -1;
	}
	flows = choose_flows(a, h, &elder);
	if (!flows && a->below)
		below_leave(a->below);
	else if (!flows)
		warn_of_no_flows();
	correct_macs(g, a->shared->ports, a->shared->n_ports);
	segment_populate(a->segment, h);
	set_tables(g, flows, elder);
	g->tables.active = a->segment->header->active;
	g->tables.fragments = a->segment->fragments;
	g->tables.n_fragment_buckets = FRAGMENT_BUCKETS;
	g->tables.sources = a->sources;
	use(a, g);
	generation_free(old);
	keep_tables(a, flows, elder);
	a->segment->header->snapshot_version = h->version;
	return 0;
}

void adopt_follow_flows(struct adopt *a)
{
	const struct generation *now = a->shared->generation;
	struct flow_file *flows, *elder;

	if (!now->tables.header)
		return;
	flows = choose_flows(a, now->tables.header, &elder);
	if (flows == a->flows && elder == a->elder)
		return;
	if (!flows)
		below_leave(a->below);
	exchange_tables(a, flows, elder);
}

void adopt_drop_elder(struct adopt *a)
{
	const struct snapshot_header *h = a->shared->generation->tables.header;
	struct flow_file *flows, *elder = a->elder;

	log_info("flow table %s: removed, no flow is left in it", elder->path);
	unlink(elder->path);
	exchange_tables(a, a->flows, NULL);
	/* What had to wait for it. */
	if (a->elder || a->flows->header->capacity == h->flow_capacity)
		return;
	a->capacity_said = 0;
	flows = choose_flows(a, h, &elder);
	if (flows != a->flows)
		exchange_tables(a, flows, elder);
}

void adopt_kept(struct adopt *a)
{
	int fd = open(a->kept_path, O_RDONLY | O_CLOEXEC);
	struct generation *g = NULL;
	char why[256];
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			log_warning("%s: %m", a->kept_path);
		return;
	}
	if (fstat(fd, &st))
		snprintf(why, sizeof(why), "%s", strerror(errno));
	else
		g = generation_read(fd, (__u64)st.st_size, why, sizeof(why));
	close(fd);
	if (g && !put_in_force(a, g, why, sizeof(why))) {
		log_info("snapshot %llu, kept in %s, is in force", (unsigned long long)g->tables.header->version,
			a->kept_path);
		return;
	}
	generation_free(g);
	log_warning("the kept snapshot %s is not used: %s", a->kept_path, why);
}

int adopt_received(struct adopt *a, int fd, __u64 size, __u64 version, char *why, size_t why_size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct generation *g;
	struct stat st;

	if (seals < 0 || (seals & CHANNEL_SEALS) != CHANNEL_SEALS) {
		snprintf(why, why_size, "it is no memfd sealed against change");
		return -1;
	}
	if (fstat(fd, &st) || (__u64)st.st_size != size) {
		snprintf(why, why_size, "the memfd is not of the stated size");
		return -1;
	}
	g = generation_read(fd, size, why, why_size);
	if (!g)
		return -1;
	if (g->tables.header->version != version) {
		snprintf(why, why_size, "the block says version %llu",
			(unsigned long long)g->tables.header->version);
		generation_free(g);
		return -1;
	}
	if (put_in_force(a, g, why, why_size)) {
		generation_free(g);
		return -1;
	}
	a->keep_due = true;
	return 0;
}

static int write_all(int fd, const char *from, __u64 size)
{
	while (size) {
		ssize_t n = write(fd, from, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		from += n;
		size -= (__u64)n;
	}
	return 0;
}

/* Without fsync(): after a crash of the machine the checksum tells whether all of it is there. */
void adopt_keep(struct adopt *a)
{
	const struct generation *g = a->shared->generation;
	char path[sizeof(a->kept_path) + 4];
	int fd;

	if (!a->keep_due || clock_s() < a->keep_after_s)
		return;
	snprintf(path, sizeof(path), "%s.new", a->kept_path);
	/* It holds the hash key: for nobody else to read. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	a->keep_due = fd < 0 || write_all(fd, g->block, g->size) || rename(path, a->kept_path);
	if (a->keep_due && !a->keep_failed)
		log_warning("cannot keep the snapshot in %s, and goes on trying: %m", a->kept_path);
	else if (!a->keep_due && a->keep_failed)
		log_info("the snapshot is kept in %s again", a->kept_path);
	a->keep_failed = a->keep_due;
	if (fd >= 0)
		close(fd);
	if (!a->keep_failed)
		return;
	unlink(path);
	a->keep_after_s = clock_s() + KEEP_RETRY_S;
}
