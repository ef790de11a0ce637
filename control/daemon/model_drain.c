/* SPDX-License-Identifier: BSD-3-Clause */
/* Backends that are taken out by command, at once or as their flows end, and put back in. */
#include <errno.h>
#include <inttypes.h>

#include "clock.h"
#include "duration.h"
#include "events.h"
#include "model_private.h"

enum wish { WISH_DISABLE, WISH_ENABLE, WISH_DRAIN };

struct request {
	enum wish wish;
	struct drain_wish drain;
};

static void disable(struct model *model, struct backend *b)
{
	struct model_share before = model_share_of(b);

	if (b->disabled)
		return;
	b->disabled = true;
	/* What an earlier enable waits for is over: the next one has a check of its own. */
	b->returning = false;
	event_tell(EVENT_DISABLED, NULL, b, "%s", "");
	model_backend_touch(model, b, before);
	model->generation++;
}

static void enable(struct model *model, struct backend *b)
{
	struct model_share before = model_share_of(b);

	if (!b->disabled && !b->draining)
		return;
	b->disabled = b->draining = false;
	b->drain = (struct drain){ 0 };
	/* It is another server than it was, perhaps, or none yet: what was known of it is old. */
	b->returning = b->pool->check.type != CHECK_NONE;
	event_tell(EVENT_ENABLED, NULL, b, "%s", b->returning ? "new flows come with its first good check" : "");
	model_backend_touch(model, b, before);
	model->generation++;
}

static void drain(struct model *model, struct backend *b, const struct drain_wish *wish)
{
	struct model_share before = model_share_of(b);
	uint64_t now = clock_boot_ms();
	char limit[DURATION_TEXT];

	if (b->draining && (b->drain.over || !wish->deadline_ms))
		return;
	if (!b->draining) {
		b->drain = (struct drain){ .since_ms = now };
		/* Flows that began since the last sweep are not counted yet. */
		b->sweeps = 0;
		b->draining = true;
		b->returning = false;
		if (wish->deadline_ms)
			event_tell(EVENT_DRAIN_BEGUN, NULL, b, "flows that are left after %s are cut",
				duration_print_ms(wish->deadline_ms, limit));
		else
			event_tell(EVENT_DRAIN_BEGUN, NULL, b, "%s", "");
	}
	if (wish->deadline_ms)
		b->drain.deadline_ms = now + wish->deadline_ms;
	model_backend_touch(model, b, before);
	model->generation++;
}

void model_drain_end(struct model *model, struct backend *b, bool expired)
{
	struct model_share before = model_share_of(b);
	uint64_t took_ms = clock_boot_ms() - b->drain.since_ms;
	char after[DURATION_TEXT];

	b->drain.over = true;
	b->drain.expired = expired;
	b->drain.cut = expired ? b->active_flows : 0;
	duration_print_ms(took_ms - took_ms % 1000, after);
	if (b->drain.cut)
		event_tell(EVENT_DRAIN_CUT, NULL, b, "%" PRIu32 " flow%s cut after %s", b->drain.cut,
			b->drain.cut > 1 ? "s were" : " was", after);
	else
		event_tell(EVENT_DRAIN_DONE, NULL, b, "no flow is left after %s", after);
	model_backend_touch(model, b, before);
	model->generation++;
}

uint64_t model_drain_deadlines(struct model *model, uint64_t now_ms)
{
	uint64_t next = 0;

	for (struct pool *pool = model->first_pool; pool; pool = pool->next) {
		for (struct backend *b = pool->backends; b; b = b->next) {
			if (b->removed || !b->draining || b->drain.over || !b->drain.deadline_ms)
				continue;
			if (b->drain.deadline_ms <= now_ms)
				model_drain_end(model, b, true);
			else if (!next || b->drain.deadline_ms < next)
				next = b->drain.deadline_ms;
		}
	}
	return next;
}

/* Whether a pool would be left with nobody for its new flows: 0, or -EBUSY and a line in *error. */
static int refuse_last(const struct backend *b, struct error *error)
{
	char text[ADDRESS_TEXT];

	if (!model_backend_is_in_slots(b) || model_pool_in_slots(b->pool) > 1)
		return 0;
	return error_set(error, EBUSY,
		"%s is the last backend of pool \"%s\" that takes new flows: only --force drains it",
		address_print(b->address, text), b->pool->name);
}

static void grant(struct model *model, struct backend *b, const struct request *request)
{
	switch (request->wish) {
	case WISH_DISABLE:
		disable(model, b);
		break;
	case WISH_ENABLE:
		enable(model, b);
		break;
	case WISH_DRAIN:
		drain(model, b, &request->drain);
		break;
	}
}

/* All of the address's backends, in the only pool or in each: the next pool that has it, and its backend there. */
static struct backend *next_of(struct model *model, struct pool *only, struct addr address, struct pool **pool)
{
	while (!only && (*pool = *pool ? (*pool)->next : model->first_pool)) {
		struct backend *b = model_backend_find(*pool, address);

		if (b)
			return b;
	}
	if (only && !*pool) {
		*pool = only;
		return model_backend_find(only, address);
	}
	return NULL;
}

static int set_wish(struct model *model, const char *pool_name, struct addr address, const struct request *request,
	struct error *error)
{
	struct pool *only = NULL, *pool = NULL;
	char text[ADDRESS_TEXT];
	bool found = false;
	struct backend *b;
	int err = pool_name ? model_find_pool(model, pool_name, &only, error) : 0;

	while (!err && (b = next_of(model, only, address, &pool))) {
		found = true;
		if (request->wish == WISH_DRAIN && !request->drain.force)
			err = refuse_last(b, error);
	}
	if (err)
		return err;
	if (!found && only)
		return model_no_backend(only, address, error);
	if (!found)
		return error_set(error, ENOENT, "no pool has a backend %s", address_print(address, text));
	pool = NULL;
	while ((b = next_of(model, only, address, &pool)))
		grant(model, b, request);
	return 0;
}

int model_disable(struct model *model, const char *pool, struct addr address, struct error *error)
{
	struct request request = { .wish = WISH_DISABLE };

	return set_wish(model, pool, address, &request, error);
}

int model_enable(struct model *model, const char *pool, struct addr address, struct error *error)
{
	struct request request = { .wish = WISH_ENABLE };

	return set_wish(model, pool, address, &request, error);
}

int model_drain(struct model *model, const char *pool, struct addr address, const struct drain_wish *wish,
	struct error *error)
{
	struct request request = { .wish = WISH_DRAIN, .drain = *wish };

	return set_wish(model, pool, address, &request, error);
}
