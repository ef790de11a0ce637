#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A way to the client through which full-sized packets do not fit: the router in front of it says so to the VIP, and
# the server whose connection it is sends smaller ones.
#
#   client ═══ router ──┬── lb
#     MTU 1500   ║      ├── rs1..rs3: answers of 1500 bytes, not to be fragmented
#       but 1400 on     │
#       router's side   └
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

# What a kernel counts: mib HOST NAME
mib() { on "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'; }

# Errors that a server was sent about packets of connections that it has not.
strangers() {
	local host sum=0

	for host in rs1 rs2 rs3; do sum=$((sum + $(mib "$host" IcmpInErrors) + $(mib "$host" Icmp6InErrors))); done
	echo "$sum"
}

# The server has learned what fits: learned HOST FAMILY CLIENT VIP
learned() { [[ $(on "$1" ip "-$2" route get "$3" from "$4") == *"mtu 1400"* ]]; }

narrow() { ip -n "${prefix}router" link set wan mtu "$1"; }

start_all
# Nobody finds out by trying.
for host in rs1 rs2 rs3; do is "probing on $host" "$(on "$host" sysctl -n net.ipv4.tcp_mtu_probing)" 0; done

step "downloads begin while there is room; then their servers get no new flows: the flow table alone knows whose they are"
download four 1m
download six 1m "[$vip6]"
four=$(download_server four) six=$(download_server six)
ctl backend set web "10.0.0.1${four#rs}" --weight 0
ctl backend set web6 "2001:db8:a::1${six#rs}" --weight 0

step "the way becomes narrow in the middle of them"
narrow 1400
await 15 "$four has learned it" learned "$four" 4 198.51.100.2 "$vip4"
await 15 "$six has learned it" learned "$six" 6 2001:db8:1::2 "$vip6"
downloaded four 60
downloaded six 60
(($(counter icmp_error) >= 2)) || fail "errors forwarded: $(counter icmp_error)"
is "errors that came to another server" "$(strangers)" 0

step "those that begin now, at each server, over each family"
ctl backend set web "10.0.0.1${four#rs}" --weight 100
ctl backend set web6 "2001:db8:a::1${six#rs}" --weight 100
for host in rs1 rs2 rs3; do
	on "$host" ip route flush cache
	on "$host" ip -6 route flush cache
done
before=$(counter icmp_error)
for i in 1 2 3 4 5 6 7 8; do
	download "four$i" 8m
	download "six$i" 8m "[$vip6]"
done
for i in 1 2 3 4 5 6 7 8; do
	downloaded "four$i" 60
	downloaded "six$i" 60
done
(($(counter icmp_error) > before)) || fail "no error was forwarded"
is "errors that came to another server" "$(strangers)" 0
is "errors that went nowhere" "$(counter drop_icmp drop_icmp_quote)" 0

step "no flow was made or moved by them, and every packet is accounted for"
is "flows moved" "$(counter flow_moved)" 0
await 5 "packets = verdicts" accounted_for
