#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# path = "auto" where both dpdk.port and interface are given: DPDK when shunt-dataplane answers, XDP when it does not;
# log and status say which, and why; and either way clients reach the servers.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
if is_dpdk; then
	# A card that XDP could have as well.
	sed -i "1a interface = \"uplink\"; xdp: { pin = \"$scratch\"; };" "$run/shunt.conf"
	reason="auto: shunt-dataplane answers on $run/dataplane.sock"
else
	sed -i "1a dpdk: { port = \"0000:ff:1f.7\"; cores = \"0\"; socket = \"$run/dataplane.sock\"; };" "$run/shunt.conf"
	reason="auto: shunt-dataplane did not answer on $run/dataplane.sock within 5 s of the start"
fi

step "auto"
lab start
matches "path" "$(json status .path)" "^$SHUNT_PATH(-native)?\$"
matches "reason" "$(json status .path_reason)" "^$reason"
matches "status" "$(ctl status)" "path +$SHUNT_PATH.*\($reason"
grep -qF "path $SHUNT_PATH ($reason" "$run/log/shuntd.log" || fail "the log does not say why"
await 15 "every backend is up" all_up
is "HTTP over IPv4" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
is "UDP over IPv6" "$(udp 30 "$vip6" | names)" "rs1 rs2 rs3"

step "said by name"
lab stop shuntd
edit_conf "s/^path = .*/path = \"$SHUNT_PATH\";/"
lab start
is "reason" "$(json status .path_reason)" "path is \"$SHUNT_PATH\""
await 15 "every backend is up" all_up
is "HTTP over IPv6" "$(http 30 "[$vip6]" | names)" "rs1 rs2 rs3"
