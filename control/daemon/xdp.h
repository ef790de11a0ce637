/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP forwarder on one interface: the program of bpf/ in the kernel, its maps, and the pins that let both
 * outlive shuntd. This is the loader: it attaches, takes over, replaces, feeds and reads the program, sweeps
 * its flow table, and takes it off again. Maps and constants are explained in bpf/shunt_xdp.h. One thread.
 *
 * Pins are in PIN_DIR/INTERFACE/ (a '.' in the interface's name is a ':' there, as the BPF file system reserves
 * dots). All hangs on one of them, "link": it tells which program is attached, and set-ID/ beside it has that
 * program's maps; "flows", "xsks" and so on lead there, for those who look for a map by name. So what a crash
 * leaves is either in use, and is taken over by the next start, or in nobody's way.
 *
 * What needs other maps (more ids, a larger snapshot, another flow table) or a newer program is loaded beside the
 * one in use, which is then replaced in one step (bpf_link_update): no packet finds no program. Flows are kept
 * wherever the table's layout and hash key are the same, with flow_table.capacity changed as well (the elder
 * table of core/flow_table.h); counters always, but for a program of another XDP_ABI.
 */
#ifndef SHUNT_XDP_LOADER_H
#define SHUNT_XDP_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "flow_table.h"
#include "stats.h"

#define XDP_PIN_DIR "/sys/fs/bpf/shunt" /* setting xdp.pin */

struct xdp;

struct xdp_options {
	const char *interface; /* name */
	enum xdp_mode mode;    /* auto: native, and where the driver refuses that, generic with a warning */
	const char *pin_dir;   /* on a BPF file system; made if it isn't there */
	uint32_t queues;       /* of AF_XDP sockets: how many receive queues may have one; 0: no sockets */
};

/* A CPU's figures: it writes on meanwhile. Good until the next xdp_publish(), xdp_tick() or xdp_close(). */
struct xdp_worker {
	uint32_t core;
	const __u64 *received;
	const __u64 *to_socket;		 /* given to an AF_XDP socket, which counts them further */
	const __u64 *counter;		 /* STATS_COUNTERS, by enum counter */
	const struct stats_traffic *vip; /* n_ids each, by id */
	const struct stats_traffic *backend;
	const struct stats_handshakes *handshakes;
	const struct stats_guard *guard;
	const __u64 *rule; /* n_rules, by rule id */
	uint32_t n_ids;
	uint32_t n_rules;
};

/*
 * Take over what is pinned, or begin; logs which. Attaches and changes nothing: what was attached goes on as it
 * was, else the first xdp_publish() attaches. options: read during the call. An interface that isn't there is no
 * error. 0; or -errno with one line in *error that says what to do, and nothing left behind: no BPF file system
 * (it is not mounted from here: such a mount in a unit's or a namespace's own view would vanish with shuntd, and
 * the pins with it), no rights, a kernel that can't, another shuntd with the same pins.
 */
int xdp_open(struct xdp **x, const struct xdp_options *options, struct error *error);

/*
 * Leaves everything attached and pinned: traffic goes on. x may be NULL. What was never attached is gone.
 */
void xdp_close(struct xdp *x);

/*
 * Put a snapshot in force: block, size bytes, that snapshot_check() accepted; copied. port_index: interface
 * indexes by snapshot port, of which [0] is not looked at, for header->n_ports (0: unknown, frames for it are
 * dropped and counted); NULL for one port. Replaces program and maps where that is needed (some 100 to 300 ms, else
 * the time of one RCU grace period, some 10 to 30 ms), attaches where nothing is attached.
 *
 * 0: in force. Else -errno with one line in *error:
 * - xdp_attached() is false: it can't be attached now (interface missing: -ENODEV; a foreign XDP program, which is
 *   named: -EBUSY; native mode refused; ...). Unless nothing could be loaded, which xdp_pending() tells, the
 *   snapshot is held ready: xdp_tick() goes on trying, and when xdp_attached() turns true this very snapshot is in
 *   force without another call.
 * - xdp_attached() is true: the snapshot before it stays in force.
 */
