/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarder's own look-ups (core/forward.h), for a packet that is only thought of. */
#include "explain.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "access.h"
#include "forward.h"
#include "parse.h"
#include "verdicts.h"
#include "vip.h"

/* What the flow asked about looks like to the tables. */
struct asked {
	const struct snapshot_vip *vip;
	uint8_t protocol;
	struct addr source, destination;
	uint16_t source_port, port; /* host order */
	uint64_t hash;
};

static uint32_t backend_at(const struct tables *tables, const struct asked *asked, uint32_t slot_hash)
{
	return tables_slot(tables, forward_hash_slot(asked->vip, slot_hash));
}

/* Where it ends, short of a backend. Returns true for the caller to return: nothing else is asked. */
static bool stops(struct explanation *e, enum explain_reason reason, uint32_t counter)
{
	e->reason = reason;
	e->counter = (uint8_t)counter;
	return true;
}

static void explain_new(const struct tables *tables, const struct asked *asked, struct explanation *e)
{
	const struct snapshot_vip *vip = asked->vip;
	uint32_t slot_hash = flow_slot_hash(asked->hash);

	if (vip->slot_count == 0) {
		stops(e, EXPLAIN_NO_BACKEND, COUNTER_DROP_NO_BACKEND);
		return;
	}
	e->reason = EXPLAIN_HASH;
	e->limited = vip->flags & VIP_RATE && e->entry == SNAPSHOT_NONE;
	/* What comes from the middle of a connection is not scheduled. */
	e->by_hash = e->at_bound || (asked->protocol == IPPROTO_TCP && e->flow_state == FLOW_ESTABLISHED);
	if (e->scheduler == SCHEDULER_ROUND_ROBIN && !e->by_hash)
		return;
	if (e->scheduler == SCHEDULER_SOURCE_HASH)
		slot_hash = flow_slot_hash(source_hash(tables_header(tables)->hash_key, asked->source));
	e->backend = (uint16_t)backend_at(tables, asked, slot_hash);
	if (e->scheduler == SCHEDULER_LEAST_FLOWS && !e->by_hash) {
		e->other = (uint16_t)backend_at(tables, asked, (uint32_t)(asked->hash >> 16));
		if (e->other == e->backend)
			e->other = SNAPSHOT_NONE;
	} else {
		e->slot = forward_hash_slot(vip, slot_hash) - vip->slot_first;
	}
	if (!forward_backend(tables, vip, e->backend)) {
		stops(e, EXPLAIN_NO_BACKEND, COUNTER_DROP_NO_BACKEND);
		e->backend = SNAPSHOT_NONE;
	}
}

/* The flow's word in a table, or 0: in the first bucket, else the second, as the forwarder looks. */
static uint64_t find_word(const struct flow_bucket *buckets, uint32_t n_buckets, const struct asked *asked)
{
	struct flow_place place;

	if (!n_buckets)
		return 0;
	place = flow_place(asked->hash, asked->vip->vip, n_buckets);
	for (int i = 0; i < 2; i++) {
		const struct flow_bucket *bucket = &buckets[place.bucket[i]];
		int index = flow_bucket_find(bucket, place.tag);
		uint64_t word = index < 0 ? 0 : *(const volatile __u64 *)&bucket->word[index];

		if (word && ((word ^ place.tag) & FLOW_TAG_MASK) == 0)
			return word;
	}
	return 0;
}

/* What the flow table has of it. */
static void find_entry(const struct tables *tables, const struct asked *asked, struct explanation *e)
{
	uint64_t word = find_word(tables->buckets, tables->n_buckets, asked);

	if (!flow_word_alive(word, tables->tick, tables_header(tables)->timeout))
		word = find_word(tables->elder_buckets, tables->n_elder_buckets, asked);
	if (!flow_word_alive(word, tables->tick, tables_header(tables)->timeout))
		return;
	e->entry = (uint16_t)flow_word_backend(word);
	e->flow_state = flow_word_state(word);
	e->idle_s = flow_word_age(word, tables->tick) * FLOW_TICK_S;
}

/* Whether the flow's entry decides: forward_known(), for the next packet, of a half-open flow the client's next
 * SYN. */
static bool explain_entry(const struct tables *tables, const struct asked *asked, struct explanation *e)
{
	bool tcp = asked->protocol == IPPROTO_TCP;
	struct lookup next = { .vip = asked->vip, .signal = tcp ? TCP_SYN : SIGNAL_UDP };
	const struct snapshot_backend *backend;

	if (e->entry == SNAPSHOT_NONE)
		return false;
	backend = forward_any_backend(tables, e->entry);
	if (!backend || forward_leaves(&next, backend, tcp && e->flow_state == FLOW_SYN))
		return false;
	e->reason = EXPLAIN_FLOW;
	e->backend = e->entry;
	return true;
}

