/* SPDX-License-Identifier: BSD-3-Clause */
/* What concerns several parts of the daemon: reload and warnings. */
#include "daemon.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "forwarder_dataplane.h"
#include "forwarder_xdp.h"
#include "log.h"

#define WATCH_S 10

uint64_t daemon_uptime_s(const struct daemon *daemon)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec - daemon->started_s;
}

/* With both forwarders in use it is the XDP program's while shunt-dataplane is away. */
const char *daemon_path(const struct daemon *daemon)
{
	const struct forwarder *xdp = publish_forwarder(daemon->publisher, FORWARDER_XDP);
	const struct forwarder *dataplane = publish_forwarder(daemon->publisher, FORWARDER_DATAPLANE);
	const struct xdp *loader = xdp ? forwarder_xdp_loader(xdp) : NULL;

	if (!xdp || (dataplane && forwarder_alive(dataplane)))
		return "dpdk";
	return !xdp_attached(loader) ? "xdp" : xdp_native(loader) ? "xdp-native" : "xdp-generic";
}

json_t *daemon_warnings(const struct daemon *daemon)
{
	json_t *warnings = json_array();

	if (daemon->publisher)
		publish_warnings(daemon->publisher, warnings);
	if (daemon->state && state_is_unsaved(daemon->state))
		json_array_append_new(warnings,
			json_string("the state file could not be written: changes made by command would be gone after a "
				    "restart"));
	if (daemon->ports)
		ports_warnings(daemon->ports, warnings);
	if (daemon->routes)
		route_warnings(daemon->routes, warnings);
	if (daemon->neighbours)
		neighbour_warnings(daemon->neighbours, warnings);
	if (daemon->claims)
		claims_warnings(daemon->claims, warnings);
	if (daemon->health)
		health_warnings(daemon->health, warnings);
	if (daemon->pressure)
		pressure_warnings(daemon->pressure, warnings);
	return warnings;
}

static bool is_among(const json_t *lines, const json_t *line)
{
	const json_t *other;
	size_t i;

	json_array_foreach(lines, i, other)
		if (json_equal(other, line))
			return true;
	return false;
}

static void on_watch(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;
	json_t *warnings = json_array(), *line;
	size_t i;

	(void)fd;
	(void)what;
	ports_warnings(daemon->ports, warnings);
	/* An interface that is away was logged when it went. */
	if (interface_index(ports_interface(daemon->ports, 0)))
		route_warnings(daemon->routes, warnings);
	json_array_foreach(warnings, i, line)
		if (!is_among(daemon->warned, line))
			log_warning("%s", json_string_value(line));
	json_decref(daemon->warned);
	daemon->warned = warnings;
}

int daemon_watch_open(struct daemon *daemon)
{
	struct timeval interval = { .tv_sec = WATCH_S };

	daemon->watch = event_new(daemon->base, -1, EV_PERSIST, on_watch, daemon);
	if (!daemon->watch || event_add(daemon->watch, &interval) < 0)
		return -ENOMEM;
	event_active(daemon->watch, EV_TIMEOUT, 0);
	return 0;
}

void daemon_watch_close(struct daemon *daemon)
{
	if (daemon->watch)
		event_free(daemon->watch);
	json_decref(daemon->warned);
	daemon->watch = NULL;
	daemon->warned = NULL;
}

static void tell_of_reload(const json_t *changes)
{
	const char *first = json_string_value(json_array_get(changes, 0));
	size_t n = json_array_size(changes);

	if (n > 1)
		event_tell(EVENT_RELOAD, NULL, NULL, "%s, and %zu more", first, n - 1);
	else
		event_tell(EVENT_RELOAD, NULL, NULL, "%s", n ? first : "nothing has changed");
}

int daemon_reload(struct daemon *daemon, bool dry_run, json_t **changes, struct error *error)
{
	struct config *config;
	json_t *settings, *objects;
	int claim = -1, result = config_load(daemon->config_path, &config, error);

	if (result)
		return result;
	/* First what may be another's. */
	if (!dry_run && daemon->path.dataplane && strcmp(config->dpdk_socket, daemon->config->dpdk_socket)) {
		result = forwarder_dataplane_claim(config->dpdk_socket, &claim, error);
		if (result) {
			config_free(config);
			return result;
		}
	}
	settings = config_diff(daemon->config, config);
	/* Rules of access lists: to the end of those that go, from the beginning of those that come. */
	counters_refresh(daemon->counters);
	objects = settings ? model_apply(daemon->model, config, dry_run) : NULL;
	counters_refresh(daemon->counters);
	if (!objects) {
		if (claim >= 0)
			close(claim);
		json_decref(settings);
		config_free(config);
		return error_set(error, ENOMEM, "no memory to read the configuration again");
	}
	json_array_extend(settings, objects);
	json_decref(objects);
	*changes = settings;
	if (dry_run) {
		config_free(config);
		return 0;
	}
	if (claim >= 0) {
		if (daemon->claim >= 0)
			close(daemon->claim);
		daemon->claim = claim;
	}
	state_set_config(daemon->state, config);
	publish_reconfigure(daemon->publisher, config);
	if (daemon->health)
		health_reconfigure(daemon->health, config);
	if (daemon->announcer)
		announce_reconfigure(daemon->announcer, config);
	if (daemon->pressure)
		pressure_set_capacity(daemon->pressure, config->flow_capacity);
	if (daemon->hook)
		hook_set(daemon->hook, config->control_hook);
	config_free(daemon->config);
	daemon->config = config;
	tell_of_reload(settings);
	return 0;
}
