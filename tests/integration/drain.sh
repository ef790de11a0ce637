#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A server that drains gets no new connection from the moment the command returns, and those it has go on, while
# shuntd and the forwarder are killed and come back; it is drained when none is left, or at its deadline, by a clock
# that nobody sets; it is put back by enable. The last server of a pool is not drained by mistake.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

# A clock that can be set back an hour for one process alone: as far as the file says.
cat >"$scratch/clock.c" <<'END'
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static time_t set_back(void)
{
	const char *file = getenv("CLOCK_SET_BACK");
	return file && access(file, F_OK) == 0 ? 3600 : 0;
}
int clock_gettime(clockid_t id, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, id, now);
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		now->tv_sec -= set_back();
	return result;
}
int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec time;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &time);
	now->tv_sec = time.tv_sec;
	now->tv_usec = time.tv_nsec / 1000;
	return 0;
}
time_t time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
END
cc -shared -fPIC -O1 -o "$scratch/clock.so" "$scratch/clock.c"
# A program built with sanitizers wants to be the first to be asked.
ldd "$(command -v shuntd)" | grep -q libasan && preload= || preload=$scratch/clock.so
start_shuntd() { CLOCK_SET_BACK=$scratch/set-back LD_PRELOAD=$preload lab start shuntd; }

lab up
edit_conf 's|^flow_table: .*|flow_table: { capacity = 1000000; timeouts: { fin = "4s"; reset = "4s"; syn = "4s"; }; };|'
is_xdp || lab start dataplane
start_shuntd
await 15 "every backend is up" all_up

drain_of() { # ADDR FILTER
	json show backends --pool web --backend "$1" ".pools[0].backends[0].drain | $2"
}
is_counted() { [[ $(drain_of "$1" .flows_left) =~ ^[1-9] ]]; }
new_flows() { traffic web new_flows "$1"; }

