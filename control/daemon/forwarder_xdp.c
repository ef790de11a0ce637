/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarder XDP: puts the loader (xdp.h) on the event loop and shows it as a forwarder. It is up while the
 * interface is there; whether the program could be attached is the snapshot's fate.
 */
#include "forwarder_xdp.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US 100000
#define HELD_US 1000 /* between two looks at fragments that wait */

struct xdp_forwarder {
	struct forwarder forwarder;
	struct xdp *xdp;
	struct ports *ports;
	struct ports_listener links;
	struct event *tick;
	struct event *held;	  /* there are new ones */
	struct event *held_again; /* the next look */
	char interface[IFNAMSIZ];
	char excuse[64];
	bool attached; /* as it was seen last */
};

/*
 * However many fragments come, they are looked at no more often than this timer says: at once only after a time in
 * which there was nothing to do.
 */
static void on_held(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval soon = { .tv_usec = HELD_US };
	struct xdp_forwarder *x = context;
	bool more = xdp_held_run(x->xdp);

	(void)fd;
	if (more || !(what & EV_TIMEOUT))
		event_add(x->held_again, &soon);
	else
		event_add(x->held, NULL);
}

/* What the loader shows may lie elsewhere after each of its calls. */
static void look(struct xdp_forwarder *x)
{
	struct forwarder *f = &x->forwarder;

	f->stats = f->up ? xdp_stats(x->xdp) : NULL;
	f->flows = (struct forwarder_flows){ .header = NULL };
	if (f->up) {
		f->flows.header = xdp_flows(x->xdp, &f->flows.buckets, &f->flows.n_buckets);
		f->flows.elder_buckets = xdp_elder_flows(x->xdp, &f->flows.n_elder_buckets);
	}
	f->snapshot_version = xdp_version(x->xdp);
}

static bool has_other_segment(struct xdp_forwarder *x)
{
	uint64_t started_ns = xdp_stats(x->xdp)->started_ns;

	if (x->forwarder.segment.started_ns == started_ns)
		return false;
	/* Not by process: the counters outlive shuntd. */
	x->forwarder.segment = (struct forwarder_segment){ .started_ns = started_ns };
	return true;
}

/* Up or down with the interface; up again where it is attached anew, with a snapshot that was held for long. */
static void follow(struct xdp_forwarder *x)
{
	struct forwarder *f = &x->forwarder;
	const struct interface *interface = ports_interface(x->ports, 0);
	bool there = interface_link(interface) && interface_mac(interface) && xdp_index(x->xdp);
	bool was_up = f->up, was_attached = x->attached, other_segment;

	look(x);
	if (was_up && !there) {
		f->up = false;
		f->owner.down(f->owner.context, f);
	}
	f->up = there;
	x->attached = xdp_attached(x->xdp);
	look(x);
	other_segment = has_other_segment(x);
	if (there && (!was_up || (x->attached && !was_attached) || other_segment))
		f->owner.up(f->owner.context, f);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct xdp_forwarder *x = context;

	(void)fd;
	(void)what;
	xdp_tick(x->xdp);
	follow(x);
}

static void on_moved(void *context)
{
	struct xdp_forwarder *x = context;

	follow(x);
	if (x->forwarder.up)
		x->forwarder.owner.ports_changed(x->forwarder.owner.context);
}

static uint32_t ports(const struct forwarder *forwarder, struct mac *mac)
{
	const struct xdp_forwarder *x = (const struct xdp_forwarder *)forwarder;
	uint32_t n = ports_count(x->ports);

	for (uint32_t i = 0; i < n; i++) {
		const struct mac *of = interface_mac(ports_interface(x->ports, i));

		mac[i] = of ? *of : (struct mac){ { 0 } };
	}
	return n;
}

static enum forwarder_answer send_snapshot(struct forwarder *forwarder, const struct snapshot_block *block,
	uint64_t version, struct error *error)
{
	struct xdp_forwarder *x = (struct xdp_forwarder *)forwarder;
	const struct snapshot_header *header = block->data;
	unsigned int index[SNAPSHOT_MAX_PORTS] = { 0 };
	struct error why;
	int err;

	for (uint32_t i = 0; i < header->n_ports; i++)
		index[i] = interface_link(ports_interface(x->ports, i));
	err = xdp_publish(x->xdp, block->data, block->size, index, &why);
	x->attached = xdp_attached(x->xdp);
	look(x);
	if (has_other_segment(x))
		forwarder->owner.up(forwarder->owner.context, forwarder);
	if (!err)
		return FORWARDER_HAS_IT;
	error_set(error, -err, "XDP on %s: %s", x->interface, why.text);
	return FORWARDER_REFUSES;
}

