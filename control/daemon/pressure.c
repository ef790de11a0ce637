/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters that rise begin it; when they have not for a while it is over. */
#include "pressure.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "events.h"
#include "stats.h"

/* Flows without an entry, by a counter that rises. */
struct rise {
	bool known; /* total is of the same thing as the one looked at now */
	bool high;
	uint64_t total;
	uint64_t begun_with; /* total when it began */
	uint32_t begun_s, quiet_s;
};

struct watched {
	struct addr address; /* an id may have become another VIP's */
	uint16_t port;
	uint8_t protocol;
	struct rise rise;
};

struct pressure {
	struct model *model;
	const struct counters *counters;
	uint64_t capacity;
	struct event *tick;
	uint32_t seconds;
	struct rise table;
	struct watched vip[STATS_IDS]; /* by id */
};

enum turn { NOTHING_NEW, HAS_BEGUN, IS_OVER };

static enum turn look(struct rise *r, uint64_t total, uint32_t now_s)
{
	bool rises = r->known && total > r->total;
	uint64_t before = r->total;

	r->known = true;
	r->total = total;
	if (rises) {
		r->quiet_s = 0;
		if (r->high)
			return NOTHING_NEW;
		r->high = true;
		r->begun_with = before;
		r->begun_s = now_s;
		return HAS_BEGUN;
	}
	if (!r->high || ++r->quiet_s < PRESSURE_QUIET_S)
		return NOTHING_NEW;
	r->high = false;
	return IS_OVER;
}

static unsigned long long so_far(const struct rise *r)
{
	return r->total - r->begun_with;
}

static bool is_of(const struct watched *w, const struct vip *v)
{
	return addr_equal(w->address, v->address) && w->port == v->port && w->protocol == v->protocol;
}

static void look_at_vip(struct pressure *p, struct vip *v)
{
	struct watched *w = &p->vip[v->id];
	char text[ADDRESS_VIP_TEXT];

	if (!is_of(w, v))
		*w = (struct watched){ .address = v->address, .port = v->port, .protocol = v->protocol };
	/* A bound of 0 says that it is to have no entries: nothing to tell of. */
	if (!model_vip_half_open(v, p->capacity)) {
		w->rise = (struct rise){ .high = false };
		return;
	}
	switch (look(&w->rise, v->traffic.over_bound, p->seconds)) {
	case HAS_BEGUN:
		event_tell(EVENT_VIP_FLOOD, v->pool, NULL,
			"VIP %s has its bound of half-open flows, %u: new ones go by hash without an entry, those "
			"of "
			"other VIPs are not touched",
			address_print_vip(v->address, v->protocol, v->port, text),
			model_vip_half_open(v, p->capacity));
		break;
	case IS_OVER:
		event_tell(EVENT_VIP_FLOOD_OVER, v->pool, NULL,
			"VIP %s: for %u s no flow was without an entry; %llu were, in %u s",
			address_print_vip(v->address, v->protocol, v->port, text), PRESSURE_QUIET_S,
			so_far(&w->rise), p->seconds - w->rise.begun_s - PRESSURE_QUIET_S);
		break;
	default:
		break;
	}
}

static void look_at_table(struct pressure *p)
{
	uint64_t over_bound = counters_total(p->counters, COUNTER_SYN_OVER_BOUND);
	uint64_t untracked = counters_total(p->counters, COUNTER_FLOW_UNTRACKED);
	uint64_t total = untracked > over_bound ? untracked - over_bound : 0;

	/*
	 * Read one after the other while they rise, by as many as a flood has SYNs meanwhile: the difference may
	 * seem to fall, and is no rise when it is what it was again.
	 */
	if (p->table.known && total < p->table.total)
		total = p->table.total;
	switch (look(&p->table, total, p->seconds)) {
	case HAS_BEGUN:
		event_tell(EVENT_TABLE_FULL, NULL, NULL,
			"made for %llu flows, it has no room for new ones: they go by hash alone, those that are "
			"there keep "
			"their entries (flow_table.capacity)",
			(unsigned long long)p->capacity);
		break;
	case IS_OVER:
		event_tell(EVENT_TABLE_FULL_OVER, NULL, NULL,
			"for %u s no flow was without an entry; %llu were, in %u s", PRESSURE_QUIET_S,
			so_far(&p->table), p->seconds - p->table.begun_s - PRESSURE_QUIET_S);
		break;
	default:
		break;
	}
}

void pressure_look(struct pressure *p)
{
	p->seconds++;
	for (struct vip *v = model_vips(p->model); v; v = v->next)
		look_at_vip(p, v);
	look_at_table(p);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	pressure_look(context);
}

struct pressure *pressure_open(
	struct event_base *base, struct model *model, const struct counters *counters, uint64_t capacity)
{
	struct timeval interval = { .tv_sec = 1 };
	struct pressure *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->model = model;
	p->counters = counters;
	p->capacity = capacity;
	p->tick = event_new(base, -1, EV_PERSIST, on_tick, p);
	if (!p->tick || event_add(p->tick, &interval) < 0) {
		pressure_close(p);
		return NULL;
	}
	return p;
}

void pressure_close(struct pressure *p)
{
	if (!p)
		return;
	if (p->tick)
		event_free(p->tick);
	free(p);
}

void pressure_set_capacity(struct pressure *p, uint64_t capacity)
{
	p->capacity = capacity;
}

bool pressure_at_bound(const struct pressure *p, const struct vip *vip)
{
	const struct watched *w = &p->vip[vip->id];

	/* A bound of 0 is always reached. */
	return vip->protocol == IPPROTO_TCP &&
		(!model_vip_half_open(vip, p->capacity) || (is_of(w, vip) && w->rise.high));
}

void pressure_warnings(const struct pressure *p, json_t *warnings)
{
	char text[ADDRESS_VIP_TEXT];

	if (p->table.high)
		json_array_append_new(warnings,
			json_sprintf("the flow table, for %llu flows, is full: new ones go by hash alone",
				(unsigned long long)p->capacity));
	for (const struct vip *v = model_vips(p->model); v; v = v->next)
		if (is_of(&p->vip[v->id], v) && p->vip[v->id].rise.high)
			json_array_append_new(warnings,
				json_sprintf(
					"VIP %s has its bound of half-open flows, %u: new ones go by hash alone",
					address_print_vip(v->address, v->protocol, v->port, text),
					model_vip_half_open(v, p->capacity)));
}
