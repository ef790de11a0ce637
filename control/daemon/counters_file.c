/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic.json: {"segments":{"dataplane":{"pid":1,"started_ns":2}},"vips":{"17":[3,4,5,0,0,0,...]},"backends":{}},
 * the arrays being bases, of the numbers below; before these were counted they had fewer, at first three. Before
 * there were two forwarders the first member was "segment", the dataplane's.
 */
#include "counters_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const char *const names[FORWARDER_KINDS] = {
	[FORWARDER_XDP] = "xdp",
	[FORWARDER_DATAPLANE] = "dataplane",
};

static json_t *segments_to_json(const struct forwarder_segment *segment)
{
	json_t *object = json_object();

	for (int i = 0; i < FORWARDER_KINDS; i++)
		if (segment[i].started_ns)
			json_object_set_new(object, names[i],
				json_pack("{s:I,s:I}", "pid", (json_int_t)segment[i].pid, "started_ns",
					(json_int_t)segment[i].started_ns));
	return object;
}

static json_t *to_json(const struct counters_base *bases)
{
	json_t *object = json_object();
	char id[12];

	for (uint32_t i = 0; i < STATS_IDS; i++) {
		const struct traffic *t = &bases[i].traffic;

		if (!bases[i].used)
			continue;
		snprintf(id, sizeof(id), "%u", i);
		json_object_set_new(object, id,
			json_pack("[IIIIIIIIIII]", (json_int_t)t->packets, (json_int_t)t->bytes,
				(json_int_t)t->new_flows, (json_int_t)t->syns, (json_int_t)t->handshakes,
				(json_int_t)t->syn_repeats, (json_int_t)t->elsewhere, (json_int_t)t->untracked,
				(json_int_t)t->over_bound, (json_int_t)t->refused, (json_int_t)t->limited));
	}
	return object;
}

/*
 * Not synchronised to disk: a segment does not survive the machine either. Renamed into place, so that a
 * reader finds the old or the new one.
 */
void counters_file_save(const char *path, const struct counters_bases *bases)
{
	json_t *root = json_pack("{s:o,s:o,s:o}", "segments", segments_to_json(bases->segment), "vips",
		to_json(bases->vip), "backends", to_json(bases->backend));
	char *temporary = NULL;
	int fd;

	if (!root || asprintf(&temporary, "%s.new", path) < 0) {
		json_decref(root);
		return;
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || json_dumpfd(root, fd, JSON_COMPACT) < 0 || rename(temporary, path) < 0)
		log_warning("%s can't be written: %s: traffic totals may jump if shuntd is restarted", path,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	free(temporary);
	json_decref(root);
}

static void from_json(struct counters_base *bases, json_t *object)
{
	const char *key;
	json_t *figures;

	json_object_foreach(object, key, figures) {
		unsigned long id = strtoul(key, NULL, 10);

		if (id >= STATS_IDS)
			continue;
		bases[id].traffic.packets = (uint64_t)json_integer_value(json_array_get(figures, 0));
		bases[id].traffic.bytes = (uint64_t)json_integer_value(json_array_get(figures, 1));
		bases[id].traffic.new_flows = (uint64_t)json_integer_value(json_array_get(figures, 2));
		bases[id].traffic.syns = (uint64_t)json_integer_value(json_array_get(figures, 3));
		bases[id].traffic.handshakes = (uint64_t)json_integer_value(json_array_get(figures, 4));
		bases[id].traffic.syn_repeats = (uint64_t)json_integer_value(json_array_get(figures, 5));
		bases[id].traffic.elsewhere = (uint64_t)json_integer_value(json_array_get(figures, 6));
		bases[id].traffic.untracked = (uint64_t)json_integer_value(json_array_get(figures, 7));
		bases[id].traffic.over_bound = (uint64_t)json_integer_value(json_array_get(figures, 8));
		bases[id].traffic.refused = (uint64_t)json_integer_value(json_array_get(figures, 9));
		bases[id].traffic.limited = (uint64_t)json_integer_value(json_array_get(figures, 10));
		bases[id].used = true;
	}
}

static void segment_from_json(struct forwarder_segment *segment, json_t *object)
{
	segment->started_ns = (uint64_t)json_integer_value(json_object_get(object, "started_ns"));
	segment->pid = (uint32_t)json_integer_value(json_object_get(object, "pid"));
}

void counters_file_load(const char *path, struct counters_bases *bases)
{
	json_t *root = json_load_file(path, 0, NULL);

	segment_from_json(&bases->segment[FORWARDER_DATAPLANE], json_object_get(root, "segment"));
	for (int i = 0; i < FORWARDER_KINDS; i++) {
		json_t *segment = json_object_get(json_object_get(root, "segments"), names[i]);

		if (segment)
			segment_from_json(&bases->segment[i], segment);
	}
	from_json(bases->vip, json_object_get(root, "vips"));
	from_json(bases->backend, json_object_get(root, "backends"));
	json_decref(root);
}
