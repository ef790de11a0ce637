#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A server vanishes under new connections: it is suspect long before its checks have failed often enough, down with the
# extra check, and every client gets through with its own second try. A flood of SYNs that nobody means takes no
# healthy server down, and what is past its handshake is moved by nothing that the network repeats. A suspicion that the
# check does not share is over, and not held again at once.
#
#   client ── router ── lan ──┬── lb    web: checked each second, down after three failures
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

# of_kind KIND [ADDR]: how many such events web has had
of_kind() { events_of "$@" | wc -l; }
events_of() {
	ctl --json events --pool web --limit 1000 | gojq -c "select(.kind == \"$1\" and (\"${2-}\" == \"\" or .backend == \"${2-}\"))"
}
# when KIND ADDR: in ms, of the first
when() { date -d "$(events_of "$@" | head -n 1 | gojq -r .time)" +%s%3N; }
connect() { # NAME PER_SECOND SECONDS [LIMIT]
	background "$1" ip netns exec "${prefix}client" "$build/tests/bench/steady_connect" "$vip4" 80 "$2" "$3" "${4-5}"
}
failed() { awk '$2 < 0' "$scratch/$1" | wc -l; }
handshakes_reach() { (($(traffic web handshakes) >= $1)); }
backend_of() { json explain "198.51.100.2:$1" "$vip4:80/tcp" .backend; }

step "handshakes are counted, and shown"
http 30 "$vip4" >/dev/null
is "SYNs of web" "$(traffic web syns)" 30
await 5 "30 handshakes are completed" handshakes_reach 30
is "repeated SYNs of web" "$(traffic web syn_repeats)" 0
on lb curl -fsS -m 5 http://127.0.0.1:9190/metrics >"$scratch/metrics"
is "shunt_backend_handshakes_total" \
	"$(awk '/^shunt_backend_handshakes_total\{.*pool="web"/ { n += $2 } END { print n }' "$scratch/metrics")" 30

step "one connection to rs2 is kept, one is left half-open there"
port=20000
until [[ $(backend_of "$port") == 10.0.0.12 ]]; do port=$((port + 1)); done
established=$port
# shellcheck disable=SC2016
background kept ip netns exec "${prefix}client" python3 -c 'import socket, sys, time
kept = socket.create_connection((sys.argv[1], 80), 5, ("", int(sys.argv[2])))
print("there", flush=True)
time.sleep(60)' "$vip4" "$established"
await 5 "the connection is there" grep -q there "$scratch/kept"
port=$((port + 1))
until [[ $(backend_of "$port") == 10.0.0.12 ]]; do port=$((port + 1)); done
half_open=$port
repeat() { on_wire "$here/_syn.py" "$wire" "$lb_mac" 198.51.100.2 "$1" "$vip4" 80; }
explained() { json explain "198.51.100.2:$1" "$vip4:80/tcp" '"\(.backend) \(.reason)"'; }
# Its checksum is wrong, so that the server does not answer.
repeat "$half_open"
half_open_is_on() { [[ $(explained "$half_open") == "$1 flow" ]]; }
await 5 "the half-open flow is on rs2" half_open_is_on 10.0.0.12
is "where the kept one is" "$(explained "$established")" "10.0.0.12 flow"

step "300 connections a second, and rs2 is gone from the network"
before=$(traffic web handshakes)
connect steady 300 4
await 10 "the connections are under way" handshakes_reach $((before + 300))
gone_ms=$(date +%s%3N)
ip -n "${prefix}rs2" link set eth0 down
is_out() { (($(of_kind backend_suspect 10.0.0.12) && $(of_kind backend_down 10.0.0.12))); }
await 5 "rs2 is suspect, and down" is_out
suspect_ms=$(($(when backend_suspect 10.0.0.12) - gone_ms)) down_ms=$(($(when backend_down 10.0.0.12) - gone_ms))
step "suspect after $suspect_ms ms, down after $down_ms ms: $(events_of backend_suspect | gojq -r .text)"
# By its checks alone, at one a second and three of them, it would take two seconds at the least.
((suspect_ms <= down_ms && down_ms < 2000)) || fail "suspect after $suspect_ms ms, down after $down_ms ms"

