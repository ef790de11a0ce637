#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The XDP program outlives shuntd: killed, stopped, restarted, upgraded, given larger maps and another layout, all
# under load, and not one packet is lost, no flow moved, none of what was counted forgotten.
#
#   client ── router ── lan ──┬── lb   eth0: the XDP program, pinned
#                             └── rs1, rs2, rs3
#
# Paths: xdp
. "$(dirname "$0")/_init.sh"

start_all
pins=$run/bpf/eth0
program() { ip -n "${prefix}lb" -j -d link show eth0 | gojq '.[0].xdp.prog.id // 0'; }
another_than() { (($(program) != $1 && $(program) > 0)); }
has_room_for() { [[ $(json status .flows.capacity) == "$1" ]]; }
forwarded() { json counters .forwarded; }
# It may have started another program before it answers: what is in force is known when a change is.
ready() { [[ $(json status .snapshot) -gt 0 ]] && ctl backend set dns 10.0.0.11 --weight 100 >/dev/null; }

step "load: connections without pause, questions of which each needs its answer, and two downloads"
background wrk ip netns exec "${prefix}client" wrk -t 1 -c 16 -d 14s --timeout 6s -H 'Connection: close' "http://$vip4/"
background udp ip netns exec "${prefix}client" "$repo/scripts/lab-udp" ask "$vip4" 53 9000
download four 600k
download six 600k "[$vip6]"
ctl backend set web "10.0.0.1$(download_server four | tr -d rs)" --weight 0
first=$(program)
((first > 0)) || fail "no program on eth0"

step "killed, and started again: the same program goes on"
before=$(forwarded)
kill_hard shuntd
is "program without shuntd" "$(program)" "$first"
lab start shuntd
await 10 "it answers" ready
is "program" "$(program)" "$first"
matches "log" "$(<"$run/log/shuntd.log")" "took over its XDP program, id $first, native mode"
(($(json show --stats '[.vips[].packets] | add') >= before)) || fail "what was counted is gone"

step "stopped, and started again"
lab stop shuntd
is "program without shuntd" "$(program)" "$first"
lab start shuntd
await 10 "it answers" ready
is "program" "$(program)" "$first"

step "started with a newer program: that takes its place"
kill_hard shuntd
"$here/_pins.py" "$pins/control" build
lab start shuntd
await 10 "another program is in use" another_than "$first"
second=$(program)
((second > 0)) || fail "there is a moment without program"

step "killed at whatever moment of its start, and each time there is a newer program to be put in place"
for _ in {1..12}; do
	kill_hard shuntd
	"$here/_pins.py" "$pins/control" build
	spawn "$run/pid/shuntd" "$run/log/shuntd.log" ip netns exec "${prefix}lb" shuntd -c "$run/shunt.conf"
	sleep "0.$((RANDOM % 400 + 100))"
	another_than 0 || fail "there is a moment without program"
done
await 10 "it answers" ready
second=$(program)
is "half-made sets" "$(find "$pins" -maxdepth 1 -name 'set-*')" "$pins/set-$second"

step "more pools than the maps have room for"
for i in {1..4}; do
	ctl pool add "more$i" --check none >/dev/null
	ctl vip add "192.0.2.9$i:80/tcp" --pool "more$i" >/dev/null
	ctl backend add "more$i" 10.0.0.11 >/dev/null
done
await 10 "larger maps are in use" another_than "$second"
third=$(program)
is "half-made sets" "$(find "$pins" -maxdepth 1 -name 'set-*' | wc -l)" 1

step "another capacity of the flow table"
sed -i 's/capacity = [0-9]*/capacity = 50000/' "$run/shunt.conf"
ctl reload >/dev/null
await 10 "another table is in use" has_room_for 50000
((third != $(program))) || fail "still the same program"

step "started with a program of another layout: that takes its place, and has the flows"
fourth=$(program)
lab stop shuntd
"$here/_pins.py" "$pins/control" abi
lab start shuntd
await 10 "another program is in use" another_than "$fourth"
matches "log" "$(<"$run/log/shuntd.log")" "is of another version.*flows are kept"

step "nothing was lost"
await 40 "the connections have ended" background_gone wrk
grep -q 'Requests/sec' "$scratch/wrk" || fail "$(<"$scratch/wrk")"
! grep -E 'Socket errors|Non-2xx' "$scratch/wrk" || fail "$(<"$scratch/wrk")"
await 40 "the questions are asked" background_gone udp
is "answers" "$(grep -c '^rs[123] question' "$scratch/udp")" 9000
downloaded four 40
downloaded six 40
is "drops" "$(json counters '[to_entries[] | select(.key | test("^drop_(tx_full|no_backend|malformed|truncated)")) | .value] | add')" 0
step "$(grep -E 'requests in' "$scratch/wrk" | xargs)"

step "detached it leaves nothing; attached again it goes on"
ctl detach | grep -q 'on eth0' || fail "detach does not say what it did"
is "program" "$(program)" 0
[[ ! -e $pins ]] || fail "left in the BPF file system: $(ls -R "$pins")"
refused 3 'shuntd' shuntctl --socket "$run/nothing" detach
matches "status" "$(ctl status)" "taken off interface eth0"
ctl reload >/dev/null
await 10 "it is attached" another_than 0
await 10 "connections are served" http 1 "$vip4"
lab stop shuntd
on lb shuntd -c "$run/shunt.conf" --detach 2>"$scratch/detach" || fail "$(<"$scratch/detach")"
matches "--detach" "$(<"$scratch/detach")" "XDP program taken off interface eth0"
is "program" "$(program)" 0
[[ ! -e $pins ]] || fail "left in the BPF file system: $(ls -R "$pins")"
