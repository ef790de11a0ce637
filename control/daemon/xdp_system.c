/* SPDX-License-Identifier: BSD-3-Clause */
/* What the XDP loader asks of kernel and library. */
#include "xdp_system.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define SPARE_SHARE 16 /* of what is available, one such part is left to others */

uint64_t xdp_system_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void xdp_system_boot_id(char id[XDP_BOOT_ID_SIZE])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(id, 0, XDP_BOOT_ID_SIZE);
	if (file && fgets(id, XDP_BOOT_ID_SIZE, file))
		id[strcspn(id, "\n")] = '\0';
	if (file)
		fclose(file);
}

static bool has(const struct __user_cap_data_struct *data, unsigned int capability)
{
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

int xdp_system_check_rights(struct error *error)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	bool all;

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	all = has(data, CAP_SYS_ADMIN);
	if (has(data, CAP_NET_ADMIN) && (all || has(data, CAP_BPF)) && (all || has(data, CAP_PERFMON)))
		return 0;
	return error_set(error, EPERM,
		"not permitted: the XDP path needs CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON, so run shuntd as root "
		"or give "
		"them to its unit");
}

int xdp_system_check_memory(uint64_t bytes, struct error *error)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t available_kb = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &available_kb) == 1)
			break;
	if (file)
		fclose(file);
	available_kb -= available_kb / SPARE_SHARE;
	if (!available_kb || bytes >> 10 < available_kb)
		return 0;
	return error_set(error, ENOMEM,
		"no memory for the XDP maps: they need %" PRIu64 " MB and %" PRIu64
		" MB are available; lower flow_table.capacity",
		bytes >> 20, available_kb >> 10);
}

/*
 * The kernel waits for programs itself when a map in a map is exchanged. For kernels that have CPUs set apart
 * (nohz_full), where membarrier() does not.
 */
static int wait_by_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	static int outer = -1, inner = -1;
	uint32_t zero = 0;

	if (inner < 0)
		inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "shunt_wait", sizeof(zero), sizeof(zero), 1, NULL);
	if (inner < 0)
		return inner;
	options.inner_map_fd = (uint32_t)inner;
	if (outer < 0)
		outer = bpf_map_create(
			BPF_MAP_TYPE_ARRAY_OF_MAPS, "shunt_wait", sizeof(zero), sizeof(zero), 1, &options);
	return outer < 0 ? outer : bpf_map_update_elem(outer, &zero, &inner, 0);
}

int xdp_system_wait_for_programs(void)
{
	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return 0;
	return wait_by_map();
}

bool xdp_system_is_want(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EPERM;
}

static char said[256];
static char log_tail[256]; /* last line of the verifier's that is not its summary */

/* One line of the library's. A verifier's log comes as many lines in one message. */
static void note_line(const char *line, bool in_log)
{
	static const char *const noise[] = { "processed ", "-- BEGIN", "-- END", "verification time",
		"stack depth", "failed to load", "BPF object is", NULL };

	while (*line == ' ')
		line++;
	if (!*line)
		return;
	log_debug("libbpf: %s", line);
	for (const char *const *n = noise; *n; n++)
		if (strstr(line, *n))
			return;
	snprintf(in_log ? log_tail : said, sizeof(said), "%.*s", (int)sizeof(said) - 1, line);
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text = NULL, *rest, *line;
	bool in_log;

	if (level > LIBBPF_WARN)
		return 0;
	if (vasprintf(&text, format, args) < 0)
		return 0;
	in_log = strstr(text, "BEGIN PROG LOAD LOG");
	rest = text;
	while ((line = strsep(&rest, "\n")))
		note_line(strncmp(line, "libbpf: ", 8) ? line : line + 8, in_log);
	free(text);
	return 0;
}

void xdp_system_listen_to_libbpf(void)
{
	libbpf_set_print(on_libbpf);
}

const char *xdp_system_libbpf_said(void)
{
	return *log_tail ? log_tail : said;
}

void xdp_system_forget(void)
{
	*said = *log_tail = '\0';
}
