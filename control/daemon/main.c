/* SPDX-License-Identifier: BSD-3-Clause */
/* shuntd: the control daemon. Arguments, signals, and the parts brought up in order and down in reverse. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "events.h"
#include "forwarder_dataplane.h"
#include "forwarder_xdp.h"
#include "http.h"
#include "log.h"
#include "notify.h"
#include "passive.h"
#include "rpc.h"

#define CONFIG_PATH "/etc/shunt/shunt.conf"
#define DESCRIPTORS 65536 /* wanted: one for each check under way and each client */

enum exit_status { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct program {
	struct daemon daemon;
	struct rpc_server *rpc;
	struct http_server *http;
	struct passive *passive;
	struct event *stop[2];
	struct event *reload;
	struct event *watchdog;
	bool detach;           /* only take the XDP program off, */
	const char *interface; /* this one's; NULL: that of the configuration */
};

static void print_help(void)
{
	printf("Usage: shuntd [-c FILE] [--detach[=INTERFACE]]\n"
	       "The control daemon of shunt: configuration, health checks, neighbours, and the operators' socket.\n\n"
	       "  -c, --config FILE  configuration (default " CONFIG_PATH ")\n"
	       "  -v, --verbose      log more\n"
	       "      --detach[=INTERFACE]\n"
	       "                     take the XDP program off the configured interface, or this one, and leave; for when\n"
	       "                     no shuntd runs: one that does is asked with \"shuntctl detach\"\n"
	       "  -h, --help         print this and leave\n"
	       "  -V, --version      print the version and leave\n\n"
	       "SIGHUP reads the configuration again, SIGTERM and SIGINT stop. See shuntd(8).\n");
}

/* 0 to go on; else the process is done, with *status. */
static int read_arguments(int argc, char **argv, struct program *program, enum exit_status *status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "detach", optional_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	program->daemon.config_path = CONFIG_PATH;
	*status = EXIT_DONE;
	while ((option = getopt_long(argc, argv, "c:vhV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			program->daemon.config_path = optarg;
			break;
		case 'd':
			program->detach = true;
			program->interface = optarg;
			break;
		case 'v':
			log_level(LOG_DEBUG);
			break;
		case 'h':
			print_help();
			return -1;
		case 'V':
			printf("shuntd %s\n", SHUNT_VERSION);
			return -1;
		default: /* getopt_long() has said what is wrong */
			*status = EXIT_USAGE;
			return -1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "shuntd: unexpected argument \"%s\"; shuntd --help says more\n", argv[optind]);
		*status = EXIT_USAGE;
		return -1;
	}
	return 0;
}

static void on_stop(evutil_socket_t signal_number, short what, void *context)
{
	struct program *program = context;

	(void)what;
	log_info("stopping on %s", signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
	event_base_loopbreak(program->daemon.base);
}

static void log_lines(json_t *lines, const char *before)
{
	json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
		log_notice("%s%s", before, json_string_value(line));
}

static void on_reload(evutil_socket_t signal_number, short what, void *context)
{
	struct program *program = context;
	struct error error;
	json_t *changes;

	(void)signal_number;
	(void)what;
	notify_reloading();
	if (daemon_reload(&program->daemon, false, &changes, &error) == 0) {
		if (json_array_size(changes) > 1)
			log_lines(changes, "reload: ");
		json_decref(changes);
	} else {
		log_error("reload: %s: the running set stays as it is", error.text);
	}
	notify_ready();
}

static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	notify_watchdog();
}

static int add_signals(struct program *program)
{
	struct event_base *base = program->daemon.base;
	uint32_t watchdog_ms = notify_watchdog_interval_ms();
	struct timeval interval = { .tv_sec = watchdog_ms / 1000, .tv_usec = watchdog_ms % 1000 * 1000 };

	program->stop[0] = evsignal_new(base, SIGTERM, on_stop, program);
	program->stop[1] = evsignal_new(base, SIGINT, on_stop, program);
	program->reload = evsignal_new(base, SIGHUP, on_reload, program);
	program->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, program);
	if (!program->stop[0] || !program->stop[1] || !program->reload || !program->watchdog)
		return -ENOMEM;
	if (event_add(program->stop[0], NULL) < 0 || event_add(program->stop[1], NULL) < 0 ||
		event_add(program->reload, NULL) < 0 || (watchdog_ms && event_add(program->watchdog, &interval) < 0))
		return -ENOMEM;
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* Checks and clients are limited by memory and not by the shell's idea of how many files one opens. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Only to keep many checks and questions out of step: nothing secret hangs on it. */
static void seed_random(void)
{
	unsigned int seed = (unsigned int)time(NULL);

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed ^= (unsigned int)clock();
	srandom(seed);
}

static void log_of_libevent(int severity, const char *text)
{
	log_write(severity >= EVENT_LOG_WARN ? LOG_WARNING : LOG_DEBUG, "libevent: %s", text);
}

/* Rules, routes, socket marks and neighbours: without this right no backend would ever be up. */
static int check_rights(struct error *error)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0 || data[0].effective & 1u << CAP_NET_ADMIN)
		return 0;
	return error_set(error, EPERM, "not permitted: shuntd needs CAP_NET_ADMIN, so run it as root");
}

