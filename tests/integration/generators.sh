#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The traffic of others' generators, as fast as it comes: dpdk-testpmd and trafgen. What is received is accounted
# for and what is forwarded goes to the three servers evenly.
#
#   router: dpdk-testpmd on an AF_PACKET port, trafgen ── lan ── lb
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
edit_conf 's/type = "tcp"; via = "(vip|backend)";( port = 80;)?/type = "none";/'
lab start
await 10 "every backend is up" all_up
count_from_here
pid=$(pid_of "$forwarder")

# A pair of interfaces of its own: testpmd on one end, the other in the servers' network.
ip -n "${prefix}router" link add gen type veth peer name genlan
ip -n "${prefix}router" link set genlan master lan up
ip -n "${prefix}router" link set gen up

step "dpdk-testpmd: UDP of many flows"
before=$(counter forwarded)
background testpmd ip netns exec "${prefix}router" timeout 20 sh -c "(sleep 5; echo quit) | dpdk-testpmd --lcores '0@0,1@0' \
	--no-huge -m 256 --no-pci --no-shconf --vdev net_af_packet0,iface=gen -- --forward-mode=txonly --txonly-multi-flow \
	--eth-peer=0,$lb_mac --tx-ip=198.18.0.1,$vip4 --tx-udp=4000,53 --txpkts=64 --total-num-mbufs=2048 -i --auto-start"
await 20 "testpmd has ended" background_gone testpmd
sent=$(($(counter forwarded) - before))
step "$sent forwarded"
((sent > 10000)) || fail "only $sent were forwarded: $(tail -n 20 "$scratch/testpmd")"
await 5 "verdicts add up to what was received" accounted_for

step "trafgen: TCP SYNs from ports counted up, to the VIP"
cat >"$scratch/syn.cfg" <<END
{
	0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0xfe, 0x02, const16(0x0800),
	0x45, 0, const16(40), const16(1), const16(0), 64, 6, csumip(14, 33),
	198, 18, 1, 1, 192, 0, 2, 80,
	dinc(0x10, 0xf0), dinc(0, 255), const16(80), const32(1), const32(0), 0x50, 0x02, const16(1024), const16(0), const16(0)
}
END
# What the TAP's queue could not take while the dataplane was off its CPU never reached the port.
before=$(($(counter forwarded) + $(lost_on_cable)))
on router trafgen --conf "$scratch/syn.cfg" --out gen --num 50000 --rate 20000pps --cpus 1 --no-sock-mem >"$scratch/trafgen" 2>&1 ||
	fail "$(<"$scratch/trafgen")"
rose() { (($(counter forwarded) + $(lost_on_cable) - before >= 50000)); }
await 10 "all are forwarded, but for $(lost_on_cable) that the cable lost" rose
step "the cable lost $(lost_on_cable)"
is "servers with new flows" "$(json show --stats '[.pools[] | select(.name == "web") | .backends[] | select(.new_flows > 0)] | length')" 3

is "process" "$(pid_of "$forwarder")" "$pid"
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
await 5 "verdicts add up to what was received" accounted_for
