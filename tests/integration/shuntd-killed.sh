#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# shuntd dies by kill -9 while traffic flows: not one packet is lost. Started again it goes on with what was set by
# command, not with what the file says.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

step "changes by command"
ctl backend set web 10.0.0.11 --weight 37
ctl drain 10.0.0.12 --pool dns
ctl disable 10.0.0.13 --pool dns
ctl pool add extra --check none
ctl backend add extra 10.0.0.12
ctl vip add 192.0.2.82:80/tcp --pool extra
for i in 1 2 3; do lab exec "rs$i" "$repo/scripts/realserver" up 192.0.2.82 >/dev/null; done
settled() { [[ $(json show '[.pools[].backends[] | select(.state == "down")] | length') == 0 ]]; }
await 5 "all that is not disabled is up" settled
running_set() {
	json show '[.vips[] | [.address, .protocol, .port, .pool]], [.pools[] | [.name, .scheduler, [.backends[] |
		[.address, .weight, (.state | sub("drained"; "draining"))]]]]' | gojq -c .
}
before=$(running_set)
version=$(json status .snapshot)
ctl save - >"$scratch/saved"

step "traffic: new connections without pause, and UDP questions of which each needs its answer"
background wrk ip netns exec "${prefix}client" wrk -t 1 -c 16 -d 8s --timeout 5s -H 'Connection: close' "http://$vip4/"
background udp ip netns exec "${prefix}client" "$repo/scripts/lab-udp" ask "$vip4" 53 4000
download long 900k "[$vip6]"
await 5 "UDP flows" test -s "$scratch/udp"

step "kill -9 of shuntd"
kill_hard shuntd
refused 3 'shuntd' ctl status
is "new connections without shuntd" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"

step "started again"
lab start shuntd
await 10 "all that is not disabled is up again" settled
is "running set" "$(running_set)" "$before"
(($(json status .snapshot) >= version)) || fail "the snapshot's version fell from $version to $(json status .snapshot)"
ctl save - >"$scratch/saved-again"
cmp "$scratch/saved" "$scratch/saved-again" || fail "what is saved now is not what was saved before"
is "the VIP made by command" "$(http 3 192.0.2.82 | names)" rs2

step "nothing was lost"
await 20 "the connections have ended" background_gone wrk
grep -q 'Requests/sec' "$scratch/wrk" || fail "$(<"$scratch/wrk")"
! grep -E 'Socket errors|Non-2xx' "$scratch/wrk" || fail "$(<"$scratch/wrk")"
await 30 "the questions are asked" background_gone udp
is "answers" "$(grep -c '^rs[123] question' "$scratch/udp")" 4000
downloaded long 30
is "drops" "$(json counters '[to_entries[] | select(.key | test("^drop_(tx_full|no_backend|malformed|truncated)")) | .value] | add')" 0
step "$(grep -E 'requests in' "$scratch/wrk" | xargs)"

step "the file changed: it holds again, but drains and disables stay"
sed -i 's/{ address = "10.0.0.11"; }/{ address = "10.0.0.11"; weight = 51; }/' "$run/shunt.conf"
lab stop shuntd
lab start shuntd
is "weight" "$(json show '.pools[] | select(.name == "web") | .backends[0].weight')" 51
is "the VIP made by command" "$(json show '[.vips[] | select(.address == "192.0.2.82")] | length')" 0
is "the disable" "$(backend_state dns 10.0.0.13)" disabled
matches "the drain" "$(backend_state dns 10.0.0.12)" '^drain(ing|ed)$'
matches "log" "$(tail -n 50 "$run/log/shuntd.log")" '192\.0\.2\.82'
