#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A hundred thousand flows are shared out by weight, within 2 %, by each scheduler that goes by weight; and when the
# pool grows, or loses a backend, no established flow of another backend moves: seen in the frames themselves.
#
#   lb: one packet of each flow straight into wire0      ┌── rs1 (weight 100), rs2 (200), rs3 (300), rs4
#   router: tcpdump of what lb sends on ── lan ──────────┴── lb
. "$(dirname "$0")/_init.sh"

flows=100000
export SHUNT_LAB_SERVERS=4
lab up
# The same key every time, so that the same flows go the same way every time; no checks, since nobody answers.
edit_conf 's/capacity = 1000000;/capacity = 1000000; hash_key = "000102030405060708090a0b0c0d0e0f";/' \
	's/type = "tcp"; via = "(vip|backend)";( port = 80;)?/type = "none";/' \
	's/"10.0.0.12";/"10.0.0.12"; weight = 200;/; s/"10.0.0.13";/"10.0.0.13"; weight = 300;/' \
	's/"2001:db8:a::12";/"2001:db8:a::12"; weight = 200;/; s/"2001:db8:a::13";/"2001:db8:a::13"; weight = 300;/' \
	's/"(10.0.0.14|2001:db8:a::14)";/"\1"; weight = 0;/'
lab start
await 10 "every backend is up" all_up

# send KIND VIP PORT PROTOCOL FLAGS: one packet of every flow
send() { on lb "$here/_generate.py" flows wire0 "$lb_mac" "$2" "$3" "$4" "$flows" --flags "$5" --rate 40000 >/dev/null; }

# shares_are POOL: new flows of the backends are 1/6, 1/3, 1/2 of all within 2 % of each share
shares_are() {
	json show --stats ".pools[] | select(.name == \"$1\") | .backends[] | \"\(.weight) \(.new_flows)\"" |
		awk -v all="$flows" '{ w[NR] = $1; n[NR] = $2; weights += $1; sum += $2 }
			END {
				for (i = 1; i <= NR; i++) {
					want = all * w[i] / weights
					off = want ? (n[i] - want) / want * 100 : n[i]
					printf "          weight %3d: %6d flows, %+.2f %%\n", w[i], n[i], off
					if (off > 2 || off < -2) bad = 1
				}
				if (sum != all) { print "          in all: " sum; bad = 1 }
				exit bad
			}'
}
all_in() { (($(traffic "$1" new_flows) >= flows)); }

step "maglev, TCP over IPv4"
send flows "$vip4" 80 tcp S
await 5 "all flows have arrived" all_in web
shares_are web || fail "shares"

step "maglev, UDP over IPv6"
send flows "$vip6" 53 udp S
await 5 "all flows have arrived" all_in dns6
shares_are dns6 || fail "shares"

for scheduler in round-robin least-flows source-hash; do
	step "$scheduler"
	ctl pool add "$scheduler" --scheduler "$scheduler" --check none
	for i in 1 2 3; do ctl backend add "$scheduler" "10.0.0.1$i" --weight "${i}00"; done
	ctl vip add "192.0.2.81:80/tcp" --pool "$scheduler"
	await 5 "its backends are up" all_up
	send flows 192.0.2.81 80 tcp S
	await 5 "all flows have arrived" all_in "$scheduler"
	# Fifteen thousand clients, not a hundred thousand flows, are shared out by source-hash; and least-flows goes
	# by what the last count of the flow table found.
	[[ $scheduler == round-robin ]] && { shares_are "$scheduler" || fail "shares"; }
	[[ $scheduler == round-robin ]] || shares_are "$scheduler" || step "(more than 2 % off, which is no error here)"
	ctl vip del "192.0.2.81:80/tcp"
done

# capture NAME: which server each flow's packet goes to, as "address.port mac"
capture_begin() {
	background "tcpdump-$1" ip netns exec "${prefix}router" tcpdump -i lb -Q in -s 64 -B 65536 -w "$scratch/$1.pcap" \
		"dst host $vip4 and tcp"
	await 5 "tcpdump listens" grep -q listening "$scratch/tcpdump-$1"
}
capture_end() {
	complete() { # its own count, on SIGUSR1, of what it has so far
		kill -USR1 "$(spawned_pid "$run/pid/test-tcpdump-$1")"
		(($(grep -oE '[0-9]+ packets captured' "$scratch/tcpdump-$1" | tail -n 1 | cut -d' ' -f1) >= flows))
	}
	await 10 "tcpdump has seen every flow" complete "$1"
	spawned_end "$run/pid/test-tcpdump-$1"
	tcpdump -n -e -r "$scratch/$1.pcap" 2>/dev/null | awk '{ sub(",", "", $4); print $10, $4 }' | sort -u >"$scratch/$1.map"
}

step "the flows of maglev become established; where each goes"
capture_begin one
send flows "$vip4" 80 tcp A
capture_end one
is "flows seen" "$(cut -d' ' -f1 "$scratch/one.map" | uniq | wc -l)" "$flows"

step "the pool grows by a fourth of weight 300: no flow moves"
entered=$(counter flow_new)
ctl backend set web 10.0.0.14 --weight 300
capture_begin two
send flows "$vip4" 80 tcp A
capture_end two
cmp "$scratch/one.map" "$scratch/two.map" || fail "$(diff "$scratch/one.map" "$scratch/two.map" | grep -c '^<') flows moved"
is "flows entered" "$(counter flow_new)" "$entered"

step "rs2 is disabled: its flows move, and no other"
ctl disable 10.0.0.12 --pool web
capture_begin three
send flows "$vip4" 80 tcp A
capture_end three
grep -v ' 02:00:00:00:00:12$' "$scratch/one.map" >"$scratch/others.before"
of_rs2=$((flows - $(wc -l <"$scratch/others.before")))
cut -d' ' -f1 "$scratch/others.before" | join - "$scratch/three.map" >"$scratch/others.after"
cmp "$scratch/others.before" "$scratch/others.after" ||
	fail "$(diff "$scratch/others.before" "$scratch/others.after" | grep -c '^<') flows of other backends moved"
! grep -q ' 02:00:00:00:00:12$' "$scratch/three.map" || fail "a flow is still sent to rs2"
is "moved flows by the counter" "$(counter flow_moved)" "$of_rs2"
step "$of_rs2 moved, $((flows - of_rs2)) stayed"
