#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A backend behind another interface than the one VIPs' traffic comes in by: found by the route to it, checked and
# forwarded to over there, and again over here when the route is gone.
#
#   client ── router ── lan ──┬── lb ── eth1 ───────┐ 10.9.0.0/24, 2001:db8:9::/64
#                             └── rs1, rs2, rs3 ── eth1
#
# Paths: xdp
. "$(dirname "$0")/_init.sh"

far4=10.9.0.13 far6=2001:db8:9::13


# eth1 of lb, and at its other end rs3. A veth takes what XDP at its other end sends only if it has NAPI.
make_cable() {
	ip -n "${prefix}lb" link add eth1 type veth peer name eth1 netns "${prefix}rs3"
	on rs3 ethtool -K eth1 gro on tx off tso off gso off >/dev/null
	on lb ethtool -K eth1 gro on tx off tso off gso off >/dev/null
	on lb sysctl -qw net.ipv4.conf.eth1.rp_filter=0
	on rs3 sysctl -qw net.ipv4.conf.eth1.rp_filter=0
	ip -n "${prefix}rs3" -batch - <<-END
		link set eth1 address 02:00:00:00:09:13 up
		addr add $far4/24 dev eth1
		addr add $far6/64 dev eth1
	END
	ip -n "${prefix}lb" -batch - <<-END
		link set eth1 address 02:00:00:00:09:02 up
		addr add 10.9.0.2/24 dev eth1
		addr add 2001:db8:9::2/64 dev eth1
	END
}

lab up
make_cable
edit_conf 's/interval = "1s"; timeout = "500ms"/interval = "200ms"; timeout = "150ms"/'
edit_conf "s/10\.0\.0\.13/$far4/; s/2001:db8:a::13/$far6/"
lab start
await 15 "every backend is up" all_up
is "MAC of $far4" "$(json show ".pools[] | select(.name == \"web\") | .backends[] | select(.address == \"$far4\") | .mac")" \
	02:00:00:00:09:13

step "its clients' packets go out of eth1, with that interface's MAC, and no less of them"
before=$(on rs3 cat /sys/class/net/eth0/statistics/rx_packets)
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs2 rs3"
is "UDP over IPv4" "$(udp 40 "$vip4" | names)" "rs1 rs2 rs3"
(($(traffic web packets "$far4") > 0)) || fail "nothing is counted for $far4"
after=$(on rs3 cat /sys/class/net/eth0/statistics/rx_packets)
# What came in by eth0 is the router's: neighbours, answers to its questions; not forty connections.
((after - before < 60)) || fail "$((after - before)) packets came by eth0"
is "warnings" "$(json status '.warnings | length')" 0

step "shuntd is killed and started again: a download there goes on"
download one 1000k
for _ in 1 2 3; do
	kill_hard shuntd
	lab start shuntd
done
downloaded one 30
await 10 "every backend is up" all_up

step "the cable is pulled: down, and new clients go elsewhere; put back: up"
ip -n "${prefix}lb" link set eth1 down
await 10 "$far4 is down" state_is web "$far4" down
await 10 "$far6 is down" state_is web6 "$far6" down
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2"
ip -n "${prefix}lb" -batch - <<-END
	link set eth1 up
	addr replace 2001:db8:9::2/64 dev eth1
END
await 10 "$far4 is up" state_is web "$far4" up
await 10 "$far6 is up" state_is web6 "$far6" up
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs2 rs3"

step "the server moves to this side: followed"
ip -n "${prefix}lb" addr del 10.9.0.2/24 dev eth1
ip -n "${prefix}rs3" addr del "$far4/24" dev eth1
ip -n "${prefix}rs3" addr add "$far4/32" dev eth0
ip -n "${prefix}lb" route add "$far4" dev eth0
await 15 "its MAC is eth0's" eval \
	"[[ \$(json show '.pools[] | select(.name == \"web\") | .backends[] | select(.address == \"$far4\") | .mac') == 02:00:00:00:00:13 ]]"
# Checks go the old way until then, and may have failed.
await 15 "$far4 is up again" state_is web "$far4" up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "an interface that goes away and comes back"
ip -n "${prefix}lb" link del eth1
await 10 "$far6 is down" state_is web6 "$far6" down
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs2"
ip -n "${prefix}lb" link add eth1 type veth peer name eth1 netns "${prefix}rs3"
on rs3 ethtool -K eth1 gro on tx off tso off gso off >/dev/null
on lb ethtool -K eth1 gro on tx off tso off gso off >/dev/null
ip -n "${prefix}rs3" link set eth1 address 02:00:00:00:09:13 up
ip -n "${prefix}rs3" addr add "$far6/64" dev eth1
ip -n "${prefix}lb" link set eth1 address 02:00:00:00:09:02 up
ip -n "${prefix}lb" addr add 2001:db8:9::2/64 dev eth1
await 15 "$far6 is up" state_is web6 "$far6" up
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs2 rs3"

step "an interface that takes nothing from XDP: said, and nobody is sent there, whatever checks say"
far_is_cut_off() { [[ $(ctl status) == *"interface eth1 takes no frames from XDP"* ]] && state_is web6 "$far6" down; }
# A veth whose other end has no NAPI any more.
on rs3 ethtool -K eth1 gro off >/dev/null
await 15 "status says so" far_is_cut_off
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs2"
await 15 "the log says so" grep -q 'warning: interface eth1 takes no frames from XDP' "$run/log/shuntd.log"
on rs3 ethtool -K eth1 gro on >/dev/null
await 15 "$far6 is up again" state_is web6 "$far6" up
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs2 rs3"
