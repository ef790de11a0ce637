/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shunt-dataplane: owns the port and forwards. Here is initialisation, its unwinding in reverse, and the
 * main thread's loop, which sleeps but for the channel, signals and ten beats a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "adopt.h"
#include "clock.h"
#include "eal.h"
#include "kernel_path.h"
#include "log.h"
#include "notify.h"
#include "ports.h"
#include "segment.h"
#include "server.h"
#include "settings.h"
#include "sweeper.h"
#include "worker.h"

#define BEAT_MS 100
#define LOCK_WAIT_MS 2000
#define LOCK_STEP_MS 20
#define WATCH_BEATS 10 /* between looks at the port: its counters may cost a question to its firmware */

struct dataplane {
	struct settings settings;
	int lock; /* of run_dir */
	struct port port;
	struct kernel_path *kernel;
	struct segment segment;
	struct worker_shared shared;
	struct worker worker[STATS_MAX_WORKERS];
	unsigned int n_workers;
	struct adopt adopt;
	struct below below; /* an AF_XDP port's */
	struct sweeper *sweeper;
	struct server server;
	int signals;
	int timer;
	int epoll;
	unsigned int beats;
};

static const char usage[] = "usage: shunt-dataplane -c FILE\n"
			    "  -c, --config FILE  the configuration, of which group dpdk is read\n"
			    "  -h, --help         this text\n"
			    "  -V, --version      the version\n";

/*
 * One process to a run_dir: the kept snapshot and the flow table are not for two. One that was killed a
 * moment ago may still be dying, so the lock is waited for, a while; and then a little longer, until all
 * else it had is closed too.
 */
static int wait_for_lock(int fd)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	for (int ms = 0; ms < LOCK_WAIT_MS; ms += LOCK_STEP_MS) {
		usleep(LOCK_STEP_MS * 1000);
		if (flock(fd, LOCK_EX | LOCK_NB))
			continue;
		usleep(LOCK_STEP_MS * 1000);
		return 0;
	}
	return -1;
}

static int lock_run_dir(struct dataplane *d)
{
	char path[300];

	if (mkdir(d->settings.run_dir, 0755) && errno != EEXIST) {
		log_error("dpdk.run_dir: cannot make %s: %m", d->settings.run_dir);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/dataplane.lock", d->settings.run_dir);
	d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock < 0) {
		log_error("dpdk.run_dir: cannot open %s: %m", path);
		return -1;
	}
	if (!wait_for_lock(d->lock))
		return 0;
	log_error("dpdk.run_dir: %s is in use by another shunt-dataplane", d->settings.run_dir);
	close(d->lock);
	return -1;
}

/* Before any thread is made: all are to have these signals blocked. */
static int take_signals(struct dataplane *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signals >= 0)
		return 0;
	log_error("signalfd: %m");
	return -1;
}

static int watch(struct dataplane *d, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &e);
}

static int start_loop(struct dataplane *d)
{
	const struct itimerspec beat = { { 0, BEAT_MS * 1000000l }, { 0, BEAT_MS * 1000000l } };

	d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->timer < 0 || d->epoll < 0 || timerfd_settime(d->timer, 0, &beat, NULL) || watch(d, d->signals) ||
		watch(d, d->timer) || watch(d, d->server.listener)) {
		log_error("event loop: %m");
		return -1;
	}
	return 0;
}

static void update_tick(struct dataplane *d)
{
	__atomic_store_n(&d->shared.tick, flow_tick(clock_s()), __ATOMIC_RELAXED);
}

static void beat(struct dataplane *d)
{
	update_tick(d);
	segment_beat(&d->segment);
	if (d->beats++ % WATCH_BEATS == 0)
		port_watch(&d->port, &d->segment.header->port[0]);
	adopt_keep(&d->adopt);
	if (d->adopt.below)
		below_beat(d->adopt.below);
}

/* In small pieces, between what else there is to do. */
static void sweep(struct dataplane *d)
{
	const struct flow_file *flows = d->adopt.flows, *elder = d->adopt.elder;

	if (!d->shared.generation->tables.header)
		return;
	if (d->adopt.below && !below_may_sweep(d->adopt.below)) {
		sweeper_restart(d->sweeper);
		return;
	}
	sweeper_run(d->sweeper, d->shared.generation, flows ? flows->header : NULL, elder ? elder->header : NULL,
		&d->segment);
	/* Below an AF_XDP port the tables are shuntd's. */
	if (!elder || d->adopt.below || !sweeper_elder_is_empty(d->sweeper))
		return;
	adopt_drop_elder(&d->adopt);
	sweeper_restart(d->sweeper);
	server_tell_flows(&d->server);
}

/* Until a signal says stop, or there is no port any more. Returns the exit status. */
static int loop(struct dataplane *d)
{
	for (;;) {
		struct epoll_event e[4];
		int n = epoll_wait(d->epoll, e, 4, sweeper_pause_ms(d->sweeper));

		for (int i = 0; i < n; i++) {
			const struct flow_file *flows = d->adopt.flows, *elder = d->adopt.elder;
			int fd = e[i].data.fd, client = d->server.client;
			__u64 expirations;

			if (fd == d->signals)
				return 0;
			if (fd == d->timer && read(fd, &expirations, sizeof(expirations)) > 0)
				beat(d);
			else if (fd == d->server.listener)
				server_accept(&d->server);
			else if (fd == client)
				server_receive(&d->server);
			/* A closed descriptor leaves the epoll set by itself. */
			if (fd == d->server.listener && d->server.client >= 0 && watch(d, d->server.client) &&
				errno != EEXIST)
				log_error("event loop: %m");
			if (flows != d->adopt.flows || elder != d->adopt.elder)
				sweeper_restart(d->sweeper);
		}
		sweep(d);
		if (d->port.gone)
			return 1;
	}
}

