#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What keeps the XDP program from an interface is said in one line that helps, leaves nothing behind and drops nothing
# that would have passed without shunt; and what can pass by itself is waited for.
#
#   lb alone matters here, and the router that pings it
#
# Paths: xdp
. "$(dirname "$0")/_init.sh"

lab up
good=$run/shunt.conf
bad=$scratch/bad.conf
pins=$run/bpf
log=$run/log/shuntd.log
program() { ip -n "${prefix}lb" -j -d link show "${1:-eth0}" 2>/dev/null | gojq '.[0].xdp.prog.id // 0'; }
attached() { (($(program "${1:-eth0}") > 0)); }
in_force() { [[ $(json status .snapshot) -gt 0 ]]; }
new0_is_away() { [[ $(ctl status) == *"new0 went away: nothing is forwarded"* ]]; }
nothing_left() { # what is pinned here, and whether eth0 has a program
	is "program on eth0" "$(program)" 0
	# The kernel puts *.debug into a BPF file system, and ip link set ... xdp, further down, the three others.
	is "pins" "$(find "$pins" -mindepth 1 -maxdepth 1 -not -name '*.debug' -not -name ip -not -name tc -not -name xdp)" ""
}
passes() { on router ping -q -c 1 -W 10 10.0.0.2 >/dev/null || fail "lb's own traffic does not pass"; }
# wrong SED-EXPRESSION: the lab's configuration with one thing changed
wrong() { sed -E "s|http = .*|http = \"\";|; $1" "$good" >"$bad"; }
shuntd_refused() { # PATTERN [CMD...]: shuntd does not start
	local status=0

	on lb "${@:2}" timeout 20 shuntd -c "$bad" >"$scratch/refused" 2>&1 || status=$?
	is "status of shuntd (it said: $(<"$scratch/refused"))" "$status" 1
	matches "what shuntd said" "$(grep ' error: ' "$scratch/refused")" "^shuntd: error: [^"$'\n'"]*($1)[^"$'\n'"]*$"
	nothing_left
}
says() { grep -qE "$1" "$log"; }
count() { grep -cE "$1" "$log" || true; }
# Started without a wait for what can't be.
started() {
	: >"$log"
	spawn "$run/pid/shuntd" "$log" ip netns exec "${prefix}lb" shuntd -c "$good"
	await 10 "shuntd answers" ctl status
}

step "no BPF file system"
wrong "s|pin = \"[^\"]*|pin = \"$scratch/pins|"
shuntd_refused 'not on a BPF file system: mount one \(mount -t bpf'
[[ ! -e $scratch/pins ]] || fail "it has made a folder"

step "no rights: without any, and without those for BPF alone"
wrong ''
chmod 644 "$bad"
shuntd_refused 'not permitted' setpriv --bounding-set=-all --inh-caps=-all
shuntd_refused 'CAP_BPF' setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-all
shuntd_refused 'CAP_PERFMON' setpriv --bounding-set=-perfmon,-sys_admin --inh-caps=-all
passes

step "only the rights it says it needs (and what its unit has besides)"
needed=-all,+net_admin,+net_raw,+chown,+fowner,+dac_override,+bpf,+perfmon
limited() {
	background limited ip netns exec "${prefix}lb" setpriv --inh-caps=-all --bounding-set="$needed" shuntd -c "$good"
}
limited
await 10 "the program is attached" attached
spawned_end "$run/pid/test-limited" KILL
limited
await 10 "it is taken over" grep -q 'took over' "$scratch/limited"
await 10 "it answers" in_force
ctl detach >/dev/null
spawned_end "$run/pid/test-limited"
nothing_left

step "the program of somebody else"
printf '__attribute__((section("xdp"))) int other(void *frame) { return 2; }' |
	clang -O2 -target bpf -x c -c -o "$scratch/other.o" -
on lb ip link set dev eth0 xdpdrv obj "$scratch/other.o" sec xdp
other=$(program)
started
await 10 "it says so" says "error: .*interface eth0 has another XDP program, id $other \(other\)"
is "program on eth0" "$(program)" "$other"
matches "status" "$(ctl status)" "another XDP program"
passes
on lb ip link set dev eth0 xdpdrv off
await 10 "its own takes the place" attached
is "lines about the other" "$(count 'another XDP program')" 1
await 15 "every backend is up" all_up
await 10 "connections are served" http 1 "$vip4"

step "a second shuntd with the same pins"
wrong "s|$run/shuntd.sock|$scratch/s|; s|$run/state|$scratch/state|"
status=0
on lb timeout 20 shuntd -c "$bad" >"$scratch/refused" 2>&1 || status=$?
is "status" "$status" 1
matches "what it said" "$(<"$scratch/refused")" "another shuntd has the XDP program of interface eth0"
status=0
on lb timeout 20 shuntd -c "$good" --detach >"$scratch/refused" 2>&1 || status=$?
is "status of --detach" "$status" 1
matches "what it said" "$(<"$scratch/refused")" "another shuntd has the XDP program"
http 1 "$vip4" >/dev/null || fail "the running one was disturbed"

