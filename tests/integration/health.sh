#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A server that does not work leaves its pools and comes back when it does: one that lost the VIP on its loopback
# (seen by the check that takes the client's path and not by the other), one whose web server stopped, one that
# is gone from the network. And what is no reason to take one out: a check that could not be made, a clock that was
# set back. What was enabled comes back through its check. Checks are in no flow table and no VIP's counters.
#
#   client ── router ── lan ──┬── lb    web, web6: checked via the VIP; dns, dns6: via the server's own address;
#                             │         spare: web falls back to it and it is checked via web's VIP
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
# Fast, so that the test is: 200 ms from check to check, three failures are 0.6 s.
edit_conf 's/interval = "1s"; timeout = "500ms"/interval = "200ms"; timeout = "150ms"/' \
	's/name = "web";/name = "web"; fallback = "spare";/' \
	'/^pools =/{n; s/.*/( { name = "spare"; check: { type = "tcp"; via = "vip"; interval = "200ms"; timeout = "150ms"; }; backends = ( { address = "10.0.0.13"; } ); },/}'
# The wall clock of the daemons is the test's to set.
${CC:-cc} -shared -fPIC -o "$scratch/clock.so" "$here/_clock.c"
head -c 8 /dev/zero >"$scratch/shift"
set_clock() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' "$scratch/shift" "$1"; }
ASAN_OPTIONS=verify_asan_link_order=0 CLOCK_SHIFT=$scratch/shift LD_PRELOAD=$scratch/clock.so lab start
await 10 "every backend is up" all_up

checks() { json status ".checks.$1"; }
made() { (($(checks made) >= $1)); }
checks_more() { await 10 "$1 more checks are made" made $(($(checks made) + $1)); } # N: so many from now on
# What checks have changed so far, as the number of the last event that says so.
last_change() { json events --limit 1000 'select(.kind | test("^backend_(up|down)$")) | .sequence' | tail -n 1; }

step "checks are in no flow table and no VIP's counters"
checks_more 60
is "flows" "$(json flows .matched)" 0
is "packets of VIPs" "$(json show --stats '[.vips[] | .packets, .new_flows] | add')" 0
is "packets of backends" "$(json show --stats '[.pools[].backends[] | .packets, .new_flows] | add')" 0

step "the clock is set back an hour, and forth a day: no check comes earlier or later, and nothing changes"
changed=$(last_change)
for shift in -3600 86400 0; do
	set_clock "$shift"
	# Thirteen backends, each every 200 ms. Reading takes its time on a busy machine: between the readings there
	# was no less than "least" and no more than "most".
	begun=${EPOCHREALTIME/./} before=$(checks made) least=${EPOCHREALTIME/./}
	sleep 0.7 # as long as a check that waits for the clock would be noticed by
	least=$((13 * (${EPOCHREALTIME/./} - least) / 200000))
	made=$(($(checks made) - before)) most=$((13 * (${EPOCHREALTIME/./} - begun) / 200000))
	((made > least / 2 && made < most * 3 / 2 + 5)) ||
		fail "with the clock at $shift s: $made checks, not about $least to $most"
done
is "the last change" "$(last_change)" "$changed"

step "no descriptor is left for checks: that is no verdict, and it is said once"
shuntd=$(pid_of shuntd) descriptors=$(prlimit --pid "$(pid_of shuntd)" --nofile --noheadings --raw --output SOFT)
prlimit --pid "$shuntd" --nofile=3:
unchecked_said() { grep -c "not checked: Too many open files" "$run/log/shuntd.log"; }
await 5 "it is said" unchecked_said
sleep 0.5 # two checks of each: no shuntctl gets in meanwhile
prlimit --pid "$shuntd" --nofile="$descriptors":
all_checked() { [[ $(checks backends_unchecked) == 0 ]]; }
await 5 "all are checked again" all_checked
is "lines that say so" "$(unchecked_said)" 1
(($(checks unmade) > 13)) || fail "only $(checks unmade) checks were not made"
none_down || fail "a backend is not up"
is "the last change" "$(last_change)" "$changed"

step "a rule of the kernel's that is taken away is put back before the next check"
ip -n "${prefix}lb" rule del pref 5300
is_there() { [[ -n $(ip -n "${prefix}lb" rule list pref 5300) ]]; }
await 5 "it is there again" is_there
ip -n "${prefix}lb" route flush table all proto 83
checks_more 40
none_down || fail "a backend is not up"
is "the last change" "$(last_change)" "$changed"

