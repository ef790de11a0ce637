#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The main job: a client's HTTP over IPv4 and IPv6 and its UDP reach all three real servers through the VIPs, and
# every packet is accounted for.
#
#   client ── router ── lan ──┬── lb   192.0.2.80:80/tcp :53/udp, [2001:db8::80]:80/tcp :53/udp
#                             └── rs1, rs2, rs3: answer the client through the router
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
matches "path" "$(json status .path)" "^$SHUNT_PATH(-native)?\$"

step "all three servers, over each family and protocol"
is "HTTP over IPv4" "$(http 60 "$vip4" | names)" "rs1 rs2 rs3"
is "HTTP over IPv6" "$(http 60 "[$vip6]" | names)" "rs1 rs2 rs3"
is "UDP over IPv4" "$(udp 60 "$vip4" | names)" "rs1 rs2 rs3"
is "UDP over IPv6" "$(udp 60 "$vip6" | names)" "rs1 rs2 rs3"

step "a flow's packets all go to one server: large downloads are whole"
for host in "$vip4" "[$vip6]"; do
	on client curl -gfsS -m 60 -o "$scratch/file" "http://$host/download"
	cmp "$scratch/file" "$run/$(head -c 3 "$scratch/file")/www/download" || fail "damaged"
done

step "uploads, client to server, where every full-sized packet goes through shunt"
head -c 4M /dev/urandom >"$scratch/upload"
for host in "$vip4" "[$vip6]"; do
	on client curl -gfsS -m 60 -T "$scratch/upload" "http://$host/upload/file"
	arrived=("$run"/rs*/www/upload/file)
	is "servers that got it" "${#arrived[@]}" 1
	cmp "$scratch/upload" "${arrived[0]}" || fail "damaged"
	rm "${arrived[0]}"
done

step "the VIP answers ping, and in what it counts the traffic is found again"
on client ping -q -c 3 -i 0.2 -W 10 "$vip4" >/dev/null
on client ping -q -c 3 -i 0.2 -W 10 "$vip6" >/dev/null
(($(counter answered_echo) >= 6)) || fail "answered_echo"
(($(traffic web new_flows) >= 62)) || fail "new flows of web: $(traffic web new_flows)"
# Sixty, but for a port that the client's kernel happened to give out twice.
(($(traffic dns6 new_flows) >= 56)) || fail "new flows of dns6: $(traffic dns6 new_flows)"
(($(traffic web bytes) > 4194304)) || fail "bytes of web: $(traffic web bytes)"
is "flows of VIP and of its pool's backends" \
	"$(json show --stats '.vips[] | select(.address == "2001:db8::80" and .protocol == "udp") | .new_flows')" \
	"$(traffic dns6 new_flows)"

step "a packet in is a packet counted"
[[ $(counter drop_malformed) == 0 && $(counter drop_tx_full) == 0 ]] || fail "drops"
await 5 "verdicts add up to what was received" accounted_for
