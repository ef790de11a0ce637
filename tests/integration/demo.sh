#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The first thing a newcomer runs: scripts/demo shows what it says, and leaves nothing behind, whatever way it ends:
# by itself, by Ctrl-C at any moment, by a failure half-way, by kill -9 (then the next one cleans up).
#
#   its own hosts, of the lab's shape
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

# In a process group of its own, as a terminal would start it: demo NAME ARGUMENT...
demo() {
	local name=$1

	shift
	mkdir -p "$scratch/pid"
	# A shell's background jobs ignore SIGINT; a terminal's foreground ones do not.
	spawn "$scratch/pid/$name" "$scratch/$name" /usr/bin/python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$repo/scripts/demo" --path "$SHUNT_PATH" "$@"
}
demo_gone() { spawned_gone "$scratch/pid/$1"; }
ctrl_c() { kill -INT -- "-$(spawned_pid "$scratch/pid/$1")"; }
# What it printed shows that it has come to this point
at() {
	until_true 90 said_or_gone "$1" "$2" || true
	grep -q "$2" "$scratch/$1" || fail "demo $1 did not come to \"$2\": $(<"$scratch/$1")"
}
said_or_gone() { grep -q "$2" "$scratch/$1" || demo_gone "$1"; }

nothing_left() {
	! ip netns list | grep "^$prefix" || fail "namespaces are left"
	[[ ! -e $run && ! -e $run.demo ]] || fail "files are left in /run"
	! compgen -G "/dev/shm/shunt-run-shunt-lab-$SHUNT_LAB-*" || fail "a flow table is left"
	! grep "$run" /proc/mounts || fail "a BPF file system is left"
}

step "--once"
"$repo/scripts/demo" --path "$SHUNT_PATH" --once >"$scratch/once" 2>&1 || fail "$(<"$scratch/once")"
for line in 'HTTP *http://192.0.2.80/.*rs1 .*rs2 .*rs3' 'HTTP *http://\[2001:db8::80\]/.*rs1 .*rs2 .*rs3' \
	'UDP *192.0.2.80.*rs1 .*rs2 .*rs3' 'UDP *2001:db8::80.*rs1 .*rs2 .*rs3' '10.0.0.12 .*up' 'snapshot'; do
	grep -qE "$line" "$scratch/once" || fail "not printed: $line"
done
nothing_left

step "arguments"
status=0
"$repo/scripts/demo" --path nonsense >/dev/null 2>&1 || status=$?
is "status of a wrong argument" "$status" 2
nothing_left

step "it stays up; shuntctl works as it says; a second one is refused; Ctrl-C takes it down"
demo one
at one 'Ctrl-C'
"$repo/scripts/lab" exec lb shuntctl show >/dev/null
refused 1 'is up already' "$repo/scripts/demo" --path "$SHUNT_PATH" --once
"$repo/scripts/lab" stop shuntd
at one 'shuntd has ended'
is "HTTP without shuntd" "$(on client curl -fsS "http://$vip4/" | cut -c 1-2)" rs
ctrl_c one
await 15 "the demo has ended" demo_gone one
nothing_left

step "Ctrl-C while the hosts come up, and while the daemons do"
for point in packages build 'real servers'; do
	demo early
	at early "ok.*$point"
	ctrl_c early
	await 15 "the demo has ended" demo_gone early
	nothing_left
	rm "$scratch/early"
done

step "a failure half-way"
status=0
SHUNT_LAB_CORES=999 SHUNT_LAB_XDP_MODE=999 "$repo/scripts/demo" --path "$SHUNT_PATH" --once >"$scratch/failed" 2>&1 || status=$?
is "status" "$status" 1
grep -q '999' "$scratch/failed" || fail "it does not say why: $(<"$scratch/failed")"
nothing_left

step "nobody reads to the end"
"$repo/scripts/demo" --path "$SHUNT_PATH" --once 2>&1 | head -n 3 >/dev/null || true
nothing_left

step "kill -9, and the next one"
demo killed
at killed 'Ctrl-C'
kill -KILL "$(spawned_pid "$scratch/pid/killed")"
await 5 "it is gone" demo_gone killed
[[ $(ip netns list) == *"$prefix"* ]] || fail "its hosts should still be there"
"$repo/scripts/demo" --path "$SHUNT_PATH" --once >"$scratch/next" 2>&1 || fail "$(<"$scratch/next")"
nothing_left
