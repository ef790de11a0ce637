#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Jumbo frames, which lie in many buffers: on the DPDK path 9000 bytes in buffers of 384, on the XDP path in fragments of a
# page each. Uploads, where the large frames go through shunt; pings; what is the kernel's.
#
#   client ─── router ──┬── lb: on the DPDK path libpcap's device on "uplink", since DPDK's TAP ends at 1500
#     MTU 9000 all over └── rs1..rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
for host in client router lb rs1 rs2 rs3; do
	for link in $(ip -n "$prefix$host" -o link show | awk -F'[ :@]+' '$2 != "lo" { print $2 }'); do
		ip -n "$prefix$host" link set "$link" mtu 9000
	done
done
if is_dpdk; then
	# The bridge gets another cable in place of the TAP, for nothing but that there is one.
	ip -n "${prefix}lb" link set uplink nomaster
	ip -n "${prefix}lb" link add wire0 type veth peer name unused
	wire=uplink
	edit_conf 's|port = "net_tap0,[^"]*";|port = "net_pcap0,rx_iface_in=uplink,tx_iface=uplink"; mtu = 9000; mbuf_size = 512;|'
fi
lab start
await 15 "every backend is up" all_up
count_from_here
is "MTU of $kernel_interface" "$(on lb cat "/sys/class/net/$kernel_interface/mtu")" 9000

# Bytes a packet of what went to the VIPs
average() { json show --stats '[.vips[] | select(.protocol == "tcp")] | ([.[].bytes] | add) / ([.[].packets] | add) | floor'; }

step "uploads of large frames are whole, at every server"
head -c 20M /dev/urandom >"$scratch/upload"
for host in "$vip4" "[$vip6]"; do
	for i in 1 2 3 4 5 6; do
		on client curl -gfsS -m 30 -T "$scratch/upload" "http://$host/upload/jumbo-${#host}-$i"
	done
	for i in 1 2 3 4 5 6; do
		cmp "$scratch/upload" "$run"/rs[123]/www/upload/jumbo-${#host}-"$i" || fail "upload $i to $host is damaged"
	done
done
(($(average) > 5000)) || fail "packets of the uploads have $(average) bytes each"

step "pings of 8,900 bytes are answered by shunt, and those for the host by its kernel"
before=$(counter answered_echo)
on client ping -q -c 3 -i 0.05 -W 5 -M "do" -s 8900 "$vip4" >/dev/null
on client ping -q -c 3 -i 0.05 -W 5 -M "do" -s 8900 "$vip6" >/dev/null
is "pings answered" "$(($(counter answered_echo) - before))" 6
on client ping -q -c 3 -i 0.05 -W 5 -M "do" -s 8900 10.0.0.2 >/dev/null
on client ping -q -c 3 -i 0.05 -W 5 -M "do" -s 8900 2001:db8:a::2 >/dev/null

step "small ones as ever, and every packet is accounted for"
is "HTTP over IPv4" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
is "HTTP over IPv6" "$(http 30 "[$vip6]" | names)" "rs1 rs2 rs3"
is "UDP over IPv4" "$(udp 30 "$vip4" | names)" "rs1 rs2 rs3"
is "drops" "$(counter drop_no_room drop_truncated drop_malformed drop_length)" 0
await 5 "packets = verdicts" accounted_for verdicts
