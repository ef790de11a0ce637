#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# flow_table.capacity goes up and down while connections are there, and their pool changes meanwhile: they stay with
# their servers, real downloads and thousands of generated flows alike, also when what forwards is killed in between.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

flows=6000
start_all

status_capacity() { json status .flows.capacity; }
capacity_is() { [[ $(status_capacity) == "$1" ]]; }

# capacity N: by a reload, which says so
capacity() {
	local before in_use
	before=$(sed -nE 's/.*capacity = ([0-9]+).*/\1/p' "$run/shunt.conf")
	in_use=$(status_capacity)
	edit_conf "s/capacity = [0-9]+/capacity = $1/"
	matches "a dry run" "$(ctl reload --dry-run)" "flow_table.capacity: $1, was $before"
	# What was asked for before may come into force just now.
	capacity_is "$in_use" || capacity_is "$before" || fail "the dry run changed the capacity"
	matches "the reload" "$(ctl reload)" "flow_table.capacity: $1, was $before"
}

# One packet of each generated flow; they never end by themselves.
generate() { # COUNT FLAGS FIRST
	on_wire python3 "$here/_generate.py" flows "$wire" "$lb_mac" "$vip4" 80 tcp "$1" --flags "$2" --first "$3" --rate 20000 \
		>/dev/null
}
# The flows' next packets: none is of a flow that the table has to take up anew, none moves.
all_stay() { # WHAT
	local new moved hits
	new=$(counter flow_new) moved=$(counter flow_moved) hits=$(counter flow_hit)
	generate "$flows" A 0
	await 5 "$1: $flows packets of known flows" eval "((\$(counter flow_hit) >= $((hits + flows - 5))))"
	# A few flows in a million share an entry, and may have to part.
	(($(counter flow_new) - new <= 2)) || fail "$1: $(($(counter flow_new) - new)) flows were entered anew"
	is "$1: moved flows" "$(counter flow_moved)" "$moved"
}

restart() {
	kill_hard "$forwarder"
	lab start "$forwarder"
	await 10 "shuntd has its forwarder" connected
}

# Closed connections are soon forgotten, so that a table is soon out of use.
edit_conf 's/capacity = [0-9]+;/& timeouts: { fin = "4s"; reset = "4s"; };/'
ctl reload >/dev/null

step "$flows established flows, and downloads paced to last about twenty seconds"
generate "$flows" S 0
generate "$flows" A 0
for i in 1 2 3; do download "four-$i" 350k; done
download six-1 350k "[$vip6]"
all_stay "before"

step "up; then one server alone gets new flows, so that nothing but the tables knows where the others' are"
carried=$(counter flow_carried)
capacity 3000000
await 5 "the table is the larger one" capacity_is 3000000
edit_conf 's/"10.0.0.1[12]";/& weight = 0;/'
ctl reload >/dev/null
is "new connections" "$(http 10 "$vip4" | names)" rs3
port=$(on client ss -Htn state established dst "$vip4:80" | awk '{ sub(/.*:/, "", $3); print $3; exit }')
is "what explain says of a download" "$(json explain "198.51.100.2:$port" "$vip4:80/tcp" .reason)" flow
all_stay "larger"
(($(counter flow_carried) - carried > flows - 5)) || fail "only $(($(counter flow_carried) - carried)) flows carried over"

step "down, as soon as the table before is out of use; killed meanwhile and after"
capacity 20000
restart
await 30 "the table is the smaller one" capacity_is 20000
restart
all_stay "smaller"
is "new connections" "$(http 10 "$vip4" | names)" rs3

step "there and back"
capacity 50000
capacity 40000
# Should the first be in force already, the second waits for what the table before still has.
all_stay "there"
await 30 "the table is the last one asked for" capacity_is 40000
all_stay "there and back"

step "every download comes to its end, whole, and no flow was moved"
for i in 1 2 3; do downloaded "four-$i" 60; done
downloaded six-1 60
is "moved flows" "$(counter flow_moved)" 0
await 5 "verdicts add up" accounted_for verdicts
