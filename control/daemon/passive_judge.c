/* SPDX-License-Identifier: BSD-3-Clause */
/* Shares and silences of handshakes. */
#include "passive_judge.h"

#include <math.h>
#include <string.h>

#define EVIDENCE_USUAL 7.5
#define EVIDENCE_FLOOD 13.0
#define ASKED_LEAST 4	  /* SYNs, in every window */
#define SHARE_LEAST 8	  /* handshakes it must have completed lately: what never worked is not what stopped */
#define SHARE_LATELY 2000 /* of the pool's handshakes its share is taken of */

static const uint32_t lags[PASSIVE_LAGS] = { 0, 2, 4, 8, 16 };

_Static_assert(PASSIVE_RING > 16, "the ring holds the longest lag");

static uint64_t lagged(const uint64_t *ring, uint32_t at, int lag)
{
	return ring[(at + PASSIVE_RING - lags[lag]) % PASSIVE_RING];
}

void passive_sample_begin(struct passive_pool *pool)
{
	pool->at = (pool->at + 1) % PASSIVE_RING;
}

/* Its silence, if it is one, begins here. */
static void begin_window(const struct passive_pool *pool, struct passive_backend *b)
{
	for (int i = 0; i < PASSIVE_LAGS; i++) {
		b->asked_then[i] = lagged(b->ring, pool->at, i);
		b->pool_asked_then[i] = lagged(pool->ring, pool->at, i);
	}
	b->pool_completed_then = pool->completed;
}

void passive_sample(struct passive_pool *pool, struct passive_backend *b, uint64_t asked, uint64_t completed)
{
	b->completes = false;
	if (b->watched && asked >= b->asked && completed >= b->completed) {
		b->completes = completed > b->completed;
		if (b->completes)
			b->own_share += (double)(completed - b->completed);
		pool->asked += asked - b->asked;
		pool->completed += completed - b->completed;
	} else {
		for (int i = 0; i < PASSIVE_RING; i++)
			b->ring[i] = asked;
		b->watched = false;
	}
	b->asked = asked;
	b->completed = completed;
	b->ring[pool->at] = asked;
}

void passive_sample_end(struct passive_pool *pool)
{
	pool->ring[pool->at] = pool->asked;
}

void passive_settle(const struct passive_pool *pool, struct passive_backend *b)
{
	if (b->watched && !b->completes)
		return;
	if (b->watched)
		b->pool_share += (double)(pool->completed - b->pool_completed_then);
	while (b->pool_share > SHARE_LATELY) {
		b->pool_share /= 2;
		b->own_share /= 2;
	}
	b->watched = true;
	begin_window(pool, b);
}

/* The smallest share of the SYNs that it had in the windows; 0 where it hardly had any. */
static double share_of_syns(const struct passive_pool *pool, const struct passive_backend *b)
{
	double least = 1;

	for (int i = 0; i < PASSIVE_LAGS; i++) {
		uint64_t own = lagged(b->ring, pool->at, i) - b->asked_then[i];
		uint64_t all = lagged(pool->ring, pool->at, i) - b->pool_asked_then[i];
		double share;

		if (own < ASKED_LEAST || all <= own)
			return 0;
		share = (double)own / (double)all;
		if (share < least)
			least = share;
	}
	return least;
}

double passive_evidence(const struct passive_pool *pool, const struct passive_backend *b)
{
	double share, usual;

	if (!b->watched || b->own_share < SHARE_LEAST)
		return 0;
	share = share_of_syns(pool, b);
	usual = b->own_share / b->pool_share;
	if (usual < share)
		share = usual;
	return share < 1 ? -log1p(-share) * (double)(pool->completed - b->pool_completed_then) : 0;
}

bool passive_is_suspect(const struct passive_pool *pool, const struct passive_backend *b)
{
	uint64_t asked = lagged(pool->ring, pool->at, 0) - b->pool_asked_then[0];
	uint64_t completed = pool->completed - b->pool_completed_then;

	return passive_evidence(pool, b) >= (completed * 2 >= asked ? EVIDENCE_USUAL : EVIDENCE_FLOOD);
}
