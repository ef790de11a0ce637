/* SPDX-License-Identifier: BSD-3-Clause */
/* What concerns several parts of the daemon: reload and warnings. */
#include "daemon.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "log.h"

uint64_t daemon_uptime_s(const struct daemon *daemon)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec - daemon->started_s;
}

json_t *daemon_warnings(const struct daemon *daemon)
{
	json_t *warnings = json_array();
	const char *line = daemon->publisher ? publish_warning(daemon->publisher) : NULL;

	if (line)
		json_array_append_new(warnings, json_string(line));
	if (daemon->state && state_is_unsaved(daemon->state))
		json_array_append_new(warnings,
			json_string("the state file could not be written: changes made by command would be gone after a "
				    "restart"));
	if (daemon->routes)
		route_warnings(daemon->routes, warnings);
	if (daemon->neighbours)
		neighbour_warnings(daemon->neighbours, warnings);
	if (daemon->health)
		health_warnings(daemon->health, warnings);
	return warnings;
}

int daemon_reload(struct daemon *daemon, bool dry_run, json_t **changes, struct error *error)
{
	struct config *config;
	json_t *settings, *objects;
	int result = config_load(daemon->config_path, &config, error);

	if (result)
		return result;
	settings = config_diff(daemon->config, config);
	objects = settings ? model_apply(daemon->model, config, dry_run) : NULL;
	if (!objects) {
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
	state_set_config(daemon->state, config);
	publish_reconfigure(daemon->publisher, config);
	config_free(daemon->config);
	daemon->config = config;
	return 0;
}
