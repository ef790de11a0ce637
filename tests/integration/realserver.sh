#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A real server takes what is sent to its MAC for a VIP and answers as the VIP, but never tells the network that
# it has it; and scripts/realserver undoes what it did. No load balancer in this one.
#
#   client ── router ── lan ──┬── rs1 ── rs2 ── rs3, the VIPs on their loopbacks
#                             └── lb, with nothing on it
#
# Paths: none
. "$(dirname "$0")/_init.sh"

lab up

step "own addresses answer, through the router"
on client ping -q -c 1 -W 10 10.0.0.11 >/dev/null
on client ping -q -c 1 -W 10 2001:db8:a::12 >/dev/null
is "rs3 over HTTP" "$(on client curl -fsS http://10.0.0.13/)" rs3

step "nobody answers ARP and neighbour solicitation for the VIPs, everybody for its own address"
cat >"$scratch/ask.py" <<'END'
import socket
from scapy.all import *
conf.verb = 0
def macs(answers, layer):
    return " ".join(sorted(r[Ether].src for _, r in answers if layer in r)) or "nobody"
for target in ("192.0.2.80", "10.0.0.12"):
    answers, _ = srp(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=target, psrc="10.0.0.1"), iface="lan", timeout=1.5, multi=True)
    print("arp", target, macs(answers, ARP))
own = get_if_hwaddr("lan")
for target in ("2001:db8::80", "2001:db8:a::12"):
    group = in6_getnsma(socket.inet_pton(socket.AF_INET6, target))
    for mac in (in6_getnsmac(group), "33:33:00:00:00:01"):
        answers, _ = srp(Ether(src=own, dst=mac) / IPv6(src="2001:db8:a::1", dst=socket.inet_ntop(socket.AF_INET6, group)) /
                         ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=own), iface="lan", timeout=1.5, multi=True)
        print("nd", target, macs(answers, ICMPv6ND_NA))
END
is "answers" "$(on router /usr/bin/python3 "$scratch/ask.py" 2>/dev/null)" "arp 192.0.2.80 nobody
arp 10.0.0.12 02:00:00:00:00:12
nd 2001:db8::80 nobody
nd 2001:db8::80 nobody
nd 2001:db8:a::12 02:00:00:00:00:12
nd 2001:db8:a::12 02:00:00:00:00:12"

step "a packet for the VIP that is sent to a server's MAC is answered, straight to the client"
ip -n "${prefix}router" neigh add "$vip4" lladdr 02:00:00:00:00:12 dev lan
ip -n "${prefix}router" neigh add "$vip6" lladdr 02:00:00:00:00:13 dev lan
is "HTTP over IPv4" "$(http 2 "$vip4" | names)" rs2
is "HTTP over IPv6" "$(http 2 "[$vip6]" | names)" rs3
is "UDP over IPv4" "$(udp 2 "$vip4" | names)" rs2
is "UDP over IPv6" "$(udp 2 "$vip6" | names)" rs3

step "answering as the VIP, a server asks for its router's MAC with its own address"
background arp ip netns exec "${prefix}router" tcpdump -n -l -i rs2 arp or icmp6
await 5 "tcpdump listens" grep -q listening "$scratch/arp"
ip -n "${prefix}rs2" neigh flush dev eth0
is "HTTP" "$(http 1 "$vip4")" rs2
await 5 "rs2 asked" grep -q 'who-has 10.0.0.1 tell 10.0.0.12' "$scratch/arp"
! grep -E "tell $vip4|$vip4 is-at|$vip6 >" "$scratch/arp" || fail "the VIP was spoken of"

step "undone and done again, both more than once"
on rs1 sysctl -qw net.ipv4.conf.all.arp_announce=1
export SHUNT_REALSERVER_STATE=$scratch/realserver
on rs1 sysctl -qw net.ipv4.conf.all.arp_ignore=0
on rs1 "$repo/scripts/realserver" up 192.0.2.99 2001:DB8:0::99
on rs1 "$repo/scripts/realserver" up 192.0.2.99 2001:db8::99
is "VIPs on the loopback" "$(ip -n "${prefix}rs1" -br addr show lo | grep -oE '(192.0.2|2001:db8:):?[0-9:./]*99/[0-9]+' | xargs)" \
	"192.0.2.99/32 2001:db8::99/128"
is "arp_ignore" "$(on rs1 sysctl -n net.ipv4.conf.all.arp_ignore)" 1
is "arp_announce" "$(on rs1 sysctl -n net.ipv4.conf.all.arp_announce)" 2
on rs1 "$repo/scripts/realserver" down 192.0.2.99
is "arp_ignore with one VIP left" "$(on rs1 sysctl -n net.ipv4.conf.all.arp_ignore)" 1
on rs1 "$repo/scripts/realserver" down
on rs1 "$repo/scripts/realserver" down
is "arp_ignore as before" "$(on rs1 sysctl -n net.ipv4.conf.all.arp_ignore)" 0
is "arp_announce as before" "$(on rs1 sysctl -n net.ipv4.conf.all.arp_announce)" 1
[[ -z $(ip -n "${prefix}rs1" -o addr show dev lo to 192.0.2.99) ]] || fail "192.0.2.99 is still there"
[[ -n $(ip -n "${prefix}rs1" -o addr show dev lo to "$vip4") ]] || fail "an address it had not put there is gone"

step "usage"
refused 2 'is not an IPv4 or IPv6 address' "$repo/scripts/realserver" up 192.0.2.80:80
