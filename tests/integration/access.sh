#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Access lists: who is denied is cut off with the command that says so, connections under way too; who is let in
# goes on. By command and by file, of 100,000 prefixes, counted by rule, kept over restarts.
#
#   client ── router ── lan ──┬── lb        198.51.100.2, 2001:db8:ff::2: the client
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

gets() { is "$1" "$(http 3 "${2:-$vip4}" | wc -l)" 3; }
gets_none() {
	on client curl -gsS -m 0.5 "http://${2:-$vip4}/" >/dev/null 2>&1 && fail "$1: there is an answer"
	return 0
}
rule() { # LIST PREFIX: its packets
	json access show "$1" ".rules[] | select(.prefix == \"$2\") | .packets"
}
# What explain says of a connection of the client's, or of another source: told [SOURCE [VIP]]
counted() { (($(counter "$1") >= $2)); }
ruled() { (($(rule "$1" "$2") >= $3)); }
told() { json explain "${1:-$client4}:40000" "${2:-$vip4}:80/tcp" '"\(.reason) \(.counter) \(.access) \(.rule.action) \(.rule.prefix)"'; }
address() { on client ip -j "-$1" addr show dev eth0 scope global | gojq -r '.[0].addr_info[0].local'; }
client4=$(address 4) client6=$(address 6)

step "a list by command, in force with the command"
ctl access new edge
ctl access add edge deny 203.0.113.0/24 "$client4"
gets "a list that no VIP has"
ctl vip set "$vip4:80/tcp" --access edge
gets_none "the client is denied"
is "what explain says" "$(told)" "denied drop_denied edge deny $client4/32"
matches "in words" "$(ctl explain "$client4:40000" "$vip4:80/tcp")" "Access list edge denies $client4/32: the packet is dropped"
is "of another source" "$(told 192.0.2.7)" "hash forwarded edge null null"
gets "its IPv6 address is not" "[$vip6]"
ctl vip set "[$vip6]:80/tcp" --access edge
gets "the same list for IPv6" "[$vip6]"
ctl access add edge deny "${client6%::*}::/48"
gets_none "the client's prefix is denied" "[$vip6]"
is "what explain says" "$(told "[$client6]" "[$vip6]")" "denied drop_denied edge deny ${client6%::*}::/48"
is "UDP, a VIP without it" "$(udp 5 "$vip4" | wc -l)" 5
await 5 "the packets are counted" counted drop_denied 2
await 5 "and for the rule" ruled edge "$client4/32" 1
is "a rule nobody met" "$(rule edge 203.0.113.0/24)" 0
ctl access del edge "$client4" "${client6%::*}::/48"
gets "taken out of the list"
gets "taken out of the list, IPv6" "[$vip6]"

step "a connection under way is cut, and goes on when it may"
download cut 1m
ctl access add edge deny "$client4/32"
before=$(rule edge "$client4/32")
port=$(on client ss -Htn state established dst "$vip4:80" | awk '{ sub(/.*:/, "", $3); print $3; exit }')
is "what explain says of it" "$(json explain "$client4:$port" "$vip4:80/tcp" '"\(.reason) \(.flow_state)"')" "denied established"
counted_more() { (($(rule edge "$client4/32") > before)); }
await 5 "packets of it are dropped" counted_more
ctl access del edge "$client4/32"
downloaded cut 60

step "allow: the longest prefix decides, others are kept out"
ctl access add edge allow 192.0.2.0/24
gets_none "in none, of a list that allows some"
is "what explain says" "$(told)" "not-allowed drop_not_allowed edge null null"
await 5 "the packets are counted" counted drop_not_allowed 1
ctl access add edge allow "${client4%.*}.0/24"
gets "in an allow"
is "what explain says" "$(told)" "hash forwarded edge allow ${client4%.*}.0/24"
matches "in words" "$(ctl explain "$client4:40000" "$vip4:80/tcp")" "Access list edge allows ${client4%.*}.0/24. A new flow"
ctl access add edge deny "$client4/32"
gets_none "denied in it"
ctl access del edge "$client4/32"
gets "in an allow again"
await 5 "the packets are counted for the allow" ruled edge "${client4%.*}.0/24" 10

