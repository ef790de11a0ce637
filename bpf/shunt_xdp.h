/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole contract between the XDP program (shunt.bpf.c) and shuntd: what lies in its maps, who writes
 * what, and what is set before it is loaded. Both compile this file.
 *
 * Maps (all ARRAYs here can be mapped by shuntd, so that nothing of it needs a system call):
 *
 *	.data.control  struct xdp_control: identity, which snapshot is in force, and of each the hot part
 *	.bss           struct xdp_cpu cpus[XDP_MAX_CPUS]: each CPU's counters
 *	snapshot       lines of XDP_LINE bytes, max_entries = 2 * half_lines: two halves, each with room for one
 *	               snapshot block as snapshot.h lays it out. Half h begins at line h * half_lines.
 *	flows          lines of XDP_LINE bytes, max_entries = XDP_FLOW_HEADER_LINES + n_buckets: byte for byte the
 *	               flow table file of flow_table.h, header first
 *	elder          the same: the table before its capacity was changed, or max_entries 1 for none
 *	vip_stats      struct stats_traffic, max_entries = (n_cpus + 1) * ids: of VIP id on a CPU at cpu * ids + id.
 *	               The row behind the last CPU's is shuntd's, for what maps that these replaced had counted and
 *	               for what it sends itself; as is the CPU behind the last.
 *	backend_stats  the same by backend id
 *	handshakes     struct stats_handshakes, likewise by backend id
 *	guard          struct stats_guard, likewise by VIP id
 *	active         __u32 (8 bytes apart, as all entries are multiples of 8), max_entries = ids: flows by backend
 *	               id, as the sweeper counted them
 *	rules          __u64, max_entries = (n_cpus + 1) * rules: packets that an access list's rule decided on, in rows
 *	               as vip_stats: CPUs that share one would wait for each other's at each packet of a flood
 *	fragments      struct fragment_bucket, max_entries = n_fragment_buckets: the table of fragments.h
 *	held           PERF_EVENT_ARRAY by CPU: fragments that have to wait for their first, each behind a struct
 *	               xdp_held; shuntd keeps them and sends them on
 *	out            DEVMAP, max_entries = 2 * SNAPSHOT_MAX_PORTS: the interfaces that backends are behind, at
 *	               half.out_first + the snapshot's port index. Port 0, where frames come in, is not looked up.
 *	sources        struct source_bucket, max_entries SOURCE_BUCKETS: the table of sources.h; the program's own
 *	xsks           XSKMAP by receive queue: AF_XDP sockets that get flows' packets while they live
 *	owners         struct xdp_owner by receive queue: whether who receives from that socket lives
 *
 * Constants (.rodata): struct xdp_sizes sizes.
 *
 * To put a snapshot in force: copy the checked block into the half that is not in force, then fill
 * control.half[that] with xdp_half_set(), then store in_force with release order. A packet reads in_force
 * once and keeps to it, so none sees half of an update; before the other half is written again, all packets
 * that may still read it have to be through: membarrier(MEMBARRIER_CMD_GLOBAL) waits for that.
 */
#ifndef SHUNT_XDP_H
#define SHUNT_XDP_H

#include "flow_table.h"
#include "fragment_table.h"
#include "snapshot.h"
#include "source_table.h"
#include "stats.h"
#include "types.h"

#define XDP_CONTROL_MAGIC 0x3150445854485353ULL /* "SSHTXDP1" */
#define XDP_ABI 2         /* of everything in this file */
#define XDP_LINE 64
#define XDP_WORK 256	  /* bytes */
#define XDP_NO_SNAPSHOT 2 /* xdp_control.in_force: none yet, all goes to the kernel */
#define XDP_MAX_CPUS 1024 /* a power of two; possible CPUs have to be fewer */
#define XDP_FLOW_HEADER_LINES (FLOW_TABLE_HEADER_SIZE / XDP_LINE)

struct xdp_line {
	__u64 word[XDP_LINE / 8];
} __attribute__((aligned(64)));

/* What is fixed while a program is loaded; shuntd: sets before load. */
struct xdp_sizes {
	__u32 n_buckets;       /* of flows; 0: no flow table */
	__u32 n_elder_buckets; /* of elder; 0: none */
	__u32 ids;             /* a power of two above every VIP's and backend's id */
	__u32 n_cpus;          /* possible CPUs: 1..XDP_MAX_CPUS - 1 */
	__u32 n_queues;        /* of xsks; 0: no AF_XDP sockets, and no look for any */
	__u32 frags;           /* the program is loaded with BPF_F_XDP_HAS_FRAGS (5.18 on): frames may go on elsewhere */
	__u32 n_fragment_buckets; /* of fragments */
	__u32 rules;		  /* a power of two, no id of an access list's rule is above */
};

/* The hot part of a snapshot, at hand without a look-up, and where its tables begin. */
struct xdp_half {
	struct snapshot_header header;                /* a copy of the block's */
	struct snapshot_port port[SNAPSHOT_MAX_PORTS]; /* likewise */
	__u32 vips_line;     /* lines of map snapshot where this block's tables begin */
	__u32 backends_line;
	__u32 slots_line;
	__u32 out_first; /* place of the snapshot's port 0 in map out: set by whoever fills that */
	__u32 policies_line;
	__u32 access_line;
	__u32 access_words_line;
	__u32 reserved[9];
};

