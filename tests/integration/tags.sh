#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# VLAN tags, two of them, priority tags, DSCP and ECN: what is forwarded has them as it came, answers have the
# question's, and what is the kernel's reaches it so.
#
#   frames straight onto the cable ── lb ──┬── seen at rs1..rs3, at the router, and by lb's kernel
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
step "every kind under every tag"
forwarded=$(counter forwarded) answered=$(counter answered_arp answered_nd answered_echo)
"$here/_tags.py" "$prefix" "$wire_host" "$wire" "$kernel_interface" "$lb_mac" "$vip4" "$vip6" ||
	fail "not every one of them is as it has to be"
(($(counter forwarded) - forwarded >= 48)) || fail "forwarded: $(counter forwarded)"
(($(counter answered_arp answered_nd answered_echo) - answered >= 24)) || fail "too few answers"
await 5 "packets = verdicts" accounted_for