step "three downloads of about nine seconds; the server of the first drains"
for i in 1 2 3; do download "slow-$i" 900k; done
victim=$(download_server slow-1)
addr=10.0.0.1${victim#rs}
others=$(printf '%s\n' rs1 rs2 rs3 | grep -v "$victim" | names)
ctl drain "$addr" --deadline 60s
before=$(new_flows "$addr")
is "new connections" "$(http 60 "$vip4" | names)" "$others"
is "UDP, since it is in every pool" "$(udp 30 "$vip4" | names)" "$others"
is "new flows of it" "$(new_flows "$addr")" "$before"
is "state" "$(backend_state web "$addr")" draining
await 5 "its flows are counted" is_counted "$addr"
matches "time left" "$(drain_of "$addr" .time_left_s)" '^5[0-9]$'
ctl show --pool web | grep -E "$addr +draining .* left, .*cut in 5[0-9]s" >/dev/null || fail "show does not tell of it: $(ctl show)"

step "shuntd is killed, then the forwarder, while somebody waits for the drain"
background wait ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" drain "$addr" --wait
await 5 "who waits is told of the flows left" grep -q 'left, .* until the deadline' "$scratch/wait"
kill_hard shuntd
await 3 "who waits says so" grep -q 'shuntd is away: waiting for it' "$scratch/wait"
start_shuntd
matches "time left" "$(drain_of "$addr" .time_left_s)" '^[45][0-9]$'
if is_dpdk; then
	kill_hard dataplane
	lab start dataplane
	await 10 "it is connected" connected
fi
is "state" "$(backend_state web "$addr")" draining
is "new connections" "$(http 30 "$vip4" | names)" "$others"

step "the downloads come to their end, and then the drain"
for i in 1 2 3; do downloaded "slow-$i" 30; done
await 15 "the wait has ended" background_gone wait
matches "what it said last" "$(tail -n 1 "$scratch/wait")" "^$addr is drained: no flow is left\.$"
is "state" "$(backend_state web "$addr")" drained
is "cut" "$(drain_of "$addr" .cut)" 0

step "put back, by its check"
ctl enable "$addr"
await 5 "it is up" state_is web "$addr" up
await 5 "it is up for UDP" state_is dns "$addr" up
is "new connections" "$(http 60 "$vip4" | names)" "rs1 rs2 rs3"

step "at the deadline flows are cut, though the clock is set back an hour meanwhile"
for i in {1..10}; do download "cut-$i" 100k; done
victim=$(download_server cut-1)
addr=10.0.0.1${victim#rs}
there=$(for i in {1..10}; do download_server "cut-$i"; done | grep -c "$victim")
background wait ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" drain "$addr" --pool web --deadline 3s --wait
drains() { [[ $(backend_state web "$1") =~ ^drain(ing|ed)$ ]]; }
await 2 "it drains" drains "$addr"
touch "$scratch/set-back"
await 6 "the wait has ended" background_gone wait
matches "what it said last" "$(tail -n 1 "$scratch/wait")" "^$addr is drained: $there flows? (was|were) cut at the deadline\.$"
is "state" "$(backend_state web "$addr")" drained
is "cut" "$(drain_of "$addr" .cut)" "$there"
await 10 "the download has ended" background_gone cut-1
grep -q 'Connection reset' "$scratch/cut-1" || fail "download cut-1: $(<"$scratch/cut-1")"
[[ $(ctl events --backend "$addr") == *"drained at its deadline: $there flow"* ]] || fail "events: $(ctl events --backend "$addr")"

rm "$scratch/set-back"

step "a deadline that is over while shuntd is away: its flows are cut when it is back, and counted"
ctl enable "$addr"
await 5 "it is up" state_is web "$addr" up
left=$(for i in {1..10}; do download_server "cut-$i"; done | grep -v "$victim" | sort | uniq -c | head -n 1)
victim=${left##* } there=${left% *} there=${there// /}
addr=10.0.0.1${victim#rs}
ctl drain "$addr" --pool web --deadline 1s
kill_hard shuntd
sleep 1.1 # until the deadline is over: nobody is there who could tell
start_shuntd
await 10 "it is drained" state_is web "$addr" drained
is "cut" "$(drain_of "$addr" .cut)" "$there"
ctl enable "$addr"
await 5 "it is up" state_is web "$addr" up
for i in {1..10}; do spawned_end "$run/pid/test-cut-$i"; done

step "somebody who waits is told when the drain is ended, and can leave"
other=10.0.0.1${others: -1}
[[ $other != "$addr" ]] || other=10.0.0.1${others:2:1}
http 60 "$vip4" >/dev/null # leaves flows that closed a moment ago
background wait ip netns exec "${prefix}lb" shuntctl --socket "$run/shuntd.sock" drain "$other" --pool web --wait
await 3 "it drains" state_is web "$other" draining
ctl enable "$other"
await 5 "the wait has ended" background_gone wait
grep -q "the drain of $other was ended: in pool \"web\" it is" "$scratch/wait" || fail "it said: $(<"$scratch/wait")"
await 5 "it is up" state_is web "$other" up

step "the last one of a pool is not drained by mistake, and then in no pool"
last=$(json show '[.pools[] | select(.name == "web") | .backends[] | select(.state == "up") | .address] | last')
for address in 10.0.0.11 10.0.0.12 10.0.0.13; do
	[[ $address == "$last" ]] || ctl drain "$address" --pool web
done
refused 1 "$last is the last backend of pool \"web\" that takes new flows" ctl drain "$last"
is "its state" "$(backend_state web "$last")" up
is "its state in the other pool" "$(backend_state dns "$last")" up
ctl drain "$last" --force
matches "its state" "$(backend_state web "$last")" '^drain(ing|ed)$'
on client curl -s -m 2 -o /dev/null "http://$vip4/" && fail "a connection without a server"
for address in 10.0.0.11 10.0.0.12 10.0.0.13; do ctl enable "$address"; done
await 5 "every backend is up" all_up
# Nobody waited for the snapshot in which the last one is.
all_serve() { [[ $(http 60 "$vip4" | names) == "rs1 rs2 rs3" ]]; }
await 5 "new connections go to every server" all_serve

await 5 "verdicts add up to what was received" accounted_for verdicts
