/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What shuntd and shunt-dataplane say to each other over the Unix socket dpdk.socket (SOCK_SEQPACKET,
 * one message a packet, descriptors attached with SCM_RIGHTS). The dataplane listens; the newest
 * connection is the one it serves, an older one is closed. Order:
 *
 *   dataplane -> HELLO (fd: statistics segment), then FLOWS, for the elder table too, if it has a flow table
 *   shuntd    -> SNAPSHOT (fd: sealed memfd)           any number of times
 *   dataplane -> ACK, one for each SNAPSHOT, in order, once every worker works from it or it is refused
 *   dataplane -> FLOWS (fd: flow table file)           whenever it has opened another table, or gives up the elder
 *
 * A message of unknown type or wrong size is logged and the connection closed.
 */
#ifndef SHUNT_CHANNEL_H
#define SHUNT_CHANNEL_H

#include "types.h"
#include "snapshot.h"

#define CHANNEL_MAGIC 0x314e414843544853ULL /* "SHTCHAN1" */
#define CHANNEL_ABI 2
#define CHANNEL_SEALS 0x000f /* F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE: all required */

enum channel_type {
	CHANNEL_HELLO = 1,
	CHANNEL_SNAPSHOT = 2,
	CHANNEL_ACK = 3,
	CHANNEL_FLOWS = 4,
};

struct channel_head {
	__u32 type; /* enum channel_type */
	__u32 size; /* of the whole message */
};

struct channel_port {
	struct mac mac;
	__u16 mtu;
	char name[32];
};

struct channel_hello {
	struct channel_head head;
	__u64 magic;
	__u32 abi;
	__u32 pid;
	__u64 snapshot_version; /* it works from now; 0: none */
	__u32 n_ports;
	__u32 n_workers;
	char version[32];       /* of the program */
	char kernel_interface[32];
	struct channel_port port[SNAPSHOT_MAX_PORTS];
};

struct channel_snapshot {
	struct channel_head head;
	__u64 version;
	__u64 size; /* bytes */
};

struct channel_ack {
	struct channel_head head;
	__u64 version;
	__u32 refused; /* 0: in force on every worker */
	__u32 reserved;
	char reason[232]; /* if refused: why, one line */
};

struct channel_flows {
	struct channel_head head;
	__u64 size;  /* bytes of the file; 0 without descriptor: there is none any more */
	__u32 elder; /* 0: the table in use; 1: the one before it, of another capacity, with flows left in it */
	__u32 reserved;
};

#endif
