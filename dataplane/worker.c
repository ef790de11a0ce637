/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop. Every packet received ends in exactly one counter of class VERDICT, counted when it
 * is known what became of it: "forwarded" once the transmit queue has it.
 */
#include "worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "burst.h"
#include "log.h"
#include "waiting.h"

#define IDLE_POLLS 1000 /* empty in a row before a worker naps, if it may */
#define IDLE_NAP_NS 50000
#define POLLS_AT_ONCE 16 /* of each port, between two looks at what has changed */

/* Frames on their way to one transmit queue; from: their index in the burst. */
struct batch {
	struct rte_mbuf *mbuf[BURST_MAX];
	__u8 from[BURST_MAX];
	unsigned int n;
};

/* A burst and what becomes of it. Between its halves it refers to the generation it was begun with. */
struct burst {
	struct rte_mbuf *mbuf[BURST_MAX];
	struct frame frame[BURST_MAX];
	struct verdict verdict[BURST_MAX];
	struct burst_flows flows;
	unsigned int n; /* 0: none under way */
	struct rte_mbuf *drop[BURST_MAX];
	unsigned int n_drop;
	struct rte_mbuf *kernel[BURST_MAX];
	unsigned int n_kernel;
	struct waiting *waiting; /* the worker's */
	struct batch out[SNAPSHOT_MAX_PORTS];
};

static inline void count(const struct tables *t, unsigned int counter, unsigned int n)
{
	t->stats->counter[counter] += n;
}

static inline void drop(const struct tables *t, struct burst *b, struct rte_mbuf *m, unsigned int counter)
{
	count(t, counter, 1);
	b->drop[b->n_drop++] = m;
}

static inline void queue(struct burst *b, unsigned int i, unsigned int port)
{
	struct batch *out = &b->out[port];

	out->from[out->n] = (__u8)i;
	out->mbuf[out->n++] = b->mbuf[i];
}

/* Bring the buffer to the length that the answer needs. */
static int resize(struct rte_mbuf *m, struct frame *f, __u32 length)
{
	if (length < f->len) {
		if (rte_pktmbuf_trim(m, (__u16)(f->len - length)))
			return -1;
	} else if (length > f->len && !rte_pktmbuf_append(m, (__u16)(length - f->len))) {
		return -1;
	}
	f->len = length;
	f->end = f->data + rte_pktmbuf_data_len(m);
	return 0;
}

static void answer(const struct worker *w, const struct tables *t, struct burst *b, unsigned int i)
{
	__u32 action = b->verdict[i].action;
	struct frame *f = &b->frame[i];
	struct packet p;

	packet_parse(f, &p);
	if (resize(b->mbuf[i], f, answer_length(action, f, &p)) ||
		answer_write(action, f, &p, w->shared->ports[f->port].mac))
		drop(t, b, b->mbuf[i], COUNTER_DROP_NO_ROOM);
	else
		queue(b, i, f->port);
}

/* A fragment whose first has not come yet. */
static void hold(const struct tables *t, struct burst *b, unsigned int i)
{
	if (waiting_add(b->waiting, t, b->mbuf[i], &b->frame[i]))
		count(t, COUNTER_HELD_FRAGMENT, 1);
	else
		drop(t, b, b->mbuf[i], COUNTER_DROP_FRAGMENT_FULL);
}

/* Sort the burst by what is to be done with each packet. */
static inline void carry_out(const struct worker *w, const struct tables *t, struct burst *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		const struct verdict *v = &b->verdict[i];

		if (likely(v->action == ACTION_TO_BACKEND))
			queue(b, i, v->port);
		else if (v->action == ACTION_TO_KERNEL)
			b->kernel[b->n_kernel++] = b->mbuf[i];
		else if (v->action == ACTION_DROP)
			drop(t, b, b->mbuf[i], v->counter);
		else if (v->action == ACTION_HOLD)
			hold(t, b, i);
		else
			answer(w, t, b, i);
	}
}

