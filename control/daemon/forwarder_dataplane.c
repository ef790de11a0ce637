/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarder shunt-dataplane: its greeting, its acknowledgements, its heartbeat, and what it shares. */
#include "forwarder_dataplane.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "dataplane_channel.h"
#include "dataplane_shared.h"
#include "events.h"
#include "log.h"

#define BEAT_LATE_NS 3000000000ULL
#define ACK_LATE_NS 30000000000ULL

struct dataplane {
	struct forwarder forwarder;
	struct dataplane_channel *channel;
	struct dataplane_channel_handler handler;
	struct event *watch; /* every second */
	struct channel_hello hello;
	struct dataplane_stats stats;
	struct dataplane_flow_table flows, elder;
	uint64_t sent_version; /* of what is on its way; 0: nothing is */
	uint64_t sent_ns;
	bool silent;    /* its heartbeat is late, which was logged */
	char down[256]; /* why there is no connection */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static bool is_alive(const struct forwarder *forwarder)
{
	uint64_t now = now_ns(), beat = *(const volatile __u64 *)&forwarder->stats->heartbeat_ns;

	return now < beat || now - beat < BEAT_LATE_NS;
}

static void on_hello(void *context, const struct channel_hello *hello, int fd)
{
	struct dataplane *d = context;
	const char *fault = dataplane_stats_open(&d->stats, fd);

	if (fault) {
		dataplane_channel_reset(d->channel, fault);
		return;
	}
	d->hello = *hello;
	d->silent = false;
	d->down[0] = '\0';
	d->forwarder.stats = d->stats.header;
	d->forwarder.segment = (struct forwarder_segment){ .started_ns = d->stats.header->started_ns,
		.pid = d->stats.header->pid };
	d->forwarder.snapshot_version = hello->snapshot_version;
	d->forwarder.up = true;
	event_tell(EVENT_FORWARDER_BACK, NULL, NULL, "connected to shunt-dataplane %s, pid %u, port %s", hello->version,
		hello->pid, hello->port[0].name);
	d->forwarder.owner.up(d->forwarder.owner.context, &d->forwarder);
}

static void on_flows(void *context, const struct channel_flows *message, int fd)
{
	struct dataplane *d = context;
	struct dataplane_flow_table *table = message->elder ? &d->elder : &d->flows;
	const char *fault = fd < 0 ? NULL : dataplane_flow_table_open(table, fd, message->size);

	if (fault)
		log_warning("shunt-dataplane: %s: flows can't be shown", fault);
	if (fault || fd < 0)
		dataplane_flow_table_close(table);
	d->forwarder.flows = (struct forwarder_flows){ .header = d->flows.header, .buckets = d->flows.buckets,
		.n_buckets = d->flows.n_buckets, .elder_buckets = d->elder.buckets,
		.n_elder_buckets = d->elder.n_buckets };
}

static void on_ack(void *context, const struct channel_ack *ack)
{
	struct dataplane *d = context;
	char why[sizeof(ack->reason) + 80];

	if (!d->sent_version || ack->version != d->sent_version) {
		dataplane_channel_reset(d->channel, "it acknowledged a snapshot that it was not sent");
		return;
	}
	d->sent_version = 0;
	snprintf(why, sizeof(why), "shunt-dataplane refuses snapshot %" PRIu64 ": %s", (uint64_t)ack->version,
		ack->reason);
	d->forwarder.owner.taken(d->forwarder.owner.context, &d->forwarder, ack->refused ? why : NULL);
}

static void on_down(void *context, const char *why)
{
	struct dataplane *d = context;

	if (strcmp(why, d->down))
		event_tell(EVENT_FORWARDER_LOST, NULL, NULL, "no shunt-dataplane: %s", why);
	snprintf(d->down, sizeof(d->down), "%s", why);
	d->sent_version = 0;
	if (!d->forwarder.up)
		return;
	d->forwarder.up = false;
	d->forwarder.owner.down(d->forwarder.owner.context, &d->forwarder);
	d->forwarder.stats = NULL;
	d->forwarder.flows = (struct forwarder_flows){ .header = NULL };
	dataplane_stats_close(&d->stats);
	dataplane_flow_table_close(&d->flows);
	dataplane_flow_table_close(&d->elder);
}

static void on_watch(evutil_socket_t fd, short what, void *context)
{
	struct dataplane *d = context;
	bool alive;

	if (!d->forwarder.up)
		return;
	alive = is_alive(&d->forwarder);
	if (!alive && !d->silent)
		event_tell(EVENT_FORWARDER_LOST, NULL, NULL,
			"shunt-dataplane, pid %u, is there but has stopped: no heartbeat for %d seconds", d->hello.pid,
			(int)(BEAT_LATE_NS / 1000000000));
	else if (alive && d->silent)
		event_tell(EVENT_FORWARDER_BACK, NULL, NULL, "shunt-dataplane, pid %u, goes on", d->hello.pid);
	d->silent = !alive;
	if (d->sent_version && alive && now_ns() - d->sent_ns > ACK_LATE_NS)
		dataplane_channel_reset(d->channel, "it does not answer to a snapshot");
}

static uint32_t ports(const struct forwarder *forwarder, struct mac *mac)
{
	const struct dataplane *d = (const struct dataplane *)forwarder;

	for (uint32_t i = 0; i < d->hello.n_ports; i++)
		mac[i] = d->hello.port[i].mac;
	return d->hello.n_ports;
}

static enum forwarder_answer send_snapshot(struct forwarder *forwarder, const struct snapshot_block *block,
	uint64_t version, struct error *error)
{
	struct dataplane *d = (struct dataplane *)forwarder;

	d->sent_version = version;
	d->sent_ns = now_ns();
	/* On error the channel goes down, which is an answer too. */
	(void)dataplane_channel_send(d->channel, version, block->size, block->fd);
	return FORWARDER_WILL_SAY;
}

static bool worker(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *out)
{
	const struct dataplane *d = (const struct dataplane *)forwarder;
	const struct stats_worker *from = d->stats.workers + index;

	if (index >= d->stats.n_workers)
		return false;
	*out = (struct forwarder_worker){ .core = from->core,
		.received = &from->received,
		.counter = from->counter,
		.polls = &from->polls,
		.busy_polls = &from->busy_polls,
		.vip = from->vip,
		.backend = from->backend,
		.handshakes = from->handshakes,
		.guard = from->guard,
		.rule = from->rule,
		.n_rules = SNAPSHOT_MAX_RULES,
		.n_ids = STATS_IDS };
	return true;
}

static void reconfigure(struct forwarder *forwarder, const struct config *config)
{
	struct dataplane *d = (struct dataplane *)forwarder;

	if (dataplane_channel_set_path(d->channel, config->dpdk_socket))
		log_error("out of memory: dpdk.socket stays as it was");
}

static const char *excuse(const struct forwarder *forwarder)
{
	const struct dataplane *d = (const struct dataplane *)forwarder;

	return !forwarder->up ? "there is no shunt-dataplane" : d->silent ? "shunt-dataplane has stopped" :
	       "shunt-dataplane has not answered yet";
}

static void warnings(const struct forwarder *forwarder, json_t *lines)
{
	const struct dataplane *d = (const struct dataplane *)forwarder;

	if (!forwarder->up)
		json_array_append_new(lines,
			json_sprintf("no shunt-dataplane: %s", *d->down ? d->down : "not connected yet"));
	else if (!is_alive(forwarder))
		json_array_append_new(lines,
			json_sprintf("shunt-dataplane, pid %u, is there but has stopped", d->hello.pid));
}

static void free_dataplane(struct forwarder *forwarder)
{
	struct dataplane *d = (struct dataplane *)forwarder;

	dataplane_channel_free(d->channel);
	if (d->watch)
		event_free(d->watch);
	dataplane_stats_close(&d->stats);
	dataplane_flow_table_close(&d->flows);
	dataplane_flow_table_close(&d->elder);
	free(d);
}

int forwarder_dataplane_claim(const char *socket_path, int *claim, struct error *error)
{
	char path[160];
	int fd, err;

	*claim = -1;
	snprintf(path, sizeof(path), "%s.shuntd", socket_path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		err = errno;
		return error_set(error, err, "dpdk.socket: cannot open %s: %s", path, strerror(err));
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return error_set(error, EBUSY, "dpdk.socket: another shuntd works with the shunt-dataplane on %s", socket_path);
	}
	*claim = fd;
	return 0;
}

struct forwarder *forwarder_dataplane_new(struct event_base *base, const struct config *config,
	const struct forwarder_owner *owner)
{
	static const struct forwarder_operations operations = { .free = free_dataplane, .reconfigure = reconfigure,
		.ports = ports, .send = send_snapshot, .worker = worker, .alive = is_alive, .excuse = excuse,
		.warnings = warnings };
	static const struct timeval second = { 1, 0 };
	struct dataplane *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->forwarder = (struct forwarder){ .does = &operations, .owner = *owner, .kind = FORWARDER_DATAPLANE,
		.carries_checks = true };
	d->handler = (struct dataplane_channel_handler){ .context = d, .hello = on_hello, .flows = on_flows,
		.ack = on_ack, .down = on_down };
	d->watch = event_new(base, -1, EV_PERSIST, on_watch, d);
	d->channel = dataplane_channel_new(base, config->dpdk_socket, &d->handler);
	if (!d->watch || !d->channel || event_add(d->watch, &second)) {
		free_dataplane(&d->forwarder);
		return NULL;
	}
	return &d->forwarder;
}

const struct channel_hello *forwarder_dataplane_hello(const struct forwarder *forwarder)
{
	return forwarder->up ? &((const struct dataplane *)forwarder)->hello : NULL;
}
