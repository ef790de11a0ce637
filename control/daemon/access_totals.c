/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Totals of access lists' rules. A rule's total is its base and what each kind of forwarder's memory says of its id;
 * when memory ends, what it said last goes into the base. Of an id that was another rule's in the same memory, what
 * was counted until then is taken off.
 */
#include "access_totals.h"

#include <stdlib.h>

struct access_totals {
	struct model *model;
	const struct publisher *publisher;
	/* What each rule's id had when it was read last, whoever's it was. */
	uint64_t last[ACCESS_COUNTED][SNAPSHOT_MAX_RULES];
};

_Static_assert(ACCESS_COUNTED == FORWARDER_KINDS, "kinds of forwarders");

struct access_totals *access_totals_open(struct model *model, const struct publisher *publisher)
{
	struct access_totals *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->model = model;
	t->publisher = publisher;
	return t;
}

void access_totals_close(struct access_totals *t)
{
	free(t);
}

static uint64_t read_rule(const struct forwarder_worker *workers, uint32_t n, uint32_t id)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		if (id < workers[i].n_rules)
			sum += *(const volatile __u64 *)&workers[i].rule[id];
	return sum;
}

/* Of all workers, to be freed; NULL: none, or no memory. */
static struct forwarder_worker *workers_of(const struct forwarder *f, uint32_t *n)
{
	struct forwarder_worker worker, *workers = NULL;
	uint32_t room = 0;

	*n = 0;
	for (uint32_t i = 0; forwarder_worker(f, i, &worker); i++) {
		if (!worker.rule)
			continue;
		if (*n == room) {
			struct forwarder_worker *grown = realloc(workers, (room ? 2 * room : 8) * sizeof(*grown));

			if (!grown) {
				free(workers);
				return NULL;
			}
			workers = grown;
			room = room ? 2 * room : 8;
		}
		workers[(*n)++] = worker;
	}
	return workers;
}

void access_totals_begin(struct access_totals *t, const struct forwarder *f)
{
	struct access_segment *segment = &model_access_segments(t->model)[f->kind];
	struct forwarder_worker *workers;
	uint32_t n;

	if (!f->segment.started_ns)
		return;
	if (segment->started_ns != f->segment.started_ns || segment->pid != f->segment.pid) {
		*segment = (struct access_segment){ f->segment.started_ns, f->segment.pid };
		for (struct access_list *list = model_access_lists(t->model); list; list = list->next) {
			for (uint32_t i = 0; i < list->n; i++) {
				list->rules[i].base += list->rules[i].counted[f->kind];
				list->rules[i].counted[f->kind] = 0;
			}
		}
	}
	/* Rules that are gone may have counted in it. */
	workers = workers_of(f, &n);
	for (uint32_t id = 0; id < SNAPSHOT_MAX_RULES; id++)
		t->last[f->kind][id] = workers ? read_rule(workers, n, id) : 0;
	free(workers);
}

/* One whose id was another's: that one's packets are not its own. */
static void begin_rule(const struct access_totals *t, struct access_rule *rule)
{
	if (!rule->fresh)
		return;
	rule->fresh = false;
	for (int kind = 0; kind < ACCESS_COUNTED; kind++)
		rule->base -= t->last[kind][rule->id];
}

static void read_kind(struct access_totals *t, const struct forwarder *f)
{
	uint32_t n;
	struct forwarder_worker *workers = workers_of(f, &n);

	for (struct access_list *list = model_access_lists(t->model); workers && list; list = list->next)
		for (uint32_t i = 0; i < list->n; i++) {
			struct access_rule *rule = &list->rules[i];

			rule->counted[f->kind] = t->last[f->kind][rule->id] = read_rule(workers, n, rule->id);
		}
	free(workers);
}

void access_totals_read(struct access_totals *t)
{
	for (struct access_list *list = model_access_lists(t->model); list; list = list->next)
		for (uint32_t i = 0; i < list->n; i++)
			begin_rule(t, &list->rules[i]);
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(t->publisher, (enum forwarder_kind)kind);

		if (f && f->stats && model_access_lists(t->model))
			read_kind(t, f);
	}
}