step "taken off by force"
on lb bpftool link detach pinned "$pins/eth0/link"
await 10 "it is attached again" attached
is "lines about it" "$(count 'somebody has taken the XDP program off')" 1

step "an interface of an earlier configuration"
lab stop shuntd
ip -n "${prefix}lb" link add new0 type veth peer name new1
ip -n "${prefix}lb" link set new0 up
ip -n "${prefix}lb" link set new1 up
cp "$good" "$scratch/good"
sed -i 's/interface = "eth0"/interface = "new0"/' "$good"
started
await 10 "the program is attached" attached new0
await 5 "it says what is left" says 'interface eth0 still has an XDP program.*shuntctl detach eth0'
ctl detach eth0 >/dev/null
is "program on eth0" "$(program)" 0
[[ ! -e $pins/eth0 ]] || fail "pins of eth0 are left"

step "the interface goes away, and comes back"
ip -n "${prefix}lb" link del new0
await 10 "status says so" new0_is_away
ip -n "${prefix}lb" link add new0 type veth peer name new1
ip -n "${prefix}lb" link set new1 up
ip -n "${prefix}lb" link set new0 up
await 10 "it is attached" attached new0
is "lines about it" "$(count 'interface new0 .*(went (away|down)|is not there)')" 1
ctl detach >/dev/null
is "program on new0" "$(program new0)" 0
lab stop shuntd

step "the interface comes late"
sed -i 's/interface = "new0"/interface = "late0"/' "$good"
started
is "program on eth0" "$(program)" 0
ip -n "${prefix}lb" link add late0 type veth peer name late1
ip -n "${prefix}lb" link set late1 up
ip -n "${prefix}lb" link set late0 up
await 10 "the program is attached" attached late0
ctl detach >/dev/null
lab stop shuntd

step "native mode refused: an interface that has none"
ip -n "${prefix}lb" link add plain0 type bridge
ip -n "${prefix}lb" link set new1 master plain0
ip -n "${prefix}lb" link set plain0 up
sed -i 's/interface = "late0"/interface = "plain0"/; s/mode = "[a-z]*"/mode = "native"/' "$good"
started
await 10 "it says so" says 'error: .*plain0: its driver takes no native XDP program \(.*set xdp.mode to "auto" or "generic"'
is "program on plain0" "$(program plain0)" 0
lab stop shuntd
nothing_left
sed -i 's/mode = "native"/mode = "auto"/' "$good"
started
await 10 "generic takes its place" says 'warning: .*plain0: XDP in generic mode, as its driver refuses native'
is "path" "$(json status .path)" xdp-generic
matches "status" "$(ctl status)" "generic mode"
ctl detach >/dev/null
lab stop shuntd
nothing_left

step "more flows than there is memory for"
cp "$scratch/good" "$good"
sed -i 's/capacity = [0-9]*/capacity = 1000000000/' "$good"
if (($(awk '/MemAvailable/ { print $2 }' /proc/meminfo) < 15000000)); then
	started
	await 10 "it says so" says 'error: .*lower flow_table.capacity'
	is "program on eth0" "$(program)" 0
	lab stop shuntd
	nothing_left
fi

step "memory of a small set-up: less than 64 MB in all"
cp "$scratch/good" "$good"
started
await 15 "every backend is up" all_up
# What shuntd has of the maps in its own memory is the maps', and counted with all of the program's.
resident=$(awk '/^[0-9a-f]+-/ { maps = /bpf-map/ } /^Rss:/ && !maps { sum += $2 } END { print sum }' \
	"/proc/$(pid_of shuntd)/smaps")
maps=0
for map in $(bpftool -j prog show pinned "$pins/eth0/current/program" | gojq '.map_ids[]'); do
	maps=$((maps + $(bpftool -j map show id "$map" | gojq .bytes_memlock)))
done
step "shuntd $((resident / 1024)) MB, maps $((maps / 1048576)) MB"
((resident / 1024 + maps / 1048576 < 64)) || fail "that is not less than 64 MB"

step "detached by shuntd itself, which leaves nothing"
kill_hard shuntd
attached eth0 || fail "the program went with shuntd"
on lb shuntd -c "$good" --detach=nosuch0 2>"$scratch/detach" || fail "$(<"$scratch/detach")"
matches "--detach of another" "$(<"$scratch/detach")" "no XDP program of shunt's is on interface nosuch0"
attached eth0 || fail "that took eth0's off"
on lb shuntd -c "$good" --detach 2>"$scratch/detach" || fail "$(<"$scratch/detach")"
nothing_left
passes
