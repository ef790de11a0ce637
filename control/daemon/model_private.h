/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the model: what its files share. The functions here change it without asking whether the change
 * is allowed, keep lists, ids, counts and slots_dirty right, and tell the listeners. Commands (model_vip.c,
 * model_backend.c), reload (model_apply.c) and the state file (model_state.c) are built of them.
 */
#ifndef SHUNT_MODEL_PRIVATE_H
#define SHUNT_MODEL_PRIVATE_H

#include "address.h"
#include "model.h"
#include "model_ids.h"

struct model {
	struct sorted pools; /* by name */
	struct sorted vips;  /* by address, protocol, port */
	struct pool *first_pool;
	struct vip *first_vip;
	struct access_list *first_access;
	uint32_t n_access;
	struct access_ids rule_ids;
	struct access_segment segments[ACCESS_COUNTED];
	struct model_ids pool_ids;
	struct model_ids vip_ids;
	struct model_ids backend_ids;
	uint32_t n_backends; /* without the removed ones */
	uint32_t n_removed;
	uint64_t swept_s; /* what model_reap() was told last */
	uint64_t generation;
	bool settle_later; /* many changes are under way: model_settle_all() follows */
	bool quiet;        /* what follows from them was so before: no events */
	struct model_listener *listeners;
};

#define MODEL_ANY_ID (-1)

/* What of a backend others go by: taken before a change, compared after it. */
struct model_share {
	bool enabled, usable, healthy, taking; /* whether it is counted in its pool's n_... */
	bool in_slots;
	uint16_t weight;
	uint16_t ramp;
};
struct model_share model_share_of(const struct backend *backend);
/* No flow of the draining backend is left, or, expired, its deadline is over: those that are left are cut. */
void model_drain_end(struct model *model, struct backend *backend, bool expired);
/* The backend was changed: its pool's counts and slots, listeners and a snapshot follow. */
void model_backend_touch(struct model *model, struct backend *backend, struct model_share before);
/* The pool's counts follow, and from them panic and fallback. A zeroed share is that of no backend. */
void model_pool_count(struct model *model, struct pool *pool, struct model_share before, struct model_share now);
/* Panic and fallback of all pools, by their counts. */
void model_weigh_all(struct model *model);
/* NULL: none. */
void model_pool_set_fallback(struct model *model, struct pool *pool, struct pool *fallback);
/* The pool has so many VIPs more: its fallback may have to serve them. */
void model_pool_count_vips(struct model *model, struct pool *pool, int n_vips, int n_tcp_vips);

/* An id: MODEL_ANY_ID for the next free one. 0 and *out; or -ENOMEM, -ENOSPC, -EEXIST and a line in *error. */
/* wanted: all but fallback, backends, file and line. */
int model_pool_insert(
	struct model *model, const struct config_pool *wanted, int id, struct pool **out, struct error *error);
int model_vip_insert(struct model *model, const struct vip_spec *spec, struct pool *pool, int id, struct vip **out,
	struct error *error);
/* Where all ids are taken, the removed backend that was found first makes room: its flows move. */
int model_backend_insert(struct model *model, struct pool *pool, struct addr address, uint16_t weight,
	const struct mac *pinned, int id, struct backend **out, struct error *error);

/* No pool has that name. */
void model_pool_rename(struct model *model, struct pool *pool, const char *name);
/* With its backends, the removed ones too; no VIP may use it. */
void model_pool_remove(struct model *model, struct pool *pool);
void model_vip_remove(struct model *model, struct vip *vip);
void model_backend_retire(struct model *model, struct backend *backend); /* out of the set; flows go on */
void model_backend_revive(struct model *model, struct backend *backend); /* a retired one back in, as if new */
void model_backend_free(struct model *model, struct backend *backend);
void model_backend_free_all(struct model *model, struct pool *pool);

/* No list has that name. 0 or -ENOMEM. */
int model_access_insert(struct model *model, const char *name, struct access_list **out, struct error *error);
void model_access_drop(struct model *model, struct access_list *list); /* no VIP has it */
/* Whether there is an access list of the name, or the name is "": 0, or -ENOENT and a line in *error. */
int model_access_check(struct model *model, const char *name, struct error *error);
/*
 * A reload's: make the lists what the configuration says, before the VIPs; and once no VIP has any of them, drop the
 * others. Lines into changes. 0 or -ENOMEM.
 */
int model_apply_access(struct model *model, const struct config *config, bool dry_run, json_t *changes);
int model_apply_access_end(struct model *model, const struct config *config, bool dry_run, json_t *changes);
void model_vip_set_policy(struct model *model, struct vip *vip, const struct vip_policy *policy);
void model_vip_move(struct model *model, struct vip *vip, struct pool *pool);
/* What model_pool_insert() takes, all but the name. 0, or -ENOMEM with some of it done. */
int model_pool_set(struct model *model, struct pool *pool, const struct config_pool *wanted);
/* Its VIPs have changed: the type of a check nobody gave follows them. Tells pool_changed. */
void model_pool_settle(struct model *model, struct pool *pool);
void model_settle_all(struct model *model); /* ends settle_later */
void model_backend_set_weight(struct model *model, struct backend *backend, uint16_t weight);
void model_backend_pin(struct model *model, struct backend *backend, const struct mac *mac); /* NULL: no more */

/* The pool's backend with this address, removed or not, or NULL. */
struct backend *model_backend_find_any(struct pool *pool, struct addr address);
/* Any VIP with this address, or NULL. */
struct vip *model_vip_find_address(struct model *model, struct addr address);

/* Its own settings as they would stand in a file: all but check and backends. Nothing is on the heap. */
struct config_pool model_pool_policy(const struct pool *pool);
/* Whether a pool may be called so. */
bool model_name_is_good(const char *name);
/* The pool of this name: 0, or -ENOENT and a line in *error. */
int model_find_pool(struct model *model, const char *name, struct pool **pool, struct error *error);
/* "pool "x" has no backend y"; returns -ENOENT. */
int model_no_backend(const struct pool *pool, struct addr address, struct error *error);
/* "there is no pool "x" (did you mean "y"?)"; returns -ENOENT. */
int model_no_pool(struct model *model, const char *name, struct error *error);
/* Whether an address may join the pool: 0, or -EINVAL and why not. */
int model_family_check(struct model *model, const struct pool *pool, struct addr address, struct error *error);

void model_tell_backend_added(struct model *model, struct backend *backend);
void model_tell_backend_changed(struct model *model, struct backend *backend);
void model_tell_backend_removed(struct model *model, struct backend *backend);
void model_tell_pool_changed(struct model *model, struct pool *pool);
void model_tell_snapshot_needed(struct model *model);

#endif
