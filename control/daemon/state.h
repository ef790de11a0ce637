/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file, <control.state>/state.json: what must outlive shuntd. The running set with its ids,
 * drains, disables and totals, the digest of the configuration it came from and the last snapshot's version.
 * Replaced whole and atomically, so that a reader finds the old or the new one. The hash key stands beside
 * it in a file of its own, hash_key, mode 0600: written once, so that nothing that happens to the state
 * file gives the flows of the fleet other backends.
 */
#ifndef SHUNT_STATE_H
#define SHUNT_STATE_H

#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>

#include "config.h"
#include "model.h"

struct state;

/* Snapshots' versions stay below; the rest of a life of snapshots fits above whatever a file or a peer says. */
#define STATE_MAX_SNAPSHOT_VERSION (INT64_MAX / 2)

/*
 * Open the directory (made, mode 0750, if it is not there) and lock it against a second shuntd. 0 and *out,
 * or -errno and a line in *error.
 */
int state_open(const char *directory, struct model *model, struct state **out, struct error *error);
void state_close(struct state *state); /* before the model; does not save */

/*
 * Fill the empty model: from the state file where its digest is the configuration's, but for access lists whose
 * files of prefixes have changed; else from the configuration with ids, drains and disables kept for what stays. A
 * damaged state file is set aside as state.json.damaged and the configuration taken. *notes: a JSON array of lines
 * for the log, the caller's to free, also on error (or NULL). 0, or -errno (no memory, a file that can't be read)
 * and a line in *error. Makes a hash key where there is none. Saves nothing.
 */
int state_start(struct state *state, const struct config *config, json_t **notes, struct error *error);

/* The running set now comes from this configuration (after a reload): its digest and key are kept from here on. */
void state_set_config(struct state *state, const struct config *config);

/* In force: the configuration's key, else the one made here. Two words. */
const uint64_t *state_hash_key(const struct state *state);
uint64_t state_snapshot_version(const struct state *state);
void state_set_snapshot_version(struct state *state, uint64_t version);

/* Write the file: temporary, fsync, rename, fsync of the directory. 0, or -errno and a line in *error. */
int state_save(struct state *state, struct error *error);
/* Whether something made by command or file is not on disk yet. */
bool state_is_unsaved(const struct state *state);

/*
 * Save from now on what the world said within a second or so (it is not worth waiting for: a restart would
 * find it out again) and traffic totals once a minute. What is made by command the publisher saves before
 * it publishes. base: NULL stops it.
 */
int state_keep(struct state *state, struct event_base *base);

#endif
