/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP forwarder as a whole: which set is in use, what replaces it, and whether it is on the interface. Sets
 * are xdp_set.c and xdp_load.c, pins xdp_pin.c, the link xdp_attach.c.
 */
#include "xdp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "log.h"
#include "xdp_attach.h"
#include "xdp_fragments.h"
#include "xdp_load.h"
#include "xdp_multicast.h"
#include "xdp_pin.h"
#include "xdp_set.h"
#include "xdp_stats.h"
#include "xdp_sweep.h"
#include "xdp_system.h"

#define LOOK_NS 1000000000ull /* between two close looks at the interface, and two tries to attach */

struct xdp {
	struct xdp_pins pins;
	enum xdp_mode mode;
	uint32_t queues;
	struct xdp_set *set; /* NULL: none yet */
	struct xdp_attachment attachment;
	bool attached;
	bool released;	    /* by command: stay off */
	bool elder_stays;   /* it could not be dropped, which was logged */
	unsigned int index; /* of the interface when it was last looked at; 0: not there */
	unsigned int port_index[SNAPSHOT_MAX_PORTS]; /* as published last */
	uint64_t looked_ns;
	struct error trouble; /* why it is not attached, or "" */
	char warning[768];
	struct stats_header *stats;
	struct xdp_sweep sweep;
	struct xdp_fragments *fragments;
};

static const char *mode_name(bool native)
{
	return native ? "native" : "generic";
}

/* Index of the interface now, 0: it is not there. What can't be told, for want of descriptors, is as it was. */
static unsigned int index_now(const struct xdp *x)
{
	unsigned int index = if_nametoindex(x->pins.interface);

	return index || errno == ENODEV ? index : x->index;
}

static void note_attached(struct xdp *x, bool attached)
{
	x->attached = attached;
	if (attached)
		x->trouble.text[0] = '\0';
}

/* Figures that a crash kept from being carried over to the maps in use. */
static void finish_carrying(struct xdp *x)
{
	struct xdp_set *before;

	if (!x->set->control || !x->set->control->carry_from)
		return;
	before = xdp_set_open(&x->pins, x->set->control->carry_from);
	xdp_set_carry(x->set, before);
	xdp_set_free(before);
}

/*
 * Find what an earlier shuntd left, and go on with it. What is of no use is removed. The flow table is taken as it
 * is, however long nobody swept it: unlike a file's, it was in use, and a word whose tick has wrapped around is
 * one that the program, too, takes for alive.
 */
static int take_over(struct xdp *x, struct error *error)
{
	uint32_t program_id, foreign;
	int link = xdp_pin_get_link(&x->pins, &program_id, &x->attachment.index), there;

	/* What is there may be in use: it is not thrown away because it can't be looked at now. */
	if (link < 0 && xdp_system_is_want(link))
		return error_set(error, -link, "%s/link can't be opened: %s: what is attached goes on as it is",
			x->pins.folder, strerror(-link));
	if (link < 0) {
		if (link != -ENOENT)
			log_warning("%s/link is not an XDP link of shunt's (%s): removed", x->pins.folder,
				strerror(-link));
		xdp_multicast_set(&x->pins, 0, false);
		xdp_pin_remove(&x->pins);
		return 0;
	}
	x->attachment.link = link;
	there = xdp_attach_look(x->index, program_id, &x->attachment.native, &foreign);
	if (there < 0)
		return error_set(error, -there, "interface %s can't be asked for its XDP program: %s",
			x->pins.interface, strerror(-there));
	x->attached = there;
	x->set = xdp_set_open(&x->pins, program_id);
	if (!x->set)
		return error_set(error, ENOMEM, "no memory");
	if (x->set->want)
		return error_set(error, -x->set->want, "maps of the XDP program in %s can't be opened: %s",
			x->pins.folder, strerror(-x->set->want));
	/* What the earlier one may have been killed before. */
	finish_carrying(x);
	xdp_fragments_use(x->fragments, x->set);
	if (xdp_pin_name_set(&x->pins, program_id))
		log_warning("%s/current can't be made", x->pins.folder);
	xdp_pin_clean(&x->pins, program_id);
	xdp_stats_read_set(x->stats, x->set);
	if (!x->set->control)
		log_notice("interface %s: its XDP program, id %u, is of another version: it goes on until it is "
			   "replaced; "
			   "flows are %s",
			x->pins.interface, program_id, x->set->flows ? "kept" : "lost");
	else if (x->attached)
		log_info("interface %s: took over its XDP program, id %u, %s mode, snapshot %llu",
			x->pins.interface, program_id, mode_name(x->attachment.native),
			(unsigned long long)xdp_version(x));
	else
		log_info("interface %s: took over the flows of XDP program id %u, which is no longer attached",
			x->pins.interface, program_id);
	return 0;
}

