#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A hundred thousand flows are shared out by weight, within 2 %, and so they are by the other schedulers; and when the
# pool grows, or one of many servers is lost, no established flow of another moves: seen in the frames themselves.
#
#   one packet of each flow straight onto lb's cable     ┌── rs1 (weight 100), rs2 (200), rs3 (300), rs4
#   router: tcpdump of what lb sends on ── lan ──────────┴── lb
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

flows=100000 # of which the first
some=20000   # are enough to see whether any moves
export SHUNT_LAB_SERVERS=4
lab up
# The same key every time, so that the same flows go the same way every time; no checks, since nobody answers.
edit_conf 's/capacity = 1000000;/capacity = 1000000; hash_key = "000102030405060708090a0b0c0d0e0f";/' \
	's/type = "tcp"; via = "(vip|backend)";( port = 80;)?/type = "none";/' \
	's/"10.0.0.12";/"10.0.0.12"; weight = 200;/; s/"10.0.0.13";/"10.0.0.13"; weight = 300;/' \
	's/"2001:db8:a::12";/"2001:db8:a::12"; weight = 200;/; s/"2001:db8:a::13";/"2001:db8:a::13"; weight = 300;/' \
	's/"(10.0.0.14|2001:db8:a::14)";/"\1"; weight = 0;/'
# And a pool of a hundred, whose MACs nobody has.
hundred=$(for i in {1..100}; do
	printf '%s{ address = "10.0.1.%d"; mac = "02:00:00:00:01:%02x"; }' "$([[ $i == 1 ]] || echo ', ')" "$i" "$i"
done)
sed -i "/^pools =/{n; a { name = \"hundred\"; check: { type = \"none\"; }; backends = ( $hundred ); },
	}; /^vips =/{n; a { address = \"192.0.2.83\"; protocol = \"tcp\"; port = 80; pool = \"hundred\"; },
	}" "$run/shunt.conf"
lab start
await 10 "every backend is up" all_up

# send COUNT VIP PORT PROTOCOL FLAGS: one packet of each of the first COUNT flows
send() { on_wire "$here/_generate.py" flows "$wire" "$lb_mac" "$2" "$3" "$4" "$1" --flags "$5" --rate 40000 >/dev/null; }

# shares_are POOL COUNT: new flows of the backends are 1/6, 1/3, 1/2 of all within 2 % of each share
shares_are() {
	json show --stats ".pools[] | select(.name == \"$1\") | .backends[] | \"\(.weight) \(.new_flows)\"" |
		awk -v all="$2" '{ w[NR] = $1; n[NR] = $2; weights += $1; sum += $2 }
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
all_in() { (($(traffic "$1" new_flows) >= $2)); }

step "maglev, TCP over IPv4"
send $flows "$vip4" 80 tcp S
await 5 "all flows have arrived" all_in web $flows
shares_are web $flows || fail "shares"

step "maglev, UDP over IPv6"
send $flows "$vip6" 53 udp S
await 5 "all flows have arrived" all_in dns6 $flows
shares_are dns6 $flows || fail "shares"

for scheduler in round-robin least-flows; do
	step "$scheduler"
	ctl pool add "$scheduler" --scheduler "$scheduler" --check none >/dev/null
	for i in 1 2 3; do ctl backend add "$scheduler" "10.0.0.1$i" --weight "${i}00" >/dev/null; done
	ctl vip add "192.0.2.81:80/tcp" --pool "$scheduler"
	await 5 "its backends are up" all_up
	send $some 192.0.2.81 80 tcp S
	await 5 "all flows have arrived" all_in "$scheduler" $some
	shares_are "$scheduler" $some || fail "shares"
	ctl vip del "192.0.2.81:80/tcp"
done

# where NAME VIP: send a packet of each of the first flows; which server each goes to, as "address.port mac", in NAME.map
where() {
	complete() { # tcpdump's own count, on SIGUSR1, of what it has so far
		kill -USR1 "$(spawned_pid "$run/pid/test-tcpdump-$1")"
		(($(grep -oE '[0-9]+ packets captured' "$scratch/tcpdump-$1" | tail -n 1 | cut -d' ' -f1) >= some))
	}

	background "tcpdump-$1" ip netns exec "${prefix}router" tcpdump -i lb -Q in -s 64 -B 65536 -w "$scratch/$1.pcap" \
		"dst host $2 and tcp"
	await 5 "tcpdump listens" grep -q listening "$scratch/tcpdump-$1"
	send $some "$2" 80 tcp A
	await 10 "tcpdump has seen every flow" complete "$1"
	spawned_end "$run/pid/test-tcpdump-$1"
	tcpdump -n -e -r "$scratch/$1.pcap" 2>/dev/null | awk '{ sub(",", "", $4); print $10, $4 }' | sort -u >"$scratch/$1.map"
	is "flows seen" "$(cut -d' ' -f1 "$scratch/$1.map" | uniq | wc -l)" "$some"
}

# stayed BEFORE AFTER: all flows are where they were
stayed() {
	cmp "$scratch/$1.map" "$scratch/$2.map" || fail "$(diff "$scratch/$1.map" "$scratch/$2.map" | grep -c '^<') flows moved"
}

# moved_from MAC BEFORE AFTER: the flows of this server moved to others, and no others moved
moved_from() {
	local n

	grep -v " $1\$" "$scratch/$2.map" >"$scratch/others.before"
	cut -d' ' -f1 "$scratch/others.before" | join - "$scratch/$3.map" >"$scratch/others.after"
	cmp "$scratch/others.before" "$scratch/others.after" ||
		fail "$(diff "$scratch/others.before" "$scratch/others.after" | grep -c '^<') flows of other servers moved"
	! grep -q " $1\$" "$scratch/$3.map" || fail "a flow is still sent to $1"
	n=$((some - $(wc -l <"$scratch/others.before")))
	((n > 0)) || fail "$1 had no flow"
	is "moved flows by the counter" "$(($(counter flow_moved) - moved))" "$n"
	moved=$(counter flow_moved)
	step "$n moved, $((some - n)) stayed"
}
moved=$(counter flow_moved)

step "the flows of maglev become established; where each goes"
where one "$vip4"

step "the pool grows by a fourth server, of weight 300: no flow moves"
entered=$(counter flow_new)
ctl backend set web 10.0.0.14 --weight 300
where two "$vip4"
stayed one two
is "flows entered" "$(counter flow_new)" "$entered"

step "rs2 is disabled: its flows move, and no other"
ctl disable 10.0.0.12 --pool web
where three "$vip4"
moved_from 02:00:00:00:00:12 two three

step "a pool of a hundred servers loses one: deleted, it keeps its flows; disabled, its flows move; and no other does"
where hundred 192.0.2.83
is "servers with flows" "$(cut -d' ' -f2 "$scratch/hundred.map" | sort -u | wc -l)" 100
ctl backend del hundred 10.0.1.37
where less-one 192.0.2.83
stayed hundred less-one
ctl disable 10.0.1.73 --pool hundred
where less-two 192.0.2.83
moved_from 02:00:00:00:01:49 less-one less-two
