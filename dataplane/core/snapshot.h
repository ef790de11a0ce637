/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding snapshot: all a forwarder knows of VIPs, pools and backends, in one flat block that
 * shuntd builds and never changes afterwards. Offsets count bytes from the start of the block; every
 * table starts on a 64-byte boundary. snapshot_check.h says whether a block may be used.
 */
#ifndef SHUNT_SNAPSHOT_H
#define SHUNT_SNAPSHOT_H

#include "types.h"

#define SNAPSHOT_MAGIC 0x31504e53544e4853ULL /* "SHNTSNP1" */
#define SNAPSHOT_ABI 2
#define SNAPSHOT_NONE 0xffffu /* no VIP, no pool, no backend */
#define SNAPSHOT_MAX_PORTS 16
#define SNAPSHOT_MAX_IDS 65535 /* VIPs, pools and backends: ids 0..65534 */
#define SNAPSHOT_MAX_PROBE 16

enum scheduler {
	SCHEDULER_MAGLEV,
	SCHEDULER_SOURCE_HASH,
	SCHEDULER_ROUND_ROBIN,
	SCHEDULER_LEAST_FLOWS,
	SCHEDULER_COUNT
};

/* State of a flow, and the index of its timeout. */
enum flow_state {
	FLOW_NONE,
	FLOW_SYN,         /* half-open, or taken up mid-connection: one packet seen */
	FLOW_ESTABLISHED, /* TCP past its handshake */
	FLOW_FIN,         /* the client closed its side */
	FLOW_RESET,       /* the client reset */
	FLOW_UDP_NEW,     /* UDP, one packet seen */
	FLOW_UDP,         /* UDP, more seen */
	FLOW_STATE_COUNT
};

struct snapshot_header {
	__u64 magic;    /* SNAPSHOT_MAGIC */
	__u32 abi;      /* SNAPSHOT_ABI */
	__u32 n_ports;  /* 1..SNAPSHOT_MAX_PORTS */
	__u64 size;     /* bytes of the whole block */
	__u64 checksum; /* snapshot_checksum() */
	__u64 version;  /* rises with every publication, also across restarts of shuntd */
	__u64 hash_key[2];
	__u64 flow_capacity; /* flows */
	__u16 timeout[8];    /* by enum flow_state, in ticks of FLOW_TICK_S seconds */

	__u32 vip_index_size;  /* entries, a power of two */
	__u32 vip_index_probe; /* an entry is at most this many steps from its place: 1..MAX_PROBE */
	__u32 n_pools;
	__u32 n_backends; /* length of the table: highest backend id + 1; ids without backend are holes */
	__u64 n_slots;    /* of all pools together */

	__u64 ports_off; /* struct snapshot_port[n_ports] */
	__u64 vips_off;  /* struct snapshot_vip[vip_index_size] */
	__u64 pools_off; /* struct snapshot_pool[n_pools] */
	__u64 backends_off;
	__u64 slots_off; /* __u16[n_slots]: backend ids */

	__u64 policies_off;     /* struct snapshot_policy[n_policies], by VIP id */
	__u64 access_off;       /* struct snapshot_access[n_access], by access list id */
	__u64 access_words_off; /* __u32[n_access_words], what the access lists point into */
	__u64 n_access_words;
	__u32 n_policies; /* highest VIP id + 1 */
	__u32 n_access;
	__u32 n_rules;        /* highest id of an access list's rule + 1: 0..SNAPSHOT_MAX_RULES */
	__u32 echo_interval;  /* GUARD_TIME units from one answered ping to the next, per worker; 0: no limit */
	__u32 echo_tolerance; /* units that pings may come early: a burst */
	__u32 reserved0;
	__u64 reserved[7];
};

struct snapshot_port {
	struct mac mac;
	__u16 reserved;
};

#define VIP_USED 0x01      /* the entry is not a hole */
#define VIP_ACTIVE 0x02    /* this host forwards and answers for it */
#define VIP_ACCESS 0x04    /* its policy has an access list: every packet's source is looked up */
#define VIP_SCHED_SHIFT 4  /* two bits: enum scheduler */
#define VIP_RATE 0x40      /* its policy limits the new flows of a source */

#define SNAPSHOT_MAX_RULES 262144
#define SNAPSHOT_MAX_ACCESS 4096