static inline void transmit(const struct worker *w, const struct tables *t, struct burst *b, unsigned int port)
{
	struct batch *out = &b->out[port];
	unsigned int sent;

	sent = port_transmit(&w->shared->ports[port], w->index, out->mbuf, out->n);
	for (unsigned int i = 0; i < sent; i++) {
		const struct verdict *v = &b->verdict[out->from[i]];

		count(t, v->counter, 1);
		if (likely(v->action == ACTION_TO_BACKEND))
			forward_account(t, v, b->frame[out->from[i]].len);
	}
	for (unsigned int i = sent; i < out->n; i++)
		drop(t, b, out->mbuf[i], COUNTER_DROP_TX_FULL);
	out->n = 0;
}

/* Whether the whole burst goes to backends by the first port, as nearly every burst of a busy VIP does. */
static inline int all_to_backends(const struct burst *b)
{
	unsigned int other = 0;

	for (unsigned int i = 0; i < b->n; i++)
		other |= (unsigned int)(b->verdict[i].action ^ ACTION_TO_BACKEND) | b->verdict[i].port;
	return other == 0;
}

/* Such a burst needs no sorting. */
static inline void transmit_all(const struct worker *w, const struct tables *t, struct burst *b)
{
	unsigned int sent;

	sent = port_transmit(&w->shared->ports[0], w->index, b->mbuf, b->n);
	count(t, COUNTER_FORWARDED, sent);
	burst_account(t, b->frame, b->verdict, sent);
	for (unsigned int i = sent; i < b->n; i++)
		drop(t, b, b->mbuf[i], COUNTER_DROP_TX_FULL);
}

static inline void hand_to_kernel(const struct worker *w, const struct tables *t, struct burst *b)
{
	unsigned int taken = 0, lost = COUNTER_DROP_NO_KERNEL;

	if (w->to_kernel) {
		taken = rte_ring_sp_enqueue_burst(w->to_kernel, (void **)b->kernel, b->n_kernel, NULL);
		lost = COUNTER_DROP_KERNEL_FULL;
	}
	count(t, COUNTER_TO_KERNEL, taken);
	for (unsigned int i = taken; i < b->n_kernel; i++)
		drop(t, b, b->kernel[i], lost);
	b->n_kernel = 0;
}

/* The first half of a burst: received from a port and looked at. Returns how many packets it has. */
static inline unsigned int begin(
	const struct worker *w, const struct tables *t, struct burst *b, unsigned int port)
{
	b->n = port_receive(&w->shared->ports[port], w->index, b->mbuf, BURST_MAX);
	t->stats->polls++;
	if (!b->n)
		return 0;
	t->stats->busy_polls++;
	for (unsigned int i = 0; i < b->n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->mbuf[i], void *));
	for (unsigned int i = 0; i < b->n; i++) {
		__u8 *data = rte_pktmbuf_mtod(b->mbuf[i], __u8 *);

		b->frame[i] = (struct frame){ data, data + rte_pktmbuf_data_len(b->mbuf[i]),
			rte_pktmbuf_pkt_len(b->mbuf[i]), port };
	}
	burst_begin(t, b->frame, b->verdict, b->n, &b->flows);
	return b->n;
}

/* The second half: the verdicts, and what they say done. */
static inline void finish(const struct worker *w, const struct tables *t, struct burst *b)
{
	burst_finish(t, b->frame, b->verdict, &b->flows);
	if (likely(all_to_backends(b))) {
		transmit_all(w, t, b);
	} else {
		carry_out(w, t, b);
		for (unsigned int i = 0; i < w->shared->n_ports; i++)
			if (b->out[i].n)
				transmit(w, t, b, i);
	}
	if (unlikely(b->flows.fragments))
		waiting_look(b->waiting, t, w->shared->ports, w->index);
	if (b->n_kernel)
		hand_to_kernel(w, t, b);
	if (b->n_drop)
		rte_pktmbuf_free_bulk(b->drop, b->n_drop);
	b->n_drop = 0;
	t->stats->received += b->n;
	b->n = 0;
}

/*
 * Poll every port, some times over. Each burst is finished when the next has been begun, so that its flows'
 * buckets arrive while packets are received; none is under way any more at the end. Returns how many packets came.
 */
