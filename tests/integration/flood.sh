#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A flow table that is full of established flows, and a flood of SYNs with forged sources at one VIP: what is
# established goes on, pools may change, new connections of other VIPs have their entries, those of the VIP itself get
# through by hash; and shunt says what is going on, and when it is over.
#
#   client ── router ── lan ──┬── lb    web: 192.0.2.80, under attack; web6: 2001:db8::80, beside it
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

of_kind() { ctl --json events --limit 1000 | gojq -c "select(.kind == \"$1\")"; }
events_are() { [[ $(of_kind "$1" | wc -l) == "$2" ]]; } # KIND N
vip() { # ADDR FIELD
	json show vips --stats ".vips[] | select(.address == \"$1\" and .protocol == \"tcp\") | .$2"
}
warned() { json status '.warnings[]' | grep -cF "$1"; }
connect() { # NAME VIP PER_SECOND SECONDS
	background "$1" ip netns exec "${prefix}client" "$build/tests/bench/steady_connect" "$2" 80 "$3" "$4" 15
}
failed() { awk '$2 < 0' "$scratch/$1" | wc -l; }
reload() { ctl reload >/dev/null; }

lab up
# Half-open flows and closed ones are soon forgotten.
edit_conf 's|^flow_table: .*|flow_table: { capacity = 1024; timeouts: { fin = "4s"; reset = "4s"; syn = "4s"; }; };|'
lab start
await 15 "every backend is up" all_up
count_from_here

step "a table full of established flows: what has no room goes by hash, and nothing is dropped"
generate() { # FIRST: packets of 500 flows
	on_wire python3 "$here/_generate.py" flows "$wire" "$lb_mac" "$vip4" 80 tcp 500 --flags A --first "$1" --rate 20000 >/dev/null
}
# With its second packet a flow is established. Until then it gives way to others.
for ((first = 0; first < 6000; first += 500)); do
	generate "$first"
	generate "$first"
done
is "HTTP over IPv6" "$(http 60 "[$vip6]" | names)" "rs1 rs2 rs3"
(($(vip "$vip6" untracked) >= 10)) || fail "of 60 connections only $(vip "$vip6" untracked) found no room"
is "of them for a bound" "$(vip "$vip6" over_bound)" 0
await 5 "an event says that the table is full" events_are table_full 1
(($(warned "the flow table, for 1024 flows, is full") == 1)) || fail "status says nothing of it"
is "packets without a backend" "$(counter drop_no_backend)" 0
await 20 "an event says that it is over" events_are table_full_over 1

step "the table for 20,000 flows, and downloads of both VIPs"
edit_conf 's/capacity = 1024/capacity = 20000/'
reload
for i in 1 2 3; do download "four-$i" 400k; done
for i in 1 2; do download "six-$i" 400k "[$vip6]"; done
known() { on_wire python3 "$here/_generate.py" flows "$wire" "$lb_mac" "$vip4" 80 tcp 2000 --flags A --first 10000 --rate 20000 >/dev/null; }
known # and 2,000 flows that do nothing meanwhile
known
is "bound of a VIP that was given none: a quarter" "$(vip "$vip4" half_open_bound)" 5000
over_before=$(vip "$vip4" over_bound) other_before=$(vip "$vip6" untracked) evicted=$(counter flow_evicted)

step "SYNs with forged sources at $vip4, 10,000 a second; new connections of both VIPs; pools change twice"
forged_syns "$scratch/syn.cfg"
background flood ip netns exec "${prefix}router" trafgen --conf "$scratch/syn.cfg" --out lb --rate 10000pps --cpus 1 --no-sock-mem
at_bound() { (($(vip "$vip4" over_bound) > over_before + 2000)); }
await 10 "the VIP is at its bound" at_bound
connect attacked "$vip4" 50 4
connect beside "$vip6" 50 4
# Checks meanwhile: how many half-open flows there are at the most.
first=$(download_server four-1)
highest=0
watch_half_open() {
	local now
	for _ in {1..15}; do
		now=$(vip "$vip4" half_open)
		((now <= highest)) || highest=$now
	done
}
# They are counted about once a second.
half_open_shows() { watch_half_open && ((highest > 2000)); }
await 10 "the VIP has half-open flows" half_open_shows
ctl backend set web "10.0.0.1${first#rs}" --weight 0 >/dev/null
ctl backend set web6 "2001:db8:a::1${first#rs}" --weight 0 >/dev/null
watch_half_open
other=$((${first#rs} % 3 + 1))
ctl backend set web "10.0.0.1$other" --weight 10 >/dev/null
ctl backend set web6 "2001:db8:a::1$other" --weight 10 >/dev/null
watch_half_open
await 5 "an event says that there is a flood" events_are vip_flood 1
matches "that event" "$(of_kind vip_flood | gojq -r .text)" "^VIP $vip4:80/tcp has its bound of half-open flows, 5000"
(($(warned "VIP $vip4:80/tcp has its bound of half-open flows, 5000") == 1)) || fail "status says nothing of it"
at_bound_is_explained() { [[ $(json explain "203.0.113.1:$RANDOM" "$vip4:80/tcp" .at_bound) == true ]]; }
await 5 "explain says that a new flow would get no entry" at_bound_is_explained
await 20 "all of the VIP's have ended" background_gone attacked
await 20 "all of the other's have ended" background_gone beside
often_at_bound() { (($(vip "$vip4" over_bound) - over_before > 10000)); }
await 20 "the bound was reached often" often_at_bound
spawned_end "$run/pid/test-flood"

step "$(($(vip "$vip4" over_bound) - over_before)) SYNs went by hash; at most $highest flows were half-open"
# What is taken up mid-connection is half-open for a packet, whatever the bound.
((highest <= 5100)) || fail "half-open flows: $highest"
is "connections of the VIP under attack" "$(wc -l <"$scratch/attacked"), $(failed attacked) failed" "200, 0 failed"
is "connections of the other" "$(wc -l <"$scratch/beside"), $(failed beside) failed" "200, 0 failed"
is "connections of the other without an entry" "$(vip "$vip6" untracked)" "$other_before"
is "flows that were displaced" "$(counter flow_evicted)" "$evicted"
is "packets without a backend" "$(counter drop_no_backend)" 0
on lb curl -fsS -m 5 http://127.0.0.1:9190/metrics >"$scratch/metrics"
matches "metrics" "$(grep '^shunt_vip_over_bound_total{vip="192.0.2.80:80/tcp"' "$scratch/metrics")" ' [1-9][0-9]{4,}$'
matches "metrics" "$(grep '^shunt_vip_half_open_bound{vip="192.0.2.80:80/tcp"' "$scratch/metrics")" ' 5000$'

step "every download comes whole, and from one server"
for i in 1 2 3; do downloaded "four-$i" 60; done
for i in 1 2; do downloaded "six-$i" 60; done
# One packet of 256 is looked at.
elsewhere() { known && (($(vip "$vip4" elsewhere) > 0)); }
await 10 "packets of $vip4 are seen where hashing would not have sent them" elsewhere

step "the flood is over: so says an event, and new connections have entries"
await 30 "an event says so" events_are vip_flood_over 1
is "events of floods" "$(of_kind vip_flood | wc -l)" 1
untracked=$(vip "$vip4" untracked)
is "HTTP" "$(http 30 "$vip4" | wc -l)" 30
is "connections without an entry" "$(vip "$vip4" untracked)" "$untracked"
is "warnings" "$(json status '.warnings | length')" 0
await 5 "verdicts add up" accounted_for verdicts
