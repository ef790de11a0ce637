#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A server that does not work leaves its pools and comes back when it does: one that lost the VIP on its loopback
# (seen by the check that takes the client's path and not by the other), one whose web server stopped, one that
# is gone from the network.
#
#   client ── router ── lan ──┬── lb    web, web6: checked via the VIP; dns, dns6: via the server's own address
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
# Fast, so that the test is: 200 ms from check to check, three failures are 0.6 s.
edit_conf 's/interval = "1s"; timeout = "500ms"/interval = "200ms"; timeout = "150ms"/'
lab start
await 10 "every backend is up" all_up

step "rs2 loses the VIPs on its loopback: down by the check via the VIP, and why is shown"
lab exec rs2 "$repo/scripts/realserver" down
await 5 "rs2 is down in web" state_is web 10.0.0.12 down
await 5 "rs2 is down in web6" state_is web6 2001:db8:a::12 down
[[ $(json show '.pools[] | select(.name == "web") | .backends[] | select(.address == "10.0.0.12") | .check_error') != null ]] ||
	fail "no check_error"
is "its state in dns, checked by its own address" "$(backend_state dns 10.0.0.12)" up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs3"
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs3"

step "it has them again: up"
lab exec rs2 "$repo/scripts/realserver" up "$vip4" "$vip6" >/dev/null
await 5 "rs2 is up in web" state_is web 10.0.0.12 up
await 5 "rs2 is up in web6" state_is web6 2001:db8:a::12 up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "the web server of rs3 stops: down by every check"
spawned_end "$run/pid/rs3-nginx"
for pool in web dns; do await 5 "rs3 is down in $pool" state_is "$pool" 10.0.0.13 down; done
for pool in web6 dns6; do await 5 "rs3 is down in $pool" state_is "$pool" 2001:db8:a::13 down; done
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2"
is "UDP over IPv6" "$(udp 40 "$vip6" | names)" "rs1 rs2"
spawn "$run/pid/rs3-nginx" "$run/log/rs3-nginx.log" \
	ip netns exec "${prefix}rs3" nginx -c "$run/rs3/nginx.conf" -p "$run/rs3" -e stderr
await 5 "all are up" all_up

step "rs1 is off the network: down, and its new clients go elsewhere"
ip -n "${prefix}rs1" link set eth0 down
await 5 "rs1 is down in web" state_is web 10.0.0.11 down
await 5 "rs1 is down in dns6" state_is dns6 2001:db8:a::11 down
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs2 rs3"
ip -n "${prefix}rs1" -batch - <<-END
	link set eth0 up
	route replace default via 10.0.0.1
	route replace default via 2001:db8:a::1
END
await 10 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "rs1 has another MAC: shunt follows the neighbour table"
ip -n "${prefix}rs1" link set eth0 address 02:00:00:00:00:aa
mac_is() { [[ $(json show '.pools[] | select(.name == "web") | .backends[0].mac') == "$1" ]]; }
await 20 "the new MAC is known" mac_is 02:00:00:00:00:aa
await 5 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "all are down: new flows are dropped and counted; then they come back"
for i in 1 2 3; do lab exec "rs$i" "$repo/scripts/realserver" down >/dev/null; done
for i in 1 2 3; do await 5 "rs$i is down" state_is web "10.0.0.1$i" down; done
before=$(counter drop_no_backend)
on client curl -sS -m 1 "http://$vip4/" >/dev/null 2>&1 && fail "somebody answered"
(($(counter drop_no_backend) > before)) || fail "drop_no_backend did not rise"
for i in 1 2 3; do lab exec "rs$i" "$repo/scripts/realserver" up "$vip4" "$vip6" >/dev/null; done
await 5 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "checks leave the servers no half-open connections, and their traffic is not counted as clients'"
is "flows of a VIP nobody used" "$(json show --stats '.vips[] | select(.address == "2001:db8::80" and .protocol == "tcp") | .new_flows')" 40