step "explain: what else keeps a packet out, and what a source may begin"
is "another VIP" "$(told "$vip4")" "faulty drop_land null null null"
is "loopback" "$(told 127.0.0.1)" "faulty drop_source_loopback null null null"
is "IPv6 loopback" "$(told "[::1]" "[$vip6]")" "faulty drop_source_loopback null null null"
is "multicast" "$(told 224.0.0.1)" "faulty drop_source_multicast null null null"
is "port 0" "$(json explain "$client4:0" "$vip4:80/tcp" .counter)" drop_port_zero
is "no such port" "$(json explain "$client4:1" "$vip4:81/tcp" '"\(.reason) \(.counter)"')" "no-vip drop_no_service"
is "no VIP" "$(json explain "$client4:1" 192.0.2.99:80/tcp '"\(.reason) \(.counter)"')" "no-vip to_kernel"
is "no limit" "$(json explain "$client4:40000" "$vip4:80/tcp" .source_rate)" null
ctl vip set "$vip4:80/tcp" --source-rate 500 --source-burst 700
is "a limit" "$(json explain "$client4:40000" "$vip4:80/tcp" '"\(.source_rate) \(.source_burst)"')" "500 700"
matches "in words" "$(ctl explain "$client4:40000" "$vip4:80/tcp")" 'limited to 500 a second \(burst 700\)'
ctl vip set "$vip4:80/tcp" --source-rate 0

step "what is refused"
refused 1 'already, to allow' ctl access add edge deny 192.0.2.0/24
refused 1 'has no 10.0.0.0/8' ctl access del edge 10.0.0.0/8
refused 1 'did you mean "edge"' ctl access add egde deny 10.0.0.0/8
refused 1 'in use by VIP' ctl access remove edge
refused 2 '10.0.0.0/8 is meant' ctl access add edge deny 10.1.0.0/8
ctl access add edge deny 10.0.0.0/33 2>/dev/null && fail "33 bits of IPv4"
refused 1 'no access list' ctl vip set "$vip4:80/tcp" --access other

step "kept over a restart of shuntd, counters too"
before=$(rule edge "${client4%.*}.0/24")
kill_hard shuntd
lab start shuntd
await 15 "shuntd is back" connected
await 15 "every backend is up" all_up
(($(rule edge "${client4%.*}.0/24") >= before)) || fail "the counter fell: $(rule edge "${client4%.*}.0/24"), was $before"
gets "still allowed"
ctl access add edge deny "$client4/32"
gets_none "still to be denied"
ctl access del edge "$client4/32"

step "save and reload"
ctl save "$scratch/saved.conf"
ctl check "$scratch/saved.conf" >/dev/null
cp "$scratch/saved.conf" "$run/shunt.conf"
matches "reload of what was saved" "$(ctl reload --dry-run)" 'Nothing to change'

step "a file of 100,000 prefixes"
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%d.%d.%d.0/%d\n", 11 + i % 150, i / 150 % 256, i / 38400, 24 + i % 2 * 0 }' |
	sort -u >"$run/deny.txt"
lines=$(wc -l <"$run/deny.txt")
sed -i -E 's/^access = \($/access = (\n  { name = "big"; deny_file = "deny.txt"; },/' "$run/shunt.conf"
matches "reload" "$(ctl reload)" "access big added, $lines prefixes"
ctl vip set "$vip4:80/tcp" --access big
gets "in none of very many"
ctl access add big deny "$client4"
gets_none "one more of very many"
ctl access del big "$client4"
gets "and not any more"
echo "198.51.100.0/24 # the client's" >>"$run/deny.txt"
sed -i -E 's/(address = "192.0.2.80"; protocol = "tcp".*access = ")edge/\1big/' "$run/shunt.conf"
matches "reload" "$(ctl reload)" "access big deny 198.51.100.0/24 added"
gets_none "in the file now"
is "rules" "$(json access show '.access[] | select(.name == "big") | .deny')" $((lines + 1))
await 5 "its packets are counted" ruled big 198.51.100.0/24 1
sed -i '$s/.*/not a prefix/' "$run/deny.txt"
refused 1 'deny.txt:[0-9]+: there is more than a prefix on the line' ctl reload
ctl vip set "$vip4:80/tcp" --access none
gets "without a list"

step "a restart after nothing but a file of prefixes has changed: its list is what it says, all else as it was"
sed -i '$s/.*/198.51.100.0\/24/' "$run/deny.txt"
ctl reload >/dev/null
ctl vip set "$vip4:80/tcp" --access none
ctl access new by-hand
ctl access add by-hand deny 203.0.113.7
ctl access add big deny 203.0.113.8
sed -i '$s/.*/203.0.113.9/' "$run/deny.txt"
kill_hard shuntd
lab start shuntd
await 15 "shuntd is back" connected
await 15 "every backend is up" all_up
gets "the VIP is still without a list"
is "the list made by command" "$(json access show by-hand '.rules[].prefix')" 203.0.113.7/32
in_big() { json access show big --limit 200000 "[.rules[] | select(.prefix == \"$1\")] | length"; }
is "what is no longer in the file" "$(in_big 198.51.100.0/24)" 0
is "what was added by command" "$(in_big 203.0.113.8/32)" 0
is "what is new in the file" "$(in_big 203.0.113.9/32)" 1

step "every packet has its verdict"
await 10 "all packets are accounted for" accounted_for
