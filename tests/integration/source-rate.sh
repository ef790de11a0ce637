#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# source_rate: new flows of a VIP beyond what one source may begin in the time are dropped by name, and count against
# nobody else; what is under way goes on, as do the source's flows of other VIPs. By configuration and at run time.
#
#   client, and 198.18.0.0/15 and 2001:db8:ffff::/48 as forged ── router ── lan ── lb, rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

# Of a VIP as `show --stats` has it: vip_field FIELD [ADDR]
vip_field() {
	json show --stats ".vips[] | select(.address == \"${2-$vip4}\" and .protocol == \"tcp\") | .$1"
}
# How many of its new flows were dropped: at least as many
limited_are() { (($(vip_field limited "$1") >= $2)); } # ADDR COUNT

# COUNT SYNs of as many flows of one source, straight onto the cable: syns COUNT SOURCE VIP [FIRST-PORT]
cat >"$scratch/syns.py" <<'END'
import socket, sys
sys.path.insert(0, sys.argv[1])
from _generate import ether, ipv4, ipv6, put, tcp, udp
iface, mac, proto, count, source, vip, first = sys.argv[2:9]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((iface, 0))
for number in range(int(count)):
    sport = int(first) + number
    segment = tcp(sport, 80, 2) if proto == "tcp" else udp(sport, 53)
    number = socket.IPPROTO_TCP if proto == "tcp" else socket.IPPROTO_UDP
    if ":" in vip:
        packet = ether(mac, 0x86DD) + ipv6(socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, vip), number, segment)
    else:
        packet = ether(mac, 0x0800) + ipv4(socket.inet_aton(source), socket.inet_aton(vip), number, segment)
    put(wire, packet)
END
send() { on_wire /usr/bin/python3 "$scratch/syns.py" "$here" "$wire" "$lb_mac" "$1" "$2" "$3" "$4" "${5-20000}"; }

judged() { (($(counter flow_new drop_source_rate) >= $1)); }

# What COUNT packets of a kind came to: those let in, once each has a verdict.
let_in() { # tcp|udp COUNT SOURCE VIP [FIRST-PORT]
	local let_in dropped

	let_in=$(counter flow_new) dropped=$(counter drop_source_rate)
	send "$@"
	until_true 5 judged $((let_in + dropped + $2)) || return 1
	echo $(($(counter flow_new) - let_in))
}

lab up
# So slow that it makes no difference how fast the machine is: what is let in is the burst. Nobody checks by TCP.
edit_conf 's/(address = "'"$vip4"'"; protocol = "tcp"; .*pool = "web";)/\1 source_rate = 1; source_burst = 100;/' \
	's/type = "tcp"; via = "vip";/type = "tcp"; via = "backend";/'
lab start
await 15 "every backend is up" all_up
count_from_here

step "one source begins as many flows as it may, the rest is dropped and counted; another is not touched by that"
download long 100k
# It goes on: what is there now is more than what was there before.
goes_on() { (($(stat -c %s "$scratch/long.file") > $1)); }
long_goes_on() { await 5 "the download goes on" goes_on "$(stat -c %s "$scratch/long.file")"; }
began=$SECONDS
n=$(let_in tcp 300 198.18.0.1 "$vip4")
((n >= 100 && n <= 100 + SECONDS - began + 1)) || fail "$n flows were let in"
is "dropped" "$(counter drop_source_rate)" $((300 - n))
await 5 "the VIP says so" limited_are "$vip4" $((300 - n))
n=$(let_in tcp 50 198.18.0.2 "$vip4")
is "flows of another source" "$n" 50

step "repeated SYNs of flows that are there are none of it"
before=$(counter drop_source_rate)
seen() { (($(counter flow_hit) >= $1)); }
hits=$(counter flow_hit)
send tcp 20 198.18.0.1 "$vip4"
await 5 "they are hits" seen $((hits + 20))
is "dropped" "$(counter drop_source_rate)" "$before"

step "nor are the source's flows of other VIPs, of IPv6, and of UDP"
is "UDP, another VIP" "$(let_in udp 150 198.18.0.1 "$vip4")" 150
is "IPv6" "$(let_in tcp 150 2001:db8:ffff::1 "$vip6")" 150
is "HTTP of the client" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "the client is one source, too: what it began before goes on"
began=$SECONDS
n=$(let_in tcp 300 198.51.100.2 "$vip4")
((n <= 100 + SECONDS - began + 1)) || fail "$n flows were let in"
long_goes_on

step "at run time: an IPv6 source is its /64, and UDP has the same limits"
ctl vip set "[$vip6]:80/tcp" --source-rate 1 --source-burst 20
ctl vip set "$vip4:53/udp" --source-rate 1 --source-burst 20
began=$SECONDS
n=$(let_in tcp 15 2001:db8:ffff:7::1 "$vip6" 30000)
is "let in" "$n" 15
n=$(let_in tcp 150 2001:db8:ffff:7:ffff:ffff:ffff:ffff "$vip6" 31000)
((n >= 5 && n <= 5 + SECONDS - began + 1)) || fail "$n flows of the network were let in"
n=$(let_in tcp 15 2001:db8:ffff:8::1 "$vip6" 30000)
is "another network" "$n" 15
began=$SECONDS
n=$(let_in udp 150 198.18.0.9 "$vip4" 30000)
((n >= 20 && n <= 20 + SECONDS - began + 1)) || fail "$n UDP flows were let in"
before=$(counter drop_source_rate) hits=$(counter flow_hit)
send udp 10 198.18.0.9 "$vip4" 30000
await 5 "packets of flows that are there" seen $((hits + 10))
is "dropped" "$(counter drop_source_rate)" "$before"

step "the limits survive a restart of shuntd, and are in metrics"
kill_hard shuntd
lab start shuntd
await 10 "shuntd is there" in_force
limited=$(vip_field limited "$vip6")
((limited > 0)) || fail "the totals began anew"
began=$SECONDS
n=$(let_in tcp 150 2001:db8:ffff:9::1 "$vip6" 30000)
((n >= 20 && n <= 20 + SECONDS - began + 1)) || fail "$n flows were let in"
await 5 "the totals go on" limited_are "$vip6" $((limited + 150 - n))
matches "metrics" "$(on lb curl -fsS http://127.0.0.1:9190/metrics)" 'shunt_vip_limited_flows_total\{vip="\[2001:db8::80\]:80/tcp",pool="web6"\} [1-9]'

step "and taken away"
for vip in "$vip4:80/tcp" "$vip4:53/udp" "[$vip6]:80/tcp"; do ctl vip set "$vip" --source-rate 0; done
is "flows without a limit" "$(let_in tcp 200 198.18.0.1 "$vip4" 40000)" 200
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
long_goes_on
spawned_end "$run/pid/test-long"
await 5 "verdicts add up to what was received" accounted_for