/* shuntd: rw, program: ro. */
struct xdp_control {
	__u64 magic; /* XDP_CONTROL_MAGIC: written last when the maps are made */
	__u32 abi;   /* XDP_ABI */
	__u32 in_force; /* 0 or 1: the half; XDP_NO_SNAPSHOT: none */
	struct xdp_sizes sizes; /* the maps were made for; half_lines beside them */
	__u32 half_lines;
	__u32 carry_from;       /* id of the program before, whose traffic figures are not in these maps yet; 0: none */
	__u64 started_ns;       /* CLOCK_MONOTONIC of the first attachment */
	__u64 last_beat_ns;     /* CLOCK_MONOTONIC, while shuntd runs */
	__u64 snapshot_version; /* in force; 0: none */
	char boot_id[40];       /* of the kernel CLOCK_MONOTONIC belongs to */
	__u8 build_id[24];      /* of the program attached: what tells a newer one */
	__u32 n_workers;	/* CPUs that have seen packets, as the sweeper counted them; 0 is 1 */
	__u32 reserved;
	__u64 reserved2[5];
	struct xdp_half half[2];
};

#define XDP_CHANGES 4

/* One CPU's. The program counts a packet in received and in one VERDICT counter; or in to_socket alone, as what
 * receives from the socket counts it. */
struct xdp_cpu {
	__u64 received;  /* program: rw, others: ro; as all counters */
	__u64 to_socket; /* given to an AF_XDP socket */
	__u64 jiffies;   /* when tick was last looked at; the program's own */
	__u32 tick;      /* flow_tick() then */
	__u32 echo_due;	 /* when the next answer to a ping is due; likewise */
	__u32 n_changes; /* noted of the flow table's words by the packet under way; likewise */
	__u32 change[XDP_CHANGES]; /* the id, and one more, of the VIP whose half-open flow closed, and from bit 16 on
				      of that which has another */
	__u32 reserved[3];
	__u64 work[XDP_WORK / 8]; /* of the packet under way, between the program's functions; the program's own */
	__u64 counter[STATS_COUNTERS]; /* by enum counter */
};

/*
 * Who receives from a socket, as a robust futex (set_robust_list(2)) of the thread that does: the kernel clears the
 * thread's id as the first thing when that thread dies, by whatever signal, while the socket itself is closed, and
 * leaves xsks, only when the process has given back all its memory, tens of milliseconds later.
 */
struct xdp_owner {
	__u32 thread; /* shunt-dataplane, kernel: rw, program: ro; FUTEX_TID_MASK and two flags */
	__u32 reserved[15];
};

#define XDP_OWNER_THREAD 0x3fffffffu /* FUTEX_TID_MASK */

/* What is before the bytes of a frame in map held. */
struct xdp_held {
	__u32 len; /* of the frame; the kernel may put some bytes behind it */
	__u32 reserved;
};

_Static_assert(sizeof(struct xdp_owner) == 64, "owner");
_Static_assert(sizeof(struct xdp_line) == XDP_LINE, "line");
_Static_assert(sizeof(struct xdp_half) == 448, "XDP half");
_Static_assert(__builtin_offsetof(struct xdp_control, build_id) == 120, "where tests/integration/_pins.py has it");
_Static_assert(sizeof(struct xdp_control) == 192 + 2 * 448, "XDP control");
_Static_assert(__builtin_offsetof(struct xdp_control, half) % 64 == 0, "XDP control");
_Static_assert(sizeof(struct xdp_cpu) == 64 + XDP_WORK + 8 * STATS_COUNTERS, "XDP CPU");

/* Lines that a block of size bytes takes. */
core_inline __u32 xdp_lines(__u64 size)
{
	return (__u32)((size + XDP_LINE - 1) / XDP_LINE);
}

/* Fill a half that is not in force from a checked block that was copied to line first of map snapshot. */
core_inline void xdp_half_set(struct xdp_half *half, const void *block, __u32 first)
{
	const struct snapshot_header *h = (const struct snapshot_header *)block;
	const struct snapshot_port *ports = (const struct snapshot_port *)((const char *)block + h->ports_off);

	*half = (struct xdp_half){ .header = *h,
		.vips_line = first + (__u32)(h->vips_off / XDP_LINE),
		.backends_line = first + (__u32)(h->backends_off / XDP_LINE),
		.slots_line = first + (__u32)(h->slots_off / XDP_LINE),
		.policies_line = first + (__u32)(h->policies_off / XDP_LINE),
		.access_line = first + (__u32)(h->access_off / XDP_LINE),
		.access_words_line = first + (__u32)(h->access_words_off / XDP_LINE) };
	for (__u32 i = 0; i < h->n_ports && i < SNAPSHOT_MAX_PORTS; i++)
		half->port[i] = ports[i];
}

#endif
