/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What fuzz_packet reads and seeds writes. An input is a byte of options, then frames, each a 16-bit little-endian
 * length (top bit: the frame goes on in another buffer) and that many bytes. A frame of length 0 ends a burst, and
 * the byte behind it says what comes to pass before the next; the tables stay what they are.
 */
#ifndef SHUNT_FUZZ_PACKET_H
#define SHUNT_FUZZ_PACKET_H

#define OPTION_SCHEDULER 0x03
#define OPTION_ONE_BY_ONE 0x04	 /* bursts of one frame: none is prepared while another is under way */
#define OPTION_NO_FLOWS 0x08	 /* without a flow table */
#define OPTION_ELDER 0x10	 /* after a burst the flow table becomes the elder one of a new table */
#define OPTION_RATES 0x20	 /* pings and a source's new flows are limited */
#define OPTION_NO_FRAGMENTS 0x40 /* without a table of fragments */
#define OPTION_AS_IT_IS 0x80	 /* IPv4 headers' checksums are not made right first, which mutation makes wrong */

#define PAUSE_TICKS 0x3f   /* so many go by */
#define PAUSE_SERVERS 0x40 /* each pool's servers but one are disabled, or are there again */
#define PAUSE_SWEEP 0x80   /* then the tables are swept */

#endif
