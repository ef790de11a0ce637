#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What is not for a VIP is the kernel's: the host can be reached by its own address and reaches others, while the
# VIPs' ARP, neighbour discovery and ping are shunt's to answer and no address of the kernel.
#
#   client ── router ── lan ─┬─ uplink ─ br0 ─ wire0 ═ shunt-dataplane ═ shunt0 ── kernel of lb, 10.0.0.2
#               or, with XDP: └─ eth0 ── kernel of lb
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

step "the host's own addresses answer ping, in fragments too"
for address in 10.0.0.2 2001:db8:a::2; do
	on client ping -q -c 3 -i 0.2 -W 10 "$address" >/dev/null
	on client ping -q -c 1 -s 4000 -W 10 "$address" >/dev/null
done

step "TCP to the host's own address, both ways, whole"
head -c 2M /dev/urandom >"$scratch/sent"
background shell ip netns exec "${prefix}lb" socat TCP6-LISTEN:22,ipv6only=0,fork,reuseaddr EXEC:cat
await 5 "the shell listens" on lb sh -c "ss -tlnH 2>/dev/null | grep -q ':22 ' || grep -q ':0016 ' /proc/net/tcp6"
for address in TCP4:10.0.0.2 'TCP6:[2001:db8:a::2]'; do
	on client socat -t 5 - "$address:22" <"$scratch/sent" >"$scratch/received"
	cmp "$scratch/sent" "$scratch/received" || fail "what came back over $address is damaged"
done

step "the host reaches others"
on lb ping -q -c 1 -W 10 198.51.100.2 >/dev/null
on lb ping -q -c 1 -W 10 2001:db8:1::2 >/dev/null
is "HTTP from lb to a server" "$(on lb curl -fsS -m 20 http://10.0.0.12/)" rs2

step "$kernel_interface has the port's MAC and MTU"
is "MAC" "$(ip -n "${prefix}lb" -j link show "$kernel_interface" | gojq -r '.[0].address')" "$lb_mac"
is "MTU" "$(ip -n "${prefix}lb" -j link show "$kernel_interface" | gojq -r '.[0].mtu')" 1500

step "the VIPs are no address of the kernel; ARP, neighbour discovery and ping for them are answered by the port"
[[ -z $(ip -n "${prefix}lb" -o addr show to "$vip4") ]] || fail "$vip4 is an address of lb's kernel"
cat >"$scratch/ask.py" <<'END'
import socket
from scapy.all import *
conf.verb = 0
answers, _ = srp(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="192.0.2.80", psrc="10.0.0.1"), iface="lan", timeout=2, multi=True)
print("arp", *sorted(f"{r[ARP].psrc} is {r[ARP].hwsrc}" for _, r in answers if r[ARP].op == 2))
own = get_if_hwaddr("lan")
group = in6_getnsma(socket.inet_pton(socket.AF_INET6, "2001:db8::80"))
answers, _ = srp(Ether(src=own, dst=in6_getnsmac(group)) / IPv6(src="2001:db8:a::1", dst=socket.inet_ntop(socket.AF_INET6, group)) /
                 ICMPv6ND_NS(tgt="2001:db8::80") / ICMPv6NDOptSrcLLAddr(lladdr=own),
                 iface="lan", timeout=2, multi=True)
print("nd", *sorted(f"{r[ICMPv6ND_NA].tgt} is {r[ICMPv6NDOptDstLLAddr].lladdr}" for _, r in answers))
END
is "answers" "$(on router /usr/bin/python3 "$scratch/ask.py" 2>/dev/null)" \
	"arp 192.0.2.80 is $lb_mac
nd 2001:db8::80 is $lb_mac"
before=$(counter answered_echo)
on client ping -q -c 2 -i 0.2 -W 10 "$vip4" >/dev/null
on client ping -q -c 2 -i 0.2 -W 10 "$vip6" >/dev/null
on client ping -q -c 1 -s 1400 -W 10 "$vip4" >/dev/null
(($(counter answered_echo) - before == 5)) || fail "answered_echo rose by $(($(counter answered_echo) - before))"

step "a VIP's port that is not served is dropped and counted, and not reset by the kernel"
before=$(counter drop_no_service)
on client curl -sS -m 1 "http://$vip4:81/" 2>"$scratch/curl" && fail "somebody answered"
grep -qi 'timed out\|timeout' "$scratch/curl" || fail "$(<"$scratch/curl")"
rose() { (($(counter drop_no_service) > before)); }
await 5 "drop_no_service rises" rose

step "the kernel path is there without shuntd"
lab stop shuntd
on client ping -q -c 2 -i 0.2 -W 10 10.0.0.2 >/dev/null
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