int xdp_open(struct xdp **out, const struct xdp_options *options, struct error *error)
{
	struct xdp *x = calloc(1, sizeof(*x));
	int result;

	if (!x)
		return error_set(error, ENOMEM, "no memory");
	xdp_system_listen_to_libbpf();
	x->mode = options->mode;
	x->queues = options->queues;
	x->attachment.link = -1;
	result = xdp_pin_init(&x->pins, options->pin_dir, options->interface, error);
	if (!result)
		result = xdp_system_check_rights(error);
	if (!result)
		result = xdp_pin_lock(&x->pins, error);
	if (!result) {
		x->stats = xdp_stats_new(x->pins.interface);
		x->fragments = xdp_fragments_new();
		x->index = if_nametoindex(x->pins.interface);
		if (!x->index && errno != ENODEV)
			result = error_set(error, errno, "interface %s can't be asked for: %s", x->pins.interface,
				strerror(errno));
		else
			result = x->stats && x->fragments ? take_over(x, error) : error_set(error, ENOMEM, "no memory");
	}
	if (result) {
		xdp_close(x);
		return result;
	}
	*out = x;
	return 0;
}

void xdp_close(struct xdp *x)
{
	if (!x)
		return;
	if (x->stats)
		xdp_stats_beat(x->stats, x->set);
	if (x->attachment.link >= 0)
		close(x->attachment.link);
	xdp_fragments_free(x->fragments);
	xdp_set_free(x->set);
	xdp_sweep_fini(&x->sweep);
	xdp_pin_unlock(&x->pins);
	free(x->stats);
	free(x);
}

/*
 * Load a set for these wants, with this snapshot in force, and put it in the place of the one there is: on the
 * interface if that is attached, else only here. On error all is as before.
 */
static int replace(struct xdp *x, const struct xdp_wants *wants, const struct snapshot_header *block,
	const unsigned int *port_index, struct error *error)
{
	struct xdp_set *set, *old = x->set;
	int result;

	set = xdp_load(wants, old, &result, error);
	if (!set)
		return result;
	result = xdp_set_publish(set, block, port_index);
	if (result)
		error_set(error, -result, "the XDP maps can't be written: %s", strerror(-result));
	if (!result && x->attached) {
		result = xdp_attach_replace(&x->attachment, &x->pins, set, error);
		if (result == -ENOLINK) {
			x->attached = false;
			result = 0;
		} else if (!result) {
			xdp_system_wait_for_programs();
			log_info("interface %s: XDP program id %u in the place of id %u", x->pins.interface,
				set->program_id, old->program_id);
		}
	}
	if (result) {
		xdp_set_free(set);
		return result;
	}
	/* From here on no packet meets the old one. */
	xdp_set_carry(set, old);
	if (x->attached)
		xdp_pin_clean(&x->pins, set->program_id);
	x->set = set;
	xdp_fragments_use(x->fragments, set);
	xdp_set_free(old);
	xdp_sweep_restart(&x->sweep);
	return 0;
}