/* What others must not lose by our start: configuration right, socket and state directory free. */
static int open_model(struct daemon *daemon, struct error *error)
{
	const struct config *config;
	json_t *notes = NULL;
	int result = config_load(daemon->config_path, &daemon->config, error);

	if (result)
		return result;
	config = daemon->config;
	result = check_rights(error);
	if (result)
		return result;
	result = rpc_check_path(config->control_socket, error);
	if (result)
		return result;
	daemon->model = model_new();
	if (!daemon->model)
		return error_set(error, ENOMEM, "no memory");
	result = state_open(config->control_state, daemon->model, &daemon->state, error);
	if (!result && config->path != PATH_XDP && config->dpdk_port)
		result = forwarder_dataplane_claim(config->dpdk_socket, &daemon->claim, error);
	if (!result)
		result = state_start(daemon->state, config, &notes, error);
	log_lines(notes, "");
	json_decref(notes);
	return result;
}

static int open_forwarders(struct daemon *daemon, struct error *error)
{
	struct forwarder_owner owner = publish_owner(daemon->publisher);
	struct forwarder *forwarder;
	int result;

	if (daemon->path.xdp) {
		result = forwarder_xdp_new(daemon->base, daemon->config, daemon->ports, daemon->path.dataplane, &owner,
			&forwarder, error);
		if (result)
			return result;
		publish_add(daemon->publisher, forwarder);
	}
	if (daemon->path.dataplane) {
		forwarder = forwarder_dataplane_new(daemon->base, daemon->config, &owner);
		if (!forwarder)
			return error_set(error, ENOMEM, "no memory");
		publish_add(daemon->publisher, forwarder);
	}
	xdp_warn_of_others(daemon->config->xdp_pin, daemon->path.xdp ? daemon->config->interface : NULL);
	return 0;
}

static int open_world(struct daemon *daemon, struct error *error)
{
	const struct config *config = daemon->config;
	/* shunt-dataplane has one port, also where its sockets are above the XDP program. */
	bool several = daemon->path.xdp && !daemon->path.dataplane;
	int result;

	daemon->netlink = netlink_open(daemon->base);
	if (daemon->netlink)
		daemon->ports = ports_open(daemon->base, daemon->netlink, path_interface(&daemon->path, config),
			several);
	if (daemon->ports)
		daemon->routes = route_open(daemon->netlink, daemon->ports, daemon->model);
	if (daemon->routes)
		daemon->neighbours = neighbour_open(daemon->base, daemon->netlink, daemon->ports, daemon->model);
	if (daemon->neighbours)
		daemon->publisher = publish_new(daemon->base, daemon->model, daemon->state, config);
	result = daemon->publisher ? open_forwarders(daemon, error) : 0;
	if (result)
		return result;
	if (daemon->publisher)
		daemon->health = health_open(daemon->base, daemon->model, daemon->routes, daemon->neighbours,
			daemon->publisher, config);
	if (daemon->health)
		daemon->counters = counters_open(daemon->base, daemon->model, daemon->publisher, config->control_state);
	if (daemon->counters)
		daemon->announcer = announce_open(daemon->base, daemon->ports, daemon->publisher, config);
	if (daemon->announcer)
		daemon->claims = claims_open(daemon->base, daemon->ports, daemon->announcer, daemon->counters);
	if (daemon->claims)
		daemon->pressure =
			pressure_open(daemon->base, daemon->model, daemon->counters, config->flow_capacity);
	if (daemon->pressure)
		daemon->drains = drains_open(daemon->base, daemon->model, daemon->counters);
	if (daemon->drains)
		daemon->slow_start = slow_start_open(daemon->base, daemon->model);
	if (!daemon->slow_start || state_keep(daemon->state, daemon->base) < 0)
		return error_set(error, ENOMEM, "no memory");
	return 0;
}

/* Three priorities, most events having the middle one; after 5 ms of the lower ones the loop looks for others. */
static struct event_base *new_base(void)
{
	struct timeval interval = { .tv_usec = 5000 };
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_max_dispatch_interval(config, &interval, INT_MAX, 1) == 0)
		base = event_base_new_with_config(config);
	if (base && event_base_priority_init(base, 3) < 0) {
		event_base_free(base);
		base = NULL;
	}
	if (config)
		event_config_free(config);
	return base;
}