static bool worker(const struct forwarder *forwarder, uint32_t index, struct forwarder_worker *out)
{
	const struct xdp_forwarder *x = (const struct xdp_forwarder *)forwarder;
	struct xdp_worker from;

	if (!xdp_worker(x->xdp, index, &from))
		return false;
	*out = (struct forwarder_worker){ .core = from.core,
		.received = from.received,
		.counter = from.counter,
		.vip = from.vip,
		.backend = from.backend,
		.handshakes = from.handshakes,
		.guard = from.guard,
		.rule = from.rule,
		.n_rules = from.n_rules,
		.n_ids = from.n_ids };
	return true;
}

static bool is_alive(const struct forwarder *forwarder)
{
	return xdp_attached(((const struct xdp_forwarder *)forwarder)->xdp);
}

/* Settings of XDP are read at the start only. A reload is also what ends a "detach". */
static void reconfigure(struct forwarder *forwarder, const struct config *config)
{
	(void)config;
	xdp_resume(((struct xdp_forwarder *)forwarder)->xdp);
}

static const char *excuse(const struct forwarder *forwarder)
{
	return forwarder->up ? "the XDP program has not been given it yet" :
			       ((const struct xdp_forwarder *)forwarder)->excuse;
}

static void warnings(const struct forwarder *forwarder, json_t *lines)
{
	const struct xdp_forwarder *x = (const struct xdp_forwarder *)forwarder;
	const char *warning = xdp_warning(x->xdp);

	if (warning)
		json_array_append_new(lines, json_string(warning));
}

static void free_xdp(struct forwarder *forwarder)
{
	struct xdp_forwarder *x = (struct xdp_forwarder *)forwarder;

	if (x->tick)
		event_free(x->tick);
	if (x->held)
		event_free(x->held);
	if (x->held_again)
		event_free(x->held_again);
	xdp_close(x->xdp);
	free(x);
}

int forwarder_xdp_new(struct event_base *base, const struct config *config, struct ports *ports_of_host,
	bool sockets, const struct forwarder_owner *owner, struct forwarder **out, struct error *error)
{
	static const struct forwarder_operations operations = { .free = free_xdp, .reconfigure = reconfigure,
		.ports = ports, .send = send_snapshot, .worker = worker, .alive = is_alive, .excuse = excuse,
		.warnings = warnings };
	static const struct timeval interval = { .tv_usec = TICK_US };
	struct xdp_options options = { .interface = config->interface, .mode = config->xdp_mode,
		.pin_dir = config->xdp_pin, .queues = sockets ? STATS_MAX_WORKERS : 0 };
	struct xdp_forwarder *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return error_set(error, ENOMEM, "no memory");
	x->forwarder = (struct forwarder){ .does = &operations, .owner = *owner, .kind = FORWARDER_XDP };
	snprintf(x->interface, sizeof(x->interface), "%s", config->interface);
	snprintf(x->excuse, sizeof(x->excuse), "interface %s is not there", x->interface);
	err = xdp_open(&x->xdp, &options, error);
	if (err) {
		free(x);
		return err;
	}
	x->attached = xdp_attached(x->xdp);
	x->ports = ports_of_host;
	x->tick = event_new(base, -1, EV_PERSIST, on_tick, x);
	x->held = event_new(base, xdp_held_fd(x->xdp), EV_READ, on_held, x);
	x->held_again = evtimer_new(base, on_held, x);
	if (!x->tick || !x->held || !x->held_again || event_add(x->tick, &interval) || event_add(x->held, NULL)) {
		free_xdp(&x->forwarder);
		return error_set(error, ENOMEM, "no memory");
	}
	x->links = (struct ports_listener){ .context = x, .moved = on_moved };
	ports_listen(ports_of_host, &x->links);
	event_active(x->tick, EV_TIMEOUT, 0);
	*out = &x->forwarder;
	return 0;
}

struct xdp *forwarder_xdp_loader(const struct forwarder *forwarder)
{
	return ((const struct xdp_forwarder *)forwarder)->xdp;
}