int xdp_publish(
	struct xdp *x, const void *block, uint64_t size, const unsigned int *port_index, struct error *error);

/*
 * To be called about ten times a second: sweeps a part of the flow table (for at most some milliseconds), writes
 * the heartbeat, sees the interface go and come back, tries again what could not be attached. Logs one line for
 * each change of state.
 */
void xdp_tick(struct xdp *x);

/* Whether the program is on the interface, from the last xdp_publish() or xdp_tick(). */
bool xdp_attached(const struct xdp *x);
/* Whether a snapshot is held that will be in force as soon as the program can be attached. */
bool xdp_pending(const struct xdp *x);
/* Whether it is attached in native mode (else generic). */
bool xdp_native(const struct xdp *x);
/* Name of the interface. */
const char *xdp_interface(const struct xdp *x);
/* Index of the interface; 0 while it isn't there. */
unsigned int xdp_index(const struct xdp *x);
/* What is wrong now, one line for "status", or NULL: not attached and why; generic mode and what it costs. */
const char *xdp_warning(const struct xdp *x);
/*
 * Version of the snapshot in the maps; 0: none. It may be from before xdp_open(): the next one published must
 * have a greater one.
 */
uint64_t xdp_version(const struct xdp *x);

/*
 * Statistics in the layout of the dataplane's segment, kept by shuntd itself: heartbeat, snapshot version, one
 * port (name, MAC, MTU, link, errors), what the last sweep counted. n_workers is the number of possible CPUs;
 * stats_worker blocks there are none (worker_off 0), xdp_worker() is in their place. started_ns is kept over
 * restarts of shuntd and says whether counters have begun anew. Never NULL; good until xdp_close().
 */
const struct stats_header *xdp_stats(const struct xdp *x);

/*
 * Figures of CPU index, 0..n_workers-1. Index n_workers, with core UINT32_MAX, is no CPU: in it are the traffic
 * figures of maps that were replaced, to be added up with the others. So totals only rise while started_ns stays
 * the same. False beyond that, and while there are no maps.
 */
bool xdp_worker(const struct xdp *x, uint32_t index, struct xdp_worker *worker);

/*
 * Fragments that the program handed over, to wait for the first of their datagram (xdp_fragments.h): a descriptor that
 * can be read when there are new ones.
 */
int xdp_held_fd(const struct xdp *x);
/* Take the new ones, and send those whose first has come by now. Returns whether there were any or are still. */
bool xdp_held_run(struct xdp *x);

/*
 * The flow table, which the program writes meanwhile, or NULL while there is none. *n_buckets and buckets are good
 * until the next xdp_publish() or xdp_tick().
 */
const struct flow_table_header *xdp_flows(
	const struct xdp *x, const struct flow_bucket **buckets, uint32_t *n_buckets);
/* The elder one, whose flows are carried over as they are used, likewise; NULL and 0 while there is none. */
const struct flow_bucket *xdp_elder_flows(const struct xdp *x, uint32_t *n_buckets);

/*
 * Take the program off the interface and remove the pins; "shuntctl detach". Traffic for VIPs goes to the kernel
 * from then on. x stays open without attaching; flows and counters stay in memory for xdp_resume(). 0 and *found,
 * whether there was anything; or -errno and *error.
 */
int xdp_release(struct xdp *x, bool *found, struct error *error);
/* After xdp_release(), or for what could not be done before: the next xdp_publish() attaches again. */
void xdp_resume(struct xdp *x);

/*
 * The same for an interface that no struct xdp of this process is open on, for "shuntd --detach" and interfaces of
 * an earlier configuration. options->mode is not looked at. *found: whether there was anything. -EBUSY if another
 * shuntd has it open.
 */
int xdp_detach(const struct xdp_options *options, bool *found, struct error *error);

/*
 * Log a warning for each interface under pin_dir, other than this one (NULL: none), where a program of an earlier
 * configuration is attached and no shuntd feeds it.
 */
void xdp_warn_of_others(const char *pin_dir, const char *interface);

#endif
