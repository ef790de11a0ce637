#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What forwards loses its process by kill -9 in the midst of downloads, after their pool has changed so that nothing
# but the flow table knows where they are; and they go on. On the DPDK path that process is shunt-dataplane, restarted
# with shuntd and without. On the XDP path it is shuntd, and the program in the kernel does not even pause.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

step "downloads begin; then the servers they are on get no new flows any more"
for i in 1 2; do download "four-$i" 600k; done
download six-1 600k "[$vip6]"
for i in 1 2; do
	on_server=$(download_server "four-$i")
	ctl backend set web "10.0.0.1${on_server#rs}" --weight 0
done
ctl backend del web6 "2001:db8:a::1$(download_server six-1 | tr -d rs)"
entered=$(counter flow_new)

step "kill -9 of $forwarder, restarted at once"
kill_hard "$forwarder"
lab start "$forwarder"
sizes() { stat -c %s "$scratch"/four-[12].file "$scratch/six-1.file" | xargs; }
then=$(sizes)
grown() {
	local i now
	read -ra now <<<"$(sizes)"
	read -ra was <<<"$then"
	for i in 0 1 2; do ((now[i] > was[i] + 100000)) || return 1; done
}
await 10 "all downloads go on" grown
is "moved flows" "$(counter flow_moved)" 0

step "killed again, and this time shuntd is not there either"
kill_hard shuntd
if is_dpdk; then
	kill_hard dataplane
	lab start dataplane
fi
then=$(sizes)
await 10 "all downloads go on without shuntd" grown
servers=$(http 30 "$vip4" | names)
[[ -n $servers ]] || fail "no new connection without shuntd"
is "ping of the VIP" "$(on client ping -q -c 1 -W 10 "$vip4" >/dev/null && echo answered)" answered
on client ping -q -c 1 -W 10 10.0.0.2 >/dev/null

step "shuntd is back"
lab start shuntd
for i in 1 2; do downloaded "four-$i" 60; done
downloaded six-1 60
step "flows entered before: $entered"

step "stopped and started the ordinary way it carries on as well, and with a changed pool meanwhile"
for i in 1 2 3; do ctl backend set web "10.0.0.1$i" --weight 100; done
await 5 "every backend is up" all_up
download tail 900k
first=$(download_server tail)
lab stop "$forwarder"
if is_dpdk; then
	# Nobody acknowledges it, and shuntctl says so; but the change is kept.
	status=0
	ctl backend set web "10.0.0.1${first#rs}" --weight 0 >/dev/null 2>"$scratch/refused" || status=$?
	is "status of a change without dataplane" "$status" 1
	matches "what it said" "$(<"$scratch/refused")" 'kept|applied'
else
	edit_conf "s/\"10.0.0.1${first#rs}\";/& weight = 0;/"
fi
lab start "$forwarder"
await 10 "shuntd has found it" connected
downloaded tail 60
[[ $(http 30 "$vip4" | names) != *"$first"* ]] || fail "the change made without $forwarder was forgotten"
await 5 "verdicts add up" accounted_for verdicts

step "away for longer than a check takes to give a server up: no server is judged by that"
kill_hard "$forwarder"
some_down() { ! none_down; }
if is_dpdk; then
	if until_true 6 some_down; then fail "a server was taken for down because shunt-dataplane was away"; fi
fi
lab start "$forwarder"
servers=$(http 30 "$vip4" | names)
[[ -n $servers ]] || fail "no new connection at once after a restart"
is "new connections without a server" "$(counter drop_no_backend)" 0
