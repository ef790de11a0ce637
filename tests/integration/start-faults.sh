#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What keeps the daemons from starting is said in one line that helps, with exit status 1, and leaves no half-made
# thing behind.
#
#   lb alone matters here: shunt-dataplane and shuntd are started with one thing wrong at a time. What is XDP's own is in
#   the tests named after it.
#
# Paths: dpdk xdp
. "$(dirname "$0")/_init.sh"

lab up
good=$run/shunt.conf
bad=$scratch/bad.conf

# wrong SED-EXPRESSION: the lab's configuration with one thing changed, for a dataplane of its own
wrong() {
	sed -E "s|iface=wire0|iface=wire9|; s|kernel_interface = .*|kernel_interface = \"shunt9\";|
		s|$run/dataplane|$scratch/dataplane|; $1" "$good" >"$bad"
}
dataplane_refused() { refused 1 "$1" on lb timeout 20 shunt-dataplane -c "$bad"; }
shuntd_refused() { # it may have said what it found before, but of errors there is one
	local status=0

	on lb timeout 20 shuntd -c "$bad" >"$scratch/refused" 2>&1 || status=$?
	is "status of shuntd (it said: $(<"$scratch/refused"))" "$status" 1
	matches "what shuntd said" "$(grep ' error: ' "$scratch/refused")" "^shuntd: error: [^"$'\n'"]*($1)[^"$'\n'"]*$"
}

faults_of_dataplane() {
	step "dataplane: a file that is not there, not readable, not libconfig"
	refused 1 'nosuch.conf: No such file' on lb shunt-dataplane -c "$scratch/nosuch.conf"
	echo 'dpdk: { port = "x' >"$bad"
	dataplane_refused 'bad.conf:[0-9]+: '
	echo 'control: { };' >"$bad"
	dataplane_refused 'dpdk'
	refused 1 'shunt.conf: Permission denied' on lb sh -c "chmod 600 '$good'; exec setpriv --reuid=65534 --regid=65534 \
		--clear-groups '$(open_program shunt-dataplane)' -c '$good'"

	step "dataplane: settings"
	wrong 's|idle = .*|idel = "sleep";|'
	dataplane_refused 'bad.conf:[0-9]+: dpdk.idel: unknown setting'
	wrong 's|cores = .*|cores = 3;|'
	dataplane_refused 'dpdk.cores: .*string'
	for cores in 99 1-0 x '' 1,1 1- ','; do
		wrong "s|cores = .*|cores = \"$cores\";|"
		dataplane_refused 'bad.conf:[0-9]+: dpdk.cores: '
	done

	step "dataplane: no such port"
	wrong 's|port = "net[^;]*|port = "0000:ff:1f.7"|'
	dataplane_refused '0000:ff:1f.7'
	wrong 's|port = "net[^;]*|port = "net_nosuch0"|'
	dataplane_refused 'net_nosuch'
	wrong 's|port = "net[^;]*|port = "net_af_packet0,iface=eth9"|'
	dataplane_refused 'eth9|net_af_packet'

	step "dataplane: no huge pages (hidden from it, should this machine have some), arguments DPDK does not know"
	wrong 's|"--no-huge"||'
	refused 1 'huge pages.*--no-huge' on lb unshare -m sh -c \
		"mount -t tmpfs none /sys/kernel/mm/hugepages && exec shunt-dataplane -c '$bad'"
	wrong 's|"--no-huge"|"--no-huge", "--no-such-argument"|'
	dataplane_refused 'argument'

	step "dataplane: in use"
	lab start dataplane
	sed -E "s|run_dir = .*|run_dir = \"$scratch/dataplane\";|; s|iface=wire0|iface=wire9|; s|shunt0|shunt9|" "$good" >"$bad"
	dataplane_refused "$run/dataplane.sock"
	sed -E "s|socket = .*dataplane.sock\";|socket = \"$scratch/s\";|; s|iface=wire0|iface=wire9|; s|shunt0|shunt9|" "$good" >"$bad"
	dataplane_refused "$run/dataplane"
	sed -E "s|$run/dataplane|$scratch/dataplane|; s|shunt0|shunt9|" "$good" >"$bad"
	dataplane_refused 'wire0|net_tap'
	sed -E "s|$run/dataplane|$scratch/dataplane|; s|iface=wire0|iface=wire9|" "$good" >"$bad"
	dataplane_refused 'shunt0'
	on client ping -q -c 2 -i 0.2 -W 10 10.0.0.2 >/dev/null || fail "the running dataplane was disturbed"

	step "dataplane: its socket's place is taken by something else, or can't be"
	wrong ''
	echo keep >"$scratch/dataplane.sock"
	dataplane_refused "$scratch/dataplane.sock"
	is "the file in the way" "$(<"$scratch/dataplane.sock")" keep
	rm "$scratch/dataplane.sock"
	wrong "s|$scratch/dataplane.sock|$scratch/no/such/folder/s|"
	dataplane_refused "$scratch/no/such/folder/s"

	step "dataplane: no rights"
	wrong ''
	chmod 644 "$bad"
	mkdir -m 777 "$scratch/open"
	sed -i "s|$scratch/dataplane|$scratch/open/dataplane|" "$bad"
	refused 1 'ermitted|ermission' on lb timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
		"$(open_program shunt-dataplane)" -c "$bad"
	refused 1 'ermitted|ermission' on lb setpriv --bounding-set=-net_admin,-sys_admin,-net_raw --inh-caps=-all \
		"$(open_program shunt-dataplane)" -c "$bad"

	step "dataplane: nothing was left by all of that"
	! ip -n "${prefix}lb" -br link | grep -E '^(wire9|shunt9)' || fail "an interface is still there"

	step "dataplane: usage"
	status=0
	on lb shunt-dataplane 2>/dev/null || status=$?
	is "status without -c" "$status" 2
	matches "--version" "$(shunt-dataplane --version)" '^shunt-dataplane [0-9]+\.[0-9]+\.[0-9]+$'
	[[ $(shunt-dataplane --help) == *-c* ]] || fail "--help does not name -c"
}
if is_dpdk; then faults_of_dataplane; fi

