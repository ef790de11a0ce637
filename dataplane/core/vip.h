/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VIP index: an open-addressed hash table with linear probing and a bound on the steps, from
 * (address, protocol, port) to the VIP. Filled once by shuntd, only read by forwarders. Its hash has no
 * key: nobody but the operator chooses what is in it, and a look-up never takes more than the bound.
 */
#ifndef SHUNT_VIP_H
#define SHUNT_VIP_H

#include "snapshot.h"
#include "tables.h"
#include "types.h"

/*
 * Home place of an entry in an index of this size (a power of two). The address folded to 32 bits and the
 * service above them, so that the middle of one product depends on all of both.
 */
core_inline __u32 vip_home(struct addr a, __be16 port, __u8 proto, __u32 size)
{
	__u64 fold = a.lo ^ a.hi * 3;
	__u64 service = core_be16(port) + (__u32)proto * 0x9e37u;

	fold = (__u32)(fold ^ fold >> 32);
	return (__u32)((fold | service << 32) * 0x9e3779b97f4a7c15ULL >> 32) & (size - 1);
}

core_inline int vip_entry_matches(const struct snapshot_vip *e, struct addr a, __be16 port, __u8 proto)
{
	struct addr own = e->addr; /* at hand: the BPF compiler forgets how an argument was aligned */

	return addr_equal(own, a) && e->port == port && e->proto == proto;
}

/* The entry with exactly this address, port and protocol, and its index; or NULL. */
core_inline const struct snapshot_vip *vip_find_at(
	const struct tables *t, struct addr a, __be16 port, __u8 proto, __u32 *index)
{
	const struct snapshot_header *h = tables_header(t);
	__u32 home = vip_home(a, port, proto, h->vip_index_size);

	for (__u32 step = 0; step < SNAPSHOT_MAX_PROBE; step++) {
		const struct snapshot_vip *e;

		if (step >= h->vip_index_probe)
			break;
		e = tables_vip(t, (home + step) & (h->vip_index_size - 1));
		if (!e || !(e->flags & VIP_USED))
			break;
		if (vip_entry_matches(e, a, port, proto)) {
			*index = (home + step) & (h->vip_index_size - 1);
			return e;
		}
	}
	return (void *)0;
}

core_inline const struct snapshot_vip *vip_find(const struct tables *t, struct addr a, __be16 port, __u8 proto)
{
	__u32 index;

	return vip_find_at(t, a, port, proto, &index);
}

core_cold const struct snapshot_vip *vip_find_any_port(
	const struct tables *t, struct addr a, __u8 proto, __u32 *index)
{
	return vip_find_at(t, a, 0, proto, index);
}

/* The VIP a packet is for, and its index: that of its port, else that of every port, else NULL. */
core_inline const struct snapshot_vip *vip_lookup_at(
	const struct tables *t, struct addr a, __be16 port, __u8 proto, __u32 *index)
{
	const struct snapshot_vip *e = vip_find_at(t, a, port, proto, index);

	return core_likely(e != 0) ? e : vip_find_any_port(t, a, proto, index);
}

core_inline const struct snapshot_vip *vip_lookup(const struct tables *t, struct addr a, __be16 port, __u8 proto)
{
	__u32 index;

	return vip_lookup_at(t, a, port, proto, &index);
}

/* The address entry: what is known of an address that has any VIP, else NULL. */
core_inline const struct snapshot_vip *vip_find_address(const struct tables *t, struct addr a)
{
	return vip_find(t, a, 0, 0);
}

/*
 * Builder's side: put an entry (with VIP_USED set) into an index of size entries, a power of two, zeroed
 * at first. Returns the steps a look-up of it takes (1..SNAPSHOT_MAX_PROBE), of which the greatest goes
 * into vip_index_probe; or -1 if it takes more: then the index wants to be larger.
 */
core_inline int vip_index_insert(struct snapshot_vip *index, __u32 size, const struct snapshot_vip *entry)
{
	__u32 home = vip_home(entry->addr, entry->port, entry->proto, size);

	for (__u32 step = 0; step < SNAPSHOT_MAX_PROBE && step < size; step++) {
		struct snapshot_vip *e = &index[(home + step) & (size - 1)];

		if (e->flags & VIP_USED)
			continue;
		*e = *entry;
		return (int)step + 1;
	}
	return -1;
}

#endif
