/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames about who has an address: what announces one, what asks whether another host has it, and what says that
 * one does. ARP of RFC 826 and RFC 5227, neighbour discovery of RFC 4861 and RFC 4862. Pure functions; any thread.
 */
#ifndef SHUNT_ADDRESS_FRAME_H
#define SHUNT_ADDRESS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define ADDRESS_FRAME_MAX 128 /* bytes; none of those made here is longer */

/*
 * That own has the address, to everybody: an ARP announcement (RFC 5227, section 3: a request for the address by
 * itself) or an unsolicited neighbour advertisement (RFC 4861, 7.2.6). Into frame[ADDRESS_FRAME_MAX]; its length.
 */
size_t address_frame_announcement(uint8_t *frame, const struct mac *own, struct addr address);

/*
 * Whether another host has the address: an ARP probe (RFC 5227, 2.1.1) or a neighbour solicitation of duplicate
 * address detection (RFC 4862, 5.4.2), neither of which changes what anybody knows. Likewise.
 */
size_t address_frame_probe(uint8_t *frame, const struct mac *own, struct addr address);

enum address_claim {
	ADDRESS_CLAIM_NONE,
	ADDRESS_CLAIM_ANNOUNCED,  /* to everybody: an announcement or an unsolicited advertisement */
	ADDRESS_CLAIM_ANSWERED,	  /* to one who asked */
	ADDRESS_CLAIM_ASKED_FROM, /* by asking for another address */
};

/*
 * Whether a frame says that a host has an address: ARP with a sender's address, a neighbour advertisement. With
 * *address and the *mac that has it, or else none of them is set. Frames that are not right say nothing; the
 * checksum of ICMPv6 is not looked at.
 */
enum address_claim address_frame_claim(const uint8_t *frame, size_t size, struct addr *address, struct mac *mac);

#endif