static struct xdp_wants wants_of(const struct xdp *x, const struct snapshot_header *block)
{
	struct xdp_wants wants = xdp_load_wants(block, x->index ? x->stats->port[0].mtu : 0, x->queues);

	/* One that stays takes room, and is in nobody's way: no snapshot is to fail for it. */
	wants.without_elder = x->sweep.elder_empty && !x->elder_stays;
	return wants;
}

/* Only with IPv6 VIPs: without, the host would be made to look at other hosts' multicast for nothing. */
static void let_multicast_in(const struct xdp *x)
{
	const struct snapshot_header *snapshot = xdp_set_snapshot(x->set);
	const struct snapshot_vip *vips = (const void *)((const char *)snapshot + snapshot->vips_off);
	bool wanted = false;

	for (uint32_t i = 0; i < snapshot->vip_index_size && !wanted; i++)
		wanted = vips[i].flags & VIP_USED && !addr_is_ipv4(vips[i].addr);
	xdp_multicast_set(&x->pins, x->attachment.index, wanted);
}

/* Attach what is loaded. 0; or -errno, and *error as well as x->trouble. */
static int attach(struct xdp *x, struct error *error)
{
	struct xdp_wants wants;
	int result = xdp_pin_lock(&x->pins, error);

	x->looked_ns = xdp_system_now_ns();
	x->index = index_now(x);
	if (!result && !x->index)
		result = error_set(error, ENODEV, "interface %s is not there: nothing is forwarded until it is",
			x->pins.interface);
	if (!result) {
		/* Its MTU may not have been known when the program was loaded. */
		xdp_stats_read_port(x->stats);
		wants = wants_of(x, xdp_set_snapshot(x->set));
		if (!xdp_set_fits(x->set, &wants))
			result = replace(x, &wants, xdp_set_snapshot(x->set), x->port_index, error);
	}
	if (!result)
		result = xdp_attach(&x->attachment, &x->pins, x->set, x->index, x->mode, error);
	if (result) {
		x->trouble = *error;
		return result;
	}
	note_attached(x, true);
	event_tell(EVENT_FORWARDER_BACK, NULL, NULL, "interface %s: XDP program id %u attached in %s mode, snapshot %llu",
		x->pins.interface, x->set->program_id, mode_name(x->attachment.native),
		(unsigned long long)xdp_version(x));
	if (xdp_warning(x))
		log_warning("%s", xdp_warning(x));
	let_multicast_in(x);
	return 0;
}

/* Attached in a mode that is not the one asked for, by a shuntd of another configuration. */
static bool is_in_wrong_mode(const struct xdp *x)
{
	return x->attached && x->mode != XDP_MODE_AUTO && x->attachment.native != (x->mode == XDP_MODE_NATIVE);
}

int xdp_publish(
	struct xdp *x, const void *block, uint64_t size, const unsigned int *port_index, struct error *error)
{
	const struct snapshot_header *header = block;
	struct xdp_wants wants;
	int result = 0;

	if (x->released)
		return error_set(error, ESHUTDOWN,
			"the XDP program was taken off interface %s by \"detach\": \"shuntctl reload\" attaches "
			"it again",
			x->pins.interface);
	if (size != header->size)
		return error_set(error, EINVAL, "a snapshot of another size than it says");
	xdp_stats_read_port(x->stats);
	wants = wants_of(x, header);
	if (!x->set || !xdp_set_fits(x->set, &wants)) {
		result = replace(x, &wants, header, port_index, error);
		x->elder_stays = false;
	} else if ((result = xdp_set_publish(x->set, header, port_index))) {
		error_set(error, -result, "the XDP maps can't be written: %s", strerror(-result));
	}
	if (result)
		return result;
	memset(x->port_index, 0, sizeof(x->port_index));
	if (port_index)
		memcpy(x->port_index, port_index, header->n_ports * sizeof(*port_index));
	xdp_stats_read_set(x->stats, x->set);
	if (is_in_wrong_mode(x)) {
		log_notice("interface %s: XDP mode %s, as it is configured, in the place of %s: packets go to the "
			   "kernel in between",
			x->pins.interface, mode_name(x->mode == XDP_MODE_NATIVE), mode_name(x->attachment.native));
		note_attached(x, false);
	}
	if (!x->attached)
		return attach(x, error);
	let_multicast_in(x);
	return 0;
}

