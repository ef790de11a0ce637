#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every packet fixture (tests/packets/fixtures) through a running shunt-dataplane that works from the fixtures' own
# snapshot, sent by a stand-in for shuntd: what comes out is what the core alone makes of it. Before that, what is no
# snapshot is refused with a reason, and the one in force stays.
#
#   run_live ── wire0 ══ shunt-dataplane ══ shunt0 ── run_live       (on lb, cut off from everything else)
#
# Paths: dpdk
. "$(dirname "$0")/_init.sh"

run_live=$build/tests/packets/run_live
[[ -x $run_live ]] || skip "$run_live is not built"

export SHUNT_LAB_SERVERS=1
lab up
lab start dataplane

step "lb is cut off, and its kernel answers nothing: no frame but the test's own on either side"
on lb ip link set uplink down
on lb ip link set shunt0 arp off
on lb ip rule add pref 1 blackhole
on lb sysctl -qw net.ipv6.conf.shunt0.disable_ipv6=1

step "the fixtures"
status=0
on lb "$run_live" "$run/dataplane.sock" wire0 shunt0 "$repo"/tests/packets/fixtures/*.fixtures >"$scratch/live" 2>&1 ||
	status=$?
cat "$scratch/live"
is "exit status of run_live" "$status" 0

step "what could not be sent is longer than the wire's MTU or shorter than a frame, and no more than that"
mtu=$(on lb cat /sys/class/net/wire0/mtu)
while read -r name length; do
	((length > mtu + 14 || length < 14)) || fail "$name ($length bytes) was not sent"
done < <(sed -nE 's/^([a-z0-9_]+): not sent: ([0-9]+) bytes$/\1 \2/p' "$scratch/live")

step "each refusal is in the dataplane's log with its reason"
for reason in "no memfd sealed" "checksum is wrong" "wrong magic" "pool is none" "for 7 ports" "none that is known"; do
	grep -qF "$reason" "$run/log/dataplane.log" || fail "the log does not say \"$reason\""
done
