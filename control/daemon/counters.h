/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forwarders count, read out of their statistics without a word to them: traffic and flows of VIPs and
 * backends into the model's objects, verdicts and events as totals, and rates. Totals go on rising when a
 * forwarder is restarted, and those of objects also when shuntd is (totals.h). One thread.
 */
#ifndef SHUNT_COUNTERS_H
#define SHUNT_COUNTERS_H

#include <event2/event.h>
#include <stdint.h>

#include "model.h"
#include "publish.h"
#include "verdicts.h"

struct counters;

struct rates {
	double packets_per_second;
	double bytes_per_second;
	double new_flows_per_second;
};

struct worker_rates {
	double packets_per_second;
	double busy_percent; /* of its receive bursts, those that brought something; 0 where it does not poll */
};

enum counter_class { COUNTER_CLASS_VERDICT, COUNTER_CLASS_EVENT };

struct counter_info {
	enum counter_class class;
	const char *name;
	const char *help;
};

extern const struct counter_info counter_infos[COUNTER_COUNT]; /* by enum counter */

/*
 * Reads once a second from now on, and has the model free removed backends (model_reap) while the forwarders'
 * count of their flows can be trusted. directory: control.state, for traffic.json. All are the caller's and
 * outlive it. NULL: no memory.
 */
struct counters *counters_open(struct event_base *base, struct model *model, struct publisher *publisher,
	const char *directory);
void counters_close(struct counters *counters);

/* Read now, so that what the model and the totals say is of this moment. */
void counters_refresh(struct counters *counters);
/* The same, and the model is told of a sweep that has ended since: before it begins to count sweeps of a backend. */
void counters_catch_up(struct counters *counters);

/* Since shuntd began, over restarts of the forwarders. */
uint64_t counters_total(const struct counters *counters, enum counter counter);
uint64_t counters_received(const struct counters *counters);
uint64_t counters_port_missed(const struct counters *counters);

/* Over the last second or so. */
double counters_packets_per_second(const struct counters *counters);
struct rates counters_vip_rates(const struct counters *counters, const struct vip *vip);
struct rates counters_backend_rates(const struct counters *counters, const struct backend *backend);
struct worker_rates counters_worker_rates(const struct counters *counters, enum forwarder_kind kind, uint32_t worker);

#endif