/* The program is off, and why. */
static void note_lost(struct xdp *x)
{
	note_attached(x, false);
	if (!x->index)
		error_set(&x->trouble, ENODEV, "interface %s went away: nothing is forwarded until it is back",
			x->pins.interface);
	else if (x->index != x->attachment.index)
		error_set(&x->trouble, ENODEV, "interface %s went away and came back under another index",
			x->pins.interface);
	else
		error_set(&x->trouble, ENOENT, "somebody has taken the XDP program off interface %s",
			x->pins.interface);
	/* That its interface went, interface.c has said already. */
	if (x->index && x->index == x->attachment.index)
		event_tell(EVENT_FORWARDER_LOST, NULL, NULL, "%s", x->trouble.text);
	else
		event_tell(EVENT_FORWARDER_LOST, NULL, NULL, "nothing is forwarded until interface %s is back",
			x->pins.interface);
}

/* See that the program is where it should be, closely once a second, and put it there if it can be. */
static void look(struct xdp *x)
{
	unsigned int index = index_now(x);
	uint64_t now = xdp_system_now_ns();
	struct error before = x->trouble, error;
	uint32_t foreign;

	if (index == x->index && now - x->looked_ns < LOOK_NS)
		return;
	x->index = index;
	x->looked_ns = now;
	xdp_stats_read_port(x->stats);
	/* One that can't be told is where it was. */
	if (x->attached && !xdp_attach_look(index, x->set->program_id, &x->attachment.native, &foreign)) {
		note_lost(x);
		before = x->trouble;
	}
	if (x->attached || !xdp_pending(x) || (!index && *x->trouble.text))
		return;
	if (attach(x, &error) && strcmp(error.text, before.text))
		log_warning("%s", error.text);
}

/* No flow is left in the elder table: go on without. */
static void drop_elder(struct xdp *x)
{
	struct xdp_wants wants = wants_of(x, xdp_set_snapshot(x->set));
	struct error error;

	if (replace(x, &wants, xdp_set_snapshot(x->set), x->port_index, &error)) {
		x->elder_stays = true;
		log_warning("the flow table of the capacity before is empty but stays: %s", error.text);
	}
}

void xdp_tick(struct xdp *x)
{
	xdp_stats_beat(x->stats, x->set);
	if (!x->released)
		look(x);
	if (!x->set)
		return;
	xdp_sweep_run(&x->sweep, x->set, x->stats);
	if (x->sweep.elder_empty && !x->elder_stays && !x->released)
		drop_elder(x);
}

bool xdp_attached(const struct xdp *x)
{
	return x->attached;
}

bool xdp_pending(const struct xdp *x)
{
	return !x->attached && !x->released && x->set && x->set->program >= 0 && xdp_set_snapshot(x->set);
}

bool xdp_native(const struct xdp *x)
{
	return x->attached && x->attachment.native;
}

const char *xdp_interface(const struct xdp *x)
{
	return x->pins.interface;
}

unsigned int xdp_index(const struct xdp *x)
{
	return x->index;
}

