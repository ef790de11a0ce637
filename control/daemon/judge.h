/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What follows from the results of a backend's checks: pure logic, without clocks, sockets or the model. One
 * struct judge a backend holds an opinion and how firm it is; one struct judge_limit for all says how many
 * opinions may become changes of the running set in a second.
 */
#ifndef SHUNT_JUDGE_H
#define SHUNT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct judge {
	bool up;	/* the opinion */
	bool fresh;	/* no result yet: a success is enough, and a failure of what is down is worth telling */
	bool returning; /* put back by command: a success is enough, however many failures were before it */
	bool suspected; /* its handshakes have stopped: a failure is enough */
	uint32_t successes; /* in a row */
	uint32_t failures;  /* in a row */
};

enum judge_verdict { JUDGE_NOTHING, JUDGE_UP, JUDGE_DOWN };

/* Forget all results. up: what is held of it meanwhile. */
void judge_begin(struct judge *judge, bool up);
/* It was enabled: the results from now on count. */
void judge_return(struct judge *judge);
/* Its handshakes have stopped: the next result answers that. */
void judge_suspect(struct judge *judge);

/* A result, and the opinion if that is now another one, or the first that there is. */
enum judge_verdict judge_succeeded(struct judge *judge, const struct check *check);
enum judge_verdict judge_failed(struct judge *judge, const struct check *check);
/* The check could not be made, for a reason of our own: that is no result, but no reason to stay suspicious
 * either. */
void judge_unmade(struct judge *judge);

/* From the beginning of the last check to that of the next, without jitter: shorter while a result is in doubt. */
uint32_t judge_interval_ms(const struct judge *judge, const struct check *check);
/* How long the next check may take: the one that answers a suspicion must be quick. */
uint32_t judge_timeout_ms(const struct judge *judge, const struct check *check);

#define JUDGE_LIMIT_SLOTS 51 /* of 20 ms: a second, and the one that is not over */

/* Changes that were made within the last second. All zero: none, and any number may be. */
struct judge_limit {
	uint32_t most; /* a second; 0: any number */
	uint32_t made; /* in all slots */
	uint64_t slot; /* the newest one's number */
	uint32_t in_slot[JUDGE_LIMIT_SLOTS];
};

/* Whether a change may be made now: then it is counted. In no second there are more than most. now_ms never falls.
 */
bool judge_limit_take(struct judge_limit *limit, uint64_t now_ms);
/* How long until the next may be, when one may not be now: 1 to 1,020 ms. */
uint32_t judge_limit_wait_ms(const struct judge_limit *limit, uint64_t now_ms);

#endif
