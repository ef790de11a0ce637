#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Whatever comes in on the wire is counted and nothing of it ends the forwarder: random bytes, every truncation of
# a frame of each kind, while clients are served. A packet in is a packet counted.
#
#   frames straight onto the cable (on the DPDK path the TAP wire0 in lb, on the XDP path the router's end of the veth):
#   nothing in between that would drop or mend them, as a bridge does with frames cut short in their VLAN tag
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
pid=$(pid_of "$forwarder")
generate() { on_wire "$here/_generate.py" "$@"; }
received_since() { echo $(($(counter received) - $1)); }

step "every truncation, untagged, with one tag and with two"
before=$(counter received)
sent=$(generate cut "$wire" "$lb_mac" "$vip4" "$vip6" --rate 20000)
all_received() { (($(received_since "$before") >= sent)); }
await 5 "all $sent frames are received" all_received
(($(counter drop_length) > 100)) || fail "drop_length: $(counter drop_length)"
(($(counter drop_malformed) > 100)) || fail "drop_malformed: $(counter drop_malformed)"
await 5 "verdicts add up to what was received" accounted_for

step "random bytes, while clients are served"
background wrk ip netns exec "${prefix}client" wrk -t 1 -c 4 -d 6s --timeout 4s -H 'Connection: close' "http://$vip4/"
for seed in 1 2 3; do
	before=$(counter received)
	sent=$(generate random "$wire" "$lb_mac" 20000 --seed "$seed" --rate 15000)
	await 5 "all $sent frames are received" all_received
done
await 15 "the clients have ended" background_gone wrk
! grep -E 'Socket errors|Non-2xx' "$scratch/wrk" || fail "$(<"$scratch/wrk")"

step "to the broadcast address and to other hosts' MACs"
generate random "$wire" ff:ff:ff:ff:ff:ff 2000 --rate 5000 >/dev/null
generate flows "$wire" 02:00:00:00:00:77 "$vip4" 80 tcp 1000 >/dev/null
rose() { (($(counter "$1") >= $2)); }
await 5 "drop_other_mac rose" rose drop_other_mac 900

step "kinds of drops by name"
before=$(counter drop_fragment) later=$(counter fragment_later)
cat >"$scratch/kinds.py" <<'END'
import sys
from scapy.all import *
conf.verb = 0
to = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:fe:01")
four, six = IP(src="198.18.0.1", dst="192.0.2.80"), IPv6(src="2001:db8:ffff::1", dst="2001:db8::80")
sendp([to / four.copy() / ICMP(type=3, code=1) / ("x" * 28), to / six / ICMPv6DestUnreach() / ("x" * 48)] +
      [to / f for f in fragment(four.copy() / UDP(dport=53) / ("x" * 3000), fragsize=1000)] +
      [to / six / IPv6ExtHdrFragment(offset=10) / ("x" * 100), to / four / TCP(dport=81), to / six / UDP(dport=54),
       to / four.copy() / GRE(), to / six / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / IPv6ExtHdrHopByHop() /
       IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() /
       IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / TCP(dport=80)], iface=sys.argv[1])
END
service=$(counter drop_no_service) icmp=$(counter drop_icmp_quote) headers=$(counter drop_ext_headers)
on_wire /usr/bin/python3 "$scratch/kinds.py" "$wire" 2>/dev/null
await 5 "drop_fragment rose" rose drop_fragment $((before + 1))
await 5 "fragment_later rose" rose fragment_later $((later + 3))
await 5 "drop_no_service rose" rose drop_no_service $((service + 2))
await 5 "drop_icmp_quote rose" rose drop_icmp_quote $((icmp + 2))
await 5 "drop_ext_headers rose" rose drop_ext_headers $((headers + 1))

step "it still forwards, is the same process, and every packet is accounted for"
is "process" "$(pid_of "$forwarder")" "$pid"
is "HTTP over IPv4" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
is "HTTP over IPv6" "$(http 30 "[$vip6]" | names)" "rs1 rs2 rs3"
on client ping -q -c 1 -W 10 10.0.0.2 >/dev/null
await 5 "verdicts add up to what was received" accounted_for
