/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running set: VIPs, pools and backends as they are now, whoever changed them last (file, command,
 * check, neighbour table). The only writer of this state is the model; everything else asks it and is
 * told of changes through struct model_listener. One thread.
 *
 * Ids of VIPs, pools and backends go into snapshots and flow words and so outlive restarts: they are
 * kept in the state file and given out next-fit, so that an id is not used again soon after it was freed.
 */
#ifndef SHUNT_MODEL_H
#define SHUNT_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "access_list.h"
#include "config.h"
#include "sorted.h"
#include "text.h"

struct model;

/* What is counted, since the object was made, across restarts of either daemon. */
struct traffic {
	uint64_t packets;
	uint64_t bytes;
	uint64_t new_flows;
	/* Of backends alone; struct stats_handshakes says what each is. */
	uint64_t syns;
	uint64_t handshakes;
	uint64_t syn_repeats;
	/* Of VIPs alone; struct stats_guard says what each is. */
	uint64_t elsewhere;
	uint64_t untracked;
	uint64_t over_bound;
	uint64_t refused;
	uint64_t limited;
};

/* A drain that was asked for. Times are of clock_boot_ms(), which nobody sets back. */
struct drain {
	uint64_t since_ms;
	uint64_t deadline_ms; /* flows still there are cut then; 0: none */
	uint32_t cut;	      /* flows that were cut at the deadline */
	bool over;    /* no flow is left; stays so until the backend is enabled */
	bool expired; /* it was over by its deadline: packets of its flows go elsewhere */
};

struct backend {
	struct backend *next; /* in its pool, ascending address */
	struct pool *pool;
	struct addr address;
	uint16_t id;
	uint16_t weight;   /* 0: no new flows */
	bool mac_pinned;   /* by configuration: the neighbour table is not asked */
	bool mac_known;
	struct mac mac;
	uint16_t port;     /* of the snapshot's ports, the one it is behind */
	bool cut_off;      /* nothing that the forwarder sends to that port leaves by it */
	bool healthy;      /* the last judgement of its check; true where there is none */
	bool suspect;	   /* its handshakes have stopped: no new flows until a check has said more */
	bool disabled;     /* by command: out at once, flows too */
	bool draining;     /* by command: keeps its flows, gets no new ones */
	bool returning;	   /* enabled again: no new flows before its check succeeds */
	struct drain drain;   /* while draining */
	int32_t check_weight; /* what its check says it can take, instead of weight; -1: nothing said */
	uint16_t ramp;	      /* slow start: permille of its weight that it has by now; else RAMP_FULL */
	bool removed; /* taken out of the set; stays in the list until its last flow has ended, shown nowhere */
	uint64_t removed_at_s; /* model_reap's clock when it first saw it removed; 0: not yet */
	struct traffic traffic; /* counters.c: rw, others: ro */
	uint32_t active_flows;  /* counters.c: rw, others: ro */
	uint32_t closing_flows; /* counters.c: rw, others: ro */
	uint32_t silent_s; /* counters.c: rw, others: ro; longest silence of an active flow, in steps of 4 s */
	uint8_t sweeps; /* the model's: 0 to 2, that have counted them since nobody knew, or since a drain */
	void *health;      /* owned by health.c */
	void *neighbour;   /* owned by neighbour.c */
};