step "what was disabled while its server stopped comes back through its check, at its first success"
ctl disable 10.0.0.13
spawned_end "$run/pid/rs3-nginx"
unhealthy() { [[ $(json show '.pools[] | select(.name == "web") | .backends[2].healthy') == false ]]; }
await 5 "its check fails" unhealthy
ctl enable 10.0.0.13
checks_more 20
is "rs3 while its server is not there" "$(backend_state web 10.0.0.13)" down
is "HTTP over IPv4" "$(http 20 "$vip4" | names)" "rs1 rs2"
spawn "$run/pid/rs3-nginx" "$run/log/rs3-nginx.log" \
	ip netns exec "${prefix}rs3" nginx -c "$run/rs3/nginx.conf" -p "$run/rs3" -e stderr
await 5 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "rs2 loses the VIPs on its loopback: down by the check via the VIP, and why is shown"
lab exec rs2 "$repo/scripts/realserver" down
await 5 "rs2 is down in web" state_is web 10.0.0.12 down
await 5 "rs2 is down in web6" state_is web6 2001:db8:a::12 down
[[ $(json show '.pools[] | select(.name == "web") | .backends[] | select(.address == "10.0.0.12") | .check_error') != null ]] ||
	fail "no check_error"
is "its state in dns, checked by its own address" "$(backend_state dns 10.0.0.12)" up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs3"
is "HTTP over IPv6" "$(http 40 "[$vip6]" | names)" "rs1 rs3"

step "it has them again: up"
lab exec rs2 "$repo/scripts/realserver" up "$vip4" "$vip6" >/dev/null
await 5 "rs2 is up in web" state_is web 10.0.0.12 up
await 5 "rs2 is up in web6" state_is web6 2001:db8:a::12 up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "the web server of rs3 stops: down by every check"
spawned_end "$run/pid/rs3-nginx"
for pool in web dns spare; do await 5 "rs3 is down in $pool" state_is "$pool" 10.0.0.13 down; done
for pool in web6 dns6; do await 5 "rs3 is down in $pool" state_is "$pool" 2001:db8:a::13 down; done
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2"
is "UDP over IPv6" "$(udp 40 "$vip6" | names)" "rs1 rs2"
spawn "$run/pid/rs3-nginx" "$run/log/rs3-nginx.log" \
	ip netns exec "${prefix}rs3" nginx -c "$run/rs3/nginx.conf" -p "$run/rs3" -e stderr
await 5 "all are up" all_up

step "rs1 is off the network: down, and its new clients go elsewhere"
ip -n "${prefix}rs1" link set eth0 down
await 5 "rs1 is down in web" state_is web 10.0.0.11 down
await 5 "rs1 is down in dns6" state_is dns6 2001:db8:a::11 down
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs2 rs3"
ip -n "${prefix}rs1" -batch - <<-END
	link set eth0 up
	route replace default via 10.0.0.1
	route replace default via 2001:db8:a::1
END
await 10 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "rs1 has another MAC: shunt follows the neighbour table"
ip -n "${prefix}rs1" link set eth0 address 02:00:00:00:00:aa
mac_is() { [[ $(json show '.pools[] | select(.name == "web") | .backends[0].mac') == "$1" ]]; }
await 20 "the new MAC is known" mac_is 02:00:00:00:00:aa
await 5 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "all are down: new flows are dropped and counted; then they come back"
for i in 1 2 3; do lab exec "rs$i" "$repo/scripts/realserver" down >/dev/null; done
for i in 1 2 3; do await 5 "rs$i is down" state_is web "10.0.0.1$i" down; done
before=$(counter drop_no_backend)
on client curl -sS -m 1 "http://$vip4/" >/dev/null 2>&1 && fail "somebody answered"
rose() { (($(counter drop_no_backend) > before)); }
await 5 "drop_no_backend rises" rose
for i in 1 2 3; do lab exec "rs$i" "$repo/scripts/realserver" up "$vip4" "$vip6" >/dev/null; done
await 5 "all are up" all_up
is "HTTP over IPv4" "$(http 40 "$vip4" | names)" "rs1 rs2 rs3"

step "checks leave the servers no half-open connections, and their traffic is not counted as clients'"
is "flows of a VIP nobody used" "$(json show --stats '.vips[] | select(.address == "2001:db8::80" and .protocol == "tcp") | .new_flows')" 40