static inline unsigned int poll_ports(const struct worker *w, const struct tables *t, struct burst b[2])
{
	unsigned int n, total = 0, next = 0, polls = 0;

	do {
		n = 0;
		for (unsigned int port = 0; port < w->shared->n_ports; port++) {
			n += begin(w, t, &b[next], port);
			next ^= 1;
			if (b[next].n)
				finish(w, t, &b[next]);
		}
		total += n;
	} while (n && ++polls < POLLS_AT_ONCE);
	next ^= 1;
	if (b[next].n)
		finish(w, t, &b[next]);
	return total;
}

/* Frames of the kernel, onto the wire. */
static inline unsigned int send_kernels(const struct worker *w, struct stats_worker *stats)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned int n, sent;

	n = rte_ring_sc_dequeue_burst(w->from_kernel, (void **)m, BURST_MAX, NULL);
	if (!n)
		return 0;
	sent = port_transmit(&w->shared->ports[0], w->index, m, n);
	stats->counter[COUNTER_KERNEL_SENT] += sent;
	stats->counter[COUNTER_KERNEL_DROPPED] += n - sent;
	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	return n;
}

/* The worker's view of a generation. */
static void view(const struct worker *w, const struct generation *g, struct tables *t)
{
	*t = g->tables;
	t->stats = w->stats;
	t->worker = w->index;
	t->n_workers = w->shared->n_workers;
}

static void loop(struct worker *w)
{
	struct worker_shared *shared = w->shared;
	const struct timespec nap = { .tv_nsec = IDLE_NAP_NS };
	__u64 generation = ~0ull; /* its number: none yet */
	unsigned int idle = 0;
	/* From TSC cycles to units of GUARD_TIME_SHIFT, times 2^64. */
	const __u64 units =
		(__u64)(((unsigned __int128)(1000000000u >> GUARD_TIME_SHIFT) << 64) / rte_get_tsc_hz());
	struct waiting waiting = { 0 };
	struct burst b[2];
	struct tables t;

	memset(b, 0, sizeof(b));
	b[0].waiting = b[1].waiting = &waiting;
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		const struct generation *now;
		unsigned int n;

		rte_rcu_qsbr_quiescent(shared->qsbr, w->index);
		now = __atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE);
		if (unlikely(now->number != generation)) {
			generation = now->number;
			view(w, now, &t);
			burst_reset(&b[0].flows);
			burst_reset(&b[1].flows);
			waiting_hash(&waiting, &t);
		}
		t.tick = __atomic_load_n(&shared->tick, __ATOMIC_RELAXED);
		t.now = (__u32)((unsigned __int128)rte_rdtsc() * units >> 64);
		n = poll_ports(w, &t, b);
		if (unlikely(waiting.used))
			waiting_look(&waiting, &t, shared->ports, w->index);
		if (w->from_kernel)
			n += send_kernels(w, w->stats);
		if (likely(n)) {
			idle = 0;
		} else if (++idle > IDLE_POLLS && shared->idle_sleep) {
			nanosleep(&nap, NULL);
		} else {
			rte_pause();
		}
	}
	waiting_clear(&waiting, &t);
}

static int run(void *argument)
{
	struct worker *w = argument;

	w->stats->tid = (__s32)syscall(SYS_gettid);
	w->stats->core = w->cpu;
	rte_rcu_qsbr_thread_register(w->shared->qsbr, w->index);
	rte_rcu_qsbr_thread_online(w->shared->qsbr, w->index);
	for (unsigned int port = 0; port < w->shared->n_ports; port++)
		port_serve(&w->shared->ports[port], w->index);
	loop(w);
	rte_rcu_qsbr_thread_offline(w->shared->qsbr, w->index);
	rte_rcu_qsbr_thread_unregister(w->shared->qsbr, w->index);
	return 0;
}

int worker_start(struct worker *w)
{
	int error = rte_eal_remote_launch(run, w, w->index + 1);

	if (error)
		log_error("worker %u does not start: %s", w->index, strerror(-error));
	return error ? -1 : 0;
}

void worker_join(struct worker *w)
{
	rte_eal_wait_lcore(w->index + 1);
}