const char *xdp_warning(const struct xdp *x)
{
	/* Const to its callers; the text's place is not part of what they see. */
	char *warning = ((struct xdp *)x)->warning;

	if (x->released)
		snprintf(warning, sizeof(x->warning),
			"the XDP program was taken off interface %s by \"detach\": \"shuntctl reload\" attaches "
			"it again",
			x->pins.interface);
	else if (!x->attached && *x->trouble.text)
		snprintf(warning, sizeof(x->warning), "%s", x->trouble.text);
	else if (x->attached && !x->attachment.native)
		snprintf(warning, sizeof(x->warning),
			"interface %s: XDP in generic mode%s%s%s: the kernel makes a buffer for each packet "
			"before the program sees "
			"it, which costs several times what the program does",
			x->pins.interface, *x->attachment.native_refused ? ", as its driver refuses native (" : "",
			x->attachment.native_refused, *x->attachment.native_refused ? ")" : "");
	else
		return NULL;
	return warning;
}

uint64_t xdp_version(const struct xdp *x)
{
	return x->set && xdp_set_snapshot(x->set) ? x->set->control->snapshot_version : 0;
}

const struct stats_header *xdp_stats(const struct xdp *x)
{
	return x->stats;
}

bool xdp_worker(const struct xdp *x, uint32_t index, struct xdp_worker *worker)
{
	const struct xdp_set *set = x->set;
	const struct xdp_cpu *cpu;
	uint32_t n_cpus, ids;

	if (!set || !set->control || index > set->control->sizes.n_cpus)
		return false;
	n_cpus = set->control->sizes.n_cpus;
	ids = set->control->sizes.ids;
	cpu = &set->cpus[index];
	*worker = (struct xdp_worker){
		.core = index < n_cpus ? index : UINT32_MAX,
		.received = &cpu->received,
		.to_socket = &cpu->to_socket,
		.counter = cpu->counter,
		.vip = &set->vip_stats[(uint64_t)index * ids],
		.backend = &set->backend_stats[(uint64_t)index * ids],
		.handshakes = &set->handshakes[(uint64_t)index * ids],
		.guard = &set->guard[(uint64_t)index * ids],
		.rule = &set->rules[(uint64_t)index * set->control->sizes.rules],
		.n_rules = set->control->sizes.rules,
		.n_ids = ids,
	};
	return true;
}

int xdp_held_fd(const struct xdp *x)
{
	return xdp_fragments_fd(x->fragments);
}

bool xdp_held_run(struct xdp *x)
{
	unsigned int port_index[SNAPSHOT_MAX_PORTS];

	if (!x->set || !x->set->control)
		return false;
	memcpy(port_index, x->port_index, sizeof(port_index));
	port_index[0] = x->index;
	return xdp_fragments_run(x->fragments, x->set, port_index);
}

const struct flow_table_header *xdp_flows(
	const struct xdp *x, const struct flow_bucket **buckets, uint32_t *n_buckets)
{
	struct flow_table_header *header = x->set ? x->set->flows : NULL;

	*buckets = header ? xdp_set_buckets(header) : NULL;
	*n_buckets = header ? header->n_buckets : 0;
	return header;
}

const struct flow_bucket *xdp_elder_flows(const struct xdp *x, uint32_t *n_buckets)
{
	struct flow_table_header *header = x->set ? x->set->elder : NULL;

	*n_buckets = header ? header->n_buckets : 0;
	return header ? xdp_set_buckets(header) : NULL;
}

int xdp_release(struct xdp *x, bool *found, struct error *error)
{
	int result;

	*found = x->attachment.link >= 0;
	result = xdp_attach_off(&x->attachment);

	if (result)
		return error_set(error, -result, "the XDP program can't be taken off interface %s: %s",
			x->pins.interface, strerror(-result));
	xdp_multicast_set(&x->pins, 0, false);
	xdp_pin_remove(&x->pins);
	xdp_pin_unlock(&x->pins);
	if (!x->released)
		event_tell(EVENT_FORWARDER_LOST, NULL, NULL, "interface %s: XDP program taken off by command",
			x->pins.interface);
	note_attached(x, false);
	x->released = true;
	return 0;
}

void xdp_resume(struct xdp *x)
{
	x->released = false;
	x->elder_stays = false;
}
