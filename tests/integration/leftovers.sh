#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The routing rules and routes of health checks via the VIP bear protocol number 83. None is left when shuntd stops,
# and those a killed one left are gone when it is started again. Nor is anything of the forwarder, once that is ended.
#
#   client ── router ── lan ──┬── lb   ip rule fwmark ... lookup ..., default via 10.0.0.1x
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

# (ip's own filter for a rule's protocol shows those of the kernel as well)
ours() { { ip -n "${prefix}lb" -4 rule; ip -n "${prefix}lb" -6 rule; } | sed -n '/proto 83/p'; }
rules() { ours | sed -n '/ lookup /p'; }
routes() { { ip -n "${prefix}lb" -4 route show table all proto 83; ip -n "${prefix}lb" -6 route show table all proto 83; } | sort; }
counts() { echo "$(rules | wc -l) rules, $(routes | wc -l) routes"; }
counts_are() { [[ $(counts) == "$1" ]]; }

step "a rule and a route for each backend checked via the VIP, three and three"
is "there are" "$(counts)" "6 rules, 6 routes"
others=$(ip -n "${prefix}lb" rule | grep -v 'proto 83' | cksum)
addresses=$(ip -n "${prefix}lb" -o addr | cksum)

step "fewer when a pool loses a backend, more when it gains one"
ctl backend del web 10.0.0.12
await 3 "five are there" counts_are "5 rules, 5 routes"
ctl backend add web 10.0.0.12
await 3 "six are there" counts_are "6 rules, 6 routes"

step "none after it is stopped"
lab stop shuntd
is "there are" "$(counts)" "0 rules, 0 routes"
is "other rules of shunt's" "$(ours)" ""

step "killed, they stay; started again with a smaller configuration, only its own are there"
lab start shuntd
await 10 "every backend is up" all_up
await 3 "six are there" counts_are "6 rules, 6 routes"
kill_hard shuntd
is "there are" "$(counts)" "6 rules, 6 routes"
# Those of an older version, whose rules were in one level, of a backend that this configuration does not have; and
# one that is not shunt's.
ip -n "${prefix}lb" -batch - <<-END
	rule add pref 5303 nop protocol 83
	rule add pref 5302 fwmark 0x53480000/0xffff0000 unreachable protocol 83
	rule add pref 5301 fwmark 0x5348fff0 lookup 5365520 protocol 83
END
ip -n "${prefix}lb" route add default via 10.0.0.13 dev "$kernel_interface" onlink table 5365520 proto 83
ip -n "${prefix}lb" rule add fwmark 0x77 lookup 77 protocol 84
ip -n "${prefix}lb" route add default via 10.0.0.13 dev "$kernel_interface" onlink table 77 proto 84
sed -i '/address = "10.0.0.1[13]"/d; s/address = "10.0.0.12"; },/address = "10.0.0.12"; }/' "$run/shunt.conf"
lab start shuntd
await 10 "every backend is up" all_up
await 3 "what the smaller one needs is there, and no more" counts_are "4 rules, 4 routes"
[[ $(ip -n "${prefix}lb" rule) == *"proto 84"* ]] || fail "a rule of somebody else is gone"
[[ -n $(ip -n "${prefix}lb" route show table 77) ]] || fail "a route of somebody else is gone"
ip -n "${prefix}lb" rule del fwmark 0x77 lookup 77 protocol 84

step "none after it is stopped, and everything else is as it was"
lab stop shuntd
is "there are" "$(counts)" "0 rules, 0 routes"
is "other rules of shunt's" "$(ours)" ""
is "other rules" "$(ip -n "${prefix}lb" rule | grep -v 'proto 83' | cksum)" "$others"
is "addresses" "$(ip -n "${prefix}lb" -o addr | cksum)" "$addresses"

if is_dpdk; then
	step "stopped by SIGTERM as systemd does, the dataplane keeps what it has to and its port goes"
	lab stop dataplane
	[[ $(ip -n "${prefix}lb" -br link) != *wire0* ]] || fail "wire0 is still there"
else
	attached() { [[ $(ip -n "${prefix}lb" -j link show eth0 | gojq '.[0].xdp') != null ]]; }
	pinned() { find "$run/bpf" -mindepth 1 ! -name '*.debug'; }

	step "the XDP program goes on without shuntd; taken off, nothing of it is left"
	attached || fail "there is no program"
	is "HTTP" "$(http 10 "$vip4" | names)" "rs2"
	on lb shuntd -c "$run/shunt.conf" --detach
	! attached || fail "the program is still there"
	is "pinned" "$(pinned)" ""

	step "taken off by shuntctl it is there again after a reload"
	lab start
	await 10 "every backend is up" all_up
	attached || fail "there is no program"
	ctl detach
	! attached || fail "the program is still there"
	on client curl -sS -m 0.5 "http://$vip4/" 2>/dev/null && fail "somebody answered"
	ctl reload
	attached || fail "there is no program"
	is "HTTP" "$(http 10 "$vip4" | names)" "rs2"
	ctl detach
	lab stop
	! attached || fail "the program is there again"
	is "pinned" "$(pinned)" ""
fi
[[ $(ip -n "${prefix}lb" addr show "$kernel_interface") == *10.0.0.2/* ]] || fail "$kernel_interface has lost its address"
[[ ! -e $run/dataplane.sock && ! -e $run/shuntd.sock ]] || fail "a socket is still there"
