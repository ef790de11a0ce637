#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# shunt-dataplane above XDP when something is wrong: settings, interface, maps. What keeps it from starting is one line
# with exit status 1; what keeps it from taking frames is one line too, and XDP forwards alone meanwhile.
#
#   client ── router ── lan ──┬── lb   eth0: XDP program ══ AF_XDP ══ shunt-dataplane
#                             └── rs1, rs2, rs3
#
# Paths: xdp
. "$(dirname "$0")/_init.sh"
export SHUNT_LAB_SOCKETS=1

lab up
good=$run/shunt.conf
bad=$scratch/bad.conf
wrong() { sed -E "s|$run/dataplane|$scratch/dataplane|; $1" "$good" >"$bad"; }
dataplane_refused() { refused 1 "$1" on lb timeout 20 shunt-dataplane -c "$bad"; }
log=$run/log/dataplane.log
says() { tail -n 1 "$log" | grep -qE "$1"; }
serves() { [[ $(http 10 "$vip4" | wc -l) == 10 ]]; }

step "settings"
for port in af_xdp: af_xdp:eth0,fast af_xdp:0123456789abcdef; do
	wrong "s|port = \"af_xdp[^;]*|port = \"$port\"|"
	dataplane_refused 'bad.conf:[0-9]+: dpdk.port: .*has to be "af_xdp:INTERFACE"'
done
wrong 's|port = "af_xdp[^;]*;|& kernel_interface = "shunt0";|'
dataplane_refused 'bad.conf:[0-9]+: dpdk.kernel_interface: .*absent'
wrong 's|^interface = .*|interface = "lo";|'
refused 1 'interface: must be "eth0"' on lb timeout 20 shuntd -c "$bad"

step "no such interface; an MTU beyond what a buffer takes"
wrong 's|af_xdp:eth0|af_xdp:eth9|'
dataplane_refused 'dpdk.port: there is no interface eth9'
wrong 's|af_xdp:eth0|af_xdp:wide|'
ip -n "${prefix}lb" link add wide mtu 9000 type veth peer name wide-end
dataplane_refused 'dpdk.port: wide has an MTU of 9000'
ip -n "${prefix}lb" link del wide

step "no rights"
wrong ''
chmod 644 "$bad"
mkdir -m 777 "$scratch/open"
sed -i "s|$scratch/dataplane|$scratch/open/dataplane|" "$bad"
refused 1 'ermitted|ermission' on lb timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
	"$(open_program shunt-dataplane)" -c "$bad"

step "without shuntd and its program it stands by"
lab start dataplane
await 5 "it says so" says 'standing by.*(no snapshot|no program)'

step "another process has the queue"
wrong ''
dataplane_refused 'queue 0 of eth0: another process'

step "shuntd comes: it takes frames"
lab start shuntd
await 15 "every backend is up" all_up
joined() { says 'frames to VIPs come from|link is up|shuntd .*connected|snapshot' && grep -q "frames to VIPs come from" "$log"; }
await 5 "it takes frames" joined
serves || fail "no service"

step "the XDP program is taken off, and comes back"
ctl detach >/dev/null
await 5 "it stands by" says 'standing by'
lab stop shuntd
lab start shuntd
await 15 "every backend is up" all_up
await 5 "it takes frames again" says 'frames to VIPs come from'
serves || fail "no service"

step "the interface goes away: it ends, for whoever started it to start it again"
pid=$(pid_of dataplane)
ip -n "${prefix}lb" link del eth0
gone() { ! kill -0 "$pid" 2>/dev/null; }
await 10 "shunt-dataplane has ended" gone
grep -q "eth0: the interface is gone" "$log" || fail "it did not say why: $(tail -n 1 "$log")"
