/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers, sockets and bursts of AF_XDP.
 *
 * Why not the net_af_xdp driver of DPDK 22.11: the program below has to stay attached without a gap while
 * this process comes and goes. Without its xdp_prog argument that driver has libxdp attach a program of
 * libxdp's own, with it it attaches the one named; both by a netlink request that the kernel refuses (EBUSY)
 * while a bpf_link, which is what keeps shuntd's program there, holds the interface. Its socket is in the map
 * before anybody polls it, and when it closes it detaches whatever program it finds. Here the sockets are
 * bound without a program (XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD) and put into, and taken out of, shuntd's
 * pinned map when the workers are ready, and no longer ready, to serve them.
 *
 * A packet buffer is one chunk of the memory that the sockets share with the kernel (UMEM), as follows; what
 * the kernel writes is never copied:
 *
 *   mempool's object header | struct rte_mbuf | the kernel's headroom | frame
 *   64                      | 128             | 256                   | the rest of the chunk
 */
#include "afxdp.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <net/if.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "log.h"
#include "shunt_xdp.h"

#define KERNEL_HEADROOM 256 /* XDP_PACKET_HEADROOM */
#define FRAME_OVERHEAD 22   /* Ethernet header and two VLAN tags */
#define RX_DESCRIPTORS 2048
#define TX_DESCRIPTORS 1024
#define POOL_CACHE 256
#define BATCH 64
#define KICKS 8 /* of one burst at most; what is left goes with the next, or from an idle poll */

/*
 * How the program below learns at once that a worker is dead: see struct xdp_owner. The list that the kernel walks
 * when the thread dies has one entry while the socket is served, else none.
 */
struct life {
	struct robust_list_head head;
	struct robust_list entry;
	__u32 thread; /* the worker's id; 0: it has not begun yet */
};

struct queue {
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
	struct xsk_ring_prod tx;
	struct xsk_ring_cons completed;
	int fd;
	__u32 owed;	 /* worker: buffers that the fill ring is still to get */
	__u32 in_flight; /* worker: rw, main: ro; frames that the kernel has to send, or has not yet said it sent
			  */
	struct xsk_socket *socket;
	struct life life;
} __rte_cache_aligned;

struct afxdp {
	char interface[IFNAMSIZ];
	unsigned int index; /* of the interface */
	__u32 chunk;	    /* bytes, a power of two */
	char *area;	    /* the UMEM */
	__u32 mbuf_offset;  /* of the mbuf in its chunk */
	unsigned int n_queues;
	unsigned int n_sockets; /* while being opened: fewer */
	int control;		/* any socket, to ask the kernel of the interface */
	struct rte_mempool *pool;
	const struct rte_memzone *zone;
	struct xsk_umem *umem;
	struct xdp_owner *owners; /* map, by queue; NULL: not joined */
	size_t owners_size;
	struct queue queue[];
};

/* --- bursts: the worker's --- */

static inline struct rte_mbuf *mbuf_of(const struct afxdp *a, __u64 address)
{
	return (struct rte_mbuf *)(a->area + (address & ~(__u64)(a->chunk - 1)) + a->mbuf_offset);
}

/* Give the kernel buffers in place of those it has filled. */
static inline void refill(struct afxdp *a, struct queue *q)
{
	void *object[BATCH];

	while (q->owed) {
		__u32 n = RTE_MIN(q->owed, (__u32)BATCH), first;

		if (rte_mempool_get_bulk(a->pool, object, n))
			return;
		if (!xsk_ring_prod__reserve(&q->fill, n, &first)) {
			rte_mempool_put_bulk(a->pool, object, n);
			return;
		}
		for (__u32 i = 0; i < n; i++)
			*xsk_ring_prod__fill_addr(&q->fill, first + i) =
				(__u64)((char *)object[i] - a->area - a->mbuf_offset);
		xsk_ring_prod__submit(&q->fill, n);
		q->owed -= n;
	}
}