/* What packet_parse() would say against it: the drop's counter, or COUNTER_FORWARDED. */
static uint32_t fault(const struct asked *asked)
{
	uint32_t counter;

	if (addr_equal(asked->source, asked->destination))
		return COUNTER_DROP_LAND;
	counter = addr_is_ipv4(asked->source) ? parse_source_ipv4(addr_to_ipv4(asked->source))
					      : parse_source_ipv6(asked->source);
	if (counter)
		return counter;
	return asked->source_port && asked->port ? COUNTER_FORWARDED : COUNTER_DROP_PORT_ZERO;
}

/* Whether it ends before its VIP is asked for anything: forward_match() and forward_other(). */
static bool is_not_matched(const struct tables *tables, const struct asked *asked, struct explanation *e)
{
	uint32_t counter = fault(asked);
	/* Of what is no flow's packet nothing but the address is looked at. */
	const struct snapshot_vip *entry =
		asked->vip && !counter ? asked->vip : vip_find_address(tables, asked->destination);

	if (!entry)
		return stops(e, EXPLAIN_NO_VIP, COUNTER_TO_KERNEL);
	if (!(entry->flags & VIP_ACTIVE))
		return stops(e, EXPLAIN_INACTIVE, COUNTER_DROP_INACTIVE);
	if (counter)
		return stops(e, EXPLAIN_FAULTY, counter);
	return !asked->vip && stops(e, EXPLAIN_NO_VIP, COUNTER_DROP_NO_SERVICE);
}

/* Whether the VIP's access list keeps it out: forward_admit(). */
static bool is_kept_out(const struct tables *tables, const struct asked *asked, struct explanation *e)
{
	const struct snapshot_access *list =
		asked->vip->flags & VIP_ACCESS ? access_list(tables, asked->vip->vip) : NULL;
	uint32_t result;

	if (!list)
		return false;
	result = access_look_up(tables, list, asked->source);
	e->listed = true;
	if (result & ACCESS_RULE)
		e->rule = (result & ACCESS_RULE) - 1;
	if (!(result & ACCESS_OUT))
		return false;
	return result & ACCESS_RULE ? stops(e, EXPLAIN_DENIED, COUNTER_DROP_DENIED)
				    : stops(e, EXPLAIN_NOT_ALLOWED, COUNTER_DROP_NOT_ALLOWED);
}

/* Whether it is dropped for want of an entry, as its source is a VIP: forward_miss(). */
static bool is_land(const struct tables *tables, const struct asked *asked, struct explanation *e)
{
	return e->entry == SNAPSHOT_NONE && vip_find_address(tables, asked->source) &&
		stops(e, EXPLAIN_FAULTY, COUNTER_DROP_LAND);
}

struct explanation explain_flow(const void *snapshot, const struct forwarder_flows *flows, struct addr source,
	uint16_t source_port, struct addr destination, uint16_t port, uint8_t protocol, uint64_t now_s,
	bool at_bound)
{
	struct explanation e = {
		.reason = EXPLAIN_NO_VIP,
		.counter = COUNTER_FORWARDED,
		.vip = SNAPSHOT_NONE,
		.backend = SNAPSHOT_NONE,
		.other = SNAPSHOT_NONE,
		.entry = SNAPSHOT_NONE,
		.slot = EXPLAIN_NO_SLOT,
		.rule = EXPLAIN_NO_RULE,
	};
	struct asked asked = { .source = source,
		.destination = destination,
		.source_port = source_port,
		.port = port,
		.protocol = protocol };
	struct tables tables;

	memset(&tables, 0, sizeof(tables));
	tables_open_snapshot(&tables, snapshot);
	/* The core's tables are to be written to; these are only looked at, and mapped read-only at that. */
	tables.buckets = (struct flow_bucket *)(uintptr_t)flows->buckets;
	tables.n_buckets = flows->n_buckets;
	tables.elder_buckets = (struct flow_bucket *)(uintptr_t)flows->elder_buckets;
	tables.n_elder_buckets = flows->n_elder_buckets;
	tables.tick = flow_tick(now_s);
	asked.vip = vip_lookup(&tables, destination, core_be16(port), protocol);
	if (asked.vip) {
		e.vip = asked.vip->vip;
		e.slots = asked.vip->slot_count;
		e.scheduler = (enum scheduler)vip_scheduler(asked.vip);
	}
	if (is_not_matched(&tables, &asked, &e))
		return e;
	asked.hash = flow_hash(tables_header(&tables)->hash_key, source, destination, core_be16(source_port),
		core_be16(port), protocol);
	find_entry(&tables, &asked, &e);
	if (is_kept_out(&tables, &asked, &e) || explain_entry(&tables, &asked, &e) || is_land(&tables, &asked, &e))
		return e;
	e.at_bound = at_bound && e.entry == SNAPSHOT_NONE && protocol == IPPROTO_TCP;
	explain_new(&tables, &asked, &e);
	return e;
}
