/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon of the parts that serve operators, without network and without forwarder. */
#include "rpc_daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forwarder_dataplane.h"
#include "log.h"

#define TURNS 64

static const char config_text[] =
	"dpdk: { port = \"net_null0\"; cores = \"1\"; kernel_interface = \"shunt0\"; socket = \"%s/dataplane.sock\"; };\n"
	"control: { socket = \"%s/shuntd.sock\"; http = \"\"; state = \"%s\"; };\n"
	"pools = ( { name = \"web\"; backends = ( { address = \"10.0.0.11\"; }, { address = \"10.0.0.12\"; } ); },\n"
	"          { name = \"dns\"; check: { type = \"none\"; }; backends = ( { address = \"2001:db8:a::11\"; } ); } );\n"
	"vips = ( { address = \"192.0.2.80\"; protocol = \"tcp\"; port = 80; pool = \"web\"; },\n"
	"         { address = \"2001:db8::53\"; protocol = \"udp\"; port = 53; pool = \"dns\"; } );\n";

static void must(bool well, const char *what)
{
	if (well)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Returns the path of a configuration file in a new directory; kept in static memory. */
static const char *make_config(void)
{
	static char path[120];
	char directory[] = "/tmp/shunt-rpc-XXXXXX";
	FILE *file;

	must(mkdtemp(directory) != NULL, "no temporary directory");
	snprintf(path, sizeof(path), "%s/shunt.conf", directory);
	file = fopen(path, "we");
	must(file && fprintf(file, config_text, directory, directory, directory) > 0 && fclose(file) == 0,
		"the configuration can't be written");
	return path;
}

struct daemon *rpc_daemon_new(void)
{
	struct forwarder_owner owner;
	struct forwarder *dataplane;
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	struct error error = { "" };
	json_t *notes = NULL;

	must(daemon != NULL, "no memory");
	log_level(-1);
	daemon->config_path = make_config();
	must(config_load(daemon->config_path, &daemon->config, &error) == 0, error.text);
	daemon->base = event_base_new();
	daemon->model = model_new();
	must(daemon->base && daemon->model, "no memory");
	must(state_open(daemon->config->control_state, daemon->model, &daemon->state, &error) == 0, error.text);
	must(state_start(daemon->state, daemon->config, &notes, &error) == 0, error.text);
	json_decref(notes);
	daemon->publisher = publish_new(daemon->base, daemon->model, daemon->state, daemon->config);
	must(daemon->publisher != NULL, "no memory");
	owner = publish_owner(daemon->publisher);
	dataplane = forwarder_dataplane_new(daemon->base, daemon->config, &owner);
	must(dataplane != NULL, "no memory");
	publish_add(daemon->publisher, dataplane);
	daemon->counters = counters_open(daemon->base, daemon->model, daemon->publisher, daemon->config->control_state);
	must(daemon->counters != NULL, "no memory");
	return daemon;
}

void rpc_daemon_reset(struct daemon *daemon)
{
	struct error error;

	json_decref(model_apply(daemon->model, daemon->config, false));
	for (struct pool *p = model_pools(daemon->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			if (!b->removed)
				model_enable(daemon->model, p->name, b->address, &error);
}

static void remove_file(const char *directory, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

void rpc_daemon_free(struct daemon *daemon)
{
	static const char *const files[] = { "shunt.conf", "state.json", "state.json.new", "traffic.json", "hash_key",
		"lock" };
	char directory[100];

	snprintf(directory, sizeof(directory), "%s", daemon->config->control_state);
	counters_close(daemon->counters);
	publish_free(daemon->publisher);
	state_close(daemon->state);
	model_free(daemon->model);
	config_free(daemon->config);
	event_base_free(daemon->base);
	free(daemon);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		remove_file(directory, files[i]);
	if (rmdir(directory) < 0)
		perror(directory);
}

void rpc_daemon_turn(struct daemon *daemon)
{
	for (int i = 0; i < TURNS; i++)
		event_base_loop(daemon->base, EVLOOP_NONBLOCK);
}
