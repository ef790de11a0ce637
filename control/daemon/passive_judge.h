/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a backend's handshakes have stopped while its peers' go on: pure arithmetic over what the forwarders count,
 * without clocks or the model. One struct passive_pool a pool, one struct passive_backend a backend of it; both
 * are given the same samples.
 *
 * While a backend is as good as its peers, each handshake that the pool completes is its own with the probability
 * of its share of the SYNs. So n of its peers' in a row, and none of its own, have the probability (1 - share)^n:
 * minus the logarithm of that is the evidence against it. Two things could feign a share:
 *
 * - Clients far away: between a SYN and the client's answer to the reply goes by a round trip, and a backend that
 * just was asked much owes nothing yet. So the share is also taken of the SYNs of some earlier windows, as long,
 * and the smallest counts.
 * - SYNs that nobody means, aimed at one backend (with source-hash a single forged address does). So the share is
 * at most what the backend had of the handshakes completed lately. SYNs spread over all change no share.
 */
#ifndef SHUNT_PASSIVE_JUDGE_H
#define SHUNT_PASSIVE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#define PASSIVE_LAGS 5 /* windows: the present one, and those 2, 4, 8 and 16 samples earlier */
#define PASSIVE_RING 32

struct passive_pool {
	uint64_t asked, completed;   /* by all its backends, since it was made */
	uint64_t ring[PASSIVE_RING]; /* asked, at the last samples */
	uint32_t at;		     /* the newest one's place */
};

struct passive_backend {
	bool watched;		   /* sampled before: what follows says something */
	bool completes;		   /* it did since the last sample */
	uint64_t asked, completed; /* as given last */
	uint64_t ring[PASSIVE_RING];
	/* When it completed something last, or was begun with: */
	uint64_t asked_then[PASSIVE_LAGS], pool_asked_then[PASSIVE_LAGS], pool_completed_then;
	/* Completed lately: its own, and its pool's. */
	double own_share, pool_share;
};

/*
 * A sample: begin, each of the pool's backends, end; then any backend may be judged. asked, completed: totals,
 * which only rise; a backend that is new, or about whom nothing is to be concluded from before, has watched false.
 */
void passive_sample_begin(struct passive_pool *pool);
void passive_sample(
	struct passive_pool *pool, struct passive_backend *backend, uint64_t asked, uint64_t completed);
void passive_sample_end(struct passive_pool *pool);
/* After passive_sample_end(), for each backend: what follows from its having completed something. */
void passive_settle(const struct passive_pool *pool, struct passive_backend *backend);

/* The evidence against a settled backend, in nats: a healthy one shows more than x once in exp(x) handshakes at
 * most. 0: none. */
double passive_evidence(const struct passive_pool *pool, const struct passive_backend *backend);
/*
 * Whether that is enough. More is asked for while most SYNs come to nothing (a flood): then a healthy backend,
 * too, completes by chance, and not soon after it was asked.
 */
bool passive_is_suspect(const struct passive_pool *pool, const struct passive_backend *backend);

#endif
