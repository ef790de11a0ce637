#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What share of the new connections servers get when not all is well: one that came up takes its own little by little
# and moves nobody; with too few healthy ones all are used (panic); with none left the fallback pool serves, and its
# connections stay when it is over.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3 (pool "web"), rs4 (pool "sorry")
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

export SHUNT_LAB_SERVERS=4
lab up
# Checks that fail and succeed by one result, soon; and rs4 in a pool of its own.
edit_conf 's|name = "web";|& slow_start = "6s"; fallback = "sorry";|' \
	's|interval = "1s"; timeout = "500ms"; rise = 2; fall = 3;|interval = "200ms"; timeout = "2s"; rise = 1; fall = 1;|'
sed -i '/name = "web";/,/); }/ s|{ address = "10.0.0.13"; },|{ address = "10.0.0.13"; }|; /name = "web";/,/); }/ { /10\.0\.0\.14/d }' \
	"$run/shunt.conf"
sed -i 's|^pools =|&|; 0,/^($/ s|^($|(\n  { name = "sorry"; check: { type = "tcp"; interval = "200ms"; timeout = "2s"; rise = 1; fall = 1; };\n    backends = ( { address = "10.0.0.14"; } ); },|' \
	"$run/shunt.conf"
lab start
await 15 "every backend is up" all_up

share_of() { json show backends --pool web --backend "$1" '.pools[0].backends[0].share'; }
is_full() { [[ $(share_of "$1") == 1 ]]; }
pool_says() { [[ $(json show pools --pool web ".pools[0].$1") == "$2" ]]; }
counted() { http "$1" "$vip4" | sort | uniq -c | awk -v name="$2" '$2 == name { print $1 }'; } # of N connections NAME's

nginx_stop() { spawned_end "$run/pid/$1-nginx" TERM; }
nginx_start() {
	spawn "$run/pid/$1-nginx" "$run/log/$1-nginx.log" \
		ip netns exec "$prefix$1" nginx -c "$run/$1/nginx.conf" -p "$run/$1" -e stderr
}

step "a server comes up while the others have their full share"
sleep_until_warm=$((SECONDS + 7)) # a pool that came up as a whole shares at once; SECONDS may be about to rise
for i in 1 2 3 4; do download "slow-$i" 400k; done
ctl disable 10.0.0.13 --pool web
until ((SECONDS >= sleep_until_warm)); do http 20 "$vip4" >/dev/null; done
is "share of the pool that came up as a whole" "$(share_of 10.0.0.11)" 1
moved=$(counter flow_moved)
ctl enable 10.0.0.13
await 3 "it is up" state_is web 10.0.0.13 up
matches "its share" "$(share_of 10.0.0.13)" '^0\.[0-6]'
ctl show | grep -E '10\.0\.0\.13 +up .*slow start, [1-6]?[0-9] % of its share' >/dev/null || fail "show: $(ctl show)"
few=$(counted 150 rs3)
await 8 "it has its full share" is_full 10.0.0.13
many=$(counted 150 rs3)
step "of 150 new connections it got $few at first, $many in the end"
((few > 0 && few < many * 3 / 4)) || fail "that is no slow start"
is "moved flows" "$(counter flow_moved)" "$moved"
for i in 1 2 3 4; do
	# Those that were on it when it was disabled were cut.
	[[ $(download_server "slow-$i") == rs3 ]] || downloaded "slow-$i" 20
done
[[ $(ctl events --backend 10.0.0.13) == *"slow start done"* ]] || fail "no event tells of it"

step "all down: the fallback serves"
for i in 1 2 3; do nginx_stop "rs$i"; done
await 5 "the fallback is in use" pool_says in_fallback true
is "new connections" "$(http 20 "$vip4" | names)" rs4
matches "explain" "$(ctl explain 198.51.100.2:20000 "$vip4:80/tcp")" 'its fallback, sorry, serves'
download sorry 3m
matches "show" "$(ctl show)" 'web +0/3 up, fallback sorry'

step "one comes back: it gets the new connections, and the fallback's stay"
nginx_start rs1
await 5 "the fallback is not in use" pool_says in_fallback false
is "new connections" "$(http 20 "$vip4" | names)" rs1
downloaded sorry 10
is "the download was on" "$(download_server sorry)" rs4

step "with panic, one of three is too few: all are used"
edit_conf 's|fallback = "sorry";|panic = 50;|'
ctl reload >/dev/null
await 5 "the pool is in a panic" pool_says panicking true
matches "show" "$(ctl show)" 'web +1/3 up, panic'
matches "explain" "$(ctl explain 198.51.100.2:20000 "$vip4:80/tcp")" 'Too few .* all are used'
# The other two refuse: two of three connections fail.
answers=$(for _ in {1..60}; do on client curl -s -m 2 "http://$vip4/" || echo refused; done | sort | uniq -c | xargs)
matches "of sixty connections" "$answers" '^[0-9]+ refused [0-9]+ rs1$'
nginx_start rs2
await 5 "the panic is over" pool_says panicking false
both_serve() { [[ $(http 40 "$vip4" | names) == "rs1 rs2" ]]; }
await 5 "new connections go to both" both_serve # which rs2 takes little by little
for what in fallback 'fallback over' panic 'panic over'; do
	[[ $(ctl events --pool web) == *"pool web: $what: "* || $(ctl events --pool web) == *"pool web: $what"* ]] ||
		fail "no event \"$what\""
done

await 5 "verdicts add up to what was received" accounted_for verdicts
