/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment: arguments, memory and the usual causes of failure looked at beforehand, because
 * rte_eal_init() may end the process without a word that helps.
 */
#include "eal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define HUGE_PAGES "/sys/kernel/mm/hugepages"
#define MAX_ARGS (SETTINGS_MAX_EAL_ARGS + 24)
#define LINES_A_SECOND 5 /* of DPDK's own, once it runs */

static char complaint[256];
static bool hushed;
static bool starting;
static int saved_out = -1, saved_err = -1, diverted = -1;

static bool is_worker(void)
{
	return rte_lcore_id() != LCORE_ID_ANY && rte_lcore_id() != rte_get_main_lcore();
}

/*
 * Where rte_log() writes: kept while hushed, else a log line of ours if it is a warning or worse. What a
 * driver says on a worker is lost: a worker makes no system call.
 */
static ssize_t log_write(void *cookie, const char *text, size_t size)
{
	static time_t second;
	static unsigned int lines;
	struct timespec now;
	int len = (int)size;

	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (!len || rte_log_cur_msg_loglevel() > (int)RTE_LOG_WARNING || is_worker())
		return (ssize_t)size;
	if (hushed) {
		if (!complaint[0])
			snprintf(complaint, sizeof(complaint), "%.*s", len, text);
		return (ssize_t)size;
	}
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		lines = 0;
	}
	if (lines++ < LINES_A_SECOND)
		log_warning("DPDK: %.*s", len, text);
	return (ssize_t)size;
}

void eal_hush_begin(void)
{
	complaint[0] = 0;
	hushed = true;
}

void eal_hush_end(void)
{
	hushed = false;
}

const char *eal_complaint(void)
{
	return complaint;
}

/* Some of rte_eal_init() writes straight to standard output and error: usage texts, alerts. */
static void divert_output(void)
{
	diverted = memfd_create("eal-output", MFD_CLOEXEC);
	if (diverted < 0)
		return;
	fflush(stdout);
	saved_out = dup(STDOUT_FILENO);
	saved_err = dup(STDERR_FILENO);
	dup2(diverted, STDOUT_FILENO);
	dup2(diverted, STDERR_FILENO);
}

