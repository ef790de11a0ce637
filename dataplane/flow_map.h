/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table of shuntd's XDP program (map "flows" of bpf/shunt_xdp.h), used in place of a file of our own: a
 * flow that either of the two forwarders enters is the other's as well. shuntd makes it and says in its header
 * what it is. Main thread.
 */
#ifndef SHUNT_FLOW_MAP_H
#define SHUNT_FLOW_MAP_H

#include <stddef.h>

#include "flow_file.h"

/* Id of the BPF map that is pinned at path; 0: there is none, or none for us to see. */
__u32 flow_map_id(const char *path);

/*
 * Map the table that is pinned at path. flow_file_close() undoes it. NULL if there is none or it is not one, with
 * why in at most why_size characters.
 */
struct flow_file *flow_map_open(const char *path, char *why, size_t why_size);

#endif