static int open_all(struct program *program, struct error *error)
{
	struct daemon *daemon = &program->daemon;
	const struct config *config;
	int result;

	/* Events first: the running set may have something to tell already. */
	daemon->base = new_base();
	if (!daemon->base || events_open(daemon->base) < 0)
		return error_set(error, ENOMEM, "no memory");
	result = open_model(daemon, error);
	if (result)
		return result;
	config = daemon->config;
	/* Signals end the process as they do by default while it waits for shunt-dataplane. */
	path_choose(config, PATH_WAIT_MS, &daemon->path);
	if (add_signals(program) < 0)
		return error_set(error, ENOMEM, "no memory");
	/* First what may be another's: the world is not to be touched by one that then can't start. */
	result = rpc_open(daemon, config->control_socket, config->control_group, &program->rpc, error);
	if (!result && config->control_http[0])
		result = http_open(daemon, config->control_http, &program->http, error);
	if (!result) {
		daemon->hook = hook_open(daemon->base, config->control_hook, HOOK_LIMIT_MS);
		result = daemon->hook ? open_world(daemon, error) : error_set(error, ENOMEM, "no memory");
	}
	if (result)
		return result;
	program->passive = passive_open(daemon->base, daemon->model, daemon->publisher, daemon->health);
	if (!program->passive)
		return error_set(error, ENOMEM, "no memory");
	ports_start(daemon->ports);
	return daemon_watch_open(daemon) < 0 ? error_set(error, ENOMEM, "no memory") : 0;
}

static void close_all(struct program *program)
{
	struct daemon *daemon = &program->daemon;

	http_close(program->http);
	rpc_close(program->rpc);
	daemon_watch_close(daemon);
	slow_start_close(daemon->slow_start);
	drains_close(daemon->drains);
	passive_close(program->passive);
	pressure_close(daemon->pressure);
	claims_close(daemon->claims);
	announce_close(daemon->announcer);
	counters_close(daemon->counters);
	health_close(daemon->health);
	if (daemon->publisher)
		publish_free(daemon->publisher);
	neighbour_close(daemon->neighbours);
	route_close(daemon->routes);
	ports_close(daemon->ports);
	netlink_close(daemon->netlink);
	free_event(program->watchdog);
	free_event(program->reload);
	free_event(program->stop[1]);
	free_event(program->stop[0]);
	if (daemon->state) {
		state_keep(daemon->state, NULL);
		state_close(daemon->state);
	}
	if (daemon->claim >= 0)
		close(daemon->claim);
	if (daemon->model)
		model_free(daemon->model);
	hook_close(daemon->hook);
	events_close();
	if (daemon->base)
		event_base_free(daemon->base);
	if (daemon->config)
		config_free(daemon->config);
}

static void run(struct program *program)
{
	struct daemon *daemon = &program->daemon;
	struct model_counts counts = model_count(daemon->model);
	struct error error;

	log_info("version %s: %u VIPs, %u pools, %u backends; listening on %s", SHUNT_VERSION, counts.vips, counts.pools,
		counts.backends, daemon->config->control_socket);
	notify_ready();
	notify_status("%u VIPs, %u pools, %u backends", counts.vips, counts.pools, counts.backends);
	event_base_dispatch(daemon->base);
	notify_stopping();
	/* Totals up to the last moment. */
	counters_refresh(daemon->counters);
	if (state_save(daemon->state, &error) < 0)
		log_error("%s", error.text);
}

/* "--detach": what is left of a shuntd that is gone. */
static enum exit_status detach(const struct program *program)
{
	struct config *config = NULL;
	struct xdp_options options;
	struct error error;
	bool found = false;
	int result = config_load(program->daemon.config_path, &config, &error);

	if (!result) {
		options = (struct xdp_options){ .pin_dir = config->xdp_pin,
			.interface = program->interface ? program->interface : config->interface };
		if (options.interface)
			result = xdp_detach(&options, &found, &error);
		else
			result = error_set(&error, EINVAL, "no interface is configured: --detach=INTERFACE names one");
	}
	if (result)
		log_error("%s", error.text);
	else
		log_info("%s interface %s", found ? "XDP program taken off" : "no XDP program of shunt's is on",
			options.interface);
	if (config)
		config_free(config);
	return result ? EXIT_REFUSED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct program program = { .daemon.claim = -1 };
	enum exit_status status;
	struct timespec now;
	struct error error;

	log_init("shuntd");
	if (read_arguments(argc, argv, &program, &status) < 0)
		return status;
	if (program.detach)
		return detach(&program);
	clock_gettime(CLOCK_MONOTONIC, &now);
	program.daemon.started_s = (uint64_t)now.tv_sec;
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	seed_random();
	notify_init();
	event_set_log_callback(log_of_libevent);
	if (open_all(&program, &error) == 0) {
		run(&program);
	} else {
		log_error("%s", error.text);
		status = EXIT_REFUSED;
	}
	close_all(&program);
	return status;
}
