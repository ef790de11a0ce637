/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the group dpdk, and xdp.pin, with libconfig. One table says which settings there are, of what type, and
 * which function takes each; a function that refuses a value says what would be right.
 */
#include "settings.h"

#include <libconfig.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define MBUFS_MIN 1024
#define MBUFS_MAX (64 << 20)
#define MBUF_SIZE_MIN 256 /* headroom of 128, and an untagged header up to TCP's */
#define MBUF_SIZE_MAX 16384
#define MBUF_SIZE_DEFAULT (2048 + 128)
#define MTU_MIN 1280 /* RFC 8200, section 5 */
#define MTU_MAX UINT16_MAX
#define AFXDP_PREFIX "af_xdp:"

/* What refused a value has to say. */
struct why {
	char text[256];
};

__attribute__((format(printf, 2, 3))) static int refuse(struct why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return -1;
}

static int take_text(char *to, size_t size, const char *value, struct why *why)
{
	if (strlen(value) >= size)
		return refuse(why, "longer than %zu characters", size - 1);
	strcpy(to, value);
	return 0;
}

/* "af_xdp:eth0" or "af_xdp:eth0,copy": sockets on an interface that stays with the kernel. */
static int take_afxdp(struct settings *s, const char *value, struct why *why)
{
	size_t len = strcspn(value, ",");

	if (!len || len >= sizeof(s->afxdp) || (value[len] && strcmp(value + len, ",copy")))
		return refuse(why, "\"%s%s\": has to be \"%sINTERFACE\" or \"%sINTERFACE,copy\"", AFXDP_PREFIX,
			value, AFXDP_PREFIX, AFXDP_PREFIX);
	snprintf(s->afxdp, sizeof(s->afxdp), "%.*s", (int)len, value);
	s->afxdp_copy = value[len] == ',';
	return 0;
}

static int take_port(struct settings *s, const config_setting_t *c, struct why *why)
{
	const char *value = config_setting_get_string(c);

	if (!*value)
		return refuse(why, "empty: a PCI address or a virtual device such as \"net_tap0,iface=wire0\"");
	if (!strncmp(value, AFXDP_PREFIX, strlen(AFXDP_PREFIX)) &&
		take_afxdp(s, value + strlen(AFXDP_PREFIX), why))
		return -1;
	return take_text(s->port, sizeof(s->port), value, why);
}

/* By trying: the affinity of the process says nothing of isolated CPUs, nor sysfs of control groups. */
static bool is_usable(unsigned long cpu)
{
	cpu_set_t before, one;
	bool usable;

	if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(before), &before))
		return false;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	usable = !sched_setaffinity(0, sizeof(one), &one);
	sched_setaffinity(0, sizeof(before), &before);
	return usable;
}

static int add_cpu(struct settings *s, unsigned long cpu, struct why *why)
{
	for (unsigned int i = 0; i < s->n_cpus; i++)
		if (s->cpu[i] == cpu)
			return refuse(why, "CPU %lu is listed twice", cpu);
	if (s->n_cpus == STATS_MAX_WORKERS)
		return refuse(why, "more than %d CPUs", STATS_MAX_WORKERS);
	if (!is_usable(cpu))
		return refuse(why, "CPU %lu is not on this machine, or not for this process to use", cpu);
	s->cpu[s->n_cpus++] = (uint16_t)cpu;
	return 0;
}

static int take_cores(struct settings *s, const config_setting_t *c, struct why *why)
{
	const char *value = config_setting_get_string(c), *p = value;

	s->n_cpus = 0;
	do {
		unsigned long first, last;
		char *end;

		if (*p < '0' || *p > '9')
			goto malformed;
		first = last = strtoul(p, &end, 10);
		if (*end == '-') {
			p = end + 1;
			if (*p < '0' || *p > '9')
				goto malformed;
			last = strtoul(p, &end, 10);
		}
		if (last < first || (*end && *end != ','))
			goto malformed;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			if (add_cpu(s, cpu, why))
				return -1;
		p = *end ? end + 1 : end;
		if (*end && !*p)
			goto malformed;
	} while (*p);
	return 0;

malformed:
	return refuse(why, "\"%s\" is no list of CPUs: like \"2-3\" or \"2,4\"", value);
}