struct pool {
	struct pool *next; /* ascending name */
	char name[NAME_MAX_LEN + 1];
	uint16_t id;
	int family;        /* AF_INET, AF_INET6; AF_UNSPEC while it has neither backend nor VIP */
	enum scheduler scheduler;
	struct check check;
	uint32_t check_version; /* rises with each change of the check */
	uint32_t panic; /* percent of the enabled backends; with fewer of them healthy health is ignored; 0: never */
	bool passive;  /* handshakes that stop make a backend suspect */
	uint32_t slow_start_ms;	  /* over which a backend that came up takes its full share; 0: at once */
	struct pool *fallback;	  /* serves the VIPs while no backend of this one can; NULL: none */
	bool panicking;		  /* health is ignored now */
	bool in_fallback;	  /* the fallback serves the VIPs now */
	struct backend *backends; /* the removed ones too */
	uint32_t n_backends; /* without the removed ones */
	uint32_t n_enabled; /* those of them that commands and weights let have new flows, */
	uint32_t n_usable;  /* of these those that could be sent some now, */
	uint32_t n_healthy; /* of these those that are, */
	uint32_t n_taking;  /* and of these those that are not suspect */
	uint32_t n_fallback_of;   /* pools that fall back to this one, */
	uint32_t n_lent_vips;     /* their VIPs, */
	uint32_t n_lent_tcp_vips; /* and of these those of TCP and one port */
	uint32_t n_vips;
	uint32_t n_port_vips; /* of them those of one port */
	uint32_t n_tcp_vips;  /* and of these those of TCP: where there is any, a pool is checked by default */
	bool slots_dirty;  /* slots have to be built anew before the next snapshot */
	uint16_t *slots;
	uint32_t n_slots;
	uint16_t slot_scale; /* weights in them are so many times the backends' */
	struct sorted sorted; /* the model's: its backends, for look-ups */
	bool unsettled;        /* the model's: the check's type is to follow the VIPs yet */
	struct vip *check_vip; /* the model's: model_check_vip()'s, or NULL: to be looked for */
};

struct vip {
	struct vip *next; /* ascending address, protocol, port */
	struct addr address;
	uint16_t port;    /* host order */
	uint8_t protocol;
	uint16_t id;
	struct pool *pool;
	struct vip_policy policy;
	struct traffic traffic; /* counters.c: rw, others: ro */
	uint32_t active_flows;  /* counters.c: rw, others: ro */
	uint32_t half_open;	/* likewise; of its active flows */
};

#define RAMP_FULL 1000

enum backend_state { STATE_UP, STATE_DOWN, STATE_DRAINING, STATE_DRAINED, STATE_DISABLED };

/* Called after the change, in the order of registration. Any may be NULL. */
struct model_listener {
	struct model_listener *next; /* the model's */
	void *context;
	void (*backend_added)(void *context, struct backend *backend);
	/* Any field above traffic; it is told of removed ones too. */
	void (*backend_changed)(void *context, struct backend *backend);
	void (*backend_removed)(void *context, struct backend *backend); /* just before it is freed */
	/* Its check, its policy, its VIPs, or those of a pool that falls back to it. */
	void (*pool_changed)(void *context, struct pool *pool);
	void (*snapshot_needed)(void *context); /* something a forwarder must know has changed */
};

struct model *model_new(void);
void model_free(struct model *model);
void model_listen(struct model *model, struct model_listener *listener); /* listener: the caller's, outlives */

void model_unlisten(struct model *model, struct model_listener *listener);

/* First of each list. */
struct pool *model_pools(struct model *model);
struct vip *model_vips(struct model *model);

/* First of them; and the one of the name, or NULL. */
struct access_list *model_access_lists(struct model *model);
struct access_list *model_access_find(struct model *model, const char *name);
/* The next VIP after that one, or with NULL the first, that has the list; NULL: none. */
const struct vip *model_access_user(struct model *model, const struct access_list *list, const struct vip *after);
/* Of which forwarders' memory the rules' counters were read last. access_totals.c: rw */
struct access_segment {
	uint64_t started_ns; /* 0: none */
	uint64_t pid;
};
struct access_segment *model_access_segments(struct model *model); /* ACCESS_COUNTED of them */