/* Free what the kernel has sent. */
static inline void complete(struct afxdp *a, struct queue *q)
{
	struct rte_mbuf *m[BATCH];
	__u32 n, first;

	while (q->in_flight && (n = xsk_ring_cons__peek(&q->completed, BATCH, &first))) {
		for (__u32 i = 0; i < n; i++)
			m[i] = mbuf_of(a, *xsk_ring_cons__comp_addr(&q->completed, first + i));
		xsk_ring_cons__release(&q->completed, n);
		rte_pktmbuf_free_bulk(m, n);
		__atomic_store_n(&q->in_flight, q->in_flight - n, __ATOMIC_RELAXED);
	}
}

/* Have the kernel send: where the driver does not poll the ring it takes a system call, for 32 frames or so. */
static inline void kick(struct queue *q)
{
	for (int i = 0; i < KICKS && xsk_ring_prod__needs_wakeup(&q->tx); i++)
		if (sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != EAGAIN)
			return;
}

static inline bool has_unsent(const struct queue *q)
{
	return __atomic_load_n(q->tx.consumer, __ATOMIC_RELAXED) != *q->tx.producer;
}

static __rte_noinline void idle(struct afxdp *a, struct queue *q)
{
	if (q->in_flight) {
		complete(a, q);
		if (has_unsent(q))
			kick(q);
	}
	if (q->owed)
		refill(a, q);
	if (xsk_ring_prod__needs_wakeup(&q->fill))
		recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

unsigned int afxdp_receive(struct afxdp *a, unsigned int queue, struct rte_mbuf **m, unsigned int n)
{
	struct queue *q = &a->queue[queue];
	__u32 first;

	n = xsk_ring_cons__peek(&q->rx, n, &first);
	if (!n) {
		idle(a, q);
		return 0;
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, first + i);

		m[i] = mbuf_of(a, d->addr);
		m[i]->data_off = (__u16)(a->area + d->addr - (char *)m[i]->buf_addr);
		m[i]->ol_flags = 0;
		m[i]->pkt_len = d->len;
		m[i]->data_len = (__u16)d->len;
	}
	xsk_ring_cons__release(&q->rx, n);
	q->owed += n;
	refill(a, q);
	return n;
}

unsigned int afxdp_transmit(struct afxdp *a, unsigned int queue, struct rte_mbuf **m, unsigned int n)
{
	struct queue *q = &a->queue[queue];
	__u32 first;

	complete(a, q);
	n = RTE_MIN(n, xsk_prod_nb_free(&q->tx, n));
	if (n && xsk_ring_prod__reserve(&q->tx, n, &first)) {
		for (unsigned int i = 0; i < n; i++)
			*xsk_ring_prod__tx_desc(&q->tx, first + i) = (struct xdp_desc){
				.addr = (__u64)(rte_pktmbuf_mtod(m[i], char *) - a->area),
				.len = m[i]->pkt_len,
			};
		xsk_ring_prod__submit(&q->tx, n);
		__atomic_store_n(&q->in_flight, q->in_flight + n, __ATOMIC_RELAXED);
	}
	kick(q);
	return n;
}

void afxdp_serve(struct afxdp *a, unsigned int queue)
{
	struct life *l = &a->queue[queue].life;

	/* In place of the C library's, which is for mutexes of a kind that workers have none of. */
	syscall(SYS_set_robust_list, &l->head, sizeof(l->head));
	__atomic_store_n(&l->thread, (__u32)syscall(SYS_gettid), __ATOMIC_RELEASE);
}

/* --- the rest: the main thread's --- */

uint64_t afxdp_memory(const struct settings *s)
{
	return (uint64_t)s->mbufs * 4096;
}

static int ask(const struct afxdp *a, unsigned long what, struct ifreq *request)
{
	snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", a->interface);
	return ioctl(a->control, what, request);
}

int afxdp_mac(const struct afxdp *a, struct mac *mac)
{
	struct ifreq request = { 0 };

	if (ask(a, SIOCGIFHWADDR, &request))
		return -1;
	memcpy(mac->byte, request.ifr_hwaddr.sa_data, sizeof(mac->byte));
	return 0;
}

int afxdp_mtu(const struct afxdp *a, uint16_t *mtu)
{
	struct ifreq request = { 0 };

	if (ask(a, SIOCGIFMTU, &request))
		return -1;
	*mtu = (uint16_t)RTE_MIN(request.ifr_mtu, UINT16_MAX);
	return 0;
}

