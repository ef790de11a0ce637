#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Nothing a client sends over the socket, or does not, keeps shuntd from serving the others.
#
#   lb: one client that misbehaves, one that asks for "status" all the time and has to be answered in time
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all
pid=$(pid_of shuntd)

# Answered all the while, each time within eight seconds, of which a loaded machine may need some.
cat >"$scratch/good-client.sh" <<END
while [ ! -e "$scratch/stop" ]; do
	timeout 30 shuntctl --socket "$run/shuntd.sock" --json status >/dev/null || echo "not answered"
	sleep 0.02
done
END

for abuse in not-json half-line long-line unknown-method wrong-params wrong-shapes batch deep binary no-reader \
	many-requests many-clients slow-clients waiting-clients; do
	step "$abuse"
	rm -f "$scratch/stop"
	background good ip netns exec "${prefix}lb" sh "$scratch/good-client.sh"
	/usr/bin/python3 "$here/_rpc_abuse.py" "$run/shuntd.sock" "$abuse"
	touch "$scratch/stop"
	await 10 "the good client has ended" background_gone good
	is "what the good client missed" "$(<"$scratch/good")" ""
	is "shuntd is the same process" "$(pid_of shuntd)" "$pid"
done

step "all is as it was"
is "HTTP" "$(http 30 "$vip4" | names)" "rs1 rs2 rs3"
ctl backend set web 10.0.0.11 --weight 50
open=$(find "/proc/$pid/fd" -mindepth 1 | wc -l)
((open < 100)) || fail "shuntd has $open descriptors open"
