#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Two workers on two CPUs share the port, the flow table and the counters: a flow stays on its server whichever
# worker its packets arrive at, also when the workers become one.
#
#   client ── router ── lan ──┬── lb (workers on CPU 0 and 1)
#                             └── rs1, rs2, rs3
#
# Paths: dpdk
. "$(dirname "$0")/_init.sh"

mapfile -t cpus < <(taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }')
((${#cpus[@]} >= 2)) || skip "there is only one CPU"
export SHUNT_LAB_CORES=${cpus[0]},${cpus[1]}
start_all

step "both workers are there and both have work"
is "workers" "$(json status '.dataplane.workers | length')" 2
is "HTTP over IPv4" "$(http 200 "$vip4" | names)" "rs1 rs2 rs3"
is "HTTP over IPv6" "$(http 100 "[$vip6]" | names)" "rs1 rs2 rs3"
is "UDP over IPv4" "$(udp 60 "$vip4" | names)" "rs1 rs2 rs3"
is "idle workers" "$(json status '[.dataplane.workers[] | select(.packets == 0)] | length')" 0

step "many connections at once, none fails"
on client wrk -t 1 -c 50 -d 4s --timeout 3s "http://$vip4/" >"$scratch/wrk"
! grep -E 'Socket errors|Non-2xx' "$scratch/wrk" || fail "$(<"$scratch/wrk")"

step "a download goes on while two workers become one: the flow table is not a worker's own"
download long 700k
first=$(download_server long)
ctl backend set web "10.0.0.1${first#rs}" --weight 0
lab stop dataplane
edit_conf 's/cores = .*/cores = "'"${cpus[1]}"'";/'
lab start dataplane
await 5 "shuntd has found it" connected
is "workers" "$(json status '.dataplane.workers | length')" 1
downloaded long 40
await 5 "verdicts add up" accounted_for verdicts