int afxdp_link(const struct afxdp *a)
{
	struct ifreq request = { 0 };

	if (ask(a, SIOCGIFINDEX, &request) || (unsigned int)request.ifr_ifindex != a->index)
		return -1;
	if (ask(a, SIOCGIFFLAGS, &request))
		return -1;
	return request.ifr_flags & IFF_UP && request.ifr_flags & IFF_RUNNING;
}

uint64_t afxdp_missed(const struct afxdp *a)
{
	uint64_t missed = 0;

	for (unsigned int i = 0; i < a->n_sockets; i++) {
		struct xdp_statistics s = { 0 };
		socklen_t size = sizeof(s);

		if (!getsockopt(a->queue[i].fd, SOL_XDP, XDP_STATISTICS, &s, &size))
			missed += s.rx_dropped + s.rx_ring_full;
	}
	return missed;
}

unsigned int afxdp_queues(const struct afxdp *a)
{
	return a->n_queues;
}

struct rte_mempool *afxdp_pool(const struct afxdp *a)
{
	return a->pool;
}

/* Receive queues of the interface, as its folder in sysfs shows them; at least the one there always is. */
static unsigned int count_queues(const char *interface)
{
	char path[64 + IFNAMSIZ];
	unsigned int n = 0;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		n += !strncmp(d->d_name, "rx-", 3);
	if (dir)
		closedir(dir);
	return n ? n : 1;
}

static void choose_queues(struct afxdp *a, unsigned int workers)
{
	unsigned int there = count_queues(a->interface);

	a->n_queues = RTE_MIN(there, workers);
	if (there < workers)
		log_warning("%s has %u receive queues: %u of %u workers run", a->interface, there, there, workers);
	else if (there > workers)
		log_info("%s has %u receive queues: what comes by those from the %uth on is forwarded in XDP",
			a->interface, there, workers + 1);
}

/* Chunks of half a page or a whole one, whichever takes the frames: drivers can map no others in every mode. */
static int choose_chunk(struct afxdp *a)
{
	__u32 mbuf = (__u32)sizeof(struct rte_mbuf);
	uint16_t mtu;

	if (afxdp_mtu(a, &mtu)) {
		log_error("dpdk.port: %s: %m", a->interface);
		return -1;
	}
	for (a->chunk = 2048; a->chunk <= 4096; a->chunk *= 2)
		if (mtu + FRAME_OVERHEAD + KERNEL_HEADROOM + RTE_CACHE_LINE_SIZE + mbuf <= a->chunk)
			return 0;
	log_error("dpdk.port: %s has an MTU of %u: frames of an AF_XDP socket end at %u", a->interface, mtu,
		4096 - KERNEL_HEADROOM - RTE_CACHE_LINE_SIZE - mbuf - FRAME_OVERHEAD);
	return -1;
}

/* A pool whose objects are the chunks of one piece of memory, one behind the other. */
static int make_pool(struct afxdp *a, unsigned int n)
{
	__u32 room = a->chunk - RTE_CACHE_LINE_SIZE - (__u32)sizeof(struct rte_mbuf);
	struct rte_pktmbuf_pool_private private = { .mbuf_data_room_size = (__u16)room };
	size_t size = (size_t)n * a->chunk;

	a->zone = rte_memzone_reserve_aligned("umem", size, SOCKET_ID_ANY, 0, 4096);
	if (!a->zone)
		goto no_memory;
	a->area = a->zone->addr;
	a->pool = rte_mempool_create_empty("packets", n, (unsigned int)sizeof(struct rte_mbuf) + room, POOL_CACHE,
		sizeof(private), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_SPREAD);
	/* As for a DPDK port: a thread that is preempted while it frees must not hold up the workers. */
	if (!a->pool || rte_mempool_set_ops_byname(a->pool, "ring_mt_rts", NULL))
		goto no_memory;
	rte_pktmbuf_pool_init(a->pool, &private);
	if (rte_mempool_populate_iova(a->pool, a->area, RTE_BAD_IOVA, size, NULL, NULL) != (int)n)
		goto no_memory;
	rte_mempool_obj_iter(a->pool, rte_pktmbuf_init, NULL);
	a->mbuf_offset = a->pool->header_size;
	if (a->pool->header_size + a->pool->elt_size + a->pool->trailer_size == a->chunk)
		return 0;
	log_error("DPDK lays out its packet buffers in another way than AF_XDP needs");
	return -1;

no_memory:
	log_error("no memory for %u packet buffers of %u bytes (dpdk.mbufs): %s", n, a->chunk,
		rte_strerror(rte_errno));
	return -1;
}

