#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A change by shuntctl has taken effect in the forwarder when the command returns: the very next connections are
# treated by it. Also what is refused, with which status.
#
#   client ── router ── lan ──┬── lb
#                             └── rs1, rs2, rs3
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

start_all

# Thirty connections: that one of three servers gets none of them by chance happens once in 200,000 times.
web_is() { is "servers of $vip4 after \"$1\"" "$(http 30 "$vip4" | names)" "$2"; }

step "weight"
ctl backend set web 10.0.0.11 --weight 0
web_is "weight 0" "rs2 rs3"
ctl backend set web 10.0.0.11 --weight 100
web_is "weight 100" "rs1 rs2 rs3"

step "disable, enable, drain"
ctl disable 10.0.0.12
web_is "disable" "rs1 rs3"
is "state" "$(backend_state web 10.0.0.12)" disabled
is "UDP, since it is in every pool" "$(udp 30 "$vip4" | names)" "rs1 rs3"
ctl enable 10.0.0.12
await 5 "rs2 is up" state_is web 10.0.0.12 up
web_is "enable" "rs1 rs2 rs3"
ctl drain 10.0.0.13 --pool web
web_is "drain" "rs1 rs2"
matches "state" "$(backend_state web 10.0.0.13)" '^drain(ing|ed)$'
is "UDP, another pool" "$(udp 30 "$vip4" | names)" "rs1 rs2 rs3"
ctl enable 10.0.0.13
await 5 "rs3 is back" state_is web 10.0.0.13 up
web_is "enable" "rs1 rs2 rs3"

step "backend del and add"
ctl backend del web 10.0.0.11
web_is "backend del" "rs2 rs3"
ctl backend add web 10.0.0.11 --weight 200
await 5 "rs1 is up" state_is web 10.0.0.11 up
web_is "backend add" "rs1 rs2 rs3"
ctl backend del web6 2001:db8:a::12
is "IPv6" "$(http 30 "[$vip6]" | names)" "rs1 rs3"

step "vip add and del, of a new address and of a port"
for i in 1 2 3; do lab exec "rs$i" "$repo/scripts/realserver" up 192.0.2.81 >/dev/null; done
ctl vip add 192.0.2.81:0/tcp --pool web
is "new VIP" "$(http 30 192.0.2.81 | names)" "rs1 rs2 rs3"
ctl vip del 192.0.2.81:0/tcp
on client curl -sS -m 0.5 http://192.0.2.81/ 2>/dev/null && fail "a deleted VIP answers"
on client ping -q -c 1 -W 0.5 192.0.2.81 >/dev/null && fail "a deleted VIP answers ping"
web_is "another VIP's deletion" "rs1 rs2 rs3"

step "pool add and del, with each scheduler"
for scheduler in maglev source-hash round-robin least-flows; do
	ctl pool add "p-$scheduler" --scheduler "$scheduler" --check none
	for i in 1 2 3; do ctl backend add "p-$scheduler" "10.0.0.1$i"; done
	ctl vip add 192.0.2.81:80/tcp --pool "p-$scheduler"
	await 5 "its backends are up" all_up
	expected="rs1 rs2 rs3"
	[[ $scheduler != source-hash ]] || expected=$(http 1 192.0.2.81)
	is "$scheduler" "$(http 30 192.0.2.81 | names)" "$expected"
	if [[ $scheduler == round-robin ]]; then
		turns=$(http 30 192.0.2.81 | sort | uniq -c | awk '{ print $1 }' | xargs)
		# Each worker, or CPU, takes turns of its own.
		off=$(is_xdp && nproc || echo 0)
		for n in $turns; do ((n >= 10 - off && n <= 10 + off)) || fail "round robin's turns: $turns"; done
	fi
	refused 1 'p-' ctl pool del "p-$scheduler"
	ctl vip del 192.0.2.81:80/tcp
	ctl pool del "p-$scheduler"
done

step "explain says what then happens"
for port in 20001 20002 20003 20004 20005 20006; do # below those the kernel gives out
	told=$(json explain "198.51.100.2:$port" "$vip4:80/tcp" .backend)
	is "reason" "$(json explain "198.51.100.2:$port" "$vip4:80/tcp" .reason)" hash
	got=$(on client curl -fsS -m 5 --local-port "$port" "http://$vip4/")
	is "server of port $port" "$got" "rs${told#10.0.0.1}"
	is "reason afterwards" "$(json explain "198.51.100.2:$port" "$vip4:80/tcp" .reason)" flow
done
is "reason without a VIP" "$(json explain 198.51.100.2:1 192.0.2.99:80/tcp .reason)" no-vip

step "what is refused"
refused 1 'web' ctl pool add web
refused 1 'nosuch' ctl backend add nosuch 10.0.0.14
refused 1 '10.0.0.12' ctl backend add web 10.0.0.12
refused 1 '2001:db8:a::11' ctl backend add web 2001:db8:a::11
refused 1 '10.0.0.99' ctl backend set web 10.0.0.99 --weight 1
refused 1 '192.0.2.80:80/tcp' ctl vip add "$vip4:80/tcp" --pool dns
refused 1 '192.0.2.99' ctl vip del 192.0.2.99:80/tcp
refused 1 '10.0.0.99' ctl disable 10.0.0.99
refused 3 'shuntd' on lb shuntctl --socket "$scratch/none.sock" status
status=0
ctl frobnicate 2>/dev/null || status=$?
is "status of an unknown command" "$status" 2

step "anyone who can connect may read, only root and the group may change"
chmod 666 "$run/shuntd.sock"
on lb setpriv --reuid=65534 --regid=65534 --clear-groups "$(open_program shuntctl)" --socket "$run/shuntd.sock" \
	show >/dev/null
refused 1 '' on lb setpriv --reuid=65534 --regid=65534 --clear-groups "$(open_program shuntctl)" \
	--socket "$run/shuntd.sock" disable 10.0.0.12
is "state" "$(backend_state web 10.0.0.12)" up