/* Time of rates: 2^14 ns, 16.4 us; 32 bits of it wrap after 19.5 hours. */
#define GUARD_TIME_SHIFT 14

/*
 * The sieves of an access list (access.h): indexes into the access words, and where in them an IPv4 and an IPv6
 * source have their bits.
 */
struct snapshot_sieve {
	__u32 at4; /* multiples of 16 */
	__u32 at6;
	__u8 shift4; /* the bit of a source is that of its topmost 64 - shift bits,
			ACCESS_SIEVE_MIN..ACCESS_SIEVE_MAX */
	__u8 shift6;
	__u16 reserved;
	__u32 none; /* the result for sources in no prefix */
};

/* What a VIP lets in, by VIP id. */
struct snapshot_policy {
	__u32 access;		/* id of its access list; with VIP_ACCESS */
	__u32 half_open;	/* flows that may be half-open before SYNs are forwarded without an entry; 0: none may */
	__u32 source_interval;	/* GUARD_TIME units from one new flow of a source to the next; with VIP_RATE */
	__u32 source_tolerance; /* units that new flows may come early: a burst */
	struct snapshot_sieve
		sieve; /* its access list's, the same: for most packets nothing of the list is read */
};

/*
 * An access list: where access.h finds its nodes, as indexes into the access words. links and leaves begin on a
 * 64-byte boundary, multiples of 16.
 */
struct snapshot_access {
	__u32 links;
	__u32 n_links; /* words, a multiple of 16 */
	__u32 leaves;
	__u32 n_leaves; /* of 16 words each */
	__u32 first4;	/* the link that an IPv4 source begins with, */
	__u32 first6;	/* and an IPv6 source */
	struct snapshot_sieve sieve;
	__u32 reserved[6];
};

/*
 * One entry of the VIP index, an open-addressed hash table (vip.h). An entry with proto 0 and vip
 * SNAPSHOT_NONE stands for an address that has any VIP: what ARP, neighbour discovery and ping ask for.
 */
struct snapshot_vip {
	struct addr addr;
	__be16 port; /* 0: every port */
	__u8 proto;  /* IPPROTO_TCP, IPPROTO_UDP; 0: address entry */
	__u8 flags;
	__u16 vip; /* id */
	__u16 pool;
	__u32 slot_first; /* index into slots; both repeated from the pool, to save a look-up */
	__u32 slot_count; /* 0: no usable backend */
};

struct snapshot_pool {
	__u32 slot_first;
	__u32 slot_count;
	__u8 scheduler;
	__u8 used; /* 0: hole */
	__u16 reserved;
	__u32 reserved2;
};

#define BACKEND_USED 0x01  /* the entry is not a hole */
#define BACKEND_VALID 0x02 /* may be sent packets: its MAC is known and it is not disabled */
#define BACKEND_UP 0x04    /* a repeated SYN of its own half-open flow may stay with it */

#define BACKEND_SUSPECT                                                                                           \
	0x08 /* with the two above: its half-open flows leave it with the next SYN, all else stays */

/*
 * up: VALID|UP and in the slots. draining: VALID|UP, not in the slots. suspect: VALID|UP|SUSPECT, not in the
 * slots. down: VALID. disabled, MAC unknown: 0. In the slots although down (a pool in panic): VALID|UP.
 */
struct snapshot_backend {
	struct mac dst; /* the first twelve bytes of the frame, ready-made: its own MAC, */
	struct mac src; /* and the MAC of the port it leaves by */
	__u16 port;     /* index of that port */
	__u16 pool;
	__u16 weight;
	__u8 flags;
	__u8 reserved[13];
};

_Static_assert(sizeof(struct snapshot_header) == 256, "snapshot header");
_Static_assert(sizeof(struct snapshot_port) == 8, "snapshot port");
_Static_assert(sizeof(struct snapshot_vip) == 32, "snapshot VIP");
_Static_assert(sizeof(struct snapshot_pool) == 16, "snapshot pool");
_Static_assert(sizeof(struct snapshot_policy) == 32, "snapshot policy");
_Static_assert(sizeof(struct snapshot_access) == 64, "snapshot access list");
_Static_assert(sizeof(struct snapshot_backend) == 32, "snapshot backend");
_Static_assert(__builtin_offsetof(struct snapshot_header, vip_index_size) == 80, "snapshot header");
_Static_assert(__builtin_offsetof(struct snapshot_header, ports_off) == 104, "snapshot header");

#endif
