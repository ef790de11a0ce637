/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet socket on an interface: whole frames in and out, VLAN tags where they stood, although the kernel
 * keeps the first one beside the frame.
 */
#ifndef SHUNT_WIRE_H
#define SHUNT_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Returns a descriptor, or -errno. Sees what comes in on the interface, not what is sent on it. */
int wire_open(const char *interface);

/* Returns 0, or -errno: -EMSGSIZE for what is longer than the interface takes, -EINVAL for what is too short. */
int wire_send(int fd, const uint8_t *frame, size_t len);

/* The next frame within wait_ms; its length, 0 if none comes, or -errno. */
long wire_receive(int fd, uint8_t *frame, size_t size, int wait_ms);

#endif