step "what is past its handshake stays, whatever is repeated; what is half-open goes elsewhere"
retried=$(counter flow_retried)
hits=$(counter flow_hit)
repeat "$established"
hit() { (($(counter flow_hit) > hits)); }
await 5 "the repeated SYN has come" hit
is "where the established flow is" "$(explained "$established")" "10.0.0.12 flow"
repeat "$half_open"
moved() { [[ $(explained "$half_open") =~ ^10\.0\.0\.1[13]\ flow$ ]]; }
await 5 "the half-open flow is elsewhere" moved
(($(counter flow_retried) > retried)) || fail "flow_retried did not rise"

step "every client gets through"
await 20 "all have ended" background_gone steady
step "$(wc -l <"$scratch/steady") connections; of them $(awk '$2 > 900' "$scratch/steady" | wc -l) with the second try, $(
	failed steady) failed; flow_retried $(counter flow_retried), repeated SYNs to rs2 $(traffic web syn_repeats 10.0.0.12)"
is "connections" "$(wc -l <"$scratch/steady")" 1200
is "failed connections" "$(failed steady)" 0
(($(traffic web syn_repeats 10.0.0.12) > 0)) || fail "no SYN was repeated"
spawned_end "$run/pid/test-kept"
ip -n "${prefix}rs2" -batch - <<-END
	link set eth0 up
	route replace default via 10.0.0.1
	route replace default via 2001:db8:a::1
END
await 10 "all are up" all_up

step "a flood of SYNs from nobody, and 100 clients a second: nobody goes down"
forged_syns "$scratch/syn.cfg"
suspicions=$(of_kind backend_suspect)
downs=$(of_kind backend_down)
asked=$(traffic web syns)
background flood ip netns exec "${prefix}router" trafgen --conf "$scratch/syn.cfg" --out lb --num 300000 --rate 10000pps \
	--cpus 1 --no-sock-mem
is_flood() { (($(traffic web syns) - asked > $1)); }
await 10 "the flood has begun" is_flood 1000
connect flooded 100 3 15 # the flood fills the cable now and then, and SYNs are lost
await 20 "all have ended" background_gone flooded
await 20 "it was a flood" is_flood 15000
spawned_end "$run/pid/test-flood"
step "$(($(traffic web syns) - asked)) SYNs; $(($(of_kind backend_suspect) - suspicions)) suspicions; $(
	awk '$2 > 900' "$scratch/flooded" | wc -l) of 300 connections with the second try"
is "connections" "$(wc -l <"$scratch/flooded")" 300
is "failed connections" "$(failed flooded)" 0
is "backends that went down" "$(of_kind backend_down)" "$downs"
none_down || fail "not all are up"

step "web is checked by the servers' own addresses, which does not see that rs2 has lost the VIP: suspicions are refuted"
edit_conf 's/type = "tcp"; via = "vip";/type = "tcp"; via = "backend"; port = 80;/'
ctl reload >/dev/null
suspicions=$(of_kind backend_suspect 10.0.0.12) cleared=$(of_kind backend_cleared 10.0.0.12)
lab exec rs2 "$repo/scripts/realserver" down >/dev/null
connect refuted 300 2
is_cleared() { (($(of_kind backend_cleared 10.0.0.12) > cleared)); }
await 5 "a suspicion of rs2 is refuted" is_cleared
lab exec rs2 "$repo/scripts/realserver" up "$vip4" "$vip6" >/dev/null
await 20 "all have ended" background_gone refuted
step "$(($(of_kind backend_suspect 10.0.0.12) - suspicions)) suspicions, $(failed refuted) of 600 connections failed"
(($(of_kind backend_suspect 10.0.0.12) - suspicions <= 2)) || fail "it was suspected again at once"
is "backends that went down" "$(of_kind backend_down)" "$downs"
none_down || fail "not all are up"