struct pool *model_pool_find(struct model *model, const char *name);
struct vip *model_vip_find(struct model *model, struct addr address, uint8_t protocol, uint16_t port);
struct backend *model_backend_find(struct pool *pool, struct addr address); /* not the removed ones */
struct backend *model_backend_by_id(struct model *model, uint16_t id);      /* the removed ones too */
/* Its bound of half-open flows, in a flow table of this capacity. */
uint32_t model_vip_half_open(const struct vip *vip, uint64_t capacity);
struct vip *model_vip_by_id(struct model *model, uint16_t id);
/* The VIP a check without a port of its own connects to: the first of its protocol and one port, else the first
 * of one port, else the first (whose port is 0). Of a pool without any, likewise of the pools that fall back to it;
 * NULL: these have none either. */
struct vip *model_check_vip(struct model *model, struct pool *pool);
enum backend_state model_backend_state(const struct backend *backend);
/* Whether new flows could go to it: all but what checks and handshakes say of it. */
bool model_backend_is_usable(const struct backend *backend);
/* Whether it may get new flows now, and so is in its pool's slots. */
bool model_backend_is_in_slots(const struct backend *backend);
/* How many of the pool's are. */
uint32_t model_pool_in_slots(const struct pool *pool);
/* Whether VIPs are served by it, or would be while it is their pool's fallback. */
bool model_pool_is_used(const struct pool *pool);
/* Its weight among the pool's others, slow start left out. */
uint16_t model_backend_weight(const struct backend *backend);
const char *backend_state_name(enum backend_state state);
const char *scheduler_name(enum scheduler scheduler);
int scheduler_from_name(const char *name); /* enum scheduler, or -EINVAL */

/*
 * Changes by command. 0, or -errno (-EEXIST, -ENOENT, -EINVAL, -EBUSY, -ENOSPC, -ENOMEM) and a line in *error;
 * then nothing changed. enable ends a drain too.
 */
int model_vip_add(struct model *model, struct addr address, uint8_t protocol, uint16_t port, const char *pool,
	struct error *error);
/* policy: what it is to let in, as vips of shunt.conf has it. */
int model_vip_set(struct model *model, struct addr address, uint8_t protocol, uint16_t port,
	const struct vip_policy *policy, struct error *error);
int model_vip_del(struct model *model, struct addr address, uint8_t protocol, uint16_t port, struct error *error);
/*
 * Access lists. model_access_add() and _del(): prefixes sorted, none twice; those that are rules already are left as
 * they are; how many were added.
 */
int model_access_new(struct model *model, const char *name, struct error *error);
int model_access_remove(struct model *model, const char *name, struct error *error); /* -EBUSY while a VIP has it */
int model_access_add(
	struct model *model, const char *name, const struct config_prefix *prefixes, size_t n, struct error *error);
int model_access_del(
	struct model *model, const char *name, const struct config_prefix *prefixes, size_t n, struct error *error);
/* wanted: all but backends, file and line. */
int model_pool_add(struct model *model, const struct config_pool *wanted, struct error *error);
int model_pool_del(struct model *model, const char *name, struct error *error); /* -EBUSY while a VIP uses it */
int model_backend_add(struct model *model, const char *pool, struct addr address, uint16_t weight,
	const struct mac *pinned, struct error *error);
int model_backend_del(struct model *model, const char *pool, struct addr address, struct error *error);
int model_backend_set(struct model *model, const char *pool, struct addr address, uint16_t weight,
	struct error *error);
/*
 * In the named pool, or with NULL in every pool that has it; -ENOENT if none has. What was disabled or drained and
 * is enabled is "returning" until its check has succeeded, where it has one.
 */
int model_disable(struct model *model, const char *pool, struct addr address, struct error *error);
int model_enable(struct model *model, const char *pool, struct addr address, struct error *error);

struct drain_wish {
	uint64_t deadline_ms; /* from now; 0: none said. Then one that was said before stays. */
	bool force;	      /* also where nobody else takes new flows */
};

/*
 * All that have the address, or with -EBUSY none: without force a backend that alone gets a pool's new flows is
 * not drained.
 */
