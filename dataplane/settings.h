/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All of the configuration that shunt-dataplane reads: the group dpdk of shunt.conf and, where the port is an
 * AF_XDP one, the folder in which shuntd pins its maps, xdp.pin.
 */
#ifndef SHUNT_SETTINGS_H
#define SHUNT_SETTINGS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "stats.h"

#define SETTINGS_MAX_EAL_ARGS 64

struct settings {
	char port[256];			 /* PCI address or virtual device, with DPDK's arguments */
	char afxdp[IFNAMSIZ];		 /* port "af_xdp:IFACE": the interface; else "" */
	bool afxdp_copy;		 /* "af_xdp:IFACE,copy": never zero-copy */
	char xdp_pin[256];		 /* where shuntd pins what lies below such a port */
	uint16_t cpu[STATS_MAX_WORKERS]; /* of each worker */
	unsigned int n_cpus;
	char kernel_interface[IFNAMSIZ]; /* "": none */
	char eal_args[SETTINGS_MAX_EAL_ARGS][256];
	unsigned int n_eal_args;
	char socket[108];	/* where shuntd finds us */
	char run_dir[256];	/* kept snapshot and lock */
	bool idle_sleep;	/* workers nap when there is nothing to do */
	unsigned int mbufs;	/* packet buffers for receiving */
	unsigned int mbuf_size; /* bytes of each, headroom included */
	unsigned int mtu;	/* of the port; 0: what it has */
};

/*
 * Read the file into *s. On error one line that names file, line and setting has been logged and -1 is
 * returned. What else the file has is not looked at.
 */
int settings_read(struct settings *s, const char *file);

/* Whether eal_args has this argument, alone or with "=value". */
bool settings_eal_arg(const struct settings *s, const char *arg);

#endif