static int take_kernel_interface(struct settings *s, const config_setting_t *c, struct why *why)
{
	const char *value = config_setting_get_string(c);

	if (strpbrk(value, "/%: \t\n") || !strcmp(value, ".") || !strcmp(value, ".."))
		return refuse(why, "\"%s\" can't be the name of an interface", value);
	return take_text(s->kernel_interface, sizeof(s->kernel_interface), value, why);
}

static int take_eal_args(struct settings *s, const config_setting_t *c, struct why *why)
{
	int n = config_setting_length(c);

	if (n > SETTINGS_MAX_EAL_ARGS)
		return refuse(why, "more than %d arguments", SETTINGS_MAX_EAL_ARGS);
	s->n_eal_args = 0;
	for (int i = 0; i < n; i++) {
		const char *arg = config_setting_get_string_elem(c, i);

		if (!arg)
			return refuse(why, "argument %d is not a string", i + 1);
		if (take_text(s->eal_args[i], sizeof(s->eal_args[i]), arg, why))
			return -1;
		s->n_eal_args++;
	}
	return 0;
}

static int take_path(char *to, size_t size, const config_setting_t *c, struct why *why)
{
	const char *value = config_setting_get_string(c);

	if (*value != '/')
		return refuse(why, "\"%s\" is no absolute path", value);
	return take_text(to, size, value, why);
}

static int take_socket(struct settings *s, const config_setting_t *c, struct why *why)
{
	return take_path(s->socket, sizeof(s->socket), c, why);
}

static int take_run_dir(struct settings *s, const config_setting_t *c, struct why *why)
{
	return take_path(s->run_dir, sizeof(s->run_dir), c, why);
}

static int take_idle(struct settings *s, const config_setting_t *c, struct why *why)
{
	const char *value = config_setting_get_string(c);

	s->idle_sleep = !strcmp(value, "sleep");
	if (!s->idle_sleep && strcmp(value, "poll"))
		return refuse(why, "\"%s\" is neither \"poll\" nor \"sleep\"", value);
	return 0;
}

static int take_number(unsigned int *to, const config_setting_t *c, long long min, long long max, struct why *why)
{
	long long value = config_setting_get_int64(c);

	if (value < min || value > max)
		return refuse(why, "%lld is not from %lld to %lld", value, min, max);
	*to = (unsigned int)value;
	return 0;
}

static int take_mbufs(struct settings *s, const config_setting_t *c, struct why *why)
{
	return take_number(&s->mbufs, c, MBUFS_MIN, MBUFS_MAX, why);
}

static int take_mbuf_size(struct settings *s, const config_setting_t *c, struct why *why)
{
	return take_number(&s->mbuf_size, c, MBUF_SIZE_MIN, MBUF_SIZE_MAX, why);
}

static int take_mtu(struct settings *s, const config_setting_t *c, struct why *why)
{
	return take_number(&s->mtu, c, MTU_MIN, MTU_MAX, why);
}

enum kind { TEXT, NUMBER, TEXTS };

static const char *const kind_name[] = { "a string", "a whole number", "a list of strings, in [ ]" };