int model_drain(struct model *model, const char *pool, struct addr address, const struct drain_wish *wish,
	struct error *error);

/*
 * What the world says. After a restart a backend comes back with the MAC and the judgement it had, so that
 * nothing changes for traffic: neither is taken from it before the kernel or the check says otherwise.
 */
void model_set_mac(struct model *model, struct backend *backend, const struct mac *mac); /* NULL: unknown */
/* reached: whether frames that the forwarder sends to this port leave by it. */
void model_set_port(struct model *model, struct backend *backend, uint16_t port, bool reached);
void model_set_healthy(struct model *model, struct backend *backend, bool healthy);
void model_set_suspect(struct model *model, struct backend *backend, bool suspect);
/* Its check has succeeded since it was enabled. */
void model_set_returned(struct model *model, struct backend *backend);
void model_set_check_weight(struct model *model, struct backend *backend, int32_t weight); /* 0..65535, or -1 */
void model_set_ramp(struct model *model, struct backend *backend, uint16_t permille);	   /* 1..RAMP_FULL */
/*
 * Free removed backends that have no flows left. now_s: CLOCK_MONOTONIC when the last sweep of the flow table
 * ended. Called every second, but only while active_flows and closing_flows are fresh (a forwarder is there and
 * sweeps): without it nobody knows. A draining backend is "drained" once a sweep that began after it was told
 * to drain has found no flow of it.
 */
void model_reap(struct model *model, uint64_t now_s);
/* The last sweep ended then, before anything that sweeps are to count: a forwarder came. now_s as above. */
void model_swept(struct model *model, uint64_t now_s);
/*
 * End the drains whose deadline is over: flows that are left are cut. now_ms: clock_boot_ms(). Returns the next
 * deadline, or 0 if there is none.
 */
uint64_t model_drain_deadlines(struct model *model, uint64_t now_ms);
/* The forwarder went away, or has stopped: what it counted is not to be relied on until it sweeps again. */
void model_flows_unknown(struct model *model);

/*
 * Make the running set what the configuration says; drains and disables of backends that stay are kept.
 * Returns a JSON array of one string a change ("backend web 10.0.0.14 added"), empty if there is none;
 * with dry_run nothing is changed. Never fails for a validated configuration but for memory (NULL): backends that
 * go give up their ids before others take some, and pools and VIPs are few enough.
 */
json_t *model_apply(struct model *model, const struct config *config, bool dry_run);

/*
 * At a start, where the configuration is as it was: make those access lists what the configuration says whose
 * files of prefixes have changed since. Returns lines as model_apply() does; or NULL: no memory, or with what was
 * added by command the rules are too many, and some of it may be done.
 */
json_t *model_apply_prefix_files(struct model *model, const struct config *config);

/* How many there are; backends without the removed ones, one counted in each pool it is in. */
struct model_counts {
	uint32_t vips;
	uint32_t pools;
	uint32_t backends;
};
struct model_counts model_count(const struct model *model);

/* Rises with every change by command or file, not with what the world says: what must be saved at once. */
uint64_t model_generation(const struct model *model);

/*
 * The running set as the text of a configuration file that parses back to the same set, with the settings
 * outside pools and vips as config has them. Returns 0 and *text, to be freed with free(); or -ENOMEM.
 */
int model_save_text(struct model *model, const struct config *config, char **text);

/*
 * The running set with ids, drains, disables, judgements, MACs and traffic, for the state file: members of a
 * JSON object, "next_ids", "pools" and "vips". And back, from such an object: model_restore wants an empty
 * model; on error (-EINVAL, a line in *error, or -ENOMEM) it is empty again.
 */
void model_dump(struct model *model, struct text *out);
/* From which ids on an empty model is to give some out, each below SNAPSHOT_MAX_IDS. */
void model_begin_ids(struct model *model, uint16_t pool, uint16_t vip, uint16_t backend);
int model_restore(struct model *model, const json_t *state, struct error *error);

#endif