/* Undo it. What getopt(3) said of an argument tells more than DPDK's complaint that follows. */
static void restore_output(void)
{
	static const char own[] = "shunt-dataplane: ";
	char line[sizeof(complaint)];
	ssize_t n;

	if (diverted < 0)
		return;
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	n = pread(diverted, line, sizeof(line) - 1, 0);
	close(diverted);
	diverted = -1;
	line[n > 0 ? n : 0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (!strncmp(line, own, strlen(own)))
		snprintf(complaint, sizeof(complaint), "dpdk.eal_args: %s", line + strlen(own));
}

/* rte_exit() calls exit(), rte_panic() abort(): say why all the same. */
static void say_last_words(void)
{
	if (!starting)
		return;
	starting = false;
	restore_output();
	log_error("DPDK gave up: %s", complaint[0] ? complaint : "without saying why");
}

static void on_abort(int signal)
{
	say_last_words();
	_exit(1);
}

bool eal_port_is_pci(const char *port)
{
	unsigned int a, b, c, d;
	int end = 0;

	if (sscanf(port, "%x:%x:%x.%x%n", &a, &b, &c, &d, &end) != 4 || !end) {
		end = 0;
		if (sscanf(port, "%x:%x.%x%n", &a, &b, &c, &end) != 3 || !end)
			return false;
	}
	return port[end] == 0 || port[end] == ',';
}

static int check_pci(const char *port)
{
	char address[32], path[128];
	size_t len = strcspn(port, ",");

	snprintf(address, sizeof(address), "%s%.*s",
		memchr(port, '.', len) - (void *)port > 8 ? "" : "0000:", (int)len, port);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	if (!access(path, F_OK))
		return 0;
	log_error("dpdk.port: there is no PCI device %s on this machine (dpdk-devbind.py --status lists them)",
		address);
	return -1;
}

static uint64_t read_number(const char *dir, const char *file)
{
	char path[512];
	uint64_t value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* Bytes of huge pages that nobody has or has reserved. */
static uint64_t huge_bytes_free(void)
{
	DIR *dir = opendir(HUGE_PAGES);
	uint64_t bytes = 0;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		uint64_t kb, pages, reserved;
		char path[300];

		if (sscanf(d->d_name, "hugepages-%" SCNu64 "kB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), HUGE_PAGES "/%s", d->d_name);
		pages = read_number(path, "free_hugepages");
		reserved = read_number(path, "resv_hugepages");
		if (pages > reserved)
			bytes += (pages - reserved) * kb * 1024;
	}
	if (dir)
		closedir(dir);
	return bytes;
}

static uint64_t bytes_available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

static int check_memory(bool no_huge, uint64_t bytes)
{
	uint64_t there = no_huge ? bytes_available() : huge_bytes_free();
	uint64_t need_mb = (bytes + (1 << 20) - 1) >> 20;

	if (there >= bytes)
		return 0;
	if (no_huge)
		log_error("needs %" PRIu64 " MB of memory, of which %" PRIu64
			  " MB are available: lower dpdk.mbufs",
			need_mb, there >> 20);
	else
		log_error("needs %" PRIu64 " MB of huge pages, of which %" PRIu64 " MB are free: "
			  "echo %" PRIu64 " > /proc/sys/vm/nr_hugepages, or put \"--no-huge\" into dpdk.eal_args",
			need_mb, there >> 20, (need_mb + 1) / 2 + read_number("/proc/sys/vm", "nr_hugepages"));
	return -1;
}

struct arguments {
	char *arg[MAX_ARGS + 1];
	int n;
};

__attribute__((format(printf, 2, 3))) static void add_argument(struct arguments *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (a->n < MAX_ARGS && vasprintf(&a->arg[a->n], format, args) >= 0)
		a->n++;
	va_end(args);
}

/*
 * "0@(0,1),1@2,2@3": the main thread floats over the CPUs that workers leave free, or over all if they
 * leave none; worker i is lcore i + 1.
 */
static void add_lcores(struct arguments *a, const struct settings *s)
{
	cpu_set_t all, rest;
	char text[16384];
	size_t n = 0;

	sched_getaffinity(0, sizeof(all), &all);
	rest = all;
	for (unsigned int i = 0; i < s->n_cpus; i++)
		CPU_CLR(s->cpu[i], &rest);
	if (!CPU_COUNT(&rest))
		rest = all;
	n += (size_t)snprintf(text, sizeof(text), "0@(");
	for (unsigned int cpu = 0, first = 1; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &rest))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", first ? "" : ",", cpu);
		first = 0;
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, ")");
	for (unsigned int i = 0; i < s->n_cpus; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",%u@%u", i + 1, s->cpu[i]);
	add_argument(a, "--lcores");
	add_argument(a, "%s", text);
	add_argument(a, "--main-lcore");
	add_argument(a, "0");
}

static void add_arguments(struct arguments *a, const struct settings *s, bool no_huge, uint64_t bytes)
{
	add_argument(a, "shunt-dataplane");
	add_lcores(a, s);
	add_argument(a, "--no-telemetry");
	if (eal_port_is_pci(s->port)) {
		add_argument(a, "-a");
		add_argument(a, "%s", s->port);
	} else {
		add_argument(a, "--no-pci");
		/* Physical addresses are for hardware; without them buffers need not be contiguous. */
		add_argument(a, "--iova-mode=va");
	}
	/* No files of DPDK's own: nothing is left behind by kill -9, nothing collides with another instance. */
	if (no_huge) {
		add_argument(a, "--no-shconf");
		add_argument(a, "-m");
		add_argument(a, "%" PRIu64, (bytes >> 20) + 1);
	} else if (!settings_eal_arg(s, "--in-memory")) {
		add_argument(a, "--in-memory");
	}
	/* DPDK refuses the two together, and --no-huge is as much in memory as --in-memory. */
	for (unsigned int i = 0; i < s->n_eal_args; i++)
		if (!no_huge || strcmp(s->eal_args[i], "--in-memory"))
			add_argument(a, "%s", s->eal_args[i]);
}

static int init(struct arguments *a)
{
	static const cookie_io_functions_t functions = { .write = log_write };
	struct sigaction abort_action = { .sa_handler = on_abort }, old_action;
	char *argv[MAX_ARGS + 1];
	FILE *stream;
	int ret;

	stream = fopencookie(NULL, "w", functions);
	if (!stream)
		return -1;
	rte_openlog_stream(stream);
	atexit(say_last_words);
	sigaction(SIGABRT, &abort_action, &old_action);
	/* rte_eal_init() moves the array's entries about; the strings have to stay. */
	memcpy(argv, a->arg, sizeof(argv));
	eal_hush_begin();
	divert_output();
	starting = true;
	ret = rte_eal_init(a->n, argv);
	starting = false;
	restore_output();
	eal_hush_end();
	sigaction(SIGABRT, &old_action, NULL);
	if (ret >= 0)
		return 0;
	log_error("DPDK does not start: %s", complaint[0] ? complaint : rte_strerror(rte_errno));
	return -1;
}

int eal_start(const struct settings *s, uint64_t bytes)
{
	bool no_huge = settings_eal_arg(s, "--no-huge");
	static struct arguments arguments; /* DPDK keeps pointers into them */

	if (eal_port_is_pci(s->port) && check_pci(s->port))
		return -1;
	if (check_memory(no_huge, bytes))
		return -1;
	add_arguments(&arguments, s, no_huge, bytes);
	return init(&arguments);
}

void eal_stop(void)
{
	eal_hush_begin();
	rte_eal_cleanup();
	eal_hush_end();
}