static int make_umem(struct afxdp *a)
{
	const struct xsk_umem_config config = {
		.fill_size = RX_DESCRIPTORS,
		.comp_size = TX_DESCRIPTORS,
		.frame_size = a->chunk,
		.frame_headroom = a->mbuf_offset + (__u32)sizeof(struct rte_mbuf),
	};
	int error = xsk_umem__create(
		&a->umem, a->area, a->zone->len, &a->queue[0].fill, &a->queue[0].completed, &config);

	if (!error)
		return 0;
	log_error("dpdk.port: no AF_XDP socket for %s: %s%s", a->interface, strerror(-error),
		error == -ENOBUFS || error == -ENOMEM ? " (is RLIMIT_MEMLOCK, ulimit -l, unlimited?)" : "");
	return -1;
}

static int make_socket(struct afxdp *a, unsigned int i, bool copy)
{
	const struct xsk_socket_config config = {
		.rx_size = RX_DESCRIPTORS,
		.tx_size = TX_DESCRIPTORS,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP | (copy ? XDP_COPY : 0),
	};
	struct queue *q = &a->queue[i];
	int error = xsk_socket__create_shared(
		&q->socket, a->interface, i, a->umem, &q->rx, &q->tx, &q->fill, &q->completed, &config);

	if (error) {
		log_error("dpdk.port: no AF_XDP socket on queue %u of %s: %s", i, a->interface,
			error == -EBUSY ? "another process has one there" : strerror(-error));
		return -1;
	}
	q->fd = xsk_socket__fd(q->socket);
	a->n_sockets++;
	return 0;
}

struct afxdp *afxdp_open(const struct settings *s, unsigned int workers)
{
	struct afxdp *a = rte_zmalloc("afxdp", sizeof(*a) + workers * sizeof(a->queue[0]), RTE_CACHE_LINE_SIZE);

	if (!a) {
		log_error("no memory");
		return NULL;
	}
	snprintf(a->interface, sizeof(a->interface), "%s", s->afxdp);
	a->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	a->index = if_nametoindex(a->interface);
	if (!a->index) {
		log_error("dpdk.port: there is no interface %s", a->interface);
		goto fail;
	}
	choose_queues(a, workers);
	if (choose_chunk(a) || make_pool(a, s->mbufs) || make_umem(a))
		goto fail;
	for (unsigned int i = 0; i < a->n_queues; i++) {
		struct queue *q = &a->queue[i];

		q->life.head.list.next = &q->life.head.list;
		q->life.entry.next = &q->life.head.list;
		if (make_socket(a, i, s->afxdp_copy))
			goto fail;
		q->owed = RTE_MIN(s->mbufs / 2 / a->n_queues, (__u32)RX_DESCRIPTORS);
		refill(a, q);
	}
	return a;

fail:
	afxdp_close(a);
	return NULL;
}

void afxdp_close(struct afxdp *a)
{
	if (!a)
		return;
	for (unsigned int i = 0; i < a->n_sockets; i++)
		xsk_socket__delete(a->queue[i].socket);
	xsk_umem__delete(a->umem);
	rte_mempool_free(a->pool);
	rte_memzone_free(a->zone);
	if (a->control >= 0)
		close(a->control);
	rte_free(a);
}

/*
 * A crash may write a core file, which takes seconds, before any thread is taken for dead: so the signal itself
 * says it, and then takes its course.
 */
static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
static struct sigaction before_crash[RTE_DIM(crashes)];
static struct afxdp *joined; /* main: rw, a thread that crashes: ro */