step "shuntd: its socket and state are another's, or can't be"
lab start shuntd
cp "$good" "$bad"
shuntd_refused "$run/(shuntd.sock|state)"
sed "s|$run/state|$scratch/state|" "$good" >"$bad"
shuntd_refused "$run/shuntd.sock"
sed "s|$run/shuntd.sock|$scratch/shuntd.sock|" "$good" >"$bad"
shuntd_refused "$run/state"
connected || fail "the running shuntd was disturbed"
free_of_others() {
	sed "s|http = .*|http = \"\";|; s|$run/shuntd.sock|$scratch/shuntd.sock|; s|$run/state|$scratch/state|
		s|$run/dataplane.sock|$scratch/dataplane.sock|; $1" "$good" >"$bad"
}
if is_dpdk; then
	step "two of one kind at one dataplane: neither cuts off who is there"
	connections() { grep -c 'is connected' "$run/log/dataplane.log"; }
	await 5 "shuntd is connected" connected
	before=$(connections)
	free_of_others "s|$scratch/dataplane.sock|$run/dataplane.sock|"
	shuntd_refused "dpdk.socket: another shuntd works with the shunt-dataplane on $run/dataplane.sock"
	free_of_others "s|iface=wire0|iface=wire9|; s|shunt0|shunt9|; s|$run/dataplane\"|$scratch/dataplane\"|
		s|$scratch/dataplane.sock|$run/dataplane.sock|"
	dataplane_refused "dpdk.socket: $run/dataplane.sock is in use by another shunt-dataplane"
	is "connections of shuntd to its dataplane" "$(connections)" "$before"
	connected || fail "shuntd was cut off"
	lab stop shuntd
	lab start shuntd
	await 5 "shuntd is connected again" connected
	kill_hard shuntd
	lab start shuntd
	await 5 "shuntd is connected again after kill -9" connected
fi
free_of_others ''
echo keep >"$scratch/shuntd.sock"
shuntd_refused "$scratch/shuntd.sock"
is "the file in the way" "$(<"$scratch/shuntd.sock")" keep
rm "$scratch/shuntd.sock"
free_of_others "s|$scratch/shuntd.sock|$scratch/no/such/folder/s|"
shuntd_refused "$scratch/no/such/folder"
free_of_others 's|http = ""|http = "127.0.0.1:9190"|'
shuntd_refused '127.0.0.1:9190'
free_of_others 's|http = ""|http = "192.0.2.1:9190"|'
shuntd_refused '192.0.2.1:9190'
free_of_others "s|$scratch/state|/proc/nosuch|"
shuntd_refused '/proc/nosuch'

step "shuntd: no rights"
free_of_others "s|$scratch/|$scratch/open/|g"
chmod 644 "$bad"
refused 1 'ermitted|ermission' on lb timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
	"$(open_program shuntd)" -c "$bad"

step "shuntd: usage"
status=0
on lb shuntd --nonsense 2>/dev/null || status=$?
is "status of an unknown option" "$status" 2
matches "--version" "$(shuntd --version)" '^shuntd [0-9]+\.[0-9]+\.[0-9]+$'
