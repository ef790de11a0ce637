/* SPDX-License-Identifier: BSD-3-Clause */
/* From the program's ring buffers into the room, from there to a packet socket. */
#include "xdp_fragments.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fragment_room.h"
#include "log.h"
#include "xdp_system.h"

struct xdp_fragments {
	struct fragment_room *room;
	struct perf_buffer *buffers; /* NULL: none */
	int map;		     /* that they are in: the kernel takes them out when this is closed; -1: none */
	uint32_t map_id;
	int watch; /* epoll, of the buffers: it stays the same while they change */
	int out;   /* the packet socket; -1: none yet */
	bool said;
	/* During xdp_fragments_run(). */
	struct xdp_set *set;
	const unsigned int *port_index;
	const struct fragment_errand *errand;
	bool taken;
};

static void leave(struct xdp_fragments *f)
{
	perf_buffer__free(f->buffers);
	f->buffers = NULL;
	if (f->map >= 0)
		close(f->map);
	f->map = -1;
	f->map_id = 0;
}

void xdp_fragments_free(struct xdp_fragments *f)
{
	if (!f)
		return;
	leave(f);
	if (f->watch >= 0)
		close(f->watch);
	if (f->out >= 0)
		close(f->out);
	fragment_room_free(f->room);
	free(f);
}

struct xdp_fragments *xdp_fragments_new(void)
{
	struct xdp_fragments *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->map = f->out = -1;
	f->watch = epoll_create1(EPOLL_CLOEXEC);
	f->room = fragment_room_new();
	if (f->watch >= 0 && f->room)
		return f;
	xdp_fragments_free(f);
	return NULL;
}

static void on_held(void *context, int cpu, void *data, __u32 size)
{
	struct xdp_fragments *f = context;
	const struct xdp_held *held = data;

	(void)cpu;
	f->taken = true;
	if (size >= sizeof(*held) && held->len <= size - sizeof(*held))
		fragment_room_add(f->room, (const uint8_t *)(held + 1), held->len, f->errand);
}

/* The program is told when a buffer is full, and counts what it can't hand over. */
static void on_full(void *context, int cpu, __u64 count)
{
	(void)context;
	(void)cpu;
	(void)count;
}

/* For each of so many CPUs: a power of two. */
static size_t pages_for(uint32_t n_cpus)
{
	size_t pages = XDP_FRAGMENTS_PAGES_MIN;

	while (pages < XDP_FRAGMENTS_PAGES_MAX && 2 * pages * n_cpus <= XDP_FRAGMENTS_PAGES)
		pages *= 2;
	return pages;
}

static uint32_t id_of(int map)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return map < 0 || bpf_obj_get_info_by_fd(map, &info, &size) ? 0 : info.id;
}

/* Once: what is wrong stays wrong. */
static void complain(struct xdp_fragments *f, const char *what, int error)
{
	if (!f->said)
		log_warning("%s: %s: fragments that come before the first of their datagram are dropped", what,
			strerror(error));
	f->said = true;
}

void xdp_fragments_use(struct xdp_fragments *f, const struct xdp_set *set)
{
	struct epoll_event readable = { .events = EPOLLIN };
	uint32_t id = set && set->control ? id_of(set->fd[XDP_MAP_HELD]) : 0;

	if (f->map_id && f->map_id == id)
		return;
	leave(f);
	if (!id)
		return;
	f->map = fcntl(set->fd[XDP_MAP_HELD], F_DUPFD_CLOEXEC, 3);
	if (f->map >= 0)
		f->buffers = perf_buffer__new(f->map, pages_for(set->control->sizes.n_cpus), on_held, on_full, f, NULL);
	if (!f->buffers || epoll_ctl(f->watch, EPOLL_CTL_ADD, perf_buffer__epoll_fd(f->buffers), &readable)) {
		complain(f, "the XDP program has nobody to hand fragments to", errno);
		leave(f);
		return;
	}
	f->map_id = id;
}

int xdp_fragments_fd(const struct xdp_fragments *f)
{
	return f->watch;
}

/* For sending alone: it is told of no protocol to receive. */
static bool open_socket(struct xdp_fragments *f)
{
	if (f->out < 0)
		f->out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->out < 0)
		complain(f, "no packet socket", errno);
	return f->out >= 0;
}

static bool send_frame(const struct xdp_fragments *f, const uint8_t *frame, size_t len, const struct verdict *v)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_ifindex = (int)f->port_index[v->port & (SNAPSHOT_MAX_PORTS - 1)] };

	return to.sll_ifindex && sendto(f->out, frame, len, 0, (const struct sockaddr *)&to, sizeof(to)) == (ssize_t)len;
}

/* Counted in the rows behind the last CPU's, which are shuntd's. */
static bool send_and_account(void *context, const uint8_t *frame, size_t len, const struct verdict *v)
{
	const struct xdp_fragments *f = context;
	const struct xdp_sizes *sizes = &f->set->control->sizes;
	struct stats_traffic *of[2];

	if (!send_frame(f, frame, len, v))
		return false;
	if (v->vip >= sizes->ids || v->backend >= sizes->ids)
		return true;
	of[0] = &f->set->vip_stats[(uint64_t)sizes->n_cpus * sizes->ids + v->vip];
	of[1] = &f->set->backend_stats[(uint64_t)sizes->n_cpus * sizes->ids + v->backend];
	for (int i = 0; i < 2; i++) {
		of[i]->packets++;
		of[i]->bytes += len;
	}
	return true;
}

bool xdp_fragments_run(struct xdp_fragments *f, struct xdp_set *set, const unsigned int port_index[SNAPSHOT_MAX_PORTS])
{
	const struct snapshot_header *snapshot = xdp_set_snapshot(set);
	struct fragment_tally tally = { 0 };
	struct tables t = { .fragments = set->fragments, .n_fragment_buckets = set->control->sizes.n_fragment_buckets };
	struct fragment_errand errand = { .tables = &t,
		.now_ns = xdp_system_now_ns(),
		.send = send_and_account,
		.context = f,
		.tally = &tally };
	__u64 *counter = set->cpus[set->control->sizes.n_cpus].counter;

	f->taken = false;
	if (!snapshot || !open_socket(f))
		return false;
	f->set = set;
	f->port_index = port_index;
	f->errand = &errand;
	tables_open_snapshot(&t, snapshot);
	t.tick = flow_tick(errand.now_ns / 1000000000u);
	fragment_room_look(f->room, &errand);
	if (f->buffers)
		perf_buffer__consume(f->buffers);
	counter[COUNTER_FRAGMENT_RELEASED] += tally.sent;
	counter[COUNTER_FRAGMENT_EXPIRED] += tally.lost;
	return f->taken || fragment_room_count(f->room);
}