static void on_crash(int number)
{
	struct afxdp *a = __atomic_load_n(&joined, __ATOMIC_ACQUIRE);

	for (__u32 i = 0; a && i < a->n_sockets; i++)
		__atomic_store_n(&a->owners[i].thread, 0, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < RTE_DIM(crashes); i++)
		if (crashes[i] == number)
			sigaction(number, &before_crash[i], NULL);
	raise(number);
}

static void expect_crashes(struct afxdp *a)
{
	const struct sigaction action = { .sa_handler = on_crash };

	__atomic_store_n(&joined, a, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < RTE_DIM(crashes); i++)
		sigaction(crashes[i], &action, &before_crash[i]);
}

static void expect_crashes_no_more(void)
{
	for (unsigned int i = 0; i < RTE_DIM(crashes); i++)
		sigaction(crashes[i], &before_crash[i], NULL);
	__atomic_store_n(&joined, NULL, __ATOMIC_RELEASE);
}

static void take_out(struct afxdp *a, int xsks)
{
	for (__u32 i = 0; i < a->n_sockets; i++) {
		struct life *l = &a->queue[i].life;

		__atomic_store_n(&a->owners[i].thread, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&l->head.list.next, &l->head.list, __ATOMIC_RELEASE);
		bpf_map_delete_elem(xsks, &i);
	}
}

static void unmap_owners(struct afxdp *a)
{
	if (a->owners)
		munmap(a->owners, a->owners_size);
	a->owners = NULL;
}

static int map_owners(struct afxdp *a, int owners)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	void *memory;

	if (bpf_obj_get_info_by_fd(owners, &info, &size))
		return -1;
	if (info.value_size != sizeof(struct xdp_owner) || info.max_entries < a->n_sockets) {
		errno = ERANGE;
		return -1;
	}
	a->owners_size = RTE_ALIGN_CEIL((size_t)info.max_entries * sizeof(struct xdp_owner), 4096);
	memory = mmap(NULL, a->owners_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, owners, 0);
	if (memory == MAP_FAILED)
		return -1;
	a->owners = memory;
	return 0;
}

/* From here on the program gives frames to the socket, until the worker's end or take_out(). */
static void put_in(struct afxdp *a, __u32 queue)
{
	struct life *l = &a->queue[queue].life;

	l->head.futex_offset = (char *)&a->owners[queue].thread - (char *)&l->entry;
	__atomic_store_n(&l->head.list.next, &l->entry, __ATOMIC_RELEASE);
	__atomic_store_n(
		&a->owners[queue].thread, __atomic_load_n(&l->thread, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

int afxdp_join(struct afxdp *a, int xsks, int owners)
{
	int error;

	for (__u32 i = 0; i < a->n_sockets; i++)
		if (!__atomic_load_n(&a->queue[i].life.thread, __ATOMIC_ACQUIRE)) {
			errno = EAGAIN;
			return -1;
		}
	if (map_owners(a, owners))
		return -1;
	for (__u32 i = 0; i < a->n_sockets; i++) {
		__atomic_store_n(&a->owners[i].thread, 0, __ATOMIC_RELEASE);
		if (bpf_map_update_elem(xsks, &i, &a->queue[i].fd, BPF_ANY))
			goto fail;
	}
	expect_crashes(a);
	for (__u32 i = 0; i < a->n_sockets; i++)
		put_in(a, i);
	return 0;

fail:
	error = errno;
	take_out(a, xsks);
	unmap_owners(a);
	errno = error;
	return -1;
}

void afxdp_leave(struct afxdp *a, int xsks)
{
	take_out(a, xsks);
	expect_crashes_no_more();
	unmap_owners(a);
}

bool afxdp_is_drained(const struct afxdp *a, bool sent)
{
	for (unsigned int i = 0; i < a->n_sockets; i++) {
		const struct queue *q = &a->queue[i];

		if (__atomic_load_n(q->rx.producer, __ATOMIC_ACQUIRE) !=
			__atomic_load_n(q->rx.consumer, __ATOMIC_ACQUIRE))
			return false;
		if (sent && __atomic_load_n(&q->in_flight, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}
