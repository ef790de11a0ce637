#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Of a pool of 550 backends, 500 go up and down at random, about once a second each, for SHUNT_FLAP_SECONDS (5; 60 is what
# is asked of it). Checks make no more changes a second than they may, no flow to one of the 50 that stay up is moved, and
# shuntd's memory stays what it is.
#
#   packets of 4,000 flows straight onto lb's cable      ┌── rs1: 10.0.4.1 and the 549 after it
#                                         lan ───────────┴── lb
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

seconds=${SHUNT_FLAP_SECONDS:-5}
flapping=500 steady=50 flows=4000 changes=50
export SHUNT_LAB_SERVERS=1
lab up
on rs1 ip route add local 10.0.4.0/22 dev lo
background flap ip netns exec "${prefix}rs1" "$here/_flap.py" 8080 10.0.4.1 "$flapping" "$steady"

address() { echo "10.0.$((4 + $1 / 256)).$(($1 % 256))"; }
backends=$(for ((i = 1; i <= flapping + steady; i++)); do
	printf '%s{ address = "%s"; }' "$([[ $i == 1 ]] || echo ', ')" "$(address "$i")"
done)
check='type = "tcp"; via = "backend"; port = 8080; interval = "400ms"; timeout = "300ms"; rise = 1; fall = 1;'
sed -i "/^pools =/{n; a { name = \"many\"; check: { $check }; backends = ( $backends ); },
	}; /^vips =/{n; a { address = \"192.0.2.83\"; protocol = \"tcp\"; port = 80; pool = \"many\"; },
	}; /^control:/{n; a check_changes = $changes;
	}" "$run/shunt.conf"
# rs1 answers ARP for none of its many addresses; room in the kernel's table is what these do not need.
neighbours() {
	local i

	ip -n "${prefix}lb" route replace 10.0.4.0/22 dev "$kernel_interface"
	for ((i = 1; i <= flapping + steady; i++)); do
		echo "neigh replace $(address "$i") lladdr 02:00:00:00:00:11 dev $kernel_interface nud permanent"
	done | ip -n "${prefix}lb" -batch -
}
is_dpdk || neighbours
lab start
is_xdp || neighbours

steady_up() {
	[[ $(json show "[.pools[] | select(.name == \"many\") | .backends[-$steady:][] | select(.state == \"up\")] | length") == "$steady" ]]
}
await 60 "those that stay are up" steady_up
ctl backend set many "$(address 550)" --weight 100 # and the forwarder knows it
send() { on_wire "$here/_generate.py" flows "$wire" "$lb_mac" 192.0.2.83 80 tcp "$flows" --flags "$1" --rate 40000 >/dev/null; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of shuntd)/status"; }
# "client backend" of each flow to one that stays up
those_that_stay() {
	local number

	for ((number = flapping + 1; number <= flapping + steady; number++)); do address "$number"; done >"$scratch/steady"
	"$here/_flows.py" "$run/shuntd.sock" 192.0.2.83:80/tcp "$flows" >"$scratch/flows"
	{ grep -wFf "$scratch/steady" "$scratch/flows" || true; } | sort
}

step "$flows flows"
send S
send A
those_that_stay >"$scratch/before"
(($(wc -l <"$scratch/before") > flows / 50)) || fail "only $(wc -l <"$scratch/before") flows are on those that stay"

step "while $flapping backends flap for $seconds s, $(wc -l <"$scratch/before") flows of the $steady others go on"
changed=$(json status .snapshot) told=$(json events --limit 1 .sequence)
end=$((SECONDS + seconds)) half=$((SECONDS + (seconds + 1) / 2)) warm=
# When those that flap changed, one a line, by the events since.
changed_at() {
	json events --limit 1000 'select(.sequence > '"$told"' and .pool == "many" and (.kind | test("^backend_(up|down)$"))) | .time'
}
often() { (($(changed_at | wc -l) >= 2 * changes)); }
while ((SECONDS < end)) || ! often; do
	((SECONDS < end + 30)) || fail "nothing flaps: $(changed_at | wc -l) changes in $((seconds + 30)) s"
	send A
	[[ -n $warm ]] || ((SECONDS < half)) || warm=$(memory)
done
cold=$(memory)
those_that_stay >"$scratch/after"
step "$(($(json status .snapshot) - changed)) snapshots; $(json status '.checks | "\(.made) checks, \(.failed) failed, \(.changes_held) changes held back, \(.changes_waiting) of them still, 99 % no later than \(.late_p99_ms) ms"')"
# Every flow that was there is there, with the backend it had; others may have come to these.
lost=$(comm -23 "$scratch/before" "$scratch/after" | wc -l)
is "flows of those that stayed up, moved" "$lost" 0
is "the state of those that stay" "$(steady_up && echo up)" up

step "no more than $changes changes in any second"
changed_at | awk -v most="$changes" '
		{ split($0, t, /[T:Z]/); at[NR] = (t[2] * 60 + t[3]) * 60 + t[4] }
		END {
			for (i = most + 1; i <= NR; i++)
				if (at[i] - at[i - most] < 0.99 && at[i] >= at[i - most]) { print "within " at[i] - at[i - most] " s"; exit 1 }
		}' || fail "more than $changes in a second"
(($(json status .checks.changes_held) > 0)) || fail "no change was held back"
grep -q "changes held back: " "$run/log/shuntd.log" || fail "it was not said"

step "memory: $warm kB half-way, $cold kB at the end"
# With sanitizers what was freed is kept.
grep -q libasan "/proc/$(pid_of shuntd)/maps" || ((cold < warm + 2048)) || fail "it grows"
