/* SPDX-License-Identifier: BSD-3-Clause */
/* /metrics, of health: pools, checks, and how often anything happened. */
#include <event2/buffer.h>

#include "events.h"
#include "http.h"

static double pool_backends(const struct pool *pool)
{
	return pool->n_backends;
}

static double pool_serving(const struct pool *pool)
{
	return model_pool_in_slots(pool);
}

static double pool_panic(const struct pool *pool)
{
	return pool->panicking;
}

static double pool_fallback(const struct pool *pool)
{
	return pool->in_fallback;
}

static void put_pools(const struct daemon *daemon, struct evbuffer *out)
{
	static const struct {
		const char *name, *help;
		double (*value)(const struct pool *pool);
	} values[] = {
		{ "pool_backends", "Backends of the pool.", pool_backends },
		{ "pool_backends_serving", "Of these, those that get new flows now.", pool_serving },
		{ "pool_panic", "Whether too few are healthy, and health is ignored.", pool_panic },
		{ "pool_fallback", "Whether none is usable, and the pool's fallback serves.", pool_fallback },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		http_put_head(out, values[i].name, "gauge", values[i].help);
		for (const struct pool *p = model_pools(daemon->model); p; p = p->next)
			evbuffer_add_printf(
				out, "shunt_%s{pool=\"%s\"} %.17g\n", values[i].name, p->name, values[i].value(p));
	}
}

/* By octaves of the finer scale that is kept. */
static void put_lateness(const struct lateness *lateness, struct evbuffer *out)
{
	uint64_t before = 0;

	http_put_head(out, "check_lateness_seconds", "histogram", "From when a check was due until it was begun.");
	for (unsigned int i = 0; i < LATENESS_STEPS - 1; i++) {
		before += lateness->total[i];
		if (i % 4 == 0)
			evbuffer_add_printf(out, "shunt_check_lateness_seconds_bucket{le=\"%.9g\"} %llu\n",
				lateness_step_ms(i) / 1000, (unsigned long long)before);
	}
	evbuffer_add_printf(out,
		"shunt_check_lateness_seconds_bucket{le=\"+Inf\"} %llu\nshunt_check_lateness_seconds_sum %.17g\n"
		"shunt_check_lateness_seconds_count %llu\n",
		(unsigned long long)lateness->n, (double)lateness->sum_us / 1e6, (unsigned long long)lateness->n);
}

static void put_checks(const struct daemon *daemon, struct evbuffer *out)
{
	const struct health_stats *stats = health_stats(daemon->health);

	http_put_plain(out, "checks_total", "counter", "Health checks begun.", (double)stats->made);
	http_put_plain(out, "checks_failed_total", "counter", "Health checks that failed.", (double)stats->failed);
	http_put_plain(out, "checks_unmade_total", "counter",
		"Health checks that could not be made for a reason of this host, and are no verdict.",
		(double)stats->unmade);
	http_put_plain(out, "backends_unchecked", "gauge", "Backends whose last check could not be made.",
		stats->n_unmade);
	http_put_plain(out, "check_changes_held_total", "counter",
		"Changes by checks that had to wait for control.check_changes.", (double)stats->held);
	put_lateness(&stats->lateness, out);
}

static void put_events(struct evbuffer *out)
{
	http_put_head(out, "events_total", "counter", "What happened, by kind, as \"shuntctl events\" lists it.");
	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
		evbuffer_add_printf(out, "shunt_events_total{kind=\"%s\"} %llu\n", event_kind_infos[kind].name,
			(unsigned long long)events_count((enum event_kind)kind));
}

void http_put_health(const struct daemon *daemon, struct evbuffer *out)
{
	put_pools(daemon, out);
	if (daemon->health)
		put_checks(daemon, out);
	put_events(out);
}