static const struct rule {
	const char *name;
	enum kind kind;
	bool required;
	int (*take)(struct settings *s, const config_setting_t *c, struct why *why);
} rules[] = {
	{ "port", TEXT, true, take_port },
	{ "cores", TEXT, true, take_cores },
	{ "kernel_interface", TEXT, false, take_kernel_interface },
	{ "eal_args", TEXTS, false, take_eal_args },
	{ "socket", TEXT, false, take_socket },
	{ "run_dir", TEXT, false, take_run_dir },
	{ "idle", TEXT, false, take_idle },
	{ "mbufs", NUMBER, false, take_mbufs },
	{ "mbuf_size", NUMBER, false, take_mbuf_size },
	{ "mtu", NUMBER, false, take_mtu },
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static bool is_kind(const config_setting_t *c, enum kind kind)
{
	switch (config_setting_type(c)) {
	case CONFIG_TYPE_STRING:
		return kind == TEXT;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return kind == NUMBER;
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		return kind == TEXTS;
	default:
		return false;
	}
}

static const char *source(const config_setting_t *c, const char *file)
{
	const char *of = config_setting_source_file(c);

	return of ? of : file;
}

static int take_setting(struct settings *s, const config_setting_t *c, const char *file)
{
	const char *name = config_setting_name(c);
	struct why why = { "unknown setting" };
	const struct rule *rule = NULL;

	for (unsigned int i = 0; i < N_RULES; i++)
		if (!strcmp(rules[i].name, name))
			rule = &rules[i];
	if (rule && is_kind(c, rule->kind)) {
		if (!rule->take(s, c, &why))
			return 0;
	} else if (rule) {
		refuse(&why, "has to be %s", kind_name[rule->kind]);
	}
	log_error("%s:%u: dpdk.%s: %s", source(c, file), config_setting_source_line(c), name, why.text);
	return -1;
}

static int take_group(struct settings *s, const config_setting_t *group, const char *file)
{
	int n = config_setting_length(group);

	for (int i = 0; i < n; i++)
		if (take_setting(s, config_setting_get_elem(group, (unsigned int)i), file))
			return -1;
	for (unsigned int i = 0; i < N_RULES; i++) {
		if (!rules[i].required || config_setting_get_member(group, rules[i].name))
			continue;
		log_error("%s:%u: dpdk.%s: missing", source(group, file), config_setting_source_line(group),
			rules[i].name);
		return -1;
	}
	return 0;
}

/* On an AF_XDP port what is for no VIP never leaves the kernel: there is no interface to hand it to. */
static int check_afxdp(struct settings *s, const config_t *config, const char *file)
{
	const config_setting_t *kernel = config_lookup(config, "dpdk.kernel_interface");
	const char *pin;

	if (!kernel)
		s->kernel_interface[0] = 0;
	if (*s->kernel_interface) {
		log_error("%s:%u: dpdk.kernel_interface: has to be \"\" or absent where dpdk.port is an AF_XDP "
			  "port: "
			  "%s stays the kernel's",
			source(kernel, file), config_setting_source_line(kernel), s->afxdp);
		return -1;
	}
	/* shuntd says what is wrong with it, if anything. */
	if (config_lookup_string(config, "xdp.pin", &pin))
		snprintf(s->xdp_pin, sizeof(s->xdp_pin), "%s", pin);
	return 0;
}

/*
 * Enough for full descriptor rings, the workers' caches and what may wait for the kernel: in the workers'
 * rings to it and, once, in virtio-user's queue and in the hands of the kernel path's thread.
 */
static unsigned int default_mbufs(unsigned int workers)
{
	unsigned int need = workers * 3072 + 1536, n = 1;

	while (n < need)
		n *= 2;
	return n - 1;
}

int settings_read(struct settings *s, const char *file)
{
	const config_setting_t *group;
	config_t config;
	int result = -1;

	*s = (struct settings){
		.kernel_interface = "shunt0",
		.socket = "/run/shunt/dataplane.sock",
		.run_dir = "/run/shunt",
		.xdp_pin = "/sys/fs/bpf/shunt",
		.mbuf_size = MBUF_SIZE_DEFAULT,
	};
	config_init(&config);
	if (!config_read_file(&config, file)) {
		if (config_error_type(&config) == CONFIG_ERR_FILE_IO)
			log_error("%s: %m", file);
		else
			log_error("%s:%d: %s", config_error_file(&config) ? config_error_file(&config) : file,
				config_error_line(&config), config_error_text(&config));
		goto out;
	}
	group = config_lookup(&config, "dpdk");
	if (!group) {
		log_error("%s: no group dpdk: shunt-dataplane needs at least dpdk.port and dpdk.cores", file);
		goto out;
	}
	if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
		log_error("%s:%u: dpdk: has to be a group, in { }", source(group, file),
			config_setting_source_line(group));
		goto out;
	}
	if (take_group(s, group, file) || (*s->afxdp && check_afxdp(s, &config, file)))
		goto out;
	if (!s->mbufs)
		s->mbufs = default_mbufs(s->n_cpus);
	result = 0;
out:
	config_destroy(&config);
	return result;
}

bool settings_eal_arg(const struct settings *s, const char *arg)
{
	size_t len = strlen(arg);

	for (unsigned int i = 0; i < s->n_eal_args; i++)
		if (!strncmp(s->eal_args[i], arg, len) && (!s->eal_args[i][len] || s->eal_args[i][len] == '='))
			return true;
	return false;
}