static int make_qsbr(struct dataplane *d)
{
	size_t size = rte_rcu_qsbr_get_memsize(d->n_workers);

	d->shared.qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (d->shared.qsbr && !rte_rcu_qsbr_init(d->shared.qsbr, d->n_workers))
		return 0;
	log_error("no memory");
	rte_free(d->shared.qsbr);
	return -1;
}

static int start_workers(struct dataplane *d)
{
	d->shared.n_workers = d->n_workers;
	for (unsigned int i = 0; i < d->n_workers; i++) {
		d->worker[i] = (struct worker){
			.shared = &d->shared,
			.index = i,
			.cpu = d->settings.cpu[i],
			.stats = &d->segment.workers[i],
			.to_kernel = kernel_path_to_kernel(d->kernel, i),
			.from_kernel = i ? NULL : kernel_path_from_kernel(d->kernel),
		};
		if (worker_start(&d->worker[i])) {
			d->n_workers = i;
			return -1;
		}
	}
	return 0;
}

static void stop_workers(struct dataplane *d)
{
	__atomic_store_n(&d->shared.stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < d->n_workers; i++)
		worker_join(&d->worker[i]);
}

static void fill_hello(struct dataplane *d)
{
	struct channel_hello *h = &d->server.hello;

	*h = (struct channel_hello){
		.head = { CHANNEL_HELLO, sizeof(*h) },
		.magic = CHANNEL_MAGIC,
		.abi = CHANNEL_ABI,
		.pid = (__u32)getpid(),
		.n_ports = 1,
		.n_workers = d->n_workers,
		.version = SHUNT_VERSION,
	};
	snprintf(h->kernel_interface, sizeof(h->kernel_interface), "%s", d->settings.kernel_interface);
	h->port[0].mac = d->port.mac;
	h->port[0].mtu = d->port.mtu;
	snprintf(h->port[0].name, sizeof(h->port[0].name), "%.31s", d->port.name);
	d->server.statistics = d->segment.fd;
	d->server.adopt = &d->adopt;
}

/* The whole life of the process once its settings are known. Returns the exit status. */
static int serve(struct dataplane *d)
{
	int status = 1;

	if (lock_run_dir(d))
		return 1;
	if (server_open(&d->server, d->settings.socket))
		goto unlock;
	if (eal_start(&d->settings, port_memory(&d->settings)))
		goto close_server;
	if (port_open(&d->port, &d->settings, d->settings.n_cpus))
		goto stop_eal;
	d->n_workers = d->port.queues;
	/* Early: who sees the kernel interface may take it that the port's own set-up is done. */
	if (port_start(&d->port))
		goto close_port;
	if (*d->settings.kernel_interface) {
		d->kernel = kernel_path_open(d->settings.kernel_interface, &d->port, d->n_workers);
		if (!d->kernel)
			goto close_port;
	}
	if (segment_open(&d->segment, d->n_workers, 1))
		goto close_port;
	port_describe(&d->port, &d->segment.header->port[0]);
	if (make_qsbr(d))
		goto close_segment;
	d->shared.ports = &d->port;
	d->shared.n_ports = 1;
	d->shared.idle_sleep = d->settings.idle_sleep;
	update_tick(d);
	if (adopt_init(&d->adopt, &d->settings, &d->shared, &d->segment))
		goto free_qsbr;
	if (d->port.afxdp) {
		below_init(&d->below, &d->settings, d->port.afxdp, &d->adopt);
		d->adopt.below = &d->below;
	}
	d->sweeper = sweeper_new();
	if (!d->sweeper)
		goto end_adopt;
	adopt_kept(&d->adopt);
	fill_hello(d);
	if (start_loop(d) || (d->kernel && kernel_path_start(d->kernel)))
		goto free_sweeper;
	if (start_workers(d) || server_listen(&d->server))
		goto stop;
	log_info("version " SHUNT_VERSION ": %s (%s) with %u worker%s, kernel interface %s", d->port.name,
		d->port.driver, d->n_workers, d->n_workers == 1 ? "" : "s",
		*d->settings.kernel_interface ? d->settings.kernel_interface : "none");
	notify_systemd("READY=1");
	beat(d);
	status = loop(d);
	notify_systemd("STOPPING=1");
	log_info("stopping");
	if (d->adopt.below)
		below_leave(d->adopt.below);

stop:
	stop_workers(d);
free_sweeper:
	sweeper_free(d->sweeper);
end_adopt:
	adopt_fini(&d->adopt);
free_qsbr:
	rte_free(d->shared.qsbr);
close_segment:
	segment_close(&d->segment);
close_port:
	kernel_path_stop(d->kernel);
	port_close(&d->port);
	kernel_path_close(d->kernel);
stop_eal:
	eal_stop();
close_server:
	server_close(&d->server);
unlock:
	close(d->lock);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	static struct dataplane dataplane;
	const char *file = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) >= 0)
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("shunt-dataplane " SHUNT_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	if (!file || optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	log_init();
	if (settings_read(&dataplane.settings, file) || take_signals(&dataplane))
		return 1;
	return serve(&dataplane);
}
