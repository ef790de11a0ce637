#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every fragment of a datagram reaches the server of its flow: IPv4 and IPv6, UDP and TCP, in order and in any other,
# many flows of one client at a time; on the DPDK path by two workers, among which the fragments of one datagram are
# dealt out anyhow. Real sockets at both ends get whole datagrams. Fragments that nobody honest sends are dropped by
# name, and a flood of those that wait in vain is bounded and in nobody's way.
#
#   client ── router ──┬── lb
#               │      └── rs1, rs2, rs3
#               └─ _fragment.py: what is routed to the VIPs, in pieces, in the order it is told, onto the cable to lb
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

mapfile -t cpus < <(taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }')
((${#cpus[@]} < 2)) || export SHUNT_LAB_CORES=${cpus[0]},${cpus[1]}
start_all
pid=$(pid_of "$forwarder")
fragment() { on "$1" "$here/_fragment.py" "${@:2}"; }
tags=()
if is_dpdk && ((${#cpus[@]} > 1)); then tags=(--tags); fi

all_served() { [[ $(json show '[.vips[] | select(.port == 7000)] | length') == 2 ]] && all_up; }
for rs in rs1 rs2 rs3; do
	# Linux gives a datagram up when 64 fragments of others of the same client have come meanwhile.
	on "$rs" sysctl -qw net.ipv4.ipfrag_max_dist=0
	background "sink-$rs" ip netns exec "$prefix$rs" "$here/_fragment.py" serve "$rs" 7000
done
ctl vip add "$vip4:7000/tcp" --pool web
ctl vip add "[$vip6]:7000/tcp" --pool web6
await 10 "the VIPs with port 7000 are there" all_served
# The router looks for a VIP's MAC now; while it does, it keeps a few packets only, and loses the first ones of more.
for vip in "$vip4" "$vip6"; do
	is "small uploads to $vip" "$(fragment client upload "$vip" 7000 30 10)" "rs1 rs2 rs3"
done

# What waited went on, all of it, and nothing else is missing.
settled() { (($(counter held_fragment) == $(counter fragment_released) + $(counter fragment_expired))); }
none_lost() { # WHAT
	await 5 "$1: what was held is settled" settled
	is "$1: expired" "$(counter fragment_expired)" "$expired"
}
# Of thousands a datagram or two: seen once, of one datagram, and not explained for certain. A worker may have had no CPU
# for half a second while the first lay in its queue, or the entry have given way to the fifth in its place.
few_lost() { # WHAT
	local more

	await 5 "$1: what was held is settled" settled
	more=$(($(counter fragment_expired) - expired))
	((more <= 10)) || fail "$1: $more of thousands expired"
	echo "expired $more"
	expired=$((expired + more))
}
expired=0

step "the client's own kernel cuts what is too large for its cable"
# From addresses of its own, as it uses identifications by rules of its own.
ip -n "${prefix}client" addr add 198.51.100.3/24 dev eth0
ip -n "${prefix}client" addr add 2001:db8:1::3/64 dev eth0
ask_large() { # VIP
	fragment client ask "$1" 53 50 4 8000 --source "$([[ $1 == "$vip4" ]] && echo 198.51.100.3 || echo 2001:db8:1::3)"
}
for vip in "$vip4" "$vip6"; do
	is "$vip, 8000 bytes" "$(ask_large "$vip")" "rs1 rs2 rs3"
done
(($(counter fragment_first) == 400)) || fail "fragment_first: $(counter fragment_first)"
(($(counter fragment_later) + $(counter fragment_released) == 400 * 5)) ||
	fail "fragment_later: $(counter fragment_later), released: $(counter fragment_released)"
none_lost "large datagrams"

step "a ping in fragments is answered in fragments"
on client ping -q -c 3 -i 0.2 -W 10 -s 6000 "$vip4" >/dev/null || fail "IPv4"
on client ping -q -c 3 -i 0.2 -W 10 -s 6000 "$vip6" >/dev/null || fail "IPv6"

step "the router cuts all that goes to the VIPs"
mkfifo "$scratch/orders"
on router "$here/_fragment.py" relay lb "$lb_mac" --vip "$vip4" "$vip6" "${tags[@]}" <"$scratch/orders" >"$scratch/relay" 2>&1 &
relay=$!
exec {orders}>"$scratch/orders"
await 5 "the relay is ready" grep -q ready "$scratch/relay"
obeyed() { (($(grep -c ok "$scratch/relay") == $1)); }
told=0
for order in straight interleaved reversed shuffled; do
	step "$order"
	echo "$order" >&"$orders"
	await 5 "the relay is told" obeyed $((told += 1))
	held=$(counter held_fragment) full=$(counter drop_fragment_full)
	for vip in "$vip4" "$vip6"; do
		is "UDP to $vip" "$(fragment client ask "$vip" 53 60 4 1400)" "rs1 rs2 rs3"
		is "TCP to $vip" "$(fragment client upload "$vip" 7000 30 25000)" "rs1 rs2 rs3"
	done
	few_lost "$order"
	held=$(($(counter held_fragment) - held))
	full=$(($(counter drop_fragment_full) - full))
	echo "held $held, without room $full"
	[[ $order != reversed ]] || ((held > 500 && full < held / 4)) || fail "held: $held, without room: $full"
done
exec {orders}>&-
wait "$relay"
if ((${#tags[@]})); then
	is "idle workers" "$(json status '[.dataplane.workers[] | select(.packets < 1000)] | length')" 0
fi

step "fragments that nobody honest sends"
rose() { (($(counter "$1") == $2)); }
tiny=$(counter drop_fragment_tiny) overlap=$(counter drop_fragment_overlap)
fragment router odd lb "$lb_mac" "$vip4" "$vip6" tiny 20
fragment router odd lb "$lb_mac" "$vip4" "$vip6" offset 20
await 5 "40 are tiny" rose drop_fragment_tiny $((tiny + 40))
fragment router odd lb "$lb_mac" "$vip4" "$vip6" overlap 20
await 5 "20 overlap" rose drop_fragment_overlap $((overlap + 20))
none_lost "odd ones"
fragment router odd lb "$lb_mac" "$vip4" "$vip6" orphans 40
await 5 "40 waited in vain" rose fragment_expired $((expired + 40))

step "a flood of those that wait in vain is bounded, and who sends in order is served"
fragment router odd lb "$lb_mac" "$vip4" "$vip6" orphans 60000 &
flood=$! full=$(counter drop_fragment_full)
for vip in "$vip4" "$vip6" "$vip4" "$vip6"; do
	is "during the flood, $vip" "$(ask_large "$vip")" "rs1 rs2 rs3"
done
wait "$flood"
await 5 "those that were held are settled" settled
# In XDP those that find no room with shuntd have been held for a moment.
! is_dpdk || (($(counter drop_fragment_full) > full + 1000)) || fail "drop_fragment_full: $(($(counter drop_fragment_full) - full))"
(($(counter drop_fragment_full fragment_expired) > full + 30000)) || fail "expired: $(counter fragment_expired)"

if is_xdp; then
	step "without shuntd nothing waits, and all else goes on"
	full=$(counter drop_fragment_full) held=$(counter held_fragment)
	kill_hard shuntd
	is "without shuntd" "$(ask_large "$vip4")" "rs1 rs2 rs3"
	fragment router odd lb "$lb_mac" "$vip4" "$vip6" orphans 10
	lab start shuntd
	await 10 "shuntd has it again" connected
	pid=$(pid_of shuntd)
	await 5 "10 found nobody" rose drop_fragment_full $((full + 10))
	is "held" "$(counter held_fragment)" "$held"
	fragment router odd lb "$lb_mac" "$vip4" "$vip6" orphans 10
	await 5 "10 were held" rose held_fragment $((held + 10))
fi

step "it is the same process, and every packet is accounted for"
is "process" "$(pid_of "$forwarder")" "$pid"
await 5 "verdicts add up to what was received" accounted_for
