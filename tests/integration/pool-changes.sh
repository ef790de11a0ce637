#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Connections that are there stay where they are while their pool grows, shrinks, drains and changes weights. Only
# a backend that is disabled loses its own.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3, rs4
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

export SHUNT_LAB_SERVERS=4
start_all
ctl backend del web 10.0.0.14
ctl backend del web6 2001:db8:a::14

step "six downloads over IPv4 and three over IPv6 begin, paced to last about fifteen seconds"
for i in 1 2 3 4 5 6; do download "four-$i" 600k; done
for i in 1 2 3; do download "six-$i" 600k "[$vip6]"; done

step "meanwhile the pools grow, change weights, lose, drain and regain backends"
ctl backend add web 10.0.0.14
ctl backend add web6 2001:db8:a::14
await 5 "the fourth server is up" all_up
is "new connections" "$(http 60 "$vip4" | names)" "rs1 rs2 rs3 rs4"
for address in 10.0.0.11 10.0.0.12 10.0.0.13; do ctl backend set web "$address" --weight 0; done
is "new connections" "$(http 30 "$vip4" | names)" "rs4"
ctl backend set web 10.0.0.11 --weight 300
ctl backend del web 10.0.0.12
ctl backend del web6 2001:db8:a::11
ctl drain 10.0.0.13 --pool web
is "new connections" "$(http 60 "$vip4" | names)" "rs1 rs4"
is "new connections over IPv6" "$(http 60 "[$vip6]" | names)" "rs2 rs3 rs4"
for address in 10.0.0.21 10.0.0.22 10.0.0.23; do ctl backend add web "$address" --mac 02:00:00:00:00:99; done
is "moved flows" "$(counter flow_moved)" 0

step "every one of them comes to its end, whole"
for i in 1 2 3 4 5 6; do downloaded "four-$i" 40; done
for i in 1 2 3; do downloaded "six-$i" 40; done
step "they were on: $(for i in 1 2 3 4 5 6; do download_server "four-$i"; done | sort | uniq -c | xargs)"

step "a deleted backend that comes back is one again"
ctl backend add web 10.0.0.12
await 5 "rs2 is up" state_is web 10.0.0.12 up
is "new connections" "$(http 60 "$vip4" | names)" "rs1 rs2 rs4"

step "a disabled backend's connections end, others do not"
ctl enable 10.0.0.13
await 5 "rs3 is back" state_is web 10.0.0.13 up
for i in 1 2 3 4 5 6 7 8; do download "last-$i" 3m; done
victim=$(download_server last-1)
ctl disable "10.0.0.1${victim#rs}"
for i in 2 3 4 5 6 7 8; do
	[[ $(download_server "last-$i") == "$victim" ]] || downloaded "last-$i" 20
done
