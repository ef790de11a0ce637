#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# shunt-dataplane on AF_XDP sockets above the XDP program: it comes and goes, is stopped and killed, and so is shuntd,
# while downloads run and a generator asks at a steady rate. Pools have changed before, so that nothing but the flow
# table, which both forwarders share, knows where the flows are.
#
#   client ── router ── lan ──┬── lb   eth0: XDP program ══ AF_XDP ══ shunt-dataplane
#                             └── rs1, rs2, rs3
#
# Paths: xdp
. "$(dirname "$0")/_init.sh"
steady_udp=$build/tests/bench/steady_udp
[[ -x $steady_udp ]] || skip "no $steady_udp"
rate=5000
# Two queues with a worker each: their sockets share one pool of buffers.
export SHUNT_LAB_SOCKETS=1 SHUNT_LAB_QUEUES=2
SHUNT_LAB_CORES=$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[-,]/); print a[1] (n > 1 ? "," a[n] : "") }' /proc/self/status)
export SHUNT_LAB_CORES

# Since it was started last: it takes frames off the program's hands.
has_joined() {
	awk '/: version / { joined = 0 } /frames to VIPs come from/ { joined = 1 } END { exit !joined }' "$run/log/dataplane.log"
}
start_dataplane() {
	lab start dataplane
	await 10 "shunt-dataplane takes frames from the XDP program" has_joined
}

# packets that shunt-dataplane received, as shuntd adds up
by_dataplane() { json status '[.dataplane.workers[].packets] | add'; }

client_sent() { on client cat /sys/class/net/eth0/statistics/tx_packets; }
has_sent() { (($(client_sent) >= $1)); }

# under_load SECONDS CMD...: run the command in the midst of questions, over flows that had begun before
under_load() {
	local sent
	sent=$(client_sent)
	rm -f "$scratch/steady"
	background steady ip netns exec "${prefix}client" "$steady_udp" "$vip4" 53 "$rate" "$1" 200
	await 10 "every flow has begun" has_sent $((sent + rate / 2))
	"${@:2}"
	await $(($1 + 10)) "the generator has ended" background_gone steady
	step "  $(<"$scratch/steady")"
	is "moved flows" "$(of_load moved)" 0
}
# One of the generator's servers gets no new flows any more: where those it has are, the flow table alone knows.
close_server() {
	ctl backend set dns 10.0.0.11 --weight 0 >/dev/null
	"$@"
}
of_load() { gojq ".$1" "$scratch/steady"; }
no_loss() { is "lost" "$(of_load lost)" 0; }

lab up
# One server that comes later.
edit_conf '/name = "dns";/,/\); \}/ s|^( +\{ address = "10.0.0.11".*)|#later \1|'
lab start shuntd
await 15 "every backend is up" all_up
count_from_here

step "without shunt-dataplane XDP forwards alone"
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"

step "it starts, under load: nothing is lost, no flow moves"
under_load 3 start_dataplane
no_loss
await 5 "shuntd has found it" test "$(json status .dataplane.connected)" = true

step "a server is added while it is away; it starts with the snapshot of before: the server keeps its flows"
lab stop dataplane
edit_conf 's|^#later ||'
ctl reload >/dev/null
await 15 "every backend is up" all_up
under_load 3 close_server start_dataplane
no_loss
grep -q "the snapshot here is older" "$run/log/dataplane.log" || fail "it had the snapshot of after"
ctl backend set dns 10.0.0.11 --weight 100 >/dev/null
await 5 "shuntd has found it" test "$(json status .dataplane.connected)" = true

step "traffic goes through it, both families and protocols"
before=$(by_dataplane)
is "HTTP over IPv4" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
is "HTTP over IPv6" "$(http 30 "[$vip6]" | names)" "rs1 rs2 rs3"
is "UDP over IPv4" "$(udp 30 "$vip4" | names)" "rs1 rs2 rs3"
is "UDP over IPv6" "$(udp 30 "$vip6" | names)" "rs1 rs2 rs3"
through_it() { (($(by_dataplane) > before + 300)); }
await 5 "shunt-dataplane has received it" through_it
on client ping -q -c 2 -i 0.2 -W 10 "$vip4" >/dev/null
on client ping -q -c 2 -i 0.2 -W 10 10.0.0.2 >/dev/null
on client curl -fsS -m 60 -o "$scratch/file" "http://$vip4/download"
cmp "$scratch/file" "$run/$(head -c 3 "$scratch/file")/www/download" || fail "damaged"
head -c 4M /dev/urandom >"$scratch/upload"
on client curl -fsS -m 60 -T "$scratch/upload" "http://$vip4/upload/file"
cmp "$scratch/upload" "$run"/rs*/www/upload/file || fail "damaged"
is "workers that received" "$(json status '[.dataplane.workers[] | select(.packets > 0)] | length')" \
	"$(wc -w <<<"${SHUNT_LAB_CORES//,/ }")"
await 5 "verdicts add up to what was received" accounted_for

step "downloads begin; then their servers, and one of the generator's, get no new flows any more"
for i in 1 2; do download "long-$i" 400k; done
download six 400k "[$vip6]"
for i in 1 2; do
	on_server=$(download_server "long-$i")
	ctl backend set web "10.0.0.1${on_server#rs}" --weight 0 >/dev/null
done
ctl backend del web6 "2001:db8:a::1$(download_server six | tr -d rs)" >/dev/null

step "kill -9 under load: the same backends go on, after a gap of a few packets"
under_load 3 close_server kill_hard dataplane
(($(of_load gap_packets) < rate / 10)) || fail "a gap of $(of_load gap_ms) ms"
gap="$(of_load gap_packets) packets, $(of_load gap_ms) ms"
ctl backend set dns 10.0.0.11 --weight 100 >/dev/null

step "the next one takes over under load"
under_load 3 start_dataplane
no_loss

step "the flow table gets another capacity under load"
edit_conf 's/capacity = [0-9]+/capacity = 500000/'
reload() { ctl reload >/dev/null; }
under_load 3 reload
no_loss
has_table() { grep -q "flow table .*: that of the XDP program, for 500000 flows" "$run/log/dataplane.log"; }
await 5 "shunt-dataplane has the new table" has_table
# The reload took back what the commands did: later shunt-dataplane is to have the last snapshot there is.
await 10 "the server that was deleted is up" all_up

step "stopped under load"
under_load 3 lab stop dataplane
no_loss

step "shuntd is killed; shunt-dataplane starts, is killed and starts again without it"
kill_hard shuntd
under_load 3 start_dataplane
no_loss
under_load 3 kill_hard dataplane
(($(of_load gap_packets) < rate / 10)) || fail "a gap of $(of_load gap_ms) ms"
start_dataplane

step "shuntd is back; what was under way all the while is whole"
lab start shuntd
await 10 "shuntd has found it" test "$(json status .dataplane.connected)" = true
for i in 1 2; do downloaded "long-$i" 60; done
downloaded six 60
is "moved flows" "$(counter flow_moved)" 0
step "the gap at kill -9, $rate packets a second: $gap"
